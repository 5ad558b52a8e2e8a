package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// vanishedEntry finds entries that the provider no longer lists, although the window that they lie in was read to its end.
// Authorizations lapse, so only what had posted is grave. Rows that another row replaced may be dropped.
type vanishedEntry struct{}

func (vanishedEntry) Code() schema.FindingCode { return schema.VanishedEntry }

func (c vanishedEntry) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		absent := map[string]schema.Absence{}
		for a, err := range v.Absences.Absences(ctx) {
			if err != nil {
				return nil, fmt.Errorf("read absences: %w", err)
			}
			absent[a.EntryID()] = a
		}
		if len(absent) == 0 {
			return nil, nil
		}
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		var all []schema.Outcome
		for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{}) {
			if err != nil {
				return nil, fmt.Errorf("read entries: %w", err)
			}
			a, ok := absent[e.ID()]
			if !ok || e.Status == schema.Superseded || !inPeriod(p, e.OccurredAt) {
				continue
			}
			card, ok := cards.find(e.Source, e.CardID, e.CardAltID)
			if !ok {
				card = schema.Card{Source: e.Source, Provider: e.Provider, ID: e.CardID, Last4: e.CardLast4}
			}
			f := schema.Finding{
				Code: c.Code(), Severity: schema.Low, EntryID: e.ID(), Reference: e.Reference, Subject: e.ID(), Actual: e.Amount,
				PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: subjectAt(p, e.OccurredAt), Evidence: []string{e.ID()},
				Message: fmt.Sprintf("%s: %s is no longer listed by %s. It was last read on %s and missed first on %s. %s",
					cardText(card), entryText(&e, p.Zone), e.Source, timeText(a.LastRead, p.Zone), timeText(a.NoticedAt, p.Zone), c.remedy(e)),
			}
			if e.Status == schema.Posted {
				f.Severity = schema.High
			}
			all = append(all, found(finding(card, f)))
		}
		return all, nil
	})
}

func (vanishedEntry) remedy(e schema.Entry) string {
	switch {
	case e.Status == schema.Posted:
		return "It had posted, and still counts. Ask the provider why it was taken out of the list."
	case e.Status.Counted():
		return "It was pending, and still counts. Authorizations lapse; ask the provider whether this one did."
	}
	return fmt.Sprintf("It was %s, and is in no sum.", e.Status)
}
