package reports

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Sizes of charts, in lines and columns of the page.
const (
	chartLines   = 17
	chartColumns = 5
	mostBars     = 10 // of a chart that ranks
)

// reserveCharts leaves room for charts and returns its first line.
func (f *facts) reserveCharts(p *sheetPage) int {
	p.block("Charts")
	p.add(table.Plain) // so that charts do not lie on the rule of the heading
	at := len(p.Lines)
	for range chartLines {
		p.add(table.Plain)
	}
	return at
}

// draw writes the figures of the charts at the end of the page and puts the charts where there is room for them.
func (f *facts) draw(p *sheetPage, room int) {
	p.block("Figures of the charts")
	column := 0
	for _, draw := range []func(*sheetPage) (table.Chart, bool){f.spendChart, f.codeChart, f.driftChart} {
		c, ok := draw(p)
		if !ok {
			continue
		}
		c.At, c.Columns, c.Lines = table.At{Line: room, Column: column}, chartColumns, chartLines
		p.Charts = append(p.Charts, c)
		column += chartColumns
	}
	if column == 0 { // nothing to show
		p.Lines[room].Cells = []any{"There is nothing to draw."}
	}
}

// mainCurrency is the currency in which most entries are spend.
func (f *facts) mainCurrency() money.Currency {
	var main money.Currency
	for c, s := range f.spend {
		most := f.spend[main]
		if s.entries > most.entries || s.entries == most.entries && c.Code() < main.Code() {
			main = c
		}
	}
	return main
}

// spendChart is the spend of each day, or of longer spans where the period is long, by source, in one currency: the heights of
// two currencies cannot be compared.
func (f *facts) spendChart(p *sheetPage) (table.Chart, bool) {
	currency := f.mainCurrency()
	spend := f.spend[currency]
	buckets, unit := spend.buckets()
	if len(buckets) == 0 {
		return table.Chart{}, false
	}
	p.span(table.Note, fmt.Sprintf("Spend in %s by %s and source: entries that count as spend, by the day they occurred; refunds and reversals lessen it.", currency, unit))
	head := []any{"From", "To"}
	for _, source := range spend.sources() {
		head = append(head, source)
	}
	top := p.add(table.Head, head...)
	from := len(p.Lines)
	for _, b := range buckets {
		at := len(p.Lines)
		cells := []any{b.from, b.to}
		for _, source := range spend.sources() {
			cells = append(cells, table.Calc{Minus: []any{table.Foot{Sheet: ledgerSheet, Sum: colAmount, Where: []table.Criterion{
				{Column: colSource, Value: source},
				{Column: colCurrency, Value: currency.Code()},
				{Column: colCountsAs, Value: "spend"},
				{Column: colDay, Op: ">=", Beside: table.At{Line: at, Column: 0}},
				{Column: colDay, Op: "<=", Beside: table.At{Line: at, Column: 1}},
			}}}, Value: figure(spend.in(b, source), currency)})
		}
		p.add(table.Plain, cells...)
	}
	e := p.rest(from)
	c := table.Chart{Title: fmt.Sprintf("Spend by %s and source, %s", unit, currency), Stacked: true, Categories: e.of(0)}
	for i := range spend.sources() {
		c.Series = append(c.Series, table.Series{Name: table.At{Line: top, Column: 2 + i}, Values: e.of(2 + i)})
	}
	return c, true
}

// codeChart is how many findings of each check are open or acknowledged.
func (f *facts) codeChart(p *sheetPage) (table.Chart, bool) {
	p.add(table.Plain)
	top := p.add(table.Head, "Check", "Open or acknowledged")
	from := len(p.Lines)
	for i, code := range codes() {
		found, n := i < 3, int64(0)
		for _, x := range f.findings {
			if x.Code == code {
				found = true
				if slices.Contains(unsettled(), x.Status) {
					n++
				}
			}
		}
		if !found {
			continue
		}
		calc := table.Calc{Value: n}
		for _, status := range unsettled() {
			calc.Plus = append(calc.Plus, table.Foot{Sheet: sheetOf(code), Where: []table.Criterion{{Column: colCode, Value: string(code)}, {Column: colStatus, Value: string(status)}}})
		}
		p.add(table.Plain, string(code), calc)
	}
	e := p.rest(from)
	return table.Chart{Title: "Findings that are open or acknowledged, by check", Categories: e.of(0), Series: []table.Series{{Name: table.At{Line: top, Column: 1}, Values: e.of(1)}}}, true
}

// driftChart is the largest differences between provider and ledger, in the currency that has most of them.
func (f *facts) driftChart(p *sheetPage) (table.Chart, bool) {
	drifts := f.largestDrifts()
	if len(drifts) == 0 {
		return table.Chart{}, false
	}
	p.add(table.Plain)
	top := p.add(table.Head, "Card", "Provider less ledger")
	from := len(p.Lines)
	for _, d := range drifts {
		j := d.Judgement
		p.add(table.Plain, fmt.Sprintf("%s %s (%s)", j.CardName, j.CardLast4, j.Source),
			table.Calc{Plus: []any{table.Cell{Sheet: rollForwardSheet, Row: d.row, Column: colDifference}}, Value: table.Decimal(d.difference())})
	}
	e := p.rest(from)
	return table.Chart{
		Title: "Largest drifts: provider less ledger, " + drifts[0].Expected.Currency().Code(), Categories: e.of(0), Series: []table.Series{{Name: table.At{Line: top, Column: 1}, Values: e.of(1)}},
	}, true
}

// ranked is a judgement with its row on Roll-forward.
type ranked struct {
	judged
	row int
}

func (r ranked) size() *big.Int {
	d := new(big.Int).Sub(big.NewInt(r.Actual.Minor()), big.NewInt(r.Expected.Minor()))
	return d.Abs(d)
}

func (f *facts) largestDrifts() []ranked {
	var all []ranked
	n := map[money.Currency]int{}
	for i, judgement := range f.Judgements {
		r := ranked{judged{Judgement: judgement}, i + 1}
		if r.Code == schema.BalanceDrift && r.compared() && r.Verdict == schema.Differs && r.Expected.Currency() == r.Actual.Currency() {
			all = append(all, r)
			n[r.Expected.Currency()]++
		}
	}
	var main money.Currency
	for c := range n {
		if n[c] > n[main] || n[c] == n[main] && c.Code() < main.Code() {
			main = c
		}
	}
	all = where(all, func(r ranked) bool { return r.Expected.Currency() == main })
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Or(b.size().Cmp(a.size()), cmp.Compare(a.row, b.row)) })
	return all[:min(len(all), mostBars)]
}
