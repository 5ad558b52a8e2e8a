package sandbox

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tieout/tieout/schema"
)

func moment(t *testing.T, text string) instant {
	t.Helper()
	x, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instantOf(x)
}

func TestAround(t *testing.T) {
	york := zone("America/New_York")
	c := &card{created: moment(t, "2026-01-10T11:12:13Z"), budget: &budget{start: "2026-03-01", end: "2026-03-31", zone: york}}
	for name, x := range map[string]struct {
		limit        limit
		at, from, to string
	}{
		"DayInUTC":                    {limit{window: schema.Daily}, "2026-03-08T23:59:59Z", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"},
		"DayOf23Hours":                {limit{window: schema.Daily, zone: york}, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		"DayOf25Hours":                {limit{window: schema.Daily, zone: york}, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		"DayIgnoresTheAnchor":         {limit{window: schema.Daily, start: "2026-01-05"}, "2026-03-08T12:00:00Z", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"},
		"WeekFromMonday":              {limit{window: schema.Weekly}, "2026-03-08T12:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},
		"WeekFromItsAnchor":           {limit{window: schema.Weekly, start: "2026-01-01"}, "2026-03-08T12:00:00Z", "2026-03-05T00:00:00Z", "2026-03-12T00:00:00Z"},
		"MonthFromTheFirst":           {limit{window: schema.Monthly}, "2026-03-31T12:00:00Z", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"},
		"MonthFromThe31stInFebruary":  {limit{window: schema.Monthly, start: "2025-12-31"}, "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		"MonthBeforeThe31stOfJanuary": {limit{window: schema.Monthly, start: "2025-10-31"}, "2026-01-30T23:00:00Z", "2025-12-31T00:00:00Z", "2026-01-31T00:00:00Z"},
		"MonthBeginsInItsZone":        {limit{window: schema.Monthly, zone: york}, "2026-04-01T03:59:59Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		"YearFromJanuary":             {limit{window: schema.Yearly}, "2026-03-08T12:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		"YearFromALeapDay":            {limit{window: schema.Yearly, start: "2024-02-29"}, "2026-02-27T12:00:00Z", "2025-02-28T00:00:00Z", "2026-02-28T00:00:00Z"},
		"LifetimeFromCreation":        {limit{window: schema.Lifetime}, "2026-03-08T12:00:00Z", "2026-01-10T11:12:13Z", ""},
		"BudgetPeriodHasItsLastDay":   {limit{window: schema.BudgetPeriod}, "2026-04-01T03:59:59Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		"NothingOutsideTheBudgetsDay": {limit{window: schema.BudgetPeriod}, "2026-04-01T04:00:00Z", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var from, to instant
			if x.from != "" {
				from = moment(t, x.from)
			}
			if x.to != "" {
				to = moment(t, x.to)
			}
			if gotFrom, gotTo := x.limit.around(moment(t, x.at), c); gotFrom != from || gotTo != to {
				t.Errorf("%s to %s, want %s to %s", gotFrom.text(), gotTo.text(), from.text(), to.text())
			}
		})
	}
}

// ledger makes a card of rows by hour: kind, status, amount, hour of occurring, hour of posting (0: not).
func ledger(rows ...row) *card {
	c := &card{book: &book{provider: schema.Slash, source: "slash-main"}, id: "card"}
	for i := range rows {
		r := &rows[i]
		r.card, r.id = c, string(rune('a'+i))
		r.occurred *= hour
		r.posted *= hour
		c.rows = append(c.rows, r)
	}
	return c
}

func TestSpend(t *testing.T) {
	c := ledger(
		row{kind: schema.Purchase, status: schema.Posted, amount: -1000, occurred: 10, posted: 40},
		row{kind: schema.Purchase, status: schema.Pending, amount: -200, occurred: 11},
		row{kind: schema.Reversal, status: schema.Pending, amount: 50, occurred: 12},
		row{kind: schema.Fee, status: schema.Posted, amount: -7, occurred: 13, posted: 13},
		row{kind: schema.Refund, status: schema.Posted, amount: 300, occurred: 1, posted: 14}, // counts when it posts
		row{kind: schema.Refund, status: schema.Pending, amount: 9000, occurred: 12},          // counts nowhere
		row{kind: schema.Purchase, status: schema.Declined, amount: -9000, occurred: 12},
		row{kind: schema.Purchase, status: schema.Superseded, amount: -9000, occurred: 12},
		row{kind: schema.Adjustment, status: schema.Posted, amount: -9000, occurred: 12, posted: 12},
		row{kind: schema.TopUp, status: schema.Posted, amount: 9000, occurred: 12, posted: 12},
		row{kind: schema.Purchase, status: schema.Posted, amount: -9000, occurred: 9, posted: 20}, // before the window
	)
	if got := c.spend(10*hour, 20*hour, onPosted); got != 1000+7-300 {
		t.Errorf("posted: %d", got)
	}
	if got := c.spend(10*hour, 20*hour, onBoth); got != 1000+200-50+7-300 {
		t.Errorf("posted and pending: %d", got)
	}
}

func TestRunning(t *testing.T) {
	purchase := func(cents int64, at instant) row {
		return row{kind: schema.Purchase, status: schema.Posted, amount: -cents, occurred: at, posted: at + 1}
	}
	back := row{kind: schema.Refund, status: schema.Posted, amount: 60, occurred: 1, posted: 5}
	for name, x := range map[string]struct {
		limit limit
		rows  []row
		want  []int64
	}{
		"AddsWithinADay":                 {limit{window: schema.Daily}, []row{purchase(10, 1), purchase(20, 2)}, []int64{10, 30}},
		"BeginsAgainAtMidnight":          {limit{window: schema.Daily}, []row{purchase(10, 23), purchase(20, 24)}, []int64{10, 20}},
		"ARefundGivesRoomWhenItPosts":    {limit{window: schema.Daily}, []row{purchase(100, 1), purchase(10, 4), back, purchase(10, 6)}, []int64{100, 110, 60}},
		"ARollingWindowIsOpenAtItsEdge":  {limit{window: schema.Rolling24h}, []row{purchase(10, 1), purchase(20, 25)}, []int64{10, 20}},
		"ARollingWindowHoldsADay":        {limit{window: schema.Rolling24h}, []row{purchase(10, 2), purchase(20, 25)}, []int64{10, 30}},
		"ARefundRollsOutOfTheWindowToo":  {limit{window: schema.Rolling24h}, []row{purchase(100, 4), back, purchase(1, 6), purchase(7, 29)}, []int64{100, 41, 8}},
		"ALifetimeNeverBeginsAgain":      {limit{window: schema.Lifetime}, []row{purchase(10, 1), purchase(20, 9000)}, []int64{10, 30}},
		"EqualTimesGoByTheIDsOfTheRows":  {limit{window: schema.Daily}, []row{purchase(10, 1), purchase(20, 1)}, []int64{10, 30}},
		"WhatHasNoBudgetPeriodIsLeftOut": {limit{window: schema.BudgetPeriod}, []row{purchase(10, 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int64
			for _, p := range ledger(x.rows...).running(x.limit) {
				got = append(got, p.spend)
			}
			if diff := cmp.Diff(x.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBreaches(t *testing.T) {
	w := &World{from: 100 * day, now: 160 * day}
	buy := func(at instant, cents int64) row {
		return row{kind: schema.Purchase, status: schema.Posted, amount: -cents, occurred: at, posted: at + 1}
	}
	at := func(day, hour instant) instant { return day*24 + hour }
	for name, x := range map[string]struct {
		limit limit
		rows  []row
		want  [][2]string // expected, actual
	}{
		"EqualIsNone":                     {limit{window: schema.Daily, amount: 100}, []row{buy(at(120, 1), 60), buy(at(120, 2), 40)}, nil},
		"ACentMoreIsOne":                  {limit{window: schema.Daily, amount: 100}, []row{buy(at(120, 1), 60), buy(at(120, 2), 41)}, [][2]string{{"1.00", "1.01"}}},
		"OneForEachWindowAtItsWorst":      {limit{window: schema.Daily, amount: 100}, []row{buy(at(120, 1), 101), buy(at(120, 2), 4), buy(at(121, 2), 200)}, [][2]string{{"1.00", "1.05"}, {"1.00", "2.00"}}},
		"NoneBeforeThePeriod":             {limit{window: schema.Daily, amount: 100}, []row{buy(at(99, 23), 500)}, nil},
		"AWindowThatReachesIntoThePeriod": {limit{window: schema.Lifetime, amount: 100}, []row{buy(at(50, 1), 500)}, [][2]string{{"1.00", "5.00"}}},
		"ARunOfRollingWindowsIsOne":       {limit{window: schema.Rolling24h, amount: 100}, []row{buy(at(120, 1), 90), buy(at(120, 5), 90), buy(at(120, 9), 90), buy(at(124, 1), 300)}, [][2]string{{"1.00", "3.00"}}},
		"AnEntryUnderTheLimitEndsARun":    {limit{window: schema.Rolling24h, amount: 100}, []row{buy(at(120, 1), 90), buy(at(120, 5), 90), buy(at(122, 9), 9), buy(at(124, 1), 300)}, [][2]string{{"1.00", "1.80"}, {"1.00", "3.00"}}},
		"SinglePurchasesOverTheLimit":     {limit{window: schema.PerEntry, amount: 100}, []row{buy(at(120, 1), 100), buy(at(120, 2), 101), buy(at(90, 2), 101)}, [][2]string{{"1.00", "1.01"}}},
		"SinglePurchasesUnderTheMinimum":  {limit{window: schema.PerEntryMin, amount: 100}, []row{buy(at(120, 1), 100), buy(at(120, 2), 7)}, [][2]string{{"1.00", "0.07"}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := ledger(x.rows...)
			c.limits = []limit{x.limit}
			var got [][2]string
			for _, a := range w.breaches(c) {
				got = append(got, [2]string{a.Expected, a.Actual})
			}
			if diff := cmp.Diff(x.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	rows := []row{
		{kind: schema.Purchase, status: schema.Posted, amount: -1000, occurred: 30*24 + 1, posted: 31 * 24},
		{kind: schema.Purchase, status: schema.Posted, amount: -2300, occurred: 33 * 24, posted: 34 * 24},
		{kind: schema.Purchase, status: schema.Declined, amount: -111, occurred: 33 * 24},
		{kind: schema.Purchase, status: schema.Declined, amount: -222, occurred: 34 * 24},
		{kind: schema.Purchase, status: schema.Reversed, amount: -77, occurred: 35 * 24},
		{kind: schema.Purchase, status: schema.Posted, amount: -41, occurred: 40 * 24, posted: 40 * 24}, // just now
		{kind: schema.Purchase, status: schema.Posted, amount: -9, occurred: 31*24 + 2, posted: 32 * 24},
	}
	// The month began on 1 February 1970 in New York, five hours after that day began in UTC; the last row lies between.
	c := ledger(rows...)
	c.limits = []limit{{window: schema.Monthly, zone: zone("America/New_York")}}
	w := &World{now: 40*day + 5*minute}
	const sum = 2300 + 41
	for name, x := range map[string]struct {
		actual int64
		want   string
	}{
		"InFlight":     {sum - 41, inFlight},
		"DayBoundary":  {sum + 9, dayBoundary},
		"Hundredfold":  {sum * 100, factor100},
		"Sign":         {-sum, wrongSign},
		"OneLeftOut":   {sum - 2300, oneEntry},
		"OneLeftIn":    {sum + 77, oneEntry},
		"Declines":     {sum + 333, declined},
		"TwoEntries":   {sum + 1000 + 77, twoEntries},
		"Nothing":      {sum + 5, unexplained},
		"OutsideIsOne": {sum + 1000, oneEntry},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.spend(31*day+5*hour, w.now, onPosted); got != sum {
				t.Fatalf("the sum is %d, want %d", got, sum)
			}
			if got, _ := w.explain(c, onPosted, sum, x.actual); got != x.want {
				t.Errorf("%q, want %q", got, x.want)
			}
		})
	}
}
