package ledger

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// scattered stores entries of several sources, cards and currencies, some of which posted long after they occurred, while the
// run that loads them is not over.
func scattered(t *testing.T, l *Ledger, run schema.Run) (all []schema.Entry) {
	t.Helper()
	eur, err := money.Lookup("EUR")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2026))
	for _, source := range []string{"a-main", "b-main"} {
		g := Group{Run: run.ID, Source: source, Provider: schema.Bill, Stream: schema.Transactions}
		for i := range 400 {
			add(&g, strconv.Itoa(i), int64(i), schema.Posted)
			e := &g.Batch.Entries[i]
			e.CardID = "card-" + strconv.Itoa(r.IntN(9))
			e.OccurredAt = loadedAt.Add(-time.Duration(r.IntN(60*24)) * time.Hour)
			if r.IntN(4) > 0 {
				e.PostedAt = e.OccurredAt.Add(time.Duration(r.IntN(20*24)) * time.Hour)
			}
			if e.Reference = strconv.Itoa(r.IntN(50)); r.IntN(20) == 0 {
				e.Reference = "\U0010ffff" + e.Reference
			}
			if r.IntN(10) == 0 {
				e.Amount = money.FromMinor(int64(i), eur)
			}
		}
		stored(t, l, g)
		all = append(all, g.Batch.Entries...)
	}
	return all
}

func idsOf(entries []schema.Entry) (ids []string) {
	for _, e := range entries {
		ids = append(ids, e.ID())
	}
	return ids
}

func listed[T any](t *testing.T, seq func(func(T, error) bool)) (items []T) {
	t.Helper()
	for item, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}

// TestView_Lately reads what happened lately, before and after the first load has made its indexes.
func TestView_OfARunDoesNotHaveWhatAnEarlierOneStoredLater(t *testing.T) {
	l, long := opened(t)
	stored(t, l, groupOf(long, "a-main", "before"))
	short, err := l.StartRun(t.Context(), schema.Run{Kind: schema.ReconcileRun, StartedAt: loadedAt})
	if err == nil {
		_, err = l.FinishRun(t.Context(), short)
	}
	if err != nil {
		t.Fatal(err)
	}
	stored(t, l, groupOf(long, "a-main", "after"))
	for run, want := range map[int64][]string{short.ID: {"a-main/before"}, long.ID: {"a-main/after", "a-main/before"}, 0: {"a-main/after", "a-main/before"}} {
		got := idsOf(listed(t, l.View(run).Entries.Entries(t.Context(), schema.EntryFilter{})))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("after run %d: %v, want %v", run, got, want)
		}
	}
}

