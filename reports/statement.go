package reports

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// statementLine is one figure of one source in one currency: from the ledger's sum to the provider's.
type statementLine struct {
	source, figure      string
	currency            money.Currency
	compared, unchecked int64
	ledger, provider    *big.Int
	items               map[string]decimal.Decimal // by explanation
	unexplained         decimal.Decimal
}

// explanations lists the explanations in the order of reports (NORMALIZATION 3).
func explanations() []string {
	return []string{"in flight", "day boundary", "opening funding", "one entry", "declines counted", "two entries", withinTolerance}
}

// statementLines sums what was compared, by source, figure and currency. What was not checkable may have no currency.
func (f *facts) statementLines() []*statementLine {
	var all []*statementLine
	for _, judgement := range f.Judgements {
		j := judged{Judgement: judgement, drift: f.Drifts[KeyOf(judgement)]}
		if j.Code != schema.BalanceDrift {
			continue
		}
		c := cmp.Or(j.Actual.Currency(), j.Expected.Currency())
		i := slices.IndexFunc(all, func(l *statementLine) bool { return l.source == j.Source && l.figure == j.Figure && l.currency == c })
		if i < 0 {
			i = len(all)
			all = append(all, &statementLine{
				source: j.Source, figure: j.Figure, currency: c, ledger: new(big.Int), provider: new(big.Int), items: map[string]decimal.Decimal{},
			})
		}
		all[i].add(j)
	}
	return all
}

func (l *statementLine) add(j judged) {
	if !j.compared() {
		l.unchecked++
		return
	}
	l.compared++
	l.ledger.Add(l.ledger, big.NewInt(j.Expected.Minor()))
	l.provider.Add(l.provider, big.NewInt(j.Actual.Minor()))
	if x := j.explanation(); x != "" {
		l.items[x] = l.items[x].Add(decimalOf(j.explained()))
	}
	l.unexplained = l.unexplained.Add(decimalOf(j.unexplained()))
}

// decimalOf is an amount as a decimal; zero where there is none.
func decimalOf(v any) decimal.Decimal {
	text := ""
	switch v := v.(type) {
	case table.Decimal:
		text = string(v)
	case money.Amount:
		text = v.String()
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Zero
	}
	return d
}

// classes lists the explanations that occur.
func classes(lines []*statementLine) []string {
	return where(explanations(), func(class string) bool {
		return slices.ContainsFunc(lines, func(l *statementLine) bool { _, ok := l.items[class]; return ok })
	})
}

// statement is the reconciliation: the ledger's figure, what explains the difference by class, what nothing explains, and the
// provider's figure. It returns its lines and the column that must be zero.
func (f *facts) statement(p *sheetPage) (extent, int) {
	lines := f.statementLines()
	classes := classes(lines)
	p.block("Ledger and provider, by source and currency",
		"For each figure that a provider states of its cards: the ledger's sum, the reconciling items by class, what nothing explains, and the provider's figure. "+
			rollForwardSheet+" lists each card. What was not checkable is in no sum.")
	head := []any{"Source", "Figure", "Currency", "Cards compared", "Not checkable", "Ledger"}
	for _, class := range classes {
		head = append(head, class)
	}
	p.add(table.Head, append(head, "Unexplained", "Provider", "Check")...)
	from := len(p.Lines)
	for _, l := range lines {
		at := p.add(table.Plain, l.cells(len(p.Lines), classes)...)
		if l.currency.Code() == "" {
			continue
		}
		p.name(at, 5, "ledger", l.source, l.currency.Code(), l.figure)
		p.name(at, 6+len(classes), "unexplained", l.source, l.currency.Code(), l.figure)
		p.name(at, 7+len(classes), "provider", l.source, l.currency.Code(), l.figure)
	}
	e := p.rest(from)
	if e.empty() {
		p.span(table.Plain, "No provider stated a figure in the period.")
	}
	return e, 8 + len(classes)
}

// cells are the cells of the line, which is the at-th of its page.
func (l *statementLine) cells(at int, classes []string) []any {
	mine := []table.Criterion{
		{Column: colCode, Value: string(schema.BalanceDrift)}, {Column: colSource, Value: l.source}, {Column: colFigure, Value: l.figure}, {Column: colCurrency, Value: l.currency.Code()},
	}
	compared := append(slices.Clone(mine), table.Criterion{Column: colVerdict, Op: "<>", Value: string(schema.NotCheckable)})
	cells := []any{
		l.source, l.figure, l.currency.Code(),
		table.Foot{Sheet: rollForwardSheet, Where: compared, Value: l.compared},
		table.Foot{Sheet: rollForwardSheet, Where: append(slices.Clone(mine), table.Criterion{Column: colVerdict, Value: string(schema.NotCheckable)}), Value: l.unchecked},
	}
	if l.currency.Code() == "" {
		return cells
	}
	sum := func(column string, value decimal.Decimal, more ...table.Criterion) any {
		return table.Foot{Sheet: rollForwardSheet, Sum: column, Where: append(slices.Clone(compared), more...), Value: l.text(value)}
	}
	first := len(cells)
	cells = append(cells, sum(colLedger, l.major(l.ledger)))
	for _, class := range classes {
		cells = append(cells, sum(colExplained, l.items[class], table.Criterion{Column: colExplanation, Value: class}))
	}
	cells = append(cells, sum(colUnexplained, l.unexplained), sum(colProvider, l.major(l.provider)))
	check := table.Calc{Minus: []any{table.At{Line: at, Column: len(cells) - 1}}, Value: l.text(decimal.Zero), Check: true}
	for c := first; c < len(cells)-1; c++ {
		check.Plus = append(check.Plus, table.At{Line: at, Column: c})
	}
	return append(cells, check)
}

func (l *statementLine) major(minor *big.Int) decimal.Decimal {
	return decimal.NewFromBigInt(minor, -int32(l.currency.Digits()))
}

func (l *statementLine) text(d decimal.Decimal) table.Decimal {
	return table.Decimal(d.StringFixed(int32(l.currency.Digits())))
}
