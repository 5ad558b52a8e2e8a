package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// slowRef is everything that one reference holds together: top-ups that did not fail, those that did, and fundings.
type slowRef struct {
	source       string // "": of any
	text         string
	live, failed []schema.Entry
	books        []schema.Funding
}

func (o *oracle) booked(text string) (named, anySource bool) {
	for _, f := range o.fundings {
		if strings.TrimSpace(f.Reference) == text && text != "" {
			named, anySource = true, anySource || f.Source == ""
		}
	}
	return named, anySource
}

// refOf is what a top-up counts under: its reference, or, where the books do not know that, the one that a person
// confirmed it under last.
func (o *oracle) refOf(e schema.Entry) string {
	own := strings.TrimSpace(e.Reference)
	if named, _ := o.booked(own); named {
		return own
	}
	text := own
	for _, m := range o.matches { // by run
		if named, _ := o.booked(m.Reference); m.Confirmed && named && m.EntryID == e.ID() {
			text = m.Reference
		}
	}
	return text
}

func (o *oracle) refs() []*slowRef {
	var all []*slowRef
	get := func(source, text string) *slowRef {
		if _, anySource := o.booked(text); anySource {
			source = ""
		}
		i := slices.IndexFunc(all, func(r *slowRef) bool { return text != "" && r.text == text && r.source == source })
		if i < 0 {
			i = len(all)
			all = append(all, &slowRef{source: source, text: text})
		}
		return all[i]
	}
	byTime := slices.Clone(o.entries)
	slices.SortStableFunc(byTime, func(x, y schema.Entry) int {
		return cmp.Or(x.OccurredAt.Compare(y.OccurredAt), strings.Compare(x.ID(), y.ID()))
	})
	for _, e := range byTime {
		if e.Kind != schema.TopUp {
			continue
		}
		r := get(e.Source, o.refOf(e))
		if e.Status.Counted() || e.Status == schema.Held {
			r.live = append(r.live, e)
		} else {
			r.failed = append(r.failed, e)
		}
	}
	for _, f := range o.fundings { // by sent_at, reference, id
		r := get(f.Source, strings.TrimSpace(f.Reference))
		r.books = append(r.books, f)
	}
	return all
}

