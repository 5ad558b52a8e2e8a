package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// built is the bench as a program of its own, which the race detector does not slow down.
func built(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bench")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// TestBench_RunsEveryWork runs all of it with little data; each stage itself refuses what would measure nothing. Peers that are
// not installed are named.
func TestBench_RunsEveryWork(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), built(t), "-entries", "400", "-cards", "40", "-rounds", "1", "-dir", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, w := range (bench{}).works() {
		if !strings.Contains(string(out), "\n"+w.title) {
			t.Errorf("no line for %s in\n%s", w.name, out)
		}
	}
	for _, g := range goals() {
		if !strings.Contains(string(out), "\n"+g.title) {
			t.Errorf("no line for the goal %q in\n%s", g.title, out)
		}
	}
}

func TestFigures_AreMedians(t *testing.T) {
	samples := []sample{{cpu: 5, wall: 1, peak: 9}, {cpu: 1, wall: 2, peak: 9}, {cpu: 3, wall: 9, peak: 8}, {cpu: 4, wall: 4, peak: 1}}
	if got, want := figures(samples), (sample{cpu: 3, wall: 3, peak: 8}); got != want { // between the two in the middle
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, want := figures(samples[:3]), (sample{cpu: 3, wall: 2, peak: 9}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestGrowth(t *testing.T) {
	work := func(name string, seconds ...time.Duration) (all []result) {
		for i, n := range []int{10_000, 100_000, 1_000_000} {
			all = append(all, result{work: name, title: name, entries: n, ours: sample{cpu: seconds[i] * time.Second}})
		}
		return all
	}
	var out strings.Builder
	night := work("night", 1, 2, 8)
	night[0].night, night[1].night, night[2].night = true, true, true
	growth(&out, slices.Concat(night, work("flat", 3, 3, 3), work("even", 1, 10, 100), work("sorted", 1, 12, 144), work("square", 1, 10, 1000)))
	for name, want := range map[string]string{"flat": "0.00       0.00", "even": "1.00       1.00", "sorted": "1.08       1.08", "square": "1.50       2.00"} {
		if !strings.Contains(out.String(), "\n"+name+strings.Repeat(" ", 38-len(name))+"       "+want) {
			t.Errorf("%s: not %s in\n%s", name, want, out.String())
		}
	}
	if n := strings.Count(out.String(), "faster than n log n"); n != 1 {
		t.Errorf("%d grow faster than n log n, want the square alone:\n%s", n, out.String())
	}
	if n := strings.Count(out.String(), "by the ledger, not by the night"); n != 1 {
		t.Errorf("%d nights cost by the ledger, want 1:\n%s", n, out.String())
	}
}

func TestGoal_Verdict(t *testing.T) {
	speed, memory := goal{want: 1.5, beyond: 4}, goal{atMost: true, want: 256, beyond: 64}
	for _, c := range []struct {
		goal  goal
		value float64
		want  string
	}{
		{speed, 1.49, "missed"},
		{speed, 1.5, "reached"},
		{speed, 4, "stretch"},
		{memory, 257, "missed"},
		{memory, 256, "reached"},
		{memory, 64, "stretch"},
		{goal{want: 2}, 100, "reached"},
	} {
		if got := c.goal.verdict(c.value); got != c.want {
			t.Errorf("%+v: %v is %s, want %s", c.goal, c.value, got, c.want)
		}
	}
}

// TestCompany_ADayLaterHasTheSameHistory: a night may only add what happened since, and settle what was pending.
func TestCompany_ADayLaterHasTheSameHistory(t *testing.T) {
	before := company{entries: 4000, cards: 40, days: 4}
	after := before
	after.more = 1000
	for _, p := range schema.Providers() {
		entries, _ := before.of()
		for n := range entries {
			a, b := before.entry(p, n), after.entry(p, n)
			if a.Status == schema.Pending {
				b.Status, b.PostedAt = a.Status, a.PostedAt
			}
			if a != b {
				t.Fatalf("%s %d: %+v became %+v", p, n, a, b)
			}
		}
		if at := after.first(before.now()); at != entries || !after.entry(p, entries+249).OccurredAt.Before(after.now()) {
			t.Errorf("%s: the day begins with entry %d of %d and does not hold all 250", p, at, entries)
		}
	}
}
