package sandbox

import (
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
)

// The explanations of a drift, in the order in which they are tried (NORMALIZATION 3).
const (
	inFlight     = "in flight"
	dayBoundary  = "day boundary"
	factor100    = "a factor of 100"
	wrongSign    = "a sign"
	oneEntry     = "one entry"
	declined     = "declines counted"
	twoEntries   = "two entries"
	openingFunds = "opening funding"
	unexplained  = "nothing"
)

// figureName is the reason of a drift.
func figureName(p schema.Provider) string {
	return map[schema.Provider]string{
		schema.Bill: "period-spend", schema.Slash: "utilization", schema.Whop: "trailing-spend", schema.Bitnob: "balance",
	}[p]
}

// drifts compares every figure of a source with the ledger's sum now.
func (w *World) drifts(b *book) (found []Answer) {
	agreed := [2]int{} // cards that agree on one basis only
	var differing []*card
	unit, ok := w.balanceUnit(b)
	for _, c := range b.cards {
		if _, checkable := w.figureWindow(c); !checkable || !ok(w.figure(c)) {
			continue
		}
		posted, both := w.ledgerSum(c, onPosted), w.ledgerSum(c, onBoth)
		switch actual := unit(w.figure(c)); {
		case posted == both && actual == both: // says nothing about the basis
		case actual == posted:
			agreed[onPosted]++
		case actual == both:
			agreed[onBoth]++
		default:
			differing = append(differing, c)
		}
	}
	usual := onBoth
	if agreed[onPosted] > agreed[onBoth] || b.provider == schema.Bitnob {
		usual = onPosted
	}
	for _, c := range differing {
		expected, actual := w.ledgerSum(c, usual), unit(w.figure(c))
		why := w.explain(c, usual, expected, actual)
		a := c.answer(schema.BalanceDrift, figureName(b.provider), schema.High).of(expected, actual)
		a.Unexplained = a.Difference
		switch why {
		case inFlight, dayBoundary, openingFunds:
			a.Severity, a.Unexplained = schema.Low, dollars(0)
		case oneEntry, declined, twoEntries:
			a.Severity, a.Unexplained = schema.Medium, dollars(0)
		}
		a.Note += fmt.Sprintf(" What explains the difference: %s.", why)
		from, _ := w.figureWindow(c)
		if b.provider == schema.Bitnob {
			from = 0
		}
		found = append(found, a.in(from, w.now))
	}
	if agreed[onPosted] > 0 && agreed[onBoth] > 0 {
		mixed := Answer{
			Code: schema.BalanceDrift, Reason: "mixed-basis", Severity: schema.Low, Source: b.source, Provider: b.provider,
			Note: fmt.Sprintf("%d cards agree only without their pending rows, %d only with them.", agreed[onPosted], agreed[onBoth]),
		}
		found = append(found, mixed.in(w.now, w.now))
	}
	return found
}

// balanceUnit says how the figures of a source are read: as given, or for Bitnob in the unit that fits strictly more of the
// cards that are not zero, else in cents. The second function says whether the figure can be read at all.
func (w *World) balanceUnit(b *book) (unit func(figure int64) int64, readable func(figure int64) bool) {
	given := func(figure int64) int64 { return figure }
	always := func(int64) bool { return true }
	if b.provider != schema.Bitnob {
		return given, always
	}
	minor, major := 0, 0
	for _, c := range b.cards {
		figure := w.figure(c)
		if figure == 0 {
			continue
		}
		if asMinor, ok := b.balanceAsCents(figure); ok && asMinor == c.balance() {
			minor++
		}
		if b.balanceAsDollars(figure) == c.balance() {
			major++
		}
	}
	if major > minor {
		return b.balanceAsDollars, always
	}
	return func(figure int64) int64 { n, _ := b.balanceAsCents(figure); return n },
		func(figure int64) bool { _, ok := b.balanceAsCents(figure); return ok }
}

// balanceAsCents reads the served number as cents, balanceAsDollars as dollars, both into cents. A number of dollars with
// cents behind the point is no number of cents.
func (b *book) balanceAsCents(figure int64) (int64, bool) {
	if b.major {
		return figure / 100, figure%100 == 0
	}
	return figure, true
}

