package sandbox

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tieout/tieout/schema"
)

func (w *World) bitnob() map[string]answerer {
	b := w.books[schema.Bitnob]
	show := func(r *http.Request) (any, *problem) {
		if c := b.named(r.PathValue("id")); c != nil {
			return bitnobData(c.bitnobFull(w.figure(c))), nil
		}
		return nil, missing()
	}
	ofCard := func(r *http.Request) (any, *problem) {
		c := b.named(r.PathValue("id"))
		if c == nil {
			return nil, missing()
		}
		rows := b.pick(c.id, func(x *row) bool { return x.card == c }, oldestFirst)
		return bitnobPage(r, "cardTransactions", rows, func(x *row) any { return x.bitnob() })
	}
	all := func(r *http.Request) (any, *problem) {
		return bitnobPage(r, "cardTransactions", b.rows, func(x *row) any { return x.bitnob() })
	}
	table := map[string]answerer{
		"GET /virtualcards/cards": func(r *http.Request) (any, *problem) {
			cards := slices.SortedFunc(slices.Values(b.cards), oldestCard)
			return bitnobPage(r, "cards", cards, func(c *card) any { return c.bitnob() })
		},
		"GET /virtualcards/cards/{id}":              show,
		"GET /virtualcards/card/{id}":               show, // the vendor's clients spell it so
		"GET /virtualcards/cards/transactions":      all,
		"GET /virtualcards/transactions":            all, // so does one of them
		"GET /virtualcards/cards/{id}/transactions": ofCard,
		"GET /virtualcards/transactions/{id}":       ofCard, // so does the table of endpoints
		"GET /virtualcards/users": func(r *http.Request) (any, *problem) {
			return bitnobPage(r, "cardUsers", b.people, func(x *person) any { return x.bitnob() })
		},
		"GET /virtualcards/users/{id}": func(r *http.Request) (any, *problem) {
			if x := b.cardUser(r.PathValue("id")); x != nil {
				return bitnobData(x.bitnob()), nil
			}
			return nil, missing()
		},
	}
	maps.Copy(table, w.bitnobOperations(b))
	return table
}

func bitnobData(data any) any {
	return object{"status": true, "message": "Fetched successfully", "data": data}
}

// bitnobPage is a page by number of a list that stands oldest first. Without order it is ascending, as the documents say.
func bitnobPage[T any](r *http.Request, name string, list []T, one func(T) any) (any, *problem) {
	page, fault := number(r, "page", 1, 1, 1<<30)
	if fault != nil {
		return nil, fault
	}
	take, fault := number(r, "take", 10, 0, 100)
	if fault != nil {
		return nil, fault
	}
	order := strings.ToUpper(r.URL.Query().Get("order"))
	if order != "" && order != "ASC" && order != "DESC" {
		return nil, bad("order must be ASC or DESC")
	}
	pages, rows := 0, []any{}
	if take > 0 {
		pages = (len(list) + take - 1) / take
		for i := (page - 1) * take; i < min(page*take, len(list)); i++ {
			at := i
			if order == "DESC" {
				at = len(list) - 1 - i
			}
			rows = append(rows, one(list[at]))
		}
	}
	return bitnobData(object{name: rows, "meta": object{
		"page": page, "take": take, "itemCount": len(list), "pageCount": pages, "hasPreviousPage": page > 1 && pages > 0,
		"hasNextPage": page < pages,
	}}), nil
}

func (c *card) bitnob() object {
	expiry := c.created.time().AddDate(3, 0, 0)
	return object{
		"id": c.id, "createdAt": c.created.text(), "updatedAt": max(c.created, c.updated).text(), "last4": c.last4(), "cardName": c.name,
		"cardType": "virtual", "cardBrand": c.brand, "expiry": expiry.Format(millis), "valid": expiry.Format("01/2006"),
		"status": c.status, "reference": c.ref, "createdStatus": c.createdStatus(), "customerId": c.holder.customer,
	}
}

// bitnobFull is what a get of one card gives, secrets included, without being asked.
func (c *card) bitnobFull(figure int64) object {
	o := c.bitnob()
	o["balance"] = figure
	if c.book.major {
		o["balance"] = short(figure)
	}
	o["cardNumber"], o["cvv2"], o["cardUserId"], o["customerReference"] = c.pan, c.cvv, c.holder.id, c.holder.email
	o["city"], o["street"], o["zipCode"], o["country"] = c.holder.city, c.holder.street, c.holder.zip, c.holder.country
	o["countryCode"] = countryCode(c.holder.country)
	return o
}

type bitnobRow struct {
	ID         string `json:"id"`
	CreatedAt  string `json:"createdAt"`
	UpdatedAt  string `json:"updatedAt"`
	Amount     string `json:"amount"`
	CentAmount string `json:"centAmount"`
	Type       string `json:"type"`
	Method     string `json:"method"`
	Narrative  any    `json:"narrative"`
	Status     string `json:"status"`
	Currency   string `json:"currency"`
	Reference  string `json:"reference"`
	CardID     string `json:"cardId"`
}

// bitnob shows a row. Amounts have no sign, and a withdrawal is called a credit although money leaves the card.
func (r *row) bitnob() any {
	cents := abs(r.amount)
	o := bitnobRow{
		ID: r.id, CreatedAt: r.occurred.text(), UpdatedAt: r.updated.text(), Amount: trim(dollars(cents)),
		CentAmount: strconv.FormatInt(cents, 10), Type: "debit", Method: r.method, Status: r.word, Currency: "usd", Reference: r.ref,
		CardID: r.card.id,
	}
	if r.amount > 0 || r.kind == schema.Withdrawal {
		o.Type = "credit"
	}
	if r.kind == schema.Purchase || r.kind == schema.Refund {
		o.Narrative = r.merchant.name
	}
	return o
}

func (x *person) bitnob() object {
	o := object{
		"id": x.id, "createdAt": x.created.text(), "updatedAt": max(x.created, x.updated).text(), "customerReference": x.email,
		"firstName": x.first, "lastName": x.last, "idNumber": x.idNumber, "idType": x.idType, "phoneNumber": x.phone,
		"userPhoto": text(x.photo), "customerId": x.customer, "line1": x.street, "city": x.city, "state": x.state, "zipCode": x.zip,
		"country": x.country, "bvn": x.bvn, "houseNumber": x.house, "idImage": x.image, "kycPassed": nil,
	}
	if x.kyc {
		o["kycPassed"] = true
	}
	return o
}
