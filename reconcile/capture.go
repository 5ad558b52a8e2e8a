package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
)

// The explanations of a limit breach that there would not be if no purchase had been captured above its authorization.
const (
	capturedAbove = "captured above authorization" // some of it by more than a tip
	tip           = "tip"
)

// authorization is a superseded authorization of a card with what its reversals left of it.
type authorization struct {
	entry *schema.Entry
	minor int64 // positive
}

// authorizations are those of which the ledger holds what became of them, by external id.
func authorizations(a *account) map[string]*authorization {
	held := map[string]*authorization{}
	superseded := func(kind schema.Kind, do func(*schema.Entry)) {
		for i := range a.entries {
			if e := &a.entries[i]; e.Status == schema.Superseded && e.Kind == kind {
				do(e)
			}
		}
	}
	superseded(schema.Purchase, func(e *schema.Entry) {
		held[e.ExternalID] = &authorization{entry: e, minor: -e.Amount.Minor()}
	})
	superseded(schema.Reversal, func(e *schema.Entry) {
		if x := held[e.LinkedID]; x != nil {
			x.minor -= e.Amount.Minor()
		}
	})
	return held
}

// capture is a purchase that took its authorization above what was authorized.
type capture struct {
	authorization
	entry *schema.Entry
	above int64
}

// beyond says whether a capture is above its authorization by more than a tip.
func (c capture) beyond(percent int) bool {
	allowed := decimal.NewFromInt(c.minor).Mul(decimal.NewFromInt(int64(percent)))
	return decimal.NewFromInt(c.above).Shift(2).GreaterThan(allowed)
}

// reachLinked notes that the rows which moves are linked to matter, and the reversals of those, which do not come a day before
// what they reverse.
func (a *account) reachLinked(moves []move) {
	if a.since.IsZero() {
		return
	}
	at := make(map[string]time.Time, len(a.entries))
	for i := range a.entries {
		at[a.entries[i].ExternalID] = a.entries[i].OccurredAt
	}
	for _, m := range moves {
		if m.entry.LinkedID != "" && m.entry.Kind == schema.Purchase {
			a.reach(at[m.entry.LinkedID].AddDate(0, 0, -1))
		}
	}
}

// captures lists the purchases among moves that took an authorization above what was authorized, and gives the moves as
// they would be if none had.
func captures(a *account, moves []move) ([]capture, []move) {
	held := authorizations(a)
	a.reachLinked(moves)
	if len(held) == 0 {
		return nil, moves
	}
	left := map[string]int64{}
	for id, x := range held {
		left[id] = max(x.minor, 0)
	}
	var list []capture
	var authorized []move
	for _, m := range moves {
		id := m.entry.LinkedID
		if x := held[id]; x != nil && m.entry.Kind == schema.Purchase {
			if above := m.minor - left[id]; above > 0 {
				list = append(list, capture{authorization: *x, entry: m.entry, above: above})
				m.minor = left[id]
			}
			left[id] -= m.minor
		}
		authorized = append(authorized, m)
	}
	return list, authorized
}

// explain tells a breach that there is only because purchases were captured above their authorizations: with the
// explanation, the sentence for it and the entries that it rests on. moves are those of the breach's window.
func (l limitJudge) explain(a *account, h limitHistory, b breach, moves []move, zone *time.Location) (name, text string, evidence []string) {
	if i := slices.IndexFunc(moves, func(m move) bool { return m.entry == b.last.entry }); i >= 0 {
		moves = moves[:i+1] // what comes after the last entry over the limit did not lead to it
	}
	list, authorized := captures(a, moves)
	if len(list) == 0 {
		return "", "", nil
	}
	if as, err := window(h, authorized); err != nil || as.over {
		return "", "", nil
	}
	name = tip
	var parts []string
	for i, c := range list {
		evidence = append(evidence, c.entry.ID(), c.authorization.entry.ID())
		within := "within"
		if c.beyond(l.cfg.TipPercent) {
			name, within = capturedAbove, "more than"
		}
		if i >= namedEntries {
			continue
		}
		parts = append(parts, fmt.Sprintf("%s is %s above its authorization of %s (%s), %s a tip of %d %%", entryText(c.entry, zone),
			minorText(c.above, c.entry.Amount.Currency()), minorText(c.minor, c.entry.Amount.Currency()), idText(c.authorization.entry.ID()), within, l.cfg.TipPercent))
	}
	if more := len(list) - namedEntries; more > 0 {
		parts = append(parts, count(more, "more capture", "more captures"))
	}
	return name, fmt.Sprintf(" As authorized, the card stayed within its limit: %s.", strings.Join(parts, "; ")), evidence
}
