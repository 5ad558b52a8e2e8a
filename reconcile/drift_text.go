package reconcile

import (
	"fmt"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// namedEntries is how many entries a message names; the evidence has them all.
const namedEntries = 3

// driftMessage says the two figures, what explains their difference, and what to look at.
func driftMessage(c comparison, on basis, x drift) string {
	var m strings.Builder
	currency := c.actual.Currency()
	fmt.Fprintf(&m, "%s: on %s the provider reports ", cardText(c.card), timeText(c.observed, c.zone))
	if c.figure == schema.Balance {
		fmt.Fprintf(&m, "a balance of %s and the posted entries add up to", amountText(c.actual))
	} else {
		fmt.Fprintf(&m, "%s spent %s and the ledger's entries (%s) add up to", amountText(c.actual), c.span, on)
	}
	fmt.Fprintf(&m, " %s, a difference of %s.", minorText(c.sum[on], currency), minorText(x.rest+x.opening, currency))
	if !c.rolled.IsZero() {
		fmt.Fprintf(&m, " The history is not complete: the sum is rolled forward from %s, when the balance agreed.", timeText(c.rolled, c.zone))
	}
	if x.opening != 0 {
		part := "It"
		if x.rest != 0 {
			part = minorText(x.opening, currency) + " of it"
		}
		fmt.Fprintf(&m, " %s has stood since the first balance that was read, on %s, and is taken for opening funding: money put on the card "+
			"at its creation, which the provider lists in no entry.", part, dateText(x.openedAt, c.zone))
	}
	if x.name == openingFunding {
		return m.String()
	}
	what := "the difference"
	if x.opening != 0 {
		what = "the other " + minorText(x.rest, currency)
	}
	m.WriteString(" " + explanationText(x, what, c.zone))
	if x.unexplained != 0 {
		fmt.Fprintf(&m, " Unexplained: %s.", minorText(x.unexplained, currency))
	}
	m.WriteString(x.stood.text(c.observed, c.zone))
	return m.String()
}

// explanationText is the sentence that explains a difference, or says that nothing does.
func explanationText(x drift, what string, zone *time.Location) string {
	what = strings.ToUpper(what[:1]) + what[1:]
	entries := entriesText(x.entries, zone)
	switch x.name {
	case inFlight:
		return fmt.Sprintf("%s was in flight, within 15 minutes of that moment: %s.", what, entries)
	case dayBoundary:
		return fmt.Sprintf("%s lies between the start of the window in %s and its start at %s, so the provider seems to cut days in UTC: %s.", what, zone,
			timeText(x.boundary, time.UTC), entries)
	case factor100:
		return "One figure is exactly 100 times the other, so one of them reads cents as dollars: check the unit of this figure."
	case wrongSign:
		return "The two figures differ only in their sign: check how the provider signs this figure."
	case oneEntry, twoEntries:
		number := "one entry"
		if x.name == twoEntries {
			number = "two entries"
		}
		if x.leftOut {
			return fmt.Sprintf("%s is exactly %s that the ledger counts and the provider seems to leave out: %s.", what, number, entries)
		}
		return fmt.Sprintf("%s is exactly %s that the provider seems to count and the ledger does not: %s.", what, number, entries)
	case declines:
		return fmt.Sprintf("%s is exactly what was declined or failed, which the provider seems to count: %s.", what, entries)
	}
	return what + " is explained by no entry: compare the provider's statement of this card with its entries up to that moment."
}

// entriesText names some entries, each with its status where it is not posted.
func entriesText(entries []*schema.Entry, zone *time.Location) string {
	var names []string
	for i, e := range entries {
		if i == namedEntries {
			names = append(names, count(len(entries)-namedEntries, "more entry", "more entries"))
			break
		}
		text := entryText(e, zone)
		if e.Status != schema.Posted {
			text += ", " + string(e.Status)
		}
		names = append(names, text)
	}
	return strings.Join(names, "; ")
}

func ids(entries []*schema.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, e.ID())
	}
	return all
}

// figureText names a figure.
func figureText(name schema.FigureName) string {
	switch name {
	case schema.Balance:
		return "balance"
	case schema.PeriodSpend:
		return "spend of the budget period"
	case schema.TrailingSpend:
		return "spend of the last 30 days"
	}
	return "utilization"
}
