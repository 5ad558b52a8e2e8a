package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// company is a year of entries on cards of four sources, all of it a formula of the number of an entry or a card: nothing is
// drawn and nothing is kept. Figures and books agree with the entries but for one card and one top-up in a hundred.
type company struct{ entries, cards int }

// The year ends when the figures are observed.
var (
	observed = time.Date(2026, 9, 30, 7, 0, 0, 0, time.UTC)
	began    = observed.AddDate(-1, 0, 0)
	month    = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

func sourceName(p schema.Provider) string { return string(p) + "-main" }

// mix spreads numbers: neighbours fall far from one another.
func mix(n int) uint64 {
	x := uint64(n)*0x9e3779b97f4a7c15 + 1
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

func usd(cents int64) money.Amount { return money.FromMinor(cents, money.USD()) }

// of says how many entries and cards a provider has: a quarter each.
func (c company) of(p schema.Provider) (entries, cards int) { return c.entries / 4, c.cards / 4 }

func cardID(p schema.Provider, n int) string { return fmt.Sprintf("%s-card-%06d", p, n) }

// entry is the nth entry of a provider, in the order of time.
func (c company) entry(p schema.Provider, n int) schema.Entry {
	entries, cards := c.of(p)
	dice := mix(n)
	card := int(dice % uint64(cards))
	cents := int64(100 + dice>>20%20_000)
	e := schema.Entry{
		Source: sourceName(p), Provider: p, ExternalID: fmt.Sprintf("%016x-%s-%09d", mix(n+1), p, n), CardID: cardID(p, card),
		CardLast4: fmt.Sprintf("%04d", card%10_000), Kind: schema.Purchase, Status: schema.Posted,
		OccurredAt: began.Add(time.Duration(n) * (observed.Sub(began) / time.Duration(entries))).Truncate(time.Microsecond),
		Amount:     usd(-cents), Merchant: fmt.Sprintf("Merchant %d Inc", dice>>8%5000), MerchantCategory: fmt.Sprint(5000 + dice>>12%999),
	}
	switch {
	case p == schema.Bitnob && dice>>40%20 == 0:
		e.Kind, e.Amount, e.Reference = schema.TopUp, usd(20*cents), fmt.Sprintf("FUND-%09d", n)
	case dice>>40%33 == 1:
		e.Kind, e.Amount = schema.Refund, usd(cents)
	case dice>>40%33 == 2:
		e.Status = schema.Declined
	}
	if e.Status == schema.Posted {
		if e.PostedAt = e.OccurredAt.Add(24 * time.Hour); e.PostedAt.After(observed) {
			e.Status, e.PostedAt = schema.Pending, time.Time{}
		}
	}
	e.Literal = e.Amount.String()
	return e
}

// spend is what an entry adds to the spend since a moment, counted as issuers count it.
func spend(e schema.Entry, since time.Time) int64 {
	switch {
	case !e.Status.Counted():
		return 0
	case e.Kind == schema.Purchase && !e.OccurredAt.Before(since):
		return -e.Amount.Minor()
	case e.Kind == schema.Refund && e.Status == schema.Posted && !e.PostedAt.Before(since):
		return -e.Amount.Minor()
	}
	return 0
}

// observations are the figures of every card of a provider, as its entries add up to them.
func (c company) observations(p schema.Provider) []schema.Observation {
	entries, cards := c.of(p)
	sums := make([]int64, cards)
	for n := range entries {
		e, card := c.entry(p, n), mix(n)%uint64(cards)
		switch p {
		case schema.Whop:
			sums[card] += spend(e, observed.Add(-720*time.Hour))
		case schema.Bitnob:
			if e.Status == schema.Posted {
				sums[card] += e.Amount.Minor()
			}
		default:
			sums[card] += spend(e, month)
		}
	}
	all := make([]schema.Observation, 0, cards)
	for n, sum := range sums {
		if n%100 == 7 {
			sum += 1234
		}
		all = append(all, c.observation(p, n, usd(sum)))
	}
	return all
}

func (c company) observation(p schema.Provider, n int, sum money.Amount) schema.Observation {
	o := schema.Observation{
		Card: schema.Card{
			Source: sourceName(p), Provider: p, ID: cardID(p, n), Name: fmt.Sprintf("Card %d", n), Last4: fmt.Sprintf("%04d", n%10_000),
			Type: "virtual", Status: "active", Currency: "USD", CreatedAt: began.Add(-time.Hour),
		},
		Stream: schema.Cards, ObservedAt: observed,
	}
	figure := schema.Figure{Raw: sum.String(), Amount: sum}
	limit := schema.Limit{Amount: usd(1_000_000)}
	if n%100 == 11 {
		limit.Amount = usd(50_000)
	}
	switch p {
	case schema.Bill:
		o.BudgetID, limit.Window, limit.Word, figure.Name = "budget", schema.BudgetPeriod, "currentPeriod", schema.PeriodSpend
	case schema.Slash:
		o.Stream, limit.Window, limit.Word, figure.Name = schema.Utilization, schema.Monthly, "monthly", schema.Utilized
	case schema.Whop:
		limit.Window, limit.Word, figure.Name = schema.Monthly, "monthly", schema.TrailingSpend
	case schema.Bitnob:
		o.Stream, figure.Name, figure.Raw, figure.Ambiguous, figure.Amount = schema.Balances, schema.Balance, fmt.Sprint(sum.Minor()), true, money.Amount{}
	}
	if p != schema.Bitnob {
		o.Limits = []schema.Limit{limit}
	}
	o.Figures = []schema.Figure{figure}
	return o
}

// budget is the month over which the limits of BILL cards count.
func budget() schema.Budget {
	return schema.Budget{
		Source: sourceName(schema.Bill), ID: "budget", Name: "Company", StartDate: "2026-09-01", EndDate: "2026-09-30",
		Interval: "MONTHLY", ObservedAt: observed,
	}
}

// fundings are the books: all top-ups but one in a hundred.
func (c company) fundings() []schema.Funding {
	entries, _ := c.of(schema.Bitnob)
	var all []schema.Funding
	for n := range entries {
		e := c.entry(schema.Bitnob, n)
		if e.Kind != schema.TopUp || n%100 == 3 {
			continue
		}
		all = append(all, schema.Funding{
			ID: e.ExternalID, Reference: e.Reference, Amount: e.Amount, SentAt: e.OccurredAt, SentText: e.OccurredAt.Format(time.RFC3339),
			CardID: e.CardID, Source: e.Source, File: "books.csv", Line: len(all) + 2,
		})
	}
	return all
}

// record is the evidence of an entry, of the size that issuers send.
func record(e schema.Entry) schema.Record {
	payload, err := json.Marshal(map[string]any{
		"id": e.ExternalID, "cardId": e.CardID, "amountCents": e.Amount.Minor(), "date": e.OccurredAt.Format(time.RFC3339),
		"status": e.Status, "merchantData": map[string]any{"name": e.Merchant, "categoryCode": e.MerchantCategory}, "memo": e.Reference,
	})
	if err != nil {
		payload = []byte("{}") // cannot happen: text and numbers
	}
	return schema.Record{
		Source: e.Source, Provider: e.Provider, Stream: schema.Transactions, ExternalID: e.ExternalID, ReceivedAt: observed, Payload: payload,
	}
}
