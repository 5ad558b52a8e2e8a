package sandbox

import (
	"fmt"
	"slices"

	"github.com/tieout/tieout/schema"
)

// ordinary is a card on which nothing is wrong.
func ordinary(shape func(*draft)) scenario {
	return scenario{name: "ordinary", rows: 1, shape: shape, plant: func(d *draft) bool { d.recent(); return true }}
}

// quietly is a card on which nothing is wrong and nothing happens lately.
func quietly(shape func(*draft)) scenario { return scenario{name: "quiet", shape: shape} }

// empty is a card without natural life.
func empty(shape func(*draft)) scenario { return scenario{name: "empty", rows: -1, shape: shape} }

// large is an ordinary card with one very large purchase.
func large(shape func(*draft)) scenario {
	s := ordinary(shape)
	s.rows = 2
	s.plant = func(d *draft) bool {
		d.recent()
		t := d.when(d.from, d.to-12*day)
		p, posted := d.settling(t + 2*day)
		d.purchase(t, p, 123_456_789)
		return posted
	}
	return s
}

// within draws an instant in the default period, some days before its end.
func (d *draft) within(before instant) instant {
	return d.when(max(d.w.from+3*day, d.from), d.w.now-before)
}

// over is a card on which one purchase takes the spend of a window over its limit.
func over(window schema.LimitWindow, shape func(*draft)) scenario {
	s := scenario{name: "over " + string(window), rows: 1, shape: shape, want: []string{"computed-over-limit"}}
	s.plant = func(d *draft) bool {
		l := &d.limits[0]
		l.amount = d.generous(d.peak(*l) + d.between(0, 20_000))
		d.breach(l, d.within(26*hour))
		d.plan = fmt.Sprintf("A purchase takes the spend of the window (%s) over its limit.", window)
		return true
	}
	return s
}

// breach makes a purchase that takes the running spend over a limit.
func (d *draft) breach(l *limit, t instant) {
	from, _ := l.around(t, d.card)
	excess := one(d.dice, 1, 7, 1999, 10_000, l.amount/3)
	if l.rolls() > 0 { // far over, so that what follows within the window is over too: one run
		from, excess = t-l.rolls(), l.amount/2
	}
	p, _ := d.settling(t + d.moment(8*hour, 20*hour)) // 0: pending
	d.purchase(t, p, l.amount-d.spend(from, t, onBoth)+excess)
}

// wasOver breaks its limit, but long before the default period begins: nothing must be reported.
func wasOver() scenario {
	s := scenario{name: "was over", rows: 2, shape: slashCard(schema.Daily)}
	s.plant = func(d *draft) bool {
		d.recent()
		l := &d.limits[0]
		l.amount = d.generous(d.peak(*l))
		if d.w.from-d.from < 15*day {
			return true // there is no time before the period
		}
		d.breach(l, d.when(d.from+day, d.w.from-12*day))
		return true
	}
	return s
}

// tooLarge is a card with a limit for single purchases that one purchase exceeds. One as large was declined, and another
// lies before the period.
func tooLarge(shape func(*draft)) scenario {
	s := scenario{
		name: "too large", rows: 4, shape: shape, want: []string{"transaction-over-limit"},
		plan: "One purchase is larger than the card allows. Others as large were declined, or lie before the period.",
	}
	s.plant = func(d *draft) bool {
		d.recent()
		l := &d.limits[0]
		l.amount = d.generous(d.peak(*l))
		if d.chance(1, 3) {
			l.amount = max(d.peak(*l), 100) // equal is no breach
		}
		t := d.within(26 * hour)
		p, _ := d.post(t)
		d.purchase(t, p, l.amount+one(d.dice, 1, 7, 1999, l.amount))
		d.refuse(d.within(day), l.amount+1999)
		if d.w.from-d.from > 15*day {
			t := d.when(d.from, d.w.from-12*day)
			p, _ := d.settling(t + day)
			d.purchase(t, p, l.amount+4200)
		}
		return true
	}
	return s
}

