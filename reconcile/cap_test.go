package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func floodPeriod() schema.Period {
	return schema.Period{Window: schema.Window{From: civil(2026, 8, 1), To: civil(2026, 9, 1)}, Zone: time.UTC, Now: civil(2026, 9, 1)}
}

// flood makes n findings of a code and source, a day's hours apart.
func flood(n int, code schema.FindingCode, source string) []schema.Finding {
	var fs []schema.Finding
	for i := range n {
		at := civil(2026, 8, 2).Add(time.Duration(i) * time.Hour)
		fs = append(fs, schema.Finding{
			Code: code, Source: source, Severity: schema.Medium, CardID: fmt.Sprintf("c%d", i), Subject: fmt.Sprintf("t%d", i),
			EntryID: fmt.Sprintf("%s/t%d", source, i), Actual: usd(-1050), SubjectAt: at, Message: fmt.Sprintf("Finding %d.", i),
		})
	}
	return fs
}

func reasons(fs []schema.Finding) []string {
	var all []string
	for _, f := range fs {
		all = append(all, strings.TrimSpace(string(f.Code)+" "+f.Source+" "+f.Subject))
	}
	return all
}

func nothingKnown(string) bool { return false }

func TestCap(t *testing.T) {
	stale, drift := schema.StalePending, schema.BalanceDrift
	knownOf := func(fs []schema.Finding) func(string) bool {
		ids := map[string]bool{}
		for _, f := range fs {
			ids[f.ID()] = true
		}
		return func(id string) bool { return ids[id] }
	}
	for _, c := range []struct {
		name  string
		found []schema.Finding
		known func(string) bool
		limit int
		want  []string
	}{
		{"AsManyAsTheLimitStay", flood(3, stale, "a"), nothingKnown, 3, reasons(flood(3, stale, "a"))},
		{"OneMoreBecomesOne", flood(4, stale, "a"), nothingKnown, 3, []string{"stale-pending a new findings"}},
		{"KnownOnesStay", flood(6, stale, "a"), knownOf(flood(2, stale, "a")), 3, []string{"stale-pending a t0", "stale-pending a t1", "stale-pending a new findings"}},
		{"KnownOnesAreNoFlood", flood(6, stale, "a"), knownOf(flood(3, stale, "a")), 3, reasons(flood(6, stale, "a"))},
		{
			"OtherCodesStay", slices.Concat(flood(2, drift, "a"), flood(4, stale, "a"), flood(1, drift, "b")), nothingKnown, 3,
			[]string{"balance-drift a t0", "balance-drift a t1", "stale-pending a new findings", "balance-drift b t0"},
		},
		{
			"TheSourceWithTheMostGivesWay", slices.Concat(flood(2, stale, "a"), flood(4, stale, "b")), nothingKnown, 3,
			[]string{"stale-pending a t0", "stale-pending a t1", "stale-pending b new findings"},
		},
		{
			"ManySourcesTogetherAreAFlood", slices.Concat(flood(2, stale, "a"), flood(2, stale, "b"), flood(2, stale, "c")), nothingKnown, 3,
			[]string{"stale-pending a new findings", "stale-pending b new findings", "stale-pending c t0", "stale-pending c t1"},
		},
		{
			"OneFindingSeenTwiceIsOne", slices.Concat(flood(3, stale, "a"), flood(3, stale, "a")), nothingKnown, 3,
			slices.Concat(reasons(flood(3, stale, "a")), reasons(flood(3, stale, "a"))),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := reasons(Cap(floodPeriod(), c.found, c.known, map[schema.FindingCode]int{stale: c.limit}))
			if !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
	t.Run("FiveHundredWhereNoLimitIsSet", func(t *testing.T) {
		if got := Cap(floodPeriod(), flood(500, stale, "a"), nothingKnown, nil); len(got) != 500 {
			t.Errorf("500 became %d", len(got))
		}
		if got := Cap(floodPeriod(), flood(501, stale, "a"), nothingKnown, nil); len(got) != 1 {
			t.Errorf("501 became %d", len(got))
		}
	})
}

// TestCap_LosesNothing: the finding that stands for many says how many, what they amount to, and what most of them share.
func TestCap_LosesNothing(t *testing.T) {
	eur, err := money.Lookup("EUR")
	if err != nil {
		t.Fatal(err)
	}
	fs := flood(40, schema.LimitBreach, "a")
	for i := range fs {
		f := &fs[i]
		f.Expected, f.Actual, f.CardID, f.CardName, f.Reason, f.Cause = usd(10000), usd(10050), "c", "Travel", computedOverLimit, "limit daily"
		if i < 4 {
			f.Expected, f.Actual, f.Reason, f.Cause = money.Amount{}, money.FromMinor(300, eur), overPerEntry, ""
		}
	}
	fs[7].Severity = schema.High
	fs[7].SubjectAt = civil(2026, 7, 27) // a week that began before the period
	got := Cap(floodPeriod(), fs, nothingKnown, map[schema.FindingCode]int{schema.LimitBreach: 39})
	if len(got) != 1 {
		t.Fatalf("got %d findings", len(got))
	}
	s := got[0]
	want := `40 new findings of limit-breach on a would be opened at once, more than the limit of 39, so this one stands for all of them. ` +
		`Together they amount to 18.00 USD, 12.00 EUR. What most of them, 36, have in common: reason computed-over-limit, limit daily. Card "Travel" has 40 of them. ` +
		`So many have one cause more often than many: look for it, and run reconcile again; or raise checks.limit-breach.max_new to see each. The first of them: Finding 0.`
	if s.Message != want {
		t.Errorf("got  %s\nwant %s", s.Message, want)
	}
	if s.Severity != schema.High || s.Actual != usd(1800) || s.Expected.Known() || !s.In(floodPeriod().Window) || s.ID() != SummaryID(schema.LimitBreach, "a") {
		t.Errorf("%+v", s)
	}
	if !slices.Equal(s.Evidence, []string{"a/t0", "a/t1", "a/t2"}) {
		t.Errorf("evidence %v", s.Evidence)
	}
}

func TestCap_NamesTheFieldOfRejects(t *testing.T) {
	at := civil(2026, 8, 20)
	w := &world{period: floodPeriod()}
	for i := range 20 {
		r := schema.Reject{Source: "a", Stream: schema.Transactions, ExternalID: fmt.Sprintf("t%d", i), Field: "amountCents", Reason: "fractional", ReceivedAt: at}
		if i == 0 {
			r.Field = "date"
		}
		w.rejects = append(w.rejects, r)
	}
	got := Cap(w.period, findingsOf(w.run(t, schema.RejectedRecord)), nothingKnown, map[schema.FindingCode]int{schema.RejectedRecord: 5})
	if len(got) != 1 || !strings.Contains(got[0].Message, "What most of them, 19, have in common: transactions, field amountCents.") {
		t.Errorf("got %+v", got)
	}
}
