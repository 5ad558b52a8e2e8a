package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// billBench is a world with a client, and a card of BILL that was issued in it.
type billBench struct {
	*client
	world *World
	t     *testing.T
	card  string
	path  string
}

func newBillBench(t *testing.T) *billBench {
	t.Helper()
	w := New(Config{Seed: 3})
	b := &billBench{client: newClient(t, w), world: w, t: t}
	made := b.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards",
		`{"name":"Tools","userId":"{user_id}","budgetId":"{budget_id}","limit":"10"}`)
	b.card = str(made, "id")
	b.path = "/v3/spend/cards/" + url.PathEscape(b.card)
	return b
}

func (b *billBench) advance(d time.Duration) {
	b.t.Helper()
	if err := b.world.Advance(d); err != nil {
		b.t.Fatal(err)
	}
}

func TestBillCreate(t *testing.T) {
	w := New(Config{Seed: 3})
	c := newClient(t, w)
	user := c.walk(schema.Bill, "/v3/spend/users")[1]
	budget := c.walk(schema.Bill, "/v3/spend/budgets")[0]
	body := func(changes string) string {
		fields := map[string]any{"name": "Happy Music", "userId": str(user, "id"), "budgetId": str(budget, "id"), "limit": "10"}
		if err := json.Unmarshal([]byte(changes), &fields); err != nil {
			t.Fatal(err)
		}
		text, _ := json.Marshal(fields)
		return string(text)
	}
	t.Run("IssuesAFrozenVendorCardOnTheUserAndTheBudget", func(t *testing.T) {
		made := c.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards", body(`{}`))
		for field, want := range map[string]string{
			"name": "Happy Music", "userId": str(user, "id"), "budgetId": str(budget, "id"), "status": "FROZEN", "type": "VIRTUAL_VENDOR",
			"shareBudgetFunds": "false", "recurring": "false", "currentPeriod.limit": "10.00", "currentPeriod.spent": "0.00",
			"createdTime": "2026-10-15T09:00:00.000+00:00", "updatedTime": "2026-10-15T09:00:00.000+00:00",
		} {
			if got := str(made, field); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		if n := len(str(made, "lastFour")); n != 4 {
			t.Errorf("lastFour has %d digits", n)
		}
		got := c.get(schema.Bill, "/v3/spend/cards/"+url.PathEscape(str(made, "id")))
		if str(got, "uuid") != str(made, "uuid") {
			t.Errorf("the get gives %s", str(got, "uuid"))
		}
		listed := c.walk(schema.Bill, "/v3/spend/cards", "filters", "cardIds:eq:"+str(made, "uuid"))
		if len(listed) != 1 || str(listed[0], "id") != str(made, "id") {
			t.Errorf("the list gives %v", listed)
		}
	})
	t.Run("TakesTypeRecurrenceAndANumberAsLimit", func(t *testing.T) {
		made := c.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards", body(`{"type":"VIRTUAL_MEMBER","limit":12.5}`))
		if str(made, "type") != "VIRTUAL_MEMBER" || str(made, "currentPeriod.limit") != "12.50" {
			t.Errorf("%v", made)
		}
		shared := c.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards", body(`{"shareBudgetFunds":true,"limit":null}`))
		if str(shared, "shareBudgetFunds") != "true" || str(shared, "currentPeriod.limit") != "0.00" {
			t.Errorf("%v", shared)
		}
	})
	t.Run("RefusesWhatIsMissingOrUnknown", func(t *testing.T) {
		cards := len(c.walk(schema.Bill, "/v3/spend/cards"))
		for changes, want := range map[string]string{
			`{"name":""}`: "name is required", `{"userId":null}`: "userId is required", `{"budgetId":null}`: "budgetId is required",
			`{"limit":null}`: "limit is required", `{"limit":"ten"}`: "limit must be", `{"limit":"10.005"}`: "limit must be",
			`{"limit":"-1"}`: "limit must be", `{"userId":"usr_none"}`: "no such user", `{"budgetId":"bdg_none"}`: "no such budget",
			`{"type":"PHYSICAL"}`: "type must be one of", `{"recurring":"yes"}`: "recurring must be",
		} {
			r := c.send(http.MethodPost, schema.Bill, "/v3/spend/cards", body(changes))
			if r.status != http.StatusBadRequest || !strings.Contains(string(r.raw), want) || !strings.HasPrefix(string(r.raw), `[{`) {
				t.Errorf("%s: status %d, %s", changes, r.status, r.raw)
			}
		}
		if n := len(c.walk(schema.Bill, "/v3/spend/cards")); n != cards {
			t.Errorf("%d cards, %d before", n, cards)
		}
	})
}

func TestBillFreeze(t *testing.T) {
	t.Run("UnfreezeGivesTheStatusBeforeBack", func(t *testing.T) {
		c := newBillBench(t)
		for _, step := range []struct{ operation, want string }{
			{"freeze", "FROZEN"}, {"unfreeze", "ACTIVATED"}, {"unfreeze", "ACTIVATED"}, {"freeze", "FROZEN"}, {"freeze", "FROZEN"}, {"unfreeze", "ACTIVATED"},
		} {
			c.advance(time.Minute)
			answer := c.want(http.StatusOK, http.MethodPost, schema.Bill, c.path+"/"+step.operation, "")
			if got := str(answer, "status"); got != step.want || str(c.get(schema.Bill, c.path), "status") != step.want {
				t.Errorf("%s: %s, want %s", step.operation, got, step.want)
			}
		}
	})
	t.Run("ACardNeverActivatedStaysSo", func(t *testing.T) {
		c := newBillBench(t)
		c.world.books[schema.Bill].cardByID[c.card].status = "NOT_ACTIVATED"
		c.want(http.StatusOK, http.MethodPost, schema.Bill, c.path+"/freeze", "")
		if got := str(c.want(http.StatusOK, http.MethodPost, schema.Bill, c.path+"/unfreeze", ""), "status"); got != "NOT_ACTIVATED" {
			t.Errorf("status %s", got)
		}
	})
	t.Run("AnUnknownCardIsNotFound", func(t *testing.T) {
		c := newBillBench(t)
		for _, operation := range []string{"freeze", "unfreeze", "pan-jwt"} {
			if r := c.send(http.MethodPost, schema.Bill, "/v3/spend/cards/none/"+operation, ""); r.status != http.StatusNotFound {
				t.Errorf("%s: status %d", operation, r.status)
			}
		}
	})
}

func TestBillSpending(t *testing.T) {
	c := newBillBench(t)
	spent := func() string { return str(c.get(schema.Bill, c.path), "currentPeriod.spent") }
	budget := func() string {
		id := url.PathEscape(str(c.get(schema.Bill, c.path), "budgetId"))
		return str(c.get(schema.Bill, "/v3/spend/budgets/"+id), "currentPeriod.spent.total")
	}
	c.world.books[schema.Bill].basis = onBoth
	if why := c.authorize(schema.Bill, c.card, "5.00"); why != "card_not_active" {
		t.Errorf("frozen: %q", why)
	}
	c.want(http.StatusOK, http.MethodPost, schema.Bill, c.path+"/unfreeze", "")
	before := budget()
	for _, step := range []struct{ amount, why, spent string }{
		{"6.00", "", "6.00"}, {"4.01", "spend_limit_exceeded", "6.00"}, {"4.00", "", "10.00"}, {"0.01", "spend_limit_exceeded", "10.00"},
	} {
		if why := c.authorize(schema.Bill, c.card, step.amount); why != step.why || spent() != step.spent {
			t.Errorf("%s: %q, spent %s; want %q, %s", step.amount, why, spent(), step.why, step.spent)
		}
	}
	if after := budget(); after == before {
		t.Errorf("the budget's spent is %s before and after", after)
	}
	rows := c.walk(schema.Bill, "/v3/spend/transactions", "filters", "cardId:eq:"+c.card, "sort", "occurredTime:asc")
	var words []string
	for _, r := range rows {
		words = append(words, str(r, "transactionType")+" "+str(r, "amount")+" "+str(r, "declineReason"))
	}
	if len(words) != 5 || strings.Count(strings.Join(words, ","), "AUTHORIZATION") != 2 ||
		strings.Count(strings.Join(words, ","), "SPEND_LIMIT_EXCEEDED") != 2 || strings.Count(strings.Join(words, ","), "CARD_NOT_ACTIVE") != 1 {
		t.Errorf("rows %q", words)
	}
	t.Run("ASharedCardSpendsUpToTheBudget", func(t *testing.T) {
		made := c.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards",
			`{"name":"Shared","userId":"{user_id}","budgetId":"{budget_id}","shareBudgetFunds":true}`)
		id := str(made, "id")
		c.want(http.StatusOK, http.MethodPost, schema.Bill, "/v3/spend/cards/"+url.PathEscape(id)+"/unfreeze", "")
		if why := c.authorize(schema.Bill, id, "100.00"); why != "" {
			t.Errorf("within the budget: %q", why)
		}
		if why := c.authorize(schema.Bill, id, "999999.00"); why != "spend_limit_exceeded" {
			t.Errorf("beyond the budget: %q", why)
		}
	})
}

