package raw

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `{"a":1`, `{"a":1}}`, `{"a":01}`, `{'a':1}`, `[1,]`, `[,]`, `{,}`, `{"a":1,}`, `{"a"}`, `{1:2}`, `NaN`, `+1`, `1.`, `.5`, `-`, `1e`, `1e+`,
		`tru`, `nulls`, `"a`, `"\`, `"\x"`, `"\u12"`, `"\u12g4"`, "\"a\nb\"", "\"seven b\x1f\"", `[}`, `{]`, `1 2`, "\ufeff1", "1\v", strings.Repeat("[", 20_000),
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
	} {
		if v, err := Parse([]byte(text)); err == nil || v.Kind() != Absent || json.Valid([]byte(text)) {
			t.Errorf("%.20q: %v, %v", text, v.Kind(), err)
		}
	}
	t.Run("TakesTheDepthThatEncodingJSONTakes", func(t *testing.T) {
		if _, err := Parse([]byte(strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000))); err != nil {
			t.Error(err)
		}
	})
	t.Run("BoundsTheNumberOfValues", func(t *testing.T) {
		if _, err := Parse([]byte("[" + strings.Repeat("0,", maxValues-2) + "0]")); err != nil {
			t.Error(err)
		}
		if _, err := Parse([]byte("[" + strings.Repeat("0,", maxValues-1) + "0]")); !errors.Is(err, ErrTooMany) {
			t.Errorf("error %v, want %v", err, ErrTooMany)
		}
	})
	t.Run("UsesItsMemoryAgain", func(t *testing.T) {
		var d Document
		text := []byte(`{"a":[1,"b",{"c":null}]}`)
		if n := testing.AllocsPerRun(10, func() { _, _ = d.Parse(text) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestValue_ReadsStringsTheSameShared(t *testing.T) {
	var d Document
	v, err := d.Parse([]byte("[\"plain\",\"\u00e9\",\"\\u00e9\",\"\xff\",\"\",12.50]"))
	if err != nil {
		t.Fatal(err)
	}
	read := func() (all []string) {
		for item := range v.Inside() {
			text, ok := item.Text()
			if !ok {
				text = item.Literal()
			}
			all = append(all, text)
		}
		return all
	}
	own := read()
	d.Share()
	if diff := cmp.Diff([]string{"plain", "é", "é", "\ufffd", "", "12.50"}, own); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(own, read()); diff != "" {
		t.Error(diff)
	}
}

func TestMembers(t *testing.T) {
	var m Members
	open := func(text string) error {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return m.Of(v)
	}
	t.Run("FindsNamesWithTheirCase", func(t *testing.T) {
		if err := open(`{"amount":1,"AMOUNT":2,"\u0061b":3,"":4}`); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"amount": "1", "AMOUNT": "2", "Amount": "", "ab": "3", "": "4", "b": ""} {
			if got := m.Get(name).Literal(); got != want {
				t.Errorf("%q is %q, want %q", name, got, want)
			}
		}
	})
	t.Run("RefusesANameThatStandsTwice", func(t *testing.T) {
		for _, object := range []string{`{"a": 1, "a": 1}`, `{"a": 1, "b": {}, "\u0061": 2}`} {
			if err := open(object); !errors.Is(err, ErrTwice) {
				t.Errorf("%s: error %v, want %v", object, err, ErrTwice)
			}
		}
	})
	t.Run("AreNoneOfWhatIsNoObject", func(t *testing.T) {
		if err := open(`["a"]`); err != nil || m.Get("a").Kind() != Absent {
			t.Errorf("%v, %v", m.Get("a").Kind(), err)
		}
	})
}

// FuzzParse compares with encoding/json: what is JSON, its tokens, and the members of objects.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{ }`, `{"a":1}`, ` {"a" : -1.5e+3 , "b" : "x\"},{" , "c" : [ 1 , {"d":[]} ] , "e" : null , "f":true}`, " [ ] ", `0`, `-0.0E-0`, `"`, `01`,
		`{"\u0061\n":{"}":"{"},"é":"\\"}`, "{\"a\xff\":\"b\xff\"}", `{"":[[[]]],"x":{}}`, "{\n\t\"a\"\r:\n0\n}", `{"a":1,"a":2}`, `"\ud83d\ude00\ud800"`, `"\ud800\u0041\udc00\ud800\ud83d\uDE00\ud83d\n\/\b\f\r\t\"\\"`, "\"\xe2\x82\\u20AC\xc3\xa9\"",
		`["12345678","1234567","123456789\u0000","1234567\\"]`, "[\"1234567\x01\"]", "[\"1234567\x80\x1f\"]", "\"\x7f\"", `[true,false,null,tru]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if valid := json.Valid(text); valid != (err == nil) {
			t.Fatalf("%q: error %v, encoding/json says %v", text, err, valid)
		}
		if err != nil {
			return
		}
		if got := v.Bytes(); !bytes.Equal(got, bytes.Trim(text, " \t\r\n")) {
			t.Errorf("%q is %q", text, got)
		}
		if diff := cmp.Diff(theirs(t, text), ours(nil, v)); diff != "" {
			t.Errorf("%q (-json +raw):\n%s", text, diff)
		}
		members(t, v)
	})
}

// theirs are the tokens of a text as encoding/json reads them.
func theirs(t *testing.T, text []byte) (tokens []string) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return tokens
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case json.Delim:
			tokens = append(tokens, token.String())
		case string:
			tokens = append(tokens, "s"+token)
		case json.Number:
			tokens = append(tokens, token.String())
		case bool:
			tokens = append(tokens, map[bool]string{true: "true", false: "false"}[token])
		case nil:
			tokens = append(tokens, "null")
		}
	}
}

func ours(tokens []string, v Value) []string {
	switch v.Kind() {
	case Object:
		tokens = append(tokens, "{")
		for m := range v.Inside() {
			tokens = ours(append(tokens, "s"+m.Name()), m)
		}
		return append(tokens, "}")
	case Array:
		tokens = append(tokens, "[")
		for item := range v.Inside() {
			tokens = ours(tokens, item)
		}
		return append(tokens, "]")
	case String:
		s, _ := v.Text()
		return append(tokens, "s"+s)
	}
	return append(tokens, v.Literal())
}

// members compares the members of an object with those that encoding/json finds.
func members(t *testing.T, v Value) {
	t.Helper()
	var want map[string]json.RawMessage
	if v.Kind() != Object || json.Unmarshal(v.Bytes(), &want) != nil {
		return
	}
	names := map[string]bool{}
	twice := false
	for m := range v.Inside() {
		twice = twice || names[m.Name()]
		names[m.Name()] = true
		if !m.Named(m.Name()) || string(m.NameBytes()) != m.Name() {
			t.Errorf("%q: the names of a member differ", v.Bytes())
		}
	}
	var m Members
	if err := m.Of(v); (err != nil) != twice {
		t.Fatalf("%q: error %v, names stand twice: %v", v.Bytes(), err, twice)
	}
	if twice {
		return
	}
	for name, value := range want {
		if got := m.Get(name).Bytes(); !bytes.Equal(got, value) {
			t.Errorf("%q: member %q is %q, encoding/json says %q", v.Bytes(), name, got, value)
		}
	}
}
