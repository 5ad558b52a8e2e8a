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

const (
	slashPage   = 100
	slashCursor = "slash:"
)

func (w *World) slash() map[string]answerer {
	b := w.books[schema.Slash]
	table := map[string]answerer{
		"GET /card": func(r *http.Request) (any, *problem) { return w.slashCards(b, r) },
		"GET /card/{id}": func(r *http.Request) (any, *problem) {
			c := b.cardByID[r.PathValue("id")]
			if c == nil {
				return nil, missing()
			}
			o := w.slashCard(c)
			if r.URL.Query().Get("include_pan") == "true" { // the older page says that it brings the code too
				o["pan"], o["cvv"] = c.pan, c.cvv
			}
			if r.URL.Query().Get("include_cvv") == "true" {
				o["cvv"] = c.cvv
			}
			return o, nil
		},
		"GET /card/{id}/utilization": func(r *http.Request) (any, *problem) {
			if c := b.cardByID[r.PathValue("id")]; c != nil {
				return w.slashUtilization(c), nil
			}
			return nil, missing()
		},
		"GET /transaction": func(r *http.Request) (any, *problem) {
			list, fault := w.slashPick(b, r)
			if fault != nil {
				return nil, fault
			}
			return slashList(r, list, func(x *row) any { return w.slashRow(x) })
		},
		"GET /transaction/aggregation": func(r *http.Request) (any, *problem) {
			list, fault := w.slashPick(b, r)
			if fault != nil {
				return nil, fault
			}
			var in, out int64
			for _, x := range list {
				if x.amount > 0 {
					in += x.amount
				} else {
					out += x.amount
				}
			}
			return object{"count": len(list), "totalIn": in, "totalOut": out, "netChange": in + out}, nil
		},
		"GET /transaction/{id}": func(r *http.Request) (any, *problem) {
			if x := b.rowByID[r.PathValue("id")]; x != nil {
				return w.slashRow(x), nil
			}
			return nil, missing()
		},
	}
	for _, more := range []map[string]answerer{w.slashOperations(b), w.slashGroups(b), w.slashAccounts(b)} {
		maps.Copy(table, more)
	}
	return table
}

// slashList is a page of a hundred rows. Its count is that of the page.
func slashList[T any](r *http.Request, list []T, one func(T) any) (any, *problem) {
	offset := 0
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		var ok bool
		if offset, ok = decodeCursor(slashCursor, cursor, ""); !ok {
			return nil, bad("Invalid cursor.")
		}
	}
	items := each(slice(list, offset, offset+slashPage), one)
	metadata := object{"count": len(items)}
	if offset+slashPage < len(list) {
		metadata["nextCursor"] = encodeCursor(slashCursor, offset+slashPage, "")
	}
	return object{"items": items, "metadata": metadata}, nil
}

// choice reads a parameter that takes certain words.
func choice(r *http.Request, name string, words ...string) (string, *problem) {
	word := r.URL.Query().Get(name)
	if word != "" && !slices.Contains(words, word) {
		return "", bad(name + " must be one of " + strings.Join(words, ", ") + ".")
	}
	return word, nil
}

func (w *World) slashCards(b *book, r *http.Request) (any, *problem) {
	status, fault := choice(r, "filter:status", "active", "paused", "closed", "inactive")
	if fault != nil {
		return nil, fault
	}
	by, fault := choice(r, "sort", "createdAt", "name")
	if fault != nil {
		return nil, fault
	}
	direction, fault := choice(r, "sortDirection", "ASC", "DESC")
	if fault != nil {
		return nil, fault
	}
	q := r.URL.Query()
	if q.Has("filter:cardGroupId") && q.Has("filter:cardGroupName") {
		return nil, bad("filter:cardGroupId and filter:cardGroupName exclude one another.")
	}
	list := slices.DeleteFunc(slices.Clone(b.cards), func(c *card) bool {
		return status != "" && c.status != status || differs(q.Get("filter:accountId"), w.slashAccount()) ||
			differs(q.Get("filter:legalEntityId"), w.entity) || differs(q.Get("filter:cardGroupName"), c.inGroup().name) ||
			differs(q.Get("filter:cardGroupId"), c.inGroup().id) ||
			q.Get("filter:virtualAccountId") != "" || q.Get("filter:modifier") != ""
	})
	slices.SortStableFunc(list, func(x, y *card) int {
		n := cmp.Compare(x.created, y.created)
		if by == "name" {
			n = cmp.Compare(x.name, y.name)
		}
		if direction == "DESC" {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.id, y.id))
	})
	return slashList(r, list, func(c *card) any { return w.slashCard(c) })
}

