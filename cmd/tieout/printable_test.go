package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
)

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"LeavesOrdinaryTextAlone":        {"Café 100 € 漢字 👩‍🍳\tx\n", "Café 100 € 漢字 👩‍🍳\tx\n"},
		"ShowsEscapeSequences":           {"\x1b[31mred\x1b]0;title\x07", `\u001b[31mred\u001b]0;title\u0007`},
		"ShowsCarriageReturns":           {"total 100\rtotal 999", `total 100\u000dtotal 999`},
		"ShowsEightBitControls":          {"\u009b31m", `\u009b31m`},
		"ShowsDirectionOverrides":        {"\u202e001\u202c \u2067x\u2069 \u061c", `\u202e001\u202c \u2067x\u2069 \u061c`},
		"ShowsLineSeparators":            {"a\u2028b\u2029c", `a\u2028b\u2029c`},
		"ShowsBytesThatAreNoText":        {"a\xffb", `a\ufffdb`},
		"KeepsTheReplacementCharacterAs": {"\ufffd", "\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			var whole, split bytes.Buffer
			n, err := io.WriteString(&printable{to: &whole}, c.in)
			if err != nil || n != len(c.in) {
				t.Fatalf("Write = %d, %v", n, err)
			}
			w := &printable{to: &split}
			for i := range len(c.in) {
				if _, err := w.Write([]byte{c.in[i]}); err != nil {
					t.Fatal(err)
				}
			}
			if whole.String() != c.want {
				t.Errorf("got %q, want %q", whole.String(), c.want)
			}
			if split.String() != c.want {
				t.Errorf("byte by byte: got %q, want %q", split.String(), c.want)
			}
		})
	}
}

func TestPrintable_JSONMeansTheSame(t *testing.T) {
	const merchant = "a\x1b[31m\u202eb\u2028 漢 \u009b \x7f"
	var out bytes.Buffer
	if err := json.NewEncoder(&printable{to: &out}).Encode(merchant); err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(out.Bytes(), "\x1b\u202e\u2028\u009b\x7f") {
		t.Errorf("printed %q", out.String())
	}
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != merchant {
		t.Errorf("read back %q (%v), want %q", back, err, merchant)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add([]byte("a\x1b[0m"), 2)
	f.Fuzz(func(t *testing.T, p []byte, at int) {
		var out bytes.Buffer
		w := &printable{to: &out}
		if at < 0 || at > len(p) {
			at = len(p)
		}
		for _, part := range [][]byte{p[:at], p[at:]} {
			if n, err := w.Write(part); n != len(part) || err != nil {
				t.Fatalf("Write = %d, %v", n, err)
			}
		}
		for _, r := range out.String() {
			if !harmless(r) {
				t.Fatalf("%q let %U through", p, r)
			}
		}
	})
}
