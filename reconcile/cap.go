package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// DefaultMaxNew is how many new findings of one code one run opens where no limit is set.
const DefaultMaxNew = 500

// The reason and subject of a finding that stands for many.
const (
	tooManyNew  = "too-many-new"
	newFindings = "new findings"
)

// SummaryID is the ID of the finding that stands for many new ones of a code and source.
func SummaryID(code schema.FindingCode, source string) string {
	return schema.Finding{Code: code, Reason: tooManyNew, Source: source, Subject: newFindings}.ID()
}

// Cap replaces a flood of new findings. Where found has more new findings of one code than limits allows (DefaultMaxNew
// where limits does not name the code), those of one source, of the source with the most first, become one finding that
// says how many they are, what they amount to and what most of them have in common, until the rest is within the limit.
// known says whether the ledger has a finding, whatever its status: such findings are judged on as they are. The order
// of found is kept. The same flood gives a finding of the same ID every night.
func Cap(p schema.Period, found []schema.Finding, known func(id string) bool, limits map[schema.FindingCode]int) []schema.Finding {
	type group struct {
		code   schema.FindingCode
		source string
	}
	fresh := map[group][]schema.Finding{}
	total := map[schema.FindingCode]int{}
	seen := map[string]bool{}
	isNew := make([]bool, len(found))
	for i, f := range found {
		id := f.ID()
		if known(id) {
			continue
		}
		isNew[i] = true
		if !seen[id] {
			seen[id] = true
			g := group{f.Code, f.Source}
			fresh[g] = append(fresh[g], f)
			total[f.Code]++
		}
	}
	groups := make([]group, 0, len(fresh))
	for g := range fresh {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(fresh[b]), len(fresh[a])), cmp.Compare(a.code, b.code), cmp.Compare(a.source, b.source))
	})
	summary := map[group]*schema.Finding{}
	for _, g := range groups {
		limit := cmp.Or(limits[g.code], DefaultMaxNew)
		if total[g.code] > limit {
			total[g.code] -= len(fresh[g])
			f := summarize(p, fresh[g], limit)
			summary[g] = &f
		}
	}
	if len(summary) == 0 {
		return found
	}
	var capped []schema.Finding
	for i, f := range found {
		g := group{f.Code, f.Source}
		s := summary[g]
		switch {
		case s == nil || !isNew[i]:
			capped = append(capped, f)
		case s.Code != "":
			capped = append(capped, *s)
			*s = schema.Finding{} // it stands once, where the first of its findings stood
		}
	}
	return capped
}

// summarize is the finding that stands for many of one code and source.
func summarize(p schema.Period, many []schema.Finding, limit int) schema.Finding {
	first := many[0]
	s := schema.Finding{
		Code: first.Code, Reason: tooManyNew, Severity: first.Severity, Source: first.Source, Provider: first.Provider,
		Subject: newFindings, SubjectAt: p.To,
	}
	for _, f := range many {
		if f.Severity.Rank() > s.Severity.Rank() {
			s.Severity = f.Severity
		}
		if at := f.SubjectAt; at.Before(s.SubjectAt) {
			s.SubjectAt = at
		}
	}
	if s.SubjectAt.Before(p.From) { // the window of a limit may begin before the period
		s.SubjectAt = p.From
	}
	if !s.SubjectAt.Before(p.To) {
		s.SubjectAt = p.To.Add(-time.Microsecond)
	}
	s.PeriodFrom, s.PeriodTo = p.From, p.To
	sums := sumStakes(many)
	together := ""
	if len(sums) > 0 {
		s.Actual = sums[0].amount()
		together = " Together they amount to " + sumsText(sums) + "."
	}
	for _, f := range many[:min(len(many), namedEntries)] {
		if f.EntryID != "" {
			s.Evidence = append(s.Evidence, f.EntryID)
		} else if len(f.Evidence) > 0 {
			s.Evidence = append(s.Evidence, f.Evidence[0])
		}
	}
	s.Message = fmt.Sprintf("%d new findings of %s on %s would be opened at once, more than the limit of %d, so this one stands for all of them.%s %s "+
		"So many have one cause more often than many: look for it, and run reconcile again; or raise checks.%s.max_new to see each. The first of them: %s",
		len(many), s.Code, s.Source, limit, together, inCommon(many), s.Code, first.Message)
	return s
}

// stake is a sum of the amounts that findings are about, in one currency.
type stake struct {
	currency money.Currency
	sum      decimal.Decimal
	findings int
}

// amount is the sum as an amount; unknown where it does not fit.
func (s stake) amount() money.Amount {
	minor := s.sum.Shift(int32(s.currency.Digits())).BigInt()
	if !minor.IsInt64() {
		return money.Amount{}
	}
	return money.FromMinor(minor.Int64(), s.currency)
}

// sumStakes adds what the two sides of each finding differ by or, where only one side is known or the two are of
// different currencies, the side that is known, the provider's first. The currency of the most findings comes first.
func sumStakes(many []schema.Finding) []stake {
	var sums []stake
	for _, f := range many {
		side := f.Actual
		if !side.Known() {
			side = f.Expected
		}
		if !side.Known() {
			continue
		}
		c := side.Currency()
		sum := decimal.NewFromInt(side.Minor())
		if f.Actual.Known() && f.Expected.Known() && f.Expected.Currency() == c {
			sum = sum.Sub(decimal.NewFromInt(f.Expected.Minor()))
		}
		i := slices.IndexFunc(sums, func(s stake) bool { return s.currency == c })
		if i < 0 {
			i = len(sums)
			sums = append(sums, stake{currency: c})
		}
		sums[i].sum = sums[i].sum.Add(sum.Abs().Shift(-int32(c.Digits())))
		sums[i].findings++
	}
	slices.SortStableFunc(sums, func(a, b stake) int {
		return cmp.Or(cmp.Compare(b.findings, a.findings), cmp.Compare(a.currency.Code(), b.currency.Code()))
	})
	return sums
}

func sumsText(sums []stake) string {
	var parts []string
	for _, s := range sums {
		parts = append(parts, s.sum.StringFixed(int32(s.currency.Digits()))+" "+s.currency.Code())
	}
	return strings.Join(parts, ", ")
}

// inCommon names the likely cause: what most of the findings share.
func inCommon(many []schema.Finding) string {
	causes, cards := map[string]int{}, map[string]int{}
	for _, f := range many {
		causes[causeText(f)]++
		cards[f.CardID]++
	}
	cause, n := mostCommon(causes)
	card, onCard := mostCommon(cards)
	text := "They have no reason or field in common."
	if cause != "" {
		text = fmt.Sprintf("What most of them, %d, have in common: %s.", n, cause)
	}
	if card != "" && onCard > len(many)/2 {
		i := slices.IndexFunc(many, func(f schema.Finding) bool { return f.CardID == card })
		text += fmt.Sprintf(" %s has %d of them.", cardText(schema.Card{ID: card, Name: many[i].CardName, Last4: many[i].CardLast4}), onCard)
	}
	return text
}

// causeText is what findings of one origin share; empty: nothing is known of it.
func causeText(f schema.Finding) string {
	var parts []string
	if f.Reason != "" {
		parts = append(parts, "reason "+f.Reason)
	}
	if f.Explanation != "" {
		parts = append(parts, "explanation "+f.Explanation)
	}
	if f.Cause != "" {
		parts = append(parts, f.Cause)
	}
	return strings.Join(parts, ", ")
}

func mostCommon(counts map[string]int) (string, int) {
	best, n := "", 0
	for text, count := range counts {
		if text != "" && (count > n || count == n && text < best) {
			best, n = text, count
		}
	}
	return best, n
}
