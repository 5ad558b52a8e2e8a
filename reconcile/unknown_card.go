package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// unknownCard finds entries on cards that no card list contains: one finding for each such card. Rows that name no card
// are none. A source whose cards were never listed is
// incomplete-extract's business.
type unknownCard struct{}

func (unknownCard) Code() schema.FindingCode { return schema.UnknownCard }

func (c unknownCard) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		listed, err := listedSources(ctx, v, cards)
		if err != nil {
			return nil, err
		}
		type group struct {
			first   schema.Entry // in the period
			entries int
		}
		var groups []*group
		for key, err := range unlisted(ctx, v, cards) {
			if err != nil {
				return nil, err
			}
			if !listed[key.source] {
				continue
			}
			var g *group
			for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Source: key.source, CardID: key.id}) {
				if err != nil {
					return nil, fmt.Errorf("read entries (%s, card %s): %w", key.source, key.id, err)
				}
				if _, known := cards.find(e.Source, e.CardID, e.CardAltID); known || !inPeriod(p, e.OccurredAt) {
					continue
				}
				if g == nil {
					g = &group{first: e}
					groups = append(groups, g)
				}
				g.entries++
			}
		}
		var all []schema.Outcome
		for _, g := range groups {
			e := g.first
			card := schema.Card{Source: e.Source, Provider: e.Provider, ID: e.CardID, Last4: e.CardLast4}
			name := cardText(card)
			if card.Last4 != "" {
				name += " (" + idText(card.ID) + ")"
			}
			all = append(all, found(finding(card, schema.Finding{
				Code: c.Code(), Severity: schema.Medium, EntryID: e.ID(), Subject: e.CardID, Evidence: []string{e.ID()},
				PeriodFrom: e.OccurredAt, PeriodTo: e.OccurredAt, SubjectAt: subjectAt(p, e.OccurredAt),
				Message: fmt.Sprintf("%s: no card list of %s contains this card, and it has %s in the period, first %s. "+
					"Ask whose card it is; a card that was deleted before it was first listed is one innocent reason.",
					name, card.Source, count(g.entries, "entry", "entries"), entryText(&e, p.Zone)),
			})))
		}
		return all, nil
	})
}

// listedSources are those of which some card is known, or whose list was read to its end and held none.
func listedSources(ctx context.Context, v schema.View, cards cardIndex) (map[string]bool, error) {
	listed := map[string]bool{}
	for key := range cards.byID {
		listed[key.source] = true
	}
	for r, err := range v.Completeness.Completeness(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read completeness: %w", err)
		}
		if r.Stream == schema.Cards && r.Verdict == schema.VerdictComplete {
			listed[r.Source] = true
		}
	}
	return listed, nil
}
