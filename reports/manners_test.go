package reports

import (
	"archive/zip"
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// sheetPart is what a sheet says besides its rows.
type sheetPart struct {
	Tab struct {
		RGB string `xml:"rgb,attr"`
	} `xml:"sheetPr>tabColor"`
	Fit struct {
		ToPage string `xml:"fitToPage,attr"`
	} `xml:"sheetPr>pageSetUpPr"`
	View struct {
		Zoom int `xml:"zoomScale,attr"`
		Pane struct {
			Columns int    `xml:"xSplit,attr"`
			Rows    int    `xml:"ySplit,attr"`
			State   string `xml:"state,attr"`
		} `xml:"pane"`
	} `xml:"sheetViews>sheetView"`
	Dimension struct {
		Ref string `xml:"ref,attr"`
	} `xml:"dimension"`
	Columns []struct {
		Width int `xml:"width,attr"`
	} `xml:"cols>col"`
	Filter struct {
		Ref string `xml:"ref,attr"`
	} `xml:"autoFilter"`
	Merged []struct{} `xml:"mergeCells>mergeCell"`
	Setup  struct {
		Orientation string `xml:"orientation,attr"`
		Wide        int    `xml:"fitToWidth,attr"`
	} `xml:"pageSetup"`
	Header string `xml:"headerFooter>oddHeader"`
	Footer string `xml:"headerFooter>oddFooter"`
}

// workpaper is the workbook of August, with a sample, as a program opens it and as the files that it is made of.
type workpaper struct {
	*excelize.File
	parts map[string]string
	pages map[string]*table.Page
	names []string // of its sheets
}

func newWorkpaper(t *testing.T) workpaper {
	t.Helper()
	input, _ := august(t)
	input.Sample = Sample{Method: LargestSample, N: 3}
	dir, _ := written(t, input, "xlsx")
	path := filepath.Join(dir, workbookFile)
	f, err := excelize.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w := workpaper{File: f, parts: map[string]string{}, pages: map[string]*table.Page{}, names: f.GetSheetList()}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, part := range z.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		w.parts[part.Name] = string(text)
	}
	facts, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range facts.workbook(t.Context()).Sheets {
		w.pages[s.Name()] = s.Page // nil: a table
	}
	return w
}

