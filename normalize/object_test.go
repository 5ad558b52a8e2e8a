package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

func TestMembersOf_RefusesANameThatStandsTwice(t *testing.T) {
	for _, object := range []string{`{"a": 1, "a": 1}`, `{"a": 1, "b": {}, "\u0061": 2}`} {
		if _, err := membersOf([]byte(object)); !errors.Is(err, errTwice) {
			t.Errorf("%s: error %v, want %v", object, err, errTwice)
		}
	}
}

// FuzzMembersOf compares with encoding/json, which is slower and does not see a name that stands twice.
func FuzzMembersOf(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{ }`, `{"a":1}`, ` {"a" : -1.5e+3 , "b" : "x\"},{" , "c" : [ 1 , {"d":[]} ] , "e" : null , "f":true}`,
		`{"\u0061\n":{"}":"{"},"é":"\\"}`, "{\"a\xff\":\"b\xff\"}", `{"":[[[]]],"x":{}}`, "{\n\t\"a\"\r:\n0\n}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		if !json.Valid(raw) || kindOf(raw) != "an object" {
			return
		}
		got, err := membersOf(raw)
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d members, encoding/json finds %d", raw, len(got), len(want))
		}
		for name, value := range want {
			if !bytes.Equal(got[name], value) {
				t.Errorf("%q: member %q is %q, encoding/json says %q", raw, name, got[name], value)
			}
			if s, ok := literal(value); ok && value[0] == '"' {
				var text string
				if err := json.Unmarshal(value, &text); err != nil || s != text {
					t.Errorf("%q reads as %q, encoding/json says %q, %v", value, s, text, err)
				}
			}
		}
	})
}
