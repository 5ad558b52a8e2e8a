package schema

import (
	"time"

	"github.com/tieout/tieout/schema/money"
)

// LimitWindow says over what a limit counts.
type LimitWindow string

// The windows. Calendar windows reset in the limit's zone; rolling windows end at each entry.
const (
	Daily        LimitWindow = "daily"
	Weekly       LimitWindow = "weekly"
	Monthly      LimitWindow = "monthly"
	Yearly       LimitWindow = "yearly"
	Lifetime     LimitWindow = "lifetime"    // Slash collective; Whop one_time and allTime
	PerEntry     LimitWindow = "transaction" // the largest allowed single purchase
	PerEntryMin  LimitWindow = "transaction-minimum"
	Rolling24h   LimitWindow = "rolling-24h"
	Rolling7d    LimitWindow = "rolling-7d"
	Rolling30d   LimitWindow = "rolling-30d"
	Rolling365d  LimitWindow = "rolling-365d"
	BudgetPeriod LimitWindow = "budget-period" // BILL currentPeriod; its dates come from the budget
)

// Limit is one limit of a card as the provider stated it at one moment. A changed amount is the same limit; a changed
// window, zone or start date is another (see Key).
type Limit struct {
	Window    LimitWindow
	Amount    money.Amount
	Zone      string // IANA name; empty means UTC
	StartDate string // YYYY-MM-DD, anchors weekly, monthly and yearly windows; empty: calendar windows
	Word      string // the provider's own word, verbatim, also where Window is empty because the word is unknown
}

// Key identifies the limit across observations of one card.
func (l Limit) Key() string {
	key := string(l.Window)
	if l.Window == "" {
		key = l.Word
	}
	if l.Zone != "" && l.Zone != "UTC" {
		key += "@" + l.Zone
	}
	if l.StartDate != "" {
		key += "^" + l.StartDate
	}
	return key
}

// FigureName names a figure that a provider states about a card.
type FigureName string

// The figures, named as CONTRACT 3 names the reasons of balance-drift.
const (
	Balance       FigureName = "balance"        // Bitnob balance
	PeriodSpend   FigureName = "period-spend"   // BILL currentPeriod.spent
	TrailingSpend FigureName = "trailing-spend" // Whop spent_last_month
	Utilized      FigureName = "utilization"    // Slash utilization spend
)

// Figure is an amount that the provider states about a card.
type Figure struct {
	Name      FigureName
	Raw       string       // the literal text
	Amount    money.Amount // unknown when Ambiguous or when Problem is set
	Ambiguous bool         // the unit is not documented (Bitnob balance): Raw may count minor or major units
	Problem   string       // why the figure cannot be checked, such as an excess digit; empty: it can
}

// Card is what identifies and describes a card.
type Card struct {
	Source    string
	Provider  Provider
	ID        string // the provider's card id; for BILL uuid, else id
	AltID     string // a second id of the same card; empty: none
	Name      string
	Last4     string
	Type      string
	Status    string // the provider's word
	Currency  string // ISO 4217
	BudgetID  string // BILL: the budget whose period the limit counts over
	CreatedAt time.Time
	ClosedAt  time.Time
}

// Observation is what one stream of a provider said about a card at one moment. Streams that read card by card
// (Utilization, Balances) leave the descriptive fields of Card empty where they do not know them.
type Observation struct {
	Card
	Stream     Stream
	ObservedAt time.Time
	Limits     []Limit // in the provider's order
	NoLimit    bool    // the provider says that the card has no limit of its own (BILL shareBudgetFunds)
	Figures    []Figure
	NextReset  time.Time // Slash utilization nextResetDate
	Run        int64     // set by the ledger
}

// Figure finds a figure by name.
func (o Observation) Figure(name FigureName) (Figure, bool) {
	for _, f := range o.Figures {
		if f.Name == name {
			return f, true
		}
	}
	return Figure{}, false
}

// Budget is what BILL said about a budget at one moment: the period over which its cards' limits count.
type Budget struct {
	Source     string
	ID         string
	AltID      string
	Name       string
	Zone       string // IANA name; empty means UTC
	StartDate  string // YYYY-MM-DD, inclusive; empty: unknown
	EndDate    string // YYYY-MM-DD, inclusive; empty: unknown
	Interval   string // recurringInterval, verbatim
	ObservedAt time.Time
	Run        int64 // set by the ledger
}
