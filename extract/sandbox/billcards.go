package sandbox

import (
	"cmp"
	"net/http"

	"github.com/tieout/tieout/schema"
)

// frozen is BILL's word for a card that may not spend for now.
const frozen = "FROZEN"

// billOperations are what BILL's documents let a client do with cards (BILL docs: Spend & Expense API cards). Its pan-jwt is
// a GET in the text and a POST in the sample request.
func (w *World) billOperations(b *book) map[string]answerer {
	of := func(answer func(*card) (any, *problem)) answerer {
		return func(r *http.Request) (any, *problem) {
			if c := b.named(r.PathValue("id")); c != nil {
				return answer(c)
			}
			return nil, missing()
		}
	}
	token := of(func(c *card) (any, *problem) { return object{"token": w.giveToken(c)}, nil })
	return map[string]answerer{
		"POST /v3/spend/cards":               func(r *http.Request) (any, *problem) { return w.billCreate(b, r) },
		"POST /v3/spend/cards/{id}/freeze":   of(func(c *card) (any, *problem) { return w.billFreeze(c), nil }),
		"POST /v3/spend/cards/{id}/unfreeze": of(func(c *card) (any, *problem) { return w.billUnfreeze(c), nil }),
		"GET /v3/spend/cards/{id}/pan-jwt":   token,
		"POST /v3/spend/cards/{id}/pan-jwt":  token,
	}
}

// named finds a card by either id. What documents write in the place of an id is the card that was issued last.
func (b *book) named(id string) *card {
	if placeholder(id) && len(b.cards) > 0 {
		return b.cards[len(b.cards)-1]
	}
	return b.cardByID[id]
}

// billCreate issues a card to a user of a budget. As in the provider's own sandbox it is frozen; without a word on its type
// it is a vendor card. The limit is dollars, as a number or as text; a card that shares its budget's funds has none.
func (w *World) billCreate(b *book, r *http.Request) (any, *problem) {
	f := readForm(r)
	f.need("name", "userId", "budgetId")
	name, kind := f.text("name"), f.choice("type", "VIRTUAL_MEMBER", "VIRTUAL_VENDOR")
	share, recurring := f.flag("shareBudgetFunds"), f.flag("recurring")
	amount := f.dollars("limit")
	if !share {
		f.need("limit")
	}
	holder, budget := b.user(f.text("userId")), b.budget(f.text("budgetId"))
	if holder == nil {
		f.wrong("userId: there is no such user")
	}
	if budget == nil || budget.retired {
		f.wrong("budgetId: there is no such budget")
	}
	if f.fault != nil {
		return nil, f.fault
	}
	c := w.issue(schema.Bill, holder)
	c.name, c.kind, c.budget, c.share, c.once = name, cmp.Or(kind, "VIRTUAL_VENDOR"), budget, share, !recurring
	c.before = c.status
	w.setStatus(c, frozen)
	if !share {
		w.setLimits(c, limit{window: schema.BudgetPeriod, amount: amount, zone: budget.zone})
	}
	return w.billCard(c), nil
}

// user finds a user by either id; what documents write in its place is the oldest one.
func (b *book) user(id string) *person {
	for _, x := range b.people {
		if id == x.id || id == x.uuid || placeholder(id) {
			return x
		}
	}
	return nil
}

// budget finds a budget by either id; what documents write in its place is the first one that has a current period.
func (b *book) budget(id string) *budget {
	for _, g := range b.budgets {
		if id == g.id || id == g.uuid || placeholder(id) && g.start != "" && !g.retired {
			return g
		}
	}
	return nil
}

func (w *World) billFreeze(c *card) any {
	if c.status != frozen {
		c.before = c.status
		w.setStatus(c, frozen)
	}
	return w.billCard(c)
}

// billUnfreeze gives a card the status back that it had before it was frozen.
func (w *World) billUnfreeze(c *card) any {
	if c.status == frozen {
		w.setStatus(c, cmp.Or(c.before, "ACTIVATED"))
	}
	return w.billCard(c)
}
