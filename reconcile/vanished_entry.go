package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tieout/tieout/schema"
)

// vanishedEntry finds entries that the provider no longer lists, although the window that they lie in was read to its end.
// Authorizations lapse, so only what had posted is grave. Rows that another row replaced may be dropped.
type vanishedEntry struct{}

func (vanishedEntry) Code() schema.FindingCode { return schema.VanishedEntry }

func (c vanishedEntry) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		absent := map[schema.EntryKey]schema.Absence{}
		for a, err := range v.Absences.Absences(ctx) {
			if err != nil {
				return nil, fmt.Errorf("read absences: %w", err)
			}
			absent[schema.EntryKey{Source: a.Source, ExternalID: a.ExternalID}] = a
		}
		if len(absent) == 0 {
			return nil, nil
		}
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		var entries []schema.Entry
		for e, err := range schema.Lookup(ctx, v.Entries, maps.Keys(absent)) {
			if err != nil {
				return nil, fmt.Errorf("read entries: %w", err)
			}
			if e.Status != schema.Superseded && inPeriod(p, e.OccurredAt) {
				entries = append(entries, e)
			}
		}
		slices.SortFunc(entries, func(a, b schema.Entry) int {
			return cmp.Or(cardKey{a.Source, a.CardID}.compare(cardKey{b.Source, b.CardID}), a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ExternalID, b.ExternalID))
		})
		var all []schema.Outcome
		for _, e := range entries {
			a := absent[e.Key()]
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
