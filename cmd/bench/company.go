package main

import (
	"strconv"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// company is the history of the cards of up to four sources, all of it a formula of the number of an entry or a card: nothing is
// drawn and nothing is kept. Figures and books agree with the entries but for one card and one top-up in a hundred.
type company struct {
	entries, cards int
	days           int  // from the first entry to the last
	more           int  // entries of the day after that
	changed        bool // one entry in a hundred has another merchant
	filtered       bool // without Bitnob, which lists its whole history every night
}

// providers are those that the company has cards of.
func (c company) providers() []schema.Provider {
	if c.filtered {
		return []schema.Provider{schema.Bill, schema.Slash, schema.Whop}
	}
	return schema.Providers()
}

// observed is the end of the last day.
var observed = time.Date(2026, 9, 30, 7, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// now is when the figures are observed.
func (c company) now() time.Time {
	if c.more > 0 {
		return observed.Add(day)
	}
	return observed
}

func (c company) began() time.Time { return observed.AddDate(0, 0, -c.days) }

// whole is all of the history.
func (c company) whole() schema.Window {
	return schema.Window{From: c.began(), To: c.now().Add(time.Microsecond)}
}

func sourceName(p schema.Provider) string { return string(p) + "-main" }

// mix spreads numbers: neighbours fall far from one another.
func mix(n int) uint64 {
	x := uint64(n)*0x9e3779b97f4a7c15 + 1
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

func usd(cents int64) money.Amount { return money.FromMinor(cents, money.USD()) }

// of says how many entries and cards a provider has: all have as many.
func (c company) of() (entries, cards int) {
	n := len(c.providers())
	return (c.entries + c.more) / n, c.cards / n
}

// all is how many entries all providers have together.
func (c company) all() int {
	entries, _ := c.of()
	return entries * len(c.providers())
}

// step is the time from one entry of a provider to the next.
func (c company) step() time.Duration {
	return time.Duration(c.days) * day / time.Duration(c.entries/len(c.providers()))
}

// first is the number of the first entry of a provider at a time or after it.
func (c company) first(t time.Time) int {
	entries, _ := c.of()
	if !t.After(c.began()) {
		return 0
	}
	return min(entries, int((t.Sub(c.began())+c.step()-1)/c.step()))
}

// padded is a prefix and a number of at least some digits.
func padded(prefix string, n, digits int) string {
	text := strconv.Itoa(n)
	return prefix + "000000000"[:max(0, digits-len(text))] + text
}

func cardID(p schema.Provider, n int) string { return padded(string(p)+"-card-", n, 6) }

// externalID ends with the number of the entry, and begins with what no order is in.
func externalID(p schema.Provider, n int) string {
	return padded(strconv.FormatUint(mix(n+1)|1<<63, 16)+"-"+string(p)+"-", n, 9)
}

// entry is the nth entry of a provider, in the order of time.
func (c company) entry(p schema.Provider, n int) schema.Entry {
	_, cards := c.of()
	dice := mix(n)
	card := int(dice % uint64(cards))
	cents := int64(100 + dice>>20%20_000)
	e := schema.Entry{
		Source: sourceName(p), Provider: p, ExternalID: externalID(p, n), CardID: cardID(p, card), CardLast4: padded("", card%10_000, 4),
		Kind: schema.Purchase, Status: schema.Posted, OccurredAt: c.began().Add(time.Duration(n) * c.step()).Truncate(time.Millisecond),
		Amount: usd(-cents), Merchant: "Merchant " + strconv.Itoa(int(dice>>8%5000)) + " Inc", MerchantCategory: strconv.Itoa(int(5000 + dice>>12%999)),
	}
	switch {
	case p == schema.Bitnob && dice>>40%20 == 0:
		e.Kind, e.Amount, e.Reference = schema.TopUp, usd(20*cents), padded("FUND-", n, 9)
	case dice>>40%33 == 1:
		e.Kind, e.Amount = schema.Refund, usd(cents)
	case dice>>40%33 == 2:
		e.Status = schema.Declined
	}
	if c.changed && n%100 == 55 {
		e.Merchant += " II"
	}
	if e.Status == schema.Posted {
		if e.PostedAt = e.OccurredAt.Add(day); e.PostedAt.After(c.now()) {
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
	entries, cards := c.of()
	month := time.Date(c.now().Year(), c.now().Month(), 1, 0, 0, 0, 0, time.UTC)
	since, first := month, 0
	switch p {
	case schema.Whop:
		since = c.now().Add(-720 * time.Hour)
		fallthrough
	case schema.Bill, schema.Slash:
		first = c.first(since.Add(-day)) // a refund counts when it posts
	}
	sums := make([]int64, cards)
	for n := first; n < entries; n++ {
		e, card := c.entry(p, n), mix(n)%uint64(cards)
		switch {
		case p != schema.Bitnob:
			sums[card] += spend(e, since)
		case e.Status == schema.Posted:
			sums[card] += e.Amount.Minor()
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
			Source: sourceName(p), Provider: p, ID: cardID(p, n), Name: "Card " + strconv.Itoa(n), Last4: padded("", n%10_000, 4),
			Type: "virtual", Status: "active", Currency: "USD", CreatedAt: c.began().Add(-time.Hour),
		},
		Stream: schema.Cards, ObservedAt: c.now(),
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
		o.Stream, figure.Name, figure.Raw, figure.Ambiguous, figure.Amount = schema.Balances, schema.Balance, strconv.FormatInt(sum.Minor(), 10), true, money.Amount{}
	}
	if p != schema.Bitnob {
		o.Limits = []schema.Limit{limit}
	}
	o.Figures = []schema.Figure{figure}
	return o
}

// budget is the month over which the limits of BILL cards count.
func (c company) budget() schema.Budget {
	first := time.Date(c.now().Year(), c.now().Month(), 1, 0, 0, 0, 0, time.UTC)
	return schema.Budget{
		Source: sourceName(schema.Bill), ID: "budget", Name: "Company", StartDate: first.Format(time.DateOnly),
		EndDate: first.AddDate(0, 1, -1).Format(time.DateOnly), Interval: "MONTHLY", ObservedAt: c.now(),
	}
}

// fundings are the books: all top-ups but one in a hundred.
func (c company) fundings() []schema.Funding {
	entries, _ := c.of()
	var all []schema.Funding
	topUps := 0
	for n := range entries {
		if mix(n)>>40%20 != 0 {
			continue
		}
		if topUps++; topUps%100 == 3 {
			continue
		}
		e := c.entry(schema.Bitnob, n)
		all = append(all, schema.Funding{
			ID: e.ExternalID, Reference: e.Reference, Amount: e.Amount, SentAt: e.OccurredAt, SentText: e.OccurredAt.Format(time.RFC3339),
			CardID: e.CardID, Source: e.Source, File: "books.csv", Line: len(all) + 2,
		})
	}
	return all
}
