package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// coverage holds, for each source, the windows over which its transactions are known complete: in order, apart.
type coverage map[string][]schema.Window

func readCoverage(ctx context.Context, v schema.View) (coverage, error) {
	c := coverage{}
	for r, err := range v.Completeness.Completeness(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read completeness: %w", err)
		}
		if r.Stream == schema.Transactions && r.Verdict == schema.VerdictComplete && r.Window.From.Before(r.Window.To) {
			c[r.Source] = append(c[r.Source], r.Window)
		}
	}
	for source, windows := range c {
		c[source] = merge(windows)
	}
	return c, nil
}

func merge(windows []schema.Window) []schema.Window {
	slices.SortFunc(windows, func(a, b schema.Window) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To))
	})
	merged := windows[:1]
	for _, w := range windows[1:] {
		last := &merged[len(merged)-1]
		switch {
		case w.From.After(last.To):
			merged = append(merged, w)
		case w.To.After(last.To):
			last.To = w.To
		}
	}
	return merged
}

// gap is the first instant of w that is not covered; false where all of w is.
func (c coverage) gap(source string, w schema.Window) (time.Time, bool) {
	at := w.From
	for _, covered := range c[source] {
		if covered.Contains(at) {
			at = covered.To
		}
	}
	return at, at.Before(w.To)
}

// covers says whether the transactions of a source are complete over all of w. A window that ends at w.To covers to it.
func (c coverage) covers(source string, w schema.Window) bool {
	_, missing := c.gap(source, w)
	return !missing
}
