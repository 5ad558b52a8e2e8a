// Package xlsx writes a book as an Excel workbook. Rows are streamed; equal books are equal bytes.
//
// Everything of a sheet but its rows is set before its first row: what is set later, excelize drops without an error.
package xlsx

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
)

// maxRows is how many rows a sheet holds, its header included. Excel's limit is a little higher.
const maxRows = 1_048_000

const (
	leastWidth = 6   // of a column, in characters
	pageWidth  = 185 // characters that can still be read side by side on paper
	mostLines  = 20  // of a cell that are shown
	onePage    = 60  // lines of a page that still go on one sheet of paper
)

// Writer writes workbooks.
type Writer struct {
	TempDir string // where rows are spooled; empty: the system's
	MaxRows int    // of a sheet, its header included; 0: a little below Excel's limit. A longer table goes on in NAME 2
}

// Write writes the book.
func (w Writer) Write(ctx context.Context, out io.Writer, book table.Book) error {
	b := &builder{book: book, rows: w.MaxRows, styles: map[look]int{}, ranges: map[string]footed{}}
	if b.rows == 0 {
		b.rows = maxRows
	}
	b.file = excelize.NewFile(excelize.Options{TmpDir: w.TempDir})
	defer b.file.Close()
	if err := b.write(ctx, out, w.TempDir); err != nil {
		return fmt.Errorf("write workbook: %w", err)
	}
	return nil
}

// builder is one workbook in the making.
type builder struct {
	book   table.Book
	file   *excelize.File
	rows   int // of a sheet
	styles map[look]int
	ranges map[string]footed // by table
}

// footed is where the columns of a table lie.
type footed struct {
	parts   []sheetPart
	columns map[string]int // one-based
}

// sheetPart is one sheet of a table.
type sheetPart struct {
	sheet string
	rows  int // without the header
}

func (b *builder) write(ctx context.Context, out io.Writer, tempDir string) error {
	if err := b.layOut(); err != nil {
		return err
	}
	for _, s := range b.book.Sheets {
		err := ctx.Err()
		switch {
		case err != nil:
		case s.Page != nil:
			err = b.page(s)
		default:
			err = b.table(ctx, s)
		}
		if err != nil {
			return fmt.Errorf("sheet %s: %w", s.Name(), err)
		}
	}
	if err := b.properties(); err != nil {
		return err
	}
	zw, err := newZipWriter(out, tempDir)
	if err != nil {
		return err
	}
	defer zw.discard()
	// The archive goes straight to out; the buffer that excelize offers would hold all of it.
	return b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return zw }).Write(io.Discard)
}

// layOut creates all sheets, in order, and finds where each table will lie, so that formulas can name it.
func (b *builder) layOut() error {
	first := true
	create := func(name string) error {
		if first {
			first = false
			return b.file.SetSheetName("Sheet1", name)
		}
		_, err := b.file.NewSheet(name)
		return err
	}
	for _, s := range b.book.Sheets {
		if s.Page != nil {
			if err := create(s.Page.Name); err != nil {
				return err
			}
			continue
		}
		at := footed{columns: map[string]int{}}
		for i, c := range s.Table.Columns {
			at.columns[c.Name] = i + 1
		}
		for left, n := s.Table.Len, 1; left > 0 || n == 1; n++ {
			name := s.Table.Name
			if n > 1 {
				name += " " + strconv.Itoa(n)
			}
			if err := create(name); err != nil {
				return err
			}
			rows := min(left, b.rows-1)
			at.parts = append(at.parts, sheetPart{name, rows})
			left -= rows
		}
		b.ranges[s.Table.Name] = at
	}
	return nil
}

