package reconcile

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func TestCalendarWindow(t *testing.T) {
	for _, c := range []struct {
		name        string
		window      schema.LimitWindow
		zone, start string
		at          string
		from, to    string
	}{
		{"DayHas23Hours", schema.Daily, "America/New_York", "", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"DayHas25Hours", schema.Daily, "America/New_York", "", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"MidnightSkippedInHavana", schema.Daily, "America/Havana", "", "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"MidnightTwiceInHavana", schema.Daily, "America/Havana", "", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"SecondMidnightIsTheSameDay", schema.Daily, "America/Havana", "", "2026-11-01T05:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"DateSkippedInApia", schema.Daily, "Pacific/Apia", "", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"DateBeforeTheSkippedOne", schema.Daily, "Pacific/Apia", "", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"DayEastOfUTC", schema.Daily, "Asia/Tokyo", "", "2026-08-14T15:00:00Z", "2026-08-14T15:00:00Z", "2026-08-15T15:00:00Z"},
		{"DayFourteenHoursEast", schema.Daily, "Pacific/Kiritimati", "", "2026-08-14T09:59:59Z", "2026-08-13T10:00:00Z", "2026-08-14T10:00:00Z"},
		{"DailyIgnoresStartDate", schema.Daily, "", "2026-08-20", "2026-08-14T15:00:00Z", "2026-08-14T00:00:00Z", "2026-08-15T00:00:00Z"},
		{"WeekBeginsOnMonday", schema.Weekly, "", "", "2026-08-16T23:59:59Z", "2026-08-10T00:00:00Z", "2026-08-17T00:00:00Z"},
		{"WeekBeginsOnStartDatesDay", schema.Weekly, "", "2026-01-01", "2026-08-12T23:59:59Z", "2026-08-06T00:00:00Z", "2026-08-13T00:00:00Z"},
		{"WeekBeforeStartDate", schema.Weekly, "", "2026-01-01", "2025-12-31T23:00:00Z", "2025-12-25T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"WeekAcrossDST", schema.Weekly, "Europe/Berlin", "", "2026-03-25T12:00:00Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"MonthBeginsOnThe1st", schema.Monthly, "", "", "2026-02-28T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"MonthAnchoredOn31stIn30Days", schema.Monthly, "", "2026-01-31", "2026-04-30T00:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"},
		{"MonthAnchoredOn31stInFebruary", schema.Monthly, "", "2026-01-31", "2026-02-27T23:59:59Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"MonthAnchoredOn30thInLeapYear", schema.Monthly, "", "2026-01-30", "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"},
		{"YearBeginsOn1January", schema.Yearly, "", "", "2026-12-31T23:59:59Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"YearAnchoredOn29February", schema.Yearly, "", "2024-02-29", "2027-02-28T00:00:00Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"LeapYearAnchoredOn29February", schema.Yearly, "", "2024-02-29", "2028-02-28T23:59:59Z", "2027-02-28T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			zone, err := (&zones{}).load(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			cal, err := newCalendar(schema.Limit{Window: c.window, StartDate: c.start}, zone)
			if err != nil {
				t.Fatal(err)
			}
			got := cal.at(instant(t, c.at))
			if want := (schema.Window{From: instant(t, c.from), To: instant(t, c.to)}); !got.From.Equal(want.From) || !got.To.Equal(want.To) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// resets says, by the words of the rule, whether a limit resets on a civil date.
func resets(l schema.Limit, date time.Time) bool {
	anchor := civil(2001, time.January, 1)
	if l.StartDate != "" {
		anchor, _ = time.Parse(time.DateOnly, l.StartDate)
	}
	lastDay := civil(date.Year(), date.Month()+1, 0).Day()
	switch l.Window {
	case schema.Weekly:
		return date.Weekday() == anchor.Weekday()
	case schema.Monthly:
		return date.Day() == min(anchor.Day(), lastDay)
	case schema.Yearly:
		return date.Month() == anchor.Month() && date.Day() == min(anchor.Day(), lastDay)
	}
	return true
}

// slowWindow finds a limit window by walking the local clock a quarter of an hour at a time.
func slowWindow(l schema.Limit, zone *time.Location, t time.Time) schema.Window {
	const step = 15 * time.Minute
	from := t.Truncate(step)
	date := dateOf(from, zone)
	for !resets(l, date) {
		date = date.AddDate(0, 0, -1)
	}
	for !dateOf(from.Add(-step), zone).Before(date) {
		from = from.Add(-step)
	}
	next := dateOf(t, zone).AddDate(0, 0, 1)
	for !resets(l, next) {
		next = next.AddDate(0, 0, 1)
	}
	to := t.Truncate(step)
	for dateOf(to, zone).Before(next) {
		to = to.Add(step)
	}
	return schema.Window{From: from, To: to}
}

var testZones = []string{
	"", "America/New_York", "America/Los_Angeles", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Europe/Berlin",
	"Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Pago_Pago",
}

func TestCalendarWindow_EqualsWalkingTheClock(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		l := schema.Limit{
			Window: []schema.LimitWindow{schema.Daily, schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly}[r.IntN(5)],
			Zone:   testZones[r.IntN(len(testZones))],
		}
		if r.IntN(2) == 0 {
			l.StartDate = civil(2020, 1, 1).AddDate(0, 0, r.IntN(2500)).Format(time.DateOnly)
		}
		if r.IntN(10) == 0 {
			l.StartDate = "2024-02-29"
		}
		at := time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(15*365*24*3600)) * time.Second)
		zone, err := (&zones{}).load(l.Zone)
		if err != nil {
			t.Fatal(err)
		}
		cal, err := newCalendar(l, zone)
		if err != nil {
			t.Fatal(err)
		}
		got, want := cal.at(at), slowWindow(l, zone, at)
		if !got.From.Equal(want.From) || !got.To.Equal(want.To) {
			t.Fatalf("%s %s: got %s, want %s", l.Key(), at, got, want)
		}
	}
}

func TestGraceOver(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sent string
		now  string
		end  string
		want bool
	}{
		{"OnTheDayItself", "2026-08-02T12:00:00Z", "2026-08-05T04:00:00Z", "2026-09-01T04:00:00Z", true},
		{"AMomentBefore", "2026-08-02T12:00:00Z", "2026-08-05T03:59:59Z", "2026-09-01T04:00:00Z", false},
		{"PeriodEndsFirst", "2026-08-02T12:00:00Z", "2026-08-30T04:00:00Z", "2026-08-05T03:59:59Z", false},
		{"EveningIsStillThatDay", "2026-08-03T03:59:59Z", "2026-08-05T04:00:00Z", "2026-09-01T04:00:00Z", true},
		{"AcrossALongDay", "2026-10-30T12:00:00Z", "2026-11-02T05:00:00Z", "2026-12-01T05:00:00Z", true},
		{"NotYetAcrossALongDay", "2026-10-30T12:00:00Z", "2026-11-02T04:59:59Z", "2026-12-01T05:00:00Z", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := schema.Period{Window: schema.Window{To: instant(t, c.end)}, Zone: zone, Now: instant(t, c.now)}
			if _, got := graceOver(p, instant(t, c.sent), 3); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
