package books

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"
)

// workbookSheet reads the first sheet of a workbook, with cells as they are stored rather than as they are shown.
func workbookSheet(data []byte, limits Limits) (sheet, error) {
	// Equal limits keep everything in memory: above the second, parts would be written to the temporary folder.
	file, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: limits.Inflated, UnzipXMLSizeLimit: limits.Inflated,
	})
	if err != nil {
		return sheet{}, fmt.Errorf("not a workbook that can be read: %w", err)
	}
	props, err := file.GetWorkbookProps()
	if err != nil {
		return sheet{}, fmt.Errorf("not a workbook that can be read: %w", err)
	}
	names := file.GetSheetList()
	if len(names) == 0 {
		return sheet{}, errors.New("a workbook without a sheet")
	}
	if err := checkSheets(file, limits.Rows*maxWidth); err != nil {
		return sheet{}, fmt.Errorf("not a workbook that can be read: %w", err)
	}
	date1904 := props.Date1904 != nil && *props.Date1904
	return sheet{
		amount: cellDecimal,
		date:   func(cell string) string { return cellDate(cell, date1904) },
		padded: true,
		rows: func(yield func(row, error) bool) {
			defer file.Close()
			rows, err := file.Rows(names[0])
			if err != nil {
				yield(row{}, err)
				return
			}
			defer rows.Close()
			for line := 1; rows.Next(); line++ {
				cells, err := rows.Columns()
				if !yield(row{line: line, cells: cells}, err) || err != nil {
					return
				}
			}
			if err := rows.Error(); err != nil {
				yield(row{}, err)
			}
		},
	}, nil
}

// maxWidth is the average number of columns beyond which a sheet is refused: each row costs as much as its last cell is
// far to the right.
const maxWidth = 256

// checkSheets refuses what the library would pass over in silence: a sheet that breaks off, and cells out of order, which
// it would put into the wrong columns; and what would cost it out of proportion.
func checkSheets(file *excelize.File, maxCells int) (err error) {
	file.Pkg.Range(func(name, part any) bool {
		if content, ok := part.([]byte); ok && strings.HasPrefix(strings.ToLower(name.(string)), "xl/worksheets/sheet") {
			err = checkSheet(content, maxCells)
		}
		return err == nil
	})
	return err
}

func checkSheet(content []byte, maxCells int) error {
	dec := xml.NewDecoder(bytes.NewReader(content))
	row, column, cells := 0, 0, 0
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a sheet breaks off or is malformed: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "row":
			last := row
			row, column = row+1, 0
			if r := attribute(start, "r"); r != "" {
				if row, err = strconv.Atoi(r); err != nil || row <= last {
					return fmt.Errorf("its rows are out of order after row %d", last)
				}
			}
		case "c":
			last := column
			column++
			if r := attribute(start, "r"); r != "" {
				var at int
				if column, at, err = excelize.CellNameToCoordinates(r); err != nil || at != row || column <= last {
					return fmt.Errorf("its cells are out of order in row %d", row)
				}
			}
			if cells += column - last; cells > maxCells {
				return fmt.Errorf("a sheet spans more than %d cells; delete what is beside the columns", maxCells)
			}
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

var cellNumber = regexp.MustCompile(`^[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$`)

// Workbooks store numbers as IEEE 754 doubles: 53 bits, which bring every decimal of up to 15 digits back.
const (
	doubleBits   = 53
	doubleDigits = 15
)

// cellDecimal is the plain decimal of at most 15 digits that is stored as the same number as cell, or cell unchanged where
// there is none.
func cellDecimal(cell string) string {
	if !cellNumber.MatchString(cell) {
		return cell
	}
	exact, err := decimal.NewFromString(cell)
	if err != nil {
		return cell
	}
	short := exact.Round(doubleDigits - int32(exact.NumDigits()) - exact.Exponent())
	if stored(short.Rat()).Cmp(stored(exact.Rat())) != 0 {
		return cell
	}
	return short.String()
}

// stored is the number, not negative, that a workbook stores for x: the nearest with 53 bits, the even one of two. It is
// worked out in integers.
func stored(x *big.Rat) *big.Rat {
	scale := doubleBits - x.Num().BitLen() + x.Denom().BitLen()
	for {
		num, den := new(big.Int).Set(x.Num()), new(big.Int).Set(x.Denom())
		num.Lsh(num, uint(max(scale, 0)))
		den.Lsh(den, uint(max(-scale, 0)))
		bits, rest := new(big.Int).QuoRem(num, den, new(big.Int))
		if bits.BitLen() > doubleBits {
			scale-- // the first guess may be one bit too long
			continue
		}
		if half := rest.Lsh(rest, 1).Cmp(den); half > 0 || half == 0 && bits.Bit(0) == 1 {
			bits.Add(bits, big.NewInt(1))
		}
		unit := new(big.Rat).SetFrac(new(big.Int).Lsh(big.NewInt(1), uint(max(-scale, 0))), new(big.Int).Lsh(big.NewInt(1), uint(max(scale, 0))))
		return unit.Mul(unit, new(big.Rat).SetInt(bits))
	}
}

var cellSerial = regexp.MustCompile(`^([0-9]{5,6})(?:\.0+)?$`)

// cellDate is the date, as YYYY-MM-DD, of a cell that holds a number of days since the workbook's beginning, or cell
// unchanged where it does not: text, or a date with a time of day, which has no zone.
func cellDate(cell string, date1904 bool) string {
	match := cellSerial.FindStringSubmatch(cell)
	if match == nil {
		return cell
	}
	days, err := strconv.Atoi(match[1])
	if err != nil {
		return cell
	}
	// Day 60 of the older calendar is a 29 February 1900 that never was; from day 61 on, this is its beginning.
	beginning := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	if date1904 {
		beginning = time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	date := beginning.AddDate(0, 0, days)
	if date.Year() < 1970 || date.Year() > 2199 {
		return cell
	}
	return date.Format(time.DateOnly)
}
