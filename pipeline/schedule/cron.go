// Package schedule says what is due and when. A cron line gives the moments at which a night is owed; whether it was done is
// read from the recorded runs. So a clock that jumps, a tick that comes twice, a machine that was off and a program that
// was restarted change nothing: the answer is computed from what happened.
package schedule

import (
	"errors"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Cron is a cron line of five fields. Its fields are read on the wall clock of its zone, on which every written time
// happens exactly once: one that the clocks skip happens when they have skipped it, one that they show twice happens the
// first time. (The library by itself loses the first and runs the second twice.)
type Cron struct {
	zone  *time.Location
	civil cron.Schedule // on a clock that never changes
}

// ParseCron reads five cron fields, in UTC unless CRON_TZ= and the name of a zone stand before them. A line that never
// fires is refused. The library takes the machine's zone where none is given, panics where nothing follows the zone, and
// accepts lines that never fire.
func ParseCron(line string) (Cron, error) {
	line = strings.TrimSpace(line)
	zoned, isZoned := strings.CutPrefix(line, "CRON_TZ=")
	if !isZoned {
		zoned = "UTC " + line
	}
	name, fields, _ := strings.Cut(zoned, " ")
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return Cron{}, errors.New("CRON_TZ= must name an IANA time zone")
	}
	if len(strings.Fields(fields)) != 5 {
		return Cron{}, errors.New("must have five cron fields: minute, hour, day of month, month, day of week")
	}
	civil, err := cron.ParseStandard("CRON_TZ=UTC " + fields)
	if err != nil {
		return Cron{}, errors.New("is not a valid cron line")
	}
	// The library gives up after five years; from any fixed instant the answer is the same for every line but one that
	// waits for a 29 February across a century without one.
	if civil.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Cron{}, errors.New("never fires")
	}
	return Cron{zone: zone, civil: civil}, nil
}

// Next is the first moment after t, in UTC; zero where there is none within five years. (It makes a Cron a cron.Schedule.)
func (c Cron) Next(t time.Time) time.Time {
	wall := t.In(c.zone)
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), wall.Nanosecond(), time.UTC)
	for {
		if at = c.civil.Next(at); at.IsZero() {
			return at
		}
		if tick := c.instant(at); tick.After(t) {
			return tick
		}
	}
}

// Latest is the last moment that is not after t; zero where there is none within ten years.
func (c Cron) Latest(t time.Time) time.Time {
	const longest = 10 * 366 * 24 * time.Hour
	for back := time.Hour; back < longest; back *= 2 {
		tick := c.Next(t.Add(-back))
		if tick.IsZero() || tick.After(t) {
			continue
		}
		for {
			next := c.Next(tick)
			if next.IsZero() || next.After(t) {
				return tick
			}
			tick = next
		}
	}
	return time.Time{}
}

// Shortest is the shortest time on the wall clock from one moment to the next.
func (c Cron) Shortest() time.Duration {
	// Every day that has moments has the same ones, so that the first one shows the pauses within a day and any two days in a row
	// that between days. Lines come again after four years, as far as they do within eight.
	first := c.civil.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second))
	last, shortest := first, time.Duration(1<<63-1)
	for {
		next := c.civil.Next(last)
		if next.YearDay() != first.YearDay() || next.Year() != first.Year() {
			break
		}
		shortest, last = min(shortest, next.Sub(last)), next
	}
	length := last.Sub(first)
	for end := first.AddDate(4, 0, 0); first.Before(end); {
		next := c.civil.Next(last)
		if next.IsZero() {
			break
		}
		shortest, first, last = min(shortest, next.Sub(last)), next, next.Add(length)
	}
	return shortest
}

// instant is when the wall clock of the zone shows a civil time, given as if it were UTC.
func (c Cron) instant(civil time.Time) time.Time {
	shows := func(t time.Time) int {
		wall := t.In(c.zone)
		return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC).Compare(civil)
	}
	t := time.Date(civil.Year(), civil.Month(), civil.Day(), civil.Hour(), civil.Minute(), civil.Second(), 0, c.zone)
	begins, ends := t.ZoneBounds()
	switch shows(t) {
	case -1: // skipped, and t stands before the gap
		return ends.UTC()
	case 1:
		return begins.UTC()
	}
	if begins.IsZero() {
		return t.UTC()
	}
	// The clocks may have shown it before, with the offset that ended at begins.
	_, now := t.Zone()
	_, before := begins.Add(-time.Second).Zone()
	if first := t.Add(-time.Duration(before-now) * time.Second); first.Before(begins) && shows(first) == 0 {
		return first.UTC()
	}
	return t.UTC()
}
