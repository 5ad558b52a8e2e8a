package reports

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// allChecks is the name of the cell that is zero when everything foots.
const allChecks = "all_checks"

// noDifference is a check over several currencies, with the digits of the one that has most.
func (f *facts) noDifference() table.Decimal {
	digits := 0
	for _, t := range f.totals {
		digits = max(digits, t.currency.Digits())
	}
	for _, j := range f.Judgements {
		digits = max(digits, j.Expected.Currency().Digits(), j.Actual.Currency().Digits())
	}
	return table.Decimal(decimal.Zero.StringFixed(int32(digits)))
}

// summary is the figures of the report on one page, each computed again from the rows of the other sheets.
func (f *facts) summary() table.Page {
	p := &sheetPage{table.Page{Name: "Summary", Widths: []int{19, 15, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14, 14}}}
	p.span(table.Title, "Summary")
	p.span(table.Note, "In the workbook these figures are formulas over the detail sheets. tieout computed each of them as well; what a check compares must agree. "+
		"Debits and credits sum the entries that count: pending and posted.")
	top := p.add(table.Plain, "Judged on", f.dayOf(f.Period.Now), "", "All checks", nil)
	p.name(top, 1, judgedOn)
	p.name(top, 4, allChecks)

	var checks []check
	statement, column := f.statement(p)
	checks = append(checks, f.foots(markCross, "Ledger + reconciling items + unexplained = provider, on this sheet", statement, column))
	checks = append(checks, f.entryTotals(p)...)
	checks = append(checks, f.findingTotals(p)...)
	f.changeTotals(p)
	charts := f.reserveCharts(p)
	p.Lines[top].Cells[4] = table.Calc{Plus: []any{f.checks(p, checks).beyond(0)}, Value: f.noDifference(), Check: true}
	p.Shown = len(p.Lines)
	f.draw(p, charts)
	return p.Page
}

// check is something that must be zero.
type check struct {
	mark, what string
	cell       any // nil: there is nothing to check
}

// foots is that a column of a block holds zeros only.
func (f *facts) foots(mark, what string, e extent, column int) check {
	if e.empty() {
		return check{mark, what, nil}
	}
	return check{mark, what, table.Calc{Plus: []any{e.beyond(column)}, Value: f.noDifference(), Check: true}}
}

// zeros is that a column of a sheet holds zeros only.
func (f *facts) zeros(mark, what, sheet, column string) check {
	return check{mark, what, table.Calc{Plus: []any{table.Foot{Sheet: sheet, Sum: column, Abs: true}}, Value: f.noDifference(), Check: true}}
}

// checks is every foot and cross-foot of the workbook, with the difference, which must be zero.
func (f *facts) checks(p *sheetPage, checks []check) extent {
	for _, c := range totalChecks() {
		checks = append(checks, f.zeros(c[2], c[1]+", on "+totalsSheet, totalsSheet, c[0]))
	}
	if len(f.Judgements) > 0 {
		checks = append(checks, f.zeros(markPerformed, "Provider − ledger = explained + unexplained, card by card, on "+rollForwardSheet, rollForwardSheet, colCheck))
	}
	p.block("Checks", "Each of these must be zero. Differences are summed without their signs, so that they cannot cancel out.")
	p.span(table.Head, "Difference", "Mark", "What must agree")
	from := len(p.Lines)
	for _, c := range checks {
		if c.cell != nil {
			p.span(table.Plain, c.cell, c.mark, c.what)
		}
	}
	return p.rest(from)
}

// entryTotals is the entries of the period, by source and currency, and of all sources.
func (f *facts) entryTotals(p *sheetPage) []check {
	p.block("Entries of the period, by source and currency")
	p.add(table.Head, "Source", "Currency", "Entries", "Posted", "Pending", "Declined", "Other", "Debits", "Credits", "Net", "Check", "Rejected records")
	from := len(p.Lines)
	var all []*total
	shown := map[string]bool{}
	for _, t := range f.totals {
		var rejected any
		if !shown[t.source] { // once for each source
			rejected = f.rejected(t.source)
		}
		if t.isRejects() && shown[t.source] {
			continue
		}
		shown[t.source] = true
		if t.isRejects() {
			p.add(table.Plain, t.source, "", int64(0), int64(0), int64(0), int64(0), int64(0), nil, nil, nil, nil, rejected)
			continue
		}
		at := p.add(table.Plain, append(totalCells(t, t.source, len(p.Lines)), rejected)...)
		for i, what := range []string{"debits", "credits", "net"} {
			p.name(at, 7+i, what, t.source, t.currency.Code())
		}
		all = sumInto(all, t)
	}
	slices.SortFunc(all, func(a, b *total) int { return cmp.Compare(a.currency.Code(), b.currency.Code()) })
	var checks []check
	for i, t := range all {
		var rejected any
		if i == 0 {
			rejected = f.rejected("")
		}
		at := p.add(table.Total, append(totalCells(*t, "", len(p.Lines)), rejected)...)
		p.name(at, 9, "net", "all", t.currency.Code())
		checks = append(checks, check{
			markFoot, fmt.Sprintf("Net of all sources in %s = the sum of %s", t.currency, totalsSheet),
			table.Calc{
				Plus: []any{table.At{Line: at, Column: 9}}, Value: figure(new(big.Int), t.currency), Check: true,
				Minus: []any{table.Foot{Sheet: totalsSheet, Sum: colNet, Where: []table.Criterion{{Column: colCurrency, Value: t.currency.Code()}}}},
			},
		})
	}
	if len(all) == 0 {
		return nil
	}
	return append([]check{f.foots(markCross, "Debits + credits = net, on this sheet", p.rest(from), 10)}, checks...)
}

