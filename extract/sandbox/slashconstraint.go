package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	"github.com/tieout/tieout/schema"
)

// constraint is a Slash spendingConstraint: the limits that it sets, and the rules on merchants and countries, which are
// kept and shown but do not decline anything.
type constraint struct {
	limits []limit
	legacy *limit // utilizationLimit beside a utilizationLimitV2, which counts alone
	v1     bool   // the limit stands in utilizationLimit alone
	rules  object
}

func ruleNames() []string {
	return []string{"merchantCategoryRule", "merchantRule", "countryRule", "merchantCategoryCodeRule"}
}

// readConstraint reads a spendingConstraint. Its faults are noted in the form that it stands in.
func (w *World) readConstraint(f *form) (c constraint) {
	for _, name := range ruleNames() {
		rule := f.inside(name)
		if rule == nil {
			continue
		}
		rule.need("restriction")
		rule.choice("restriction", "allowlist", "blacklist")
		f.take(name, rule)
		if c.rules == nil {
			c.rules = object{}
		}
		c.rules[name] = f.fields[name]
	}
	rule := f.inside("spendingRule")
	if rule == nil {
		return c
	}
	one := w.readLimit(rule, "utilizationLimit")
	for _, item := range rule.list("utilizationLimitV2") {
		several := &form{fields: object{"item": item}}
		if l := w.readLimit(several, "item"); l != nil {
			c.limits = append(c.limits, *l)
		}
		rule.take("utilizationLimitV2", several)
	}
	switch {
	case len(c.limits) > 0:
		c.legacy = one
	case one != nil:
		c.limits, c.v1 = []limit{*one}, true
	}
	if size := rule.inside("transactionSizeLimit"); size != nil {
		for _, edge := range []struct {
			name   string
			window schema.LimitWindow
		}{{"minimum", schema.PerEntryMin}, {"maximum", schema.PerEntry}} {
			if size.has(edge.name) {
				c.limits = append(c.limits, limit{window: edge.window, amount: size.money(edge.name)})
			}
		}
		rule.take("transactionSizeLimit", size)
	}
	f.take("spendingRule", rule)
	return c
}

// readLimit reads a limit over a window; nil where there is none. What documents write in the place of a zone or a date
// says nothing.
func (w *World) readLimit(f *form, name string) *limit {
	in := f.inside(name)
	if in == nil {
		return nil
	}
	in.need("limitAmount", "preset")
	l := &limit{amount: in.money("limitAmount"), window: schema.LimitWindow(in.choice("preset", "daily", "weekly", "monthly", "yearly", "collective"))}
	if l.window == "collective" {
		l.window = schema.Lifetime
	}
	if zone := in.stands("timezone", ""); zone != "" {
		var err error
		if l.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			in.wrong("timezone must be an IANA time zone")
		}
	}
	if l.start = in.stands("startDate", ""); l.start != "" {
		begin, err := time.ParseInLocation(time.DateOnly, l.start, l.location())
		if err != nil || instantOf(begin) > w.now {
			in.wrong("startDate must be today or a past day, as YYYY-MM-DD")
		}
	}
	f.take(name, in)
	return l
}

// money is a field {"amountCents": n}.
func (f *form) money(name string) int64 {
	in := f.inside(name)
	if in == nil {
		return 0
	}
	in.need("amountCents")
	n := in.cents("amountCents")
	f.take(name, in)
	return n
}

// inside is an object in a field; nil where there is none.
func (f *form) inside(name string) *form {
	fields, ok := f.fields[name].(object)
	switch {
	case ok:
		return &form{fields: fields}
	case f.has(name):
		f.wrong(name + " must be an object")
	}
	return nil
}

// take notes the fault of a form that stands in a field.
func (f *form) take(name string, inner *form) {
	if inner.fault != nil {
		f.wrong(name + "." + inner.fault.message)
	}
}

// list is an array; empty where there is none.
func (f *form) list(name string) []any {
	items, ok := f.fields[name].([]any)
	if f.has(name) && !ok {
		f.wrong(name + " must be an array")
	}
	return items
}

// given says whether a field is there, be it null.
func (f *form) given(name string) bool {
	_, ok := f.fields[name]
	return ok
}

// show is the constraint as the reads show it; nil where there is nothing to show.
func (c constraint) show() object {
	rule, several, sizes := object{}, []object{}, object{}
	for _, l := range c.limits {
		switch l.window {
		case schema.PerEntry:
			sizes["maximum"] = cents(l.amount)
		case schema.PerEntryMin:
			sizes["minimum"] = cents(l.amount)
		default:
			several = append(several, l.slash())
		}
	}
	switch {
	case c.v1 && len(several) == 1:
		rule["utilizationLimit"] = several[0]
	case len(several) > 0:
		rule["utilizationLimitV2"] = several
	}
	if c.legacy != nil {
		rule["utilizationLimit"] = c.legacy.slash()
	}
	if len(sizes) > 0 {
		rule["transactionSizeLimit"] = sizes
	}
	if len(rule)+len(c.rules) == 0 {
		return nil
	}
	o := object{"merchantRule": nil}
	maps.Copy(o, c.rules)
	if len(rule) > 0 {
		o["spendingRule"] = rule
	}
	return o
}

// changed is a constraint after a partial update: what the update says replaces what was there, field by field, and null
// takes a field away (Slash OpenAPI: PATCH spending-constraint).
func (w *World) changed(c constraint, f *form) constraint {
	merged := &form{fields: merge(plain(c.show()), f.fields)}
	next := w.readConstraint(merged)
	if f.fault == nil {
		f.fault = merged.fault
	}
	return next
}

func merge(into, update object) object {
	for name, value := range update {
		was, isObject := into[name].(object)
		change, changes := value.(object)
		switch {
		case value == nil:
			delete(into, name)
		case isObject && changes:
			into[name] = merge(was, change)
		default:
			into[name] = value
		}
	}
	return into
}

// plain is a value as it is read back from its JSON, so that nothing of the world is changed with it.
func plain(o object) object {
	text, _ := json.Marshal(o) // made of texts, numbers and objects
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	read := object{}
	if o != nil {
		_ = decoder.Decode(&read)
	}
	return read
}
