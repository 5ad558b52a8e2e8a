package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// The reasons of orphan-topup, in the order in which one wins over another.
const (
	cardUnknown        = "unknown-card"
	duplicateReference = "duplicate-reference"
	failedAtProvider   = "failed-at-provider"
	currencyMismatch   = "currency-mismatch"
	amountMismatch     = "amount-mismatch"
	pendingPastGrace   = "pending-past-grace"
	noProviderTopUp    = schema.NoProviderTopUp
	noFundingRecord    = "no-funding-record"
)

// orphanTopUp finds money that went to a card and that one side does not know (NORMALIZATION 4): the provider's top-ups
// against the fundings of the company's own books, reference by reference.
type orphanTopUp struct{ cfg Config }

func (orphanTopUp) Code() schema.FindingCode { return schema.OrphanTopUp }

func (c orphanTopUp) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		j, err := c.read(ctx, v, p)
		if err != nil {
			return nil, err
		}
		return j.judge(), nil
	})
}

// reference is everything that one reference, or one top-up without one, holds together.
type reference struct {
	source   string // empty: fundings that name none, without any top-up
	text     string
	subject  string         // the reference, else the entry or the funding
	live     []schema.Entry // top-ups that did not fail, by occurred_at, entry id
	failed   []schema.Entry
	fundings []schema.Funding // by sent_at, id
}

// topups are the top-ups that count: failed ones only where a funding names them.
func (r *reference) topups() []schema.Entry {
	if len(r.fundings) > 0 || len(r.live) == 0 {
		return slices.Concat(r.live, r.failed)
	}
	return r.live
}

// at is the instant that decides whether the period contains the reference: the latest top-up's, else the latest
// funding's.
func (r *reference) at() time.Time {
	switch {
	case len(r.live) > 0:
		return r.live[len(r.live)-1].OccurredAt
	case len(r.failed) > 0:
		return r.failed[len(r.failed)-1].OccurredAt
	}
	return r.fundings[len(r.fundings)-1].SentAt
}

type topUpJudge struct {
	cfg        Config
	period     schema.Period
	cards      cardIndex
	covered    coverage
	sources    []string // that can have top-ups, in order
	booksKnown bool
	decided    matches
	references []*reference // by source, subject
}

func (c orphanTopUp) read(ctx context.Context, v schema.View, p schema.Period) (*topUpJudge, error) {
	j := &topUpJudge{cfg: c.cfg, period: p}
	var err error
	if j.cards, err = readCards(ctx, v); err != nil {
		return nil, err
	}
	if j.covered, err = readCoverage(ctx, v); err != nil {
		return nil, err
	}
	var fundings []schema.Funding
	anySource := map[string]bool{} // references that a funding names without a source
	for f, err := range v.Fundings.Fundings(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read fundings: %w", err)
		}
		f.Reference = strings.TrimSpace(f.Reference)
		fundings = append(fundings, f)
		anySource[f.Reference] = anySource[f.Reference] || f.Source == ""
	}
	j.booksKnown = len(fundings) > 0
	if j.decided, err = readMatches(ctx, v, anySource); err != nil {
		return nil, err
	}

	// A reference belongs to one source, unless a funding names it without a source: then it is one everywhere.
	byKey := map[cardKey]*reference{}
	get := func(source, text string) *reference {
		if anySource[text] {
			source = ""
		}
		r := byKey[cardKey{source, text}]
		if r == nil || text == "" {
			r = &reference{source: source, text: text}
			j.references = append(j.references, r)
			byKey[cardKey{source, text}] = r
		}
		return r
	}
	for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Kinds: []schema.Kind{schema.TopUp}}) {
		if err != nil {
			return nil, fmt.Errorf("read top-ups: %w", err)
		}
		r := get(e.Source, j.decided.reference(e, strings.TrimSpace(e.Reference), anySource))
		if e.Status.Counted() || e.Status == schema.Held {
			r.live = append(r.live, e)
		} else {
			r.failed = append(r.failed, e)
		}
		j.addSource(e.Source)
	}
	for _, f := range fundings {
		r := get(f.Source, f.Reference)
		r.fundings = append(r.fundings, f)
		if f.Source != "" {
			j.addSource(f.Source)
		}
	}
	for _, s := range c.cfg.Sources {
		if s.Provider == schema.Bitnob {
			j.addSource(s.Name)
		}
	}
	j.arrange()
	return j, nil
}