// differs says whether a filter is given and is not met.
func differs(filter, value string) bool { return filter != "" && filter != value }

func (w *World) slashCard(c *card) object {
	o := object{
		"id": c.id, "accountId": w.slashAccount(), "last4": c.last4(), "name": c.name, "expiryMonth": "12", "expiryYear": "2029",
		"status": c.status, "isPhysical": c.physical, "isSingleUse": c.single, "createdAt": c.created.text(),
	}
	if shown := c.constraint().show(); shown != nil {
		o["spendingConstraint"] = shown
	}
	if c.group != nil {
		o["cardGroupId"], o["cardGroupName"] = c.group.id, c.group.name
	}
	if c.userData != nil {
		o["userData"] = c.userData
	}
	if c.avs != nil {
		o["avsAddress"] = c.avs
	}
	return o
}

func cents(n int64) object { return object{"amountCents": n} }

func (l limit) slash() object {
	preset := string(l.window)
	if l.window == schema.Lifetime {
		preset = "collective"
	}
	o := object{"limitAmount": cents(l.amount), "preset": preset}
	if l.zone != nil {
		o["timezone"] = l.zone.String()
	}
	if l.start != "" {
		o["startDate"] = l.start
	}
	return o
}

func (w *World) slashUtilization(c *card) object {
	spent := w.figure(c)
	o := object{"spend": cents(spent)}
	if limits := c.utilization(); len(limits) > 0 {
		o["availableBalance"] = cents(max(0, limits[0].amount-spent))
		if _, to := limits[0].around(w.now, c); to != 0 {
			o["nextResetDate"] = to.text()
		}
	}
	return o
}

