package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// billID is the older of the two ids that everything of BILL has.
func billID(kind, uuid string) string {
	return base64.StdEncoding.EncodeToString([]byte(kind + ":" + strings.TrimLeft(uuid[4:], "_")))
}

func (r *row) billID() string { return billID("Transaction", r.id) }

// billFields are the fields that a list can be filtered by, with their operators. The wrong number of a word is unknown, as
// are the fields of another list (BILL docs: Get list of cards, Get list of transactions; budgets from public clients).
func billFields(list string) map[string][]string {
	equal, among, sets, span := []string{"eq"}, []string{"eq", "in"}, []string{"eq", "ne", "in", "nin"}, []string{"gte", "lte"}
	switch list {
	case "cards":
		return map[string][]string{"status": equal, "budgetIds": among, "cardIds": among, "userIds": among, "types": among}
	case "budgets":
		return map[string][]string{
			"isBudgetGroup": equal, "budgetIds": among, "parentBudgetId": equal, "name": {"eq", "sw"}, "retired": equal,
		}
	case "users":
		return map[string][]string{"retired": equal}
	}
	return map[string][]string{
		"cardId": among, "userId": among, "budgetId": among, "transactionIds": among, "merchantName": equal, "fees": span, "amount": span,
		"occurredTime": span, "updatedTime": span, "authorizedTime": span, "type": sets, "receiptStatus": sets, "syncStatus": sets,
		"isLocked": equal, "complete": equal, "isReviewed": equal, "customFieldIds": among, "customFieldValueIds": among,
	}
}

func (w *World) bill() map[string]answerer {
	b := w.books[schema.Bill]
	budgetOf := func(r *http.Request) *budget { return b.budget(r.PathValue("id")) }
	table := map[string]answerer{
		"GET /v3/spend/cards": func(r *http.Request) (any, *problem) { return w.billCards(b, r) },
		"GET /v3/spend/cards/{id}": func(r *http.Request) (any, *problem) {
			if c := b.named(r.PathValue("id")); c != nil {
				return w.billCard(c), nil
			}
			return nil, missing()
		},
		"GET /v3/spend/transactions": b.billTransactions,
		"GET /v3/spend/transactions/{id}": func(r *http.Request) (any, *problem) {
			if x := b.rowByID[r.PathValue("id")]; x != nil {
				return x.bill(), nil
			}
			return nil, missing()
		},
		"GET /v3/spend/budgets": func(r *http.Request) (any, *problem) { return w.billBudgets(b, r) },
		"GET /v3/spend/budgets/{id}": func(r *http.Request) (any, *problem) {
			if g := budgetOf(r); g != nil {
				return w.billBudget(b, g), nil
			}
			return nil, missing()
		},
		"GET /v3/spend/budgets/{id}/members": func(r *http.Request) (any, *problem) {
			g := budgetOf(r)
			if g == nil {
				return nil, missing()
			}
			members := []any{}
			for _, c := range b.cards {
				if c.budget == g {
					members = append(members, object{
						"userId": c.holder.id, "userUuid": c.holder.uuid, "name": c.holder.first + " " + c.holder.last, "budgetRole": "MEMBER",
						"limit": c.billLimit(), "recurring": true, "recurringLimit": nil, "retired": false, "shareBudgetFunds": c.share,
						"spent": full(w.figure(c)),
					})
				}
			}
			return object{"results": members, "nextPage": nil, "prevPage": nil}, nil
		},
		"GET /v3/spend/users": func(r *http.Request) (any, *problem) {
			q, fault := readBill(r, "users", 100)
			if fault != nil {
				return nil, fault
			}
			list := slices.DeleteFunc(slices.Clone(b.people), func(*person) bool {
				return !q.meets(func(t term) bool { return t.holds("false") })
			})
			return billPage(q, list, func(x *person) any { return x.bill() }), nil
		},
		"GET /v3/spend/users/current": func(*http.Request) (any, *problem) {
			if len(b.people) == 0 {
				return nil, missing()
			}
			return b.people[0].bill(), nil
		},
	}
	maps.Copy(table, w.billOperations(b))
	return table
}

