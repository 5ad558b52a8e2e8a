package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Unit is a part of a sync or a backfill that one worker does by itself, and that another goes on with where the first was killed.
type Unit struct {
	Source string `json:"source"`
	// Stream is what a unit reads; empty: every stream but the transactions, which a sync reads one after the other.
	Stream schema.Stream `json:"stream"`
	// Window is that of a backfill's transactions; zero: it is chosen when the unit is worked.
	Window schema.Window `json:"window"`
	// Then are the units that come when this one has ended: entries refer to cards.
	Then []Unit `json:"then,omitempty"`
}

// Job is what a unit is worked in.
type Job struct {
	// Pause is asked after each page whether the work is to stop there. It goes on from its checkpoint later.
	Pause func() bool
	// End is called in the transaction that stores the last rows of a unit which is one walk, so that the rows are stored and the
	// job has ended, or neither. What it is given is all that came of the unit.
	End func(context.Context, ledger.Tx, SourceResult) error
}

// walkJob is a Job as a walk sees it.
type walkJob struct {
	pause func() bool
	end   func(context.Context, ledger.Tx, StreamResult) error // nil: the unit is more than one walk
}

// errPaused ends a walk that goes on later.
var errPaused = errors.New("paused")

// Bring takes the units of a queued run to those who work them, in the transaction that records the run.
type Bring func(context.Context, schema.Run, []Unit, ledger.Tx) error

// QueueSync records a sync that workers do.
func (p *Pipeline) QueueSync(ctx context.Context, bring Bring) (schema.Run, error) {
	run := p.newRun(schema.SyncRun, schema.Window{})
	run.Whole = len(p.Sources) == len(p.scopes)
	var units []Unit
	for _, s := range p.Sources {
		units = append(units, Unit{Source: s.Name, Then: []Unit{{Source: s.Name, Stream: schema.Transactions}}})
	}
	return p.queue(ctx, run, units, bring)
}

// QueueBackfill records a backfill that workers do: see Backfill.
func (p *Pipeline) QueueBackfill(ctx context.Context, w schema.Window, bring Bring) (schema.Run, error) {
	run, parts, err := p.newBackfill(ctx, w)
	if err != nil {
		return run, err
	}
	var units []Unit
	for _, s := range p.Sources {
		first := Unit{Source: s.Name, Stream: schema.Cards}
		for _, one := range parts[s.Name].windows {
			if !parts[s.Name].read[one] {
				first.Then = append(first.Then, Unit{Source: s.Name, Stream: schema.Transactions, Window: one})
			}
		}
		if slices.Contains(s.Extractor.Streams(), schema.Cards) {
			units = append(units, first)
		} else {
			units = append(units, first.Then...)
		}
	}
	return p.queue(ctx, run, units, bring)
}

func (p *Pipeline) queue(ctx context.Context, run schema.Run, units []Unit, bring Bring) (schema.Run, error) {
	run, err := p.Ledger.QueueRun(ctx, run, func(ctx context.Context, run schema.Run, tx ledger.Tx) error { return bring(ctx, run, units, tx) })
	if err != nil {
		return run, fmt.Errorf("queue %s: %w", run.Kind, err)
	}
	return run, nil
}

// Work does a unit of a queued run, or a part of it: paused says that there is more. before is what came of the unit so far. The
// error is why it did not come to its end.
func (p *Pipeline) Work(ctx context.Context, run schema.Run, u Unit, before SourceResult, job Job) (result SourceResult, paused bool, err error) {
	i := slices.IndexFunc(p.Sources, func(s Source) bool { return s.Name == u.Source })
	if i < 0 {
		err := fmt.Errorf("%s (%s): the source is no longer configured", u, u.Source)
		return sourceResult(ctx, u.Source, []streamOutcome{failed(cmp.Or(u.Stream, "snapshots"), err)}), false, err
	}
	s, q := p.Sources[i], *p
	q.job = &walkJob{pause: job.Pause}
	if run.Kind == schema.BackfillRun {
		q.job.end = func(ctx context.Context, tx ledger.Tx, r StreamResult) error {
			return job.End(ctx, tx, sourceResult(ctx, s.Name, []streamOutcome{{StreamResult: r}}).after(before))
		}
	}
	outcomes := q.work(ctx, run, s, u)
	for _, o := range outcomes {
		paused = paused || errors.Is(o.err, errPaused)
		err = errors.Join(err, o.err)
	}
	return sourceResult(ctx, s.Name, outcomes).after(before), paused, err
}

