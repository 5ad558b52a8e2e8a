package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tieout/tieout/schema"
)

// Backfill reads a date range again, or for the first time, for every source, in windows of at most a month and
// windowPages. It never moves the watermark of Sync. The range's end is cut at now: nobody can say that tomorrow is complete.
// Where a backfill of the same range was not brought to its end, this one goes on from there.
func (p *Pipeline) Backfill(ctx context.Context, w schema.Window) (ReadResult, error) {
	run, parts, err := p.newBackfill(ctx, w)
	if err != nil {
		return ReadResult{}, err
	}
	if run, err = p.Ledger.StartRun(ctx, run); err != nil {
		return ReadResult{}, fmt.Errorf("start backfill: %w", err)
	}
	return p.read(ctx, run, ReadResult{RunID: run.ID}, func(ctx context.Context, run schema.Run, s Source) []streamOutcome {
		return p.backfillSource(ctx, run, s, parts[s.Name])
	})
}

// newBackfill is the run of a backfill, which is not recorded yet, and what it has to do for each source.
func (p *Pipeline) newBackfill(ctx context.Context, asked schema.Window) (run schema.Run, parts map[string]part, err error) {
	w, err := p.toNow(asked)
	if err != nil {
		return run, nil, err
	}
	if parts, err = p.parts(ctx, asked, w); err != nil {
		return run, nil, fmt.Errorf("backfill %s: %w", w, err)
	}
	settings := p.settings()
	settings.Backfill = map[string]int64{}
	for source, part := range parts {
		settings.Backfill[source] = part.after
	}
	run = p.newRun(schema.BackfillRun, asked)
	run.Parameters = settings.encode()
	return run, parts, nil
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
func (p *Pipeline) backfillSource(ctx context.Context, run schema.Run, s Source, part part) []streamOutcome {
	return p.eachStream(ctx, s, func(stream schema.Stream) streamOutcome {
		switch stream {
		case schema.Cards:
			return p.walk(ctx, run, s, stream, p.snapshot())
		case schema.Transactions:
			return p.backfillWindows(ctx, run, s, part)
		}
		return streamOutcome{StreamResult: StreamResult{}}
	})
}

// backfillWindows reads each window that was not read whole before.
func (p *Pipeline) backfillWindows(ctx context.Context, run schema.Run, s Source, part part) streamOutcome {
	all := part.windows
	result := streamOutcome{StreamResult: StreamResult{Stream: schema.Transactions, Verdict: schema.VerdictComplete}}
	for i, one := range all {
		if part.read[one] {
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

// undertaking is the backfill of a range of one source, over all the runs that it takes.
type undertaking struct {
	// after is the run before the first of them, which knew what decides the windows: one that goes on has those of the first.
	// It tells undertakings apart.
	after int64
	runs  map[int64]bool
	ended bool // its latest run was complete
}

// part is what a backfill has to do for one source.
type part struct {
	after   int64
	windows []schema.Window
	read    map[schema.Window]bool // of them, whole, by earlier runs of the undertaking
}

// left says whether there is a window to read.
func (p part) left() bool { return len(p.read) < len(p.windows) }

// parts divides a range, as it was asked for, among the sources. A source whose undertaking has windows left goes on with it, and
// one that has come to the end of the same undertaking waits for the others. All else begins a new one.
func (p *Pipeline) parts(ctx context.Context, asked, w schema.Window) (map[string]part, error) {
	before, latest, err := p.undertakings(ctx, asked)
	if err != nil {
		return nil, err
	}
	all, under := map[string]part{}, map[int64]bool{}
	for _, s := range p.Sources {
		if u, ok := before[s.Name]; ok {
			if all[s.Name], err = p.part(ctx, s, w, u); err != nil {
				return nil, err
			}
			under[u.after] = under[u.after] || !u.ended && all[s.Name].left()
		}
	}
	for _, s := range p.Sources {
		if one, ok := all[s.Name]; ok && under[one.after] {
			continue
		}
		if all[s.Name], err = p.part(ctx, s, w, undertaking{after: latest}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// undertakings finds the latest undertaking of a range of each source, and the latest run.
func (p *Pipeline) undertakings(ctx context.Context, w schema.Window) (all map[string]undertaking, latest int64, err error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return nil, 0, err
	}
	all = map[string]undertaking{}
	for _, r := range runs { // newest first
		latest = max(latest, r.ID)
		var recorded settings
		if r.Kind != schema.BackfillRun || !r.Period.From.Equal(w.From) || !r.Period.To.Equal(w.To) || json.Unmarshal([]byte(r.Parameters), &recorded) != nil {
			continue
		}
		for source, after := range recorded.Backfill {
			u, ok := all[source]
			if !ok {
				u = undertaking{after: after, runs: map[int64]bool{}, ended: r.Status == schema.Complete}
				all[source] = u
			}
			if u.after == after {
				u.runs[r.ID] = true
			}
		}
	}
	return all, latest, nil
}

// part is what an undertaking has for a source.
func (p *Pipeline) part(ctx context.Context, s Source, w schema.Window, u undertaking) (part, error) {
	v, err := p.volume(ctx, s, u.after)
	if err != nil {
		return part{}, err
	}
	one := part{after: u.after, windows: v.windows(s, w), read: map[schema.Window]bool{}}
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return part{}, err
		}
		if c.Source == s.Name && c.Stream == schema.Transactions && c.Scope == s.Scope && c.Verdict == schema.VerdictComplete &&
			u.runs[c.Run] && slices.Contains(one.windows, c.Window) {
			one.read[c.Window] = true
		}
	}
	return one, nil
}
