package sandbox

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tieout/tieout/schema"
)

// whopVersions are the values of Api-Version-Date; the first is the original shape (Whop docs: API versioning).
func whopVersions() []string {
	return []string{"2025-01-01", "2026-06-09", "2026-07-08-1", "2026-07-29", "2026-08-21-1", "2026-09-23", "2026-10-07-2"}
}

const whopCursor, whopCursorEnd = `["cursor",`, `]`

// whopAnswerer is an answerer that is told whether the original shape is wanted.
type whopAnswerer func(r *http.Request, original bool) (any, *problem)

func (w *World) whop() map[string]answerer {
	b := w.books[schema.Whop]
	table := w.whopOperations(b)
	maps.Copy(table, map[string]whopAnswerer{
		"GET /cards": func(r *http.Request, _ bool) (any, *problem) { return w.whopCards(b, r) },
		"GET /cards/{id}": func(r *http.Request, _ bool) (any, *problem) {
			c := b.named(r.PathValue("id"))
			if c == nil {
				return nil, missing()
			}
			o := w.whopCard(c)
			o["secrets"] = nil
			if c.status == "active" { // without being asked
				o["secrets"] = object{"card_number": c.pan, "cvc": c.cvv, "name_on_card": c.holder.first + " " + c.holder.last, "pin": c.pin}
			}
			return o, nil
		},
		"GET /card_transactions": func(r *http.Request, original bool) (any, *problem) { return w.whopTransactions(b, r, original) },
		"GET /card_transactions/{id}": func(r *http.Request, original bool) (any, *problem) {
			if x := b.rowByID[r.PathValue("id")]; x != nil {
				return x.whop(original), nil
			}
			return nil, missing()
		},
	})
	routes := map[string]answerer{}
	for path, answer := range table {
		routes[path] = func(r *http.Request) (any, *problem) {
			version := r.Header.Get("Api-Version-Date")
			if version != "" && !slices.Contains(whopVersions(), version) {
				return nil, bad("Unrecognized Api-Version-Date. Supported versions: " + strings.Join(whopVersions(), ", "))
			}
			return answer(r, version == "" || version == whopVersions()[0])
		}
	}
	return routes
}

// whopCards is all cards of an owner on one page.
func (w *World) whopCards(b *book, r *http.Request) (any, *problem) {
	q := r.URL.Query()
	account, user := q.Get("account_id"), q.Get("user_id")
	if (account == "") == (user == "") {
		return nil, bad("Provide exactly one of account_id and user_id.")
	}
	list := slices.DeleteFunc(slices.Clone(b.cards), func(c *card) bool {
		return account != "" && account != w.account || user != "" && user != c.holder.id
	})
	if len(list) == 0 && account != w.account {
		return nil, missing() // no ledger is visible for that owner
	}
	return object{"data": each(list, func(c *card) any { return w.whopCard(c) })}, nil
}

func (w *World) whopCard(c *card) object {
	o := object{
		"object": "card", "id": c.id, "name": text(c.name), "type": c.kind, "status": c.status, "last4": c.last4(),
		"expiration_month": "12", "expiration_year": "2029", "user_id": c.holder.id, "spent_last_month": w.figure(c), "limit": nil,
		"billing":    c.billing,
		"created_at": c.created.text(), "canceled_at": shown(c.closed),
	}
	if c.billing == nil {
		o["billing"] = object{
			"line1": c.holder.street, "line2": nil, "city": "New York", "region": "NY", "postal_code": "10012", "country_code": "US",
		}
	}
	if c.noFigure {
		o["spent_last_month"] = nil
	}
	if c.status == "invited" {
		o["last4"], o["expiration_month"], o["expiration_year"] = nil, nil, nil
	}
	if len(c.limits) > 0 {
		o["limit"] = object{"amount": short(c.limits[0].amount), "frequency": c.limits[0].word}
	}
	return o
}

// values reads a parameter that takes several values: repeated, with or without brackets, or separated by commas.
func values(r *http.Request, name string) (list []string) {
	q := r.URL.Query()
	for _, v := range slices.Concat(q[name], q[name+"[]"]) {
		list = append(list, strings.Split(v, ",")...)
	}
	return list
}

func (w *World) whopTransactions(b *book, r *http.Request, original bool) (any, *problem) {
	q := r.URL.Query()
	owner := q.Get("account_id")
	if original {
		if owner == "" {
			owner = q.Get("company_id")
		}
		if owner == "" {
			body := object{"error": object{"code": "invalid_request", "message": "Missing required parameter: company_id"}}
			return nil, &problem{status: http.StatusBadRequest, body: body}
		}
	}
	if differs(owner, w.account) {
		return nil, missing()
	}
	list, fault := b.whopPick(r, original)
	if fault != nil {
		return nil, fault
	}
	first, fault := number(r, "first", 20, 1, 100)
	if fault != nil {
		return nil, fault
	}
	last, fault := number(r, "last", 0, 1, 100)
	if fault != nil {
		return nil, fault
	}
	from, to := 0, len(list)
	for name, set := range map[string]func(int){"after": func(n int) { from = min(n+1, len(list)) }, "before": func(n int) { to = min(n, len(list)) }} {
		if cursor := q.Get(name); cursor != "" {
			n, ok := decodeCursor(whopCursor, cursor, whopCursorEnd)
			if !ok {
				return nil, bad(name + " is not a cursor.")
			}
			set(n)
		}
	}
	from = min(from, to)
	if last > 0 && q.Get("first") == "" {
		from = max(from, to-last)
	} else {
		to = min(to, from+first)
		if last > 0 {
			from = max(from, to-last)
		}
	}
	info := object{"start_cursor": nil, "end_cursor": nil, "has_next_page": to < len(list), "has_previous_page": from > 0}
	if from < to {
		info["start_cursor"] = encodeCursor(whopCursor, from, whopCursorEnd)
		info["end_cursor"] = encodeCursor(whopCursor, to-1, whopCursorEnd)
	}
	return object{"data": each(list[from:to], func(x *row) any { return x.whop(original) }), "page_info": info}, nil
}

