package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
)

// maxSeq stands for "now": no commit has this number.
const maxSeq = int64(math.MaxInt64)

// seqAt is the number of the last commit of a run or, where there is none, of the one before it; maxSeq for run 0. A run that began
// earlier may have stored something later, where workers do several at a time: that was not known then.
func (l *Ledger) seqAt(ctx context.Context, run int64) (int64, error) {
	if run == 0 {
		return maxSeq, nil
	}
	var seq int64
	if err := l.read.GetContext(ctx, &seq, l.read.Rebind(`SELECT COALESCE(MAX(seq), 0) FROM commits WHERE run_id = (SELECT MAX(run_id) FROM commits WHERE run_id <= ?)`), run); err != nil {
		return 0, fmt.Errorf("read commits: %w", err)
	}
	return seq, nil
}

// View reads the ledger as it was known after run asOf; 0: now.
func (l *Ledger) View(asOf int64) schema.View {
	v := &view{l: l, asOf: asOf}
	return schema.View{Entries: v, Cards: v, Observations: v, Budgets: v, Fundings: v, Completeness: v, Rejects: v, Notes: v, Absences: v, Matches: v}
}

type view struct {
	l    *Ledger
	asOf int64

	mutex sync.Mutex
	names known[*names]
	cards known[[]schema.EntryCard]
}

// known is what was read once, and is read again only when something was stored since.
type known[T any] struct {
	head  int64 // the last commit when it was read
	value T
	read  bool
}

func (v *view) head(ctx context.Context) (head int64, err error) {
	if err := v.l.read.GetContext(ctx, &head, `SELECT COALESCE(MAX(seq), 0) FROM commits`); err != nil {
		return 0, fmt.Errorf("read commits: %w", err)
	}
	return head, nil
}

// once reads what is not known.
func once[T any](ctx context.Context, v *view, k *known[T], read func() (T, error)) (T, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	head, err := v.head(ctx)
	if err != nil || k.read && k.head == head {
		return k.value, err
	}
	value, err := read()
	if err == nil {
		*k = known[T]{head, value, true}
	}
	return value, err
}

// names are what entries are shown with and what does not stand in their rows.
type names struct {
	last4 map[cardKey]string
	runs  map[int64]runStart
}

func (v *view) shown(ctx context.Context) (*names, error) {
	return once(ctx, v, &v.names, func() (*names, error) {
		last4, err := v.last4(ctx)
		if err != nil {
			return nil, err
		}
		runs, err := v.l.runStarts(ctx)
		return &names{last4, runs}, err
	})
}

