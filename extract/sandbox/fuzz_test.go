package sandbox

import (
	"strings"
	"testing"
)

func FuzzFilters(f *testing.F) {
	for _, s := range []string{
		"", "type:eq:CLEAR", `occurredTime:gte:"2026-01-01T00:00:00.000Z",occurredTime:lte:2026-02-01`, `userId:in:"a,b"`, `a:eq:"`, "a:eq:b;c:eq:d",
		`amount:gte:1e400`, ",", "::", `type:eq:""`, `type:in:","`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		terms, err := readFilters([]string{s}, billFields("transactions"))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "filters: ") {
				t.Errorf("%q: error %q does not say whose it is", s, err)
			}
			return
		}
		row := &row{card: &card{holder: &person{}}, merchant: &merchant{}, id: "txr_0"}
		for _, x := range terms {
			if len(x.values) == 0 {
				t.Errorf("%q: %s has no value", s, x.field)
			}
			row.billMeets(x) // whatever is accepted can be asked of a row
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(billCursor, 50, ""), 0)
	f.Add(encodeCursor(whopCursor, 1, whopCursorEnd), 7)
	f.Add("WyJjdXJzb3IiLDAxXQ==", 1<<31-1) // a leading zero
	f.Add("not base64!", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		for _, kind := range [][2]string{{billCursor, ""}, {slashCursor, ""}, {whopCursor, whopCursorEnd}} {
			if got, ok := decodeCursor(kind[0], text, kind[1]); ok && encodeCursor(kind[0], got, kind[1]) != text {
				t.Errorf("%q was accepted as %d, which is written otherwise", text, got)
			}
			if n < 0 || n >= 1<<31 {
				continue
			}
			if got, ok := decodeCursor(kind[0], encodeCursor(kind[0], n, kind[1]), kind[1]); !ok || got != n {
				t.Errorf("%d came back as %d, %v", n, got, ok)
			}
		}
	})
}
