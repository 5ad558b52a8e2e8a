package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

func newSlashBench(t *testing.T) (*World, *client) {
	t.Helper()
	w := New(Config{Seed: 3})
	w.books[schema.Slash].basis = onBoth
	return w, newClient(t, w)
}

// slashMade issues a card and gives its path.
func (c *client) slashMade(fields string) string {
	c.t.Helper()
	body := strings.TrimSuffix(`{"type":"virtual","name":"Ads",`+fields, ",") + "}"
	return "/card/" + str(c.want(http.StatusCreated, http.MethodPost, schema.Slash, "/card", body), "id")
}

// limits of the body of a card: one over a window.
func slashLimit(preset string, cents int) string {
	return fmt.Sprintf(`"spendingConstraint":{"spendingRule":{"utilizationLimitV2":[{"preset":%q,"limitAmount":{"amountCents":%d}}]}}`, preset, cents)
}

func TestSlashCreate(t *testing.T) {
	w, c := newSlashBench(t)
	t.Run("IssuesAnActiveVirtualCardWithEverythingThatWasAskedFor", func(t *testing.T) {
		constraint := `{"merchantCategoryRule":{"merchantCategories":["travel"],"restriction":"allowlist"},"merchantRule":null,
			"countryRule":{"countries":["US"],"restriction":"blacklist"},"spendingRule":{
			"utilizationLimit":{"timezone":"America/New_York","limitAmount":{"amountCents":12345},"preset":"monthly","startDate":"2026-10-02"},
			"utilizationLimitV2":[{"timezone":"Asia/Tokyo","limitAmount":{"amountCents":500},"preset":"daily"},
			{"limitAmount":{"amountCents":900000},"preset":"collective"}],
			"transactionSizeLimit":{"minimum":{"amountCents":100},"maximum":{"amountCents":400}}}}`
		made := c.want(http.StatusCreated, http.MethodPost, schema.Slash, "/card", `{"type":"virtual","name":"Ads","accountId":"`+w.slashAccount()+`",
			"cardGroupId":"cg_ops","isSingleUse":true,"userData":{"order":12,"note":"<a&b>"},"avsAddress":{"zip":"10012"},"spendingConstraint":`+constraint+`}`)
		for field, want := range map[string]string{
			"accountId": w.slashAccount(), "name": "Ads", "status": "active", "isPhysical": "false", "isSingleUse": "true", "cardGroupId": "cg_ops",
			"cardGroupName": "Ops", "createdAt": "2026-10-15T09:00:00.000Z", "userData.order": "12", "userData.note": "<a&b>", "avsAddress.zip": "10012",
			"pan": "", "cvv": "",
		} {
			if got := str(made, field); got != want {
				t.Errorf("%s is %s, want %s", field, got, want)
			}
		}
		var want any
		decoder := json.NewDecoder(strings.NewReader(constraint))
		decoder.UseNumber()
		if err := decoder.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, made["spendingConstraint"]); diff != "" {
			t.Errorf("spendingConstraint: %s", diff)
		}
		if diff := cmp.Diff(any(made), any(c.get(schema.Slash, "/card/"+str(made, "id")))); diff != "" {
			t.Errorf("the get differs: %s", diff)
		}
		listed := c.walk(schema.Slash, "/card", "sortDirection", "DESC", "filter:cardGroupId", "cg_ops")
		if str(listed[0], "id") != str(made, "id") || str(listed[0], "pan") != "" {
			t.Errorf("the list begins with %v", listed[0])
		}
	})
	t.Run("TellsTheNumberOnlyToWhoAsksForIt", func(t *testing.T) {
		path := c.slashMade("")
		card := w.books[schema.Slash].cardByID[strings.TrimPrefix(path, "/card/")]
		with := c.get(schema.Slash, path, "include_pan", "true")
		if str(with, "pan") != card.pan || str(with, "cvv") != card.cvv || len(card.pan) != 16 {
			t.Errorf("%v", with)
		}
		if got := c.get(schema.Slash, path, "include_cvv", "true"); str(got, "pan") != "" || str(got, "cvv") != card.cvv {
			t.Errorf("%v", got)
		}
	})
	t.Run("LeavesOutWhatWasNotSaid", func(t *testing.T) {
		got := c.get(schema.Slash, c.slashMade(""))
		for _, field := range []string{"spendingConstraint", "cardGroupId", "cardGroupName", "userData", "avsAddress"} {
			if _, ok := got[field]; ok {
				t.Errorf("%s is there: %v", field, got[field])
			}
		}
	})
	t.Run("RefusesWhatIsMissingOrWrong", func(t *testing.T) {
		cards := len(c.walk(schema.Slash, "/card"))
		rule := func(text string) string { return `{"spendingRule":` + text + `}` }
		limit := func(text string) string { return rule(`{"utilizationLimit":` + text + `}`) }
		for fields, want := range map[string]string{
			`"type":"physical"`: "type must be one of virtual", `"type":null`: "type is required", `"name":null`: "name is required",
			`"accountId":"acc_other"`: "no such account", `"cardGroupId":"cg_none"`: "no such card group", `"isSingleUse":"yes"`: "must be a boolean",
			`"userData":"text"`: "userData must be an object", `"userData":{"x":"` + strings.Repeat("a", 4<<10) + `"}`: "must not exceed 4kb",
			`"spendingConstraint":[]`: "spendingConstraint must be an object",
			`"spendingConstraint":` + limit(`{"limitAmount":{"amountCents":1}}`):                                            "utilizationLimit.preset is required",
			`"spendingConstraint":` + limit(`{"preset":"hourly","limitAmount":{"amountCents":1}}`):                          "preset must be one of",
			`"spendingConstraint":` + limit(`{"preset":"daily","limitAmount":{"amountCents":1.5}}`):                         "limitAmount.amountCents must be",
			`"spendingConstraint":` + limit(`{"preset":"daily","limitAmount":1}`):                                           "limitAmount must be an object",
			`"spendingConstraint":` + limit(`{"preset":"daily","limitAmount":{"amountCents":1},"timezone":"Mars/Olympus"}`): "IANA time zone",
			`"spendingConstraint":` + limit(`{"preset":"weekly","limitAmount":{"amountCents":1},"startDate":"2026-10-16"}`): "today or a past day",
			`"spendingConstraint":` + rule(`{"utilizationLimitV2":{}}`):                                                     "utilizationLimitV2 must be an array",
			`"spendingConstraint":` + rule(`{"transactionSizeLimit":{"maximum":{}}}`):                                       "amountCents is required",
			`"spendingConstraint":{"merchantRule":{"merchants":["x"],"restriction":"denylist"}}`:                            "restriction must be one of allowlist, blacklist",
		} {
			r := c.send(http.MethodPost, schema.Slash, "/card", `{"type":"virtual","name":"Ads",`+fields+`}`)
			if r.status != http.StatusBadRequest || !strings.Contains(str(r.json, "message"), want) || str(r.json, "rawStatus") != "400" {
				t.Errorf("%.100s: status %d, %s", fields, r.status, r.raw)
			}
		}
		if n := len(c.walk(schema.Slash, "/card")); n != cards {
			t.Errorf("%d cards, %d before", n, cards)
		}
	})
	t.Run("TakesUserDataOfExactly4kB", func(t *testing.T) {
		c.slashMade(`"userData":{"x":"` + strings.Repeat("<", 4<<10-len(`{"x":""}`)) + `"}`)
	})
	t.Run("IssuesOneCardForOneIdempotencyKey", func(t *testing.T) {
		header := c.key(schema.Slash, w.Credential(schema.Slash))
		header.Set("X-Idempotency-Key", "k1")
		one := c.post(c.url+"/slash/card", header, `{"type":"virtual","name":"Once"}`)
		again := c.post(c.url+"/slash/card", header, `{"type":"virtual","name":"Once"}`)
		if one.status != http.StatusCreated || string(one.raw) != string(again.raw) {
			t.Errorf("%s, then %d %s", one.raw, again.status, again.raw)
		}
		if r := c.post(c.url+"/slash/card", header, `{"type":"virtual","name":"Other"}`); r.status != http.StatusConflict {
			t.Errorf("another body: %d", r.status)
		}
	})
}