func (j *topUpJudge) addSource(source string) {
	if i, ok := slices.BinarySearch(j.sources, source); !ok {
		j.sources = slices.Insert(j.sources, i, source)
	}
}

// arrange orders the references and what they hold, and gives each the source of its items.
func (j *topUpJudge) arrange() {
	for _, r := range j.references {
		for _, entries := range [][]schema.Entry{r.live, r.failed} {
			slices.SortFunc(entries, func(a, b schema.Entry) int {
				return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID(), b.ID()))
			})
		}
		slices.SortFunc(r.fundings, func(a, b schema.Funding) int {
			return cmp.Or(a.SentAt.Compare(b.SentAt), strings.Compare(a.ID, b.ID))
		})
		topups := slices.Concat(r.live, r.failed)
		switch {
		case r.text != "":
			r.subject = r.text
		case len(topups) > 0:
			r.subject = topups[0].ID()
		default:
			r.subject = r.fundings[0].ID
		}
		switch {
		case r.source != "":
		case len(topups) > 0:
			r.source = topups[0].Source
		default:
			for _, f := range r.fundings {
				r.source = cmp.Or(r.source, f.Source)
			}
			if r.source == "" && len(j.sources) == 1 {
				r.source = j.sources[0]
			}
		}
	}
	slices.SortFunc(j.references, func(a, b *reference) int {
		return cmp.Or(strings.Compare(a.source, b.source), strings.Compare(a.subject, b.subject))
	})
}

func (j *topUpJudge) judge() []schema.Outcome {
	var all []schema.Outcome
	if !j.booksKnown {
		for _, s := range j.sources {
			all = append(all, judged(schema.Judgement{
				Code: schema.OrphanTopUp, Source: s, Provider: j.provider(s), Figure: "top-ups", Verdict: schema.NotCheckable,
				ObservedAt: deadline(j.period),
				Reason: "no funding records were imported, so the books' side is unknown: only unknown cards, references used twice and " +
					"pending top-ups are checked",
			}))
		}
	}
	proposals := j.proposals()
	proposed := map[string]bool{}
	for _, e := range proposals {
		proposed[e.ID()] = true
	}
	for _, r := range j.references {
		if !inPeriod(j.period, r.at()) {
			continue
		}
		candidate := proposals[r]
		reason, pending := j.reason(r)
		switch {
		case reason == "" && candidate == nil:
			continue
		case candidate != nil:
			reason = noProviderTopUp
		case reason == noFundingRecord && proposed[r.live[0].ID()]:
			continue // the proposal says it
		case pending != "":
			all = append(all, judged(j.unchecked(r, pending)))
			continue
		}
		all = append(all, found(j.finding(r, reason, candidate)))
	}
	return all
}

// reason is the first reason that holds for a reference; empty: none. With a reason why it could not be checked, it
// would hold if that were known.
func (j *topUpJudge) reason(r *reference) (reason, unchecked string) {
	topups := r.topups()
	for _, e := range topups {
		if len(r.live)+len(r.fundings) > 0 && j.onUnknownCard(e) {
			return cardUnknown, ""
		}
	}
	if r.text != "" && (len(r.live) > 1 || len(r.fundings) > 1) {
		return duplicateReference, ""
	}
	if len(r.live) == 1 && len(r.fundings) == 1 {
		booked, paid := r.fundings[0].Amount, r.live[0].Amount
		switch {
		case booked.Currency() != paid.Currency():
			return currencyMismatch, ""
		case booked.Minor() != paid.Minor():
			return amountMismatch, ""
		case j.onAnotherCard(r):
			return noProviderTopUp, ""
		}
	}
	if len(r.live) == 1 && r.live[0].Status == schema.Pending {
		if _, over := graceOver(j.period, r.live[0].OccurredAt, j.cfg.GraceDays); over {
			return pendingPastGrace, ""
		}
	}
	switch {
	case !j.booksKnown || (len(r.live) > 0 && len(r.fundings) > 0):
		return "", ""
	case len(r.live) > 0:
		return noFundingRecord, ""
	case len(r.fundings) == 0:
		return "", ""
	case len(r.failed) > 0:
		return failedAtProvider, ""
	}
	sent := r.fundings[0].SentAt
	end, over := graceOver(j.period, sent, j.cfg.GraceDays)
	if !over {
		return "", ""
	}
	return noProviderTopUp, j.uncovered(r, sent, end)
}

