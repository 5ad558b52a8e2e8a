package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// UnitChoice is the unit in which the ambiguous balances of a source are read, and what it rests on.
type UnitChoice struct {
	Unit         BalanceUnit // MinorUnit or MajorUnit
	Auto         bool        // found out rather than set
	Cards        int         // where found out: cards with a balance other than zero and a complete history
	Minor, Major int         // how many of them each unit fits
	Fraction     string      // where found out: a balance that minor units cannot be, which proves major ones; else empty
}

// BalanceUnits says, for each source whose balances are ambiguous (Bitnob), in which unit they are read: the configured
// one, else major where some balance that was ever observed has a fraction, else the unit in which strictly more of the
// cards that are not zero agree with the ledger, else minor.
func BalanceUnits(ctx context.Context, v schema.View, p schema.Period, cfg Config) (map[string]UnitChoice, error) {
	cards, err := readCards(ctx, v)
	if err != nil {
		return nil, err
	}
	covered, err := readCoverage(ctx, v)
	if err != nil {
		return nil, err
	}
	return balanceUnits(ctx, v, p, cfg, cards, covered)
}

func balanceUnits(ctx context.Context, v schema.View, p schema.Period, cfg Config, cards cardIndex, covered coverage) (map[string]UnitChoice, error) {
	sources := map[string]BalanceUnit{}
	for _, c := range cards.byID {
		if c.Provider == schema.Bitnob {
			sources[c.Source] = AutoUnit
		}
	}
	for _, s := range cfg.Sources {
		if s.Provider == schema.Bitnob {
			sources[s.Name] = s.BalanceUnit
		}
	}
	choices := map[string]UnitChoice{}
	for source, unit := range sources {
		if unit == MinorUnit || unit == MajorUnit {
			choices[source] = UnitChoice{Unit: unit}
			continue
		}
		choice := UnitChoice{Unit: MinorUnit, Auto: true}
		twins, err := readTwins(ctx, v, cards, source)
		if err != nil {
			return nil, fmt.Errorf("find the unit of balances (%s): %w", source, err)
		}
		ranges := cards.shares(source, manyRanges())
		parts := make([]UnitChoice, len(ranges))
		if err := (walk{view: v, cards: cards, twins: twins, source: source}).each(ctx, ranges, func(ctx context.Context, n int, w walk) error {
			for a, err := range w.accounts(ctx) {
				if err != nil {
					return err
				}
				parts[n].prove(a)
				parts[n].try(a, p, covered, cfg.DriftTolerance)
			}
			return nil
		}); err != nil {
			return nil, fmt.Errorf("find the unit of balances (%s): %w", source, err)
		}
		for _, part := range parts {
			choice.Cards, choice.Minor, choice.Major = choice.Cards+part.Cards, choice.Minor+part.Minor, choice.Major+part.Major
			choice.Fraction = cmp.Or(choice.Fraction, part.Fraction)
		}
		if choice.Fraction != "" || choice.Major > choice.Minor {
			choice.Unit = MajorUnit
		}
		choices[source] = choice
	}
	return choices, nil
}

// prove looks for a balance that only major units can be: one with a fraction, such as 12.34.
func (u *UnitChoice) prove(a *account) {
	currency, err := cardCurrency(a.card)
	if err != nil || u.Fraction != "" {
		return
	}
	for _, o := range a.observations {
		f, ok := o.Figure(schema.Balance)
		if !ok || !f.Ambiguous || f.Problem != "" {
			continue
		}
		_, minorErr := money.ParseMinor(f.Raw, currency)
		_, majorErr := money.Parse(f.Raw, currency)
		if majorErr == nil && errors.Is(minorErr, money.ErrPrecision) {
			u.Fraction = f.Raw
			return
		}
	}
}

// try adds what one card says for each unit.
func (u *UnitChoice) try(a *account, p schema.Period, covered coverage, tolerance decimal.Decimal) {
	o, _ := latestStatement(a, p, schema.Balance)
	f, ok := o.Figure(schema.Balance)
	if !ok || !f.Ambiguous || f.Problem != "" || !covered.covers(a.card.Source, history(a.card, o.ObservedAt)) {
		return
	}
	currency, err := cardCurrency(a.card)
	if err != nil {
		return
	}
	books, err := booksAt(a.entries, schema.Balance, currency, time.Time{}, o.ObservedAt)
	if err != nil {
		return
	}
	minor, minorErr := money.ParseMinor(f.Raw, currency)
	major, majorErr := money.Parse(f.Raw, currency)
	if (minorErr == nil && minor.Sign() == 0) || (majorErr == nil && major.Sign() == 0) {
		return
	}
	u.Cards++
	if minorErr == nil && within(minor.Minor(), books.sum[onPosted], tolerance, currency) {
		u.Minor++
	}
	if majorErr == nil && within(major.Minor(), books.sum[onPosted], tolerance, currency) {
		u.Major++
	}
}

// latestStatement is the latest observation in the period of the stream that tells a figure, whether it states the figure
// or not; false where there is none.
func latestStatement(a *account, p schema.Period, name schema.FigureName) (schema.Observation, bool) {
	for _, o := range slices.Backward(a.observations) {
		if !inPeriod(p, o.ObservedAt) {
			continue
		}
		if _, states := o.Figure(name); states || o.Stream == figureStream(name) {
			return o, true
		}
	}
	return schema.Observation{}, false
}

// history is the window that must be complete for a balance to be judged: all of the card's life up to an instant.
func history(c schema.Card, to time.Time) schema.Window {
	from := c.CreatedAt
	if from.IsZero() {
		from = schema.Beginning
	}
	return schema.Window{From: from, To: to}
}

// cardCurrency is the currency of a card's balance. Bitnob cards are in US dollars and do not say so.
func cardCurrency(c schema.Card) (money.Currency, error) {
	if c.Currency == "" {
		return money.USD(), nil
	}
	return money.Lookup(c.Currency)
}

// within says whether two figures differ by no more than the tolerance, which is in major units.
func within(a, b int64, tolerance decimal.Decimal, c money.Currency) bool {
	difference := decimal.NewFromInt(a).Sub(decimal.NewFromInt(b)).Abs()
	return difference.LessThanOrEqual(tolerance.Shift(int32(c.Digits())))
}
