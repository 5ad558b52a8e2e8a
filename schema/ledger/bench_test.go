package ledger_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

const benchRows = 1000 // rows of a group

// benchGroup is the nth group of a long history: ids without order, many cards, times that go on.
func benchGroup(run int64, n int) ledger.Group {
	g := ledger.Group{Run: run, Source: "bill-main", Provider: schema.Bill, Stream: schema.Transactions}
	for i := n * benchRows; i < (n+1)*benchRows; i++ {
		id := fmt.Sprintf("%08x-%012d", uint32(i)*2654435761, i)
		g.Records = append(g.Records, record(id, fmt.Sprintf(`{"uuid":%q,"amount":12.50,"merchantName":"Some Merchant Inc"}`, id)))
		e := entry(id, -1250, schema.Posted)
		e.CardID = fmt.Sprintf("card-%05d", i*7919%10000)
		e.OccurredAt = now.Add(time.Duration(i) * time.Second)
		g.Batch.Entries = append(g.Batch.Entries, e)
	}
	return g
}

func benchLedger(b *testing.B) (*ledger.Ledger, schema.Run) {
	b.Helper()
	l, err := ledger.Open(b.Context(), ledger.Config{Path: filepath.Join(b.TempDir(), "tieout.db"), Now: func() time.Time { return now }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := l.Close(); err != nil {
			b.Error(err)
		}
	})
	run, err := l.StartRun(b.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now})
	if err != nil {
		b.Fatal(err)
	}
	return l, run
}

// BenchmarkCommit stores groups of 1,000 rows that are new.
func BenchmarkCommit(b *testing.B) {
	l, run := benchLedger(b)
	n := 0
	for b.Loop() {
		if _, err := l.Commit(b.Context(), benchGroup(run.ID, n)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkCommitUnchanged reads a group of 1,000 rows again: the look-back of every night.
func BenchmarkCommitUnchanged(b *testing.B) {
	l, run := benchLedger(b)
	for b.Loop() {
		if _, err := l.Commit(b.Context(), benchGroup(run.ID, 0)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEntries reads 50,000 entries in the order of cards.
func BenchmarkEntries(b *testing.B) {
	l, run := benchLedger(b)
	for n := range 50 {
		if _, err := l.Commit(b.Context(), benchGroup(run.ID, n)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range l.View(run.ID).Entries.Entries(b.Context(), schema.EntryFilter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 50*benchRows {
			b.Fatalf("%d entries", n)
		}
	}
}
