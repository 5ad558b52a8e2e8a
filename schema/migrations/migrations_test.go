package migrations_test

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema/migrations"
)

func TestSQLite(t *testing.T) {
	files, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(files, "*")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v %v", names, err)
	}
	t.Run("AreNumberedFromOneWithoutGaps", func(t *testing.T) {
		// The ledger takes the number of files for the version that they lead to.
		for i, name := range names {
			if !strings.HasPrefix(name, fmt.Sprintf("%05d_", i+1)) || !strings.HasSuffix(name, ".sql") {
				t.Errorf("file %d is %s", i+1, name)
			}
		}
	})
	t.Run("EveryTableIsStrict", func(t *testing.T) {
		// Without STRICT, SQLite would turn an amount beyond int64 into a floating-point number.
		table := regexp.MustCompile(`(?s)CREATE TABLE (\w+) \(.*?\n\)([^;]*);`)
		found := 0
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range table.FindAllStringSubmatch(string(text), -1) {
				found++
				if strings.TrimSpace(m[2]) != "STRICT" {
					t.Errorf("%s: table %s", name, m[1])
				}
			}
			if n := strings.Count(string(text), "CREATE TABLE"); n != found {
				t.Errorf("%s: %d of %d tables were looked at", name, found, n)
			}
			found = 0
		}
	})
}

// TestPostgres_HasTheTablesOfSQLite compares the two by number, table and column.
func TestPostgres_HasTheTablesOfSQLite(t *testing.T) {
	sqlite, err := migrations.SQLite()
	if err != nil {
		t.Fatal(err)
	}
	postgres, err := migrations.Postgres()
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := tablesOf(t, postgres), tablesOf(t, sqlite)
	if !slices.Equal(theirs, ours) || len(ours) < 20 {
		t.Errorf("PostgreSQL has\n%s\nSQLite\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
	}
	late, err := migrations.SQLiteIndexes()
	if err != nil {
		t.Fatal(err)
	}
	if theirs, ours := indexesOf(text(t, postgres)), indexesOf(text(t, sqlite)+late); !slices.Equal(theirs, ours) || len(ours) < 30 {
		t.Errorf("PostgreSQL has the indexes\n%s\nSQLite\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
	}
	if bare := regexp.MustCompile(`\bTEXT\b *(?:NOT|,|$)`).FindString(text(t, postgres)); bare != "" {
		t.Errorf("a text is not compared by bytes: %s", bare)
	}
}

func text(t *testing.T, files fs.FS) string {
	t.Helper()
	var all strings.Builder
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		one, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString("-- " + name + "\n" + string(one))
	}
	return all.String()
}

// tablesOf lists the tables with the names of their columns and whether these can be NULL, after the files that make them.
func tablesOf(t *testing.T, files fs.FS) (all []string) {
	t.Helper()
	column := regexp.MustCompile(`(?m)^ {4}([a-z_0-9]+) +[A-Z].*$`)
	for _, file := range strings.Split(text(t, files), "-- 0")[1:] {
		number, _, _ := strings.Cut(file, "_")
		for _, m := range regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`).FindAllStringSubmatch(file, -1) {
			line := number + " " + m[1] + ":"
			for _, c := range column.FindAllStringSubmatch(m[2], -1) {
				line += " " + c[1]
				if strings.Contains(c[0], "NOT NULL") {
					line += "!"
				}
			}
			all = append(all, line)
		}
	}
	return all
}

func indexesOf(text string) (all []string) {
	for _, m := range regexp.MustCompile(`CREATE (?:UNIQUE )?INDEX [^;]*`).FindAllString(text, -1) {
		all = append(all, strings.Replace(m, "IF NOT EXISTS ", "", 1))
	}
	slices.Sort(all)
	return all
}
