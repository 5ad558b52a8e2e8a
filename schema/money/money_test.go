package money_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	gomoney "github.com/Rhymond/go-money"
	"pgregory.net/rapid"

	"github.com/tieout/tieout/schema/money"
)

func currency(t testing.TB, code string) money.Currency {
	t.Helper()
	c, err := money.Lookup(code)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text, currency string
		want           int64
		err            error
	}{
		"SevenCents":                  {"0.07", "USD", 7, nil},
		"WhatAFloatWouldCut":          {"19.99", "USD", 1999, nil},
		"ThousandsWithCents":          {"1234567.89", "USD", 123456789, nil},
		"OneDigit":                    {"6.9", "USD", 690, nil},
		"WholeUnits":                  {"10", "USD", 1000, nil},
		"Negative":                    {"-12.50", "USD", -1250, nil},
		"NegativeBelowOne":            {"-0.01", "USD", -1, nil},
		"MinusZeroIsZero":             {"-0", "USD", 0, nil},
		"MinusZeroWithDigitsIsZero":   {"-0.00", "USD", 0, nil},
		"Exponent":                    {"1e2", "USD", 10000, nil},
		"ExponentWithSign":            {"1E+2", "USD", 10000, nil},
		"NegativeExponent":            {"1250e-2", "USD", 1250, nil},
		"ZeroWithAHugeExponent":       {"0e999", "USD", 0, nil},
		"TrailingZerosAreNoDigits":    {"12.5000000000", "USD", 1250, nil},
		"NoDigits":                    {"1200", "JPY", 1200, nil},
		"NoDigitsWithZeros":           {"1200.00", "JPY", 1200, nil},
		"ThreeDigits":                 {"0.125", "BHD", 125, nil},
		"FourDigits":                  {"0.0001", "CLF", 1, nil},
		"TheLargest":                  {"92233720368547758.07", "USD", math.MaxInt64, nil},
		"TheSmallest":                 {"-92233720368547758.08", "USD", math.MinInt64, nil},
		"RejectsOneBeyondTheLargest":  {"92233720368547758.08", "USD", 0, money.ErrOverflow},
		"RejectsOneBeyondTheSmallest": {"-92233720368547758.09", "USD", 0, money.ErrOverflow},
		"RejectsAHugeExponent":        {"1e999", "USD", 0, money.ErrOverflow},
		"RejectsAnEndlessExponent":    {"1e1000", "USD", 0, money.ErrSyntax},
		"RejectsAMinuteExponent":      {"1e-999", "USD", 0, money.ErrPrecision},
		"RejectsExcessPrecision":      {"10.005", "USD", 0, money.ErrPrecision},
		"RejectsADigitOfYen":          {"0.5", "JPY", 0, money.ErrPrecision},
		"RejectsAFloatOnPaper":        {"19.990000000000002", "USD", 0, money.ErrPrecision},
		"RejectsEmptyText":            {"", "USD", 0, money.ErrSyntax},
		"RejectsALonePoint":           {".", "USD", 0, money.ErrSyntax},
		"RejectsALoneMinus":           {"-", "USD", 0, money.ErrSyntax},
		"RejectsALeadingPoint":        {".5", "USD", 0, money.ErrSyntax},
		"RejectsATrailingPoint":       {"5.", "USD", 0, money.ErrSyntax},
		"RejectsAPlus":                {"+1", "USD", 0, money.ErrSyntax},
		"RejectsALeadingZero":         {"01.00", "USD", 0, money.ErrSyntax},
		"RejectsThousandsSeparators":  {"1,000.00", "USD", 0, money.ErrSyntax},
		"RejectsACommaForThePoint":    {"1,50", "USD", 0, money.ErrSyntax},
		"RejectsUnderscores":          {"1_000", "USD", 0, money.ErrSyntax},
		"RejectsSpaces":               {" 1", "USD", 0, money.ErrSyntax},
		"RejectsALineEnd":             {"1\n", "USD", 0, money.ErrSyntax},
		"RejectsASymbol":              {"$1", "USD", 0, money.ErrSyntax},
		"RejectsHexadecimals":         {"0x10", "USD", 0, money.ErrSyntax},
		"RejectsNaN":                  {"NaN", "USD", 0, money.ErrSyntax},
		"RejectsInfinity":             {"Inf", "USD", 0, money.ErrSyntax},
		"RejectsTheUnicodeMinus":      {"−1", "USD", 0, money.ErrSyntax},
		"RejectsOtherDigits":          {"١٢", "USD", 0, money.ErrSyntax},
		"RejectsLongText":             {strings.Repeat("9", 65), "USD", 0, money.ErrSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := money.Parse(c.text, currency(t, c.currency))
			if !errors.Is(err, c.err) {
				t.Fatalf("%q: %v, want %v", c.text, err, c.err)
			}
			want := money.Amount{}
			if c.err == nil {
				want = money.FromMinor(c.want, currency(t, c.currency))
			}
			if got != want {
				t.Errorf("%q is %d %s", c.text, got.Minor(), got.Currency())
			}
		})
	}
	t.Run("RejectsWithoutACurrency", func(t *testing.T) {
		if _, err := money.Parse("1", money.Currency{}); !errors.Is(err, money.ErrUnknownCurrency) {
			t.Errorf("%v", err)
		}
	})
	t.Run("AnErrorShowsOnlyTheBeginningOfLongText", func(t *testing.T) {
		if _, err := money.Parse(strings.Repeat("9", 1_000_000), money.USD()); err == nil || len(err.Error()) > 200 {
			t.Errorf("%v", err)
		}
	})
}

