package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// Decided says what a decision did, or would do.
type Decided struct {
	schema.Decision
	Finding schema.Finding       // as it stood before; zero where it is not in the ledger
	Status  schema.FindingStatus // after it
	Changed bool                 // false with Refused empty: it stands as decided already
	Before  *schema.FindingEvent // the same disposition, applied earlier; nil: none
	Refused string               // why it cannot be done; empty: it can
}

// Judge says what decisions would do, one after another, and stores nothing.
func (l *Ledger) Judge(ctx context.Context, decisions []schema.Decision) ([]Decided, error) {
	inner, err := l.read.BeginTxx(ctx, l.snapshot())
	if err != nil {
		return nil, fmt.Errorf("judge decisions: %w", err)
	}
	defer inner.Rollback() //nolint:errcheck // nothing was written
	d := deciding{at: l.now()}
	if err := d.all(ctx, &tx{Tx: inner}, decisions); err != nil {
		return nil, fmt.Errorf("judge decisions: %w", err)
	}
	return d.results, nil
}

// Decide stores decisions of people in one transaction, and says what each did. What it refuses and what changes nothing is
// left out, and does not keep the others from being stored.
func (l *Ledger) Decide(ctx context.Context, run int64, decisions []schema.Decision) ([]Decided, error) {
	var results []Decided
	err := l.commit(ctx, run, "decide", func(t *tx) error {
		d := deciding{at: l.now()}
		if err := d.all(ctx, t, decisions); err != nil {
			return err
		}
		results = d.results
		if err := t.insert(ctx, "finding_events", d.events); err != nil {
			return err
		}
		return t.insert(ctx, "matches", d.rows)
	})
	if err != nil {
		return nil, fmt.Errorf("store decisions: %w", err)
	}
	return results, nil
}

// deciding takes decisions one after another.
type deciding struct {
	at       time.Time
	findings map[string]schema.Finding
	last     map[string]schema.FindingEvent
	matches  map[string]schema.Match        // the latest decision on the pair that a finding proposes, by finding
	applied  map[string]schema.FindingEvent // by digest

	results      []Decided
	events, rows [][]any
}

func (d *deciding) all(ctx context.Context, t *tx, decisions []schema.Decision) error {
	if err := d.read(ctx, t, decisions); err != nil {
		return err
	}
	for _, one := range decisions {
		d.results = append(d.results, d.one(one))
	}
	return nil
}

func (d *deciding) read(ctx context.Context, t *tx, decisions []schema.Decision) error {
	ids, digests := []string{}, []string{}
	for _, one := range decisions {
		ids = append(ids, one.FindingID)
		if one.Digest != "" {
			digests = append(digests, one.Digest)
		}
	}
	rows, err := selectIn[findingRow](ctx, t, t.Rebind, ids, findingSelect+`WHERE closed_seq IS NULL AND finding_id IN (?)`)
	if err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	d.findings = map[string]schema.Finding{}
	for _, r := range rows {
		if d.findings[r.FindingID], err = r.finding(); err != nil {
			return err
		}
	}
	if d.last, err = t.latestEvents(ctx, ids); err != nil {
		return err
	}
	events, err := selectIn[findingEventRow](ctx, t, t.Rebind, digests, eventSelect+`WHERE digest IN (?) ORDER BY id`)
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	d.applied = map[string]schema.FindingEvent{}
	for _, r := range events {
		if d.applied[r.Digest], err = r.event(); err != nil {
			return err
		}
	}
	d.matches, err = t.matchesOf(ctx, ids)
	return err
}

// one takes a decision after those before it.
func (d *deciding) one(one schema.Decision) Decided {
	result := Decided{Decision: one}
	f, ok := d.findings[one.FindingID]
	if !ok {
		result.Refused = "there is no such finding"
		return result
	}
	last := d.last[one.FindingID]
	f.Status, f.Assignee = last.Status, last.Assignee
	result.Finding, result.Status = f, f.Status
	if before, ok := d.applied[one.Digest]; ok && one.Digest != "" {
		result.Before = &before
		return result
	}
	event, changed, err := last.Decide(f, one)
	if err != nil {
		result.Refused = strings.TrimPrefix(err.Error(), schema.ErrNotPossible.Error()+": ")
		return result
	}
	event.At = d.at
	if one.Action == schema.ConfirmMatch || one.Action == schema.RefuseMatch {
		decided, err := d.match(f, one)
		if err != nil {
			result.Refused = err.Error()
			return result
		}
		changed = changed || decided
	}
	result.Status, result.Changed = event.Status, changed
	if changed {
		d.last[one.FindingID] = event
		d.events = append(d.events, eventValues(event))
		if one.Digest != "" {
			d.applied[one.Digest] = event
		}
	}
	return result
}