func TestSlashUpdate(t *testing.T) {
	_, c := newSlashBench(t)
	patch := func(path, body string) map[string]any {
		return c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, body)
	}
	t.Run("ChangesOnlyWhatIsNamed", func(t *testing.T) {
		path := c.slashMade(`"userData":{"a":1},"cardGroupId":"cg_ops",` + slashLimit("daily", 500))
		got := patch(path, `{"name":"New","status":"paused"}`)
		if str(got, "name") != "New" || str(got, "status") != "paused" || str(got, "userData.a") != "1" || str(got, "cardGroupName") != "Ops" || got["spendingConstraint"] == nil {
			t.Errorf("%v", got)
		}
		got = patch(path, `{"userData":null,"cardGroupId":null,"spendingConstraint":null}`)
		if got["userData"] != nil || got["cardGroupId"] != nil || got["spendingConstraint"] != nil || str(got, "name") != "New" {
			t.Errorf("taken away: %v", got)
		}
		got = patch(path, `{"cardGroupId":"cg_marketing","userData":{"b":2},`+slashLimit("weekly", 700)+`}`)
		if str(got, "cardGroupName") != "Marketing" || str(got, "userData.b") != "2" || !strings.Contains(fmt.Sprint(got["spendingConstraint"]), "weekly") {
			t.Errorf("given: %v", got)
		}
	})
	t.Run("AClosedCardStaysClosed", func(t *testing.T) {
		path := c.slashMade("")
		patch(path, `{"status":"closed"}`)
		if r := c.send(http.MethodPatch, schema.Slash, path, `{"status":"active"}`); r.status != http.StatusBadRequest || str(c.get(schema.Slash, path), "status") != "closed" {
			t.Errorf("%d %s", r.status, r.raw)
		}
	})
	t.Run("RefusesWhatIsWrongAndChangesNothing", func(t *testing.T) {
		path := c.slashMade(`"userData":{"a":1}`)
		before := c.get(schema.Slash, path)
		for _, body := range []string{
			`{"name":"New","status":"frozen"}`, `{"status":"paused","cardGroupId":"cg_none"}`, `{"name":"New","userData":1}`, `[]`,
			`{"name":"New","spendingConstraint":{"spendingRule":1}}`, `{`,
		} {
			if r := c.send(http.MethodPatch, schema.Slash, path, body); r.status != http.StatusBadRequest {
				t.Errorf("%s: %d", body, r.status)
			}
		}
		if diff := cmp.Diff(before, c.get(schema.Slash, path)); diff != "" {
			t.Errorf("the card changed: %s", diff)
		}
		if r := c.send(http.MethodPatch, schema.Slash, "/card/none", `{}`); r.status != http.StatusNotFound {
			t.Errorf("an unknown card: %d", r.status)
		}
	})
	t.Run("AConstraintIsReplacedByPutAndMergedByPatch", func(t *testing.T) {
		path := c.slashMade(`"spendingConstraint":{"countryRule":{"countries":["US"],"restriction":"allowlist"},"spendingRule":{
			"utilizationLimit":{"preset":"monthly","limitAmount":{"amountCents":1000},"timezone":"Asia/Tokyo"},"transactionSizeLimit":{"maximum":{"amountCents":50}}}}`) + "/spending-constraint"
		for _, step := range []struct{ method, body, want string }{
			{
				http.MethodPatch, `{"spendingRule":{"utilizationLimit":{"limitAmount":{"amountCents":2000}}}}`,
				`{"countryRule":{"countries":["US"],"restriction":"allowlist"},"merchantRule":null,"spendingRule":{"transactionSizeLimit":{"maximum":{"amountCents":50}},` +
					`"utilizationLimit":{"limitAmount":{"amountCents":2000},"preset":"monthly","timezone":"Asia/Tokyo"}}}`,
			},
			{
				http.MethodPatch, `{"countryRule":null,"spendingRule":{"transactionSizeLimit":null}}`,
				`{"merchantRule":null,"spendingRule":{"utilizationLimit":{"limitAmount":{"amountCents":2000},"preset":"monthly","timezone":"Asia/Tokyo"}}}`,
			},
			{
				http.MethodPut, `{"spendingRule":{"utilizationLimitV2":[{"preset":"daily","limitAmount":{"amountCents":7}}]}}`,
				`{"merchantRule":null,"spendingRule":{"utilizationLimitV2":[{"limitAmount":{"amountCents":7},"preset":"daily"}]}}`,
			},
			{http.MethodPut, `{}`, `{}`},
		} {
			if r := c.send(step.method, schema.Slash, path, step.body); r.status != http.StatusOK || strings.TrimSpace(string(r.raw)) != step.want {
				t.Errorf("%s %s:\n%d %s\nwant %s", step.method, step.body, r.status, r.raw, step.want)
			}
		}
		if r := c.send(http.MethodPatch, schema.Slash, path, `{"spendingRule":{"utilizationLimit":{"preset":"daily"}}}`); r.status != http.StatusBadRequest {
			t.Errorf("a limit without an amount: %d %s", r.status, r.raw)
		}
	})
}

