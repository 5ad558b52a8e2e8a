package reconcile

import (
	"fmt"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// limitWorld is one card with a limit of 100.00 and purchases of 60.00, so that two of them in one window are a breach.
func limitWorld(p schema.Provider, l schema.Limit, at ...time.Time) *world {
	l.Amount = usd(10000)
	created := civil(2010, 1, 1)
	card := schema.Card{Source: "s", Provider: p, ID: "c", Name: "Travel", BudgetID: "b", CreatedAt: created}
	w := &world{
		period:       schema.Period{Window: schema.Window{From: created, To: civil(2040, 1, 1)}, Zone: time.UTC, Now: civil(2040, 1, 1)},
		cards:        []schema.Card{card},
		observations: []schema.Observation{{Card: card, Stream: schema.Cards, ObservedAt: created, Limits: []schema.Limit{l}}},
	}
	for i, t := range at {
		w.entries = append(w.entries, schema.Entry{
			Source: "s", Provider: p, ExternalID: fmt.Sprintf("t%d", i), CardID: "c", Kind: schema.Purchase, Status: schema.Posted,
			OccurredAt: t, PostedAt: t.Add(48 * time.Hour), Amount: usd(-6000),
		})
	}
	return w
}

// windowCase is a limit window of one provider: two purchases in [from, to) are together in it, and those on different
// sides of an edge are not.
type windowCase struct {
	name     string
	provider schema.Provider
	limit    schema.Limit
	budget   *schema.Budget
	from, to string
}

func windowCases() []windowCase {
	slash := func(window schema.LimitWindow, zone, start string) schema.Limit {
		return schema.Limit{Window: window, Zone: zone, StartDate: start}
	}
	budget := func(zone, start, end string) *schema.Budget {
		return &schema.Budget{Source: "s", ID: "b", Zone: zone, StartDate: start, EndDate: end, ObservedAt: civil(2010, 1, 1)}
	}
	whop := func(window schema.LimitWindow) schema.Limit { return schema.Limit{Window: window} }
	bill := schema.Limit{Window: schema.BudgetPeriod}
	return []windowCase{
		{"SlashDailyHas23Hours", schema.Slash, slash(schema.Daily, "America/New_York", ""), nil, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"SlashDailyHas25Hours", schema.Slash, slash(schema.Daily, "America/New_York", ""), nil, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"SlashDailyHas23AndAHalfHours", schema.Slash, slash(schema.Daily, "Australia/Lord_Howe", ""), nil, "2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"},
		{"SlashDailyWithoutMidnight", schema.Slash, slash(schema.Daily, "America/Havana", ""), nil, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"SlashDailyWithTwoMidnights", schema.Slash, slash(schema.Daily, "America/Havana", ""), nil, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"SlashDailyFarEast", schema.Slash, slash(schema.Daily, "Pacific/Kiritimati", ""), nil, "2026-12-30T10:00:00Z", "2026-12-31T10:00:00Z"},
		{"SlashDailyFarWest", schema.Slash, slash(schema.Daily, "Pacific/Pago_Pago", ""), nil, "2026-12-31T11:00:00Z", "2027-01-01T11:00:00Z"},
		{"SlashDailyOn29February", schema.Slash, slash(schema.Daily, "Asia/Kathmandu", ""), nil, "2028-02-28T18:15:00Z", "2028-02-29T18:15:00Z"},
		{"SlashDailyWithoutZone", schema.Slash, slash(schema.Daily, "", "2026-08-20"), nil, "2026-08-14T00:00:00Z", "2026-08-15T00:00:00Z"},
		{"SlashWeeklyAcrossDST", schema.Slash, slash(schema.Weekly, "America/New_York", ""), nil, "2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"SlashWeeklyEastAcrossDST", schema.Slash, slash(schema.Weekly, "Europe/Berlin", ""), nil, "2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"SlashWeeklyFromItsStartDate", schema.Slash, slash(schema.Weekly, "America/Los_Angeles", "2026-01-01"), nil, "2026-03-05T08:00:00Z", "2026-03-12T07:00:00Z"},
		{"SlashWeeklyOver29February", schema.Slash, slash(schema.Weekly, "", "2024-02-29"), nil, "2028-02-24T00:00:00Z", "2028-03-02T00:00:00Z"},
		{"SlashMonthlyOf28Days", schema.Slash, slash(schema.Monthly, "America/New_York", ""), nil, "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z"},
		{"SlashMonthlyOf29Days", schema.Slash, slash(schema.Monthly, "Australia/Sydney", ""), nil, "2028-01-31T13:00:00Z", "2028-02-29T13:00:00Z"},
		{"SlashMonthlyAcrossDST", schema.Slash, slash(schema.Monthly, "America/New_York", ""), nil, "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		{"SlashMonthlyFromThe31stToFebruary", schema.Slash, slash(schema.Monthly, "America/New_York", "2026-01-31"), nil, "2026-01-31T05:00:00Z", "2026-02-28T05:00:00Z"},
		{"SlashMonthlyFromThe31stTo29February", schema.Slash, slash(schema.Monthly, "Asia/Tokyo", "2026-01-31"), nil, "2028-01-30T15:00:00Z", "2028-02-28T15:00:00Z"},
		{"SlashMonthlyFromThe31stAfterFebruary", schema.Slash, slash(schema.Monthly, "", "2026-01-31"), nil, "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"SlashMonthlyFromThe31stIn30Days", schema.Slash, slash(schema.Monthly, "", "2026-01-31"), nil, "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z"},
		{"SlashMonthlyAcrossTheYear", schema.Slash, slash(schema.Monthly, "", "2026-01-15"), nil, "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"},
		{"SlashYearlyFromNewYear", schema.Slash, slash(schema.Yearly, "America/Los_Angeles", ""), nil, "2026-01-01T08:00:00Z", "2027-01-01T08:00:00Z"},
		{"SlashYearlyFrom29February", schema.Slash, slash(schema.Yearly, "", "2024-02-29"), nil, "2026-02-28T00:00:00Z", "2027-02-28T00:00:00Z"},
		{"SlashYearlyTo29February", schema.Slash, slash(schema.Yearly, "Pacific/Auckland", "2024-02-29"), nil, "2027-02-27T11:00:00Z", "2028-02-28T11:00:00Z"},
		{"SlashYearlyFromItsStartDate", schema.Slash, slash(schema.Yearly, "America/New_York", "2026-07-01"), nil, "2026-07-01T04:00:00Z", "2027-07-01T04:00:00Z"},
		{"WhopDailyIsUTC", schema.Whop, whop(schema.Daily), nil, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"WhopWeeklyFromMonday", schema.Whop, whop(schema.Weekly), nil, "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"WhopMonthlyOf29Days", schema.Whop, whop(schema.Monthly), nil, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"WhopMonthlyInDecember", schema.Whop, whop(schema.Monthly), nil, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"BillMonthAcrossDST", schema.Bill, bill, budget("America/New_York", "2026-03-01", "2026-03-31"), "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		{"BillMonthOf29Days", schema.Bill, bill, budget("Australia/Sydney", "2028-02-01", "2028-02-29"), "2028-01-31T13:00:00Z", "2028-02-29T13:00:00Z"},
		{"BillDayOf25Hours", schema.Bill, bill, budget("America/Los_Angeles", "2026-11-01", "2026-11-01"), "2026-11-01T07:00:00Z", "2026-11-02T08:00:00Z"},
		{"BillYearFarEast", schema.Bill, bill, budget("Pacific/Kiritimati", "2026-01-01", "2026-12-31"), "2025-12-31T10:00:00Z", "2026-12-31T10:00:00Z"},
		{"BillQuarterWithoutZone", schema.Bill, bill, budget("", "2026-02-28", "2026-05-30"), "2026-02-28T00:00:00Z", "2026-05-31T00:00:00Z"},
	}
}

func TestLimitBreach_Windows(t *testing.T) {
	const moment = time.Microsecond
	for _, c := range windowCases() {
		from, to := instant(t, c.from), instant(t, c.to)
		over := func(at ...time.Time) []schema.Finding {
			w := limitWorld(c.provider, c.limit, at...)
			if c.budget != nil {
				w.budgets = []schema.Budget{*c.budget}
			}
			return findingsOf(w.run(t, schema.LimitBreach))
		}
		t.Run(c.name+"/FirstAndLastMomentAreTogether", func(t *testing.T) {
			fs := over(from, to.Add(-moment))
			if len(fs) != 1 || fs[0].Actual != usd(12000) || !fs[0].PeriodFrom.Equal(from) || !fs[0].PeriodTo.Equal(to) || !fs[0].WindowStart.Equal(from) {
				t.Errorf("got %+v", fs)
			}
		})
		t.Run(c.name+"/TheMomentBeforeIsAnother", func(t *testing.T) {
			if fs := over(from.Add(-moment), from); len(fs) > 0 {
				t.Errorf("got %+v", fs)
			}
		})
		t.Run(c.name+"/TheEndIsAnother", func(t *testing.T) {
			if fs := over(to.Add(-moment), to); len(fs) > 0 {
				t.Errorf("got %+v", fs)
			}
		})
	}
}

// TestLimitBreach_RollingWindows: Whop's older words. A rolling window has its length in hours, whatever clocks do.
func TestLimitBreach_RollingWindows(t *testing.T) {
	for _, c := range []struct {
		name   string
		window schema.LimitWindow
		length time.Duration
		ends   string
	}{
		{"24HoursAcrossALongDay", schema.Rolling24h, 24 * time.Hour, "2026-11-01T12:00:00Z"},
		{"7DaysOver29February", schema.Rolling7d, 7 * 24 * time.Hour, "2028-03-02T12:00:00Z"},
		{"30DaysAcrossAShortDay", schema.Rolling30d, 30 * 24 * time.Hour, "2026-03-15T12:00:00Z"},
		{"365DaysOver29February", schema.Rolling365d, 365 * 24 * time.Hour, "2028-06-01T12:00:00Z"},
	} {
		end := instant(t, c.ends)
		t.Run(c.name+"/WithinItsLength", func(t *testing.T) {
			fs := findingsOf(limitWorld(schema.Whop, schema.Limit{Window: c.window}, end.Add(-c.length+time.Microsecond), end).run(t, schema.LimitBreach))
			if len(fs) != 1 || !fs[0].PeriodFrom.Equal(end.Add(-c.length)) || !fs[0].PeriodTo.Equal(end) {
				t.Errorf("got %+v", fs)
			}
		})
		t.Run(c.name+"/ExactlyItsLengthApart", func(t *testing.T) {
			if fs := findingsOf(limitWorld(schema.Whop, schema.Limit{Window: c.window}, end.Add(-c.length), end).run(t, schema.LimitBreach)); len(fs) > 0 {
				t.Errorf("got %+v", fs)
			}
		})
	}
}

// TestLimitBreach_WindowsWithoutEdges: Slash collective, Whop one_time, and the limits of a single purchase.
func TestLimitBreach_WindowsWithoutEdges(t *testing.T) {
	long := []time.Time{instant(t, "2011-02-28T23:59:59Z"), instant(t, "2038-02-28T23:59:59Z")}
	for _, c := range []struct {
		name   string
		p      schema.Provider
		window schema.LimitWindow
		cents  int64
		want   int
	}{
		{"SlashCollectiveNeverResets", schema.Slash, schema.Lifetime, 10000, 1},
		{"WhopOneTimeNeverResets", schema.Whop, schema.Lifetime, 10000, 1},
		{"SlashLargestPurchase", schema.Slash, schema.PerEntry, 5999, 2},
		{"SlashLargestPurchaseIsAllowed", schema.Slash, schema.PerEntry, 6000, 0},
		{"SlashSmallestPurchase", schema.Slash, schema.PerEntryMin, 6001, 2},
		{"SlashSmallestPurchaseIsAllowed", schema.Slash, schema.PerEntryMin, 6000, 0},
		{"WhopPerTransaction", schema.Whop, schema.PerEntry, 5999, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := limitWorld(c.p, schema.Limit{Window: c.window}, long...)
			w.observations[0].Limits[0].Amount = usd(c.cents)
			if fs := findingsOf(w.run(t, schema.LimitBreach)); len(fs) != c.want {
				t.Errorf("got %d findings, want %d: %+v", len(fs), c.want, fs)
			}
		})
	}
}

// TestLimitBreach_OfALimitThatChanged: what counts is the limit in force when the money was spent.
func TestLimitBreach_OfALimitThatChanged(t *testing.T) {
	spent := instant(t, "2026-08-14T12:00:00Z")
	before, after := spent.Add(-time.Hour), spent.Add(time.Hour)
	for _, k := range []struct {
		name   string
		p      schema.Provider
		window schema.LimitWindow
	}{
		{"Daily", schema.Slash, schema.Daily},
		{"Weekly", schema.Slash, schema.Weekly},
		{"Monthly", schema.Slash, schema.Monthly},
		{"Yearly", schema.Slash, schema.Yearly},
		{"Lifetime", schema.Whop, schema.Lifetime},
		{"Rolling24h", schema.Whop, schema.Rolling24h},
		{"Rolling7d", schema.Whop, schema.Rolling7d},
		{"Rolling30d", schema.Whop, schema.Rolling30d},
		{"Rolling365d", schema.Whop, schema.Rolling365d},
		{"PerTransaction", schema.Whop, schema.PerEntry},
		{"BudgetPeriod", schema.Bill, schema.BudgetPeriod},
	} {
		for _, c := range []struct {
			name          string
			limits        [2]int64 // cents: in force before, and stated after
			want          schema.Severity
			expectedCents int64
		}{
			{"LoweredAfterTheSpendGivesNone", [2]int64{6000, 5000}, "", 0},
			{"RaisedAfterTheSpendIsStillOne", [2]int64{5000, 6000}, schema.Medium, 5000},
			{"RaisedByTooLittleStaysHigh", [2]int64{5000, 5999}, schema.High, 5000},
			{"LoweredAfterABreachStaysHigh", [2]int64{5000, 4000}, schema.High, 5000},
		} {
			t.Run(k.name+"/"+c.name, func(t *testing.T) {
				w := limitWorld(k.p, schema.Limit{Window: k.window}, spent)
				o := w.observations[0]
				w.observations = nil
				for i, at := range []time.Time{before, after} {
					o.ObservedAt = at
					o.Limits = []schema.Limit{{Window: k.window, Amount: usd(c.limits[i])}}
					w.observations = append(w.observations, o)
				}
				w.budgets = []schema.Budget{{Source: "s", ID: "b", StartDate: "2026-08-01", EndDate: "2026-08-31", ObservedAt: before}}
				fs := findingsOf(w.run(t, schema.LimitBreach))
				switch {
				case c.want == "" && len(fs) > 0:
					t.Errorf("got %+v", fs)
				case c.want != "" && (len(fs) != 1 || fs[0].Severity != c.want || fs[0].Expected != usd(c.expectedCents) || fs[0].Actual != usd(6000)):
					t.Errorf("got %+v", fs)
				}
			})
		}
	}
}

// TestLimitBreach_ReportedOfALimitThatChanged: BILL states spend and limit together. Where its own statements show that
// nothing was spent since the limit still covered it, the limit was lowered and nothing was overspent.
func TestLimitBreach_ReportedOfALimitThatChanged(t *testing.T) {
	type statement struct{ spent, limit int64 }
	for _, c := range []struct {
		name string
		said []statement // one a day, the first on 14 August
		want schema.Severity
		days int // the period has so many days from the first; negative: it begins so many days after it; 0: it has all
	}{
		{"LoweredAfterTheSpendGivesNone", []statement{{9000, 10000}, {9000, 5000}}, "", 0},
		{"LoweredTwiceAfterTheSpendGivesNone", []statement{{9000, 10000}, {9000, 8000}, {9000, 5000}}, "", 0},
		{"LoweredAfterTheSpendOfWhichSomeCameBackGivesNone", []statement{{9000, 10000}, {8000, 5000}}, "", 0},
		{"SpentOnAfterItWasLowered", []statement{{9000, 10000}, {9000, 5000}, {9100, 5000}}, schema.High, 0},
		{"SpentAgainAfterSomeCameBack", []statement{{9000, 10000}, {6000, 5000}, {9000, 5000}}, schema.High, 0},
		{"OverBothLimits", []statement{{9000, 8000}, {9000, 5000}}, schema.High, 0},
		{"SaidOnce", []statement{{9000, 5000}}, schema.High, 0},
		{"AtTheLimit", []statement{{5000, 5000}}, "", 0},
		{"WhatWasSaidAfterThePeriodIsNotInIt", []statement{{9000, 5000}, {4000, 5000}}, schema.High, 1},
		{"WhatWasSaidBeforeThePeriodIsKnown", []statement{{9000, 10000}, {9000, 5000}}, "", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := limitWorld(schema.Bill, schema.Limit{Window: schema.BudgetPeriod})
			o := w.observations[0]
			w.observations = nil
			for i, s := range c.said {
				o.ObservedAt = instant(t, "2026-08-14T12:00:00Z").AddDate(0, 0, i)
				o.Limits = []schema.Limit{{Window: schema.BudgetPeriod, Amount: usd(s.limit)}}
				o.Figures = []schema.Figure{{Name: schema.PeriodSpend, Raw: "x", Amount: usd(s.spent)}}
				w.observations = append(w.observations, o)
			}
			w.budgets = []schema.Budget{{Source: "s", ID: "b", StartDate: "2026-08-01", EndDate: "2026-08-31", ObservedAt: o.ObservedAt}}
			switch first := instant(t, "2026-08-14T00:00:00Z"); {
			case c.days > 0:
				w.period.Window = schema.Window{From: first, To: first.AddDate(0, 0, c.days)}
			case c.days < 0:
				w.period.From = first.AddDate(0, 0, -c.days)
			}
			fs := findingsOf(w.run(t, schema.LimitBreach))
			if (c.want == "" && len(fs) > 0) || (c.want != "" && (len(fs) != 1 || fs[0].Reason != reportedOverLimit || fs[0].Severity != c.want)) {
				t.Errorf("got %+v", fs)
			}
		})
	}
}
