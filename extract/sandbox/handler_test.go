package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

func TestHandler(t *testing.T) {
	w := New(Config{Seed: 1})
	c := newClient(t, w)

	t.Run("RefusesAMissingAndAWrongKey", func(t *testing.T) {
		for _, l := range lists() {
			for name, header := range map[string]http.Header{
				"none": {}, "wrong": c.key(l.provider, "wrong"), "empty": c.key(l.provider, ""),
				"another provider's": c.key(l.provider, w.Credential(other(l.provider))),
				"cut":                c.key(l.provider, w.Credential(l.provider)[:10]),
			} {
				if r := c.do(http.MethodGet, l.provider, l.path, nil, header); r.status != http.StatusUnauthorized {
					t.Errorf("%s with key %s: status %d, want 401", l.path, name, r.status)
				}
			}
		}
		bare := http.Header{"Authorization": {w.Credential(schema.Bitnob)}}
		if r := c.do(http.MethodGet, schema.Bitnob, "/virtualcards/cards", nil, bare); r.status != http.StatusUnauthorized {
			t.Errorf("a key without Bearer: status %d, want 401", r.status)
		}
	})
	t.Run("RefusesTheMethodsThatAPathDoesNotHave", func(t *testing.T) {
		for _, l := range lists() {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead} {
				if w.surfaces()[l.provider][method+" "+l.path] != nil {
					continue
				}
				if r := c.do(method, l.provider, l.path, nil, c.key(l.provider, w.Credential(l.provider))); r.status != http.StatusMethodNotAllowed {
					t.Errorf("%s %s: status %d, want 405", method, l.path, r.status)
				}
			}
		}
	})
	t.Run("SaysNotFoundInTheProvidersShape", func(t *testing.T) {
		for p, shape := range map[schema.Provider]string{
			schema.Bill: `[{"category":`, schema.Slash: `"rawStatus":404`, schema.Whop: `{"error":{`, schema.Bitnob: `"statusCode":404`,
		} {
			c.refused(http.StatusNotFound, shape, p, "/nothing/here")
		}
		for p, path := range map[schema.Provider]string{
			schema.Bill: "/v3/spend/transactions/none", schema.Slash: "/transaction/none", schema.Whop: "/card_transactions/citx_none",
			schema.Bitnob: "/virtualcards/cards/none/transactions",
		} {
			c.refused(http.StatusNotFound, "", p, path)
		}
		if r := c.do(http.MethodGet, schema.Slash, "/card", nil, http.Header{}); str(r.json, "success") != "false" || str(r.json, "identifier") != "4011" {
			t.Errorf("Slash 401: %s", r.raw)
		}
	})
	t.Run("ServesEveryRowOnceAndByID", func(t *testing.T) {
		byID := map[string]string{
			"/v3/spend/cards": "", "/v3/spend/transactions": "", "/v3/spend/budgets": "", "/card": "", "/transaction": "", "/cards": "",
			"/card_transactions": "", "/virtualcards/cards": "",
		}
		total := 0
		for _, l := range lists() {
			rows := c.walk(l.provider, l.path, l.owner(w)...)
			seen := map[string]bool{}
			for i, r := range rows {
				id := str(r, "id")
				if seen[id] {
					t.Errorf("%s: %s twice", l.path, id)
				}
				seen[id] = true
				if _, ok := byID[l.path]; !ok || i%17 != 0 {
					continue
				}
				got := any(c.get(l.provider, l.path+"/"+strings.ReplaceAll(id, "=", "%3D")))
				if l.provider == schema.Bitnob {
					got = at(got, "data")
				}
				if str(got, "id") != id {
					t.Errorf("%s/%s gives %s", l.path, id, str(got, "id"))
				}
			}
			if l.rows == "transactions" {
				total += len(rows)
			}
			if want := len(w.books[l.provider].cards); l.rows == "cards" && len(rows) != want {
				t.Errorf("%s: %d cards, want %d", l.path, len(rows), want)
			}
		}
		if total != 2000 {
			t.Errorf("%d transactions over all, want 2000", total)
		}
	})
	t.Run("GivesTheRowOfAListByEitherID", func(t *testing.T) {
		row := c.walk(schema.Bill, "/v3/spend/transactions")[0]
		for _, id := range []string{str(row, "id"), str(row, "uuid")} {
			got := c.get(schema.Bill, "/v3/spend/transactions/"+strings.ReplaceAll(id, "=", "%3D"))
			if diff := cmp.Diff(row, any(got)); diff != "" {
				t.Errorf("by %s: %s", id, diff)
			}
		}
	})
	t.Run("CountsRequestsByPath", func(t *testing.T) {
		w := New(Config{Seed: 1, Cards: 4, Transactions: 10})
		c := newClient(t, w)
		c.try(schema.Slash, "/card/one/utilization")
		c.try(schema.Slash, "/card/two/utilization")
		c.do(http.MethodPost, schema.Slash, "/card", nil, http.Header{})
		c.try(schema.Slash, "/nothing/at/all")
		want := map[Request]int{
			{schema.Slash, "GET", "/card/{id}/utilization"}: 2, {schema.Slash, "POST", "/card"}: 1, {schema.Slash, "GET", "/"}: 1,
		}
		if diff := cmp.Diff(want, w.Requests()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("AnswersManyAtOnceAlike", func(t *testing.T) {
		c := newClient(t, New(Config{Seed: 1, Cards: 12, Transactions: 300}))
		want := c.everything()
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if got := c.everything(); !cmp.Equal(want, got) {
					t.Error("an answer differs among concurrent requests")
				}
			})
		}
		group.Wait()
	})
}

