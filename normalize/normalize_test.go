package normalize

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// rows are a row of transactions of each provider with a place for the amount.
var rows = map[schema.Provider]string{
	schema.Bill:   `{"uuid": "id-1", "transactionType": "CLEAR", "amount": %s, "occurredTime": "2026-08-01T09:00:00.000+00:00"}`,
	schema.Slash:  `{"id": "id-1", "cardId": "card_1", "detailedStatus": "settled", "amountCents": %s, "date": "2026-08-01T09:00:00.000Z"}`,
	schema.Whop:   `{"id": "id-1", "status": "completed", "usd_amount": %s, "created_at": "2026-08-01T09:00:00Z", "posted_at": "2026-08-01T09:00:00Z"}`,
	schema.Bitnob: `{"id": "id-1", "type": "credit", "status": "success", "currency": "usd", "centAmount": %s, "createdAt": "2026-08-01T09:00:00Z", "updatedAt": "2026-08-01T09:00:00Z"}`,
}

// one normalizes one row of transactions.
func one(t *testing.T, p schema.Provider, payload string) (schema.Batch, error) {
	t.Helper()
	var b schema.Batch
	err := forProvider(t, p)(record(p, schema.Transactions, []byte(payload)), &b)
	if err != nil && (len(b.Entries)+len(b.Links)+len(b.Observations)+len(b.Notes) > 0) {
		t.Errorf("rejected with %v, and yet something was appended", err)
	}
	return b, err
}

func TestFor_ReadsAmountsExactly(t *testing.T) {
	dollars := []struct {
		literal string
		want    string // effect on the card of a spend of that many dollars
	}{
		{`0.07`, "-0.07"},
		{`19.99`, "-19.99"},
		{`1234567.89`, "-1234567.89"},
		{`6.9`, "-6.90"},
		{`10`, "-10.00"},
		{`"10"`, "-10.00"},
		{`"19.990"`, "-19.99"},
		{`1e2`, "-100.00"},
		{`1E-2`, "-0.01"},
		{`0`, "0.00"},
		{`-0`, "0.00"},
		{`-0.07`, "0.07"},
		{`"-1234567.89"`, "1234567.89"},
		{`92233720368547758.07`, "-92233720368547758.07"},
	}
	for _, p := range []schema.Provider{schema.Bill, schema.Whop} {
		for _, c := range dollars {
			t.Run(fmt.Sprintf("%s/%s", p, c.literal), func(t *testing.T) {
				wantAmount(t, p, c.literal, c.want)
			})
		}
	}
	cents := []struct{ literal, want string }{
		{`7`, "0.07"},
		{`1999`, "19.99"},
		{`123456789`, "1234567.89"},
		{`690`, "6.90"},
		{`"1000"`, "10.00"},
		{`100.0`, "1.00"},
		{`1e2`, "1.00"},
		{`0`, "0.00"},
		{`9223372036854775807`, "92233720368547758.07"},
	}
	for _, p := range []schema.Provider{schema.Slash, schema.Bitnob} {
		for _, c := range cents {
			t.Run(fmt.Sprintf("%s/%s", p, c.literal), func(t *testing.T) {
				wantAmount(t, p, c.literal, c.want)
			})
		}
	}
	t.Run("slash/-9223372036854775808", func(t *testing.T) {
		wantAmount(t, schema.Slash, `-9223372036854775808`, "-92233720368547758.08")
	})
}

func wantAmount(t *testing.T, p schema.Provider, literal, want string) {
	t.Helper()
	b, err := one(t, p, fmt.Sprintf(rows[p], literal))
	if err != nil {
		t.Fatal(err)
	}
	if e := b.Entries[0]; e.Amount.String() != want || e.Literal != strings.Trim(literal, `"`) {
		t.Errorf("%s became %s with literal %s, want %s and the text unchanged", literal, e.Amount, e.Literal, want)
	}
}

