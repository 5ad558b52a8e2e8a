package ledger_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func record(id, payload string) schema.Record {
	return schema.Record{
		Source: "bill-main", Provider: schema.Bill, Stream: schema.Transactions, ExternalID: id, ReceivedAt: now, Payload: []byte(payload),
	}
}

// rejected is a group of one record that could not be mapped.
func rejected(run schema.Run, r schema.Record, reason string) ledger.Group {
	g := group(run)
	g.Records = []schema.Record{r}
	g.Batch.Rejects = []schema.Reject{{
		Source: r.Source, Provider: r.Provider, Stream: r.Stream, ExternalID: r.ExternalID, Field: "amount", Reason: reason,
		ReceivedAt: r.ReceivedAt, Payload: r.Payload,
	}}
	return g
}

var window = schema.Window{From: now.AddDate(0, -1, 0), To: now}

func complete(w schema.Window) *schema.Completeness {
	return &schema.Completeness{
		Source: "bill-main", Stream: schema.Transactions, Window: w, Verdict: schema.VerdictComplete, Pages: 2, Records: 60, Total: -1,
		Rejected: 1, Duplicates: 3, Retries: 4, FirstID: "first", LastID: "last", SHA256: "ab", RecordedAt: now,
	}
}

func TestRecords(t *testing.T) {
	path := ledger.NewPath(t)
	l := open(t, path)
	run := start(t, l, schema.SyncRun)
	for _, step := range []struct {
		name    string
		records []schema.Record
		want    int64
	}{
		{"the first is stored", []schema.Record{record("a", `{"n":1}`)}, 1},
		{"the same again is not", []schema.Record{record("a", `{"n":1}`)}, 1},
		{"a changed one is", []schema.Record{record("a", `{"n":2}`)}, 2},
		{"one that changed back is", []schema.Record{record("a", `{"n":1}`)}, 3},
		{"twice in a group is once", []schema.Record{record("b", `{}`), record("b", `{}`)}, 4},
		{"one without an id is known by its payload", []schema.Record{record("", `{"x":1}`), record("", `{"x":2}`)}, 6},
		{"and not stored again either", []schema.Record{record("", `{"x":1}`)}, 6},
	} {
		g := group(run)
		g.Records = step.records
		commit(t, l, g)
		if got := rowsStored(t, path)["records"]; got != step.want {
			t.Errorf("%s: %d rows, want %d", step.name, got, step.want)
		}
	}
	other := group(run)
	other.Stream, other.Records = schema.Cards, []schema.Record{record("a", `{"n":1}`)}
	commit(t, l, other)
	if got := rowsStored(t, path)["records"]; got != 7 {
		t.Errorf("the same id in another stream is another record: %d rows", got)
	}
	verify(t, l)
}

func TestRejects(t *testing.T) {
	rejects := func(t *testing.T, l *ledger.Ledger, asOf int64) []schema.Reject {
		t.Helper()
		return all(t, l.View(asOf).Rejects.Rejects(t.Context()))
	}
	bad := record("a", `{"amount":"1.005"}`)
	t.Run("StandUntilTheRecordIsMapped", func(t *testing.T) {
		l := fresh(t)
		one := start(t, l, schema.SyncRun)
		if got := commit(t, l, rejected(one, bad, "too many digits")); got != (ledger.Counts{Rejected: 1}) {
			t.Errorf("%+v", got)
		}
		want := []schema.Reject{{
			Source: "bill-main", Provider: schema.Bill, Stream: schema.Transactions, ExternalID: "a", Field: "amount", Reason: "too many digits",
			ReceivedAt: now, Payload: bad.Payload, Run: one.ID,
		}}
		same(t, "standing", rejects(t, l, 0), want)
		finish(t, l, one)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -100, schema.Posted)))
		same(t, "once mapped", rejects(t, l, 0), nil)
		same(t, "as of the first run", rejects(t, l, one.ID), want)
		verify(t, l)
	})
	t.Run("AreStoredOnceWhileNothingChanges", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		run := start(t, l, schema.SyncRun)
		commit(t, l, rejected(run, bad, "too many digits"))
		before := rowsStored(t, path)
		before["commits"]++
		if got := commit(t, l, rejected(run, bad, "too many digits")); got.Rejected != 1 {
			t.Errorf("%+v", got)
		}
		same(t, "rows", rowsStored(t, path), before)
		commit(t, l, rejected(run, bad, "another reason"))
		if got := rejects(t, l, 0); len(got) != 1 || got[0].Reason != "another reason" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("OfRecordsWithoutAnIDAreKnownByThePayload", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		for _, payload := range []string{`{"n":1}`, `{"n":2}`, `{"n":1}`} {
			commit(t, l, rejected(run, record("", payload), "id: missing"))
		}
		got := rejects(t, l, 0)
		if len(got) != 2 || got[0].ExternalID != "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("OneThatIsMappedLaterInTheGroupDoesNotStand", func(t *testing.T) {
		l := fresh(t)
		g := rejected(start(t, l, schema.SyncRun), bad, "too many digits")
		good := group(schema.Run{}, entry("a", -100, schema.Posted))
		g.Records, g.Batch.Entries = append(g.Records, good.Records...), good.Batch.Entries
		commit(t, l, g)
		same(t, "standing", rejects(t, l, 0), nil)
	})
	t.Run("OneOfAnEntryLeavesTheEntryAsItWas", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		commit(t, l, group(run, entry("a", -100, schema.Pending)))
		commit(t, l, rejected(run, bad, "too many digits"))
		if e := entries(t, l, 0)["a"]; e.Amount != usd(-100) || len(rejects(t, l, 0)) != 1 {
			t.Errorf("%+v", e)
		}
	})
}

