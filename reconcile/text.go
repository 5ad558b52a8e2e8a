package reconcile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// The words of messages. An accountant reads them without the code: cards by name and last digits, amounts with their
// currency, dates in the zone that decided the figure.

// The most that a message shows of a text that somebody else wrote, in characters; the finding's own columns and the
// ledger have it whole.
const (
	longestText   = 100
	longestReason = 500
)

// quoted is a text that somebody else wrote, such as a name, a merchant or a reference: in quotes, and without characters
// that cannot be seen or that turn the sentence around. It looks like "ACME".
func quoted(s string) string { return strconv.Quote(clip(s, longestText)) }

// idText is an id that somebody else made: as it is where it is one plain word, else quoted.
func idText(s string) string {
	odd := func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }
	if s == "" || strings.ContainsFunc(s, odd) || clip(s, longestText) != s {
		return quoted(s)
	}
	return s
}

// printable is a reason that another stage worded around text of somebody else, without characters that cannot be seen.
func printable(s string) string {
	var b strings.Builder
	for _, r := range clip(s, longestReason) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRune(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}

// clip cuts a text to a number of characters.
func clip(s string, longest int) string {
	n := 0
	for i := range s {
		if n == longest {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// cardText begins a sentence: `Card "Travel" ending 4242`.
func cardText(c schema.Card) string {
	text := "Card"
	if c.Name != "" {
		text += " " + quoted(c.Name)
	}
	if c.Last4 != "" {
		text += " ending " + idText(c.Last4)
	}
	if text == "Card" {
		text += " " + idText(c.ID)
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
		text += " at " + quoted(e.Merchant)
	}
	return text + fmt.Sprintf(" on %s (%s)", dateText(e.OccurredAt, zone), idText(e.ID()))
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