// formula is a foot as SUMIFS or COUNTIFS over the rows of its table, on as many sheets as it has.
func (b *builder) formula(f table.Foot) (string, error) {
	at, ok := b.ranges[f.Sheet]
	if !ok {
		return "", fmt.Errorf("a foot of sheet %q, which is not there", f.Sheet)
	}
	var terms []string
	for _, p := range at.parts {
		area := func(column string) (string, error) {
			n, ok := at.columns[column]
			if !ok {
				return "", fmt.Errorf("a foot of column %q, which %s does not have", column, f.Sheet)
			}
			letter, err := excelize.ColumnNumberToName(n)
			return fmt.Sprintf("'%s'!$%s$2:$%s$%d", p.sheet, letter, letter, max(p.rows, 1)+1), err
		}
		name := "COUNTIFS"
		var args []string
		if f.Sum != "" {
			name = "SUMIFS"
			a, err := area(f.Sum)
			if err != nil {
				return "", err
			}
			args = append(args, a)
		}
		for _, c := range f.Where {
			a, err := area(c.Column)
			if err != nil {
				return "", err
			}
			args = append(args, a, criterion(c))
		}
		terms = append(terms, name+"("+strings.Join(args, ",")+")")
	}
	return strings.Join(terms, "+"), nil
}

// criterion is a criterion as a text of a formula. Wildcards in a value stand for themselves.
func criterion(c table.Criterion) string {
	op := c.Op
	if op == "" {
		op = "="
	}
	value := strings.NewReplacer("~", "~~", "*", "~*", "?", "~?", `"`, `""`).Replace(c.Value)
	return `"` + op + value + `"`
}

