// Package reports says what the workpaper says: tables built from the ledger and its findings. The writers below it know
// one format each and no accounting.
package reports

import (
	"context"
	"io"
	"iter"

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
	Findings   func(ctx context.Context) iter.Seq2[schema.Finding, error] // of the period, every status, by finding id
	Judgements []schema.Judgement                                         // by source, card, figure
}

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

// Column is a column of a table.
type Column struct {
	Name  string // header in CSV
	Title string // header on a sheet
	Kind  CellKind
	Width int      // in characters, on a sheet
	List  []string // the values that a person may choose in this column of a sheet; empty: anything
}

// CellKind says how a column's cells are shown.
type CellKind int

// The kinds. Text is neutralized against formula injection in CSV; the others never are.
const (
	Text CellKind = iota
	Amount
	Instant
	Number
	Day
)

// Table is one table of a report. Rows yields cells that match Columns: string for Text, money.Amount for Amount (or a
// decimal text where two currencies meet), time.Time for Instant and Day, int64 for Number; nil is empty.
type Table struct {
	Name    string // file name without extension in CSV; empty: not written as CSV
	Sheet   string // sheet name; empty: not in the workbook
	Tab     string // colour of the sheet's tab, RRGGBB; empty: none
	Columns []Column
	Rows    iter.Seq2[[]any, error]
}

// Formula is a cell of a sheet that a reader's program recalculates; Value, of the column's kind, is what it comes to and
// what CSV shows.
type Formula struct {
	Text  string // without the leading equals sign
	Value any
}

// Link is a text cell of a sheet that leads to another sheet of the workbook; CSV shows its text.
type Link struct{ Text, Sheet string }

// Writer writes tables in one format.
type Writer interface {
	Write(ctx context.Context, w io.Writer, tables ...Table) error
}
