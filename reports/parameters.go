package reports

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// parametersTable is every setting and rule that the figures depend on.
func (f *facts) parametersTable(name string) table.Table {
	all := []Parameter{
		{"accounting zone", f.Period.Zone.String(), "business days and periods; instants on sheets are shown in it"},
		{"period from", stamp(f.Period.From, f.Period.Zone), "the first instant of the period"},
		{"period to", stamp(f.Period.To, f.Period.Zone), "the first instant after the period"},
		{"judged at", stamp(f.Period.Now, f.Period.Zone), "the instant that counted as now"},
		{"as of run", fmt.Sprint(f.AsOf.ID), "the ledger is shown as it was known after this run"},
		{"checked by run", f.checkedBy(), "the run whose findings are shown"},
		{"version", f.Version, "of tieout"},
		{"hash chain root", f.Root, "of the ledger after that run; `tieout verify --root` checks it"},
	}
	for _, s := range f.Sources {
		if s.BalanceUnit != "" {
			all = append(all, Parameter{"balance unit in force (" + s.Name + ")", s.BalanceUnit, "in which the provider's balances were read: minor (cents) or major (dollars)"})
		}
	}
	books := "yes"
	if !f.BooksKnown {
		books = "no"
	}
	live := "formulas over the sheet Ledger"
	if len(f.Judgements)*f.ledgerLen > mostLookups {
		live = "numbers: as formulas they would take a spreadsheet minutes"
	}
	since := "none"
	if f.Changes.Since > 0 {
		since = fmt.Sprint(f.Changes.Since)
	}
	all = append(all,
		Parameter{"movements on " + rollForwardSheet, live, "opening and movements foot to the ledger's sum either way"},
		Parameter{"changes since run", since, "what the report before was as of"})
	all = append(all, Parameter{"funding records imported", books, "without them top-ups cannot be compared with the company's books"})
	if f.Sample.Method != "" {
		all = append(all,
			Parameter{"sample", fmt.Sprintf("%s:%d", f.Sample.Method, f.Sample.N), "entries drawn for an auditor to test, of each currency"},
			Parameter{"sample seed", f.sampleSeed(), "decides what is drawn; the same seed draws the same"})
	}
	all = append(all, f.Parameters...)
	all = append(all, f.rules()...)
	return list(name, all, []column[Parameter]{
		long("Parameter", 40, func(p Parameter) string { return p.Name }),
		long("Value", 66, func(p Parameter) string { return p.Value }),
		long("Meaning", 70, func(p Parameter) string { return p.Meaning }),
	})
}

// rules are the rules that the figures of this report rest on: of the limit windows that its cards have, of the figures that
// were compared, and those that always hold.
func (f *facts) rules() []Parameter {
	all := []Parameter{
		{"rule: counted", "pending and posted entries", "what sums count; declined, failed, reversed, superseded and held entries are shown and in no sum"},
		{"rule: spend", "− (purchases + fees + reversals, by when they occurred, and posted refunds, by when they posted)", "spend of a card in a window; a pending refund is in no figure"},
		{"rule: limit in force", "that of the latest observation at or before the instant; before the first observation, the first", "a changed amount is the same limit, a changed window or zone another"},
		{"rule: explanations", "in flight, day boundary, factor 100, sign, one entry, declines counted, two entries", "of a drift: the first that equals the whole difference; factor 100 and sign name what may be wrong, and explain nothing"},
	}
	for _, w := range f.limitWindows() {
		all = append(all, Parameter{"rule: limit window " + string(w.window) + " (" + string(w.provider) + ")", windowRule(w.provider, w.window), "over what a limit counts"})
	}
	for _, name := range f.figureNames() {
		all = append(all, Parameter{"rule: figure " + name, figureRule(schema.FigureName(name)), "what the ledger sums to compare with it"})
	}
	return all
}

type providerWindow struct {
	provider schema.Provider
	window   schema.LimitWindow
}

// limitWindows lists the windows of the limits on the sheet Cards, by provider.
func (f *facts) limitWindows() []providerWindow {
	var all []providerWindow
	for _, c := range f.cards {
		w := providerWindow{c.Provider, c.limit.Window}
		if w.window != "" && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b providerWindow) int {
		return cmp.Or(cmp.Compare(a.provider, b.provider), cmp.Compare(a.window, b.window))
	})
	return all
}

// windowRule is how a limit window runs (NORMALIZATION 2).
func windowRule(p schema.Provider, w schema.LimitWindow) string {
	start := "calendar windows in UTC"
	if p == schema.Slash {
		start = "resets at midnight of the limit's zone (UTC where it has none), counted from the limit's start date where it has one"
	}
	switch w {
	case schema.Daily:
		return "one day; " + start
	case schema.Weekly:
		return "seven days, from Monday unless a start date says otherwise; " + start
	case schema.Monthly:
		return "one month, from the 1st unless a start date says otherwise; a day that a month lacks is its last; " + start
	case schema.Yearly:
		return "one year, from 1 January unless a start date says otherwise; " + start
	case schema.Lifetime:
		return "everything since the card was created"
	case schema.PerEntry:
		return "the largest single purchase that is allowed"
	case schema.PerEntryMin:
		return "the smallest single purchase that is allowed"
	case schema.Rolling24h:
		return "the 24 hours up to each entry"
	case schema.Rolling7d:
		return "the 7 days up to each entry"
	case schema.Rolling30d:
		return "the 30 days up to each entry"
	case schema.Rolling365d:
		return "the 365 days up to each entry"
	case schema.BudgetPeriod:
		return "the current period of the card's budget: its first to its last day, both included, in the budget's zone (UTC where it has none)"
	}
	return string(w)
}

// figureNames lists the figures that were compared or could not be.
func (f *facts) figureNames() []string {
	var all []string
	for _, j := range f.Judgements {
		if j.Code == schema.BalanceDrift && j.Figure != "" && !slices.Contains(all, j.Figure) {
			all = append(all, j.Figure)
		}
	}
	slices.Sort(all)
	return all
}

// figureRule is what the ledger sums to compare with a provider's figure (NORMALIZATION 3).
func figureRule(name schema.FigureName) string {
	switch name {
	case schema.Balance:
		return "all that posted since the card was created, up to the balance; posted entries only"
	case schema.PeriodSpend:
		return "spend in the current period of the card's budget up to the figure, with and without pending entries"
	case schema.TrailingSpend:
		return "spend in the 720 hours before the figure, with and without pending entries"
	case schema.Utilized:
		return "spend up to the figure in the current window of the card's only limit, with and without pending entries"
	}
	return string(name)
}

func (f *facts) checkedBy() string {
	if f.Reconciled.ID == 0 {
		return "none: no checks were run"
	}
	return fmt.Sprint(f.Reconciled.ID)
}
