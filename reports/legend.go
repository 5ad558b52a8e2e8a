package reports

import "github.com/tieout/tieout/reports/table"

// legend says in plain words what columns, signs, statuses and reasons mean.
func (f *facts) legend() table.Page {
	p := table.Page{Name: "Legend", Widths: []int{30, 104}}
	p.Lines = append(p.Lines, table.Line{Role: table.Title, Cells: []any{"Legend"}, Span: true})
	for _, block := range legendText(f.Period.Zone.String()) {
		p.Lines = append(p.Lines, table.Line{}, table.Line{Role: table.Heading, Cells: []any{block.heading}})
		for _, entry := range block.entries {
			p.Lines = append(p.Lines, table.Line{Cells: []any{entry[0], entry[1]}, Span: true})
		}
	}
	return p
}

type legendBlock struct {
	heading string
	entries [][2]string
}

func legendText(zone string) []legendBlock {
	return []legendBlock{
		{"Amounts and instants", [][2]string{
			{"Sign", "The effect on the card: negative when money leaves it (purchase, fee, withdrawal), positive when it comes (refund, top-up, reversal). Negative amounts carry a minus sign and are red."},
			{"Currency", "Each amount has the digits of its own currency. Amounts of different currencies are never added. A foreign amount (original amount) is in no sum."},
			{"Amounts written as text", "A spreadsheet keeps 15 significant digits. A larger amount is written as text on a yellow ground, exactly, and spreadsheet formulas leave it out; the CSV files have it too."},
			{"Instants", "Sheets show wall time in " + zone + ", the accounting zone; CSV files show UTC. In the hour that a clock is set back two instants look alike on sheets."},
			{"Empty cells", "Unknown, or it does not apply. Zero is written as zero."},
			{"Text ending in [cut]", "A cell holds at most 32,767 characters; the CSV files have the whole text."},
		}},
		{"Conclusion and extraction", [][2]string{
			{"COMPLETE", "Everything that the issuer has for the period was read: its own last-page signal was seen, and counts agree."},
			{"INCOMPLETE", "Some of it is missing or not known to be there. Nothing should be concluded from the figures of that source."},
			{"NOT CHECKED, PARTLY CHECKED", "No checks were run, or they were run over another period than the one shown."},
			{"COMPLETE, WITH FINDINGS", "Everything was read; some findings are open or acknowledged."},
			{"COMPLETE, NOT ALL CHECKED", "Everything was read and no finding is open, but some figures could not be compared; Roll-forward says why."},
			{"complete, partial, failed", "How the reading of one window ended: to the end; in part, to be resumed; nothing usable. A reading that later readings made good is no longer shown."},
			{"Period of a source", "Providers filter by other times than an entry's, so a source counts as complete only when it was read beyond the end of the period by its look-back."},
			{"Rejected", "Records that could not be read. They are in no sum. They have no reliable time of their own, so every period shows all that still stand."},
		}},
		{"Status of an entry", [][2]string{
			{"pending, posted", "Counted in sums: authorized; settled."},
			{"declined, failed, reversed", "Shown, in no sum: refused; did not happen; taken back."},
			{"superseded", "A pending row that a row under another id replaced (linked entry); only one of the two counts."},
			{"held", "Shown, in no sum: the issuer's word for it is not known, or the issuer is still reviewing it."},
		}},
		{"Limit breaches", [][2]string{
			{"Limit, Spent", "Both positive. Over by is what was spent less the limit."},
			{"reported-over-limit", "The issuer's own figures say that the card spent more than its limit."},
			{"computed-over-limit", "The sum of the card's entries in the limit's window passed the limit then in force."},
			{"transaction-over-limit", "One purchase was larger than the largest allowed."},
			{"transaction-under-minimum", "One purchase was smaller than the smallest allowed."},
		}},
		{"Orphan top-ups", [][2]string{
			{"Books, Provider", "What the company's funding records say was sent, and what the issuer says arrived. An empty side does not know it."},
			{"no-funding-record", "The issuer shows a top-up that the books do not have."},
			{"no-provider-topup", "The books say that it was sent; the issuer does not show it after the days of grace, or shows it on another card than the books name."},
			{"unknown-card", "Money went to a card that no list of cards contains."},
			{"amount-mismatch, currency-mismatch", "Both sides have the reference, with different amounts or currencies."},
			{"duplicate-reference", "One reference was used more than once."},
			{"failed-at-provider", "The books say that it was sent; the issuer says that it failed."},
			{"pending-past-grace", "It is still pending after the days of grace."},
		}},
		{"Balance drift", [][2]string{
			{"Ledger, Provider", "The sum of the card's entries, and the issuer's figure at the same moment. Difference is provider less ledger."},
			{"Unexplained", "What no explanation covers."},
			{"Counts", "Which entries the ledger's sum takes in: posted only, or posted and pending."},
			{"balance", "The balance of a prepaid card (Bitnob)."},
			{"period-spend", "Spend in the current period of the card's budget (BILL)."},
			{"trailing-spend", "Spend in the 30 days before (Whop)."},
			{"utilization", "Spend in the current window of the card's limit (Slash)."},
			{"mixed-basis", "Cards of one source agree only on different bases: some with pending entries, some without."},
			{"Roll-forward", "Every figure that was compared, agreed or not, and those that could not be, with the reason. For balances: opening before the period + movements in it = Ledger. Only posted entries are part of a balance. Differs since: the first of the figures that have had this difference without a break."},
		}},
		{"Other findings", [][2]string{
			{"unit-mismatch", "The issuer gave one figure twice, and the two disagree (dollars taken for cents)."},
			{"duplicate-entry", "Two rows that look like one payment under two ids. Both stay in the ledger."},
			{"unknown-card", "Entries of a card that no list contains."},
			{"spend-on-closed-card", "Spend after the card was closed."},
			{"stale-pending", "An authorization that has been pending for too long."},
			{"vanished-entry", "An entry that the issuer no longer shows."},
			{"rejected-record", "A record that could not be read."},
			{"incomplete-extract", "A stream that is not known to be read completely."},
			{"unknown-field", "The issuer sent a field, type or value that was not seen before."},
		}},
		{"Work on findings", [][2]string{
			{"open, acknowledged, accepted, resolved", "Nobody has looked; somebody has; accepted with a reason, with these figures; no longer found."},
			{"Disposition, Reviewer, Note", "For you to fill. acknowledge: seen, work goes on. accept: it stays as it is; the note must say why. reopen: it must be looked at again; the note must say why. confirm, refuse: whether a proposed top-up is what the funding means. `tieout findings import` reads them back, with your name."},
			{"Finding", "The same disagreement keeps its number across nights."},
		}},
	}
}
