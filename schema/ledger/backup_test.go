package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func config(path string) ledger.Config {
	return ledger.Config{Path: path, Now: func() time.Time { return now }}
}

// filled makes a ledger with a number of runs.
func filled(t *testing.T, path string, runs int) *ledger.Ledger {
	t.Helper()
	l := open(t, path)
	addRuns(t, l, runs)
	return l
}

func addRuns(t *testing.T, l *ledger.Ledger, runs int) {
	t.Helper()
	for range runs {
		run := start(t, l, schema.SyncRun)
		commit(t, l, group(run, entry(fmt.Sprintf("e%d", run.ID), -run.ID, schema.Posted)))
		finish(t, l, run)
	}
}

func backup(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.db")
	if _, err := l.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// killedOwner is a ledger as an owner that was killed left it, with its last run in the -wal only; a backup without that run; and
// the root with it.
func killedOwner(t *testing.T) (path, good, root string) {
	t.Helper()
	l := fresh(t)
	addRuns(t, l, 1)
	good = backup(t, l)
	raw(t, l.Path(), `PRAGMA wal_checkpoint(TRUNCATE)`)
	addRuns(t, l, 1)
	path = filepath.Join(t.TempDir(), "tieout.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(path+suffix, read(t, l.Path()+suffix), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if len(read(t, path+"-wal")) == 0 {
		t.Fatal("there is nothing in the log")
	}
	return path, good, mustRoot(t, l)
}

// files lists a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	items, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(items))
	for _, item := range items {
		names = append(names, item.Name())
	}
	return strings.Join(names, " ")
}

// rootOf opens a ledger that is not open and reads its root.
func rootOf(t *testing.T, path string) string {
	t.Helper()
	c := config(path)
	c.ReadOnly = true
	l, err := ledger.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, l)
	return mustRoot(t, l)
}

func TestBackup(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	t.Run("IsAWholeLedgerInOneFileOfItsOwner", func(t *testing.T) {
		l := filled(t, filepath.Join(t.TempDir(), "tieout.db"), 3)
		path := filepath.Join(t.TempDir(), "backup.db")
		v, err := l.Backup(t.Context(), path)
		if err != nil || v.Problem != "" || v.Runs != 3 || v.Root != mustRoot(t, l) || v.Totals[0].Counted.String() != "-6" {
			t.Fatalf("%+v %v", v, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v %v", info.Mode(), err)
		}
		if got := files(t, filepath.Dir(path)); got != "backup.db" {
			t.Errorf("the folder has %s", got)
		}
		copied := open(t, path)
		same(t, "entries", entries(t, copied, 0), entries(t, l, 0))
		addRuns(t, copied, 1)
		verify(t, copied)
	})
	t.Run("TakesThePlaceOfNoFile", func(t *testing.T) {
		l := filled(t, filepath.Join(t.TempDir(), "tieout.db"), 1)
		path := filepath.Join(t.TempDir(), "notes.txt")
		if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Backup(t.Context(), path); !errors.Is(err, ledger.ErrExists) {
			t.Error(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != "mine" || files(t, filepath.Dir(path)) != "notes.txt" {
			t.Errorf("%q %v, beside %s", text, err, files(t, filepath.Dir(path)))
		}
	})
	t.Run("OfALedgerThatDoesNotHoldIsNone", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 2)
		raw(t, path, `UPDATE entries SET amount_minor = 1 WHERE external_id = 'e2'`)
		to := filepath.Join(t.TempDir(), "backup.db")
		if _, err := l.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), "e2") {
			t.Error(err)
		}
		if got := files(t, filepath.Dir(to)); got != "" {
			t.Errorf("it left %s", got)
		}
	})
	t.Run("ThatIsStoppedLeavesNothing", func(t *testing.T) {
		l := filled(t, filepath.Join(t.TempDir(), "tieout.db"), 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		to := filepath.Join(t.TempDir(), "backup.db")
		if _, err := l.Backup(ctx, to); err == nil || files(t, filepath.Dir(to)) != "" {
			t.Errorf("%v, and it left %s", err, files(t, filepath.Dir(to)))
		}
	})
	t.Run("IsTakenWhileARunIsWriting", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 1)
		c := config(path)
		c.ReadOnly = true
		reader, err := ledger.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer closing(t, reader)
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			run, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now, Parameters: "{}"})
			for n := 0; err == nil; n++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				_, err = l.Commit(t.Context(), group(run, entry(fmt.Sprintf("w%d", n), -1, schema.Posted), entry("changing", int64(-n), schema.Posted)))
			}
			done <- err
		}()
		var last int64
		for n := range 5 {
			to := filepath.Join(t.TempDir(), fmt.Sprint(n))
			v, err := reader.Backup(t.Context(), to)
			if err != nil || v.Commits < last {
				t.Errorf("%+v %v", v, err)
			}
			last = v.Commits
		}
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
		verify(t, l)
	})
}

