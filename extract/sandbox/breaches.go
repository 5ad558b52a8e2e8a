package sandbox

import (
	"slices"

	"github.com/tieout/tieout/schema"
)

// breaches finds what a card spent beyond its limits in the default period (NORMALIZATION 2).
func (w *World) breaches(c *card) (found []Answer) {
	reported := w.reported(c)
	for _, h := range w.histories(c) {
		switch {
		case h.window == schema.PerEntry || h.window == schema.PerEntryMin:
			found = append(found, w.single(c, h)...)
		case h.rolls() > 0:
			found = append(found, w.rolling(c, h)...)
		default:
			found = append(found, w.calendar(c, h)...)
		}
	}
	found = slices.DeleteFunc(found, func(a Answer) bool { // with a reported one of the same budget period it is one finding
		return slices.ContainsFunc(reported, func(r Answer) bool { return r.PeriodFrom.Equal(a.PeriodFrom) })
	})
	return append(found, reported...)
}

// reported are the budget periods of a BILL card at whose last sighting the provider itself stated more than the limit. All
// sightings outside of any known period are one.
func (w *World) reported(c *card) (found []Answer) {
	if c.book.provider != schema.Bill || c.share {
		return nil
	}
	for _, h := range w.histories(c) {
		within := int64(-1) // the spend seen last, if it was within the limit then: a limit lowered after the spend is no breach
		for n, s := range h.seen {
			amount, ok := h.stated(n)
			if s.period.from == 0 || n > 0 && h.seen[n-1].period.from != s.period.from {
				within = -1
			}
			switch {
			case !ok:
				continue
			case s.figure <= amount || s.period.from != 0 && s.figure <= within:
				within = s.figure
				continue
			}
			within = -1
			last := !slices.ContainsFunc(h.seen[n+1:], func(later sighting) bool { return later.period.from == s.period.from })
			if !last || s.at < w.from {
				continue
			}
			a := c.answer(schema.LimitBreach, "reported-over-limit", h.severity(n, s.figure)).of(amount, s.figure)
			if s.period.from == 0 {
				s.period = span{s.at, s.at}
			}
			found = append(found, a.in(s.period.from, s.period.to))
		}
	}
	return found
}

// single compares each counted purchase with a limit for single purchases.
func (w *World) single(c *card, h history) (found []Answer) {
	for _, r := range c.rows {
		if r.kind != schema.Purchase || !r.status.Counted() || r.occurred < w.from || r.occurred > w.now {
			continue
		}
		amount, n, ok := h.at(r.occurred)
		reason, severity, bad := "transaction-over-limit", h.severity(n, -r.amount), -r.amount > amount
		if h.window == schema.PerEntryMin {
			reason, severity, bad = "transaction-under-minimum", schema.Low, -r.amount < amount
		}
		if ok && bad {
			a := c.answer(schema.LimitBreach, reason, severity).of(amount, -r.amount).in(r.occurred, r.occurred)
			a.EntryID = r.entry()
			found = append(found, a)
		}
	}
	return found
}

// excess is a spend above the limit that was in force.
type excess struct {
	point
	limit int64
	seen  int // number of the sighting that states the limit
}

func (e *excess) over() int64 { return e.spend - e.limit }

// above says whether the spend at a point is above the limit then in force, and by what.
func (h history) above(p point) (excess, bool) {
	amount, n, ok := h.at(p.at)
	return excess{p, amount, n}, ok && p.spend > amount
}

// calendar gives one finding for each window that overlaps the period, at the moment of the largest excess.
func (w *World) calendar(c *card, h history) (found []Answer) {
	var worst *excess
	report := func() {
		if worst != nil && worst.from <= w.now && (worst.to == 0 || worst.to > w.from) {
			found = append(found, c.over(h, *worst))
		}
		worst = nil
	}
	for _, p := range c.running(h.limit) {
		if worst != nil && p.from != worst.from {
			report()
		}
		if e, bad := h.above(p); bad && (worst == nil || e.over() > worst.over()) {
			worst = &e
		}
	}
	report()
	return found
}

// rolling gives one finding for each run of consecutive purchases and fees over the limit of which one lies in the period,
// at the largest excess of the run.
func (w *World) rolling(c *card, h history) (found []Answer) {
	var worst *excess
	inside := false
	report := func() {
		if worst != nil && inside {
			found = append(found, c.over(h, *worst))
		}
		worst, inside = nil, false
	}
	for _, p := range c.running(h.limit) {
		e, bad := h.above(p)
		if !bad {
			report()
			continue
		}
		inside = inside || p.at >= w.from
		if worst == nil || e.over() > worst.over() {
			worst = &e
		}
	}
	report()
	return found
}

func (c *card) over(h history, e excess) Answer {
	from := e.from
	if h.window == schema.Lifetime && c.book.provider == schema.Whop {
		from = 0 // everything: no beginning is said
	}
	return c.answer(schema.LimitBreach, "computed-over-limit", h.severity(e.seen, e.spend)).of(e.limit, e.spend).in(from, e.to)
}