// billQuery is what a request to a list asks for.
type billQuery struct {
	size, offset int
	terms        []term
	sort         string // field; empty: the list's own order
	descending   bool
	key          string // filters and sort as written
}

// readBill reads a request. Parameters that BILL does not know are ignored (public clients).
func readBill(r *http.Request, list string, most int, sorts ...string) (q billQuery, fault *problem) {
	if q.size, fault = number(r, "max", 20, 1, most); fault != nil {
		return q, fault
	}
	given := r.URL.Query()
	for _, name := range [2]string{"nextPage", "prevPage"} {
		if cursor := given.Get(name); cursor != "" {
			var ok bool
			if q.offset, ok = decodeCursor(billCursor, cursor, ""); !ok {
				return q, bad(name + ": invalid cursor")
			}
		}
	}
	if order := given.Get("sort"); order != "" {
		field, direction, _ := strings.Cut(order, ":")
		if !slices.Contains(sorts, field) || direction != "asc" && direction != "desc" {
			return q, bad("sort: one of " + strings.Join(sorts, ", ") + ", with asc or desc")
		}
		q.sort, q.descending = field, direction == "desc"
	}
	terms, err := readFilters(given["filters"], billFields(list))
	if err != nil {
		return q, bad(err.Error())
	}
	q.terms, q.key = terms, strings.Join(given["filters"], "\x00")+"\x00"+given.Get("sort")
	return q, nil
}

func (q billQuery) meets(one func(term) bool) bool {
	return !slices.ContainsFunc(q.terms, func(t term) bool { return !one(t) })
}

// order turns an ascending comparison into the one that was asked for.
func (q billQuery) order(n int) int {
	if q.descending {
		return -n
	}
	return n
}

const billCursor = "arrayconnection:"

func billPage[T any](q billQuery, list []T, one func(T) any) any {
	var next, prev any
	if end := q.offset + q.size; end < len(list) {
		next = encodeCursor(billCursor, end, "")
	}
	if q.offset > 0 {
		prev = encodeCursor(billCursor, max(0, q.offset-q.size), "")
	}
	return object{"results": each(slice(list, q.offset, q.offset+q.size), one), "nextPage": next, "prevPage": prev}
}

func (w *World) billCards(b *book, r *http.Request) (any, *problem) {
	q, fault := readBill(r, "cards", 100, "name", "lastFour", "status")
	if fault != nil {
		return nil, fault
	}
	list := slices.DeleteFunc(slices.Clone(b.cards), func(c *card) bool {
		return !q.meets(func(t term) bool {
			switch t.field {
			case "status":
				return t.holds(c.status)
			case "types":
				return t.holds(c.kind)
			case "cardIds":
				return t.holds(c.id, c.alt)
			case "userIds":
				return t.holds(c.holder.id, c.holder.uuid)
			}
			return c.budget != nil && t.holds(c.budget.id, c.budget.uuid)
		})
	})
	by := map[string]func(*card) string{
		"name": func(c *card) string { return c.name }, "lastFour": (*card).last4, "status": func(c *card) string { return c.status },
	}[q.sort]
	if by != nil {
		slices.SortStableFunc(list, func(x, y *card) int { return q.order(cmp.Compare(by(x), by(y))) })
	}
	return billPage(q, list, func(c *card) any { return w.billCard(c) }), nil
}

// billExpiry is the end of every card.
const billExpiry = "12/29"

func (c *card) last4() string { return c.pan[len(c.pan)-4:] }

func (c *card) billLimit() json.Number {
	if len(c.limits) == 0 {
		return full(0)
	}
	return full(c.limits[0].amount)
}

