package reconcile

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

var worlds = flag.Int("worlds", 1000, "how many random worlds the oracle judges; `make oracle` judges 10000")

// TestOracle holds every check against an oracle that is written the slow and obvious way, over small random worlds.
//
// The oracle shares no code with the checks beyond the types of schema and money. It adds all entries up for each window
// and each moment, walks clocks a quarter of an hour at a time, tries explanations by turning entries over one by one,
// and matches top-ups by comparing all with all. What it leaves out, and who tests that instead:
//
//   - messages, names and last digits of cards, and why something is not checkable, in words: the golden files
//   - the order of outcomes: TestChecks_AreDeterministic
//   - sums that leave int64: TestLimitBreach_RefusesASumThatOverflows
//   - pairs among more than 512 entries: TestExplain_SeeksPairsAmongTheNearestOnly
//   - which of several equal explanations of a drift is named: it must cover the difference, and TestExplain has the order
//   - errors of readers: TestCheck
//   - Cap: TestCap
func TestOracle(t *testing.T) {
	seen := map[string]int{}
	for n := range *worlds {
		w := randomWorld(rand.New(rand.NewPCG(uint64(n), 2026)))
		truth := newOracle(w).outcomes()
		var got []schema.Outcome
		for _, c := range Checks(w.cfg) {
			got = append(got, w.run(t, c.Code())...)
		}
		want, have := facts(truth), facts(got)
		for i := range max(len(want), len(have)) {
			if i < len(want) && i < len(have) && want[i] == have[i] {
				continue
			}
			t.Fatalf("world %d (go test ./reconcile -run TestOracle -worlds %d):\nthe oracle says and the checks do not:\n%s\nthe checks say and the oracle does not:\n%s\n%s",
				n, n+1, without(want, have), without(have, want), w.text(without(want, have)+without(have, want)))
		}
		if err := newOracle(w).evidence(got); err != "" {
			t.Fatalf("world %d: %s\n%s", n, err, w.text(err))
		}
		countFacts(seen, truth)
	}
	var met []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		met = append(met, fmt.Sprintf("%s %d", name, seen[name]))
	}
	t.Logf("%d worlds in which checks and oracle agree; they had: %s", *worlds, strings.Join(met, ", "))
	if *worlds >= 1000 {
		for _, name := range oracleCovers() {
			if seen[name] < *worlds/200 {
				t.Errorf("only %d times in %d worlds: %s", seen[name], *worlds, name)
			}
		}
	}
}

// countFacts notes which reasons, explanations and verdicts a world had.
func countFacts(seen map[string]int, outcomes []schema.Outcome) {
	for _, o := range outcomes {
		if f := o.Finding; f != nil {
			seen[strings.TrimSpace(string(f.Code)+" "+f.Reason)]++
			seen[string(f.Code)+" "+string(f.Severity)]++
			if f.Explanation != "" {
				seen["explanation "+f.Explanation]++
			}
		}
		if j := o.Judgement; j != nil {
			seen[fmt.Sprintf("%s %s", j.Code, j.Verdict)]++
		}
	}
}

// oracleCovers is what the worlds must have often enough for their agreement to mean something.
func oracleCovers() []string {
	all := []string{"balance-drift agreed", "balance-drift differs", "balance-drift not checkable", "limit-breach not checkable", "orphan-topup not checkable"}
	for _, c := range Checks(Config{}) {
		switch code := string(c.Code()); c.Code() {
		case schema.LimitBreach:
			all = append(all, code+" "+reportedOverLimit, code+" "+computedOverLimit, code+" "+overPerEntry, code+" "+underPerEntry)
		case schema.OrphanTopUp:
			for _, reason := range []string{
				cardUnknown, duplicateReference, failedAtProvider, currencyMismatch, amountMismatch, pendingPastGrace, noProviderTopUp, noFundingRecord,
			} {
				all = append(all, code+" "+reason)
			}
		case schema.BalanceDrift:
			for _, name := range []schema.FigureName{schema.Balance, schema.PeriodSpend, schema.TrailingSpend, schema.Utilized} {
				all = append(all, code+" "+string(name))
			}
			all = append(all, code+" "+mixedBasis)
		case schema.SpendOnClosedCard:
			all = append(all, code+" high", code+" medium")
		default:
			all = append(all, code)
		}
	}
	for _, name := range []string{inFlight, dayBoundary, factor100, openingFunding, wrongSign, oneEntry, declines, twoEntries, capturedAbove, tip} {
		all = append(all, "explanation "+name)
	}
	return all
}

// facts are outcomes without their wording, in an order of their own.
func facts(outcomes []schema.Outcome) []string {
	instant := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("2006-01-02T15:04:05.999999")
	}
	amount := func(a money.Amount) string {
		if !a.Known() {
			return "-"
		}
		return amountText(a)
	}
	var all []string
	for _, o := range outcomes {
		if f := o.Finding; f != nil {
			rests := fmt.Sprint(f.Evidence)
			if f.Code == schema.BalanceDrift {
				rests = "see evidence"
			}
			all = append(all, fmt.Sprintf("finding %s %s %s %s/%s entry=%s ref=%q subject=%q at=%s..%s period=%s..%s window=%s expected=%s actual=%s unexplained=%s basis=%q explained=%q rests=%s",
				f.Code, f.Reason, f.Severity, f.Source, f.CardID, f.EntryID, f.Reference, f.Subject, instant(f.SubjectAt), instant(f.SubjectTo),
				instant(f.PeriodFrom), instant(f.PeriodTo), instant(f.WindowStart), amount(f.Expected), amount(f.Actual), amount(f.Unexplained), f.Basis, f.Explanation, rests))
		}
		if j := o.Judgement; j != nil {
			text := fmt.Sprintf("judgement %s %s/%s %q %s observed=%s", j.Code, j.Source, j.CardID, j.Figure, j.Verdict, instant(j.ObservedAt))
			if j.Verdict != schema.NotCheckable {
				text += fmt.Sprintf(" from=%s expected=%s actual=%s basis=%q since=%s", instant(j.From), amount(j.Expected), amount(j.Actual), j.Basis, instant(j.Since))
			}
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return all
}

// without lists what is in one of two sorted lists and not in the other.
func without(all, others []string) string {
	left := slices.Clone(others)
	var b strings.Builder
	for _, text := range all {
		if i, ok := slices.BinarySearch(left, text); ok {
			left = slices.Delete(left, i, i+1)
			continue
		}
		b.WriteString("  " + text + "\n")
	}
	return b.String()
}

// text shows what a world has of the sources that some text is about.
func (w *world) text(about string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "period %s zone %s now %s config %+v\n", w.period.Window, w.period.Zone, w.period.Now, w.cfg)
	lines(&b, w.cards)
	lines(&b, w.observations)
	lines(&b, w.budgets)
	lines(&b, w.entries)
	lines(&b, w.fundings)
	lines(&b, w.completeness)
	lines(&b, w.matches)
	lines(&b, w.notes)
	lines(&b, w.rejects)
	var kept []string
	for line := range strings.SplitSeq(b.String(), "\n") {
		if !slices.ContainsFunc(w.cfg.Sources, func(s Source) bool { return strings.Contains(line, s.Name) && !strings.Contains(about, s.Name) }) || strings.HasPrefix(line, "period") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func lines[T any](b *strings.Builder, items []T) {
	for _, item := range items {
		fmt.Fprintf(b, "%T %+v\n", item, item)
	}
}
