package reports

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// Names of columns that figures of other sheets are computed from.
const (
	colCode     = "Check"
	colSeverity = "Severity"
	colFinding  = "Finding"
	colSince    = "Since"
	colAge      = "Age (days)"
	colNew      = "Since the report before"

	colUnexplained = "Unexplained"
	colExplanation = "Explanation"
)

// judgedOn is the name of the cell with the day that ages count to.
const judgedOn = "judged_on"

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
	columns := slices.Concat(f.mainColumns(s), f.moreColumns(s), []column[schema.Finding]{
		toFill[schema.Finding](schema.ReviewDisposition, 14, dispositions()...),
		toFill[schema.Finding](schema.ReviewReviewer, 14),
		toFill[schema.Finding](schema.ReviewNote, 32),
	})
	return list(s.sheet, f.findingsOf(s), columns)
}

// shortTable is the findings of a sheet with what is needed to understand them.
func (f *facts) shortTable(s findingSheet) table.Table {
	return list(s.sheet, f.findingsOf(s), slices.Concat(f.mainColumns(s), []column[schema.Finding]{
		filtered(text(colCode, 17, func(x schema.Finding) string { return string(x.Code) })),
		text(colExplanation, 18, func(x schema.Finding) string { return x.Explanation }),
		filtered(text(colNew, 12, f.newWord)),
		count(colAge, 7, func(x schema.Finding) any { return f.age(x) }),
		long("History", 44, func(x schema.Finding) string { return strings.Join(f.history[x.ID()], "\n") }),
	}))
}

// newWord says that a finding is new since the report before.
func (f *facts) newWord(x schema.Finding) string {
	if f.isNew(x) {
		return "new"
	}
	return ""
}

// news is what is new since the report before, in words.
func (f *facts) news() table.Page {
	p := &sheetPage{table.Page{Name: "What is new", Widths: []int{30, 90}}}
	if f.Before.IsZero() {
		p.span(table.Plain, "There is no report before this one, so all of it is new.")
		return p.Page
	}
	n, high := 0, 0
	for _, x := range f.findings {
		if f.isNew(x) {
			n++
			if x.Severity == schema.High {
				high++
			}
		}
	}
	p.span(table.Note, fmt.Sprintf("Since the report before, which was as of run %d.", f.Changes.Since))
	p.span(table.Plain, "New findings", fmt.Sprintf("%d, %d of high severity", n, high))
	for _, kind := range []schema.ChangeKind{schema.Came, schema.Changed, schema.Vanished, schema.Returned} {
		p.span(table.Plain, "Entries that "+string(kind), f.Changes.Count[kind])
	}
	for _, x := range f.findings {
		if f.isNew(x) {
			p.span(table.Plain, severityWord(x.Severity), x.Message)
		}
	}
	return p.Page
}

// mainColumns say what was found, and fit side by side on paper.
func (f *facts) mainColumns(s findingSheet) []column[schema.Finding] {
	return []column[schema.Finding]{
		text(colFinding, 20, schema.Finding.ID),
		filtered(word(colSeverity, 9, func(x schema.Finding) table.Word { return severityWord(x.Severity) })),
		filtered(word(colStatus, 12, func(x schema.Finding) table.Word { return statusWord(x.Status) })),
		filtered(text(colSource, 12, func(x schema.Finding) string { return x.Source })),
		linked("Card name", 22, func(x schema.Finding) any { return f.cardLink(x.Source, x.CardID, x.CardName) }),
		text("Last 4", 7, func(x schema.Finding) string { return x.CardLast4 }),
		long("What was found", 42, func(x schema.Finding) string { return x.Message }),
		text(colCurrency, 9, schema.Finding.Currency),
		amount(s.expected, func(x schema.Finding) any { return x.Expected }),
		amount(s.actual, func(x schema.Finding) any { return x.Actual }),
		amount(s.difference, s.differ),
	}
}

// differ is the difference of a finding as a formula; without one where its sides are of two currencies.
func (s findingSheet) differ(x schema.Finding) any {
	if !x.Expected.Known() || !x.Actual.Known() || x.Expected.Currency() != x.Actual.Currency() {
		return table.Decimal(x.Difference())
	}
	return table.Calc{Plus: []any{table.Here(s.actual)}, Minus: []any{table.Here(s.expected)}, Value: table.Decimal(x.Difference())}
}