// page writes a page.
func (b *builder) page(s table.Sheet) error {
	p := s.Page
	last, err := excelize.CoordinatesToCellName(len(p.Widths), max(len(p.Lines), 1))
	if err != nil {
		return err
	}
	paper := layout{wide: 1}
	if len(p.Lines) < onePage {
		paper.tall = 1
	}
	if err := b.dress(p.Name, "A1:"+last, s.Tone, paper); err != nil {
		return err
	}
	for i, l := range p.Lines {
		for j, v := range l.Cells {
			if link, ok := v.(table.Link); ok {
				at, err := excelize.CoordinatesToCellName(j+1, i+1)
				if err != nil {
					return err
				}
				if err := b.file.SetCellHyperLink(p.Name, at, "'"+link.Sheet+"'!A1", "Location"); err != nil {
					return err
				}
			}
		}
	}
	sw, err := b.file.NewStreamWriter(p.Name)
	if err != nil {
		return err
	}
	if err := setWidths(sw, p.Widths); err != nil {
		return err
	}
	for i, l := range p.Lines {
		if err := b.pageLine(sw, p, i+1, l); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return sw.Flush()
}

func (b *builder) pageLine(sw *excelize.StreamWriter, p *table.Page, row int, l table.Line) error {
	cells := make([]any, 0, len(p.Widths))
	height := 1
	for i, v := range l.Cells {
		base := look{role: l.Role, right: l.Role == table.Head && p.NumbersBelow(row-1, i)}
		room := p.Widths[i]
		if l.Span && i == len(l.Cells)-1 {
			room = 0
			for _, w := range p.Widths[i:] {
				room += w
			}
		}
		if text, ok := v.(string); ok && l.Role != table.Title && l.Role != table.Heading && len([]rune(text)) > room {
			base.wrap = true
			height = max(height, linesOf(text, room))
		}
		c, err := b.cell(v, base)
		if err != nil {
			return err
		}
		cells = append(cells, c)
	}
	// Rules of headings and totals go over the whole width.
	for i := len(cells); i < len(p.Widths) && (l.Role == table.Heading || l.Role == table.Total || l.Role == table.Head); i++ {
		c, err := b.cell(nil, look{role: l.Role})
		if err != nil {
			return err
		}
		cells = append(cells, c)
	}
	if len(cells) == 0 {
		return nil
	}
	at, err := excelize.CoordinatesToCellName(1, row)
	if err != nil {
		return err
	}
	if err := sw.SetRow(at, cells, excelize.RowOpts{Height: lineHeight(l.Role, height)}); err != nil {
		return err
	}
	if last := len(l.Cells); l.Span && last < len(p.Widths) {
		from, err := excelize.CoordinatesToCellName(last, row)
		if err != nil {
			return err
		}
		to, err := excelize.CoordinatesToCellName(len(p.Widths), row)
		if err != nil {
			return err
		}
		return sw.MergeCell(from, to)
	}
	return nil
}

// lineHeight is the height of a line of a page in points.
func lineHeight(role table.Role, lines int) float64 {
	switch role {
	case table.Title:
		return 30
	case table.Heading, table.Head:
		return float64(18 + 13*(lines-1))
	case table.Blank:
		return 28
	}
	return float64(2 + 13*lines)
}

// table writes a table, on as many sheets as it takes.
func (b *builder) table(ctx context.Context, s table.Sheet) error {
	t := s.Table
	parts := b.ranges[t.Name].parts
	for _, p := range parts {
		if err := b.prepare(t, p, s.Tone); err != nil {
			return err
		}
	}
	var sw *excelize.StreamWriter
	next, row, written := 0, 0, 0 // the next part; the row of its sheet; all rows
	begin := func() (err error) {
		if sw != nil {
			if err := sw.Flush(); err != nil {
				return err
			}
		}
		sw, err = b.begin(t, parts[next])
		next, row = next+1, 2
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	for cells, err := range t.Rows {
		if err == nil && written%1024 == 0 {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if len(cells) != len(t.Columns) {
			return fmt.Errorf("row %d: %d cells for %d columns", written+1, len(cells), len(t.Columns))
		}
		if row > parts[next-1].rows+1 {
			if next == len(parts) {
				return fmt.Errorf("more rows than the %d that were counted", t.Len)
			}
			if err := begin(); err != nil {
				return err
			}
		}
		if err := b.row(sw, t, row, cells); err != nil {
			return fmt.Errorf("row %d: %w", written+1, err)
		}
		row, written = row+1, written+1
	}
	if written != t.Len {
		return fmt.Errorf("%d rows where %d were counted", written, t.Len)
	}
	if written == 0 {
		id, err := b.style(look{role: table.Note})
		if err != nil {
			return err
		}
		if err := sw.SetRow("A2", []any{excelize.Cell{StyleID: id, Value: "None."}}); err != nil {
			return err
		}
	}
	return sw.Flush()
}

func (b *builder) row(sw *excelize.StreamWriter, t *table.Table, row int, cells []any) error {
	out := make([]any, len(cells))
	lines := 1
	for i, v := range cells {
		if text, ok := v.(string); ok && t.Columns[i].Wrap {
			lines = max(lines, linesOf(text, t.Columns[i].Width))
		}
		c, err := b.cell(v, look{row: true, wrap: t.Columns[i].Wrap, fill: t.Columns[i].Fill})
		if err != nil {
			return fmt.Errorf("%s: %w", t.Columns[i].Name, err)
		}
		out[i] = c
	}
	var options excelize.RowOpts
	if lines > 1 {
		options.Height = lineHeight(table.Plain, min(lines, mostLines))
	}
	return sw.SetRow("A"+strconv.Itoa(row), out, options)
}

// linesOf is how many lines a text takes in a cell of a width.
func linesOf(text string, width int) int {
	lines := 0
	for part := range strings.SplitSeq(text, "\n") {
		lines += max(1, (len([]rune(part))+width-1)/max(width, 1))
	}
	return lines
}

// prepare sets everything of a sheet but its rows.
func (b *builder) prepare(t *table.Table, p sheetPart, tone table.Tone) error {
	last, err := excelize.ColumnNumberToName(len(t.Columns))
	if err != nil {
		return err
	}
	bottom := strconv.Itoa(max(p.rows, 1) + 1)
	// The filter comes first: it forgets the colour of the tab and how the sheet is printed.
	if err := b.file.AutoFilter(p.sheet, "A1:"+last+bottom, nil); err != nil {
		return err
	}
	width := 0
	for _, c := range t.Columns {
		width += max(c.Width, leastWidth)
	}
	pages := (width + pageWidth - 1) / pageWidth
	titles := "'" + p.sheet + "'!$1:$1"
	if pages > 1 {
		titles = "'" + p.sheet + "'!$A:$A," + titles
	}
	if err := b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: titles, Scope: p.sheet}); err != nil {
		return err
	}
	if err := b.dress(p.sheet, "A1:"+last+bottom, tone, layout{wide: pages}); err != nil {
		return err
	}
	for i, c := range t.Columns {
		if len(c.Choices) == 0 {
			continue
		}
		letter, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		v := excelize.NewDataValidation(true)
		v.Sqref = letter + "2:" + letter + bottom
		if err := v.SetDropList(c.Choices); err != nil {
			return err
		}
		v.SetError(excelize.DataValidationErrorStyleStop, c.Name, "One of: "+strings.Join(c.Choices, ", "))
		if err := b.file.AddDataValidation(p.sheet, v); err != nil {
			return err
		}
	}
	return nil
}

// begin opens a sheet for its rows: widths, the frozen header, the header.
func (b *builder) begin(t *table.Table, p sheetPart) (*excelize.StreamWriter, error) {
	sw, err := b.file.NewStreamWriter(p.sheet)
	if err != nil {
		return nil, err
	}
	header, widths := make([]any, len(t.Columns)), make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = max(c.Width, leastWidth)
		name := c.Name
		if c.Kind == table.Instant {
			name += "\n" + b.book.Zone.String()
		}
		id, err := b.style(look{head: true, right: c.Kind == table.Amount || c.Kind == table.Number})
		if err != nil {
			return nil, err
		}
		header[i] = excelize.Cell{StyleID: id, Value: name}
	}
	if err := setWidths(sw, widths); err != nil {
		return nil, err
	}
	if err := sw.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return nil, err
	}
	return sw, sw.SetRow("A1", header, excelize.RowOpts{Height: 30})
}

