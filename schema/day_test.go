package schema_test

import (
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

func TestStartOfDay(t *testing.T) {
	for name, c := range map[string]struct {
		zone       string
		month, day int
		want       string
	}{
		"Midnight":             {"America/New_York", 8, 1, "2026-08-01T04:00:00Z"},
		"MidnightIsSkipped":    {"America/Santiago", 9, 6, "2026-09-06T04:00:00Z"},
		"TheDayAfterIsWhole":   {"America/Santiago", 9, 7, "2026-09-07T03:00:00Z"},
		"MidnightComesTwice":   {"Atlantic/Azores", 10, 25, "2026-10-25T00:00:00Z"},
		"ADayBeyondTheMonth":   {"UTC", 8, 32, "2026-09-01T00:00:00Z"},
		"AMonthBeyondTheYear":  {"Asia/Tokyo", 13, 1, "2026-12-31T15:00:00Z"},
		"TheDayOfAChangeAtTwo": {"America/New_York", 3, 8, "2026-03-08T05:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			if got := schema.StartOfDay(2026, time.Month(c.month), c.day, zone).Format(time.RFC3339); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
