package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// editing stands between the product and BILL's transactions: it changes rows of lists, and rows that were asked for by id. A
// row that change calls gone is left out, and unknown by its id.
type editing struct {
	change func(row map[string]any) (gone bool)
}

func (e *editing) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.change == nil || !strings.HasPrefix(r.URL.Path, "/bill/connect/v3/spend/transactions") {
			world.ServeHTTP(w, r)
			return
		}
		r.Header.Set("Accept-Encoding", "identity")
		recorded := httptest.NewRecorder()
		world.ServeHTTP(recorded, r)
		var body map[string]any
		d := json.NewDecoder(recorded.Body)
		d.UseNumber()
		if recorded.Code != http.StatusOK || d.Decode(&body) != nil {
			w.WriteHeader(recorded.Code)
			return
		}
		if rows, ok := body["results"].([]any); ok {
			body["results"] = slices.DeleteFunc(rows, func(row any) bool { return e.change(row.(map[string]any)) })
		} else if e.change(body) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body) // the client sees a broken answer where it fails
	})
}

// lived makes a site whose ledger has rows in every table that is chained: nights, decisions, imports, records that were
// refused, fields that nobody knows, an entry that vanished.
func lived(t *testing.T) *site {
	t.Helper()
	e := &editing{}
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 24, Transactions: 150}, e.wrap)
	s.mustNow(t, "nightly")
	proposal := ""
	for id, f := range s.findings(t) {
		if f.Reason == schema.NoProviderTopUp && f.EntryID != "" {
			proposal = id
		}
	}
	s.mustNow(t, "findings", "confirm", proposal, "--by", "ann", "--note", "the same")
	s.mustNow(t, "findings", "accept", "--code", "limit-breach", "--by", "ann", "--reason", "known", "--yes")
	s.mustNow(t, "fundings", "import", s.extraFunding(t))
	s.mustNow(t, "findings", "refuse", proposal, "--by", "bob", "--note", "not the same")
	part := map[string]int{} // of a row, by its id
	for night := range 2 {
		if err := s.world.Advance(26 * time.Hour); err != nil {
			t.Fatal(err)
		}
		e.change = func(row map[string]any) bool {
			id, age := fmt.Sprint(row["uuid"]), time.Duration(0)
			if at, err := time.Parse("2006-01-02T15:04:05.000Z07:00", fmt.Sprint(row["occurredTime"])); err == nil {
				age = s.world.Now().Sub(at)
			}
			if part[id] == 0 && row["transactionType"] == "CLEAR" && age > 3*24*time.Hour && age < 20*24*time.Hour && len(part) < 3*(night+1) {
				part[id] = 1 + len(part)%3
			}
			switch part[id] {
			case 1:
				row["amount"] = "1.0055"
			case 2:
				row["nobodyKnows"] = true
			}
			return part[id] == 3
		}
		s.mustNow(t, "sync")
		s.mustNow(t, "reconcile")
		s.mustNow(t, "report", "--from", "2026-08-01", "--to", "2026-08-31")
	}
	return s
}

// tamperer changes copies of a ledger.
type tamperer struct {
	file []byte
	root string
	*rand.Rand
}

