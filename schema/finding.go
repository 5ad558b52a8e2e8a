package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema/money"
)

// FindingCode names a check.
type FindingCode string

// The codes of CONTRACT 3.
const (
	LimitBreach       FindingCode = "limit-breach"
	OrphanTopUp       FindingCode = "orphan-topup"
	BalanceDrift      FindingCode = "balance-drift"
	UnitMismatch      FindingCode = "unit-mismatch"
	DuplicateEntry    FindingCode = "duplicate-entry"
	UnknownCard       FindingCode = "unknown-card"
	SpendOnClosedCard FindingCode = "spend-on-closed-card"
	StalePending      FindingCode = "stale-pending"
	VanishedEntry     FindingCode = "vanished-entry"
	RejectedRecord    FindingCode = "rejected-record"
	IncompleteExtract FindingCode = "incomplete-extract"
	UnknownField      FindingCode = "unknown-field"
)

// Severity says how much a finding matters.
type Severity string

// The severities.
const (
	Low    Severity = "low"
	Medium Severity = "medium"
	High   Severity = "high"
)

// Rank orders severities: low 1, medium 2, high 3, anything else 0.
func (s Severity) Rank() int {
	switch s {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	}
	return 0
}

// FindingStatus is where a finding stands in its life.
type FindingStatus string

// The statuses of CONTRACT 3.
const (
	Open         FindingStatus = "open"
	Acknowledged FindingStatus = "acknowledged"
	Accepted     FindingStatus = "accepted"
	Resolved     FindingStatus = "resolved"
)

// Finding is a disagreement that a check found. A finding is not an error: an error means that the run cannot be trusted.
//
// The signs of Expected and Actual are those of CONTRACT 3: for limit-breach the limit and the spend, both positive; for
// balance-drift the ledger's sum and the provider's figure; for orphan-topup the books and the provider. Either may be
// unknown.
type Finding struct {
	Code        FindingCode
	Reason      string
	Severity    Severity
	Source      string
	Provider    Provider
	CardID      string
	CardName    string
	CardLast4   string
	EntryID     string // entry_id of the entry that the finding is about or, for a proposal, of the candidate
	Reference   string
	Expected    money.Amount
	Actual      money.Amount
	Unexplained money.Amount // balance-drift only
	PeriodFrom  time.Time    // zero: unknown
	PeriodTo    time.Time    // zero: open
	SubjectAt   time.Time    // with SubjectTo decides whether a period contains the finding
	SubjectTo   time.Time    // the end of a subject that is a window, such as a limit's; zero: the subject is an instant
	Subject     string       // entry, reference, limit key or figure: part of the fingerprint
	WindowStart time.Time    // part of the fingerprint for calendar limit windows; else zero
	Message     string       // one sentence or two that an accountant understands without the code
	Basis       string       // what the computed figure counts, such as "posted" or "posted + pending"
	Explanation string       // balance-drift: what covers the difference; limit-breach: why it is none as authorized; else empty
	Cause       string       // what findings of one origin share, such as a field, in words; not stored
	Evidence    []string     // entry_ids that the finding rests on, in the order of the message

	// Set by the ledger.
	Status    FindingStatus
	Assignee  string // empty: nobody
	FirstSeen time.Time
	LastSeen  time.Time
}

// ID is the stable fingerprint (NORMALIZATION 5): code, reason, source, card, subject, and the window's start for calendar
// limit windows. The same disagreement has the same ID every night.
func (f Finding) ID() string {
	parts := []string{string(f.Code), f.Reason, f.Source, f.CardID, f.Subject}
	if !f.WindowStart.IsZero() {
		parts = append(parts, f.WindowStart.UTC().Format(time.RFC3339))
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x1f")))
	return "F-" + hex.EncodeToString(sum[:8])
}

// In says whether the finding's subject lies in the period, or overlaps it where it is a window.
func (f Finding) In(w Window) bool {
	if f.SubjectTo.IsZero() {
		return w.Contains(f.SubjectAt)
	}
	return f.SubjectAt.Before(w.To) && w.From.Before(f.SubjectTo)
}

// Currency is the provider's currency, else that of the books, else empty.
func (f Finding) Currency() string {
	if f.Actual.Known() {
		return f.Actual.Currency().Code()
	}
	return f.Expected.Currency().Code()
}

// Difference is actual − expected as decimal text with the digits of the finding's currency, empty where either is
// unknown. Where the two are of different currencies it compares the bare figures, and the message says so.
func (f Finding) Difference() string {
	if !f.Actual.Known() || !f.Expected.Known() {
		return ""
	}
	major := func(a money.Amount) decimal.Decimal {
		return decimal.New(a.Minor(), -int32(a.Currency().Digits()))
	}
	digits := max(f.Actual.Currency().Digits(), f.Expected.Currency().Digits())
	return major(f.Actual).Sub(major(f.Expected)).StringFixed(int32(digits))
}

// JudgementVerdict says how the comparison of one figure of one card ended.
type JudgementVerdict string

// The verdicts of a judgement.
const (
	Agreed       JudgementVerdict = "agreed"
	Differs      JudgementVerdict = "differs"
	NotCheckable JudgementVerdict = "not checkable"
)

// Judgement is the outcome of comparing one figure of one card, also where it agreed: reports list it, so that nobody has
// to take silence for agreement.
type Judgement struct {
	Code       FindingCode
	Source     string
	Provider   Provider
	CardID     string
	CardName   string
	CardLast4  string
	Figure     string // figure name, limit key or reference
	Verdict    JudgementVerdict
	Basis      string
	ObservedAt time.Time
	From       time.Time    // start of what was summed; zero: unknown or the card's creation
	Expected   money.Amount // the ledger's sum
	Actual     money.Amount // the provider's figure
	Reason     string       // why it is not checkable; else empty
	Since      time.Time    // balance-drift, where it differs: the first observation since which this difference has stood
	FindingID  string       // where it differs
}

// Outcome is what a check yields: exactly one of the two is set.
type Outcome struct {
	Finding   *Finding
	Judgement *Judgement
}