func (b *book) balanceAsDollars(figure int64) int64 {
	if b.major {
		return figure
	}
	return figure * 100
}

// part is what a row gives to the figure, and whether the ledger's sum has it.
func (w *World) part(c *card, r *row, b basis) (amount int64, in bool) {
	if c.book.provider == schema.Bitnob {
		return r.amount, r.status == schema.Posted
	}
	from, _ := w.figureWindow(c)
	t, ok := r.counts(b)
	return -r.amount, ok && t >= from && t <= w.now
}

// explain finds the first explanation that covers the whole difference.
func (w *World) explain(c *card, b basis, expected, actual int64) string {
	d := actual - expected
	switch {
	case w.isInFlight(c, b, d):
		return inFlight
	case w.isDayBoundary(c, b, d):
		return dayBoundary
	case actual == 100*expected || expected == 100*actual:
		return factor100
	case actual == -expected:
		return wrongSign
	case w.isOneEntry(c, b, d):
		return oneEntry
	case w.isDeclines(c, d):
		return declined
	case w.isTwoEntries(c, b, d):
		return twoEntries
	case c.book.provider == schema.Bitnob && d > 0:
		return openingFunds
	}
	return unexplained
}

func (w *World) isInFlight(c *card, b basis, d int64) bool {
	var left, added int64 // what the provider may not have yet, and what it may have already
	for _, r := range c.rows {
		if w.now-r.occurred > 15*minute && (r.posted == 0 || w.now-r.posted > 15*minute) {
			continue
		}
		if amount, in := w.part(c, r, b); in {
			left -= amount
		} else {
			added += amount
		}
	}
	return d == left || d == added || d == left+added
}

// isDayBoundary compares with the same window begun at the same date in UTC.
func (w *World) isDayBoundary(c *card, b basis, d int64) bool {
	from, utc, ok := w.edges(c)
	return ok && d == c.spend(utc, w.now, b)-c.spend(from, w.now, b)
}

// edges are the beginning of the figure's window in its zone, and that of the same date in UTC.
func (w *World) edges(c *card) (from, utc instant, ok bool) {
	var zone *time.Location
	switch c.book.provider {
	case schema.Bill:
		if c.budget == nil {
			return 0, 0, false
		}
		zone = c.budget.location()
	case schema.Slash:
		limits := c.utilization()
		if len(limits) != 1 || limits[0].window == schema.Lifetime {
			return 0, 0, false
		}
		zone = limits[0].location()
	default:
		return 0, 0, false
	}
	from, ok = w.figureWindow(c)
	y, m, day := from.in(zone).Date()
	return from, instantOf(time.Date(y, m, day, 0, 0, 0, 0, time.UTC)), ok
}

func (w *World) isOneEntry(c *card, b basis, d int64) bool {
	for _, r := range c.rows {
		if amount, in := w.part(c, r, b); in && d == -amount || !in && d == amount {
			return true
		}
	}
	return false
}

func (w *World) isDeclines(c *card, d int64) bool {
	from, ok := w.figureWindow(c)
	var sum int64
	for _, r := range c.rows {
		if r.status == schema.Declined && r.occurred >= from {
			sum -= r.amount
		}
	}
	return ok && c.book.provider != schema.Bitnob && sum != 0 && d == sum
}

func (w *World) isTwoEntries(c *card, b basis, d int64) bool {
	seen := map[int64]bool{}
	for _, r := range c.rows {
		amount, in := w.part(c, r, b)
		if in {
			amount = -amount
		}
		if seen[d-amount] {
			return true
		}
		seen[amount] = true
	}
	return false
}

// resembles says whether any one or any two rows of the card, with any signs and whatever became of them, make up an amount.
func (c *card) resembles(d int64) bool {
	seen := map[int64]bool{0: true}
	for _, r := range c.rows {
		for _, a := range [2]int64{r.amount, -r.amount} {
			if seen[d-a] || seen[-d-a] {
				return true
			}
		}
		seen[r.amount], seen[-r.amount] = true, true
	}
	return false
}
