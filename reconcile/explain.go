package reconcile

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// The explanations of a drift, in the order in which they are tried (NORMALIZATION 3).
const (
	inFlight       = "in flight"
	dayBoundary    = "day boundary"
	factor100      = "factor 100"
	openingFunding = "opening funding"
	wrongSign      = "sign"
	oneEntry       = "one entry"
	declines       = "declines counted"
	twoEntries     = "two entries"
)

// The bounds of the search. Among many entries some pair equals any difference by chance, so pairs are only sought
// among the entries nearest to the moment of the figure.
const (
	flightTime = 15 * time.Minute // how near to the moment an entry is in flight
	margin     = 72 * time.Hour   // how far outside of the window an entry may lie that the provider counts
	pairSearch = 512              // among how many entries a pair is sought
)

// explanation is what covers a whole difference. The zero explanation is none.
type explanation struct {
	name     string
	leftOut  bool // the entries are in the ledger's sum and seem not to be in the provider's figure; else the reverse
	entries  []*schema.Entry
	boundary time.Time // day boundary: where the provider's window seems to begin
}

// shift is an entry, or a posting row with its authorizations, and what the difference would be if the provider saw it
// the other way round than the ledger.
type shift struct {
	entries []*schema.Entry
	delta   int64
	at      time.Time // the instant of the entry nearest to the moment of the figure
	in      bool      // it is in the ledger's sum
}

// around explains a difference by entries in flight. The provider's figure may be of a slightly other moment, so what is
// tried is one entry, then everything between the moment and an earlier or later one, then all of them.
func (b *books) around(on basis, difference int64) (explanation, bool) {
	var before, after []shift // in the sum; not in the sum
	for _, l := range b.lines {
		s, ok := b.flight(l, on)
		switch {
		case !ok:
		case s.in:
			before = append(before, s)
		default:
			after = append(after, s)
		}
	}
	b.nearestFirst(before)
	b.nearestFirst(after)
	for _, s := range slices.Concat(before, after) {
		if s.delta == difference {
			return explanation{name: inFlight, leftOut: s.in, entries: s.entries}, true
		}
	}
	for _, side := range [][]shift{before, after} {
		var sum tally
		for n, s := range side {
			sum.add(s.delta)
			if sum.minor == difference && !sum.overflow {
				return explanation{name: inFlight, leftOut: s.in, entries: entriesOf(side[:n+1])}, true
			}
		}
	}
	all := slices.Concat(before, after)
	var sum tally
	for _, s := range all {
		sum.add(s.delta)
	}
	if len(all) > 0 && sum.minor == difference && !sum.overflow {
		return explanation{name: inFlight, entries: entriesOf(all)}, true
	}
	return explanation{}, false
}

// flight is the shift of an entry that counts, or stands for one, and that occurred or posted within flightTime of the
// moment.
func (b *books) flight(l line, on basis) (shift, bool) {
	at, near := b.nearest(l.entry)
	s := shift{entries: []*schema.Entry{l.entry}, at: at, in: b.counts(l, on)}
	if near > flightTime || (!l.entry.Status.Counted() && !s.in) || (b.figure != schema.Balance && l.at.Before(b.from)) {
		return shift{}, false
	}
	if len(l.shadow) > 0 && l.entry.PostedAt.Sub(b.observed).Abs() > flightTime {
		return shift{}, false // what is in flight is its authorization, a line of its own
	}
	var sum tally
	if s.in {
		sum.sub(l.effect)
	} else {
		sum.add(l.effect)
	}
	for _, i := range l.shadow {
		if on == onPosted {
			break
		}
		a := b.lines[i]
		switch {
		case b.counts(a, on): // it stands for the row: the two change places
			sum.sub(a.effect)
		case s.in && !a.entry.OccurredAt.After(b.observed):
			sum.add(a.effect)
		default:
			continue
		}
		s.entries = append(s.entries, a.entry)
	}
	s.delta = sum.minor
	return s, s.delta != 0 && !sum.overflow
}

// nearest is the time of an entry that is nearest to the moment, and how near that is.
func (b *books) nearest(e *schema.Entry) (time.Time, time.Duration) {
	at, near := e.OccurredAt, e.OccurredAt.Sub(b.observed).Abs()
	if !e.PostedAt.IsZero() {
		if d := e.PostedAt.Sub(b.observed).Abs(); d < near {
			at, near = e.PostedAt, d
		}
	}
	return at, near
}