// scan yields what read makes of each row of a query, in which "@seq" is the view's commit.
func scan[T any](ctx context.Context, v *view, what, query string, args []any, read func(*sql.Rows) (T, error)) iter.Seq2[T, error] {
	return named(what, func(yield func(T, error) bool) {
		var zero T
		query, err := v.query(ctx, query)
		if err != nil {
			yield(zero, err)
			return
		}
		rows, err := v.l.read.QueryContext(ctx, query, args...)
		if err != nil {
			yield(zero, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			if value, err := read(rows); !yield(value, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(zero, err)
		}
	})
}

// scanMany is scan of many rows: read is called when the columns of a row are where dest points.
func scanMany[T any](ctx context.Context, v *view, what, query string, args, dest []any, read func() (T, error)) iter.Seq2[T, error] {
	return named(what, func(yield func(T, error) bool) {
		var zero T
		query, err := v.query(ctx, query)
		if err != nil {
			yield(zero, err)
			return
		}
		for _, err := range driven(ctx, v.l.read.DB, query, args, dest) {
			value := zero
			if err == nil {
				value, err = read()
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	})
}

// query is a query as of the view's commit.
func (v *view) query(ctx context.Context, query string) (string, error) {
	seq, err := v.l.seqAt(ctx, v.asOf)
	if err != nil {
		return "", err
	}
	if seq == maxSeq {
		query = strings.ReplaceAll(query, standing, `WHERE closed_seq IS NULL`) // says the same, and is told sooner
	}
	return v.l.read.Rebind(strings.ReplaceAll(query, "@seq", strconv.FormatInt(seq, 10))), nil
}

// named says of an error what was read.
func named[T any](what string, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for value, err := range seq {
			if err != nil {
				err = fmt.Errorf("read %s: %w", what, err)
			}
			if !yield(value, err) {
				return
			}
		}
	}
}

// standing selects the rows that stood after the view's commit.
const (
	standing = `WHERE commit_seq <= @seq AND ` + stood
	stood    = `(closed_seq IS NULL OR closed_seq > @seq)`
)

// Entries implements schema.EntryReader.
func (v *view) Entries(ctx context.Context, f schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		query, args, err := entryQuery(f)
		if err != nil {
			yield(schema.Entry{}, err)
			return
		}
		var entries iter.Seq2[schema.Entry, error]
		if f.Brief {
			var row briefRow
			entries = scanMany(ctx, v, "entries", query, args, row.columns(), row.entry)
		} else if entries, err = v.whole(ctx, query, args); err != nil {
			yield(schema.Entry{}, err)
			return
		}
		if f.ByTime {
			entries = byID(entries)
		}
		for e, err := range entries {
			if !yield(e, err) {
				return
			}
		}
	}
}

// whole reads entries with what does not stand in their rows.
func (v *view) whole(ctx context.Context, query string, args []any) (iter.Seq2[schema.Entry, error], error) {
	shown, err := v.shown(ctx)
	if err != nil {
		return nil, err
	}
	var row entryRow
	var posted, original sql.NullInt64
	return scanMany(ctx, v, "entries", query, args, row.columns(&posted, &original), func() (schema.Entry, error) {
		row.nulls(posted, original)
		e, err := row.entry()
		e.Run = shown.runs[row.CommitSeq].run
		if e.CardLast4 == "" {
			e.CardLast4 = shown.last4[cardKey{e.Source, e.CardID}]
		}
		return e, err
	}), nil
}

// byID puts entries that come by occurred_at in order of their ids where they occurred at one instant. The database would sort
// by a column that it must make first.
func byID(entries iter.Seq2[schema.Entry, error]) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		var held []schema.Entry // of one instant
		flush := func() bool {
			slices.SortFunc(held, func(a, b schema.Entry) int { return strings.Compare(a.ID(), b.ID()) })
			for _, e := range held {
				if !yield(e, nil) {
					return false
				}
			}
			held = held[:0]
			return true
		}
		for e, err := range entries {
			if err != nil {
				if flush() {
					yield(e, err)
				}
				return
			}
			if len(held) > 0 && !held[0].OccurredAt.Equal(e.OccurredAt) && !flush() {
				return
			}
			held = append(held, e)
		}
		flush()
	}
}

// entryQuery is the query of a filter.
func entryQuery(f schema.EntryFilter) (query string, args []any, err error) {
	query = standing
	columns := entrySelect
	if f.Brief {
		columns = briefSelect
	}
	where := func(condition string, values ...any) {
		query += " AND " + condition
		args = append(args, values...)
	}
	if f.Source != "" {
		where("source = ?", f.Source)
	}
	if f.CardID != "" {
		where("card_id = ?", f.CardID)
	}
	among(f.Cards, where)
	for column, w := range map[string]schema.Window{"occurred_at": f.Occurred, "posted_at": f.Posted} {
		if !w.From.IsZero() {
			where(column+" >= ?", w.From.UnixMicro())
		}
		if !w.To.IsZero() {
			where(column+" < ?", w.To.UnixMicro())
		}
	}
	if f.Currency != "" {
		where("currency = ?", f.Currency)
	}
	switch n := len(f.References); {
	case n > schema.MostIDs:
		return "", nil, fmt.Errorf("read entries: %d references are asked for at once, at most %d can be", n, schema.MostIDs)
	case n > 0:
		where("reference IN (?"+strings.Repeat(", ?", n-1)+")", texts(f.References)...)
	}
	switch n := len(f.Kinds); {
	case n == 1 && f.Kinds[0] == schema.TopUp:
		query += " AND kind = 'topup'" // in words, for which there is an index
	case n > 0:
		where("kind IN (?"+strings.Repeat(", ?", n-1)+")", texts(f.Kinds)...)
	}
	switch n := len(f.Statuses); {
	case n == 1 && f.Statuses[0] == schema.Pending:
		query += " AND status = 'pending'" // likewise
	case n > 0:
		where("status IN (?"+strings.Repeat(", ?", n-1)+")", texts(f.Statuses)...)
	}
	switch n := len(f.IDs); {
	case n > schema.MostIDs:
		return "", nil, fmt.Errorf("read entries: %d ids are asked for at once, at most %d can be", n, schema.MostIDs)
	case n > 0:
		where("external_id IN (?"+strings.Repeat(", ?", n-1)+")", texts(f.IDs)...)
		// Current and replaced versions have an index each.
		current, replaced := columns+strings.Replace(query, stood, "closed_seq IS NULL", 1), columns+strings.Replace(query, stood, "closed_seq > @seq", 1)
		return current + " UNION ALL " + replaced + " ORDER BY source, card_id, occurred_at, external_id", slices.Concat(args, args), nil
	}
	if !f.Since.IsZero() && f.CardID == "" {
		return since(columns, query, args, f)
	}
	if !f.Since.IsZero() {
		where("(occurred_at >= ? OR posted_at >= ?)", f.Since.UnixMicro(), f.Since.UnixMicro())
	}
	switch {
	case len(f.References) > 0:
		query += sorted(f.ByTime)
	case f.ByTime:
		query += ` ORDER BY occurred_at` // what occurred at the same instant is put in order when it is read
	default:
		query += ` ORDER BY source, card_id, occurred_at, external_id`
	}
	return columns + query, args, nil
}

