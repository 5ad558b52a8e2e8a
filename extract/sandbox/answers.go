package sandbox

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Answer is one finding that the product must make, in the words and units of findings.csv (CONTRACT 3). Amounts are decimal
// text, empty where unknown. Instants are zero where unknown or open.
type Answer struct {
	Code        schema.FindingCode
	Reason      string
	Severity    schema.Severity
	Source      string
	Provider    schema.Provider
	CardID      string
	EntryID     string
	Reference   string
	Currency    string
	Expected    string
	Actual      string
	Difference  string
	Unexplained string
	PeriodFrom  time.Time
	PeriodTo    time.Time
	Note        string // what was planted, and why it must be found
}

// Answers is the key now: every finding of limit-breach, balance-drift and orphan-topup in the default period that ends now,
// and no other, by code, source, card, reason, period.
func (w *World) Answers() []Answer {
	w.mutex.RLock()
	defer w.mutex.RUnlock()
	return w.judge()
}

// AnswerColumns are the columns of WriteAnswers. All but the last have the meaning that they have in findings.csv.
func AnswerColumns() []string {
	return []string{
		"code", "reason", "severity", "source", "provider", "card_id", "entry_id", "reference", "currency",
		"expected", "actual", "difference", "unexplained", "period_from", "period_to", "note",
	}
}

// WriteAnswers writes the key as CSV.
func (w *World) WriteAnswers(out io.Writer) error { return writeAnswers(out, w.Answers()) }

func writeAnswers(out io.Writer, answers []Answer) error {
	csv := csv.NewWriter(out)
	_ = csv.Write(AnswerColumns()) // the writer keeps its first error for the end
	for _, a := range answers {
		_ = csv.Write([]string{
			string(a.Code), a.Reason, string(a.Severity), a.Source, string(a.Provider), a.CardID, a.EntryID, a.Reference, a.Currency,
			a.Expected, a.Actual, a.Difference, a.Unexplained, stamp(a.PeriodFrom), stamp(a.PeriodTo), a.Note,
		})
	}
	csv.Flush()
	if err := csv.Error(); err != nil {
		return fmt.Errorf("write answers: %w", err)
	}
	return nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// dollars is decimal text with two digits.
func dollars(cents int64) string { return money.FromMinor(cents, money.USD()).String() }

// answer begins a finding about a card.
func (c *card) answer(code schema.FindingCode, reason string, severity schema.Severity) Answer {
	return Answer{
		Code: code, Reason: reason, Severity: severity, Source: c.book.source, Provider: c.book.provider, CardID: c.id, Currency: "USD",
		Note: c.plan,
	}
}

// of sets the figures.
func (a Answer) of(expected, actual int64) Answer {
	a.Expected, a.Actual, a.Difference = dollars(expected), dollars(actual), dollars(actual-expected)
	return a
}

// in sets the period; zero is open or unknown.
func (a Answer) in(from, to instant) Answer {
	if from != 0 {
		a.PeriodFrom = from.time()
	}
	if to != 0 {
		a.PeriodTo = to.time()
	}
	return a
}

// judge makes the key.
func (w *World) judge() (found []Answer) {
	for _, p := range schema.Providers() {
		for _, c := range w.books[p].cards {
			found = append(found, w.breaches(c)...)
		}
	}
	for _, p := range schema.Providers() {
		found = append(found, w.drifts(w.books[p])...)
	}
	found = append(found, w.orphans()...)
	slices.SortStableFunc(found, func(x, y Answer) int { return slices.Compare(x.order(), y.order()) })
	return found
}

func (a Answer) order() []string {
	return []string{string(a.Code), a.Source, a.CardID, a.Reason, stamp(a.PeriodFrom), a.Reference, a.EntryID}
}