// refuse is a declined purchase.
func (d *draft) refuse(t instant, cents int64) *row {
	switch d.book.provider {
	case schema.Bill:
		return d.void(t, schema.Declined, "DECLINE", cents)
	case schema.Bitnob: // it has no other word for what did not succeed
		return d.void(t, schema.Failed, "failed", cents)
	}
	return d.void(t, schema.Declined, "declined", cents)
}

// tooSmall is a card with a minimum for single purchases that one purchase does not reach.
func tooSmall() scenario {
	s := scenario{
		name: "too small", rows: 3, want: []string{"transaction-under-minimum"},
		plan: "One purchase is smaller than the card allows. One as small was declined.",
	}
	s.shape = func(d *draft) {
		d.least = one[int64](d.dice, 100, 500)
		d.limits = []limit{{window: schema.PerEntryMin, amount: d.least}}
		if d.chance(1, 2) {
			d.limits = append(d.limits, limit{window: schema.PerEntry})
		}
	}
	s.plant = func(d *draft) bool {
		d.recent()
		t := d.within(26 * hour)
		p, _ := d.post(t)
		d.purchase(t, p, one(d.dice, 7, 1, d.least-1))
		d.refuse(d.within(day), 5)
		return true
	}
	return s
}

// reported is a BILL card whose own figures say that it spent more than its limit. Where the budget gives its period the
// ledger says so too.
func reported(shape func(*draft), plan string) scenario {
	s := scenario{name: "reported", rows: 2, shape: shape, want: []string{"reported-over-limit"}, plan: plan}
	s.plant = func(d *draft) bool {
		d.recent()
		t := d.when(d.w.now-8*day, d.w.now-4*day)
		p, posted := d.settling(t + 20*hour)
		d.purchase(t, p, d.between(20_000, 60_000))
		spent := d.w.ledgerSum(d.card, onPosted)
		d.limits[0].amount = max((spent-1)/5_000*5_000, spent/2)
		return posted
	}
	return s
}

// gaveRoomBack is a BILL card that was over its limit until a refund posted, so that only the ledger knows.
func gaveRoomBack() scenario {
	s := scenario{
		name: "gave room back", rows: 3, shape: billLong, want: []string{"computed-over-limit"},
		plan: "A purchase took the card over its limit until its refund posted. The provider's own figures show nothing any more.",
	}
	s.plant = func(d *draft) bool {
		d.recent()
		l := &d.limits[0]
		l.amount = d.generous(d.peak(*l))
		t := d.when(d.w.now-8*day, d.w.now-6*day)
		from, _, _ := d.budget.period()
		cents := l.amount - d.spend(from, t, onBoth) + one[int64](d.dice, 1, 1999, 50_000)
		p, _ := d.settling(t + 20*hour)
		d.purchase(t, p, cents)
		back := d.when(p+5*hour, p+20*hour)
		posted, ok := d.settling(back + 30*hour)
		d.refund(back, posted, cents)
		return ok
	}
	return s
}

// drifting is a card whose figure is not what the ledger says, for one reason.
func drifting(why string, shape func(*draft), plan string, plant func(*draft) bool) scenario {
	return scenario{name: why, rows: 4, shape: shape, want: []string{why}, plan: plan, plant: func(d *draft) bool {
		if d.book.provider != schema.Bitnob {
			d.recent()
		}
		return plant(d)
	}}
}

