package reports

import (
	"context"
	"fmt"
	"math/big"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// rollForwardSheet lists what became of every figure that was compared or could not be.
const rollForwardSheet = "Roll-forward"

// Names of columns that figures of other sheets are computed from.
const (
	colFigure     = "Figure"
	colVerdict    = "Verdict"
	colLedger     = "Ledger"
	colProvider   = "Provider"
	colDifference = "Difference"
)

// judged is a judgement and, for a balance, how the ledger comes to its sum: what was there before the period and what moved
// in it up to the moment of the balance. Only posted entries are part of a balance.
type judged struct {
	schema.Judgement
	opening  *big.Int // nil: not broken down
	movement [5]*big.Int
}

// The movements of a balance, as columns.
const (
	topUps = iota
	withdrawals
	purchases
	refunds
	others
)

func movementOf(k schema.Kind) int {
	switch k {
	case schema.TopUp:
		return topUps
	case schema.Withdrawal:
		return withdrawals
	case schema.Purchase, schema.Fee:
		return purchases
	case schema.Refund, schema.Reversal:
		return refunds
	}
	return others
}

// rollForward breaks one judgement down. Only balances since the card's beginning can be: a balance that was carried on from
// an earlier agreement, or a spend figure, is shown as the sum that was compared.
func (f *facts) rollForward(ctx context.Context, j schema.Judgement) (judged, error) {
	r := judged{Judgement: j}
	if j.Figure != string(schema.Balance) || !j.Expected.Known() || !j.From.IsZero() {
		return r, nil
	}
	r.opening = new(big.Int)
	for i := range r.movement {
		r.movement[i] = new(big.Int)
	}
	for e, err := range f.View.Entries.Entries(ctx, schema.EntryFilter{Source: j.Source, CardID: j.CardID}) {
		switch {
		case err != nil:
			return r, fmt.Errorf("read entries (%s, card %s): %w", j.Source, j.CardID, err)
		case !e.Status.Counted() || e.PostedAt.IsZero() || e.PostedAt.After(j.ObservedAt) || e.Amount.Currency() != j.Expected.Currency():
			continue
		}
		sum := r.opening
		if !e.PostedAt.Before(f.Period.From) {
			sum = r.movement[movementOf(e.Kind)]
		}
		sum.Add(sum, big.NewInt(e.Amount.Minor()))
	}
	return r, nil
}

// moved is a column of movements.
func moved(name string, of func(judged) *big.Int) column[judged] {
	return amount(name, func(j judged) any {
		if j.opening == nil {
			return nil
		}
		return figure(of(j), j.Expected.Currency())
	})
}

// difference is the provider's figure less the ledger's; unknown where either is.
func (j judged) difference() any {
	return table.Decimal(schema.Finding{Expected: j.Expected, Actual: j.Actual}.Difference())
}

func (j judged) currency() string {
	return schema.Finding{Expected: j.Expected, Actual: j.Actual}.Currency()
}

// rollForwardTable is every figure that was compared, agreed or not, and every one that could not be.
func (f *facts) rollForwardTable(ctx context.Context) table.Table {
	return build(rollForwardSheet, len(f.Judgements), f.judged(ctx), []column[judged]{
		text(colSource, 13, func(j judged) string { return j.Source }),
		text("Card name", 18, func(j judged) string { return j.CardName }),
		text("Last 4", 8, func(j judged) string { return j.CardLast4 }),
		text(colFigure, 15, func(j judged) string { return j.Figure }),
		word(colVerdict, 14, func(j judged) table.Word { return judgementWord(j.Verdict) }),
		text(colCurrency, 9, judged.currency),
		moved("Opening", func(j judged) *big.Int { return j.opening }),
		moved("Top-ups", func(j judged) *big.Int { return j.movement[topUps] }),
		moved("Withdrawals", func(j judged) *big.Int { return j.movement[withdrawals] }),
		moved("Purchases, fees", func(j judged) *big.Int { return j.movement[purchases] }),
		moved("Refunds, reversals", func(j judged) *big.Int { return j.movement[refunds] }),
		moved("Other", func(j judged) *big.Int { return j.movement[others] }),
		amount(colLedger, func(j judged) any { return j.Expected }),
		amount(colProvider, func(j judged) any { return j.Actual }),
		amount(colDifference, judged.difference),
		instant("Since", func(j judged) any { return j.From }),
		instant("Observed", func(j judged) any { return j.ObservedAt }),
		text("Counts", 16, func(j judged) string { return j.Basis }),
		long("Why not checkable", 40, func(j judged) string { return j.Judgement.Reason }),
		text("Finding", 21, func(j judged) string { return j.FindingID }),
		instant("Differs since", func(j judged) any { return j.Judgement.Since }),
		text(colCode, 15, func(j judged) string { return string(j.Code) }),
		text("Card id", 30, func(j judged) string { return j.CardID }),
	})
}

// rollForwardCSV is the same for machines.
func (f *facts) rollForwardCSV(ctx context.Context) table.Table {
	return build("roll_forward", len(f.Judgements), f.judged(ctx), []column[judged]{
		text("source", 0, func(j judged) string { return j.Source }),
		text("provider", 0, func(j judged) string { return string(j.Provider) }),
		text("card_id", 0, func(j judged) string { return j.CardID }),
		text("card_name", 0, func(j judged) string { return j.CardName }),
		text("card_last4", 0, func(j judged) string { return j.CardLast4 }),
		text("code", 0, func(j judged) string { return string(j.Code) }),
		text("figure", 0, func(j judged) string { return j.Figure }),
		text("verdict", 0, func(j judged) string { return string(j.Verdict) }),
		text("currency", 0, judged.currency),
		moved("opening", func(j judged) *big.Int { return j.opening }),
		moved("topups", func(j judged) *big.Int { return j.movement[topUps] }),
		moved("withdrawals", func(j judged) *big.Int { return j.movement[withdrawals] }),
		moved("purchases_fees", func(j judged) *big.Int { return j.movement[purchases] }),
		moved("refunds_reversals", func(j judged) *big.Int { return j.movement[refunds] }),
		moved("other", func(j judged) *big.Int { return j.movement[others] }),
		amount("expected", func(j judged) any { return j.Expected }),
		amount("actual", func(j judged) any { return j.Actual }),
		amount("difference", judged.difference),
		instant("since", func(j judged) any { return j.From }),
		instant("observed_at", func(j judged) any { return j.ObservedAt }),
		text("basis", 0, func(j judged) string { return j.Basis }),
		text("why", 0, func(j judged) string { return j.Judgement.Reason }),
		text("finding_id", 0, func(j judged) string { return j.FindingID }),
		instant("differs_since", func(j judged) any { return j.Judgement.Since }),
	})
}

func (f *facts) judged(ctx context.Context) func(yield func(judged, error) bool) {
	return func(yield func(judged, error) bool) {
		for _, j := range f.Judgements {
			r, err := f.rollForward(ctx, j)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func judgementWord(v schema.JudgementVerdict) table.Word {
	tones := map[schema.JudgementVerdict]table.Tone{schema.Agreed: table.Good, schema.Differs: table.Bad, schema.NotCheckable: table.Warn}
	return table.Word{Text: string(v), Tone: tones[v]}
}
