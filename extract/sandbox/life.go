package sandbox

import (
	"slices"

	"github.com/tieout/tieout/schema"
)

// live adds n rows of natural life.
func (d *draft) live(n int) {
	n += len(d.rows)
	if d.book.provider == schema.Bitnob {
		d.prepaid(n)
		return
	}
	for len(d.rows) < n && d.from < d.to {
		left := n - len(d.rows)
		switch d.book.provider {
		case schema.Bill:
			d.billEvent(left)
		case schema.Slash:
			d.slashEvent(left)
		case schema.Whop:
			d.whopEvent(left)
		}
	}
}

// recent adds a pending purchase of the last day and a half, inside the window of the card's figure where that has room, so
// that the two bases differ.
func (d *draft) recent() {
	from := max(d.w.now-36*hour, d.from)
	if begin, ok := d.w.figureWindow(d.card); ok {
		from = max(from, begin+20*minute)
	}
	if t := d.when(from, d.to); t > from && t < d.to {
		d.purchase(t, 0, d.amount())
	}
}

func (d *draft) billEvent(left int) {
	t, cents := d.when(d.from, d.to), d.amount()
	p, posted := d.post(t)
	switch what := d.IntN(100); {
	case what < 6:
		d.void(t, schema.Declined, "DECLINE", cents)
	case what < 7:
		r := d.void(t, schema.Held, "OTHER", cents)
		r.kind = schema.Adjustment
	case !posted && left >= 2 && d.chance(1, 4): // reversed before it cleared: two pending rows
		auth := d.purchase(t, 0, cents)
		back := d.refund(d.when(t, d.to), 0, cents)
		back.kind, back.origin = schema.Reversal, auth
	case !posted:
		d.purchase(t, 0, cents)
	case what < 45 && left >= 2:
		d.cleared(t, cents, one[int64](d.dice, cents, cents, cents, cents, cents+cents/5), p)
	case what < 52 && left >= 3 && cents > 100: // captured in parts
		first := cents / 3
		auth := d.cleared(t, cents, first, p)
		if second, posted := d.settling(p + d.moment(6*hour, 2*day)); posted {
			d.clears(auth, cents-first, second)
		}
	case what < 57 && left >= 3 && cents > 100: // reversed in part, the rest cleared
		auth := d.cleared(t, cents, cents-cents/4, p)
		back := d.refund(d.when(t, p), 0, cents/4)
		back.kind, back.status, back.origin, back.links = schema.Reversal, schema.Superseded, auth, bothWays
	case what < 66 && left >= 2: // bought and given back
		d.purchase(t, p, cents)
		d.giveBack(p, cents)
	case what < 76: // cleared without an authorization
		d.purchase(p, p, cents).auth = 0
	case what < 80: // split for the bookkeeping into children that no list shows
		d.purchase(t, p, cents).split = 2
	default: // the authorization turned into the clearing, under one uuid
		d.purchase(t, p, cents)
	}
}

// cleared is an authorization and the row that clears it, which may be of another amount.
func (d *draft) cleared(t instant, authorized, cents int64, p instant) *row {
	auth := d.purchase(t, 0, authorized)
	auth.status = schema.Superseded
	auth.links = one(d.dice, bothWays, bothWays, clearNamesAuth, authNamesClear)
	auth.clearing = d.clears(auth, cents, p)
	return auth
}

// clears is a row that clears an authorization. Where there are several, each names the authorization, which can name one.
func (d *draft) clears(auth *row, cents int64, p instant) *row {
	r := d.purchase(auth.occurred, p, cents)
	r.origin, r.merchant = auth, auth.merchant
	if r.merchant.currency == "USD" {
		r.foreign, r.fee = 0, 0
	} else {
		r.foreign, r.fee = r.merchant.rate.minor(cents), cents/100
	}
	if auth.clearing != nil {
		auth.links = bothWays
	}
	auth.updated = max(auth.updated, p)
	return r
}

// giveBack refunds what posted at p some days later, in full or in part; it may be pending, or not have come yet.
func (d *draft) giveBack(p instant, cents int64) {
	t := d.when(p+hour, p+one(d.dice, 3*day, 20*day))
	if t >= d.to || t < p {
		return
	}
	back, posted := d.post(t) // 0: pending
	if !posted && d.book.provider == schema.Bill {
		return // BILL knows no pending refund: a negative authorization is a reversal
	}
	d.refund(t, back, one(d.dice, cents, cents, max(1, cents/2)))
}

