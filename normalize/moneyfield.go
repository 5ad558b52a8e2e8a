package normalize

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// unit says what the number in a provider's field counts.
type unit string

const (
	major         unit = "major"             // dollars: 12.5 is 12.50
	minor         unit = "minor"             // cents: 1250 is 12.50
	minorTwoDigit unit = "minor, two digits" // hundredths; read only for currencies that have two digits
	minorExponent unit = "minor by exponent" // 10^-exponent of the currency, exponent standing beside it
	undocumented  unit = "major or minor"    // the provider does not say which: kept as text
)

// sign says how the number's sign becomes the effect on the card.
type sign string

const (
	asGiven  sign = "as given"
	opposite sign = "opposite" // the provider writes spend as positive
	unsigned sign = "unsigned" // never negative; direction, where there is one, comes from other fields
)

// moneyField says how one money field of one provider is read.
type moneyField struct {
	stream   schema.Stream
	path     string // "[]" stands for the elements of a list
	unit     unit
	currency string // ISO 4217 code; empty: see code
	code     string // name of the field beside it that holds the code
	sign     sign
	into     string // what it becomes
}

// moneyTable lists every money field of one provider. A field that is not listed cannot be read.
type moneyTable []moneyField

// find is the field of a name within the object at a path; it is looked for without joining the two.
func (t moneyTable) find(object, name string) (m *moneyField, ok bool) {
	for i := range t {
		within, last := "", t[i].path
		if at := strings.LastIndexByte(last, '.'); at >= 0 {
			within, last = last[:at], last[at+1:]
		}
		if last == name && within == object {
			return &t[i], true
		}
	}
	return nil, false
}

var (
	errNoUnit    = errors.New("no unit is known for this field")
	errNegative  = errors.New("negative where the provider documents a number without a sign; ask the provider which way the money went")
	errTwoDigits = errors.New("the provider does not say what it counts for a currency without two digits")
	errExponent  = errors.New("the exponent beside it is missing or is not 0 to 4")
)

// amount reads text that stands in field m, whose neighbours are in f. The result carries the sign of the effect on the
// card. For an undocumented unit the result is unknown, and the error says whether no unit at all fits.
func (m *moneyField) amount(f fields, text string) (money.Amount, error) {
	currency, err := m.lookup(f)
	if err != nil {
		return money.Amount{}, err
	}
	var a money.Amount
	switch m.unit {
	case major:
		a, err = money.Parse(text, currency)
	case minor:
		a, err = money.ParseMinor(text, currency)
	case minorTwoDigit:
		if currency.Digits() != 2 {
			return money.Amount{}, errTwoDigits
		}
		a, err = money.ParseMinor(text, currency)
	case minorExponent:
		a, err = byExponent(f, text, currency)
	case undocumented:
		if _, err = money.Parse(text, currency); err != nil {
			_, err = money.ParseMinor(text, currency)
		}
		return money.Amount{}, err
	default:
		return money.Amount{}, errNoUnit
	}
	if err != nil {
		return money.Amount{}, err
	}
	switch {
	case m.sign == opposite:
		return a.Neg()
	case m.sign == unsigned && a.Sign() < 0:
		return money.Amount{}, errNegative
	}
	return a, nil
}

func (m *moneyField) lookup(f fields) (money.Currency, error) {
	if m.currency != "" {
		return money.Lookup(m.currency)
	}
	return f.currency(m.code)
}

// byExponent reads a count of 10^-exponent of the currency. An exponent other than the currency's own is worth a note,
// since one of the two is wrong about the currency; the amount is read by the exponent that stands beside it.
func byExponent(f fields, text string, c money.Currency) (money.Amount, error) {
	exponent := f.text("exponent")
	if len(exponent) != 1 || exponent < "0" || exponent > "4" {
		return money.Amount{}, errExponent
	}
	if exponent != fmt.Sprint(c.Digits()) {
		f.note("exponent", fmt.Sprintf("%s where ISO 4217 gives %s %d digits", exponent, c, c.Digits()))
	}
	return money.Parse(text+"e-"+exponent, c)
}

// whyNot says in words what is wrong with an amount, and what helps.
func whyNot(text string, err error) string {
	switch {
	case errors.Is(err, money.ErrPrecision):
		return show(text) + " has a digit that its currency does not have; nothing is rounded: ask the provider for the exact amount"
	case errors.Is(err, money.ErrOverflow):
		return show(text) + " is too large for an amount; ask the provider for the exact amount"
	case errors.Is(err, money.ErrSyntax):
		return show(text) + " is not a decimal number; the provider may have changed its format"
	}
	return err.Error()
}
