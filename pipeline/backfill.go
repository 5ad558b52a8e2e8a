package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
)

// Backfill reads a date range again, or for the first time, for every source, in windows of at most a month and
// windowPages. It never moves the watermark of Sync. The range's end is cut at now: nobody can say that tomorrow is complete.
// Where a backfill of the same range was not brought to its end, this one goes on from there.
func (p *Pipeline) Backfill(ctx context.Context, w schema.Window) (ReadResult, error) {
	asked := w
	w, err := p.toNow(asked)
	if err != nil {
		return ReadResult{}, err
	}
	before, err := p.unfinished(ctx, asked)
	if err != nil {
		return ReadResult{}, fmt.Errorf("backfill %s: %w", w, err)
	}
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.BackfillRun, asked))
	if err != nil {
		return ReadResult{}, fmt.Errorf("start backfill: %w", err)
	}
	return p.read(ctx, run, ReadResult{RunID: run.ID}, func(ctx context.Context, run schema.Run, s Source) []streamOutcome {
		return p.backfillSource(ctx, run, s, w, before)
	})
}

func (p *Pipeline) toNow(w schema.Window) (schema.Window, error) {
	if now := p.Now(); w.To.After(now) {
		w.To = now
	}
	if !w.From.Before(w.To) {
		return w, fmt.Errorf("backfill %s: the range is empty or lies in the future", w)
	}
	return w, nil
}

// backfillSource reads the cards, which entries refer to, and the transactions of the range, window by window.
func (p *Pipeline) backfillSource(ctx context.Context, run schema.Run, s Source, w schema.Window, before earlier) []streamOutcome {
	return p.eachStream(ctx, s, func(stream schema.Stream) streamOutcome {
		switch stream {
		case schema.Cards:
			return p.walk(ctx, run, s, stream, p.snapshot())
		case schema.Transactions:
			return p.backfillWindows(ctx, run, s, w, before)
		}
		return streamOutcome{StreamResult: StreamResult{}}
	})
}

// backfillWindows reads each window that an unfinished backfill of the same range did not read whole.
func (p *Pipeline) backfillWindows(ctx context.Context, run schema.Run, s Source, w schema.Window, before earlier) streamOutcome {
	read, err := p.readBefore(ctx, s, before.runs)
	if err != nil {
		return failed(schema.Transactions, err)
	}
	v, err := p.volume(ctx, s, before.asOf)
	if err != nil {
		return failed(schema.Transactions, err)
	}
	all := v.windows(s, w)
	result := streamOutcome{StreamResult: StreamResult{Stream: schema.Transactions, Verdict: schema.VerdictComplete}}
	for i, one := range all {
		if _, ok := read[one]; ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			result.add(failed(schema.Transactions, context.Cause(ctx)).StreamResult)
			result.err = errors.Join(result.err, context.Cause(ctx))
			return p.left(result, len(all)-i, len(all))
		}
		p.Progress(Progress{Run: run.ID, Source: s.Name, Stream: schema.Transactions, Window: one, Done: i, Windows: len(all)})
		o := p.walk(ctx, run, s, schema.Transactions, one)
		result.add(o.StreamResult)
		if o.err != nil {
			result.err = o.err
			return p.left(result, len(all)-i, len(all))
		}
	}
	return result
}

// left says how much of a backfill was not read. A stream of which some windows were read is partial, not failed.
func (p *Pipeline) left(o streamOutcome, windows, of int) streamOutcome {
	if windows < of && o.Verdict == schema.VerdictFailed {
		o.Verdict = schema.VerdictPartial
	}
	if of > 1 {
		o.err = fmt.Errorf("%w (%d of %d windows are left)", o.err, windows, of)
		o.Reason = o.err.Error()
	}
	return o
}

// earlier are the backfills of a range since the last one that was brought to its end.
type earlier struct {
	runs map[int64]bool
	// asOf is the run before all of them, which knew what decides the windows: one that goes on has those of the first.
	asOf int64
}

