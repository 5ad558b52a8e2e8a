package reports

import (
	"context"
	"fmt"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// cardsSheet is where the cards stand.
const cardsSheet = "Cards"

// cardLine is one card with one of its limits.
type cardLine struct {
	schema.Card
	limit          schema.Limit // zero: the card has none, or it is not known
	noLimit        bool         // the provider says that there is none
	spent, balance money.Amount
	observedAt     time.Time
}

// readCards finds the latest observation of each card and stream before the period's end and merges those of a card: what
// describes it from the list of cards, limits and figures from the stream that states them. A card has a line for each of
// its limits, and one line if it has none; its figures stand on each. The instant is that of the latest of the observations.
func readCards(ctx context.Context, in Input) ([]cardLine, error) {
	units := map[string]string{}
	for _, s := range in.Sources {
		units[s.Name] = s.BalanceUnit
	}
	var lines []cardLine
	var latest []schema.Observation // of one card: one for each stream
	flush := func() {
		if len(latest) > 0 {
			lines = append(lines, merge(latest, units[latest[0].Source])...)
		}
		latest = nil
	}
	for o, err := range in.View.Observations.Observations(ctx, schema.ObservationFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("read observations: %w", err)
		}
		if !o.ObservedAt.Before(in.Period.To) {
			continue
		}
		if len(latest) > 0 && (latest[0].Source != o.Source || latest[0].ID != o.ID) {
			flush()
		}
		latest = append(where(latest, func(known schema.Observation) bool { return known.Stream != o.Stream }), o)
	}
	flush()
	return lines, nil
}

// merge makes the lines of one card from the latest observation of each of its streams, oldest first.
func merge(latest []schema.Observation, unit string) []cardLine {
	var m cardLine
	var limits []schema.Limit
	for _, o := range latest {
		if m.ID == "" || o.Stream == schema.Cards {
			m.Card = o.Card
		}
		if len(o.Limits) > 0 {
			limits = o.Limits
		}
		m.noLimit = m.noLimit || o.NoLimit
		if o.ObservedAt.After(m.observedAt) {
			m.observedAt = o.ObservedAt
		}
	}
	for _, o := range latest {
		for _, f := range o.Figures {
			if f.Name == schema.Balance {
				m.balance = balance(f, m.Card, unit)
			} else {
				m.spent = f.Amount
			}
		}
	}
	if len(limits) == 0 {
		return []cardLine{m}
	}
	var lines []cardLine
	for _, l := range limits {
		m.limit = l
		lines = append(lines, m)
	}
	return lines
}

// balance reads a figure whose unit is not documented in the unit that was found for its source; unknown where it does not
// fit. Bitnob cards are in US dollars and do not say so.
func balance(f schema.Figure, c schema.Card, unit string) money.Amount {
	if !f.Ambiguous || f.Problem != "" {
		return f.Amount
	}
	currency := money.USD()
	if c.Currency != "" {
		known, err := money.Lookup(c.Currency)
		if err != nil {
			return money.Amount{}
		}
		currency = known
	}
	parse := money.ParseMinor
	if unit == "major" {
		parse = money.Parse
	}
	a, err := parse(f.Raw, currency)
	if err != nil {
		return money.Amount{}
	}
	return a
}

// window is the limit's window, or the provider's word where it is none that is known.
func (c cardLine) window() string {
	if c.limit.Window == "" {
		return c.limit.Word
	}
	return string(c.limit.Window)
}

// cardsCSV is the latest observation of each card before the period's end, then what tells limits of one window apart.
func (f *facts) cardsCSV() table.Table {
	return list("cards", f.cards, []column[cardLine]{
		text("source", 0, func(c cardLine) string { return c.Source }),
		text("provider", 0, func(c cardLine) string { return string(c.Provider) }),
		text("card_id", 0, func(c cardLine) string { return c.ID }),
		text("name", 0, func(c cardLine) string { return c.Name }),
		text("last4", 0, func(c cardLine) string { return c.Last4 }),
		text("type", 0, func(c cardLine) string { return c.Type }),
		text("status", 0, func(c cardLine) string { return c.Status }),
		text("currency", 0, func(c cardLine) string { return c.Currency }),
		amount("limit_amount", func(c cardLine) any { return c.limit.Amount }),
		text("limit_window", 0, cardLine.window),
		amount("reported_spent", func(c cardLine) any { return c.spent }),
		amount("reported_balance", func(c cardLine) any { return c.balance }),
		instant("observed_at", func(c cardLine) any { return c.observedAt }),
		text("limit_zone", 0, func(c cardLine) string { return c.limit.Zone }),
		text("limit_start_date", 0, func(c cardLine) string { return c.limit.StartDate }),
	})
}

func (f *facts) cardsTable() table.Table {
	return list(cardsSheet, f.cards, []column[cardLine]{
		count(colCardNo, 7, func(c cardLine) any { return f.cardNumber(c.Source, c.ID) }),
		text(colSource, 13, func(c cardLine) string { return c.Source }),
		long("Card name", 24, func(c cardLine) string { return c.Name }),
		text("Last 4", 8, func(c cardLine) string { return c.Last4 }),
		text("Type", 16, func(c cardLine) string { return c.Type }),
		text(colStatus, 12, func(c cardLine) string { return c.Status }),
		text(colCurrency, 9, func(c cardLine) string { return c.Currency }),
		amount("Limit", func(c cardLine) any { return c.limit.Amount }),
		text("Limit window", 20, func(c cardLine) string {
			if c.noLimit && c.window() == "" {
				return "no limit of its own"
			}
			return c.window()
		}),
		long("Limit zone", 21, func(c cardLine) string { return c.limit.Zone }),
		amount("Reported spent", func(c cardLine) any { return c.spent }),
		amount("Reported balance", func(c cardLine) any { return c.balance }),
		instant("Observed", func(c cardLine) any { return c.observedAt }),
		instant("Created", func(c cardLine) any { return c.CreatedAt }),
		instant("Closed", func(c cardLine) any { return c.ClosedAt }),
		text("Card id", cardIDWidth, func(c cardLine) string { return c.ID }),
	})
}