func other(p schema.Provider) schema.Provider {
	if p == schema.Bill {
		return schema.Slash
	}
	return schema.Bill
}

func TestBill(t *testing.T) {
	w := New(Config{Seed: 2})
	c := newClient(t, w)
	const cards, rows = "/v3/spend/cards", "/v3/spend/transactions"
	every := c.walk(schema.Bill, rows)
	count := func(want func(any) bool) (n int) {
		for _, r := range every {
			if want(r) {
				n++
			}
		}
		return n
	}
	filtered := func(t *testing.T, filters string, want func(any) bool) {
		t.Helper()
		got := c.walk(schema.Bill, rows, "filters", filters)
		for _, r := range got {
			if !want(r) {
				t.Errorf("%s brings %v", filters, r)
			}
		}
		if n := count(want); len(got) != n || n == 0 || n == len(every) {
			t.Errorf("%s brings %d rows, want %d, which should be some and not all of %d", filters, len(got), n, len(every))
		}
	}

	t.Run("BoundsMaxByList", func(t *testing.T) {
		c.get(schema.Bill, cards, "max", "100")
		c.get(schema.Bill, rows, "max", "50")
		c.refused(400, "max: must be less than or equal to 100", schema.Bill, cards, "max", "101")
		c.refused(400, "max: must be less than or equal to 50", schema.Bill, rows, "max", "51")
		c.refused(400, "max", schema.Bill, rows, "max", "0")
		c.refused(400, "max", schema.Bill, rows, "max", "many")
		if n := len(c.get(schema.Bill, rows)["results"].([]any)); n != 20 {
			t.Errorf("%d rows by default, want 20", n)
		}
	})
	t.Run("IgnoresUnknownParameters", func(t *testing.T) {
		if got := c.walk(schema.Bill, rows, "start_date", "2030-01-01", "page", "7"); len(got) != len(every) {
			t.Errorf("%d rows, want all %d", len(got), len(every))
		}
	})
	t.Run("IgnoresFiltersGivenTwiceOrJoinedBySemicolons", func(t *testing.T) {
		for _, ask := range [][]string{
			{"filters", "type:eq:CLEAR", "filters", "type:eq:DECLINE"}, {"filters", "type:eq:CLEAR;amount:gte:5"},
		} {
			if got := c.walk(schema.Bill, rows, ask...); len(got) != len(every) {
				t.Errorf("%v: %d rows, want all %d", ask, len(got), len(every))
			}
		}
	})
	t.Run("RefusesUnknownFieldsAndOperators", func(t *testing.T) {
		for _, filters := range []string{
			"status:eq:COMPLETE", "cardIds:eq:x", "userIds:eq:x", "occurredTime:eq:2026-01-01", "occurredTime:gt:2026-01-01",
			"occurredTime:gte:2026-01-01T00:00:00Z", "occurredTime:gte:yesterday", "amount:gte:ten", "type", "type:eq", ":eq:x", `type:eq:"x`,
		} {
			c.refused(400, "filters", schema.Bill, rows, "filters", filters)
		}
		c.refused(400, "filters", schema.Bill, cards, "filters", "cardId:eq:x")
		c.refused(400, "sort", schema.Bill, rows, "sort", "updatedTime:asc")
		c.refused(400, "sort", schema.Bill, rows, "sort", "occurredTime")
	})
	t.Run("FiltersTimesWithBothEnds", func(t *testing.T) {
		mid := str(every[len(every)/2], "occurredTime")
		quoted := `"` + mid + `"`
		filtered(t, "occurredTime:gte:"+quoted, func(r any) bool { return str(r, "occurredTime") >= mid })
		filtered(t, "occurredTime:lte:"+quoted, func(r any) bool { return str(r, "occurredTime") <= mid })
		day := mid[:10]
		filtered(t, "occurredTime:lte:"+day, func(r any) bool { return str(r, "occurredTime") <= day+"T00:00:00.000+00:00" })
		filtered(t, `occurredTime:gte:"`+day+`",occurredTime:lte:`+quoted, func(r any) bool {
			return str(r, "occurredTime") >= day && str(r, "occurredTime") <= mid
		})
	})
	t.Run("FiltersByTypeCardAndAmount", func(t *testing.T) {
		filtered(t, "type:eq:DECLINE", func(r any) bool { return str(r, "transactionType") == "DECLINE" })
		filtered(t, `type:nin:"CLEAR,DECLINE"`, func(r any) bool {
			return str(r, "transactionType") != "CLEAR" && str(r, "transactionType") != "DECLINE"
		})
		card := str(every[0], "cardId")
		filtered(t, `cardId:eq:"`+card+`"`, func(r any) bool { return str(r, "cardId") == card })
		filtered(t, "amount:gte:100", func(r any) bool { n, _ := readCents(str(r, "amount")); return n >= 10_000 })
	})
	t.Run("SortsByOccurredTime", func(t *testing.T) {
		for order, falls := range map[string]bool{"occurredTime:asc": false, "occurredTime:desc": true} {
			before := ""
			for i, r := range c.walk(schema.Bill, rows, "sort", order, "max", "50") {
				now := str(r, "occurredTime")
				if i > 0 && (falls && now > before || !falls && now < before) {
					t.Fatalf("%s: %s after %s", order, now, before)
				}
				before = now
			}
		}
	})
	t.Run("PagesBackByPrevPage", func(t *testing.T) {
		first := c.get(schema.Bill, rows)
		second := c.get(schema.Bill, rows, "nextPage", str(first, "nextPage"))
		back := c.get(schema.Bill, rows, "prevPage", str(second, "prevPage"))
		if diff := cmp.Diff(first, back); diff != "" {
			t.Error(diff)
		}
		c.refused(400, "cursor", schema.Bill, rows, "nextPage", "2")
	})
	t.Run("NeverListsDeletedCards", func(t *testing.T) {
		listed := map[string]bool{}
		for _, r := range c.walk(schema.Bill, cards) {
			listed[str(r, "id")] = true
		}
		if got := c.walk(schema.Bill, cards, "filters", "status:eq:DELETED"); len(got) != 0 {
			t.Errorf("%d deleted cards listed", len(got))
		}
		if count(func(r any) bool { return !listed[str(r, "cardId")] }) == 0 {
			t.Error("no transaction names a card that is not listed")
		}
	})
	t.Run("SaysSpentAsNumberOnCardsAndAsObjectOnBudgets", func(t *testing.T) {
		for _, r := range c.walk(schema.Bill, cards) {
			if !strings.Contains(str(r, "currentPeriod.spent"), ".") {
				t.Errorf("spent of card %s is %v", str(r, "id"), at(r, "currentPeriod.spent"))
			}
		}
		for _, r := range c.walk(schema.Bill, "/v3/spend/budgets") {
			cleared, _ := readCents(str(r, "currentPeriod.spent.cleared"))
			pending, _ := readCents(str(r, "currentPeriod.spent.pending"))
			if total, ok := readCents(str(r, "currentPeriod.spent.total")); !ok || total != cleared+pending {
				t.Errorf("spent of budget %s is %v", str(r, "id"), at(r, "currentPeriod.spent"))
			}
		}
	})
}

