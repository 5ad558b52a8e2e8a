package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// populate makes a ledger with several rows in every table, some of them replaced, and returns the file and its root.
func populate(t *testing.T) (file []byte, root string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	l, err := ledger.Open(t.Context(), ledger.Config{Path: path, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	fillAll(t, l)
	root = mustRoot(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, root
}

// fillAll puts several rows into every table, some of them replaced.
func fillAll(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	for night := range 2 {
		run := start(t, l, schema.SyncRun)
		var list []schema.Entry
		for i := range 3 {
			list = append(list, entry(fmt.Sprintf("e%d", i), int64(i+night), schema.Pending), entry(fmt.Sprintf("c%d-%d", i, night), 1, schema.Posted))
		}
		g := group(run, list...)
		for i := range 3 {
			id := fmt.Sprintf("r%d", i)
			bad := rejected(run, record(id, fmt.Sprintf(`{"n":%d}`, night)), "not a number")
			g.Records, g.Batch.Rejects = append(g.Records, bad.Records...), append(g.Batch.Rejects, bad.Batch.Rejects...)
			g.Batch.Links = append(g.Batch.Links, schema.Link{From: fmt.Sprintf("e%d", i), To: fmt.Sprintf("c%d-%d", i, night), Basis: schema.Cleared})
			g.Batch.Notes = append(g.Batch.Notes, schema.Note{ExternalID: fmt.Sprintf("e%d", i), Code: schema.UnknownFieldNote, Field: fmt.Sprint(night)})
			o := observation(fmt.Sprintf("card-%d", i), schema.Cards, now.AddDate(0, 0, night))
			o.Name = fmt.Sprint("name ", night)
			g.Batch.Observations = append(g.Batch.Observations, o)
			g.Batch.Budgets = append(g.Batch.Budgets, schema.Budget{Source: "bill-main", ID: fmt.Sprint(i), ObservedAt: o.ObservedAt})
		}
		for i := range 2 {
			g.Absent = append(g.Absent, schema.Absence{ExternalID: fmt.Sprintf("gone-%d-%d", night, i), LastRead: now, NoticedAt: now, Window: window})
		}
		g.Completeness = complete(schema.Window{From: now, To: now.AddDate(0, 0, night+1)})
		g.Checkpoint = &ledger.Checkpoint{Source: "bill-main", Stream: schema.Transactions, Window: window, Cursor: "c", Seen: []uint64{1}, Run: run.ID}
		commit(t, l, g)
		finish(t, l, run)
		run = start(t, l, schema.ImportRun)
		if _, _, err := l.ImportFundings(t.Context(), run.ID, "a.csv", []schema.Funding{funding(fmt.Sprint(night), 1), funding("x", 2)}); err != nil {
			t.Fatal(err)
		}
		finish(t, l, run)
		run = start(t, l, schema.ReconcileRun)
		if _, err := l.SaveFindings(t.Context(), ledger.FindingSet{Run: run.ID, Findings: []schema.Finding{drift("a", int64(night)), drift("b", 1), proposal("a"), proposal("b")}}); err != nil {
			t.Fatal(err)
		}
		finish(t, l, run)
		run = start(t, l, schema.ReviewRun)
		var decisions []schema.Decision
		for _, card := range []string{"a", "b"} {
			decisions = append(decisions, schema.Decision{FindingID: drift(card, 1).ID(), Action: schema.Accept, By: "ann", Note: fmt.Sprint(night), Origin: "w.xlsx", Digest: fmt.Sprint(card, night)},
				schema.Decision{FindingID: proposal(card).ID(), Action: []schema.FindingAction{schema.ConfirmMatch, schema.RefuseMatch}[night], By: "ann", Note: "seen"})
		}
		got, err := l.Decide(t.Context(), run.ID, decisions)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range got {
			if d.Refused != "" || !d.Changed {
				t.Fatalf("%+v", d)
			}
		}
		finish(t, l, run)
	}
	verify(t, l)
}

// tampered runs statements against a copy of a ledger and says what Verify makes of it.
func tampered(t *testing.T, file []byte, root string, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	raw(t, path, statements...)
	l, err := ledger.Open(t.Context(), ledger.Config{Path: path, ReadOnly: true, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, l)
	v, err := l.Verify(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return v.Problem
}

type column struct{ name, kind string }

// chained lists the columns of every table that Verify must watch.
func chained(t *testing.T, file []byte) map[string][]column {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db := ledger.Raw(t, path)
	defer closing(t, db)
	tables := map[string][]column{}
	for _, table := range tableNames(t, db) {
		if table == "checkpoints" || table == "checkpoint_ids" {
			continue // gone when a walk has ended
		}
		tables[table] = columnsOf(t, db, table)
	}
	return tables
}

func columnsOf(t *testing.T, db *sqlx.DB, table string) []column {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT name, type FROM pragma_table_info(?)`, table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var columns []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.name, &c.kind); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}

func TestVerify(t *testing.T) {
	ledger.SQLiteOnly(t, "copies to tamper with")
	file, root := populate(t)
	tables := chained(t, file)
	if len(tables) != 19 {
		t.Fatalf("there are %d tables to watch: %v", len(tables), tables)
	}
	t.Run("AnUntouchedLedgerHolds", func(t *testing.T) {
		if problem := tampered(t, file, root); problem != "" {
			t.Error(problem)
		}
	})
	for table, columns := range tables {
		t.Run(table, func(t *testing.T) {
			names := "commit"
			if table != "commits" {
				names = table
			}
			seen := func(how string, statements ...string) {
				t.Helper()
				if problem := tampered(t, file, root, statements...); !strings.Contains(problem, names) {
					t.Errorf("%s: %q", how, problem)
				}
			}
			first := ` WHERE rowid = (SELECT MIN(rowid) FROM ` + table + `)`
			for _, c := range columns {
				change := map[string]string{
					"TEXT": c.name + ` || 'x'`, "INTEGER": `COALESCE(` + c.name + `, 0) + 1`, "BLOB": `CAST(` + c.name + ` || 'x' AS BLOB)`,
				}[c.kind]
				if c.name == "seq" || c.name == "id" {
					change = c.name + ` + 1000`
				}
				seen("changed "+c.name, `UPDATE `+table+` SET `+c.name+` = `+change+first)
			}
			seen("deleted the first", `DELETE FROM `+table+first)
			seen("deleted the last", `DELETE FROM `+table+` WHERE rowid = (SELECT MAX(rowid) FROM `+table+`)`)
			if table == "commits" {
				return
			}
			seen("deleted all", `DELETE FROM `+table)
			if table != "fundings" { // its ids are unique by the table itself
				copied := make([]string, 0, len(columns))
				for _, c := range columns {
					if c.name != "id" {
						copied = append(copied, c.name)
					}
				}
				list := strings.Join(copied, ", ")
				seen("copied a row", `DROP INDEX IF EXISTS entries_current`, `DROP INDEX IF EXISTS cards_current`, `DROP INDEX IF EXISTS links_from`,
					`DROP INDEX IF EXISTS findings_current`, `DROP INDEX IF EXISTS absences_current`, `INSERT INTO `+table+` (`+list+`) SELECT `+list+` FROM `+table+first)
			}
			if table == "run_events" || table == "completeness" || table == "known" {
				return // one row a commit
			}
			problem := tampered(t, file, root, `CREATE TEMP TABLE pair AS SELECT MIN(id) AS a, MAX(id) AS b FROM `+table+`
					WHERE commit_seq = (SELECT commit_seq FROM `+table+` GROUP BY commit_seq HAVING COUNT(*) > 1 ORDER BY commit_seq LIMIT 1);
				UPDATE `+table+` SET id = -1 WHERE id = (SELECT a FROM pair);
				UPDATE `+table+` SET id = (SELECT a FROM pair) WHERE id = (SELECT b FROM pair);
				UPDATE `+table+` SET id = (SELECT b FROM pair) WHERE id = -1`)
			if !strings.Contains(problem, table) {
				t.Errorf("swapped two rows of one commit: %q", problem)
			}
		})
	}
	t.Run("AReplacedRowThatIsMadeCurrentAgainIsSeen", func(t *testing.T) {
		problem := tampered(t, file, root, `DROP INDEX entries_current`, `UPDATE entries SET closed_seq = NULL WHERE closed_seq IS NOT NULL`)
		if !strings.Contains(problem, "entries/closed") {
			t.Errorf("%q", problem)
		}
	})
	t.Run("AProblemNamesTheRow", func(t *testing.T) {
		problem := tampered(t, file, root, `UPDATE entries SET amount_minor = 7 WHERE external_id = 'e1' AND closed_seq IS NULL`)
		for _, want := range []string{"entries", "bill-main", "e1"} {
			if !strings.Contains(problem, want) {
				t.Errorf("%q does not name %s", problem, want)
			}
		}
	})
	t.Run("ACommitThatWasTakenOutIsNamed", func(t *testing.T) {
		if problem := tampered(t, file, "", `DELETE FROM commits WHERE seq = 3`); problem != "commit 3 is missing" {
			t.Errorf("%q", problem)
		}
	})
	// Whoever cuts the end off cleanly leaves a chain that holds: only a root from outside shows it.
	cut := []string{`DROP INDEX entries_current; DROP INDEX cards_current; DROP INDEX findings_current`}
	for table := range tables {
		if table == "commits" {
			cut = append(cut, `DELETE FROM commits WHERE seq > 4`)
			continue
		}
		cut = append(cut, `DELETE FROM `+table+` WHERE commit_seq > 4`)
	}
	for _, table := range []string{"entries", "absences", "cards", "rejects", "notes", "findings"} {
		cut = append(cut, `UPDATE `+table+` SET closed_seq = NULL WHERE closed_seq > 4`)
	}
	t.Run("ATailThatWasCutOffIsSeenByARoot", func(t *testing.T) {
		if problem := tampered(t, file, "", cut...); problem != "" {
			t.Fatalf("the cut was not clean: %s", problem)
		}
		if problem := tampered(t, file, root, cut...); !strings.Contains(problem, root) {
			t.Errorf("%q", problem)
		}
	})
	t.Run("ATailThatWasCutOffRoughlyIsSeenWithout", func(t *testing.T) {
		if problem := tampered(t, file, "", `DELETE FROM commits WHERE seq > 4`); !strings.Contains(problem, "commit 5 ") {
			t.Errorf("%q", problem)
		}
	})
	t.Run("TheRootAfterAnyCommitIsAccepted", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		early := mustRoot(t, l)
		commit(t, l, group(run, entry("a", -1, schema.Posted)))
		late := finish(t, l, run).Root
		for _, root := range []string{early, late, strings.ToUpper(early)} {
			v, err := l.Verify(t.Context(), root)
			if err != nil || v.Problem != "" {
				t.Errorf("%s: %s %v", root, v.Problem, err)
			}
			if v.Runs != 1 || v.Commits != 3 || v.Rows != 5 || v.Root != late {
				t.Errorf("%+v", v)
			}
		}
		if v, err := l.Verify(t.Context(), strings.Repeat("0", 64)); err != nil || v.Problem == "" {
			t.Errorf("a foreign root was accepted: %v", err)
		}
	})
	t.Run("AnEmptyLedgerHolds", func(t *testing.T) {
		l := fresh(t)
		v, err := l.Verify(t.Context(), "")
		if err != nil || v.Rows+v.Commits != 0 || v.Problem != "" || len(v.Totals) != 0 {
			t.Errorf("%+v %v", v, err)
		}
		if root := mustRoot(t, l); root != "" {
			t.Errorf("root %q", root)
		}
	})
	t.Run("EqualLedgersHaveEqualRoots", func(t *testing.T) {
		if _, again := populate(t); again != root {
			t.Errorf("%s and %s", root, again)
		}
	})
}

// TestVerify_NamesTheFirstRow changes every row of every table, one at a time and together with the last of its table, each
// in another of its columns: the problem is that row.
func TestVerify_NamesTheFirstRow(t *testing.T) {
	ledger.SQLiteOnly(t, "copies to tamper with")
	file, root := populate(t)
	for table, columns := range chained(t, file) {
		if table == "commits" {
			continue // they are named by their numbers
		}
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			var data []column
			for _, c := range columns {
				if c.name != "id" && c.name != "commit_seq" && c.name != "closed_seq" {
					data = append(data, c)
				}
			}
			ids := rowIDs(t, file, table)
			for n, id := range ids {
				c := data[n%len(data)]
				value := map[string]string{"TEXT": c.name + ` || 'x'`, "INTEGER": `COALESCE(` + c.name + `, 0) + 1`, "BLOB": `CAST(` + c.name + ` || 'x' AS BLOB)`}[c.kind]
				change := fmt.Sprintf(`UPDATE %s SET %s = COALESCE(%s, 'x') WHERE id IN (%d, `, table, c.name, value, id)
				for _, other := range []int64{id, ids[len(ids)-1]} {
					problem := tampered(t, file, root, change+fmt.Sprint(other)+")")
					if want := fmt.Sprintf("%s row %d ", table, id); !strings.HasPrefix(problem, want) {
						t.Errorf("%s of row %d and row %d: %q does not begin with %q", c.name, id, other, problem, want)
					}
				}
			}
			if len(ids) < 2 {
				t.Errorf("%d rows", len(ids))
			}
		})
	}
}

func rowIDs(t *testing.T, file []byte, table string) []int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tieout.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	db := ledger.Raw(t, path)
	defer closing(t, db)
	rows, err := db.QueryContext(t.Context(), `SELECT id FROM `+table+` ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}
