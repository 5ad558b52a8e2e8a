// Package review reads back what people wrote into a report: the columns Disposition, Reviewer and Note of its sheets of
// findings. Columns are found by their headers, so that people may move, hide and add some.
package review

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tieout/tieout/normalize/workbook"
	"github.com/tieout/tieout/schema"
)

// Limits bounds what a report may cost. A field that is zero means its default.
type Limits struct {
	Bytes    int64 // size of the file; default 512 MiB
	Rows     int   // with something written; default 100,000
	Workbook workbook.Limits
}

func (l Limits) withDefaults() Limits {
	l.Bytes = cmp.Or(l.Bytes, 512<<20)
	l.Rows = cmp.Or(l.Rows, 100_000)
	return l
}

// Read yields the rows in which somebody wrote something, by sheet and line. An error means that the report as a whole
// cannot be read, and then nothing of it is returned.
func Read(r io.ReaderAt, size int64, limits Limits) ([]schema.ReviewRow, error) {
	limits = limits.withDefaults()
	if size > limits.Bytes {
		return nil, fmt.Errorf("larger than %d bytes", limits.Bytes)
	}
	book, err := workbook.Open(r, size, limits.Workbook)
	if err != nil {
		return nil, err
	}
	var rows []schema.ReviewRow
	found := false
	names := book.Sheets()
	for i, name := range names {
		kind, ok := kindOf(name)
		if !ok {
			continue
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("there are two sheets %q", name)
		}
		found = true
		if rows, err = readSheet(book, name, kind, rows, limits.Rows); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, errors.New("not a report: it has none of the sheets of findings")
	}
	return rows, nil
}

// kindOf finds the sheet that a name such as "Balance drift" or "Balance drift 2" is or continues.
func kindOf(name string) (schema.ReviewSheet, bool) {
	for _, s := range schema.ReviewSheets() {
		rest, ok := strings.CutPrefix(name, s.Name)
		number := strings.TrimPrefix(rest, " ")
		if ok && (rest == "" || number != rest && number != "" && strings.Trim(number, "0123456789") == "") {
			return s, true
		}
	}
	return schema.ReviewSheet{}, false
}

// maxAbove is how many rows may stand above the headers.
const maxAbove = 100

func readSheet(book *workbook.Book, name string, kind schema.ReviewSheet, rows []schema.ReviewRow, most int) ([]schema.ReviewRow, error) {
	var head *columns
	empty := true
	for row, err := range book.Rows(name) {
		switch {
		case err != nil:
			return nil, err
		case head == nil && row.Number > maxAbove:
			return nil, missing(name, schema.ReviewFinding)
		case head == nil:
			if head, err = newHeader(name, kind, row); err != nil {
				return nil, err
			}
			empty = false
			continue
		}
		one := head.row(row)
		if one.Disposition == "" && (one.FindingID == "" || one.Note == "") {
			continue // nothing written but perhaps a name; or a line that is about no finding
		}
		one.Sheet = name
		if rows = append(rows, one); len(rows) > most {
			return nil, fmt.Errorf("more than %d rows are filled in", most)
		}
	}
	if head == nil && !empty {
		return nil, missing(name, schema.ReviewFinding)
	}
	return rows, nil
}

func missing(sheet, column string) error {
	return fmt.Errorf("sheet %q: it has no column %q", sheet, column)
}

// newHeader is nil for a row that does not hold the headers.
func newHeader(sheet string, kind schema.ReviewSheet, row workbook.Row) (*columns, error) {
	at := map[string]int{}
	for i, cell := range row.Cells {
		name := strings.TrimSpace(cell)
		if _, twice := at[name]; twice {
			i = -1
		}
		at[name] = i
	}
	if _, ok := at[schema.ReviewFinding]; !ok {
		return nil, nil
	}
	c := &columns{}
	for _, want := range []struct {
		name string
		at   *int
	}{
		{schema.ReviewFinding, &c.finding},
		{schema.ReviewSeverity, &c.severity},
		{kind.Expected, &c.expected},
		{kind.Actual, &c.actual},
		{schema.ReviewUnexplained, &c.unexplained},
		{schema.ReviewDisposition, &c.disposition},
		{schema.ReviewReviewer, &c.reviewer},
		{schema.ReviewNote, &c.note},
	} {
		column, ok := at[want.name]
		switch {
		case !ok && want.name == schema.ReviewUnexplained && !kind.Unexplained:
			column = -1
		case !ok:
			return nil, missing(sheet, want.name)
		case column < 0:
			return nil, fmt.Errorf("sheet %q: it has two columns %q", sheet, want.name)
		}
		*want.at = column
	}
	return c, nil
}

// columns are those that are read, from 0; -1: there is none.
type columns struct {
	finding, severity, expected, actual, unexplained, disposition, reviewer, note int
}

func (c *columns) row(row workbook.Row) schema.ReviewRow {
	cell := func(at int) string {
		if at < 0 || at >= len(row.Cells) {
			return ""
		}
		return strings.TrimSpace(row.Cells[at])
	}
	return schema.ReviewRow{
		Line: row.Number, FindingID: cell(c.finding), Disposition: cell(c.disposition),
		Reviewer: strings.Join(strings.Fields(cell(c.reviewer)), " "), Note: cell(c.note),
		Expected: cell(c.expected), Actual: cell(c.actual), Unexplained: cell(c.unexplained), Severity: cell(c.severity),
	}
}
