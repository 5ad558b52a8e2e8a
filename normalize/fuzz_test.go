package normalize

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
)

func FuzzBill(f *testing.F)   { fuzz(f, schema.Bill) }
func FuzzSlash(f *testing.F)  { fuzz(f, schema.Slash) }
func FuzzWhop(f *testing.F)   { fuzz(f, schema.Whop) }
func FuzzBitnob(f *testing.F) { fuzz(f, schema.Bitnob) }

var streams = []schema.Stream{schema.Transactions, schema.Cards, schema.Budgets, schema.Utilization, schema.Balances}

// fuzz feeds payloads to a normalizer and holds it to what callers rely on: no panic; an error is a *RejectError and
// leaves the batch alone; an entry has an id, a time, a known amount, and the sign that the provider's literal means.
func fuzz(f *testing.F, p schema.Provider) {
	cases, err := filepath.Glob(filepath.Join(goldenDir, string(p), "*.json"))
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, file := range cases {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var c goldenCase
		if err := json.Unmarshal(data, &c); err != nil {
			f.Fatal(err)
		}
		for _, r := range c.Records {
			f.Add(uint8(slices.Index(streams, c.Stream)), c.Category+r.Category, []byte(r.Payload))
		}
	}
	normalize := forProvider(f, p)
	f.Fuzz(func(t *testing.T, stream uint8, category string, payload []byte) {
		r := record(p, streams[int(stream)%len(streams)], payload)
		r.ExternalID, r.Category = "id-1", category
		var b schema.Batch
		if err := normalize(r, &b); err != nil {
			var reject *RejectError
			if !errors.As(err, &reject) || reject.Reason == "" {
				t.Fatalf("%T is not a *RejectError with a reason: %v", err, err)
			}
			if len(b.Entries)+len(b.Links)+len(b.Observations)+len(b.Budgets)+len(b.Notes) > 0 {
				t.Fatal("a rejected record left something in the batch")
			}
			return
		}
		for _, e := range b.Entries {
			if e.ExternalID != "id-1" || e.OccurredAt.Before(schema.Beginning) || !e.Amount.Known() || e.Kind == "" || e.Status == "" {
				t.Fatalf("entry without id, time, amount, kind or status: %+v", e)
			}
			if got, want := e.Amount.Sign(), effect(p, e); got != want {
				t.Fatalf("%s of kind %s: literal %s became %s", p, e.Kind, e.Literal, e.Amount)
			}
		}
		for _, o := range b.Observations {
			for _, fig := range o.Figures {
				if fig.Amount.Known() == (fig.Ambiguous || fig.Problem != "") {
					t.Fatalf("figure must have an amount, or a reason why not: %+v", fig)
				}
			}
			for _, l := range o.Limits {
				if (l.Window == "" || !l.Amount.Known()) && len(b.Notes) == 0 {
					t.Fatalf("limit that cannot be checked, without a note: %+v", l)
				}
			}
		}
	})
}

// effect is the sign that an entry's amount must have, worked out from the literal's text alone.
func effect(p schema.Provider, e schema.Entry) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(e.Literal), "e")
	sign := 1
	switch {
	case !strings.ContainsAny(mantissa, "123456789"):
		sign = 0
	case strings.HasPrefix(mantissa, "-"):
		sign = -1
	}
	switch p {
	case schema.Bill, schema.Whop:
		return -sign
	case schema.Bitnob:
		if e.Kind != schema.TopUp && e.Kind != schema.Refund {
			return -sign
		}
	}
	return sign
}

func BenchmarkBillTransaction(b *testing.B) {
	normalize := forProvider(b, schema.Bill)
	r := record(schema.Bill, schema.Transactions, []byte(`{"id": "VHI6MQ==", "uuid": "txr_auth", "transactionType": "CLEAR", "status": "COMPLETE",
		"amount": 19.99, "cardId": "Q3JkOjE=", "cardUuid": "crd_1", "cardLastFour": "4242", "merchantName": "Paper House", "merchantCategoryCode": "5943",
		"occurredTime": "2026-08-01T09:00:01.000+00:00", "authorizedTime": "2026-08-01T09:00:00.000+00:00", "originalAuthTransactionUuid": "txr_1",
		"currencyData": {"originalCurrencyAmount": "5303", "originalCurrencyCode": "EUR", "exponent": 2}, "isParent": true, "fees": 0}`))
	b.ReportAllocs()
	var batch schema.Batch
	for b.Loop() {
		batch.Entries, batch.Links = batch.Entries[:0], batch.Links[:0]
		if err := normalize(r, &batch); err != nil {
			b.Fatal(err)
		}
	}
}