// topupSources are the sources that can have top-ups.
func (o *oracle) topupSources() []string {
	var all []string
	for _, e := range o.entries {
		if e.Kind == schema.TopUp {
			all = append(all, e.Source)
		}
	}
	for _, f := range o.fundings {
		all = append(all, f.Source)
	}
	for _, s := range o.cfg.Sources {
		if s.Provider == schema.Bitnob {
			all = append(all, s.Name)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
}

// reason is the first rule of NORMALIZATION 4 that a reference breaks.
func (o *oracle) reason(r *slowRef) (reason string, unclear bool) {
	topups := r.live
	if len(r.books) > 0 {
		topups = slices.Concat(r.live, r.failed)
	}
	one := len(r.live) == 1 && len(r.books) == 1
	switch {
	case slices.ContainsFunc(topups, func(e schema.Entry) bool {
		_, known := o.card(e.Source, e.CardID, e.CardAltID)
		return e.CardID != "" && !known
	}):
		return "unknown-card", false
	case r.text != "" && (len(r.live) > 1 || len(r.books) > 1):
		return "duplicate-reference", false
	case one && r.live[0].Amount.Currency() != r.books[0].Amount.Currency():
		return "currency-mismatch", false
	case one && r.live[0].Amount.Minor() != r.books[0].Amount.Minor():
		return "amount-mismatch", false
	case one && o.elsewhere(r.live[0], r.books[0]):
		return "no-provider-topup", false
	case len(r.live) == 1 && r.live[0].Status == schema.Pending && !o.graceEnds(r.live[0].OccurredAt, o.cfg.GraceDays).After(o.deadline()):
		return "pending-past-grace", false
	case len(o.fundings) == 0 || (len(r.live) > 0 && len(r.books) > 0) || len(r.live)+len(r.books) == 0:
		return "", false
	case len(r.live) > 0:
		return "no-funding-record", false
	case len(r.failed) > 0:
		return "failed-at-provider", false
	}
	sent := r.books[0].SentAt
	end := o.graceEnds(sent, o.cfg.GraceDays)
	if end.After(o.deadline()) {
		return "", false
	}
	sources := o.topupSources()
	if s := o.sourceOf(r); s != "" {
		sources = []string{s}
	}
	for _, s := range sources {
		unclear = unclear || !o.complete(s, o.midnight(dateIn(sent, o.period.Zone).AddDate(0, 0, -o.cfg.GraceDays), o.period.Zone), end)
	}
	return "no-provider-topup", unclear
}

// elsewhere says whether a top-up is on another card than its funding names.
func (o *oracle) elsewhere(e schema.Entry, f schema.Funding) bool {
	if e.CardID == "" || f.CardID == "" {
		return false
	}
	named, ok := o.card(e.Source, f.CardID)
	paid, _ := o.card(e.Source, e.CardID, e.CardAltID)
	return !ok || named.ID != paid.ID
}

func (o *oracle) sourceOf(r *slowRef) string {
	topups := slices.Concat(r.live, r.failed)
	switch {
	case r.source != "":
		return r.source
	case len(topups) > 0:
		return topups[0].Source
	}
	for _, f := range r.books {
		if f.Source != "" {
			return f.Source
		}
	}
	if all := o.topupSources(); len(all) == 1 {
		return all[0]
	}
	return ""
}

// proposal is the one top-up without a funding that is on the card of a funding without a top-up, of its amount and near
// its day, where no other pair has one of the two.
func (o *oracle) proposal(refs []*slowRef, r *slowRef) *schema.Entry {
	fits := func(r, x *slowRef) bool {
		reason, _ := o.reason(x)
		if len(r.books) != 1 || len(r.live)+len(r.failed) > 0 || r.books[0].CardID == "" || reason != "no-funding-record" {
			return false
		}
		f, e := r.books[0], x.live[0]
		days := int(dateIn(f.SentAt, o.period.Zone).Sub(dateIn(e.OccurredAt, o.period.Zone)).Abs() / (24 * time.Hour))
		refused := false
		for _, m := range o.matches {
			refused = refused || (!m.Confirmed && m.Reference == r.text && m.EntryID == e.ID())
		}
		return e.CardID == f.CardID && e.Amount == f.Amount && days <= o.cfg.GraceDays && (f.Source == "" || f.Source == e.Source) && !refused
	}
	var found *slowRef
	for _, x := range refs {
		if fits(r, x) {
			if found != nil {
				return nil
			}
			found = x
		}
	}
	if found == nil {
		return nil
	}
	for _, other := range refs {
		if other != r && fits(other, found) {
			return nil
		}
	}
	return &found.live[0]
}

// when is the instant of a reference: its latest top-up's, else its latest funding's.
func when(r *slowRef) time.Time {
	switch {
	case len(r.live) > 0:
		return r.live[len(r.live)-1].OccurredAt
	case len(r.failed) > 0:
		return r.failed[len(r.failed)-1].OccurredAt
	}
	return r.books[len(r.books)-1].SentAt
}

func (o *oracle) orphans() []schema.Outcome {
	var all []schema.Outcome
	if len(o.fundings) == 0 {
		for _, s := range o.topupSources() {
			all = append(all, schema.Outcome{Judgement: &schema.Judgement{
				Code: schema.OrphanTopUp, Source: s, Figure: "top-ups", Verdict: schema.NotCheckable, ObservedAt: o.deadline(),
			}})
		}
	}
	refs := o.refs()
	proposed := map[string]bool{}
	for _, r := range refs {
		if e := o.proposal(refs, r); e != nil {
			proposed[e.ID()] = true
		}
	}
	for _, r := range refs {
		reason, unclear := o.reason(r)
		candidate := o.proposal(refs, r)
		if !o.in(when(r)) || (reason == "" && candidate == nil) || (reason == "no-funding-record" && proposed[r.live[0].ID()]) {
			continue
		}
		f := o.orphan(r, reason)
		if candidate != nil {
			f.Reason, f.Severity, f.EntryID, f.Evidence, f.Source = "no-provider-topup", schema.Medium, candidate.ID(), []string{candidate.ID()}, cmp.Or(o.sourceOf(r), candidate.Source)
			if r.source == "" {
				f.Source = candidate.Source
			}
		} else if unclear {
			all = append(all, schema.Outcome{Judgement: &schema.Judgement{
				Code: schema.OrphanTopUp, Source: f.Source, CardID: f.CardID, Figure: f.Subject, Verdict: schema.NotCheckable, ObservedAt: o.deadline(),
			}})
			continue
		}
		all = append(all, schema.Outcome{Finding: &f})
	}
	return all
}

func (o *oracle) orphan(r *slowRef, reason string) schema.Finding {
	f := schema.Finding{
		Code: schema.OrphanTopUp, Reason: reason, Severity: schema.High, Source: o.sourceOf(r), Reference: r.text, Subject: r.text,
		PeriodFrom: when(r), PeriodTo: when(r), SubjectAt: o.subject(when(r)),
	}
	if reason == "duplicate-reference" || reason == "pending-past-grace" {
		f.Severity = schema.Medium
	}
	shown := r.live
	if len(r.live) == 0 {
		shown = r.failed
	}
	rests := r.live
	if len(r.books) > 0 || len(r.live) == 0 {
		rests = slices.Concat(r.live, r.failed)
	}
	for _, e := range rests {
		f.Evidence = append(f.Evidence, e.ID())
	}
	if f.Subject == "" {
		f.Subject = shown[0].ID()
	}
	if len(shown) > 0 {
		last := shown[len(shown)-1]
		f.Source, f.CardID = last.Source, last.CardID
		if c, ok := o.card(last.Source, last.CardID, last.CardAltID); ok {
			f.CardID = c.ID
		}
		if len(r.live) < 2 {
			f.EntryID = last.ID()
		}
	}
	var paid, booked []money.Amount
	for _, e := range shown {
		paid = append(paid, e.Amount)
	}
	for _, b := range r.books {
		booked = append(booked, b.Amount)
	}
	f.Actual, f.Expected = sumOf(paid), sumOf(booked)
	wrongCard := reason == "no-provider-topup" && len(r.live) > 0
	if wrongCard {
		f.Actual = money.Amount{}
	}
	if len(r.books) > 0 && (f.CardID == "" || wrongCard) {
		f.CardID = r.books[0].CardID
		if c, ok := o.card(f.Source, f.CardID); ok {
			f.CardID = c.ID
		}
	}
	return f
}

// sumOf adds amounts; unknown where there is none, or several currencies.
func sumOf(all []money.Amount) money.Amount {
	sum := int64(0)
	for _, a := range all {
		if a.Currency() != all[0].Currency() {
			return money.Amount{}
		}
		sum += a.Minor()
	}
	if len(all) == 0 {
		return money.Amount{}
	}
	return money.FromMinor(sum, all[0].Currency())
}
