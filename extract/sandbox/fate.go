package sandbox

import "github.com/tieout/tieout/schema"

// expiry is how long an issuer holds an authorization that nobody captures.
const expiry = 7 * day

// settleLater plans what becomes of a pending row: most post in one to three days, some late, a few for another amount;
// some are reversed, and a few expire. Which, and when, is drawn for the row and depends on nothing else. A row that was
// planted to stay pending, and one of a pair that cancels out, is left alone.
func (w *World) settleLater(r *row) {
	if r.status != schema.Pending || r.stuck || r.origin != nil || r.card == nil || r.card.reversed(r) {
		return
	}
	d := &draft{card: r.card, dice: w.dice("fate", r.id), w: w}
	at := r.occurred + d.lag()
	if at <= w.now { // it was pending already when its time came
		at = w.now + d.moment(10*minute, 20*hour)
	}
	what := func() { w.post(r, r.amount) }
	if r.kind == schema.Purchase {
		switch fate := d.IntN(100); {
		case fate < 6:
			at, what = r.occurred+d.moment(hour, 40*hour), func() { w.reverse(r, false) }
		case fate < 9:
			at, what = r.occurred+expiry, func() { w.reverse(r, true) }
		case fate < 17 && r.card.book.provider != schema.Bitnob: // a tip, or less than was asked for
			amount := r.amount + one(d.dice, r.amount/5, -r.amount/4)
			what = func() { w.post(r, amount) }
		}
	}
	w.plan(at, func() {
		if r.status == schema.Pending { // nothing else became of it
			what()
		}
	})
}

// reversed says whether another row of the card takes a pending row back.
func (c *card) reversed(r *row) bool {
	for _, x := range c.rows {
		if x.origin == r {
			return true
		}
	}
	return false
}

// post settles a pending row now, for an amount that may be another than was authorized. BILL settles under the row's own
// id or by a row beside it, as the row's id decides.
func (w *World) post(r *row, amount int64) {
	d := &draft{card: r.card, dice: w.dice("post", r.id), w: w}
	if r.card.book.provider == schema.Bill && d.chance(1, 2) {
		r.status, r.links = schema.Superseded, one(d.dice, bothWays, clearNamesAuth, authNamesClear)
		r.clearing = d.clears(r, -amount, w.now)
		w.file(r, r.clearing)
		return
	}
	if amount != r.amount && r.foreign != 0 {
		r.foreign, r.fee = r.merchant.rate.minor(abs(amount)), abs(amount)/100
	}
	r.status, r.amount, r.posted, r.updated = schema.Posted, amount, w.now, w.now
	d.dress(r)
	w.file(r)
}

// reverse takes a pending purchase back now, because the merchant did or because it expired.
func (w *World) reverse(r *row, expired bool) {
	r.updated = w.now
	switch r.card.book.provider {
	case schema.Bill: // a negative authorization beside it
		d := &draft{card: r.card, dice: w.dice("reverse", r.id), w: w}
		back := d.refund(w.now, 0, -r.amount)
		back.kind, back.origin, back.merchant = schema.Reversal, r, r.merchant
		back.foreign, back.fee = r.foreign, r.fee
		w.file(back)
	case schema.Slash:
		r.status, r.word = schema.Reversed, "reversed"
		if expired {
			r.word = "canceled"
		}
	case schema.Whop:
		r.status, r.word = schema.Reversed, "reversed"
	case schema.Bitnob:
		r.status, r.word = schema.Failed, "failed"
	}
	w.file(r)
}