func TestRestore(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	place := func(t *testing.T) string {
		t.Helper()
		return filepath.Join(t.TempDir(), "tieout.db")
	}
	restore := func(t *testing.T, path, backup string, force bool) ledger.Restored {
		t.Helper()
		r, err := ledger.Restore(t.Context(), config(path), backup, force)
		if err != nil {
			t.Fatal(err)
		}
		if got := rootOf(t, path); got != r.Root {
			t.Errorf("root %s, and %s was said", got, r.Root)
		}
		return r
	}
	t.Run("WhereThereIsNoLedger", func(t *testing.T) {
		l := filled(t, place(t), 2)
		path := place(t)
		r := restore(t, path, backup(t, l), false)
		if r.Root != mustRoot(t, l) || r.Aside != "" || r.Runs != 2 || files(t, filepath.Dir(path)) != "tieout.db" {
			t.Errorf("%+v, beside %s", r, files(t, filepath.Dir(path)))
		}
		again := open(t, path)
		addRuns(t, again, 1)
		verify(t, again)
	})
	t.Run("OverAnEarlierStateOfTheSameLedgerKeepsThatOne", func(t *testing.T) {
		l := filled(t, place(t), 1)
		early := backup(t, l)
		addRuns(t, l, 1)
		root := rootOf(t, early)
		r := restore(t, early, backup(t, l), false)
		if r.Root != mustRoot(t, l) || rootOf(t, r.Aside) != root || filepath.Dir(r.Aside) != filepath.Dir(early) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("OverItselfMendsRowsThatWereChanged", func(t *testing.T) {
		path := place(t)
		l := filled(t, path, 1)
		good := backup(t, l)
		closing(t, l)
		raw(t, path, `UPDATE entries SET amount_minor = 1`)
		restore(t, path, good, false)
		verify(t, open(t, path))
	})
	t.Run("OverALedgerThatKnowsMoreNeedsForce", func(t *testing.T) {
		path := place(t)
		l := filled(t, path, 1)
		good := backup(t, l)
		addRuns(t, l, 2)
		root := mustRoot(t, l)
		_, err := ledger.Restore(t.Context(), config(path), good, false)
		if !errors.Is(err, ledger.ErrWouldLose) || !strings.Contains(err.Error(), "runs up to 3, and the backup up to 1") {
			t.Error(err)
		}
		if mustRoot(t, l) != root || strings.Contains(files(t, filepath.Dir(path)), "before-restore") {
			t.Errorf("something was done all the same: %s", files(t, filepath.Dir(path)))
		}
		closing(t, l)
		first := restore(t, path, good, true)
		if rootOf(t, first.Aside) != root {
			t.Error("the ledger that was there is not what was kept")
		}
		second := restore(t, path, good, true)
		if second.Aside == first.Aside || rootOf(t, first.Aside) != root {
			t.Errorf("%s was kept twice", first.Aside)
		}
	})
	t.Run("OverWhatIsNotWrittenBackYetKeepsIt", func(t *testing.T) {
		path, good, root := killedOwner(t)
		r := restore(t, path, good, true)
		if got := rootOf(t, r.Aside); got != root {
			t.Errorf("kept %s, it was %s", got, root)
		}
		if got := files(t, filepath.Dir(path)); strings.Contains(got, "tieout.db-wal") {
			t.Errorf("a log without its ledger: %s", got)
		}
	})
	t.Run("OverALedgerThatIsOpenIsRefused", func(t *testing.T) {
		path := place(t)
		l := filled(t, path, 1)
		good := backup(t, l)
		addRuns(t, l, 1)
		before := files(t, filepath.Dir(path))
		if _, err := ledger.Restore(t.Context(), config(path), good, true); !errors.Is(err, ledger.ErrInUse) {
			t.Error(err)
		}
		if got := files(t, filepath.Dir(path)); got != before {
			t.Errorf("%s became %s", before, got)
		}
		addRuns(t, l, 1)
		verify(t, l)
	})
	t.Run("WhereOnlyALogIsLeftNeverAppliesIt", func(t *testing.T) {
		path, good, _ := killedOwner(t)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		log := read(t, path+"-wal")
		r := restore(t, path, good, false)
		verify(t, open(t, path))
		kept := path + ".before-restore-20260831T070000Z-wal"
		if r.Aside != "" || r.Root != rootOf(t, good) || string(read(t, kept)) != string(log) {
			t.Errorf("%+v, beside %s", r, files(t, filepath.Dir(path)))
		}
	})
	t.Run("OverTheDatabaseOfAnotherProgramIsNeverDone", func(t *testing.T) {
		path := place(t)
		raw(t, path, `CREATE TABLE bookmarks (url TEXT)`)
		before := read(t, path)
		_, err := ledger.Restore(t.Context(), config(path), backup(t, filled(t, place(t), 1)), true)
		if !errors.Is(err, ledger.ErrForeign) || string(read(t, path)) != string(before) || files(t, filepath.Dir(path)) != "tieout.db" {
			t.Errorf("%v, beside %s", err, files(t, filepath.Dir(path)))
		}
	})
	t.Run("FromTheDatabaseOfAnotherProgramIsNeverDone", func(t *testing.T) {
		other := place(t)
		raw(t, other, `CREATE TABLE bookmarks (url TEXT)`)
		path := place(t)
		if _, err := ledger.Restore(t.Context(), config(path), other, true); !errors.Is(err, ledger.ErrForeign) || files(t, filepath.Dir(path)) != "" {
			t.Errorf("%v, beside %s", err, files(t, filepath.Dir(path)))
		}
	})
	t.Run("OverAnotherLedgerNeedsForce", func(t *testing.T) {
		path := place(t)
		other := filled(t, path, 1)
		commit(t, other, group(start(t, other, schema.SyncRun), entry("x", 1, schema.Posted)))
		if _, err := ledger.Restore(t.Context(), config(path), backup(t, filled(t, place(t), 5)), false); !errors.Is(err, ledger.ErrWouldLose) {
			t.Error(err)
		}
	})
	t.Run("OverWhatCannotBeReadNeedsForceAndKeepsIt", func(t *testing.T) {
		path := place(t)
		good := backup(t, filled(t, place(t), 1))
		if err := os.WriteFile(path, []byte("no database"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Restore(t.Context(), config(path), good, false); !errors.Is(err, ledger.ErrWouldLose) {
			t.Error(err)
		}
		r := restore(t, path, good, true)
		if text, err := os.ReadFile(r.Aside); err != nil || string(text) != "no database" {
			t.Errorf("%q %v", text, err)
		}
	})
	t.Run("OfWhatIsNoGoodBackupLeavesTheLedgerAlone", func(t *testing.T) {
		path := place(t)
		l := filled(t, path, 1)
		root := mustRoot(t, l)
		tampered, cut := backup(t, filled(t, place(t), 3)), backup(t, filled(t, place(t), 3))
		raw(t, tampered, `UPDATE entries SET merchant = 'x' WHERE external_id = 'e3'`)
		if err := os.Truncate(cut, 40_000); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{tampered, cut, filepath.Join(t.TempDir(), "none")} {
			if _, err := ledger.Restore(t.Context(), config(path), bad, true); err == nil || errors.Is(err, ledger.ErrWouldLose) {
				t.Errorf("%s: %v", bad, err)
			}
		}
		if _, err := ledger.Restore(t.Context(), config(path), filepath.Join(t.TempDir(), "none"), true); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if mustRoot(t, l) != root || strings.Contains(files(t, filepath.Dir(path)), "before-restore") {
			t.Errorf("something was done all the same: %s", files(t, filepath.Dir(path)))
		}
	})
}