func TestSlashSpending(t *testing.T) {
	spend := func(c *client, path string) string {
		return str(c.get(schema.Slash, path+"/utilization"), "spend.amountCents")
	}
	id := func(path string) string { return strings.TrimPrefix(path, "/card/") }
	t.Run("ASingleUseCardClosesAfterOneAttempt", func(t *testing.T) {
		_, c := newSlashBench(t)
		for amount, why := range map[string]string{"5.00": "", "5.01": "spend_limit_exceeded"} {
			path := c.slashMade(`"isSingleUse":true,` + slashLimit("daily", 500))
			if got := c.authorize(schema.Slash, id(path), amount); got != why {
				t.Errorf("%s: %q", amount, got)
			}
			if got := str(c.get(schema.Slash, path), "status"); got != "closed" {
				t.Errorf("after %s it is %s", amount, got)
			}
			if got := c.authorize(schema.Slash, id(path), "0.01"); got != "card_not_active" {
				t.Errorf("a second time: %q", got)
			}
		}
	})
	t.Run("OnlyAnActiveCardSpends", func(t *testing.T) {
		_, c := newSlashBench(t)
		path := c.slashMade("")
		for _, step := range []struct{ status, why string }{{"paused", "card_not_active"}, {"inactive", "card_not_active"}, {"active", ""}, {"closed", "card_not_active"}} {
			c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, `{"status":"`+step.status+`"}`)
			if why := c.authorize(schema.Slash, id(path), "1.00"); why != step.why {
				t.Errorf("%s: %q", step.status, why)
			}
		}
	})
	t.Run("UtilizationMovesAndResets", func(t *testing.T) {
		w, c := newSlashBench(t)
		path := c.slashMade(slashLimit("daily", 1000))
		for _, step := range []struct{ amount, why, spend string }{{"6.00", "", "600"}, {"4.01", "spend_limit_exceeded", "600"}, {"4.00", "", "1000"}} {
			if why := c.authorize(schema.Slash, id(path), step.amount); why != step.why || spend(c, path) != step.spend {
				t.Errorf("%s: %q, spend %s", step.amount, why, spend(c, path))
			}
		}
		used := c.get(schema.Slash, path+"/utilization")
		if str(used, "availableBalance.amountCents") != "0" || str(used, "nextResetDate") != "2026-10-16T00:00:00.000Z" {
			t.Errorf("%v", used)
		}
		if err := w.Advance(24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		if why := c.authorize(schema.Slash, id(path), "10.00"); why != "" || spend(c, path) != "1000" {
			t.Errorf("the next day: %q, spend %s", why, spend(c, path))
		}
	})
	t.Run("ARaisedLimitGivesRoom", func(t *testing.T) {
		_, c := newSlashBench(t)
		path := c.slashMade(slashLimit("collective", 100))
		if why := c.authorize(schema.Slash, id(path), "1.50"); why != "spend_limit_exceeded" {
			t.Errorf("before: %q", why)
		}
		c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, `{`+slashLimit("collective", 150)+`}`)
		if why := c.authorize(schema.Slash, id(path), "1.50"); why != "" {
			t.Errorf("after: %q", why)
		}
	})
	t.Run("ThePurchaseHasItsSizeLimits", func(t *testing.T) {
		_, c := newSlashBench(t)
		path := c.slashMade(`"spendingConstraint":{"spendingRule":{"transactionSizeLimit":{"minimum":{"amountCents":100},"maximum":{"amountCents":200}}}}`)
		for amount, ok := range map[string]bool{"0.99": false, "1.00": true, "2.00": true, "2.01": false} {
			if why := c.authorize(schema.Slash, id(path), amount); (why == "") != ok {
				t.Errorf("%s: %q", amount, why)
			}
		}
	})
	t.Run("TransactionsAndAggregationHaveTheAttempts", func(t *testing.T) {
		_, c := newSlashBench(t)
		path := c.slashMade(slashLimit("daily", 500))
		c.authorize(schema.Slash, id(path), "5.00")
		c.authorize(schema.Slash, id(path), "5.00")
		rows := c.walk(schema.Slash, "/transaction", "filter:cardId", id(path))
		words := map[string]bool{}
		for _, r := range rows {
			words[str(r, "detailedStatus")+" "+str(r, "amountCents")+" "+str(r, "declineReason")] = true
		}
		if diff := cmp.Diff(map[string]bool{"pending -500 ": true, "declined -500 spend_limit_exceeded": true}, words); diff != "" {
			t.Error(diff)
		}
		sum := c.get(schema.Slash, "/transaction/aggregation", "filter:cardId", id(path), "filter:status", "pending")
		if str(sum, "count") != "1" || str(sum, "totalOut") != "-500" {
			t.Errorf("%v", sum)
		}
	})
}

