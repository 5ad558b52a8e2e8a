// Package money holds exact amounts: int64 minor units of one currency.
//
// There are two ways in. Parse reads decimal text in major units ("12.50"); FromMinor and ParseMinor take minor units
// (1250). There is no third way, no rounding and no floating point anywhere. An amount never changes its currency, and
// every sum that would leave int64 is an error.
package money

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Errors that callers test for. Every error of this package wraps one of them.
var (
	// ErrSyntax: the text is not a plain decimal number.
	ErrSyntax = errors.New("not a decimal number")
	// ErrPrecision: the number has a digit other than zero beyond the currency's digits.
	ErrPrecision = errors.New("more digits than the currency has")
	// ErrOverflow: the amount does not fit in int64 minor units.
	ErrOverflow = errors.New("amount out of range")
	// ErrMismatch: two amounts of different currencies were added or compared.
	ErrMismatch = errors.New("currencies differ")
	// ErrUnknownCurrency: the code is not in the ISO 4217 table.
	ErrUnknownCurrency = errors.New("unknown currency")
)

// Currency is an ISO 4217 currency with its number of minor digits. The zero Currency is no currency at all.
type Currency struct {
	code   string
	digits int8
}

// Lookup finds a currency by its upper-case three-letter code. An unknown code is ErrUnknownCurrency, never two digits.
func Lookup(code string) (Currency, error) {
	digits, ok := iso4217[code]
	if !ok {
		return Currency{}, fmt.Errorf("%w %q", ErrUnknownCurrency, code)
	}
	return Currency{code: code, digits: digits}, nil
}

// USD is the currency of BILL, Slash and Whop amounts, and of Bitnob cards.
func USD() Currency { return Currency{code: "USD", digits: 2} }

// Code is the three-letter code, empty for no currency.
func (c Currency) Code() string { return c.code }

// Digits is the number of digits behind the decimal point: 2 for USD, 0 for JPY, 3 for BHD.
func (c Currency) Digits() int { return int(c.digits) }

// String is the code.
func (c Currency) String() string { return c.code }

// Amount is a signed number of minor units of one currency. The zero Amount has no currency and means "unknown"
// (see Known); a known zero has a currency.
type Amount struct {
	minor    int64
	currency Currency
}

// FromMinor makes an amount from minor units: FromMinor(1250, USD) is 12.50 dollars.
func FromMinor(minor int64, c Currency) Amount { return Amount{minor: minor, currency: c} }

// The length is bounded before anything is computed, so that hostile text costs nothing.
const maxText = 64

