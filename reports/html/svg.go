package html

import (
	"math/big"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// drawing is a chart as shapes. All sizes are pixels.
type drawing struct {
	Title         string
	Width, Height int
	Rules         []rule
	Bars          []bar
	Texts         []label
}

type rule struct {
	Class          string
	X1, Y1, X2, Y2 int
}

type bar struct {
	Class               string
	X, Y, Width, Height int
	Says                string // shown where the pointer rests
}

type label struct {
	X, Y   int
	Anchor string // start, middle, end
	Turned bool
	Text   string
}

const (
	standingWidth  = 760
	standingHeight = 300
	lyingWidth     = 560
	lineHeight     = 24  // of a lying bar
	ticks          = 4   // between the ends of the figures, at most
	colors         = 6   // that series have
	labelled       = 14  // categories that have a label at most
	labelRoom      = 210 // beside lying bars
)

// drawings draws the charts of a page.
func drawings(p table.Page) []drawing {
	var all []drawing
	for _, c := range p.Charts {
		if c.Stacked {
			all = append(all, standing(p, c))
		} else {
			all = append(all, lying(p, c))
		}
	}
	return all
}

// values are the figures of a series; what is none is zero.
func values(p table.Page, r table.Range) []decimal.Decimal {
	var all []decimal.Decimal
	for i := r.From.Line; i <= r.To.Line; i++ {
		d := decimal.Zero
		switch v := table.Value(p.Cell(table.At{Line: i, Column: r.From.Column})).(type) {
		case int64:
			d = decimal.NewFromInt(v)
		case table.Decimal:
			d = parsed(string(v))
		case money.Amount:
			d = parsed(v.String())
		}
		all = append(all, d)
	}
	return all
}

func parsed(s string) decimal.Decimal {
	d, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Zero
	}
	return d
}

// scale maps figures to pixels.
type scale struct {
	low, high, step decimal.Decimal
	pixels          int
}

// newScale is a scale from at most zero to at least zero, whose ends are ticks.
func newScale(low, high decimal.Decimal, pixels int) scale {
	s := scale{low: decimal.Min(low, decimal.Zero), high: decimal.Max(high, decimal.Zero), step: decimal.NewFromInt(1), pixels: pixels}
	span := s.high.Sub(s.low)
	// 1, 2, 5, 10, 20, …
	for _, next := range steps() {
		if span.Cmp(s.step.Mul(decimal.NewFromInt(ticks))) <= 0 {
			break
		}
		s.step = next
	}
	down := func(d decimal.Decimal) decimal.Decimal { return d.Div(s.step).Floor().Mul(s.step) }
	s.low, s.high = down(s.low), down(s.high.Neg()).Neg()
	if s.low.Equal(s.high) {
		s.high = s.low.Add(s.step)
	}
	return s
}

func steps() []decimal.Decimal {
	var all []decimal.Decimal
	for exponent := range int32(30) {
		for _, n := range []int64{1, 2, 5} {
			all = append(all, decimal.New(n, exponent))
		}
	}
	return all
}

// at is how many pixels a figure lies from the low end.
func (s scale) at(d decimal.Decimal) int {
	offset := d.Sub(s.low).Mul(decimal.NewFromInt(int64(s.pixels))).Div(s.high.Sub(s.low))
	return int(new(big.Int).Set(offset.Round(0).BigInt()).Int64())
}