// TestFates lets two weeks pass over 300 equal purchases and looks at what became of them.
func TestFates(t *testing.T) {
	w, c := newSlashBench(t)
	path := c.slashMade("")
	for range 300 {
		if why := c.authorize(schema.Slash, strings.TrimPrefix(path, "/card/"), "8.00"); why != "" {
			t.Fatal(why)
		}
	}
	begun := w.Now()
	if err := w.Advance(14 * 24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	fates := map[string]int{}
	for _, r := range c.walk(schema.Slash, "/transaction", "filter:cardId", strings.TrimPrefix(path, "/card/")) {
		fate := str(r, "detailedStatus")
		if fate == "settled" {
			posted, err := time.Parse(time.RFC3339, str(r, "date"))
			if err != nil {
				t.Fatal(err)
			}
			if posted.Sub(begun) > 3*24*time.Hour {
				fates["settled late"]++
			}
			if str(r, "amountCents") != "-800" {
				fates["settled for another amount"]++
			}
		}
		fates[fate]++
	}
	least := map[string]int{"settled": 200, "settled late": 30, "settled for another amount": 8, "reversed": 5, "canceled": 2}
	for fate, n := range least {
		if fates[fate] < n {
			t.Errorf("%s: %d, want at least %d", fate, fates[fate], n)
		}
	}
	if sum := fates["settled"] + fates["reversed"] + fates["canceled"]; sum != 300 {
		t.Errorf("%d purchases have an end: %v", sum, fates)
	}
}

func TestSlashGroups(t *testing.T) {
	_, c := newSlashBench(t)
	made := c.want(http.StatusOK, http.MethodPost, schema.Slash, "/card-group", `{"name":"Events",`+slashLimit("daily", 1000)+`}`)
	path := "/card-group/" + str(made, "id")
	t.Run("ListsAndGetsByName", func(t *testing.T) {
		var names []string
		for _, g := range c.walk(schema.Slash, "/card-group") {
			names = append(names, str(g, "name"))
		}
		if diff := cmp.Diff([]string{"Marketing", "Engineering", "Ops", "Events"}, names); diff != "" {
			t.Error(diff)
		}
		if got := c.walk(schema.Slash, "/card-group", "filter:name", "Events"); len(got) != 1 || str(got[0], "id") != str(made, "id") {
			t.Errorf("by name: %v", got)
		}
		if got := c.walk(schema.Slash, "/card-group", "filter:status", "archived"); len(got) != 0 {
			t.Errorf("archived: %v", got)
		}
		if diff := cmp.Diff(made, c.get(schema.Slash, path)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("ItsLimitHoldsForAllItsCards", func(t *testing.T) {
		one, two := c.slashMade(`"cardGroupId":"`+str(made, "id")+`"`), c.slashMade(`"cardGroupId":"`+str(made, "id")+`"`)
		for _, step := range []struct{ card, amount, why, spend string }{
			{one, "6.00", "", "600"}, {two, "4.01", "spend_limit_exceeded", "600"}, {two, "4.00", "", "1000"}, {one, "0.01", "spend_limit_exceeded", "1000"},
		} {
			why := c.authorize(schema.Slash, strings.TrimPrefix(step.card, "/card/"), step.amount)
			if got := str(c.get(schema.Slash, path+"/utilization"), "spend.amountCents"); why != step.why || got != step.spend {
				t.Errorf("%s: %q, spend %s", step.amount, why, got)
			}
		}
	})
	t.Run("IsRenamedAndConstrainedAnew", func(t *testing.T) {
		if got := c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, `{"name":"Fairs"}`); str(got, "name") != "Fairs" || got["spendingConstraint"] == nil {
			t.Errorf("%v", got)
		}
		constraint := path + "/spending-constraint"
		c.want(http.StatusOK, http.MethodPatch, schema.Slash, constraint, `{"spendingRule":{"transactionSizeLimit":{"maximum":{"amountCents":5}}}}`)
		if got := fmt.Sprint(c.get(schema.Slash, path)["spendingConstraint"]); !strings.Contains(got, "maximum") || !strings.Contains(got, "daily") {
			t.Errorf("merged: %s", got)
		}
		c.want(http.StatusOK, http.MethodPut, schema.Slash, constraint, `{}`)
		if got := c.get(schema.Slash, path); got["spendingConstraint"] != nil {
			t.Errorf("replaced by none: %v", got)
		}
		c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, `{`+slashLimit("daily", 1)+`}`)
		if got := c.want(http.StatusOK, http.MethodPatch, schema.Slash, path, `{"spendingConstraint":null}`); got["spendingConstraint"] != nil {
			t.Errorf("taken away: %v", got)
		}
	})
	t.Run("RefusesWhatIsWrong", func(t *testing.T) {
		for _, body := range []string{`{}`, `{"name":1}`, `{"name":"x","spendingConstraint":1}`} {
			if r := c.send(http.MethodPost, schema.Slash, "/card-group", body); r.status != http.StatusBadRequest {
				t.Errorf("%s: %d", body, r.status)
			}
		}
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			if r := c.send(method, schema.Slash, "/card-group/cg_none", ""); r.status != http.StatusNotFound {
				t.Errorf("%s: %d", method, r.status)
			}
		}
		for _, method := range []string{http.MethodPatch, http.MethodPut} {
			if r := c.send(method, schema.Slash, path+"/spending-constraint", `{"spendingRule":1}`); r.status != http.StatusBadRequest {
				t.Errorf("%s: %d", method, r.status)
			}
		}
		c.refused(http.StatusBadRequest, "filter:status", schema.Slash, "/card-group", "filter:status", "gone")
	})
}

func TestSlashAccounts(t *testing.T) {
	w, c := newSlashBench(t)
	list := c.walk(schema.Slash, "/account")
	if len(list) != 1 || str(list[0], "type") != "charge_card" || str(list[0], "status") != "open" {
		t.Fatalf("%v", list)
	}
	id := str(list[0], "id")
	if diff := cmp.Diff(list[0], any(c.get(schema.Slash, "/account/"+id))); diff != "" {
		t.Error(diff)
	}
	if got := c.walk(schema.Slash, "/account", "filter:legalEntityId", "le_other"); len(got) != 0 {
		t.Errorf("of another legal entity: %v", got)
	}
	if got := c.walk(schema.Slash, "/legal-entity"); len(got) != 1 || str(got[0], "id") != w.LegalEntity() {
		t.Errorf("%v", got)
	}
	c.refused(http.StatusNotFound, "", schema.Slash, "/account/acc_none")
	c.refused(http.StatusNotFound, "", schema.Slash, "/account/acc_none/balance")
	credit := func(field string) int64 {
		n, ok := readMinor(str(c.get(schema.Slash, "/account/"+id+"/balance")["balances"].([]any)[1], field))
		if !ok {
			t.Fatal("no balance")
		}
		return n
	}
	t.Run("TheBalanceMovesWithSpending", func(t *testing.T) {
		available, posted := credit("available.amountCents"), credit("posted.amountCents")
		path := c.slashMade("")
		c.authorize(schema.Slash, strings.TrimPrefix(path, "/card/"), "12.34")
		if got := credit("available.amountCents"); got != available-1234 || credit("posted.amountCents") != posted {
			t.Errorf("available %d, was %d; posted %d, was %d", got, available, credit("posted.amountCents"), posted)
		}
	})
}
