// Package reports says what the workpaper says: tables and pages built from the ledger and its findings. The writers below
// it know one format each and no accounting.
package reports

import (
	"context"
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
)

// Input is everything a report is made from. Equal inputs make equal bytes.
type Input struct {
	View       schema.View
	Period     schema.Period
	Entity     string
	AsOf       schema.Run // the run as of which the ledger is shown
	Reconciled schema.Run // the reconcile run that the findings are from; zero ID: no checks were run
	Version    string     // of tieout
	Root       string     // hash chain root, hex
	Sources    []Source
	BooksKnown bool // fundings were imported
	Parameters []Parameter
	Findings   func(ctx context.Context) iter.Seq2[schema.Finding, error]      // of the period, every status, by finding id
	Judgements []schema.Judgement                                              // by source, card, figure
	Drifts     map[FigureKey]schema.Finding                                    // what explains the judgements that differ
	Changes    schema.Changes                                                  // since the report before this one; none with Since 0
	Before     time.Time                                                       // start of the run that the report before was as of; zero: there is none
	History    func(ctx context.Context) iter.Seq2[schema.FindingEvent, error] // of findings, in the order in which it happened; nil: it is not known
	Sample     Sample                                                          // entries for an auditor to test
	AgeBuckets []int                                                           // upper ends of the ages of findings, in days, ascending; none: 30, 60, 90, 180
}

// FigureKey names one figure of one card.
type FigureKey struct{ Source, CardID, Figure string }

// KeyOf is the key of what was judged.
func KeyOf(j schema.Judgement) FigureKey { return FigureKey{j.Source, j.CardID, j.Figure} }

// Source is what a report says of a configured source.
type Source struct {
	Name         string
	Provider     schema.Provider
	LookbackDays int
	BalanceUnit  string // the unit in which ambiguous balances were read: "minor" or "major"; empty where it does not arise
	Complete     bool   // every stream is complete for the period, look-back included
	Reason       string // why it is not
}

// Parameter is one setting that was in force, as it stands on the Parameters sheet.
type Parameter struct{ Name, Value, Meaning string }
