package reconcile

import (
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// The words of messages. An accountant reads them without the code: cards by name and last digits, amounts with their
// currency, dates in the zone that decided the figure.

// cardText begins a sentence: `Card "Travel" ending 4242`.
func cardText(c schema.Card) string {
	text := "Card"
	if c.Name != "" {
		text += fmt.Sprintf(" %q", c.Name)
	}
	if c.Last4 != "" {
		text += " ending " + c.Last4
	}
	if text == "Card" {
		text += " " + c.ID
	}
	return text
}

func amountText(a money.Amount) string {
	if !a.Known() {
		return "an unknown amount"
	}
	return a.String() + " " + a.Currency().Code()
}

// minorText is amountText of minor units of a currency.
func minorText(minor int64, c money.Currency) string { return amountText(money.FromMinor(minor, c)) }

func dateText(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

// timeText is minutes with the zone's name; seconds would only make a reader stop.
func timeText(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04") + " " + zone.String()
}

// lastDate is the last date of a window, in its zone.
func lastDate(w schema.Window, zone *time.Location) string {
	return dateText(w.To.Add(-time.Microsecond), zone)
}

// entryText names an entry: `the purchase of 12.50 USD at "ACME" on 2026-08-02 (slash-main/t1)`.
func entryText(e *schema.Entry, zone *time.Location) string {
	amount := e.Amount
	if positive, err := amount.Neg(); err == nil && amount.Sign() < 0 {
		amount = positive
	}
	text := fmt.Sprintf("the %s of %s", kindText(e.Kind), amountText(amount))
	if e.Merchant != "" {
		text += fmt.Sprintf(" at %q", e.Merchant)
	}
	return text + fmt.Sprintf(" on %s (%s)", dateText(e.OccurredAt, zone), e.ID())
}

func kindText(k schema.Kind) string {
	if k == schema.TopUp {
		return "top-up"
	}
	return string(k)
}

// count is "1 entry", "2 entries".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
