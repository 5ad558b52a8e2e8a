package sandbox

import (
	"slices"

	"github.com/tieout/tieout/schema"
)

// sighting is what a reader saw of a card at one moment. What a reader saw before is part of what it can find now: the
// limit in force is the one that was seen last, an earlier budget period is known to who saw it, and the first balance
// tells what a card was opened with (NORMALIZATION 2 and 3).
type sighting struct {
	at      instant
	limits  []limit
	figure  int64
	period  span           // BILL: the period of the figure; zero where the budget gives none that contains the moment
	opening map[bool]int64 // Bitnob: what the card was opened with, as its first balance tells in cents and in dollars (true)
}

// MarkRead tells the world that somebody read all of some providers now, or of all where none is named, so that the key
// takes into account what that reader knows from before. Without it the key is that of who reads for the first time.
func (w *World) MarkRead(providers ...schema.Provider) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(providers) == 0 {
		providers = schema.Providers()
	}
	for _, p := range providers {
		for _, c := range w.books[p].cards {
			now := w.sightings(c)
			now[len(now)-1].opening = w.openings(c)
			c.seen = now
		}
		for _, g := range w.books[p].budgets {
			from, to, ok := g.period()
			if now := (span{from, to}); ok && !slices.Contains(g.seen, now) {
				g.seen = append(g.seen, now)
			}
		}
	}
}

// openings are what a card was opened with as its balance now tells, in each unit: which is right may be found out later.
func (w *World) openings(c *card) map[bool]int64 {
	all := map[bool]int64{}
	if c.book.provider != schema.Bitnob {
		return all
	}
	figure, expected := w.figure(c), w.ledgerSum(c, onPosted)
	if cents, ok := c.book.balanceAsCents(figure); ok {
		all[false] = w.opening(c, expected, cents)
	}
	all[true] = w.opening(c, expected, c.book.balanceAsDollars(figure))
	return all
}

// sightings are what a reader saw of a card before, and what it sees now.
func (w *World) sightings(c *card) []sighting {
	now := sighting{at: w.now, limits: c.limits, figure: w.figure(c)}
	if from, to, ok := c.budget.period(); ok && from <= w.now && w.now < to {
		now.period = span{from, to}
	}
	before := slices.DeleteFunc(slices.Clone(c.seen), func(s sighting) bool { return s.at == w.now })
	return append(before, now)
}

// history is one limit through what was seen of a card.
type history struct {
	limit
	seen []sighting
}

// histories are the limits of a card that were ever seen, each once.
func (w *World) histories(c *card) (all []history) {
	seen := w.sightings(c)
	for _, s := range seen {
		for _, l := range s.limits {
			if !slices.ContainsFunc(all, func(h history) bool { return h.is(l) }) {
				all = append(all, history{l, seen})
			}
		}
	}
	return all
}

// is says whether two statements are of one limit: amount and word may differ.
func (l limit) is(other limit) bool {
	return l.window == other.window && l.start == other.start && l.location().String() == other.location().String()
}

// stated is the amount at one sighting, the smallest of several; false where the card did not have the limit then.
func (h history) stated(n int) (amount int64, ok bool) {
	for _, l := range h.seen[n].limits {
		if h.is(l) && (!ok || l.amount < amount) {
			amount, ok = l.amount, true
		}
	}
	return amount, ok
}

// at is the amount in force at an instant and the number of the sighting that says so: the last one at or before it, else
// the first.
func (h history) at(t instant) (amount int64, n int, ok bool) {
	for i := range h.seen {
		if h.seen[i].at <= t {
			n = i
		}
	}
	amount, ok = h.stated(n)
	return amount, n, ok
}

// severity is high, and medium where the next sighting of the limit covers the spend: it was raised after the fact.
func (h history) severity(n int, spend int64) schema.Severity {
	for i := n + 1; i < len(h.seen); i++ {
		if amount, ok := h.stated(i); ok {
			if amount >= spend {
				return schema.Medium
			}
			break
		}
	}
	return schema.High
}
