package schema

import (
	"encoding/json"
	"time"
)

// Provider is the kind of issuer API.
type Provider string

// The four providers.
const (
	Bill   Provider = "bill"
	Slash  Provider = "slash"
	Whop   Provider = "whop"
	Bitnob Provider = "bitnob"
)

// Providers lists the four in the order reports use.
func Providers() []Provider { return []Provider{Bill, Slash, Whop, Bitnob} }

// Stream is one thing that a source offers to read.
type Stream string

// The streams. Cards, Budgets, Utilization and Balances are snapshots: they say how things stand now and have no
// history. Transactions is windowed. Utilization and Balances are read card by card, for ids that the ledger supplies.
const (
	Cards        Stream = "cards"
	Transactions Stream = "transactions"
	Budgets      Stream = "budgets"
	Utilization  Stream = "utilization"
	Balances     Stream = "balances"
)

// Snapshot says whether a stream tells how things stand now, rather than what happened in a window.
func (s Stream) Snapshot() bool { return s != Transactions }

// Record is one raw item of a stream as received, after redaction: Payload holds only fields on the issuer's allow-list.
type Record struct {
	Source     string
	Provider   Provider
	Stream     Stream
	ExternalID string          // the provider's id; for BILL uuid, else id; empty when the item has none
	Category   string          // Slash: the category that the request filtered by ("card", "fee", …); else empty
	ReceivedAt time.Time       // when the page that held it was received
	Payload    json.RawMessage // redacted; object keys in the order received
	Unknown    []string        // paths of fields that are on neither the allow-list nor the drop-list (schema drift)
	Malformed  string          // why the item cannot be read at all (not an object, a name twice); Payload is then {}. Empty: it can
}

// Window is the half-open instant interval [From, To) in UTC. A From equal to Beginning means "everything there is".
type Window struct{ From, To time.Time }

// Beginning is the From of a window without a lower bound.
var Beginning = time.Unix(0, 0).UTC()

// Forever is the To of what has no end, such as the life of a card.
var Forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// Contains says whether t lies in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Overlaps says whether two windows share an instant.
func (w Window) Overlaps(o Window) bool { return w.From.Before(o.To) && o.From.Before(w.To) }

// String shows the window for error messages: "2026-08-01..2026-08-02" when both ends are UTC midnights.
func (w Window) String() string { return instant(w.From) + ".." + instant(w.To) }

func instant(t time.Time) string {
	t = t.UTC()
	switch {
	case t.Equal(Beginning):
		return "beginning"
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// Covered says whether the union of windows contains all of w.
func Covered(w Window, windows []Window) bool {
	at := w.From
	for at.Before(w.To) {
		next := at
		for _, c := range windows {
			if c.Contains(at) && c.To.After(next) {
				next = c.To
			}
		}
		if next.Equal(at) {
			return false
		}
		at = next
	}
	return true
}

// Period is what a reconcile or a report is about: [From, To) with the accounting zone and the moment of judging.
type Period struct {
	Window
	Zone *time.Location // the accounting zone
	Now  time.Time      // the instant that counts as now; never time.Now inside a stage
}
