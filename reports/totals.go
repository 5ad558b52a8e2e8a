package reports

import (
	"math/big"

	"github.com/tieout/tieout/reports/table"
)

// totalsSheet is where the control totals stand.
const totalsSheet = "Control totals"

// Names of columns that figures of other sheets are computed from.
const (
	colRecords  = "Records"
	colRejected = "Rejected"
	colKnown    = "Rejected, known"
	colEntries  = "Entries"
	colDebits   = "Debits"
	colCredits  = "Credits"
	colNet      = "Net"
	colAll      = "All amounts"
	colIDs      = "Ids"
)

// totalsCSV is the control totals of each source and currency, then the hash totals. Rejects stand in a line without a
// currency.
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
		number("rejected_known", func(t total) int64 { return t.known }),
		number("counted", total.counted),
		amount("hash_amounts", func(t total) any { return figure(t.amounts, t.currency) }),
		number("hash_ids", func(t total) int64 { return t.ids }),
	})
}

// isRejects says whether the line is that of the rejects of a source.
func (t total) isRejects() bool { return t.currency.Code() == "" }

// totalsTable leads from the records to what the workbook shows: each step with what it must come to, counted by tieout while
// it read the ledger, and computed again from the sheet Ledger.
func (f *facts) totalsTable() table.Table {
	return list(totalsSheet, f.totals, []column[total]{
		text(colSource, 16, func(t total) string { return t.source }),
		text(colCurrency, 11, func(t total) string {
			if t.isRejects() {
				return "(rejects)"
			}
			return t.currency.Code()
		}),
		number(colRecords, func(t total) int64 { return t.records }),
		number(colRejected, func(t total) int64 { return t.rejected }),
		number(colKnown, func(t total) int64 { return t.known }),
		number(colEntries, func(t total) int64 { return t.entries }),
		count("Check: records", 14, func(t total) any {
			return table.Calc{
				Plus: []any{table.Here(colRecords), table.Here(colKnown)}, Minus: []any{table.Here(colRejected), table.Here(colEntries)}, Value: t.records + t.known - t.rejected - t.entries, Check: true,
			}
		}),
		number("Posted", func(t total) int64 { return t.posted }),
		number("Pending", func(t total) int64 { return t.pending }),
		number("Declined", func(t total) int64 { return t.declined }),
		number("Not counted", func(t total) int64 { return t.other }),
		count(colCounted, 10, func(t total) any {
			return table.Calc{Plus: []any{table.Here("Posted"), table.Here("Pending")}, Value: t.counted()}
		}),
		onLedger("Entries on Ledger", func(t total) any { return t.sheetCount() }),
		onLedger("Check: entries", func(t total) any {
			return table.Calc{Plus: []any{table.Here(colEntries)}, Minus: []any{table.Here("Entries on Ledger")}, Value: int64(0), Check: true}
		}),
		amount(colDebits, func(t total) any { return figure(t.debits, t.currency) }),
		amount(colCredits, func(t total) any { return figure(t.credits, t.currency) }),
		amount(colNet, func(t total) any {
			return t.ofCurrency(table.Calc{Plus: []any{table.Here(colDebits), table.Here(colCredits)}, Value: figure(t.net(), t.currency)})
		}),
		amount("Net on Ledger", func(t total) any {
			return t.ofCurrency(t.sheetSum(t.net(), table.Criterion{Column: colCounted, Value: "yes"}))
		}),
		amount("Check: net", func(t total) any { return t.ofCurrency(t.check(colNet, "Net on Ledger")) }),
		amount(colAll, func(t total) any { return figure(t.amounts, t.currency) }),
		amount("All amounts on Ledger", func(t total) any { return t.ofCurrency(t.sheetSum(t.amounts)) }),
		amount("Check: amounts", func(t total) any { return t.ofCurrency(t.check(colAll, "All amounts on Ledger")) }),
		count(colIDs, 16, func(t total) any { return t.ofCurrency(t.ids) }),
		count("Ids on Ledger", 16, func(t total) any {
			return t.ofCurrency(table.Foot{Sheet: ledgerSheet, Sum: colIDHash, Where: t.mine(), Value: t.ids})
		}),
		count("Check: ids", 12, func(t total) any {
			return t.ofCurrency(table.Calc{Plus: []any{table.Here(colIDs)}, Minus: []any{table.Here("Ids on Ledger")}, Value: int64(0), Check: true})
		}),
	})
}

// totalChecks are the columns of Control totals that must be zero, with what each says and its tickmark.
func totalChecks() [][3]string {
	return [][3]string{
		{"Check: records", "Every record is an entry or a reject", markCross},
		{"Check: entries", "Every entry stands on the sheet Ledger", markAgreed},
		{"Check: net", "Debits and credits come to the sum of the counted entries", markAgreed},
		{"Check: amounts", "The amounts of all entries, of every status", markHash},
		{"Check: ids", "The ids of all entries", markHash},
	}
}

// ofCurrency is a cell of a line that has a currency; empty on that of the rejects.
func (t total) ofCurrency(v any) any {
	if t.isRejects() {
		return nil
	}
	return v
}

// mine selects the entries of a line.
func (t total) mine() []table.Criterion {
	return []table.Criterion{{Column: colSource, Beside: table.Here(colSource)}, {Column: colCurrency, Beside: table.Here(colCurrency)}}
}

func (t total) sheetCount() any {
	if t.isRejects() {
		return int64(0)
	}
	return table.Foot{Sheet: ledgerSheet, Where: t.mine(), Value: t.entries}
}

func (t total) sheetSum(value *big.Int, more ...table.Criterion) any {
	return table.Foot{Sheet: ledgerSheet, Sum: colAmount, Where: append(t.mine(), more...), Value: figure(value, t.currency)}
}

func (t total) check(a, b string) any {
	return table.Calc{Plus: []any{table.Here(a)}, Minus: []any{table.Here(b)}, Value: figure(new(big.Int), t.currency), Check: true}
}

func onLedger(name string, cell func(total) any) column[total] { return count(name, 11, cell) }
