package schema_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func day(n int) time.Time { return time.Date(2026, 8, n, 0, 0, 0, 0, time.UTC) }

func days(from, to int) schema.Window { return schema.Window{From: day(from), To: day(to)} }

func TestWindow(t *testing.T) {
	t.Run("IsHalfOpen", func(t *testing.T) {
		w := days(1, 2)
		for at, want := range map[time.Time]bool{
			day(1): true, day(2).Add(-time.Microsecond): true, day(2): false, day(1).Add(-time.Microsecond): false,
		} {
			if w.Contains(at) != want {
				t.Errorf("%v", at)
			}
		}
	})
	t.Run("OverlapsWhatItSharesAnInstantWith", func(t *testing.T) {
		for o, want := range map[schema.Window]bool{
			days(5, 6): false, days(4, 5): true, days(1, 2): true, days(1, 9): true, days(1, 1): false, days(2, 3): true,
		} {
			if w := days(1, 5); w.Overlaps(o) != want || o.Overlaps(w) != want {
				t.Errorf("%s", o)
			}
		}
	})
	t.Run("IsWrittenInDatesWhereItsEndsAreMidnights", func(t *testing.T) {
		for want, w := range map[string]schema.Window{
			"2026-08-01..2026-08-02":                     days(1, 2),
			"beginning..2026-08-02":                      {From: schema.Beginning, To: day(2)},
			"2026-08-01..2026-08-01T12:30:00Z":           {From: day(1), To: day(1).Add(12*time.Hour + 30*time.Minute)},
			"2026-08-01T04:00:00Z..2026-08-02T04:00:00Z": {From: day(1).In(newYork(t)).Add(4 * time.Hour), To: day(2).Add(4 * time.Hour).In(newYork(t))},
		} {
			if got := w.String(); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func newYork(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestCovered(t *testing.T) {
	for name, c := range map[string]struct {
		window  schema.Window
		windows []schema.Window
		want    bool
	}{
		"ByItself":                     {days(1, 5), []schema.Window{days(1, 5)}, true},
		"ByALargerOne":                 {days(2, 4), []schema.Window{days(1, 5)}, true},
		"ByTwoThatTouch":               {days(1, 5), []schema.Window{days(3, 5), days(1, 3)}, true},
		"ByOnesThatOverlapInAnyOrder":  {days(1, 9), []schema.Window{days(7, 9), days(2, 6), days(1, 4), days(5, 8)}, true},
		"NotByNone":                    {days(1, 5), nil, false},
		"NotAcrossAGap":                {days(1, 5), []schema.Window{days(1, 3), days(4, 5)}, false},
		"NotAcrossAGapOfAMicrosecond":  {days(1, 5), []schema.Window{days(1, 3), {From: day(3).Add(time.Microsecond), To: day(5)}}, false},
		"NotWhereTheStartIsMissing":    {days(1, 5), []schema.Window{days(2, 6)}, false},
		"NotWhereTheEndIsMissing":      {days(1, 5), []schema.Window{days(1, 4)}, false},
		"NotByEmptyWindows":            {days(1, 2), []schema.Window{days(1, 1), days(2, 2)}, false},
		"AnEmptyWindowAlwaysIs":        {days(3, 3), nil, true},
		"FromTheBeginningOnlyIfItWas":  {schema.Window{From: schema.Beginning, To: day(5)}, []schema.Window{days(1, 5)}, false},
		"FromTheBeginningByEverything": {schema.Window{From: schema.Beginning, To: day(5)}, []schema.Window{{From: schema.Beginning, To: day(6)}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := schema.Covered(c.window, c.windows); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestLimitKey(t *testing.T) {
	usd := func(minor int64) money.Amount { return money.FromMinor(minor, money.USD()) }
	base := schema.Limit{Window: schema.Monthly, Amount: usd(100), Word: "monthly"}
	for name, c := range map[string]struct {
		limit schema.Limit
		want  string
	}{
		"IsTheWindow":                  {base, "monthly"},
		"LeavesTheAmountOut":           {schema.Limit{Window: schema.Monthly, Amount: usd(200)}, "monthly"},
		"LeavesUTCOut":                 {schema.Limit{Window: schema.Monthly, Zone: "UTC"}, "monthly"},
		"HasTheZone":                   {schema.Limit{Window: schema.Daily, Zone: "America/New_York"}, "daily@America/New_York"},
		"HasTheStartDate":              {schema.Limit{Window: schema.Weekly, StartDate: "2026-08-03"}, "weekly^2026-08-03"},
		"HasBoth":                      {schema.Limit{Window: schema.Weekly, Zone: "Asia/Tokyo", StartDate: "2026-08-03"}, "weekly@Asia/Tokyo^2026-08-03"},
		"IsTheWordOfAnUnknownWindow":   {schema.Limit{Word: "per fortnight"}, "per fortnight"},
		"LeavesTheWordOfAKnownOneAway": {schema.Limit{Window: schema.Lifetime, Word: "one_time"}, "lifetime"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.limit.Key(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestObservationFigure(t *testing.T) {
	o := schema.Observation{Figures: []schema.Figure{{Name: schema.Balance, Raw: "1"}, {Name: schema.Utilized, Raw: "2"}}}
	if f, ok := o.Figure(schema.Utilized); !ok || f.Raw != "2" {
		t.Errorf("%+v %v", f, ok)
	}
	if f, ok := o.Figure(schema.PeriodSpend); ok || f.Raw != "" {
		t.Errorf("%+v %v", f, ok)
	}
}

func TestStatusCounted(t *testing.T) {
	for status, want := range map[schema.Status]bool{
		schema.Pending: true, schema.Posted: true, schema.Declined: false, schema.Failed: false, schema.Reversed: false,
		schema.Superseded: false, schema.Held: false, "": false,
	} {
		if status.Counted() != want {
			t.Errorf("%q", status)
		}
	}
}

func TestSeverityRank(t *testing.T) {
	order := []schema.Severity{"unheard of", schema.Low, schema.Medium, schema.High}
	for i, s := range order {
		if s.Rank() != i {
			t.Errorf("%s has rank %d", s, s.Rank())
		}
	}
}

func TestEntryIDs(t *testing.T) {
	e := schema.Entry{Source: "bill-main", ExternalID: "a"}
	if e.ID() != "bill-main/a" || e.LinkedEntryID() != "" {
		t.Errorf("%q %q", e.ID(), e.LinkedEntryID())
	}
	e.LinkedID = "b"
	if e.LinkedEntryID() != "bill-main/b" {
		t.Errorf("%q", e.LinkedEntryID())
	}
}

func TestFindingID(t *testing.T) {
	finding := func(change func(*schema.Finding)) schema.Finding {
		f := schema.Finding{
			Code: schema.LimitBreach, Reason: "computed-over-limit", Source: "slash-main", CardID: "card", Subject: "monthly", WindowStart: day(1),
			Severity: schema.High, Message: "m", SubjectAt: day(2), Actual: money.FromMinor(1, money.USD()),
		}
		change(&f)
		return f
	}
	id := finding(func(*schema.Finding) {}).ID()
	t.Run("NeverChanges", func(t *testing.T) {
		// Ledgers hold it: another value would open every finding anew.
		if id != "F-b774ee49c204f251" {
			t.Error(id)
		}
	})
	t.Run("IsTheSameEveryNight", func(t *testing.T) {
		for name, change := range map[string]func(*schema.Finding){
			"figures": func(f *schema.Finding) {
				f.Actual, f.Expected = money.FromMinor(2, money.USD()), money.FromMinor(3, money.USD())
			},
			"severity": func(f *schema.Finding) { f.Severity = schema.Low }, "message": func(f *schema.Finding) { f.Message = "other" },
			"card's name": func(f *schema.Finding) { f.CardName, f.CardLast4 = "n", "1" }, "instant": func(f *schema.Finding) { f.SubjectAt, f.SubjectTo = day(3), day(4) },
			"status": func(f *schema.Finding) { f.Status, f.FirstSeen = schema.Open, day(9) }, "entry": func(f *schema.Finding) { f.EntryID, f.Evidence = "e", []string{"e"} },
			"zone of the window's start": func(f *schema.Finding) { f.WindowStart = f.WindowStart.In(newYork(t)) },
		} {
			if got := finding(change).ID(); got != id {
				t.Errorf("another %s makes another finding", name)
			}
		}
	})
	t.Run("IsAnotherForAnotherSubject", func(t *testing.T) {
		seen := map[string]string{id: "base"}
		for name, change := range map[string]func(*schema.Finding){
			"code": func(f *schema.Finding) { f.Code = schema.BalanceDrift }, "reason": func(f *schema.Finding) { f.Reason = "reported-over-limit" },
			"source": func(f *schema.Finding) { f.Source = "slash-two" }, "card": func(f *schema.Finding) { f.CardID = "card-2" },
			"subject": func(f *schema.Finding) { f.Subject = "daily" }, "window": func(f *schema.Finding) { f.WindowStart = day(2) },
			"no window":         func(f *schema.Finding) { f.WindowStart = time.Time{} },
			"text moved across": func(f *schema.Finding) { f.CardID, f.Subject = "", "cardmonthly" },
		} {
			got := finding(change).ID()
			if other, ok := seen[got]; ok {
				t.Errorf("%s has the id of %s", name, other)
			}
			seen[got] = name
		}
	})
}

func TestFindingIn(t *testing.T) {
	august := days(1, 31)
	for name, c := range map[string]struct {
		at, to time.Time
		want   bool
	}{
		"AnInstantInside":           {day(5), time.Time{}, true},
		"AnInstantAtTheEnd":         {day(31), time.Time{}, false},
		"AWindowThatReachesIn":      {day(1).AddDate(0, -1, 0), day(2), true},
		"AWindowThatEndsWhereItIs":  {day(1).AddDate(0, -1, 0), day(1), false},
		"AWindowAroundIt":           {day(1).AddDate(0, -1, 0), schema.Forever, true},
		"AWindowThatBeginsAtItsEnd": {day(31), schema.Forever, false},
		"AWindowThatBeginsInside":   {day(30), schema.Forever, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (schema.Finding{SubjectAt: c.at, SubjectTo: c.to}).In(august); got != c.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestFindingDifference(t *testing.T) {
	amount := func(minor int64, code string) money.Amount {
		c, err := money.Lookup(code)
		if err != nil {
			t.Fatal(err)
		}
		return money.FromMinor(minor, c)
	}
	for name, c := range map[string]struct {
		expected, actual money.Amount
		want, currency   string
	}{
		"IsActualLessExpected":             {amount(1000, "USD"), amount(1250, "USD"), "2.50", "USD"},
		"MayBeNegative":                    {amount(1250, "USD"), amount(1243, "USD"), "-0.07", "USD"},
		"OfEqualFiguresIsZero":             {amount(5, "USD"), amount(5, "USD"), "0.00", "USD"},
		"HasTheDigitsOfTheCurrency":        {amount(1, "BHD"), amount(126, "BHD"), "0.125", "BHD"},
		"OfYenHasNone":                     {amount(100, "JPY"), amount(300, "JPY"), "200", "JPY"},
		"IsEmptyWithoutAnExpectedFigure":   {money.Amount{}, amount(5, "USD"), "", "USD"},
		"IsEmptyWithoutAnActualFigure":     {amount(5, "EUR"), money.Amount{}, "", "EUR"},
		"IsEmptyWithoutAny":                {money.Amount{}, money.Amount{}, "", ""},
		"ComparesBareFiguresOfTwo":         {amount(1000, "USD"), amount(1000, "JPY"), "990.00", "JPY"},
		"MayBeLargerThanAnAmount":          {amount(-9223372036854775808, "USD"), amount(9223372036854775807, "USD"), "184467440737095516.15", "USD"},
		"OfAKnownZeroIsTheOtherFigureOnly": {amount(0, "USD"), amount(7, "USD"), "0.07", "USD"},
	} {
		t.Run(name, func(t *testing.T) {
			f := schema.Finding{Expected: c.expected, Actual: c.actual}
			if got := f.Difference(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if got := f.Currency(); got != c.currency {
				t.Errorf("currency %q, want %q", got, c.currency)
			}
		})
	}
}

func TestStreams(t *testing.T) {
	for stream, want := range map[schema.Stream]bool{
		schema.Transactions: false, schema.Cards: true, schema.Budgets: true, schema.Utilization: true, schema.Balances: true,
	} {
		if stream.Snapshot() != want {
			t.Errorf("%s", stream)
		}
	}
	var names []string
	for _, p := range schema.Providers() {
		names = append(names, string(p))
	}
	if got := strings.Join(names, " "); got != "bill slash whop bitnob" {
		t.Errorf("%s", got)
	}
}
