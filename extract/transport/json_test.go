package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a":1`, `{"a":1}}`, `{"a":01}`, `{'a':1}`, `[1,]`, "<html>", `NaN`, strings.Repeat("[", 20000)} {
		t.Run("Refuses/"+cut(text, 12), func(t *testing.T) {
			var malformed *MalformedError
			if _, err := Parse([]byte(text)); !errors.As(err, &malformed) || malformed.Err == nil {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("KeepsExactNumberText", func(t *testing.T) {
		v, err := Parse([]byte(` {"a" : 9007199254740993 , "b":[ 0.10 , -1e2 ], "c":{}} `))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for m := range v.Inside() {
			got = append(got, m.Name()+"="+string(m.Bytes()))
		}
		if want := []string{"a=9007199254740993", "b=[ 0.10 , -1e2 ]", "c={}"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
}

func TestLookup(t *testing.T) {
	v, err := Parse([]byte(`{"a":{"b":[1,2],"n":null,"s":"7","t":true,"neg":-1,"frac":1.5},"d":1,"d":2,"at":"2026-08-01T00:00:00.5+02:00"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fact string
		do   func() (any, error)
		want any
		err  string
	}{
		{"FindsRows", func() (any, error) { rows, err := v.LookupRows("a.b"); return len(rows), err }, 2, ""},
		{"RefusesRowsThatAreNoArray", func() (any, error) { return v.LookupRows("a") }, nil, "a: want array, have object"},
		{"RefusesMissingRows", func() (any, error) { return v.LookupRows("x.y") }, nil, "x.y: want array, have nothing"},
		{"RefusesANameThatStandsTwice", func() (any, error) { return v.LookupText("d") }, nil, "d: stands twice"},
		{"RefusesAWayThroughAnArray", func() (any, error) { return v.LookupText("a.b.c") }, nil, "a.b: want object, have array"},
		{"TakesNullForMissingText", func() (any, error) { return v.LookupText("a.n") }, "", ""},
		{"RefusesTextThatIsNone", func() (any, error) { return v.LookupText("a.t") }, nil, "a.t: want string, have boolean"},
		{"FindsABoolean", func() (any, error) { return v.LookupBool("a.t") }, true, ""},
		{"RefusesAMissingBoolean", func() (any, error) { return v.LookupBool("a.x") }, nil, "a.x: want boolean, have nothing"},
		{"CountsText", func() (any, error) { return v.LookupCount("a.s") }, int64(7), ""},
		{"CountsNothingAsMinusOne", func() (any, error) { return v.LookupCount("a.x") }, int64(-1), ""},
		{"RefusesANegativeCount", func() (any, error) { return v.LookupCount("a.neg") }, nil, "a.neg: want a whole number that is not negative"},
		{"RefusesABrokenCount", func() (any, error) { return v.LookupCount("a.frac") }, nil, "a.frac: want a whole number that is not negative"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			got, err := c.do()
			if c.err != "" {
				if err == nil || err.Error() != c.err {
					t.Errorf("got error %v, want %s", err, c.err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	t.Run("ReadsAnInstantInUTC", func(t *testing.T) {
		if got, ok := v.Instant("at"); !ok || got.Format(time.RFC3339Nano) != "2026-07-31T22:00:00.5Z" {
			t.Errorf("got %v, %v", got, ok)
		}
		if _, ok := v.Instant("a"); ok {
			t.Error("an object is no instant")
		}
	})
	t.Run("RefusesTooManyRows", func(t *testing.T) {
		many, err := Parse([]byte(`{"rows":[` + strings.Repeat("1,", maxRows) + `1]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := many.LookupRows("rows"); err == nil || !strings.Contains(err.Error(), "more than 100000 rows") {
			t.Errorf("got %v", err)
		}
	})
}

// The walk sees what encoding/json sees, member by member.
func FuzzValue(f *testing.F) {
	f.Add([]byte(`{"a":[1,-2.50e+3,"x\"\\y",{"b":null}],"c":"\ud83d\ude00","c":true}`))
	f.Add([]byte(" [ ] "))
	f.Add([]byte(`{"":{},"\u0061":[[],[[]]]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := Parse(body)
		if err != nil {
			return
		}
		var want []string
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.UseNumber()
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			switch token := token.(type) {
			case json.Delim:
				want = append(want, token.String())
			case string:
				want = append(want, "s"+token)
			case json.Number:
				want = append(want, token.String())
			case bool:
				want = append(want, map[bool]string{true: "true", false: "false"}[token])
			case nil:
				want = append(want, "null")
			}
		}
		if diff := cmp.Diff(want, tokens(v)); diff != "" {
			t.Errorf("%q (-json +walk):\n%s", body, diff)
		}
	})
}

func tokens(v Value) []string {
	switch v.Kind() {
	case Object:
		got := []string{"{"}
		for m := range v.Inside() {
			got = append(append(got, "s"+m.Name()), tokens(Value{Value: m})...)
		}
		return append(got, "}")
	case Array:
		got := []string{"["}
		for item := range v.Inside() {
			got = append(got, tokens(Value{Value: item})...)
		}
		return append(got, "]")
	case String:
		s, _ := v.Text()
		return []string{"s" + s}
	}
	return []string{v.Literal()}
}
