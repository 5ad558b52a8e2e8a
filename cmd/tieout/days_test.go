package main

import (
	"testing"
	"time"
)

func TestBusinessDays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ zone, from, to, want string }{
		"OfUTC":                  {"UTC", "2026-08-01", "2026-08-31", "2026-08-01T00:00:00Z..2026-09-01T00:00:00Z"},
		"OneDayOf23Hours":        {"America/New_York", "2026-03-08", "2026-03-08", "2026-03-08T05:00:00Z..2026-03-09T04:00:00Z"},
		"ADayThatBeginsAtOne":    {"America/Santiago", "2026-09-06", "2026-09-06", "2026-09-06T04:00:00Z..2026-09-07T03:00:00Z"},
		"TheDayBeforeEndsWithIt": {"America/Santiago", "2026-09-05", "2026-09-05", "2026-09-05T04:00:00Z..2026-09-06T04:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			w, err := businessDays(c.from, c.to, zone)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.From.Format(time.RFC3339) + ".." + w.To.Format(time.RFC3339); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
