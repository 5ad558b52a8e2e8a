package reports

import (
	"context"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func TestCompleteness_ReadingsThatStand(t *testing.T) {
	w := func(from, to string) schema.Window {
		return schema.Window{From: at("2026-08-" + from + "T00:00:00Z"), To: at("2026-08-" + to + "T00:00:00Z")}
	}
	read := func(run int64, s schema.Stream, w schema.Window, v schema.Verdict) schema.Completeness {
		return schema.Completeness{Source: "s", Stream: s, Window: w, Verdict: v, Run: run}
	}
	const tx, cards = schema.Transactions, schema.Cards
	for _, c := range []struct {
		name string
		all  []schema.Completeness
		want string // the run of each that stands, by stream and window
	}{
		{"IncompleteStandsAlone", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictPartial)}, "1"},
		{"IncompleteMadeGoodByTheSameWindow", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictPartial), read(2, tx, w("02", "05"), schema.VerdictComplete)}, "2"},
		{"IncompleteMadeGoodByTwoWindows", []schema.Completeness{
			read(1, tx, w("02", "05"), schema.VerdictFailed), read(2, tx, w("01", "03"), schema.VerdictComplete), read(3, tx, w("03", "06"), schema.VerdictComplete),
		}, "2 3"},
		{"IncompleteMadeGoodInPartStands", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictPartial), read(2, tx, w("02", "04"), schema.VerdictComplete)}, "2 1"},
		{"LaterIncompleteStandsBesideComplete", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictComplete), read(2, tx, w("02", "05"), schema.VerdictPartial)}, "1 2"},
		{"LatestOfTheSameWindow", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictComplete), read(2, tx, w("02", "05"), schema.VerdictComplete)}, "2"},
		{"OverlappingCompleteStandTogether", []schema.Completeness{read(1, tx, w("02", "05"), schema.VerdictComplete), read(2, tx, w("03", "06"), schema.VerdictComplete)}, "1 2"},
		{"SnapshotMadeGoodByALaterOne", []schema.Completeness{read(1, cards, w("02", "02"), schema.VerdictFailed), read(2, cards, w("03", "03"), schema.VerdictComplete)}, "2"},
		{"SnapshotNotMadeGoodByAnEarlierOne", []schema.Completeness{read(1, cards, w("02", "02"), schema.VerdictComplete), read(2, cards, w("03", "03"), schema.VerdictFailed)}, "1 2"},
		{"AnotherStreamMakesNothingGood", []schema.Completeness{read(1, cards, w("02", "02"), schema.VerdictFailed), read(2, tx, w("01", "09"), schema.VerdictComplete)}, "1 2"},
		{"OutsideOfThePeriod", []schema.Completeness{read(1, tx, w("10", "12"), schema.VerdictComplete), read(2, cards, w("09", "09"), schema.VerdictComplete)}, ""},
		{"WindowThatOnlyTouches", []schema.Completeness{read(1, tx, w("09", "10"), schema.VerdictComplete)}, ""},
		{"SnapshotAtTheStart", []schema.Completeness{read(1, cards, w("01", "01"), schema.VerdictComplete)}, "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readCompleteness(t.Context(), Input{View: memory{completeness: c.all}.view(), Period: schema.Period{Window: w("01", "09")}})
			if err != nil {
				t.Fatal(err)
			}
			var runs []string
			for _, r := range got {
				runs = append(runs, string(rune('0'+r.Run)))
			}
			if diff := cmp.Diff(c.want, strings.Join(runs, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCutoff(t *testing.T) {
	f := facts{Input: Input{Period: schema.Period{Window: schema.Window{From: at("2026-08-01T00:00:00Z"), To: at("2026-09-01T00:00:00Z")}}}}
	for _, c := range []struct {
		name, occurred, posted string
		want                   bool
	}{
		{"BothInside", "2026-08-01T00:00:00Z", "2026-08-31T23:59:59Z", false},
		{"PostedAfter", "2026-08-31T23:59:59Z", "2026-09-01T00:00:00Z", true},
		{"OccurredBefore", "2026-07-31T23:59:59Z", "2026-08-01T00:00:00Z", true},
		{"AcrossTheWholePeriod", "2026-07-31T00:00:00Z", "2026-09-02T00:00:00Z", true},
		{"PostedBeforeItOccurred", "2026-09-01T00:00:00Z", "2026-08-31T00:00:00Z", true},
		{"BothBefore", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", false},
		{"BothAfter", "2026-09-01T00:00:00Z", "2026-09-02T00:00:00Z", false},
		{"NotPosted", "2026-07-31T00:00:00Z", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := schema.Entry{OccurredAt: at(c.occurred)}
			if c.posted != "" {
				e.PostedAt = at(c.posted)
			}
			if got := f.straddles(e); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestCards_BalanceInTheUnitOfItsSource(t *testing.T) {
	ambiguous := func(raw string) schema.Figure { return schema.Figure{Name: schema.Balance, Raw: raw, Ambiguous: true} }
	for _, c := range []struct {
		name, unit string
		figure     schema.Figure
		currency   string
		want       string
	}{
		{"Minor", "minor", ambiguous("1250"), "", "12.50"},
		{"Major", "major", ambiguous("12.5"), "USD", "12.50"},
		{"MinorThatDoesNotFitIsUnknown", "minor", ambiguous("12.5"), "USD", ""},
		{"UnknownCurrencyIsUnknown", "minor", ambiguous("1250"), "XXX", ""},
		{"NotAmbiguous", "minor", schema.Figure{Name: schema.Balance, Raw: "7", Amount: usd(700)}, "USD", "7.00"},
		{"WithAProblemIsUnknown", "major", schema.Figure{Name: schema.Balance, Raw: "1.005", Ambiguous: true, Problem: "excess digit"}, "USD", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := balance(c.figure, schema.Card{Currency: c.currency}, c.unit).String(); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestConclusion(t *testing.T) {
	agreed := schema.Judgement{Verdict: schema.Agreed}
	month := schema.Window{From: at("2026-08-01T00:00:00Z"), To: at("2026-09-01T00:00:00Z")}
	week := schema.Window{From: at("2026-08-01T00:00:00Z"), To: at("2026-08-08T00:00:00Z")}
	base := func() facts {
		return facts{Input: Input{
			Period: schema.Period{Window: month, Zone: zone(t, "UTC"), Now: month.To}, BooksKnown: true, Reconciled: schema.Run{ID: 3, Period: month},
			Sources: []Source{{Name: "a", Complete: true}, {Name: "b", Complete: true}}, Judgements: []schema.Judgement{agreed},
		}}
	}
	for _, c := range []struct {
		name   string
		change func(*facts)
		want   string
	}{
		{"AllIsWell", func(*facts) {}, "COMPLETE: Everything that 2 sources have for the period was read; no finding is open."},
		{"OpenFindings", func(f *facts) {
			f.findings = []schema.Finding{{Status: schema.Open, Severity: schema.High}, {Status: schema.Acknowledged}, {Status: schema.Resolved, Severity: schema.High}, {Status: schema.Accepted}}
		}, "COMPLETE, WITH FINDINGS: Everything that 2 sources have for the period was read; 2 findings are open, 1 of high severity."},
		{"OneFinding", func(f *facts) { f.findings = []schema.Finding{{Status: schema.Open}} }, "COMPLETE, WITH FINDINGS: Everything that 2 sources have for the period was read; 1 finding is open, 0 of high severity."},
		{
			"ASourceIsIncomplete", func(f *facts) { f.Sources[1].Complete = false },
			"INCOMPLETE: The period cannot be concluded for b, since what was read is not known to be everything; no finding is open.",
		},
		{"NoSource", func(f *facts) { f.Sources = nil }, "INCOMPLETE: No source is configured, so nothing can be concluded; no finding is open."},
		{"NoChecks", func(f *facts) { f.Reconciled = schema.Run{} }, "NOT CHECKED: Everything that 2 sources have for the period was read; no checks were run on what is shown (run `tieout reconcile` for the period)."},
		{
			"ChecksOfAnotherPeriod", func(f *facts) { f.Reconciled.Period = week },
			"PARTLY CHECKED: Everything that 2 sources have for the period was read; the latest checks (run 3) were of another period, 2026-08-01 to 2026-08-07 (run `tieout reconcile` for this one); no finding is open.",
		},
		{"ChecksUpToNowOfAPeriodThatGoesOn", func(f *facts) { f.Reconciled.Period, f.Period.Now = week, week.To }, "COMPLETE: Everything that 2 sources have for the period was read; no finding is open."},
		{
			"NotCheckable", func(f *facts) { f.Judgements = []schema.Judgement{{Verdict: schema.NotCheckable}, agreed} },
			"COMPLETE, NOT ALL CHECKED: Everything that 2 sources have for the period was read; no finding is open; 1 figure could not be checked (Roll-forward says why).",
		},
		{
			"NoBooks", func(f *facts) { f.BooksKnown = false },
			"COMPLETE: Everything that 2 sources have for the period was read; no finding is open; no funding records were imported, so top-ups were not compared with the company's books.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := base()
			c.change(&f)
			word, says := f.conclusion()
			if got := word.Text + ": " + says; got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPeriodText(t *testing.T) {
	ny := zone(t, "America/New_York")
	for _, c := range []struct{ name, from, to, want string }{
		{"WholeDays", "2026-08-01T04:00:00Z", "2026-09-01T04:00:00Z", "2026-08-01 to 2026-08-31"},
		{"AcrossTheClockChange", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z", "2026-11-01 to 2026-11-01"},
		{"UpToNow", "2026-08-01T04:00:00Z", "2026-08-15T11:00:00.000001Z", "2026-08-01 00:00:00 to 2026-08-15 07:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := periodText(schema.Period{Window: schema.Window{From: at(c.from), To: at(c.to)}, Zone: ny})
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestGather_RefusesAFindingOfAnUnknownStatus(t *testing.T) {
	input, _ := august(t)
	input.Findings = func(context.Context) iter.Seq2[schema.Finding, error] {
		return of([]schema.Finding{{Status: "odd"}})
	}
	if _, err := gather(t.Context(), input); err == nil || !strings.Contains(err.Error(), `status "odd" is not known`) {
		t.Errorf("got %v", err)
	}
}

func TestSummary_SumsOfCurrenciesStayApart(t *testing.T) {
	input, _ := august(t)
	f, err := gather(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	var all []*total
	for _, x := range f.totals {
		if x.currency.Code() != "" {
			all = sumInto(all, x)
		}
	}
	got := map[money.Currency]any{}
	for _, x := range all {
		got[x.currency] = figure(x.net(), x.currency)
	}
	if len(got) != 3 || got[money.USD()] != table.Decimal("-1234661.40") {
		t.Errorf("got %v", got)
	}
}

// TestFindingSheets_HoldEveryCode: a code that no sheet holds would be in no workbook.
func TestFindingSheets_HoldEveryCode(t *testing.T) {
	for _, code := range codes() {
		if sheetOf(code) == "" {
			t.Errorf("%s stands on no sheet", code)
		}
	}
}
