package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNightly_ReadsTheOtherDocumentedShapes runs the whole job against issuers that answer in the ways that the documents
// also allow and that the sandbox does not use: ids without uuids, budgets that are only found by id, filters that refuse
// times, numbers as text, envelopes elsewhere, no control total.
func TestNightly_ReadsTheOtherDocumentedShapes(t *testing.T) {
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/bill/v3/spend/cards", answer(`{"results":[{"id":"Q2FyZDox","name":"Seed style ","userId":"u","budgetId":"QnVk","lastFour":"4242",
		"validThru":"12/27","status":"ACTIVATED","type":"VIRTUAL_VENDOR","shareBudgetFunds":false,"recurring":false,
		"currentPeriod":{"limit":10.00,"spent":12.50},"createdTime":"2026-06-01T20:24:35.000+00:00","updatedTime":"2026-06-01T20:24:35.000+00:00"}]}`))
	mux.HandleFunc("/bill/v3/spend/budgets", answer(`{"results":[]}`))
	mux.HandleFunc("/bill/v3/spend/budgets/QnVk", answer(`{"id":"QnVk","name":"Ads","timezone":"America/New_York","recurringInterval":"MONTHLY",
		"currentPeriod":{"startDate":"2026-08-01","endDate":"2026-08-31","limit":100,"spent":{"cleared":10,"pending":2.5,"total":12.5}}}`))
	mux.HandleFunc("/bill/v3/spend/transactions", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("filters"), "Z") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `[{"code":"BDC_1","severity":"ERROR","category":"REQUEST","message":"filters: bad value"}]`)
			return
		}
		_, _ = io.WriteString(w, `{"results":[
			{"id":"VHI6MQ==","cardId":"Q2FyZDox","transactionType":"CLEAR","amount":10,"occurredTime":"2026-08-10T10:00:00Z","isParent":true,"merchantName":"A"},
			{"id":"VHI6Mg==","cardId":"Q2FyZDox","transactionType":"AUTHORIZATION","amount":2.5,"occurredTime":"2026-08-30T10:00:00Z","isParent":true,"merchantName":"B"}],"nextPage":null}`)
	})
	mux.HandleFunc("/slash/card", answer(`{"items":[]}`))
	mux.HandleFunc("/slash/transaction", func(w http.ResponseWriter, r *http.Request) {
		items := ""
		if r.URL.Query().Get("filter:category") == "fee" {
			items = `{"id":"fee1","date":"2026-08-12T00:00:00Z","amountCents":-150.0,"status":"posted","detailedStatus":"settled","accountId":"a","accountSubtype":"cash","description":"Slash fee"}`
		}
		_, _ = io.WriteString(w, `{"items":[`+items+`],"metadata":null}`)
	})
	mux.HandleFunc("/whop/cards", answer(`{"data":[{"object":"card","id":"icrd_1","name":null,"last4":null,"expiration_month":null,"expiration_year":null,
		"user_id":null,"spent_last_month":1999,"limit":null,"billing":null,"created_at":"2026-07-01T00:00:00Z","canceled_at":null}]}`))
	mux.HandleFunc("/whop/card_transactions", answer(`{"data":[
		{"id":"citx_1","card_id":"icrd_1","cardholder_id":null,"status":"completed","transaction_type":"spend","usd_amount":"19.99","local_amount":"3000","currency":"jpy",
		"international":true,"merchant_name":"C","created_at":"2026-08-20T10:00:00Z","posted_at":"2026-08-21T10:00:00Z"}],
		"page_info":{"end_cursor":"x","start_cursor":"x","has_next_page":false,"has_previous_page":false}}`))
	mux.HandleFunc("/bitnob/virtualcards/cards", answer(`{"status":true,"message":"ok","data":{"cards":[{"id":"b1","createdAt":"2026-07-01T00:00:00.000Z",
		"updatedAt":"2026-07-01T00:00:00.000Z","last4":"1111","cardName":"N","cardType":"virtual","cardBrand":"visa","status":"active","reference":"r","createdStatus":"successful","customerId":null}]},
		"page":1,"take":100,"itemCount":1,"pageCount":1,"hasPreviousPage":false,"hasNextPage":false}`))
	mux.HandleFunc("/bitnob/virtualcards/card/b1", answer(`{"status":true,"message":"ok","data":{"id":"b1","createdAt":"2026-07-01T00:00:00.000Z","last4":"1111",
		"cardName":"N","status":"active","balance":"50.00","cardNumber":"4111111111111111","cvv2":"987"}}`))
	mux.HandleFunc("/bitnob/virtualcards/transactions", answer(`{"status":true,"message":"ok","data":{"cardTransactions":[{"id":"t1","createdAt":"2026-08-01T00:00:00.000Z",
		"updatedAt":"2026-08-01T01:00:00.000Z","amount":50,"centAmount":5000,"type":"credit","method":"topup","narrative":null,"status":"successful","currency":"usd","reference":"R1","cardId":"b1"}],
		"page":1,"take":100,"itemCount":1,"pageCount":1,"hasPreviousPage":false,"hasNextPage":false}}`))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	s := &site{dir: t.TempDir()}
	config := "timezone: America/New_York\nledger: tieout.db\nsources:\n"
	for _, p := range []string{"bill", "slash", "whop", "bitnob"} {
		if err := os.WriteFile(filepath.Join(s.dir, p+".key"), []byte("key\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		config += fmt.Sprintf("  - {name: %s-main, provider: %s, base_url: %s/%s, credential: {file: %s.key}, requests_per_second: 1000", p, p, server.URL, p, p)
		if p == "whop" {
			config += ", account_id: biz_1"
		}
		config += "}\n"
	}
	if err := os.WriteFile(filepath.Join(s.dir, "tieout.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(s.dir, "out")
	s.must(t, "nightly", "--out", out)
	var entries []string
	for _, r := range table(t, filepath.Join(out, "ledger.csv")) {
		entries = append(entries, strings.Join([]string{r["entry_id"], r["card_id"], r["kind"], r["status"], r["amount"], r["original_amount"], r["posted_at"]}, " "))
	}
	if diff := cmp.Diff([]string{
		"bitnob-main/t1 b1 topup posted 50.00  2026-08-01T01:00:00Z",
		"bill-main/VHI6MQ== Q2FyZDox purchase posted -10.00  2026-08-10T10:00:00Z",
		"slash-main/fee1  fee posted -1.50  2026-08-12T00:00:00Z",
		"whop-main/citx_1 icrd_1 purchase posted -19.99 3000 2026-08-21T10:00:00Z",
		"bill-main/VHI6Mg== Q2FyZDox purchase pending -2.50  ",
	}, entries); diff != "" {
		t.Error(diff)
	}
	var findings []string
	for _, r := range table(t, filepath.Join(out, "findings.csv")) {
		findings = append(findings, strings.Join([]string{r["code"], r["reason"], r["card_id"], r["expected"], r["actual"], r["period_from"], r["period_to"]}, " "))
	}
	if diff := cmp.Diff([]string{
		"limit-breach reported-over-limit Q2FyZDox 10.00 12.50 2026-08-01T04:00:00Z 2026-09-01T04:00:00Z",
	}, findings); diff != "" {
		t.Error(diff)
	}
	for _, r := range table(t, filepath.Join(out, "cards.csv")) {
		if r["card_id"] == "b1" && r["reported_balance"] != "50.00" {
			t.Errorf("a balance in dollars reads %s", r["reported_balance"])
		}
	}
}
