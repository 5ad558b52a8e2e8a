package sandbox

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tieout/tieout/schema"
)

// orphans compares the top-ups of Bitnob with the books (NORMALIZATION 4).
func (w *World) orphans() (found []Answer) {
	b := w.books[schema.Bitnob]
	topups, sent := map[string][]*row{}, map[string][]FundingRow{}
	var references []string
	note := func(ref string) {
		if len(topups[ref])+len(sent[ref]) == 0 {
			references = append(references, ref)
		}
	}
	for _, r := range b.rows {
		if r.kind == schema.TopUp {
			note(r.ref)
			topups[r.ref] = append(topups[r.ref], r)
		}
	}
	for _, f := range w.fundings {
		ref := strings.TrimSpace(f.Reference)
		note(ref)
		sent[ref] = append(sent[ref], f)
	}
	if len(w.fundings) == 0 {
		return nil // no plant is made without books
	}
	// Those that no reference matches, by the card and amount that a candidate must have.
	type likeness struct {
		card  string
		cents int64
	}
	unmatched, proposed := map[likeness][]*row{}, map[string]bool{}
	for _, ref := range references {
		for _, r := range topups[ref] {
			if len(sent[ref]) == 0 && r.status != schema.Failed {
				unmatched[likeness{r.card.id, r.amount}] = append(unmatched[likeness{r.card.id, r.amount}], r)
			}
		}
	}
	for _, ref := range references {
		if len(topups[ref]) > 0 {
			continue
		}
		f := sent[ref][0]
		if len(sent[ref]) > 1 || !w.graceOver(f.sent) || f.Currency != "USD" || f.CardID == "" {
			continue
		}
		var near []*row
		for _, r := range unmatched[likeness{f.CardID, f.cents}] {
			if r.occurred >= f.sent-graceDays*day && r.occurred <= f.sent+graceDays*day {
				near = append(near, r)
			}
		}
		if len(near) == 1 {
			proposed[near[0].id] = true
			found = append(found, w.proposal(f, near[0])...)
			delete(sent, ref)
		}
	}
	for _, ref := range references {
		if len(sent[ref])+len(topups[ref]) == 0 || len(topups[ref]) == 1 && proposed[topups[ref][0].id] {
			continue
		}
		found = append(found, w.orphan(ref, sent[ref], topups[ref])...)
	}
	return found
}

func (w *World) proposal(f FundingRow, r *row) []Answer {
	if f.sent < w.from || f.sent > w.now {
		return nil
	}
	a := r.card.answer(schema.OrphanTopUp, "no-provider-topup", schema.Medium).in(f.sent, f.sent)
	a.Reference, a.EntryID, a.Expected, a.Note = strings.TrimSpace(f.Reference), r.entry(), f.Amount, f.plan
	return []Answer{a}
}

// orphan judges one reference: the first of the reasons, in their order, that applies.
func (w *World) orphan(ref string, sent []FundingRow, topups []*row) []Answer {
	var failed, live []*row
	for _, r := range topups {
		if r.status == schema.Failed {
			failed = append(failed, r)
		} else {
			live = append(live, r)
		}
	}
	if len(sent) == 0 {
		failed = nil // failed top-ups count only where the books name them
	}
	all := slices.Concat(live, failed)
	if len(all) == 0 && len(sent) == 0 {
		return nil
	}
	reason, severity := "", schema.High
	unknown := func(r *row) bool { return slices.Contains(r.card.book.unlisted, r.card) }
	switch {
	case slices.ContainsFunc(all, unknown):
		reason = "unknown-card"
	case len(live) > 1 || len(sent) > 1:
		reason, severity = "duplicate-reference", schema.Medium
	case len(live) == 0 && len(failed) > 0:
		reason = "failed-at-provider"
	case len(live) == 1 && len(sent) == 1 && sent[0].Currency != "USD":
		reason = "currency-mismatch"
	case len(live) == 1 && len(sent) == 1 && sent[0].cents != live[0].amount:
		reason = "amount-mismatch"
	case len(live) == 1 && live[0].status == schema.Pending && w.graceOver(live[0].occurred):
		reason, severity = "pending-past-grace", schema.Medium
	case len(all) == 0 && w.graceOver(sent[0].sent):
		reason = "no-provider-topup"
	case len(sent) == 0:
		reason = "no-funding-record"
	default:
		return nil
	}
	a := Answer{Code: schema.OrphanTopUp, Reason: reason, Severity: severity, Currency: "USD", Reference: ref}
	a.Source, a.Provider = w.books[schema.Bitnob].source, schema.Bitnob
	var expected, actual int64
	var at instant
	for _, f := range sent {
		expected, at = expected+f.cents, f.sent
		a.Expected, a.CardID = dollars(expected), cmp.Or(a.CardID, f.CardID)
		a.Note = cmp.Or(a.Note, f.plan)
	}
	for i, r := range all {
		if i > 0 && r.status == schema.Failed {
			continue
		}
		actual += r.amount
		a.Actual = dollars(actual)
		if i == 0 {
			a.CardID, a.EntryID, at = r.card.id, r.entry(), r.occurred
			a.Note = cmp.Or(a.Note, r.plan)
		}
	}
	if a.Expected != "" && a.Actual != "" {
		a.Difference = dollars(actual - expected)
	}
	if a.Actual == "" {
		a.Currency = sent[0].Currency
	}
	if at < w.from || at > w.now {
		return nil
	}
	if len(live) > 1 { // which of the two is meant is not said
		a.EntryID = ""
		return []Answer{a}
	}
	return []Answer{a.in(at, at)}
}

// graceOver says whether the day of t and the grace after it are over (NORMALIZATION 4).
func (w *World) graceOver(t instant) bool { return t.midnight(w.zone, graceDays) <= w.now }