// counted are the posted rows that the figure counts and that make it larger, oldest first.
func (d *draft) counted() (rows []*row) {
	d.sort()
	for _, r := range d.rows {
		if amount, in := d.w.part(d.card, r, onPosted); in && amount > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

// omit lets the provider leave rows out of its figure for as long as that counts them.
func (d *draft) omit(rows ...*row) {
	c, w := d.card, d.w
	d.says = func(sum int64) int64 {
		for _, r := range rows {
			if amount, in := w.part(c, r, c.book.basis); in {
				sum -= amount
			}
		}
		return sum
	}
}

// shift lets the provider say so much more than the ledger.
func (d *draft) shift(by int64) { d.says = func(sum int64) int64 { return sum + by } }

// unrelated draws an amount that no one and no two rows of the card make up.
func (d *draft) unrelated() int64 {
	for range 40 {
		if by := one(d.dice, 7, 1999, 690, 10_005, d.between(100, 5_000), d.between(10_000, 90_000)); !d.resembles(by) {
			return by
		}
	}
	most := int64(0) // there are too many rows: more than any two
	for _, r := range d.rows {
		most = max(most, abs(r.amount))
	}
	return 2*most + d.between(100, 10_000)
}

func plantNothing(d *draft) bool {
	by := d.unrelated()
	if d.book.provider == schema.Bitnob || d.chance(1, 3) && d.w.ledgerSum(d.card, onPosted) > by {
		by = -by // of a balance more than expected would pass for opening funding
	}
	d.shift(by)
	return true
}

func plantOpening(d *draft) bool {
	d.shift(d.unrelated())
	return true
}

func plantOne(d *draft) bool {
	rows := d.counted()
	if len(rows) == 0 {
		return false
	}
	d.omit(one(d.dice, rows...))
	return true
}

func plantTwo(d *draft) bool {
	rows := d.counted()
	rows = rows[max(0, len(rows)-6):] // a provider lags behind with what came last
	if len(rows) < 2 {
		return false
	}
	d.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	d.omit(rows[0], rows[1])
	return true
}

func plantDeclines(d *draft) bool {
	from, _ := d.w.figureWindow(d.card)
	for range 3 {
		d.refuse(d.when(max(from+hour, d.from), d.to), d.amount())
	}
	c, w := d.card, d.w
	if c.tried(schema.Failed, from) != 0 {
		return false // whether a failed purchase is a decline is not said
	}
	d.says = func(sum int64) int64 {
		from, _ := w.figureWindow(c)
		return sum + c.tried(schema.Declined, from)
	}
	return true
}

// tried is the spend that rows of a status would have been since an instant.
func (c *card) tried(status schema.Status, from instant) (sum int64) {
	for _, r := range c.rows {
		if r.status == status && r.occurred >= from {
			sum -= r.amount
		}
	}
	return sum
}

func plantInFlight(d *draft) bool {
	t := d.w.now - d.moment(7*minute, 13*minute)
	p, cents := d.w.now-d.moment(2*minute, 5*minute), d.between(500, 20_000)
	c, w := d.card, d.w
	var r *row
	if d.book.provider == schema.Bitnob {
		r = d.topup(t, p, cents)
		d.spares = append(d.spares, d.fund(r))
	} else {
		r = d.purchase(t, p, cents)
	}
	d.says = func(sum int64) int64 {
		if amount, in := w.part(c, r, c.book.basis); in && w.now-p <= 15*minute {
			return sum - amount
		}
		return sum
	}
	return true
}

// plantBoundary spends between the beginning of the window in its zone and that in UTC, which the provider goes by.
func plantBoundary(d *draft) bool {
	from, utc, ok := d.w.edges(d.card)
	if !ok || from == utc {
		return false
	}
	low, high := min(from, utc)+20*minute, max(from, utc)-20*minute
	for range 2 {
		t := d.moment(low, high)
		p, posted := d.settling(t + d.moment(10*hour, 2*day))
		if !posted {
			return false
		}
		d.purchase(t, p, d.between(500, 20_000))
	}
	c, w := d.card, d.w
	d.says = func(sum int64) int64 {
		if _, utc, ok := w.edges(c); ok {
			return c.spend(utc, w.now, c.book.basis)
		}
		return sum
	}
	return true
}

func plantFactor(d *draft) bool {
	if d.book.provider != schema.Bitnob {
		d.says = func(sum int64) int64 { return sum * 100 }
		return true
	}
	t := d.within(3 * day)
	p, _ := d.settling(t + hour)
	load := 10_100 - d.balance()%100
	if d.balance() <= 0 {
		load -= d.balance() / 100 * 100
	}
	d.spares = append(d.spares, d.fund(d.topup(t, p, load)))
	d.says = func(sum int64) int64 { return sum / 100 }
	return true
}

func plantSign(d *draft) bool {
	d.says = func(sum int64) int64 { return -sum }
	return true
}

// flipped is a card whose figure is on the other basis than those of the source's other cards: no drift of its own, but the
// source then has two bases.
func flipped(shape func(*draft)) scenario {
	s := scenario{name: "flipped", rows: 1, shape: shape, want: []string{"other basis"}}
	s.plant = func(d *draft) bool {
		d.recent()
		other := onBoth
		if d.book.basis == onBoth {
			other = onPosted
		}
		c, w := d.card, d.w
		d.says = func(int64) int64 { return w.ledgerSum(c, other) }
		return true
	}
	return s
}

// rosters says for each provider which parts its cards play. The parts at the front are played in every world that has the
// cards for them; which variants stand there, and what the further cards play, is drawn.
func (w *World) rosters(d dice) map[schema.Provider][]scenario {
	n := map[schema.Provider]int{
		schema.Slash: w.config.Cards * 25 / 100, schema.Whop: w.config.Cards * 23 / 100, schema.Bitnob: w.config.Cards * 22 / 100,
	}
	n[schema.Bill] = w.config.Cards - n[schema.Slash] - n[schema.Whop] - n[schema.Bitnob]
	mixed := one(d, schema.Bill, schema.Slash, schema.Whop)
	rosters := map[schema.Provider][]scenario{}
	for _, p := range schema.Providers() {
		first, clean, planted := w.parts(d, p, mixed == p)
		for len(first) < n[p] {
			if d.chance(1, 4) {
				first = append(first, one(d, planted...))
			} else {
				first = append(first, one(d, clean...))
			}
		}
		rosters[p] = first[:n[p]]
	}
	return rosters
}

// parts are the parts that a provider's cards must play, those that may follow with nothing wrong, and those with something.
func (w *World) parts(d dice, p schema.Provider, mixed bool) (first, clean, planted []scenario) {
	drifts := drifts(p)
	d.Shuffle(len(drifts), func(i, j int) { drifts[i], drifts[j] = drifts[j], drifts[i] })
	shuffled := func(list ...scenario) []scenario {
		d.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	switch p {
	case schema.Bill:
		dated := reported(billLong, "The provider reports more than the limit, and the ledger agrees.")
		undated := reported(billUndated, "The provider reports more than the limit. The budget gives no period, so nothing can be computed.")
		clean = shuffled(
			ordinary(billCard("MONTHLY")), ordinary(billCard("QUARTERLY")), ordinary(billCard("YEARLY")), ordinary(billCard("WEEKLY")),
			ordinary(billCard("DAILY")), ordinary(billCard("NONE")), ordinary(billPlainID), quietly(billFrozen), quietly(billPhysical),
		)
		planted = slices.Concat(drifts, []scenario{dated, undated, gaveRoomBack()})
		deleted := quietly(billDeleted)
		deleted.unlisted = true
		first = []scenario{
			ordinary(billLong), ordinary(billLong), dated, drifts[0], large(billShared), deleted, undated, gaveRoomBack(), drifts[1],
			ordinary(billPlainID), quietly(billPhysical),
		}
		if mixed {
			first = slices.Insert(first, 4, flipped(billLong), ordinary(billLong))
		}
	case schema.Slash:
		overs := shuffled(
			over(schema.Daily, slashCard(schema.Daily)), over(schema.Weekly, slashCard(schema.Weekly)),
			over(schema.Monthly, slashCard(schema.Monthly)), over(schema.Yearly, slashCard(schema.Yearly)),
			over(schema.Lifetime, slashCard(schema.Lifetime)),
		)
		clean = shuffled(
			ordinary(slashCard(schema.Daily)), ordinary(slashCard(schema.Weekly)), ordinary(slashCard(schema.Monthly)),
			ordinary(slashCard(schema.Yearly)), ordinary(slashCard(schema.Lifetime)), ordinary(slashSeveral), quietly(slashBare),
			quietly(slashClosed), empty(slashSingle), wasOver(), large(slashBare),
		)
		planted = slices.Concat(overs, drifts, []scenario{tooLarge(slashMaximum), tooSmall()})
		first = []scenario{
			ordinary(slashLong), ordinary(slashLong), overs[0], drifts[0], tooSmall(), overs[1], tooLarge(slashMaximum), drifts[1],
			ordinary(slashSeveral), wasOver(),
		}
		if mixed {
			first = slices.Insert(first, 4, flipped(slashLong), ordinary(slashLong))
		}
	case schema.Whop:
		calendar := shuffled(
			over(schema.Daily, whopCard(schema.Daily)), over(schema.Weekly, whopCard(schema.Weekly)),
			over(schema.Monthly, whopCard(schema.Monthly)), over(schema.Lifetime, whopCard(schema.Lifetime)),
		)
		rolling := shuffled(
			over(schema.Rolling24h, whopCard(schema.Rolling24h)), over(schema.Rolling7d, whopCard(schema.Rolling7d)),
			over(schema.Rolling30d, whopCard(schema.Rolling30d)), over(schema.Rolling365d, whopCard(schema.Rolling365d)),
		)
		clean = shuffled(
			ordinary(whopCard(schema.Daily)), ordinary(whopCard(schema.Weekly)), ordinary(whopCard(schema.Monthly)),
			ordinary(whopCard(schema.Rolling7d)), ordinary(whopCard(schema.Lifetime)), quietly(whopBare), quietly(whopCanceled),
			empty(whopInvited), large(whopBare),
		)
		planted = slices.Concat(calendar, rolling, drifts, []scenario{tooLarge(whopCard(schema.PerEntry))})
		first = []scenario{
			ordinary(whopCard(schema.Monthly)), ordinary(whopCard(schema.Weekly)), tooLarge(whopCard(schema.PerEntry)), drifts[0],
			rolling[0], calendar[0], empty(whopInvited), quietly(whopCanceled), drifts[1],
		}
		if mixed {
			first = slices.Insert(first, 4, flipped(whopCard(schema.Rolling30d)), ordinary(whopCard(schema.Monthly)))
		}
	case schema.Bitnob:
		clean = shuffled(quietly(bitnobCard), quietly(bitnobCard), quietly(bitnobCard), quietly(bitnobStopped))
		planted = drifts
		unlisted := empty(bitnobCard)
		unlisted.unlisted = true
		first = []scenario{
			quietly(bitnobCard), quietly(bitnobCard), quietly(bitnobCard), unlisted, drifts[0], quietly(bitnobCard), drifts[1],
			quietly(bitnobStopped),
		}
	}
	return first, clean, planted
}

func slashMaximum(d *draft) { d.limits = []limit{{window: schema.PerEntry}} }

// drifts are the ways in which a provider's figures may differ from the ledger.
func drifts(p schema.Provider) []scenario {
	shape := map[schema.Provider]func(*draft){
		schema.Bill: billLong, schema.Slash: slashLong, schema.Whop: whopCard(schema.Rolling30d), schema.Bitnob: bitnobCard,
	}[p]
	list := []scenario{
		drifting(unexplained, shape, "The provider's figure is off by an amount that nothing on the card makes up.", plantNothing),
		drifting(oneEntry, shape, "The provider left one entry out of its figure.", plantOne),
		drifting(twoEntries, shape, "The provider left two entries out of its figure.", plantTwo),
		drifting(inFlight, shape, "An entry of the last minutes is not in the provider's figure yet.", plantInFlight),
		drifting(factor100, shape, "The provider's figure is in another unit: cents for dollars, or dollars for cents.", plantFactor),
	}
	if p == schema.Bitnob {
		return append(list, drifting(openingFunds, shape, "The card was loaded when it was created, and no row says so.", plantOpening))
	}
	list = append(list, drifting(declined, shape, "The provider counts declined purchases in its figure.", plantDeclines))
	if p != schema.Whop {
		list = append(list, drifting(dayBoundary, shape, "The provider's window begins at midnight UTC instead of midnight in its zone.", plantBoundary))
	}
	if p == schema.Slash {
		list = append(list, drifting(wrongSign, shape, "The provider's figure has the other sign.", plantSign))
	}
	return list
}
