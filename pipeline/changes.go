package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

// Changes says what became of the ledger between two runs; to 0 is now. With a period it looks only at entries that occurred
// in it, as they were known after either run. A run that the ledger does not have is ledger.ErrNotFound.
func (p *Pipeline) Changes(ctx context.Context, since, to int64, period schema.Window) (schema.Changes, error) {
	c, err := p.changes(ctx, since, to, period)
	if err != nil {
		return schema.Changes{}, fmt.Errorf("changes since run %d: %w", since, err)
	}
	return c, nil
}

func (p *Pipeline) changes(ctx context.Context, since, to int64, period schema.Window) (schema.Changes, error) {
	last, err := p.lastRun(ctx, since)
	if err != nil {
		return schema.Changes{}, err
	}
	if to == 0 {
		to = last
	}
	entries := func(ctx context.Context) iter.Seq2[schema.Change, error] {
		return touching(p.Ledger.Changes(ctx, since, to), period)
	}
	months := monthly{zone: p.Zone, lines: map[monthKey]*schema.MonthChange{}}
	accepted, err := p.acceptedFindings(ctx, since, to)
	if err != nil {
		return schema.Changes{}, err
	}
	c := schema.Changes{Since: since, To: to, Entries: entries, Count: map[schema.ChangeKind]int64{}}
	for change, err := range entries(ctx) {
		if err != nil {
			return schema.Changes{}, err
		}
		c.Count[change.Kind]++
		months.touch(change)
		accepted.touch(change)
	}
	if c.Months, err = months.sums(ctx, p.Ledger.View(since), p.Ledger.View(to)); err != nil {
		return schema.Changes{}, err
	}
	c.Accepted = accepted.changed()
	return c, nil
}

// lastRun is the latest run of the ledger; an error names the runs that there are, unless one of them is wanted.
func (p *Pipeline) lastRun(ctx context.Context, wanted int64) (int64, error) {
	runs, err := p.Ledger.Runs(ctx, 1)
	if err != nil {
		return 0, err
	}
	if len(runs) == 0 {
		return 0, fmt.Errorf("run %d: %w, which has no runs yet", wanted, ledger.ErrNotFound)
	}
	if last := runs[0].ID; wanted < 1 || wanted > last {
		return 0, fmt.Errorf("run %d: %w, which has runs 1 to %d", wanted, ledger.ErrNotFound, last)
	}
	return runs[0].ID, nil
}

// touching keeps the changes of entries that occurred in a period before or after; a zero period keeps all.
func touching(changes iter.Seq2[schema.Change, error], period schema.Window) iter.Seq2[schema.Change, error] {
	return func(yield func(schema.Change, error) bool) {
		for c, err := range changes {
			if err == nil && period != (schema.Window{}) && !period.Contains(c.Entry.OccurredAt) && !period.Contains(c.Was.OccurredAt) {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// monthly gathers which months the changes touch, and sums them.
type monthly struct {
	zone  *time.Location
	lines map[monthKey]*schema.MonthChange
}

type monthKey struct {
	source   string
	currency money.Currency
	month    time.Time // UTC: a key is compared by its bits
}

func (m monthly) key(e schema.Entry) monthKey {
	at := e.OccurredAt.In(m.zone)
	return monthKey{e.Source, e.Amount.Currency(), schema.StartOfDay(at.Year(), at.Month(), 1, m.zone)}
}

func (m monthly) touch(c schema.Change) {
	now := m.line(c.Entry)
	now.Changes++
	if c.Kind == schema.Vanished && c.Entry.Status.Counted() {
		now.Vanished.Add(now.Vanished, big.NewInt(c.Entry.Amount.Minor()))
	}
	if c.Was.ExternalID != "" && m.key(c.Was) != m.key(c.Entry) {
		m.line(c.Was).Changes++
	}
}

func (m monthly) line(e schema.Entry) *schema.MonthChange {
	k := m.key(e)
	if m.lines[k] == nil {
		m.lines[k] = &schema.MonthChange{
			Source: k.source, Currency: k.currency, Month: k.month.In(m.zone), Before: new(big.Int), After: new(big.Int), Vanished: new(big.Int),
		}
	}
	return m.lines[k]
}

// sums fills the sums of the touched months, by source, currency and month.
func (m monthly) sums(ctx context.Context, before, after schema.View) ([]schema.MonthChange, error) {
	if len(m.lines) == 0 {
		return nil, nil
	}
	lines := slices.SortedFunc(maps.Values(m.lines), func(a, b *schema.MonthChange) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Currency.Code(), b.Currency.Code()), a.Month.Compare(b.Month))
	})
	// In the order of time the ledger reads a span without sorting all of it.
	all := schema.EntryFilter{ByTime: true, Occurred: schema.Window{From: lines[0].Month, To: lines[0].Month}}
	for _, l := range lines {
		if l.Month.Before(all.Occurred.From) {
			all.Occurred.From = l.Month
		}
		if end := l.Month.AddDate(0, 1, 0); end.After(all.Occurred.To) {
			all.Occurred.To = end
		}
	}
	for _, side := range []struct {
		view schema.View
		sum  func(*schema.MonthChange) *big.Int
	}{
		{before, func(l *schema.MonthChange) *big.Int { return l.Before }},
		{after, func(l *schema.MonthChange) *big.Int { return l.After }},
	} {
		for e, err := range side.view.Entries.Entries(ctx, all) {
			if err != nil {
				return nil, err
			}
			if line := m.lines[m.key(e)]; line != nil && e.Status.Counted() {
				sum := side.sum(line)
				sum.Add(sum, big.NewInt(e.Amount.Minor()))
			}
		}
	}
	months := make([]schema.MonthChange, 0, len(lines))
	for _, l := range lines {
		months = append(months, *l)
	}
	return months, nil
}

// acceptedFindings gathers what changes under the findings that were accepted at either run or in between.
type acceptedFindings struct {
	all    []schema.AcceptedChange // by finding id
	byID   map[string][]int        // by entry_id
	byCard map[[2]string][]int     // by source and card
}

func (p *Pipeline) acceptedFindings(ctx context.Context, since, to int64) (*acceptedFindings, error) {
	a := &acceptedFindings{byID: map[string][]int{}, byCard: map[[2]string][]int{}}
	was := map[string]schema.Finding{}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Status: schema.Accepted, AsOf: since}) {
		if err != nil {
			return nil, err
		}
		was[f.ID()] = f
	}
	between, err := p.acceptedBetween(ctx, since, to)
	if err != nil {
		return nil, err
	}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{AsOf: to}) {
		if err != nil {
			return nil, err
		}
		before, known := was[f.ID()]
		if !known && f.Status != schema.Accepted && !between[f.ID()] {
			continue
		}
		a.add(schema.AcceptedChange{Finding: f, Was: before})
	}
	return a, nil
}

