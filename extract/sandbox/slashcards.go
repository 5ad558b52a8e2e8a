package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/tieout/tieout/schema"
)

// userDataBound is how many bytes of JSON can be attached to a card (Slash docs: "cannot exceed 4kb").
const userDataBound = 4 << 10

// slashOperations are what Slash lets a client do with cards (Slash docs: Create a card; OpenAPI).
func (w *World) slashOperations(b *book) map[string]answerer {
	change := func(answer func(*card, *form) any) answerer {
		return func(r *http.Request) (any, *problem) {
			c := b.cardByID[r.PathValue("id")]
			if c == nil {
				return nil, missing()
			}
			f := readForm(r)
			body := answer(c, f)
			if f.fault != nil {
				return nil, f.fault
			}
			return body, nil
		}
	}
	return map[string]answerer{
		"POST /card":       func(r *http.Request) (any, *problem) { return w.slashCreate(b, r) },
		"PATCH /card/{id}": change(func(c *card, f *form) any { return w.slashUpdate(b, c, f) }),
		"PATCH /card/{id}/spending-constraint": change(func(c *card, f *form) any {
			return w.constrain(c, f, w.changed(c.constraint(), f))
		}),
		"PUT /card/{id}/spending-constraint": change(func(c *card, f *form) any {
			return w.constrain(c, f, w.readConstraint(f))
		}),
	}
}

// slashCreate issues a virtual card. It belongs to nobody by name; its number is told only to who asks for the one card
// with include_pan.
func (w *World) slashCreate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	f.need("type", "name")
	f.choice("type", "virtual")
	name, single := f.text("name"), f.flag("isSingleUse")
	if account := f.stands("accountId", w.slashAccount()); account != "" && account != w.slashAccount() {
		f.wrong("accountId: there is no such account")
	}
	limits := w.constraintIn(f)
	group := b.groupIn(f)
	data, avs := userDataIn(f), f.inside("avsAddress")
	if f.fault != nil {
		return nil, f.fault
	}
	c := w.issue(schema.Slash, nil)
	c.name, c.single, c.group, c.userData = name, single, group, data
	if avs != nil {
		c.avs = avs.fields
	}
	w.hold(c, limits)
	return created{w.slashCard(c)}, nil
}

// slashUpdate changes what the request names, and takes away what it names as null. A closed card stays closed.
func (w *World) slashUpdate(b *book, c *card, f *form) any {
	name, status := f.text("name"), f.choice("status", "active", "paused", "inactive", "closed")
	limits, group, data := w.constraintIn(f), b.groupIn(f), userDataIn(f)
	if status != "" && c.status == "closed" && status != "closed" {
		f.wrong("status: a closed card stays closed")
	}
	if f.fault != nil {
		return nil
	}
	if f.given("spendingConstraint") {
		w.hold(c, limits)
	}
	if f.given("cardGroupId") {
		c.group = group
	}
	if f.given("userData") {
		c.userData = data
	}
	if name != "" {
		c.name = name
	}
	if status != "" {
		w.setStatus(c, status)
	}
	return w.slashCard(c)
}

// constrain sets what a request says is the card's constraint, and shows it.
func (w *World) constrain(c *card, f *form, next constraint) any {
	if f.fault != nil {
		return nil
	}
	w.hold(c, next)
	return shownOr(next)
}

func shownOr(c constraint) object {
	if o := c.show(); o != nil {
		return o
	}
	return object{}
}

func (c *card) constraint() constraint {
	return constraint{limits: c.limits, legacy: c.legacy, v1: c.v1, rules: c.rules}
}

// hold makes a constraint the card's from now on.
func (w *World) hold(c *card, to constraint) {
	w.setLimits(c, to.limits...)
	c.legacy, c.v1, c.rules = to.legacy, to.v1, to.rules
}

// constraintIn reads the field spendingConstraint.
func (w *World) constraintIn(f *form) (c constraint) {
	if in := f.inside("spendingConstraint"); in != nil {
		c = w.readConstraint(in)
		f.take("spendingConstraint", in)
	}
	return c
}

// groupIn reads the field cardGroupId; nil where there is none.
func (b *book) groupIn(f *form) *group {
	id := f.stands("cardGroupId", "")
	if id == "" {
		return nil
	}
	g := b.groupByID(id)
	if g == nil {
		f.wrong("cardGroupId: there is no such card group")
	}
	return g
}

// userDataIn reads the field userData; nil where there is none.
func userDataIn(f *form) object {
	in := f.inside("userData")
	if in == nil {
		return nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(in.fields); err != nil || len(bytes.TrimSpace(text.Bytes())) > userDataBound {
		f.wrong("userData must not exceed 4kb")
	}
	return in.fields
}
