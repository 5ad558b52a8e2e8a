package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrClock is the error of a clock that cannot be moved as asked.
var ErrClock = errors.New("the clock moves forward only")

// event is something that the world does by itself when its clock gets there.
type event struct {
	at   instant
	no   int // events of one instant happen in the order in which they were planned
	what func()
}

// Now is what the world's clock shows. Nothing but Advance and AdvanceTo moves it.
func (w *World) Now() time.Time {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return w.now.time()
}

// Advance moves the clock on. What was planned up to the new moment happens on the way, each at its own moment: pending
// rows post, late or for another amount, or are reversed, or expire; budgets begin new periods. It fails with ErrClock
// where the duration is negative.
func (w *World) Advance(by time.Duration) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.advance(instantOf(w.now.time().Add(by)))
}

// AdvanceTo moves the clock on to a moment, which counts in whole milliseconds. It fails with ErrClock where that has passed.
func (w *World) AdvanceTo(to time.Time) error {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.advance(instantOf(to))
}

func (w *World) advance(to instant) error {
	if to < w.now {
		return fmt.Errorf("advance from %s to %s: %w", w.now.text(), to.text(), ErrClock)
	}
	w.moving = true
	for len(w.agenda) > 0 && w.agenda[0].at <= to {
		next := w.agenda[0]
		w.agenda = w.agenda[1:]
		w.set(next.at)
		next.what()
	}
	w.moving = false
	w.set(to)
	for _, b := range w.books {
		b.arrange()
	}
	return nil
}

// set makes it a moment: the default period begins anew, and so do the budgets' periods.
func (w *World) set(now instant) {
	w.now = now
	today := now.in(w.zone)
	reach := time.Date(today.Year(), today.Month(), today.Day()-lookBackAndGrace, 0, 0, 0, 0, w.zone)
	w.from = instantOf(time.Date(reach.Year(), reach.Month(), 1, 0, 0, 0, 0, w.zone))
	for _, b := range w.books {
		for _, g := range b.budgets {
			g.roll(now)
		}
	}
}

// plan puts something on the agenda. What is planned for a moment that has passed happens as soon as the clock moves.
func (w *World) plan(at instant, what func()) {
	e := event{at: max(at, w.now), no: w.planned, what: what}
	w.planned++
	i, _ := slices.BinarySearchFunc(w.agenda, e, func(x, y event) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.no, y.no)) })
	w.agenda = slices.Insert(w.agenda, i, e)
}

// draw is the dice of the next operation.
func (w *World) draw() dice {
	w.draws++
	return w.dice("operation", w.draws)
}

// roll begins the budget's later periods as they come. A budget that does not recur stays where it is.
func (g *budget) roll(now instant) {
	months := map[string]int{"MONTHLY": 1, "QUARTERLY": 3, "YEARLY": 12}[g.interval]
	days := map[string]int{"DAILY": 1, "WEEKLY": 7}[g.interval]
	for months+days > 0 {
		_, to, ok := g.period()
		if !ok || now < to {
			return
		}
		end, _ := time.Parse(time.DateOnly, g.end)
		start := end.AddDate(0, 0, 1)
		g.start, g.end = start.Format(time.DateOnly), start.AddDate(0, months, days-1).Format(time.DateOnly)
	}
}
