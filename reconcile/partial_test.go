package reconcile

import (
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

func TestSayCoverage(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 8, n, 0, 0, 0, 0, time.UTC) }
	complete := func(from, to time.Time) schema.Completeness {
		return schema.Completeness{Source: "s", Stream: schema.Transactions, Window: schema.Window{From: from, To: to}, Verdict: schema.VerdictComplete}
	}
	breach := schema.Finding{
		Code: schema.LimitBreach, Reason: computedOverLimit, Source: "s", PeriodFrom: day(5), PeriodTo: day(6), Basis: "posted + pending", Message: "Over.",
	}
	with := func(change func(*schema.Finding)) schema.Finding {
		f := breach
		change(&f)
		return f
	}
	begins, after := "from the window's beginning on", func(text string) string { return "after " + text }
	pending := schema.Finding{Code: schema.StalePending, Source: "s", SubjectAt: day(5), PeriodFrom: day(5), PeriodTo: day(5), Message: "Pending."}
	unknown := schema.Finding{Code: schema.UnknownCard, Source: "s", SubjectAt: day(5), PeriodFrom: day(5), PeriodTo: day(5), Message: "Whose?"}
	topUp := func(f schema.Finding, reason string) schema.Finding {
		f.Code, f.Reason = schema.OrphanTopUp, reason
		return f
	}
	listed := func(at time.Time, verdict schema.Verdict) schema.Completeness {
		return schema.Completeness{Source: "s", Stream: schema.Cards, Window: schema.Window{From: at, To: at}, Verdict: verdict}
	}
	for name, c := range map[string]struct {
		finding schema.Finding
		read    []schema.Completeness
		want    string // since when; empty: nothing is said
	}{
		"NothingOfAWholeReading":               {breach, []schema.Completeness{complete(schema.Beginning, day(31))}, ""},
		"ThatNothingWasRead":                   {breach, nil, begins},
		"ThatTheLookBackWasNotRead":            {breach, []schema.Completeness{complete(day(1), day(20))}, after("2026-08-20 00:00 UTC")},
		"NothingOfTheHoursSinceTheLastSync":    {breach, []schema.Completeness{complete(day(1), day(30).Add(time.Hour))}, ""},
		"ThatTheBeginningOfTheWindowIsMissing": {breach, []schema.Completeness{complete(day(6), day(31))}, begins},
		"NothingOfAGapBeforeTheWindow":         {breach, []schema.Completeness{complete(schema.Beginning, day(2)), complete(day(4), day(31))}, ""},
		"AGapOfAWindowWithoutEnd":              {with(func(f *schema.Finding) { f.PeriodFrom, f.PeriodTo = time.Time{}, time.Time{} }), []schema.Completeness{complete(day(1), day(31))}, begins},
		"NothingBeforeTheStartOfTheSource":     {with(func(f *schema.Finding) { f.Source, f.PeriodFrom = "late", day(1) }), []schema.Completeness{func() schema.Completeness { c := complete(day(3), day(31)); c.Source = "late"; return c }()}, ""},
		"NothingOfASinglePurchase":             {with(func(f *schema.Finding) { f.Reason = overPerEntry }), nil, ""},
		"NothingOfWhatTheProviderReported":     {with(func(f *schema.Finding) { f.Reason = reportedOverLimit }), nil, ""},
		"NothingOfWhatOtherChecksFound":        {with(func(f *schema.Finding) { f.Code, f.Reason = schema.BalanceDrift, "balance" }), nil, ""},
		"NothingOfAPendingRowThatWasReadSince": {pending, []schema.Completeness{complete(day(4), day(31))}, ""},
		"ThatAPendingRowMayHaveSettled":        {pending, []schema.Completeness{complete(day(4), day(20))}, after("2026-08-20 00:00 UTC, so it may have settled")},
		"ThatAPendingRowWasNotReadSince":       {pending, nil, "since then, so it may have settled"},
		"ThatAPendingTopUpMayHaveSettled":      {topUp(pending, pendingPastGrace), []schema.Completeness{complete(day(4), day(20))}, after("2026-08-20 00:00 UTC")},
		"NothingOfATopUpThatTheBooksDoNotHave": {topUp(pending, noFundingRecord), nil, ""},
		"NothingOfACardThatWasNotListedSince":  {unknown, []schema.Completeness{listed(day(6), schema.VerdictComplete), listed(day(7), schema.VerdictPartial)}, ""},
		"ThatACardMayBeNewerThanTheList":       {unknown, []schema.Completeness{listed(day(4), schema.VerdictComplete), listed(day(6), schema.VerdictPartial)}, "2026-08-04 00:00 UTC, so the card may be newer"},
		"ThatNoListOfCardsWasWhole":            {unknown, []schema.Completeness{listed(day(6), schema.VerdictPartial)}, "never been listed to the end"},
		"ThatTheCardOfATopUpMayBeNewer":        {topUp(unknown, cardUnknown), []schema.Completeness{listed(day(4), schema.VerdictComplete)}, "may be newer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{
				period: schema.Period{Window: schema.Window{From: day(1), To: day(31)}, Zone: time.UTC, Now: day(31)}, completeness: c.read,
				cfg: Config{Sources: []Source{{Name: "s", LookbackDays: 35}, {Name: "late", LookbackDays: 35, Start: day(3)}}},
			}
			findings := []schema.Finding{c.finding}
			if err := SayCoverage(t.Context(), w.view(), w.period, w.cfg, findings); err != nil {
				t.Fatal(err)
			}
			got := findings[0]
			said := got.Message != c.finding.Message
			sum := c.finding.Code == schema.LimitBreach
			if said != (c.want != "") || (said && sum) != strings.HasSuffix(got.Basis, ", "+incompleteBasis) || !strings.Contains(got.Message, c.want) {
				t.Errorf("%q, %q", got.Message, got.Basis)
			}
			if got.ID() != c.finding.ID() {
				t.Error("it is another finding")
			}
		})
	}
}
