package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"

	"github.com/tieout/tieout/schema"
)

// Changes yields what became of each entry between two runs, by source, card, occurred_at, entry id; to 0 is now. What
// changed and changed back is no change. It is read as it is ranged over, and holds no more than one entry.
func (l *Ledger) Changes(ctx context.Context, since, to int64) iter.Seq2[schema.Change, error] {
	return func(yield func(schema.Change, error) bool) {
		if err := l.changes(ctx, since, to, func(c schema.Change) bool { return yield(c, nil) }); err != nil {
			yield(schema.Change{}, fmt.Errorf("read changes since run %d: %w", since, err))
		}
	}
}

// changedEntries selects each entry as it stood after the later commit, the id of the version that stood after the earlier one
// and was replaced since, and the absences that stood after either. It has no rows that are the same after both.
func changedEntries() string {
	return "SELECT n.id, n.commit_seq, n." + strings.Join(entryColumns(), ", n.") + `,
	o.id, a.last_read, a.noticed_at, a.window_from, a.window_to, (SELECT run_id FROM commits WHERE seq = a.commit_seq), b.id
FROM entries n
LEFT JOIN entries o ON o.source = n.source AND o.external_id = n.external_id AND o.id <> n.id
	AND o.closed_seq IS NOT NULL AND o.closed_seq > ? AND o.commit_seq <= ?
LEFT JOIN absences a ON a.source = n.source AND a.external_id = n.external_id
	AND a.commit_seq <= ? AND (a.closed_seq IS NULL OR a.closed_seq > ?)
LEFT JOIN absences b ON b.source = n.source AND b.external_id = n.external_id
	AND b.commit_seq <= ? AND (b.closed_seq IS NULL OR b.closed_seq > ?)
WHERE n.commit_seq <= ? AND (n.closed_seq IS NULL OR n.closed_seq > ?)
	AND (n.commit_seq > ? OR (a.id IS NULL) <> (b.id IS NULL))
ORDER BY n.source, n.card_id, n.occurred_at, n.external_id`
}

func (l *Ledger) changes(ctx context.Context, since, to int64, each func(schema.Change) bool) error {
	from, err := l.seqAt(ctx, since)
	if err != nil {
		return err
	}
	until, err := l.seqAt(ctx, to)
	if err != nil {
		return err
	}
	runs, err := l.runStarts(ctx)
	if err != nil {
		return err
	}
	last4, err := (&view{l: l, asOf: to}).last4(ctx)
	if err != nil {
		return err
	}
	version, err := l.read.PrepareContext(ctx, l.read.Rebind(entrySelect+`WHERE id = ?`))
	if err != nil {
		return err
	}
	defer version.Close()
	rows, err := l.read.QueryContext(ctx, l.read.Rebind(changedEntries()), from, from, until, until, from, from, until, until, from)
	if err != nil {
		return err
	}
	defer rows.Close()
	entry := func(r *entryRow) (schema.Entry, error) {
		e, err := r.entry()
		e.Run = runs[r.CommitSeq].run
		if e.CardLast4 == "" {
			e.CardLast4 = last4[cardKey{e.Source, e.CardID}]
		}
		return e, err
	}
	for rows.Next() {
		row, err := scanChange(rows)
		if err != nil {
			return err
		}
		var c schema.Change
		if c.Entry, err = entry(&row.now); err != nil {
			return err
		}
		switch {
		case row.replaced != nil:
			var was entryRow
			if err := scanEntry(version.QueryRowContext(ctx, *row.replaced), &was); err != nil {
				return err
			}
			if c.Was, err = entry(&was); err != nil {
				return err
			}
		case row.now.CommitSeq <= from:
			c.Was = c.Entry
		}
		if row.judge(&c) && !each(c) {
			return nil
		}
	}
	return rows.Err()
}

// changeRow is a line of changedEntries.
type changeRow struct {
	now       entryRow
	replaced  *int64 // the version that stood after the earlier commit, where it is another
	absence   *schema.Absence
	wasAbsent bool
}

func scanChange(rows *sql.Rows) (changeRow, error) {
	var r changeRow
	var read, noticed, from, to, run, before *int64
	err := scanEntry(scanMore{rows, []any{&r.replaced, &read, &noticed, &from, &to, &run, &before}}, &r.now)
	r.wasAbsent = before != nil
	if err == nil && read != nil {
		r.absence = &schema.Absence{
			Source: r.now.Source, ExternalID: r.now.ExternalID, LastRead: instant(read), NoticedAt: instant(noticed),
			Window: schema.Window{From: instant(from), To: instant(to)}, Run: *run,
		}
	}
	return r, err
}

// scanMore scans columns that a query has beyond those of an entry.
type scanMore struct {
	*sql.Rows
	more []any
}

func (s scanMore) Scan(dest ...any) error { return s.Rows.Scan(append(dest, s.more...)...) }

// judge says what kind of change the line is; false: in the end, nothing changed.
func (r changeRow) judge(c *schema.Change) bool {
	known := c.Was.ExternalID != ""
	if known {
		c.Fields = schema.Differences(c.Was, c.Entry)
	}
	switch {
	case r.absence != nil && !r.wasAbsent:
		c.Kind, c.Absence = schema.Vanished, *r.absence
	case r.wasAbsent && r.absence == nil:
		c.Kind = schema.Returned
	case !known:
		c.Kind = schema.Came
	case len(c.Fields) > 0:
		c.Kind = schema.Changed
	default:
		return false
	}
	return true
}
