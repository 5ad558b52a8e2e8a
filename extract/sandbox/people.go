package sandbox

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tieout/tieout/schema"
)

// person holds cards. All of it is personal, and none of it may be found outside the issuers.
type person struct {
	id, uuid                  string
	first, last               string
	email, phone, street      string
	idType, idNumber, bvn     string
	photo, image              string
	city, state, zip, country string
	house                     string
	customer                  string
	kyc                       bool
	created, updated          instant
}

func (d *draft) person() *person {
	p := d.book.provider
	x := &person{
		uuid: d.uuid(), customer: d.uuid(), created: d.w.start - d.moment(60*day, 300*day),
		first: one(d.dice, "Ada", "Grace", "Zoë", "Chidi", "Ngozi", "María", "Wei", "Tunde"),
		last:  one(d.dice, "Okafor", "Lovelace", "O'Neil", "Müller", "García", "Adeyemi", "Li", "Smith"),
		phone: "+234" + d.code(digits, 10), street: d.code(digits, 3) + " " + d.code(base62, 8) + " Street",
		idNumber: "A" + d.code(digits, 9), bvn: "22" + d.code(digits, 9), photo: "https://kyc.example/" + d.code(base62, 16) + ".jpg",
		image: "https://kyc.example/" + d.code(base62, 16) + ".png",
	}
	x.idType, x.kyc = "PASSPORT", true
	x.city, x.state, x.zip, x.country, x.house = "Lagos", "Lagos", "100001", "Nigeria", "1"
	x.email = "holder." + d.code(hex, 8) + "@acme.example"
	x.id = x.uuid
	switch p {
	case schema.Bill:
		x.uuid = "usr_" + d.code(base62, 22)
		x.id = billID("User", x.uuid)
	case schema.Whop:
		x.id = "user_" + d.code(base62, 14)
	}
	return x
}

func (x *person) secrets() []string {
	return []string{x.email, x.phone, x.street, x.idNumber, x.bvn, x.photo, x.image}
}

// people makes all cards and their rows: first who plays which part, then card by card.
func (w *World) people() {
	d := w.dice("roster")
	rosters := w.rosters(d)
	var spending, weight int64
	weights := map[schema.Provider][]int64{}
	for _, p := range schema.Providers() {
		for _, s := range rosters[p] {
			n := d.between(2, 10)
			if s.rows < 0 {
				n = 0
			}
			weights[p] = append(weights[p], n)
			weight += n
		}
	}
	tops := w.topUpPlan(d, rosters[schema.Bitnob])
	reserve := int64(w.config.Transactions / 100) // rows that name no card
	spending = max(0, int64(w.config.Transactions)-reserve-int64(tops.rows()))
	var made int
	for _, p := range schema.Providers() {
		b := w.books[p]
		for i, s := range rosters[p] {
			n := int64(0)
			if weight > 0 {
				n = spending * weights[p][i] / weight
			}
			c, books := w.grow(b, i, s, int(n))
			w.fundings = append(w.fundings, books...)
			made += len(c.rows)
			if s.unlisted {
				b.unlisted = append(b.unlisted, c)
			} else {
				b.cards = append(b.cards, c)
			}
			if c.budget != nil && !slices.Contains(b.budgets, c.budget) {
				b.budgets = append(b.budgets, c.budget)
			}
			w.keepSecret(slices.Concat([]string{c.pan}, betrayals(c), c.holder.secrets())...)
		}
	}
	made += w.plantTopUps(tops)
	w.loose(w.dice("loose"), w.config.Transactions-made)
	slices.SortStableFunc(w.fundings, func(x, y FundingRow) int {
		return cmp.Or(cmp.Compare(x.sent, y.sent), cmp.Compare(x.Reference, y.Reference))
	})
	for _, p := range schema.Providers() {
		w.books[p].index()
	}
}

// betrayals are the JSON members by which a code or a PIN would be known.
func betrayals(c *card) (members []string) {
	names := map[schema.Provider][]string{schema.Bill: {"cvv"}, schema.Slash: {"cvv"}, schema.Whop: {"cvc"}, schema.Bitnob: {"cvv2"}}
	for _, name := range names[c.book.provider] {
		members = append(members, fmt.Sprintf("%q:%q", name, c.cvv))
	}
	if c.book.provider == schema.Whop {
		members = append(members, fmt.Sprintf("%q:%q", "pin", c.pin))
	}
	return members
}

// loose adds n rows of Slash that name no card: fees of the account, and a few bank transfers.
func (w *World) loose(d dice, n int) {
	b := w.books[schema.Slash]
	for range n {
		if len(b.cards) == 0 {
			return
		}
		x := &draft{card: b.cards[0], dice: d, w: w}
		t := x.when(w.start, w.now-quiet)
		r := &row{
			id: "tx_" + d.code(base62, 20), word: "settled", category: "fee", kind: schema.Fee, status: schema.Posted,
			amount: -d.between(5, 900), occurred: t, posted: t, shown: t, updated: t,
		}
		if d.chance(1, 5) {
			r.category, r.kind = one(d, "ach", "wire", "rtp", "internal", "international_wire"), schema.Transfer
			r.amount = d.between(-900_000, 900_000)
		}
		b.rows = append(b.rows, r)
	}
}
