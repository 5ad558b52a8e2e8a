package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// draft is a card in the making.
type draft struct {
	*card
	dice
	w        *World
	from, to instant // rows of natural life lie between
	least    int64   // the smallest and the largest natural purchase
	most     int64
	shop     *merchant    // where rows happen that name no merchant; nil: each is drawn
	spares   []FundingRow // the books' lines for its top-ups
}

// quiet is how long before the end of the world nothing happens by nature, so that nothing is in flight.
const quiet = 30 * minute

// clear says whether an instant keeps away from everything that a check has an edge at.
func (d *draft) clear(t instant) bool {
	if t > d.w.now-quiet {
		return false
	}
	for _, edge := range [2]instant{d.w.from, d.w.now - 720*hour} {
		if t > edge-2*hour && t < edge+2*hour {
			return false
		}
	}
	for _, zone := range [3]*time.Location{time.UTC, d.w.zone, d.zone} {
		if t.near(zone, 15*minute) {
			return false
		}
	}
	return true
}

// when draws a clear instant between two others; where there is hardly any, the first it comes to.
func (d *draft) when(from, to instant) instant {
	for range 200 {
		if t := d.moment(from, to); d.clear(t) {
			return t
		}
	}
	return from
}

// amount draws what a purchase costs.
func (d *draft) amount() int64 {
	cents := one[int64](d.dice, 7, 690, 1999, 999, 1249, 4200, 10_000, 29_99)
	if d.chance(4, 5) {
		cents = d.between(300, one[int64](d.dice, 2_500, 9_000, 40_000))
	}
	return min(max(cents, d.least), d.most)
}

// post draws when something that happened at t posts; false where that is still to come. Most post in one to three days,
// a few a week and more after the fact, but none as late as ten days.
func (d *draft) post(t instant) (instant, bool) { return d.settling(t + d.lag()) }

func (d *draft) lag() instant {
	lag := d.moment(10*hour, 3*day)
	switch {
	case d.book.provider == schema.Bitnob && d.chance(14, 15):
		lag = d.moment(minute, 4*hour)
	case d.book.provider == schema.Bitnob:
		lag = d.moment(4*hour, 36*hour)
	case d.chance(1, 4):
		lag = d.moment(3*day, 5*day)
	case d.chance(1, 15):
		lag = d.moment(6*day, 9*day)
	}
	return lag
}

// settling is the first clear instant at or after p, and whether it has come.
func (d *draft) settling(p instant) (instant, bool) {
	for !d.clear(p) {
		if p > d.w.now-quiet {
			return 0, false
		}
		p += 7 * minute
	}
	return p, true
}

// add puts a row on the card.
func (d *draft) add(r *row) *row {
	r.card = d.card
	r.id = d.rowID()
	if r.merchant == nil {
		r.merchant = d.shop
	}
	if r.merchant == nil {
		r.merchant = &d.w.merchants[d.IntN(len(d.w.merchants))]
	}
	if m := r.merchant; m.currency != "USD" && r.kind != schema.TopUp && r.kind != schema.Withdrawal {
		r.foreign, r.fee = m.rate.minor(abs(r.amount)), abs(r.amount)/100
	}
	if r.shown == 0 {
		r.shown = r.occurred
	}
	if r.updated == 0 {
		r.updated = max(r.occurred, r.posted, r.shown)
	}
	d.rows = append(d.rows, r)
	return r
}

func (d *draft) rowID() string {
	switch d.book.provider {
	case schema.Bill:
		return "txr_" + d.code(base62, 22)
	case schema.Slash:
		return "tx_" + d.code(base62, 20)
	case schema.Whop:
		return "citx_" + d.code(base62, 14)
	}
	return d.uuid()
}

func abs(n int64) int64 { return max(n, -n) }

// purchase is a purchase of a positive amount that posts at p, or is pending where p is 0, in the plainest form of the
// provider.
func (d *draft) purchase(t, p instant, cents int64) *row {
	r := &row{kind: schema.Purchase, status: schema.Posted, amount: -cents, occurred: t, posted: p, auth: t, category: "card"}
	if p == 0 {
		r.status = schema.Pending
	}
	d.dress(r)
	return d.add(r)
}

// refund is a refund that posts at p.
func (d *draft) refund(t, p instant, cents int64) *row {
	r := &row{kind: schema.Refund, status: schema.Posted, amount: cents, occurred: t, posted: p, auth: t, category: "card"}
	if p == 0 {
		r.status = schema.Pending
	}
	d.dress(r)
	return d.add(r)
}

// void is a purchase that came to nothing: declined, reversed or failed, by the provider's word.
func (d *draft) void(t instant, status schema.Status, word string, cents int64) *row {
	r := &row{
		kind: schema.Purchase, status: status, word: word, amount: -cents, occurred: t, auth: t, category: "card", method: "purchase",
		ref: d.code(base62, 12),
	}
	return d.add(r)
}

// dress gives a row the words of its provider for what it is.
func (d *draft) dress(r *row) {
	posted := r.status == schema.Posted
	switch d.book.provider {
	case schema.Bill:
		r.word = "AUTHORIZATION"
		if posted {
			r.word, r.shown = "CLEAR", r.posted
		}
	case schema.Slash:
		switch {
		case !posted:
			r.word = "pending"
		case r.kind == schema.Refund:
			r.word, r.shown = "refund", r.posted
		default:
			r.word, r.shown = "settled", r.posted
		}
	case schema.Whop:
		r.word = "pending"
		if posted {
			r.word = "completed"
		}
	case schema.Bitnob:
		r.method, r.word = string(r.kind), "pending"
		if posted {
			r.word = "success"
		}
		if r.ref == "" {
			r.ref = d.code(base62, 12)
		}
	}
}

// sort orders the rows by time, and parts rows of one millisecond that are not meant to stand there together.
func (d *draft) sort() {
	slices.SortStableFunc(d.rows, func(x, y *row) int { return cmp.Or(cmp.Compare(x.occurred, y.occurred), cmp.Compare(x.id, y.id)) })
}
