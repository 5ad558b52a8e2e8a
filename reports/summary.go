package reports

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// summary is the figures of the report on one page, each computed again from the rows of the other sheets.
func (f *facts) summary() table.Page {
	p := table.Page{Name: "Summary", Widths: []int{20, 16, 13, 15, 13, 13, 17, 17, 17, 17}}
	add := func(role table.Role, cells ...any) { p.Lines = append(p.Lines, table.Line{Role: role, Cells: cells}) }
	note := func(text string) {
		p.Lines = append(p.Lines, table.Line{Role: table.Note, Cells: []any{text}, Span: true})
	}

	p.Lines = append(p.Lines, table.Line{Role: table.Title, Cells: []any{"Summary"}, Span: true})
	note("In the workbook these figures are formulas over the detail sheets; tieout computed them as well, and both must agree with Control totals. " +
		"Debits and credits sum the entries that count: pending and posted.")
	add(table.Plain)
	add(table.Heading, "Entries of the period, by source and currency")
	add(table.Head, "Source", "Currency", "Entries", "Posted", "Pending", "Declined", "Debits", "Credits", "Net", "Rejected records")
	rejected := map[string]int64{}
	var allRejected int64
	for _, t := range f.totals {
		rejected[t.source] += t.rejected
		allRejected += t.rejected
	}
	var all []total
	for _, t := range f.totals {
		if t.currency.Code() == "" {
			continue
		}
		add(table.Plain, append(totalCells(t, t.source), rejected[t.source])...)
		rejected[t.source] = 0 // once for each source
		all = sumInto(all, t)
	}
	for source, n := range f.rejectsAlone() {
		add(table.Plain, source, "", int64(0), int64(0), int64(0), int64(0), nil, nil, nil, n)
	}
	slices.SortFunc(all, func(a, b total) int { return cmp.Compare(a.currency.Code(), b.currency.Code()) })
	for i, t := range all {
		var n any
		if i == 0 {
			n = allRejected
		}
		add(table.Total, append(totalCells(t, ""), n)...)
	}

	add(table.Plain)
	add(table.Heading, "Provider's figures against the ledger, by source")
	note("A card's figure is the provider's statement at its latest observation in the period; Roll-forward lists each. Sums leave out what was not checkable.")
	add(table.Head, "Source", "Figure", "Currency", "Cards", "Agreed", "Differ", "Not checkable", "Ledger", "Provider", "Difference")
	for _, d := range f.driftTotals() {
		add(table.Plain, d.cells()...)
	}

	add(table.Plain)
	add(table.Heading, "Findings, by check and severity")
	add(table.Head, "Check", "Severity", "Open", "Acknowledged", "Accepted", "Resolved")
	var sums [4]int64
	for _, c := range f.findingCounts() {
		severity := severityWord(c.severity)
		if c.n[0]+c.n[1] == 0 {
			severity.Tone = table.Quiet // nothing is open
		}
		cells := []any{string(c.code), severity}
		for i, status := range statuses() {
			cells = append(cells, table.Foot{
				Sheet: sheetOf(c.code), Value: c.n[i], Bar: status == schema.Open,
				Where: []table.Criterion{{Column: colCode, Value: string(c.code)}, {Column: colSeverity, Value: string(c.severity)}, {Column: colStatus, Value: string(status)}},
			})
			sums[i] += c.n[i]
		}
		add(table.Plain, cells...)
	}
	add(table.Total, "All", "", sums[0], sums[1], sums[2], sums[3])
	return p
}

// rejectsAlone yields the sources of which no entry occurred in the period, with their rejects, in order.
func (f *facts) rejectsAlone() func(yield func(string, int64) bool) {
	return func(yield func(string, int64) bool) {
		for i, t := range f.totals {
			if t.currency.Code() == "" && (i == 0 || f.totals[i-1].source != t.source) && !yield(t.source, t.rejected) {
				return
			}
		}
	}
}

// totalCells is a line of the first block; an empty source stands for all of them.
func totalCells(t total, source string) []any {
	in := []table.Criterion{{Column: colCurrency, Value: t.currency.Code()}}
	name := "All sources"
	if source != "" {
		name = source
		in = append(in, table.Criterion{Column: colSource, Value: source})
	}
	count := func(n int64, more ...table.Criterion) table.Foot {
		return table.Foot{Sheet: ledgerSheet, Where: slices.Concat(in, more), Value: n}
	}
	sum := func(v *big.Int, more ...table.Criterion) table.Foot {
		return table.Foot{
			Sheet: ledgerSheet, Sum: colAmount, Value: figure(v, t.currency),
			Where: slices.Concat(in, []table.Criterion{{Column: colCounted, Value: "yes"}}, more),
		}
	}
	status := func(s schema.Status) table.Criterion { return table.Criterion{Column: colStatus, Value: string(s)} }
	return []any{
		name, t.currency.Code(), count(t.entries),
		count(t.posted, status(schema.Posted)), count(t.pending, status(schema.Pending)), count(t.declined, status(schema.Declined)),
		sum(t.debits, table.Criterion{Column: colAmount, Op: "<", Value: "0"}),
		sum(t.credits, table.Criterion{Column: colAmount, Op: ">", Value: "0"}),
		sum(t.net()),
	}
}