func (p *Pipeline) unfinished(ctx context.Context, w schema.Window) (earlier, error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return earlier{}, err
	}
	all := earlier{runs: map[int64]bool{}}
	if len(runs) > 0 {
		all.asOf = runs[0].ID
	}
	for _, r := range runs { // newest first
		if r.Kind != schema.BackfillRun || !r.Period.From.Equal(w.From) || !r.Period.To.Equal(w.To) {
			continue
		}
		if r.Status == schema.Complete {
			break
		}
		all.runs[r.ID], all.asOf = true, r.ID-1
	}
	return all, nil
}

// readBefore are the windows of a source that some runs read whole, with the pages of each.
func (p *Pipeline) readBefore(ctx context.Context, s Source, runs map[int64]bool) (map[schema.Window]int64, error) {
	all := map[schema.Window]int64{}
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return nil, err
		}
		if c.Source == s.Name && c.Stream == schema.Transactions && c.Scope == s.Scope && c.Verdict == schema.VerdictComplete && runs[c.Run] {
			all[c.Window] = c.Pages
		}
	}
	return all, nil
}

// Plan is what a backfill would ask for.
type Plan struct {
	From    time.Time    `json:"from"`
	To      time.Time    `json:"to"`
	Sources []SourcePlan `json:"sources"`
}

// SourcePlan is the part of one source.
type SourcePlan struct {
	Source   string        `json:"source"`
	Windows  int           `json:"windows"`
	Done     int           `json:"done"`     // of them, by an earlier backfill of this range that was not brought to its end
	Requests int64         `json:"requests"` // of those that are left, and of the list of cards
	Exact    bool          `json:"exact"`    // every list that is left was read before; else some are estimated
	Time     time.Duration `json:"-"`        // at the configured pace
	Seconds  int64         `json:"seconds"`
}

// PlanBackfill says what Backfill would ask for, and asks for nothing. A list that was read before is expected to have as many
// pages as then. Any other has the rows that the ledger knows, and on days that were not read as many as on others.
func (p *Pipeline) PlanBackfill(ctx context.Context, w schema.Window) (Plan, error) {
	asked := w
	w, err := p.toNow(asked)
	if err != nil {
		return Plan{}, err
	}
	before, err := p.unfinished(ctx, asked)
	if err != nil {
		return Plan{}, fmt.Errorf("plan backfill %s: %w", w, err)
	}
	plan := Plan{From: w.From, To: w.To, Sources: []SourcePlan{}}
	for _, s := range p.Sources {
		one, err := p.planSource(ctx, s, w, before)
		if err != nil {
			return plan, fmt.Errorf("plan backfill %s (%s): %w", w, s.Name, err)
		}
		plan.Sources = append(plan.Sources, one)
	}
	return plan, nil
}

func (p *Pipeline) planSource(ctx context.Context, s Source, w schema.Window, before earlier) (SourcePlan, error) {
	done, err := p.readBefore(ctx, s, before.runs)
	if err != nil {
		return SourcePlan{}, err
	}
	pages, cards := map[schema.Window]int64{}, int64(0) // as read last
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		switch {
		case err != nil:
			return SourcePlan{}, err
		case c.Source != s.Name || c.Scope != s.Scope || c.Verdict != schema.VerdictComplete:
		case c.Stream == schema.Cards:
			cards = c.Pages
		case c.Stream == schema.Transactions:
			pages[c.Window] = c.Pages
		}
	}
	v, err := p.volume(ctx, s, before.asOf)
	if err != nil {
		return SourcePlan{}, err
	}
	plan := SourcePlan{Source: s.Name, Requests: max(cards, 1), Exact: cards > 0}
	for _, one := range v.windows(s, w) {
		plan.Windows++
		if _, ok := done[one]; ok {
			plan.Done++
			continue
		}
		n, known := pages[one]
		if !known {
			plan.Exact, n = false, v.of(s, one)
		}
		plan.Requests += n + int64(s.PerWindow)
	}
	plan.Time = time.Duration(plan.Requests) * s.Pace
	plan.Seconds = int64(plan.Time / time.Second)
	return plan, nil
}