func (p *Pipeline) work(ctx context.Context, run schema.Run, s Source, u Unit) []streamOutcome {
	switch {
	case run.Kind == schema.SyncRun && u.Stream == schema.Transactions:
		return []streamOutcome{p.syncTransactions(ctx, run, s)}
	case run.Kind == schema.SyncRun:
		return p.syncSnapshots(ctx, run, s)
	case u.Stream == schema.Cards:
		return []streamOutcome{p.walk(ctx, run, s, u.Stream, p.snapshot())}
	}
	return []streamOutcome{p.walk(ctx, run, s, u.Stream, u.Window)}
}

// after is what came of a unit in all, where it was worked before: how it ended is said by the end.
func (r SourceResult) after(before SourceResult) SourceResult {
	r.Streams = slices.Clone(r.Streams)
	for _, b := range before.Streams {
		i := slices.IndexFunc(r.Streams, func(o StreamResult) bool { return o.Stream == b.Stream })
		if i < 0 {
			continue
		}
		verdict, reason := r.Streams[i].Verdict, r.Streams[i].Reason
		r.Streams[i].add(b)
		r.Streams[i].Verdict, r.Streams[i].Reason = verdict, reason
	}
	return r
}

// Finish records how a queued run ended by what came of its units, in any order, and reads the funding files where it is a sync. A
// source without a unit that ended failed. What has ended before is left as it is.
func (p *Pipeline) Finish(ctx context.Context, run schema.Run, units []SourceResult) (ReadResult, error) {
	result := ReadResult{RunID: run.ID, Status: run.Status}
	for _, s := range p.Sources {
		one := SourceResult{Source: s.Name, Streams: []StreamResult{}}
		var parts []schema.RunStatus
		var errs []error
		for _, u := range units {
			if u.Source != s.Name {
				continue
			}
			parts = append(parts, u.Status)
			if u.Error != "" {
				errs = append(errs, errors.New(u.Error))
			}
			one.join(u.Streams)
		}
		if one.Status = status(parts); len(parts) == 0 {
			one.Status = schema.FailedRun
			errs = append(errs, fmt.Errorf("%s: no worker came to the end of any of its units", s.Name))
		}
		if err := errors.Join(errs...); err != nil {
			one.Error = err.Error()
		}
		result.Sources = append(result.Sources, one)
	}
	if run.Status != schema.Queued {
		return result, nil
	}
	if run.Kind == schema.SyncRun {
		if err := p.readFundings(ctx, run); err != nil {
			result.FundingsError = err.Error()
		}
	}
	return p.conclude(ctx, run, result)
}

// join adds what came of streams.
func (r *SourceResult) join(streams []StreamResult) {
	for _, s := range streams {
		i := slices.IndexFunc(r.Streams, func(o StreamResult) bool { return o.Stream == s.Stream })
		if i < 0 {
			r.Streams = append(r.Streams, s)
			continue
		}
		r.Streams[i].add(s)
	}
}

// Later says whether a unit that ended with an error may come to its end later, and how long the provider asked to wait; 0: it did
// not.
func Later(err error) (wait time.Duration, again bool) { return transport.Later(err) }

// String is what a unit reads.
func (u Unit) String() string {
	if u.Window.To.IsZero() {
		return string(cmp.Or(u.Stream, "snapshots"))
	}
	return string(u.Stream) + " " + u.Window.String()
}
