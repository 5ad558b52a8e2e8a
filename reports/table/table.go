// Package table is what the builders and the writers of reports meet in: tables of many rows and pages of few, made of
// typed cells. It knows no accounting and no format.
//
// A cell is one of: nil (empty), string (text), Word, money.Amount, Decimal, int64 (a count), time.Time (an instant), Date,
// Link, Foot, Calc, ToFill. The zero time.Time, the empty Date and the unknown money.Amount are empty.
package table

import (
	"iter"
	"strings"
	"time"

	"github.com/tieout/tieout/schema/money"
)

// Kind says what a column holds, for its header and its width; the cells themselves are typed.
type Kind int

// The kinds.
const (
	Text Kind = iota
	Amount
	Number
	Instant
	Day
)

// Column is a column of a table.
type Column struct {
	Name    string // the header
	Kind    Kind
	Width   int      // in characters, on a sheet
	Wrap    bool     // long text goes on in the next line of the cell
	Fill    bool     // empty, for people to fill
	Choices []string // what they may choose; none: anything
	Filter  bool     // readers may want the rows with one of its values
}

// Table is one header line and rows under it. Every row has one cell for each column. Rows can be ranged over again and
// again, and yields the same each time; its error ends it.
type Table struct {
	Name    string // of the file, without extension, or of the sheet
	Columns []Column
	Len     int // how many rows Rows yields; 0 and no rows is a table that says "none"
	Rows    iter.Seq2[[]any, error]
}

// Decimal is an amount as decimal text with the digits of its currency, where there is no money.Amount to hold it: a sum
// beyond int64, a difference of two currencies.
type Decimal string

// Date is a calendar date, as YYYY-MM-DD.
type Date string

// Tone says how much a word wants to be seen. It is never the only sign: the word says the same.
type Tone int

// The tones.
const (
	Quiet Tone = iota
	Good
	Warn
	Bad
)

// Word is a word of a fixed vocabulary, such as a verdict or a severity.
type Word struct {
	Text string
	Tone Tone
}

// Link leads to a sheet of the same workbook and, with Row, to that row of its table, counted from 1.
type Link struct {
	Sheet string
	Row   int
	Text  string
}

// ToFill is an empty cell for people.
type ToFill struct{}

// Foot is a figure that a spreadsheet computes again from the rows of a table: the sum of a column, or the number of rows
// where Sum is empty. Value is that figure; writers without formulas print it.
type Foot struct {
	Sheet string // the name of the table
	Sum   string // the name of the column
	Abs   bool   // the sum of absolute values, of all rows: differences must not cancel out
	Where []Criterion
	Value any  // Decimal or int64
	Bar   bool // worth a bar beside it where one can be drawn
}

// Criterion selects the rows in which a column is equal to a text. With Op "<>", the rows in which it is not; with "<", ">",
// "<=" and ">=", those in which a number compares so. With Beside, the comparison is with a cell beside the formula, a Here
// or an At, instead of with Value.
type Criterion struct {
	Column, Op, Value string
	Beside            any
}

// Calc is a figure that a spreadsheet computes again as a sum and a difference of others: Here, At, Range, Named, Cell, Foot.
// Value is that figure; writers without formulas print it.
type Calc struct {
	Plus, Minus []any
	Value       any  // Decimal, int64, or nil: not known, and then there is no formula
	Check       bool // it must be zero
}

// What a Calc adds up.
type (
	// Here is the cell of a column in the same row of a table.
	Here string
	// At is a cell of the same page, counted from 0.
	At struct{ Line, Column int }
	// Range is cells of one column of the same page, both ends included. With Abs, their absolute values.
	Range struct {
		From, To At
		Abs      bool
	}
	// Named is a cell that has a name in the workbook.
	Named string
	// Cell is a cell of a table on another sheet; rows are counted from 1.
	Cell struct {
		Sheet  string
		Row    int
		Column string
	}
)

// Role says what a line of a page is.
type Role int

// The roles.
const (
	Plain   Role = iota
	Title        // of the page
	Heading      // of a block
	Head         // column headers of a block
	Total        // a line that sums those above it
	Note         // a remark in words
	Blank        // lines to write on, such as a signature
)

// Line is a line of a page. With Span, the last cell takes the rest of the width.
type Line struct {
	Role  Role
	Cells []any
	Span  bool
}

// Page is a sheet with a layout of its own: a cover, a summary. All of it is in memory.
type Page struct {
	Name   string
	Widths []int // of its columns, in characters
	Lines  []Line
	Names  []Name
	Charts []Chart
	Shown  int // lines that are there to be read; those after it feed charts. 0: all
}

// Name is a name in the workbook for a cell of a page.
type Name struct {
	Name string
	At   At
}

// Chart is a picture of figures that stand on the same page.
type Chart struct {
	Title      string
	At         At  // its upper left corner; the lines that it covers are empty
	Columns    int // how many it covers
	Lines      int
	Stacked    bool // bars of one category stand on each other; else there is one series and bars lie
	Categories Range
	Series     []Series
}

// Series is the values of a chart that belong together.
type Series struct {
	Name   At // the cell that names it
	Values Range
}

// Sheet is a page or a table; exactly one of the two is set.
type Sheet struct {
	Page  *Page
	Table *Table
	Tone  Tone // colour of the tab
}

// Name is the sheet's name.
func (s Sheet) Name() string {
	if s.Page != nil {
		return s.Page.Name
	}
	return s.Table.Name
}

// Book is a report for people.
type Book struct {
	Title   string
	Entity  string
	Period  string // as printed
	Version string // of tieout, with the run, as printed on every page
	At      time.Time
	Zone    *time.Location // in which instants are shown
	Sheets  []Sheet
}

// Cell is a cell of a page; nil where there is none.
func (p Page) Cell(at At) any {
	if at.Line < 0 || at.Line >= len(p.Lines) || at.Column >= len(p.Lines[at.Line].Cells) {
		return nil
	}
	return p.Lines[at.Line].Cells[at.Column]
}

// Value is what a cell holds once its formula is computed.
func Value(v any) any {
	switch v := v.(type) {
	case Foot:
		return v.Value
	case Calc:
		return v.Value
	}
	return v
}

// NumbersBelow says whether the first value under a cell of a header line is a number: headers stand over their figures.
func (p Page) NumbersBelow(line, column int) bool {
	for _, l := range p.Lines[line+1:] {
		if l.Role == Heading {
			return false
		}
		if column >= len(l.Cells) || l.Cells[column] == nil {
			continue
		}
		switch Value(l.Cells[column]).(type) {
		case int64, Decimal, money.Amount:
			return true
		}
		return false
	}
	return false
}

// PlainText makes text of others harmless: what is no UTF-8, control characters but tab, line feed and carriage return, and what
// turns the direction of the text after it, become U+FFFD. They show nothing, and some of them move the cursor of a terminal or
// make a name read as another.
func PlainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7F && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
