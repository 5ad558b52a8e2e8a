package migrations_test

import (
	"fmt"
	"io/fs"
	"regexp"
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
