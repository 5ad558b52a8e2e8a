package reports

import (
	"fmt"

	"github.com/tieout/tieout/reports/table"
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
	all = append(all, Parameter{"funding records imported", books, "without them top-ups cannot be compared with the company's books"})
	if f.Sample.Method != "" {
		all = append(all,
			Parameter{"sample", fmt.Sprintf("%s:%d", f.Sample.Method, f.Sample.N), "entries drawn for an auditor to test, of each currency"},
			Parameter{"sample seed", f.sampleSeed(), "decides what is drawn; the same seed draws the same"})
	}
	all = append(all, f.Parameters...)
	return list(name, all, []column[Parameter]{
		long("Parameter", 40, func(p Parameter) string { return p.Name }),
		long("Value", 60, func(p Parameter) string { return p.Value }),
		long("Meaning", 70, func(p Parameter) string { return p.Meaning }),
	})
}

func (f *facts) checkedBy() string {
	if f.Reconciled.ID == 0 {
		return "none: no checks were run"
	}
	return fmt.Sprint(f.Reconciled.ID)
}
