package sandbox

import (
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// scenario is the part that a card plays.
type scenario struct {
	name     string
	rows     int               // how many rows plant adds at most; below 0: the card has no rows of natural life
	unlisted bool              // no list holds the card
	shape    func(*draft)      // status, limits' windows and life, before there is any row
	plant    func(*draft) bool // rows and amounts of limits; false: the dice fell badly
	want     []string          // what the key must then hold for this card: reasons and explanations
	plan     string            // in words, for the key
}

// attempts is how often a card is drawn again until the key holds what its scenario wants, and nothing else.
const attempts = 80

// grow makes a card. A part that the dice never let it play is played as an ordinary card instead, which happens only where
// a card has next to no rows.
func (w *World) grow(b *book, no int, s scenario, n int) (*card, []FundingRow) {
	for attempt := range attempts {
		d := w.draft(b, s, no, attempt)
		s.shape(d)
		d.live(max(0, n-max(0, s.rows)))
		if s.plant != nil && !s.plant(d) {
			continue
		}
		d.finish(s)
		if slices.Equal(w.held(d.card), s.want) {
			return d.card, d.spares
		}
	}
	s = scenario{name: s.name, shape: s.shape, unlisted: s.unlisted}
	d := w.draft(b, s, no, attempts)
	s.shape(d)
	d.live(n)
	d.finish(s)
	return d.card, d.spares
}

// held is what the key holds for a card: the reasons of its breaches in the period, then how its figure stands.
func (w *World) held(c *card) (found []string) {
	for _, a := range w.breaches(c) {
		found = append(found, a.Reason)
	}
	if _, ok := w.figureWindow(c); !ok {
		return found
	}
	other := onBoth
	if c.book.basis == onBoth {
		other = onPosted
	}
	switch expected, actual := w.ledgerSum(c, c.book.basis), w.figure(c); actual {
	case expected:
	case w.ledgerSum(c, other):
		found = append(found, "other basis")
	default:
		why, _ := w.explain(c, c.book.basis, expected, actual)
		found = append(found, why)
	}
	return found
}

func (w *World) draft(b *book, s scenario, no, attempt int) *draft {
	d := &draft{w: w, dice: w.dice(b.provider, no, attempt), from: w.start, to: w.now - quiet, least: 1, most: 60_000}
	d.card = w.blank(d, b)
	d.plan = s.plan
	return d
}

// blank is a card as its provider issues it: active, without rows and without limits.
func (w *World) blank(d *draft, b *book) *card {
	c := &card{
		book: b, pan: d.luhn(), cvv: d.code(digits, 3), name: d.cardName(), zone: time.UTC, created: w.start - d.moment(hour, 40*day),
	}
	switch b.provider {
	case schema.Bill:
		c.id = "crd_" + d.code(base62, 22)
		c.alt = billID("Card", c.id)
		c.status, c.kind = "ACTIVATED", one(d.dice, "VIRTUAL_MEMBER", "VIRTUAL_VENDOR")
	case schema.Slash:
		c.id, c.status, c.group = "card_"+d.code(base62, 20), "active", one(d.dice, b.groups[:3]...)
		c.userData = object{"team": c.group.name}
	case schema.Whop:
		c.id, c.status, c.kind, c.pin = "icrd_"+d.code(base62, 14), "active", "virtual", d.code(digits, 4)
	case schema.Bitnob:
		c.id, c.status, c.brand = d.uuid(), "active", "VISA"
		c.ref = "card-" + c.id[:8]
	}
	return c
}

func (d *draft) cardName() string {
	who := one(d.dice, "Clark Spenderson", "Ops", "Büro München", "広告", "R&D", "Travel", "=Ads", "Field team")
	return one(d.dice, "Happy Music Supplies card for ", "Software ", "Card ", "") + who + one(d.dice, "", "", " ", "  ")
}

// finish sorts the rows and gives every limit without an amount one that life keeps within.
func (d *draft) finish(s scenario) {
	d.holder = d.person()
	d.sort()
	for i := range d.limits {
		if l := &d.limits[i]; l.amount == 0 {
			most := d.peak(*l)
			if d.book.provider == schema.Bill || d.book.provider == schema.Slash {
				most = max(most, d.w.figure(d.card))
			}
			l.amount = d.generous(most)
			if s.name == "ordinary" && most > 0 && d.chance(1, 6) {
				l.amount = most // equal is no breach
			}
		}
	}
}

// generous is an amount well above another, as people choose them.
func (d *draft) generous(cents int64) int64 {
	step := int64(5_000)
	if cents > 500_000 {
		step = 50_000
	}
	amount := (cents + cents/5 + step) / step * step
	if d.chance(1, 6) {
		amount--
	}
	return amount
}
