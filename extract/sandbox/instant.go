package sandbox

import (
	"time"
)

// instant counts milliseconds since 1970, the finest that the four providers show. Zero is none.
type instant int64

const (
	second instant = 1000
	minute         = 60 * second
	hour           = 60 * minute
	day            = 24 * hour
)

func instantOf(t time.Time) instant { return instant(t.UnixMilli()) }

func (t instant) time() time.Time { return time.UnixMilli(int64(t)).UTC() }

func (t instant) in(zone *time.Location) time.Time { return time.UnixMilli(int64(t)).In(zone) }

// next is the first whole unit at or after t.
func (t instant) next(unit instant) instant { return (t + unit - 1) / unit * unit }

const millis = "2006-01-02T15:04:05.000Z"

// text is the ISO 8601 form of Slash, Whop and Bitnob.
func (t instant) text() string { return t.time().Format(millis) }

// offset is the form of BILL, with a numeric offset.
func (t instant) offset() string { return t.time().Format("2006-01-02T15:04:05.000") + "+00:00" }

// midnight begins the day of t in a zone, moved by a number of days.
func (t instant) midnight(zone *time.Location, days int) instant {
	l := t.in(zone)
	return instantOf(time.Date(l.Year(), l.Month(), l.Day()+days, 0, 0, 0, 0, zone))
}

// near says whether t lies within d of a midnight of the zone.
func (t instant) near(zone *time.Location, d instant) bool {
	return t-t.midnight(zone, 0) < d || t.midnight(zone, 1)-t < d
}
