package schema

import (
	"time"

	"github.com/tieout/tieout/schema/money"
)

// Kind says what an entry is.
type Kind string

// The kinds of CONTRACT 3.
const (
	Purchase   Kind = "purchase"
	Refund     Kind = "refund"
	Reversal   Kind = "reversal"
	Fee        Kind = "fee"
	TopUp      Kind = "topup"
	Withdrawal Kind = "withdrawal"
	Transfer   Kind = "transfer"
	Adjustment Kind = "adjustment"
)

// Status says what became of an entry.
type Status string

// The statuses. Only Pending and Posted are counted in sums.
const (
	Pending    Status = "pending"
	Posted     Status = "posted"
	Declined   Status = "declined"
	Failed     Status = "failed"
	Reversed   Status = "reversed"
	Superseded Status = "superseded" // a pending row that a row under another id replaced
	Held       Status = "held"       // kept and shown, in no sum
)

// Counted says whether entries of this status are part of sums.
func (s Status) Counted() bool { return s == Pending || s == Posted }

// LinkBasis says why two rows belong together.
type LinkBasis string

const (
	// Cleared: the row named by From is an authorization that the row named by To cleared.
	Cleared LinkBasis = "cleared"
	// Reverses: the row named by From is a reversal of the authorization named by To.
	Reverses LinkBasis = "reverses"
)

// Link is a provider's own statement that two rows of one source belong together. Ids are the provider's.
type Link struct {
	From, To string
	Basis    LinkBasis
}

// Entry is one normalized ledger line: signed minor units of one currency on one card.
//
// Identity is (Source, ExternalID). The normalizer fills everything but the fields under
// "set by the ledger".
type Entry struct {
	Source     string
	Provider   Provider
	ExternalID string // the provider's transaction id
	CardID     string // the provider's card id; empty when the row names no card
	CardAltID  string // a second id under which the provider knows the card (BILL id beside uuid)
	CardLast4  string
	Kind       Kind
	Status     Status
	OccurredAt time.Time
	PostedAt   time.Time // zero: not posted

	Amount           money.Amount // signed: the effect on the card
	Literal          string       // the provider's literal amount, unchanged
	Original         money.Amount // foreign amount, unsigned meaning left to the provider; unknown when not readable
	OriginalCurrency string       // its currency code in upper case, also where Original is unknown
	OriginalLiteral  string       // its literal amount, unchanged

	Merchant         string
	MerchantCategory string
	Reference        string
	Description      string

	// Set by the ledger.
	LinkedID string // the external id of the row this one is linked to (same source); empty: none
	Version  int64  // row id of the version shown
	Run      int64  // the run that stored this version
}

// ID is the entry_id of reports: SOURCE/PROVIDER'S TRANSACTION ID.
func (e Entry) ID() string { return e.Source + "/" + e.ExternalID }

// Key is what ID is made of.
func (e Entry) Key() EntryKey { return EntryKey{e.Source, e.ExternalID} }

// LinkedEntryID is the entry_id of the linked row, or empty.
func (e Entry) LinkedEntryID() string {
	if e.LinkedID == "" {
		return ""
	}
	return e.Source + "/" + e.LinkedID
}

// NoteCode names what a note is about.
type NoteCode string

const (
	// UnknownFieldNote: a field, type or enum value that was not seen before.
	UnknownFieldNote NoteCode = "unknown-field"
	// UnitMismatchNote: a provider gave one figure twice and the two disagree.
	UnitMismatchNote NoteCode = "unit-mismatch"
)

// Note is something about a record that does not reject it but that a person should know.
type Note struct {
	Source     string
	Stream     Stream
	ExternalID string
	Code       NoteCode
	Field      string // path of the field
	Detail     string // what was seen, safe to print; empty for unknown fields, whose values are never kept
}

// Reject is a record that could not be normalized, kept with the reason.
type Reject struct {
	Source     string
	Provider   Provider
	Stream     Stream
	ExternalID string // empty when the record has no readable id
	Field      string // the field at fault, empty when it is the whole record
	Reason     string // names the field and what is wrong with it; holds no secret
	Page       int64  // of the walk that read it, from 1; 0: it was read by id
	ReceivedAt time.Time
	Payload    []byte // redacted
	Run        int64  // set by the ledger
}

// Batch collects what the records of one page became. Normalizers append to it.
type Batch struct {
	Entries      []Entry
	Links        []Link
	Observations []Observation
	Budgets      []Budget
	Notes        []Note
	Rejects      []Reject // appended by the caller of a normalizer, from its *RejectError
}
