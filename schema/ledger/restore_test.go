package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/migrations"
)

// child names what a process that a test starts is to do: restore, or backup; the ledger; the backup; how many steps it lives;
// and whether links can be made.
const child = "LEDGER_CHILD"

// beChild does what a test started this process for, and ends it in the middle of that, as kill -9 does.
func beChild(words string) {
	w := strings.Split(words, "|")
	steps, _ := strconv.Atoi(w[3])
	c := config(w[1])
	var link func(string, string) error
	if w[4] != "links" {
		link = noLinks
	}
	c = ledger.OnDisk(c, link, func(string) {
		if steps--; steps < 0 {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {}
		}
	})
	ctx := context.Background()
	var err error
	switch w[0] {
	case "restore":
		_, err = ledger.Restore(ctx, c, w[2], true)
	case "backup":
		c.ReadOnly = true
		var l *ledger.Ledger
		if l, err = ledger.Open(ctx, c); err == nil {
			_, err = l.Backup(ctx, w[2])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func noLinks(from, to string) error {
	return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
}

// killed starts a process that does something, and says whether it was killed before it was done.
func killed(t *testing.T, do, path, backup string, steps int, links string) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test
	cmd.Env = append(os.Environ(), child+"="+strings.Join([]string{do, path, backup, strconv.Itoa(steps), links}, "|"))
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() == 0 {
		return false
	}
	if cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("%s with %d steps: %v\n%s", do, steps, err, out)
	}
	return true
}

// copyTo copies what is beside a ledger, and the ledger, to another folder.
func copyTo(t *testing.T, path string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(path))
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// asides are the ledgers that restores kept.
func asides(t *testing.T, path string) (all []string) {
	t.Helper()
	for name := range strings.FieldsSeq(files(t, filepath.Dir(path))) {
		if strings.Contains(name, ".before-restore-") {
			all = append(all, filepath.Join(filepath.Dir(path), name))
		}
	}
	return all
}

// TestRestore_KilledBetweenAnyTwoSteps kills the process that restores at each step. The ledger that opens is wholly the old one,
// with what was only in its log, or wholly the new one, and the old one is kept then. The next restore comes to its end and
// leaves nothing of the first behind.
func TestRestore_KilledBetweenAnyTwoSteps(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	if runtime.GOOS == "windows" {
		t.Skip("there is no kill -9 on Windows")
	}
	lost, good, old := killedOwner(t)
	renewed := rootOf(t, good)
	for _, links := range []string{"links", "none"} {
		t.Run(links, func(t *testing.T) {
			seen := map[string]int{}
			steps := 0
			for ; ; steps++ {
				path := copyTo(t, lost)
				more := killed(t, "restore", path, good, steps, links)
				root := rootOf(t, path)
				seen[root]++
				switch {
				case root != old && root != renewed:
					t.Fatalf("step %d: the root is %s, of neither", steps, root)
				case root == renewed && (len(asides(t, path)) != 1 || rootOf(t, asides(t, path)[0]) != old):
					t.Fatalf("step %d: the old ledger is not kept: %s", steps, files(t, filepath.Dir(path)))
				case !more && root != renewed:
					t.Fatalf("it ended, and the old ledger is in place")
				}
				next, err := ledger.Open(t.Context(), config(path)) // the night after
				if err != nil {
					t.Fatalf("step %d: %v", steps, err)
				}
				verify(t, next)
				closing(t, next)
				if r, err := ledger.Restore(t.Context(), config(path), good, true); err != nil || r.Root != renewed {
					t.Fatalf("step %d: once more: %+v, %v", steps, r, err)
				}
				if got := files(t, filepath.Dir(path)); strings.Contains(got, ".tieout-") || strings.Contains(got, "-wal") {
					t.Errorf("step %d: left behind: %s", steps, got)
				}
				kept := 0
				for _, aside := range asides(t, path) {
					if rootOf(t, aside) == old {
						kept++
					}
				}
				if kept != 1 && (links == "links" || kept != 2) { // a copy, once made, is whole and stays
					t.Errorf("step %d: the old ledger is kept %d times: %s", steps, kept, files(t, filepath.Dir(path)))
				}
				if !more {
					break
				}
			}
			if seen[old] < 6 || seen[renewed] < 3 {
				t.Errorf("of %d steps, %d left the old ledger and %d the new one", steps, seen[old], seen[renewed])
			}
		})
	}
}

// TestRestore_OverADamagedLedgerKilledBetweenAnyTwoSteps has a log beside a ledger that cannot be read. It must not be applied to
// the backup, and must be kept with its ledger.
func TestRestore_OverADamagedLedgerKilledBetweenAnyTwoSteps(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	if runtime.GOOS == "windows" {
		t.Skip("there is no kill -9 on Windows")
	}
	lost, good, _ := killedOwner(t)
	log := string(read(t, lost+"-wal"))
	if err := os.WriteFile(lost, []byte(strings.Repeat("no database ", 400)), 0o600); err != nil {
		t.Fatal(err)
	}
	renewed, was := rootOf(t, good), string(read(t, lost))
	for steps := 0; ; steps++ {
		path := copyTo(t, lost)
		more := killed(t, "restore", path, good, steps, "links")
		inPlace := string(read(t, path)) == was
		if !inPlace && rootOf(t, path) != renewed {
			t.Fatalf("step %d: neither of the two is in place", steps)
		}
		if log2, err := os.ReadFile(path + "-wal"); !inPlace && len(log2) > 0 {
			t.Fatalf("step %d: the old log (%v) is beside the new ledger", steps, err)
		}
		var whole, logs int
		for _, name := range append(asides(t, path), path, path+"-wal") {
			switch text, err := os.ReadFile(name); {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				t.Fatal(err)
			case string(text) == was:
				whole++
			case string(text) == log:
				logs++
			}
		}
		if whole == 0 || logs == 0 {
			t.Fatalf("step %d: the damaged ledger or its log is lost: %s", steps, files(t, filepath.Dir(path)))
		}
		if r, err := ledger.Restore(t.Context(), config(path), good, true); err != nil || r.Root != renewed {
			t.Fatalf("step %d: once more: %+v, %v", steps, r, err)
		}
		verify(t, open(t, path))
		if !more {
			break
		}
	}
}

// TestBackup_KilledBetweenAnyTwoSteps: what appears under the name of the backup is whole, and the next backup removes what was
// left, and nothing else.
func TestBackup_KilledBetweenAnyTwoSteps(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	if runtime.GOOS == "windows" {
		t.Skip("there is no kill -9 on Windows")
	}
	l := fresh(t)
	addRuns(t, l, 1)
	hiddenSeen := false
	for steps := 0; ; steps++ {
		dir := t.TempDir()
		to := filepath.Join(dir, "backup.db")
		// Of another backup, of a process that lives (this one's parent), and of nobody known.
		others := []string{".other.db.tieout-1-2", fmt.Sprintf(".backup.db.tieout-%d-7", os.Getppid()), ".backup.db.tieout-x", ".backup.db.12345"}
		for _, name := range others {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		more := killed(t, "backup", l.Path(), to, steps, "links")
		if _, err := os.Stat(to); err == nil && rootOf(t, to) != mustRoot(t, l) {
			t.Fatalf("step %d: a backup that is not whole", steps)
		} else if err == nil {
			err = os.Remove(to)
			if err != nil {
				t.Fatal(err)
			}
		}
		hiddenSeen = hiddenSeen || len(strings.Fields(files(t, dir))) > len(others)
		if _, err := l.Backup(t.Context(), to); err != nil {
			t.Fatalf("step %d: once more: %v", steps, err)
		}
		left := strings.Fields(files(t, dir))
		if len(left) != len(others)+1 {
			t.Errorf("step %d: beside the backup: %s", steps, left)
		}
		for _, name := range others {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("step %d: %v", steps, err)
			}
		}
		if !more {
			break
		}
	}
	if !hiddenSeen {
		t.Error("no kill left anything behind")
	}
}

// TestBackup_ToANameInTheWorkingFolder looks that the copy is made there, and not on another disk.
func TestBackup_ToANameInTheWorkingFolder(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	l := fresh(t)
	addRuns(t, l, 1)
	dir := t.TempDir()
	t.Chdir(dir)
	during := ""
	c := config(l.Path())
	c.ReadOnly = true
	c = ledger.OnDisk(c, nil, func(step string) {
		if step == "link" {
			during = files(t, dir)
		}
	})
	reader, err := ledger.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, reader)
	if _, err := reader.Backup(t.Context(), "backup.db"); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(during, ".backup.db.tieout-") || files(t, dir) != "backup.db" {
		t.Errorf("%q, then %q", during, files(t, dir))
	}
}