// slashPick filters the transactions, newest first.
func (w *World) slashPick(b *book, r *http.Request) ([]*row, *problem) {
	q := r.URL.Query()
	status, fault := choice(r, "filter:status", "pending", "posted", "failed")
	if fault != nil {
		return nil, fault
	}
	detailed, fault := choice(r, "filter:detailed_status",
		"pending", "canceled", "failed", "settled", "declined", "refund", "reversed", "returned", "dispute")
	if fault != nil {
		return nil, fault
	}
	category, fault := choice(r, "filter:category", "card", "ach", "wire", "international_wire", "rtp", "fee", "internal")
	if fault != nil {
		return nil, fault
	}
	at := map[string]instant{}
	var key []string
	for _, name := range []string{"filter:from_date", "filter:to_date", "filter:from_authorized_at", "filter:to_authorized_at"} {
		key = append(key, q.Get(name))
		if q.Get(name) == "" {
			continue
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil {
			return nil, bad(name + " must be a Unix timestamp in milliseconds.")
		}
		at[name] = instant(n)
	}
	within := func(t instant, name string) bool {
		from, bounded := at["filter:from_"+name]
		to, ends := at["filter:to_"+name]
		return !bounded && !ends || t != 0 && (!bounded || t >= from) && (!ends || t <= to)
	}
	account := cmp.Or(q.Get("filter:accountId"), q.Get("accountId"))
	key = append(key, status, detailed, category, account, q.Get("filter:cardId"), q.Get("filter:legalEntityId"),
		q.Get("filter:virtualAccountId"), q.Get("filter:cardGroupId"), q.Get("filter:providerAuthorizationId"))
	return b.pick(strings.Join(key, "\x00"), func(x *row) bool {
		return within(x.shown, "date") && within(x.auth, "authorized_at") && !differs(status, slashStatus(x.word)) &&
			!differs(detailed, x.word) && !differs(category, x.category) && !differs(account, w.slashAccount()) &&
			!differs(q.Get("filter:legalEntityId"), w.entity) && !differs(q.Get("filter:cardId"), x.cardID()) &&
			!differs(q.Get("filter:cardGroupId"), x.slashGroup()) && q.Get("filter:virtualAccountId") == "" &&
			!differs(q.Get("filter:providerAuthorizationId"), x.providerAuthorization())
	}, newestFirst), nil
}

func (r *row) cardID() string {
	if r.card == nil {
		return ""
	}
	return r.card.id
}

func (r *row) slashGroup() string {
	if r.card == nil {
		return ""
	}
	return r.card.inGroup().id
}

func (r *row) providerAuthorization() string {
	if r.auth == 0 {
		return ""
	}
	return "pa_" + r.id[3:]
}

// slashStatus is the coarse status of a detailed one. How the two go together is not documented.
func slashStatus(word string) string {
	switch word {
	case "settled", "refund", "returned", "dispute":
		return "posted"
	case "pending", "pending_approval", "in_review":
		return "pending"
	}
	return "failed"
}

type slashRowJSON struct {
	ID              string `json:"id"`
	Date            string `json:"date"`
	AuthorizedAt    string `json:"authorizedAt,omitempty"`
	AmountCents     int64  `json:"amountCents"`
	Status          string `json:"status"`
	DetailedStatus  string `json:"detailedStatus"`
	AccountID       string `json:"accountId"`
	AccountSubtype  string `json:"accountSubtype"`
	CardID          string `json:"cardId,omitempty"`
	Description     string `json:"description"`
	Memo            string `json:"memo,omitempty"`
	Merchant        any    `json:"merchantData,omitempty"`
	Original        any    `json:"originalCurrency,omitempty"`
	ForeignFee      any    `json:"fxFeeInfo,omitempty"`
	Cashback        any    `json:"cashbackInfo,omitempty"`
	Fee             any    `json:"feeInfo,omitempty"`
	DeclineReason   string `json:"declineReason,omitempty"`
	ReferenceNumber string `json:"referenceNumber,omitempty"`
	Authorization   string `json:"providerAuthorizationId,omitempty"`
}

func (w *World) slashRow(r *row) any {
	o := slashRowJSON{
		ID: r.id, Date: r.shown.text(), AmountCents: r.amount, Status: slashStatus(r.word), DetailedStatus: r.word,
		AccountID: w.slashAccount(), AccountSubtype: "credit", CardID: r.cardID(), Authorization: r.providerAuthorization(),
	}
	if r.auth != 0 {
		o.AuthorizedAt = r.auth.text()
	}
	switch {
	case r.category == "fee":
		o.Description = "Slash fee: Foreign transaction fee for " + r.shown.time().Format("01.02.06")
	case r.merchant == nil:
		o.Description, o.ReferenceNumber = "Transfer", "ref_"+r.id[3:]
	default:
		m := r.merchant
		o.Description = m.raw
		o.Merchant = object{
			"description": m.name, "categoryCode": m.mcc,
			"location": object{"city": m.city, "state": "", "country": m.country, "zip": "00000"},
		}
		if r.foreign != 0 {
			// What is "cents" of a currency with none or three digits is not documented: its minor units.
			o.Original = object{"code": m.currency, "amountCents": r.foreign, "conversionRate": json.Number(m.rate.word)}
			o.ForeignFee = cents(r.fee)
		}
		if slashStatus(r.word) == "posted" {
			o.Cashback = object{"amountCents": max(0, -r.amount/100), "rate": json.Number("0.01")}
		}
	}
	if r.word == "declined" {
		o.DeclineReason = cmp.Or(r.reason, lacksFunds)
	}
	return o
}
