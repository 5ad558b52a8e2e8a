package ledger_test

import (
	"math"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

func observation(card string, stream schema.Stream, at time.Time) schema.Observation {
	return schema.Observation{
		Card:   schema.Card{Source: "bill-main", Provider: schema.Bill, ID: card, Name: "Ops " + card, Last4: "4242", Status: "ACTIVATED", Currency: "USD"},
		Stream: stream, ObservedAt: at,
	}
}

// observe stores observations in a run of their own.
func observe(t *testing.T, l *ledger.Ledger, observations ...schema.Observation) schema.Run {
	t.Helper()
	run := start(t, l, schema.SyncRun)
	g := group(run)
	g.Stream, g.Batch.Observations = schema.Cards, observations
	commit(t, l, g)
	return finish(t, l, run)
}

func TestObservations(t *testing.T) {
	t.Run("AreReadAsTheyWereGiven", func(t *testing.T) {
		l := fresh(t)
		jpy, err := money.Lookup("JPY")
		if err != nil {
			t.Fatal(err)
		}
		o := schema.Observation{
			Card: schema.Card{
				Source: "bill-main", Provider: schema.Bill, ID: "card", AltID: "alt", Name: "Ünit", Last4: "0001", Type: "VIRTUAL", Status: "FROZEN",
				Currency: "USD", BudgetID: "budget", CreatedAt: now.AddDate(-1, 0, 0), ClosedAt: now.Add(-time.Microsecond),
			},
			Stream: schema.Utilization, ObservedAt: now,
			Limits: []schema.Limit{
				{Window: schema.Monthly, Amount: usd(math.MaxInt64), Zone: "America/New_York", StartDate: "2026-01-31", Word: "monthly"},
				{Window: schema.Daily, Amount: usd(0)},
				{Word: "per fortnight"},
			},
			NoLimit: true,
			Figures: []schema.Figure{
				{Name: schema.Balance, Raw: "1e3", Ambiguous: true},
				{Name: schema.PeriodSpend, Raw: "0.001", Problem: "too many digits"},
				{Name: schema.Utilized, Raw: "-5", Amount: money.FromMinor(-5, jpy)},
			},
			NextReset: now.AddDate(0, 1, 0),
		}
		o.Run = observe(t, l, o).ID
		same(t, "observations", all(t, l.View(0).Observations.Observations(t.Context(), schema.ObservationFilter{})), []schema.Observation{o})
		verify(t, l)
	})
	t.Run("AreKeptEachButNotTwiceOfOneMoment", func(t *testing.T) {
		l := fresh(t)
		first, later := observation("a", schema.Cards, now), observation("a", schema.Cards, now.Add(24*time.Hour))
		changed := first
		changed.Limits = []schema.Limit{{Window: schema.Daily, Amount: usd(5)}}
		balances := observation("a", schema.Balances, now)
		observe(t, l, first, first, later)
		observe(t, l, first, changed, balances)
		got := all(t, l.View(0).Observations.Observations(t.Context(), schema.ObservationFilter{}))
		if len(got) != 4 {
			t.Fatalf("%d observations", len(got))
		}
		if got[0].Stream != schema.Balances || !got[3].ObservedAt.Equal(later.ObservedAt) {
			t.Errorf("they are not ordered by instant and stream: %+v", got)
		}
	})
}

func TestCards(t *testing.T) {
	cards := func(t *testing.T, l *ledger.Ledger, asOf int64) []schema.Card {
		t.Helper()
		return all(t, l.View(asOf).Cards.Cards(t.Context()))
	}
	t.Run("AreDescribedByTheLatestList", func(t *testing.T) {
		l := fresh(t)
		before := observation("a", schema.Cards, now)
		before.BudgetID = "budget"
		one := observe(t, l, before)
		after := observation("a", schema.Cards, now.Add(time.Hour))
		after.Name, after.Status, after.ClosedAt = "Renamed", "DELETED", now
		observe(t, l, after)
		same(t, "now", cards(t, l, 0), []schema.Card{after.Card})
		same(t, "as of the first run", cards(t, l, one.ID), []schema.Card{before.Card})
		verify(t, l)
	})
	t.Run("KeepWhatAReadingOfOneCardDoesNotSay", func(t *testing.T) {
		l := fresh(t)
		listed := observation("a", schema.Cards, now)
		listed.AltID, listed.Type, listed.BudgetID, listed.CreatedAt, listed.ClosedAt = "alt", "VIRTUAL", "budget", now.AddDate(0, -1, 0), now
		observe(t, l, listed)
		balance := schema.Observation{
			Card: schema.Card{Source: "bill-main", Provider: schema.Bill, ID: "a", Status: "FROZEN"}, Stream: schema.Balances, ObservedAt: now.Add(time.Hour),
		}
		observe(t, l, balance)
		want := listed.Card
		want.Status = "FROZEN"
		same(t, "card", cards(t, l, 0), []schema.Card{want})
	})
	t.Run("ANewVersionIsStoredOnlyWhenTheDescriptionChanged", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		for night := range 3 {
			observe(t, l, observation("a", schema.Cards, now.AddDate(0, 0, night)))
		}
		if got := rowsStored(t, path); got["cards"] != 1 || got["observations"] != 3 {
			t.Errorf("%v", got)
		}
	})
	t.Run("AreListedBySourceAndID", func(t *testing.T) {
		l := fresh(t)
		two, one := observation("two", schema.Cards, now), observation("one", schema.Cards, now)
		two.BudgetID, one.BudgetID = "budget", "budget"
		observe(t, l, two, one, observation("three", schema.Cards, now))
		var ids []string
		for _, c := range cards(t, l, 0) {
			ids = append(ids, c.ID)
		}
		same(t, "cards", ids, []string{"one", "three", "two"})
		ids, err := l.CardIDs(t.Context(), "bill-main")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "ids", ids, []string{"one", "three", "two"})
		budgets, err := l.BudgetIDs(t.Context(), "bill-main")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "budget ids", budgets, []string{"budget"})
		if ids, err := l.CardIDs(t.Context(), "other"); err != nil || len(ids) != 0 {
			t.Errorf("of another source: %v %v", ids, err)
		}
	})
	t.Run("GiveEntriesTheirIDAndLastFour", func(t *testing.T) {
		l := fresh(t)
		card := observation("uuid-1", schema.Cards, now)
		card.AltID = "77"
		g := group(start(t, l, schema.SyncRun))
		for id, card := range map[string][2]string{
			"by id": {"uuid-1", ""}, "by the other id": {"77", ""}, "by its other id": {"x", "uuid-1"}, "of no known card": {"x", "y"}, "of no card": {"", ""},
		} {
			e := entry(id, -1, schema.Posted)
			e.CardID, e.CardAltID = card[0], card[1]
			g.Batch.Entries = append(g.Batch.Entries, e)
		}
		own := entry("with its own last four", -1, schema.Posted)
		own.CardID, own.CardLast4 = "uuid-1", "9999"
		g.Batch.Entries = append(g.Batch.Entries, own)
		g.Batch.Observations = []schema.Observation{card} // in the same group: known before the entries are stored
		commit(t, l, g)
		got := map[string][2]string{}
		for id, e := range entries(t, l, 0) {
			got[id] = [2]string{e.CardID, e.CardLast4}
		}
		same(t, "card and last four", got, map[string][2]string{
			"by id": {"uuid-1", "4242"}, "by the other id": {"uuid-1", "4242"}, "by its other id": {"uuid-1", "4242"},
			"of no known card": {"x", ""}, "of no card": {"", ""}, "with its own last four": {"uuid-1", "9999"},
		})
		if counts := commit(t, l, g); counts != (ledger.Counts{Unchanged: 6}) {
			t.Errorf("read again: %+v", counts)
		}
	})
	t.Run("OfAnotherSourceNameNoEntry", func(t *testing.T) {
		l := fresh(t)
		card := observation("uuid-1", schema.Cards, now)
		card.Source, card.AltID = "bill-two", "card-1"
		g := group(start(t, l, schema.SyncRun))
		g.Source, g.Stream, g.Batch.Observations = "bill-two", schema.Cards, []schema.Observation{card}
		commit(t, l, g)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Posted)))
		if e := entries(t, l, 0)["a"]; e.CardID != "card-1" || e.CardLast4 != "" {
			t.Errorf("%+v", e)
		}
	})
}

func TestBudgets(t *testing.T) {
	l := fresh(t)
	budget := schema.Budget{
		Source: "bill-main", ID: "b", AltID: "7", Name: "Travel", Zone: "America/Denver", StartDate: "2026-08-01", EndDate: "2026-08-31",
		Interval: "MONTHLY", ObservedAt: now,
	}
	later := budget
	later.ObservedAt, later.EndDate = now.Add(time.Hour), "2026-09-30"
	for _, budgets := range [][]schema.Budget{{budget}, {budget, later}} {
		run := start(t, l, schema.SyncRun)
		g := group(run)
		g.Stream, g.Batch.Budgets = schema.Budgets, budgets
		commit(t, l, g)
		finish(t, l, run)
	}
	budget.Run, later.Run = 1, 2
	same(t, "budgets", all(t, l.View(0).Budgets.Budgets(t.Context())), []schema.Budget{budget, later})
	same(t, "as of the first run", all(t, l.View(1).Budgets.Budgets(t.Context())), []schema.Budget{budget})
	verify(t, l)
}