// uncovered says why it is not known that the provider has no top-up; empty: it is known.
func (j *topUpJudge) uncovered(r *reference, sent, end time.Time) string {
	sources := j.sources
	if r.source != "" {
		sources = []string{r.source}
	}
	from := startOfDate(dateOf(sent, j.period.Zone).AddDate(0, 0, -j.cfg.GraceDays), j.period.Zone)
	for _, s := range sources {
		if at, missing := j.covered.gap(s, schema.Window{From: from, To: end}); missing {
			return fmt.Sprintf("the transactions of %s are not known to be complete after %s, and the grace ended on %s", s,
				timeText(at, j.period.Zone), dateText(end, j.period.Zone))
		}
	}
	return ""
}

// onUnknownCard says whether a top-up is on a card that no list of its source contains.
func (j *topUpJudge) onUnknownCard(e schema.Entry) bool {
	_, known := j.cards.find(e.Source, e.CardID, e.CardAltID)
	return e.CardID != "" && !known
}

// onAnotherCard says whether the one top-up of a reference is on another card than the one that its one funding names: the
// card of the books then had no top-up, and another one has its money.
func (j *topUpJudge) onAnotherCard(r *reference) bool {
	if len(r.live) != 1 || len(r.fundings) != 1 || r.live[0].CardID == "" || r.fundings[0].CardID == "" {
		return false
	}
	e, named := r.live[0], r.fundings[0].CardID
	if c, ok := j.cards.find(e.Source, named); ok {
		paid, _ := j.cards.find(e.Source, e.CardID, e.CardAltID)
		return paid.ID != c.ID
	}
	return named != e.CardID && named != e.CardAltID
}

// proposals are top-ups under another reference that may be what a funding means: the same card, currency and amount,
// within the grace of sent_at, and the only such pair on both sides. Nothing is proposed where two fit.
func (j *topUpJudge) proposals() map[*reference]*schema.Entry {
	type likeness struct {
		card, currency string
		minor          int64
	}
	like := func(card string, a money.Amount) likeness { return likeness{card, a.Currency().Code(), a.Minor()} }
	free := map[likeness][]*schema.Entry{}
	for _, r := range j.references {
		if reason, _ := j.reason(r); reason == noFundingRecord {
			e := &r.live[0]
			free[like(e.CardID, e.Amount)] = append(free[like(e.CardID, e.Amount)], e)
		}
	}
	fits := map[*reference][]*schema.Entry{}
	wanted := map[*schema.Entry]int{}
	for _, r := range j.references {
		if len(r.fundings) != 1 || len(r.live)+len(r.failed) > 0 || r.fundings[0].CardID == "" {
			continue
		}
		f := r.fundings[0]
		for _, e := range free[like(f.CardID, f.Amount)] {
			refused := j.decided.refused[pairKey{r.text, e.ID()}]
			if (f.Source == "" || f.Source == e.Source) && j.withinGrace(f.SentAt, e.OccurredAt) && !refused {
				fits[r] = append(fits[r], e)
				wanted[e]++
			}
		}
	}
	proposals := map[*reference]*schema.Entry{}
	for r, entries := range fits {
		if len(entries) == 1 && wanted[entries[0]] == 1 {
			proposals[r] = entries[0]
		}
	}
	return proposals
}

