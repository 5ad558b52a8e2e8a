package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func usd(minor int64) money.Amount { return money.FromMinor(minor, money.USD()) }

func pick[T any](r *rand.Rand, items ...T) T { return items[r.IntN(len(items))] }

// randomEntries makes the entries of one card around an instant, many of them at equal times.
func randomEntries(r *rand.Rand, around time.Time, days int) []schema.Entry {
	var entries []schema.Entry
	for i := range r.IntN(30) {
		kind := pick(r, schema.Purchase, schema.Purchase, schema.Purchase, schema.Purchase, schema.Fee, schema.Refund, schema.Reversal, schema.Adjustment)
		status := pick(r, schema.Posted, schema.Posted, schema.Posted, schema.Pending, schema.Declined, schema.Reversed, schema.Held)
		amount := -int64(r.IntN(5000))
		if kind == schema.Refund || kind == schema.Reversal {
			amount = -amount
		}
		e := schema.Entry{
			Source: "s", Provider: schema.Slash, ExternalID: fmt.Sprintf("t%02d", i), CardID: "c", Kind: kind, Status: status,
			OccurredAt: around.Add(time.Duration(r.IntN(days*24*4)-days*24*2) * 15 * time.Minute), Amount: usd(amount),
		}
		if status == schema.Posted && r.IntN(8) > 0 {
			e.PostedAt = e.OccurredAt.Add(time.Duration(r.IntN(200)) * time.Hour)
		}
		entries = append(entries, e)
	}
	return entries
}

// slowBreach is one breach as the words of the rule give it.
type slowBreach struct {
	key          string
	from, to     time.Time
	at           time.Time
	limit, spent int64
	severity     schema.Severity
}

func (b slowBreach) String() string {
	return fmt.Sprintf("%s %s..%s at %s: %d over %d, %s", b.key, b.from.Format(time.RFC3339), b.to.Format(time.RFC3339), b.at.Format(time.RFC3339), b.spent, b.limit, b.severity)
}

// slowTime is when an entry is spent, and whether it is.
func slowTime(e schema.Entry) (time.Time, bool) {
	if e.Status != schema.Posted && e.Status != schema.Pending {
		return time.Time{}, false
	}
	if e.Kind == schema.Refund {
		if e.Status == schema.Pending {
			return time.Time{}, false
		}
		if e.PostedAt.IsZero() {
			return e.OccurredAt, true
		}
		return e.PostedAt, true
	}
	return e.OccurredAt, e.Kind == schema.Purchase || e.Kind == schema.Fee || e.Kind == schema.Reversal
}

// slowLimit finds the limit of a key that is in force at an instant, the number of its observation, and -1 for none.
func slowLimit(observations []schema.Observation, key string, t time.Time) (int64, int) {
	at := 0
	for i, o := range observations {
		if !o.ObservedAt.After(t) {
			at = i
		}
	}
	for _, l := range observations[at].Limits {
		if l.Key() == key {
			return l.Amount.Minor(), at
		}
	}
	return 0, -1
}

