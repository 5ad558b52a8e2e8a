package books

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
)

// csvSheet splits CSV. Blank lines are skipped; a line whose quotes do not match is a row with a fault, and what follows
// it is read.
func csvSheet(data []byte) (sheet, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return sheet{}, errors.New("UTF-16; save the file as CSV UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	same := func(cell string) string { return cell }
	return sheet{amount: same, date: same, rows: func(yield func(row, error) bool) {
		r := csv.NewReader(bytes.NewReader(data))
		r.FieldsPerRecord = -1
		for {
			cells, err := r.Read()
			var syntax *csv.ParseError
			var next row
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &syntax):
				next = row{line: syntax.StartLine, fault: "quotes do not match; double a quote inside a quoted text"}
				if syntax.Line > syntax.StartLine {
					next.fault = fmt.Sprintf("quotes do not match from here to line %d; double a quote inside a quoted text", syntax.Line)
				}
			case err != nil:
				yield(row{}, err)
				return
			default:
				line, _ := r.FieldPos(0)
				next = row{line: line, cells: cells}
			}
			if !yield(next, nil) {
				return
			}
		}
	}}, nil
}
