package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"
	"go.uber.org/goleak"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

func TestMain(m *testing.M) {
	if words := os.Getenv(child); words != "" {
		beChild(words)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := ledger.StopServer(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

var now = time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closing(t, l) })
	return l
}

func closing(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func fresh(t *testing.T) *ledger.Ledger {
	t.Helper()
	return open(t, ledger.NewPath(t))
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

// all reads a sequence to its end.
func all[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var values []T
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

func entries(t *testing.T, l *ledger.Ledger, asOf int64) map[string]schema.Entry {
	t.Helper()
	byID := map[string]schema.Entry{}
	for _, e := range all(t, l.View(asOf).Entries.Entries(t.Context(), schema.EntryFilter{})) {
		byID[e.ExternalID] = e
	}
	return byID
}

// same compares what was read with what was wanted.
func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b money.Amount) bool { return a == b })); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// raw changes a ledger behind its back.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db := ledger.Raw(t, path)
	defer closing(t, db)
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// rowsStored counts the rows of every table.
func rowsStored(t *testing.T, path string) map[string]int64 {
	t.Helper()
	db := ledger.Raw(t, path)
	defer closing(t, db)
	counts := map[string]int64{}
	for _, name := range tableNames(t, db) {
		var n int64
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	return counts
}

// tableNames lists the ledger's own tables.
func tableNames(t *testing.T, db *sqlx.DB) []string {
	t.Helper()
	query := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version' ORDER BY name`
	if db.DriverName() == "pgx" {
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_name <> 'goose_db_version' ORDER BY 1`
	}
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

func verify(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	v, err := l.Verify(t.Context(), "")
	if err != nil || v.Problem != "" {
		t.Fatalf("verify: %v %s", err, v.Problem)
	}
}

func TestOpen(t *testing.T) {
	readOnly := func(path string) (*ledger.Ledger, error) {
		return ledger.Open(t.Context(), ledger.Config{Path: path, ReadOnly: true, Now: func() time.Time { return now }})
	}
	t.Run("FilesAreTheirOwnersAlone", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "tieout.db")
		l := open(t, path)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted)))
		for name, want := range map[string]fs.FileMode{path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, dir: 0o750} {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
			}
		}
	})
	t.Run("AWiderModeIsTightened", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		open(t, path)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	})
	t.Run("AnyFileNameWillDo", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "a?b %20#ü.db")
		open(t, path)
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	t.Run("NeedsAClock", func(t *testing.T) {
		if _, err := ledger.Open(t.Context(), ledger.Config{Path: ledger.NewPath(t)}); err == nil {
			t.Error("opened")
		}
	})
	t.Run("RefusesALedgerOfANewerVersion", func(t *testing.T) {
		path := ledger.NewPath(t)
		open(t, path)
		raw(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, 1 = 1)`)
		_, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: func() time.Time { return now }})
		if !errors.Is(err, ledger.ErrNewer) || !strings.Contains(err.Error(), ledger.Name(path)) {
			t.Errorf("writing: %v", err)
		}
		if _, err := readOnly(path); !errors.Is(err, ledger.ErrNewer) {
			t.Errorf("reading: %v", err)
		}
	})
	t.Run("ReadingDoesNotUpgradeAnOlderLedger", func(t *testing.T) {
		path := ledger.NewPath(t)
		open(t, path)
		next := fstest.MapFS{"00001_ledger.sql": {}, "00002_next.sql": {}}
		_, err := ledger.Open(t.Context(), ledger.Config{Path: path, ReadOnly: true, Migrations: next, Now: func() time.Time { return now }})
		if !errors.Is(err, ledger.ErrOlder) {
			t.Errorf("%v", err)
		}
	})
	t.Run("RefusesWhatIsNoLedger", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "notes.txt")
		if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: func() time.Time { return now }}); err == nil {
			t.Error("opened for writing")
		}
		if _, err := readOnly(path); err == nil {
			t.Error("opened for reading")
		}
	})
	t.Run("ReadOnlyNeedsALedger", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none.db")
		if _, err := readOnly(path); err == nil {
			t.Error("opened")
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it was made: %v", err)
		}
	})
	t.Run("ReadOnlyKnowsALedgerThatNobodyFinishedMaking", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readOnly(path); err == nil || !strings.Contains(err.Error(), "there is no ledger yet") {
			t.Errorf("got %v", err)
		}
		verify(t, open(t, path))
	})
	t.Run("ReadOnlyWritesNothing", func(t *testing.T) {
		path := ledger.NewPath(t)
		w := open(t, path)
		run := start(t, w, schema.SyncRun)
		before := rowsStored(t, path)
		l, err := readOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closing(t, l) })
		_, startErr := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now})
		_, finishErr := l.FinishRun(t.Context(), run)
		_, commitErr := l.Commit(t.Context(), group(run, entry("a", -1, schema.Posted)))
		_, findingsErr := l.SaveFindings(t.Context(), ledger.FindingSet{Run: run.ID})
		_, _, fundingsErr := l.ImportFundings(t.Context(), run.ID, "f.csv", []schema.Funding{{ID: "x", Amount: usd(1), SentAt: now}})
		dropErr := l.DropCheckpoint(t.Context(), "bill-main", schema.Transactions, schema.Window{})
		for what, err := range map[string]error{
			"StartRun": startErr, "FinishRun": finishErr, "Commit": commitErr, "SaveFindings": findingsErr,
			"ImportFundings": fundingsErr, "DropCheckpoint": dropErr,
		} {
			if err == nil || !strings.Contains(err.Error(), "reading only") {
				t.Errorf("%s: %v", what, err)
			}
		}
		same(t, "rows", rowsStored(t, path), before)
	})
	t.Run("ReadOnlyOpensACopyThatIsNotInWriteAheadMode", func(t *testing.T) {
		dir := t.TempDir()
		path, copied := filepath.Join(dir, "tieout.db"), filepath.Join(dir, "copy.db")
		l := open(t, path)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted)))
		raw(t, path, `VACUUM INTO '`+copied+`'`)
		c, err := readOnly(copied)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closing(t, c) })
		verify(t, c)
		if n := len(entries(t, c, 0)); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new folder", "tieout.db")
	lock, err := ledger.Lock(path, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{path + ".lock": 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", filepath.Base(name), info.Mode())
		}
	}
	_, err = ledger.Lock(path, now.Add(time.Hour))
	if err == nil {
		t.Fatal("two owners")
	}
	for _, want := range []string{path, "process " + strconv.Itoa(os.Getpid()), "since 2026-08-31T07:00:00Z"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := ledger.Lock(path, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestRuns(t *testing.T) {
	t.Run("ARunIsRecordedAsItWasGiven", func(t *testing.T) {
		l := fresh(t)
		started, err := l.StartRun(t.Context(), schema.Run{
			Kind: schema.BackfillRun, StartedAt: now, Period: schema.Window{From: now.AddDate(0, -1, 0), To: now}, Zone: "America/New_York",
			Version: "1.2", Parameters: `{"a":"ü"}`,
		})
		if err != nil {
			t.Fatal(err)
		}
		started.Status, started.Error, started.FinishedAt = schema.Partial, "slash-main: 429", now.Add(time.Minute)
		finished, err := l.FinishRun(t.Context(), started)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Run(t.Context(), started.ID)
		if err != nil {
			t.Fatal(err)
		}
		root, err := l.Root(t.Context())
		if err != nil || root == "" {
			t.Fatalf("root %q: %v", root, err)
		}
		want := started
		want.Root = root
		same(t, "run", got, want)
		same(t, "finished", finished, want)
	})
	t.Run("AreNumberedFromOneAndListedNewestFirst", func(t *testing.T) {
		l := fresh(t)
		for range 3 {
			finish(t, l, start(t, l, schema.SyncRun))
		}
		runs, err := l.Runs(t.Context(), 2)
		if err != nil || len(runs) != 2 || runs[0].ID != 3 || runs[1].ID != 2 {
			t.Errorf("%+v %v", runs, err)
		}
		if runs, err = l.Runs(t.Context(), 0); err != nil || len(runs) != 3 {
			t.Errorf("%+v %v", runs, err)
		}
	})
	t.Run("OneThatIsNotThereIsNotFound", func(t *testing.T) {
		if _, err := fresh(t).Run(t.Context(), 7); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
	t.Run("OneWhoseProcessDiedIsInterruptedByTheNext", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		dead := start(t, l, schema.SyncRun)
		commit(t, l, group(dead, entry("a", -1, schema.Posted)))
		next := start(t, open(t, path), schema.SyncRun)
		got, err := l.Run(t.Context(), dead.ID)
		if err != nil || got.Status != schema.Interrupted || got.Error == "" || !got.FinishedAt.IsZero() {
			t.Errorf("%+v %v", got, err)
		}
		if got, err := l.Run(t.Context(), next.ID); err != nil || got.Status != schema.Running {
			t.Errorf("%+v %v", got, err)
		}
		if len(entries(t, l, dead.ID)) != 1 {
			t.Error("what it had stored is gone")
		}
		verify(t, l)
	})
	t.Run("TheClockFinishesARunThatDoesNotSayWhen", func(t *testing.T) {
		l := fresh(t)
		if run := finish(t, l, start(t, l, schema.SyncRun)); !run.FinishedAt.Equal(now) {
			t.Errorf("%v", run.FinishedAt)
		}
	})
}

func TestIterators(t *testing.T) {
	t.Run("RunBesideOneAnotherAndBesideAWriter", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		commit(t, l, group(run, entry("a", -1, schema.Posted), entry("b", -2, schema.Posted)))
		n := 0
		for e, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			commit(t, l, group(run, entry("late-"+e.ExternalID, -3, schema.Posted)))
			for _, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
		}
		if n != 3+4 {
			t.Errorf("the inner loops read %d entries; the outer one must go on with what there was when it began", n)
		}
	})
	t.Run("GiveTheirConnectionBackWhenLeftEarly", func(t *testing.T) {
		l := fresh(t)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted), entry("b", -2, schema.Posted)))
		for range 100 {
			for _, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	})
	t.Run("EndWithAnErrorWhenTheContextIsDone", func(t *testing.T) {
		l := fresh(t)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted)))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var errs []error
		for _, err := range l.View(0).Entries.Entries(ctx, schema.EntryFilter{}) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("%v", errs)
		}
	})
}