func TestBillPAN(t *testing.T) {
	exchange := func(c *billBench, token string) reply {
		return c.post(c.url+"/bill/de/rest/pan", http.Header{"Content-Type": {"application/json"}}, `{"token":"`+token+`"}`)
	}
	t.Run("TheTokenIsExchangedWithoutAKeyForNumberCodeAndEnd", func(t *testing.T) {
		c := newBillBench(t)
		card := c.world.books[schema.Bill].cardByID[c.card]
		for _, method := range []string{http.MethodGet, http.MethodPost} { // the text says GET, the sample POST
			token := str(c.want(http.StatusOK, method, schema.Bill, c.path+"/pan-jwt", ""), "token")
			r := exchange(c, token)
			if r.status != http.StatusOK || str(r.json, "pan") != card.pan || str(r.json, "cvv") != card.cvv || str(r.json, "expirationDate") != "12/29" {
				t.Errorf("%s: status %d, %s", method, r.status, r.raw)
			}
		}
	})
	t.Run("TheTokenLivesFiveMinutesOfTheWorldsClock", func(t *testing.T) {
		c := newBillBench(t)
		token := str(c.want(http.StatusOK, http.MethodGet, schema.Bill, c.path+"/pan-jwt", ""), "token")
		c.advance(5*time.Minute - time.Second)
		if r := exchange(c, token); r.status != http.StatusOK {
			t.Errorf("a second before its end: %d %s", r.status, r.raw)
		}
		c.advance(time.Second)
		if r := exchange(c, token); r.status != http.StatusUnauthorized || !strings.Contains(string(r.raw), "expired") {
			t.Errorf("at its end: %d %s", r.status, r.raw)
		}
	})
	t.Run("WhatTheDocumentsWriteStandsForTheLastToken", func(t *testing.T) {
		c := newBillBench(t)
		if r := exchange(c, "{JWT_token}"); r.status != http.StatusUnauthorized {
			t.Errorf("before there is one: %d %s", r.status, r.raw)
		}
		c.want(http.StatusOK, http.MethodGet, schema.Bill, c.path+"/pan-jwt", "")
		if r := exchange(c, "{JWT_token}"); r.status != http.StatusOK || str(r.json, "pan") != c.world.books[schema.Bill].cardByID[c.card].pan {
			t.Errorf("%d %s", r.status, r.raw)
		}
	})
	t.Run("AForgedTokenIsRefused", func(t *testing.T) {
		c := newBillBench(t)
		token := str(c.want(http.StatusOK, http.MethodGet, schema.Bill, c.path+"/pan-jwt", ""), "token")
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%q is no JWT", token)
		}
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		later := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), `"exp":1`, `"exp":9`, 1)))
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
		mac := hmac.New(sha256.New, []byte("guessed"))
		mac.Write([]byte(parts[0] + "." + parts[1]))
		for fact, forged := range map[string]string{
			"claims changed": parts[0] + "." + later + "." + parts[2], "unsigned": none + "." + parts[1] + ".", "cut": token[:len(token)-1],
			"signed with another key": parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
			"no token":                "x", "two parts": parts[0] + "." + parts[1],
		} {
			if r := exchange(c, forged); r.status != http.StatusUnauthorized || strings.Contains(string(r.raw), `"pan"`) {
				t.Errorf("%s: %d %s", fact, r.status, r.raw)
			}
		}
		if r := exchange(c, ""); r.status != http.StatusBadRequest {
			t.Errorf("empty: %d %s", r.status, r.raw)
		}
		if r := c.post(c.url+"/bill/connect/v3/spend/cards", http.Header{}, `{}`); r.status != http.StatusUnauthorized {
			t.Errorf("without a key elsewhere: %d", r.status)
		}
	})
}