// among asks for the cards of a range. Within one source that takes a third less time than by pairs.
func among(r schema.CardRange, where func(condition string, values ...any)) {
	if r.From.Source == r.To.Source && r.To.Source != "" {
		where("source = ? AND card_id >= ? AND card_id < ?", r.To.Source, r.From.ID, r.To.ID)
		return
	}
	if r.From != (schema.CardKey{}) {
		where("(source, card_id) >= (?, ?)", r.From.Source, r.From.ID)
	}
	if r.To != (schema.CardKey{}) {
		where("(source, card_id) < (?, ?)", r.To.Source, r.To.ID)
	}
}

// sorted orders few entries by expressions, so that no index that has the order is walked instead of the one that finds them.
func sorted(byTime bool) string {
	if byTime {
		return " ORDER BY occurred_at + 0"
	}
	return " ORDER BY source || '', card_id || '', occurred_at + 0, external_id || ''"
}

// soon is within what most entries post. Those that took longer have an index.
const soon = 7 * 24 * time.Hour

// since is the query of what occurred or posted at an instant or later. It costs by what it finds.
func since(columns, query string, args []any, f schema.EntryFilter) (string, []any, error) {
	at, far := f.Since.UnixMicro(), f.Since.Add(-soon).UnixMicro()
	near := columns + query + " AND occurred_at >= ? AND (occurred_at >= ? OR posted_at >= ?)"
	late := columns + query + " AND occurred_at < ? AND posted_at >= ? AND posted_at > occurred_at + " + strconv.FormatInt(soon.Microseconds(), 10)
	return "SELECT * FROM (" + near + " UNION ALL " + late + ") AS lately" + sorted(f.ByTime), slices.Concat(args, []any{far, at, at}, args, []any{far, at}), nil
}

func texts[T ~string](words []T) []any {
	all := make([]any, 0, len(words))
	for _, w := range words {
		all = append(all, string(w))
	}
	return all
}

