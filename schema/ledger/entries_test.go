package ledger_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

func TestEntries(t *testing.T) {
	t.Run("AreReadAsTheyWereGiven", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		eur, err := money.Lookup("EUR")
		if err != nil {
			t.Fatal(err)
		}
		e := schema.Entry{
			Source: "whop-main", Provider: schema.Whop, ExternalID: "id", CardID: "card", CardLast4: "4242", Kind: schema.Fee, Status: schema.Held,
			OccurredAt: time.Date(2026, 8, 1, 2, 3, 4, 567890000, time.UTC), PostedAt: time.Date(2026, 8, 2, 0, 0, 0, 1000, time.UTC),
			Amount: usd(-7), Literal: "0.07", Original: money.FromMinor(650, eur), OriginalCurrency: "eur", OriginalLiteral: "6.50",
			Merchant: "Café", MerchantCategory: "5814", Reference: "R-1", Description: "two\nlines",
		}
		commit(t, l, ledger.Group{Run: run.ID, Source: "whop-main", Provider: schema.Whop, Stream: schema.Transactions, Batch: schema.Batch{Entries: []schema.Entry{e}}})
		e.Version, e.Run = 1, run.ID
		same(t, "entry", entries(t, l, 0)["id"], e)
	})
	t.Run("HoldTheSmallestAndTheLargestAmount", func(t *testing.T) {
		l := fresh(t)
		commit(t, l, group(start(t, l, schema.SyncRun), entry("min", math.MinInt64, schema.Posted), entry("max", math.MaxInt64, schema.Posted)))
		got := entries(t, l, 0)
		if got["min"].Amount != usd(math.MinInt64) || got["max"].Amount != usd(math.MaxInt64) {
			t.Errorf("%v and %v", got["min"].Amount, got["max"].Amount)
		}
		verify(t, l)
	})
	t.Run("HoldAnyText", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		for name, text := range map[string]struct{ given, read string }{
			"long":     {strings.Repeat("ü", 20_000), strings.Repeat("ü", 20_000)},
			"unicode":  {"名前 🧾 \u202etxt", "名前 🧾 \u202etxt"},
			"quotes":   {`'; DROP TABLE entries; -- "\`, `'; DROP TABLE entries; -- "\`},
			"zero":     {"a\x00b", "a\uFFFDb"}, // PostgreSQL has no U+0000
			"no UTF-8": {"a\xffb", "a\uFFFDb"}, // nor this
			"line end": {"\r\n\t", "\r\n\t"},
		} {
			e := entry(name, -1, schema.Posted)
			e.Description = text.given
			commit(t, l, group(run, e))
			if got := entries(t, l, 0)[name].Description; got != text.read {
				t.Errorf("%s: read %q", name, got)
			}
			if got := commit(t, l, group(run, e)); got.Unchanged != 1 {
				t.Errorf("%s: read again: %+v", name, got)
			}
		}
		verify(t, l)
	})
	t.Run("AreRefusedWithoutAnAmount", func(t *testing.T) {
		l := fresh(t)
		e := entry("a", 0, schema.Posted)
		e.Amount = money.Amount{}
		if _, err := l.Commit(t.Context(), group(start(t, l, schema.SyncRun), e)); err == nil || !strings.Contains(err.Error(), "bill-main/a") {
			t.Errorf("%v", err)
		}
	})
	t.Run("ReadingTheSameAgainStoresNothing", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(run, entry("a", -1250, schema.Posted))); got != (ledger.Counts{New: 1}) {
			t.Errorf("first: %+v", got)
		}
		first := entries(t, l, 0)
		again := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(again, entry("a", -1250, schema.Posted))); got != (ledger.Counts{Unchanged: 1}) {
			t.Errorf("second: %+v", got)
		}
		same(t, "entries", entries(t, l, 0), first)
		verify(t, l)
	})
	t.Run("AChangedRowIsANewVersionAndTheOldOneIsKnownAsOfItsRun", func(t *testing.T) {
		l := fresh(t)
		one := start(t, l, schema.SyncRun)
		commit(t, l, group(one, entry("a", -1250, schema.Pending)))
		finish(t, l, one)
		two := start(t, l, schema.SyncRun)
		if got := commit(t, l, group(two, entry("a", -1300, schema.Posted))); got != (ledger.Counts{Changed: 1}) {
			t.Errorf("%+v", got)
		}
		finish(t, l, two)
		if e := entries(t, l, one.ID)["a"]; e.Amount != usd(-1250) || e.Status != schema.Pending || e.Run != one.ID {
			t.Errorf("as of run %d: %+v", one.ID, e)
		}
		if e := entries(t, l, 0)["a"]; e.Amount != usd(-1300) || e.Status != schema.Posted || e.Run != two.ID {
			t.Errorf("now: %+v", e)
		}
		verify(t, l)
	})
	t.Run("EachColumnMakesAVersion", func(t *testing.T) {
		jpy, err := money.Lookup("JPY")
		if err != nil {
			t.Fatal(err)
		}
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		e := entry("a", -1, schema.Pending)
		commit(t, l, group(run, e))
		for name, change := range map[string]func(){
			"card": func() { e.CardID = "card-2" }, "last four": func() { e.CardLast4 = "1111" }, "kind": func() { e.Kind = schema.Fee },
			"status": func() { e.Status = schema.Held }, "occurred": func() { e.OccurredAt = e.OccurredAt.Add(time.Microsecond) },
			"posted": func() { e.PostedAt = now }, "amount": func() { e.Amount = usd(-2) }, "currency": func() { e.Amount = money.FromMinor(-2, jpy) },
			"literal": func() { e.Literal = "2.00" }, "original": func() { e.Original = usd(0) }, "original currency": func() { e.OriginalCurrency = "usd" },
			"original literal": func() { e.OriginalLiteral = "0" }, "merchant": func() { e.Merchant = "M" }, "category": func() { e.MerchantCategory = "1" },
			"reference": func() { e.Reference = "R" }, "description": func() { e.Description = "D" },
		} {
			change()
			if got := commit(t, l, group(run, e)); got != (ledger.Counts{Changed: 1}) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		verify(t, l)
	})
	t.Run("SeveralVersionsInOneRunLeaveTheLast", func(t *testing.T) {
		l := fresh(t)
		one := start(t, l, schema.SyncRun)
		for _, minor := range []int64{-1, -2, -1, -3} {
			commit(t, l, group(one, entry("a", minor, schema.Pending)))
		}
		finish(t, l, one)
		two := start(t, l, schema.SyncRun)
		commit(t, l, group(two, entry("a", -4, schema.Posted)))
		if e := entries(t, l, one.ID)["a"]; e.Amount != usd(-3) {
			t.Errorf("as of run %d: %v", one.ID, e.Amount)
		}
		if n := len(entries(t, l, one.ID)); n != 1 {
			t.Errorf("%d entries", n)
		}
	})
	t.Run("OneReadTwiceInAGroupCountsAsReadLast", func(t *testing.T) {
		l := fresh(t)
		if got := commit(t, l, group(start(t, l, schema.SyncRun), entry("a", -1, schema.Pending), entry("a", -2, schema.Posted))); got.New != 1 {
			t.Errorf("%+v", got)
		}
		if e := entries(t, l, 0)["a"]; e.Amount != usd(-2) || e.Status != schema.Posted {
			t.Errorf("%+v", e)
		}
	})
	t.Run("EqualRowsOfTwoSourcesAreTwo", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		commit(t, l, group(run, entry("a", -1, schema.Posted)))
		other := entry("a", -1, schema.Posted)
		other.Source = "bill-two"
		g := group(run, other)
		g.Source = "bill-two"
		if got := commit(t, l, g); got.New != 1 {
			t.Errorf("%+v", got)
		}
		if n := len(all(t, l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}))); n != 2 {
			t.Errorf("%d entries", n)
		}
	})
	t.Run("AreFilteredAndOrdered", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		var given []schema.Entry
		for i, card := range []string{"card-2", "card-1", "", "card-1", "card-2"} {
			e := entry(fmt.Sprintf("e%d", 9-i), int64(i), schema.Posted)
			e.CardID, e.OccurredAt = card, now.Add(time.Duration(i/2)*time.Hour)
			switch i {
			case 1:
				e.Status, e.PostedAt = schema.Pending, time.Time{}
			case 3:
				e.Kind = schema.TopUp
			default:
				e.PostedAt = e.OccurredAt.Add(30 * time.Minute)
			}
			given = append(given, e)
		}
		commit(t, l, group(run, given...))
		other := entry("e0", 1, schema.Posted)
		other.Source, other.OccurredAt = "a-source", now
		commit(t, l, ledger.Group{Run: run.ID, Source: "a-source", Provider: schema.Bill, Stream: schema.Transactions, Batch: schema.Batch{Entries: []schema.Entry{other}}})
		for name, c := range map[string]struct {
			filter schema.EntryFilter
			want   string
		}{
			"everything":   {schema.EntryFilter{}, "e0 e7 e8 e6 e9 e5"},
			"by time":      {schema.EntryFilter{ByTime: true}, "e0 e8 e9 e6 e7 e5"},
			"one source":   {schema.EntryFilter{Source: "a-source"}, "e0"},
			"one card":     {schema.EntryFilter{CardID: "card-1"}, "e0 e8 e6"},
			"a time":       {schema.EntryFilter{Occurred: schema.Window{From: now.Add(time.Hour), To: now.Add(2 * time.Hour)}}, "e7 e6"},
			"an open time": {schema.EntryFilter{Occurred: schema.Window{From: now.Add(time.Hour)}}, "e7 e6 e5"},
			"kinds":        {schema.EntryFilter{Kinds: []schema.Kind{schema.TopUp, schema.Fee}}, "e6"},
			"top-ups":      {schema.EntryFilter{Kinds: []schema.Kind{schema.TopUp}}, "e6"},
			"pending":      {schema.EntryFilter{Statuses: []schema.Status{schema.Pending}}, "e8"},
			"posted":       {schema.EntryFilter{Posted: schema.Window{To: now.Add(time.Hour)}}, "e0 e6 e9"},
			"late":         {schema.EntryFilter{Occurred: schema.Window{To: now.Add(2 * time.Hour)}, Posted: schema.Window{From: now.Add(90 * time.Minute)}, ByTime: true}, "e7"},
			"ids":          {schema.EntryFilter{Source: "bill-main", IDs: []string{"e5", "e9", "e0", "none"}}, "e9 e5"},
			"none":         {schema.EntryFilter{Source: "bill-main", Kinds: []schema.Kind{schema.Fee}}, ""},
		} {
			var ids []string
			for _, e := range all(t, l.View(0).Entries.Entries(t.Context(), c.filter)) {
				ids = append(ids, e.ExternalID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
	})
	t.Run("AreFoundByIDAsTheyStood", func(t *testing.T) {
		l := fresh(t)
		var runs []int64
		for _, amount := range []int64{1, 2, 3} {
			run := start(t, l, schema.SyncRun)
			commit(t, l, group(run, entry("e", amount, schema.Posted)))
			runs = append(runs, run.ID)
		}
		for i, run := range append(runs, 0) {
			want := int64(min(i+1, 3))
			got := all(t, schema.Lookup(t.Context(), l.View(run).Entries, slices.Values([]schema.EntryKey{{Source: "bill-main", ExternalID: "e"}, {Source: "bill-main", ExternalID: "none"}})))
			if len(got) != 1 || got[0].Amount.Minor() != want {
				t.Errorf("after run %d: %+v, want %d", run, got, want)
			}
		}
		many := make([]string, schema.MostIDs+1)
		for _, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{Source: "bill-main", IDs: many}) {
			if err == nil {
				t.Error("more ids than a filter may have")
			}
		}
	})
}

