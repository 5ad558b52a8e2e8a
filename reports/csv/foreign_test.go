package csv

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// hostile is a file of what providers and merchants could send, and the fields that a reader must find in it.
func hostile(t *testing.T) (path string, want [][]string) {
	t.Helper()
	texts := []string{
		"plain", "", " edges ", "a,b", "say \"hi\"", "\"", "\"\"", "line\nfeed", "carriage\r\nreturn", "tab\tinside", "semicolon;", "=1+1", "+1", "-1", "@SUM(A1)", "\ttab first", "\rreturn first",
		"＝1", "'quoted", "東京 Söhne مقهى 😀", "esc \x1b[31m bell \x07 nul \x00", "back\\slash", "NULL", "\\N", "007", "1e5", "a\u2028b", "#not a comment",
	}
	tab := table.Table{Name: "hostile", Columns: []table.Column{{Name: "text"}, {Name: "amount"}}, Len: len(texts)}
	var data [][]any
	for i, text := range texts {
		amount := money.FromMinor(int64(-i), money.USD())
		data = append(data, []any{text, amount})
		read, err := format(text)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, []string{read, amount.String()})
	}
	tab.Rows = rows(data...)
	var b bytes.Buffer
	if err := Write(t.Context(), &b, tab); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "hostile.csv")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, want
}

func output(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s)", program, program)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil || problems.Len() > 0 {
		t.Fatalf("%s: %v\n%s", program, err, problems.String())
	}
	return out
}

func TestWrite_PythonReadsTheSame(t *testing.T) {
	path, want := hostile(t)
	const script = `
import csv, json, sys
with open(sys.argv[1], newline="", encoding="utf-8") as f:
    json.dump(list(csv.reader(f, strict=True))[1:], sys.stdout)
`
	var got [][]string
	if err := json.Unmarshal(output(t, "python3", "-c", script, path), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWrite_SQLiteReadsTheSame(t *testing.T) {
	path, want := hostile(t)
	var rows []struct{ Text, Amount string }
	out := output(t, "sqlite3", "-batch", ":memory:", ".import --csv '"+path+"' hostile", ".mode json", "SELECT * FROM hostile")
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got [][]string
	for _, r := range rows {
		got = append(got, []string{r.Text, r.Amount})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