func (b *books) nearestFirst(shifts []shift) {
	slices.SortFunc(shifts, func(x, y shift) int {
		return cmp.Or(cmp.Compare(x.at.Sub(b.observed).Abs(), y.at.Sub(b.observed).Abs()),
			strings.Compare(x.entries[0].ExternalID, y.entries[0].ExternalID))
	})
}

func entriesOf(shifts []shift) []*schema.Entry {
	var all []*schema.Entry
	for _, s := range shifts {
		all = append(all, s.entries...)
	}
	return all
}

// boundary explains a difference by the entries between the start of the window and the starts it would have in UTC.
func (b *books) boundary(on basis, difference int64, starts []time.Time) (explanation, bool) {
	for _, start := range starts {
		x := explanation{name: dayBoundary, leftOut: start.After(b.from), boundary: start}
		var sum tally
		for _, l := range b.lines {
			here, there := b.counts(l, on), b.countsFrom(l, on, start)
			switch {
			case here && !there:
				sum.sub(l.effect)
			case there && !here:
				sum.add(l.effect)
			default:
				continue
			}
			x.entries = append(x.entries, l.entry)
		}
		if len(x.entries) > 0 && sum.minor == difference && !sum.overflow {
			return x, true
		}
	}
	return explanation{}, false
}

// hundredfold says whether one figure is exactly a hundred times the other.
func hundredfold(a, b int64) bool {
	times := func(x, y int64) bool { return y != 0 && x%100 == 0 && x/100 == y }
	return times(a, b) || times(b, a)
}

// opposite says whether two figures are equal but for their sign.
func opposite(a, b int64) bool { return a != 0 && a != math.MinInt64 && a == -b }

// candidates are the entries of which the provider may see one the other way round than the ledger, nearest to the
// moment first: those in the sum; and those that are not, of any status but declined and failed, from margin before the
// window to margin after the moment.
func (b *books) candidates(on basis) []shift {
	var all []shift
	for _, l := range b.lines {
		s := shift{entries: []*schema.Entry{l.entry}, in: b.counts(l, on)}
		s.at, _ = b.nearest(l.entry)
		switch {
		case l.effect == 0 || l.effect == math.MinInt64 || l.entry.Amount.Currency() != b.currency:
			continue
		case s.in:
			s.delta = -l.effect
		case refused(l.entry) || s.at.After(b.observed.Add(margin)) || (!b.from.IsZero() && s.at.Before(b.from.Add(-margin))):
			continue
		default:
			s.delta = l.effect
		}
		all = append(all, s)
	}
	b.nearestFirst(all)
	return all
}

func refused(e *schema.Entry) bool { return e.Status == schema.Declined || e.Status == schema.Failed }

// single explains a difference by one entry of exactly that amount.
func single(candidates []shift, difference int64) (explanation, bool) {
	for _, s := range candidates {
		if s.delta == difference {
			return explanation{name: oneEntry, leftOut: s.in, entries: s.entries}, true
		}
	}
	return explanation{}, false
}

// pair explains a difference by two of the nearest entries, both left out or both in.
func pair(candidates []shift, difference int64) (explanation, bool) {
	type need struct {
		delta int64
		in    bool
	}
	seen := map[need]shift{}
	for _, s := range candidates[:min(len(candidates), pairSearch)] {
		if other, ok := seen[need{difference - s.delta, s.in}]; ok {
			return explanation{name: twoEntries, leftOut: s.in, entries: append(slices.Clone(other.entries), s.entries...)}, true
		}
		if _, ok := seen[need{s.delta, s.in}]; !ok {
			seen[need{s.delta, s.in}] = s
		}
	}
	return explanation{}, false
}

// refusals explains a difference by the declined and failed entries of the window: all of them, or one.
func (b *books) refusals(difference int64) (explanation, bool) {
	var all []*schema.Entry
	var one *schema.Entry
	var sum tally
	for _, l := range b.lines {
		at := l.entry.OccurredAt
		if !refused(l.entry) || at.After(b.observed) || at.Before(b.from) || l.entry.Amount.Currency() != b.currency {
			continue
		}
		all = append(all, l.entry)
		sum.add(l.effect)
		if l.effect == difference {
			one = l.entry
		}
	}
	switch {
	case len(all) > 0 && sum.minor == difference && !sum.overflow:
		return explanation{name: declines, entries: all}, true
	case one != nil:
		return explanation{name: declines, entries: []*schema.Entry{one}}, true
	}
	return explanation{}, false
}