func (w *World) billCard(c *card) any {
	o := object{
		"id": cmp.Or(c.alt, c.id), "userId": c.holder.id, "userUuid": c.holder.uuid, "lastFour": c.last4(), "status": c.status, "type": c.kind,
		"shareBudgetFunds": c.share, "recurring": c.budget != nil && c.budget.interval != "NONE" && !c.once, "recurringLimit": nil,
		"currentPeriod": object{"limit": c.billLimit(), "spent": full(w.figure(c))},
		"createdTime":   c.created.offset(), "updatedTime": max(c.created, c.updated).offset(),
	}
	if !c.plainID {
		o["uuid"] = c.id
	}
	if c.name != "" {
		o["name"], o["validThru"] = c.name, billExpiry
	}
	if c.budget != nil {
		o["budgetId"], o["budgetUuid"] = c.budget.id, c.budget.uuid
		if o["recurring"] == true && !c.share {
			o["recurringLimit"] = c.billLimit()
		}
	}
	return o
}

func (b *book) billTransactions(r *http.Request) (any, *problem) {
	q, fault := readBill(r, "transactions", 50, "amount", "merchantName", "occurredTime")
	if fault != nil {
		return nil, fault
	}
	list := b.pick(q.key, func(x *row) bool { return q.meets(x.billMeets) }, func(list []*row) {
		switch q.sort { // the book is sorted by occurredTime, oldest first
		case "":
			slices.Reverse(list)
		case "occurredTime":
			if q.descending {
				slices.Reverse(list)
			}
		case "amount":
			slices.SortStableFunc(list, func(x, y *row) int { return q.order(cmp.Compare(-x.amount, -y.amount)) })
		case "merchantName":
			slices.SortStableFunc(list, func(x, y *row) int { return q.order(cmp.Compare(x.merchant.name, y.merchant.name)) })
		}
	})
	return billPage(q, list, func(x *row) any { return x.bill() }), nil
}

func (r *row) billMeets(t term) bool {
	c := r.card
	at := func(x instant) bool {
		limit, _ := readTime(t.values[0]) // readFilters has read it before
		return x != 0 && t.bounds(int64(x), int64(limit))
	}
	cents := func(x int64) bool {
		limit, _ := readCents(t.values[0])
		return t.bounds(x, limit)
	}
	switch t.field {
	case "cardId":
		return t.holds(c.id, c.alt)
	case "userId":
		return t.holds(c.holder.id, c.holder.uuid)
	case "budgetId":
		return c.budget != nil && t.holds(c.budget.id, c.budget.uuid)
	case "transactionIds":
		return t.holds(r.id, r.billID())
	case "merchantName":
		return t.holds(r.merchant.name)
	case "type":
		return t.holds(r.word)
	case "receiptStatus":
		return t.holds("NOT_REQUIRED")
	case "syncStatus":
		return t.holds("NOT_SYNCED")
	case "occurredTime":
		return at(r.shown)
	case "updatedTime":
		return at(r.updated)
	case "authorizedTime":
		return at(r.auth)
	case "amount":
		return cents(-r.amount)
	case "fees":
		return cents(r.fee)
	case "complete", "isLocked", "isReviewed":
		return t.holds(strconv.FormatBool(t.field == "complete"))
	}
	return false // no row has custom fields
}