// sumInto adds a total to that of its currency.
func sumInto(all []total, t total) []total {
	for i := range all {
		if s := &all[i]; s.currency == t.currency {
			s.entries, s.posted, s.pending, s.declined = s.entries+t.entries, s.posted+t.posted, s.pending+t.pending, s.declined+t.declined
			s.debits.Add(s.debits, t.debits)
			s.credits.Add(s.credits, t.credits)
			return all
		}
	}
	t.debits, t.credits = new(big.Int).Set(t.debits), new(big.Int).Set(t.credits)
	return append(all, t)
}

// driftTotal is what came of one figure of one source, in one currency.
type driftTotal struct {
	source, figure   string
	currency         money.Currency
	verdicts         map[schema.JudgementVerdict]int64
	ledger, provider *big.Int
}

// driftTotals sums the judgements of balance-drift, by source, figure and currency; what was not checkable may have none.
func (f *facts) driftTotals() []*driftTotal {
	var all []*driftTotal
	for _, j := range f.Judgements {
		if j.Code != schema.BalanceDrift {
			continue
		}
		c := cmp.Or(j.Actual.Currency(), j.Expected.Currency())
		i := slices.IndexFunc(all, func(d *driftTotal) bool { return d.source == j.Source && d.figure == j.Figure && d.currency == c })
		if i < 0 {
			i = len(all)
			all = append(all, &driftTotal{j.Source, j.Figure, c, map[schema.JudgementVerdict]int64{}, new(big.Int), new(big.Int)})
		}
		d := all[i]
		d.verdicts[j.Verdict]++
		if j.Verdict != schema.NotCheckable {
			d.ledger.Add(d.ledger, big.NewInt(j.Expected.Minor()))
			d.provider.Add(d.provider, big.NewInt(j.Actual.Minor()))
		}
	}
	slices.SortFunc(all, func(a, b *driftTotal) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.figure, b.figure), cmp.Compare(a.currency.Code(), b.currency.Code()))
	})
	return all
}

func (d *driftTotal) cells() []any {
	in := []table.Criterion{{Column: colSource, Value: d.source}, {Column: colFigure, Value: d.figure}, {Column: colCurrency, Value: d.currency.Code()}}
	count := func(v schema.JudgementVerdict) table.Foot {
		return table.Foot{Sheet: rollForwardSheet, Value: d.verdicts[v], Where: append(slices.Clone(in), table.Criterion{Column: colVerdict, Value: string(v)})}
	}
	sum := func(column string, v *big.Int) any {
		if d.currency.Code() == "" || d.verdicts[schema.Agreed]+d.verdicts[schema.Differs] == 0 {
			return nil // zeros would look like agreement
		}
		return table.Foot{
			Sheet: rollForwardSheet, Sum: column, Value: figure(v, d.currency),
			Where: append(slices.Clone(in), table.Criterion{Column: colVerdict, Op: "<>", Value: string(schema.NotCheckable)}),
		}
	}
	var cards int64
	for _, n := range d.verdicts {
		cards += n
	}
	return []any{
		d.source, d.figure, d.currency.Code(),
		table.Foot{Sheet: rollForwardSheet, Where: in, Value: cards},
		count(schema.Agreed), count(schema.Differs), count(schema.NotCheckable),
		sum(colLedger, d.ledger), sum(colProvider, d.provider), sum(colDifference, new(big.Int).Sub(d.provider, d.ledger)),
	}
}

// findingCount is how many findings of a code and severity stand in each status.
type findingCount struct {
	code     schema.FindingCode
	severity schema.Severity
	n        [4]int64 // by statuses
}

func statuses() []schema.FindingStatus {
	return []schema.FindingStatus{schema.Open, schema.Acknowledged, schema.Accepted, schema.Resolved}
}

// findingCounts counts findings. The three checks that matter most have a line for high severity even where nothing was
// found, since that is what they say then.
func (f *facts) findingCounts() []findingCount {
	var all []findingCount
	for i, code := range codes() {
		for _, severity := range []schema.Severity{schema.High, schema.Medium, schema.Low} {
			c := findingCount{code: code, severity: severity}
			found := false
			for _, x := range f.findings {
				if x.Code == code && x.Severity == severity {
					c.n[slices.Index(statuses(), x.Status)]++
					found = true
				}
			}
			if found || i < 3 && severity == schema.High {
				all = append(all, c)
			}
		}
	}
	return all
}
