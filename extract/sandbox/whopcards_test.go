package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

func TestWhopCreate(t *testing.T) {
	w := New(Config{Seed: 3})
	c := newClient(t, w)
	user := w.books[schema.Whop].people[1].id
	create := func(fields string) map[string]any {
		t.Helper()
		return c.want(http.StatusCreated, http.MethodPost, schema.Whop, "/cards", `{`+fields+`}`)
	}
	account := `"account_id":"` + w.Account() + `"`
	t.Run("MakesACardOfTheAccount", func(t *testing.T) {
		made := create(account + `,"user_id":"` + user + `","name":"Ads","spend_limit":123.45,"spend_limit_frequency":"weekly"`)
		for field, want := range map[string]string{
			"object": "card", "name": "Ads", "status": "active", "type": "virtual", "user_id": user, "spent_last_month": "0", "canceled_at": "",
			"limit.amount": "123.45", "limit.frequency": "weekly", "created_at": "2026-10-15T09:00:00.000Z",
		} {
			if str(made, field) != want {
				t.Errorf("%s is %q, want %q", field, str(made, field), want)
			}
		}
		if _, told := made["secrets"]; told {
			t.Error("the answer has secrets, which only a get has")
		}
		one := c.get(schema.Whop, "/cards/"+str(made, "id"))
		if !luhn(str(one, "secrets.card_number")) || str(one, "last4") != str(one, "secrets.card_number")[12:] {
			t.Errorf("%v", one)
		}
	})
	t.Run("MakesACardOfAUser", func(t *testing.T) {
		made := create(`"user_id":"` + user + `"`)
		found := false
		for _, card := range c.walk(schema.Whop, "/cards", "user_id", user) {
			found = found || str(card, "id") == str(made, "id")
		}
		if !found || at(made, "limit") != nil || at(made, "name") != nil {
			t.Errorf("listed: %v, %v", found, made)
		}
	})
	t.Run("ShowsOneLimitOfTwo", func(t *testing.T) {
		if made := create(account + `,"transaction_limit":7`); str(made, "limit.frequency") != "per_transaction" || str(made, "limit.amount") != "7" {
			t.Errorf("%v", made)
		}
		if made := create(account + `,"transaction_limit":7,"spend_limit":50`); str(made, "limit.frequency") != "monthly" || str(made, "limit.amount") != "50" {
			t.Errorf("%v", made)
		}
	})
	t.Run("RefusesInTheProvidersWords", func(t *testing.T) {
		for fields, want := range map[string]string{
			``: "account_id", `"account_id":5`: "account_id", account + `,"spend_limit":-1`: "spend_limit", account + `,"spend_limit":"much"`: "spend_limit",
			account + `,"spend_limit":1.005`: "spend_limit", account + `,"spend_limit":5,"spend_limit_frequency":"yearly"`: "spend_limit_frequency",
			account + `,"spend_limit_frequency":"daily"`: "spend_limit", account + `,"transaction_limit":0`: "transaction_limit", account + `,"name":[]`: "name",
		} {
			r := c.send(http.MethodPost, schema.Whop, "/cards", `{`+fields+`}`)
			if r.status != http.StatusBadRequest || str(r.json, "error.type") != "invalid_request_error" || str(r.json, "error.code") != "parameter_invalid" ||
				str(r.json, "error.param") != want {
				t.Errorf("{%s}: status %d, %s; want %s", fields, r.status, r.raw, want)
			}
		}
		for _, fields := range []string{`"account_id":"biz_other"`, `"user_id":"user_none"`, account + `,"assigned_user_id":"user_none"`} {
			if r := c.send(http.MethodPost, schema.Whop, "/cards", `{`+fields+`}`); r.status != http.StatusNotFound || str(r.json, "error.type") != "not_found" {
				t.Errorf("{%s}: status %d, %s", fields, r.status, r.raw)
			}
		}
	})
	t.Run("KnowsItsVersions", func(t *testing.T) {
		for version, want := range map[string]int{"": 201, "2025-01-01": 201, "2026-06-09": 201, "2026-10-07-2": 201, "2024-01-01": 400, "latest": 400} {
			header := c.key(schema.Whop, w.Credential(schema.Whop))
			header.Set("Api-Version-Date", version)
			if version == "" {
				header.Del("Api-Version-Date")
			}
			r := c.post(c.url+w.BasePath(schema.Whop)+"/cards", header, `{`+account+`}`)
			if r.status != want || want == 400 && !strings.Contains(string(r.raw), "2026-06-09") {
				t.Errorf("%q: status %d, %s", version, r.status, r.raw)
			}
		}
	})
}

