package reconcile

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// alikeTime is within which purchases of one amount at one merchant look alike.
const alikeTime = time.Minute

// duplicateEntry finds counted entries of one card that share their reference, kind and amount under different ids, and
// purchases without a reference that merely look alike: of one amount at one merchant within a minute. Likeness alone is
// low, since two equal coffees are two coffees; nothing is merged. Top-ups are orphan-topup's business.
type duplicateEntry struct{}

func (duplicateEntry) Code() schema.FindingCode { return schema.DuplicateEntry }

func (c duplicateEntry) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return alone(ctx, c, v, p)
}

func (c duplicateEntry) judge(ctx context.Context, v schema.View, p schema.Period, _ cardIndex) (accountJudge, error) {
	return byAccount(func(a *account) (all []schema.Outcome, _ error) {
		if err := c.older(ctx, v, p, a); err != nil {
			return nil, err
		}
		for _, group := range slices.Concat(sameReference(a.entries), alike(a.entries)) {
			if group[0].Reference == "" {
				a.reach(group[0].OccurredAt.Add(-alikeTime))
			}
			if f, ok := c.finding(a, p, group); ok {
				all = append(all, found(f))
			}
		}
		return all, nil
	}), nil
}

// older notes that a reference of the period was used before the entries that the account has.
func (duplicateEntry) older(ctx context.Context, v schema.View, p schema.Period, a *account) error {
	if a.since.IsZero() || len(a.currencies) != 1 {
		a.short = a.short || len(a.currencies) > 1 // what is looked up is of one currency
		return nil
	}
	used := map[string]bool{}
	for _, e := range a.entries {
		if e.Reference != "" && e.Status.Counted() && e.Kind != schema.TopUp && inPeriod(p, e.OccurredAt) {
			used[e.Reference] = true
		}
	}
	for references := range slices.Chunk(slices.Sorted(maps.Keys(used)), schema.MostIDs) {
		for _, id := range a.ids {
			same := schema.EntryFilter{Source: a.card.Source, CardID: id, Currency: a.currencies[0], References: references}
			for e, err := range v.Entries.Entries(ctx, same) {
				if err != nil {
					return fmt.Errorf("read entries (%s, card %s): %w", a.card.Source, id, err)
				}
				if e.OccurredAt.Before(a.since) && e.PostedAt.Before(a.since) && e.Status.Counted() {
					a.short = true
					return nil
				}
			}
		}
	}
	return nil
}

// sameReference groups counted entries by reference, kind and amount.
func sameReference(entries []schema.Entry) [][]*schema.Entry {
	type key struct {
		reference string
		kind      schema.Kind
		amount    money.Amount
	}
	at := map[key]int{}
	var groups [][]*schema.Entry
	for i := range entries {
		e := &entries[i]
		if e.Reference == "" || !e.Status.Counted() || e.Kind == schema.TopUp {
			continue
		}
		k := key{e.Reference, e.Kind, e.Amount}
		n, ok := at[k]
		if !ok {
			n = len(groups)
			at[k], groups = n, append(groups, nil)
		}
		groups[n] = append(groups[n], e)
	}
	return groups
}

// alike groups counted purchases without a reference, of one amount at one merchant, each within alikeTime of the one
// before it. entries are by occurred_at.
func alike(entries []schema.Entry) [][]*schema.Entry {
	type key struct {
		merchant string
		amount   money.Amount
	}
	at := map[key]int{}
	var groups [][]*schema.Entry
	for i := range entries {
		e := &entries[i]
		if e.Reference != "" || e.Merchant == "" || !e.Status.Counted() || e.Kind != schema.Purchase {
			continue
		}
		k := key{e.Merchant, e.Amount}
		n, ok := at[k]
		if !ok || e.OccurredAt.Sub(groups[n][len(groups[n])-1].OccurredAt) > alikeTime {
			n = len(groups)
			at[k], groups = n, append(groups, nil)
		}
		groups[n] = append(groups[n], e)
	}
	return slices.DeleteFunc(groups, func(g []*schema.Entry) bool { return len(g) < 2 })
}

func (c duplicateEntry) finding(a *account, p schema.Period, group []*schema.Entry) (schema.Finding, bool) {
	first, last := group[0], group[len(group)-1]
	if len(group) < 2 || !inPeriod(p, last.OccurredAt) {
		return schema.Finding{}, false
	}
	f := finding(a.card, schema.Finding{
		Code: c.Code(), Severity: schema.Medium, EntryID: last.ID(), Reference: last.Reference, Actual: last.Amount,
		Subject:    last.Reference + " " + string(last.Kind) + " " + last.Amount.String(),
		PeriodFrom: last.OccurredAt, PeriodTo: last.OccurredAt, SubjectAt: subjectAt(p, last.OccurredAt), Evidence: ids(group),
		Message: fmt.Sprintf("%s: %s share the reference %s, the kind and the amount, and all of them count: %s. "+
			"Check with the merchant or the provider whether one of them was booked twice.",
			cardText(a.card), count(len(group), "entry", "entries"), quoted(last.Reference), entriesText(group, p.Zone)),
	})
	if last.Reference == "" {
		f.Severity, f.Subject, f.Cause = schema.Low, "alike "+first.ID(), "likeness alone"
		f.Message = fmt.Sprintf("%s: %s are of one amount at one merchant, at most a minute apart, and all of them count: %s. "+
			"Likeness alone proves nothing, since two equal coffees are two coffees: look at the receipts if they should be one.",
			cardText(a.card), count(len(group), "purchase", "purchases"), entriesText(group, p.Zone))
	}
	return f, true
}