// acceptedBetween are the findings that a person accepted after one run and up to another, and that no person took up again
// since: the program may have, since their figures changed.
func (p *Pipeline) acceptedBetween(ctx context.Context, since, to int64) (map[string]bool, error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil || !slices.ContainsFunc(runs, func(r schema.Run) bool { return r.Kind == schema.ReviewRun && r.ID > since && r.ID <= to }) {
		return nil, err
	}
	accepted := map[string]bool{}
	for e, err := range p.Ledger.History(ctx, to, nil) {
		if err != nil {
			return nil, err
		}
		if e.Run > since && e.By != schema.Program {
			accepted[e.FindingID] = e.Status == schema.Accepted
		}
	}
	return accepted, nil
}

func (a *acceptedFindings) add(c schema.AcceptedChange) {
	n := len(a.all)
	a.all = append(a.all, c)
	ids := map[string]bool{}
	for _, f := range []schema.Finding{c.Finding, c.Was} {
		for _, id := range append([]string{f.EntryID}, f.Evidence...) {
			if id != "" && !ids[id] {
				ids[id] = true
				a.byID[id] = append(a.byID[id], n)
			}
		}
	}
	if c.Finding.CardID != "" {
		card := [2]string{c.Finding.Source, c.Finding.CardID}
		a.byCard[card] = append(a.byCard[card], n)
	}
}

func (a *acceptedFindings) touch(c schema.Change) {
	for _, n := range a.byID[c.Entry.ID()] {
		a.all[n].Entries = append(a.all[n].Entries, c.Entry.ID())
	}
	cards := map[[2]string]bool{{c.Entry.Source, c.Entry.CardID}: true}
	if c.Was.ExternalID != "" {
		cards[[2]string{c.Was.Source, c.Was.CardID}] = true
	}
	for card := range cards {
		for _, n := range a.byCard[card] {
			a.all[n].OnCard++
		}
	}
}

// changed leaves out the findings under which nothing changed.
func (a *acceptedFindings) changed() []schema.AcceptedChange {
	return slices.DeleteFunc(a.all, func(c schema.AcceptedChange) bool {
		slices.Sort(c.Entries)
		f, was := c.Finding, c.Was
		same := was.Code == "" && f.Status == schema.Accepted || f.Status == was.Status && f.Expected == was.Expected && f.Actual == was.Actual && f.Unexplained == was.Unexplained
		return len(c.Entries) == 0 && c.OnCard == 0 && same
	})
}

// reportRecord is what a report run records of itself as its parameters.
type reportRecord struct {
	AsOf     int64  `json:"as_of_run"`
	Manifest string `json:"manifest_sha256"`
}

// recordOf is what a run that wrote a report into a folder records of it.
func recordOf(asOf schema.Run, dir string) (string, error) {
	hash, err := reports.ManifestHash(dir)
	if err != nil {
		return "", fmt.Errorf("read the manifest again: %w", err)
	}
	text, err := json.Marshal(reportRecord{AsOf: asOf.ID, Manifest: hash})
	return string(text), err
}

// changesInReport is what became of the period's entries since it was reported on last. Of earlier reports, those count that
// begin where this one does or else overlap it, and of these the one that knew most.
func (p *Pipeline) changesInReport(ctx context.Context, asOf schema.Run, period schema.Window) (schema.Changes, error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return schema.Changes{}, err
	}
	var same, overlapping int64
	for _, run := range runs {
		var record reportRecord
		if run.Kind != schema.ReportRun || run.Status != schema.Complete || run.ID > asOf.ID || json.Unmarshal([]byte(run.Parameters), &record) != nil {
			continue
		}
		if run.Period.From.Equal(period.From) {
			same = max(same, record.AsOf)
		}
		if run.Period.Overlaps(period) {
			overlapping = max(overlapping, record.AsOf)
		}
	}
	since := cmp.Or(same, overlapping)
	if since == 0 {
		return schema.Changes{}, nil
	}
	return p.Changes(ctx, since, asOf.ID, period)
}
