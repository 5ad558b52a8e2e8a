package reports

import (
	"strings"

	"github.com/tieout/tieout/reports/table"
)

// sheetPage is a page in the making.
type sheetPage struct{ table.Page }

// add adds a line and says which it is.
func (p *sheetPage) add(role table.Role, cells ...any) int {
	p.Lines = append(p.Lines, table.Line{Role: role, Cells: cells})
	return len(p.Lines) - 1
}

// span adds a line whose last cell takes the rest of the width.
func (p *sheetPage) span(role table.Role, cells ...any) {
	p.Lines = append(p.Lines, table.Line{Role: role, Cells: cells, Span: true})
}

// block begins a block with a heading, and notes that say what it shows.
func (p *sheetPage) block(heading string, notes ...string) {
	p.add(table.Plain)
	p.add(table.Heading, heading)
	for _, n := range notes {
		p.span(table.Note, n)
	}
}

// extent is the lines of a block, both ends included.
type extent struct{ from, to int }

func (e extent) empty() bool { return e.to < e.from }

// rest is the lines from one on to the last.
func (p *sheetPage) rest(from int) extent { return extent{from, len(p.Lines) - 1} }

// of is the cells of a column.
func (e extent) of(column int) table.Range {
	return table.Range{From: table.At{Line: e.from, Column: column}, To: table.At{Line: e.to, Column: column}}
}

// beyond is the sum of the absolute values of a column, so that what must be zero does not cancel out.
func (e extent) beyond(column int) table.Range {
	r := e.of(column)
	r.Abs = true
	return r
}

// name gives a cell a name in the workbook, of letters, digits and underscores. Names differ in more than case.
func (p *sheetPage) name(line, column int, parts ...string) {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.Join(parts, "_"))
	for taken(p.Names, name) {
		name += "_"
	}
	p.Names = append(p.Names, table.Name{Name: name, At: table.At{Line: line, Column: column}})
}

func taken(names []table.Name, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n.Name, name) {
			return true
		}
	}
	return false
}
