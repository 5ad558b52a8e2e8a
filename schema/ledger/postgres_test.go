package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// TestPostgres is what a ledger in PostgreSQL does beside what every ledger does. It is part of TestOnPostgres.
func TestPostgres(t *testing.T) {
	if !*ledger.OnPostgres {
		t.Skip("TestOnPostgres does this")
	}
	at := func(path string) ledger.Config {
		return ledger.Config{Path: path, Now: func() time.Time { return now }}
	}
	t.Run("HasTheRowsAndTheRootOfSQLite", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		fillAll(t, l)
		file, root := populate(t)
		if got := mustRoot(t, l); got != root {
			t.Errorf("root %s, in SQLite %s", got, root)
		}
		for table, columns := range chained(t, file) {
			if rows, want := rowsOf(t, path, table, columns), rowsOf(t, written(t, file), table, columns); rows != want || want == "" {
				t.Errorf("%s:\n%s\nin SQLite:\n%s", table, rows, want)
			}
		}
	})
	t.Run("SeesARowThatWasChanged", func(t *testing.T) {
		file, _ := populate(t)
		path := ledger.NewPath(t)
		l := open(t, path)
		fillAll(t, l)
		for table, columns := range chained(t, file) {
			for _, c := range columns {
				var change, back string
				switch {
				case c.name == "id" || c.name == "seq" || c.name == "closed_seq" || c.name == "commit_seq" || table == "commits":
					continue // their keys and references are watched by the tests in a file
				case c.kind == "TEXT":
					change, back = fmt.Sprintf(`UPDATE %s SET %s = %s || 'x' WHERE id = 1`, table, c.name, c.name), fmt.Sprintf(`UPDATE %s SET %s = LEFT(%s, -1) WHERE id = 1`, table, c.name, c.name)
				case c.kind == "BLOB":
					change = fmt.Sprintf(`UPDATE %s SET %s = SET_BYTE(%s, 0, GET_BYTE(%s, 0) # 1) WHERE id = 1`, table, c.name, c.name, c.name)
					back = change
				default:
					change, back = fmt.Sprintf(`UPDATE %s SET %s = COALESCE(%s + 1, -42)`, table, c.name, c.name), fmt.Sprintf(`UPDATE %s SET %s = NULLIF(%s, -42) - 1`, table, c.name, c.name)
				}
				raw(t, path, change)
				if v, err := l.Verify(t.Context(), ""); err == nil && v.Problem == "" {
					t.Errorf("%s.%s was changed, and nobody saw it", table, c.name)
				}
				raw(t, path, back)
			}
		}
		verify(t, l)
	})
	t.Run("IsMadeOnceByManyAtOnce", func(t *testing.T) {
		path := ledger.NewPath(t)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				l, err := ledger.Open(t.Context(), at(path))
				if err != nil {
					t.Error(err)
					return
				}
				closing(t, l)
			})
		}
		all.Wait()
		verify(t, open(t, path))
	})
	t.Run("IsOneChainForManyThatWrite", func(t *testing.T) {
		path := ledger.NewPath(t)
		first := open(t, path)
		run := start(t, first, schema.SyncRun)
		var all sync.WaitGroup
		for worker := range 4 {
			l := open(t, path)
			all.Go(func() {
				for i := range 10 {
					if _, err := l.Commit(t.Context(), group(run, entry(fmt.Sprintf("%d-%d", worker, i), 1, schema.Posted))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		verify(t, first)
		if n := rowsStored(t, path)["commits"]; n != 41 {
			t.Errorf("%d commits", n)
		}
	})
	t.Run("HasOneOwner", func(t *testing.T) {
		path, other := ledger.NewPath(t), ledger.NewPath(t)
		held, err := ledger.Lock(path, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Lock(path, now); !errors.Is(err, ledger.ErrLocked) || !strings.Contains(err.Error(), "since 2026-08-31T07:00:00Z") {
			t.Errorf("a second owner: %v", err)
		}
		beside, err := ledger.Lock(other, now)
		if err != nil {
			t.Errorf("of another ledger: %v", err)
		}
		if err := errors.Join(held.Unlock(), beside.Unlock()); err != nil {
			t.Fatal(err)
		}
		again, err := ledger.Lock(path, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Unlock(); err != nil {
			t.Error(err)
		}
	})
	t.Run("HasOneOwnerOrSeveralThatShare", func(t *testing.T) {
		path := ledger.NewPath(t)
		one, err := ledger.LockShared(path, now)
		if err != nil {
			t.Fatal(err)
		}
		two, err := ledger.LockShared(path, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ledger.Lock(path, now); !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("beside those who share: %v", err)
		}
		alone := make(chan *ledger.FileLock)
		go func() {
			held, err := ledger.LockAlone(t.Context(), path, now)
			if err != nil {
				t.Error(err)
			}
			alone <- held
		}()
		for err == nil { // until somebody waits to be alone: nobody comes in before
			var three *ledger.FileLock
			if three, err = ledger.LockShared(path, now); err == nil {
				err = three.Unlock()
			}
		}
		if !errors.Is(err, ledger.ErrLocked) {
			t.Error(err)
		}
		if err := errors.Join(one.Unlock(), two.Unlock()); err != nil {
			t.Fatal(err)
		}
		held := <-alone
		if _, err := ledger.LockShared(path, now); !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("beside the one: %v", err)
		}
		if err := held.Unlock(); err != nil {
			t.Error(err)
		}
	})
	t.Run("NeedsNoMoreRightsThanTheReadmeLists", func(t *testing.T) {
		path := ledger.NewPath(t)
		as := func(role string) string { return strings.Replace(path, "//postgres@", "//"+role+"@", 1) }
		raw(t, path, `CREATE ROLE tieout_writer LOGIN`, `CREATE ROLE tieout_auditor LOGIN`)
		if _, err := ledger.Open(t.Context(), at(as("tieout_writer"))); err == nil {
			t.Error("a role without any right made a ledger")
		}
		open(t, path) // its owner makes it
		raw(t, path, strings.NewReplacer("SCHEMA books", "SCHEMA "+schemaOf(path), "path = books", "path = "+schemaOf(path)).Replace(readmeGrants(t)))
		l := open(t, as("tieout_writer"))
		fillAll(t, l)
		held, err := ledger.Lock(as("tieout_writer"), now)
		if err != nil {
			t.Fatal(err)
		}
		closing(t, closer(held.Unlock))
		for _, change := range []string{
			`UPDATE entries SET amount_minor = 0`, `DELETE FROM entries`, `TRUNCATE records`, `UPDATE commits SET root = ''`, `DROP TABLE entries`, `UPDATE run_events SET status = ''`,
		} {
			db := ledger.Raw(t, as("tieout_writer"))
			if _, err := db.ExecContext(t.Context(), change); err == nil {
				t.Errorf("whoever writes may %s", change)
			}
			closing(t, db)
		}
		reader := at(as("tieout_auditor"))
		whole, err := ledger.Open(t.Context(), reader)
		if err != nil {
			t.Fatalf("a ledger as it should be needs no right to be opened: %v", err)
		}
		closing(t, whole)
		reader.ReadOnly = true
		r, err := ledger.Open(t.Context(), reader)
		if err != nil {
			t.Fatal(err)
		}
		verify(t, r)
		closing(t, r)
	})
	t.Run("NeverShowsAPassword", func(t *testing.T) {
		for _, path := range []string{
			"postgres://ann:geheim@127.0.0.1:1/tieout?sslmode=disable", "postgres://ann:geheim@127.0.0.1:1/tieout?sslmode=geheim",
			"postgres://ann:geheim%zz@127.0.0.1:1/tieout", "postgresql://127.0.0.1:1/tieout?user=ann&password=geheim",
		} {
			_, err := ledger.Open(t.Context(), at(path))
			_, locked := ledger.Lock(path, now)
			if err == nil || locked == nil || strings.Contains(err.Error()+locked.Error()+ledger.Name(path), "geheim") {
				t.Errorf("%v\n%v\n%s", err, locked, ledger.Name(path))
			}
		}
	})
	t.Run("RefusesWhatItDoesNotDo", func(t *testing.T) {
		path := ledger.NewPath(t)
		if _, err := open(t, path).Backup(t.Context(), "x"); !errors.Is(err, ledger.ErrPostgres) {
			t.Errorf("backup: %v", err)
		}
		if _, err := ledger.Restore(t.Context(), at(path), "x", true); !errors.Is(err, ledger.ErrPostgres) {
			t.Errorf("restore: %v", err)
		}
	})
	t.Run("RefusesTheTablesOfAnotherProgram", func(t *testing.T) {
		path := ledger.NewPath(t)
		raw(t, path, `CREATE TABLE goose_db_version (id INT, version_id BIGINT, is_applied BOOLEAN)`, `INSERT INTO goose_db_version VALUES (1, 7, true)`)
		if _, err := ledger.Open(t.Context(), at(path)); !errors.Is(err, ledger.ErrForeign) {
			t.Error(err)
		}
	})
}

// readmeGrants are the statements that the README lists.
func readmeGrants(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```sql\n")
	grants, _, found := strings.Cut(after, "```")
	if !found || !strings.Contains(grants, "GRANT") {
		t.Fatal("the README lists none")
	}
	return grants
}

func schemaOf(path string) string {
	_, name, _ := strings.Cut(path, "search_path=")
	return name
}

type closer func() error

func (c closer) Close() error { return c() }

// written is a file with these contents.
func written(t *testing.T, contents []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rowsOf prints the rows of a table in order.
func rowsOf(t *testing.T, path, table string, columns []column) string {
	t.Helper()
	db := ledger.Raw(t, path)
	defer closing(t, db)
	var names []string
	for _, c := range columns {
		names = append(names, c.name)
	}
	key := "id"
	if table == "commits" {
		key = "seq"
	}
	rows, err := db.QueryxContext(t.Context(), "SELECT "+strings.Join(names, ", ")+" FROM "+table+" ORDER BY "+key)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%v\n", values)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
