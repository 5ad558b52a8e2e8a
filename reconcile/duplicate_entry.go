package reconcile

import (
	"context"
	"fmt"
	"iter"
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

func (c duplicateEntry) judge(_ context.Context, _ schema.View, p schema.Period, _ cardIndex) (accountJudge, error) {
	return byAccount(func(a *account) (all []schema.Outcome, _ error) {
		for _, group := range slices.Concat(sameReference(a.entries), alike(a.entries)) {
			if f, ok := c.finding(a, p, group); ok {
				all = append(all, found(f))
			}
		}
		return all, nil
	}), nil
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
