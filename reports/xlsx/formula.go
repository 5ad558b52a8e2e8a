package xlsx

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// place is where a formula stands, for what it names beside itself: the row of a table, or a page.
type place struct {
	sheet   string
	row     int            // of the sheet
	columns map[string]int // of the table
	cells   []any          // of the row
	page    *table.Page
}

// foot is a foot as SUMIFS or COUNTIFS over the rows of its table, on as many sheets as it has.
func (b *builder) foot(f table.Foot, at place) (string, error) {
	t, ok := b.tables[f.Sheet]
	if !ok {
		return "", fmt.Errorf("a foot of sheet %q, which is not there", f.Sheet)
	}
	var terms []string
	for _, p := range t.parts {
		term, err := footOver(f, t, p, at)
		if err != nil {
			return "", err
		}
		terms = append(terms, term)
	}
	return strings.Join(terms, "+"), nil
}

// footOver is a foot over one sheet.
func footOver(f table.Foot, t footed, p sheetPart, at place) (string, error) {
	area := func(column string) (string, error) {
		n, ok := t.columns[column]
		if !ok {
			return "", fmt.Errorf("a foot of column %q, which %s does not have", column, f.Sheet)
		}
		letter := columnName(n)
		return fmt.Sprintf("'%s'!$%s$2:$%s$%d", p.sheet, letter, letter, max(p.rows, 1)+1), nil
	}
	name := "COUNTIFS"
	var args []string
	if f.Sum != "" {
		a, err := area(f.Sum)
		switch {
		case err != nil:
			return "", err
		case f.Abs:
			return absolute(a), nil
		case len(f.Where) == 0:
			return "SUM(" + a + ")", nil
		}
		name, args = "SUMIFS", append(args, a)
	}
	for _, c := range f.Where {
		a, err := area(c.Column)
		if err != nil {
			return "", err
		}
		value, err := criterion(c, at)
		if err != nil {
			return "", err
		}
		args = append(args, a, value)
	}
	return name + "(" + strings.Join(args, ",") + ")", nil
}

// criterion is a criterion as an argument of a formula. Wildcards in a value stand for themselves.
func criterion(c table.Criterion, at place) (string, error) {
	if c.Beside != nil {
		ref, _, err := at.beside(c.Beside)
		if err != nil || c.Op == "" {
			return ref, err
		}
		return `"` + c.Op + `"&` + ref, nil
	}
	op := c.Op
	if op == "" {
		op = "="
	}
	value := strings.NewReplacer("~", "~~", "*", "~*", "?", "~?", `"`, `""`).Replace(c.Value)
	return `"` + op + value + `"`, nil
}

// beside is a cell that a formula names by where it stands itself, and what that cell holds.
func (p place) beside(v any) (string, any, error) {
	switch v := v.(type) {
	case table.Here:
		n, ok := p.columns[string(v)]
		if !ok {
			return "", nil, fmt.Errorf("a formula with column %q, which is not there", string(v))
		}
		return "$" + cellName(n, p.row), p.cells[n-1], nil
	case table.At:
		if p.page == nil {
			return "", nil, fmt.Errorf("a formula with a cell of a page outside of one")
		}
		return cellName(v.Column+1, v.Line+1), p.page.Cell(v), nil
	}
	return "", nil, fmt.Errorf("a formula with a %T", v)
}

// calc is a sum and a difference as a formula; empty where one of what it adds up is too long to be a number on the sheet.
func (b *builder) calc(c table.Calc, at place) (string, error) {
	var formula strings.Builder
	for i, v := range append(append([]any{}, c.Plus...), c.Minus...) {
		term, long, err := b.term(v, at)
		if err != nil || long {
			return "", err
		}
		switch {
		case i >= len(c.Plus):
			formula.WriteString("-")
			if strings.ContainsAny(term, "+") {
				term = "(" + term + ")"
			}
		case i > 0:
			formula.WriteString("+")
		}
		formula.WriteString(term)
	}
	return formula.String(), nil
}

// term is one thing that a formula adds, and whether it stands as text because it is too long.
func (b *builder) term(v any, at place) (formula string, long bool, err error) {
	switch v := v.(type) {
	case table.Foot:
		formula, err = b.foot(v, at)
		return formula, false, err
	case table.Named:
		if b.names[string(v)] == "" {
			return "", false, fmt.Errorf("a formula with the name %q, which is not there", string(v))
		}
		return string(v), false, nil
	case table.Cell:
		t, ok := b.tables[v.Sheet]
		n := t.columns[v.Column]
		if !ok || n == 0 {
			return "", false, fmt.Errorf("a formula with column %q of sheet %q, which is not there", v.Column, v.Sheet)
		}
		part, row, err := t.find(v.Row)
		return "'" + part.sheet + "'!$" + columnName(n) + "$" + strconv.Itoa(row), false, err
	case table.Range:
		area := cellName(v.From.Column+1, v.From.Line+1) + ":" + cellName(v.To.Column+1, v.To.Line+1)
		if v.Abs {
			return absolute(area), false, nil
		}
		return "SUM(" + area + ")", false, nil
	}
	ref, value, err := at.beside(v)
	if err != nil {
		return "", false, err
	}
	long, err = isLong(table.Value(value))
	return ref, long, err
}

// absolute is the sum of the absolute values of an area, without an array formula: programs differ in those.
func absolute(area string) string {
	return "(SUMIF(" + area + `,">0")-SUMIF(` + area + `,"<0"))`
}

func isLong(v any) (bool, error) {
	switch v := v.(type) {
	case money.Amount:
		return tooLong(v.String())
	case table.Decimal:
		return tooLong(string(v))
	}
	return false, nil
}
