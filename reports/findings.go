package reports

import (
	"slices"
	"strings"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// Names of columns that figures of other sheets are computed from.
const (
	colCode     = "Check"
	colSeverity = "Severity"
)

// findingSheet is a sheet of findings and what its figures are called there.
type findingSheet struct {
	sheet, file                  string // file: without extension; empty: the findings stand in findings.csv only
	codes                        []schema.FindingCode
	expected, actual, difference string
	contents                     string // for the list of sheets on the cover
}

func findingSheets() []findingSheet {
	return []findingSheet{
		{"Limit breaches", "limit_breaches", codes()[:1], "Limit", "Spent", "Over by", "Cards that spent more than they were allowed"},
		{"Orphan top-ups", "orphan_topups", codes()[1:2], "Books", "Provider", "Difference", "Top-ups that the books or the provider do not know, or not alike"},
		{"Balance drift", "balance_drift", codes()[2:3], "Ledger", "Provider", "Difference", "Provider's figures that differ from the ledger's sum"},
		{"Other findings", "", codes()[3:], "Expected", "Actual", "Difference", "What else should not be relied on unseen"},
	}
}

// sheetOf is the sheet on which findings of a code stand.
func sheetOf(code schema.FindingCode) string {
	for _, s := range findingSheets() {
		if s.holds(code) {
			return s.sheet
		}
	}
	return ""
}

func (s findingSheet) holds(code schema.FindingCode) bool { return slices.Contains(s.codes, code) }

func (f *facts) findingsOf(s findingSheet) []schema.Finding {
	return where(f.findings, func(x schema.Finding) bool { return s.holds(x.Code) })
}

// findingTable is a sheet of findings. It ends with columns for people to fill; `findings import` reads them back by the
// column Finding.
func (f *facts) findingTable(s findingSheet) table.Table {
	columns := slices.Concat(s.mainColumns(), s.moreColumns(), []column[schema.Finding]{
		toFill[schema.Finding]("Disposition", 14, dispositions()...),
		toFill[schema.Finding]("Reviewer", 14),
		toFill[schema.Finding]("Note", 32),
	})
	return list(s.sheet, f.findingsOf(s), columns)
}

// shortTable is the findings of a sheet with what is needed to understand them.
func (f *facts) shortTable(s findingSheet) table.Table {
	return list(s.sheet, f.findingsOf(s), s.mainColumns())
}

// mainColumns say what was found, and fit side by side on paper.
func (s findingSheet) mainColumns() []column[schema.Finding] {
	return []column[schema.Finding]{
		text("Finding", 20, schema.Finding.ID),
		word(colSeverity, 9, func(x schema.Finding) table.Word { return severityWord(x.Severity) }),
		word(colStatus, 12, func(x schema.Finding) table.Word { return statusWord(x.Status) }),
		text(colSource, 12, func(x schema.Finding) string { return x.Source }),
		text("Card name", 15, func(x schema.Finding) string { return x.CardName }),
		text("Last 4", 7, func(x schema.Finding) string { return x.CardLast4 }),
		long("What was found", 42, func(x schema.Finding) string { return x.Message }),
		text(colCurrency, 9, schema.Finding.Currency),
		amount(s.expected, func(x schema.Finding) any { return x.Expected }),
		amount(s.actual, func(x schema.Finding) any { return x.Actual }),
		amount(s.difference, func(x schema.Finding) any { return table.Decimal(x.Difference()) }),
	}
}

// moreColumns say what it rests on.
func (s findingSheet) moreColumns() []column[schema.Finding] {
	var columns []column[schema.Finding]
	if s.holds(schema.BalanceDrift) {
		columns = append(columns,
			amount("Unexplained", func(x schema.Finding) any { return x.Unexplained }),
			text("Explanation", 15, func(x schema.Finding) string { return x.Explanation }))
	}
	return append(columns,
		text(colCode, 17, func(x schema.Finding) string { return string(x.Code) }),
		text("Reason", 22, func(x schema.Finding) string { return x.Reason }),
		instant("From", func(x schema.Finding) any { return x.PeriodFrom }),
		instant("To", func(x schema.Finding) any { return x.PeriodTo }),
		instant("First seen", func(x schema.Finding) any { return x.FirstSeen }),
		instant("Last seen", func(x schema.Finding) any { return x.LastSeen }),
		text("Counts", 16, func(x schema.Finding) string { return x.Basis }),
		text("Reference", 18, func(x schema.Finding) string { return x.Reference }),
		text("Card id", 16, func(x schema.Finding) string { return x.CardID }),
		text("Entry id", 28, func(x schema.Finding) string { return x.EntryID }),
		long("Evidence (entry ids)", 32, func(x schema.Finding) string { return strings.Join(x.Evidence, "\n") }),
	)
}

// dispositions are what a reviewer may choose: the words of `tieout findings`.
func dispositions() []string { return []string{"acknowledge", "accept", "reopen"} }

func severityWord(s schema.Severity) table.Word {
	tones := map[schema.Severity]table.Tone{schema.High: table.Bad, schema.Medium: table.Warn}
	return table.Word{Text: string(s), Tone: tones[s]}
}

func statusWord(s schema.FindingStatus) table.Word {
	tones := map[schema.FindingStatus]table.Tone{schema.Open: table.Bad, schema.Acknowledged: table.Warn}
	return table.Word{Text: string(s), Tone: tones[s]}
}

// findingCSV is findings in the columns of CONTRACT 3, then what the figures count, what explains a drift and the entries
// that the finding rests on.
func findingCSV(name string, findings []schema.Finding) table.Table {
	return list(name, findings, []column[schema.Finding]{
		text("finding_id", 0, schema.Finding.ID),
		text("code", 0, func(x schema.Finding) string { return string(x.Code) }),
		text("reason", 0, func(x schema.Finding) string { return x.Reason }),
		text("severity", 0, func(x schema.Finding) string { return string(x.Severity) }),
		text("status", 0, func(x schema.Finding) string { return string(x.Status) }),
		text("source", 0, func(x schema.Finding) string { return x.Source }),
		text("provider", 0, func(x schema.Finding) string { return string(x.Provider) }),
		text("card_id", 0, func(x schema.Finding) string { return x.CardID }),
		text("card_name", 0, func(x schema.Finding) string { return x.CardName }),
		text("card_last4", 0, func(x schema.Finding) string { return x.CardLast4 }),
		text("entry_id", 0, func(x schema.Finding) string { return x.EntryID }),
		text("reference", 0, func(x schema.Finding) string { return x.Reference }),
		text("currency", 0, schema.Finding.Currency),
		amount("expected", func(x schema.Finding) any { return x.Expected }),
		amount("actual", func(x schema.Finding) any { return x.Actual }),
		amount("difference", func(x schema.Finding) any { return table.Decimal(x.Difference()) }),
		amount("unexplained", func(x schema.Finding) any { return x.Unexplained }),
		instant("period_from", func(x schema.Finding) any { return x.PeriodFrom }),
		instant("period_to", func(x schema.Finding) any { return x.PeriodTo }),
		instant("first_seen", func(x schema.Finding) any { return x.FirstSeen }),
		instant("last_seen", func(x schema.Finding) any { return x.LastSeen }),
		text("message", 0, func(x schema.Finding) string { return x.Message }),
		text("basis", 0, func(x schema.Finding) string { return x.Basis }),
		text("explanation", 0, func(x schema.Finding) string { return x.Explanation }),
		text("evidence", 0, func(x schema.Finding) string { return strings.Join(x.Evidence, " ") }),
	})
}
