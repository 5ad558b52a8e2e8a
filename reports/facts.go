package reports

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/big"
	"slices"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// facts is what the tables share, read once. Entries are counted and summed, not kept.
type facts struct {
	Input
	findings     []schema.Finding // in the order of reports
	totals       []total          // by source, currency; the line of rejects last in its source
	ledgerLen    int
	cutoffLen    int
	cards        []cardLine
	completeness []reading
}

// gather reads what the tables need to know beforehand.
func gather(ctx context.Context, in Input) (*facts, error) {
	f := &facts{Input: in}
	for finding, err := range in.Findings(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		if !slices.Contains(statuses(), finding.Status) {
			return nil, fmt.Errorf("finding %s: status %q is not known", finding.ID(), finding.Status)
		}
		f.findings = append(f.findings, finding)
	}
	slices.SortFunc(f.findings, inReportOrder)
	if err := f.count(ctx); err != nil {
		return nil, err
	}
	var err error
	if f.cards, err = readCards(ctx, in); err != nil {
		return nil, err
	}
	f.completeness, err = readCompleteness(ctx, in)
	return f, err
}

// inReportOrder puts what wants attention first: what is not resolved, then by severity; then by code, source, card and time.
func inReportOrder(a, b schema.Finding) int {
	resolved := func(f schema.Finding) int {
		if f.Status == schema.Resolved {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(resolved(a), resolved(b)),
		cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
		cmp.Compare(slices.Index(codes(), a.Code), slices.Index(codes(), b.Code)),
		cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.CardID, b.CardID),
		a.SubjectAt.Compare(b.SubjectAt),
		cmp.Compare(a.ID(), b.ID()),
	)
}

// codes lists the codes in the order of reports.
func codes() []schema.FindingCode {
	return []schema.FindingCode{
		schema.LimitBreach, schema.OrphanTopUp, schema.BalanceDrift, schema.UnitMismatch, schema.DuplicateEntry, schema.UnknownCard,
		schema.SpendOnClosedCard, schema.StalePending, schema.VanishedEntry, schema.RejectedRecord, schema.IncompleteExtract,
		schema.UnknownField,
	}
}

// total is the control total of one source and currency. Currency is empty on the line of rejects.
type total struct {
	source                     string
	currency                   money.Currency
	records, entries, rejected int64
	debits, credits            *big.Int // minor units of counted entries
	posted, pending, declined  int64
}

func (t total) net() *big.Int { return new(big.Int).Add(t.debits, t.credits) }

// add counts an entry. Sums are of counted entries; they may leave int64 and stay exact.
func (t *total) add(e schema.Entry) {
	t.records++
	t.entries++
	switch e.Status {
	case schema.Posted:
		t.posted++
	case schema.Pending:
		t.pending++
	case schema.Declined:
		t.declined++
	}
	switch {
	case !e.Status.Counted():
	case e.Amount.Sign() < 0:
		t.debits.Add(t.debits, big.NewInt(e.Amount.Minor()))
	default:
		t.credits.Add(t.credits, big.NewInt(e.Amount.Minor()))
	}
}

// figure is a sum as decimal text with the digits of its currency; unknown without one.
func figure(sum *big.Int, c money.Currency) any {
	if c.Code() == "" {
		return nil
	}
	return table.Decimal(decimal.NewFromBigInt(sum, -int32(c.Digits())).StringFixed(int32(c.Digits())))
}

// count reads every entry and reject once, for the control totals and the lengths of the tables of entries.
//
// A record that was rejected has no time of its own that could be trusted, so every standing reject is in the totals of
// every period: any of them may be short of it. One whose entry is known from an earlier version is no further record.
func (f *facts) count(ctx context.Context) error {
	type key struct{ source, currency string }
	type identity struct{ source, id string }
	totals := map[key]*total{}
	line := func(source string, c money.Currency) *total {
		k := key{source, c.Code()}
		if totals[k] == nil {
			totals[k] = &total{source: source, currency: c, debits: new(big.Int), credits: new(big.Int)}
		}
		return totals[k]
	}
	rejected := map[identity]bool{} // whether it is a transaction of which no entry is known
	for r, err := range f.View.Rejects.Rejects(ctx) {
		if err != nil {
			return fmt.Errorf("read rejects: %w", err)
		}
		t := line(r.Source, money.Currency{})
		t.rejected++
		id := identity{r.Source, r.ExternalID}
		if r.ExternalID != "" && r.Stream == schema.Transactions {
			rejected[id] = true
		} else {
			t.records++
		}
	}
	for e, err := range f.View.Entries.Entries(ctx, schema.EntryFilter{}) {
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		if len(rejected) > 0 {
			delete(rejected, identity{e.Source, e.ExternalID})
		}
		if f.Period.Contains(e.OccurredAt) {
			f.ledgerLen++
			line(e.Source, e.Amount.Currency()).add(e)
		}
		if f.straddles(e) {
			f.cutoffLen++
		}
	}
	for id := range rejected {
		line(id.source, money.Currency{}).records++
	}
	for _, s := range f.Sources { // a source without a row would look forgotten
		if !hasKey(totals, func(k key) bool { return k.source == s.Name }) {
			line(s.Name, money.Currency{})
		}
	}
	for _, t := range totals {
		f.totals = append(f.totals, *t)
	}
	slices.SortFunc(f.totals, func(a, b total) int {
		last := func(t total) int {
			if t.currency.Code() == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(last(a), last(b)), cmp.Compare(a.currency.Code(), b.currency.Code()))
	})
	return nil
}

func hasKey[K comparable, V any](m map[K]V, is func(K) bool) bool {
	for k := range m {
		if is(k) {
			return true
		}
	}
	return false
}

// straddles says whether an entry happened on one side of an edge of the period and was posted on the other.
func (f *facts) straddles(e schema.Entry) bool {
	if e.PostedAt.IsZero() {
		return false
	}
	return e.OccurredAt.Before(f.Period.From) != e.PostedAt.Before(f.Period.From) ||
		e.OccurredAt.Before(f.Period.To) != e.PostedAt.Before(f.Period.To)
}

// entries yields entries by occurred_at and entry_id.
func (f *facts) entries(ctx context.Context, w schema.Window, keep func(schema.Entry) bool) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		for e, err := range f.View.Entries.Entries(ctx, schema.EntryFilter{Occurred: w, ByTime: true}) {
			if err == nil && !keep(e) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