// setWidths sets the widths of columns from the last to the first: excelize writes them in the order opposite to that in
// which they were set, and the format wants the first column first.
func setWidths(sw *excelize.StreamWriter, widths []int) error {
	for i := len(widths); i > 0; i-- {
		if err := sw.SetColWidth(i, i, float64(widths[i-1])); err != nil {
			return err
		}
	}
	return nil
}

// layout is on how many pages of paper a sheet goes; tall 0: as many as it takes.
type layout struct{ wide, tall int }

// dress sets how a sheet is printed, the cells that it has and the colour of its tab.
func (b *builder) dress(sheet, cells string, tone table.Tone, paper layout) error {
	tabs := map[table.Tone]string{table.Quiet: "8A98A9", table.Good: "2E8B57", table.Warn: "D98E04", table.Bad: "C0392B"}
	color, fit, orientation := tabs[tone], true, "landscape"
	if err := b.file.SetSheetProps(sheet, &excelize.SheetPropsOptions{TabColorRGB: &color, FitToPage: &fit}); err != nil {
		return err
	}
	if err := b.file.SetSheetDimension(sheet, cells); err != nil {
		return err
	}
	if err := b.file.SetPageLayout(sheet, &excelize.PageLayoutOptions{Orientation: &orientation, FitToWidth: &paper.wide, FitToHeight: &paper.tall}); err != nil {
		return err
	}
	side, top, edge := 0.4, 0.7, 0.3 // inches
	if err := b.file.SetPageMargins(sheet, &excelize.PageLayoutMarginsOptions{Left: &side, Right: &side, Top: &top, Bottom: &top, Header: &edge, Footer: &edge}); err != nil {
		return err
	}
	grid := false
	if err := b.file.SetSheetView(sheet, 0, &excelize.ViewOptions{ShowGridLines: &grid}); err != nil {
		return err
	}
	code := strings.NewReplacer("&", "&&")
	return b.file.SetHeaderFooter(sheet, &excelize.HeaderFooterOptions{
		OddHeader: "&L" + clip(code.Replace(b.book.Entity)) + "&C&A&R" + clip(code.Replace(b.book.Period)),
		OddFooter: "&L" + clip(code.Replace(b.book.Version)) + "&Rpage &P of &N",
	})
}

// clip keeps a part of a header or footer well within the 255 characters that all of it may have.
func clip(s string) string {
	r := []rune(s)
	if len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return s
}

// properties are those of the document. Its time is the book's, since a report made again must be the same file.
func (b *builder) properties() error {
	at := b.book.At.UTC().Format(time.RFC3339)
	if err := b.file.SetDocProps(&excelize.DocProperties{
		Title: b.book.Title, Subject: b.book.Period, Creator: "tieout", LastModifiedBy: "tieout", Description: b.book.Version, Created: at, Modified: at, Language: "en",
	}); err != nil {
		return err
	}
	if err := b.file.SetAppProps(&excelize.AppProperties{Application: "tieout", Company: b.book.Entity}); err != nil {
		return err
	}
	// Formulas have their values beside them; a program that can compute does so when it opens the file.
	recompute := true
	return b.file.SetCalcProps(&excelize.CalcPropsOptions{FullCalcOnLoad: &recompute})
}
