package schema

import (
	"context"
	"iter"
	"math/big"
	"time"

	"github.com/tieout/tieout/schema/money"
)

// Absence says that a provider no longer lists an entry: a window in which the entry lies was read to its end, and the
// entry was not among the rows. The entry itself stays in the ledger and counts as before. An absence ends when the entry
// is read again.
type Absence struct {
	Source     string
	ExternalID string    // of the entry
	LastRead   time.Time // when the entry is last known to have been read
	NoticedAt  time.Time // start of the run that missed it first
	Window     Window    // that was read then; both ends the same instant where the entry was asked for by its id
	Run        int64     // the run that missed it first; set by the ledger
}

// EntryID is the entry_id of the entry that is missing.
func (a Absence) EntryID() string { return a.Source + "/" + a.ExternalID }

// ChangeKind says what became of an entry between two runs.
type ChangeKind string

// The kinds of changes, in the order of reports.
const (
	Came     ChangeKind = "came"     // it was not in the ledger before
	Changed  ChangeKind = "changed"  // it has other values
	Vanished ChangeKind = "vanished" // the provider no longer lists it; it may also have come or changed
	Returned ChangeKind = "returned" // the provider lists it again; it may also have changed
)

// Change is what became of one entry between two runs.
type Change struct {
	Kind    ChangeKind
	Entry   Entry         // as known after the later run
	Was     Entry         // as known after the earlier run; zero where it was not in the ledger
	Fields  []FieldChange // what differs, in the order of ledger.csv; none where Was is zero
	Absence Absence       // of one that vanished
}

// FieldChange is one value that differs. Field is named as in ledger.csv, and the values are written as there, but without
// the apostrophe that keeps a text from being a formula.
type FieldChange struct{ Field, Old, New string }

// Differences lists what differs between two versions of an entry, in the order of ledger.csv.
func Differences(was, now Entry) []FieldChange {
	var all []FieldChange
	add := func(field, before, after string) {
		if before != after {
			all = append(all, FieldChange{field, before, after})
		}
	}
	add("card_id", was.CardID, now.CardID)
	add("card_last4", was.CardLast4, now.CardLast4)
	add("kind", string(was.Kind), string(now.Kind))
	add("status", string(was.Status), string(now.Status))
	add("occurred_at", instantText(was.OccurredAt), instantText(now.OccurredAt))
	add("posted_at", instantText(was.PostedAt), instantText(now.PostedAt))
	add("amount", was.Amount.String(), now.Amount.String())
	add("currency", was.Amount.Currency().Code(), now.Amount.Currency().Code())
	add("original_amount", was.Original.String(), now.Original.String())
	add("original_currency", was.OriginalCurrency, now.OriginalCurrency)
	add("merchant", was.Merchant, now.Merchant)
	add("merchant_category", was.MerchantCategory, now.MerchantCategory)
	add("reference", was.Reference, now.Reference)
	add("description", was.Description, now.Description)
	add("linked_entry_id", was.LinkedEntryID(), now.LinkedEntryID())
	add("literal_amount", was.Literal, now.Literal)
	return all
}

func instantText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// MonthChange is what changes did to one source and currency in one month of the accounting zone. The sums are minor units
// of the counted entries that occurred in the month.
type MonthChange struct {
	Source   string
	Currency money.Currency
	Month    time.Time // its first instant, in the accounting zone
	Before   *big.Int  // after the earlier run
	After    *big.Int  // after the later run
	Vanished *big.Int  // the part of After that vanished in between: what After would lose if those entries were gone
	Changes  int64     // changes that touch the month, those without an effect on the sum included
}

// Difference is After − Before, in minor units.
func (m MonthChange) Difference() *big.Int { return new(big.Int).Sub(m.After, m.Before) }

// AcceptedChange is a finding that a person had accepted by the earlier run or in between, and what changed under it.
type AcceptedChange struct {
	Finding Finding  // as known after the later run
	Was     Finding  // as known after the earlier run; zero where it was accepted in between
	Entries []string // entry_ids that the finding names and that changed, in order of id
	OnCard  int64    // changed entries of its card, those of Entries included
}

// Changes is what became of the ledger between two runs.
type Changes struct {
	Since int64 // the earlier run; 0: there is none to compare with, and all else is empty
	To    int64 // the later run
	// Entries yields the changed entries by source, card, occurred_at, entry id. It can be ranged over again and again. An
	// error ends it.
	Entries  func(ctx context.Context) iter.Seq2[Change, error]
	Count    map[ChangeKind]int64 // how many Entries yields, by kind
	Months   []MonthChange        // those that the changes touch, by source, currency, month
	Accepted []AcceptedChange     // by finding id
}

// Len is how many changes Entries yields.
func (c Changes) Len() int64 {
	var n int64
	for _, count := range c.Count {
		n += count
	}
	return n
}
