package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// reference is all that carries one reference, on both sides. Failed top-ups count only where the books name them.
type reference struct {
	text   string
	sent   []FundingRow // in the order of the file
	live   []*row       // top-ups that did not fail, oldest first
	failed []*row
}

func (x *reference) topups() []*row {
	if len(x.sent) == 0 {
		return x.live
	}
	return slices.Concat(x.live, x.failed)
}

// references are all references of the top-ups of Bitnob and of the books.
func (w *World) references() (all []*reference) {
	byText := map[string]*reference{}
	get := func(text string) *reference {
		x := byText[text]
		if x == nil {
			x = &reference{text: text}
			byText[text] = x
			all = append(all, x)
		}
		return x
	}
	for _, r := range w.books[schema.Bitnob].rows {
		if r.kind != schema.TopUp {
			continue
		}
		if x := get(r.ref); r.status == schema.Failed {
			x.failed = append(x.failed, r)
		} else {
			x.live = append(x.live, r)
		}
	}
	for _, f := range w.fundings {
		x := get(strings.TrimSpace(f.Reference))
		x.sent = append(x.sent, f)
	}
	return all
}

// orphans compares the top-ups of Bitnob with the books (NORMALIZATION 4).
func (w *World) orphans() (found []Answer) {
	if len(w.fundings) == 0 {
		return nil // no plant is made without books
	}
	all := w.references()
	proposals, proposed := w.proposals(all), map[*row]bool{}
	for _, r := range proposals {
		proposed[r] = true
	}
	for _, x := range all {
		reason := w.orphaned(x)
		candidate := proposals[x]
		if reason == "" && candidate == nil || reason == "no-funding-record" && proposed[x.live[0]] {
			continue
		}
		if a, inside := w.orphan(x, reason, candidate); inside {
			found = append(found, a)
		}
	}
	return found
}

// proposals are top-ups that the books do not know and that may be what a line of the books means: of the same card and
// amount, some days around, and nothing else fits either.
func (w *World) proposals(all []*reference) map[*reference]*row {
	fits := map[*reference][]*row{}
	wanted := map[*row]int{}
	for _, x := range all {
		if len(x.sent) != 1 || len(x.live)+len(x.failed) > 0 || x.sent[0].Currency != "USD" {
			continue
		}
		for _, y := range all {
			if w.orphaned(y) != "no-funding-record" {
				continue
			}
			if r, f := y.live[0], x.sent[0]; r.card.id == f.CardID && r.amount == f.cents && w.daysApart(r.occurred, f.sent) <= graceDays {
				fits[x] = append(fits[x], r)
				wanted[r]++
			}
		}
	}
	one := map[*reference]*row{}
	for x, rows := range fits {
		if len(rows) == 1 && wanted[rows[0]] == 1 {
			one[x] = rows[0]
		}
	}
	return one
}

// daysApart is how many calendar days of the accounting zone lie between two instants.
func (w *World) daysApart(a, b instant) int {
	date := func(t instant) time.Time {
		y, m, d := t.in(w.zone).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(date(a).Sub(date(b)).Abs() / (24 * time.Hour))
}

// orphaned judges one reference: the first of the reasons, in their order, that applies; empty: none.
func (w *World) orphaned(x *reference) string {
	unknown := func(r *row) bool { return slices.Contains(r.card.book.unlisted, r.card) }
	pair := len(x.live) == 1 && len(x.sent) == 1
	switch {
	case slices.ContainsFunc(x.topups(), unknown):
		return "unknown-card"
	case len(x.live) > 1 || len(x.sent) > 1:
		return "duplicate-reference"
	case len(x.live) == 0 && len(x.sent) > 0 && len(x.failed) > 0:
		return "failed-at-provider"
	case pair && x.sent[0].Currency != "USD":
		return "currency-mismatch"
	case pair && x.sent[0].cents != x.live[0].amount:
		return "amount-mismatch"
	case len(x.live) == 1 && x.live[0].status == schema.Pending && w.graceOver(x.live[0].occurred):
		return "pending-past-grace"
	case len(x.live) == 0 && len(x.sent) > 0 && w.graceOver(x.sent[0].sent):
		return "no-provider-topup"
	case len(x.live) > 0 && len(x.sent) == 0:
		return "no-funding-record"
	}
	return ""
}

// orphan is the finding about a reference, with the top-up that is proposed for it, if any; false where it lies outside of
// the period.
func (w *World) orphan(x *reference, reason string, candidate *row) (a Answer, inside bool) {
	a = Answer{Code: schema.OrphanTopUp, Reason: reason, Severity: schema.High, Currency: "USD", Reference: x.text}
	a.Source, a.Provider = w.books[schema.Bitnob].source, schema.Bitnob
	var expected, actual int64
	var at instant
	for _, f := range x.sent {
		expected, at = expected+f.cents, f.sent
		a.Expected, a.Note = dollars(expected), cmp.Or(a.Note, f.plan)
		a.CardID = cmp.Or(a.CardID, f.CardID)
	}
	counted := x.live
	if len(counted) == 0 && len(x.sent) > 0 {
		counted = x.failed
	}
	for _, r := range counted { // the last one is the one it is about
		actual, at = actual+r.amount, r.occurred
		a.Actual, a.CardID, a.EntryID = dollars(actual), r.card.id, r.entry()
		a.Note = cmp.Or(a.Note, r.plan)
	}
	switch {
	case a.Actual == "":
		a.Currency = x.sent[0].Currency
	case a.Expected != "":
		a.Difference = dollars(actual - expected)
	}
	if candidate != nil {
		a.Reason, a.EntryID = "no-provider-topup", candidate.entry()
	}
	if len(x.live) > 1 { // which of them is meant is not said
		a.EntryID = ""
	} else {
		a = a.in(at, at)
	}
	if candidate != nil || reason == "duplicate-reference" || reason == "pending-past-grace" {
		a.Severity = schema.Medium
	}
	return a, at >= w.from && at <= w.now
}

// graceOver says whether the day of t and the grace after it are over (NORMALIZATION 4).
func (w *World) graceOver(t instant) bool { return t.midnight(w.zone, graceDays) <= w.now }
