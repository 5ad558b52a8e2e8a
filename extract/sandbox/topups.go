package sandbox

import (
	"strings"

	"github.com/tieout/tieout/schema"
)

// planned is what is to be planted between Bitnob's top-ups and the books.
type planned struct {
	dice dice
	list []topUpPlant
}

// topUpPlant is one disagreement. It adds as many rows as it says at most.
type topUpPlant struct {
	reason   string // empty: nothing must be reported
	unlisted bool   // it needs the card that no list holds
	rows     int
	plant    func(d *draft)
}

func (p planned) rows() (n int) {
	for _, t := range p.list {
		n += t.rows
	}
	return n
}

// topUpPlan draws what to plant: every kind once where there are cards for it, and some twice.
func (w *World) topUpPlan(d dice, roster []scenario) planned {
	hosts, nobody := 0, false
	for _, s := range roster {
		if s.unlisted {
			nobody = true
		} else {
			hosts++
		}
	}
	if hosts == 0 {
		return planned{dice: d}
	}
	var list []topUpPlant
	for _, t := range topUpPlants() {
		if t.unlisted && !nobody {
			continue
		}
		list = append(list, t)
		for range min(w.config.Cards/100, 20) {
			list = append(list, t)
		}
		if d.chance(1, 4) {
			list = append(list, t)
		}
	}
	return planned{dice: d, list: list}
}

// plantTopUps plants what was planned on cards whose balance agrees.
func (w *World) plantTopUps(p planned) (made int) {
	b := w.books[schema.Bitnob]
	var hosts []*card
	for _, c := range b.cards {
		if c.plan == "" && c.status == "active" {
			hosts = append(hosts, c)
		}
	}
	for _, t := range p.list {
		host := hosts
		if t.unlisted {
			host = b.unlisted
		}
		if len(host) == 0 {
			continue
		}
		d := &draft{card: one(p.dice, host...), dice: p.dice, w: w, from: w.start, to: w.now - quiet}
		before := len(d.rows)
		t.plant(d)
		d.sort()
		made += len(d.rows) - before
		w.fundings = append(w.fundings, d.spares...)
	}
	return made
}

// odd is an amount that no other top-up of the world has, so that nothing looks like it by chance.
func (d *draft) odd() int64 {
	for {
		cents := d.between(300, 9_000)*100 + one[int64](d.dice, 7, 13, 47, 61, 83)
		taken := false
		for _, c := range d.book.cards {
			for _, r := range c.rows {
				taken = taken || r.amount == cents
			}
		}
		for _, f := range d.w.fundings {
			taken = taken || f.cents == cents
		}
		if !taken {
			return cents
		}
	}
}

// sent draws when the top-up of a plant was sent: in the default period, with the grace long over, and not so long ago that
// one still pending would be stale.
func (d *draft) sent() instant { return d.when(d.w.now-8*day, d.w.now-5*day) }

// load is a top-up that succeeds within hours.
func (d *draft) load(t instant, cents int64) *row {
	p, _ := d.settling(t + d.moment(minute, 3*hour))
	return d.topup(t, p, cents)
}

// write notes a line of the books, with what is wrong in words.
func (d *draft) write(f FundingRow, plan string) {
	f.plan = plan
	d.spares = append(d.spares, f)
}

func (d *draft) reference() string { return "TOPUP-" + d.code(base62, 10) }