func (j *topUpJudge) withinGrace(a, b time.Time) bool {
	days := dateOf(a, j.period.Zone).Sub(dateOf(b, j.period.Zone)).Abs() / (24 * time.Hour)
	return int(days) <= j.cfg.GraceDays
}

func (j *topUpJudge) unchecked(r *reference, why string) schema.Judgement {
	f := j.about(r)
	return schema.Judgement{
		Code: schema.OrphanTopUp, Source: f.Source, Provider: f.Provider, CardID: f.CardID, CardName: f.CardName, CardLast4: f.CardLast4,
		Figure: r.subject, Verdict: schema.NotCheckable, ObservedAt: deadline(j.period), Expected: f.Expected, Reason: why,
	}
}

// about fills what every finding of a reference says.
func (j *topUpJudge) about(r *reference) schema.Finding {
	f := schema.Finding{
		Code: schema.OrphanTopUp, Severity: schema.High, Source: r.source, Provider: j.provider(r.source), Reference: r.text,
		Subject: r.subject, Expected: totalOf(r.fundings, func(f schema.Funding) money.Amount { return f.Amount }),
		SubjectAt: subjectAt(j.period, r.at()),
	}
	f.PeriodFrom, f.PeriodTo = r.at(), r.at()
	topups := r.topups()
	for _, e := range topups {
		f.Evidence = append(f.Evidence, e.ID())
	}
	cardID, altID := "", ""
	if len(topups) > 0 {
		e := topups[len(topups)-1]
		if len(r.live) > 0 {
			e = r.live[len(r.live)-1]
		}
		f.Source, f.Provider, f.CardLast4 = e.Source, e.Provider, e.CardLast4
		if len(r.live) < 2 {
			f.EntryID = e.ID() // of several, no one is the one that the finding is about
		}
		cardID, altID = e.CardID, e.CardAltID
		counted := r.live
		if len(r.live) == 0 {
			counted = r.failed
		}
		f.Actual = totalOf(counted, func(e schema.Entry) money.Amount { return e.Amount })
	}
	if cardID == "" && len(r.fundings) > 0 {
		cardID = r.fundings[0].CardID
	}
	if c, ok := j.cards.find(f.Source, cardID, altID); ok {
		return finding(c, f)
	}
	f.CardID = cardID
	return f
}

func (j *topUpJudge) finding(r *reference, reason string, candidate *schema.Entry) schema.Finding {
	f := j.about(r)
	f.Reason = reason
	if reason == noProviderTopUp && len(r.live) > 0 { // it is about the card that the money did not reach
		f.Actual, f.CardID, f.CardName, f.CardLast4 = money.Amount{}, r.fundings[0].CardID, "", ""
		if c, ok := j.cards.find(f.Source, f.CardID); ok {
			f = finding(c, f)
		}
	}
	if reason == duplicateReference || reason == pendingPastGrace || candidate != nil {
		f.Severity = schema.Medium
	}
	if candidate != nil {
		f.EntryID, f.Evidence = candidate.ID(), []string{candidate.ID()}
		if r.source == "" {
			f.Source = candidate.Source
		}
		f.Provider = candidate.Provider
	}
	f.Message = j.message(r, reason, candidate, f)
	return f
}

// totalOf adds amounts of one currency; unknown where there is none, several currencies, or no sum.
func totalOf[T any](items []T, amount func(T) money.Amount) money.Amount {
	var total money.Amount
	for i, item := range items {
		if i == 0 {
			total = amount(item)
			continue
		}
		var err error
		if total, err = total.Add(amount(item)); err != nil {
			return money.Amount{}
		}
	}
	return total
}

func (j *topUpJudge) provider(source string) schema.Provider {
	for _, s := range j.cfg.Sources {
		if s.Name == source {
			return s.Provider
		}
	}
	return schema.Bitnob
}

