package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// duplicateEntry finds counted entries of one card that share their reference, kind and amount under different ids.
// Likeness without a reference is none: two equal coffees are two coffees. Top-ups are orphan-topup's business.
type duplicateEntry struct{}

func (duplicateEntry) Code() schema.FindingCode { return schema.DuplicateEntry }

func (c duplicateEntry) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		cards, err := readCards(ctx, v)
		if err != nil {
			return nil, err
		}
		type likeness struct {
			reference string
			kind      schema.Kind
			amount    money.Amount
		}
		var all []schema.Outcome
		for a, err := range accounts(ctx, v, cards, "") {
			if err != nil {
				return nil, err
			}
			groups := map[likeness][]*schema.Entry{}
			var order []likeness
			for i := range a.entries {
				e := &a.entries[i]
				if e.Reference == "" || !e.Status.Counted() || e.Kind == schema.TopUp {
					continue
				}
				key := likeness{e.Reference, e.Kind, e.Amount}
				if groups[key] == nil {
					order = append(order, key)
				}
				groups[key] = append(groups[key], e)
			}
			for _, key := range order {
				group := groups[key]
				last := group[len(group)-1]
				if len(group) < 2 || !inPeriod(p, last.OccurredAt) {
					continue
				}
				all = append(all, found(finding(a.card, schema.Finding{
					Code: c.Code(), Severity: schema.Medium, EntryID: last.ID(), Reference: key.reference, Actual: key.amount,
					Subject:    key.reference + " " + string(key.kind) + " " + key.amount.String(),
					PeriodFrom: last.OccurredAt, PeriodTo: last.OccurredAt, SubjectAt: subjectAt(p, last.OccurredAt), Evidence: ids(group),
					Message: fmt.Sprintf("%s: %s share the reference %s, the kind and the amount, and all of them count: %s. "+
						"Check with the merchant or the provider whether one of them was booked twice.",
						cardText(a.card), count(len(group), "entry", "entries"), quoted(key.reference), entriesText(group, p.Zone)),
				})))
			}
		}
		return all, nil
	})
}
