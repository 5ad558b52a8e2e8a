package reports

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// SampleMethod is how entries are drawn.
type SampleMethod string

// The methods.
const (
	RandomSample  SampleMethod = "random"  // each entry as likely as any other
	AmountSample  SampleMethod = "amount"  // each minor unit as likely as any other (monetary-unit sampling)
	LargestSample SampleMethod = "largest" // the largest absolute amounts
)

const (
	sampleSheet     = "Sample"
	defaultSample   = 25
	mostSample      = 10_000
	longestSeed     = 200
	methodsOfSample = "random, amount or largest, with the number of entries behind a colon: largest:40"
)

// Sample says which entries of the period an auditor wants to test. The zero Sample is none.
type Sample struct {
	Method SampleMethod
	N      int    // of each currency
	Seed   string // empty: one that follows from the period and the as-of run
}

// ParseSample reads METHOD or METHOD:N; without a number it is 25.
func ParseSample(text, seed string) (Sample, error) {
	method, number, hasNumber := strings.Cut(text, ":")
	s := Sample{Method: SampleMethod(method), N: defaultSample, Seed: seed}
	if !slices.Contains([]SampleMethod{RandomSample, AmountSample, LargestSample}, s.Method) {
		return s, fmt.Errorf("sample %q: %s", text, methodsOfSample)
	}
	if hasNumber {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > mostSample {
			return s, fmt.Errorf("sample %q: the number is from 1 to %d", text, mostSample)
		}
		s.N = n
	}
	if len(seed) > longestSeed || strings.TrimSpace(seed) != seed {
		return s, fmt.Errorf("sample seed: at most %d bytes, without spaces at its ends", longestSeed)
	}
	return s, nil
}

// drawn is what was drawn of one currency.
type drawn struct {
	currency        money.Currency
	count           int64    // entries of the population
	value           *big.Int // their absolute amounts, minor units
	interval, start *big.Int // of monetary-unit sampling
	items           []sampled
}

// sampled is an entry that was drawn.
type sampled struct {
	schema.Entry
	row      int      // on the sheet Ledger
	rank     string   // of random sampling
	from, to *big.Int // of monetary-unit sampling: the absolute amounts before it, and with it
	hits     int64
}

func (s sampled) size() *big.Int { return new(big.Int).Abs(big.NewInt(s.Amount.Minor())) }

// sampleSeed is the seed that was asked for, or one that follows from what the report is of: made again it draws the same.
func (f *facts) sampleSeed() string {
	if f.Sample.Seed != "" {
		return f.Sample.Seed
	}
	sum := sha256.Sum256([]byte(f.Period.From.UTC().Format(time.RFC3339Nano) + " " + f.Period.To.UTC().Format(time.RFC3339Nano) + " " + strconv.FormatInt(f.AsOf.ID, 10)))
	return hex.EncodeToString(sum[:8])
}

// drawSample draws entries that sums count, of each currency by itself: amounts of two currencies have no common measure.
func (f *facts) drawSample(ctx context.Context) error {
	if f.Sample.Method == "" {
		return nil
	}
	for _, t := range f.totals {
		if t.isRejects() || t.counted() == 0 {
			continue
		}
		d := f.drawnOf(t.currency)
		d.count += t.counted()
		d.value.Add(d.value, new(big.Int).Sub(t.credits, t.debits))
	}
	slices.SortFunc(f.drawn, func(a, b *drawn) int { return cmp.Compare(a.currency.Code(), b.currency.Code()) })
	seed := f.sampleSeed()
	for _, d := range f.drawn {
		d.place(seed, f.Sample.N)
	}
	row, passed := 0, map[money.Currency]*big.Int{}
	for e, err := range f.entries(ctx, f.Period.Window, f.occurred) {
		if err != nil {
			return fmt.Errorf("draw the sample: %w", err)
		}
		row++
		if !e.Status.Counted() {
			continue
		}
		d := f.drawnOf(e.Amount.Currency())
		if passed[d.currency] == nil {
			passed[d.currency] = new(big.Int)
		}
		s := sampled{Entry: e, row: row, from: new(big.Int).Set(passed[d.currency])}
		passed[d.currency].Add(passed[d.currency], s.size())
		s.to = new(big.Int).Set(passed[d.currency])
		d.offer(f.Sample, seed, s)
	}
	for _, d := range f.drawn {
		d.finish(f.Sample)
	}
	return nil
}

func (f *facts) drawnOf(c money.Currency) *drawn {
	for _, d := range f.drawn {
		if d.currency == c {
			return d
		}
	}
	d := &drawn{currency: c, value: new(big.Int)}
	f.drawn = append(f.drawn, d)
	return d
}