func TestPendingIDs(t *testing.T) {
	l := fresh(t)
	run := start(t, l, schema.SyncRun)
	at := func(id string, status schema.Status, hours int) schema.Entry {
		e := entry(id, -1, status)
		e.OccurredAt = now.Add(time.Duration(hours) * time.Hour)
		return e
	}
	g := group(run, at("newer", schema.Pending, -1), at("older", schema.Pending, -3), at("too new", schema.Pending, 0), at("posted", schema.Posted, -2),
		at("held", schema.Held, -2), at("replaced", schema.Pending, -2), at("clear", schema.Posted, -2))
	g.Batch.Links = []schema.Link{{From: "replaced", To: "clear", Basis: schema.Cleared}}
	commit(t, l, g)
	ids, err := l.PendingIDs(t.Context(), "bill-main", now)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "pending", ids, []string{"older", "newer"})
}

func TestLinks(t *testing.T) {
	auth, capture, reversal := entry("auth", -1000, schema.Pending), entry("clear", -900, schema.Posted), entry("neg", 100, schema.Pending)
	reversal.Kind = schema.Reversal
	steps := []func(schema.Run) ledger.Group{
		func(r schema.Run) ledger.Group { return group(r, auth) },
		func(r schema.Run) ledger.Group {
			g := group(r, capture)
			g.Batch.Links = []schema.Link{{From: "auth", To: "clear", Basis: schema.Cleared}}
			return g
		},
		func(r schema.Run) ledger.Group {
			g := group(r, reversal)
			g.Batch.Links = []schema.Link{{From: "neg", To: "auth", Basis: schema.Reverses}}
			return g
		},
	}
	t.Run("TheOrderOfArrivalDoesNotMatter", func(t *testing.T) {
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 2, 1}, {2, 0, 1}} {
			l := fresh(t)
			run := start(t, l, schema.SyncRun)
			for _, i := range order {
				// What links change on other rows is no change of their own.
				if got := commit(t, l, steps[i](run)); got != (ledger.Counts{New: 1}) {
					t.Errorf("order %v: %+v", order, got)
				}
				verify(t, l)
			}
			got := entries(t, l, 0)
			for id, want := range map[string]struct {
				status schema.Status
				linked string
			}{"auth": {schema.Superseded, "clear"}, "clear": {schema.Posted, "auth"}, "neg": {schema.Superseded, "auth"}} {
				if e := got[id]; e.Status != want.status || e.LinkedID != want.linked {
					t.Errorf("order %v: %s is %s linked to %q, want %s and %q", order, id, e.Status, e.LinkedID, want.status, want.linked)
				}
			}
			for i := range steps {
				if got := commit(t, l, steps[i](run)); got != (ledger.Counts{Unchanged: 1}) {
					t.Errorf("order %v, read again: %+v", order, got)
				}
			}
		}
	})
	t.Run("NothingIsSupersededByAClearingThatIsNotThere", func(t *testing.T) {
		l := fresh(t)
		g := group(start(t, l, schema.SyncRun), auth)
		g.Batch.Links = []schema.Link{{From: "auth", To: "elsewhere", Basis: schema.Cleared}}
		commit(t, l, g)
		if e := entries(t, l, 0)["auth"]; e.Status != schema.Pending || e.LinkedID != "" {
			t.Errorf("%s linked to %q", e.Status, e.LinkedID)
		}
	})
	t.Run("NothingIsSupersededByARowThatDoesNotCount", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		g := group(run, auth, entry("clear", -900, schema.Declined))
		g.Batch.Links = []schema.Link{{From: "auth", To: "clear", Basis: schema.Cleared}}
		commit(t, l, g)
		if e := entries(t, l, 0)["auth"]; e.Status != schema.Pending {
			t.Errorf("%s", e.Status)
		}
		commit(t, l, group(run, capture))
		if e := entries(t, l, 0)["auth"]; e.Status != schema.Superseded {
			t.Errorf("once it is posted: %s", e.Status)
		}
	})
	t.Run("AReversalThatWasDeclinedStaysDeclined", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		declined := reversal
		declined.Status = schema.Declined
		g := group(run, auth, capture, declined)
		g.Batch.Links = []schema.Link{{From: "auth", To: "clear", Basis: schema.Cleared}, {From: "neg", To: "auth", Basis: schema.Reverses}}
		commit(t, l, g)
		if e := entries(t, l, 0)["neg"]; e.Status != schema.Declined || e.LinkedID != "auth" {
			t.Errorf("%s linked to %q", e.Status, e.LinkedID)
		}
	})
	t.Run("LinksOfAnotherSourceAreNone", func(t *testing.T) {
		l := fresh(t)
		run := start(t, l, schema.SyncRun)
		commit(t, l, group(run, auth, capture))
		commit(t, l, ledger.Group{Run: run.ID, Source: "bill-two", Stream: schema.Transactions, Batch: schema.Batch{
			Links: []schema.Link{{From: "auth", To: "clear", Basis: schema.Cleared}},
		}})
		if e := entries(t, l, 0)["auth"]; e.Status != schema.Pending {
			t.Errorf("%s", e.Status)
		}
	})
	t.Run("AnEarlierRunKnewLess", func(t *testing.T) {
		l := fresh(t)
		one := start(t, l, schema.SyncRun)
		commit(t, l, steps[0](one))
		finish(t, l, one)
		commit(t, l, steps[1](start(t, l, schema.SyncRun)))
		if e := entries(t, l, one.ID)["auth"]; e.Status != schema.Pending || e.LinkedID != "" {
			t.Errorf("%s linked to %q", e.Status, e.LinkedID)
		}
	})
}

