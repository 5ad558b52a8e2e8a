package xlsx

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

const (
	mostDigits = 15     // that a spreadsheet's number keeps
	mostText   = 32_767 // UTF-16 code units that a cell holds
)

// content is what goes into a cell: a number as decimal text, with or without the formula that gives it, or a text, or
// nothing but how it looks.
type content struct {
	look    look
	number  string
	formula string
	text    string
	link    *table.Link
}

// cell is a value with its looks. What it cannot show as a number without loss it shows as text that is marked.
func (b *builder) cell(v any, base look, at place) (content, error) {
	switch v := v.(type) {
	case nil:
		return content{look: base}, nil
	case table.ToFill:
		base.fill, base.row = true, true
		return content{look: base}, nil
	case string:
		return textCell(v, base), nil
	case table.Word:
		base.tone = v.Tone
		return textCell(v.Text, base), nil
	case table.Link:
		if v.Sheet == "" {
			return textCell(v.Text, base), nil
		}
		base.link = true
		c := textCell(v.Text, base)
		c.link = &v
		return c, nil
	case money.Amount:
		return amountCell(v.String(), "", base)
	case table.Decimal:
		return amountCell(string(v), "", base)
	case int64:
		return countCell(v, "", base), nil
	case time.Time:
		if v.IsZero() {
			return content{look: base}, nil
		}
		w := wall(v, b.book.Zone)
		if w.Before(dayZero) { // spreadsheets have no such days
			return textCell(w.Format(time.DateTime), base), nil
		}
		base.format, base.left = "yyyy-mm-dd hh:mm:ss", true
		return content{look: base, number: serial(w)}, nil
	case table.Date:
		return dateCell(v, base)
	case table.Foot:
		formula, err := b.foot(v, at)
		if err != nil {
			return content{}, err
		}
		return computed(v.Value, formula, base)
	case table.Calc:
		formula, err := b.calc(v, at)
		if err != nil {
			return content{}, err
		}
		base.check = v.Check
		return computed(v.Value, formula, base)
	}
	return content{}, fmt.Errorf("a cell of type %T", v)
}

func textCell(text string, l look) content {
	if text == "" {
		return content{look: l}
	}
	l.format = textFormat
	return content{look: l, text: clean(text)}
}

func countCell(n int64, formula string, l look) content {
	l.format, l.right = "#,##0", true
	if l.check {
		l.format = checkFormat(0)
	}
	return content{look: l, number: strconv.FormatInt(n, 10), formula: formula}
}

func dateCell(d table.Date, l look) (content, error) {
	if d == "" {
		return content{look: l}, nil
	}
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return content{}, fmt.Errorf("date %q: %w", d, err)
	}
	l.format, l.left = "yyyy-mm-dd", true
	return content{look: l, number: serial(t)}, nil
}

// computed is a figure with its formula. A figure that is not known has none: the formula would make a zero of it.
func computed(value any, formula string, l look) (content, error) {
	switch v := value.(type) {
	case nil:
		return content{look: l}, nil
	case int64:
		return countCell(v, formula, l), nil
	case table.Decimal:
		return amountCell(string(v), formula, l)
	}
	return content{}, fmt.Errorf("a figure of type %T", value)
}

// amountCell is decimal text as a number, shown with exactly the digits that the text has. A spreadsheet's numbers are
// binary floats, which keep fifteen digits of a decimal exactly; a longer amount stays text, marked, without a formula.
func amountCell(text, formula string, l look) (content, error) {
	if text == "" {
		return content{look: l}, nil
	}
	l.right = true
	long, err := tooLong(text)
	if err != nil {
		return content{}, err
	}
	if long {
		l.marked, l.format = true, textFormat
		return content{look: l, text: text}, nil
	}
	_, fraction, _ := strings.Cut(text, ".")
	l.format = amountFormat(len(fraction))
	if l.check {
		l.format = checkFormat(len(fraction))
	}
	if formula != "" { // sums of binary floats are a hair beside the decimal
		formula = fmt.Sprintf("ROUND(%s,%d)", formula, len(fraction))
	}
	return content{look: l, number: text, formula: formula}, nil
}

// tooLong says whether an amount has more digits than a spreadsheet's number keeps.
func tooLong(text string) (bool, error) {
	digits, whole := 0, strings.TrimPrefix(text, "-")
	for i, c := range whole {
		switch {
		case c >= '0' && c <= '9':
			if digits > 0 || c != '0' {
				digits++
			}
		case c != '.' || i == 0 || i == len(whole)-1:
			return false, fmt.Errorf("amount %q is no decimal number", text)
		}
	}
	return digits > mostDigits, nil
}

// checkFormat shows a figure that must be zero: the word beside it says whether it is. The sheet colours those that differ; the
// colours that a format can name are too light to read, or differ between programs. The room of a parenthesis at the end is there
// because LibreOffice forgets the indent of some cells with words, and a figure that touches the next one is misread.
func checkFormat(digits int) string {
	f := amountFormat(digits) + "_)"
	return `"differs "` + f + `;"differs "-` + f + `;"agrees "` + f
}

// amountFormat shows a number with thousands and a fixed number of digits.
func amountFormat(digits int) string {
	switch digits {
	case 0:
		return "#,##0"
	case 2:
		return "#,##0.00"
	}
	return "#,##0." + strings.Repeat("0", digits)
}

// wall is an instant as wall time of a zone. A spreadsheet's instants have no zone.
func wall(t time.Time, zone *time.Location) time.Time {
	t = t.In(zone)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// dayZero is the day that a spreadsheet counts from.
var dayZero = time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)

// serial is the number that a spreadsheet keeps for a wall time: days since the end of 1899, with a fraction.
func serial(t time.Time) string {
	const day = int64(24 * time.Hour / time.Microsecond)
	micros := t.UnixMicro() - dayZero.UnixMicro()
	days, rest := micros/day, micros%day
	if rest == 0 {
		return strconv.FormatInt(days, 10)
	}
	// Twelve places of a day are far below a microsecond; the division in two steps stays within int64.
	const scale = 1_000_000
	fraction := rest*scale/day*scale + rest*scale%day*scale/day
	text := strconv.AppendInt(nil, days, 10)
	point := len(text)
	text = strconv.AppendInt(text, scale*scale+fraction, 10) // a leading one keeps the zeros after the point, and gives it its place
	text[point] = '.'
	return strings.TrimRight(string(text), "0")
}

// clean makes text that every spreadsheet program accepts: one kind of line end, no control characters, and what a cell does not
// hold cut visibly.
func clean(s string) string {
	if len(s) <= mostText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s // as most are
	}
	s = table.PlainText(strings.ReplaceAll(s, "\r\n", "\n"))
	if strings.ContainsAny(s, "\r\uFFFE\uFFFF") { // the last two are no characters of XML
		s = strings.NewReplacer("\r", "\uFFFD", "\uFFFE", "\uFFFD", "\uFFFF", "\uFFFD").Replace(s)
	}
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
