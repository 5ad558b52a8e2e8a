package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/tieout/tieout/schema"
)

func parse(t *testing.T, line string) Cron {
	t.Helper()
	c, err := ParseCron(line)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

func TestCron_Next(t *testing.T) {
	for _, c := range []struct{ name, line, after, want string }{
		{"IsInUTCUnlessTold", "0 7 * * *", "2026-08-01T07:00:00Z", "2026-08-02T07:00:00Z"},
		{"IsInItsZone", "CRON_TZ=Asia/Kathmandu 0 7 * * *", "2026-08-01T00:00:00Z", "2026-08-01T01:15:00Z"},
		{"RunsWhenTheClocksHaveSkippedIt", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z"},
		{"RunsTheDayAfterTheSkippedHour", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		{"RunsTheFirstOfTwoEqualHours", "CRON_TZ=America/New_York 30 1 * * *", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z"},
		{"SkipsTheSecondOfTwoEqualHours", "CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"SkipsItAlsoFromWithinTheSecondHour", "CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T06:10:00Z", "2026-11-02T06:30:00Z"},
		{"FindsMidnightWhereClocksSkipIt", "CRON_TZ=America/Santiago 0 0 * * *", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"},
		{"KnowsHalfHourShifts", "CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z"},
		{"WaitsForALeapDay", "0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, c.line).Next(at(t, c.after)); !got.Equal(at(t, c.want)) {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), c.want)
			}
		})
	}
}

// Every written time happens exactly once a day, whatever the clocks do.
func TestCron_EveryDayHasOneTick(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Africa/Lagos", "Asia/Kathmandu", "UTC", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca"} {
		for _, clock := range []string{"0 0", "30 0", "59 0", "0 1", "30 1", "0 2", "30 2", "59 2", "0 3", "0 23", "59 23"} {
			location, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			c := parse(t, "CRON_TZ="+zone+" "+clock+" * * *")
			from := time.Date(2026, 1, 1, 0, 0, 0, 0, location)
			tick := from.Add(-time.Nanosecond)
			for day := range 730 {
				tick = c.Next(tick)
				want := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
				if got := tick.In(location).Format(time.DateOnly); got != want {
					t.Fatalf("%s in %s: tick %d is on %s, want %s", clock, zone, day, got, want)
				}
				if again := c.Latest(tick); !again.Equal(tick) {
					t.Fatalf("%s in %s: the latest tick at %s is %s", clock, zone, tick, again)
				}
			}
		}
	}
}

func TestCron_Latest(t *testing.T) {
	for _, c := range []struct{ name, line, at, want string }{
		{"IsTheTickItself", "0 7 * * *", "2026-08-01T07:00:00Z", "2026-08-01T07:00:00Z"},
		{"IsYesterdaysBeforeTodays", "0 7 * * *", "2026-08-01T06:59:59Z", "2026-07-31T07:00:00Z"},
		{"GoesBackYears", "0 0 29 2 *", "2027-06-01T00:00:00Z", "2024-02-29T00:00:00Z"},
		{"IsOfTheFirstOfTwoEqualHours", "CRON_TZ=America/New_York 30 1 * * *", "2026-11-01T06:45:00Z", "2026-11-01T05:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, c.line).Latest(at(t, c.at)); !got.Equal(at(t, c.want)) {
				t.Errorf("got %s, want %s", got.Format(time.RFC3339), c.want)
			}
		})
	}
}

func TestCron_Shortest(t *testing.T) {
	for _, c := range []struct {
		line string
		want time.Duration
	}{
		{"0 7 * * *", 24 * time.Hour},
		{"*/15 * * * *", 15 * time.Minute},
		{"* * * * *", time.Minute},
		{"0 7,19 * * *", 12 * time.Hour},
		{"30 1,23 * * *", 2 * time.Hour},
		{"30 1,23 * * 1,3", 22 * time.Hour},
		{"30 1,23 * * 1,2", 2 * time.Hour},
		{"0 7 * * 1", 7 * 24 * time.Hour},
		{"0 7 1 * *", 28 * 24 * time.Hour},
		{"59 23 29 2 *", 1461 * 24 * time.Hour},
		{"CRON_TZ=America/New_York 30 2 * * *", 24 * time.Hour},
	} {
		if got := parse(t, c.line).Shortest(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.line, got, c.want)
		}
	}
}

