package reports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/reports/xlsx"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// files reads every file of a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func written(t *testing.T, in Input, formats ...string) (string, Manifest) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out", "august")
	m, err := Write(t.Context(), dir, in, formats)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func TestWrite_Manifest(t *testing.T) {
	input, _ := august(t)
	dir, m := written(t, input, Formats()...)
	all := files(t, dir)
	if len(all) != len(m.Files)+1 {
		t.Errorf("%d files for %d in the manifest", len(all), len(m.Files))
	}
	for _, f := range m.Files {
		sum := sha256.Sum256([]byte(all[f.Name]))
		if int64(len(all[f.Name])) != f.Size || hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s is not what the manifest says", f.Name)
		}
	}
	if !slices.IsSortedFunc(m.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("files are not in order")
	}
	var read Manifest
	if err := json.Unmarshal([]byte(all[manifestFile]), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, read); diff != "" {
		t.Error(diff)
	}
}

func TestWrite_OnlyTheOwnerReads(t *testing.T) {
	input, _ := august(t)
	dir, _ := written(t, input, Formats()...)
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", folder, info.Mode(), err)
		}
	}
	for name := range files(t, dir) {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// TestWrite_SameBytes writes the report again, and in two more processes that live in other zones and languages.
func TestWrite_SameBytes(t *testing.T) {
	input, _ := august(t)
	if dir := os.Getenv("TIEOUT_TEST_REPORT"); dir != "" { // the other process
		if _, err := Write(t.Context(), dir, input, Formats()); err != nil {
			t.Fatal(err)
		}
		return
	}
	first, _ := written(t, input, Formats()...)
	second, _ := written(t, input, Formats()...)
	dirs := map[string]string{"Again": second}
	for name, zone := range map[string]string{"InKathmandu": "Asia/Kathmandu", "InNewYork": "America/New_York"} {
		dirs[name] = filepath.Join(t.TempDir(), "other")
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWrite_SameBytes$")
		child.Env = append(os.Environ(), "TIEOUT_TEST_REPORT="+dirs[name], "TZ="+zone, "LANG=de_DE.UTF-8")
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	want := files(t, first)
	for _, name := range []string{workbookFile, pageFile, manifestFile, "ledger.csv"} {
		if want[name] == "" {
			t.Errorf("no %s", name)
		}
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			got := files(t, dir)
			if len(got) != len(want) {
				t.Errorf("%d files, want %d", len(got), len(want))
			}
			for name, text := range want {
				if got[name] != text {
					t.Errorf("%s differs", name)
				}
			}
		})
	}
}

func TestWrite_ReplacesAnEarlierReport(t *testing.T) {
	input, _ := august(t)
	dir, _ := written(t, input, Formats()...)
	notes := filepath.Join(dir, "my notes.txt")
	if err := os.WriteFile(notes, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	input.Entity = "Other Ltd"
	m, err := Write(t.Context(), dir, input, []string{"html"})
	if err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"manifest.json", "my notes.txt", "report.html"}, names); diff != "" {
		t.Errorf("files of two reports: %s", diff)
	}
	if len(m.Files) != 1 || !strings.Contains(got["report.html"], "Other Ltd") {
		t.Errorf("not replaced: %+v", m.Files)
	}
}

