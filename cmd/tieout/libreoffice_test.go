package main

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/schema"
)

// alwaysCompute makes LibreOffice compute every formula anew when it opens a workbook, whatever value stands beside it.
const alwaysCompute = `<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>`

// recomputed has LibreOffice open workbooks, compute them, and save them. It returns where they are, in the same order. One start
// of the program serves all of them.
func recomputed(t *testing.T, workbooks ...string) []string {
	t.Helper()
	office, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("soffice is not installed (Debian package libreoffice-calc)")
	}
	profile, out := t.TempDir(), t.TempDir()
	if err := os.MkdirAll(filepath.Join(profile, "user"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "user", "registrymodifications.xcu"), []byte(alwaysCompute), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--headless", "-env:UserInstallation=file://" + filepath.ToSlash(profile), "--convert-to", "xlsx:Calc MS Excel 2007 XML", "--outdir", out}
	cmd := exec.CommandContext(t.Context(), office, append(args, workbooks...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	var saved []string
	for _, workbook := range workbooks {
		saved = append(saved, filepath.Join(out, filepath.Base(workbook)))
	}
	return saved
}

func opened(t *testing.T, workbook string) *excelize.File {
	t.Helper()
	f, err := excelize.OpenFile(workbook)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// figures are the values of the formulas of a workbook, by sheet and cell. formulas says which cells those are.
func figures(t *testing.T, f, formulas *excelize.File) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, sheet := range formulas.GetSheetList() {
		rows, err := formulas.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			for j := range row {
				at, err := excelize.CoordinatesToCellName(j+1, i+1)
				if err != nil {
					t.Fatal(err)
				}
				if formula, err := formulas.GetCellFormula(sheet, at); err != nil || formula == "" {
					continue
				}
				value, err := f.GetCellValue(sheet, at, excelize.Options{RawCellValue: true})
				if err != nil {
					t.Fatal(err)
				}
				if value == "-0" { // a hair below zero, rounded
					value = "0"
				}
				all[sheet+"!"+at] = value
			}
		}
	}
	return all
}

// libreOffice has LibreOffice open a report, a report in which an amount was changed, and one in which a reviewer wrote.
func libreOffice(t *testing.T, s *site, out string) {
	t.Helper()
	book := filepath.Join(out, "tieout.xlsx")
	changed, amount := changedAmount(t, book)
	var review []written
	for id, f := range s.findings(t, "--status", string(schema.Open)) {
		review = append(review, written{id, "accept", "Ann Łęcka", "because of " + f.Reason})
	}
	filled := fill(t, out, "filled.xlsx", review...)
	saved := recomputed(t, book, changed, filled)
	t.Run("ComputesTheSame", func(t *testing.T) { computesTheSame(t, out, opened(t, saved[0])) })
	t.Run("ShowsAChangedAmount", func(t *testing.T) { showsAChangedAmount(t, opened(t, book), opened(t, saved[1]), amount) })
	t.Run("SavesWhatReviewersWrote", func(t *testing.T) {
		if got := s.imported(t, exitDone, saved[2]); got.Applied != len(review) || len(review) < 10 {
			t.Errorf("%+v", got)
		}
		if got := s.imported(t, exitDone, filled); got.Unchanged != len(review) || got.Applied != 0 {
			t.Errorf("the same review, saved by another program: %+v", got)
		}
	})
}

// computesTheSame has a foreign program compute every formula: it must come to what tieout computed from the ledger, and the
// totals must be those of the CSV files.
func computesTheSame(t *testing.T, out string, theirs *excelize.File) {
	t.Helper()
	ours := opened(t, filepath.Join(out, "tieout.xlsx"))
	want, got := figures(t, ours, ours), figures(t, theirs, ours)
	if len(want) < 500 {
		t.Errorf("only %d formulas", len(want))
	}
	for at, value := range want {
		if !sameNumber(got[at], value) {
			sheet, cell, _ := strings.Cut(at, "!")
			formula, _ := ours.GetCellFormula(sheet, cell)
			t.Errorf("%s: LibreOffice computes %q, the ledger has %s: %s", at, got[at], value, formula)
		}
	}
	compareSheet(t, theirs, "Ledger", filepath.Join(out, "ledger.csv"), "Entry id", "entry_id", map[string]string{"Amount": "amount"})
	compareTotals(t, theirs, filepath.Join(out, "control_totals.csv"))
}

// compareSheet compares columns of a sheet with those of a file, row by row.
func compareSheet(t *testing.T, f *excelize.File, sheet, file, key, fileKey string, columns map[string]string) {
	t.Helper()
	rows := sheetRows(t, f, sheet)
	inFile := table(t, file)
	if len(rows) != len(inFile) || len(inFile) == 0 {
		t.Fatalf("%s: %d rows on the sheet, %d in the file", sheet, len(rows), len(inFile))
	}
	for i, row := range inFile {
		if rows[i][key] != row[fileKey] {
			t.Fatalf("%s, row %d: %q on the sheet, %q in the file", sheet, i+2, rows[i][key], row[fileKey])
		}
		for column, name := range columns {
			if !sameNumber(rows[i][column], row[name]) {
				t.Errorf("%s, %s of %s: %s on the sheet, %s in the file", sheet, column, row[fileKey], rows[i][column], row[name])
			}
		}
	}
}

// compareTotals compares the figures of Control totals that are formulas with the file.
func compareTotals(t *testing.T, f *excelize.File, file string) {
	t.Helper()
	rows := sheetRows(t, f, "Control totals")
	for i, row := range table(t, file) {
		if row["currency"] == "" {
			continue
		}
		for column, name := range map[string]string{"Entries on Ledger": "entries", "Net on Ledger": "net", "Net": "net", "Counted": "counted", "All amounts on Ledger": "hash_amounts", "Ids on Ledger": "hash_ids"} {
			if !sameNumber(rows[i][column], row[name]) {
				t.Errorf("%s of %s: %q on the sheet, %s in the file", column, row["source"], rows[i][column], row[name])
			}
		}
	}
}

// sheetRows are the rows of a table on a sheet, by header.
func sheetRows(t *testing.T, f *excelize.File, sheet string) []map[string]string {
	t.Helper()
	rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil || len(rows) == 0 {
		t.Fatalf("%s: %v", sheet, err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		values := map[string]string{}
		for i, v := range row {
			name, _, _ := strings.Cut(rows[0][i], "\n")
			values[name] = v
		}
		all = append(all, values)
	}
	return all
}

// changedAmount changes one amount on the sheet Ledger by a cent, and nothing else, in a copy of a workbook. It returns the cell.
func changedAmount(t *testing.T, book string) (changed, cell string) {
	t.Helper()
	ours := opened(t, book)
	rows := sheetRows(t, ours, "Ledger")
	at := slices.IndexFunc(rows, func(r map[string]string) bool { return r["Counted"] == "yes" && strings.HasSuffix(r["Amount"], "0") })
	if at < 0 {
		t.Fatal("no entry that counts")
	}
	header, err := ours.GetRows("Ledger")
	if err != nil {
		t.Fatal(err)
	}
	if cell, err = excelize.CoordinatesToCellName(slices.Index(header[0], "Amount")+1, at+2); err != nil {
		t.Fatal(err)
	}
	changed = filepath.Join(t.TempDir(), "changed.xlsx")
	edit(t, book, changed, sheetPart(t, ours, "Ledger"), `(<c r="`+cell+`" s="\d+"><v>)[^<]*`, "${1}"+strings.TrimSuffix(rows[at]["Amount"], "0")+"1")
	return changed, cell
}

// showsAChangedAmount compares the checks of a workbook in which one amount was changed: they must not be zero any more.
func showsAChangedAmount(t *testing.T, ours, theirs *excelize.File, changed string) {
	t.Helper()
	value := func(sheet, at string) string {
		v, err := theirs.GetCellValue(sheet, at, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	named := map[string]string{}
	for _, n := range ours.GetDefinedName() {
		named[n.Name] = n.RefersTo
	}
	sheet, all, _ := strings.Cut(strings.ReplaceAll(named["all_checks"], "$", ""), "!")
	if got := value(strings.Trim(sheet, "'"), all); sameNumber(got, "0") || got == "" {
		t.Errorf("%s was changed and all checks are %q", changed, got)
	}
	differing := 0
	for i, row := range sheetRows(t, theirs, "Control totals") {
		for _, check := range []string{"Check: net", "Check: amounts"} {
			if v := row[check]; v != "" && !sameNumber(v, "0") {
				differing++
				if !sameNumber(strings.TrimPrefix(v, "-"), "0.01") {
					t.Errorf("line %d, %s: differs by %s", i+2, check, v)
				}
			}
		}
	}
	if differing != 2 {
		t.Errorf("%d control totals differ, want the net and the hash total of one source", differing)
	}
}

// sheetPart is the file of a sheet within a workbook.
func sheetPart(t *testing.T, f *excelize.File, sheet string) string {
	t.Helper()
	i, err := f.GetSheetIndex(sheet)
	if err != nil {
		t.Fatal(err)
	}
	return "xl/worksheets/sheet" + string(rune('1'+i)) + ".xml"
}

// edit copies a workbook and replaces a text in one of its parts.
func edit(t *testing.T, from, to, part, pattern, with string) {
	t.Helper()
	r, err := zip.OpenReader(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	file, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(file)
	edited := false
	for _, entry := range r.File {
		in, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Name == part {
			re := regexp.MustCompile(pattern)
			edited = re.Match(text)
			text = re.ReplaceAll(text, []byte(with))
		}
		out, err := w.Create(entry.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil || !edited {
		t.Fatalf("%s in %s was not edited (%v)", pattern, part, err)
	}
}
