package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/tieout/tieout/schema"
)

func eventColumns() []string {
	return []string{
		"finding_id", "action", "status", "author", "happened_at", "note", "assignee", "severity", "expected_minor", "expected_currency",
		"actual_minor", "actual_currency", "unexplained_minor", "unexplained_currency", "origin", "digest",
	}
}

// eventValues are the columns of an event, in the order of eventColumns.
func eventValues(e schema.FindingEvent) []any {
	return []any{
		e.FindingID, string(e.Action), string(e.Status), text(e.By), e.At.UnixMicro(), text(e.Note), text(e.Assignee), string(e.Severity),
		minor(e.Expected), e.Expected.Currency().Code(), minor(e.Actual), e.Actual.Currency().Code(), minor(e.Unexplained),
		e.Unexplained.Currency().Code(), text(e.Origin), e.Digest,
	}
}

type findingEventRow struct {
	FindingID           string `db:"finding_id"`
	Action              string `db:"action"`
	Status              string `db:"status"`
	Author              string `db:"author"`
	HappenedAt          int64  `db:"happened_at"`
	Note                string `db:"note"`
	Assignee            string `db:"assignee"`
	Severity            string `db:"severity"`
	ExpectedMinor       *int64 `db:"expected_minor"`
	ExpectedCurrency    string `db:"expected_currency"`
	ActualMinor         *int64 `db:"actual_minor"`
	ActualCurrency      string `db:"actual_currency"`
	UnexplainedMinor    *int64 `db:"unexplained_minor"`
	UnexplainedCurrency string `db:"unexplained_currency"`
	Origin              string `db:"origin"`
	Digest              string `db:"digest"`
	CommitSeq           int64  `db:"commit_seq"`
}

func (r findingEventRow) event() (schema.FindingEvent, error) {
	e := schema.FindingEvent{
		FindingID: r.FindingID, Action: schema.FindingAction(r.Action), Status: schema.FindingStatus(r.Status), By: r.Author,
		At: instant(&r.HappenedAt), Note: r.Note, Assignee: r.Assignee, Severity: schema.Severity(r.Severity), Origin: r.Origin, Digest: r.Digest,
	}
	var err error
	if e.Expected, err = amount(r.ExpectedMinor, r.ExpectedCurrency); err != nil {
		return e, fmt.Errorf("history of %s: %w", r.FindingID, err)
	}
	if e.Actual, err = amount(r.ActualMinor, r.ActualCurrency); err != nil {
		return e, fmt.Errorf("history of %s: %w", r.FindingID, err)
	}
	if e.Unexplained, err = amount(r.UnexplainedMinor, r.UnexplainedCurrency); err != nil {
		return e, fmt.Errorf("history of %s: %w", r.FindingID, err)
	}
	return e, nil
}

const eventSelect = `SELECT finding_id, action, status, author, happened_at, note, assignee, severity, expected_minor, expected_currency,
	actual_minor, actual_currency, unexplained_minor, unexplained_currency, origin, digest, commit_seq FROM finding_events `

// latestEvents maps each finding to its latest event; ids nil: all findings.
func (t *tx) latestEvents(ctx context.Context, ids []string) (map[string]schema.FindingEvent, error) {
	var rows []findingEventRow
	var err error
	if ids == nil {
		err = t.SelectContext(ctx, &rows, eventSelect+`WHERE id IN (SELECT MAX(id) FROM finding_events GROUP BY finding_id)`)
	} else {
		rows, err = selectIn[findingEventRow](ctx, t, t.Rebind, ids,
			eventSelect+`WHERE id IN (SELECT MAX(id) FROM finding_events WHERE finding_id IN (?) GROUP BY finding_id)`)
	}
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	latest := make(map[string]schema.FindingEvent, len(rows))
	for _, r := range rows {
		e, err := r.event()
		if err != nil {
			return nil, err
		}
		latest[e.FindingID] = e
	}
	return latest, nil
}