// rejected is the number of rejected records of a source, or of all.
func (f *facts) rejected(source string) any {
	var n int64
	for _, t := range f.totals {
		if source == "" || t.source == source {
			n += t.rejected
		}
	}
	foot := table.Foot{Sheet: totalsSheet, Sum: colRejected, Value: n}
	if source != "" {
		foot.Where = []table.Criterion{{Column: colSource, Value: source}}
	}
	return foot
}

// totalCells is a line of the entries, which is the at-th of its page; an empty source stands for all of them.
func totalCells(t total, source string, at int) []any {
	in := []table.Criterion{{Column: colCurrency, Value: t.currency.Code()}}
	name := "All sources"
	if source != "" {
		name = source
		in = append(in, table.Criterion{Column: colSource, Value: source})
	}
	number := func(n int64, more ...table.Criterion) any {
		return table.Foot{Sheet: ledgerSheet, Where: slices.Concat(in, more), Value: n}
	}
	status := func(n int64, s schema.Status) any {
		return number(n, table.Criterion{Column: colStatus, Value: string(s)})
	}
	sum := func(v *big.Int, more ...table.Criterion) any {
		return table.Foot{
			Sheet: ledgerSheet, Sum: colAmount, Value: figure(v, t.currency),
			Where: slices.Concat(in, []table.Criterion{{Column: colCounted, Value: "yes"}}, more),
		}
	}
	cell := func(column int) any { return table.At{Line: at, Column: column} }
	return []any{
		name, t.currency.Code(), number(t.entries), status(t.posted, schema.Posted), status(t.pending, schema.Pending), status(t.declined, schema.Declined),
		table.Calc{Plus: []any{cell(2)}, Minus: []any{cell(3), cell(4), cell(5)}, Value: t.other},
		sum(t.debits, table.Criterion{Column: colAmount, Op: "<", Value: "0"}),
		sum(t.credits, table.Criterion{Column: colAmount, Op: ">", Value: "0"}),
		sum(t.net()),
		table.Calc{Plus: []any{cell(9)}, Minus: []any{cell(7), cell(8)}, Value: figure(new(big.Int), t.currency), Check: true},
	}
}

// sumInto adds a total to that of its currency.
func sumInto(all []*total, t total) []*total {
	for _, s := range all {
		if s.currency == t.currency {
			s.entries, s.posted, s.pending, s.declined, s.other = s.entries+t.entries, s.posted+t.posted, s.pending+t.pending, s.declined+t.declined, s.other+t.other
			s.debits.Add(s.debits, t.debits)
			s.credits.Add(s.credits, t.credits)
			return all
		}
	}
	t.debits, t.credits = new(big.Int).Set(t.debits), new(big.Int).Set(t.credits)
	return append(all, &t)
}

// ageBuckets are the upper ends of the ages that findings are counted by, in days.
func (f *facts) ageBuckets() []int {
	if len(f.AgeBuckets) > 0 {
		return f.AgeBuckets
	}
	return []int{30, 60, 90, 180}
}

// ageNames are the headers of the ages: the last is open to the right.
func (f *facts) ageNames() []any {
	var names []any
	from := 0
	for _, to := range f.ageBuckets() {
		names = append(names, fmt.Sprintf("%d–%d days", from, to))
		from = to + 1
	}
	return append(names, fmt.Sprintf("> %d days", from-1))
}

// bucketOf is the age that a number of days belongs to. A moment that is still to come has no age yet.
func (f *facts) bucketOf(days int64) int {
	for i, to := range f.ageBuckets() {
		if days <= int64(to) {
			return i
		}
	}
	return len(f.ageBuckets())
}

// ageCriteria select the findings of an age.
func (f *facts) ageCriteria(bucket int) []table.Criterion {
	all := f.ageBuckets()
	var criteria []table.Criterion
	if bucket > 0 {
		criteria = append(criteria, table.Criterion{Column: colAge, Op: ">", Value: fmt.Sprint(all[bucket-1])})
	}
	if bucket < len(all) {
		criteria = append(criteria, table.Criterion{Column: colAge, Op: "<=", Value: fmt.Sprint(all[bucket])})
	}
	return criteria
}