func TestWhopUpdate(t *testing.T) {
	w := New(Config{Seed: 3})
	c := newClient(t, w)
	account := `"account_id":"` + w.Account() + `"`
	made := c.want(http.StatusCreated, http.MethodPost, schema.Whop, "/cards", `{`+account+`,"spend_limit":50,"spend_limit_frequency":"daily"}`)
	path := "/cards/" + str(made, "id")
	update := func(fields string) map[string]any {
		t.Helper()
		return c.want(http.StatusOK, http.MethodPatch, schema.Whop, path, `{`+account+fields+`}`)
	}
	refused := func(fields, why string) {
		t.Helper()
		if r := c.send(http.MethodPatch, schema.Whop, path, `{`+account+fields+`}`); r.status != http.StatusBadRequest || !strings.Contains(string(r.raw), why) {
			t.Errorf("{%s}: status %d, %s; want %q", fields, r.status, r.raw, why)
		}
	}
	spend := func(amount string) string { return c.authorize(schema.Whop, str(made, "id"), amount) }

	t.Run("ALimitDeclinesAndCanBeRaised", func(t *testing.T) {
		for _, step := range [][2]string{{"30", ""}, {"20.01", "spend_limit_exceeded"}, {"20", ""}} {
			if why := spend(step[0]); why != step[1] {
				t.Errorf("%s: %q", step[0], why)
			}
		}
		if got := update(`,"spend_limit":60`); str(got, "limit.amount") != "60" || str(got, "limit.frequency") != "daily" {
			t.Errorf("%v", got)
		}
		if why := spend("10"); why != "" {
			t.Errorf("after it was raised: %q", why)
		}
		if got := update(`,"spend_limit_frequency":"one_time"`); str(got, "limit.amount") != "60" || str(got, "limit.frequency") != "one_time" {
			t.Errorf("%v", got)
		}
		if got := update(`,"remove_limit":true`); at(got, "limit") != nil {
			t.Errorf("%v", got)
		}
		if why := spend("5000"); why != "" {
			t.Errorf("without a limit: %q", why)
		}
	})
	t.Run("AHiddenLimitHolds", func(t *testing.T) {
		update(`,"spend_limit":100000,"transaction_limit":7`)
		if why := spend("7.01"); why != "spend_limit_exceeded" {
			t.Errorf("%q", why)
		}
	})
	t.Run("AFrozenCardSpendsNothing", func(t *testing.T) {
		if got := str(update(`,"frozen":true`), "status"); got != "frozen" {
			t.Errorf("status %s", got)
		}
		if why := spend("1"); why != "card_not_active" {
			t.Errorf("%q", why)
		}
		if one := c.get(schema.Whop, path); at(one, "secrets") != nil {
			t.Errorf("a frozen card shows secrets: %v", one)
		}
		if got := str(update(`,"frozen":false`), "status"); got != "active" || spend("1") != "" {
			t.Errorf("status %s", got)
		}
	})
	t.Run("NameAddressAndPINChange", func(t *testing.T) {
		got := update(`,"name":"New","pin":"4321","billing":{"line1":"1 Other Street","city":"Reno","region":"NV","postal_code":"89501","country_code":"US"}`)
		want := map[string]any{"line1": "1 Other Street", "line2": nil, "city": "Reno", "region": "NV", "postal_code": "89501", "country_code": "US"}
		if diff := cmp.Diff(any(want), got["billing"]); diff != "" || str(got, "name") != "New" {
			t.Errorf("%v %s", got, diff)
		}
		if pin := str(c.get(schema.Whop, path), "secrets.pin"); pin != "4321" {
			t.Errorf("PIN %s", pin)
		}
		refused(`,"pin":"12"`, "four digits")
		refused(`,"billing":{"line1":"1 Other Street"}`, "city is required")
		refused(`,"billing":"1 Other Street"`, "object")
	})
	t.Run("CancelingIsForGoodAndGoesAlone", func(t *testing.T) {
		refused(`,"canceled":true,"name":"x"`, "combined")
		refused(`,"user_id":"`+str(made, "user_id")+`","frozen":true`, "exactly one")
		if err := w.Advance(time.Minute); err != nil {
			t.Fatal(err)
		}
		if got := update(`,"canceled":true`); str(got, "status") != "canceled" || str(got, "canceled_at") != "2026-10-15T09:01:00.000Z" {
			t.Errorf("%v", got)
		}
		refused(`,"frozen":false`, "canceled")
		refused(`,"name":"x"`, "canceled")
		if why := spend("1"); why != "card_not_active" {
			t.Errorf("%q", why)
		}
		listed := 0
		for _, card := range c.walk(schema.Whop, "/cards", "account_id", w.Account()) {
			listed += b2i(str(card, "id") == str(made, "id"))
		}
		if listed != 1 {
			t.Errorf("listed %d times", listed)
		}
	})
	t.Run("AnUnknownCardIsNotFound", func(t *testing.T) {
		if r := c.send(http.MethodPatch, schema.Whop, "/cards/icrd_none", `{`+account+`}`); r.status != http.StatusNotFound {
			t.Errorf("status %d", r.status)
		}
	})
}