// match decides on the pair that a finding proposes or, where it does so no longer, on the pair that was decided on under
// it: a decision can be taken back.
func (d *deciding) match(f schema.Finding, one schema.Decision) (bool, error) {
	was, known := d.matches[one.FindingID]
	pair := was
	if f.Proposal() {
		source, _, _ := strings.Cut(f.EntryID, "/")
		pair = schema.Match{FindingID: one.FindingID, Source: source, Reference: f.Reference, EntryID: f.EntryID}
		known = known && was.EntryID == pair.EntryID && was.Reference == pair.Reference
	}
	switch {
	case !f.Proposal() && !known:
		return false, errors.New("it proposes no top-up")
	case f.Status == schema.Resolved && !known:
		return false, errors.New("it is resolved, and nothing was decided on it")
	}
	if pair.Reference == "" {
		return false, errors.New("its funding has no reference that a top-up could be filed under")
	}
	if confirmed := one.Action == schema.ConfirmMatch; !known || was.Confirmed != confirmed {
		pair.Confirmed, pair.By, pair.At, pair.Note = confirmed, one.By, d.at, one.Note
		d.matches[one.FindingID] = pair
		d.rows = append(d.rows, matchValues(pair))
		return true, nil
	}
	return false, nil
}

func matchValues(m schema.Match) []any {
	confirmed := int64(0)
	if m.Confirmed {
		confirmed = 1
	}
	return []any{m.FindingID, m.Source, text(m.Reference), m.EntryID, confirmed, text(m.By), m.At.UnixMicro(), text(m.Note)}
}

// matchesOf maps findings to the latest decision that was taken on a pair which they proposed.
func (t *tx) matchesOf(ctx context.Context, ids []string) (map[string]schema.Match, error) {
	type row struct {
		FindingID string `db:"finding_id"`
		Source    string `db:"source"`
		Reference string `db:"reference"`
		EntryID   string `db:"entry_id"`
		Confirmed int64  `db:"confirmed"`
	}
	rows, err := selectIn[row](ctx, t, t.Rebind, ids, `SELECT finding_id, source, reference, entry_id, confirmed FROM matches
		WHERE id IN (SELECT MAX(id) FROM matches GROUP BY finding_id) AND finding_id IN (?)`)
	if err != nil {
		return nil, fmt.Errorf("read matches: %w", err)
	}
	matches := map[string]schema.Match{}
	for _, r := range rows {
		matches[r.FindingID] = schema.Match{FindingID: r.FindingID, Source: r.Source, Reference: r.Reference, EntryID: r.EntryID, Confirmed: r.Confirmed == 1}
	}
	return matches, nil
}

// FindingIDs lists the ids that begin with a prefix, with or without their "F-", in order.
func (l *Ledger) FindingIDs(ctx context.Context, prefix string) ([]string, error) {
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	prefix = "F-" + strings.TrimPrefix(prefix, "f-")
	var ids []string
	if err := l.read.SelectContext(ctx, &ids, l.read.Rebind(`
		SELECT finding_id FROM findings WHERE closed_seq IS NULL AND SUBSTR(finding_id, 1, ?) = ? ORDER BY finding_id`), len(prefix), prefix); err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return ids, nil
}

// Link is one link between two rows of a source, as its provider stated it. Either row may not be in the ledger.
type Link struct {
	Source   string
	From, To string // entry_ids; see schema.LinkBasis
	Basis    schema.LinkBasis
	Run      int64 // that read it
}

type statedLink struct {
	Source string `db:"source"`
	FromID string `db:"from_id"`
	ToID   string `db:"to_id"`
	Basis  string `db:"basis"`
	RunID  int64  `db:"run_id"`
}

// Links lists the links that name one of the entries (entry_ids), as known after run asOf (0: now); entries nil: all.
func (l *Ledger) Links(ctx context.Context, asOf int64, entries []string) ([]Link, error) {
	seq, err := l.seqAt(ctx, asOf)
	if err != nil {
		return nil, err
	}
	query := `SELECT source, from_id, to_id, basis, ` + runOf + ` FROM links WHERE commit_seq <= ?`
	var rows []statedLink
	if entries == nil {
		err = l.read.SelectContext(ctx, &rows, l.read.Rebind(query+` ORDER BY source, from_id, to_id, basis`), seq)
	}
	for _, e := range entries {
		source, id, _ := strings.Cut(e, "/")
		var some []statedLink
		if err == nil {
			err = l.read.SelectContext(ctx, &some, l.read.Rebind(query+` AND source = ? AND (from_id = ? OR to_id = ?)
				ORDER BY from_id, to_id, basis`), seq, source, id, id)
		}
		rows = append(rows, some...)
	}
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	seen := map[statedLink]bool{}
	var links []Link
	for _, r := range rows {
		if !seen[r] {
			seen[r] = true
			links = append(links, Link{Source: r.Source, From: r.Source + "/" + r.FromID, To: r.Source + "/" + r.ToID, Basis: schema.LinkBasis(r.Basis), Run: r.RunID})
		}
	}
	return links, nil
}
