// Package reconcile compares what the issuers say with what the ledger adds up to. A check reads the ledger through
// schema.View and yields findings and judgements; it writes nothing, and it reads no clock but the period's.
package reconcile

import (
	"context"
	"iter"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
)

// Check is one comparison.
type Check interface {
	// Code is the code of the findings that the check yields.
	Code() schema.FindingCode
	// Run yields the outcomes whose subject lies in the period, in a stable order. An error ends it: the figures that
	// came before it are then not to be trusted either. It names what was read, not the check.
	Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error]
}

// BalanceUnit says how an ambiguous balance is read.
type BalanceUnit string

// The settings of balance_unit.
const (
	AutoUnit  BalanceUnit = "auto"
	MinorUnit BalanceUnit = "minor"
	MajorUnit BalanceUnit = "major"
)

// Source is what the checks must know of a configured source.
type Source struct {
	Name         string
	Provider     schema.Provider
	LookbackDays int
	BalanceUnit  BalanceUnit // empty means auto
	Start        time.Time   // history before it is not read; zero: everything the provider gives is
}

// Config holds the settings of all checks.
type Config struct {
	Sources          []Source
	DriftTolerance   decimal.Decimal            // balance-drift: largest difference that counts as agreement, in major units
	GraceDays        int                        // orphan-topup
	TipPercent       int                        // limit-breach: how far above its authorization a capture is a tip, in percent of it
	StalePendingDays int                        // stale-pending
	MaxNew           map[schema.FindingCode]int // how many new findings of a code one run opens; see Cap
	Units            map[string]UnitChoice      `json:"-"` // what BalanceUnits said for the same period; nil: it is asked
}

// Checks lists the checks, in the order of reports. To add one: a file, its fixture, a line here.
func Checks(cfg Config) []Check {
	return []Check{
		limitBreach{cfg},
		orphanTopUp{cfg},
		balanceDrift{cfg},
		unitMismatch{},
		duplicateEntry{},
		unknownCard{},
		spendOnClosedCard{},
		stalePending{cfg},
		vanishedEntry{},
		rejectedRecord{},
		incompleteExtract{cfg},
		unknownField{},
	}
}
