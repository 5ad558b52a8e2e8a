package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/pipeline/schedule"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the nights of schedule.nightly in the foreground; catch up what was missed", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.mayWrite(); err != nil {
				return err
			}
			entities, err := a.configs()
			if err != nil {
				return err
			}
			a.letTimePass()
			if files, served := apart(entities); len(served) > 0 {
				return a.plan(cmd.Context(), files, served)
			}
			clock := newClock(entities)
			defer clock.Stop()
			return a.serve(cmd.Context(), entities, clock)
		},
	}
}

// alarm wakes the loop of `serve`. What is due is computed from the recorded runs, so that it may ring late, twice or for nothing.
type alarm interface {
	// Bell is asked for whenever the loop has nothing left to do, and rings when it is to look what is due.
	Bell() <-chan struct{}
}

// clock rings at each moment of the entities' cron lines. It rings every minute too, for nights that were missed or are to be tried
// again, and because a machine that slept rings late.
type clock struct {
	*cron.Cron
	bell chan struct{}
}

// newClock starts a clock that rings at once.
func newClock(entities []Config) clock {
	c := clock{cron.New(cron.WithLogger(cron.DiscardLogger), cron.WithLocation(time.UTC)), make(chan struct{}, 1)}
	ring := cron.FuncJob(func() {
		select {
		case c.bell <- struct{}{}:
		default: // one that was not heard yet is enough
		}
	})
	for _, e := range entities {
		c.Schedule(e.Schedule.Cron, ring)
	}
	c.Schedule(cron.Every(time.Minute), ring)
	c.Start()
	ring()
	return c
}

func (c clock) Bell() <-chan struct{} { return c.bell }

// letTimePass makes the recorded clock go on from --now: one that stands still would never reach the next night.
func (a *app) letTimePass() {
	if !a.stands {
		return
	}
	from, since := a.now(), a.elapsed()
	a.stands = false
	a.now = func() time.Time { return from.Add(a.elapsed() - since).Truncate(time.Microsecond) }
}

// plan is when the nights of a configuration are owed.
func (s ScheduleConfig) plan(entity string) schedule.Plan {
	host, _ := os.Hostname() // only spreads the nights of machines; without one they spread less
	return schedule.Plan{Cron: s.Cron, Jitter: s.Jitter, Key: host + "/" + entity}
}

// serve runs a night of each entity whenever the alarm rings and one is due, one after the other, until the context is done.
// Only a night that was interrupted is an error, for it is done in part.
func (a *app) serve(ctx context.Context, entities []Config, clock alarm) error {
	log := a.log
	defer func() { a.log = log }()
	said := make([]announced, len(entities))
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.Bell():
		}
		for i, c := range entities {
			if c.Name != "" {
				a.log = log.With("entity", c.Name)
			}
			a.progress.sources = nil
			if err := a.lookIn(ctx, c, &said[i]); err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
}

// announced is what was said of an entity, and is not said at each ring.
type announced struct {
	next       time.Time // the next night
	told       time.Time // when somebody was to be told of silence
	waits      time.Time // since when a night waits for who holds the ledger; zero: none does
	complaint  string    // what was wrong last
	complained time.Time
}

// lookIn runs the night of an entity if one is due. A night that failed is logged and tried again.
func (a *app) lookIn(ctx context.Context, c Config, said *announced) error {
	working, err := a.tend(ctx, c)
	var next schedule.Night
	var quiet bool
	if err == nil {
		next, quiet, err = a.nextNight(ctx, c)
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil && a.now().Before(said.next) && !a.silentSoFar(c): // there is time for it to pass
		a.complain(said, "look what is due", err)
		return nil
	case err != nil:
		a.cannotRun(ctx, c, said, err)
		return nil
	case next.At.After(a.now()) || working:
		if !next.At.Equal(said.next) && !working {
			said.next = next.At
			a.log.Info("next night", "tick", next.Tick, "at", next.At, "tries", next.Tries)
		}
		said.waits, said.complaint = time.Time{}, ""
		if quiet && a.now().Sub(said.told) >= askAgain { // a channel that fails is not asked at every ring
			said.told = a.now()
			a.quietHour(ctx, c)
		}
		return nil
	}
	night := a.night
	if a.shared {
		night = a.queueNight
	}
	began, err := night(ctx, c)
	switch {
	case ctx.Err() != nil && err != nil:
		return interrupted(ctx, err)
	case err != nil && !began:
		a.cannotRun(ctx, c, said, err)
	case err != nil:
		said.waits = time.Time{}
		a.complain(said, "night", err)
	}
	return nil
}

// quietHour tells of silence between two nights. Where that cannot be recorded, it is told all the same: who holds the ledger
// may hang.
func (a *app) quietHour(ctx context.Context, c Config) {
	began, err := a.forNight(ctx, c, func(c Config, p *pipeline.Pipeline) error {
		a.tellSilence(ctx, c, p)
		return nil
	})
	switch {
	case err == nil || ctx.Err() != nil:
	case began:
		a.log.Warn("silence", "error", err)
	case errors.Is(err, ledger.ErrLocked):
		a.tellNotRun(ctx, c, nil)
	default:
		a.tellNotRun(ctx, c, err)
	}
}

// nextNight asks the ledger what is due, and whether there is silence to tell of, beside whatever is writing to it. A ledger of
// an older version is upgraded first.
func (a *app) nextNight(ctx context.Context, c Config) (next schedule.Night, quiet bool, err error) {
	look := func(_ Config, p *pipeline.Pipeline) (err error) {
		if next, err = a.due(ctx, c, p); err != nil {
			return err
		}
		quiet, err = silent(ctx, c.Notify, p)
		return err
	}
	if err = a.read(ctx, c, look); errors.Is(err, ledger.ErrOlder) {
		a.log.Info("upgrade the ledger", "ledger", ledger.Name(c.LedgerPath))
		err = a.withLedger(ctx, c, nil, look)
	}
	if a.remember(c).there && errors.Is(err, ledger.ErrNone) {
		return next, false, fmt.Errorf("the ledger is gone (%s), and a new one would know nothing of what was found and decided: mount its disk, restore a backup, or begin anew by starting tieout again", ledger.Name(c.LedgerPath))
	}
	if errors.Is(err, ledger.ErrNone) {
		return c.Schedule.plan(c.Entity).Due(a.now(), nil), false, nil
	}
	return next, quiet, err
}

// due is the next night of a configuration, by the runs that its ledger has.
func (a *app) due(ctx context.Context, c Config, p *pipeline.Pipeline) (schedule.Night, error) {
	now := a.now()
	runs, err := p.Ledger.WholeRunsSince(ctx, c.Schedule.Cron.Latest(now))
	if err != nil {
		return schedule.Night{}, err
	}
	a.remember(c).there = true
	if last := schedule.LastDone(now, runs); !last.IsZero() {
		a.remember(c).complete = last
	}
	return c.Schedule.plan(c.Entity).Due(now, runs), nil
}

// night runs one night, alone, if it is still due once the ledger is held: another process may just have done it.
func (a *app) night(ctx context.Context, c Config) (began bool, err error) {
	return a.forNight(ctx, c, func(c Config, p *pipeline.Pipeline) error {
		if next, err := a.due(ctx, c, p); err != nil || next.At.After(a.now()) {
			return err
		}
		result, err := a.nightly(ctx, c, p, "")
		if result.RunID != 0 {
			if printErr := a.print(false, result, func(w io.Writer) { writeNightly(w, result) }); printErr != nil {
				return printErr
			}
		}
		return nightlyError(result, err, "")
	})
}
