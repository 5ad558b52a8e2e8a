package xlsx

import (
	"bufio"
	"encoding/xml"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// frame is everything of a sheet but its rows.
type frame struct {
	tab         string // colour
	last        string // the cell in the lower right corner
	paper       layout
	widths      []int
	frozen      int // columns that stay; the header stays with them. 0: nothing is frozen
	filter      bool
	zoom        int
	merged      []string
	validations []validation
	header      string
	footer      string
	drawing     bool
}

// layout is on how many pages of paper a sheet goes; tall 0: as many as it takes.
type layout struct{ wide, tall int }

// validation is a list to choose from.
type validation struct {
	cells, title string
	choices      []string
}

// sheet writes the part of one sheet, element by element in the order that the format wants (CT_Worksheet). excelize could
// write sheets too, but keeps their rows in memory or in a file, and drops in silence what is set after the first row.
type sheet struct {
	out   *bufio.Writer
	frame frame
	links []hyperlink
	alarm int         // the style of a check that is not zero
	zeros []stretch   // what must be zero
	open  map[int]int // the last stretch of each column, in zeros
	line  []byte
	held  []styled // of the row that is made
}

// stretch is cells of one column, from one row to another.
type stretch struct{ column, from, to int }

type hyperlink struct{ ref, location, text string }

const (
	namespaces = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	// mostLinks is how many links Excel accepts on a sheet.
	mostLinks = 65_530
	// The margins of a page of paper, in inches.
	margins = `<pageMargins left="0.4" right="0.4" top="0.7" bottom="0.7" header="0.3" footer="0.3"/>`
)

// newSheet writes what stands before the rows.
func newSheet(w io.Writer, f frame, alarm int) *sheet {
	s := &sheet{out: bufio.NewWriterSize(w, 1<<16), frame: f, alarm: alarm, open: map[int]int{}}
	s.put(xml.Header, `<worksheet `, namespaces, `>`)
	s.put(`<sheetPr><tabColor rgb="FF`, f.tab, `"/><pageSetUpPr fitToPage="1"/></sheetPr>`)
	s.put(`<dimension ref="A1:`, f.last, `"/>`)
	zoom := strconv.Itoa(f.zoom)
	s.put(`<sheetViews><sheetView showGridLines="0" zoomScale="`, zoom, `" zoomScaleNormal="`, zoom, `" workbookViewId="0">`)
	if f.frozen > 0 {
		corner := columnName(f.frozen+1) + "2"
		s.put(`<pane xSplit="`, strconv.Itoa(f.frozen), `" ySplit="1" topLeftCell="`, corner, `" activePane="bottomRight" state="frozen"/>`)
		s.put(`<selection pane="topRight"/><selection pane="bottomLeft"/><selection pane="bottomRight" activeCell="`, corner, `" sqref="`, corner, `"/>`)
	}
	s.put(`</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15"/><cols>`)
	for i, width := range f.widths {
		n := strconv.Itoa(i + 1)
		s.put(`<col min="`, n, `" max="`, n, `" width="`, strconv.Itoa(width), `" customWidth="1"/>`)
	}
	s.put(`</cols><sheetData>`)
	return s
}

// put writes parts of the sheet. Errors stay in out and come back from close.
func (s *sheet) put(parts ...string) {
	for _, p := range parts {
		_, _ = s.out.WriteString(p)
	}
}

// cell is content with the number of its style.
type styled struct {
	content
	style int
}

// cells is room for the n cells of a row of a table. It holds those of the row above.
func (s *sheet) cells(n int) []styled {
	if len(s.held) != n {
		s.held = make([]styled, n)
	}
	return s.held
}

// row writes a row. A height of 0 leaves it to the program.
func (s *sheet) row(n, height int, cells []styled) {
	row := strconv.Itoa(n)
	b := s.line[:0]
	b = append(b, `<row r="`...)
	b = append(b, row...)
	if height > 0 {
		b = append(b, `" ht="`...)
		b = strconv.AppendInt(b, int64(height), 10)
		b = append(b, `" customHeight="1`...)
	}
	b = append(b, `">`...)
	for i, c := range cells {
		b = append(b, `<c r="`...)
		b = append(b, columnName(i+1)...)
		b = append(b, row...)
		b = append(b, `" s="`...)
		b = strconv.AppendInt(b, int64(c.style), 10)
		switch {
		case c.text != "":
			b = append(b, `" t="inlineStr"><is><t xml:space="preserve">`...)
			b = appendText(b, c.text)
			b = append(b, `</t></is></c>`...)
		case c.number != "":
			if c.look.check {
				s.zero(i+1, n)
			}
			b = append(b, `">`...)
			if c.formula != "" {
				b = append(b, `<f>`...)
				b = appendEscaped(b, c.formula)
				b = append(b, `</f>`...)
			}
			b = append(b, `<v>`...)
			b = append(b, c.number...)
			b = append(b, `</v></c>`...)
		default:
			b = append(b, `"/>`...)
		}
	}
	b = append(b, `</row>`...)
	s.line = b
	_, _ = s.out.Write(b)
}

// link makes a cell lead somewhere. Those beyond what a sheet may have are plain text.
func (s *sheet) link(ref, location, text string) {
	if len(s.links) < mostLinks {
		s.links = append(s.links, hyperlink{ref, location, text})
	}
}

// zero says that a cell must be zero.
func (s *sheet) zero(column, row int) {
	if i, ok := s.open[column]; ok && s.zeros[i].to == row-1 {
		s.zeros[i].to = row
		return
	}
	s.open[column] = len(s.zeros)
	s.zeros = append(s.zeros, stretch{column, row, row})
}

// close writes what stands after the rows.
func (s *sheet) close() error {
	f := s.frame
	s.put(`</sheetData>`)
	if f.filter {
		s.put(`<autoFilter ref="A1:`, f.last, `"/>`)
	}
	if len(f.merged) > 0 {
		s.put(`<mergeCells count="`, strconv.Itoa(len(f.merged)), `">`)
		for _, m := range f.merged {
			s.put(`<mergeCell ref="`, m, `"/>`)
		}
		s.put(`</mergeCells>`)
	}
	for i, a := range s.zeros {
		s.put(`<conditionalFormatting sqref="`, cellName(a.column, a.from), `:`, cellName(a.column, a.to), `"><cfRule type="cellIs" dxfId="`, strconv.Itoa(s.alarm),
			`" priority="`, strconv.Itoa(i+1), `" operator="notEqual"><formula>0</formula></cfRule></conditionalFormatting>`)
	}
	if len(f.validations) > 0 {
		s.put(`<dataValidations count="`, strconv.Itoa(len(f.validations)), `">`)
		for _, v := range f.validations {
			s.put(`<dataValidation type="list" errorStyle="stop" allowBlank="1" showInputMessage="1" showErrorMessage="1" errorTitle="`, escape(v.title),
				`" error="`, escape("One of: "+strings.Join(v.choices, ", ")), `" sqref="`, v.cells, `"><formula1>"`, escape(strings.Join(v.choices, ",")), `"</formula1></dataValidation>`)
		}
		s.put(`</dataValidations>`)
	}
	if len(s.links) > 0 {
		s.put(`<hyperlinks>`)
		for _, l := range s.links {
			s.put(`<hyperlink ref="`, l.ref, `" location="`, escape(l.location), `" display="`, escape(l.text), `"/>`)
		}
		s.put(`</hyperlinks>`)
	}
	s.put(margins, `<pageSetup paperSize="9" orientation="landscape" fitToWidth="`, strconv.Itoa(f.paper.wide), `" fitToHeight="`, strconv.Itoa(f.paper.tall), `"/>`)
	s.put(`<headerFooter><oddHeader>`, escape(f.header), `</oddHeader><oddFooter>`, escape(f.footer), `</oddFooter></headerFooter>`)
	if f.drawing {
		s.put(`<drawing r:id="rId1"/>`) // the only relation that a sheet here has
	}
	s.put(`</worksheet>`)
	return s.out.Flush()
}

// columnName is the letters of a column, counted from 1.
func columnName(n int) string {
	if n <= 26 {
		return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[n-1 : n]
	}
	return columnName((n-1)/26) + columnName((n-1)%26+1)
}

func cellName(column, row int) string { return columnName(column) + strconv.Itoa(row) }

// coded is text that Excel takes for the code of a character.
var coded = regexp.MustCompile(`_(x[0-9A-Fa-f]{4}_)`)

// appendText appends the text of a cell.
func appendText(b []byte, s string) []byte {
	if strings.Contains(s, "_x") {
		s = coded.ReplaceAllString(s, "_x005F_$1")
	}
	return appendEscaped(b, s)
}

func appendEscaped(b []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		var with string
		switch s[i] {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '"':
			with = "&quot;"
		case '\t':
			with = "&#9;"
		case '\n':
			with = "&#10;"
		default:
			continue
		}
		b = append(append(b, s[from:i]...), with...)
		from = i + 1
	}
	return append(b, s[from:]...)
}

func escape(s string) string { return string(appendEscaped(nil, s)) }