func FuzzParseCron(f *testing.F) {
	for _, line := range []string{"0 7 * * *", "CRON_TZ=America/New_York 30 2 * * 1-5", "CRON_TZ=UTC", "*/7 1,2 29 2 *", "TZ=UTC 0 7 * * *", "@every 1s"} {
		f.Add(line)
	}
	from := time.Date(2026, 3, 8, 5, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseCron(line)
		if err != nil {
			return
		}
		tick := c.Next(from)
		if !tick.After(from) {
			t.Fatalf("%q: the tick after %s is %s", line, from, tick)
		}
		if latest := c.Latest(tick); !latest.Equal(tick) {
			t.Fatalf("%q: the latest tick at %s is %s", line, tick, latest)
		}
	})
}

// nightOf records the three runs of a night that begins at t.
func nightOf(runs []schema.Run, t time.Time, sync schema.RunStatus) []schema.Run {
	id := int64(len(runs))
	for i, kind := range []schema.RunKind{schema.SyncRun, schema.ReconcileRun, schema.ReportRun} {
		run := schema.Run{ID: id + int64(i) + 1, Kind: kind, Status: schema.Complete, Whole: true, StartedAt: t, FinishedAt: t.Add(time.Minute)}
		if kind == schema.SyncRun {
			run.Status = sync
		}
		runs = append(runs, run)
	}
	return runs
}

