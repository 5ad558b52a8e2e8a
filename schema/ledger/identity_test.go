package ledger_test

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tieout/tieout/schema/ledger"
)

// TestOpen_OfADatabaseOfAnotherProgram is a path in the configuration that names the wrong file.
func TestOpen_OfADatabaseOfAnotherProgram(t *testing.T) {
	for name, statements := range map[string]string{
		"WithTables":            `CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')`,
		"InWriteAheadMode":      `PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT)`,
		"WithAnID":              `PRAGMA application_id = 252006674; CREATE TABLE bookmarks (url TEXT)`,
		"WithAnIDAndNoTables":   `PRAGMA application_id = 252006674; CREATE TABLE t (a); DROP TABLE t`,
		"WithGoosesMigrations":  `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER); INSERT INTO goose_db_version VALUES (1, 1); CREATE TABLE commits (sha TEXT)`,
		"WithALaterVersionOfIt": `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY, version_id INTEGER); INSERT INTO goose_db_version VALUES (1, 99); CREATE TABLE users (id TEXT)`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "places.db")
			raw(t, path, statements)
			if err := os.Chmod(path, 0o640); err != nil { //nolint:gosec // another program's
				t.Fatal(err)
			}
			before, beside := read(t, path), files(t, dir)
			for _, readOnly := range []bool{false, true} {
				c := config(path)
				c.ReadOnly = readOnly
				if _, err := ledger.Open(t.Context(), c); !errors.Is(err, ledger.ErrForeign) {
					t.Errorf("read only %v: %v", readOnly, err)
				}
				if info, err := os.Stat(path); !bytes.Equal(read(t, path), before) || err != nil || info.Mode() != 0o640 {
					t.Fatalf("read only %v: it was changed (%v, %v)", readOnly, info.Mode(), err)
				}
				if got := files(t, dir); !readOnly && got != beside {
					t.Errorf("beside it are %s, were %s", got, beside)
				}
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestOpen_KnowsALedger(t *testing.T) {
	id := func(path string) (id int) {
		t.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer closing(t, db)
		if err := db.QueryRowContext(t.Context(), `PRAGMA application_id`).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	t.Run("ByItsIDWhichItsBackupHasToo", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 1)
		if copied := backup(t, l); id(path) != 0x7469656f || id(copied) != id(path) { // "tieo"
			t.Errorf("%x, and its backup %x", id(path), id(copied))
		}
	})
	t.Run("OfBeforeThereWereIDsByItsTables", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tieout.db")
		closing(t, filled(t, path, 1))
		raw(t, path, `PRAGMA application_id = 0`)
		verify(t, open(t, path))
	})
	t.Run("WhoseMakerWasKilledBeforeItsTables", func(t *testing.T) {
		made := filepath.Join(t.TempDir(), "tieout.db")
		raw(t, made, `CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL,
			is_applied INTEGER NOT NULL, tstamp TIMESTAMP DEFAULT (datetime('now'))); INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1)`)
		verify(t, open(t, made))
	})
	t.Run("WithAWiderModeAndWhatLiesBesideIt", func(t *testing.T) {
		path, copied := filepath.Join(t.TempDir(), "tieout.db"), filepath.Join(t.TempDir(), "tieout.db")
		l := filled(t, path, 2) // its rows are in the -wal still
		for _, suffix := range []string{"", "-wal"} {
			if err := os.WriteFile(copied+suffix, read(t, path+suffix), 0o644); err != nil { //nolint:gosec // as somebody copied it
				t.Fatal(err)
			}
		}
		again := open(t, copied)
		verify(t, again)
		if mustRoot(t, again) != mustRoot(t, l) {
			t.Error("what was in the log is lost")
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if info, err := os.Stat(copied + suffix); errors.Is(err, fs.ErrNotExist) || info.Mode() != 0o600 {
				t.Errorf("tieout.db%s: %v %v", suffix, info, err)
			}
		}
	})
}