// moreColumns say what it rests on.
func (f *facts) moreColumns(s findingSheet) []column[schema.Finding] {
	var columns []column[schema.Finding]
	if s.holds(schema.BalanceDrift) {
		columns = append(columns, amount(colUnexplained, func(x schema.Finding) any { return x.Unexplained }))
	}
	return append(columns,
		text(colExplanation, 18, func(x schema.Finding) string { return x.Explanation }),
		text(colCode, 17, func(x schema.Finding) string { return string(x.Code) }),
		text("Reason", 25, func(x schema.Finding) string { return x.Reason }),
		instant("From", func(x schema.Finding) any { return x.PeriodFrom }),
		instant("To", func(x schema.Finding) any { return x.PeriodTo }),
		text("Counts", 24, func(x schema.Finding) string { return x.Basis }),
		day(colSince, f.since),
		count(colAge, 7, func(x schema.Finding) any {
			return table.Calc{Plus: []any{table.Named(judgedOn)}, Minus: []any{table.Here(colSince)}, Value: f.age(x)}
		}),
		instant("First seen", func(x schema.Finding) any { return x.FirstSeen }),
		instant("Last seen", func(x schema.Finding) any { return x.LastSeen }),
		text(colNew, 12, f.newWord),
		text("Assigned to", 12, func(x schema.Finding) string { return x.Assignee }),
		long("History", 40, func(x schema.Finding) string { return strings.Join(f.history[x.ID()], "\n") }),
		text("Reference", 18, func(x schema.Finding) string { return x.Reference }),
		text("Card id", cardIDWidth, func(x schema.Finding) string { return x.CardID }),
		linked("Entry id", entryIDWidth, func(x schema.Finding) any { return f.entryLink(x.EntryID, x.EntryID) }),
		column[schema.Finding]{table.Column{Name: "Evidence (entry ids)", Width: entryIDWidth, Wrap: true}, f.evidence},
	)
}

// evidence is the entries that a finding rests on; the cell leads to the first of them that is on the sheet Ledger, and the
// column Findings there to all of them.
func (f *facts) evidence(x schema.Finding) any {
	all := strings.Join(x.Evidence, "\n")
	for _, id := range x.Evidence {
		if link, ok := f.entryLink(id, all).(table.Link); ok {
			return link
		}
	}
	return all
}

// readHistory reads what happened to the findings of the report, a line for each event.
func (f *facts) readHistory(ctx context.Context) error {
	if f.History == nil {
		return nil
	}
	f.history = map[string][]string{}
	for e, err := range f.History(ctx) {
		if err != nil {
			return fmt.Errorf("read the history of findings: %w", err)
		}
		if _, shown := f.findingAt[e.FindingID]; !shown {
			continue
		}
		line := fmt.Sprintf("%s %s by %s", stamp(e.At, f.Period.Zone), e.Action, e.By)
		if e.Action == schema.Assign {
			line += " to " + e.Assignee
		}
		if e.Note != "" {
			line += ": " + e.Note
		}
		f.history[e.FindingID] = append(f.history[e.FindingID], line)
	}
	return nil
}

// since is the day from which the age of a finding counts: that of the entry that it is about or, without one, of its
// moment; but the day it was first seen where that was earlier, or where it is about a window.
func (f *facts) since(x schema.Finding) table.Date {
	at := x.SubjectAt
	if occurred := f.entryAt[x.EntryID].occurred; x.EntryID != "" && !occurred.IsZero() {
		at = occurred
	} else if !x.SubjectTo.IsZero() {
		at = x.FirstSeen
	}
	if at.IsZero() || !x.FirstSeen.IsZero() && x.FirstSeen.Before(at) {
		at = x.FirstSeen
	}
	if at.IsZero() {
		at = f.Period.Now
	}
	return f.dayOf(at)
}

// age is how many days old a finding is on the day of judging.
func (f *facts) age(x schema.Finding) int64 {
	return int64(date(f.dayOf(f.Period.Now)).Sub(date(f.since(x))) / (24 * time.Hour))
}

// dispositions are what a reviewer may choose.
func dispositions() []string {
	var words []string
	for _, d := range schema.Dispositions() {
		words = append(words, string(d))
	}
	return words
}

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
