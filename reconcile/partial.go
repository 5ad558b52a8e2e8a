package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
)

// incompleteBasis ends the basis of a figure that was computed over transactions which are not known to be all there.
const incompleteBasis = "coverage incomplete"

// SayCoverage adds to each limit-breach that rests on the sum of a window where the transactions of the window are not known
// to be complete: the sum may be short of some. The other checks that sum say themselves what they cannot check. The hours
// since the last sync are no gap.
func SayCoverage(ctx context.Context, v schema.View, p schema.Period, cfg Config, findings []schema.Finding) error {
	covered, err := readCoverage(ctx, v)
	if err != nil {
		return err
	}
	lookback := map[string]int{}
	start := map[string]time.Time{}
	for _, s := range cfg.Sources {
		lookback[s.Name], start[s.Name] = s.LookbackDays, s.Start
	}
	for i := range findings {
		f := &findings[i]
		if f.Code != schema.LimitBreach || f.Reason != computedOverLimit {
			continue
		}
		w := schema.Window{From: schema.Beginning, To: p.Now}
		for _, t := range []time.Time{f.PeriodFrom, start[f.Source]} {
			if t.After(w.From) {
				w.From = t
			}
		}
		// Rows that happened in the window are listed later, when they post.
		if end := f.PeriodTo.AddDate(0, 0, lookback[f.Source]); !f.PeriodTo.IsZero() && end.Before(w.To) {
			w.To = end
		}
		at, missing := covered.gap(f.Source, w)
		if !missing || w.To.Sub(at) < 24*time.Hour {
			continue
		}
		since := "after " + timeText(at, p.Zone)
		if at.Equal(w.From) {
			since = "from the window's beginning on"
		}
		f.Basis += ", " + incompleteBasis
		f.Message += fmt.Sprintf(" The transactions of %s are not known to be complete %s, so the spend may be more.", f.Source, since)
	}
	return nil
}
