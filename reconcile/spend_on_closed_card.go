package reconcile

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// spendOnClosedCard finds purchases that were authorized when the card was already closed: the provider gave the time of
// closing, or an earlier observation said that the card was closed for good. Where the card was seen frozen before and after
// the purchase it is medium: somebody may have unfrozen it in between.
type spendOnClosedCard struct{}

func (spendOnClosedCard) Code() schema.FindingCode { return schema.SpendOnClosedCard }

func (c spendOnClosedCard) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return alone(ctx, c, v, p)
}

func (c spendOnClosedCard) judge(_ context.Context, _ schema.View, p schema.Period, _ cardIndex) (accountJudge, error) {
	return byAccount(func(a *account) (all []schema.Outcome, _ error) {
		closed, how := closedAt(a)
		spans := frozenSpans(a)
		if closed.IsZero() && len(spans) == 0 {
			return nil, nil
		}
		for i := range a.entries {
			e := &a.entries[i]
			// A row that occurred when it posted may have been authorized long before.
			if e.Kind != schema.Purchase || !e.Status.Counted() || e.OccurredAt.Equal(e.PostedAt) || !inPeriod(p, e.OccurredAt) {
				continue
			}
			f := schema.Finding{
				Code: c.Code(), EntryID: e.ID(), Reference: e.Reference, Subject: e.ID(), Actual: e.Amount,
				PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: subjectAt(p, e.OccurredAt), Evidence: []string{e.ID()},
			}
			what := fmt.Sprintf("%s: %s was authorized at %s", cardText(a.card), entryText(e, p.Zone), timeText(e.OccurredAt, p.Zone))
			if !closed.IsZero() && e.OccurredAt.After(closed) {
				f.Severity = schema.High
				f.Message = fmt.Sprintf("%s, after the card was closed (%s %s). Dispute it with the provider, or ask how it was let through.",
					what, how, timeText(closed, p.Zone))
			} else if n := slices.IndexFunc(spans, func(s frozenSpan) bool { return e.OccurredAt.After(s.before) && !e.OccurredAt.After(s.after) }); n >= 0 {
				f.Severity = schema.Medium
				f.Message = fmt.Sprintf("%s, and the card was seen frozen before (%s) and after (%s). Ask whether it was unfrozen in between; else dispute it with the provider.",
					what, timeText(spans[n].before, p.Zone), timeText(spans[n].after, p.Zone))
			} else {
				continue
			}
			all = append(all, found(finding(a.card, f)))
		}
		return all, nil
	}), nil
}

// frozenSpan lies between two observations of a card with none in between, which both say that nobody can spend with it.
type frozenSpan struct{ before, after time.Time }

func frozenSpans(a *account) (spans []frozenSpan) {
	var before time.Time // of a card that was frozen then
	for _, o := range a.observations {
		if !statesLimits(o) || o.Status == "" {
			continue
		}
		stopped := frozen(o.Provider, o.Status)
		if !before.IsZero() && (stopped || closedForGood(o.Provider, o.Status)) {
			spans = append(spans, frozenSpan{before, o.ObservedAt})
		}
		before = time.Time{}
		if stopped {
			before = o.ObservedAt
		}
	}
	return spans
}

// frozen says whether a provider's word for a card's status is one in which it lets nobody spend for the time being.
func frozen(p schema.Provider, status string) bool {
	switch p {
	case schema.Bill:
		return status == "FROZEN"
	case schema.Slash:
		return status == "paused"
	case schema.Whop, schema.Bitnob:
		return status == "frozen"
	}
	return false
}

// closedAt is since when a card is certainly closed, and how that is known. Zero: it is not, or it was seen open again.
func closedAt(a *account) (time.Time, string) {
	var seen time.Time
	open := false
	for _, o := range a.observations {
		if !statesLimits(o) || o.Status == "" {
			continue
		}
		open = !closedForGood(o.Provider, o.Status)
		switch {
		case open:
			seen = time.Time{}
		case seen.IsZero():
			seen = o.ObservedAt
		}
	}
	switch {
	case open:
		return time.Time{}, ""
	case !a.card.ClosedAt.IsZero():
		return a.card.ClosedAt, "by the provider's own date"
	}
	return seen, "as observed on"
}

// closedForGood says whether a provider's word for a card's status is one from which no card comes back.
func closedForGood(p schema.Provider, status string) bool {
	switch p {
	case schema.Bill:
		return status == "DELETED"
	case schema.Slash:
		return status == "closed"
	case schema.Whop:
		return status == "canceled"
	case schema.Bitnob:
		return status == "terminated"
	}
	return false
}
