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

// Due is the next night, given the recorded runs in any order. One night answers every tick that was missed before it: a
// sync reads everything since the last complete one. A night is done when a sync that began at or after its tick, a
// reconcile after that and a report after that are complete.
func (p Plan) Due(now time.Time, runs []schema.Run) Night {
	tick := p.Cron.Latest(now)
	if !tick.IsZero() {
		if n := p.night(tick, runs); !n.done {
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
func (p Plan) night(tick time.Time, runs []schema.Run) judged {
	n := judged{Night: Night{Tick: tick, At: tick.Add(p.delay(tick))}}
	since := slices.DeleteFunc(slices.Clone(runs), func(r schema.Run) bool { return r.StartedAt.Before(tick) })
	slices.SortFunc(since, func(a, b schema.Run) int { return cmp.Compare(a.ID, b.ID) })
	steps := []schema.RunKind{schema.SyncRun, schema.ReconcileRun, schema.ReportRun}
	step, wait := 0, p.Retry
	if wait == 0 {
		wait = 15 * time.Minute
	}
	for _, r := range since {
		if r.Kind == schema.SyncRun {
			n.Tries++
			ended := r.FinishedAt
			if ended.IsZero() { // killed, or at work: the lock tells them apart
				ended = r.StartedAt
			}
			n.At = ended.Add(wait)
			wait = min(2*wait, 4*time.Hour)
		}
		if r.Kind == schema.SyncRun { // a night begins anew
			step = 0
		}
		if r.Kind == steps[step] && r.Status == schema.Complete {
			if step++; step == len(steps) {
				n.done = true
				return n
			}
		}
	}
	return n
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
