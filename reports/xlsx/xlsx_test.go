package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

func rows(all ...[]any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func zone(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// book is a workbook of a page that foots a table, and the table.
func book(t *testing.T, data ...[]any) table.Book {
	t.Helper()
	data = append(data,
		[]any{"bill", time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC), money.FromMinor(-1250, money.USD()), nil},
		[]any{"=1+1", time.Time{}, money.FromMinor(700, money.USD()), nil},
		[]any{"bill", nil, money.FromMinor(5, money.USD()), nil},
	)
	tab := table.Table{
		Name: "Ledger", Len: len(data), Rows: rows(data...),
		Columns: []table.Column{
			{Name: "Source", Width: 12},
			{Name: "Occurred", Kind: table.Instant, Width: 19},
			{Name: "Amount", Kind: table.Amount, Width: 14},
			{Name: "Disposition", Width: 12, Fill: true, Choices: []string{"accept", "reopen"}},
		},
	}
	page := table.Page{Name: "Summary", Widths: []int{20, 20}, Lines: []table.Line{
		{Role: table.Title, Cells: []any{"Summary"}, Span: true},
		{Role: table.Plain},
		{Role: table.Head, Cells: []any{"What", "Sum"}},
		{Cells: []any{table.Link{Sheet: "Ledger", Text: "bill"}, table.Foot{
			Sheet: "Ledger", Sum: "Amount", Value: table.Decimal("-12.45"), Where: []table.Criterion{{Column: "Source", Value: "bill"}},
		}}},
		{Cells: []any{"rows", table.Foot{Sheet: "Ledger", Value: int64(1), Where: []table.Criterion{{Column: "Source", Value: "=1+1"}}}}},
	}}
	return table.Book{
		Title: "T", Entity: "A & B", Period: "2026-08", Version: "tieout v1, as of run 8", At: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC), Zone: zone(t),
		Sheets: []table.Sheet{{Page: &page, Tone: table.Bad}, {Table: &tab}},
	}
}