// arrival is one row as its provider gives it, with what it claims.
type arrival struct {
	entry schema.Entry
	links []schema.Link
}

// linkedState is what relinking decides of a row.
type linkedState struct {
	Status schema.Status
	Linked string
}

// expected applies NORMALIZATION 1 to the rows that have arrived, by definition and without the ledger's bookkeeping.
func expected(arrived map[string]arrival) map[string]linkedState {
	claims := map[schema.Link]bool{}
	for _, a := range arrived {
		for _, l := range a.links {
			claims[l] = true
		}
	}
	clearings := func(auth string) []schema.Entry {
		var all []schema.Entry
		for l := range claims {
			if c, ok := arrived[l.To]; ok && l.From == auth && l.Basis == schema.Cleared {
				all = append(all, c.entry)
			}
		}
		slices.SortFunc(all, func(a, b schema.Entry) int {
			return cmp.Or(a.PostedAt.Compare(b.PostedAt), cmp.Compare(a.ExternalID, b.ExternalID))
		})
		return all
	}
	want := map[string]linkedState{}
	for id, a := range arrived {
		s := linkedState{Status: a.entry.Status}
		if c := clearings(id); len(c) > 0 {
			s = linkedState{schema.Superseded, c[0].ExternalID}
		}
		for l := range claims {
			_, there := arrived[l.From]
			switch {
			case l.To == id && l.Basis == schema.Cleared && there:
				s.Linked = l.From
			case l.From == id && l.Basis == schema.Reverses:
				if _, ok := arrived[l.To]; ok {
					s.Linked = l.To
					if len(clearings(l.To)) > 0 {
						s.Status = schema.Superseded
					}
				}
			}
		}
		want[id] = s
	}
	return want
}

