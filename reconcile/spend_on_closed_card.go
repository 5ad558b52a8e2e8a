package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
)

// spendOnClosedCard finds purchases that were authorized when the card was already closed. It says so only where that is
// certain: the provider gave the time of closing, or an earlier observation said that the card was closed for good. A
// frozen card may have been unfrozen between two observations, and is no finding.
type spendOnClosedCard struct{}

func (spendOnClosedCard) Code() schema.FindingCode { return schema.SpendOnClosedCard }

func (c spendOnClosedCard) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return alone(ctx, c, v, p)
}

func (c spendOnClosedCard) judge(_ context.Context, _ schema.View, p schema.Period, _ cardIndex) (accountJudge, error) {
	return byAccount(func(a *account) (all []schema.Outcome, _ error) {
		closed, how := closedAt(a)
		if closed.IsZero() {
			return nil, nil
		}
		for _, e := range a.entries {
			// A row that occurred when it posted may have been authorized long before.
			if e.Kind != schema.Purchase || !e.Status.Counted() || e.OccurredAt.Equal(e.PostedAt) ||
				!e.OccurredAt.After(closed) || !inPeriod(p, e.OccurredAt) {
				continue
			}
			all = append(all, found(finding(a.card, schema.Finding{
				Code: c.Code(), Severity: schema.High, EntryID: e.ID(), Reference: e.Reference, Subject: e.ID(), Actual: e.Amount,
				PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: subjectAt(p, e.OccurredAt), Evidence: []string{e.ID()},
				Message: fmt.Sprintf("%s: %s was authorized at %s, after the card was closed (%s %s). Dispute it with the provider, or ask how it was let through.",
					cardText(a.card), entryText(&e, p.Zone), timeText(e.OccurredAt, p.Zone), how, timeText(closed, p.Zone)),
			})))
		}
		return all, nil
	}), nil
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
