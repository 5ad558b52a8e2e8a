// Package queue shares the work on ledgers in PostgreSQL among any number of processes. What there is to do are jobs of River
// (riverqueue.com), in a schema of their own in the same database, so that rows and the end of the job that brought them are
// stored together. Nothing of a ledger rests on a job: one that comes twice, or is lost with its worker, finds in the ledger what
// is done and goes on from there.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// The queues beside those of credentials.
const (
	planQueue  = "tieout_plan"
	closeQueue = "tieout_close"
)

// Config says what a process has to do with the jobs of one database. Ledgers are named by ledger.Place.
type Config struct {
	Pool    *ledger.Pool
	Schema  string
	Rescue  time.Duration        // how long after its beginning a job whose worker is gone is taken up by another
	Poll    time.Duration        // from one plan to the next
	Elapsed func() time.Duration // the monotonic clock
	// Queue is that of the credential of a source; empty: there is no such source.
	Queue func(ledger, source string) string
	// Queues are those of all credentials.
	Queues []string
	// River has what else is to be set, such as where to log.
	River river.Config

	// What this process does; nil: it leaves that to others.
	Unit  func(context.Context, Unit) (result pipeline.SourceResult, paused bool, err error)
	Close func(ctx context.Context, ledger string, run int64, units []pipeline.SourceResult) error
	Plan  func(context.Context) error
}

// Unit is a unit of a queued run, as a worker is given it.
type Unit struct {
	Ledger string
	Run    int64
	Unit   pipeline.Unit
	Before pipeline.SourceResult // what came of it so far
	Job    pipeline.Job
}

// Queue is a connection to the jobs of one database.
type Queue struct {
	Config

	client   *river.Client[ledger.Tx]
	stopping atomic.Bool
}

// Migrate makes the tables of the jobs, or brings them up to date.
func Migrate(schema string) func(context.Context, *ledger.Pool) error {
	return func(ctx context.Context, pool *ledger.Pool) error {
		migrator, err := rivermigrate.New(riverpgxv5.New(pool.Pool), &rivermigrate.Config{Schema: schema})
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	}
}

// maxAttempts is how often a job is tried. From the first try to the last it is a quarter of an hour, by River's policy.
const maxAttempts = 6

// retention is how long jobs are kept that ended: the end of a run looks back at all of its units.
const retention = 60 * 24 * time.Hour

// New makes a Queue, which does nothing until Start.
func New(c Config) (*Queue, error) {
	q := &Queue{Config: c}
	workers := river.NewWorkers()
	for _, err := range []error{
		river.AddWorkerSafely(workers, &unitWorker{q: q}), river.AddWorkerSafely(workers, &closeWorker{q: q}), river.AddWorkerSafely(workers, &planWorker{q: q}),
	} {
		if err != nil {
			return nil, err
		}
	}
	settings := c.River
	settings.Schema, settings.Workers, settings.MaxAttempts = c.Schema, workers, maxAttempts
	settings.JobTimeout, settings.RescueStuckJobsAfter = c.Rescue*2/3, c.Rescue
	settings.CompletedJobRetentionPeriod, settings.CancelledJobRetentionPeriod, settings.DiscardedJobRetentionPeriod = retention, retention, retention
	settings.FetchPollInterval = max(time.Second, c.Poll/2) // what was missed while the listener was away
	// Whoever leads puts plans into the queue, so everybody must be able to.
	settings.PeriodicJobs = []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(c.Poll), func() (river.JobArgs, *river.InsertOpts) {
		return planArgs{}, nil
	}, &river.PeriodicJobOpts{ID: "plan", RunOnStart: true})}
	settings.Queues = map[string]river.QueueConfig{}
	one := river.QueueConfig{MaxWorkers: 1}
	if c.Unit != nil {
		for _, name := range c.Queues {
			settings.Queues[name] = one
		}
	}
	if c.Close != nil {
		settings.Queues[closeQueue] = one
	}
	if c.Plan != nil {
		settings.Queues[planQueue] = one
	}
	if len(settings.Queues) == 0 {
		settings.Queues = nil // it only brings jobs
	}
	var err error
	q.client, err = river.NewClient(riverpgxv5.New(c.Pool.Pool), &settings)
	return q, err
}

// Run works until the context is done, and then until what is at hand is at a point to go on from, or grace is over.
func (q *Queue) Run(ctx context.Context, grace time.Duration) error {
	working := context.WithoutCancel(ctx)
	if err := q.client.Start(working); err != nil {
		return fmt.Errorf("start to work: %w", err)
	}
	<-ctx.Done()
	q.stopping.Store(true)
	soft, cancel := context.WithTimeout(working, grace)
	defer cancel()
	if err := q.client.Stop(soft); err == nil {
		return nil
	}
	hard, cancel := context.WithTimeout(working, grace)
	defer cancel()
	if err := q.client.StopAndCancel(hard); err != nil {
		return fmt.Errorf("stop to work: %w", err)
	}
	return nil
}

type unitArgs struct {
	Ledger string        `json:"ledger"`
	Run    int64         `json:"run"`
	Unit   pipeline.Unit `json:"unit"`
}

func (unitArgs) Kind() string { return "unit" }

type closeArgs struct {
	Ledger string `json:"ledger"`
	Run    int64  `json:"run"`
}

