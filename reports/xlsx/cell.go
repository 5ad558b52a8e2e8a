package xlsx

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

const (
	mostDigits = 15     // that a spreadsheet's number keeps
	mostText   = 32_767 // UTF-16 code units that a cell holds
)

// cell is a value with its style. What it cannot show as a number without loss it shows as text that is marked.
func (b *builder) cell(v any, base look) (any, error) {
	switch v := v.(type) {
	case nil:
		return b.styled(nil, "", base)
	case string:
		if v == "" {
			return b.styled(nil, "", base)
		}
		base.format = textFormat
		return b.styled(clean(v), "", base)
	case table.Word:
		base.tone, base.format = v.Tone, textFormat
		return b.styled(clean(v.Text), "", base)
	case table.Link:
		base.link = true
		return b.styled(v.Text, "", base)
	case money.Amount:
		return b.amount(v.String(), "", base)
	case table.Decimal:
		return b.amount(string(v), "", base)
	case int64:
		base.format, base.right = "#,##0", true
		return b.styled(v, "", base)
	case time.Time:
		if v.IsZero() {
			return b.styled(nil, "", base)
		}
		base.format = "yyyy-mm-dd hh:mm:ss"
		base.left = true
		return b.styled(wall(v, b.book.Zone), "", base)
	case table.Foot:
		formula, err := b.formula(v)
		if err != nil {
			return nil, err
		}
		if n, ok := v.Value.(int64); ok {
			base.format, base.right = "#,##0", true
			return b.styled(n, formula, base)
		}
		d, ok := v.Value.(table.Decimal)
		if !ok {
			return nil, fmt.Errorf("a foot of type %T", v.Value)
		}
		return b.amount(string(d), formula, base)
	}
	return nil, fmt.Errorf("a cell of type %T", v)
}

func (b *builder) styled(v any, formula string, l look) (any, error) {
	id, err := b.style(l)
	if err != nil {
		return nil, err
	}
	return excelize.Cell{StyleID: id, Formula: formula, Value: v}, nil
}

// amount is decimal text as a number, shown with exactly the digits that the text has. A spreadsheet's numbers are binary
// floats, which keep fifteen digits of a decimal exactly; a longer amount stays text, marked, without a formula.
func (b *builder) amount(text, formula string, l look) (any, error) {
	if text == "" {
		return b.styled(nil, "", l)
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return nil, fmt.Errorf("amount %q: %w", text, err)
	}
	l.right = true
	if d.NumDigits() > mostDigits {
		l.marked, l.format = true, textFormat
		return b.styled(text, "", l)
	}
	_, fraction, _ := strings.Cut(text, ".")
	l.format = amountFormat(len(fraction))
	if formula != "" {
		formula = fmt.Sprintf("ROUND(%s,%d)", formula, len(fraction))
	}
	return b.styled(d.InexactFloat64(), formula, l)
}

// amountFormat shows a number with a fixed number of digits; negative ones with a minus sign, and red.
func amountFormat(digits int) string {
	f := "#,##0"
	if digits > 0 {
		f += "." + strings.Repeat("0", digits)
	}
	return f + ";[Red]-" + f
}

// wall is an instant as wall time of a zone. A spreadsheet's instants have no zone.
func wall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// clean makes text that every spreadsheet program accepts: control characters but tab and line feed are replaced, and what
// a cell does not hold is cut visibly.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7F || r == 0xFFFE || r == 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s)
	if len(s) <= mostText {
		return s
	}
	// Positions at which a rune starts that still leaves room for the mark.
	const mark = " [cut]"
	units, cut := 0, 0
	for i, r := range s {
		if units <= mostText-len(mark) {
			cut = i
		}
		if units += utf16.RuneLen(r); units > mostText {
			return s[:cut] + mark
		}
	}
	return s
}
