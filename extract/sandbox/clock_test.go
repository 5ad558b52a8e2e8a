package sandbox

import (
	"errors"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

func TestAdvance(t *testing.T) {
	t.Run("StandsStillUntilItIsMoved", func(t *testing.T) {
		end := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
		w := New(Config{Seed: 1, Now: end})
		if !w.Now().Equal(end) {
			t.Errorf("the clock shows %s, want %s", w.Now(), end)
		}
		if err := w.Advance(36 * time.Hour); err != nil || !w.Now().Equal(end.Add(36*time.Hour)) {
			t.Errorf("a day and a half later it shows %s, %v", w.Now(), err)
		}
		if err := w.Advance(-time.Second); !errors.Is(err, ErrClock) {
			t.Errorf("backwards: %v", err)
		}
	})
	t.Run("LeavesNothingPendingForTenDays", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			for range 12 {
				if err := w.Advance(24 * time.Hour); err != nil {
					t.Fatal(err)
				}
			}
			for p, b := range w.books {
				for _, r := range b.rows {
					if r.status == schema.Pending && !r.stuck && r.origin == nil && !r.card.reversed(r) {
						t.Errorf("seed %d, %s: %s is pending since %s", c.Seed, p, r.id, r.occurred.text())
					}
				}
			}
		}
	})
	t.Run("GoesTheSameWayInOneStepAndInMany", func(t *testing.T) {
		one, many := New(Config{Seed: 4}), New(Config{Seed: 4})
		if err := one.Advance(200 * time.Hour); err != nil {
			t.Fatal(err)
		}
		for range 200 {
			if err := many.Advance(time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if string(newClient(t, one).everything()) != string(newClient(t, many).everything()) {
			t.Error("the worlds differ")
		}
	})
	t.Run("BeginsTheBudgetsNextPeriods", func(t *testing.T) {
		for interval, want := range map[string][2]string{
			"DAILY": {"2026-10-15", "2026-10-15"}, "WEEKLY": {"2026-10-12", "2026-10-18"}, "MONTHLY": {"2026-10-01", "2026-10-31"},
			"QUARTERLY": {"2026-10-01", "2026-12-31"}, "YEARLY": {"2026-01-01", "2026-12-31"}, "NONE": {"2026-08-31", "2026-08-31"},
		} {
			g := &budget{interval: interval, start: "2026-08-31", end: "2026-08-31"}
			switch interval {
			case "MONTHLY":
				g.start = "2026-08-01"
			case "QUARTERLY":
				g.start, g.end = "2026-07-01", "2026-09-30"
			case "YEARLY":
				g.start, g.end = "2026-01-01", "2026-12-31"
			case "WEEKLY":
				g.start, g.end = "2026-08-31", "2026-09-06"
			}
			g.roll(moment(t, "2026-10-15T09:00:00Z"))
			if got := [2]string{g.start, g.end}; got != want {
				t.Errorf("%s: %v, want %v", interval, got, want)
			}
		}
	})
}