type billRow struct {
	ID                string      `json:"id"`
	UUID              string      `json:"uuid"`
	TransactionType   string      `json:"transactionType"`
	Status            string      `json:"status"`
	Complete          bool        `json:"complete"`
	Amount            json.Number `json:"amount"`
	TransactedAmount  json.Number `json:"transactedAmount"`
	Fees              json.Number `json:"fees"`
	ForeignFee        any         `json:"foreignExchangeFee"`
	IsCredit          bool        `json:"isCredit"`
	CurrencyData      any         `json:"currencyData,omitempty"`
	MerchantName      string      `json:"merchantName"`
	RawMerchantName   string      `json:"rawMerchantName"`
	MerchantCategory  string      `json:"merchantCategoryCode"`
	MerchantLocation  any         `json:"merchantLocation"`
	Network           string      `json:"network"`
	CardID            string      `json:"cardId"`
	CardUUID          string      `json:"cardUuid,omitempty"`
	CardLastFour      string      `json:"cardLastFour"`
	CardType          string      `json:"cardType"`
	CardPresent       bool        `json:"cardPresent"`
	UserID            string      `json:"userId"`
	UserUUID          string      `json:"userUuid"`
	UserName          string      `json:"userName"`
	BudgetID          string      `json:"budgetId,omitempty"`
	BudgetUUID        string      `json:"budgetUuid,omitempty"`
	BudgetName        string      `json:"budgetName,omitempty"`
	OccurredTime      string      `json:"occurredTime"`
	AuthorizedTime    any         `json:"authorizedTime"`
	UpdatedTime       string      `json:"updatedTime"`
	OriginalAuthID    any         `json:"originalAuthTransactionId"`
	OriginalAuthUUID  any         `json:"originalAuthTransactionUuid"`
	MatchedClearID    any         `json:"matchedClearTransactionId"`
	MatchedClearUUID  any         `json:"matchedClearTransactionUuid"`
	IsParent          bool        `json:"isParent"`
	ParentID          any         `json:"parentTransactionId"`
	ChildIDs          []string    `json:"childTransactionIds"`
	ChildUUIDs        []string    `json:"childTransactionUuids"`
	DeclineReason     any         `json:"declineReason"`
	IsLocked          bool        `json:"isLocked"`
	IsReconciled      bool        `json:"isReconciled"`
	IsReviewed        bool        `json:"isReviewed"`
	ReceiptRequired   bool        `json:"receiptRequired"`
	ReviewRequired    bool        `json:"reviewRequired"`
	ReceiptStatus     string      `json:"receiptStatus"`
	ReceiptSyncStatus string      `json:"receiptSyncStatus"`
	Accounting        any         `json:"accountingIntegrationTransactions"`
}

func (r *row) bill() any {
	c, m := r.card, r.merchant
	o := billRow{
		ID: r.billID(), UUID: r.id, TransactionType: r.word, Status: "APPROVED", Complete: true, Amount: full(-r.amount),
		TransactedAmount: full(-r.amount), Fees: full(r.fee), IsCredit: r.amount > 0, MerchantName: m.name, RawMerchantName: m.raw,
		MerchantCategory: m.mcc, MerchantLocation: object{"city": m.city, "state": nil, "postalCode": "00000", "country": m.country},
		Network: "VISA", CardID: cmp.Or(c.alt, c.id), CardLastFour: c.last4(), CardType: c.kind, CardPresent: c.kind == "PHYSICAL",
		UserID: c.holder.id, UserUUID: c.holder.uuid, UserName: c.holder.first + " " + c.holder.last, OccurredTime: r.shown.offset(),
		UpdatedTime: r.updated.offset(), IsParent: r.split > 0, ChildIDs: []string{}, ChildUUIDs: []string{},
		ReceiptStatus: "NOT_REQUIRED", ReceiptSyncStatus: "NOT_SYNCED",
	}
	if !c.plainID {
		o.CardUUID = c.id
	}
	if r.auth != 0 {
		o.AuthorizedTime = r.auth.offset()
	}
	if c.budget != nil {
		o.BudgetID, o.BudgetUUID, o.BudgetName = c.budget.id, c.budget.uuid, c.budget.name
	}
	switch r.word {
	case "CLEAR":
		o.Status = "COMPLETE"
	case "DECLINE":
		o.Status, o.DeclineReason = "DECLINED", strings.ToUpper(cmp.Or(r.reason, lacksFunds))
	}
	if r.foreign != 0 {
		o.ForeignFee = full(r.fee)
		o.CurrencyData = object{
			"originalCurrencyAmount": strconv.FormatInt(r.foreign, 10), "originalCurrencyCode": m.currency, "exponent": m.rate.digits,
			"exchangeRate": json.Number(m.rate.word), "symbol": m.rate.symbol,
		}
	}
	if from := r.origin; from != nil && (from.links != authNamesClear || r.word != "CLEAR") {
		o.OriginalAuthID, o.OriginalAuthUUID = from.billID(), from.id
	}
	if to := r.clearing; to != nil && r.links != clearNamesAuth {
		o.MatchedClearID, o.MatchedClearUUID = to.billID(), to.id
	}
	for n := range r.split {
		child := "txr_" + strconv.Itoa(n) + r.id[5:]
		o.ChildIDs, o.ChildUUIDs = append(o.ChildIDs, billID("Transaction", child)), append(o.ChildUUIDs, child)
	}
	return o
}

