package sandbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tieout/tieout/schema"
)

func TestOrphans(t *testing.T) {
	const now = 160 * day
	top := func(ref string, cents int64, at instant, status schema.Status) row {
		return row{kind: schema.TopUp, ref: ref, amount: cents, occurred: at, status: status}
	}
	sent := func(ref string, cents int64, at instant) FundingRow {
		return FundingRow{Reference: ref, Currency: "USD", CardID: "card", cents: cents, sent: at, Amount: dollars(cents)}
	}
	euros := sent("A", 100, 150*day)
	euros.Currency = "EUR"
	noCard := sent("A", 100, 150*day)
	noCard.CardID = ""
	other := sent("Z", 1, 150*day) // so that there are books at all
	const ok, waits, failed = schema.Posted, schema.Pending, schema.Failed
	type finding struct{ Reason, Severity, Reference, Entry, Expected, Actual, Difference string }
	for name, x := range map[string]struct {
		rows     []row
		books    []FundingRow
		unlisted bool
		want     []finding
	}{
		"AMatchIsNone":              {[]row{top("A", 100, 150*day, ok)}, []FundingRow{sent(" A ", 100, 150*day)}, false, nil},
		"NothingWithoutBooks":       {[]row{top("A", 100, 150*day, ok)}, nil, false, nil},
		"CaseMatters":               {[]row{top("a", 100, 120*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"no-provider-topup", "high", "A", "", "1.00", "", ""}, {"no-funding-record", "high", "a", "bitnob-main/a", "", "1.00", ""}}},
		"NoRecord":                  {[]row{top("A", 100, 150*day, ok)}, []FundingRow{other}, false, []finding{{"no-funding-record", "high", "A", "bitnob-main/a", "", "1.00", ""}}},
		"NoRecordBeforeThePeriod":   {[]row{top("A", 100, 99*day, ok)}, []FundingRow{other}, false, nil},
		"AFailedOneNobodyNames":     {[]row{top("A", 100, 150*day, failed)}, []FundingRow{other}, false, nil},
		"AFailedOneThatCameAgain":   {[]row{top("A", 100, 150*day, failed), top("A", 100, 151*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, nil},
		"Failed":                    {[]row{top("A", 100, 150*day, failed)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"failed-at-provider", "high", "A", "bitnob-main/a", "1.00", "1.00", "0.00"}}},
		"NoTopUp":                   {nil, []FundingRow{noCard}, false, []finding{{"no-provider-topup", "high", "A", "", "1.00", "", ""}}},
		"GraceEndsWithTheThirdDay":  {nil, []FundingRow{sent("A", 100, now-3*day)}, false, []finding{{"no-provider-topup", "high", "A", "", "1.00", "", ""}}},
		"GraceLastsToTheThirdDay":   {nil, []FundingRow{sent("A", 100, now-3*day+25*hour)}, false, nil},
		"OneCandidateIsProposed":    {[]row{top("B", 100, 151*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"no-provider-topup", "medium", "A", "bitnob-main/a", "1.00", "", ""}}},
		"TwoCandidatesAreNot":       {[]row{top("B", 100, 151*day, ok), top("C", 100, 151*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"no-funding-record", "high", "B", "bitnob-main/a", "", "1.00", ""}, {"no-funding-record", "high", "C", "bitnob-main/b", "", "1.00", ""}, {"no-provider-topup", "high", "A", "", "1.00", "", ""}}},
		"TooLateForACandidate":      {[]row{top("B", 100, 154*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"no-funding-record", "high", "B", "bitnob-main/a", "", "1.00", ""}, {"no-provider-topup", "high", "A", "", "1.00", "", ""}}},
		"UnknownCardGoesFirst":      {[]row{top("A", 100, 150*day, ok), top("A", 100, 151*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, true, []finding{{"unknown-card", "high", "A", "", "1.00", "2.00", "1.00"}}},
		"TwiceAtTheProvider":        {[]row{top("A", 100, 150*day, ok), top("A", 100, 151*day, ok)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"duplicate-reference", "medium", "A", "", "1.00", "2.00", "1.00"}}},
		"TwiceInTheBooks":           {[]row{top("A", 100, 150*day, ok)}, []FundingRow{sent("A", 100, 150*day), sent("A", 100, 150*day)}, false, []finding{{"duplicate-reference", "medium", "A", "bitnob-main/a", "2.00", "1.00", "-1.00"}}},
		"OtherCurrencyBeforeAmount": {[]row{top("A", 70, 150*day, ok)}, []FundingRow{euros}, false, []finding{{"currency-mismatch", "high", "A", "bitnob-main/a", "1.00", "0.70", "-0.30"}}},
		"OtherAmountBeforePending":  {[]row{top("A", 70, 150*day, waits)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"amount-mismatch", "high", "A", "bitnob-main/a", "1.00", "0.70", "-0.30"}}},
		"PendingPastGrace":          {[]row{top("A", 100, now-3*day, waits)}, []FundingRow{sent("A", 100, 150*day)}, false, []finding{{"pending-past-grace", "medium", "A", "bitnob-main/a", "1.00", "1.00", "0.00"}}},
		"PendingWithinGrace":        {[]row{top("A", 100, now-2*day, waits)}, []FundingRow{sent("A", 100, 150*day)}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &book{provider: schema.Bitnob, source: "bitnob-main"}
			c := &card{book: b, id: "card"}
			b.cards = []*card{c}
			if x.unlisted {
				b.cards, b.unlisted = nil, b.cards
			}
			for i := range x.rows {
				r := &x.rows[i]
				r.card, r.id = c, string(rune('a'+i))
				b.rows = append(b.rows, r)
			}
			w := &World{from: 100 * day, now: now, zone: time.UTC, books: map[schema.Provider]*book{schema.Bitnob: b}, fundings: x.books}
			var got []finding
			for _, a := range w.orphans() {
				if a.Reference != "Z" {
					got = append(got, finding{a.Reason, string(a.Severity), a.Reference, a.EntryID, a.Expected, a.Actual, a.Difference})
				}
			}
			byReference := func(list []finding) []finding {
				return slices.SortedFunc(slices.Values(list), func(a, b finding) int { return strings.Compare(a.Reference, b.Reference) })
			}
			if diff := cmp.Diff(byReference(x.want), byReference(got), cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
