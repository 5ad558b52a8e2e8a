package reconcile

import (
	"context"
	"fmt"
	"iter"
	"maps"

	"github.com/tieout/tieout/schema"
)

// unitMismatch finds records in which the provider gave one figure twice and the two disagree.
type unitMismatch struct{}

func (unitMismatch) Code() schema.FindingCode { return schema.UnitMismatch }

func (c unitMismatch) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		notes, err := readNotes(ctx, v, schema.UnitMismatchNote)
		if err != nil || len(notes) == 0 {
			return nil, err
		}
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		entries, err := entriesOfNotes(ctx, v, notes)
		if err != nil {
			return nil, err
		}
		var all []schema.Outcome
		for _, n := range notes {
			f := schema.Finding{
				Code: c.Code(), Severity: schema.High, Source: n.Source, Subject: string(n.Stream) + "/" + n.ExternalID + " " + n.Field,
				Cause: string(n.Stream) + ", field " + idText(n.Field),
			}
			what := fmt.Sprintf("Record %s of %s", idText(n.ExternalID), n.Stream)
			if e, ok := entries[cardKey{n.Source, n.ExternalID}]; ok && n.Stream == schema.Transactions {
				if !inPeriod(p, e.OccurredAt) {
					continue
				}
				card, _ := cards.find(e.Source, e.CardID, e.CardAltID)
				if card.ID == "" {
					card = schema.Card{Source: e.Source, Provider: e.Provider, ID: e.CardID, Last4: e.CardLast4}
				}
				f = finding(card, f)
				f.EntryID, f.Reference, f.Evidence, f.Actual = e.ID(), e.Reference, []string{e.ID()}, e.Amount
				f.PeriodFrom, f.PeriodTo, f.SubjectAt = e.OccurredAt, e.OccurredAt, subjectAt(p, e.OccurredAt)
				what = cardText(card) + ": " + entryText(&e, p.Zone)
			} else {
				if !current(p) {
					continue
				}
				if card, ok := cards.find(n.Source, n.ExternalID); ok {
					f, what = finding(card, f), cardText(card)
				}
				f.PeriodFrom, f.PeriodTo, f.SubjectAt = deadline(p), deadline(p), subjectAt(p, deadline(p))
			}
			f.Message = fmt.Sprintf("%s: the provider gives one figure twice and the two disagree (%s: %s). Check which of them is in the smaller unit.",
				what, idText(n.Field), printable(n.Detail))
			all = append(all, found(f))
		}
		return all, nil
	})
}

// entriesOfNotes finds the entries that notes are about, by source and external id.
func entriesOfNotes(ctx context.Context, v schema.View, notes []schema.Note) (map[cardKey]schema.Entry, error) {
	wanted := map[schema.EntryKey]bool{}
	for _, n := range notes {
		if n.Stream == schema.Transactions {
			wanted[schema.EntryKey{Source: n.Source, ExternalID: n.ExternalID}] = true
		}
	}
	entries := map[cardKey]schema.Entry{}
	for e, err := range schema.Lookup(ctx, v.Entries, maps.Keys(wanted)) {
		if err != nil {
			return nil, fmt.Errorf("read entries: %w", err)
		}
		entries[cardKey{e.Source, e.ExternalID}] = e
	}
	return entries, nil
}
