package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// What follows is NORMALIZATION 2 and 3 in the slowest words: walk over all rows of the card, and add.

// counts says whether a row is in a spend on a basis, and at which instant.
func (r *row) counts(b basis) (instant, bool) {
	if r.status != schema.Posted && (r.status != schema.Pending || b == onPosted) {
		return 0, false
	}
	switch r.kind {
	case schema.Purchase, schema.Fee, schema.Reversal:
		return r.occurred, true
	case schema.Refund:
		return r.posted, r.status == schema.Posted
	}
	return 0, false
}

// spend is minus the sum of what counts in [from, to].
func (c *card) spend(from, to instant, b basis) (sum int64) {
	for _, r := range c.rows {
		if t, ok := r.counts(b); ok && t >= from && t <= to {
			sum -= r.amount
		}
	}
	return sum
}

// balance is the sum of everything posted.
func (c *card) balance() (sum int64) {
	for _, r := range c.rows {
		if r.status == schema.Posted {
			sum += r.amount
		}
	}
	return sum
}

// utilization are the limits that count over a window.
func (c *card) utilization() (limits []limit) {
	for _, l := range c.limits {
		if l.window != schema.PerEntry && l.window != schema.PerEntryMin {
			limits = append(limits, l)
		}
	}
	return limits
}

// figureWindow is where the window of the provider's figure begins; false where it cannot be checked. It ends now.
func (w *World) figureWindow(c *card) (instant, bool) {
	switch c.book.provider {
	case schema.Bill:
		from, to, ok := c.budget.period()
		return from, ok && from <= w.now && w.now < to
	case schema.Slash:
		limits := c.utilization()
		if len(limits) != 1 {
			return 0, false
		}
		from, _ := limits[0].around(w.now, c)
		return from, true
	case schema.Whop:
		return w.now - 720*hour, !c.noFigure
	}
	return c.created, true
}

// ledgerSum is what the provider's figure should be on a basis.
func (w *World) ledgerSum(c *card, b basis) int64 {
	if c.book.provider == schema.Bitnob {
		return c.balance()
	}
	from, ok := w.figureWindow(c)
	if !ok { // nobody can check it, but the provider says something all the same
		from = w.now - 30*day
		if limits := c.utilization(); len(limits) > 1 {
			from, _ = limits[0].around(w.now, c)
		}
	}
	return c.spend(from, w.now, b)
}

// figure is what the provider states about a card now: its spend, or its balance.
func (w *World) figure(c *card) int64 {
	sum := w.ledgerSum(c, c.book.basis)
	if c.says != nil {
		return c.says(sum)
	}
	return sum
}

// around is the calendar window of a limit that holds t; to is 0 where it never ends. Both are 0 for a BILL instant
// outside of all periods that are known.
func (l limit) around(t instant, c *card) (from, to instant) {
	zone := l.location()
	local := t.in(zone)
	y, m, d := local.Date()
	at := func(y int, m time.Month, d int) instant { return instantOf(time.Date(y, m, d, 0, 0, 0, 0, zone)) }
	anchor, anchored := time.Time{}, l.start != ""
	if anchored {
		anchor, _ = time.ParseInLocation(time.DateOnly, l.start, zone)
	}
	switch l.window {
	case schema.BudgetPeriod:
		for _, s := range c.budget.known() {
			if t >= s.from && t < s.to {
				return s.from, s.to
			}
		}
		return 0, 0
	case schema.Daily:
		return at(y, m, d), at(y, m, d+1)
	case schema.Weekly:
		weekday := time.Monday
		if anchored {
			weekday = anchor.Weekday()
		}
		back := (int(local.Weekday()) - int(weekday) + 7) % 7
		return at(y, m, d-back), at(y, m, d-back+7)
	case schema.Monthly:
		begins := func(m time.Month) instant { // month m of year y, which may lie outside the year
			if !anchored {
				return at(y, m, 1)
			}
			return at(y, m, min(anchor.Day(), lastDay(y, m)))
		}
		if t < begins(m) {
			m--
		}
		return begins(m), begins(m + 1)
	case schema.Yearly:
		begins := func(y int) instant {
			if !anchored {
				return at(y, time.January, 1)
			}
			return at(y, anchor.Month(), min(anchor.Day(), lastDay(y, anchor.Month())))
		}
		if t < begins(y) {
			y--
		}
		return begins(y), begins(y + 1)
	}
	return c.created, 0 // lifetime
}

func lastDay(y int, m time.Month) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// rolls is the length of a rolling window; 0 for a calendar window.
func (l limit) rolls() instant {
	switch l.window {
	case schema.Rolling24h:
		return day
	case schema.Rolling7d:
		return 7 * day
	case schema.Rolling30d:
		return 30 * day
	case schema.Rolling365d:
		return 365 * day
	}
	return 0
}

// point is the running spend of a limit window at one purchase or fee, that one included.
type point struct {
	at       instant
	from, to instant // the window; to is 0 where it never ends
	spend    int64
}

// running takes the spend entry by entry, by its time and then its id, and notes it at each purchase and fee.
func (c *card) running(l limit) []point {
	type event struct {
		*row
		at instant
	}
	var events []event
	for _, r := range c.rows {
		if t, ok := r.counts(onBoth); ok {
			events = append(events, event{r, t})
		}
	}
	slices.SortFunc(events, func(x, y event) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.id, y.id)) })
	var points []point
	var from, to instant
	var sum int64
	oldest := 0
	for i, e := range events {
		if length := l.rolls(); length > 0 {
			for from, to = e.at-length, e.at; events[oldest].at <= from; oldest++ {
				sum += events[oldest].amount
			}
		} else if begin, end := l.around(e.at, c); i == 0 || begin != from {
			from, to, sum = begin, end, 0
		}
		if l.window == schema.BudgetPeriod && to == 0 {
			continue
		}
		sum -= e.amount
		if e.kind == schema.Purchase || e.kind == schema.Fee {
			points = append(points, point{at: e.at, from: from, to: to, spend: sum})
		}
	}
	return points
}

// peak is the largest running spend that a limit ever sees.
func (c *card) peak(l limit) (most int64) {
	switch l.window {
	case schema.PerEntry:
		for _, r := range c.rows {
			if r.kind == schema.Purchase && r.status.Counted() {
				most = max(most, -r.amount)
			}
		}
		return most
	case schema.PerEntryMin:
		return 0
	}
	for _, p := range c.running(l) {
		most = max(most, p.spend)
	}
	return most
}