// TestBackup_WhereLinksCannotBeMade is FAT, and some shares.
func TestBackup_WhereLinksCannotBeMade(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	for name, cause := range map[string]error{"EPERM": syscall.EPERM, "ENOTSUP": syscall.ENOTSUP, "ENOSYS": syscall.ENOSYS} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tieout.db")
			closing(t, filled(t, path, 2))
			to := filepath.Join(t.TempDir(), "backup.db")
			before := func(string) {}
			c := ledger.OnDisk(config(path), func(from, to string) error { return &os.LinkError{Op: "link", Old: from, New: to, Err: cause} }, func(step string) { before(step) })
			l, err := ledger.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			defer closing(t, l)
			if v, err := l.Backup(t.Context(), to); err != nil || v.Root != rootOf(t, to) {
				t.Fatalf("%+v %v", v, err)
			}
			if info, err := os.Stat(to); err != nil || info.Mode() != 0o600 || files(t, filepath.Dir(to)) != "backup.db" {
				t.Errorf("%v %v, beside %s", info.Mode(), err, files(t, filepath.Dir(to)))
			}
			if _, err := l.Backup(t.Context(), to); !errors.Is(err, ledger.ErrExists) {
				t.Error(err)
			}
			// Somebody else takes the name while the copy is made.
			raced := filepath.Join(t.TempDir(), "backup.db")
			before = func(step string) {
				if step == "link" {
					if err := os.WriteFile(raced, []byte("theirs"), 0o600); err != nil {
						t.Error(err)
					}
				}
			}
			if _, err := l.Backup(t.Context(), raced); !errors.Is(err, ledger.ErrExists) || string(read(t, raced)) != "theirs" || files(t, filepath.Dir(raced)) != "backup.db" {
				t.Errorf("%v, beside %s", err, files(t, filepath.Dir(raced)))
			}
		})
	}
}

