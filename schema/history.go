package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tieout/tieout/schema/money"
)

// FindingAction names what happened to a finding.
type FindingAction string

// What checks do to a finding by themselves. That a finding was found once more is no event: it is a sighting.
const (
	FindingOpened   FindingAction = "opened"   // found for the first time
	FindingResolved FindingAction = "resolved" // judged and found no more
	FindingReopened FindingAction = "reopened" // found again after it was resolved, or with other figures than were accepted
	FindingChanged  FindingAction = "changed"  // found with other figures than before; not stored, read from the versions of the finding
)

// What people do to a finding.
const (
	Acknowledge  FindingAction = "acknowledge" // seen, work goes on
	Assign       FindingAction = "assign"
	Accept       FindingAction = "accept"  // it stays as it is, with these figures, for a reason
	Reopen       FindingAction = "reopen"  // it must be looked at again
	ConfirmMatch FindingAction = "confirm" // the proposed top-up is what the funding means
	RefuseMatch  FindingAction = "refuse"  // it is not, and is never proposed again
)

// Dispositions are the actions that a reviewer may write into the column Disposition of a report. A name to assign to has
// no column there.
func Dispositions() []FindingAction {
	return []FindingAction{Acknowledge, Accept, Reopen, ConfirmMatch, RefuseMatch}
}

// Program is who acted where checks did.
const Program = "tieout"

// FindingEvent is one line of the history of a finding, and how the finding stood after it.
type FindingEvent struct {
	FindingID string
	Action    FindingAction
	Status    FindingStatus // after it
	By        string        // Program, or the name of a person
	At        time.Time
	Note      string
	Assignee  string // after it; empty: nobody

	// The figures as they were; of an accepted finding, as they were accepted.
	Severity    Severity
	Expected    money.Amount
	Actual      money.Amount
	Unexplained money.Amount

	Origin string // the workbook that an action was read from; empty: none
	Digest string // of the action as it stands there (Decision.Digest); empty: none
	Run    int64  // set by the ledger
}

// Decision is what a person wants done to one finding.
type Decision struct {
	FindingID string
	Action    FindingAction
	By        string
	Note      string // with Accept and Reopen the reason
	Assignee  string // with Assign
	Origin    string // see FindingEvent
	Digest    string // see DispositionDigest; what was done under the same digest is not done again
}

// DispositionDigest identifies a disposition in a report: the finding with the figures that the reviewer saw, what the
// reviewer wants done, who, and the note. It is hex.
func DispositionDigest(d Decision, expected, actual, unexplained string) string {
	parts := []string{d.FindingID, string(d.Action), d.By, d.Note, expected, actual, unexplained}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x1f")))
	return hex.EncodeToString(sum[:])
}

// ErrNotPossible says that a finding's status does not allow what was asked for.
var ErrNotPossible = errors.New("not possible")

// Decide says what a decision makes of a finding whose latest event this is: the next event; false where it changes
// nothing; ErrNotPossible with the reason where the finding does not allow it. The caller fills At, and knows whether
// there is a pair to confirm or refuse.
func (e FindingEvent) Decide(f Finding, d Decision) (FindingEvent, bool, error) {
	next := e.next(f)
	next.Action, next.By, next.Note, next.Origin, next.Digest = d.Action, d.By, d.Note, d.Origin, d.Digest
	if why := impossible(e, d); why != "" {
		return next, false, fmt.Errorf("%w: %s", ErrNotPossible, why)
	}
	switch d.Action {
	case Acknowledge:
		next.Status = Acknowledged
	case Accept:
		next.Status = Accepted
		next.freeze(f)
	case Reopen:
		next.Status = Open
		next.freeze(f)
	case Assign:
		next.Assignee = d.Assignee
	case ConfirmMatch:
		// The next run of the checks resolves it. Until then it is no news.
		if next.Status == Open {
			next.Status = Acknowledged
		}
	case RefuseMatch:
		if next.Status == Acknowledged {
			next.Status = Open
		}
	}
	said := d.Note != "" && d.Note != e.Note
	return next, said || next.Status != e.Status || next.Assignee != e.Assignee, nil
}

// What a person may write, in characters.
const (
	MaxName = 100
	MaxNote = 4000
)

// Check says what is wrong with a decision whatever finding it is about.
func (d Decision) Check() error {
	if why := d.lacks(); why != "" {
		return fmt.Errorf("%w: %s", ErrNotPossible, why)
	}
	return nil
}

func (d Decision) lacks() string {
	switch {
	case !slices.Contains([]FindingAction{Acknowledge, Assign, Accept, Reopen, ConfirmMatch, RefuseMatch}, d.Action):
		return fmt.Sprintf("%q is no action", d.Action)
	case d.By == "":
		return "it does not say who decides"
	case utf8.RuneCountInString(d.By) > MaxName, utf8.RuneCountInString(d.Assignee) > MaxName:
		return fmt.Sprintf("a name is longer than %d characters", MaxName)
	case utf8.RuneCountInString(d.Note) > MaxNote:
		return fmt.Sprintf("the note is longer than %d characters", MaxNote)
	case d.Action == Assign && d.Assignee == "":
		return "it does not say to whom"
	case (d.Action == Accept || d.Action == Reopen) && d.Note == "":
		return "it needs a reason"
	}
	return ""
}

