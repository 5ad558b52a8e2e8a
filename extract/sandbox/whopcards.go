package sandbox

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/tieout/tieout/schema"
)

// whopOperations are what Whop's documents let a client do with cards (Whop docs: Create Card, Update Card).
func (w *World) whopOperations(b *book) map[string]whopAnswerer {
	return map[string]whopAnswerer{
		"POST /cards":       func(r *http.Request, _ bool) (any, *problem) { return w.whopCreate(b, r) },
		"PATCH /cards/{id}": func(r *http.Request, _ bool) (any, *problem) { return w.whopUpdate(b, r) },
	}
}

// whopOwner checks whose card it is meant to be: the account's, or a user's own.
func (w *World) whopOwner(b *book, f *form) (account string, user *person) {
	account = f.stands("account_id", w.account)
	id := f.text("user_id")
	if account == "" && id == "" {
		f.mistaken("account_id", "or user_id is required")
	}
	if account != "" && account != w.account {
		f.missing()
	}
	return account, w.whopUser(b, f, "user_id")
}

// whopUser is who a field names; nil where it names nobody.
func (w *World) whopUser(b *book, f *form, name string) *person {
	id := f.text(name)
	for _, x := range b.people {
		if id == x.id || placeholder(id) {
			return x
		}
	}
	if id != "" {
		f.missing()
	}
	return nil
}

// whopCreate makes a card for an account or a user. With both, the user is who holds the account's card, as in the sample
// request; with neither an assigned user nor a user, it is the account's first one.
func (w *World) whopCreate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	_, user := w.whopOwner(b, f)
	if assigned := w.whopUser(b, f, "assigned_user_id"); assigned != nil {
		user = assigned
	}
	if user == nil && len(b.people) > 0 {
		user = b.people[0]
	}
	name := f.text("name")
	limits := readWhopLimits(f, nil)
	if f.fault != nil {
		return nil, f.fault
	}
	c := w.issue(schema.Whop, user)
	c.name = name
	w.limitWhop(c, limits)
	return created{w.whopCard(c)}, nil
}

// readWhopLimits reads the limits that a request sets, in dollars. Without a window the one that the card has stays; a new
// card's is monthly, which is not documented.
func readWhopLimits(f *form, has []limit) (limits []limit) {
	word := f.choice("spend_limit_frequency", "daily", "weekly", "monthly", "one_time")
	amount := f.dollars("spend_limit")
	for _, l := range has {
		if l.window != schema.PerEntry && (amount > 0 || word != "") {
			amount, word = cmp.Or(amount, l.amount), cmp.Or(word, l.word)
		}
	}
	if word != "" && amount == 0 {
		f.mistaken("spend_limit", "is required")
	}
	if amount > 0 {
		word = cmp.Or(word, "monthly")
		window := schema.LimitWindow(word)
		if word == "one_time" {
			window = schema.Lifetime
		}
		limits = append(limits, limit{window: window, amount: amount, word: word})
	}
	if amount := f.dollars("transaction_limit"); amount > 0 {
		limits = append(limits, limit{window: schema.PerEntry, amount: amount, word: "per_transaction"})
	}
	return limits
}

// limitWhop gives a card limits. An answer has room for one: the first; the others hold all the same.
func (w *World) limitWhop(c *card, limits []limit) {
	if len(limits) == 0 {
		w.setLimits(c)
		c.silent = nil
		return
	}
	w.setLimits(c, limits[0])
	c.silent = limits[1:]
}

// whopUpdate changes what a request gives: name, address, limits, PIN, frozen or not; or cancels the card for good, which
// goes with nothing else.
func (w *World) whopUpdate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	c := b.named(r.PathValue("id"))
	if c == nil {
		return nil, missing()
	}
	account, user := w.whopOwner(b, f)
	switch {
	case account != "" && user != nil:
		f.wrong("Provide exactly one of account_id and user_id.")
	case user != nil && user != c.holder:
		f.missing()
	case c.status == "canceled":
		f.wrong("The card is canceled.")
	case f.flag("canceled") && len(f.fields) > 2:
		f.wrong("canceled cannot be combined with other fields.")
	case f.has("frozen") && c.status == "invited":
		f.wrong("The card is not issued yet.")
	}
	change := w.readWhopUpdate(c, f)
	if f.fault != nil {
		return nil, f.fault
	}
	change()
	c.updated = w.now
	return w.whopCard(c), nil
}

// readWhopUpdate reads what is to change, and returns what does it.
func (w *World) readWhopUpdate(c *card, f *form) func() {
	name, pin, billing := f.text("name"), f.text("pin"), readBilling(f)
	if f.has("pin") && (len(pin) != 4 || strings.Trim(pin, digits) != "") {
		f.mistaken("pin", "must have four digits")
	}
	unlimited, canceled, freezes, frozen := f.flag("remove_limit"), f.flag("canceled"), f.has("frozen"), f.flag("frozen")
	limits := readWhopLimits(f, c.limits)
	return func() {
		c.name, c.pin = cmp.Or(name, c.name), cmp.Or(pin, c.pin)
		w.keepSecret(betrayals(c)...)
		if billing != nil {
			c.billing = billing
			w.keepSecret(billing["line1"].(string))
		}
		if unlimited || len(limits) > 0 {
			w.limitWhop(c, limits)
		}
		switch {
		case canceled:
			w.setStatus(c, "canceled")
			c.closed = w.now
		case freezes && frozen:
			w.setStatus(c, "frozen")
		case freezes:
			w.setStatus(c, "active")
		}
	}
}

// readBilling reads an address, of which all but the second line is required.
func readBilling(f *form) object {
	if !f.has("billing") {
		return nil
	}
	fields, ok := f.fields["billing"].(object)
	if !ok {
		f.mistaken("billing", "must be an object")
		return nil
	}
	part := &form{fields: fields}
	part.need("line1", "city", "region", "postal_code", "country_code")
	address := object{"line2": text(part.text("line2"))}
	for _, name := range []string{"line1", "city", "region", "postal_code", "country_code"} {
		address[name] = part.text(name)
	}
	if f.fault == nil {
		f.fault = part.fault
	}
	return address
}
