package sandbox

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/tieout/tieout/schema"
)

// bitnobOperations are what Bitnob's documents let a client do with cards and card users. The documents show two spellings
// of the path that makes a card, and none of the one that lets airlines charge it (Bitnob docs: Virtual Cards, and its
// reference pages of the older site).
func (w *World) bitnobOperations(b *book) map[string]answerer {
	create := func(r *http.Request) (any, *problem) { return w.bitnobCreate(b, r) }
	// on reads a request that names a card which is not terminated.
	on := func(do func(*card, *form) (any, *problem)) answerer {
		return func(r *http.Request) (any, *problem) {
			f := readForm(r)
			f.need("cardId")
			c := b.named(f.text("cardId"))
			switch {
			case f.fault != nil:
				return nil, f.fault
			case c == nil:
				return nil, missing()
			case c.status == "terminated":
				return nil, bad("The card is terminated.")
			}
			return do(c, f)
		}
	}
	return map[string]answerer{
		"POST /virtualcards/registercarduser":       func(r *http.Request) (any, *problem) { return w.bitnobRegister(b, r) },
		"PUT /virtualcards/users/{id}":              func(r *http.Request) (any, *problem) { return w.bitnobUpdate(b, r) },
		"POST /virtualcards/create":                 create,
		"POST /virtualcards/createcard":             create,
		"POST /virtualcards/topup":                  on(w.bitnobTopUp),
		"POST /virtualcards/withdraw":               on(w.bitnobWithdraw),
		"POST /virtualcards/freeze":                 on(w.bitnobStatus("active", "frozen", "freeze")),
		"POST /virtualcards/unfreeze":               on(w.bitnobStatus("frozen", "active", "unfreeze")),
		"POST /virtualcards/terminate":              on(w.bitnobStatus("", "terminated", "terminate")),
		"POST /virtualcards/mock-transaction":       on(w.bitnobMock),
		"POST /virtualcards/enable-airline-payment": on(w.bitnobAirlines),
	}
}

// bitnobSaid is a success with a message of its own; without data, none is shown.
func bitnobSaid(message string, data object) object {
	o := object{"status": true, "message": message}
	if data != nil {
		o["data"] = data
	}
	return o
}

// bitnobRegister makes a card user known. The bvn is asked of Nigerians, the date of birth of Ghanaians.
func (w *World) bitnobRegister(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	f.need("customerReference", "idNumber", "idType", "firstName", "lastName", "country", "phoneNumber", "city", "state", "zipCode",
		"line1", "houseName", "userPhoto", "idImage")
	switch strings.ToLower(f.text("country")) {
	case "nigeria":
		f.need("bvn")
	case "ghana":
		f.need("dateOfBirth")
	}
	if b.customer(f.text("customerReference")) != nil {
		f.wrong("A card user with this customerReference exists.")
	}
	if f.fault != nil {
		return nil, f.fault
	}
	d := w.draw()
	x := &person{id: d.uuid(), customer: d.uuid()}
	if x.read(f); f.fault != nil {
		return nil, f.fault
	}
	w.admitPerson(b, x)
	return bitnobSaid("card user registered successfully", x.bitnob()), nil
}

// bitnobUpdate changes what a request gives.
func (w *World) bitnobUpdate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	x := b.cardUser(r.PathValue("id"))
	if x == nil {
		return nil, missing()
	}
	if y := b.customer(f.text("customerReference")); y != nil && y != x {
		f.wrong("A card user with this customerReference exists.")
	}
	changed := *x
	if changed.read(f); f.fault != nil {
		return nil, f.fault
	}
	*x = changed
	x.updated = w.now
	w.keepSecret(x.secrets()...)
	return bitnobSaid("card user updated successfully", x.bitnob()), nil
}

// cardUser finds somebody by id. What documents write in the place of an id is who was registered last.
func (b *book) cardUser(id string) *person {
	for i, x := range b.people {
		if x.id == id || placeholder(id) && i == len(b.people)-1 {
			return x
		}
	}
	return nil
}

// read takes what a request says about a person.
func (x *person) read(f *form) {
	take := func(field *string, name string) { *field = cmp.Or(f.text(name), *field) }
	take(&x.email, "customerReference")
	take(&x.idNumber, "idNumber")
	take(&x.idType, "idType")
	take(&x.first, "firstName")
	take(&x.last, "lastName")
	take(&x.country, "country")
	take(&x.phone, "phoneNumber")
	take(&x.city, "city")
	take(&x.state, "state")
	take(&x.zip, "zipCode")
	take(&x.street, "line1")
	take(&x.house, "houseName")
	take(&x.bvn, "bvn")
	take(&x.photo, "userPhoto")
	take(&x.image, "idImage")
}

// customer is who has a reference.
func (b *book) customer(reference string) *person {
	for _, x := range b.people {
		if x.email == reference {
			return x
		}
	}
	return nil
}

// bitnobCreate makes a card, loaded with an amount of dollars under the reference of the request. The same reference again
// gives the same card. Nobody needs to be registered here who gives a first and a last name, as in the provider's sandbox.
func (w *World) bitnobCreate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	f.need("customerReference", "cardBrand", "reference", "amount")
	brand, reference, cents := f.text("cardBrand"), f.text("reference"), f.dollars("amount")
	holder := b.customer(f.text("customerReference"))
	if holder == nil {
		f.need("firstName", "lastName")
	}
	first, last := f.text("firstName"), f.text("lastName")
	if f.choice("cardType", "virtual", "visa", "giftcard"); f.fault != nil {
		return nil, f.fault
	}
	for _, c := range b.cards {
		if c.ref == reference {
			return c.bitnobCreated(), nil
		}
	}
	if b.under(reference) != nil {
		return nil, bad("The reference was used before.")
	}
	c := w.issue(schema.Bitnob, holder)
	if holder == nil {
		c.holder.email, c.holder.first, c.holder.last, c.holder.kyc = f.text("customerReference"), first, last, false
		w.keepSecret(c.holder.secrets()...)
	}
	c.brand, c.ref, c.name = brand, reference, c.holder.first+" "+c.holder.last
	c.first = w.load(c, cents, reference)
	return c.bitnobCreated(), nil
}