// message says what the two sides know and what to look at.
func (j *topUpJudge) message(r *reference, reason string, candidate *schema.Entry, f schema.Finding) string {
	zone := j.period.Zone
	card := cardText(schema.Card{ID: f.CardID, Name: f.CardName, Last4: f.CardLast4})
	if f.CardID == "" {
		card = "A card that no row names"
	}
	ref := "without a reference"
	if r.text != "" {
		ref = "with reference " + quoted(r.text)
	}
	paid := func() string {
		return fmt.Sprintf("the provider shows a top-up of %s on %s %s%s", amountText(f.Actual), dateText(r.at(), zone), ref, confirmedText(r))
	}
	booked := func() string {
		return fmt.Sprintf("the books sent %s on %s %s", amountText(f.Expected), dateText(r.fundings[0].SentAt, zone), ref)
	}
	switch reason {
	case cardUnknown:
		return fmt.Sprintf("%s: %s, and no card list of %s contains that card. Ask whose card it is.", card, paid(), f.Source)
	case duplicateReference:
		return fmt.Sprintf("%s: the reference %s was used more than once: %s at the provider%s and %s in the books%s. Check whether the money was sent twice.",
			card, quoted(r.text), count(len(r.live), "top-up", "top-ups"), totalText(f.Actual),
			count(len(r.fundings), "funding record", "funding records"), totalText(f.Expected))
	case failedAtProvider:
		return fmt.Sprintf("%s: %s, and the top-up failed at the provider. Check whether the money came back.", card, booked())
	case currencyMismatch:
		return fmt.Sprintf("%s: %s, but the books sent %s: the currencies differ.%s", card, paid(), amountText(f.Expected), j.otherCardText(r))
	case amountMismatch:
		return fmt.Sprintf("%s: %s, but the books sent %s, a difference of %s %s.%s", card, paid(), amountText(f.Expected), f.Difference(), f.Currency(), j.otherCardText(r))
	case pendingPastGrace:
		return fmt.Sprintf("%s: %s, still pending after %s. Ask the provider what became of it.", card, paid(),
			count(j.cfg.GraceDays, "day", "days"))
	case noFundingRecord:
		return fmt.Sprintf("%s: %s, and the books have no record of sending it. Find out who sent it, or import the missing funding record.", card, paid())
	}
	if len(r.live) > 0 {
		e := r.live[0]
		to, _ := j.cards.find(e.Source, e.CardID, e.CardAltID)
		unlisted := ""
		if _, listed := j.cards.find(e.Source, f.CardID); !listed {
			unlisted = fmt.Sprintf(" No card list of %s contains the card that the books name.", e.Source)
		}
		return fmt.Sprintf("%s: %s to this card, and the provider put it on another one. %s has %s.%s Find out which card was meant.",
			card, booked(), cardText(to), entryText(&e, zone), unlisted)
	}
	if candidate != nil {
		return fmt.Sprintf("%s: %s, and the provider shows no top-up with that reference. It may be %s with reference %s, the only one with the same "+
			"card, currency and amount within %s of it: confirm or refuse that.", card, booked(), entryText(candidate, zone), quoted(candidate.Reference),
			count(j.cfg.GraceDays, "day", "days"))
	}
	return fmt.Sprintf("%s: %s, and the provider shows no top-up with that reference after %s. Ask where the money is.", card, booked(),
		count(j.cfg.GraceDays, "day", "days"))
}

// otherCardText says that a top-up which differs from the books is on another card besides.
func (j *topUpJudge) otherCardText(r *reference) string {
	if !j.onAnotherCard(r) {
		return ""
	}
	named, ok := j.cards.find(r.live[0].Source, r.fundings[0].CardID)
	if !ok {
		named = schema.Card{ID: r.fundings[0].CardID}
	}
	return fmt.Sprintf(" The books also name another card: %s.", cardText(named))
}

// confirmedText says that the one top-up of a reference carries another one, or none: a person put it here.
func confirmedText(r *reference) string {
	if len(r.live) != 1 || strings.TrimSpace(r.live[0].Reference) == r.text {
		return ""
	}
	return " (by confirmation; its own reference is " + quoted(r.live[0].Reference) + ")"
}

func totalText(a money.Amount) string {
	if !a.Known() {
		return ""
	}
	return " (" + amountText(a) + ")"
}
