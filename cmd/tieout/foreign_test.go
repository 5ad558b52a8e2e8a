package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// TestWorkbook_OtherPrograms has programs that are not Excel read, compute and write one report.
func TestWorkbook_OtherPrograms(t *testing.T) {
	t.Parallel()
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
	t.Run("ChromiumDoesNotComplain", func(t *testing.T) { inChromium(t, out) })
	t.Run("DispositionsComeBack", func(t *testing.T) { dispositionsComeBack(t, s, book) })
	t.Run("LibreOffice", func(t *testing.T) { libreOffice(t, s, out) })
}

// inChromium opens report.html without a network: the browser has nothing to say, shows what was asked for, and finds every file
// that the page leads to.
func inChromium(t *testing.T, out string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (Debian package chromium)")
	}
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--dump-dom", "file://"+filepath.Join(out, "report.html")+"?severity=high&status=open")
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	if err := cmd.Run(); err != nil || strings.Contains(log.String(), "CONSOLE") {
		t.Fatalf("%v\n%s", err, log.String())
	}
	findings, high := table(t, filepath.Join(out, "findings.csv")), 0
	for _, f := range findings {
		if f["severity"] == string(schema.High) && f["status"] == string(schema.Open) {
			high++
		}
	}
	if want := fmt.Sprintf("%d of %d shown", high, len(findings)); high == 0 || !strings.Contains(dom.String(), want) {
		t.Errorf("the page does not say %s", want)
	}
	links := regexp.MustCompile(`<a href="([^"#]+)"`).FindAllStringSubmatch(dom.String(), -1)
	for _, link := range links {
		if _, err := os.Stat(filepath.Join(out, link[1])); err != nil {
			t.Errorf("leads nowhere: %v", err)
		}
	}
	if len(links) < 10 {
		t.Errorf("%d links to files", len(links))
	}
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
    if sheet.title == "Other findings":
        sheet.append(["F-0123456789abcdef"] + [None] * (len(head) - 4) + ["accept", "Ann", "never seen"])
book.save(sys.argv[2])
`
	breach := s.one(t, "computed-over-limit", "high")
	filled := filepath.Join(s.dir, "filled.xlsx")
	quietly(t, python, "-W", "error", "-c", script, book, filled, breach.ID)
	if got := s.imported(t, exitPartial, filled); got.Rows != 2 || got.Applied != 1 || len(got.Refused) != 1 || !strings.Contains(got.Refused[0], "F-0123456789abcdef): there is no such finding") {
		t.Fatalf("%+v", got)
	}
	run := s.lastRun(t)
	if got := s.imported(t, exitPartial, filled); got.Unchanged != 1 || got.Applied != 0 || s.lastRun(t) != run {
		t.Fatalf("a second time: %+v", got)
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
