package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// Listed selects the entries that a complete walk over a window must have met.
type Listed struct {
	Source string
	// Within holds both times of an entry. The caller makes it narrower than the window that was read: providers filter by
	// other times than an entry's.
	Within schema.Window
	Before int64 // the run in which the walk began: what was stored since may lie in pages that were read earlier
	// At, if not nil, are the only times at which an entry may have occurred that is asked for; sorted.
	At []time.Time
}

// ListedIDs yields the external ids of those entries, by occurred_at. Rows that another row replaced are left out, since a
// provider may drop them, and so are those that are absent already.
func (l *Ledger) ListedIDs(ctx context.Context, q Listed) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if q.Before <= 1 {
			return // nothing was stored before the first run
		}
		seq, err := l.seqAt(ctx, q.Before-1)
		if err != nil {
			yield("", fmt.Errorf("read entries (%s): %w", q.Source, err))
			return
		}
		if q.At == nil {
			l.listed(ctx, q, seq, "", nil)(yield)
			return
		}
		for times := range slices.Chunk(q.At, maxIDs) {
			args := make([]any, 0, len(times))
			for _, at := range times {
				args = append(args, at.UnixMicro())
			}
			for id, err := range l.listed(ctx, q, seq, `AND e.occurred_at IN (?`+strings.Repeat(", ?", len(times)-1)+`)`, args) {
				if !yield(id, err) || err != nil {
					return
				}
			}
		}
	}
}

// listed are those of the entries that were stored up to a commit and that another condition holds of.
func (l *Ledger) listed(ctx context.Context, q Listed, seq int64, and string, args []any) iter.Seq2[string, error] {
	from, to := q.Within.From.UnixMicro(), q.Within.To.UnixMicro()
	// The source is no plain column here, so that the index of times is taken and no other: the rows of a source lie over the
	// whole ledger, those of a time lie together.
	query := `SELECT e.external_id FROM entries e
		WHERE e.closed_seq IS NULL AND e.source || '' = ? AND e.commit_seq <= ? AND e.status <> ?
		  AND e.occurred_at >= ? AND e.occurred_at < ? AND (e.posted_at IS NULL OR (e.posted_at >= ? AND e.posted_at < ?))
		  AND NOT EXISTS (SELECT 1 FROM absences a WHERE a.closed_seq IS NULL AND a.source = e.source AND a.external_id = e.external_id)
		  ` + and + ` ORDER BY e.occurred_at, e.external_id`
	return func(yield func(string, error) bool) {
		rows, err := l.read.QueryContext(ctx, l.read.Rebind(query), append([]any{q.Source, seq, string(schema.Superseded), from, to, from, to}, args...)...)
		if err != nil {
			yield("", fmt.Errorf("read entries (%s): %w", q.Source, err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				yield("", fmt.Errorf("read entries (%s): %w", q.Source, err))
				return
			}
			if !yield(id, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield("", fmt.Errorf("read entries (%s): %w", q.Source, err))
		}
	}
}

// Reading is what is known of one entry before it is called absent.
type Reading struct {
	ExternalID string
	Category   string // Slash: under which it was read last
	OccurredAt time.Time
	PostedAt   time.Time // zero: not posted
	StoredAt   time.Time // when the version of its record that is known last was received
	Run        int64     // that stored this version
}

// Readings describes entries by their external ids, in the order of id.
func (l *Ledger) Readings(ctx context.Context, source string, ids []string) ([]Reading, error) {
	type row struct {
		ExternalID string `db:"external_id"`
		OccurredAt int64  `db:"occurred_at"`
		PostedAt   *int64 `db:"posted_at"`
		Category   string `db:"category"`
		ReceivedAt int64  `db:"received_at"`
		RunID      int64  `db:"run_id"`
	}
	rows, err := selectIn[row](ctx, l.read, l.read.Rebind, ids, `
		SELECT e.external_id, e.occurred_at, e.posted_at, r.category, r.received_at,
			(SELECT run_id FROM commits WHERE seq = r.commit_seq) AS run_id FROM entries e
		JOIN records r ON r.source = e.source AND r.stream = ? AND r.identity = e.external_id
		 AND r.id = (SELECT MAX(o.id) FROM records o WHERE o.source = e.source AND o.stream = r.stream AND o.identity = e.external_id)
		WHERE e.closed_seq IS NULL AND e.source = ? AND e.external_id IN (?) ORDER BY e.external_id`, string(schema.Transactions), source)
	if err != nil {
		return nil, fmt.Errorf("read entries (%s): %w", source, err)
	}
	all := make([]Reading, 0, len(rows))
	for _, r := range rows {
		all = append(all, Reading{
			ExternalID: r.ExternalID, Category: r.Category, OccurredAt: instant(&r.OccurredAt), PostedAt: instant(r.PostedAt),
			StoredAt: instant(&r.ReceivedAt), Run: r.RunID,
		})
	}
	return all, nil
}

// absences ends those of entries that the group read, and stores those that are new.
func (t *tx) absences(ctx context.Context, g Group, ids []string, counts *Counts) error {
	if g.Stream != schema.Transactions {
		return nil
	}
	type standing struct {
		ID         int64  `db:"id"`
		ExternalID string `db:"external_id"`
	}
	among := func(ids []string) ([]standing, error) {
		found, err := selectSome[standing](ctx, t, ids, `SELECT id, external_id`,
			`FROM absences WHERE closed_seq IS NULL AND source = ?`, `AND external_id IN (?)`, g.Source)
		if err != nil {
			return nil, fmt.Errorf("read absences: %w", err)
		}
		return found, nil
	}
	read, err := among(ids)
	if err != nil {
		return err
	}
	closed := make([]int64, 0, len(read))
	for _, s := range read {
		closed = append(closed, s.ID)
	}
	slices.Sort(closed)
	if err := t.close(ctx, "absences", closed); err != nil {
		return err
	}
	gone := make([]string, 0, len(g.Absent))
	for _, a := range g.Absent {
		gone = append(gone, text(a.ExternalID))
	}
	absent, err := among(gone)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, s := range absent {
		known[s.ExternalID] = true
	}
	var rows [][]any
	for _, a := range g.Absent {
		id := text(a.ExternalID)
		if !known[id] {
			known[id] = true
			rows = append(rows, []any{
				g.Source, id, a.LastRead.UnixMicro(), a.NoticedAt.UnixMicro(), a.Window.From.UnixMicro(), a.Window.To.UnixMicro(),
			})
		}
	}
	counts.Vanished = int64(len(rows))
	return t.insert(ctx, "absences", rows)
}

// Absences implements schema.AbsenceReader.
func (v *view) Absences(ctx context.Context) iter.Seq2[schema.Absence, error] {
	return scan(ctx, v, "absences", `SELECT source, external_id, last_read, noticed_at, window_from, window_to, `+runOf+`
		FROM absences `+standing+` ORDER BY source, external_id`, nil, func(rows *sql.Rows) (schema.Absence, error) {
		var a schema.Absence
		var read, noticed, from, to int64
		err := rows.Scan(&a.Source, &a.ExternalID, &read, &noticed, &from, &to, &a.Run)
		a.LastRead, a.NoticedAt, a.Window = instant(&read), instant(&noticed), schema.Window{From: instant(&from), To: instant(&to)}
		return a, err
	})
}
