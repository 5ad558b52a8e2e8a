package ledger

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/migrations"
)

// TestMigrate upgrades a ledger to a version that does not exist yet.
func TestMigrate(t *testing.T) {
	now := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "tieout.db")
	l, err := Open(t.Context(), Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now, Zone: "UTC", Version: "old", Parameters: "{}"}); err != nil {
		t.Fatal(err)
	}
	files, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	first, err := fs.ReadFile(files, "00001_ledger.sql")
	if err != nil {
		t.Fatal(err)
	}
	with := func(second string) fstest.MapFS {
		return fstest.MapFS{"00001_ledger.sql": {Data: first}, "00002_next.sql": {Data: []byte("-- +goose Up\n" + second)}}
	}
	copied := path + ".version-1"
	t.Run("WithoutAnythingToDoCopiesNothing", func(t *testing.T) {
		if err := migrate(t.Context(), l.write.DB, path, files); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(copied); err == nil {
			t.Error("it was copied")
		}
	})
	t.Run("ThatFailsLeavesTheLedgerAndItsCopy", func(t *testing.T) {
		if err := migrate(t.Context(), l.write.DB, path, with("CREATE TABLE next (id INTEGER PRIMARY KEY); CREATE TABLE next (id INTEGER);")); err == nil {
			t.Fatal("it was upgraded")
		}
		for _, file := range []string{path, copied} {
			if v, err := verifyFile(t.Context(), Config{Now: l.now}, file); err != nil || v.Commits != 1 {
				t.Errorf("%s: %+v, %v", file, v, err)
			}
		}
	})
	t.Run("CopiesTheLedgerFirst", func(t *testing.T) {
		if err := migrate(t.Context(), l.write.DB, path, with("CREATE TABLE next (id INTEGER PRIMARY KEY);")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.write.ExecContext(t.Context(), "INSERT INTO next VALUES (1)"); err != nil {
			t.Error(err)
		}
		info, err := os.Stat(copied)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v %v", info, err)
		}
		if v, err := verifyFile(t.Context(), Config{Now: l.now}, copied); err != nil || v.Commits != 1 {
			t.Errorf("the copy: %+v, %v", v, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	})
}
