package schedule

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// Plan is when a night is owed and how stubbornly it is tried.
type Plan struct {
	Cron   Cron
	Jitter time.Duration // each night begins up to this much later, so that many machines do not ask at once
	Key    string        // what spreads the nights of different machines
	Retry  time.Duration // from the end of a night that was not complete to the next try; doubled each time; default 15 minutes
}

// Night is the answer to what is due.
type Night struct {
	Tick  time.Time // the moment of the cron line that it answers, UTC
	At    time.Time // when to begin it, UTC; not after now: it is due
	Tries int       // how often it was tried before
}

// Due is the next night, given the recorded runs in any order; those that began before the latest tick do not matter. One
// night answers every tick that was missed before it: a sync reads everything since the last complete one. A night is done when
// a whole sync that began at or after its tick, a whole reconcile after that and a whole report after that are complete,
// whichever command ran them. A run that is not whole, such as a sync of one source, is no part of a night.
func (p Plan) Due(now time.Time, runs []schema.Run) Night {
	tick := p.Cron.Latest(now)
	if !tick.IsZero() {
		if n := p.night(now, tick, runs); !n.done {
			return n.Night
		}
	}
	next := p.Cron.Next(now)
	return Night{Tick: next, At: next.Add(p.delay(next))}
}

type judged struct {
	Night
	done bool
}

// night judges the runs since a tick.
func (p Plan) night(now, tick time.Time, runs []schema.Run) judged {
	n := judged{Night: Night{Tick: tick, At: tick.Add(p.delay(tick))}}
	wait := p.Retry
	if wait == 0 {
		wait = 15 * time.Minute
	}
	var s steps
	for _, r := range inOrder(now, runs) {
		if r.StartedAt.Before(tick) {
			continue
		}
		if r.Kind == schema.SyncRun {
			n.Tries++
			ended := r.FinishedAt
			if ended.IsZero() { // killed, or at work: the lock tells them apart
				ended = r.StartedAt
			}
			n.At = ended.Add(wait)
			wait = min(2*wait, 4*time.Hour)
		}
		if s.take(r) {
			n.done = true
			return n
		}
	}
	return n
}

// LastDone is when the sync of the last night that was done ended, given the recorded runs in any order: how far back what is
// known lies. Zero: none was done.
func LastDone(now time.Time, runs []schema.Run) time.Time {
	var last time.Time
	var s steps
	for _, r := range inOrder(now, runs) {
		if s.take(r) {
			last = s.sync.FinishedAt
		}
	}
	return last
}

// inOrder is the whole runs in the order in which they began. One by a clock that was ahead answers nothing.
func inOrder(now time.Time, runs []schema.Run) []schema.Run {
	latest := schema.Believable(now)
	whole := slices.DeleteFunc(slices.Clone(runs), func(r schema.Run) bool { return !r.Whole || r.StartedAt.After(latest) })
	slices.SortFunc(whole, func(a, b schema.Run) int { return cmp.Compare(a.ID, b.ID) })
	return whole
}

// steps is how far a night is.
type steps struct {
	done int
	sync schema.Run
}

// take goes on with a whole run, and says whether a night is done with it.
func (s *steps) take(r schema.Run) bool {
	order := [...]schema.RunKind{schema.SyncRun, schema.ReconcileRun, schema.ReportRun}
	if r.Kind == schema.SyncRun { // a night begins anew
		s.done, s.sync = 0, r
	}
	if r.Kind != order[s.done] || r.Status != schema.Complete {
		return false
	}
	s.done = (s.done + 1) % len(order)
	return s.done == 0
}

// delay is the jitter of a tick: the same however often it is asked for.
func (p Plan) delay(tick time.Time) time.Duration {
	if p.Jitter <= 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprint(h, p.Key, tick.UTC().Format(time.RFC3339))
	return time.Duration(h.Sum64() % uint64(p.Jitter)).Truncate(time.Second)
}