var decimalText = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$`)

// Parse reads decimal text in major units as JSON writes numbers: an optional minus, digits, an optional fraction, an
// optional exponent. "12.5", "12.50" and "12.500" are the same dollars; "12.505" is ErrPrecision; "", ".", "+1", "1,000",
// "0x10" and " 1" are ErrSyntax; what does not fit in int64 minor units is ErrOverflow.
func Parse(s string, c Currency) (Amount, error) {
	return parse(s, c, c.Digits())
}

// ParseMinor reads decimal text that counts minor units: "1250" and "1250.00" are 12.50 dollars, "1250.5" is ErrPrecision.
func ParseMinor(s string, c Currency) (Amount, error) {
	return parse(s, c, 0)
}

func parse(s string, c Currency, shift int) (Amount, error) {
	if c.code == "" {
		return Amount{}, fmt.Errorf("parse amount: %w: none given", ErrUnknownCurrency)
	}
	if minor, ok := short(s, shift); ok {
		return Amount{minor: minor, currency: c}, nil
	}
	return parseAny(s, c, shift)
}

// short reads what nearly every amount is: at most 18 digits without an exponent or with a small negative one,
// that are a whole number of minor units. For anything else, right or wrong, parseAny knows better.
func short(s string, shift int) (minor int64, ok bool) {
	s, negative := strings.CutPrefix(s, "-")
	if n := len(s) - 3; n > 0 && s[n:n+2] == "e-" && digit(s[n+2]) {
		shift -= int(s[n+2] - '0')
		s = s[:n]
	}
	if len(s) == 0 || len(s) > 19 || !digit(s[len(s)-1]) || s[0] == '0' && len(s) > 1 && s[1] != '.' {
		return 0, false
	}
	point := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case digit(c):
			minor = minor*10 + int64(c-'0')
		case c == '.' && i > 0 && point == len(s):
			point = i
			shift -= len(s) - i - 1
		default:
			return 0, false
		}
	}
	if point == len(s) && len(s) > 18 {
		return 0, false
	}
	for ; shift > 0; shift-- {
		if minor > math.MaxInt64/10 {
			return 0, false
		}
		minor *= 10
	}
	for ; shift < 0; shift++ {
		if minor%10 != 0 {
			return 0, false
		}
		minor /= 10
	}
	if negative {
		minor = -minor
	}
	return minor, true
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// parseAny reads any decimal text, and says what is wrong with what is none.
func parseAny(s string, c Currency, shift int) (Amount, error) {
	if len(s) > maxText || !decimalText.MatchString(s) {
		return Amount{}, fmt.Errorf("parse amount %q: %w", clip(s), ErrSyntax)
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return Amount{}, fmt.Errorf("parse amount %q: %w", clip(s), ErrSyntax)
	}
	d = d.Shift(int32(shift)) // shift is at most four
	if !d.IsInteger() {
		return Amount{}, fmt.Errorf("parse amount %q: %w (%s has %d)", clip(s), ErrPrecision, c.code, shift)
	}
	minor := d.BigInt()
	if !minor.IsInt64() {
		return Amount{}, fmt.Errorf("parse amount %q: %w", clip(s), ErrOverflow)
	}
	return Amount{minor: minor.Int64(), currency: c}, nil
}

func clip(s string) string {
	if len(s) > maxText {
		return s[:maxText] + "…"
	}
	return s
}

// Known says whether the amount has a currency. The zero Amount is unknown.
func (a Amount) Known() bool { return a.currency.code != "" }

// Minor is the number of minor units.
func (a Amount) Minor() int64 { return a.minor }

// Currency is the amount's currency.
func (a Amount) Currency() Currency { return a.currency }

// Sign is -1, 0 or 1.
func (a Amount) Sign() int {
	switch {
	case a.minor < 0:
		return -1
	case a.minor > 0:
		return 1
	}
	return 0
}

// Add returns a+b; ErrMismatch when the currencies differ, ErrOverflow when the sum leaves int64.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, fmt.Errorf("add %s to %s: %w", b.currency.code, a.currency.code, ErrMismatch)
	}
	if (b.minor > 0 && a.minor > math.MaxInt64-b.minor) || (b.minor < 0 && a.minor < math.MinInt64-b.minor) {
		return Amount{}, fmt.Errorf("add %s to %s: %w", b, a, ErrOverflow)
	}
	return Amount{minor: a.minor + b.minor, currency: a.currency}, nil
}

// Sub returns a-b, with the errors of Add.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.currency != b.currency {
		return Amount{}, fmt.Errorf("subtract %s from %s: %w", b.currency.code, a.currency.code, ErrMismatch)
	}
	if (b.minor < 0 && a.minor > math.MaxInt64+b.minor) || (b.minor > 0 && a.minor < math.MinInt64+b.minor) {
		return Amount{}, fmt.Errorf("subtract %s from %s: %w", b, a, ErrOverflow)
	}
	return Amount{minor: a.minor - b.minor, currency: a.currency}, nil
}

// Neg returns -a; ErrOverflow for the smallest int64, which has no opposite.
func (a Amount) Neg() (Amount, error) {
	if a.minor == math.MinInt64 {
		return Amount{}, fmt.Errorf("negate %s: %w", a, ErrOverflow)
	}
	return Amount{minor: -a.minor, currency: a.currency}, nil
}

// Cmp compares two amounts of one currency: -1, 0 or 1. ErrMismatch when the currencies differ.
func (a Amount) Cmp(b Amount) (int, error) {
	if a.currency != b.currency {
		return 0, fmt.Errorf("compare %s with %s: %w", a.currency.code, b.currency.code, ErrMismatch)
	}
	switch {
	case a.minor < b.minor:
		return -1, nil
	case a.minor > b.minor:
		return 1, nil
	}
	return 0, nil
}

// Sum adds amounts of currency c. The partial sums may leave int64 as long as the total does not.
func Sum(c Currency, amounts ...Amount) (Amount, error) {
	total := new(big.Int)
	for _, a := range amounts {
		if a.currency != c {
			return Amount{}, fmt.Errorf("sum of %s: %w: %s", c.code, ErrMismatch, a.currency.code)
		}
		total.Add(total, big.NewInt(a.minor))
	}
	if !total.IsInt64() {
		return Amount{}, fmt.Errorf("sum of %s: %w", c.code, ErrOverflow)
	}
	return Amount{minor: total.Int64(), currency: c}, nil
}

// String is decimal text in major units with exactly the currency's digits and no code: "-12.50", "1200", "0.125".
// It is empty for the unknown Amount. Parse(a.String(), a.Currency()) is a.
func (a Amount) String() string {
	if !a.Known() {
		return ""
	}
	digits := a.currency.Digits()
	text := strconv.FormatInt(a.minor, 10)
	if digits == 0 {
		return text
	}
	sign := ""
	if text[0] == '-' {
		sign, text = "-", text[1:]
	}
	if len(text) <= digits {
		text = strings.Repeat("0", digits-len(text)+1) + text
	}
	return sign + text[:len(text)-digits] + "." + text[len(text)-digits:]
}