// findingCount is how many findings of a code and severity stand in each status, and how old those are that are not settled.
type findingCount struct {
	code     schema.FindingCode
	severity schema.Severity
	n        [4]int64 // by statuses
	ages     []int64
}

func statuses() []schema.FindingStatus {
	return []schema.FindingStatus{schema.Open, schema.Acknowledged, schema.Accepted, schema.Resolved}
}

// unsettled are the statuses of findings that still need somebody.
func unsettled() []schema.FindingStatus {
	return []schema.FindingStatus{schema.Open, schema.Acknowledged}
}

// findingCounts counts findings. The three checks that matter most have a line for high severity even where nothing was
// found, since that is what they say then.
func (f *facts) findingCounts() []findingCount {
	var all []findingCount
	for i, code := range codes() {
		for _, severity := range []schema.Severity{schema.High, schema.Medium, schema.Low} {
			c := findingCount{code: code, severity: severity, ages: make([]int64, len(f.ageBuckets())+1)}
			found := false
			for _, x := range f.findings {
				if x.Code != code || x.Severity != severity {
					continue
				}
				found = true
				c.n[slices.Index(statuses(), x.Status)]++
				if slices.Contains(unsettled(), x.Status) {
					c.ages[f.bucketOf(f.age(x))]++
				}
			}
			if found || i < 3 && severity == schema.High {
				all = append(all, c)
			}
		}
	}
	return all
}

// findingTotals is the findings by check and severity, and the age of those that are open or acknowledged.
func (f *facts) findingTotals(p *sheetPage) []check {
	ages := f.ageNames()
	p.block("Findings, by check, severity and age", "The age is of findings that are open or acknowledged; the Legend says from which day it counts.")
	p.add(table.Head, slices.Concat([]any{"Check", "Severity", "Open", "Acknowledged", "Accepted", "Resolved"}, ages, []any{"Cross-foot"})...)
	from := len(p.Lines)
	last := 6 + len(ages)
	for _, c := range f.findingCounts() {
		p.add(table.Plain, f.countCells(c, len(p.Lines))...)
	}
	e := p.rest(from)
	sums := []any{"All", ""}
	for column := 2; column < last; column++ {
		var n int64
		for _, l := range p.Lines[e.from : e.to+1] {
			n += table.Value(l.Cells[column]).(int64) //nolint:forcetypeassert // counts, made above
		}
		sums = append(sums, table.Calc{Plus: []any{e.of(column)}, Value: n})
	}
	at := p.add(table.Total, sums...)
	for i, status := range statuses() {
		p.name(at, 2+i, "findings", string(status))
	}
	rows := table.Calc{Check: true, Value: int64(0)}
	for column := 2; column <= 5; column++ {
		rows.Plus = append(rows.Plus, table.At{Line: at, Column: column})
	}
	for _, s := range findingSheets() {
		rows.Minus = append(rows.Minus, table.Foot{Sheet: s.sheet, Where: []table.Criterion{{Column: colSeverity, Op: "<>"}}})
	}
	return []check{{markFoot, "Findings by status = rows of the sheets of findings", rows}, f.foots(markCross, "Open + acknowledged = all ages, on this sheet", e, last)}
}

// countCells is a line of the findings, which is the at-th of its page.
func (f *facts) countCells(c findingCount, at int) []any {
	severity := severityWord(c.severity)
	if c.n[0]+c.n[1] == 0 {
		severity.Tone = table.Quiet // nothing is open
	}
	mine := []table.Criterion{{Column: colCode, Value: string(c.code)}, {Column: colSeverity, Value: string(c.severity)}}
	foot := func(n int64, status schema.FindingStatus, more ...table.Criterion) table.Foot {
		return table.Foot{Sheet: sheetOf(c.code), Where: slices.Concat(mine, []table.Criterion{{Column: colStatus, Value: string(status)}}, more), Value: n}
	}
	cells := []any{string(c.code), severity}
	for i, status := range statuses() {
		f := foot(c.n[i], status)
		f.Bar = status == schema.Open
		cells = append(cells, f)
	}
	cross := table.Calc{Plus: []any{table.At{Line: at, Column: 2}, table.At{Line: at, Column: 3}}, Value: int64(0), Check: true}
	for bucket, n := range c.ages {
		cross.Minus = append(cross.Minus, table.At{Line: at, Column: len(cells)})
		aged := table.Calc{Value: n}
		for _, status := range unsettled() {
			aged.Plus = append(aged.Plus, foot(0, status, f.ageCriteria(bucket)...))
		}
		cells = append(cells, aged)
	}
	return append(cells, cross)
}