// problem is what verify says of a copy after some statements.
func (x *tamperer) problem(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	if err := os.WriteFile(path, x.file, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		done, err := db.ExecContext(t.Context(), statement)
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			t.Fatalf("%s: %d rows, %v", statement, n, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Path: path, ReadOnly: true, Now: func() time.Time { return testNow }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	v, err := l.Verify(t.Context(), x.root)
	if err != nil {
		t.Fatal(err)
	}
	return v.Problem
}

// TestVerify_SeesEveryChangeByHand changes, in copies of a ledger that has lived, one row of every table and column, takes
// rows out, puts rows in and swaps their ids. Not chained are checkpoints, which are gone when a walk has ended, and the
// numbers of the migrations.
func TestVerify_SeesEveryChangeByHand(t *testing.T) {
	s := lived(t)
	path := filepath.Join(s.dir, "tieout.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	texts := func(query string, args ...any) (all []string) {
		t.Helper()
		rows, err := db.QueryContext(t.Context(), query, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, index := range texts(`SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`) {
		if _, err := db.ExecContext(t.Context(), "DROP INDEX "+index); err != nil { // whoever forges is not kept by them
			t.Fatal(err)
		}
	}
	tables := texts(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version' ORDER BY name`)
	ids, columns, kinds := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, table := range tables {
		ids[table] = texts(`SELECT CAST(rowid AS TEXT) FROM ` + table + ` ORDER BY rowid`)
		columns[table] = texts(`SELECT name FROM pragma_table_info(?) ORDER BY cid`, table)
		kinds[table] = texts(`SELECT type FROM pragma_table_info(?) ORDER BY cid`, table)
	}
	if _, err := db.ExecContext(t.Context(), `PRAGMA journal_mode(DELETE)`); err != nil { // one file from here on
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x := &tamperer{file: file, Rand: rand.New(rand.NewPCG(1, 1))}
	x.root = strings.TrimSpace(s.must(t, "verify")[strings.Index(s.must(t, "verify"), "root ")+5:])
	if problem := x.problem(t); problem != "" {
		t.Fatalf("untouched: %s", problem)
	}
	for _, table := range tables {
		if strings.HasPrefix(table, "checkpoint") {
			if len(ids[table]) != 0 {
				t.Errorf("%s has %d rows after walks that ended", table, len(ids[table]))
			}
			continue
		}
		if len(ids[table]) < 2 {
			t.Errorf("%s has %d rows: too few for this test", table, len(ids[table]))
			continue
		}
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			x := &tamperer{file: x.file, root: x.root, Rand: rand.New(rand.NewPCG(2, uint64(len(table))))}
			some := func() string { return ids[table][x.IntN(len(ids[table]))] }
			seen := func(how string, statements ...string) {
				t.Helper()
				if x.problem(t, statements...) == "" {
					t.Errorf("%s was not seen: %s", how, strings.Join(statements, "; "))
				}
			}
			for i, column := range columns[table] {
				change := map[string]string{
					"TEXT": column + ` || 'x'`, "INTEGER": `COALESCE(` + column + `, 0) + 1`, "BLOB": `CAST(` + column + ` || 'x' AS BLOB)`,
				}[kinds[table][i]]
				if column == "id" || column == "seq" {
					change = column + ` + 1000000`
				}
				seen("another "+column, fmt.Sprintf(`UPDATE %s SET %s = %s WHERE rowid = %s`, table, column, change, some()))
			}
			seen("a row less", fmt.Sprintf(`DELETE FROM %s WHERE rowid = %s`, table, some()))
			seen("no row", `DELETE FROM `+table)
			rest := strings.Join(columns[table][1:], ", ")
			if table != "fundings" { // its funding_id is unique by the table itself
				seen("a row twice", fmt.Sprintf(`INSERT INTO %s (%s, %s) SELECT (SELECT MAX(rowid) + 1 FROM %s), %s FROM %s WHERE rowid = %s`,
					table, columns[table][0], rest, table, rest, table, some()))
			}
			a, b := some(), some()
			for b == a {
				b = some()
			}
			id := columns[table][0]
			seen("two rows with each other's id", fmt.Sprintf(`UPDATE %s SET %s = -1 WHERE %s = %s`, table, id, id, a),
				fmt.Sprintf(`UPDATE %s SET %s = %s WHERE %s = %s`, table, id, a, id, b), fmt.Sprintf(`UPDATE %s SET %s = %s WHERE %s = -1`, table, id, b, id))
		})
	}
}

// TestVerify_NamesTheRowThatWasChanged runs the command over a ledger in which one amount was changed by hand.
func TestVerify_NamesTheRowThatWasChanged(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 100}, nil)
	s.must(t, "sync")
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "tieout.db"))
	if err != nil {
		t.Fatal(err)
	}
	var id string
	if err := db.QueryRowContext(t.Context(), `UPDATE entries SET amount_minor = amount_minor + 1 WHERE rowid = 17 RETURNING external_id`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := s.run(t, "verify")
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "entries row 17 ") || !strings.Contains(stderr, id) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	if code, _, _ := s.run(t, "backup", filepath.Join(s.dir, "backup.db")); code != exitFailed {
		t.Errorf("it was backed up with exit %d", code)
	}
}
