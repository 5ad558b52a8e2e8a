package reconcile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// postedAt is when an entry posted: zero where it did not. A row that the provider calls posted without saying when
// counts as posted when it occurred.
func postedAt(e schema.Entry) time.Time {
	if e.PostedAt.IsZero() && e.Status == schema.Posted {
		return e.OccurredAt
	}
	return e.PostedAt
}

// spendTime says whether an entry is part of spend, and the instant at which it counts (NORMALIZATION 2): counted
// purchases, fees and reversals when they occurred, posted refunds when they posted. Nothing else is spend.
func spendTime(e schema.Entry) (time.Time, bool) {
	switch e.Kind {
	case schema.Purchase, schema.Fee, schema.Reversal:
		return e.OccurredAt, e.Status.Counted()
	case schema.Refund:
		return postedAt(e), e.Status == schema.Posted
	}
	return time.Time{}, false
}

// move is an entry at the instant at which it changes a card's spend.
type move struct {
	at    time.Time
	minor int64 // how much the spend grows; negative where room comes back
	entry *schema.Entry
}

// compared says whether the spend is held against a limit here. Refunds and reversals only give room back.
func (m move) compared() bool { return m.entry.Kind == schema.Purchase || m.entry.Kind == schema.Fee }

// spendMoves lists the moves of a card's spend by instant, then entry id, and the one currency they are in. It fails
// where the entries are in several currencies or an amount has no opposite: then there is no one spend.
func spendMoves(entries []schema.Entry) ([]move, money.Currency, error) {
	var moves []move
	var currency money.Currency
	for i := range entries {
		e := &entries[i]
		at, ok := spendTime(*e)
		if !ok {
			continue
		}
		if currency == (money.Currency{}) {
			currency = e.Amount.Currency()
		}
		if e.Amount.Currency() != currency {
			return nil, money.Currency{}, fmt.Errorf("its entries are in %s and %s", currency, e.Amount.Currency())
		}
		spent, err := e.Amount.Neg()
		if err != nil {
			return nil, money.Currency{}, fmt.Errorf("entry %s: %w", idText(e.ID()), err)
		}
		moves = append(moves, move{at: at, minor: spent.Minor(), entry: e})
	}
	slices.SortFunc(moves, func(a, b move) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.entry.ExternalID, b.entry.ExternalID))
	})
	return moves, currency, nil
}

// tally is a sum of minor units that remembers whether it ever left int64.
type tally struct {
	minor    int64
	overflow bool
}

func (t *tally) add(n int64) {
	if (n > 0 && t.minor > math.MaxInt64-n) || (n < 0 && t.minor < math.MinInt64-n) {
		t.overflow = true
	}
	t.minor += n
}

func (t *tally) sub(n int64) {
	if (n < 0 && t.minor > math.MaxInt64+n) || (n > 0 && t.minor < math.MinInt64+n) {
		t.overflow = true
	}
	t.minor -= n
}

// err is money.ErrOverflow once the sum has left int64.
func (t *tally) err() error {
	if t.overflow {
		return fmt.Errorf("sum of entries: %w", money.ErrOverflow)
	}
	return nil
}