// slowBreaches compares every purchase and fee with a sum made for it alone.
func slowBreaches(w *world, l schema.Limit) []slowBreach {
	zone, _ := (&zones{}).load(l.Zone)
	length, rolls := rollingLength(l.Window)
	windowOf := func(t time.Time) schema.Window {
		switch {
		case rolls:
			return schema.Window{From: t.Add(-length), To: t}
		case l.Window == schema.Lifetime:
			return schema.Window{From: w.cards[0].CreatedAt}
		}
		return slowWindow(l, zone, t)
	}
	inside := func(t time.Time, win schema.Window) bool {
		switch {
		case rolls:
			return t.After(win.From) && !t.After(win.To)
		case l.Window == schema.Lifetime:
			return true
		}
		return win.Contains(t)
	}
	entries := slices.DeleteFunc(slices.Clone(w.entries), func(e schema.Entry) bool { _, ok := slowTime(e); return !ok })
	slices.SortFunc(entries, func(a, b schema.Entry) int {
		at, _ := slowTime(a)
		bt, _ := slowTime(b)
		return cmp.Or(at.Compare(bt), strings.Compare(a.ExternalID, b.ExternalID))
	})
	var breaches []slowBreach
	runOver := false // rolling: the compared entry before was over too
	for i, e := range entries {
		if e.Kind != schema.Purchase && e.Kind != schema.Fee {
			continue
		}
		t, _ := slowTime(e)
		win := windowOf(t)
		spent := int64(0)
		for _, o := range entries[:i+1] {
			if ot, _ := slowTime(o); inside(ot, win) {
				spent -= o.Amount.Minor()
			}
		}
		limit, observed := slowLimit(w.observations, l.Key(), t)
		if observed < 0 || spent <= limit {
			runOver = false
			continue
		}
		b := slowBreach{key: l.Key(), from: win.From, to: win.To, at: t, limit: limit, spent: spent, severity: schema.High}
		for _, o := range w.observations[observed+1:] {
			if next := slices.IndexFunc(o.Limits, func(x schema.Limit) bool { return x.Key() == l.Key() }); next >= 0 {
				if o.Limits[next].Amount.Minor() >= spent {
					b.severity = schema.Medium
				}
				break
			}
		}
		n := len(breaches)
		same := n > 0 && (rolls && runOver || !rolls && breaches[n-1].from.Equal(b.from))
		switch {
		case !same:
			breaches = append(breaches, b)
		case spent-limit > breaches[n-1].spent-breaches[n-1].limit:
			breaches[n-1] = b
		}
		runOver = true
	}
	return breaches
}