func TestSlash(t *testing.T) {
	w := New(Config{Seed: 3})
	c := newClient(t, w)
	every := c.walk(schema.Slash, "/transaction")

	t.Run("PagesByAHundredNewestFirst", func(t *testing.T) {
		if page := c.get(schema.Slash, "/transaction"); len(page["items"].([]any)) != 100 || str(page, "metadata.count") != "100" {
			t.Errorf("first page: %d rows, count %s", len(page["items"].([]any)), str(page, "metadata.count"))
		}
		for i := range every[1:] {
			if str(every[i], "date") < str(every[i+1], "date") {
				t.Fatalf("row %d is older than the next", i)
			}
		}
		c.refused(400, "cursor", schema.Slash, "/transaction", "cursor", "x")
	})
	t.Run("FiltersMillisecondsWithBothEnds", func(t *testing.T) {
		date := str(every[len(every)/2], "date")
		stamp, _ := readTime(date)
		ms := strconv.FormatInt(int64(stamp), 10)
		for _, r := range c.walk(schema.Slash, "/transaction", "filter:from_date", ms, "filter:to_date", ms) {
			if str(r, "date") != date {
				t.Errorf("date %s, want %s", str(r, "date"), date)
			}
		}
		from, to := len(c.walk(schema.Slash, "/transaction", "filter:from_date", ms)), len(c.walk(schema.Slash, "/transaction", "filter:to_date", ms))
		if from+to != len(every)+1 {
			t.Errorf("%d from and %d to, want the one row in both of %d", from, to, len(every))
		}
		for _, r := range c.walk(schema.Slash, "/transaction", "filter:from_authorized_at", ms) {
			if str(r, "authorizedAt") < date {
				t.Errorf("authorizedAt %q before %s", str(r, "authorizedAt"), date)
			}
		}
		c.refused(400, "filter:from_date", schema.Slash, "/transaction", "filter:from_date", "2026-01-01")
	})
	t.Run("FiltersByWordAndRefusesUnknownWords", func(t *testing.T) {
		for filter, field := range map[string][2]string{
			"filter:category": {"fee", ""}, "filter:status": {"pending", "status"}, "filter:detailed_status": {"refund", "detailedStatus"},
			"filter:cardId": {str(every[firstCard(every)], "cardId"), "cardId"},
		} {
			got := c.walk(schema.Slash, "/transaction", filter, field[0])
			if len(got) == 0 || len(got) == len(every) {
				t.Errorf("%s=%s: %d of %d rows", filter, field[0], len(got), len(every))
			}
			for _, r := range got {
				if field[1] != "" && str(r, field[1]) != field[0] {
					t.Errorf("%s=%s brings %v", filter, field[0], r)
				}
			}
		}
		c.refused(400, "one of", schema.Slash, "/transaction", "filter:detailed_status", "in_review")
		c.refused(400, "one of", schema.Slash, "/transaction", "filter:category", "cards")
		c.refused(400, "exclude", schema.Slash, "/card", "filter:cardGroupId", "a", "filter:cardGroupName", "b")
	})
	t.Run("AggregatesWhatTheFilterLists", func(t *testing.T) {
		for _, ask := range [][]string{nil, {"filter:status", "posted"}, {"filter:category", "fee"}, {"filter:detailed_status", "declined"}} {
			var in, out int64
			rows := c.walk(schema.Slash, "/transaction", ask...)
			for _, r := range rows {
				n, err := strconv.ParseInt(str(r, "amountCents"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				if n > 0 {
					in += n
				} else {
					out += n
				}
			}
			sum := c.get(schema.Slash, "/transaction/aggregation", ask...)
			want := []string{strconv.Itoa(len(rows)), strconv.FormatInt(in, 10), strconv.FormatInt(out, 10), strconv.FormatInt(in+out, 10)}
			got := []string{str(sum, "count"), str(sum, "totalIn"), str(sum, "totalOut"), str(sum, "netChange")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v: %s", ask, diff)
			}
		}
	})
	t.Run("GivesTheNumberOnlyWhenAsked", func(t *testing.T) {
		for _, card := range c.walk(schema.Slash, "/card") {
			id := str(card, "id")
			if at(card, "pan") != nil || at(c.get(schema.Slash, "/card/"+id), "pan") != nil {
				t.Errorf("%s shows its number", id)
			}
			if pan := str(c.get(schema.Slash, "/card/"+id, "include_pan", "true"), "pan"); !luhn(pan) {
				t.Errorf("number %q of %s", pan, id)
			}
		}
	})
	t.Run("KnowsItsLegalEntity", func(t *testing.T) {
		for entity, status := range map[string]int{w.LegalEntity(): 200, "le_other": 403} {
			header := c.key(schema.Slash, w.Credential(schema.Slash))
			header.Set("x-legal-entity", entity)
			if r := c.do(http.MethodGet, schema.Slash, "/card", nil, header); r.status != status {
				t.Errorf("%s: status %d, want %d", entity, r.status, status)
			}
		}
	})
}

func firstCard(rows []any) int {
	for i, r := range rows {
		if str(r, "cardId") != "" {
			return i
		}
	}
	return -1
}

func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		n := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return len(number) == 16 && sum%10 == 0
}

func TestWhop(t *testing.T) {
	w := New(Config{Seed: 4})
	c := newClient(t, w)
	const rows = "/card_transactions"
	every := c.walk(schema.Whop, rows)
	version := func(v string) http.Header {
		h := c.key(schema.Whop, w.Credential(schema.Whop))
		h.Del("Api-Version-Date")
		if v != "" {
			h.Set("Api-Version-Date", v)
		}
		return h
	}

	t.Run("RefusesUnknownVersionsAndNamesTheKnown", func(t *testing.T) {
		r := c.do(http.MethodGet, schema.Whop, rows, nil, version("2026-01-01"))
		if r.status != 400 || !strings.Contains(string(r.raw), "2026-06-09") || str(r.json, "error.code") != "parameter_invalid" {
			t.Errorf("status %d: %s", r.status, r.raw)
		}
	})
	t.Run("HasTheOriginalShapeWithoutAVersion", func(t *testing.T) {
		r := c.do(http.MethodGet, schema.Whop, rows, nil, version(""))
		if r.status != 400 || str(r.json, "error.message") != "Missing required parameter: company_id" || at(r.json, "error.type") != nil {
			t.Errorf("without an owner: status %d: %s", r.status, r.raw)
		}
		for _, name := range []string{"company_id", "account_id"} {
			r := c.do(http.MethodGet, schema.Whop, rows, map[string][]string{name: {w.Account()}}, version(""))
			data, _ := at(r.json, "data").([]any)
			if r.status != 200 || len(data) == 0 || at(data[0], "memo") == nil || at(data[0], "cardholder_id") != nil {
				t.Errorf("with %s: status %d: %.300s", name, r.status, r.raw)
			}
		}
		if at(every[0], "memo") != nil || at(every[0], "cardholder_id") == nil {
			t.Errorf("the newer shape is %v", every[0])
		}
	})
	t.Run("WantsExactlyOneOwnerOfCards", func(t *testing.T) {
		user := str(c.get(schema.Whop, "/cards", "account_id", w.Account())["data"].([]any)[0], "user_id")
		c.refused(400, "exactly one", schema.Whop, "/cards")
		c.refused(400, "exactly one", schema.Whop, "/cards", "account_id", w.Account(), "user_id", user)
		c.refused(404, "not_found", schema.Whop, "/cards", "account_id", "biz_other")
		c.refused(404, "not_found", schema.Whop, rows, "account_id", "biz_other")
		if n := len(c.get(schema.Whop, "/cards", "user_id", user)["data"].([]any)); n != 1 {
			t.Errorf("%d cards of one user, want 1", n)
		}
	})
	t.Run("BoundsFirst", func(t *testing.T) {
		c.refused(400, "first", schema.Whop, rows, "first", "101")
		c.refused(400, "first", schema.Whop, rows, "first", "0")
		c.refused(400, "last", schema.Whop, rows, "last", "101")
		if n := len(c.get(schema.Whop, rows)["data"].([]any)); n != 20 {
			t.Errorf("%d rows by default, want 20", n)
		}
	})
	t.Run("PagesBothWays", func(t *testing.T) {
		page := c.get(schema.Whop, rows, "first", "30")
		second := c.get(schema.Whop, rows, "first", "30", "after", str(page, "page_info.end_cursor"))
		back := c.get(schema.Whop, rows, "last", "30", "before", str(second, "page_info.start_cursor"))
		if diff := cmp.Diff(page["data"], back["data"]); diff != "" {
			t.Error(diff)
		}
		if at(page, "page_info.has_previous_page") != false || at(second, "page_info.has_previous_page") != true {
			t.Error("has_previous_page is wrong")
		}
		ending := c.get(schema.Whop, rows, "last", "5")
		if diff := cmp.Diff(every[len(every)-5:], ending["data"]); diff != "" {
			t.Error(diff)
		}
		c.refused(400, "cursor", schema.Whop, rows, "after", "x")
	})
	t.Run("FiltersCreatedWithBothEnds", func(t *testing.T) {
		mid := str(every[len(every)/2], "created_at")
		if got := c.walk(schema.Whop, rows, "created_after", mid, "created_before", mid); len(got) != 1 {
			t.Errorf("%d rows at %s, want 1", len(got), mid)
		}
		after, before := c.walk(schema.Whop, rows, "created_after", mid), c.walk(schema.Whop, rows, "created_before", mid)
		if len(after)+len(before) != len(every)+1 {
			t.Errorf("%d after and %d before, want the one row in both of %d", len(after), len(before), len(every))
		}
		c.refused(400, "created_after", schema.Whop, rows, "created_after", "yesterday")
	})
	t.Run("OrdersByCreation", func(t *testing.T) {
		rising := c.walk(schema.Whop, rows, "order", "created_at", "direction", "asc", "first", "100")
		for i := range rising {
			if str(rising[i], "id") != str(every[len(every)-1-i], "id") {
				t.Fatalf("row %d ascending is not the mirror of descending", i)
			}
		}
		c.refused(400, "one of", schema.Whop, rows, "order", "usd_amount")
	})
	t.Run("FiltersByIDsRepeatedOrJoined", func(t *testing.T) {
		x, y := str(every[0], "id"), str(every[7], "id")
		for _, ask := range [][]string{
			{"transaction_ids", x, "transaction_ids", y}, {"transaction_ids", x + "," + y}, {"transaction_ids[]", x, "transaction_ids[]", y},
		} {
			if got := c.walk(schema.Whop, rows, ask...); len(got) != 2 {
				t.Errorf("%v: %d rows, want 2", ask, len(got))
			}
		}
		c.refused(400, "transaction_ids", schema.Whop, rows, "transaction_ids", "bad")
		card := str(every[0], "card_id")
		for _, r := range c.walk(schema.Whop, rows, "card_id", card, "status", "completed") {
			if str(r, "card_id") != card || str(r, "status") != "completed" {
				t.Errorf("filter brings %v", r)
			}
		}
	})
	t.Run("GivesSecretsOfSingleActiveCardsOnly", func(t *testing.T) {
		active := 0
		for _, card := range c.walk(schema.Whop, "/cards", "account_id", w.Account()) {
			if _, listed := card.(map[string]any)["secrets"]; listed {
				t.Errorf("the list shows secrets of %s", str(card, "id"))
			}
			one := c.get(schema.Whop, "/cards/"+str(card, "id"))
			if str(card, "status") != "active" {
				if at(one, "secrets") != nil {
					t.Errorf("%s card shows secrets", str(card, "status"))
				}
				continue
			}
			active++
			if !luhn(str(one, "secrets.card_number")) {
				t.Errorf("number %q", str(one, "secrets.card_number"))
			}
		}
		if active == 0 {
			t.Error("no active card")
		}
	})
}

func TestBitnob(t *testing.T) {
	w := New(Config{Seed: 5})
	c := newClient(t, w)
	const rows = "/virtualcards/cards/transactions"
	every := c.walk(schema.Bitnob, rows, "take", "100", "order", "ASC")

	t.Run("BoundsTake", func(t *testing.T) {
		page := c.get(schema.Bitnob, rows)
		if n := len(at(page, "data.cardTransactions").([]any)); n != 10 || str(page, "data.meta.itemCount") != strconv.Itoa(len(every)) {
			t.Errorf("%d rows by default of %s", n, str(page, "data.meta.itemCount"))
		}
		if n := len(at(c.get(schema.Bitnob, rows, "take", "0"), "data.cardTransactions").([]any)); n != 0 {
			t.Errorf("take 0 brings %d rows", n)
		}
		c.refused(400, "take", schema.Bitnob, rows, "take", "101")
		c.refused(400, "take", schema.Bitnob, rows, "take", "-1")
		c.refused(400, "page", schema.Bitnob, rows, "page", "0")
		c.refused(400, "order", schema.Bitnob, rows, "order", "up")
	})
	t.Run("EndsBeyondTheLastPage", func(t *testing.T) {
		page := c.get(schema.Bitnob, rows, "page", "100000")
		if len(at(page, "data.cardTransactions").([]any)) != 0 || at(page, "data.meta.hasNextPage") != false {
			t.Errorf("beyond the end: %v", page)
		}
	})
	t.Run("OrdersEitherWay", func(t *testing.T) {
		falling := c.walk(schema.Bitnob, rows, "take", "100", "order", "desc")
		for i := range every {
			if str(every[i], "id") != str(falling[len(falling)-1-i], "id") {
				t.Fatalf("row %d ascending is not the mirror of descending", i)
			}
			if i > 0 && str(every[i], "createdAt") < str(every[i-1], "createdAt") {
				t.Fatalf("row %d is older than the one before", i)
			}
		}
	})
	t.Run("SplitsTheListByCard", func(t *testing.T) {
		n := 0
		for _, card := range c.walk(schema.Bitnob, "/virtualcards/cards", "take", "100") {
			if at(card, "cardNumber") != nil || at(card, "balance") != nil {
				t.Errorf("the list shows too much: %v", card)
			}
			for _, r := range c.walk(schema.Bitnob, "/virtualcards/cards/"+str(card, "id")+"/transactions", "take", "100") {
				if str(r, "cardId") != str(card, "id") {
					t.Errorf("row of another card: %v", r)
				}
				n++
			}
		}
		if unlisted := len(w.books[schema.Bitnob].unlisted[0].rows); n+unlisted != len(every) || unlisted == 0 {
			t.Errorf("%d rows of listed cards and %d of the unlisted one, want %d", n, unlisted, len(every))
		}
	})
	t.Run("CallsAWithdrawalACredit", func(t *testing.T) {
		words := map[string]map[string]bool{}
		for _, r := range every {
			method := str(r, "method")
			if words[method] == nil {
				words[method] = map[string]bool{}
			}
			words[method][str(r, "type")] = true
		}
		want := map[string]map[string]bool{
			"topup": {"credit": true}, "withdrawal": {"credit": true}, "purchase": {"debit": true}, "refund": {"credit": true},
		}
		if diff := cmp.Diff(want, words); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("WritesAmountsTwiceWithoutASign", func(t *testing.T) {
		for _, r := range every {
			amount, ok := readCents(str(r, "amount"))
			if !ok || amount <= 0 || strconv.FormatInt(amount, 10) != str(r, "centAmount") {
				t.Errorf("amount %s beside centAmount %s", str(r, "amount"), str(r, "centAmount"))
			}
		}
	})
}
