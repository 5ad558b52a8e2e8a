package sandbox

import (
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

// served are all routes of the four APIs, as the README's table writes them: BILL POST /v3/spend/cards.
func served(w *World) []string {
	var routes []string
	for p, table := range w.surfaces() {
		for route := range table {
			routes = append(routes, issuerName(p)+" "+route)
		}
	}
	for route := range w.vault() {
		routes = append(routes, issuerName(schema.Bill)+" "+route)
	}
	return slices.Sorted(slices.Values(routes))
}

func issuerName(p schema.Provider) string {
	return map[schema.Provider]string{schema.Bill: "BILL", schema.Slash: "Slash", schema.Whop: "Whop", schema.Bitnob: "Bitnob"}[p]
}

// tabled are the routes of the README's table, in its order.
func tabled(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## What the sandbox serves\n")
	if !ok {
		t.Fatal("README.md has no section on what the sandbox serves")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var routes []string
	span := regexp.MustCompile("`([A-Z]+ /[^`]*)`")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		for _, m := range span.FindAllStringSubmatch(cells[2], -1) {
			routes = append(routes, strings.TrimSpace(cells[1])+" "+m[1])
		}
	}
	return routes
}

func TestSurface(t *testing.T) {
	t.Run("IsTheTableOfTheReadme", func(t *testing.T) {
		routes := tabled(t)
		if diff := cmp.Diff(served(New(Config{Seed: 1, Cards: 4, Transactions: 10})), slices.Sorted(slices.Values(routes))); diff != "" {
			t.Errorf("served (-) and in the README (+):\n%s", diff)
		}
	})
	t.Run("AnswersEachRequestOverHTTP", func(t *testing.T) {
		w := New(Config{Seed: 1})
		c := newClient(t, w)
		for _, step := range steps(c) {
			method, path, _ := strings.Cut(step.route, " ")
			if r := c.send(method, step.provider, path, step.body); r.status < 200 || r.status > 299 {
				t.Errorf("%s %s: status %d: %s", step.provider, step.route, r.status, r.raw)
			}
			if err := w.Advance(time.Hour); err != nil { // what one begins is done before the next
				t.Fatal(err)
			}
		}
		token := str(c.get(schema.Bill, "/v3/spend/cards/{card_id}/pan-jwt"), "token")
		if r := c.post(c.url+"/bill/de/rest/pan", http.Header{}, `{"token":"`+token+`"}`); r.status != http.StatusOK {
			t.Errorf("the exchange of a token: %d", r.status)
		}
		asked := map[string]bool{}
		for request := range w.Requests() {
			asked[issuerName(request.Provider)+" "+request.Method+" "+request.Path] = true
		}
		if diff := cmp.Diff(served(w), slices.Sorted(maps.Keys(asked))); diff != "" {
			t.Errorf("served (-) and asked for here (+):\n%s", diff)
		}
	})
}

type step struct {
	provider schema.Provider
	route    string // with ids in the place of names
	body     string
}

// steps ask for every route once, in an order in which each can succeed.
func steps(c *client) []step {
	id := func(p schema.Provider, path string, parameters ...string) string {
		return url.PathEscape(str(c.walk(p, path, parameters...)[0], "id"))
	}
	w := c.world
	bill, budget := "/v3/spend/cards/"+id(schema.Bill, "/v3/spend/cards"), "/v3/spend/budgets/"+id(schema.Bill, "/v3/spend/budgets")
	slash, group, account := "/card/"+id(schema.Slash, "/card"), "/card-group/cg_ops", "/account/"+w.slashAccount()
	whop := "/cards/" + id(schema.Whop, "/cards", "account_id", w.Account())
	bitnob, user := id(schema.Bitnob, "/virtualcards/cards"), id(schema.Bitnob, "/virtualcards/users")
	card, limit := `{"cardId":"<string>"`, `{"spendingRule":{"transactionSizeLimit":{"maximum":{"amountCents":99}}}}`
	return []step{
		{schema.Bill, "POST /v3/spend/cards", `{"name":"x","userId":"{user_id}","budgetId":"{budget_id}","limit":"10"}`},
		{schema.Bill, "GET /v3/spend/cards", ""},
		{schema.Bill, "GET " + bill, ""},
		{schema.Bill, "POST " + bill + "/freeze", ""},
		{schema.Bill, "POST " + bill + "/unfreeze", ""},
		{schema.Bill, "POST " + bill + "/pan-jwt", ""},
		{schema.Bill, "GET /v3/spend/budgets", ""},
		{schema.Bill, "GET " + budget, ""},
		{schema.Bill, "GET " + budget + "/members", ""},
		{schema.Bill, "GET /v3/spend/users", ""},
		{schema.Bill, "GET /v3/spend/users/current", ""},
		{schema.Bill, "GET /v3/spend/transactions", ""},
		{schema.Bill, "GET /v3/spend/transactions/" + id(schema.Bill, "/v3/spend/transactions"), ""},
		{schema.Slash, "POST /card", `{"type":"virtual","name":"x"}`},
		{schema.Slash, "GET /card", ""},
		{schema.Slash, "GET " + slash, ""},
		{schema.Slash, "PATCH " + slash, `{"name":"y"}`},
		{schema.Slash, "PATCH " + slash + "/spending-constraint", limit},
		{schema.Slash, "PUT " + slash + "/spending-constraint", limit},
		{schema.Slash, "GET " + slash + "/utilization", ""},
		{schema.Slash, "GET /card-group", ""},
		{schema.Slash, "POST /card-group", `{"name":"x"}`},
		{schema.Slash, "GET " + group, ""},
		{schema.Slash, "PATCH " + group, `{"name":"y"}`},
		{schema.Slash, "PATCH " + group + "/spending-constraint", limit},
		{schema.Slash, "PUT " + group + "/spending-constraint", limit},
		{schema.Slash, "GET " + group + "/utilization", ""},
		{schema.Slash, "GET /account", ""},
		{schema.Slash, "GET " + account, ""},
		{schema.Slash, "GET " + account + "/balance", ""},
		{schema.Slash, "GET /legal-entity", ""},
		{schema.Slash, "GET /transaction", ""},
		{schema.Slash, "GET /transaction/" + id(schema.Slash, "/transaction"), ""},
		{schema.Slash, "GET /transaction/aggregation", ""},
		{schema.Whop, "POST /cards", `{"account_id":"<string>"}`},
		{schema.Whop, "PATCH " + whop, `{"account_id":"<string>","name":"x"}`},
		{schema.Whop, "GET /cards?account_id=" + w.Account(), ""},
		{schema.Whop, "GET " + whop, ""},
		{schema.Whop, "GET /card_transactions", ""},
		{schema.Whop, "GET /card_transactions/" + id(schema.Whop, "/card_transactions"), ""},
		{schema.Bitnob, "GET /virtualcards/cards", ""},
		{schema.Bitnob, "GET /virtualcards/cards/" + bitnob, ""},
		{schema.Bitnob, "GET /virtualcards/card/" + bitnob, ""},
		{schema.Bitnob, "GET /virtualcards/users", ""},
		{schema.Bitnob, "GET /virtualcards/users/" + user, ""},
		{schema.Bitnob, "GET /virtualcards/cards/" + bitnob + "/transactions", ""},
		{schema.Bitnob, "GET /virtualcards/cards/transactions", ""},
		{schema.Bitnob, "GET /virtualcards/transactions", ""},
		{schema.Bitnob, "GET /virtualcards/transactions/" + bitnob, ""},
		{schema.Bitnob, "POST /virtualcards/registercarduser", `{"customerReference":"x","idNumber":"1","idType":"PASSPORT","firstName":"x",
			"lastName":"x","country":"Kenya","phoneNumber":"1","city":"x","state":"x","zipCode":"1","line1":"x","houseName":"1","userPhoto":"x","idImage":"x"}`},
		{schema.Bitnob, "PUT /virtualcards/users/" + user, `{"city":"y"}`},
		{schema.Bitnob, "POST /virtualcards/create", `{"customerReference":"x","cardBrand":"visa","cardType":"virtual","reference":"r1","amount":100}`},
		{schema.Bitnob, "POST /virtualcards/createcard", `{"customerReference":"x","cardBrand":"visa","cardType":"virtual","reference":"r2","amount":100}`},
		{schema.Bitnob, "POST /virtualcards/topup", card + `,"amount":1000,"reference":"r3"}`},
		{schema.Bitnob, "POST /virtualcards/withdraw", card + `,"amount":100,"reference":"r4"}`},
		{schema.Bitnob, "POST /virtualcards/mock-transaction", card + `,"amount":"100","type":"deduct"}`},
		{schema.Bitnob, "POST /virtualcards/freeze", card + `}`},
		{schema.Bitnob, "POST /virtualcards/unfreeze", card + `}`},
		{schema.Bitnob, "POST /virtualcards/enable-airline-payment", card + `,"isAirlinePaymentEnabled":true}`},
		{schema.Bitnob, "POST /virtualcards/terminate", card + `}`},
	}
}