// whopPick filters the transactions by the time of authorization, both ends included; in the original shape, where that is
// not documented, both ends excluded.
func (b *book) whopPick(r *http.Request, original bool) ([]*row, *problem) {
	q := r.URL.Query()
	status, fault := choice(r, "status", "pending", "completed", "reversed", "declined")
	if fault != nil {
		return nil, fault
	}
	if _, fault := choice(r, "order", "created_at"); fault != nil {
		return nil, fault
	}
	direction, fault := choice(r, "direction", "asc", "desc")
	if fault != nil {
		return nil, fault
	}
	at := map[string]instant{}
	for _, name := range [2]string{"created_after", "created_before"} {
		if q.Get(name) == "" {
			continue
		}
		t, ok := readTime(q.Get(name))
		if !ok {
			return nil, bad(name + " must be an ISO 8601 timestamp.")
		}
		at[name] = t
	}
	after, bounded := at["created_after"]
	before, ends := at["created_before"]
	if original {
		after, before = after+1, before-1
	}
	cards, holders, ids := values(r, "card_id"), values(r, "cardholder_id"), values(r, "transaction_ids")
	if original {
		holders, ids = nil, nil // it does not know them
	}
	for _, id := range ids {
		if !strings.HasPrefix(id, "citx_") {
			return nil, bad("transaction_ids: " + strconv.Quote(id) + " is not a card transaction id.")
		}
	}
	among := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	arrange := newestFirst
	if direction == "asc" {
		arrange = oldestFirst
	}
	key := strings.Join([]string{
		status, direction, q.Get("created_after"), q.Get("created_before"), strings.Join(cards, ","), strings.Join(holders, ","),
		strings.Join(ids, ","), strconv.FormatBool(original),
	}, "\x00")
	return b.pick(key, func(x *row) bool {
		return !differs(status, x.word) && (!bounded || x.occurred >= after) && (!ends || x.occurred <= before) &&
			among(cards, x.card.id) && among(holders, x.card.holder.id) && among(ids, x.id)
	}, arrange), nil
}

type whopRow struct {
	ID              string      `json:"id"`
	CardID          string      `json:"card_id"`
	CardholderID    *string     `json:"cardholder_id,omitempty"` // not in the original shape
	Status          string      `json:"status"`
	TransactionType string      `json:"transaction_type"`
	USDAmount       json.Number `json:"usd_amount"`
	LocalAmount     json.Number `json:"local_amount"`
	Currency        string      `json:"currency"`
	International   bool        `json:"international"`
	MerchantName    string      `json:"merchant_name"`
	MerchantIcon    any         `json:"merchant_icon_url"`
	Category        string      `json:"merchant_category"`
	CategoryCode    string      `json:"merchant_category_code"`
	DeclinedReason  any         `json:"declined_reason"`
	Cashback        json.Number `json:"cashback_usd_amount"`
	CreatedAt       string      `json:"created_at"`
	PostedAt        any         `json:"posted_at"`
	Method          string      `json:"authorization_method,omitempty"` // the original shape only
	Memo            string      `json:"memo,omitempty"`                 // the original shape only
}

func (r *row) whop(original bool) any {
	m := r.merchant
	o := whopRow{
		ID: r.id, CardID: r.card.id, Status: r.word, TransactionType: "spend", USDAmount: short(-r.amount), LocalAmount: short(-r.amount),
		Currency: "USD", International: m.country != "US", MerchantName: m.name, Category: m.category, CategoryCode: m.mcc,
		Cashback: "0", CreatedAt: r.occurred.text(), PostedAt: shown(r.posted),
	}
	if r.foreign != 0 {
		foreign := r.foreign
		if r.amount > 0 {
			foreign = -foreign
		}
		o.LocalAmount, o.Currency = json.Number(trim(m.foreignText(foreign))), m.currency
	}
	switch r.status {
	case schema.Declined:
		o.DeclinedReason = cmp.Or(r.reason, lacksFunds)
	case schema.Posted:
		o.Cashback = short(max(0, -r.amount/100))
	}
	if original {
		o.Method, o.Memo = "ecommerce", "Team dinner"
	} else {
		o.CardholderID = &r.card.holder.id
	}
	return o
}