func TestLimitBreach_EqualsSummingForEachPurchase(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	windows := []schema.LimitWindow{
		schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly, schema.Lifetime, schema.Rolling24h, schema.Rolling7d,
		schema.Rolling30d, schema.Rolling365d,
	}
	found := 0
	for n := range 1500 {
		around := pick(r, "2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z", "2026-03-29T01:00:00Z", "2028-02-29T12:00:00Z", "2026-12-31T23:00:00Z")
		middle := instant(t, around)
		w := &world{
			cards:   []schema.Card{{Source: "s", Provider: schema.Slash, ID: "c", CreatedAt: middle.AddDate(-1, 0, 0)}},
			entries: randomEntries(r, middle, 1+r.IntN(20)),
		}
		// The whole of the world's time, so that every window overlaps the period.
		w.period = schema.Period{Window: schema.Window{From: middle.AddDate(-3, 0, 0), To: middle.AddDate(3, 0, 0)}, Zone: time.UTC, Now: middle.AddDate(3, 0, 0)}
		limit := schema.Limit{Window: pick(r, windows...), Zone: pick(r, testZones...)}
		if r.IntN(3) == 0 {
			limit.StartDate = middle.AddDate(0, 0, r.IntN(60)-30).Format(time.DateOnly)
		}
		if _, rolls := rollingLength(limit.Window); rolls || limit.Window == schema.Lifetime {
			limit.Zone, limit.StartDate = "", ""
		}
		for range 1 + r.IntN(4) {
			o := schema.Observation{Card: w.cards[0], Stream: schema.Cards, ObservedAt: middle.Add(time.Duration(r.IntN(480)-240) * time.Hour)}
			if slices.ContainsFunc(w.observations, func(x schema.Observation) bool { return x.ObservedAt.Equal(o.ObservedAt) }) {
				continue
			}
			if r.IntN(5) > 0 {
				limit.Amount = usd(int64(r.IntN(12000)))
				o.Limits = append(o.Limits, limit)
			}
			w.observations = append(w.observations, o,
				schema.Observation{Card: w.cards[0], Stream: schema.Utilization, ObservedAt: o.ObservedAt.Add(time.Hour)})
		}
		got := map[string]bool{}
		for _, f := range findingsOf(w.run(t, schema.LimitBreach)) {
			worst := w.entries[slices.IndexFunc(w.entries, func(e schema.Entry) bool { return e.ID() == f.Evidence[len(f.Evidence)-1] })]
			b := slowBreach{key: limit.Key(), from: f.PeriodFrom, to: f.PeriodTo, at: worst.OccurredAt, limit: f.Expected.Minor(), spent: f.Actual.Minor(), severity: f.Severity}
			if got[b.String()] {
				t.Fatalf("world %d: twice: %s", n, b)
			}
			got[b.String()] = true
		}
		w.observations = slices.DeleteFunc(w.observations, func(o schema.Observation) bool { return o.Stream != schema.Cards })
		want := slowBreaches(w, limit)
		found += len(want)
		for _, b := range want {
			if !got[b.String()] {
				t.Fatalf("world %d: missing %s\ngot %v", n, b, got)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("world %d: got %v, want %v", n, got, want)
		}
	}
	if found < 600 {
		t.Fatalf("only %d breaches in all worlds", found)
	}
}

// slowSum is the ledger's sum for a figure at a moment, as NORMALIZATION 3 words it.
func slowSum(entries []schema.Entry, figure schema.FigureName, from, observed time.Time, pending bool) int64 {
	find := func(id string) *schema.Entry {
		for i := range entries {
			if entries[i].ExternalID == id {
				return &entries[i]
			}
		}
		return nil
	}
	posted := func(e schema.Entry) bool {
		at := e.PostedAt
		if at.IsZero() && e.Status == schema.Posted {
			at = e.OccurredAt
		}
		return e.Status.Counted() && !at.IsZero() && !at.After(observed)
	}
	// stands says whether an authorization stands in for what it cleared as.
	stands := func(e schema.Entry) bool {
		if e.Status != schema.Superseded || e.OccurredAt.After(observed) {
			return false
		}
		clear := find(e.LinkedID)
		if clear != nil && clear.Status == schema.Superseded {
			clear = find(clear.LinkedID)
		}
		return clear != nil && clear.Status.Counted() && !posted(*clear)
	}
	sum := int64(0)
	for _, e := range entries {
		isPosted := posted(e)
		isPending := e.Status.Counted() && !isPosted && !e.OccurredAt.After(observed)
		if auth := find(e.LinkedID); auth != nil && stands(*auth) && e.Status != schema.Superseded {
			isPending = false
		}
		isPending = isPending || stands(e)
		if !isPosted && (!pending || !isPending) {
			continue
		}
		if figure == schema.Balance {
			sum += e.Amount.Minor()
			continue
		}
		at := e.OccurredAt
		switch e.Kind {
		case schema.Purchase, schema.Fee, schema.Reversal:
		case schema.Refund:
			if !isPosted || e.Status != schema.Posted {
				continue
			}
			if !e.PostedAt.IsZero() {
				at = e.PostedAt
			}
		default:
			continue
		}
		if !at.Before(from) && !at.After(observed) {
			sum -= e.Amount.Minor()
		}
	}
	return sum
}

// withAuthorizations adds authorizations that some posted purchases cleared, and reversals of some of those.
func withAuthorizations(r *rand.Rand, entries []schema.Entry) []schema.Entry {
	for i := range entries {
		e := &entries[i]
		if e.Kind != schema.Purchase || e.Status != schema.Posted || r.IntN(2) == 0 {
			continue
		}
		a := schema.Entry{
			Source: "s", Provider: schema.Slash, ExternalID: "a" + e.ExternalID, CardID: "c", Kind: schema.Purchase, Status: schema.Superseded,
			OccurredAt: e.OccurredAt, Amount: usd(-int64(r.IntN(5000))), LinkedID: e.ExternalID,
		}
		e.LinkedID = a.ExternalID
		if r.IntN(3) == 0 { // cleared in two parts; the authorization names the earlier
			part := *e
			part.ExternalID += "b"
			part.PostedAt = postedAt(*e).Add(time.Duration(r.IntN(100)) * time.Hour)
			entries = append(entries, part)
		}
		entries = append(entries, a)
		if r.IntN(3) == 0 {
			entries = append(entries, schema.Entry{
				Source: "s", Provider: schema.Slash, ExternalID: "r" + e.ExternalID, CardID: "c", Kind: schema.Reversal,
				Status: schema.Superseded, OccurredAt: a.OccurredAt.Add(time.Hour), Amount: usd(int64(r.IntN(500))), LinkedID: a.ExternalID,
			})
		}
	}
	return entries
}

func TestBooksAt_EqualsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	middle := instant(t, "2026-08-14T12:00:00Z")
	for n := range 3000 {
		entries := withAuthorizations(r, randomEntries(r, middle, 20))
		observed := middle.Add(time.Duration(r.IntN(960)-480) * 15 * time.Minute)
		from := observed.Add(-time.Duration(r.IntN(400)) * time.Hour)
		figure := pick(r, schema.Balance, schema.Utilized)
		if figure == schema.Balance {
			from = time.Time{}
		}
		b, err := booksAt(entries, figure, money.USD(), from, observed)
		if err != nil {
			t.Fatal(err)
		}
		for on, pending := range []bool{false, true} {
			if want := slowSum(entries, figure, from, observed, pending); b.sum[on] != want {
				t.Fatalf("world %d, %s on %s: got %d, want %d", n, figure, basis(on), b.sum[on], want)
			}
		}
	}
}