func TestLinksProperty(t *testing.T) {
	l := fresh(t) // one ledger, a source for each case
	cases := 0
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		source := fmt.Sprintf("source-%d", cases)
		row := func(id string, kind schema.Kind, status schema.Status) schema.Entry {
			e := entry(id, -100, status)
			e.Source, e.Kind = source, kind
			return e
		}
		var rows []arrival
		for a := range rapid.IntRange(1, 3).Draw(rt, "authorizations") {
			auth := arrival{entry: row(fmt.Sprintf("auth-%d", a), schema.Purchase, schema.Pending)}
			for c := range rapid.IntRange(0, 3).Draw(rt, "clearings") {
				one := arrival{entry: row(fmt.Sprintf("clear-%d-%d", a, c), schema.Purchase, schema.Posted)}
				one.entry.PostedAt = now.Add(time.Duration(rapid.IntRange(0, 2).Draw(rt, "posted")) * time.Hour)
				link := schema.Link{From: auth.entry.ExternalID, To: one.entry.ExternalID, Basis: schema.Cleared}
				claimed := rapid.SampledFrom([]string{"by the clearing", "by the authorization", "by both"}).Draw(rt, "claimed")
				if claimed != "by the authorization" {
					one.links = append(one.links, link)
				}
				if claimed != "by the clearing" {
					auth.links = append(auth.links, link)
				}
				rows = append(rows, one)
			}
			for n := range rapid.IntRange(0, 2).Draw(rt, "reversals") {
				one := arrival{entry: row(fmt.Sprintf("neg-%d-%d", a, n), schema.Reversal, schema.Pending)}
				one.links = []schema.Link{{From: one.entry.ExternalID, To: auth.entry.ExternalID, Basis: schema.Reverses}}
				rows = append(rows, one)
			}
			rows = append(rows, auth)
		}
		rows = rapid.Permutation(rows).Draw(rt, "order")
		rows = rows[:rapid.IntRange(1, len(rows)).Draw(rt, "arrived")]

		arrived := map[string]arrival{}
		atRun := map[int64]map[string]linkedState{}
		for len(rows) > 0 {
			run, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: now})
			if err != nil {
				rt.Fatal(err)
			}
			for range rapid.IntRange(1, 2).Draw(rt, "groups") {
				n := rapid.IntRange(0, len(rows)).Draw(rt, "rows")
				g := ledger.Group{Run: run.ID, Source: source, Provider: schema.Bill, Stream: schema.Transactions}
				for _, a := range rows[:n] {
					g.Batch.Entries = append(g.Batch.Entries, a.entry)
					g.Batch.Links = append(g.Batch.Links, a.links...)
					arrived[a.entry.ExternalID] = a
				}
				rows = rows[n:]
				counts, err := l.Commit(t.Context(), g)
				if err != nil {
					rt.Fatal(err)
				}
				if counts != (ledger.Counts{New: int64(n)}) {
					rt.Fatalf("%d rows made %+v", n, counts)
				}
			}
			atRun[run.ID] = expected(arrived)
		}
		for _, run := range slices.Sorted(maps.Keys(atRun)) {
			got := map[string]linkedState{}
			for e, err := range l.View(run).Entries.Entries(t.Context(), schema.EntryFilter{Source: source}) {
				if err != nil {
					rt.Fatal(err)
				}
				got[e.ExternalID] = linkedState{e.Status, e.LinkedID}
			}
			if !maps.Equal(got, atRun[run]) {
				rt.Fatalf("as of run %d: %v, want %v", run, got, atRun[run])
			}
		}
	})
	verify(t, l)
}
