package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

func TestDraw(t *testing.T) {
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	santiago, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string, zone *time.Location) time.Time {
		for _, layout := range []string{time.DateOnly, "2006-01-02T15:04"} {
			if parsed, err := time.ParseInLocation(layout, text, zone); err == nil {
				return parsed
			}
		}
		t.Fatalf("%q", text)
		return time.Time{}
	}
	w := func(zone *time.Location, text string) schema.Window {
		from, to, _ := strings.Cut(text, "..")
		return schema.Window{From: at(from, zone), To: at(to, zone)}
	}
	for name, c := range map[string]struct {
		zone            *time.Location
		window          string
		complete, begun []string
		want            marks
	}{
		"Days": {
			time.UTC, "2026-08-01..2026-08-08T07:00",
			[]string{"2026-08-01..2026-08-03", "2026-08-04T12:00..2026-08-05"},
			[]string{"2026-08-05..2026-08-06T01:00"},
			marks{"day", "2026-08-01", "2026-08-08", "##.+~~.."},
		},
		"TheDayThatIsNotOverIsJudgedToNow": {
			time.UTC, "2026-08-01..2026-08-03T07:00", []string{"2026-08-01..2026-08-03T07:00"}, nil, marks{"day", "2026-08-01", "2026-08-03", "###"},
		},
		"TheFirstDayIsJudgedFromTheStart": {
			time.UTC, "2026-08-01T09:00..2026-08-03", []string{"2026-08-01T09:00..2026-08-03"}, nil, marks{"day", "2026-08-01", "2026-08-02", "##"},
		},
		"DaysOfTheZoneAcrossAClockChange": {
			newYork, "2026-10-31..2026-11-03", []string{"2026-10-31..2026-11-02"}, nil, marks{"day", "2026-10-31", "2026-11-02", "##."},
		},
		"DaysOfAZoneThatSkipsMidnight": {
			santiago, "2026-09-05..2026-09-08", []string{"2026-09-05..2026-09-07"}, nil, marks{"day", "2026-09-05", "2026-09-07", "##."},
		},
		"Months": {
			time.UTC, "2026-01-15..2026-06-10",
			[]string{"2026-01-15..2026-03-01", "2026-04-01..2026-04-02"},
			[]string{"2026-05-20..2026-06-01"},
			marks{"month", "2026-01", "2026-06", "##.+~."},
		},
		"WindowsInAnyOrderTogether": {
			time.UTC, "2026-08-01..2026-08-02", []string{"2026-08-01T12:00..2026-08-02", "2026-08-01..2026-08-01T13:00"}, nil, marks{"day", "2026-08-01", "2026-08-01", "#"},
		},
		"TheLatestSixYears": {
			time.UTC, "2010-01-01..2026-01-01", []string{"2010-01-01..2026-01-01"}, nil, marks{"month", "2020-01", "2025-12", strings.Repeat("#", 72)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var complete, begun []schema.Window
			for _, text := range c.complete {
				complete = append(complete, w(c.zone, text))
			}
			for _, text := range c.begun {
				begun = append(begun, w(c.zone, text))
			}
			if got := draw(w(c.zone, c.window), complete, begun, c.zone); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestCoverage(t *testing.T) {
	down := false
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 900}, func(world http.Handler) http.Handler {
		pages := 0
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/whop/api/v1/card_transactions") {
				if pages++; down && pages > 2 {
					w.WriteHeader(http.StatusForbidden)
					return
				}
			}
			world.ServeHTTP(w, r)
		})
	})
	lines := func(args ...string) map[string]streamCoverage {
		t.Helper()
		var all []streamCoverage
		if err := json.Unmarshal([]byte(s.must(t, append(args, "coverage", "--json")...)), &all); err != nil {
			t.Fatal(err)
		}
		byKey := map[string]streamCoverage{}
		for _, l := range all {
			byKey[l.Source+" "+string(l.Stream)] = l
		}
		return byKey
	}
	s.must(t, "fundings", "import", s.extraFunding(t)) // makes the ledger
	if l := lines()["whop-main transactions"]; l.Verdict != "never read" || l.Marks != nil || len(l.Missing) != 1 || l.ReadAt != nil {
		t.Errorf("before anything was read: %+v", l)
	}
	s.must(t, "backfill", "--from", "2026-08-01", "--to", "2026-08-10")
	if l := lines()["whop-main transactions"]; l.Marks == nil || l.Marks.Text != strings.Repeat("#", 10)+strings.Repeat(".", 21) || len(l.Missing) != 2 {
		t.Errorf("ten days: %+v %+v", l, l.Marks)
	}
	down = true
	if code, _, _ := s.run(t, "sync"); code != exitPartial {
		t.Fatalf("exit %d", code)
	}
	l := lines()["whop-main transactions"]
	if len(l.Partial) != 1 || l.Partial[0].Reason == "" || l.Marks == nil || strings.Trim(l.Marks.Text, "~+") != "" || l.Verdict == schema.VerdictComplete {
		t.Errorf("a reading that broke: %+v %+v", l, l.Marks)
	}
	if l := lines()["bill-main transactions"]; l.Verdict != schema.VerdictComplete || len(l.Missing) != 0 || l.Marks.Unit != "month" || strings.Trim(l.Marks.Text, "#") != "" {
		t.Errorf("a whole reading: %+v %+v", l, l.Marks)
	}
	if l := lines()["bill-main cards"]; l.Verdict != schema.VerdictComplete || l.Marks != nil || !l.ReadAt.Equal(testNow) {
		t.Errorf("a snapshot: %+v", l)
	}
	for hours, want := range map[int]string{2: "####", 26: "###+."} { // a day without a sync is no longer drawn complete
		l := lines("--now", testNow.Add(time.Duration(hours)*time.Hour).Format(time.RFC3339))["bill-main transactions"]
		if len(l.Missing) != 1 || l.Marks.Text != want {
			t.Errorf("%d hours later: %+v %+v", hours, l, l.Marks)
		}
	}
	text := s.must(t, "coverage", "--source", "whop-main")
	for _, words := range []string{"whop-main\n", "complete  ", "2026-08-01 00:00 to 2026-08-11 00:00", "in part ", "missing ", "# complete"} {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not said:\n%s", words, text)
		}
	}
	if strings.Contains(text, "bill-main") {
		t.Errorf("another source is shown:\n%s", text)
	}
}
