package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// part is one time as a part of another.
func part(a, b time.Duration) float64 { return float64(a) / float64(max(b, 1)) }

// exponent is how processor time grows from one size to another: 1 is in proportion, 0 is not at all.
func exponent(a, b result) float64 {
	return math.Log(part(b.ours.cpu, a.ours.cpu)) / math.Log(float64(b.entries)/float64(a.entries))
}

// tolerance is how far an exponent may lie above that of n log n before it is said to: rounds differ by so much.
const tolerance = 0.05

// wholePeriod is how many entries a company of the nights has when its history is longer than what a night looks back on: a
// shorter one makes a night cheaper.
const wholePeriod = 100 * perNight

// growth prints the exponents of every work that was measured at several sizes.
func growth(stdout io.Writer, all []result) {
	first := true
	for _, at := range all {
		var sizes []result
		for _, r := range all {
			if r.work == at.work {
				sizes = append(sizes, r)
			}
		}
		if len(sizes) < 2 || sizes[0].entries != at.entries {
			continue
		}
		if first {
			fmt.Fprintf(stdout, "\n%-38s %10s %10s   %s\n", "how processor time grows: exponents", "all sizes", "last two", "cpu s at each size")
			first = false
		}
		before, last := sizes[len(sizes)-2], sizes[len(sizes)-1]
		n, m := float64(before.entries), float64(last.entries)
		verdict, grows := "", exponent(before, last)
		if grows > 1+math.Log(math.Log(m)/math.Log(n))/math.Log(m/n)+tolerance {
			verdict = "faster than n log n"
		}
		if at.night && before.entries >= wholePeriod && grows > 0.15 {
			verdict = "by the ledger, not by the night"
		}
		var cpu []string
		for _, r := range sizes {
			cpu = append(cpu, fmt.Sprintf("%d: %s", r.entries, seconds(r.ours.cpu)))
		}
		fmt.Fprintf(stdout, "%-38s %10.2f %10.2f   %v  %s\n", at.title, exponent(sizes[0], last), grows, cpu, verdict)
	}
}

// goal is something that was promised of a work: that a figure is at least, or at most, what is wanted.
type goal struct {
	work, title  string
	peer         int // that has to have been there; -1: none
	figure       func(result) float64
	atMost       bool
	want, beyond float64 // beyond: the stretch; 0: there is none
	entries      int     // that it speaks of; 0: any number
}

func goals() []goal {
	faster := func(peer int) func(result) float64 {
		return func(r result) float64 { return part(r.peers[peer].cpu, r.ours.cpu) }
	}
	mib := func(r result) float64 { return float64(r.ours.peak) / (1 << 20) }
	return []goal{
		{"load", "load: speed by sqlite3 .import's", 0, faster(0), false, 0.8, 1.1, 0},
		{"resync", "re-sync of unchanged: speed by the shell's upsert's", 0, faster(0), false, 2, 0, 0},
		{"decode", "decode and normalize: speed by encoding/json's into structs", 0, faster(0), false, 2, 0, 0},
		{"reconcile", "reconcile: wall time by DuckDB's, one thread", 0, func(r result) float64 { return part(r.ours.wall, r.peers[0].wall) }, true, 1, 0, 0},
		{"reconcile", "reconcile: wall time by DuckDB's, two threads (stretch)", 1, func(r result) float64 { return part(r.ours.wall, r.peers[1].wall) }, true, 1, 0, 0},
		{"xlsx", "XLSX: speed by libxlsxwriter's", 0, faster(0), false, 1.5, 4, 0},
		{"xlsx", "XLSX: peak, MiB", -1, mib, true, 256, 64, 0},
		{"xlsx", "XLSX: size by libxlsxwriter's (stretch)", 0, func(r result) float64 { return float64(r.ours.bytes) / float64(r.peers[0].bytes) }, true, 1.05, 0, 0},
		{"balances", "load and balances: time by hledger's", 0, func(r result) float64 { return part(r.ours.cpu, r.peers[0].cpu) }, true, 0.4, 0.3, 0},
		{"backfill", "backfill to reports: wall s (of 1,000,000)", -1, func(r result) float64 { return r.ours.wall.Seconds() }, true, 30, 0, 1_000_000},
		{"backfill", "backfill to reports: peak, MB (of 1,000,000)", -1, func(r result) float64 { return float64(r.ours.peak) / 1e6 }, true, 400, 0, 1_000_000},
		{"ingest", "extract to ledger: entries a second, wall (stretch)", -1, func(r result) float64 { return float64(r.entries) / r.ours.wall.Seconds() }, false, 100_000, 0, 0},
	}
}

// reached prints each goal beside what was measured at the largest size.
func reached(stdout io.Writer, all []result) {
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	first := true
	for _, g := range goals() {
		i := slices.IndexFunc(backwards, func(r result) bool { return r.work == g.work })
		if i < 0 {
			continue
		}
		if first {
			fmt.Fprintf(stdout, "\n%-62s %10s %10s %10s\n", "goal", "wanted", "stretch", "measured")
			first = false
		}
		sign, stretch := "≥", ""
		if g.atMost {
			sign = "≤"
		}
		if g.beyond > 0 {
			stretch = fmt.Sprintf("%s %g", sign, g.beyond)
		}
		r := backwards[i]
		if g.peer >= 0 && r.peers[g.peer].wall == 0 || g.peer < 0 && r.ours.peak == 0 || r.entries < g.entries {
			fmt.Fprintf(stdout, "%-62s %10s %10s %10s %10s\n", g.title, fmt.Sprintf("%s %g", sign, g.want), stretch, "-", "not measured")
			continue
		}
		value := g.figure(r)
		fmt.Fprintf(stdout, "%-62s %10s %10s %10.2f %10s\n", g.title, fmt.Sprintf("%s %g", sign, g.want), stretch, value, g.verdict(value))
	}
}

func (g goal) verdict(value float64) string {
	holds := func(bound float64) bool { return g.atMost && value <= bound || !g.atMost && value >= bound }
	switch {
	case !holds(g.want):
		return "missed"
	case g.beyond > 0 && holds(g.beyond):
		return "stretch"
	}
	return "reached"
}