// History yields the events of findings in the order in which they happened, finding by finding, as known after run asOf
// (0: now). ids nil: of all findings. Where a finding was found with other figures than before and nothing else happened,
// an event with FindingChanged says so.
func (l *Ledger) History(ctx context.Context, asOf int64, ids []string) iter.Seq2[schema.FindingEvent, error] {
	return func(yield func(schema.FindingEvent, error) bool) {
		events, err := l.history(ctx, asOf, ids)
		if err != nil {
			yield(schema.FindingEvent{}, fmt.Errorf("read history: %w", err))
			return
		}
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// versionRow is what History must know of one version of a finding.
type versionRow struct {
	findingRow
	CommitSeq int64 `db:"commit_seq"`
}

func (l *Ledger) history(ctx context.Context, asOf int64, ids []string) ([]schema.FindingEvent, error) {
	seq, err := l.seqAt(ctx, asOf)
	if err != nil {
		return nil, err
	}
	runs, err := l.runStarts(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := l.historyRows(ctx, seq, ids)
	if err != nil {
		return nil, err
	}
	versions, err := l.versions(ctx, seq, ids)
	if err != nil {
		return nil, err
	}
	var events []schema.FindingEvent
	var last schema.FindingEvent
	add := func(e schema.FindingEvent, seq int64) {
		e.Run = runs[seq].run
		last = e
		events = append(events, e)
	}
	changed := func(v versionRow) error {
		f, err := v.finding()
		if err != nil {
			return err
		}
		if e, ok := last.Changed(f); ok && v.FindingID == last.FindingID {
			e.At = runs[v.CommitSeq].at
			add(e, v.CommitSeq)
		}
		return nil
	}
	for _, r := range rows {
		// Versions that came before the event; the one of its own commit is what the event is about.
		for len(versions) > 0 && versions[0].before(r) {
			if err := changed(versions[0]); err != nil {
				return nil, err
			}
			versions = versions[1:]
		}
		e, err := r.event()
		if err != nil {
			return nil, err
		}
		add(e, r.CommitSeq)
		if len(versions) > 0 && versions[0].FindingID == r.FindingID && versions[0].CommitSeq == r.CommitSeq {
			versions = versions[1:]
		}
	}
	for _, v := range versions {
		if err := changed(v); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (v versionRow) before(r findingEventRow) bool {
	return v.FindingID < r.FindingID || v.FindingID == r.FindingID && v.CommitSeq < r.CommitSeq
}

func (l *Ledger) historyRows(ctx context.Context, seq int64, ids []string) ([]findingEventRow, error) {
	query := eventSelect + `WHERE commit_seq <= ?`
	if ids != nil {
		rows, err := selectIn[findingEventRow](ctx, l.read, l.read.Rebind, slices.Sorted(slices.Values(ids)), query+` AND finding_id IN (?) ORDER BY finding_id, id`, seq)
		return rows, err
	}
	var rows []findingEventRow
	err := l.read.SelectContext(ctx, &rows, l.read.Rebind(query+` ORDER BY finding_id, id`), seq)
	return rows, err
}

func (l *Ledger) versions(ctx context.Context, seq int64, ids []string) ([]versionRow, error) {
	query := `SELECT finding_id, severity, expected_minor, expected_currency, actual_minor, actual_currency, unexplained_minor,
		unexplained_currency, '[]' AS evidence, commit_seq FROM findings WHERE commit_seq <= ?`
	if ids != nil {
		return selectIn[versionRow](ctx, l.read, l.read.Rebind, slices.Sorted(slices.Values(ids)), query+` AND finding_id IN (?) ORDER BY finding_id, id`, seq)
	}
	var rows []versionRow
	err := l.read.SelectContext(ctx, &rows, l.read.Rebind(query+` ORDER BY finding_id, id`), seq)
	return rows, err
}
