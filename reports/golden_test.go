package reports

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden writes the report of August as CSV and compares each file and the manifest with testdata/reports/august.
func TestGolden(t *testing.T) {
	input, _ := august(t)
	dir := t.TempDir()
	m, err := Write(t.Context(), dir, input, []string{"csv"})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{manifestFile}
	for _, f := range m.Files {
		names = append(names, f.Name)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			base, ext, _ := strings.Cut(name, ".")
			golden := filepath.Join("../testdata/reports/august", base+".golden."+ext)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; to write it: go test ./reports -run TestGolden -update", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; to write it anew: go test ./reports -run TestGolden -update\ngot:\n%s\nwant:\n%s", golden, got, want)
			}
		})
	}
}
