package sandbox

import (
	"github.com/tieout/tieout/schema"
)

// breaches finds what a card spent beyond its limits in the default period (NORMALIZATION 2). A world is seen once, at its
// end, so each limit has one amount for all time.
func (w *World) breaches(c *card) (found []Answer) {
	for _, l := range c.limits {
		switch {
		case l.window == schema.PerEntry || l.window == schema.PerEntryMin:
			found = append(found, w.single(c, l)...)
		case l.rolls() > 0:
			found = append(found, w.rolling(c, l)...)
		default:
			found = append(found, w.calendar(c, l)...)
		}
	}
	if c.book.provider == schema.Bill && !c.share && len(c.limits) > 0 && w.figure(c) > c.limits[0].amount {
		a := c.answer(schema.LimitBreach, "reported-over-limit", schema.High).of(c.limits[0].amount, w.figure(c))
		from, to, ok := c.budget.period()
		if !ok {
			from, to = w.now, w.now // no window is known: the instant of the observation
		}
		found = []Answer{a.in(from, to)} // with a computed finding for the same period it is one
	}
	return found
}

// single compares each counted purchase with a limit for single purchases.
func (w *World) single(c *card, l limit) (found []Answer) {
	for _, r := range c.rows {
		if r.kind != schema.Purchase || !r.status.Counted() || r.occurred < w.from || r.occurred > w.now {
			continue
		}
		reason, severity, bad := "transaction-over-limit", schema.High, -r.amount > l.amount
		if l.window == schema.PerEntryMin {
			reason, severity, bad = "transaction-under-minimum", schema.Low, -r.amount < l.amount
		}
		if bad {
			a := c.answer(schema.LimitBreach, reason, severity).of(l.amount, -r.amount).in(r.occurred, r.occurred)
			a.EntryID = r.entry()
			found = append(found, a)
		}
	}
	return found
}

// calendar gives one finding for each window that overlaps the period, at the moment of the largest excess.
func (w *World) calendar(c *card, l limit) (found []Answer) {
	var worst *point
	report := func() {
		if worst != nil && worst.from < w.now && (worst.to == 0 || worst.to > w.from) {
			found = append(found, c.over(l, *worst))
		}
		worst = nil
	}
	for _, p := range c.running(l) {
		if worst != nil && p.from != worst.from {
			report()
		}
		if p.spend > l.amount && (worst == nil || p.spend > worst.spend) {
			worst = &p
		}
	}
	report()
	return found
}

// rolling gives one finding for each run of consecutive purchases and fees over the limit, at the largest excess of the run.
func (w *World) rolling(c *card, l limit) (found []Answer) {
	var worst *point
	report := func() {
		if worst != nil && worst.to > w.from {
			found = append(found, c.over(l, *worst))
		}
		worst = nil
	}
	for _, p := range c.running(l) {
		switch {
		case p.spend <= l.amount:
			report()
		case worst == nil || p.spend > worst.spend:
			worst = &p
		}
	}
	report()
	return found
}

func (c *card) over(l limit, p point) Answer {
	from := p.from
	if l.window == schema.Lifetime && c.book.provider == schema.Whop {
		from = 0 // everything: no beginning is said
	}
	return c.answer(schema.LimitBreach, "computed-over-limit", schema.High).of(l.amount, p.spend).in(from, p.to)
}