func TestFor_RefusesAmounts(t *testing.T) {
	field := map[schema.Provider]string{
		schema.Bill: "amount", schema.Slash: "amountCents", schema.Whop: "usd_amount", schema.Bitnob: "centAmount",
	}
	literals := []struct {
		name, literal string
		cause         error
	}{
		{"ExcessDigit", `10.005`, money.ErrPrecision},
		{"Huge", `1e400`, money.ErrOverflow},
		{"HugeDigits", `92233720368547758080000`, money.ErrOverflow},
		{"HugeExponent", `1e9999`, money.ErrSyntax},
		{"ThousandDigits", strings.Repeat("9", 1000), money.ErrSyntax},
		{"EmptyText", `""`, money.ErrSyntax},
		{"Words", `"ten"`, money.ErrSyntax},
		{"Comma", `"1,000.00"`, money.ErrSyntax},
		{"Plus", `"+10"`, money.ErrSyntax},
		{"LonePoint", `"."`, money.ErrSyntax},
		{"Hex", `"0x10"`, money.ErrSyntax},
		{"NotANumber", `"NaN"`, money.ErrSyntax},
		{"Blank", `" 10"`, money.ErrSyntax},
		{"Boolean", `true`, nil},
		{"Null", `null`, nil},
		{"Object", `{"amountCents": 100}`, nil},
		{"List", `[10]`, nil},
	}
	for _, p := range schema.Providers() {
		for _, c := range literals {
			t.Run(string(p)+"/"+c.name, func(t *testing.T) {
				b, err := one(t, p, fmt.Sprintf(rows[p], c.literal))
				var reject *RejectError
				if !errors.As(err, &reject) {
					t.Fatalf("error %v (%T), batch %v; want a *RejectError", err, err, b.Entries)
				}
				want := field[p]
				if p == schema.Bitnob && c.name == "Null" {
					want = "amount" // the only amount left to ask for
				}
				if reject.Field != want || (c.cause != nil && !errors.Is(err, c.cause)) {
					t.Errorf("rejected %q because of %v; want field %q and %v", reject.Field, reject.Err, want, c.cause)
				}
				if len(err.Error()) > 300 {
					t.Errorf("message of %d bytes: %.80s", len(err.Error()), err)
				}
			})
		}
	}
}

func TestFor_FieldNamesMatchExactly(t *testing.T) {
	for _, p := range schema.Providers() {
		payload := fmt.Sprintf(rows[p], "10")
		for _, name := range []string{"amount", "amountCents", "usd_amount", "centAmount"} {
			payload = strings.Replace(payload, `"`+name+`"`, `"`+strings.ToUpper(name)+`"`, 1)
		}
		if b, err := one(t, p, payload); err == nil {
			t.Errorf("%s: an upper-case field name was read as %s", p, b.Entries[0].Amount)
		}
	}
}

func TestFor_KeepsHostileText(t *testing.T) {
	cases := []struct{ name, field, want string }{
		{"FortyKilobytes", strings.Repeat("m", 40<<10), strings.Repeat("m", 40<<10)},
		{"Formula", `=1+1`, `=1+1`},
		{"Nul", `a\u0000b`, "a\uFFFDb"},
		{"LoneSurrogate", `a\ud800b`, "a\uFFFDb"},
		{"InvalidUTF8", "a\xffb", "a\uFFFDb"},
		{"NewLine", `a\nb`, "a\nb"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := one(t, schema.Bitnob, strings.Replace(fmt.Sprintf(rows[schema.Bitnob], "10"), `{`, `{"narrative": "`+c.field+`", `, 1))
			if err != nil {
				t.Fatal(err)
			}
			if got := b.Entries[0].Description; got != c.want {
				t.Errorf("description is %.80q, want %.80q", got, c.want)
			}
		})
	}
}

func TestFor_NotesTextOfAnotherType(t *testing.T) {
	b, err := one(t, schema.Bitnob, strings.Replace(fmt.Sprintf(rows[schema.Bitnob], "10"), `{`, `{"narrative": {"en": "x"}, "reference": 17, `, 1))
	if err != nil {
		t.Fatal(err)
	}
	if b.Entries[0].Description != "" || b.Entries[0].Reference != "17" {
		t.Errorf("description %q, reference %q; want none and 17", b.Entries[0].Description, b.Entries[0].Reference)
	}
	if len(b.Notes) != 1 || b.Notes[0].Field != "narrative" || b.Notes[0].Code != schema.UnknownFieldNote {
		t.Errorf("notes %v; want one about narrative", b.Notes)
	}
}

func TestFor_RefusesDeepNesting(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat(`}`, 100_000)
	for _, p := range schema.Providers() {
		payload := strings.Replace(fmt.Sprintf(rows[p], "10"), `{`, `{"merchantData": `+deep+`, `, 1)
		var b schema.Batch
		r := record(p, schema.Transactions, []byte(payload))
		r.ExternalID = "id-1"
		var reject *RejectError
		if err := forProvider(t, p)(r, &b); !errors.As(err, &reject) {
			t.Errorf("%s: error %v; want a *RejectError", p, err)
		}
	}
}

func TestFor_RefusesIDsThatCannotBeKeys(t *testing.T) {
	for name, id := range map[string]string{
		"Empty": "", "Blank": "  ", "Control": "a\nb", "Nul": "a\x00b", "InvalidUTF8": "a\xff", "Replacement": "a\uFFFD",
		"Long": strings.Repeat("x", maxID+1),
	} {
		t.Run(name, func(t *testing.T) {
			r := record(schema.Slash, schema.Transactions, []byte(fmt.Sprintf(rows[schema.Slash], "10")))
			r.ExternalID = id
			var reject *RejectError
			if err := forProvider(t, schema.Slash)(r, &schema.Batch{}); !errors.As(err, &reject) || reject.Field != "id" {
				t.Errorf("error %v; want a reject of the id", err)
			}
		})
	}
}

