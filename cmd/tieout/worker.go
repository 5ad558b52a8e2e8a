package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/pipeline/queue"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) workerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "Do what `serve` and `backfill --enqueue` leave to workers, for ledgers in PostgreSQL", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mayWrite(); err != nil {
				return err
			}
			entities, err := a.configs()
			if err != nil {
				return err
			}
			files, served := apart(entities)
			if len(files) > 0 {
				return usageError("a worker needs ledgers in PostgreSQL; %s is a file", ledger.Name(files[0].LedgerPath))
			}
			return a.share(cmd.Context(), served, a.work, func(ctx context.Context) error { <-ctx.Done(); return nil })
		},
	}
}

// apart tells the entities whose ledgers are files from those whose ledgers are in PostgreSQL.
func apart(entities []Config) (files, served []Config) {
	for _, c := range entities {
		if ledger.IsPostgres(c.LedgerPath) {
			served = append(served, c)
		} else {
			files = append(files, c)
		}
	}
	return files, served
}

// grace is how long a process that is to stop waits for what it has at hand.
const grace = 20 * time.Second

// connections is how many a process has to the jobs of a database, beside those to ledgers.
const connections = 8

// share runs the queues of entities, beside something else, until the context is done. does says what this process does with the
// jobs of one database; nil: it only brings some.
func (a *app) share(ctx context.Context, entities []Config, does func(*queue.Config, []Config), beside func(context.Context) error) (err error) {
	a.shared, a.queues = true, map[string]*queue.Queue{}
	defer func() { a.queues = nil }()
	names, err := a.queueNames()
	if err != nil {
		return err
	}
	type database struct{ name, schema string }
	by := map[database][]Config{}
	for _, c := range entities {
		a.makePaces(c)
		d := database{ledger.Database(c.LedgerPath), c.Queue.Schema}
		by[d] = append(by[d], c)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, some := range by {
		q, err := a.openQueue(ctx, some, names, does)
		if err != nil {
			return err
		}
		defer q.Pool.Close()
		for _, c := range some {
			a.queues[c.LedgerPath] = q
		}
	}
	for q := range a.distinctQueues() {
		if does != nil {
			group.Go(func() error { return q.Run(ctx, grace) })
		}
	}
	group.Go(func() error { return beside(ctx) })
	return group.Wait()
}

// queueNames are the names of queues by credential, the same for whoever has this configuration: that of the first source of it.
func (a *app) queueNames() (map[string]string, error) {
	all, err := loadConfigs(a.configFile(), a.env)
	names := map[string]string{}
	for _, c := range all {
		for _, s := range c.Sources {
			if names[s.quota()] == "" {
				names[s.quota()] = s.queueName(c)
			}
		}
	}
	return names, err
}

// queueName is that of the source. River's names have fewer letters than those of sources.
func (s SourceConfig) queueName(c Config) string {
	sum := sha256.Sum256([]byte(c.Name + "\x1f" + s.Name))
	return string(s.Provider) + "-" + hex.EncodeToString(sum[:8])
}

func (a *app) openQueue(ctx context.Context, entities []Config, names map[string]string, does func(*queue.Config, []Config)) (*queue.Queue, error) {
	first := entities[0]
	pool, err := ledger.OpenPool(ctx, first.LedgerPath, first.Queue.Schema, connections, queue.Migrate(first.Queue.Schema))
	if err != nil {
		return nil, err
	}
	sources := map[string]map[string]string{} // the queue of each source, by ledger
	config := queue.Config{
		Pool: pool, Schema: first.Queue.Schema, Rescue: first.Queue.Rescue, Poll: first.Queue.Poll, Elapsed: a.elapsed,
		Queue: func(of, source string) string { return sources[of][source] },
		River: river.Config{ID: processName(), Logger: slog.New(warnings{a.log.Handler()})},
	}
	for _, c := range entities {
		of := ledger.Place(c.LedgerPath)
		sources[of] = map[string]string{}
		for _, s := range c.Sources {
			name := names[s.quota()]
			sources[of][s.Name] = name
			if !slices.Contains(config.Queues, name) {
				config.Queues = append(config.Queues, name)
				a.paces[s.quota()].Share(func(ctx context.Context, every time.Duration) (time.Duration, error) {
					return pool.Turn(ctx, name, every)
				})
			}
		}
	}
	if does != nil {
		does(&config, entities)
	}
	q, err := queue.New(config)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open queue (%s): %w", ledger.Name(first.LedgerPath), err)
	}
	return q, nil
}

