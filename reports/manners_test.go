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
