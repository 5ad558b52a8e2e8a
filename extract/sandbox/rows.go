package sandbox

import (
	"cmp"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// Row is what one row of a transaction list means: what a ledger that read it must hold.
type Row struct {
	Source   string
	EntryID  string // SOURCE/PROVIDER'S TRANSACTION ID
	CardID   string // empty: the row names no card
	Category string // Slash
	Kind     schema.Kind
	Status   schema.Status
	Amount   string    // decimal text, signed as in the ledger
	Occurred time.Time // UTC
	Posted   time.Time // zero: not posted
	Listed   time.Time // the time by which its provider's list sorts and filters
}

// Rows is every row of every provider at the clock's now, by source, then entry id.
func (w *World) Rows() []Row {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	var all []Row
	for _, b := range w.books {
		for _, r := range b.rows {
			one := Row{
				Source: b.source, EntryID: b.source + "/" + r.id, Category: r.category, Kind: r.kind, Status: r.status, Amount: dollars(r.amount),
				Occurred: r.occurred.time(), Listed: r.shown.time(),
			}
			if r.card != nil {
				one.CardID = r.card.id
			}
			if r.posted != 0 {
				one.Posted = r.posted.time()
			}
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(x, y Row) int { return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.EntryID, y.EntryID)) })
	return all
}
