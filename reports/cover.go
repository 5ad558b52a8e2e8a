package reports

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// stamp is an instant as pages print it, in a zone that stands beside it once.
func stamp(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format("2006-01-02 15:04:05")
}

// periodText is the period in dates, where its edges are midnights of the zone.
func periodText(p schema.Period) string {
	from, to := p.From.In(p.Zone), p.To.In(p.Zone)
	midnight := func(t time.Time) bool {
		return t.Equal(schema.StartOfDay(t.Year(), t.Month(), t.Day(), p.Zone))
	}
	if midnight(from) && midnight(to) {
		return from.Format(time.DateOnly) + " to " + to.Add(-time.Microsecond).Format(time.DateOnly)
	}
	return stamp(from, p.Zone) + " to " + stamp(to, p.Zone)
}

// complete says whether every source is complete for the period.
func (in Input) complete() bool {
	for _, s := range in.Sources {
		if !s.Complete {
			return false
		}
	}
	return len(in.Sources) > 0
}

// conclusion is the verdict of the report and what it means, in one sentence that stands alone.
func (f *facts) conclusion() (table.Word, string) {
	word, says := f.extraction()
	worse := func(text string) {
		if word.Tone == table.Good {
			word = table.Word{Text: text, Tone: table.Warn}
		}
	}
	checked := f.Reconciled.Period
	known := f.Period.To // the ledger says nothing of what comes after now
	if f.Period.Now.Before(known) {
		known = f.Period.Now
	}
	switch {
	case f.Reconciled.ID == 0:
		worse("NOT CHECKED")
		return word, sentence(append(says, "no checks were run on what is shown (run `tieout reconcile` for the period)"))
	case checked.To.IsZero() || checked.From.After(f.Period.From) || checked.To.Before(known):
		worse("PARTLY CHECKED")
		says = append(says, fmt.Sprintf("the latest checks (run %d) were of another period, %s (run `tieout reconcile` for this one)",
			f.Reconciled.ID, periodText(schema.Period{Window: checked, Zone: f.Period.Zone})))
	}
	open, high := f.unsettledFindings()
	if open > 0 {
		worse("COMPLETE, WITH FINDINGS")
		says = append(says, fmt.Sprintf("%s open, %d of high severity", plural(open, "finding is", "findings are"), high))
	} else {
		says = append(says, "no finding is open")
	}
	if unchecked := len(where(f.Judgements, func(j schema.Judgement) bool { return j.Verdict == schema.NotCheckable })); unchecked > 0 {
		worse("COMPLETE, NOT ALL CHECKED")
		says = append(says, fmt.Sprintf("%s not be checked (%s says why)", plural(unchecked, "figure could", "figures could"), rollForwardSheet))
	}
	if !f.BooksKnown {
		says = append(says, "no funding records were imported, so top-ups were not compared with the company's books")
	}
	return word, sentence(says)
}

// extraction is whether everything was read.
func (f *facts) extraction() (table.Word, []string) {
	if f.complete() {
		return table.Word{Text: "COMPLETE", Tone: table.Good}, []string{fmt.Sprintf("everything that %s for the period was read", plural(len(f.Sources), "source has", "sources have"))}
	}
	word := table.Word{Text: "INCOMPLETE", Tone: table.Bad}
	var names []string
	for _, s := range f.Sources {
		if !s.Complete {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return word, []string{"no source is configured, so nothing can be concluded"}
	}
	return word, []string{fmt.Sprintf("the period cannot be concluded for %s, since what was read is not known to be everything", strings.Join(names, ", "))}
}

// unsettledFindings is how many findings still need somebody, and how many of them are of high severity.
func (f *facts) unsettledFindings() (open, high int) {
	for _, x := range f.findings {
		if slices.Contains(unsettled(), x.Status) {
			open++
			if x.Severity == schema.High {
				high++
			}
		}
	}
	return open, high
}

// sentence makes one sentence of clauses.
func sentence(clauses []string) string {
	text := strings.Join(clauses, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// listed is a sheet as the cover lists it.
type listed struct {
	sheet, contents string
	rows            any // how many; nil: it is a page
}

// cover is the first page: who, what, when and how far it can be relied on; with sheets, where they are and room to sign.
func (f *facts) cover(sheets []listed) table.Page {
	p := &sheetPage{table.Page{Name: "Cover", Widths: []int{22, 14, 22, 74}}}
	add, span := p.add, p.span
	span(table.Title, f.title())
	span(table.Note, "Workpaper: company cards as the issuers report them, tied out to one ledger. Every figure can be followed to its rows.")
	add(table.Plain)
	word, says := f.conclusion()
	add(table.Heading, "Conclusion")
	add(table.Plain, word)
	span(table.Plain, says)
	if len(sheets) > 0 {
		span(table.Plain, "Checks of the workbook", table.Calc{Plus: []any{table.Named(allChecks)}, Value: f.noDifference(), Check: true}, nil, "What must foot and cross-foot; Summary lists each")
	}
	add(table.Plain)
	add(table.Heading, "What this is")
	for _, line := range [][2]string{
		{"Entity", f.Entity},
		{"Period", periodText(f.Period)},
		{"Accounting zone", f.Period.Zone.String() + "; instants on sheets are wall time there"},
		{"Cut-off", fmt.Sprintf("entries belong to the period by when they occurred; %s on the other side of an edge (cutoff.csv)", plural(f.cutoffLen, "entry was posted", "entries were posted"))},
		{"Judged at", stamp(f.Period.Now, f.Period.Zone)},
		{"As of run", fmt.Sprintf("%d (%s, %s)", f.AsOf.ID, f.AsOf.Kind, stamp(f.AsOf.StartedAt, f.Period.Zone))},
		{"Checked by run", f.checkedBy()},
		{"Version", "tieout " + f.Version},
		{"Hash chain root", f.Root},
	} {
		span(table.Plain, line[0], line[1])
	}
	add(table.Plain)
	add(table.Heading, "Sources")
	add(table.Head, "Source", "Provider", "Extraction", "Reason")
	for _, s := range f.Sources {
		verdict := table.Word{Text: "COMPLETE", Tone: table.Good}
		if !s.Complete {
			verdict = table.Word{Text: "INCOMPLETE", Tone: table.Bad}
		}
		add(table.Plain, s.Name, string(s.Provider), verdict, s.Reason)
	}
	if len(sheets) == 0 { // not the workpaper: nothing to lead to, nothing to sign
		return p.Page
	}
	add(table.Plain)
	add(table.Heading, "Sheets")
	add(table.Head, "Sheet", "Rows", "Contents")
	for _, s := range sheets {
		span(table.Plain, table.Link{Sheet: s.sheet, Text: s.sheet}, s.rows, s.contents)
	}
	add(table.Plain)
	add(table.Heading, "Sign-off")
	add(table.Head, "", "Name", "Date", "Signature")
	add(table.Blank, "Prepared by", "", "", "")
	add(table.Blank, "Reviewed by", "", "", "")
	return p.Page
}

func (f *facts) title() string {
	if f.Entity == "" {
		return "Card reconciliation"
	}
	return f.Entity + ": card reconciliation"
}
