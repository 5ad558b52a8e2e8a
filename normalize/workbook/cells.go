package workbook

import (
	"encoding/xml"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// cell is one cell that is not empty.
type cell struct {
	column int    // from 1
	kind   string // as the file has it: s is a shared text, inlineStr and str are texts
	value  string
	inline string // the text of an inlineStr
}

func (c cell) text(shared map[string]string) string {
	switch c.kind {
	case "s":
		return shared[c.value]
	case "inlineStr":
		return c.inline
	case "str":
		return unescape(c.value)
	}
	return c.value
}

type cellRow struct {
	number int
	cells  []cell
}

// maxRow is the last row that a worksheet can have.
const maxRow = 1 << 20

// cells yields the rows of a worksheet that have cells which are not empty. Rows and cells must be in order: what is out of
// order would be read into the wrong column.
func (b *Book) cells(part string) iter.Seq2[cellRow, error] {
	return func(yield func(cellRow, error) bool) {
		s := sheetReader{columns: b.limits.Columns, most: b.limits.Row, inline: words{most: b.limits.Row}}
		for token, err := range b.tokens(part) {
			ended := false
			if err == nil {
				ended, err = s.take(token)
			}
			if err != nil {
				yield(cellRow{}, err)
				return
			}
			if ended && len(s.row.cells) > 0 && !yield(s.row, nil) {
				return
			}
		}
		if !s.root {
			yield(cellRow{}, errors.New("it is not a worksheet"))
		}
	}
}

// sheetReader puts the tokens of a worksheet together.
type sheetReader struct {
	columns int   // at most
	most    int64 // bytes of the values of a row
	root    bool
	row     cellRow
	size    int64 // of the row so far
	cell    cell
	inRow   bool
	inCell  bool
	inValue bool
	value   []byte
	inline  words
}

// take says whether a row has ended.
func (s *sheetReader) take(token xml.Token) (bool, error) {
	if s.inCell {
		ended, err := s.inline.take(token, "is")
		if err != nil {
			return false, err
		}
		if ended {
			s.cell.inline = s.inline.text()
		}
	}
	switch t := token.(type) {
	case xml.StartElement:
		if !s.root && t.Name.Local != "worksheet" {
			return false, errors.New("it is not a worksheet")
		}
		s.root = true
		return false, s.start(t)
	case xml.CharData:
		if s.inValue {
			if s.value = append(s.value, t...); int64(len(s.value)) > s.most {
				return false, s.tooLarge()
			}
		}
	case xml.EndElement:
		return s.end(t.Name.Local)
	}
	return false, nil
}

func (s *sheetReader) tooLarge() error {
	return fmt.Errorf("row %d is larger than %d bytes", s.row.number, s.most)
}

func (s *sheetReader) end(name string) (bool, error) {
	switch name {
	case "v":
		s.inValue = false
	case "c":
		s.cell.value = string(s.value)
		if s.inCell && (s.cell.value != "" || s.cell.inline != "") {
			s.row.cells = append(s.row.cells, s.cell)
			if s.size += int64(len(s.cell.value) + len(s.cell.inline)); s.size > s.most {
				return false, s.tooLarge()
			}
		}
		s.inCell = false
	case "row":
		ended := s.inRow
		s.inRow = false
		return ended, nil
	}
	return false, nil
}

func (s *sheetReader) start(t xml.StartElement) error {
	switch t.Name.Local {
	case "row":
		last := s.row.number
		s.row, s.cell, s.size, s.inRow = cellRow{number: last + 1}, cell{}, 0, true
		if r := attribute(t, "r"); r != "" {
			var err error
			if s.row.number, err = strconv.Atoi(r); err != nil || s.row.number <= last {
				return fmt.Errorf("its rows are out of order after row %d", last)
			}
		}
		if s.row.number > maxRow {
			return fmt.Errorf("it has more than %d rows", maxRow)
		}
	case "c":
		last := s.cell.column
		s.cell = cell{column: last + 1, kind: attribute(t, "t")}
		s.inCell, s.value = s.inRow, s.value[:0]
		if r := attribute(t, "r"); r != "" {
			var row int
			s.cell.column, row = coordinates(r)
			if s.cell.column <= last || row != s.row.number {
				return fmt.Errorf("its cells are out of order in row %d", s.row.number)
			}
		}
		if s.cell.column > s.columns {
			return fmt.Errorf("row %d reaches beyond column %d", s.row.number, s.columns)
		}
	case "v":
		s.inValue = s.inCell
	}
	return nil
}

// coordinates are those of a name such as AB12; 0 where it is none.
func coordinates(name string) (column, row int) {
	letters := strings.TrimRight(name, "0123456789")
	if letters == "" || len(letters) > 3 {
		return 0, 0
	}
	for _, r := range letters {
		if r < 'A' || r > 'Z' {
			return 0, 0
		}
		column = column*26 + int(r-'A') + 1
	}
	row, err := strconv.Atoi(name[len(letters):])
	if err != nil {
		return 0, 0
	}
	return column, row
}
