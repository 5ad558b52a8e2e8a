package sandbox

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tieout/tieout/schema"
)

// TestBreaches_ByWhatWasSeen holds purchases against the limits that a reader knew at the time.
func TestBreaches_ByWhatWasSeen(t *testing.T) {
	daily := func(cents int64) []limit { return []limit{{window: schema.Daily, amount: cents}} }
	single := func(cents int64) []limit { return []limit{{window: schema.PerEntry, amount: cents}} }
	type finding struct{ Expected, Actual, Severity string }
	for name, x := range map[string]struct {
		before []sighting // seen on days 120 and later, in order
		now    []limit
		bought map[instant]int64 // by the hour of day 122
		want   []finding
	}{
		"WhatIsSeenNowHoldsForAllTheTimeBefore":         {nil, daily(100), map[instant]int64{1: 101}, []finding{{"1.00", "1.01", "high"}}},
		"TheLastOneSeenBeforeIsInForce":                 {[]sighting{{at: 120 * day, limits: daily(50)}, {at: 121 * day, limits: daily(200)}}, daily(10), map[instant]int64{1: 101}, nil},
		"TheFirstOneSeenHoldsBeforeIt":                  {[]sighting{{at: 123 * day, limits: daily(50)}}, daily(50), map[instant]int64{1: 51}, []finding{{"0.50", "0.51", "high"}}},
		"ARaiseThatCoversItComesTooLate":                {[]sighting{{at: 121 * day, limits: daily(100)}, {at: 123 * day, limits: daily(150)}}, daily(1), map[instant]int64{1: 101}, []finding{{"1.00", "1.01", "medium"}}},
		"ARaiseThatDoesNotCoverItChangesNothing":        {[]sighting{{at: 121 * day, limits: daily(100)}}, daily(100), map[instant]int64{1: 101}, []finding{{"1.00", "1.01", "high"}}},
		"ALimitThatWasGoneHeldNothing":                  {[]sighting{{at: 120 * day, limits: daily(50)}, {at: 121 * day}}, daily(50), map[instant]int64{1: 101}, nil},
		"AnotherWindowIsAnotherLimit":                   {[]sighting{{at: 120 * day, limits: single(10)}, {at: 121 * day, limits: daily(200)}}, daily(200), map[instant]int64{1: 101}, nil},
		"APurchaseIsHeldAgainstTheLimitOfItsTime":       {[]sighting{{at: 120 * day, limits: single(100)}}, single(500), map[instant]int64{1: 101}, []finding{{"1.00", "1.01", "medium"}}},
		"TheExcessCountsNotTheSpend":                    {[]sighting{{at: 120 * day, limits: daily(10)}, {at: 122*day + 2*hour, limits: daily(180)}}, daily(180), map[instant]int64{1: 100, 3: 90}, []finding{{"0.10", "1.00", "medium"}}},
		"OfTwoLimitsOfOneWindowTheSmallerIsTheStricter": {nil, append(daily(100), daily(90)...), map[instant]int64{1: 95}, []finding{{"0.90", "0.95", "high"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var rows []row
			for at, cents := range x.bought {
				rows = append(rows, row{kind: schema.Purchase, status: schema.Posted, amount: -cents, occurred: 122*24 + at, posted: 122*24 + at + 1})
			}
			c := ledger(rows...)
			c.seen, c.limits = x.before, x.now
			w := &World{from: 100 * day, now: 160 * day}
			var got []finding
			for _, a := range w.breaches(c) {
				got = append(got, finding{a.Expected, a.Actual, string(a.Severity)})
			}
			if diff := cmp.Diff(x.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReported_ByBudgetPeriod holds what BILL stated in each period against the limit it stated.
func TestReported_ByBudgetPeriod(t *testing.T) {
	limits := []limit{{window: schema.BudgetPeriod, amount: 100}}
	less := []limit{{window: schema.BudgetPeriod, amount: 40}}
	first, second := span{100 * day, 130 * day}, span{130 * day, 170 * day}
	for name, x := range map[string]struct {
		seen []sighting
		want []string // actual, by period
	}{
		"TheLastOfAPeriodDecides":              {[]sighting{{at: 110 * day, limits: limits, figure: 150, period: first}, {at: 120 * day, limits: limits, figure: 90, period: first}}, nil},
		"ALaterPeriodDoesNotHideAnEarlierOne":  {[]sighting{{at: 110 * day, limits: limits, figure: 150, period: first}, {at: 140 * day, limits: limits, figure: 3, period: second}}, []string{"1.50 day 100"}},
		"ALimitLoweredAfterTheSpendIsNone":     {[]sighting{{at: 110 * day, limits: limits, figure: 90, period: first}, {at: 120 * day, limits: less, figure: 90, period: first}}, nil},
		"ALimitLoweredBeforeMoreSpendIsOne":    {[]sighting{{at: 110 * day, limits: limits, figure: 90, period: first}, {at: 120 * day, limits: less, figure: 91, period: first}}, []string{"0.91 day 100"}},
		"WithoutAPeriodALowerLimitIsOneAtOnce": {[]sighting{{at: 110 * day, limits: limits, figure: 90}, {at: 120 * day, limits: less, figure: 90}}, []string{"0.90 day 120"}},
		"BeforeTheReportsPeriodIsNone":         {[]sighting{{at: 90 * day, limits: limits, figure: 150, period: span{80 * day, 100 * day}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &book{provider: schema.Bill, source: "bill-main"}
			c := &card{book: b, id: "card", seen: x.seen[:len(x.seen)-1], limits: x.seen[len(x.seen)-1].limits}
			last := x.seen[len(x.seen)-1]
			if last.period.from != 0 {
				c.budget = &budget{start: last.period.from.time().Format(time.DateOnly), end: (last.period.to - day).time().Format(time.DateOnly)}
			}
			c.says = func(int64) int64 { return last.figure }
			w := &World{from: 100 * day, now: last.at}
			var got []string
			for _, a := range w.reported(c) {
				got = append(got, fmt.Sprintf("%s day %d", a.Actual, instantOf(a.PeriodFrom)/day))
			}
			if diff := cmp.Diff(x.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
