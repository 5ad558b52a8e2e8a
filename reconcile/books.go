package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// basis says which entries a sum counts.
type basis int

const (
	onPosted basis = iota
	withPending
)

func (b basis) String() string { return [...]string{"posted", "posted + pending"}[b] }

// standing is how an entry stood at one moment.
type standing int

const (
	standsOut     standing = iota // counts in no sum
	standsPending                 // counted, had occurred, had not posted
	standsPosted                  // counted and posted
)

// line is an entry as one figure sees it at one moment.
type line struct {
	entry  *schema.Entry
	effect int64     // what it adds to the figure where it is counted
	at     time.Time // the instant that decides whether it lies in the window
	stands standing
	shadow []int // of a posting row: the authorizations that stand for it until it posts
}

// linkedPending says that the entry is pending, and linked to another that may stand for it.
func (l line) linkedPending() bool {
	return l.stands == standsPending && l.entry.LinkedID != "" && l.entry.Status != schema.Superseded
}

// books is what the ledger says of one figure of one card at one moment.
type books struct {
	figure   schema.FigureName
	currency money.Currency
	from     time.Time // start of what is summed; zero: the card's beginning
	observed time.Time
	lines    []line
	sum      [2]int64 // by basis
	open     bool     // a link of some row leads to none of the entries: with it, the sums might be others
}

// booksAt sums the entries of a card for a figure (NORMALIZATION 3): a balance over all kinds, on the posted basis; the
// other figures over spend. Entries in another currency, and a sum that leaves int64, are errors.
func booksAt(entries []schema.Entry, figure schema.FigureName, currency money.Currency, from, observed time.Time) (books, error) {
	b := books{figure: figure, currency: currency, from: from, observed: observed, lines: make([]line, len(entries))}
	for i := range entries {
		e := &entries[i]
		if e.Status.Counted() && e.Amount.Currency() != currency {
			return books{}, fmt.Errorf("the figure is in %s and entry %s in %s", currency, idText(e.ID()), e.Amount.Currency())
		}
		effect := e.Amount
		at := e.OccurredAt
		if figure == schema.Balance {
			if t := postedAt(*e); !t.IsZero() {
				at = t
			}
		} else {
			var err error
			if effect, err = e.Amount.Neg(); err != nil {
				return books{}, fmt.Errorf("entry %s: %w", idText(e.ID()), err)
			}
			if t, ok := spendTime(*e); ok {
				at = t
			}
		}
		b.lines[i] = line{entry: e, effect: effect.Minor(), at: at, stands: standingAt(*e, observed)}
	}
	b.standIn()
	var sums [2]tally
	for _, l := range b.lines {
		for _, on := range []basis{onPosted, withPending} {
			if b.counts(l, on) {
				sums[on].add(l.effect)
			}
		}
	}
	for on, s := range sums {
		if err := s.err(); err != nil {
			return books{}, err
		}
		b.sum[on] = s.minor
	}
	return b, nil
}

// standingAt is the standing of an entry on its own.
func standingAt(e schema.Entry, observed time.Time) standing {
	posted := postedAt(e)
	switch {
	case !e.Status.Counted():
		return standsOut
	case !posted.IsZero() && !posted.After(observed):
		return standsPosted
	case !e.OccurredAt.After(observed):
		return standsPending
	}
	return standsOut
}

// standIn puts authorizations back where the rows that replaced them had not posted yet: a superseded row whose link
// leads to such a row is pending, and that row, with every other of the same authorization, is out.
func (b *books) standIn() {
	if !slices.ContainsFunc(b.lines, func(l line) bool { return l.entry.Status == schema.Superseded || l.linkedPending() }) {
		return
	}
	byID := make(map[string]int, len(b.lines))
	for i, l := range b.lines {
		byID[l.entry.ExternalID] = i
	}
	standsFor := map[int]bool{}
	for i, l := range b.lines {
		if l.entry.Status != schema.Superseded {
			continue
		}
		final, ok := b.replacement(byID, l.entry.LinkedID)
		if !ok {
			continue
		}
		b.lines[final].shadow = append(b.lines[final].shadow, i)
		if b.lines[final].stands != standsPosted && !l.entry.OccurredAt.After(b.observed) {
			b.lines[i].stands = standsPending
			b.lines[final].stands = standsOut
			standsFor[i] = true
		}
	}
	for i, l := range b.lines {
		if !l.linkedPending() {
			continue
		}
		if of, ok := byID[l.entry.LinkedID]; ok && standsFor[of] {
			b.lines[i].stands = standsOut // another part of the same authorization, not posted either
		} else {
			b.open = true // an authorization that is not among the entries may stand for it
		}
	}
}

// replacement follows links from a superseded row to the counted row that replaced it.
func (b *books) replacement(byID map[string]int, id string) (int, bool) {
	for range 4 { // a reversal leads to its authorization, that to its clearing row: longer chains are no statement
		i, ok := byID[id]
		if !ok {
			b.open = true
			return 0, false
		}
		e := b.lines[i].entry
		if e.Status.Counted() {
			return i, true
		}
		if e.Status != schema.Superseded {
			return 0, false
		}
		id = e.LinkedID
	}
	return 0, false
}

// counts says whether a line is in the sum of a basis.
func (b *books) counts(l line, on basis) bool { return b.countsFrom(l, on, b.from) }

// countsFrom says it for a window that starts elsewhere.
func (b *books) countsFrom(l line, on basis, from time.Time) bool {
	if l.stands == standsOut || (l.stands == standsPending && on == onPosted) {
		return false
	}
	if b.figure == schema.Balance {
		return true
	}
	switch l.entry.Kind {
	case schema.Purchase, schema.Fee, schema.Reversal:
	case schema.Refund:
		if l.stands != standsPosted || l.entry.Status != schema.Posted {
			return false
		}
	default:
		return false
	}
	return !l.at.Before(from) && !l.at.After(b.observed)
}