func TestParseMinor(t *testing.T) {
	for text, want := range map[string]int64{
		"1250": 1250, "-7": -7, "1250.00": 1250, "1e3": 1000, "9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64,
	} {
		if got, err := money.ParseMinor(text, money.USD()); err != nil || got != money.FromMinor(want, money.USD()) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]error{
		"1250.5": money.ErrPrecision, "0.01": money.ErrPrecision, "9223372036854775808": money.ErrOverflow, "": money.ErrSyntax, "12.": money.ErrSyntax,
	} {
		if _, err := money.ParseMinor(text, money.USD()); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		minor          int64
		currency, want string
	}{
		{0, "USD", "0.00"},
		{7, "USD", "0.07"},
		{-7, "USD", "-0.07"},
		{-1250, "USD", "-12.50"},
		{1200, "JPY", "1200"},
		{-1, "JPY", "-1"},
		{125, "BHD", "0.125"},
		{1, "CLF", "0.0001"},
		{math.MinInt64, "USD", "-92233720368547758.08"},
		{math.MaxInt64, "BHD", "9223372036854775.807"},
	} {
		if got := money.FromMinor(c.minor, currency(t, c.currency)).String(); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
	if got := (money.Amount{}).String(); got != "" {
		t.Errorf("an unknown amount is %q", got)
	}
}

func TestKnown(t *testing.T) {
	if (money.Amount{}).Known() {
		t.Error("the zero amount is known")
	}
	if !money.FromMinor(0, money.USD()).Known() {
		t.Error("zero dollars are unknown")
	}
}

func TestCurrencies(t *testing.T) {
	t.Run("DigitsAgreeWithGoMoney", func(t *testing.T) {
		agreed := 0
		for a := 'A'; a <= 'Z'; a++ {
			for b := 'A'; b <= 'Z'; b++ {
				for c := 'A'; c <= 'Z'; c++ {
					code := string([]rune{a, b, c})
					ours, err := money.Lookup(code)
					theirs := gomoney.GetCurrency(code)
					if err != nil || theirs == nil {
						continue
					}
					if ours.Digits() != theirs.Fraction || ours.Code() != code {
						t.Errorf("%s: %d digits, go-money says %d", code, ours.Digits(), theirs.Fraction)
					}
					agreed++
				}
			}
		}
		if agreed < 150 {
			t.Errorf("only %d codes were compared", agreed)
		}
	})
	t.Run("DigitsOfThoseThatGoMoneyLacks", func(t *testing.T) {
		for code, want := range map[string]int{
			"BOV": 2, "CHE": 2, "CHW": 2, "COU": 2, "MXV": 2, "USN": 2, "UYI": 0, "UYW": 4, "VED": 2, "XAD": 2, "ZWG": 2,
		} {
			if got := currency(t, code).Digits(); got != want {
				t.Errorf("%s: %d digits", code, got)
			}
		}
	})
	t.Run("OnesWithoutMinorUnitsWithdrawnOrMisspelledAreUnknown", func(t *testing.T) {
		for _, code := range []string{"XAU", "XTS", "XXX", "XDR", "HRK", "BGN", "ANG", "ZWL", "SLL", "BTC", "USDT", "usd", "US", "", "ZZZ"} {
			if _, err := money.Lookup(code); !errors.Is(err, money.ErrUnknownCurrency) {
				t.Errorf("%q: %v", code, err)
			}
		}
	})
	t.Run("USDIsTheOneOfTheTable", func(t *testing.T) {
		if money.USD() != currency(t, "USD") {
			t.Error("it is not")
		}
	})
}

func TestArithmeticRefusesTwoCurrencies(t *testing.T) {
	usd, jpy := money.FromMinor(1, money.USD()), money.FromMinor(1, currency(t, "JPY"))
	_, add := usd.Add(jpy)
	_, sub := usd.Sub(jpy)
	_, compare := usd.Cmp(jpy)
	_, sum := money.Sum(money.USD(), usd, jpy)
	_, unknown := usd.Add(money.Amount{})
	for name, err := range map[string]error{"Add": add, "Sub": sub, "Cmp": compare, "Sum": sum, "Add of an unknown amount": unknown} {
		if !errors.Is(err, money.ErrMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// edge draws any int64, the ends of the range more often than chance would.
func edge() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}))
}

