package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// stalePending finds entries that have been pending for longer than the configured number of days, but for purchases that
// pending reversals of them take back whole: nothing is outstanding, and nothing more will come of either. A reversal is part
// of the purchase that it names, and no finding beside it. Top-ups are orphan-topup's business.
type stalePending struct{ cfg Config }

func (stalePending) Code() schema.FindingCode { return schema.StalePending }

func (c stalePending) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		var pending []schema.Entry
		for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Statuses: []schema.Status{schema.Pending}}) {
			if err != nil {
				return nil, fmt.Errorf("read entries: %w", err)
			}
			pending = append(pending, e)
		}
		settled := takenBack(pending)
		var all []schema.Outcome
		for _, e := range pending {
			if e.Kind == schema.TopUp || !inPeriod(p, e.OccurredAt) || settled[cardKey{e.Source, e.ExternalID}] {
				continue
			}
			if _, over := graceOver(p, e.OccurredAt, c.cfg.StalePendingDays+1); !over {
				continue
			}
			card, ok := cards.find(e.Source, e.CardID, e.CardAltID)
			if !ok {
				card = schema.Card{Source: e.Source, Provider: e.Provider, ID: e.CardID, Last4: e.CardLast4}
			}
			days := int(dateOf(deadline(p), p.Zone).Sub(dateOf(e.OccurredAt, p.Zone)) / (24 * time.Hour))
			all = append(all, found(finding(card, schema.Finding{
				Code: c.Code(), Severity: schema.Medium, EntryID: e.ID(), Reference: e.Reference, Subject: e.ID(), Actual: e.Amount,
				PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: subjectAt(p, e.OccurredAt), Evidence: []string{e.ID()},
				Message: fmt.Sprintf("%s: %s has been pending for %s. Ask the provider whether it will still post or has lapsed; until then it counts as spend.",
					cardText(card), entryText(&e, p.Zone), count(days, "day", "days")),
			})))
		}
		return all, nil
	})
}

// takenBack are, of pending entries, the reversals that name another of them, and the purchases of which these leave nothing.
func takenBack(pending []schema.Entry) map[cardKey]bool {
	rest := map[cardKey]money.Amount{}
	for _, e := range pending {
		if e.Kind == schema.Purchase {
			rest[cardKey{e.Source, e.ExternalID}] = e.Amount
		}
	}
	settled := map[cardKey]bool{}
	for _, e := range pending {
		of := cardKey{e.Source, e.LinkedID}
		held, ok := rest[of]
		if !ok || e.Kind != schema.Reversal {
			continue
		}
		settled[cardKey{e.Source, e.ExternalID}] = true
		if left, err := held.Add(e.Amount); err == nil { // of another currency, or too large: the purchase stays as it is
			rest[of] = left
			settled[of] = left.Sign() >= 0
		}
	}
	return settled
}