// place lays N points over the population: one in each interval, all at the same distance from its beginning, which the seed
// decides.
func (d *drawn) place(seed string, n int) {
	d.interval = new(big.Int).Quo(d.value, big.NewInt(int64(n)))
	if d.interval.Sign() == 0 {
		d.interval.SetInt64(1)
	}
	sum := sha256.Sum256([]byte(seed + ":" + d.currency.Code()))
	d.start = new(big.Int).Mod(new(big.Int).SetUint64(binary.BigEndian.Uint64(sum[:8])), d.interval)
	d.start.Add(d.start, big.NewInt(1))
}

// offer keeps an entry that is drawn, or may be.
func (d *drawn) offer(how Sample, seed string, s sampled) {
	switch how.Method {
	case AmountSample:
		if s.hits = d.hits(s, how.N); s.hits == 0 {
			return
		}
	case RandomSample:
		sum := sha256.Sum256([]byte(seed + ":" + s.ID()))
		s.rank = hex.EncodeToString(sum[:])
	}
	d.items = append(d.items, s)
	if len(d.items) >= 2*how.N+1000 {
		d.trim(how)
	}
}

// hits is how many points lie on an entry: start + k·interval, for k from 0 to N−1.
func (d *drawn) hits(s sampled, n int) int64 {
	// The number of points at or below x.
	below := func(x *big.Int) int64 {
		if x.Cmp(d.start) < 0 {
			return 0
		}
		k := new(big.Int).Quo(new(big.Int).Sub(x, d.start), d.interval)
		if !k.IsInt64() || k.Int64() >= int64(n) {
			return int64(n)
		}
		return k.Int64() + 1
	}
	return below(s.to) - below(s.from)
}

// trim keeps the N entries that are drawn of those offered so far.
func (d *drawn) trim(how Sample) {
	switch how.Method {
	case RandomSample:
		slices.SortFunc(d.items, func(a, b sampled) int { return cmp.Compare(a.rank, b.rank) })
	case LargestSample:
		slices.SortFunc(d.items, func(a, b sampled) int { return cmp.Or(b.size().Cmp(a.size()), cmp.Compare(a.row, b.row)) })
	case AmountSample:
		return // every item was hit
	}
	d.items = d.items[:min(len(d.items), how.N)]
}

// finish puts the entries in the order in which they are tested: that of the sheet Ledger, or the largest first.
func (d *drawn) finish(how Sample) {
	d.trim(how)
	if how.Method != LargestSample {
		slices.SortFunc(d.items, func(a, b sampled) int { return cmp.Compare(a.row, b.row) })
	}
}

// howDrawn says in words how anyone draws the same entries again.
func (f *facts) howDrawn() string {
	switch f.Sample.Method {
	case RandomSample:
		return fmt.Sprintf("Of the counted entries (pending and posted) on the sheet Ledger, those with the smallest SHA-256 of SEED:ENTRY ID are drawn, %d of each currency. "+
			"The rank is that hash; any tool computes it.", f.Sample.N)
	case AmountSample:
		return fmt.Sprintf("Monetary-unit sampling: the absolute amounts of the counted entries (pending and posted) of one currency are laid end to end in the order of the sheet Ledger. "+
			"The interval is their sum divided by %d, rounded down to a minor unit; the random start follows from the seed (first 8 bytes of the SHA-256 of SEED:CURRENCY, modulo the interval, plus one). "+
			"An entry is drawn when the start, or the start plus a multiple of the interval, lies after the amounts before it and not after those with it. An entry as large as the interval is always drawn, and may be hit more than once.", f.Sample.N)
	}
	return fmt.Sprintf("The %d counted entries (pending and posted) of each currency with the largest absolute amounts; of equal ones the earlier.", f.Sample.N)
}

// sample is the sheet on which an auditor tests entries.
func (f *facts) sample() table.Page {
	p := &sheetPage{table.Page{Name: sampleSheet, Widths: []int{9, 30, 11, 13, 8, 11, 10, 14, 9, 26, 17, 17, 6, 20, 14, 11, 30}}}
	p.span(table.Title, sampleSheet)
	p.span(table.Note, f.howDrawn())
	p.add(table.Plain)
	p.span(table.Plain, "Method", string(f.Sample.Method)+":"+strconv.Itoa(f.Sample.N))
	p.span(table.Plain, "Seed", f.sampleSeed())
	p.block("Population", "The counted entries of the period, by currency, as formulas over the sheet Ledger. Value is the sum of absolute amounts.")
	p.add(table.Head, "Currency", nil, "Entries", "Value", nil, "Drawn", nil, "Value drawn", nil, "Part of value", "Interval", "Random start")
	var lines []int
	for _, d := range f.drawn {
		lines = append(lines, p.add(table.Plain, d.population(f.Sample)...))
	}
	p.block("Entries to test", "The columns on the right are yours to fill: what each entry was agreed to, the amount found there, and whether it is an exception.")
	p.add(table.Head, "No.", "Entry id", "Day", "Source", "Last 4", "Kind", "Status", "Amount", "Currency", "Merchant", f.sampleHead(0), f.sampleHead(1), f.sampleHead(2),
		"Agreed to", "Amount found", "Exception", "Note")
	for i, d := range f.drawn {
		from := len(p.Lines)
		for n, s := range d.items {
			p.add(table.Plain, f.sampleCells(n+1, d, s)...)
		}
		p.Lines[lines[i]].Cells[7] = table.Calc{Plus: []any{p.rest(from).beyond(7)}, Value: figure(d.drawnValue(), d.currency)}
	}
	return p.Page
}