func (d *draft) slashEvent(left int) {
	t, cents := d.when(d.from, d.to), d.amount()
	p, posted := d.post(t)
	switch what := d.IntN(100); {
	case what < 6:
		d.void(t, schema.Declined, "declined", cents)
	case what < 8:
		d.void(t, schema.Failed, "failed", cents)
	case what < 11:
		d.void(t, schema.Reversed, one(d.dice, "reversed", "canceled"), cents)
	case what < 12:
		d.void(d.when(max(d.from, d.w.now-5*day), d.to), schema.Held, one(d.dice, "pending_approval", "in_review"), cents)
	case what < 15 && posted: // a fee of the card, at once posted
		r := d.purchase(p, p, one[int64](d.dice, max(d.least, 100), max(d.least, 250), max(d.least, 35)))
		r.kind, r.category, r.auth, r.merchant, r.foreign, r.fee = schema.Fee, "fee", 0, &d.w.merchants[0], 0, 0
	case what < 24 && left >= 2 && posted:
		d.purchase(t, p, cents)
		d.giveBack(p, cents)
	case what < 25 && posted:
		d.purchase(t, p, cents).word = "dispute"
	case posted:
		d.purchase(t, p, cents)
	default:
		d.purchase(t, 0, cents)
	}
}

func (d *draft) whopEvent(left int) {
	t, cents := d.when(d.from, d.to), d.amount()
	p, posted := d.post(t)
	switch what := d.IntN(100); {
	case what < 7:
		d.void(t, schema.Declined, "declined", cents)
	case what < 11:
		d.void(t, schema.Reversed, "reversed", cents)
	case what < 20 && left >= 2 && posted:
		d.purchase(t, p, cents)
		d.giveBack(p, cents)
	case posted:
		d.purchase(t, p, cents)
	default:
		d.purchase(t, 0, cents)
	}
}

// prepaid is the life of a card that is loaded before it is spent from: rows until there are n.
func (d *draft) prepaid(n int) {
	n -= len(d.rows)
	if n <= 0 || d.from >= d.to {
		return
	}
	times := make([]instant, n)
	for i := range times {
		times[i] = d.when(d.from, d.to)
	}
	slices.Sort(times)
	balance := int64(0)
	for i := 0; i < n; i++ {
		t, cents := times[i], d.amount()
		p, _ := d.post(t) // 0: pending
		switch what := d.IntN(100); {
		case balance < cents || what < 4:
			load := one[int64](d.dice, 50_000, 100_000, 25_000, 75_050, 19_999, 120_000)
			if i+1 < n && d.chance(1, 40) { // it failed at first, and came under the same reference
				again := d.topup(t, 0, load)
				again.status, again.word = schema.Failed, "failed"
				i++
				t = max(t+minute, times[i])
				p, _ = d.post(t)
				r := d.topup(t, p, load)
				r.ref = again.ref
				d.spares = append(d.spares, d.fund(r))
			} else {
				d.spares = append(d.spares, d.fund(d.topup(t, p, load)))
			}
			balance += load
		case what < 6: // the books know nothing of it, and nothing came of it
			r := d.topup(t, 0, 10_000)
			r.status, r.word = schema.Failed, "failed"
		case what < 10:
			d.void(t, schema.Failed, "failed", cents)
		case what < 14:
			r := d.purchase(t, p, max(1, cents/2))
			r.kind, r.method = schema.Withdrawal, "withdrawal"
			r.foreign, r.fee = 0, 0
			balance += r.amount
		case what < 20:
			d.refund(t, p, max(1, cents/3))
		default:
			d.purchase(t, p, cents)
			balance -= cents
		}
	}
}

// topup is a load of the card that succeeded at p, or is pending where p is 0.
func (d *draft) topup(t, p instant, cents int64) *row {
	r := &row{kind: schema.TopUp, status: schema.Posted, amount: cents, occurred: t, posted: p, ref: "TOPUP-" + d.code(base62, 10)}
	if p == 0 {
		r.status = schema.Pending
	}
	d.dress(r)
	return d.add(r)
}
