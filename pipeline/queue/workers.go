package queue

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Waiting: how long for a ledger that a command holds alone, and how often for what a provider asks for.
const (
	lockedAgain = 5 * time.Second
	maxWaits    = 20
)

type unitWorker struct {
	river.WorkerDefaults[unitArgs]

	q *Queue
}

// Timeout is that of every job, but for the units that cannot be paused.
func (w *unitWorker) Timeout(job *river.Job[unitArgs]) time.Duration {
	if job.Args.Unit.Stream == schema.Transactions {
		return 0
	}
	return 10 * w.q.Rescue
}

// Work does a unit, or as much of it as fits into a third of the time after which the job would be another's.
func (w *unitWorker) Work(ctx context.Context, job *river.Job[unitArgs]) error {
	began, before := w.q.Elapsed(), output{}
	if o, found := outputOf(job.JobRow); found {
		before = o
	}
	ended := false
	result, paused, err := w.q.Unit(ctx, Unit{
		Ledger: job.Args.Ledger, Run: job.Args.Run, Unit: job.Args.Unit, Before: before.Result,
		Job: pipeline.Job{
			Pause: func() bool { return w.q.stopping.Load() || w.q.Elapsed()-began > w.q.Rescue/3 },
			End: func(ctx context.Context, tx ledger.Tx, result pipeline.SourceResult) error {
				ended = true
				return w.end(ctx, tx, job, output{Result: result}, true)
			},
		},
	})
	switch {
	case err == nil && ended:
		return nil
	case errors.Is(err, ledger.ErrLocked): // nothing was done
		return river.JobSnooze(lockedAgain)
	case paused:
		return errors.Join(river.RecordOutput(ctx, output{Result: result}), river.JobSnooze(0))
	}
	again, wait := false, time.Duration(0)
	if err != nil {
		wait, again = pipeline.Later(err)
	}
	now := output{Result: result, Waits: before.Waits}
	switch {
	case again && wait > 0 && before.Waits < maxWaits:
		now.Waits++
		return errors.Join(river.RecordOutput(ctx, now), river.JobSnooze(wait))
	case again && job.Attempt < job.MaxAttempts:
		return errors.Join(river.RecordOutput(ctx, now), err)
	}
	if now.Result.Source == "" { // it was not even begun
		now.Result = pipeline.SourceResult{Source: job.Args.Unit.Source, Status: schema.FailedRun, Error: err.Error(), Streams: []pipeline.StreamResult{}}
	}
	// It came to its end, for good or for ill. Where the credential was refused, what comes then would be refused too.
	return w.q.Pool.Do(ctx, func(tx ledger.Tx) error { return w.end(ctx, tx, job, now, !pipeline.Unauthorized(err)) })
}

// end ends a job, and brings what comes then.
func (w *unitWorker) end(ctx context.Context, tx ledger.Tx, job *river.Job[unitArgs], o output, then bool) error {
	if err := river.RecordOutput(ctx, o); err != nil {
		return err
	}
	done, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
	if errors.Is(err, river.ErrNotFound) || err == nil && done.Attempt != job.Attempt {
		return errTaken // whoever has it has the walk too: what was read here is read there
	}
	if err != nil || !then {
		return err
	}
	return w.q.bring(ctx, tx, job.Args.Ledger, job.Args.Run, job.Args.Unit.Then)
}

type closeWorker struct {
	river.WorkerDefaults[closeArgs]

	q *Queue
}

// Timeout is long: a report of a large ledger takes minutes.
func (w *closeWorker) Timeout(*river.Job[closeArgs]) time.Duration { return 10 * w.q.Rescue }

func (w *closeWorker) Work(ctx context.Context, job *river.Job[closeArgs]) error {
	results, err := w.q.results(ctx, job.Args.Ledger, job.Args.Run)
	if err == nil {
		err = w.q.Close(ctx, job.Args.Ledger, job.Args.Run, results)
	}
	if errors.Is(err, ledger.ErrLocked) {
		return river.JobSnooze(lockedAgain)
	}
	return err
}

type planWorker struct {
	river.WorkerDefaults[planArgs]

	q *Queue
}

func (w *planWorker) Work(ctx context.Context, _ *river.Job[planArgs]) error { return w.q.Plan(ctx) }
