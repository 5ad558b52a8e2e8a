package books

import (
	"bytes"
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/normalize/workbook"
)

// workbookSheet reads the first sheet of a workbook, with cells as they are stored rather than as they are shown.
func workbookSheet(data []byte, limits Limits) (sheet, error) {
	book, err := workbook.Open(bytes.NewReader(data), int64(len(data)), workbook.Limits{Part: limits.Inflated})
	if err != nil {
		return sheet{}, err
	}
	names := book.Sheets()
	if len(names) == 0 {
		return sheet{}, errors.New("a workbook without a sheet")
	}
	return sheet{
		amount: cellDecimal,
		date:   func(cell string) string { return cellDate(cell, book.Date1904) },
		padded: true,
		rows: func(yield func(row, error) bool) {
			for r, err := range book.Rows(names[0]) {
				if !yield(row{line: r.Number, cells: r.Cells}, err) {
					return
				}
			}
		},
	}, nil
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
