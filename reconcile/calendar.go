package reconcile

import (
	"fmt"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
)

// A civil date is a time.Time at 00:00 UTC of that date: its arithmetic knows no daylight saving.
func civil(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// dateOf is the civil date of an instant in a zone.
func dateOf(t time.Time, zone *time.Location) time.Time { return civil(t.In(zone).Date()) }

// startOfDate is the first instant of a civil date in a zone.
func startOfDate(date time.Time, zone *time.Location) time.Time {
	return schema.StartOfDay(date.Year(), date.Month(), date.Day(), zone)
}

// calendar cuts time into the windows of a limit that resets at local midnights.
type calendar struct {
	window schema.LimitWindow
	zone   *time.Location
	anchor time.Time // civil date on which a window begins
}

// anchors of windows without a start date: 1 January 2001 was a Monday.
var firstMonday = civil(2001, time.January, 1)

func newCalendar(l schema.Limit, zone *time.Location) (calendar, error) {
	c := calendar{window: l.Window, zone: zone, anchor: firstMonday}
	if l.StartDate != "" {
		anchor, err := time.Parse(time.DateOnly, l.StartDate)
		if err != nil {
			return calendar{}, fmt.Errorf("its start date %s is not a date", quoted(l.StartDate))
		}
		c.anchor = anchor
	}
	return c, nil
}

// begin is the civil date on which window number n begins. Numbers count days, weeks from the anchor, months or years.
// A day that a month lacks is its last day.
func (c calendar) begin(n int) time.Time {
	switch c.window {
	case schema.Daily:
		return c.anchor.AddDate(0, 0, n)
	case schema.Weekly:
		return c.anchor.AddDate(0, 0, 7*n)
	case schema.Monthly:
		return dayOfMonth(c.anchor.Year(), c.anchor.Month()+time.Month(n), c.anchor.Day())
	default:
		return dayOfMonth(c.anchor.Year()+n, c.anchor.Month(), c.anchor.Day())
	}
}

// number is the number of a window that begins on a civil date or not long before or after it.
func (c calendar) number(date time.Time) int {
	days := int(date.Sub(c.anchor) / (24 * time.Hour))
	switch c.window {
	case schema.Daily:
		return days
	case schema.Weekly:
		return days / 7
	case schema.Monthly:
		return (date.Year()-c.anchor.Year())*12 + int(date.Month()-c.anchor.Month())
	default:
		return date.Year() - c.anchor.Year()
	}
}

func dayOfMonth(year int, month time.Month, day int) time.Time {
	last := civil(year, month+1, 0)
	if day > last.Day() {
		return last
	}
	return civil(last.Year(), last.Month(), day)
}

// at is the window that contains an instant.
func (c calendar) at(t time.Time) schema.Window {
	n := c.number(dateOf(t, c.zone))
	for t.Before(startOfDate(c.begin(n), c.zone)) {
		n--
	}
	for !t.Before(startOfDate(c.begin(n+1), c.zone)) {
		n++
	}
	return schema.Window{From: startOfDate(c.begin(n), c.zone), To: startOfDate(c.begin(n+1), c.zone)}
}

// rollingLength is the length of a rolling window; false where the window is none.
func rollingLength(w schema.LimitWindow) (time.Duration, bool) {
	const day = 24 * time.Hour
	switch w {
	case schema.Rolling24h:
		return day, true
	case schema.Rolling7d:
		return 7 * day, true
	case schema.Rolling30d:
		return 30 * day, true
	case schema.Rolling365d:
		return 365 * day, true
	}
	return 0, false
}

// zones loads each zone once.
type zones struct {
	mutex  sync.Mutex
	loaded map[string]*time.Location
}

// load finds a zone by its IANA name; empty is UTC.
func (z *zones) load(name string) (*time.Location, error) {
	z.mutex.Lock()
	defer z.mutex.Unlock()
	if l, ok := z.loaded[name]; ok {
		return l, nil
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, fmt.Errorf("its zone %s is unknown", quoted(name))
	}
	if z.loaded == nil {
		z.loaded = map[string]*time.Location{}
	}
	z.loaded[name] = l
	return l, nil
}