func TestView_Lately(t *testing.T) {
	l, run := opened(t)
	all := scattered(t, l, run)
	byCard := func(a, b schema.Entry) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.CardID, b.CardID), a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.ExternalID, b.ExternalID))
	}
	byTime := func(a, b schema.Entry) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.ID(), b.ID()))
	}
	check := func(t *testing.T) {
		t.Helper()
		for _, days := range []int{0, 1, 6, 8, 30, 80} {
			since := loadedAt.AddDate(0, 0, -days)
			for name, f := range map[string]schema.EntryFilter{
				"by card": {Since: since}, "by time": {Since: since, ByTime: true}, "of a source": {Since: since, Source: "b-main"},
				"of a card": {Since: since, Source: "b-main", CardID: "card-3"}, "posted late": {Since: since, Occurred: schema.Window{To: since}, ByTime: true},
			} {
				var want []schema.Entry
				for _, e := range all {
					if (!e.OccurredAt.Before(since) || !e.PostedAt.Before(since)) && (f.Source == "" || f.Source == e.Source) &&
						(f.CardID == "" || f.CardID == e.CardID) && (f.Occurred.To.IsZero() || e.OccurredAt.Before(f.Occurred.To)) {
						want = append(want, e)
					}
				}
				if slices.SortFunc(want, byCard); f.ByTime {
					slices.SortFunc(want, byTime)
				}
				if got := idsOf(listed(t, l.View(0).Entries.Entries(t.Context(), f))); !slices.Equal(got, idsOf(want)) || len(want) == 0 && days == 30 {
					t.Errorf("%s, since %d days ago: %v, want %v", name, days, got, idsOf(want))
				}
			}
		}
		var cards []schema.EntryCard
		for _, e := range all {
			cards = append(cards, schema.EntryCard{Source: e.Source, CardID: e.CardID, Currency: e.Amount.Currency().Code()})
		}
		slices.SortFunc(cards, func(a, b schema.EntryCard) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.CardID, b.CardID), cmp.Compare(a.Currency, b.Currency))
		})
		cards = slices.Compact(cards)
		if got := listed(t, l.View(0).Entries.EntryCards(t.Context())); !slices.Equal(got, cards) {
			t.Errorf("cards %v, want %v", got, cards)
		}
	}
	t.Run("WithoutIndexes", check)
	if _, err := l.FinishRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	t.Run("WithIndexes", check)
	t.Run("References", func(t *testing.T) {
		f := schema.EntryFilter{Source: "a-main", CardID: "card-3", Currency: "USD", References: []string{"7", "8", "none"}}
		want := slices.DeleteFunc(slices.Clone(all), func(e schema.Entry) bool {
			return e.Source != f.Source || e.CardID != f.CardID || e.Amount.Currency().Code() != f.Currency || !slices.Contains(f.References, e.Reference)
		})
		slices.SortFunc(want, byCard)
		if got := idsOf(listed(t, l.View(0).Entries.Entries(t.Context(), f))); !slices.Equal(got, idsOf(want)) || len(want) == 0 {
			t.Errorf("%v, want %v", got, idsOf(want))
		}
		f.References = make([]string, schema.MostIDs+1)
		for _, err := range l.View(0).Entries.Entries(t.Context(), f) {
			if err == nil {
				t.Error("too many references were looked for")
			}
			break
		}
	})
	t.Run("Brief", func(t *testing.T) {
		for name, f := range map[string]schema.EntryFilter{"everything": {}, "of late": {Since: loadedAt.AddDate(0, 0, -8)}, "by ids": {Source: "a-main", IDs: []string{"7"}}} {
			want := listed(t, l.View(0).Entries.Entries(t.Context(), f))
			for i, e := range want {
				want[i] = schema.Entry{
					Source: e.Source, ExternalID: e.ExternalID, CardID: e.CardID, Kind: e.Kind, Status: e.Status, OccurredAt: e.OccurredAt,
					PostedAt: e.PostedAt, Amount: e.Amount, Merchant: e.Merchant, Reference: e.Reference, LinkedID: e.LinkedID,
				}
			}
			f.Brief = true
			if got := listed(t, l.View(0).Entries.Entries(t.Context(), f)); !slices.Equal(got, want) || len(want) == 0 {
				t.Errorf("%s: %+v\nwant %+v", name, got, want)
			}
		}
	})
	for name, plan := range map[string]struct {
		filter schema.EntryFilter
		want   []string
	}{
		"what happened lately":  {schema.EntryFilter{Since: loadedAt}, []string{"entries_time (occurred_at>?)", "entries_late (posted_at>?"}},
		"what straddles":        {schema.EntryFilter{Since: loadedAt, Occurred: schema.Window{To: loadedAt}, ByTime: true}, []string{"entries_time (occurred_at>? AND occurred_at<?)", "entries_late (posted_at>?"}},
		"a card of late":        {schema.EntryFilter{Source: "a-main", CardID: "card-3", Since: loadedAt}, []string{"entries_card (source=? AND card_id=?)"}},
		"what has a reference":  {schema.EntryFilter{Source: "a-main", CardID: "card-3", Currency: "USD", References: []string{"7", "8"}}, []string{"entries_kin (source=? AND card_id=? AND currency=? AND reference=?)"}},
		"the oldest":            {schema.EntryFilter{ByTime: true}, []string{"SCAN entries USING INDEX entries_time"}},
		"everything, card wise": {schema.EntryFilter{}, []string{"SCAN entries USING INDEX entries_card"}},
		"the same in brief":     {schema.EntryFilter{Brief: true}, []string{"SCAN entries USING COVERING INDEX entries_card"}},
		"a card in brief":       {schema.EntryFilter{Source: "a-main", CardID: "card-3", Brief: true}, []string{"USING COVERING INDEX entries_card (source=? AND card_id=?)"}},
	} {
		t.Run("ByIndex/"+name, func(t *testing.T) {
			SQLiteOnly(t, "these plans")
			query, args, err := entryQuery(plan.filter)
			if err != nil {
				t.Fatal(err)
			}
			var steps []struct {
				ID, Parent, Notused int
				Detail              string
			}
			if err := l.read.SelectContext(t.Context(), &steps, "EXPLAIN QUERY PLAN "+strings.ReplaceAll(query, "@seq", "9"), args...); err != nil {
				t.Fatal(err)
			}
			var details []string
			for _, s := range steps {
				details = append(details, s.Detail)
			}
			for _, want := range plan.want {
				if !strings.Contains(strings.Join(details, "\n"), want) {
					t.Errorf("%s is not used:\n%s", want, strings.Join(details, "\n"))
				}
			}
		})
	}
}
