package reports

import "github.com/tieout/tieout/reports/table"

// legend says in plain words what columns, signs, statuses and reasons mean.
func (f *facts) legend() table.Page {
	p := table.Page{Name: "Legend", Widths: []int{30, 104}}
	p.Lines = append(p.Lines, table.Line{Role: table.Title, Cells: []any{"Legend"}, Span: true})
	for _, block := range append(legendText(f.Period.Zone.String()), columnText()...) {
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
			{"Sign", "The effect on the card: negative when money leaves it (purchase, fee, withdrawal), positive when it comes (refund, top-up, reversal). Negative amounts carry a minus sign."},
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
			{"spend-on-closed-card", "Spend after the card was closed, or between two observations of a frozen card (medium)."},
			{"stale-pending", "An authorization that has been pending for too long."},
			{"vanished-entry", "An entry that the issuer no longer shows."},
			{"rejected-record", "A record that could not be read."},
			{"incomplete-extract", "A stream that is not known to be read completely."},
			{"unknown-field", "The issuer sent a field, type or value that was not seen before."},
		}},
		{"Work on findings", [][2]string{
			{"open, acknowledged, accepted, resolved", "Nobody has looked; somebody has; accepted with a reason, with these figures; no longer found."},
			{"Disposition / Reviewer / Note", "For you to fill. acknowledge: seen, work goes on. accept: it stays as it is; the note must say why. reopen: it must be looked at again; the note must say why. confirm, refuse: whether a proposed top-up is what the funding means. `tieout findings import` reads them back, with your name."},
			{"Finding / Findings", "The same disagreement keeps its number across nights. On other sheets it leads to the finding; filter Ledger by it for all entries that it names."},
			{"Since / Age (days)", "The day from which the age of a finding counts, and its age on the day of judging: from the entry that it is about or its moment; from the day it was first seen where that was earlier, or where it is about a window."},
		}},
		{"Checks and tickmarks", [][2]string{
			{"agrees, differs", "A cell that must be zero says agrees while it is, and differs, on a red ground, with the difference when it is not. All checks on Summary and Cover is the sum of all of them."},
			{markFoot + " footed", "A column adds up to its total."},
			{markCross + " cross-footed", "A line adds up across its columns."},
			{markPerformed + " re-performed", "Computed again from the detail sheets."},
			{markAgreed + " agreed", "Compared with another figure that was come by in another way."},
			{markHash + " hash total", "A sum that means nothing, and is another as soon as a row is missing, there twice or exchanged."},
			{"T, V, X, imm", "For your own marks, such as in Note: traced to a document; vouched; exception; immaterial. Marks are not standard; use yours and say what they mean."},
		}},
		{"Files", [][2]string{
			{"Text", "In the CSV files and here, control characters other than tab and line ends are replaced by \uFFFD: they can move the cursor of a terminal. A text of a CSV file that a spreadsheet could take for a formula begins with an apostrophe. Numbers are never touched."},
			{"manifest.json", "Lists each file with its size and SHA-256."},
		}},
	}
}

// Tickmarks.
const (
	markFoot      = "F"
	markCross     = "CF"
	markPerformed = "RP"
	markAgreed    = "AG"
	markHash      = "HT"
)

