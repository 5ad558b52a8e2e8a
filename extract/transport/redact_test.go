package transport

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

func testFields() Fields {
	return Fields{
		Exact: []string{"id", "amount", "period.limit", "ids[]", "limits[].amount"},
		Text:  []string{"name", "last4", "limits[].word"},
		Drop:  []string{"pan", "owner", "period.secret"},
	}
}

func redactor(t testing.TB) *Redactor {
	t.Helper()
	r, err := NewRedactor(testFields())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func parsed(t *testing.T, text string) Value {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestNewRedactor(t *testing.T) {
	for fact, f := range map[string]Fields{
		"OnePathOnTwoLists":     {Exact: []string{"a"}, Drop: []string{"a"}},
		"APathBelowAnother":     {Exact: []string{"a", "a.b"}},
		"APathAboveAnother":     {Exact: []string{"a.b"}, Drop: []string{"a"}},
		"ANameAlsoAsAnArray":    {Exact: []string{"a[]"}, Text: []string{"a[]"}},
		"AnArrayBelowADropping": {Drop: []string{"a"}, Text: []string{"a[].b"}},
	} {
		t.Run("Refuses"+fact, func(t *testing.T) {
			if _, err := NewRedactor(f); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestRecord(t *testing.T) {
	for _, c := range []struct {
		fact, row, payload string
		unknown            []string
		malformed          string
	}{
		{
			fact: "KeepsOrderAndExactText", row: ` { "name" : "b" , "amount" : 1.10 , "id":"x" } `,
			payload: `{"name":"b","amount":1.10,"id":"x"}`,
		},
		{fact: "DropsWithoutAWord", row: `{"pan":"4111111111111111","owner":{"a":{"a":1,"a":2}},"period":{"secret":1}}`, payload: `{"period":{}}`},
		{fact: "ReportsWhatNoListNames", row: `{"new":1,"period":{"x":2,"x2":3}}`, payload: `{"period":{}}`, unknown: []string{"new", "period.x", "period.x2"}},
		{fact: "ReportsEachPathOnce", row: `{"limits":[{"z":1},{"z":2}]}`, payload: `{"limits":[{},{}]}`, unknown: []string{"limits[].z"}},
		{
			fact: "ReportsOtherKinds", row: `{"id":{"pan":1},"name":["x"],"period":7,"limits":{"amount":1},"amount":[1]}`, payload: `{}`,
			unknown: []string{"id{}", "name[]", "period", "limits{}", "amount[]"},
		},
		{fact: "KeepsThePlaceOfADroppedElement", row: `{"ids":["a",{"b":1},"c",null]}`, payload: `{"ids":["a",null,"c",null]}`, unknown: []string{"ids[]{}"}},
		{fact: "TakesNullAnywhere", row: `{"id":null,"period":null,"limits":null}`, payload: `{"id":null,"period":null,"limits":null}`},
		{fact: "ComparesNamesWithCase", row: `{"ID":"x","Amount":1}`, payload: `{}`, unknown: []string{"ID", "Amount"}},
		{fact: "SeesThroughEscapedNames", row: `{"\u0070an":"4111111111111111","\u0069d":"x"}`, payload: `{"id":"x"}`},
		{fact: "MasksText", row: `{"name":"4111 1111 1111 1111","last4":"4111111111111111","id":"4111111111111111"}`, payload: `{"name":"[masked]","last4":"[masked]","id":"4111111111111111"}`},
		{fact: "MasksEscapedText", row: `{"name":"\u0034111111111111111"}`, payload: `{"name":"[masked]"}`},
		{fact: "MasksNumbersInText", row: `{"name":4111111111111111}`, payload: `{"name":"[masked]"}`},
		{fact: "MasksNames", row: `{"4111111111111111":1}`, payload: `{}`, unknown: []string{"[masked]"}},
		{fact: "MendsBadUTF8InText", row: "{\"name\":\"a\xffb\"}", payload: "{\"name\":\"a\ufffdb\"}"},
		{fact: "DropsBadUTF8InIds", row: "{\"id\":\"a\xffb\"}", payload: `{}`, unknown: []string{"id"}},
		{fact: "RejectsANameThatStandsTwice", row: `{"id":"x","amount":1,"amount":2}`, payload: `{}`, malformed: "the field amount stands twice"},
		{fact: "RejectsAnEscapedNameThatStandsTwice", row: `{"id":"x","period":{"limit":1,"\u006cimit":2}}`, payload: `{}`, malformed: "the field period.limit stands twice"},
		{fact: "RejectsWhatIsNoObject", row: `42`, payload: `{}`, malformed: "the row is not an object but number"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			got := redactor(t).Record(schema.Record{}, parsed(t, c.row), "id")
			if string(got.Payload) != c.payload || !slices.Equal(got.Unknown, c.unknown) || got.Malformed != c.malformed {
				t.Errorf("payload %s, unknown %q, malformed %q", got.Payload, got.Unknown, got.Malformed)
			}
		})
	}
	t.Run("TakesTheFirstIdThatIsText", func(t *testing.T) {
		for row, want := range map[string]string{
			`{"uuid":"u","id":"i"}`: "u", `{"id":"i"}`: "i", `{"uuid":null,"id":"i"}`: "i", `{"uuid":7,"id":8}`: "", `[]`: "",
			`{"uuid":"u","uuid":"v"}`: "",
		} {
			if got := redactor(t).Record(schema.Record{}, parsed(t, row), "uuid", "id").ExternalID; got != want {
				t.Errorf("%s: %q", row, got)
			}
		}
	})
	t.Run("CutsTextAt4096BytesAndKeepsTheRecord", func(t *testing.T) {
		memo := strings.Repeat("é", 20_000) // 40 kB
		got := redactor(t).Record(schema.Record{}, parsed(t, `{"id":"x","name":"`+memo+`"}`), "id")
		var payload struct{ ID, Name string }
		if err := json.Unmarshal(got.Payload, &payload); err != nil {
			t.Fatal(err)
		}
		if want := strings.Repeat("é", 2046) + "…"; payload.ID != "x" || payload.Name != want {
			t.Errorf("id %q, %d bytes of name", payload.ID, len(payload.Name))
		}
	})
	t.Run("TakesLittleMemoryForAHugeText", func(t *testing.T) {
		for _, memo := range []string{strings.Repeat("é", 15<<20), strings.Repeat("4", 30<<20)} {
			row := parsed(t, `{"name":"`+memo+`"}`)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got := redactor(t).Record(schema.Record{}, row)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 || len(got.Payload) > 5000 {
				t.Errorf("%d MiB for %d bytes", used>>20, len(got.Payload))
			}
		}
	})
	t.Run("MasksACardNumberThatTheCutWouldHide", func(t *testing.T) {
		for shift := range 40 {
			memo := strings.Repeat("a", maxText-25+shift) + " 4111111111111111 "
			got := redactor(t).Record(schema.Record{}, parsed(t, `{"name":"`+memo+`"}`))
			if strings.Contains(string(got.Payload), "41111") {
				t.Fatalf("shift %d: %s", shift, got.Payload[len(got.Payload)-40:])
			}
		}
	})
	t.Run("DropsAnIdThatIsTooLong", func(t *testing.T) {
		got := redactor(t).Record(schema.Record{}, parsed(t, `{"id":"`+strings.Repeat("x", 5000)+`"}`), "id")
		if got.ExternalID != "" || string(got.Payload) != "{}" || !slices.Equal(got.Unknown, []string{"id"}) {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("BoundsWhatItReports", func(t *testing.T) {
		var names []string
		for i := range 1000 {
			names = append(names, fmt.Sprintf(`"%s%d":1`, strings.Repeat("n", 1000), i), fmt.Sprintf(`"m%d":1`, i))
		}
		got := redactor(t).Record(schema.Record{}, parsed(t, "{"+strings.Join(names, ",")+"}"))
		if len(got.Unknown) != maxUnknown || slices.ContainsFunc(got.Unknown, func(s string) bool { return len(s) > maxUnknownName }) {
			t.Errorf("%d names", len(got.Unknown))
		}
	})
}

// Whatever comes, the payload is an object that holds nothing but what the lists keep, already masked.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"id":"x","name":"4111 1111 1111 1111","limits":[{"amount":1.50,"word":"a"}],"period":{"limit":1},"pan":1}`))
	f.Add([]byte(`{"ids":[1,"2",{}],"amount":1e999,"new":[{"x":1}]}`))
	f.Add([]byte(`[1]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := Parse(body)
		if err != nil {
			return
		}
		r := redactor(t)
		once := r.Record(schema.Record{ReceivedAt: time.Time{}}, v, "id")
		again, err := Parse(once.Payload)
		if err != nil || again.Kind() != Object {
			t.Fatalf("%q became %q: %v", body, once.Payload, err)
		}
		twice := r.Record(schema.Record{}, again, "id")
		if string(twice.Payload) != string(once.Payload) || len(twice.Unknown) != 0 || twice.Malformed != "" {
			t.Errorf("%q became %q, then %q, %q, %q", body, once.Payload, twice.Payload, twice.Unknown, twice.Malformed)
		}
	})
}