// nextVersion are migrations of a version of the program that does not exist yet.
func nextVersion(t *testing.T, second string) fs.FS {
	t.Helper()
	all, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	first, err := fs.ReadFile(all, "00001_ledger.sql")
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{"00001_ledger.sql": {Data: first}, "00002_next.sql": {Data: []byte("-- +goose Up\n" + second)}}
}

// TestRestore_OfAnOlderVersion restores what was made before the program was upgraded, which includes the copy that it makes of a
// ledger before it upgrades that.
func TestRestore_OfAnOlderVersion(t *testing.T) {
	ledger.SQLiteOnly(t, "backups of its own")
	newer := func(t *testing.T, path string) ledger.Config {
		t.Helper()
		c := config(path)
		c.Migrations = nextVersion(t, "CREATE TABLE next (id INTEGER PRIMARY KEY);")
		return c
	}
	t.Run("ThatTheUpgradeMade", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 2)
		root := mustRoot(t, l)
		closing(t, l)
		l, err := ledger.Open(t.Context(), newer(t, path)) // the upgrade
		if err != nil {
			t.Fatal(err)
		}
		addRuns(t, l, 1)
		closing(t, l)
		older := path + ".version-1"
		before := read(t, older)
		if _, err := ledger.Restore(t.Context(), newer(t, path), older, false); !errors.Is(err, ledger.ErrWouldLose) || !strings.Contains(err.Error(), "runs up to 3, and the backup up to 2") {
			t.Error(err)
		}
		r, err := ledger.Restore(t.Context(), newer(t, path), older, true)
		if err != nil || r.Upgraded != 1 || r.Root != root || r.Runs != 2 || r.Totals[0].Counted.String() != "-3" {
			t.Fatalf("%+v %v", r, err)
		}
		if string(read(t, older)) != string(before) {
			t.Error("the backup was changed")
		}
		c := newer(t, path)
		c.ReadOnly = true // so that it is not upgraded now
		again, err := ledger.Open(t.Context(), c)
		if err != nil || mustRoot(t, again) != root {
			t.Fatal(err)
		}
		closing(t, again)
		if got := files(t, filepath.Dir(path)); strings.Contains(got, ".tieout-") || strings.Count(got, "version-1") != 1 {
			t.Errorf("left behind: %s", got)
		}
	})
	t.Run("OverALedgerThatIsNotUpgradedYet", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 1)
		good := backup(t, l)
		closing(t, l)
		if r, err := ledger.Restore(t.Context(), newer(t, path), good, false); err != nil || r.Upgraded != 1 {
			t.Errorf("%+v %v", r, err)
		}
	})
	t.Run("ThatDoesNotHoldIsRefused", func(t *testing.T) {
		l := filled(t, filepath.Join(t.TempDir(), "tieout.db"), 2)
		bad := backup(t, l)
		raw(t, bad, `UPDATE entries SET amount_minor = 1 WHERE external_id = 'e2'`)
		path := filepath.Join(t.TempDir(), "tieout.db")
		if _, err := ledger.Restore(t.Context(), newer(t, path), bad, true); err == nil || !strings.Contains(err.Error(), "e2") || files(t, filepath.Dir(path)) != "" {
			t.Errorf("%v, beside %s", err, files(t, filepath.Dir(path)))
		}
	})
	t.Run("ThatCannotBeUpgradedIsRefused", func(t *testing.T) {
		good := backup(t, filled(t, filepath.Join(t.TempDir(), "tieout.db"), 1))
		c := config(filepath.Join(t.TempDir(), "tieout.db"))
		c.Migrations = nextVersion(t, "CREATE TABLE commits (id INTEGER PRIMARY KEY);")
		if _, err := ledger.Restore(t.Context(), c, good, true); err == nil || !strings.Contains(err.Error(), "from version 1") || files(t, filepath.Dir(c.Path)) != "" {
			t.Errorf("%v, beside %s", err, files(t, filepath.Dir(c.Path)))
		}
	})
	t.Run("OfANewerVersionIsRefused", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l, err := ledger.Open(t.Context(), newer(t, path))
		if err != nil {
			t.Fatal(err)
		}
		addRuns(t, l, 1)
		good := backup(t, l)
		closing(t, l)
		to := filepath.Join(t.TempDir(), "tieout.db")
		if _, err := ledger.Restore(t.Context(), config(to), good, true); !errors.Is(err, ledger.ErrNewer) || files(t, filepath.Dir(to)) != "" {
			t.Errorf("%v, beside %s", err, files(t, filepath.Dir(to)))
		}
	})
}