func TestNotes(t *testing.T) {
	l := fresh(t)
	note := func(field string) schema.Note {
		return schema.Note{Source: "bill-main", Stream: schema.Transactions, ExternalID: "a", Code: schema.UnknownFieldNote, Field: field}
	}
	notes := func(asOf int64) []schema.Note { return all(t, l.View(asOf).Notes.Notes(t.Context())) }
	store := func(notes ...schema.Note) schema.Run {
		run := start(t, l, schema.SyncRun)
		g := group(run, entry("a", -1, schema.Posted))
		g.Batch.Notes = notes
		commit(t, l, g)
		return finish(t, l, run)
	}
	one := store(note("x"), note("y"), note("y"))
	same(t, "first", notes(0), []schema.Note{note("x"), note("y")})
	store(note("y"), note("z"))
	same(t, "those of the latest record", notes(0), []schema.Note{note("y"), note("z")})
	store()
	same(t, "none any more", notes(0), nil)
	same(t, "as of the first run", notes(one.ID), []schema.Note{note("x"), note("y")})
	verify(t, l)
}

func TestCheckpoints(t *testing.T) {
	checkpoint := func(run schema.Run, cursor string, seen ...uint64) ledger.Group {
		g := group(run, entry(cursor, -1, schema.Posted))
		g.Checkpoint = &ledger.Checkpoint{
			Source: "bill-main", Stream: schema.Transactions, Window: window, Cursor: cursor, State: `{"pages":` + cursor + `}`, Seen: seen, Run: run.ID,
		}
		return g
	}
	find := func(t *testing.T, l *ledger.Ledger) (ledger.Checkpoint, bool) {
		t.Helper()
		c, found, err := l.Checkpoint(t.Context(), "bill-main", schema.Transactions, window)
		if err != nil {
			t.Fatal(err)
		}
		return c, found
	}
	t.Run("OutliveTheProcessWithAllIDsSeen", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		if _, found := find(t, l); found {
			t.Error("there is one before anything was read")
		}
		run := start(t, l, schema.SyncRun)
		commit(t, l, checkpoint(run, "1", 1, 1<<63, 0))
		commit(t, l, checkpoint(run, "2"))
		commit(t, l, checkpoint(run, "3", 7))
		got, _ := find(t, open(t, path))
		same(t, "checkpoint", got, ledger.Checkpoint{
			Source: "bill-main", Stream: schema.Transactions, Window: window, Cursor: "3", State: `{"pages":3}`, Seen: []uint64{1, 1 << 63, 0, 7}, Run: run.ID,
		})
	})
	t.Run("EndWithTheWalk", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		run := start(t, l, schema.SyncRun)
		commit(t, l, checkpoint(run, "1", 1))
		g := group(run)
		g.Completeness = complete(window)
		commit(t, l, g)
		if _, found := find(t, l); found {
			t.Error("it is still there")
		}
		if n := rowsStored(t, path)["checkpoint_ids"]; n != 0 {
			t.Errorf("%d rows of ids are still there", n)
		}
		commit(t, l, checkpoint(run, "9", 5))
		if c, _ := find(t, l); len(c.Seen) != 1 {
			t.Errorf("a new walk over the window has seen %v", c.Seen)
		}
	})
	t.Run("StayWithAWalkThatStoppedHalfWay", func(t *testing.T) {
		l := fresh(t)
		g := checkpoint(start(t, l, schema.SyncRun), "1", 1)
		g.Completeness = complete(window)
		g.Completeness.Verdict, g.Completeness.Reason = schema.VerdictPartial, "429"
		commit(t, l, g)
		if c, found := find(t, l); !found || c.Cursor != "1" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("CanBeDropped", func(t *testing.T) {
		l := fresh(t)
		commit(t, l, checkpoint(start(t, l, schema.SyncRun), "1", 1))
		if err := l.DropCheckpoint(t.Context(), "bill-main", schema.Transactions, window); err != nil {
			t.Fatal(err)
		}
		if _, found := find(t, l); found {
			t.Error("it is still there")
		}
		verify(t, l)
	})
	t.Run("AreListedOldestWindowFirst", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		for _, days := range []int{-1, -3, -2} {
			g := checkpoint(run, "1", 1)
			g.Checkpoint.Window = schema.Window{From: now.AddDate(0, 0, days), To: now}
			commit(t, l, g)
		}
		open, err := l.OpenCheckpoints(t.Context(), "bill-main", schema.Transactions)
		if err != nil || len(open) != 3 {
			t.Fatalf("%+v %v", open, err)
		}
		for i, days := range []int{-3, -2, -1} {
			if !open[i].Window.From.Equal(now.AddDate(0, 0, days)) {
				t.Errorf("%d: %s", i, open[i].Window)
			}
		}
		if other, err := l.OpenCheckpoints(t.Context(), "bill-main", schema.Cards); err != nil || len(other) != 0 {
			t.Errorf("of another stream: %+v %v", other, err)
		}
	})
}

