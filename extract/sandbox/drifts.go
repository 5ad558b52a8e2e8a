package sandbox

import (
	"cmp"
	"fmt"
	"slices"
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
		found = append(found, w.drift(c, usual, w.ledgerSum(c, usual), unit(w.figure(c))))
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

// drift is the finding that a figure is not the ledger's sum on a basis.
func (w *World) drift(c *card, b basis, expected, actual int64) Answer {
	why, rest := w.explain(c, b, expected, actual)
	a := c.answer(schema.BalanceDrift, figureName(c.book.provider), schema.High).of(expected, actual)
	a.Unexplained = dollars(rest)
	switch why {
	case inFlight, dayBoundary, openingFunds:
		a.Severity, a.Unexplained = schema.Low, dollars(0)
	case oneEntry, declined, twoEntries:
		a.Severity, a.Unexplained = schema.Medium, dollars(0)
	}
	a.Note += fmt.Sprintf(" What explains the difference: %s.", why)
	from, _ := w.figureWindow(c)
	if c.book.provider == schema.Bitnob {
		from = 0
	}
	return a.in(from, w.now)
}

// balanceUnit says how the figures of a source are read: as given, or for Bitnob in the unit that is found out. The second
// function says whether the figure can be read at all.
func (w *World) balanceUnit(b *book) (unit func(figure int64) int64, readable func(figure int64) bool) {
	given := func(figure int64) int64 { return figure }
	always := func(int64) bool { return true }
	switch {
	case b.provider != schema.Bitnob:
		return given, always
	case w.readsDollars(b):
		return b.balanceAsDollars, always
	}
	return func(figure int64) int64 { n, _ := b.balanceAsCents(figure); return n },
		func(figure int64) bool { _, ok := b.balanceAsCents(figure); return ok }
}

// readsDollars says whether the balances of a source must be dollars: where one that was ever seen is no number of cents, or
// where dollars fit strictly more of the cards that are not zero.
func (w *World) readsDollars(b *book) bool {
	cents, dollars := 0, 0
	for _, c := range b.cards {
		for _, s := range w.sightings(c) {
			if _, ok := b.balanceAsCents(s.figure); !ok {
				return true
			}
		}
		figure := w.figure(c)
		if figure == 0 {
			continue
		}
		if asCents, _ := b.balanceAsCents(figure); asCents == c.balance() {
			cents++
		}
		if b.balanceAsDollars(figure) == c.balance() {
			dollars++
		}
	}
	return dollars > cents
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

// explain finds the first explanation that covers the whole difference, and what of the difference is not opening funding.
func (w *World) explain(c *card, b basis, expected, actual int64) (why string, rest int64) {
	if why := w.atOnce(c, b, expected, actual); why != "" {
		return why, actual - expected
	}
	opening := w.opening(c, expected, actual)
	switch rest = actual - expected - opening; {
	case opening == 0:
	case rest == 0:
		return openingFunds, 0
	default:
		if why := w.atOnce(c, b, expected+opening, actual); why != "" {
			return why, rest
		}
	}
	switch {
	case actual == -expected-opening:
		return wrongSign, rest
	case w.isOneEntry(c, b, rest):
		return oneEntry, rest
	case w.isDeclines(c, rest):
		return declined, rest
	case w.isTwoEntries(c, b, rest):
		return twoEntries, rest
	}
	return unexplained, rest
}

// atOnce tries what comes first, and before any opening funding: empty where it explains nothing.
func (w *World) atOnce(c *card, b basis, expected, actual int64) string {
	switch {
	case w.isInFlight(c, b, actual-expected):
		return inFlight
	case w.isDayBoundary(c, b, actual-expected):
		return dayBoundary
	case actual == 100*expected || expected == 100*actual:
		return factor100
	}
	return ""
}

// opening is what a prepaid card was opened with and no row says: by how much the first balance that a reader saw exceeds
// the rows, unless the moment or the unit explains it. Expected and actual are those of now.
func (w *World) opening(c *card, expected, actual int64) int64 {
	if len(c.seen) > 0 && c.seen[0].at < w.now {
		return c.seen[0].opening[w.readsDollars(c.book)]
	}
	if c.book.provider == schema.Bitnob && actual > expected && w.atOnce(c, onPosted, expected, actual) == "" {
		return actual - expected
	}
	return 0
}

// isInFlight says whether the provider sees the rows of the last minutes otherwise than the ledger: one of them, those of
// one kind up to some moment, or all.
func (w *World) isInFlight(c *card, b basis, d int64) bool {
	type flight struct {
		since  instant
		amount int64
	}
	var left, added []flight // what the provider may not have yet, and what it may have already
	for _, r := range c.rows {
		since := w.now - max(r.occurred, r.posted)
		if since > 15*minute || !r.status.Counted() {
			continue
		}
		if amount, in := w.part(c, r, b); in {
			left = append(left, flight{since, -amount})
		} else {
			added = append(added, flight{since, amount})
		}
	}
	var total int64
	for _, side := range [2][]flight{left, added} {
		slices.SortStableFunc(side, func(x, y flight) int { return cmp.Compare(x.since, y.since) })
		var sum int64
		for _, f := range side {
			sum, total = sum+f.amount, total+f.amount
			if d == f.amount || d == sum {
				return true
			}
		}
	}
	return len(left)+len(added) > 0 && d == total
}

// isDayBoundary compares with the same window begun at the same date in UTC.
func (w *World) isDayBoundary(c *card, b basis, d int64) bool {
	from, utc, ok := w.edges(c)
	return ok && d != 0 && d == c.spend(utc, w.now, b)-c.spend(from, w.now, b)
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
	if c.book.provider == schema.Bitnob {
		from, ok = 0, true
	}
	sum := c.tried(schema.Declined, from) + c.tried(schema.Failed, from)
	if c.book.provider == schema.Bitnob {
		sum = -sum // a balance falls by what is spent
	}
	return ok && sum != 0 && d == sum
}

func (w *World) isTwoEntries(c *card, b basis, d int64) bool {
	seen := map[bool]map[int64]bool{true: {}, false: {}} // both are left out, or both are left in
	for _, r := range c.rows {
		amount, in := w.part(c, r, b)
		if in {
			amount = -amount
		}
		if seen[in][d-amount] {
			return true
		}
		seen[in][amount] = true
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