func written(t *testing.T, w Writer, b table.Book) []byte {
	t.Helper()
	w.TempDir = t.TempDir()
	var out bytes.Buffer
	if err := w.Write(t.Context(), &out, b); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(w.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return out.Bytes()
}

func open(t *testing.T, workbook []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(workbook))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// partOf is one file of the workbook.
func partOf(t *testing.T, workbook []byte, name string) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(workbook), int64(len(workbook)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func raw(t *testing.T, f *excelize.File, sheet, at string) string {
	t.Helper()
	v, err := f.GetCellValue(sheet, at, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWrite_Cells(t *testing.T) {
	f := open(t, written(t, Writer{}, book(t)))
	for _, c := range []struct {
		name, at, want string
		kind           excelize.CellType
	}{
		{"TextLikeAFormulaIsText", "A3", "=1+1", excelize.CellTypeInlineString},
		{"AmountIsANumber", "C2", "-12.50", excelize.CellTypeUnset},
		{"SmallAmount", "C4", "0.05", excelize.CellTypeUnset},
		{"InstantIsWallTimeOfTheZone", "B2", "46235.333333333333", excelize.CellTypeUnset}, // 2026-08-01 08:00
		{"UnknownInstantIsEmpty", "B3", "", excelize.CellTypeUnset},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, err := f.GetCellType("Ledger", c.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := raw(t, f, "Ledger", c.at); got != c.want || kind != c.kind {
				t.Errorf("got %q of type %d, want %q of type %d", got, kind, c.want, c.kind)
			}
			formula, err := f.GetCellFormula("Ledger", c.at)
			if err != nil || formula != "" {
				t.Errorf("formula %q, %v", formula, err)
			}
		})
	}
	shown := map[string]string{"B2": "2026-08-01 08:00:00", "C2": "-12.50", "C3": "7.00"}
	for at, want := range shown {
		if got, err := f.GetCellValue("Ledger", at); err != nil || got != want {
			t.Errorf("%s shows %q, want %q (%v)", at, got, want, err)
		}
	}
}

func TestWrite_FormulasCarryTheirValues(t *testing.T) {
	w := written(t, Writer{}, book(t))
	if summary := partOf(t, w, "xl/worksheets/sheet1.xml"); strings.Contains(summary, `t="str"`) || !strings.Contains(summary, "<f>ROUND(") {
		t.Error("formulas are not typed as numbers")
	}
	f := open(t, w)
	for at, want := range map[string]string{"B4": "-12.45", "B5": "1"} {
		if got := raw(t, f, "Summary", at); got != want {
			t.Errorf("%s holds %q, want %q", at, got, want)
		}
		// Another program comes to the same.
		if got, err := f.CalcCellValue("Summary", at, excelize.Options{RawCellValue: true}); err != nil || got != want {
			t.Errorf("%s computes to %q, want %q (%v)", at, got, want, err)
		}
	}
	formula, err := f.GetCellFormula("Summary", "B4")
	if want := `ROUND(SUMIFS('Ledger'!$C$2:$C$4,'Ledger'!$A$2:$A$4,"=bill"),2)`; err != nil || formula != want {
		t.Errorf("got %s, want %s (%v)", formula, want, err)
	}
}

// calculated is a workbook whose table and page hold formulas over cells beside them, over each other and over names.
func calculated(t *testing.T) table.Book {
	t.Helper()
	b := book(t)
	tab := table.Table{
		Name: "Roll", Len: 2, Columns: []table.Column{{Name: "Source"}, {Name: "Opening", Kind: table.Amount}, {Name: "Moved", Kind: table.Amount}, {Name: "Closing", Kind: table.Amount}, {Name: "Since", Kind: table.Day}, {Name: "Age", Kind: table.Number}},
		Rows: rows(
			[]any{
				"bill", table.Decimal("0.10"),
				table.Foot{Sheet: "Ledger", Sum: "Amount", Value: table.Decimal("-12.45"), Where: []table.Criterion{{Column: "Source", Beside: table.Here("Source")}}},
				table.Calc{Plus: []any{table.Here("Opening"), table.Here("Moved")}, Value: table.Decimal("-12.35")},
				table.Date("2026-08-01"),
				table.Calc{Plus: []any{table.Named("judged_on")}, Minus: []any{table.Here("Since")}, Value: int64(31)},
			},
			[]any{
				"long", table.Decimal("92233720368547758.07"), table.Decimal("0.01"),
				table.Calc{Plus: []any{table.Here("Opening"), table.Here("Moved")}, Value: table.Decimal("92233720368547758.08")},
				table.Date(""), nil,
			}),
	}
	page := b.Sheets[0].Page
	page.Names = []table.Name{{Name: "judged_on", At: table.At{Line: 5, Column: 1}}}
	page.Lines = append(page.Lines,
		table.Line{Cells: []any{"judged on", table.Date("2026-09-01")}},
		table.Line{Cells: []any{"check", table.Calc{Plus: []any{table.At{Line: 3, Column: 1}}, Minus: []any{table.Cell{Sheet: "Roll", Row: 1, Column: "Moved"}}, Value: table.Decimal("0.00"), Check: true}}},
		table.Line{Cells: []any{"all", table.Calc{Plus: []any{table.Range{From: table.At{Line: 3, Column: 1}, To: table.At{Line: 4, Column: 1}}}, Value: table.Decimal("-11.45")}}},
		table.Line{Cells: []any{"sum", table.Foot{Sheet: "Roll", Sum: "Moved", Value: table.Decimal("-12.44")}}},
		table.Line{Cells: []any{"absolute", table.Foot{Sheet: "Roll", Sum: "Moved", Abs: true, Value: table.Decimal("12.46")}}})
	b.Sheets = append(b.Sheets, table.Sheet{Table: &tab})
	return b
}

func TestWrite_Calc(t *testing.T) {
	f := open(t, written(t, Writer{}, calculated(t)))
	for _, c := range []struct{ sheet, at, formula, value string }{
		{"Roll", "C2", `ROUND(SUMIFS('Ledger'!$C$2:$C$4,'Ledger'!$A$2:$A$4,$A2),2)`, "-12.45"},
		{"Roll", "D2", "ROUND($B2+$C2,2)", "-12.35"},
		{"Roll", "F2", "judged_on-$E2", "31"},
		{"Roll", "D3", "", "92233720368547758.08"}, // one of the two is text
		{"Summary", "B7", "ROUND(B4-'Roll'!$C$2,2)", "0.00"},
		{"Summary", "B8", "ROUND(SUM(B4:B5),2)", "-11.45"},
		{"Summary", "B9", "ROUND(SUM('Roll'!$C$2:$C$3),2)", "-12.44"},
		{"Summary", "B10", `ROUND((SUMIF('Roll'!$C$2:$C$3,">0")-SUMIF('Roll'!$C$2:$C$3,"<0")),2)`, "12.46"},
	} {
		formula, err := f.GetCellFormula(c.sheet, c.at)
		if err != nil || formula != c.formula {
			t.Errorf("%s!%s: formula %q, want %q (%v)", c.sheet, c.at, formula, c.formula, err)
		}
		if got := raw(t, f, c.sheet, c.at); got != c.value {
			t.Errorf("%s!%s holds %s, want %s", c.sheet, c.at, got, c.value)
		}
	}
	names := map[string]string{}
	for _, n := range f.GetDefinedName() {
		names[n.Name] = n.RefersTo
	}
	if names["judged_on"] != "'Summary'!$B$6" {
		t.Errorf("names: %v", names)
	}
}

// TestWrite_ElementsStandInTheOrderOfTheFormat compares the children of each sheet with the sequence of CT_Worksheet
// (ECMA-376 part 1, 18.3.1.99). Excel calls a file with another order damaged.
func TestWrite_ElementsStandInTheOrderOfTheFormat(t *testing.T) {
	order := []string{
		"sheetPr", "dimension", "sheetViews", "sheetFormatPr", "cols", "sheetData", "sheetCalcPr", "sheetProtection", "protectedRanges", "scenarios", "autoFilter", "sortState",
		"dataConsolidate", "customSheetViews", "mergeCells", "phoneticPr", "conditionalFormatting", "dataValidations", "hyperlinks", "printOptions", "pageMargins", "pageSetup",
		"headerFooter", "rowBreaks", "colBreaks", "customProperties", "cellWatches", "ignoredErrors", "smartTags", "drawing", "legacyDrawing", "tableParts", "extLst",
	}
	b := calculated(t)
	b.Sheets[0].Page.Lines = append(b.Sheets[0].Page.Lines, table.Line{}, table.Line{}, table.Line{})
	values := table.Range{From: table.At{Line: 3, Column: 1}, To: table.At{Line: 4, Column: 1}}
	b.Sheets[0].Page.Charts = []table.Chart{{Title: "C", At: table.At{Line: 10}, Columns: 2, Lines: 3, Categories: values, Series: []table.Series{{Name: table.At{Line: 2, Column: 1}, Values: values}}}}
	w := written(t, Writer{}, b)
	seen := map[string]bool{}
	for n := range b.Sheets {
		d := xml.NewDecoder(strings.NewReader(partOf(t, w, "xl/worksheets/sheet"+strconv.Itoa(n+1)+".xml")))
		depth, last := 0, -1
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch e := token.(type) {
			case xml.StartElement:
				if depth++; depth == 2 {
					at := slices.Index(order, e.Name.Local)
					if at <= last {
						t.Errorf("sheet %d: %s comes after %s", n+1, e.Name.Local, order[last])
					}
					last, seen[e.Name.Local] = at, true
				}
			case xml.EndElement:
				depth--
			}
		}
	}
	for _, element := range []string{"sheetPr", "cols", "sheetData", "autoFilter", "mergeCells", "conditionalFormatting", "dataValidations", "hyperlinks", "pageSetup", "headerFooter", "drawing"} {
		if !seen[element] {
			t.Errorf("no sheet has %s", element)
		}
	}
	if rels := partOf(t, w, "xl/worksheets/_rels/sheet1.xml.rels"); !strings.Contains(rels, `Id="rId1"`) || !strings.Contains(rels, "drawing1.xml") || strings.Count(rels, "<Relationship ") != 1 {
		t.Errorf("the drawing is not rId1: %s", rels)
	}
}

// TestWrite_Elements looks for what a sheet needs besides its rows.
func TestWrite_Elements(t *testing.T) {
	w := written(t, Writer{}, book(t))
	for name, parts := range map[string][]string{
		"xl/worksheets/sheet2.xml": {
			`<tabColor rgb="FF8A98A9"/>`, `<pageSetUpPr fitToPage="1"/>`, `<dimension ref="A1:D4"/>`, `<pane xSplit="1" ySplit="1" topLeftCell="B2" activePane="bottomRight" state="frozen"/>`,
			`<col min="1" max="1" width="12" customWidth="1"/><col min="2" max="2" width="19"`, `<autoFilter ref="A1:D4"/>`,
			`<dataValidation type="list" errorStyle="stop"`, `sqref="D2:D4"><formula1>"accept,reopen"</formula1>`, `orientation="landscape" fitToWidth="1" fitToHeight="0"`,
			`<oddHeader>&amp;LA &amp;&amp; B&amp;C&amp;A&amp;R2026-08</oddHeader>`, `&amp;Rpage &amp;P of &amp;N</oddFooter>`,
		},
		"xl/worksheets/sheet1.xml": {`<tabColor rgb="FFC0392B"/>`, `<hyperlink ref="A4" location="'Ledger'!A1" display="bill"/>`, `<mergeCell ref="A1:B1"/>`, `fitToWidth="1" fitToHeight="1"`},
		"xl/workbook.xml": {
			`<sheet name="Summary" sheetId="1"`, `<sheet name="Ledger" sheetId="2"`, `_xlnm.Print_Titles">&#39;Ledger&#39;!$1:$1<`, `fullCalcOnLoad="true"`,
		},
		"docProps/core.xml": {`>2026-09-01T00:00:00Z</dcterms:created>`, `>2026-09-01T00:00:00Z</dcterms:modified>`},
	} {
		text := partOf(t, w, name)
		for _, want := range parts {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	if text := partOf(t, w, "xl/worksheets/sheet2.xml"); strings.Contains(text, "mergeCell") {
		t.Error("merged cells among data")
	}
}

func TestWrite_SplitsLongTables(t *testing.T) {
	b := book(t, []any{"x", nil, money.FromMinor(100, money.USD()), nil}, []any{"bill", nil, money.FromMinor(200, money.USD()), nil})
	b.Sheets[0].Page.Lines[3].Cells[1] = table.Foot{Sheet: "Ledger", Sum: "Amount", Value: table.Decimal("-10.45"), Where: []table.Criterion{{Column: "Source", Value: "bill"}}}
	f := open(t, written(t, Writer{MaxRows: 3}, b)) // two rows a sheet
	if got := strings.Join(f.GetSheetList(), "|"); got != "Summary|Ledger|Ledger 2|Ledger 3" {
		t.Fatalf("sheets: %s", got)
	}
	var sources []string
	for _, sheet := range f.GetSheetList()[1:] {
		all, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if all[0][0] != "Source" {
			t.Errorf("%s starts with %q", sheet, all[0])
		}
		for _, r := range all[1:] {
			sources = append(sources, r[0])
		}
	}
	if got := strings.Join(sources, "|"); got != "x|bill|bill|=1+1|bill" {
		t.Errorf("rows: %s", got)
	}
	if got, err := f.CalcCellValue("Summary", "B4", excelize.Options{RawCellValue: true}); err != nil || got != "-10.45" {
		t.Errorf("foot over all sheets: %s, %v", got, err)
	}
}

func TestWrite_ExactlyFullSheetIsNotSplit(t *testing.T) {
	f := open(t, written(t, Writer{MaxRows: 4}, book(t)))
	if got := strings.Join(f.GetSheetList(), "|"); got != "Summary|Ledger" {
		t.Errorf("sheets: %s", got)
	}
}

func TestWrite_EmptyTableSaysSo(t *testing.T) {
	b := book(t)
	b.Sheets[1].Table.Len, b.Sheets[1].Table.Rows = 0, rows()
	if got := raw(t, open(t, written(t, Writer{}, b)), "Ledger", "A2"); got != "None." {
		t.Errorf("got %q", got)
	}
}

func TestWrite_EqualBooksAreEqualBytes(t *testing.T) {
	first := written(t, Writer{}, book(t))
	for range 5 {
		if !bytes.Equal(first, written(t, Writer{}, book(t))) {
			t.Fatal("two builds differ")
		}
	}
}

func TestWrite_Errors(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		change func(*table.Book)
		want   string
	}{
		{"Cancelled", cancelled, func(*table.Book) {}, "write workbook: sheet Summary: context canceled"},
		{"MoreRowsThanCounted", t.Context(), func(b *table.Book) { b.Sheets[1].Table.Len = 2 }, "write workbook: sheet Ledger: more rows than the 2 that were counted"},
		{"FewerRowsThanCounted", t.Context(), func(b *table.Book) { b.Sheets[1].Table.Len = 9 }, "write workbook: sheet Ledger: 3 rows where 9 were counted"},
		{"RowOfAnotherWidth", t.Context(), func(b *table.Book) { b.Sheets[1].Table.Rows = rows([]any{"x"}) }, "write workbook: sheet Ledger: row 1: 1 cells for 4 columns"},
		{"CellOfAnUnknownType", t.Context(), func(b *table.Book) { b.Sheets[1].Table.Rows = rows([]any{"x", nil, 3, nil}) }, "write workbook: sheet Ledger: row 1: Amount: a cell of type int"},
		{"ErrorOfARow", t.Context(), func(b *table.Book) {
			b.Sheets[1].Table.Rows = func(yield func([]any, error) bool) { yield(nil, errors.New("disk")) }
		}, "write workbook: sheet Ledger: disk"},
		{"FootOfAnUnknownColumn", t.Context(), func(b *table.Book) {
			b.Sheets[0].Page.Lines[3].Cells[1] = table.Foot{Sheet: "Ledger", Sum: "Total", Value: table.Decimal("1")}
		}, `write workbook: sheet Summary: line 4: a foot of column "Total", which Ledger does not have`},
		{"FootOfAnUnknownSheet", t.Context(), func(b *table.Book) {
			b.Sheets[0].Page.Lines[3].Cells[1] = table.Foot{Sheet: "Cards", Value: int64(1)}
		}, `write workbook: sheet Summary: line 4: a foot of sheet "Cards", which is not there`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := book(t)
			c.change(&b)
			dir := t.TempDir()
			if err := (Writer{TempDir: dir}).Write(c.ctx, io.Discard, b); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestAmount_EveryNumberIsTheAmount writes amounts of all sizes as numbers and reads back the same decimals.
func TestAmount_EveryNumberIsTheAmount(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	codes := []string{"USD", "JPY", "BHD", "CLF"}
	var data [][]any
	var want []string
	for i := range 2000 {
		c, err := money.Lookup(codes[i%len(codes)])
		if err != nil {
			t.Fatal(err)
		}
		a := money.FromMinor(r.Int64()>>r.IntN(63)*int64(1-2*(i%2)), c)
		data = append(data, []any{a})
		want = append(want, a.String())
	}
	tab := table.Table{Name: "A", Columns: []table.Column{{Name: "Amount", Kind: table.Amount}}, Len: len(data), Rows: rows(data...)}
	f := open(t, written(t, Writer{}, table.Book{Zone: time.UTC, Sheets: []table.Sheet{{Table: &tab}}}))
	numbers := 0
	for i, text := range want {
		at := "A" + strconv.Itoa(i+2)
		kind, err := f.GetCellType("A", at)
		if err != nil {
			t.Fatal(err)
		}
		got := raw(t, f, "A", at)
		digits := len(strings.TrimLeft(strings.NewReplacer("-", "", ".", "").Replace(text), "0"))
		if digits > mostDigits {
			if kind != excelize.CellTypeInlineString || got != text {
				t.Errorf("%s: %s stands as %q of type %d, want text", at, text, got, kind)
			}
			continue
		}
		numbers++
		_, fraction, _ := strings.Cut(text, ".")
		v, err := strconv.ParseFloat(got, 64)
		if err != nil || kind != excelize.CellTypeUnset || strconv.FormatFloat(v, 'f', len(fraction), 64) != text {
			t.Errorf("%s: %s stands as %q of type %d (%v)", at, text, got, kind, err)
		}
	}
	if numbers < 500 || numbers == len(want) {
		t.Errorf("%d of %d are numbers: both kinds must be seen", numbers, len(want))
	}
}

func TestAmount_TooLongForANumberIsMarkedText(t *testing.T) {
	tab := table.Table{Name: "A", Columns: []table.Column{{Name: "Amount", Kind: table.Amount}}, Len: 2, Rows: rows(
		[]any{money.FromMinor(math.MaxInt64, money.USD())}, []any{money.FromMinor(999_999_999_999_999, money.USD())})}
	page := table.Page{Name: "S", Widths: []int{30}, Lines: []table.Line{{Cells: []any{table.Foot{Sheet: "A", Sum: "Amount", Value: table.Decimal("92243720368547758.06")}}}}}
	f := open(t, written(t, Writer{}, table.Book{Zone: time.UTC, Sheets: []table.Sheet{{Table: &tab}, {Page: &page}}}))
	if got := raw(t, f, "A", "A2"); got != "92233720368547758.07" {
		t.Errorf("got %q", got)
	}
	id, err := f.GetCellStyle("A", "A2")
	if err != nil {
		t.Fatal(err)
	}
	style, err := f.GetStyle(id)
	if err != nil || len(style.Fill.Color) != 1 || style.Fill.Color[0] != yellow {
		t.Errorf("not marked: %+v, %v", style.Fill, err)
	}
	if got := raw(t, f, "A", "A3"); got != "9999999999999.99" {
		t.Errorf("got %q", got)
	}
	if formula, err := f.GetCellFormula("S", "A1"); formula != "" || err != nil {
		t.Errorf("a sum that is text has the formula %q (%v)", formula, err)
	}
}

func TestClean(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"ControlCharacters", "a\x00b\x1fc\td\ne\r\nf\rg", "a\uFFFDb\uFFFDc\td\ne\nf\uFFFDg"},
		{"BrokenUTF8", "a\xffb", "a\uFFFDb"},
		{"LongestTextIsKept", strings.Repeat("x", mostText), strings.Repeat("x", mostText)},
		{"LongerTextIsCutVisibly", strings.Repeat("x", mostText+1), strings.Repeat("x", mostText-6) + " [cut]"},
		{"LongTextOfManyBytesIsKept", strings.Repeat("é", mostText), strings.Repeat("é", mostText)},
		{"PairsAreNotTornApart", strings.Repeat("😀", mostText), strings.Repeat("😀", (mostText-6)/2) + " [cut]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := clean(c.in)
			if got != c.want {
				t.Errorf("got %d bytes, want %d", len(got), len(c.want))
			}
			if n := len(utf16.Encode([]rune(got))); n > mostText {
				t.Errorf("%d code units", n)
			}
		})
	}
}

func TestCriterion(t *testing.T) {
	for _, c := range []struct {
		in   table.Criterion
		want string
	}{
		{table.Criterion{Value: "bill"}, `"=bill"`},
		{table.Criterion{Value: ""}, `"="`},
		{table.Criterion{Value: `a*b?"c"~`}, `"=a~*b~?""c""~~"`},
		{table.Criterion{Op: "<>", Value: "not checkable"}, `"<>not checkable"`},
		{table.Criterion{Op: ">", Value: "0"}, `">0"`},
	} {
		if got, err := criterion(c.in, place{}); got != c.want || err != nil {
			t.Errorf("%+v: got %s, want %s (%v)", c.in, got, c.want, err)
		}
	}
}

// BenchmarkWrite streams a ledger of 500,000 entries, as wide as the sheet is, and prints what memory it took at most.
func BenchmarkWrite(b *testing.B) {
	const n = 500_000
	columns := []table.Column{{Name: "Day", Kind: table.Day}, {Name: "Occurred", Kind: table.Instant}, {Name: "Posted", Kind: table.Instant}, {Name: "Amount", Kind: table.Amount}, {Name: "Card no.", Kind: table.Number}}
	for i := range 15 {
		columns = append(columns, table.Column{Name: "Text " + strconv.Itoa(i)})
	}
	tab := table.Table{
		Name: "Ledger", Len: n, Columns: columns,
		Rows: func(yield func([]any, error) bool) {
			for i := range n {
				at := time.Unix(1_780_000_000+int64(i)*7, 0)
				id := strconv.Itoa(i * 7919)
				row := []any{
					table.Date("2026-08-01"), at, at.Add(time.Hour), money.FromMinor(-int64(i*7919%1_000_000), money.USD()), int64(i % 500), "slash-main", id[len(id)/2:], "purchase", "posted", "yes",
					"USD", "", "", "Merchant " + strconv.Itoa(i%997), "5812", "", "", "card-" + strconv.Itoa(i%500), "slash-main/tx_" + id, "",
				}
				if !yield(row, nil) {
					return
				}
			}
		},
	}
	for b.Loop() {
		size := new(counter)
		if err := (Writer{TempDir: b.TempDir()}).Write(b.Context(), size, table.Book{Zone: time.UTC, Sheets: []table.Sheet{{Table: &tab}}}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(*size)/1e6, "MB/file")
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "rows/s")
	if peak := peakMemory(); peak > 0 {
		b.ReportMetric(float64(peak)/1024, "peak-MiB")
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// peakMemory is the largest resident size of the process in KiB; 0 where the system does not say.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// contrast is how much two colours of the web differ, as WCAG 2 computes it: from 1 to 21.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(color string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(color[2*i:2*i+2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			v := float64(n) / 255
			if v <= 0.04045 {
				v /= 12.92
			} else {
				v = math.Pow((v+0.055)/1.055, 2.4)
			}
			sum += weight * v
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// TestStyle_CanBeRead compares the letters and the ground of every look that a cell can have.
func TestStyle_CanBeRead(t *testing.T) {
	if got := contrast(t, "FF0000", "FFFFFF"); got < 3.99 || got > 4.01 { // a published example
		t.Fatalf("pure red on white: %v", got)
	}
	var styles []*excelize.Style
	b := &builder{file: excelize.NewFile(), styles: map[look]int{}}
	defer b.file.Close()
	for tone := table.Quiet; tone <= table.Bad; tone++ {
		for role := table.Plain; role <= table.Blank; role++ {
			for bits := range 1 << 6 {
				on := func(i int) bool { return bits>>i&1 == 1 }
				l := look{tone: tone, role: role, row: on(1), marked: on(2), link: on(3), fill: on(4), check: on(5)}
				if l.head = on(0); l.head || role == table.Head { // headers are words alone
					l = look{head: l.head, role: role}
				}
				id, err := b.style(l)
				if err != nil {
					t.Fatal(err)
				}
				s, err := b.file.GetStyle(id)
				if err != nil {
					t.Fatal(err)
				}
				styles = append(styles, s)
			}
		}
	}
	for _, s := range append(styles, alarm()) {
		letters, ground := s.Font.Color, "FFFFFF"
		if letters == "" {
			letters = "000000"
		}
		if len(s.Fill.Color) > 0 {
			ground = s.Fill.Color[0]
		}
		if got := contrast(t, letters, ground); got < 4.5 {
			t.Errorf("%s on %s: %.2f", letters, ground, got)
		}
	}
	for digits := range 4 { // colours of formats are a program's own
		if strings.Contains(amountFormat(digits)+checkFormat(digits), "[") {
			t.Errorf("a format names a colour: %s", checkFormat(digits))
		}
	}
}