// processName tells a process from any other, now or later.
func processName() string {
	host, _ := os.Hostname() // only to find it
	return fmt.Sprintf("%.40s_%d_%s", host, os.Getpid(), rand.Text())
}

// warnings leaves out what River says in passing.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// work has a process do what there is to do.
func (a *app) work(q *queue.Config, entities []Config) {
	of := map[string]Config{}
	for _, c := range entities {
		of[ledger.Place(c.LedgerPath)] = c
	}
	q.Unit = func(ctx context.Context, u queue.Unit) (result pipeline.SourceResult, paused bool, err error) {
		c, ok := of[u.Ledger]
		if !ok {
			return result, false, errNotOurs
		}
		err = a.unit(ctx, c, u, func(r pipeline.SourceResult, p bool) { result, paused = r, p })
		return result, paused, err
	}
	q.Close = func(ctx context.Context, at string, run int64, units []pipeline.SourceResult) error {
		c, ok := of[at]
		if !ok {
			return errNotOurs
		}
		return a.closeRun(ctx, c, run, units)
	}
}

// errNotOurs is about a job of an entity that this process's configuration does not have.
var errNotOurs = errors.New("the configuration of this worker has no such ledger: workers of other ledgers need another queue.schema")

// unit does a unit of a queued run.
func (a *app) unit(ctx context.Context, c Config, u queue.Unit, came func(pipeline.SourceResult, bool)) (err error) {
	lock, err := a.lock(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return a.open(ctx, c, ledger.Config{Path: c.LedgerPath, Now: a.now, Shared: true}, nil, func(_ Config, p *pipeline.Pipeline) error {
		run, err := p.Ledger.Run(ctx, u.Run)
		if err != nil {
			return err
		}
		result, paused, err := p.Work(ctx, run, u.Unit, u.Before, u.Job)
		a.log.Info("unit", "ledger", ledger.Name(c.LedgerPath), "run", run.ID, "source", u.Unit.Source, "unit", u.Unit.String(), "status", string(result.Status), "paused", paused)
		came(result, paused)
		return err
	})
}

// closeRun ends a queued run and, where it is the sync of a night, does the rest of the night. Meanwhile nobody stores rows in the
// ledger: what was judged is what is reported.
func (a *app) closeRun(ctx context.Context, c Config, id int64, units []pipeline.SourceResult) error {
	a.closing.Lock() // what is remembered of whom was told is one job's at a time
	defer a.closing.Unlock()
	waiting := func(c Config) (*ledger.FileLock, error) { return ledger.LockAlone(ctx, c.LedgerPath, a.now()) }
	_, err := a.ofNight(c, func(use func(Config, *pipeline.Pipeline) error) error {
		return a.withLock(ctx, c, waiting, false, nil, use)
	}, func(c Config, p *pipeline.Pipeline) error {
		run, err := p.Ledger.Run(ctx, id)
		if err != nil {
			return err
		}
		read, err := p.Finish(ctx, run, units)
		if err != nil {
			return err
		}
		a.log.Info("ended", "ledger", ledger.Name(c.LedgerPath), "run", id, "kind", string(run.Kind), "status", string(read.Status))
		if run.Kind != schema.SyncRun || !run.Whole {
			return nil
		}
		result, err := a.andTell(ctx, c, p, func(ctx context.Context, p *pipeline.Pipeline) (pipeline.NightlyResult, error) {
			return p.Rest(ctx, read, c.Reports.Formats, "", c.Reports.Dir)
		})
		if err != nil {
			return err
		}
		a.log.Info("night", "ledger", ledger.Name(c.LedgerPath), "run", id, "conclusion", result.Conclusion, "report", result.ReportDir)
		return nil
	})
	return err
}

// planBell rings when it is this process's turn to look what is due. Its ringing is over when the loop listens again.
type planBell struct{ rings, idle chan struct{} }

func (b planBell) Bell() <-chan struct{} {
	select {
	case b.idle <- struct{}{}:
	default:
	}
	return b.rings
}

// ring rings and waits, as long as neither the job nor the loop is told to stop.
func (b planBell) ring(job, loop context.Context) error {
	select {
	case <-b.idle:
	default:
	}
	select {
	case b.rings <- struct{}{}:
	case <-job.Done():
		return job.Err()
	case <-loop.Done():
		return nil
	}
	select {
	case <-b.idle:
		return nil
	case <-job.Done():
		return job.Err()
	case <-loop.Done():
		return nil
	}
}

// plan is `serve` of ledgers in PostgreSQL: it looks what is due whenever the leader says so, and leaves the work to workers. Any
// number of processes may do it.
func (a *app) plan(ctx context.Context, files, served []Config) error {
	if len(files) > 0 {
		return usageError("some ledgers are in PostgreSQL and some are files (%s): serve them by themselves, with --entity", ledger.Name(files[0].LedgerPath))
	}
	bell := planBell{make(chan struct{}), make(chan struct{}, 1)}
	a.log.Info("serve plans, and `tieout worker` does the work")
	return a.share(ctx, served, func(q *queue.Config, _ []Config) {
		q.Plan = func(job context.Context) error { return bell.ring(job, ctx) }
	}, func(ctx context.Context) error { return a.serve(ctx, served, bell) })
}

// tend brings the queued runs of a ledger on. working says whether a night is under way, so that none is due.
func (a *app) tend(ctx context.Context, c Config) (working bool, err error) {
	q := a.queues[c.LedgerPath]
	if q == nil {
		return false, nil
	}
	of := ledger.Place(c.LedgerPath)
	err = a.read(ctx, c, func(_ Config, p *pipeline.Pipeline) error {
		runs, err := p.Ledger.QueuedRuns(ctx)
		if err != nil {
			return err
		}
		for _, run := range runs {
			working = working || run.Kind == schema.SyncRun
			if err := q.Tend(ctx, of, run.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, ledger.ErrNone) || errors.Is(err, ledger.ErrOlder) {
		return false, nil
	}
	if err != nil || working {
		return working, err
	}
	return q.Closing(ctx, of)
}

// queueNight leaves a night to workers, if it is still due.
func (a *app) queueNight(ctx context.Context, c Config) (began bool, err error) {
	return a.forNight(ctx, c, func(c Config, p *pipeline.Pipeline) error {
		if next, err := a.due(ctx, c, p); err != nil || next.At.After(a.now()) {
			return err
		}
		run, err := p.QueueSync(ctx, a.queues[c.LedgerPath].Bring(ledger.Place(c.LedgerPath)))
		if err == nil {
			a.log.Info("night queued", "run", run.ID, "sources", len(p.Sources))
		}
		return err
	})
}

// queueBackfill leaves a backfill to workers.
func (a *app) queueBackfill(ctx context.Context, c Config, p *pipeline.Pipeline, w schema.Window, asJSON bool) error {
	var run schema.Run
	err := a.share(ctx, []Config{c}, nil, func(ctx context.Context) (err error) {
		run, err = p.QueueBackfill(ctx, w, a.queues[c.LedgerPath].Bring(ledger.Place(c.LedgerPath)))
		return err
	})
	if err != nil {
		return err
	}
	queued := struct {
		RunID  int64            `json:"run_id"`
		Status schema.RunStatus `json:"status"`
	}{run.ID, run.Status}
	return a.print(asJSON, queued, func(w io.Writer) {
		fmt.Fprintf(w, "run %d: %s; `tieout worker` does it, and `tieout status` says how it ended\n", run.ID, run.Status)
	})
}

// distinctQueues are those of all ledgers, once each.
func (a *app) distinctQueues() map[*queue.Queue]bool {
	all := map[*queue.Queue]bool{}
	for _, q := range a.queues {
		all[q] = true
	}
	return all
}