// agrees says whether an outcome is that of unbounded integers: the value where it fits, ErrOverflow where it does not.
func agrees(t *rapid.T, what string, got money.Amount, err error, want *big.Int) {
	switch {
	case want.IsInt64() && (err != nil || got != money.FromMinor(want.Int64(), money.USD())):
		t.Fatalf("%s is %v (%v), want %v", what, got, err, want)
	case !want.IsInt64() && (!errors.Is(err, money.ErrOverflow) || got != money.Amount{}):
		t.Fatalf("%s is %v (%v), and does not fit", what, got, err)
	}
}

func TestArithmeticIsThatOfIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := edge().Draw(t, "x"), edge().Draw(t, "y")
		a, b := money.FromMinor(x, money.USD()), money.FromMinor(y, money.USD())
		bigX, bigY := big.NewInt(x), big.NewInt(y)

		sum, err := a.Add(b)
		agrees(t, "x+y", sum, err, new(big.Int).Add(bigX, bigY))
		difference, err := a.Sub(b)
		agrees(t, "x-y", difference, err, new(big.Int).Sub(bigX, bigY))
		opposite, err := a.Neg()
		agrees(t, "-x", opposite, err, new(big.Int).Neg(bigX))
		if got, err := a.Cmp(b); err != nil || got != bigX.Cmp(bigY) {
			t.Fatalf("compare: %d %v", got, err)
		}
		if got := a.Sign(); got != bigX.Sign() {
			t.Fatalf("sign: %d", got)
		}
	})
}

func TestSumIsThatOfIntegers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := new(big.Int)
		var amounts []money.Amount
		for _, minor := range rapid.SliceOfN(edge(), 0, 8).Draw(t, "amounts") {
			want.Add(want, big.NewInt(minor))
			amounts = append(amounts, money.FromMinor(minor, money.USD()))
		}
		got, err := money.Sum(money.USD(), amounts...)
		agrees(t, "sum", got, err, want)
	})
}

func TestStringAndParseAreInverse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := currency(t, rapid.SampledFrom([]string{"JPY", "USD", "BHD", "CLF"}).Draw(rt, "currency"))
		a := money.FromMinor(edge().Draw(rt, "minor"), c)
		if got, err := money.Parse(a.String(), c); err != nil || got != a {
			rt.Fatalf("%q is %v (%v)", a.String(), got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"0.07", "-12.50", "1e2", "1E-2", "10.005", "92233720368547758.08", "1e999", "", ".", "-0", "0e-5", "１"} {
		f.Add(seed)
	}
	var currencies []money.Currency
	for _, code := range []string{"JPY", "USD", "BHD", "CLF"} {
		currencies = append(currencies, currency(f, code))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, c := range currencies {
			got, err := money.Parse(text, c)
			exact(t, text, c.Digits(), got, err)
			got, err = money.ParseMinor(text, c)
			exact(t, text, 0, got, err)
			if err == nil && got.Currency() != c {
				t.Errorf("%q became %s", text, got.Currency())
			}
		}
	})
}

// exact compares an outcome of parsing with exact rational arithmetic.
func exact(t *testing.T, text string, shift int, got money.Amount, err error) {
	t.Helper()
	if errors.Is(err, money.ErrSyntax) {
		return
	}
	want, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q was read as a number: %v %v", text, got, err)
	}
	want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
	switch {
	case err == nil:
		if want.Cmp(new(big.Rat).SetInt64(got.Minor())) != 0 {
			t.Errorf("%q is %d minor units, want %s", text, got.Minor(), want)
		}
	case errors.Is(err, money.ErrPrecision):
		if want.IsInt() {
			t.Errorf("%q has no excess digit: %v", text, err)
		}
	case errors.Is(err, money.ErrOverflow):
		if !want.IsInt() || want.Num().IsInt64() {
			t.Errorf("%q fits: %v", text, err)
		}
	default:
		t.Errorf("%q: %v", text, err)
	}
}