// columnText says what the columns of the tables hold. Columns of one meaning share a line, with " / " between them.
func columnText() []legendBlock {
	return []legendBlock{
		{"Columns of several sheets", [][2]string{
			{"Source", "The account at an issuer, by its name in the configuration."},
			{"Currency", "Of the amounts in the line."},
			{"Card no.", "A number that tieout gives each card in this workbook; filter by it to follow a card through the sheets."},
			{"Card name / Last 4 / Card id", "As the issuer has them. The name leads to the card's line on Cards."},
			{"Day", "The business day, in the accounting zone, on which the entry occurred."},
			{"Status", "Where a finding, an entry or a card stands; see above."},
			{"Amount", "Signed: the effect on the card."},
			{"Kind", "purchase, refund, reversal, fee, topup, withdrawal, transfer, adjustment."},
			{"Entry id", "Source and the issuer's transaction id. It leads to the line on Ledger where the entry occurred in the period."},
			{"Merchant / Merchant category / Reference / Description", "As the issuer has them."},
			{"Observed", "When the issuer stated the figure."},
			{"Run", "The run of tieout that stored it."},
			{"Check", "The code of the check that found it."},
			{"Reason", "What kind of disagreement it is; see above."},
			{"Explanation", "What covers a difference."},
			{"Difference", "The right figure less the left one."},
		}},
		{"Columns of findings", [][2]string{
			{"Severity", "high, medium, low."},
			{"What was found", "The finding in a sentence."},
			{"Limit / Spent / Over by", "See limit breaches."},
			{"Books / Provider", "See orphan top-ups; on Balance drift and Roll-forward the provider's figure."},
			{"Expected / Actual", "What should be, and what is, in the words of the finding."},
			{"From / To", "The window that it is about; empty where it has no beginning or end."},
			{"First seen / Last seen", "When checks first and last found it."},
			{"Since the report before", "new: the report before this one did not have it."},
			{"Assigned to", "Who looks after it."},
			{"History", "What happened to it, when and by whom."},
			{"Evidence (entry ids)", "The entries that it rests on; the cell leads to the first of them."},
		}},
		{"Columns of Roll-forward", [][2]string{
			{"Figure / Verdict", "What was compared, and how that ended: agreed, differs, not checkable."},
			{"Opening", "What had posted before the period, of a balance."},
			{"Outside the period", "What counts though it is not on Ledger: entries that occurred outside of the period and posted in it, or lie in the figure's window."},
			{"Top-ups / Withdrawals / Purchases, fees / Refunds, reversals / Other", "What moved in the period up to the figure, from the sheet Ledger."},
			{"Ledger", "The ledger's sum: for a balance opening and movements; for spend the same with its sign turned, so that spend is positive. Empty movements: the sum is not made of these entries alone, such as a balance carried on from an earlier agreement."},
			{"Explained / Unexplained", "The parts of the difference that an explanation covers, and that none does."},
			{"Check (must be 0)", "Difference less explained less unexplained."},
			{"Differs since", "The first of the figures that have had this difference without a break."},
			{"Why not checkable", "What is missing."},
		}},
		{"Columns of Cards", [][2]string{
			{"Type / Created / Closed", "As the issuer has them."},
			{"Limit / Limit window / Limit zone", "One limit of the card; a card with several has a line for each. Parameters says how windows run."},
			{"Reported spent / Reported balance", "The issuer's figures at the latest observation before the end of the period."},
		}},
		{"Columns of Ledger", [][2]string{
			{"Occurred / Posted", "When it happened, and when it settled; empty: not yet."},
			{"Counted", "yes: sums count it."},
			{"Counts as", "spend, funding or other: in which figure of a card it is; empty: in none."},
			{"Original amount / Original currency", "The foreign amount, in no sum."},
			{"Linked entry id", "The entry that replaced it, or that it replaced."},
			{"Literal amount", "The issuer's own text of the amount, in its own unit and sign."},
			{"Id hash", "A number made of the entry's id (CRC-32), for the hash total."},
		}},
		{"Columns of Completeness", [][2]string{
			{"Stream / Window from / Window to", "What was read, and from when to when."},
			{"Pages / Records / Provider's total", "How much came, and how much the issuer says there is."},
			{"Rejected / Duplicates / Retries / Times read", "Records that could not be read; that came on more than one page; requests that were repeated; how often this window was read."},
			{"Why not complete", "What ended the reading."},
			{"Recorded / First id / Last id / SHA-256 of the pages", "When it was recorded, and what it was, to compare with a copy of one's own."},
		}},
		{"Columns of Control totals", [][2]string{
			{"Records", "Distinct records of the period: each is an entry or a reject."},
			{"Rejected, known", "Rejects of a record that has a line already: as an entry of an earlier version, or as another reject."},
			{"Entries / Pending / Declined / Not counted", "Entries by status, the last of the others; Posted and Pending together are Counted."},
			{"Debits / Credits / Net", "Sums of the counted entries: negative, positive, both."},
			{"All amounts / Ids", "Hash totals over entries of every status."},
			{"Entries on Ledger / Net on Ledger / All amounts on Ledger / Ids on Ledger", "The same, computed from the sheet Ledger."},
			{"Check: records / Check: entries / Check: net / Check: amounts / Check: ids", "What must be zero: records less rejects (but the known) less entries; and each figure less that on Ledger."},
		}},
		{"Columns of Changes", [][2]string{
			{"Change", "came: it was not in the ledger; changed: other values; vanished: the issuer no longer lists it, and it still counts; returned: it is listed again."},
			{"Status before / Amount before", "As of the report before."},
			{"Effect on the sum", "What it does to the net of the period."},
			{"What changed", "Each field with its value before and after."},
			{"Last listed", "When a vanished entry was last read."},
		}},
		{"Columns of Parameters", [][2]string{
			{"Parameter / Value / Meaning", "A setting or a rule that was in force when the checks ran."},
		}},
	}
}