// EntryCards implements schema.EntryReader.
func (v *view) EntryCards(ctx context.Context) iter.Seq2[schema.EntryCard, error] {
	return func(yield func(schema.EntryCard, error) bool) {
		cards, err := once(ctx, v, &v.cards, func() (cards []schema.EntryCard, err error) {
			for c, err := range v.entryCards(ctx) {
				if err != nil {
					return nil, fmt.Errorf("read cards of entries: %w", err)
				}
				cards = append(cards, c)
			}
			return cards, nil
		})
		if err != nil {
			yield(schema.EntryCard{}, err)
			return
		}
		for _, c := range cards {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// entryCards goes from one to the next in an index, however many entries each has; before the first load has made the index, it
// reads all entries.
func (v *view) entryCards(ctx context.Context) iter.Seq2[schema.EntryCard, error] {
	const columns = `SELECT source, card_id, currency FROM entries `
	const order = ` ORDER BY source, card_id, currency`
	read := func(row interface{ Scan(...any) error }) (c schema.EntryCard, err error) {
		err = row.Scan(&c.Source, &c.CardID, &c.Currency)
		return c, err
	}
	return func(yield func(schema.EntryCard, error) bool) {
		indexed, err := v.l.indexed(ctx)
		if err != nil {
			yield(schema.EntryCard{}, err)
			return
		}
		if !indexed {
			all := scan(ctx, v, "cards of entries", strings.Replace(columns, "SELECT", "SELECT DISTINCT", 1)+order, nil,
				func(rows *sql.Rows) (schema.EntryCard, error) { return read(rows) })
			all(yield)
			return
		}
		// What comes after all references of the last one is gone to at once, unless a reference is beyond the last character.
		next, err := v.l.read.PreparexContext(ctx, v.l.read.Rebind(columns+`WHERE (source, card_id, currency, reference) > (?, ?, ?, ?)`+order+` LIMIT 1`))
		if err != nil {
			yield(schema.EntryCard{}, err)
			return
		}
		defer next.Close()
		var last schema.EntryCard
		for beyond := ""; ; {
			c, err := read(next.QueryRowContext(ctx, last.Source, last.CardID, last.Currency, beyond))
			if err == nil && c == last {
				c, err = read(v.l.read.QueryRowContext(ctx, v.l.read.Rebind(columns+`WHERE (source, card_id, currency) > (?, ?, ?)`+order+` LIMIT 1`), c.Source, c.CardID, c.Currency))
			}
			if errors.Is(err, sql.ErrNoRows) || !yield(c, err) || err != nil {
				return
			}
			last, beyond = c, string(utf8.MaxRune)
		}
	}
}

type cardKey struct{ source, id string }

// last4 is what entries without a last four of their own are shown with.
func (v *view) last4(ctx context.Context) (map[cardKey]string, error) {
	all := map[cardKey]string{}
	for c, err := range v.Cards(ctx) {
		if err != nil {
			return nil, err
		}
		all[cardKey{c.Source, c.ID}] = c.Last4
	}
	return all, nil
}

// Cards implements schema.CardReader.
func (v *view) Cards(ctx context.Context) iter.Seq2[schema.Card, error] {
	return scan(ctx, v, "cards", cardSelect+standing+` ORDER BY source, card_id`, nil, func(rows *sql.Rows) (schema.Card, error) {
		var r cardRow
		err := rows.Scan(&r.ID, &r.Source, &r.CardID, &r.Provider, &r.AltID, &r.Name, &r.Last4, &r.Type, &r.Status, &r.Currency, &r.BudgetID,
			&r.CreatedAt, &r.ClosedAt)
		return r.card(), err
	})
}

// runOf selects the run that stored a row.
const runOf = `(SELECT run_id FROM commits WHERE seq = commit_seq) AS run_id`

// Observations implements schema.ObservationReader.
func (v *view) Observations(ctx context.Context, f schema.ObservationFilter) iter.Seq2[schema.Observation, error] {
	chosen, args := "", []any(nil)
	where := func(condition string, values ...any) {
		chosen += " AND " + condition
		args = append(args, values...)
	}
	if f.Source != "" {
		where("source = ?", f.Source)
	}
	among(f.Cards, where)
	return scan(ctx, v, "observations", `SELECT source, provider, card_id, alt_id, stream, observed_at, name, last4, type, status, currency,
			budget_id, created_at, closed_at, figures, `+runOf+` FROM observations
		WHERE commit_seq <= @seq`+chosen+` ORDER BY source, card_id, observed_at, stream, id`, args, func(rows *sql.Rows) (schema.Observation, error) {
		var r cardRow
		var stream, figures string
		var observed, run int64
		if err := rows.Scan(&r.Source, &r.Provider, &r.CardID, &r.AltID, &stream, &observed, &r.Name, &r.Last4, &r.Type, &r.Status,
			&r.Currency, &r.BudgetID, &r.CreatedAt, &r.ClosedAt, &figures, &run); err != nil {
			return schema.Observation{}, err
		}
		o := schema.Observation{Card: r.card(), Stream: schema.Stream(stream), ObservedAt: instant(&observed), Run: run}
		if err := decodeFigures(figures, &o); err != nil {
			return o, fmt.Errorf("card %s: %w", o.ID, err)
		}
		return o, nil
	})
}

// Budgets implements schema.BudgetReader.
func (v *view) Budgets(ctx context.Context) iter.Seq2[schema.Budget, error] {
	return scan(ctx, v, "budgets", `SELECT source, budget_id, alt_id, name, zone, start_date, end_date, recurs, observed_at, `+runOf+`
		FROM budgets WHERE commit_seq <= @seq ORDER BY source, budget_id, observed_at, id`, nil, func(rows *sql.Rows) (schema.Budget, error) {
		var b schema.Budget
		var observed int64
		err := rows.Scan(&b.Source, &b.ID, &b.AltID, &b.Name, &b.Zone, &b.StartDate, &b.EndDate, &b.Interval, &observed, &b.Run)
		b.ObservedAt = instant(&observed)
		return b, err
	})
}

// Fundings implements schema.FundingReader.
func (v *view) Fundings(ctx context.Context) iter.Seq2[schema.Funding, error] {
	return scan(ctx, v, "fundings", `SELECT funding_id, reference, amount_minor, currency, sent_at, date_only, sent_text, card_id, source, note,
			file, line, `+runOf+` FROM fundings f
		WHERE f.commit_seq <= @seq AND EXISTS (
			SELECT 1 FROM funding_events e WHERE e.funding_id = f.funding_id AND e.present = 1 AND e.id = (
				SELECT MAX(o.id) FROM funding_events o WHERE o.file = e.file AND o.funding_id = e.funding_id AND o.commit_seq <= @seq))
		ORDER BY sent_at, reference, funding_id`, nil, func(rows *sql.Rows) (schema.Funding, error) {
		var f schema.Funding
		var units, sent int64
		var code string
		var dateOnly int64
		if err := rows.Scan(&f.ID, &f.Reference, &units, &code, &sent, &dateOnly, &f.SentText, &f.CardID, &f.Source, &f.Note, &f.File,
			&f.Line, &f.Run); err != nil {
			return f, err
		}
		f.SentAt, f.DateOnly = time.UnixMicro(sent).UTC(), dateOnly == 1
		var err error
		f.Amount, err = amount(&units, code)
		return f, err
	})
}

// Completeness implements schema.CompletenessReader.
func (v *view) Completeness(ctx context.Context) iter.Seq2[schema.Completeness, error] {
	return scan(ctx, v, "completeness", `SELECT source, stream, scope, window_from, window_to, verdict, pages, requests, records, total, rejected,
			duplicates, retries, restarts, first_id, last_id, sha256, reason, recorded_at, `+runOf+` FROM completeness
		WHERE commit_seq <= @seq ORDER BY source, stream, window_from, window_to, id`, nil, func(rows *sql.Rows) (schema.Completeness, error) {
		var c schema.Completeness
		var from, to, recorded int64
		err := rows.Scan(&c.Source, &c.Stream, &c.Scope, &from, &to, &c.Verdict, &c.Pages, &c.Requests, &c.Records, &c.Total, &c.Rejected, &c.Duplicates,
			&c.Retries, &c.Restarts, &c.FirstID, &c.LastID, &c.SHA256, &c.Reason, &recorded, &c.Run)
		c.Window, c.RecordedAt = schema.Window{From: instant(&from), To: instant(&to)}, instant(&recorded)
		return c, err
	})
}

// Rejects implements schema.RejectReader.
func (v *view) Rejects(ctx context.Context) iter.Seq2[schema.Reject, error] {
	return scan(ctx, v, "rejects", `SELECT source, provider, stream, external_id, field, reason, page, received_at, payload, `+runOf+`
		FROM rejects `+standing+` ORDER BY source, stream, external_id, received_at, id`, nil, func(rows *sql.Rows) (schema.Reject, error) {
		var r schema.Reject
		var received int64
		err := rows.Scan(&r.Source, &r.Provider, &r.Stream, &r.ExternalID, &r.Field, &r.Reason, &r.Page, &received, &r.Payload, &r.Run)
		r.ReceivedAt = instant(&received)
		return r, err
	})
}

// Notes implements schema.NoteReader.
func (v *view) Notes(ctx context.Context) iter.Seq2[schema.Note, error] {
	return scan(ctx, v, "notes", `SELECT source, stream, external_id, code, field, detail FROM notes `+standing+`
		ORDER BY source, stream, external_id, field, id`, nil, func(rows *sql.Rows) (schema.Note, error) {
		var n schema.Note
		err := rows.Scan(&n.Source, &n.Stream, &n.ExternalID, &n.Code, &n.Field, &n.Detail)
		return n, err
	})
}

// Matches implements schema.MatchReader.
func (v *view) Matches(ctx context.Context) iter.Seq2[schema.Match, error] {
	return scan(ctx, v, "matches", `SELECT finding_id, source, reference, entry_id, confirmed, author, decided_at, note, `+runOf+` FROM matches m
		WHERE m.id = (SELECT MAX(o.id) FROM matches o
			WHERE o.source = m.source AND o.reference = m.reference AND o.entry_id = m.entry_id AND o.commit_seq <= @seq)
		ORDER BY source, reference, entry_id`, nil, func(rows *sql.Rows) (schema.Match, error) {
		var m schema.Match
		var confirmed, at int64
		err := rows.Scan(&m.FindingID, &m.Source, &m.Reference, &m.EntryID, &confirmed, &m.By, &at, &m.Note, &m.Run)
		m.Confirmed, m.At = confirmed == 1, instant(&at)
		return m, err
	})
}
