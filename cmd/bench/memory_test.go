package main

import (
	"context"
	"flag"
	"testing"
)

var memoryEntries = flag.Int("memory.entries", 20_000, "entries of TestMemory_IsBounded")

// TestMemory_IsBounded holds the most memory of a sync into an empty ledger, of one that reads all of it again, of a reconcile and
// of reports. Pages, groups and rows stream: what grows with the ledger is some bytes an entry, the ids that a walk has met and
// the rows of a first load.
func TestMemory_IsBounded(t *testing.T) {
	const mebibyte = 1 << 20
	self := built(t)
	b := bench{site: site{company: company{entries: *memoryEntries, cards: *memoryEntries / 100, days: 365}, dir: t.TempDir()}, self: self}
	for _, s := range []struct {
		name           string
		reset          func(context.Context) error
		most, perEntry int64 // bytes
	}{
		{"load", b.empty, 160 * mebibyte, 256},
		{"resync", b.loaded, 176 * mebibyte, 320},
		{"reconcile", b.loaded, 80 * mebibyte, 128},
		{"csv", b.checked, 96 * mebibyte, 144},
		{"workbook", b.checked, 112 * mebibyte, 144},
	} {
		one, err := b.stage(s.name, s.reset).round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if one.peak == 0 {
			t.Skip("this system does not say how much memory a process holds")
		}
		bound := s.most + s.perEntry*int64(*memoryEntries)
		t.Logf("%-9s of %d entries held %s MiB at most (bound %s)", s.name, *memoryEntries, mebibytes(one.peak), mebibytes(bound))
		if one.peak > bound {
			t.Errorf("%s held more than %s MiB", s.name, mebibytes(bound))
		}
	}
}