func TestWrite_RemovesOnlyWhatAReportLeft(t *testing.T) {
	input, _ := august(t)
	for _, c := range []struct {
		name, beside, text string // what the folder holds beside a ledger.csv
		want               []string
	}{
		{"AFolderOfSomebodyElse", "notes.txt", "keep", []string{"ledger.csv", "manifest.json", "notes.txt", "report.html"}},
		{"AManifestOfAnotherProgram", "manifest.json", `{"name": "app"}`, []string{"ledger.csv", "manifest.json", "report.html"}},
		{"AReportThatWasKilledWhileItWasReplaced", unfinishedFile, `{"tool": "tieout"}`, []string{"manifest.json", "report.html"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range map[string]string{"ledger.csv": "mine", c.beside: c.text} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Write(t.Context(), dir, input, []string{"html"}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, slices.Sorted(maps.Keys(files(t, dir)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrite_FailureLeavesTheFolderAsItWas(t *testing.T) {
	input, m := august(t)
	dir, _ := written(t, input, Formats()...)
	before := files(t, dir)
	disk := errors.New("disk")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		change  func(*Input)
		formats []string
		want    string
	}{
		{"UnknownFormat", t.Context(), func(*Input) {}, []string{"csv", "pdf"}, `format "pdf" is not known`},
		{"Findings", t.Context(), func(in *Input) {
			in.Findings = func(context.Context) iter.Seq2[schema.Finding, error] {
				return func(yield func(schema.Finding, error) bool) { yield(schema.Finding{}, disk) }
			}
		}, Formats(), "read findings: disk"},
		{"EntriesAfterTheyWereCounted", t.Context(), func(in *Input) { in.View.Entries = &failing{m, disk, 0} }, Formats(), "write ledger.csv: row 1: rows of ledger: disk"},
		{"Cancelled", cancelled, func(*Input) {}, Formats(), "context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input
			c.change(&in)
			got, err := Write(c.ctx, dir, in, c.formats)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "report (2026-08-01T04:00:00Z..2026-09-01T04:00:00Z): ") {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if len(got.Files) > 0 {
				t.Errorf("a manifest: %+v", got)
			}
			if diff := cmp.Diff(before, files(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// failing yields entries as long as they are counted: those of the period, and the three parts of the cut-off. Then it fails.
type failing struct {
	memory
	err   error
	reads int
}

func (f *failing) Entries(ctx context.Context, filter schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	f.reads++
	if f.reads <= 4 || filter.CardID != "" || len(filter.IDs) > 0 {
		return f.memory.Entries(ctx, filter)
	}
	return func(yield func(schema.Entry, error) bool) { yield(schema.Entry{}, f.err) }
}

func workbook(t *testing.T, in Input) *excelize.File {
	t.Helper()
	dir, _ := written(t, in, "xlsx")
	f, err := excelize.OpenFile(filepath.Join(dir, workbookFile))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWorkbook_SheetsInOrder(t *testing.T) {
	input, _ := august(t)
	want := []string{
		"Cover", "Summary", "Limit breaches", "Orphan top-ups", "Balance drift", "Other findings", "Roll-forward", "Cards", "Ledger", "Completeness",
		"Control totals", "Changes", "Parameters", "Legend",
	}
	if diff := cmp.Diff(want, workbook(t, input).GetSheetList()); diff != "" {
		t.Error(diff)
	}
}

func TestWorkbook_FindingSheetsEndWithColumnsToFill(t *testing.T) {
	input, _ := august(t)
	f := workbook(t, input)
	for _, s := range findingSheets() {
		rows, err := f.GetRows(s.sheet)
		if err != nil {
			t.Fatal(err)
		}
		head := rows[0]
		if diff := cmp.Diff([]string{"Disposition", "Reviewer", "Note"}, head[len(head)-3:]); diff != "" || head[0] != "Finding" {
			t.Errorf("%s: %q", s.sheet, head)
		}
		validations, err := f.GetDataValidations(s.sheet)
		if err != nil || len(validations) != 1 || validations[0].Formula1 != `"acknowledge,accept,reopen,confirm,refuse"` {
			t.Errorf("%s: %v, %v", s.sheet, validations, err)
		}
	}
}

// TestWorkbook_AmountsAreTheLedgers compares every amount on the sheet Ledger with the ledger's.
func TestWorkbook_AmountsAreTheLedgers(t *testing.T) {
	input, m := august(t)
	f := workbook(t, input)
	rows, err := f.GetRows(ledgerSheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	amount, id := slices.Index(rows[0], colAmount), slices.Index(rows[0], "Entry id")
	seen := 0
	for i, row := range rows[1:] {
		e := m.entries[slices.IndexFunc(m.entries, func(e schema.Entry) bool { return e.ID() == row[id] })]
		at, err := excelize.CoordinatesToCellName(amount+1, i+2)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := f.GetCellType(ledgerSheet, at)
		if err != nil || kind != excelize.CellTypeUnset {
			t.Errorf("%s (%s) is not a number: %d, %v", at, e.ID(), kind, err)
		}
		v, err := decimal.NewFromString(row[amount])
		if err != nil || v.StringFixed(int32(e.Amount.Currency().Digits())) != e.Amount.String() {
			t.Errorf("%s (%s): %s, want %s (%v)", at, e.ID(), row[amount], e.Amount, err)
		}
		seen++
	}
	if seen != 9 {
		t.Errorf("%d entries, want 9", seen)
	}
}

// TestWorkbook_FormulasAgree computes every formula of every sheet anew and compares it with the value that stands beside it.
func TestWorkbook_FormulasAgree(t *testing.T) {
	input, _ := august(t)
	compareFormulas(t, workbook(t, input), map[string]int{"Summary": 100, "Limit breaches": 2, "Balance drift": 2, "Roll-forward": 5, "Control totals": 50})
}

// TestWorkbook_FormulasSpanSplitSheets gives a sheet room for three rows only, so that every longer table goes on in further
// sheets: each formula still comes to the figure of the ledger.
func TestWorkbook_FormulasSpanSplitSheets(t *testing.T) {
	input, _ := august(t)
	facts, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (xlsx.Writer{TempDir: t.TempDir(), MaxRows: 4}).Write(t.Context(), &out, facts.workbook(t.Context())); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, sheet := range []string{"Ledger 2", "Ledger 3", "Control totals 2", "Parameters 2"} {
		if rows, err := f.GetRows(sheet); err != nil || len(rows) < 2 || len(rows) > 4 {
			t.Errorf("%s has %d rows, %v", sheet, len(rows), err)
		}
	}
	if formula, err := f.GetCellFormula("Roll-forward", "J2"); err != nil || !strings.Contains(formula, "'Ledger'!") || !strings.Contains(formula, "'Ledger 3'!") {
		t.Errorf("does not span the sheets: %s, %v", formula, err)
	}
	compareFormulas(t, f, map[string]int{"Summary": 100, "Roll-forward": 5, "Control totals": 20, "Control totals 2": 10})
}

// compareFormulas computes every formula and compares it with the value beside it; each sheet has a number of formulas at least.
func compareFormulas(t *testing.T, f *excelize.File, least map[string]int) {
	t.Helper()
	formulas := map[string]int{}
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			for j, held := range row {
				at, err := excelize.CoordinatesToCellName(j+1, i+1)
				if err != nil {
					t.Fatal(err)
				}
				formula, err := f.GetCellFormula(sheet, at)
				if err != nil {
					t.Fatal(err)
				}
				if formula == "" {
					continue
				}
				formulas[sheet]++
				computed, err := f.CalcCellValue(sheet, at, excelize.Options{RawCellValue: true})
				if err != nil || !sameDecimal(computed, held) {
					t.Errorf("%s!%s holds %s and computes to %q (%v): %s", sheet, at, held, computed, err, formula)
				}
			}
		}
	}
	for sheet, n := range least {
		if formulas[sheet] < n {
			t.Errorf("%s: %d formulas, want %d at least", sheet, formulas[sheet], n)
		}
	}
}

func sameDecimal(a, b string) bool {
	x, err := decimal.NewFromString(a)
	if err != nil {
		return false
	}
	y, err := decimal.NewFromString(b)
	return err == nil && x.Equal(y)
}

// TestLegend_ExplainsEveryColumn: a column that nobody can look up is read as everyone likes.
func TestLegend_ExplainsEveryColumn(t *testing.T) {
	input, _ := august(t)
	f, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, line := range f.legend().Lines {
		if len(line.Cells) == 2 {
			for name := range strings.SplitSeq(line.Cells[0].(string), " / ") {
				explained[name] = true
			}
		}
	}
	sheets, _ := f.sheets(t.Context())
	used := map[string]bool{}
	for _, s := range sheets {
		for _, c := range s.Table.Columns {
			used[c.Name] = true
			if !explained[c.Name] {
				t.Errorf("%s: column %q is not explained", s.Name(), c.Name)
			}
		}
	}
	for _, block := range columnText() {
		for _, entry := range block.entries {
			for name := range strings.SplitSeq(entry[0], " / ") {
				if !used[name] {
					t.Errorf("%s: there is no column %q", block.heading, name)
				}
			}
		}
	}
}

func TestPage_IsSelfContained(t *testing.T) {
	input, _ := august(t)
	dir, _ := written(t, input, Formats()...)
	page := strings.ReplaceAll(files(t, dir)[pageFile], "&#39;", "'")
	for _, want := range []string{
		`default-src 'none'`, "INCOMPLETE", "Card Travel (4417) spent 1,234,691.41 USD", "=HYPERLINK(&#34;http://evil&#34;)", `<a href="ledger.csv">`, `<a href="tieout.xlsx">`, "-1,234,691.41",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Count(page, "<script") != 1 || strings.Count(page, "<style") != 1 {
		t.Error("more than one script or style")
	}
	for _, strange := range []string{"src=", "url(", " style=", "unsafe", `href="http`, "ZgotmplZ", "<b>"} {
		if strings.Contains(page, strange) {
			t.Errorf("holds %s", strange)
		}
	}
}

func TestTotals_LeaveInt64Exactly(t *testing.T) {
	input, _ := august(t)
	huge := money.FromMinor(math.MinInt64, money.USD())
	m := memory{}
	for _, id := range []string{"a", "b"} {
		m.entries = append(m.entries, schema.Entry{Source: "s", ExternalID: id, Status: schema.Posted, OccurredAt: input.Period.From, Amount: huge})
	}
	input.View = m.view()
	f, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(f.totals, func(t total) bool { return t.source == "s" })
	if got := figure(f.totals[i].net(), money.USD()); got != table.Decimal("-184467440737095516.16") {
		t.Errorf("got %v", got)
	}
	dir, _ := written(t, input, Formats()...)
	if got := files(t, dir)["control_totals.csv"]; !strings.Contains(got, "\r\ns,USD,2,2,0,-184467440737095516.16,0.00,-184467440737095516.16,2,0,0,0,2,") {
		t.Errorf("got %s", got)
	}
}
