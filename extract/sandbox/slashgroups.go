package sandbox

import (
	"cmp"
	"net/http"
	"slices"
)

// group is a Slash card group, which may have a constraint of its own that all its cards spend against.
type group struct {
	id, name string
	created  instant
	held     constraint
}

// inGroup is the card's group, or one without id and name.
func (c *card) inGroup() *group {
	if c.group == nil {
		return &group{}
	}
	return c.group
}

// whole is a group as if it were one card: with the rows of all its cards, and its own limits.
func (g *group) whole(b *book) *card {
	all := &card{book: b, created: g.created, limits: g.held.limits}
	for _, c := range b.cards {
		if c.group == g {
			all.rows = append(all.rows, c.rows...)
		}
	}
	return all
}

func (b *book) groupByID(id string) *group {
	i := slices.IndexFunc(b.groups, func(g *group) bool { return g.id == id })
	if i < 0 {
		return nil
	}
	return b.groups[i]
}

// slashGroups are the operations on card groups (Slash OpenAPI).
func (w *World) slashGroups(b *book) map[string]answerer {
	of := func(answer func(*group, *form) any) answerer {
		return func(r *http.Request) (any, *problem) {
			g := b.groupByID(r.PathValue("id"))
			if g == nil {
				return nil, missing()
			}
			f := readForm(r)
			body := answer(g, f)
			if f.fault != nil {
				return nil, f.fault
			}
			return body, nil
		}
	}
	hold := func(g *group, f *form, next constraint) any {
		if f.fault != nil {
			return nil
		}
		g.held = next
		return shownOr(next)
	}
	return map[string]answerer{
		"GET /card-group": func(r *http.Request) (any, *problem) { return w.slashGroupList(b, r) },
		"POST /card-group": func(r *http.Request) (any, *problem) {
			f := readForm(r)
			f.need("name")
			name, held := f.text("name"), w.constraintIn(f)
			if f.fault != nil {
				return nil, f.fault
			}
			g := &group{id: "cg_" + w.draw().code(base62, 20), name: name, created: w.now, held: held}
			b.groups = append(b.groups, g)
			return g.slash(), nil
		},
		"GET /card-group/{id}": of(func(g *group, _ *form) any { return g.slash() }),
		"PATCH /card-group/{id}": of(func(g *group, f *form) any {
			name, held := f.text("name"), w.constraintIn(f)
			if f.fault != nil {
				return nil
			}
			g.name = cmp.Or(name, g.name)
			if f.given("spendingConstraint") {
				g.held = held
			}
			return g.slash()
		}),
		"GET /card-group/{id}/utilization": of(func(g *group, _ *form) any { return w.slashUtilization(g.whole(b)) }),
		"PATCH /card-group/{id}/spending-constraint": of(func(g *group, f *form) any {
			return hold(g, f, w.changed(g.held, f))
		}),
		"PUT /card-group/{id}/spending-constraint": of(func(g *group, f *form) any {
			return hold(g, f, w.readConstraint(f))
		}),
	}
}

func (w *World) slashGroupList(b *book, r *http.Request) (any, *problem) {
	status, fault := choice(r, "filter:status", "active", "archived")
	if fault != nil {
		return nil, fault
	}
	q := r.URL.Query()
	list := slices.DeleteFunc(slices.Clone(b.groups), func(g *group) bool {
		return status == "archived" || differs(q.Get("filter:name"), g.name) || q.Get("filter:virtualAccountId") != ""
	})
	return slashList(r, list, func(g *group) any { return g.slash() })
}

func (g *group) slash() object {
	o := object{"id": g.id, "name": g.name}
	if shown := g.held.show(); shown != nil {
		o["spendingConstraint"] = shown
	}
	return o
}