func topUpPlants() []topUpPlant {
	return []topUpPlant{
		{reason: "no-funding-record", rows: 1, plant: func(d *draft) {
			d.load(d.within(5*day), d.odd()).plan = "A top-up that the books do not know."
		}},
		{rows: 1, plant: func(d *draft) { // the same, long before the period
			if d.w.from-d.from > 15*day {
				d.load(d.when(d.from, d.w.from-12*day), d.odd())
			}
		}},
		{reason: "no-provider-topup", plant: func(d *draft) {
			d.write(d.funding(d.reference(), 0, d.odd(), d.within(5*day)), "The books sent a top-up that the provider does not know.")
		}},
		{plant: func(d *draft) { // the same, long before the period
			if d.w.from-d.from > 15*day {
				d.write(d.funding(d.reference(), 0, d.odd(), d.when(d.from, d.w.from-12*day)), "")
			}
		}},
		{plant: func(d *draft) { // sent a day ago: it may still come
			d.write(d.funding(d.reference(), 0, d.odd(), d.when(d.w.now-26*hour, d.w.now-5*hour)), "")
		}},
		{reason: "no-provider-topup", rows: 1, plant: func(d *draft) {
			r := d.load(d.sent(), d.odd())
			d.write(d.funding(d.reference(), 0, r.amount, r.occurred-d.moment(minute, 20*hour)),
				"The books sent a top-up under a reference that the provider does not know. One other top-up fits it.")
		}},
		{reason: "no-provider-topup", rows: 2, plant: func(d *draft) { // two fit, so none is proposed
			t, cents := d.sent(), d.odd()
			const plan = "The books sent a top-up under a reference that the provider does not know. Two others fit it, so neither is proposed."
			d.load(t, cents).plan = "One of two top-ups that the books do not know and that fit the same line of the books."
			d.load(d.when(t+hour, t+20*hour), cents).plan = "One of two top-ups that the books do not know and that fit the same line of the books."
			d.write(d.funding(d.reference(), 0, cents, t-d.moment(minute, 3*hour)), plan)
		}},
		{reason: "unknown-card", unlisted: true, rows: 1, plant: func(d *draft) {
			r := d.load(d.sent(), d.odd())
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-hour), "A top-up of a card that is in no list.")
		}},
		{reason: "amount-mismatch", rows: 1, plant: func(d *draft) {
			r := d.load(d.sent(), d.odd())
			d.write(d.funding(r.ref, 0, r.amount+one[int64](d.dice, 1, -1, 1_000, 99*r.amount), r.occurred-hour),
				"The books and the provider name different amounts.")
		}},
		{reason: "currency-mismatch", rows: 1, plant: func(d *draft) {
			r := d.load(d.sent(), d.odd())
			f := d.funding(r.ref, 0, r.amount, r.occurred-hour)
			f.Currency = one(d.dice, "EUR", "GBP")
			d.write(f, "The books name another currency than the provider.")
		}},
		{reason: "duplicate-reference", rows: 2, plant: func(d *draft) { // twice at the provider
			r := d.load(d.sent(), d.odd())
			d.load(d.when(r.occurred+hour, r.occurred+20*hour), r.amount).ref = r.ref
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-hour), "One reference was topped up twice.")
		}},
		{reason: "duplicate-reference", rows: 1, plant: func(d *draft) { // twice in the books
			r := d.load(d.sent(), d.odd())
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-hour), "The books used one reference twice.")
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-2*hour), "The books used one reference twice.")
		}},
		{reason: "failed-at-provider", rows: 1, plant: func(d *draft) {
			r := d.topup(d.sent(), 0, d.odd())
			r.status, r.word = schema.Failed, "failed"
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-hour), "The books say sent, the provider says failed.")
		}},
		{reason: "pending-past-grace", rows: 1, plant: func(d *draft) {
			r := d.topup(d.sent(), 0, d.odd())
			r.stuck = true
			d.write(d.funding(r.ref, 0, r.amount, r.occurred-hour), "The top-up is still pending at the provider.")
		}},
		{rows: 2, plant: func(d *draft) { // references that differ in case alone are two references, and both match
			ref := d.reference()
			for _, ref := range [2]string{ref, strings.ToLower(ref)} {
				r := d.load(d.within(5*day), d.odd())
				r.ref = ref
				d.write(d.funding(ref, 0, r.amount, r.occurred-hour), "")
			}
		}},
	}
}
