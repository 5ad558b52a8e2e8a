package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/schema"
)

// Plan is what a backfill would ask for.
type Plan struct {
	From    time.Time    `json:"from"`
	To      time.Time    `json:"to"`
	Sources []SourcePlan `json:"sources"`
}

// SourcePlan is the part of one source. Requests are those of the windows that are left and of the list of cards; what is asked
// for once more, because no good answer came, is not among them.
type SourcePlan struct {
	Source   string        `json:"source"`
	Windows  int           `json:"windows"`
	Done     int           `json:"done"`     // of them, by an earlier backfill of this range that was not brought to its end
	Least    int64         `json:"at_least"` // requests, with one page for each list of a window
	Requests int64         `json:"requests"` // as expected
	Exact    bool          `json:"exact"`    // every list that is left was read before; else some are estimated
	Time     time.Duration `json:"-"`        // of the expected ones, at the configured pace
	Seconds  int64         `json:"seconds"`
}

// PlanBackfill says what Backfill would ask for, and asks for nothing. A list that was read before is expected to take as
// many requests as then. Any other has the rows that the ledger knows, and on days that were not read as many as on others.
func (p *Pipeline) PlanBackfill(ctx context.Context, w schema.Window) (Plan, error) {
	asked := w
	w, err := p.toNow(asked)
	if err != nil {
		return Plan{}, err
	}
	parts, err := p.parts(ctx, asked, w)
	if err != nil {
		return Plan{}, fmt.Errorf("plan backfill %s: %w", w, err)
	}
	plan := Plan{From: w.From, To: w.To, Sources: []SourcePlan{}}
	for _, s := range p.Sources {
		one, err := p.planSource(ctx, s, parts[s.Name])
		if err != nil {
			return plan, fmt.Errorf("plan backfill %s (%s): %w", w, s.Name, err)
		}
		plan.Sources = append(plan.Sources, one)
	}
	return plan, nil
}

func (p *Pipeline) planSource(ctx context.Context, s Source, part part) (SourcePlan, error) {
	f, err := p.foresee(ctx, s)
	if err != nil {
		return SourcePlan{}, err
	}
	plan := SourcePlan{Source: s.Name, Windows: len(part.windows), Done: len(part.read), Exact: true}
	add := func(stream schema.Stream, w schema.Window) error {
		least, expected, known, err := f.walk(ctx, stream, w)
		plan.Least, plan.Requests, plan.Exact = plan.Least+least, plan.Requests+expected, plan.Exact && known
		return err
	}
	if err := add(schema.Cards, p.snapshot()); err != nil {
		return plan, err
	}
	for _, one := range part.windows {
		if part.read[one] {
			continue
		}
		if err := add(schema.Transactions, one); err != nil {
			return plan, err
		}
	}
	plan.Time = time.Duration(plan.Requests) * s.Pace
	plan.Seconds = int64(plan.Time / time.Second)
	return plan, nil
}

// foresight is what the ledger says of the requests of walks to come.
type foresight struct {
	p      *Pipeline
	s      Source
	v      volume
	cards  int64                   // requests for their list when it was last read; 0: it was not
	whole  int64                   // for the whole history, where every walk reads that; 0: it was not read
	window map[schema.Window]int64 // for each window of transactions that was read whole, as read last
}

// foresee takes up what the ledger knows by now, which may be more than what decided the windows.
func (p *Pipeline) foresee(ctx context.Context, s Source) (foresight, error) {
	f := foresight{p: p, s: s, window: map[schema.Window]int64{}}
	runs, err := p.Ledger.Runs(ctx, 1)
	if err != nil {
		return f, err
	}
	for _, r := range runs {
		if f.v, err = p.volume(ctx, s, r.ID); err != nil {
			return f, err
		}
	}
	if len(runs) == 0 {
		f.v, err = p.volume(ctx, s, 0)
	}
	var latest int64
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		switch {
		case err != nil:
			return f, err
		case c.Source != s.Name || c.Scope != s.Scope || c.Verdict != schema.VerdictComplete:
		case c.Stream == schema.Cards:
			f.cards = c.Requests
		case c.Stream == schema.Transactions:
			f.window[c.Window] = c.Requests
			if s.FullScan && c.Run >= latest {
				latest, f.whole = c.Run, c.Requests
			}
		}
	}
	return f, err
}

// walk is how many requests a walk over a window will make at least, and as expected. One that was interrupted goes on from its
// checkpoint.
func (f foresight) walk(ctx context.Context, stream schema.Stream, w schema.Window) (least, expected int64, known bool, err error) {
	c, found, err := f.p.Ledger.Checkpoint(ctx, f.s.Name, stream, w)
	if err != nil {
		return 0, 0, false, err
	}
	left, made := f.s.requests(stream, w, ""), int64(0)
	all, known := f.of(stream, w, left)
	if found && c.Scope == f.s.Scope {
		t, err := restore(c)
		if err != nil {
			return 0, 0, false, err
		}
		left, made = f.s.requests(stream, w, extract.Cursor(c.Cursor)), t.Requests
	}
	least = int64(left.Lists + left.Beside)
	return least, max(least, all-made), known, nil
}

// of is how many requests a whole walk makes, and whether that is known: else its rows are estimated.
func (f foresight) of(stream schema.Stream, w schema.Window, whole extract.Requests) (requests int64, known bool) {
	requests = f.window[w]
	switch {
	case stream == schema.Cards:
		requests = f.cards
	case f.s.FullScan:
		requests = f.whole
	}
	if requests > 0 {
		return requests, true
	}
	least := int64(whole.Lists + whole.Beside)
	if stream == schema.Cards {
		return least, false
	}
	return least + int64(whole.Times)*(f.v.of(f.s, w)-1), false
}

// requests are those of a walk, from a cursor on.
func (s Source) requests(stream schema.Stream, w schema.Window, from extract.Cursor) extract.Requests {
	if planner, ok := s.Extractor.(extract.Planner); ok {
		return planner.Plan(stream, w, from)
	}
	return extract.Requests{Lists: 1, Times: 1}
}
