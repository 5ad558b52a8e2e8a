package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// openpyxl is a Python that has openpyxl.
func openpyxl(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if path, err := exec.LookPath(python); err == nil && exec.CommandContext(t.Context(), path, "-c", "import openpyxl").Run() == nil {
			return path
		}
	}
	t.Skip("openpyxl is not installed (Debian package python3-openpyxl)")
	return ""
}

// quietly runs a program that must have nothing to say on standard error.
func quietly(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, complaints.String())
	}
	return string(out)
}

// TestWorkbook_OtherPrograms has programs that are neither Excel nor LibreOffice read and write the workbook.
func TestWorkbook_OtherPrograms(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 6, Transactions: 300}, nil)
	out := filepath.Join(s.dir, "out")
	s.must(t, "nightly", "--out", out)
	book := filepath.Join(out, "tieout.xlsx")
	t.Run("GnumericDoesNotComplain", func(t *testing.T) {
		ssconvert, err := exec.LookPath("ssconvert")
		if err != nil {
			t.Skip("ssconvert is not installed (Debian package gnumeric)")
		}
		ods := filepath.Join(t.TempDir(), "book.ods")
		if said := quietly(t, ssconvert, book, ods); strings.TrimSpace(said) != "" {
			t.Errorf("gnumeric says: %s", said)
		}
	})
	t.Run("OpenpyxlReadsIt", func(t *testing.T) {
		const script = `
import sys, openpyxl
for only in (False, True):
    book = openpyxl.load_workbook(sys.argv[1], read_only=only)
    for sheet in book:
        rows = sum(1 for _ in sheet.rows)
        if not only: print(sheet.title, rows, sheet.max_column)
`
		said := quietly(t, openpyxl(t), "-W", "error", "-c", script, book)
		if !strings.HasPrefix(said, "Cover ") || !strings.Contains(said, "\nRoll-forward ") || strings.Count(said, "\n") != 14 {
			t.Errorf("openpyxl reads %s", said)
		}
	})
	t.Run("DispositionsComeBack", func(t *testing.T) { dispositionsComeBack(t, s, book) })
}

// dispositionsComeBack has a reviewer fill in the workbook with openpyxl; the next report shows what was decided, and when.
func dispositionsComeBack(t *testing.T, s *site, book string) {
	t.Helper()
	python := openpyxl(t)
	const script = `
import sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
for sheet in book:
    head = [c.value for c in sheet[1]]
    if "Disposition" not in head: continue
    for row in sheet.iter_rows(min_row=2):
        if row[head.index("Finding")].value == sys.argv[3]:
            row[head.index("Disposition")].value = "accept"
            row[head.index("Reviewer")].value = "Ann Łęcka"
            row[head.index("Note")].value = "a fee of theirs"
book.save(sys.argv[2])
`
	breach := s.one(t, "computed-over-limit", "high")
	filled := filepath.Join(s.dir, "filled.xlsx")
	quietly(t, python, "-W", "error", "-c", script, book, filled, breach.ID)
	if got := s.imported(t, exitDone, filled); got.Rows != 1 || got.Applied != 1 || len(got.Refused) != 0 {
		t.Fatalf("%+v", got)
	}
	next := filepath.Join(s.dir, "next")
	s.must(t, "report", "--out", next)
	for _, row := range sheetRows(t, opened(t, filepath.Join(next, "tieout.xlsx")), "Limit breaches") {
		if row["Finding"] != breach.ID {
			continue
		}
		if row["Status"] != string(schema.Accepted) || !strings.Contains(row["History"], " accept by Ann Łęcka: a fee of theirs") || row["Disposition"] != "" {
			t.Errorf("the next report shows %q, %q, %q", row["Status"], row["History"], row["Disposition"])
		}
		return
	}
	t.Errorf("%s is not in the next report", breach.ID)
}