// sheet is what the n-th sheet says besides its rows.
func (w workpaper) sheet(t *testing.T, n int) (s sheetPart) {
	t.Helper()
	if err := xml.Unmarshal([]byte(w.parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", n+1)]), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWorkbook_HasTheMannersOfASpreadsheet looks at every sheet of a workbook as a reader and a printer meet it.
func TestWorkbook_HasTheMannersOfASpreadsheet(t *testing.T) {
	w := newWorkpaper(t)
	defined := map[string]string{} // by name and, behind a space, the sheet that it is of
	for _, n := range w.GetDefinedName() {
		if n.Scope == "Workbook" {
			n.Scope = ""
		}
		defined[strings.TrimSpace(n.Name+" "+n.Scope)] = n.RefersTo
	}
	tables := 0
	for i, name := range w.names {
		s := w.sheet(t, i)
		t.Run(name, func(t *testing.T) {
			if s.Setup.Orientation != "landscape" || s.Fit.ToPage != "1" || s.Setup.Wide < 1 {
				t.Errorf("prints %+v, %+v", s.Setup, s.Fit)
			}
			if s.Footer != "&Ltieout v0.1.0, as of run 8&Rpage &P of &N" || s.Header != "&LAcme && Daughters Inc.&C&A&R2026-08-01 to 2026-08-31" {
				t.Errorf("header %q, footer %q", s.Header, s.Footer)
			}
			if len(s.Tab.RGB) != 8 || s.View.Zoom < 80 || s.View.Zoom > 120 {
				t.Errorf("tab %q, zoom %d", s.Tab.RGB, s.View.Zoom)
			}
			if w.pages[name] != nil {
				return
			}
			tables++
			if s.View.Pane.Columns != 1 || s.View.Pane.Rows != 1 || s.View.Pane.State != "frozen" {
				t.Errorf("frozen: %+v", s.View.Pane)
			}
			if s.Filter.Ref != s.Dimension.Ref || defined["_xlnm.Print_Titles "+name] != "'"+name+"'!$1:$1" {
				t.Errorf("filter of %s over %s; repeats %q", s.Filter.Ref, s.Dimension.Ref, defined["_xlnm.Print_Titles "+name])
			}
			if len(s.Merged) > 0 {
				t.Error("merged cells among data")
			}
			w.columnsFit(t, name, s)
			w.findingsFit(t, name, s)
		})
	}
	if tables < 11 {
		t.Errorf("only %d tables", tables)
	}
}

// freeText are the columns of texts that others write, of any length.
var freeText = []string{"Merchant", "Description", "Reference", "Card name"}

// columnsFit compares what cells show with the widths of their columns. A number that does not fit would be shown as ####.
func (w workpaper) columnsFit(t *testing.T, sheet string, s sheetPart) {
	t.Helper()
	shown, err := w.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for r, row := range shown {
		for c, text := range row {
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				t.Fatal(err)
			}
			style, err := w.style(at, sheet)
			if err != nil {
				t.Fatal(err)
			}
			parts := []string{text}
			if style.Alignment != nil && style.Alignment.WrapText { // no word is torn
				parts = strings.Fields(text)
			}
			longest := 0
			for _, p := range parts {
				longest = max(longest, utf8.RuneCountInString(p))
			}
			if width := s.Columns[c].Width; longest > width && !slices.Contains(freeText, shown[0][c]) && style.Alignment.Horizontal != "right" {
				t.Errorf("%s is %d wide: %q", at, width, text)
			}
			if style.Alignment.Horizontal == "right" && r > 0 && !style.Alignment.ShrinkToFit {
				t.Errorf("%s could be shown as ####", at)
			}
		}
	}
}

// findingsFit: what was found and its figures go on one page of paper, when a sheet of findings takes several side by side.
func (w workpaper) findingsFit(t *testing.T, sheet string, s sheetPart) {
	t.Helper()
	i := slices.IndexFunc(findingSheets(), func(f findingSheet) bool { return f.sheet == sheet })
	if i < 0 {
		return
	}
	rows, err := w.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	last, first, all := slices.Index(rows[0], findingSheets()[i].difference), 0, 0
	for c, column := range s.Columns {
		if all += column.Width; c <= last {
			first += column.Width
		}
	}
	if last < 5 || first > all/s.Setup.Wide {
		t.Errorf("the first %d columns are %d wide, a page %d", last+1, first, all/s.Setup.Wide)
	}
}

func (w workpaper) style(at, sheet string) (*excelize.Style, error) {
	id, err := w.GetCellStyle(sheet, at)
	if err != nil {
		return nil, err
	}
	return w.GetStyle(id)
}

// TestWorkbook_NumbersAndDatesAreThat reads the sheet Ledger as another program does: amounts are numbers with thousands and the
// digits of their currency, and a minus sign where they are negative; days and instants are dates.
func TestWorkbook_NumbersAndDatesAreThat(t *testing.T) {
	w := newWorkpaper(t)
	held, err := w.GetRows(ledgerSheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := w.GetRows(ledgerSheet)
	if err != nil {
		t.Fatal(err)
	}
	column := func(name string) int {
		return slices.IndexFunc(held[0], func(h string) bool { return strings.HasPrefix(h, name) })
	}
	seen := map[string]bool{}
	for r := range held[1:] {
		row := r + 1
		at, err := excelize.CoordinatesToCellName(column(colAmount)+1, row+1)
		if err != nil {
			t.Fatal(err)
		}
		style, err := w.style(at, ledgerSheet)
		if err != nil {
			t.Fatal(err)
		}
		currency, err := money.Lookup(held[row][column(colCurrency)])
		if err != nil {
			t.Fatal(err)
		}
		format := map[int]string{0: "#,##0", 2: "#,##0.00", 3: "#,##0.000"}[currency.Digits()]
		if style.CustomNumFmt == nil || *style.CustomNumFmt != format {
			t.Errorf("%s of %s has the format %v", at, currency, style.CustomNumFmt)
		}
		seen[shown[row][column(colAmount)]] = true
		for _, name := range []string{colDay, colOccurred} {
			day := shown[row][column(name)]
			if !regexp.MustCompile(`^2026-0[89]-\d\d( \d\d:\d\d:\d\d)?$`).MatchString(day) || !regexp.MustCompile(`^46\d\d\d(\.\d+)?$`).MatchString(held[row][column(name)]) {
				t.Errorf("row %d: %s is held as %q and shown as %q", row+1, name, held[row][column(name)], day)
			}
		}
	}
	for _, want := range []string{"-1,234,567.89", "-0.07", "50.00", "-0.125", "1,200"} {
		if !seen[want] {
			t.Errorf("%s is not shown: %v", want, seen)
		}
	}
}

// TestWorkbook_NamesItsTotals: whoever writes a formula over the report finds each total by a name.
func TestWorkbook_NamesItsTotals(t *testing.T) {
	w := newWorkpaper(t)
	names := map[string]string{}
	for _, n := range w.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	for _, name := range []string{
		allChecks, judgedOn, "debits_slash_main_USD", "credits_bitnob_main_USD", "net_bitnob_main_JPY", "net_all_USD", "net_all_BHD", "findings_open", "ledger_bitnob_main_USD_balance",
		"provider_bitnob_main_USD_balance", "unexplained_bitnob_main_USD_balance",
	} {
		sheet, at, ok := strings.Cut(strings.ReplaceAll(names[name], "$", ""), "!")
		if !ok {
			t.Errorf("there is no name %s", name)
			continue
		}
		value, err := w.GetCellValue(strings.Trim(sheet, "'"), at, excelize.Options{RawCellValue: true})
		formula, err2 := w.GetCellFormula(strings.Trim(sheet, "'"), at)
		if err != nil || err2 != nil || value == "" || formula == "" && name != judgedOn {
			t.Errorf("%s is %s: %q, formula %q", name, names[name], value, formula)
		}
	}
}

// TestWorkbook_HasNothingThatProgramsDistrust: no macro, no link to another file, no pivot table, nothing that is not there.
func TestWorkbook_HasNothingThatProgramsDistrust(t *testing.T) {
	w := newWorkpaper(t)
	for name, text := range w.parts {
		for _, strange := range []string{"vba", "macro", "external", "pivot", "connections", "activex", "embeddings", "querytable", ".bin"} {
			if strings.Contains(strings.ToLower(name), strange) {
				t.Errorf("holds %s", name)
			}
		}
		if strings.Contains(text, `TargetMode="External"`) || strings.HasPrefix(name, "xl/worksheets/") && regexp.MustCompile(`<f>[^<]*\[`).MatchString(text) {
			t.Errorf("%s leads out of the workbook", name)
		}
	}
	p, err := w.GetDocProps()
	if err != nil {
		t.Fatal(err)
	}
	if p.Title != "Acme & Daughters Inc.: card reconciliation" || p.Subject != "2026-08-01 to 2026-08-31" || p.Creator != "tieout" || p.Created != "2026-09-05T11:00:00Z" || p.Modified != p.Created {
		t.Errorf("properties %+v", p)
	}
}

// textOf is all that a sheet holds, cell by cell; numbers are as they are held.
func (w workpaper) textOf(t *testing.T, sheet string) string {
	t.Helper()
	rows, err := w.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range rows {
		all = append(all, strings.Join(row, "|"))
	}
	return strings.Join(all, "\n")
}

// leads is where the cells of a sheet lead, by their text.
func (w workpaper) leads(t *testing.T, sheet string) map[string]string {
	t.Helper()
	rows, err := w.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for r, row := range rows {
		for c, text := range row {
			at, err := excelize.CoordinatesToCellName(c+1, r+1)
			if err != nil {
				t.Fatal(err)
			}
			if linked, target, err := w.GetCellHyperLink(sheet, at); err != nil {
				t.Fatal(err)
			} else if linked {
				all[text] = target
			}
		}
	}
	return all
}

func TestCover_AnswersWhatIsAskedFirst(t *testing.T) {
	w := newWorkpaper(t)
	text := w.textOf(t, "Cover")
	for _, want := range []string{
		"Entity|Acme & Daughters Inc.", "Period|2026-08-01 to 2026-08-31", "Accounting zone|America/New_York", "Cut-off|entries belong to the period by when they occurred; 2 entries were posted on the other side",
		"As of run|8 (reconcile, 2026-09-05 07:05:00)", "Version|tieout v0.1.0", "Hash chain root|5f1b0c6e6f6c8b2c2d9a54f05c0d6ad5f2b4a1e6e1f3b8d7c6a5948372615049",
		"bitnob-main|bitnob|INCOMPLETE|transactions: not complete", "slash-main|slash|COMPLETE", "Conclusion\nINCOMPLETE\nThe period cannot be concluded for bitnob-main", "Sign-off\n|Name|Date|Signature\nPrepared by\nReviewed by",
		"Checks of the workbook|0.000|",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	leads := w.leads(t, "Cover")
	for _, sheet := range w.names[1:] {
		if leads[sheet] != "'"+sheet+"'!A1" {
			t.Errorf("%s: leads to %q", sheet, leads[sheet])
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestSummary_DrawsAndChecks(t *testing.T) {
	w := newWorkpaper(t)
	charts := ""
	for name, part := range w.parts {
		if strings.HasPrefix(name, "xl/charts/chart") {
			charts += part
		}
	}
	for _, want := range []string{"Spend by day and source, USD", "Findings that are open or acknowledged, by check", "Largest drifts: provider less ledger, USD"} {
		if strings.Count(charts, want) != 1 {
			t.Errorf("%d charts %q", strings.Count(charts, want), want)
		}
	}
	text := w.textOf(t, "Summary")
	for _, want := range []string{"0–30 days|31–60 days|61–90 days|91–180 days|> 180 days", "\n0.000|CF|Ledger + reconciling items + unexplained = provider", "\n0.00|F|Net of all sources in USD"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q", want)
		}
	}
	_, checks, _ := strings.Cut(text, "What must agree\n")
	checks, _, _ = strings.Cut(checks, "\n\n")
	for line := range strings.Lines(checks) {
		if !regexp.MustCompile(`^0(\.0+)?\|(CF|F|AG|HT|RP)\|`).MatchString(line) {
			t.Errorf("not zero: %s", line)
		}
	}
	if n := strings.Count(checks, "\n"); n < 10 {
		t.Errorf("%d checks", n)
	}
	input, _ := august(t)
	input.AgeBuckets = []int{7, 14}
	f, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.ageNames()); got != "[0–7 days 8–14 days > 14 days]" {
		t.Errorf("ages of the configuration: %s", got)
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestFindingSheets_LeadToTheirEvidence: from a finding to its card and entries, and from an entry back to its findings.
func TestFindingSheets_LeadToTheirEvidence(t *testing.T) {
	w := newWorkpaper(t)
	for sheet, want := range map[string][]string{
		"Limit breaches": {"Travel", "'Cards'!A"}, "Orphan top-ups": {"bitnob-main/t2", "'Ledger'!A"}, "Balance drift": {"bitnob-main/p1", "'Ledger'!A"}, "Roll-forward": {"=HYPERLINK(\"http://evil\")", "'Cards'!A"},
	} {
		target := w.leads(t, sheet)[want[0]]
		there, at, ok := strings.Cut(target, "!")
		if !ok || !strings.HasPrefix(target, want[1]) {
			t.Errorf("%s: %q leads to %q, want %s", sheet, want[0], target, want[1])
			continue
		}
		rows, err := w.GetRows(strings.Trim(there, "'"))
		if err != nil {
			t.Fatal(err)
		}
		_, row, err := excelize.CellNameToCoordinates(at)
		if err != nil || row > len(rows) || !slices.Contains(rows[row-1], want[0]) {
			t.Errorf("%s: %q leads to row %s, where it is not (%v)", sheet, want[0], at, err)
		}
	}
	back := 0
	for _, target := range w.leads(t, ledgerSheet) {
		if strings.HasPrefix(target, "'Orphan top-ups'!") || strings.HasPrefix(target, "'Balance drift'!") {
			back++
		}
	}
	if back < 2 {
		t.Errorf("%d entries lead to their findings", back)
	}
}
