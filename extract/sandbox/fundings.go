package sandbox

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"time"
)

// FundingRow is one line of the company's own books: a top-up that it says it sent. The fields are texts as they stand in
// the file (CONTRACT 5).
type FundingRow struct {
	Reference, Amount, Currency, SentAt, CardID, Source, Note string

	cents int64   // of Currency
	sent  instant // what SentAt means in the accounting zone
	plan  string
}

// Fundings are the books, in the order of the file.
func (w *World) Fundings() []FundingRow {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return slices.Clone(w.fundings)
}

// WriteFundings writes the books as CSV.
func (w *World) WriteFundings(out io.Writer) error {
	csv := csv.NewWriter(out)
	_ = csv.Write([]string{"reference", "amount", "currency", "sent_at", "card_id", "source", "note"}) // the first error is kept
	for _, f := range w.Fundings() {
		_ = csv.Write([]string{f.Reference, f.Amount, f.Currency, f.SentAt, f.CardID, f.Source, f.Note})
	}
	csv.Flush()
	if err := csv.Error(); err != nil {
		return fmt.Errorf("write fundings: %w", err)
	}
	return nil
}

// fund books a top-up as sent a little before it arrived. The file is as untidy as files are: some lines have a date alone, a
// blank about the reference, no card or no source.
func (d *draft) fund(r *row) FundingRow {
	return d.funding(r.ref, -1, r.amount, r.occurred-d.moment(minute, 90*minute))
}

// funding books an amount as sent. Style 0 is tidy, with everything filled in; below 0 it is drawn.
func (d *draft) funding(ref string, style int, cents int64, sent instant) FundingRow {
	f := FundingRow{
		Reference: ref, Amount: dollars(cents), Currency: "USD", SentAt: sent.time().Format(time.RFC3339), CardID: d.id,
		Source: d.book.source, cents: cents, sent: sent / 1000 * 1000,
	}
	if style < 0 {
		style = d.IntN(12)
	}
	switch style {
	case 1, 2:
		f.SentAt, f.sent = sent.in(d.w.zone).Format(time.DateOnly), sent.midnight(d.w.zone, 0)
	case 3:
		f.Reference = " " + f.Reference + " "
	case 4, 5:
		f.CardID = ""
	case 6:
		f.Source = ""
	case 7:
		f.Note = "=monthly budget, see file"
	case 8:
		f.SentAt = sent.in(d.w.zone).Format(time.RFC3339)
	}
	return f
}