func (f *facts) sampleHead(i int) any {
	switch f.Sample.Method {
	case AmountSample:
		return []any{"Amounts before", "Amounts with it", "Hits"}[i]
	case RandomSample:
		return []any{"Rank (first digits)", nil, nil}[i]
	}
	return nil
}

func (d *drawn) drawnValue() *big.Int {
	sum := new(big.Int)
	for _, s := range d.items {
		sum.Add(sum, s.size())
	}
	return sum
}

// population is the line of a currency.
func (d *drawn) population(how Sample) []any {
	mine := []table.Criterion{{Column: colCounted, Value: "yes"}, {Column: colCurrency, Value: d.currency.Code()}}
	sum := func(op string) any {
		return table.Foot{Sheet: ledgerSheet, Sum: colAmount, Where: append(slices.Clone(mine), table.Criterion{Column: colAmount, Op: op, Value: "0"})}
	}
	cells := []any{
		d.currency.Code(), nil,
		table.Foot{Sheet: ledgerSheet, Where: mine, Value: d.count},
		table.Calc{Plus: []any{sum(">")}, Minus: []any{sum("<")}, Value: figure(d.value, d.currency)},
		nil, int64(len(d.items)), nil, nil, nil, percent(d.drawnValue(), d.value),
	}
	if how.Method == AmountSample {
		cells = append(cells, figure(d.interval, d.currency), figure(d.start, d.currency))
	}
	return cells
}

// percent is a part of a whole in words, with one digit.
func percent(part, whole *big.Int) string {
	if whole.Sign() == 0 {
		return ""
	}
	thousandths := new(big.Int).Quo(new(big.Int).Mul(part, big.NewInt(1000)), whole).Int64()
	return fmt.Sprintf("%d.%d %%", thousandths/10, thousandths%10)
}

func (f *facts) sampleCells(n int, d *drawn, s sampled) []any {
	cells := []any{
		int64(n), table.Link{Sheet: ledgerSheet, Row: s.row, Text: s.ID()}, f.dayOf(s.OccurredAt), s.Source, s.CardLast4, string(s.Kind), string(s.Status), s.Amount, d.currency.Code(), s.Merchant,
	}
	switch f.Sample.Method {
	case AmountSample:
		cells = append(cells, figure(s.from, d.currency), figure(s.to, d.currency), s.hits)
	case RandomSample:
		cells = append(cells, s.rank[:12], nil, nil)
	default:
		cells = append(cells, nil, nil, nil)
	}
	return append(cells, table.ToFill{}, table.ToFill{}, table.ToFill{}, table.ToFill{})
}

// drawnItem is an entry that was drawn, with its currency's population.
type drawnItem struct {
	sampled
	of *drawn
	no int64
}

// sampleCSV is the entries that were drawn, for machines.
func (f *facts) sampleCSV() table.Table {
	var items []drawnItem
	for _, d := range f.drawn {
		for i, s := range d.items {
			items = append(items, drawnItem{s, d, int64(i + 1)})
		}
	}
	position := func(of func(drawnItem) *big.Int) func(drawnItem) any {
		return func(i drawnItem) any {
			if f.Sample.Method != AmountSample {
				return nil
			}
			return figure(of(i), i.of.currency)
		}
	}
	return list("sample", items, []column[drawnItem]{
		text("method", 0, func(drawnItem) string { return string(f.Sample.Method) }),
		text("seed", 0, func(drawnItem) string { return f.sampleSeed() }),
		text("currency", 0, func(i drawnItem) string { return i.of.currency.Code() }),
		number("no", func(i drawnItem) int64 { return i.no }),
		text("entry_id", 0, func(i drawnItem) string { return i.ID() }),
		instant("occurred_at", func(i drawnItem) any { return i.OccurredAt }),
		amount("amount", func(i drawnItem) any { return i.Amount }),
		text("rank", 0, func(i drawnItem) string { return i.rank }),
		amount("amounts_before", position(func(i drawnItem) *big.Int { return i.from })),
		amount("amounts_with", position(func(i drawnItem) *big.Int { return i.to })),
		number("hits", func(i drawnItem) int64 { return i.hits }),
		number("population_entries", func(i drawnItem) int64 { return i.of.count }),
		amount("population_value", func(i drawnItem) any { return figure(i.of.value, i.of.currency) }),
		amount("interval", position(func(i drawnItem) *big.Int { return i.of.interval })),
		amount("random_start", position(func(i drawnItem) *big.Int { return i.of.start })),
	})
}
