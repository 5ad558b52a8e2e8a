package transport

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMask(t *testing.T) {
	for _, c := range []struct{ fact, in, want string }{
		{"PlainNumber", "card 4111111111111111 used", "card [masked] used"},
		{"Spaces", "4111 1111 1111 1111", "[masked]"},
		{"Dashes", "4111-1111-1111-1111.", "[masked]."},
		{"SpacedDashes", "4111 - 1111 - 1111 - 1111", "[masked]"},
		{"EnDashesAndNoBreakSpaces", "4111–1111\u00a01111\u20111111", "[masked]"},
		{"ZeroWidthSpaces", "4111\u200b1111\u200b1111\u200b1111", "[masked]"},
		{"AmericanExpress", "3782 822463 10005", "[masked]"},
		{"ThirteenDigits", "4222222222222", "[masked]"},
		{"NineteenDigits", "6304000000000000000", "[masked]"},
		{"NextToAnotherNumber", "12 4111 1111 1111 1111 737", "12 [masked] 737"},
		{"AfterADate", "2026-08-01 4111111111111111", "2026-08-01 [masked]"},
		{"WithExpiryGluedOn", "41111111111111111225", "[masked]1225"},
		{"GluedToTheRestOfAnother", "411111111111111111112251111225", "[masked][masked]"},
		{"Two", "4111111111111111/5555555555554444", "[masked]/[masked]"},
		{"WrongCheckDigit", "4111111111111112", "4111111111111112"},
		{"TooShort", "411111111111", "411111111111"},
		{"Reference", "99999999999999999999999", "99999999999999999999999"},
		{"Letters", "Order 66 of A12B34", "Order 66 of A12B34"},
		{"Empty", "", ""},
		{"OtherLetters", "кафе № 7 – 12,50 €", "кафе № 7 – 12,50 €"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			if got := Mask(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Run("EndsBetweenTwoRunes", func(t *testing.T) {
		for n := range 20 {
			got := cut(strings.Repeat("a", n)+"ééééééééé", 16)
			if len(got) > 16 || !utf8.ValidString(got) {
				t.Errorf("%d: %q", n, got)
			}
		}
	})
	t.Run("LeavesShortText", func(t *testing.T) {
		if got := cut("1234", 4); got != "1234" {
			t.Errorf("got %q", got)
		}
	})
}

func TestMessage(t *testing.T) {
	got := message("no\nsuch\x00 card 4111 1111 1111 1111 of a.b@example.co.uk, key sk_live_1 "+strings.Repeat("x", 900), NewSecret("sk_live_1"))
	if want := "no such  card [masked] of [masked], key [redacted] "; !strings.HasPrefix(got, want) || len(got) > 300 {
		t.Errorf("got %q", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("pay 4111 1111-1111 1111 now")
	f.Add("41111111111111111225")
	f.Add("6304000000000000000\u200b1")
	f.Fuzz(func(t *testing.T, s string) {
		once := Mask(s)
		if twice := Mask(once); twice != once {
			t.Errorf("%q became %q, then %q", s, once, twice)
		}
		const pan = "4111111111111111"
		if strings.Contains(Mask(s+" "+pan), pan) || strings.Contains(Mask("x"+pan+"x"+s), pan) {
			t.Errorf("the card number is kept beside %q", s)
		}
	})
}