func TestCoverage(t *testing.T) {
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	l := fresh(t)
	read := func(kind schema.RunKind, verdict schema.Verdict, from, to int) schema.Completeness {
		run := start(t, l, kind)
		g := group(run)
		g.Completeness = complete(schema.Window{From: day(from), To: day(to)})
		g.Completeness.Verdict = verdict
		commit(t, l, g)
		g.Completeness.Run = run.ID
		return *g.Completeness
	}
	stored := []schema.Completeness{
		read(schema.SyncRun, schema.VerdictComplete, 0, 2),
		read(schema.SyncRun, schema.VerdictComplete, 1, 4),
		read(schema.BackfillRun, schema.VerdictComplete, 4, 5),
		read(schema.SyncRun, schema.VerdictPartial, 5, 8),
		read(schema.BackfillRun, schema.VerdictComplete, 9, 12),
	}
	covered, err := l.Coverage(t.Context(), "bill-main", schema.Transactions, "")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "coverage", covered, []schema.Window{{From: day(0), To: day(5)}, {From: day(9), To: day(12)}})
	mark, err := l.Watermark(t.Context(), "bill-main", schema.Transactions, "")
	if err != nil || !mark.Equal(day(4)) {
		t.Errorf("the watermark is where a complete window of a sync ends: %v %v", mark, err)
	}
	if mark, err := l.Watermark(t.Context(), "other", schema.Transactions, ""); err != nil || !mark.IsZero() {
		t.Errorf("of a source never read: %v %v", mark, err)
	}
	same(t, "completeness", all(t, l.View(0).Completeness.Completeness(t.Context())), stored)
	same(t, "as of the second run", all(t, l.View(2).Completeness.Completeness(t.Context())), stored[:2])
}

// A failure at the last step of a transaction must undo the steps before it: a kill between them does no more.
func TestCommitIsAllOrNothing(t *testing.T) {
	whole := func(run schema.Run) ledger.Group {
		g := group(run, entry("a", -2, schema.Pending), entry("b", -3, schema.Posted))
		g.Records = append(g.Records, record("r", `{"amount":"x"}`))
		g.Batch.Rejects = rejected(run, record("r", `{"amount":"x"}`), "not a number").Batch.Rejects
		g.Batch.Links = []schema.Link{{From: "a", To: "b", Basis: schema.Cleared}}
		g.Batch.Notes = []schema.Note{{Source: "bill-main", Stream: schema.Transactions, ExternalID: "a", Code: schema.UnknownFieldNote, Field: "x"}}
		g.Batch.Observations = []schema.Observation{observation("card-1", schema.Cards, now)}
		g.Batch.Budgets = []schema.Budget{{Source: "bill-main", ID: "b", ObservedAt: now}}
		g.Completeness = complete(window)
		g.Checkpoint = &ledger.Checkpoint{Source: "bill-main", Stream: schema.Transactions, Window: window, Cursor: "c", Seen: []uint64{1}, Run: run.ID}
		return g
	}
	path := ledger.NewPath(t)
	l := open(t, path)
	run := start(t, l, schema.SyncRun)
	commit(t, l, group(run, entry("a", -1, schema.Pending)))
	before, root := rowsStored(t, path), mustRoot(t, l)
	for _, table := range []string{
		"records", "entries", "links", "observations", "cards", "budgets", "rejects", "notes", "known", "completeness", "checkpoints", "checkpoint_ids", "commits",
	} {
		fail, mend := `CREATE TRIGGER fail BEFORE INSERT ON `+table+` BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`, `DROP TRIGGER fail`
		if *ledger.OnPostgres {
			fail, mend = `ALTER TABLE `+table+` ADD CONSTRAINT "the disk is full" CHECK (0 = 1) NOT VALID`, `ALTER TABLE `+table+` DROP CONSTRAINT "the disk is full"`
		}
		raw(t, path, fail)
		_, err := l.Commit(t.Context(), whole(run))
		if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "transactions (bill-main)") {
			t.Errorf("%s: %v", table, err)
		}
		raw(t, path, mend)
		same(t, table, rowsStored(t, path), before)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Commit(ctx, whole(run)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	same(t, "cancelled", rowsStored(t, path), before)
	if got := mustRoot(t, l); got != root {
		t.Errorf("the root moved from %s to %s", root, got)
	}
	verify(t, l)
	if got := commit(t, l, whole(run)); got != (ledger.Counts{New: 1, Changed: 1, Rejected: 1}) {
		t.Errorf("the next attempt: %+v", got)
	}
	verify(t, l)
}

func mustRoot(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	root, err := l.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root
}