// TestExplanations_CoverTheDifference: whatever explains a difference, the entries it names add up to it.
func TestExplanations_CoverTheDifference(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	middle := instant(t, "2026-08-14T12:00:00Z")
	names := map[string]int{}
	for n := range 3000 {
		entries := randomEntries(r, middle, 2)
		from := middle.Add(-20 * time.Hour)
		b, err := booksAt(entries, schema.Utilized, money.USD(), from, middle)
		if err != nil {
			t.Fatal(err)
		}
		on := basis(r.IntN(2))
		actual := b.sum[on]
		for range 1 + r.IntN(3) { // the provider sees some entries the other way round
			if len(b.lines) == 0 {
				break
			}
			if l := b.lines[r.IntN(len(b.lines))]; b.counts(l, on) {
				actual -= l.effect
			} else {
				actual += l.effect
			}
		}
		if r.IntN(4) == 0 { // or cuts days in UTC
			actual = 0
			for _, l := range b.lines {
				if b.countsFrom(l, on, from.Add(-5*time.Hour)) {
					actual += l.effect
				}
			}
		}
		difference := actual - b.sum[on]
		if difference == 0 {
			continue
		}
		d := driftJudge{}
		got, err := d.explainSpend(&b, on, usd(actual), []time.Time{from.Add(-5 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		names[got.name]++
		if got.severity == schema.High {
			if got.unexplained != difference {
				t.Fatalf("world %d: %q leaves %d of %d unexplained", n, got.name, got.unexplained, difference)
			}
			continue
		}
		sum := int64(0)
		for _, e := range got.entries {
			i := slices.IndexFunc(b.lines, func(l line) bool { return l.entry.ExternalID == e.ExternalID })
			if b.counts(b.lines[i], on) {
				sum -= b.lines[i].effect
			} else {
				sum += b.lines[i].effect
			}
		}
		if sum != difference || got.unexplained != 0 {
			t.Fatalf("world %d: %q names entries that add up to %d, the difference is %d", n, got.name, sum, difference)
		}
	}
	for _, name := range []string{inFlight, oneEntry, twoEntries, declines, dayBoundary, ""} {
		if names[name] == 0 {
			t.Errorf("no world was explained by %q: %v", name, names)
		}
	}
}

// TestChecks_AreDeterministic: the same ledger gives the same outcomes, in the same order.
func TestChecks_AreDeterministic(t *testing.T) {
	w := bigWorld(200, 4000)
	first := outcomesText(t, w)
	for range 3 {
		if again := outcomesText(t, w); again != first {
			t.Fatal("two runs over one ledger differ")
		}
	}
	if !strings.Contains(first, "limit-breach") || !strings.Contains(first, "balance-drift") || !strings.Contains(first, "orphan-topup") {
		t.Fatal("the world has too few findings to say so")
	}
}

func outcomesText(t *testing.T, w *world) string {
	var b strings.Builder
	for _, c := range Checks(w.cfg) {
		b.WriteString(show(w.run(t, c.Code()), w.period.Window))
	}
	return b.String()
}

// bigWorld has cards of all four providers with entries over half a year, limits, figures and top-ups.
func bigWorld(cards, entries int) *world {
	r := rand.New(rand.NewPCG(9, 10))
	end := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
	w := &world{
		period: schema.Period{Window: schema.Window{From: end.AddDate(0, -2, 0), To: end}, Zone: time.UTC, Now: end},
		cfg:    Config{GraceDays: 3, StalePendingDays: 10},
	}
	w.budgets = []schema.Budget{{Source: "s0-bill", ID: "b", StartDate: "2026-08-01", EndDate: "2026-08-31", ObservedAt: end}}
	for i, p := range schema.Providers() {
		source := fmt.Sprintf("s%d-%s", i, p)
		w.cfg.Sources = append(w.cfg.Sources, Source{Name: source, Provider: p, LookbackDays: 35})
		w.completeness = append(w.completeness, schema.Completeness{
			Source: source, Stream: schema.Transactions, Verdict: schema.VerdictComplete,
			Window: schema.Window{From: schema.Beginning, To: end}, RecordedAt: end,
		})
	}
	for i := range cards {
		s := w.cfg.Sources[i%4]
		c := schema.Card{
			Source: s.Name, Provider: s.Provider, ID: fmt.Sprintf("c%06d", i), Name: fmt.Sprintf("Card %d", i), Last4: fmt.Sprintf("%04d", i%10000),
			Currency: "USD", BudgetID: "b", CreatedAt: end.AddDate(-1, 0, 0),
		}
		w.cards = append(w.cards, c)
		o := schema.Observation{Card: c, Stream: schema.Cards, ObservedAt: end.Add(-time.Hour)}
		figures := schema.Observation{Card: c, Stream: schema.Cards, ObservedAt: end}
		amount := usd(int64(r.IntN(400000)))
		switch s.Provider {
		case schema.Bill:
			o.Limits = []schema.Limit{{Window: schema.BudgetPeriod, Amount: amount}}
			figures.Figures = []schema.Figure{{Name: schema.PeriodSpend, Raw: "x", Amount: amount}}
			figures.Limits = o.Limits
		case schema.Slash:
			o.Limits = []schema.Limit{{Window: schema.Daily, Amount: amount, Zone: "America/New_York"}}
			figures.Stream = schema.Utilization
			figures.Figures = []schema.Figure{{Name: schema.Utilized, Raw: "x", Amount: amount}}
		case schema.Whop:
			o.Limits = []schema.Limit{{Window: schema.Rolling7d, Amount: amount}}
			figures.Limits = o.Limits
			figures.Figures = []schema.Figure{{Name: schema.TrailingSpend, Raw: "x", Amount: amount}}
		case schema.Bitnob:
			figures.Stream = schema.Balances
			figures.Figures = []schema.Figure{{Name: schema.Balance, Raw: fmt.Sprint(amount.Minor()), Ambiguous: true}}
		}
		w.observations = append(w.observations, o, figures)
	}
	for i := range entries {
		c := w.cards[r.IntN(len(w.cards))]
		e := schema.Entry{
			Source: c.Source, Provider: c.Provider, ExternalID: fmt.Sprintf("t%08d", i), CardID: c.ID, Kind: schema.Purchase, Status: schema.Posted,
			OccurredAt: end.Add(-time.Duration(r.IntN(180*24*3600)) * time.Second), Amount: usd(-int64(r.IntN(30000))), Merchant: "Merchant",
		}
		e.PostedAt = e.OccurredAt.Add(48 * time.Hour)
		switch dice := r.IntN(20); {
		case dice == 0:
			e.Status, e.PostedAt = schema.Pending, time.Time{}
		case dice == 1:
			e.Status, e.PostedAt = schema.Declined, time.Time{}
		case dice == 2:
			e.Kind, e.Amount = schema.Refund, usd(int64(r.IntN(30000)))
		case dice < 8 && c.Provider == schema.Bitnob:
			e.Kind, e.Amount, e.Reference = schema.TopUp, usd(int64(r.IntN(90000))), fmt.Sprintf("R%d", i)
			if r.IntN(50) > 0 {
				w.fundings = append(w.fundings, schema.Funding{ID: e.ExternalID, Reference: e.Reference, Amount: e.Amount, SentAt: e.OccurredAt, CardID: c.ID})
			}
		}
		w.entries = append(w.entries, e)
	}
	w.sort()
	return w
}

// BenchmarkChecks runs all checks over a hundred thousand entries on a thousand cards.
func BenchmarkChecks(b *testing.B) {
	w := bigWorld(1000, 100_000)
	v := w.view()
	for _, c := range Checks(w.cfg) {
		b.Run(string(c.Code()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range c.Run(context.Background(), v, w.period) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
