package money

import "testing"

// FuzzShort holds the short way to the long one: it never says anything else, and it reads what amounts look like.
func FuzzShort(f *testing.F) {
	for _, seed := range []string{
		"0.07", "-12.50", "19.99", "0", "-0", "-0.00", "1250", "5303e-2", "1e-9", "1e-", "e-2", "-e-2", "1e2", "10.005", "12.500", "00", "01.5", "0.", ".5", "1..2",
		"1.2.3", "999999999999999999", "9999999999999999999", "9223372036854775807", "92233720368547758.07", "922337203685477580.7", "12345678901234567.80", "--1", "1-", "1e-2e-2",
		"123456789012345678e-9", "0.000000000000000000", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, shift := range []int{0, 2, 3, 4} {
			minor, ok := short(text, shift)
			want, err := parseAny(text, USD(), shift)
			if ok && (err != nil || minor != want.minor) {
				t.Errorf("%q is %d at once, and %d, %v in full", text, minor, want.minor, err)
			}
		}
	})
}

func TestShort_ReadsAmountsAsProvidersWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"19.99": 1999, "-12.5": -1250, "12.500": 1250, "0": 0, "10": 1000, "5303e-2": 5303, "-0.00": 0} {
		if got, ok := short(text, 2); !ok || got != want {
			t.Errorf("%q is %d, %v", text, got, ok)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, way := range []struct {
		name  string
		parse func(string, Currency, int) (Amount, error)
	}{{"short", parse}, {"decimal", parseAny}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := way.parse("1234.56", USD(), 2); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
