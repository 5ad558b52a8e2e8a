// Package xlsx writes a book as an Excel workbook. Rows are streamed; equal books are equal bytes.
//
// excelize makes what surrounds the sheets: styles, names, charts, properties. The sheets themselves are written here, one
// row after the other and straight into the archive.
package xlsx

import (
	"context"
	"fmt"
	"io"
	"slices"
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
	pageWidth  = 215 // characters that can still be read side by side on paper
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
	b := &builder{book: book, rows: w.MaxRows, styles: map[look]int{}, tables: map[string]footed{}, names: map[string]string{}}
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
	zip    *zipWriter
	rows   int // of a sheet
	sheets []string
	styles map[look]int
	tables map[string]footed
	names  map[string]string // of cells, to where they are
	drawn  int               // charts
	alarm  int               // the style of a check that is not zero
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
	var err error
	if b.alarm, err = b.file.NewConditionalStyle(alarm()); err != nil {
		return err
	}
	if b.zip, err = newZipWriter(out, tempDir); err != nil {
		return err
	}
	defer b.zip.discard()
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
	// The archive goes straight to out; the buffer that excelize offers would hold all of it.
	return b.file.SetZipWriter(func(io.Writer) excelize.ZipWriter { return b.zip }).Write(io.Discard)
}

// layOut names all sheets, in order, and finds where each table will lie, so that formulas can name it.
func (b *builder) layOut() error {
	for _, s := range b.book.Sheets {
		if s.Page != nil {
			if err := b.create(s.Page.Name); err != nil {
				return err
			}
			for _, n := range s.Page.Names {
				b.names[n.Name] = "'" + s.Page.Name + "'!$" + columnName(n.At.Column+1) + "$" + strconv.Itoa(n.At.Line+1)
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
			if err := b.create(name); err != nil {
				return err
			}
			rows := min(left, b.rows-1)
			at.parts = append(at.parts, sheetPart{name, rows})
			left -= rows
		}
		b.tables[s.Table.Name] = at
	}
	return nil
}

func (b *builder) create(name string) error {
	b.sheets = append(b.sheets, name)
	if len(b.sheets) == 1 {
		return b.file.SetSheetName("Sheet1", name)
	}
	_, err := b.file.NewSheet(name)
	return err
}

// open begins the part of a sheet.
func (b *builder) open(name string, f frame) (*sheet, error) {
	part := "xl/worksheets/sheet" + strconv.Itoa(slices.Index(b.sheets, name)+1) + ".xml"
	w, err := b.zip.own(part)
	if err != nil {
		return nil, err
	}
	code := strings.NewReplacer("&", "&&")
	f.header = "&L" + clip(code.Replace(b.book.Entity)) + "&C&A&R" + clip(code.Replace(b.book.Period))
	f.footer = "&L" + clip(code.Replace(b.book.Version)) + "&Rpage &P of &N"
	return newSheet(w, f, b.alarm), nil
}

// page writes a page.
func (b *builder) page(s table.Sheet) error {
	p := s.Page
	f := frame{
		tab: tabColor(s.Tone), last: cellName(len(p.Widths), max(len(p.Lines), 1)), paper: layout{wide: 1}, widths: p.Widths, zoom: 100,
		drawing: len(p.Charts) > 0,
	}
	if len(p.Lines) < onePage {
		f.paper.tall = 1
	}
	for i, l := range p.Lines {
		if last := len(l.Cells); l.Span && last < len(p.Widths) && last > 0 {
			f.merged = append(f.merged, cellName(last, i+1)+":"+cellName(len(p.Widths), i+1))
		}
	}
	if err := b.charts(*p); err != nil {
		return err
	}
	for _, n := range p.Names {
		if err := b.file.SetDefinedName(&excelize.DefinedName{Name: n.Name, RefersTo: b.names[n.Name]}); err != nil {
			return fmt.Errorf("name %s: %w", n.Name, err)
		}
	}
	out, err := b.open(p.Name, f)
	if err != nil {
		return err
	}
	for i, l := range p.Lines {
		if err := b.pageLine(out, p, i, l); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return out.close()
}

func (b *builder) pageLine(out *sheet, p *table.Page, line int, l table.Line) error {
	var cells []styled
	height := 1
	for i, v := range l.Cells {
		base := look{role: l.Role, right: l.Role == table.Head && p.NumbersBelow(line, i)}
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
		c, err := b.styledCell(v, base, place{sheet: p.Name, row: line + 1, page: p})
		if err != nil {
			return err
		}
		if c.link != nil {
			if err := b.link(out, cellName(i+1, line+1), c); err != nil {
				return err
			}
		}
		cells = append(cells, c)
	}
	// Rules of headings and totals go over the whole width, and so do merged cells.
	ruled := l.Role == table.Heading || l.Role == table.Total || l.Role == table.Head || l.Role == table.Blank
	for i := len(cells); i < len(p.Widths) && (ruled || l.Span && len(cells) > 0); i++ {
		c, err := b.styledCell(nil, look{role: l.Role}, place{})
		if err != nil {
			return err
		}
		cells = append(cells, c)
	}
	if len(cells) > 0 {
		out.row(line+1, lineHeight(l.Role, height), cells)
	}
	return nil
}

func (b *builder) styledCell(v any, base look, at place) (styled, error) {
	c, err := b.cell(v, base, at)
	if err != nil {
		return styled{}, err
	}
	id, err := b.style(c.look)
	return styled{c, id}, err
}

// link makes a cell lead where its content says.
func (b *builder) link(out *sheet, ref string, c styled) error {
	name, row := c.link.Sheet, 1
	if at, ok := b.tables[name]; ok && c.link.Row > 0 {
		part, in, err := at.find(c.link.Row)
		if err != nil {
			return fmt.Errorf("a link to %s: %w", name, err)
		}
		name, row = part.sheet, in
	} else if !slices.Contains(b.sheets, name) {
		return fmt.Errorf("a link to sheet %q, which is not there", name)
	}
	out.link(ref, "'"+name+"'!A"+strconv.Itoa(row), c.text)
	return nil
}

// find is the sheet on which a row of a table stands, and its row there.
func (f footed) find(row int) (sheetPart, int, error) {
	left := row
	for _, p := range f.parts {
		if left <= p.rows {
			return p, left + 1, nil
		}
		left -= p.rows
	}
	return sheetPart{}, 0, fmt.Errorf("row %d is not there", row)
}

// lineHeight is the height of a line of a page in points.
func lineHeight(role table.Role, lines int) int {
	switch role {
	case table.Title:
		return 30
	case table.Heading, table.Head:
		return 18 + 13*(lines-1)
	case table.Blank:
		return 28
	}
	return 2 + 13*lines
}

// table writes a table, on as many sheets as it takes.
func (b *builder) table(ctx context.Context, s table.Sheet) error {
	t := s.Table
	parts := b.tables[t.Name].parts
	var out *sheet
	next, row, written := 0, 0, 0 // the next part; the row of its sheet; all rows
	begin := func() (err error) {
		if out != nil {
			if err := out.close(); err != nil {
				return err
			}
		}
		out, err = b.begin(t, parts[next], s.Tone)
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
		if err := b.row(out, t, parts[next-1], row, cells); err != nil {
			return fmt.Errorf("row %d: %w", written+1, err)
		}
		row, written = row+1, written+1
	}
	if written != t.Len {
		return fmt.Errorf("%d rows where %d were counted", written, t.Len)
	}
	if written == 0 {
		c, err := b.styledCell("None.", look{role: table.Note}, place{})
		if err != nil {
			return err
		}
		out.row(2, 0, []styled{c})
	}
	return out.close()
}

func (b *builder) row(out *sheet, t *table.Table, p sheetPart, row int, cells []any) error {
	line := out.cells(len(cells))
	lines := 1
	at := place{sheet: p.sheet, row: row, columns: b.tables[t.Name].columns, cells: cells}
	for i, v := range cells {
		if t.Columns[i].Wrap {
			lines = max(lines, linesOf(textOf(v), t.Columns[i].Width))
		}
		c, err := b.cell(v, look{row: true, wrap: t.Columns[i].Wrap, fill: t.Columns[i].Fill}, at)
		if err == nil && (row == 2 || c.look != line[i].look) { // else the cell above looks the same
			line[i].style, err = b.style(c.look)
		}
		line[i].content = c
		if err == nil && c.link != nil {
			err = b.link(out, cellName(i+1, row), line[i])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", t.Columns[i].Name, err)
		}
	}
	height := 0
	if lines > 1 {
		height = lineHeight(table.Plain, min(lines, mostLines))
	}
	out.row(row, height, line)
	return nil
}

// textOf is the text of a cell; empty where it holds something else.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case table.Link:
		return v.Text
	}
	return ""
}

