package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

// Whatever a constraint is read from, what is shown of it reads as the same constraint.
func FuzzConstraint(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"spendingRule":{"utilizationLimit":{"preset":"daily","limitAmount":{"amountCents":1}}}}`,
		`{"merchantRule":{"merchants":["x"],"restriction":"allowlist"},"spendingRule":{"utilizationLimitV2":[{"preset":"collective",
			"limitAmount":{"amountCents":"2"},"timezone":"Asia/Tokyo","startDate":"2026-01-31"}],"transactionSizeLimit":{"minimum":{"amountCents":3}}}}`,
		`{"spendingRule":{"utilizationLimit":{"preset":"yearly","limitAmount":{"amountCents":1},"timezone":"<string>"},"utilizationLimitV2":[]}}`,
	} {
		f.Add(seed)
	}
	w := New(Config{Seed: 1, Cards: 4, Transactions: 10})
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "/", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		form := readForm(r)
		read := w.readConstraint(form)
		if form.fault != nil {
			return
		}
		again := form
		again.fields = plain(read.show())
		if got := w.readConstraint(again); again.fault != nil || asText(t, got.show()) != asText(t, read.show()) {
			t.Errorf("%s reads as %s, and that as %s (%v)", text, asText(t, read.show()), asText(t, got.show()), again.fault)
		}
	})
}

func asText(t *testing.T, o object) string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ was, update, want string }{
		{`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		{`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"x":3}}`, `{"a":{"x":3,"y":2}}`},
		{`{"a":{"x":1}}`, `{"a":5}`, `{"a":5}`},
		{`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		{`{"a":5}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
	} {
		var was, update, want object
		for _, read := range []struct {
			text string
			into *object
		}{{c.was, &was}, {c.update, &update}, {c.want, &want}} {
			if err := json.Unmarshal([]byte(read.text), read.into); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, merge(was, update)); diff != "" {
			t.Errorf("%s after %s: %s", c.was, c.update, diff)
		}
	}
}

// A token that was not signed here is never read.
func FuzzToken(f *testing.F) {
	w := New(Config{Seed: 1, Cards: 4, Transactions: 10})
	card := w.books[schema.Bill].cards[0]
	good := w.panToken(card)
	f.Add(good)
	f.Add(good + ".")
	f.Add("." + good)
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if said, ok := w.readToken(token); ok != (token == good) {
			t.Errorf("%q reads as %+v, %v", token, said, ok)
		}
	})
}