func TestDue(t *testing.T) {
	plan := Plan{Cron: parse(t, "0 7 * * *")}
	tick, now := at(t, "2026-08-02T07:00:00Z"), at(t, "2026-08-02T09:00:00Z")
	old := nightOf(nil, at(t, "2026-08-01T07:00:00Z"), schema.Complete)
	t.Run("IsTheLatestTickOnAnEmptyLedger", func(t *testing.T) {
		if got := plan.Due(now, nil); got != (Night{Tick: tick, At: tick}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsTheMissedNight", func(t *testing.T) {
		if got := plan.Due(now, old); got != (Night{Tick: tick, At: tick}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsTheNextTickOnceTheNightIsDone", func(t *testing.T) {
		next := tick.AddDate(0, 0, 1)
		if got := plan.Due(now, nightOf(old, tick, schema.Complete)); got != (Night{Tick: next, At: next}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsTheSameNightAgainWhereItWasPartial", func(t *testing.T) {
		got := plan.Due(now, nightOf(old, tick, schema.Partial))
		if want := (Night{Tick: tick, At: tick.Add(16 * time.Minute), Tries: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("WaitsLongerEachTime", func(t *testing.T) {
		runs := nightOf(nightOf(old, tick, schema.Partial), tick.Add(16*time.Minute), schema.FailedRun)
		got := plan.Due(now, runs)
		if want := (Night{Tick: tick, At: tick.Add(47 * time.Minute), Tries: 2}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("IsDoneByASecondTry", func(t *testing.T) {
		runs := nightOf(nightOf(old, tick, schema.Partial), tick.Add(16*time.Minute), schema.Complete)
		if got := plan.Due(now, runs); !got.Tick.After(tick) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsNotDoneByASyncAlone", func(t *testing.T) {
		runs := nightOf(old, tick, schema.Complete)
		if got := plan.Due(now, runs[:len(runs)-1]); !got.Tick.Equal(tick) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsNotDoneWhereAStepIsNotWhole", func(t *testing.T) {
		for i := range 3 {
			runs := nightOf(old, tick, schema.Complete)
			runs[len(old)+i].Whole = false
			if got := plan.Due(now, runs); !got.Tick.Equal(tick) || i == 0 && got.Tries != 0 {
				t.Errorf("%s: got %+v", runs[len(old)+i].Kind, got)
			}
		}
	})
	t.Run("IsNotPutOffByARunThatIsNotWhole", func(t *testing.T) {
		runs := slices.Concat(old, []schema.Run{{ID: 4, Kind: schema.SyncRun, Status: schema.Complete, StartedAt: now, FinishedAt: now}})
		if got := plan.Due(now, runs); got != (Night{Tick: tick, At: tick}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("IsTriedAgainWhereItWasKilled", func(t *testing.T) {
		runs := slices.Concat(old, []schema.Run{{ID: 4, Kind: schema.SyncRun, Status: schema.Interrupted, Whole: true, StartedAt: tick}})
		if got := plan.Due(now, runs); got != (Night{Tick: tick, At: tick.Add(15 * time.Minute), Tries: 1}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("SpreadsNightsTheSameWayEachTime", func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for i := range 20 {
			spread := Plan{Cron: plan.Cron, Jitter: 10 * time.Minute, Key: fmt.Sprint("machine", i)}
			one, two := spread.Due(now, old), spread.Due(now, old)
			delay := one.At.Sub(tick)
			if one != two || delay < 0 || delay >= 10*time.Minute {
				t.Errorf("delays %s and %s", delay, two.At.Sub(tick))
			}
			seen[delay] = true
		}
		if len(seen) < 10 {
			t.Errorf("only %d different delays", len(seen))
		}
	})
}

func TestLastDone(t *testing.T) {
	first, second := at(t, "2026-08-01T07:00:00Z"), at(t, "2026-08-02T07:00:00Z")
	done := nightOf(nil, first, schema.Complete)
	part := nightOf(done, second, schema.Complete)
	part[len(done)].Whole = false
	for _, c := range []struct {
		name string
		runs []schema.Run
		want time.Time
	}{
		{"IsNoneWhereNothingRan", nil, time.Time{}},
		{"IsWhenItsSyncEnded", done, first.Add(time.Minute)},
		{"IsTheLastOne", nightOf(done, second, schema.Complete), second.Add(time.Minute)},
		{"IsNotAPartialOne", nightOf(done, second, schema.Partial), first.Add(time.Minute)},
		{"IsNotASyncOfOneSourceWithAReport", part, first.Add(time.Minute)},
	} {
		t.Run(c.name, func(t *testing.T) {
			newestFirst := slices.Clone(c.runs)
			slices.Reverse(newestFirst)
			for _, runs := range [][]schema.Run{c.runs, newestFirst} {
				if got := LastDone(c.want.Add(1000*time.Hour), runs); !got.Equal(c.want) {
					t.Errorf("got %s, want %s", got, c.want)
				}
			}
		})
	}
}

// A year of a machine that is off for random nights: each business day is answered for by exactly one complete night, and
// no night is begun twice.
func TestDue_AYearWithNightsOff(t *testing.T) {
	for _, zone := range []string{"America/New_York", "Africa/Lagos", "Asia/Kathmandu", "UTC"} {
		for seed := range uint64(5) {
			t.Run(strings.ReplaceAll(zone, "/", "-")+fmt.Sprint("-", seed), func(t *testing.T) {
				location, err := time.LoadLocation(zone)
				if err != nil {
					t.Fatal(err)
				}
				dice := rand.New(rand.NewPCG(seed, 1))
				plan := Plan{Cron: parse(t, "CRON_TZ="+zone+" 30 2 * * *"), Jitter: 20 * time.Minute, Key: zone}
				from := time.Date(2026, 1, 1, 0, 0, 0, 0, location)
				end := time.Date(2027, 1, 1, 0, 0, 0, 0, location)
				answered := map[string]int{}
				var runs []schema.Run
				last := plan.Cron.Latest(from) // what an earlier night answered for
				runs = nightOf(runs, last, schema.Complete)
				for now := from; now.Before(end); {
					if dice.IntN(40) == 0 { // off for up to four days
						now = now.Add(time.Duration(dice.IntN(96*60)) * time.Minute)
					}
					night := plan.Due(now, runs[max(0, len(runs)-60):])
					if now.Before(night.At) {
						now = now.Add(time.Duration(1+dice.IntN(120)) * time.Minute) // the alarm clock rings when it likes
						continue
					}
					status := schema.Complete
					if dice.IntN(10) == 0 {
						status = schema.Partial
					}
					runs = nightOf(runs, now, status)
					if status == schema.Complete {
						for day := plan.Cron.Next(last); !day.After(night.Tick); day = plan.Cron.Next(day) {
							answered[day.In(location).Format(time.DateOnly)]++
						}
						last = night.Tick
					}
					now = now.Add(time.Minute)
				}
				for day := from; !day.AddDate(0, 0, 6).After(end); day = day.AddDate(0, 0, 1) { // the last days may still be owed
					if n := answered[day.Format(time.DateOnly)]; n != 1 {
						t.Errorf("%s was answered for %d times", day.Format(time.DateOnly), n)
					}
				}
			})
		}
	}
}
