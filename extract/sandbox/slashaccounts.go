package sandbox

import (
	"net/http"

	"github.com/tieout/tieout/schema"
)

// account is the one account of the Slash legal entity, which all cards are of.
type account struct {
	number, routing string
	line            int64 // what may be owed, in cents
}

// openAccount draws the account's numbers.
func (w *World) openAccount() {
	d := w.dice("slash account")
	w.bank = account{number: d.code(digits, 12), routing: d.code(digits, 9), line: 50_000_000}
	w.keepSecret(w.bank.number, w.bank.routing)
}

func (w *World) slashAccount() string { return "acc_" + w.entity[3:] }

// slashAccounts are the reads of accounts and of the legal entity (Slash OpenAPI).
func (w *World) slashAccounts(b *book) map[string]answerer {
	mine := func(answer func() any) answerer {
		return func(r *http.Request) (any, *problem) {
			if r.PathValue("id") != w.slashAccount() {
				return nil, missing()
			}
			return answer(), nil
		}
	}
	show := func() any {
		return object{
			"id": w.slashAccount(), "status": "open", "name": "Cards", "accountNumber": w.bank.number,
			"routingNumber": w.bank.routing, "createdAt": w.start.text(), "type": "charge_card", "balances": []string{"cash", "credit"},
		}
	}
	return map[string]answerer{
		"GET /legal-entity": func(r *http.Request) (any, *problem) {
			return slashList(r, []string{w.entity}, func(id string) any {
				return object{"id": id, "name": "Sandbox Inc.", "structure": "ccorp"}
			})
		},
		"GET /account": func(r *http.Request) (any, *problem) {
			list := []any{show()}
			if differs(r.URL.Query().Get("filter:legalEntityId"), w.entity) {
				list = nil
			}
			return slashList(r, list, func(x any) any { return x })
		},
		"GET /account/{id}":         mine(show),
		"GET /account/{id}/balance": mine(func() any { return w.slashBalance(b) }),
	}
}

// slashBalance is what the account owes for everything that its rows say, and what is left of its line.
func (w *World) slashBalance(b *book) any {
	var posted, pending int64
	for _, r := range b.rows {
		switch r.status {
		case schema.Posted:
			posted += r.amount
		case schema.Pending:
			pending += r.amount
		}
	}
	balance := func(kind string, available, posted int64) object {
		return object{
			"accountId": w.slashAccount(), "type": kind, "available": cents(available), "posted": cents(posted), "timestamp": w.now.text(),
		}
	}
	return object{"balances": []object{
		balance("cash", 0, 0), balance("credit", max(0, w.bank.line+posted+pending), posted),
	}}
}
