package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
)

// incompleteBasis ends the basis of a figure that was computed over transactions which are not known to be all there.
const incompleteBasis = "coverage incomplete"

// SayCoverage adds to the findings that rest on what was not known whole what that means for them: the spend of a window may
// be short of some, a pending row may have settled since it was read, a card may be on a list that was not read. The other
// checks that sum say themselves what they cannot check. The hours since the last sync are no gap.
func SayCoverage(ctx context.Context, v schema.View, p schema.Period, cfg Config, findings []schema.Finding) error {
	c := caveats{period: p, lookback: map[string]int{}, start: map[string]time.Time{}, listed: map[string]time.Time{}}
	var err error
	if c.covered, err = readCoverage(ctx, v); err != nil {
		return err
	}
	for r, err := range v.Completeness.Completeness(ctx) {
		if err != nil {
			return fmt.Errorf("read completeness: %w", err)
		}
		if r.Stream == schema.Cards && r.Verdict == schema.VerdictComplete && r.Window.To.After(c.listed[r.Source]) {
			c.listed[r.Source] = r.Window.To
		}
	}
	for _, s := range cfg.Sources {
		c.lookback[s.Name], c.start[s.Name] = s.LookbackDays, s.Start
	}
	for i := range findings {
		c.add(&findings[i])
	}
	return nil
}

// caveats knows what was read.
type caveats struct {
	period   schema.Period
	covered  coverage
	listed   map[string]time.Time // when the cards of a source were last listed to the end
	lookback map[string]int
	start    map[string]time.Time
}

func (c caveats) add(f *schema.Finding) {
	switch {
	case f.Code == schema.LimitBreach && f.Reason == computedOverLimit:
		w := schema.Window{From: f.PeriodFrom, To: c.period.Now}
		// Rows that happened in the window are listed later, when they post.
		if end := daysAfter(f.PeriodTo, c.lookback[f.Source], c.period.Zone); !f.PeriodTo.IsZero() && end.Before(w.To) {
			w.To = end
		}
		if c.transactions(f, w, "from the window's beginning on", "the spend may be more") {
			f.Basis += ", " + incompleteBasis
		}
	case f.Code == schema.StalePending, f.Code == schema.OrphanTopUp && f.Reason == pendingPastGrace:
		c.transactions(f, schema.Window{From: f.SubjectAt, To: c.period.Now}, "since then", "it may have settled")
	case f.Code == schema.UnknownCard, f.Code == schema.OrphanTopUp && f.Reason == cardUnknown:
		if at := c.listed[f.Source]; at.IsZero() {
			f.Message += fmt.Sprintf(" The cards of %s have never been listed to the end.", f.Source)
		} else if at.Before(f.SubjectAt) {
			f.Message += fmt.Sprintf(" The cards of %s were last listed to the end on %s, so the card may be newer.", f.Source, timeText(at, c.period.Zone))
		}
	}
}

// transactions adds that the transactions of a window are not known to be complete, and what follows, where that is so.
func (c caveats) transactions(f *schema.Finding, w schema.Window, whole, so string) bool {
	if w.From.IsZero() {
		w.From = schema.Beginning
	}
	if start := c.start[f.Source]; start.After(w.From) {
		w.From = start
	}
	at, missing := c.covered.gap(f.Source, w)
	if !missing || w.To.Sub(at) < 24*time.Hour {
		return false
	}
	since := "after " + timeText(at, c.period.Zone)
	if at.Equal(w.From) {
		since = whole
	}
	f.Message += fmt.Sprintf(" The transactions of %s are not known to be complete %s, so %s.", f.Source, since, so)
	return true
}
