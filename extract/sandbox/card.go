package sandbox

import (
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// card is one card of one provider, with its rows and what the provider says about it.
type card struct {
	book     *book
	id       string // BILL: uuid
	alt      string // BILL: id
	name     string
	pan, cvv string
	pin      string
	status   string // the provider's word
	kind     string // BILL: PHYSICAL and so on; Whop: virtual, physical
	physical bool   // Slash
	single   bool   // Slash: single use
	created  instant
	closed   instant // Whop canceled_at; 0: not
	holder   *person
	group    *group // Slash; nil: none
	userData object // Slash; nil: none
	avs      object // Slash avsAddress; nil: none
	rules    object // Slash: the rules of spendingConstraint beside its limits
	zone     *time.Location
	limits   []limit
	legacy   *limit // Slash: what utilizationLimit says
	v1       bool   // Slash: the limit stands in utilizationLimit alone
	budget   *budget
	share    bool   // BILL shareBudgetFunds
	once     bool   // BILL: the limit does not recur, whatever the budget does
	before   string // BILL: the status before the card was frozen; empty: ACTIVATED
	plainID  bool   // BILL: the card has an id and no uuid, as in the older samples
	rows     []*row
	says     func(sum int64) int64 // what the provider states instead of the sum; nil: the sum
	updated  instant               // 0: not since it was created
	seen     []sighting            // what readers saw of it, oldest first
	plan     string                // what was planted on it, in words; empty: nothing
	noFigure bool                  // Whop: spent_last_month is null
	silent   []limit               // Whop: limits that hold and that no answer shows
	billing  object                // Whop: the address that an update gave; nil: the holder's
	ref      string                // Bitnob: the reference of the request that made it
	brand    string                // Bitnob
	first    *row                  // Bitnob: the load that it was made with; nil: that has long succeeded
	grounded bool                  // Bitnob: airlines may not charge it
}

// limit is a limit in force. Amount is in cents.
type limit struct {
	window schema.LimitWindow
	amount int64
	zone   *time.Location // nil: UTC, unsaid
	start  string         // YYYY-MM-DD; empty: calendar windows
	word   string         // Whop: the provider's word for the window
}

func (l limit) location() *time.Location {
	if l.zone == nil {
		return time.UTC
	}
	return l.zone
}

// budget is a BILL budget.
type budget struct {
	id, uuid, name string
	zone           *time.Location // nil: no timezone field
	interval       string
	start, end     string // of the current period, YYYY-MM-DD, inclusive; empty: not said
	begin          string // of the budget
	retired        bool
	seen           []span // the periods that readers saw
}

// span is a stretch of time, the end excluded; a zero end is open.
type span struct{ from, to instant }

func (b *budget) location() *time.Location {
	if b.zone == nil {
		return time.UTC
	}
	return b.zone
}

// known are the periods that a reader can know of: those it saw, and the current one.
func (b *budget) known() []span {
	if b == nil {
		return nil
	}
	spans := slices.Clone(b.seen)
	if from, to, ok := b.period(); ok {
		spans = append(spans, span{from, to})
	}
	return spans
}

// period is the current period as instants, the end excluded; false where the budget gives no dates.
func (b *budget) period() (from, to instant, ok bool) {
	if b == nil || b.start == "" || b.end == "" {
		return 0, 0, false
	}
	start, _ := time.ParseInLocation(time.DateOnly, b.start, b.location())
	end, _ := time.ParseInLocation(time.DateOnly, b.end, b.location())
	return instantOf(start), instantOf(end).midnight(b.location(), 1), true
}

// row is one row of a transaction list. What it means (kind, status, amount, occurred, posted) follows NORMALIZATION 1;
// what it looks like is made from that when it is asked for.
type row struct {
	card     *card  // nil: names no card
	id       string // BILL: uuid
	word     string // the provider's own status; BILL: transactionType
	category string // Slash
	method   string // Bitnob
	kind     schema.Kind
	status   schema.Status
	amount   int64 // the effect on the card
	occurred instant
	posted   instant // 0: not posted
	shown    instant // the time that lists sort and filter by: BILL occurredTime, Slash date, Whop and Bitnob creation
	auth     instant // BILL authorizedTime, Slash authorizedAt; 0: none
	updated  instant // BILL, Bitnob
	merchant *merchant
	foreign  int64   // minor units of the merchant's currency; 0: US dollars
	fee      int64   // BILL fees, Slash fxFeeInfo: information
	ref      string  // Bitnob reference
	origin   *row    // BILL: the authorization that this row clears or reverses
	clearing *row    // BILL: the earliest row that clears this authorization
	links    linking // BILL: which side of the link names the other
	split    int     // BILL: into how many children, which no list shows
	reason   string  // why it was declined, in the provider's word; empty: not said
	stuck    bool    // it stays pending
	plan     string  // what was planted with it, in words; empty: nothing
}

// linking says which of two linked BILL rows names the other.
type linking int

const (
	bothWays linking = iota
	clearNamesAuth
	authNamesClear
)

func (r *row) entry() string { return r.source() + "/" + r.id }

func (r *row) source() string { return r.card.book.source }
