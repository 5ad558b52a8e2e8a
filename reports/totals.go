package reports

import "github.com/tieout/tieout/reports/table"

// totalsCSV is the control totals of each source and currency. Rejects stand in a line without a currency.
func (f *facts) totalsCSV() table.Table {
	return list("control_totals", f.totals, []column[total]{
		text("source", 0, func(t total) string { return t.source }),
		text("currency", 0, func(t total) string { return t.currency.Code() }),
		number("records", func(t total) int64 { return t.records }),
		number("entries", func(t total) int64 { return t.entries }),
		number("rejected", func(t total) int64 { return t.rejected }),
		amount("debits", func(t total) any { return figure(t.debits, t.currency) }),
		amount("credits", func(t total) any { return figure(t.credits, t.currency) }),
		amount("net", func(t total) any { return figure(t.net(), t.currency) }),
		number("posted", func(t total) int64 { return t.posted }),
		number("pending", func(t total) int64 { return t.pending }),
		number("declined", func(t total) int64 { return t.declined }),
	})
}

func (f *facts) totalsTable() table.Table {
	return list("Control totals", f.totals, []column[total]{
		text(colSource, 16, func(t total) string { return t.source }),
		text(colCurrency, 12, func(t total) string {
			if t.currency.Code() == "" {
				return "(rejects)"
			}
			return t.currency.Code()
		}),
		number("Records", func(t total) int64 { return t.records }),
		number("Entries", func(t total) int64 { return t.entries }),
		number("Rejected", func(t total) int64 { return t.rejected }),
		amount("Debits", func(t total) any { return figure(t.debits, t.currency) }),
		amount("Credits", func(t total) any { return figure(t.credits, t.currency) }),
		amount("Net", func(t total) any { return figure(t.net(), t.currency) }),
		number("Posted", func(t total) int64 { return t.posted }),
		number("Pending", func(t total) int64 { return t.pending }),
		number("Declined", func(t total) int64 { return t.declined }),
	})
}