// TestWhopSpent lets a purchase roll through the thirty days that spent_last_month counts.
func TestWhopSpent(t *testing.T) {
	w := New(Config{Seed: 3})
	w.books[schema.Whop].basis = onBoth
	c := newClient(t, w)
	made := c.want(http.StatusCreated, http.MethodPost, schema.Whop, "/cards", `{"account_id":"`+w.Account()+`"}`)
	spent := func() string { return str(c.get(schema.Whop, "/cards/"+str(made, "id")), "spent_last_month") }
	row := func() any { return c.walk(schema.Whop, "/card_transactions", "card_id", str(made, "id"))[0] }
	if why := c.authorize(schema.Whop, str(made, "id"), "12.34"); why != "" || spent() != "1234" || str(row(), "status") != "pending" {
		t.Fatalf("%q, spent %s, %v", why, spent(), row())
	}
	if err := w.Advance(12 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	after, _ := readCents(str(row(), "usd_amount"))
	switch str(row(), "status") {
	case "completed":
		if spent() != strconv.FormatInt(after, 10) || str(row(), "posted_at") == "" {
			t.Errorf("spent %s, %v", spent(), row())
		}
	case "reversed":
		if spent() != "0" {
			t.Errorf("spent %s, %v", spent(), row())
		}
	default:
		t.Errorf("twelve days later: %v", row())
	}
	if err := w.Advance(18*24*time.Hour + time.Millisecond); err != nil || spent() != "0" {
		t.Errorf("after thirty days: %v, spent %s", err, spent())
	}
}

func TestReplay(t *testing.T) {
	w := New(Config{Seed: 3})
	c := newClient(t, w)
	send := func(key, body string) (reply, int) {
		t.Helper()
		header := c.key(schema.Whop, w.Credential(schema.Whop))
		header.Set("Idempotency-Key", key)
		r := c.post(c.url+w.BasePath(schema.Whop)+"/cards", header, body)
		return r, len(w.books[schema.Whop].cards)
	}
	body := `{"account_id":"` + w.Account() + `"}`
	first, cards := send("k", body)
	t.Run("TheSameKeyDoesNothingTwice", func(t *testing.T) {
		if again, n := send("k", body); str(again.json, "id") != str(first.json, "id") || again.status != http.StatusCreated || n != cards {
			t.Errorf("status %d, %s; %d cards, %d before", again.status, again.raw, n, cards)
		}
	})
	t.Run("TheSameKeyWithAnotherBodyIsAConflict", func(t *testing.T) {
		if other, n := send("k", body+" "); other.status != http.StatusConflict || n != cards {
			t.Errorf("status %d, %s; %d cards", other.status, other.raw, n)
		}
	})
	t.Run("ARefusalIsNotRemembered", func(t *testing.T) {
		if r, _ := send("other", `{}`); r.status != http.StatusBadRequest {
			t.Errorf("status %d", r.status)
		}
		if r, n := send("other", body); r.status != http.StatusCreated || n != cards+1 {
			t.Errorf("status %d, %d cards", r.status, n)
		}
	})
	t.Run("AKeyIsForgottenAfterADay", func(t *testing.T) {
		if err := w.Advance(24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		if again, _ := send("k", body); str(again.json, "id") == str(first.json, "id") {
			t.Errorf("%s", again.raw)
		}
	})
	t.Run("AKeyIsBounded", func(t *testing.T) {
		if r, _ := send(strings.Repeat("k", 256), body); r.status != http.StatusBadRequest {
			t.Errorf("status %d", r.status)
		}
	})
}
