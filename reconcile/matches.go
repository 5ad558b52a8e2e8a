package reconcile

import (
	"context"
	"fmt"

	"github.com/tieout/tieout/schema"
)

// matches is what people decided about proposed top-ups.
type matches struct {
	confirmed map[string]schema.Match // by entry_id, the latest
	refused   map[pairKey]bool
}

// pairKey is a reference of the books and the entry_id of a top-up.
type pairKey struct{ reference, entry string }

// readMatches reads the decisions on references that the books still have.
func readMatches(ctx context.Context, v schema.View, booked map[string]bool) (matches, error) {
	m := matches{confirmed: map[string]schema.Match{}, refused: map[pairKey]bool{}}
	for one, err := range v.Matches.Matches(ctx) {
		if err != nil {
			return m, fmt.Errorf("read matches: %w", err)
		}
		_, known := booked[one.Reference]
		switch {
		case !known:
		case !one.Confirmed:
			m.refused[pairKey{one.Reference, one.EntryID}] = true
		case m.confirmed[one.EntryID].Run <= one.Run:
			m.confirmed[one.EntryID] = one
		}
	}
	return m, nil
}

// reference is what a top-up counts under: its own reference where the books know that, else the one that a person
// confirmed it under.
func (m matches) reference(e schema.Entry, own string, booked map[string]bool) string {
	if _, known := booked[own]; known && own != "" {
		return own
	}
	if one, ok := m.confirmed[e.ID()]; ok {
		return one.Reference
	}
	return own
}