func (closeArgs) Kind() string { return "close" }

type planArgs struct{}

func (planArgs) Kind() string { return "plan" }

func (planArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: planQueue, UniqueOpts: once(), MaxAttempts: 1}
}

// once keeps a job from coming twice at a time.
func once() river.UniqueOpts { return river.UniqueOpts{ByArgs: true, ByState: active()} }

// active are the states of a job that has not ended.
func active() []rivertype.JobState {
	return []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}
}

// about is what jobs are found by.
func about(ledger string, run int64) []byte {
	text, err := json.Marshal(closeArgs{ledger, run})
	if err != nil {
		return nil // a string and a number can be encoded
	}
	return text
}

// Bring is how the units of a run of a ledger come to their workers.
func (q *Queue) Bring(of string) pipeline.Bring {
	return func(ctx context.Context, run schema.Run, units []pipeline.Unit, tx ledger.Tx) error {
		return q.bring(ctx, tx, of, run.ID, units)
	}
}

func (q *Queue) bring(ctx context.Context, tx ledger.Tx, of string, run int64, units []pipeline.Unit) error {
	var jobs []river.InsertManyParams
	for _, u := range units {
		name := q.Queue(of, u.Source)
		if name == "" {
			return fmt.Errorf("source %s has no queue", u.Source)
		}
		jobs = append(jobs, river.InsertManyParams{
			Args: unitArgs{of, run, u}, InsertOpts: &river.InsertOpts{Queue: name, Metadata: about(of, run), UniqueOpts: once()},
		})
	}
	if len(jobs) == 0 {
		return nil
	}
	_, err := q.client.InsertManyTx(ctx, tx, jobs)
	return err
}

// Tend brings a queued run on: once all of its units have ended it is to be closed. Units that no worker can take any more, since
// their source or its credential is gone from the configuration, end.
func (q *Queue) Tend(ctx context.Context, of string, run int64) error {
	units, err := q.list(ctx, of, run, unitArgs{}.Kind(), active()...)
	if err != nil {
		return err
	}
	left := 0
	for _, job := range units {
		if job.State != rivertype.JobStateRunning && !slices.Contains(q.Queues, job.Queue) {
			if _, err := q.client.JobCancel(ctx, job.ID); err != nil {
				return err
			}
			continue
		}
		left++
	}
	if left > 0 {
		return nil
	}
	_, err = q.client.Insert(ctx, closeArgs{of, run}, &river.InsertOpts{Queue: closeQueue, Metadata: about(of, run), UniqueOpts: once()})
	return err
}

// Closing says whether a run of a ledger is being closed.
func (q *Queue) Closing(ctx context.Context, of string) (bool, error) {
	jobs, err := q.list(ctx, of, 0, closeArgs{}.Kind(), active()...)
	return len(jobs) > 0, err
}

// list finds the jobs of a kind about a ledger and, where it is given, a run.
func (q *Queue) list(ctx context.Context, of string, run int64, kind string, states ...rivertype.JobState) ([]*rivertype.JobRow, error) {
	like := about(of, run)
	if run == 0 {
		text, err := json.Marshal(map[string]string{"ledger": of})
		if err != nil {
			return nil, err
		}
		like = text
	}
	const page = 1000
	params := river.NewJobListParams().Kinds(kind).States(states...).Metadata(string(like)).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(page)
	var all []*rivertype.JobRow
	for {
		found, err := q.client.JobList(ctx, params)
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		all = append(all, found.Jobs...)
		if len(found.Jobs) < page {
			return all, nil
		}
		params = params.After(found.LastCursor)
	}
}

// output is what a job notes of its work.
type output struct {
	Result pipeline.SourceResult `json:"result"`
	Waits  int                   `json:"waits"` // that the provider asked for
}

func outputOf(job *rivertype.JobRow) (o output, found bool) {
	text := job.Output()
	return o, len(text) > 0 && json.Unmarshal(text, &o) == nil
}

// results are what came of the units of a run that ended.
func (q *Queue) results(ctx context.Context, of string, run int64) ([]pipeline.SourceResult, error) {
	jobs, err := q.list(ctx, of, run, unitArgs{}.Kind(), rivertype.JobStateCompleted, rivertype.JobStateCancelled, rivertype.JobStateDiscarded)
	var all []pipeline.SourceResult
	for _, job := range jobs {
		o, found := outputOf(job)
		if job.State == rivertype.JobStateCompleted && found {
			all = append(all, o.Result)
			continue
		}
		var args unitArgs
		if err := json.Unmarshal(job.EncodedArgs, &args); err != nil {
			return nil, fmt.Errorf("read job %d: %w", job.ID, err)
		}
		o.Result.Source, o.Result.Status = args.Unit.Source, schema.FailedRun
		o.Result.Error = fmt.Sprintf("%s (%s): given up after %d attempts", args.Unit, args.Unit.Source, job.Attempt)
		if job.State == rivertype.JobStateCancelled {
			o.Result.Error = fmt.Sprintf("%s (%s): it was cancelled, as it is when no worker is configured with the source any more", args.Unit, args.Unit.Source)
		}
		if n := len(job.Errors); n > 0 {
			o.Result.Error += ": " + job.Errors[n-1].Error
		}
		all = append(all, o.Result)
	}
	return all, err
}

var errTaken = errors.New("another worker has taken the job over")