// standing draws bars whose parts stand on each other: positive ones up from zero, negative ones down.
func standing(p table.Page, c table.Chart) drawing {
	const left, right, top, bottom = 70, 10, 10, 96
	d := drawing{Title: c.Title, Width: standingWidth, Height: standingHeight}
	series := make([][]decimal.Decimal, len(c.Series))
	for i, s := range c.Series {
		series[i] = values(p, s.Values)
	}
	n := c.Categories.To.Line - c.Categories.From.Line + 1
	low, high := decimal.Zero, decimal.Zero
	for i := range n {
		up, down := stack(series, i)
		low, high = decimal.Min(low, down), decimal.Max(high, up)
	}
	s := newScale(low, high, d.Height-top-bottom)
	y := func(v decimal.Decimal) int { return d.Height - bottom - s.at(v) }
	for t := s.low; t.Cmp(s.high) <= 0; t = t.Add(s.step) {
		d.Rules = append(d.Rules, rule{class(t), left, y(t), d.Width - right, y(t)})
		d.Texts = append(d.Texts, label{left - 6, y(t) + 4, "end", false, grouped(t.String())})
	}
	slot := (d.Width - left - right) * 100 / max(n, 1) // hundredths of a pixel
	for i := range n {
		x := left + (i*slot+slot/8)/100
		width := max(1, slot*3/4/100)
		name := show(p.Cell(table.At{Line: c.Categories.From.Line + i, Column: c.Categories.From.Column}), nil).Text
		up, down := decimal.Zero, decimal.Zero
		for k := range series {
			v := series[k][i]
			from := &up
			if v.Sign() < 0 {
				from = &down
			}
			to := from.Add(v)
			y1, y2 := y(decimal.Max(*from, to)), y(decimal.Min(*from, to))
			*from = to
			if v.Sign() != 0 {
				d.Bars = append(d.Bars, bar{colorClass(k), x, y1, width, max(1, y2-y1), name + ", " + seriesName(p, c.Series[k]) + ": " + amountText(v)})
			}
		}
		if i%((n+labelled-1)/labelled) == 0 {
			d.Texts = append(d.Texts, label{x + width/2 + 4, d.Height - bottom + 8, "end", true, name})
		}
	}
	d.legend(p, c, left)
	return d
}

// legend names the series below the bars.
func (d *drawing) legend(p table.Page, c table.Chart, left int) {
	x := left
	for k, s := range c.Series {
		name := seriesName(p, s)
		d.Bars = append(d.Bars, bar{colorClass(k), x, d.Height - 14, 10, 10, name})
		d.Texts = append(d.Texts, label{x + 15, d.Height - 5, "start", false, name})
		x += 40 + 7*len([]rune(name))
	}
}

// stack is how high the parts of a bar reach above and below zero.
func stack(series [][]decimal.Decimal, i int) (up, down decimal.Decimal) {
	for _, values := range series {
		if values[i].Sign() < 0 {
			down = down.Add(values[i])
		} else {
			up = up.Add(values[i])
		}
	}
	return up, down
}

// lying draws a bar for each category, with its figure.
func lying(p table.Page, c table.Chart) drawing {
	const right, top, bottom, figures = 10, 4, 24, 84
	all := values(p, c.Series[0].Values)
	d := drawing{Title: c.Title, Width: lyingWidth, Height: top + bottom + lineHeight*len(all)}
	low, high := decimal.Zero, decimal.Zero
	for _, v := range all {
		low, high = decimal.Min(low, v), decimal.Max(high, v)
	}
	s := newScale(low, high, d.Width-labelRoom-right-figures)
	x := func(v decimal.Decimal) int { return labelRoom + s.at(v) }
	for t := s.low; t.Cmp(s.high) <= 0; t = t.Add(s.step) {
		d.Rules = append(d.Rules, rule{class(t), x(t), top, x(t), d.Height - bottom})
		if t.Div(s.step).Mod(decimal.NewFromInt(2)).IsZero() { // every other: they stand side by side
			d.Texts = append(d.Texts, label{x(t), d.Height - 8, "middle", false, grouped(t.String())})
		}
	}
	for i, v := range all {
		name := show(p.Cell(table.At{Line: c.Categories.From.Line + i, Column: c.Categories.From.Column}), nil).Text
		y := top + i*lineHeight
		from, to := x(decimal.Min(v, decimal.Zero)), x(decimal.Max(v, decimal.Zero))
		d.Bars = append(d.Bars, bar{colorClass(0), from, y + 4, max(1, to-from), lineHeight - 8, name + ": " + amountText(v)})
		d.Texts = append(d.Texts, label{labelRoom - 8, y + 16, "end", false, clipped(name)}, label{d.Width - right, y + 16, "end", false, amountText(v)})
	}
	return d
}

// amountText is a figure with the digits that it was given with.
func amountText(d decimal.Decimal) string { return grouped(d.StringFixed(max(0, -d.Exponent()))) }

func class(tick decimal.Decimal) string {
	if tick.IsZero() {
		return "zero"
	}
	return "rule"
}

func colorClass(series int) string { return "c" + strconv.Itoa(series%colors) }

func seriesName(p table.Page, s table.Series) string { return show(p.Cell(s.Name), nil).Text }

// clipped is a name that fits beside its bar.
func clipped(s string) string {
	const most = 26
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