// impossible says why a decision cannot be taken; empty: it can.
func impossible(last FindingEvent, d Decision) string {
	if why := d.lacks(); why != "" {
		return why
	}
	switch {
	case d.Action == ConfirmMatch || d.Action == RefuseMatch:
		return ""
	case last.Status == Resolved:
		return "it is resolved; it opens by itself when it is found again"
	case d.Action == Acknowledge && last.Status == Accepted:
		return "it is accepted; reopen it first"
	}
	return ""
}

// Found says what it does to a finding that a check found it; the zero event is that of one that was never found before.
// false: it only persists. The caller fills At.
func (e FindingEvent) Found(f Finding) (FindingEvent, bool) {
	if e.FindingID == "" {
		first := FindingEvent{FindingID: f.ID(), Action: FindingOpened, Status: Open, By: Program}
		first.freeze(f)
		return first, true
	}
	next := e.next(f)
	next.Action, next.Status = FindingReopened, Open
	switch e.Status {
	case Resolved:
		next.Note = "found again"
	case Accepted:
		if sameFigures(f, e) && f.Severity.Rank() <= e.Severity.Rank() {
			return e, false
		}
		next.freeze(f)
		next.Note = "accepted with " + e.figures() + "; found with " + next.figures()
	default:
		return e, false
	}
	next.freeze(f)
	return next, true
}

// Gone says what it does to a finding that a check judged its subject and did not find it. false: it was resolved before.
// The caller fills At.
func (e FindingEvent) Gone(f Finding) (FindingEvent, bool) {
	if e.Status == Resolved {
		return e, false
	}
	next := e.next(f)
	next.Action, next.Status, next.Note = FindingResolved, Resolved, "found no more"
	return next, true
}

// Changed says whether a finding has other figures than after the event, and with which event a history shows that.
// The caller fills At.
func (e FindingEvent) Changed(f Finding) (FindingEvent, bool) {
	if sameFigures(f, e) && f.Severity == e.Severity {
		return e, false
	}
	next := e.next(f)
	next.Action = FindingChanged
	next.freeze(f)
	next.Note = "before: " + e.figures()
	return next, true
}

// next is an event after this one with nothing said. The figures stay those that were accepted, else they are the finding's.
func (e FindingEvent) next(f Finding) FindingEvent {
	next := FindingEvent{
		FindingID: e.FindingID, Status: e.Status, By: Program, Assignee: e.Assignee,
		Severity: e.Severity, Expected: e.Expected, Actual: e.Actual, Unexplained: e.Unexplained,
	}
	if e.Status != Accepted {
		next.freeze(f)
	}
	return next
}

func (e *FindingEvent) freeze(f Finding) {
	e.Severity, e.Expected, e.Actual, e.Unexplained = f.Severity, f.Expected, f.Actual, f.Unexplained
}

func sameFigures(f Finding, e FindingEvent) bool {
	return f.Expected == e.Expected && f.Actual == e.Actual && f.Unexplained == e.Unexplained
}

// figures is the event's figures in words: "expected 10.00 USD, actual 9.00 USD, high".
func (e FindingEvent) figures() string {
	var words []string
	for _, figure := range []struct {
		name   string
		amount money.Amount
	}{{"expected", e.Expected}, {"actual", e.Actual}, {"unexplained", e.Unexplained}} {
		if figure.amount.Known() {
			words = append(words, fmt.Sprintf("%s %s %s", figure.name, figure.amount, figure.amount.Currency().Code()))
		}
	}
	return strings.Join(append(words, string(e.Severity)), ", ")
}

// NoProviderTopUp is the reason of an orphan-topup of which the provider shows no top-up with the funding's reference.
const NoProviderTopUp = "no-provider-topup"

// Proposal says whether the finding proposes that its entry is the top-up which the funding with its reference means: a
// person confirms or refuses it.
func (f Finding) Proposal() bool {
	return f.Code == OrphanTopUp && f.Reason == NoProviderTopUp && f.EntryID != ""
}

// Match is what a person decided on the question whether a top-up is the one that a funding's reference means. The latest
// decision on a pair holds.
type Match struct {
	FindingID string // of the proposal
	Source    string // of the entry
	Reference string // of the funding, trimmed
	EntryID   string // entry_id of the top-up
	Confirmed bool   // false: refused
	By        string
	At        time.Time
	Note      string
	Run       int64 // set by the ledger
}

// Basis is why the pair belongs together or does not: "confirmed by NAME" or "refused by NAME".
func (m Match) Basis() string {
	if m.Confirmed {
		return "confirmed by " + m.By
	}
	return "refused by " + m.By
}