func TestFor_Times(t *testing.T) {
	cases := []struct{ text, want string }{
		{`"2025-12-16T20:24:35.000+00:00"`, "2025-12-16T20:24:35Z"},
		{`"2025-12-16T20:24:35.123456789Z"`, "2025-12-16T20:24:35.123456Z"},
		{`"2025-12-16T20:24:35-05:00"`, "2025-12-17T01:24:35Z"},
		{`"2024-02-29T23:59:59Z"`, "2024-02-29T23:59:59Z"},
		{`"2025-02-29T23:59:59Z"`, ""},
		{`"2025-12-16T20:24:35"`, ""},
		{`"2025-12-16"`, ""},
		{`"0001-01-01T00:00:00Z"`, ""},
		{`1765916675000`, ""},
		{`{}`, ""},
		{`""`, ""},
	}
	for _, c := range cases {
		t.Run(c.text, func(t *testing.T) {
			b, err := one(t, schema.Whop, `{"id": "id-1", "status": "pending", "usd_amount": 1, "created_at": `+c.text+`}`)
			var reject *RejectError
			switch {
			case c.want == "" && (!errors.As(err, &reject) || reject.Field != "created_at"):
				t.Errorf("error %v; want a reject of created_at", err)
			case c.want != "" && err != nil:
				t.Error(err)
			case c.want != "" && instant(b.Entries[0].OccurredAt) != c.want:
				t.Errorf("occurred at %s, want %s", instant(b.Entries[0].OccurredAt), c.want)
			}
		})
	}
}

func TestFor_WritesCurrencyCodesInUpperCase(t *testing.T) {
	for p, item := range map[schema.Provider]string{
		schema.Bill:   `{"id": "id-1", "transactionType": "CLEAR", "amount": 1, "occurredTime": "2026-08-01T00:00:00Z", "currencyData": {"originalCurrencyCode": "eur", "originalCurrencyAmount": 92, "exponent": 2}}`,
		schema.Slash:  `{"id": "id-1", "cardId": "c", "detailedStatus": "settled", "amountCents": -100, "date": "2026-08-01T00:00:00Z", "originalCurrency": {"code": "eur", "amountCents": 92}}`,
		schema.Whop:   `{"id": "id-1", "status": "pending", "usd_amount": 1, "created_at": "2026-08-01T00:00:00Z", "currency": "eur", "local_amount": 0.92}`,
		schema.Bitnob: `{"id": "id-1", "status": "success", "type": "debit", "centAmount": 92, "currency": "eur", "createdAt": "2026-08-01T00:00:00Z", "updatedAt": "2026-08-01T00:00:00Z"}`,
	} {
		t.Run(string(p), func(t *testing.T) {
			b, err := one(t, p, item)
			if err != nil || len(b.Entries) != 1 {
				t.Fatalf("%d entries, %v", len(b.Entries), err)
			}
			e := b.Entries[0]
			code, amount := e.OriginalCurrency, e.Original
			if p == schema.Bitnob { // its amount itself is in the currency
				code, amount = e.Amount.Currency().Code(), money.FromMinor(-e.Amount.Minor(), e.Amount.Currency())
			}
			if code != "EUR" || amount.String() != "0.92" {
				t.Errorf("got %s %s, want 0.92 EUR", amount, code)
			}
		})
	}
}

func TestFor_RefusesStreamsOfOtherProviders(t *testing.T) {
	for p, s := range map[schema.Provider]schema.Stream{
		schema.Bill: schema.Utilization, schema.Slash: schema.Budgets, schema.Whop: schema.Balances, schema.Bitnob: schema.Utilization,
	} {
		var b schema.Batch
		var reject *RejectError
		if err := forProvider(t, p)(record(p, s, []byte(`{"id": "x"}`)), &b); !errors.As(err, &reject) || len(b.Observations) > 0 {
			t.Errorf("%s %s: error %v; want a *RejectError", p, s, err)
		}
	}
}

func TestRejectError_DoesNotRepeatCardNumbers(t *testing.T) {
	const pan = "4242424242424242"
	for _, p := range schema.Providers() {
		for _, literal := range []string{`"` + pan + ` x"`, pan + `.001`, `"4242 4242 4242 4242"`} {
			if _, err := one(t, p, fmt.Sprintf(rows[p], literal)); err == nil || strings.Contains(err.Error(), "4242") {
				t.Errorf("%s: %v; want a reject that does not repeat the value", p, err)
			}
		}
	}
}
