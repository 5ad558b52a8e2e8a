package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tieout/tieout/schema/ledger"
)

// spellings are a folder, and paths that all mean the file tieout.db in its folder "books".
func spellings(t *testing.T) (real string, all map[string]string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Mkdir("books", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{
		"absolute.db": filepath.Join(dir, "books", "tieout.db"), "relative.db": filepath.Join("books", "tieout.db"), "again.db": "relative.db",
		"folder": "books", filepath.Join("books", "beside.db"): "tieout.db",
	} {
		if err := os.Symlink(to, name); err != nil {
			t.Skipf("links cannot be made here: %v", err)
		}
	}
	return filepath.Join(dir, "books", "tieout.db"), map[string]string{
		"Absolute":               filepath.Join(dir, "books", "tieout.db"),
		"Relative":               "books/tieout.db",
		"WithDots":               "./books/../books/./tieout.db",
		"ThroughALink":           "absolute.db",
		"ThroughARelativeLink":   "relative.db",
		"ThroughALinkToALink":    "again.db",
		"ThroughALinkedFolder":   "folder/tieout.db",
		"ThroughALinkBesideIt":   "folder/beside.db",
		"ThroughAnAbsoluteLink":  filepath.Join(dir, "absolute.db"),
		"ThroughAFolderAndALink": filepath.Join(dir, "folder", "beside.db"),
	}
}

func TestRealPath(t *testing.T) {
	real, all := spellings(t)
	look := func(t *testing.T) {
		t.Helper()
		for name, path := range all {
			if got, err := ledger.RealPath(path); err != nil || got != real {
				t.Errorf("%s: %s is %s, %v", name, path, got, err)
			}
		}
	}
	t.Run("OfWhatIsNotThereYet", look)
	t.Run("OfAFile", func(t *testing.T) {
		if err := os.WriteFile(real, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		look(t)
	})
	t.Run("InFoldersThatAreNotThereYet", func(t *testing.T) {
		want := filepath.Join(filepath.Dir(real), "a", "b", "c.db")
		if got, err := ledger.RealPath("folder/a/b/c.db"); err != nil || got != want {
			t.Errorf("%s %v", got, err)
		}
	})
	t.Run("OfLinksInACircleIsNone", func(t *testing.T) {
		if err := errors.Join(os.Symlink("two.db", "one.db"), os.Symlink("one.db", "two.db")); err != nil {
			t.Fatal(err)
		}
		if got, err := ledger.RealPath("one.db"); err == nil {
			t.Error(got)
		}
	})
}

// A ledger that two processes spell differently must not be written to by both.
func TestLock_IsOneHoweverThePathIsSpelled(t *testing.T) {
	real, all := spellings(t)
	for _, made := range []bool{false, true} {
		if made {
			closing(t, filled(t, all["ThroughALink"], 1))
			if _, err := os.Lstat(real); err != nil {
				t.Fatal(err)
			}
		}
		for first, path := range all {
			lock, err := ledger.Lock(path, now)
			if err != nil {
				t.Fatal(err)
			}
			for second, path := range all {
				if other, err := ledger.Lock(path, now); !errors.Is(err, ledger.ErrLocked) {
					t.Fatalf("%s and %s both locked %v (made: %v): %v", first, second, other, made, err)
				}
			}
			if err := lock.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOpen_ThroughALinkKeepsTheLink(t *testing.T) {
	real, all := spellings(t)
	path := all["ThroughALink"]
	l := filled(t, path, 1)
	good := backup(t, l)
	addRuns(t, l, 1)
	closing(t, l)
	r, err := ledger.Restore(t.Context(), config(path), good, true)
	if err != nil || filepath.Dir(r.Aside) != filepath.Dir(real) {
		t.Fatalf("%+v %v", r, err)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	if rootOf(t, real) != r.Root {
		t.Error("what the link leads to was not replaced")
	}
}