// linesOf is how many lines a text takes in a cell of a width.
func linesOf(text string, width int) int {
	lines := 0
	for part := range strings.SplitSeq(text, "\n") {
		lines += max(1, (len([]rune(part))+width-1)/max(width, 1))
	}
	return lines
}

// begin opens a sheet of a table: what stands around its rows, and the header.
func (b *builder) begin(t *table.Table, p sheetPart, tone table.Tone) (*sheet, error) {
	bottom := max(p.rows, 1) + 1
	f := frame{tab: tabColor(tone), last: cellName(len(t.Columns), bottom), frozen: 1, filter: true, zoom: 100}
	width := 0
	for i, c := range t.Columns {
		f.widths = append(f.widths, max(c.Width, leastWidth))
		width += f.widths[i]
		if len(c.Choices) > 0 {
			f.validations = append(f.validations, validation{cellName(i+1, 2) + ":" + cellName(i+1, bottom), c.Name, c.Choices})
		}
	}
	if f.paper.wide = (width + pageWidth - 1) / pageWidth; f.paper.wide > 1 {
		f.zoom = 90
	}
	if err := b.tableNames(p, f); err != nil {
		return nil, err
	}
	out, err := b.open(p.sheet, f)
	if err != nil {
		return nil, err
	}
	var header []styled
	for _, c := range t.Columns {
		name := c.Name
		if c.Kind == table.Instant {
			name += "\n" + b.book.Zone.String()
		}
		cell, err := b.styledCell(name, look{head: true, right: c.Kind == table.Amount || c.Kind == table.Number}, place{})
		if err != nil {
			return nil, err
		}
		header = append(header, cell)
	}
	out.row(1, 30, header)
	return out, nil
}

// tableNames sets the names by which programs know the filter of a sheet and what is repeated on each page of paper.
func (b *builder) tableNames(p sheetPart, f frame) error {
	if err := b.file.AutoFilter(p.sheet, "A1:"+f.last, nil); err != nil {
		return err
	}
	// Not the first column as well: gnumeric does not understand both at once.
	return b.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + p.sheet + "'!$1:$1", Scope: p.sheet})
}

func tabColor(tone table.Tone) string {
	return map[table.Tone]string{table.Quiet: "8A98A9", table.Good: "2E8B57", table.Warn: "D98E04", table.Bad: "C0392B"}[tone]
}

// clip keeps a part of a header or footer well within the 255 characters that all of it may have.
func clip(s string) string {
	r := []rune(clean(s))
	if len(r) > 80 {
		return string(r[:79]) + "…"
	}
	return string(r)
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
