package reports

import (
	"context"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// rollForwardSheet lists what became of every figure that was compared or could not be.
const rollForwardSheet = "Roll-forward"

// Names of columns that figures of other sheets are computed from.
const (
	colFigure     = "Figure"
	colVerdict    = "Verdict"
	colOpening    = "Opening"
	colOutside    = "Outside the period"
	colLedger     = "Ledger"
	colProvider   = "Provider"
	colDifference = "Difference"
	colExplained  = "Explained"
	colCheck      = "Check (must be 0)"
	colObserved   = "Observed"
)

// withinTolerance stands where others have an explanation: the figures agree, and are not equal.
const withinTolerance = "within tolerance"

// judged is a judgement and how the ledger comes to its sum: what was there before the period, what counts though it is not on
// the sheet Ledger, and what moved in the period. All of it has the signs of the ledger; of a spend figure the sum is turned.
type judged struct {
	schema.Judgement
	opening  *big.Int // nil: not broken down
	outside  *big.Int
	movement [len(movements)]*big.Int
	live     bool // the sheet can sum the movements itself
	drift    schema.Finding
}

// movements are the columns of what moved, with the kinds of entries that each takes in.
var movements = [...]struct {
	name, csv string
	kinds     []schema.Kind
}{
	{"Top-ups", "topups", []schema.Kind{schema.TopUp}},
	{"Withdrawals", "withdrawals", []schema.Kind{schema.Withdrawal}},
	{"Purchases, fees", "purchases_fees", []schema.Kind{schema.Purchase, schema.Fee}},
	{"Refunds, reversals", "refunds_reversals", []schema.Kind{schema.Refund, schema.Reversal}},
	{"Other", "other", []schema.Kind{schema.Transfer, schema.Adjustment}},
}

func movementOf(k schema.Kind) int {
	for i, m := range movements {
		if slices.Contains(m.kinds, k) {
			return i
		}
	}
	return len(movements) - 1
}

// isBalance says whether the figure is a balance; the others are spend, positive where money was spent.
func (j judged) isBalance() bool { return j.Figure == string(schema.Balance) }

// spendKinds are the kinds that spend is made of.
func spendKinds() []schema.Kind {
	return []schema.Kind{schema.Purchase, schema.Fee, schema.Refund, schema.Reversal}
}

// span is what a judgement sums: entries that count, by the instant that decides.
func (j judged) span(e schema.Entry) bool {
	if !e.Status.Counted() || e.Amount.Currency() != j.Expected.Currency() {
		return false
	}
	posted := e.Status == schema.Posted && !e.PostedAt.IsZero() && !e.PostedAt.After(j.ObservedAt)
	if j.isBalance() {
		return posted
	}
	decides := e.OccurredAt
	switch {
	case !slices.Contains(spendKinds(), e.Kind):
		return false
	case e.Kind == schema.Refund:
		if !posted {
			return false
		}
		decides = e.PostedAt
	case j.Basis == "posted" && !posted:
		return false
	}
	return !decides.Before(j.From) && !decides.After(j.ObservedAt)
}

// rollForward breaks one judgement down. What does not come to the sum that was compared is not shown: a balance that was
// carried on from an earlier agreement, or an authorization that stands in for its posting.
func (f *facts) rollForward(ctx context.Context, j schema.Judgement) (judged, error) {
	r := judged{Judgement: j, drift: f.Drifts[KeyOf(j)]}
	if j.Code != schema.BalanceDrift || !j.Expected.Known() || r.isBalance() && !j.From.IsZero() {
		return r, nil
	}
	opening, outside, sum := new(big.Int), new(big.Int), new(big.Int)
	var movement [len(movements)]*big.Int
	for i := range movement {
		movement[i] = new(big.Int)
	}
	live := f.cardNo[cardKey{j.Source, j.CardID}] > 0 && len(f.Judgements)*f.ledgerLen <= mostLookups
	for e, err := range f.within(ctx, r) {
		if err != nil {
			return r, fmt.Errorf("read entries (%s, card %s): %w", j.Source, j.CardID, err)
		}
		inside := f.Period.Contains(e.OccurredAt)
		counts := r.span(e)
		if inside && counts != f.onSheet(r, e) {
			live = false
		}
		if !counts {
			continue
		}
		amount := big.NewInt(e.Amount.Minor())
		sum.Add(sum, amount)
		switch {
		case inside:
			movement[movementOf(e.Kind)].Add(movement[movementOf(e.Kind)], amount)
		case r.isBalance() && e.OccurredAt.Before(f.Period.From) && e.PostedAt.Before(f.Period.From):
			opening.Add(opening, amount)
		default:
			outside.Add(outside, amount)
		}
	}
	if !r.isBalance() {
		sum.Neg(sum)
	}
	if sum.Cmp(big.NewInt(j.Expected.Minor())) == 0 {
		r.opening, r.outside, r.movement, r.live = opening, outside, movement, live
	}
	return r, nil
}

// within yields the entries of a card that a judgement may sum, and those that the sheet may take for such: all of them for a
// balance, else those of the window, and of a day before it because the sheet goes by wall time.
func (f *facts) within(ctx context.Context, j judged) iter.Seq2[schema.Entry, error] {
	all := schema.EntryFilter{Source: j.Source, CardID: j.CardID, Brief: true}
	if j.isBalance() || j.From.IsZero() {
		return f.View.Entries.Entries(ctx, all)
	}
	from := j.From.AddDate(0, 0, -1)
	late, inside := all, all
	late.Occurred.To, late.Posted.From, inside.Occurred.From = from, from, from
	return func(yield func(schema.Entry, error) bool) {
		for _, filter := range []schema.EntryFilter{late, inside} {
			for e, err := range f.View.Entries.Entries(ctx, filter) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// mostLookups is how many comparisons of a card with an entry are left to the spreadsheet. Beyond, the movements are numbers:
// a workbook that takes minutes to open is no help.
const mostLookups = 20_000_000

// onSheet is span as the formulas on the sheet see it: by wall time, in which an hour of the year comes twice.
func (f *facts) onSheet(j judged, e schema.Entry) bool {
	wall := func(t time.Time) time.Time {
		t = t.In(f.Period.Zone)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	}
	e.OccurredAt, j.ObservedAt = wall(e.OccurredAt), wall(j.ObservedAt)
	if !e.PostedAt.IsZero() {
		e.PostedAt = wall(e.PostedAt)
	}
	if !j.From.IsZero() {
		j.From = wall(j.From)
	}
	return j.span(e)
}

// moves is a movement as a formula over the sheet Ledger.
func (j judged) moves(i int) any {
	value := figure(j.movement[i], j.Expected.Currency())
	if !j.live {
		return value
	}
	calc := table.Calc{Value: value}
	for _, kind := range movements[i].kinds {
		if !j.isBalance() && !slices.Contains(spendKinds(), kind) {
			continue
		}
		criteria := []table.Criterion{
			{Column: colCardNo, Beside: table.Here(colCardNo)},
			{Column: colKind, Value: string(kind)},
			{Column: colCurrency, Beside: table.Here(colCurrency)},
		}
		decides, posted := colOccurred, j.isBalance() || kind == schema.Refund || j.Basis == "posted"
		if posted {
			criteria = append(criteria, table.Criterion{Column: colStatus, Value: string(schema.Posted)}, table.Criterion{Column: colPosted, Op: "<=", Beside: table.Here(colObserved)})
		} else {
			criteria = append(criteria, table.Criterion{Column: colCounted, Value: "yes"})
		}
		if kind == schema.Refund {
			decides = colPosted
		}
		if !j.isBalance() {
			criteria = append(criteria, table.Criterion{Column: decides, Op: "<=", Beside: table.Here(colObserved)})
			if !j.From.IsZero() {
				criteria = append(criteria, table.Criterion{Column: decides, Op: ">=", Beside: table.Here(colSince)})
			}
		}
		calc.Plus = append(calc.Plus, table.Foot{Sheet: ledgerSheet, Sum: colAmount, Where: criteria})
	}
	if len(calc.Plus) == 0 {
		return value
	}
	return calc
}

// closing is the ledger's sum as a formula over what it is made of.
func (j judged) closing() any {
	if j.opening == nil {
		return j.Expected
	}
	parts := []any{table.Here(colOpening), table.Here(colOutside)}
	for _, m := range movements {
		parts = append(parts, table.Here(m.name))
	}
	calc := table.Calc{Value: table.Decimal(j.Expected.String())}
	if j.isBalance() {
		calc.Plus = parts
	} else {
		calc.Minus = parts
	}
	return calc
}

// part is a column of what the ledger's sum is made of.
func part(name string, of func(judged) any) column[judged] {
	return amount(name, func(j judged) any {
		if j.opening == nil {
			return nil
		}
		return of(j)
	})
}

// parts are the columns of what the ledger's sum is made of.
func parts(csv bool) []column[judged] {
	name := func(sheet, file string) string {
		if csv {
			return file
		}
		return sheet
	}
	columns := []column[judged]{
		part(name(colOpening, "opening"), func(j judged) any { return figure(j.opening, j.Expected.Currency()) }),
		part(name(colOutside, "outside_the_period"), func(j judged) any { return figure(j.outside, j.Expected.Currency()) }),
	}
	for i, m := range movements {
		columns = append(columns, part(name(m.name, m.csv), func(j judged) any { return j.moves(i) }))
	}
	return columns
}

// difference is the provider's figure less the ledger's; unknown where either is.
func (j judged) difference() string {
	return schema.Finding{Expected: j.Expected, Actual: j.Actual}.Difference()
}

func (j judged) compared() bool {
	return j.Expected.Known() && j.Actual.Known() && j.Verdict != schema.NotCheckable
}

// unexplained is what no explanation covers.
func (j judged) unexplained() any {
	switch {
	case !j.compared():
		return nil
	case j.Verdict == schema.Agreed:
		return table.Decimal(money.FromMinor(0, j.Expected.Currency()).String())
	case j.drift.Unexplained.Known():
		return j.drift.Unexplained
	}
	return table.Decimal(j.difference())
}

// explained is the difference less what is unexplained.
func (j judged) explained() any {
	if !j.compared() {
		return nil
	}
	rest := j.unexplained()
	text, ok := rest.(table.Decimal)
	if a, isAmount := rest.(money.Amount); isAmount {
		text, ok = table.Decimal(a.String()), true
	}
	if !ok {
		return nil
	}
	return subtract(table.Decimal(j.difference()), text)
}

// explanation is what covers the explained part; a difference without one that agrees is within the tolerance.
func (j judged) explanation() string {
	if j.Verdict == schema.Agreed && j.compared() && j.Expected != j.Actual {
		return withinTolerance
	}
	return j.drift.Explanation
}

func (j judged) currency() string {
	return schema.Finding{Expected: j.Expected, Actual: j.Actual}.Currency()
}

// rollForwardTable is every figure that was compared, agreed or not, and every one that could not be.
func (f *facts) rollForwardTable(ctx context.Context) table.Table {
	return build(rollForwardSheet, len(f.Judgements), f.judged(ctx), slices.Concat([]column[judged]{
		text(colSource, 13, func(j judged) string { return j.Source }),
		count(colCardNo, 7, func(j judged) any { return f.cardNumber(j.Source, j.CardID) }),
		linked("Card name", 28, func(j judged) any { return f.cardLink(j.Source, j.CardID, j.CardName) }),
		text("Last 4", 8, func(j judged) string { return j.CardLast4 }),
		text(colFigure, 15, func(j judged) string { return j.Figure }),
		word(colVerdict, 14, func(j judged) table.Word { return judgementWord(j.Verdict) }),
		text(colCurrency, 9, judged.currency),
	}, parts(false), []column[judged]{
		amount(colLedger, judged.closing),
		amount(colProvider, func(j judged) any { return j.Actual }),
		amount(colDifference, func(j judged) any {
			if !j.compared() {
				return table.Decimal(j.difference())
			}
			return table.Calc{Plus: []any{table.Here(colProvider)}, Minus: []any{table.Here(colLedger)}, Value: table.Decimal(j.difference())}
		}),
		amount(colExplained, judged.explained),
		text(colExplanation, 18, judged.explanation),
		amount(colUnexplained, judged.unexplained),
		amount(colCheck, func(j judged) any {
			if !j.compared() {
				return nil
			}
			return table.Calc{
				Plus: []any{table.Here(colDifference)}, Minus: []any{table.Here(colExplained), table.Here(colUnexplained)}, Check: true,
				Value: table.Decimal(money.FromMinor(0, j.Expected.Currency()).String()),
			}
		}),
		instant(colSince, func(j judged) any { return j.From }),
		instant(colObserved, func(j judged) any { return j.ObservedAt }),
		text("Counts", 25, func(j judged) string { return j.Basis }),
		long("Why not checkable", 40, func(j judged) string { return j.Judgement.Reason }),
		linked(colFinding, 21, func(j judged) any {
			if link, ok := f.findingAt[j.FindingID]; ok {
				return link
			}
			return j.FindingID
		}),
		instant("Differs since", func(j judged) any { return j.Judgement.Since }),
		text(colCode, 17, func(j judged) string { return string(j.Code) }),
		text("Card id", cardIDWidth, func(j judged) string { return j.CardID }),
	}))
}

// rollForwardCSV is the same for machines.
func (f *facts) rollForwardCSV(ctx context.Context) table.Table {
	return build("roll_forward", len(f.Judgements), f.judged(ctx), slices.Concat([]column[judged]{
		text("source", 0, func(j judged) string { return j.Source }),
		text("provider", 0, func(j judged) string { return string(j.Provider) }),
		text("card_id", 0, func(j judged) string { return j.CardID }),
		text("card_name", 0, func(j judged) string { return j.CardName }),
		text("card_last4", 0, func(j judged) string { return j.CardLast4 }),
		text("code", 0, func(j judged) string { return string(j.Code) }),
		text("figure", 0, func(j judged) string { return j.Figure }),
		text("verdict", 0, func(j judged) string { return string(j.Verdict) }),
		text("currency", 0, judged.currency),
	}, parts(true), []column[judged]{
		amount("expected", func(j judged) any { return j.Expected }),
		amount("actual", func(j judged) any { return j.Actual }),
		amount("difference", func(j judged) any { return table.Decimal(j.difference()) }),
		amount("explained", judged.explained),
		text("explanation", 0, judged.explanation),
		amount("unexplained", judged.unexplained),
		instant("since", func(j judged) any { return j.From }),
		instant("observed_at", func(j judged) any { return j.ObservedAt }),
		text("basis", 0, func(j judged) string { return j.Basis }),
		text("why", 0, func(j judged) string { return j.Judgement.Reason }),
		text("finding_id", 0, func(j judged) string { return j.FindingID }),
		instant("differs_since", func(j judged) any { return j.Judgement.Since }),
	}))
}

func (f *facts) judged(ctx context.Context) func(yield func(judged, error) bool) {
	return func(yield func(judged, error) bool) {
		for i := range f.Judgements {
			r, err := f.judgedAt(ctx, i)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// judgedAt is a judgement broken down, which is done once for all formats. They are asked for in order, by each format.
func (f *facts) judgedAt(ctx context.Context, i int) (judged, error) {
	f.rolling.Lock()
	defer f.rolling.Unlock()
	if i == len(f.rolled) {
		r, err := f.rollForward(ctx, f.Judgements[i])
		if err != nil {
			return r, err
		}
		f.rolled = append(f.rolled, r)
	}
	return f.rolled[i], nil
}

func judgementWord(v schema.JudgementVerdict) table.Word {
	tones := map[schema.JudgementVerdict]table.Tone{schema.Agreed: table.Good, schema.Differs: table.Bad, schema.NotCheckable: table.Warn}
	return table.Word{Text: string(v), Tone: tones[v]}
}

// subtract is a − b as decimal text with the digits of a.
func subtract(a, b table.Decimal) any {
	x, err := decimal.NewFromString(string(a))
	if err != nil {
		return nil
	}
	y, err := decimal.NewFromString(string(b))
	if err != nil {
		return nil
	}
	return table.Decimal(x.Sub(y).StringFixed(-x.Exponent()))
}
