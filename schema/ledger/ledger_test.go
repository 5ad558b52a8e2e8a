package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

var now = time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func fresh(t *testing.T) *ledger.Ledger {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "tieout.db"))
}

func start(t *testing.T, l *ledger.Ledger, kind schema.RunKind) schema.Run {
	t.Helper()
	run, err := l.StartRun(t.Context(), schema.Run{Kind: kind, StartedAt: now, Zone: "UTC", Version: "test", Parameters: "{}"})
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func finish(t *testing.T, l *ledger.Ledger, run schema.Run) schema.Run {
	t.Helper()
	run.Status = schema.Complete
	run, err := l.FinishRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func commit(t *testing.T, l *ledger.Ledger, g ledger.Group) ledger.Counts {
	t.Helper()
	counts, err := l.Commit(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func usd(minor int64) money.Amount { return money.FromMinor(minor, money.USD()) }

func entry(id string, minor int64, status schema.Status) schema.Entry {
	e := schema.Entry{
		Source: "bill-main", Provider: schema.Bill, ExternalID: id, CardID: "card-1", Kind: schema.Purchase, Status: status,
		OccurredAt: now.Add(-48 * time.Hour), Amount: usd(minor), Literal: "x", Merchant: "Café =1+1",
	}
	if status == schema.Posted {
		e.PostedAt = now.Add(-24 * time.Hour)
	}
	return e
}

func group(run schema.Run, entries ...schema.Entry) ledger.Group {
	g := ledger.Group{Run: run.ID, Source: "bill-main", Provider: schema.Bill, Stream: schema.Transactions}
	for _, e := range entries {
		g.Records = append(g.Records, schema.Record{
			Source: "bill-main", Provider: schema.Bill, Stream: schema.Transactions, ExternalID: e.ExternalID, ReceivedAt: now,
			Payload: []byte(`{"id":"` + e.ExternalID + `","amount":` + e.Amount.String() + `,"status":"` + string(e.Status) + `"}`),
		})
	}
	g.Batch.Entries = entries
	return g
}

func entries(t *testing.T, l *ledger.Ledger, asOf int64) map[string]schema.Entry {
	t.Helper()
	all := map[string]schema.Entry{}
	for e, err := range l.View(asOf).Entries.Entries(t.Context(), schema.EntryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all[e.ExternalID] = e
	}
	return all
}

func verify(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	v, err := l.Verify(t.Context(), "")
	if err != nil || v.Problem != "" {
		t.Fatalf("verify: %v %s", err, v.Problem)
	}
}

func TestCommit(t *testing.T) {
	t.Run("ReadingTheSameAgainStoresNothing", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(run, entry("a", -1250, schema.Posted))); got != (ledger.Counts{New: 1}) {
			t.Errorf("first: %+v", got)
		}
		first := entries(t, l, 0)
		again := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(again, entry("a", -1250, schema.Posted))); got != (ledger.Counts{Unchanged: 1}) {
			t.Errorf("second: %+v", got)
		}
		if diff := cmp.Diff(first, entries(t, l, 0), cmp.Comparer(func(a, b money.Amount) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		verify(t, l)
	})
	t.Run("AChangedRowIsANewVersionAndTheOldOneIsKnownAsOfItsRun", func(t *testing.T) {
		l := fresh(t)
		one := start(t, l, schema.SyncRun)
		commit(t, l, group(one, entry("a", -1250, schema.Pending)))
		finish(t, l, one)
		two := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(two, entry("a", -1300, schema.Posted))); got != (ledger.Counts{Changed: 1}) {
			t.Errorf("%+v", got)
		}
		finish(t, l, two)
		if e := entries(t, l, one.ID)["a"]; e.Amount != usd(-1250) || e.Status != schema.Pending || e.Run != one.ID {
			t.Errorf("as of run %d: %+v", one.ID, e)
		}
		if e := entries(t, l, 0)["a"]; e.Amount != usd(-1300) || e.Status != schema.Posted || e.Run != two.ID {
			t.Errorf("now: %+v", e)
		}
		verify(t, l)
	})
}

func TestLinks(t *testing.T) {
	auth, capture, reversal := entry("auth", -1000, schema.Pending), entry("clear", -900, schema.Posted), entry("neg", 100, schema.Pending)
	reversal.Kind = schema.Reversal
	steps := []func(schema.Run) ledger.Group{
		func(r schema.Run) ledger.Group { return group(r, auth) },
		func(r schema.Run) ledger.Group {
			g := group(r, capture)
			g.Batch.Links = []schema.Link{{From: "auth", To: "clear", Basis: schema.Cleared}}
			return g
		},
		func(r schema.Run) ledger.Group {
			g := group(r, reversal)
			g.Batch.Links = []schema.Link{{From: "neg", To: "auth", Basis: schema.Reverses}}
			return g
		},
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}} {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		for _, i := range order {
			commit(t, l, steps[i](run))
			verify(t, l)
		}
		got := entries(t, l, 0)
		for id, want := range map[string]struct {
			status schema.Status
			linked string
		}{"auth": {schema.Superseded, "clear"}, "clear": {schema.Posted, "auth"}, "neg": {schema.Superseded, "auth"}} {
			if e := got[id]; e.Status != want.status || e.LinkedID != want.linked {
				t.Errorf("order %v: %s is %s linked to %q, want %s and %q", order, id, e.Status, e.LinkedID, want.status, want.linked)
			}
		}
	}
	t.Run("NothingIsSupersededByAClearingThatIsNotThere", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		g := group(run, auth)
		g.Batch.Links = []schema.Link{{From: "auth", To: "elsewhere", Basis: schema.Cleared}}
		commit(t, l, g)
		if e := entries(t, l, 0)["auth"]; e.Status != schema.Pending || e.LinkedID != "" {
			t.Errorf("%s linked to %q", e.Status, e.LinkedID)
		}
	})
}

func TestOpen(t *testing.T) {
	t.Run("FilesAreTheirOwnersAlone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := open(t, path)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted)))
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
			}
		}
	})
	t.Run("ReadOnlyNeedsALedger", func(t *testing.T) {
		_, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(t.TempDir(), "none.db"), ReadOnly: true, Now: func() time.Time { return now }})
		if err == nil {
			t.Error("opened")
		}
	})
	t.Run("ReadOnlyWritesNothing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		open(t, path)
		l, err := ledger.Open(t.Context(), ledger.Config{Path: path, ReadOnly: true, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now}); err == nil {
			t.Error("started a run")
		}
	})
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tieout.db")
	lock, err := ledger.Lock(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Lock(path, now); err == nil {
		t.Error("two owners")
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := ledger.Lock(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Unlock()); err != nil {
		t.Fatal(err)
	}
}
