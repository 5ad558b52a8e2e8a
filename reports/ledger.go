package reports

import (
	"context"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// ledgerSheet is where the entries stand.
const ledgerSheet = "Ledger"

// Names of columns that figures of other sheets are computed from.
const (
	colSource   = "Source"
	colCardNo   = "Card no."
	colCurrency = "Currency"
	colAmount   = "Amount"
	colKind     = "Kind"
	colStatus   = "Status"
	colCounted  = "Counted"
	colCountsAs = "Counts as"
	colDay      = "Day"
	colOccurred = "Occurred"
	colPosted   = "Posted"
	colIDHash   = "Id hash"
)

// ledgerCSV is the current version of every entry, of every status, that occurred in the period.
func (f *facts) ledgerCSV(ctx context.Context) table.Table {
	return build("ledger", f.ledgerLen, f.entries(ctx, f.Period.Window, f.occurred), entryColumns())
}

func (f *facts) ledgerTable(ctx context.Context) table.Table {
	return build(ledgerSheet, f.ledgerLen, f.entries(ctx, f.Period.Window, f.occurred), []column[schema.Entry]{
		day(colDay, func(e schema.Entry) table.Date { return f.dayOf(e.OccurredAt) }),
		instant(colOccurred, func(e schema.Entry) any { return e.OccurredAt }),
		instant(colPosted, func(e schema.Entry) any { return e.PostedAt }),
		text(colSource, 13, func(e schema.Entry) string { return e.Source }),
		count(colCardNo, 7, func(e schema.Entry) any { return f.cardNumber(e.Source, e.CardID) }),
		text("Last 4", 8, func(e schema.Entry) string { return e.CardLast4 }),
		text(colKind, 11, func(e schema.Entry) string { return string(e.Kind) }),
		text(colStatus, 11, func(e schema.Entry) string { return string(e.Status) }),
		text(colCounted, 9, counted),
		text(colCountsAs, 9, countsAs),
		amount(colAmount, func(e schema.Entry) any { return e.Amount }),
		text(colCurrency, 9, func(e schema.Entry) string { return e.Amount.Currency().Code() }),
		amount("Original amount", func(e schema.Entry) any { return e.Original }),
		text("Original currency", 9, func(e schema.Entry) string { return e.OriginalCurrency }),
		text("Merchant", 32, func(e schema.Entry) string { return e.Merchant }),
		text("Merchant category", 16, func(e schema.Entry) string { return e.MerchantCategory }),
		text("Reference", 22, func(e schema.Entry) string { return e.Reference }),
		text("Description", 48, func(e schema.Entry) string { return e.Description }),
		linked("Findings", 38, f.findingsNaming),
		text("Card id", cardIDWidth, func(e schema.Entry) string { return e.CardID }),
		text("Entry id", entryIDWidth, schema.Entry.ID),
		text("Linked entry id", entryIDWidth, schema.Entry.LinkedEntryID),
		text("Literal amount", 12, func(e schema.Entry) string { return e.Literal }),
		number(colIDHash, idHash),
	})
}

// dayOf is the business day of an instant.
func (f *facts) dayOf(t time.Time) table.Date {
	if t.IsZero() {
		return ""
	}
	return table.Date(t.In(f.Period.Zone).Format(time.DateOnly))
}

// findingsNaming are the ids of the findings that name an entry; the cell leads to the first.
func (f *facts) findingsNaming(e schema.Entry) any {
	ids := f.namedBy[e.ID()]
	if len(ids) == 0 {
		return nil
	}
	link := f.findingAt[ids[0]]
	link.Text = strings.Join(ids, " ")
	return link
}

// countsAs says in which figure of a card an entry is.
func countsAs(e schema.Entry) string {
	if !e.Status.Counted() {
		return ""
	}
	switch e.Kind {
	case schema.Purchase, schema.Fee, schema.Reversal:
		return "spend"
	case schema.Refund:
		if e.Status == schema.Posted {
			return "spend"
		}
	case schema.TopUp, schema.Withdrawal:
		return "funding"
	}
	return "other"
}

// cutoffCSV is the entries that happened on one side of an edge of the period and were posted on the other.
func (f *facts) cutoffCSV(ctx context.Context) table.Table {
	rows := f.cutoff(ctx)
	if f.cutoffLen <= mostKept {
		rows = func(yield func(schema.Entry, error) bool) {
			for _, e := range f.straddling {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	return build("cutoff", f.cutoffLen, rows, entryColumns())
}

func (f *facts) occurred(e schema.Entry) bool { return f.Period.Contains(e.OccurredAt) }

func counted(e schema.Entry) string {
	if e.Status.Counted() {
		return "yes"
	}
	return "no"
}

// literal is the provider's amount as it came: a number, in whatever unit it counts, or the text that was sent instead of one.
func literal(e schema.Entry) any {
	if _, err := decimal.NewFromString(e.Literal); err != nil {
		return e.Literal
	}
	return table.Decimal(e.Literal)
}

// entryColumns are the columns of ledger.csv and cutoff.csv, then the provider's literal amount and whether sums count the
// entry.
func entryColumns() []column[schema.Entry] {
	return []column[schema.Entry]{
		text("entry_id", 0, schema.Entry.ID),
		text("source", 0, func(e schema.Entry) string { return e.Source }),
		text("provider", 0, func(e schema.Entry) string { return string(e.Provider) }),
		text("card_id", 0, func(e schema.Entry) string { return e.CardID }),
		text("card_last4", 0, func(e schema.Entry) string { return e.CardLast4 }),
		text("kind", 0, func(e schema.Entry) string { return string(e.Kind) }),
		text("status", 0, func(e schema.Entry) string { return string(e.Status) }),
		instant("occurred_at", func(e schema.Entry) any { return e.OccurredAt }),
		instant("posted_at", func(e schema.Entry) any { return e.PostedAt }),
		amount("amount", func(e schema.Entry) any { return e.Amount }),
		text("currency", 0, func(e schema.Entry) string { return e.Amount.Currency().Code() }),
		amount("original_amount", func(e schema.Entry) any { return e.Original }),
		text("original_currency", 0, func(e schema.Entry) string { return e.OriginalCurrency }),
		text("merchant", 0, func(e schema.Entry) string { return e.Merchant }),
		text("merchant_category", 0, func(e schema.Entry) string { return e.MerchantCategory }),
		text("reference", 0, func(e schema.Entry) string { return e.Reference }),
		text("description", 0, func(e schema.Entry) string { return e.Description }),
		text("linked_entry_id", 0, schema.Entry.LinkedEntryID),
		text("counted", 0, counted),
		{table.Column{Name: "literal_amount"}, literal},
	}
}
