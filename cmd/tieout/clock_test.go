package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// TestNight_AfterAClockThatWasAhead has one night by a clock that is four years ahead. The night after it is owed as if that one
// had not been, and reads what it would have read.
func TestNight_AfterAClockThatWasAhead(t *testing.T) {
	t.Parallel()
	const ahead, days = 4 * 365 * 24 * time.Hour, 65
	var rows []string
	for _, wrong := range []bool{false, true} {
		s := newSite(t, sandbox.Config{Seed: 5, Transactions: 600}, nil)
		s.notify(t, "schedule: {nightly: '0 7 * * *'}\n", nil)
		if code, stderr := s.night(t, testNow); code != exitDone {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if wrong {
			if code, stderr := s.night(t, testNow.Add(ahead)); code != exitDone {
				t.Fatalf("by a wrong clock: exit %d\n%s", code, stderr)
			}
		}
		if err := s.world.Advance(days * 24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		for _, name := range sandbox.Anomalies() { // purchases, fees, top-ups at all issuers
			if _, err := s.world.Plant(name); err != nil {
				t.Fatal(err)
			}
		}
		w := newWatch(t, s)
		before := w.nights(t)[schema.ReportRun]
		w.at(testNow.AddDate(0, 0, days))
		w.ring()
		if got := w.nights(t)[schema.ReportRun]; got != before+1 {
			t.Errorf("wrong clock before: %v: serve ran %d nights", wrong, got-before)
		}
		if err := w.stop(t); err != nil {
			t.Error(err)
		}
		rows = append(rows, string(s.ledgerRows(t)))
	}
	if n := strings.Count(rows[0], "\n"); n < 610 {
		t.Errorf("only %d rows: nothing happened in the days between", n)
	}
	if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
		t.Errorf("without (-) and with (+) a night by a wrong clock before:\n%s", diff)
	}
}