func (c *card) bitnobCreated() any {
	return bitnobSaid("card creation in progress", object{
		"id": c.id, "createdAt": c.created.text(), "updatedAt": max(c.created, c.updated).text(), "cardType": "virtual", "cardBrand": c.brand,
		"cardUserId": c.holder.id, "reference": c.ref, "createdStatus": c.createdStatus(), "customerId": nil,
	})
}

// createdStatus is what became of making the card: it is made when its first load has come.
func (c *card) createdStatus() string {
	if c.first == nil {
		return "success"
	}
	return c.first.word
}

// under is the load or withdrawal of a reference.
func (b *book) under(reference string) *row {
	for _, r := range b.rows {
		if r.ref == reference && (r.kind == schema.TopUp || r.kind == schema.Withdrawal) {
			return r
		}
	}
	return nil
}

// moved reads a request that moves money: an amount of cents and a reference. The second result is the row that the same
// request made before.
func (b *book) moved(c *card, f *form, field string, kind schema.Kind) (cents int64, done *row) {
	f.need(field, "reference")
	cents = f.cents(field)
	done = b.under(f.text("reference"))
	if done != nil && (done.card != c || done.kind != kind || abs(done.amount) != cents) {
		f.wrong("The reference was used before.")
	}
	return cents, done
}

// bitnobTopUp loads a card with cents. The table of the documents calls the amount cardBrand.
func (w *World) bitnobTopUp(c *card, f *form) (any, *problem) {
	field := "amount"
	if !f.has(field) && f.has("cardBrand") {
		field = "cardBrand"
	}
	cents, done := c.book.moved(c, f, field, schema.TopUp)
	switch {
	case f.fault != nil:
		return nil, f.fault
	case done != nil:
		return bitnobSaid("card topup in progress", done.bitnobMoved()), nil
	case c.status != "active":
		return nil, bad("The card is " + c.status + ".")
	}
	return bitnobSaid("card topup in progress", w.load(c, cents, f.text("reference")).bitnobMoved()), nil
}

// bitnobWithdraw takes cents off a card, also off a frozen one.
func (w *World) bitnobWithdraw(c *card, f *form) (any, *problem) {
	cents, done := c.book.moved(c, f, "amount", schema.Withdrawal)
	switch {
	case f.fault != nil:
		return nil, f.fault
	case done != nil:
		return bitnobSaid("withdrawal from card in progress", done.bitnobMoved()), nil
	case cents > c.available():
		return nil, bad("The card's balance is too low.")
	}
	return bitnobSaid("withdrawal from card in progress", w.withdraw(c, cents, f.text("reference")).bitnobMoved()), nil
}

// bitnobMoved shows a row as the answer to the request that made it: with numbers where the lists have texts.
func (r *row) bitnobMoved() object {
	return object{
		"id": r.id, "createdAt": r.occurred.text(), "updatedAt": r.updated.text(), "amount": short(abs(r.amount)), "centAmount": abs(r.amount),
		"type": "credit", "method": r.method, "status": r.word, "currency": "usd", "reference": r.ref, "cardId": r.card.id,
	}
}

// bitnobStatus is an operation that takes a card from one status (empty: any) to another. Its answer shows the whole card,
// number and code included (Bitnob docs: Freeze Card).
func (w *World) bitnobStatus(from, to, verb string) func(*card, *form) (any, *problem) {
	return func(c *card, _ *form) (any, *problem) {
		if from != "" && c.status != from {
			return nil, bad("The card is " + c.status + ".")
		}
		w.setStatus(c, to)
		o := c.bitnobFull(w.figure(c))
		delete(o, "cardUserId")
		return bitnobSaid(verb+" card successfully", o), nil
	}
}

// bitnobMock spends cents with a card, or gives them back, at once. Its unit is not documented; all amounts of the API but
// the one at creation are cents. What the card may not spend is a failed row.
func (w *World) bitnobMock(c *card, f *form) (any, *problem) {
	f.need("amount")
	cents, kind := f.cents("amount"), f.choice("type", "deduct", "credit")
	if f.fault != nil {
		return nil, f.fault
	}
	if kind == "credit" {
		r := w.on(c).refund(w.now, w.now, cents)
		w.file(r)
		return bitnobSaid("successfully mocked card transaction", nil), nil
	}
	r, why := w.authorize(c, cents, nil)
	if why != "" {
		return nil, bad("The transaction was declined: " + why + ".")
	}
	w.post(r, r.amount)
	return bitnobSaid("successfully mocked card transaction", nil), nil
}

// bitnobAirlines lets airlines charge a card, or not. They may, until a request says otherwise.
func (w *World) bitnobAirlines(c *card, f *form) (any, *problem) {
	f.need("isAirlinePaymentEnabled")
	on := f.flag("isAirlinePaymentEnabled")
	if f.fault != nil {
		return nil, f.fault
	}
	c.grounded, c.updated = !on, w.now
	if on {
		return bitnobSaid("airline payments enabled", nil), nil
	}
	return bitnobSaid("airline payments disabled", nil), nil
}

// countryCode is the code of a country's name, where the sandbox knows it.
func countryCode(name string) any {
	code := map[string]string{"nigeria": "NG", "ghana": "GH", "kenya": "KE", "senegal": "SN", "united states": "US"}[strings.ToLower(name)]
	return text(code)
}
