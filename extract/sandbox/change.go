package sandbox

import (
	"slices"

	"github.com/tieout/tieout/schema"
)

// What follows are the ways in which operations and the passing of time change a world. All of it is called with the lock
// held for writing.

// issue makes a card for a holder (nil: somebody new), as operations do: with numbers of its own, no rows and no limits.
func (w *World) issue(p schema.Provider, holder *person) *card {
	b := w.books[p]
	d := &draft{dice: w.draw(), w: w}
	d.card = w.blank(d, b)
	d.created = w.now
	d.holder = holder
	if holder == nil {
		d.holder = d.person()
		w.admitPerson(b, d.holder)
	}
	w.keepSecret(d.pan)
	w.keepSecret(betrayals(d.card)...)
	b.cards = append(b.cards, d.card)
	b.fileCard(d.card)
	return d.card
}

// admitPerson makes somebody known to a provider.
func (w *World) admitPerson(b *book, x *person) {
	x.created = w.now
	b.people = append(b.people, x)
	w.keepSecret(x.secrets()...)
}

// setStatus changes a card's status by the provider's word.
func (w *World) setStatus(c *card, word string) { c.status, c.updated = word, w.now }

// setLimits changes a card's limits from now on.
func (w *World) setLimits(c *card, limits ...limit) { c.limits, c.updated = limits, w.now }

// file takes new and changed rows of a card into its book.
func (w *World) file(rows ...*row) {
	for _, r := range rows {
		b := r.card.book
		if b.rowByID[r.id] == nil {
			b.rows = append(b.rows, r)
		}
		b.fileID(r)
	}
	if len(rows) > 0 && !w.moving {
		rows[0].card.book.arrange()
	}
}

// on is the maker of rows of a card, with dice of its own, at a merchant that it draws.
func (w *World) on(c *card) *draft {
	d := &draft{card: c, dice: w.draw(), w: w}
	d.shop = &w.merchants[d.IntN(len(w.merchants))]
	return d
}

// authorize is an attempt to spend a positive amount with a card, now, at a merchant (nil: one that is drawn). Where the
// card may not, the attempt is a declined row and the second result says why, in the provider's word for a decline.
func (w *World) authorize(c *card, cents int64, at *merchant) (*row, string) {
	d := w.on(c)
	if at != nil {
		d.shop = at
	}
	why := w.declines(c, cents, d.shop)
	var r *row
	if why == "" {
		r = d.purchase(w.now, 0, cents)
		w.settleLater(r)
	} else {
		r = d.refuse(w.now, cents)
		r.reason = why
	}
	if c.single {
		w.setStatus(c, "closed") // whatever became of the attempt
	}
	w.file(r)
	return r, why
}

// lacksFunds is why a purchase is declined where nothing else is said.
const lacksFunds = "insufficient_funds"

// declines says why a card cannot spend an amount at a merchant now; empty: it can.
func (w *World) declines(c *card, cents int64, at *merchant) string {
	switch {
	case !c.open():
		return "card_not_active"
	case c.grounded && at.category == "Airlines":
		return "merchant_category_blocked"
	case c.book.provider == schema.Bitnob && cents > c.available():
		return lacksFunds
	}
	limited := []*card{c}
	if c.group != nil {
		limited = append(limited, c.group.whole(c.book))
	}
	for _, c := range limited {
		for _, l := range slices.Concat(c.limits, c.silent) {
			if !w.allows(c, l, cents) {
				return "spend_limit_exceeded"
			}
		}
	}
	if c.share && w.budgetSpent(c.book, c.budget, onBoth)+cents > c.book.budgetLimit(c.budget) {
		return "spend_limit_exceeded" // the budget is the limit
	}
	return ""
}

// allows says whether a limit leaves room for a purchase now.
func (w *World) allows(c *card, l limit, cents int64) bool {
	switch {
	case l.window == schema.PerEntry:
		return cents <= l.amount
	case l.window == schema.PerEntryMin:
		return cents >= l.amount
	case l.rolls() > 0:
		return c.spend(w.now-l.rolls()+1, w.now, onBoth)+cents <= l.amount
	}
	from, _ := l.around(w.now, c)
	if l.window == schema.BudgetPeriod && from == 0 {
		return w.figure(c)+cents <= l.amount // no window is known: the issuer goes by its own figure
	}
	return c.spend(from, w.now, onBoth)+cents <= l.amount
}

// open says whether a card may spend, by its provider's word.
func (c *card) open() bool { return c.status == "ACTIVATED" || c.status == "active" }

// available is what can be spent from a prepaid card: what posted, less what is on its way out.
func (c *card) available() int64 {
	sum := c.balance()
	for _, r := range c.rows {
		if r.status == schema.Pending && r.amount < 0 {
			sum += r.amount
		}
	}
	return sum
}

// load is a top-up of a positive amount now, pending until it succeeds some minutes later.
func (w *World) load(c *card, cents int64, ref string) *row {
	d := w.on(c)
	r := d.topup(w.now, 0, cents)
	r.ref = ref
	w.plan(w.now+d.moment(3*second, 10*minute), func() { w.post(r, r.amount) })
	w.file(r)
	return r
}

// withdraw takes a positive amount off a prepaid card now, pending until it succeeds some minutes later.
func (w *World) withdraw(c *card, cents int64, ref string) *row {
	d := w.on(c)
	r := d.purchase(w.now, 0, cents)
	r.kind, r.method, r.ref = schema.Withdrawal, "withdrawal", ref
	r.foreign, r.fee = 0, 0
	w.plan(w.now+d.moment(3*second, 10*minute), func() { w.post(r, r.amount) })
	w.file(r)
	return r
}