func (w *World) billBudgets(b *book, r *http.Request) (any, *problem) {
	q, fault := readBill(r, "budgets", 100, "name", "assigned", "limit", "spent")
	if fault != nil {
		return nil, fault
	}
	list := slices.DeleteFunc(slices.Clone(b.budgets), func(g *budget) bool {
		return !q.meets(func(t term) bool {
			switch t.field {
			case "retired":
				return t.holds(strconv.FormatBool(g.retired))
			case "isBudgetGroup":
				return t.holds("false")
			case "name":
				return t.holds(g.name)
			}
			return t.field == "budgetIds" && t.holds(g.id, g.uuid)
		})
	})
	slices.SortStableFunc(list, func(x, y *budget) int {
		switch q.sort {
		case "name":
			return q.order(cmp.Compare(x.name, y.name))
		case "spent":
			return q.order(cmp.Compare(w.budgetSpent(b, x, onBoth), w.budgetSpent(b, y, onBoth)))
		case "limit", "assigned":
			return q.order(cmp.Compare(b.budgetLimit(x), b.budgetLimit(y)))
		}
		return 0
	})
	return billPage(q, list, func(g *budget) any { return w.billBudget(b, g) }), nil
}

// budgetSpent is what the cards of a budget spent in its current period.
func (w *World) budgetSpent(b *book, g *budget, on basis) (sum int64) {
	from, _, _ := g.period()
	for _, c := range b.cards {
		if c.budget == g {
			sum += c.spend(from, w.now, on)
		}
	}
	return sum
}

func (b *book) budgetLimit(g *budget) int64 {
	sum := int64(1_000_000)
	for _, c := range b.cards {
		if c.budget == g && !c.share {
			sum += c.limits[0].amount
		}
	}
	return sum
}

// billBudget shows a budget. Its spent is an object where that of a card is a number.
func (w *World) billBudget(b *book, g *budget) any {
	cleared, total := w.budgetSpent(b, g, onPosted), w.budgetSpent(b, g, onBoth)
	limit := full(b.budgetLimit(g))
	period := object{
		"limit": limit, "assigned": limit, "overspendBuffer": full(0),
		"spent": object{"cleared": full(cleared), "pending": full(total - cleared), "total": full(total)},
	}
	if g.start != "" {
		period["startDate"], period["endDate"] = g.start, g.end
	}
	o := object{
		"id": g.id, "uuid": g.uuid, "name": g.name, "description": "", "default": false, "budgetGroup": false, "retired": g.retired,
		"startDate": g.begin, "expirationDate": nil, "carryOver": false, "autoAddUsers": false, "shareFunds": "ENABLED",
		"limitlessOverspend": false, "receiptRequired": false, "recurringInterval": g.interval, "recurringLimit": limit,
		"currentPeriod": period,
	}
	if g.zone != nil {
		o["timezone"] = g.zone.String()
	}
	return o
}

func (x *person) bill() any {
	return object{
		"id": x.id, "uuid": x.uuid, "email": x.email, "firstName": x.first, "lastName": x.last, "phoneNumber": x.phone, "role": "MEMBER",
		"retired": false, "createdTime": x.created.time().Format(time.RFC3339), "hasDateOfBirth": true, "smsOptIn": false,
	}
}
