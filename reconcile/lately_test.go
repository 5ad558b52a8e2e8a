package reconcile

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// TestJudgeAccounts_FindsTheSameInFewerEntries judges random worlds by what happened lately, from some instant before the period
// on, and by all entries: every outcome is the same, to the word. So that not everything is a finding, two of three worlds have
// high limits and figures that agree: with all entries or, which must then not mislead, with those that happened lately.
func TestJudgeAccounts_FindsTheSameInFewerEntries(t *testing.T) {
	var less, more, agreed, differ int
	for n := range *worlds {
		r := rand.New(rand.NewPCG(uint64(n), 2026))
		w := randomWorld(r)
		since := w.period.From.Add(-time.Duration(2+r.IntN(40*24)) * time.Hour)
		if n%3 > 0 {
			raiseLimits(w)
			known := *w
			if n%3 == 2 {
				known.entries = slices.DeleteFunc(slices.Clone(w.entries), func(e schema.Entry) bool { return e.OccurredAt.Before(since) && e.PostedAt.Before(since) })
			}
			outcomes, _ := judgeWorld(t, &known, time.Time{}, 1)
			makeAgree(w, outcomes)
		}
		want, _ := judgeWorld(t, w, time.Time{}, 1)
		got, whole := judgeWorld(t, w, since, 1)
		if diff := cmp.Diff(show(want, w.period.Window), show(got, w.period.Window)); diff != "" {
			t.Fatalf("world %d, since %s: by what happened lately (+), by all entries (-):\n%s\n%s", n, since, diff, w.text(diff))
		}
		less, more = less+len(w.cards)-whole, more+whole
		for _, o := range got {
			if j := o.Judgement; j != nil && j.Verdict == schema.Agreed {
				agreed++
			} else if j != nil && j.Verdict == schema.Differs {
				differ++
			}
		}
	}
	t.Logf("%d accounts were judged by what happened lately, %d by all; %d figures agreed, %d differed", less, more, agreed, differ)
	if min(less, more, agreed, differ) < *worlds/4 {
		t.Error("that is too few of one kind to mean something")
	}
}

// TestJudgeAccounts_FindsTheSameInRanges judges random worlds in ranges of few cards, several at once, and all cards together.
func TestJudgeAccounts_FindsTheSameInRanges(t *testing.T) {
	ranges := 0
	for n := range *worlds {
		w := randomWorld(rand.New(rand.NewPCG(uint64(n), 2026)))
		want, _ := judgeWorld(t, w, time.Time{}, 1)
		got, _ := judgeWorld(t, w, time.Time{}, 2+n%5)
		if diff := cmp.Diff(show(want, w.period.Window), show(got, w.period.Window)); diff != "" {
			t.Fatalf("world %d: in ranges (+), together (-):\n%s\n%s", n, diff, w.text(diff))
		}
		if len(got) > 0 {
			ranges += min(2+n%5, len(w.cards))
		}
	}
	if t.Logf("%d ranges", ranges); ranges < 2**worlds {
		t.Error("that is too few to mean something")
	}
}

// raiseLimits puts all limits far above what is spent.
func raiseLimits(w *world) {
	for i := range w.observations {
		for k, l := range w.observations[i].Limits {
			if l.Amount.Known() {
				w.observations[i].Limits[k].Amount = money.FromMinor(1_000_000_000_000, l.Amount.Currency())
			}
		}
	}
}

// makeAgree makes figures that differed those that were expected.
func makeAgree(w *world, outcomes []schema.Outcome) {
	for _, outcome := range outcomes {
		j := outcome.Judgement
		if j == nil || j.Verdict != schema.Differs {
			continue
		}
		for _, o := range w.observations {
			if o.Source != j.Source || o.ID != j.CardID || !o.ObservedAt.Equal(j.ObservedAt) {
				continue
			}
			for k, f := range o.Figures {
				if string(f.Name) == j.Figure && !f.Ambiguous {
					o.Figures[k].Amount = j.Expected
				}
			}
		}
	}
}

// judgeWorld is the outcomes of the checks that judge card by card, and how many accounts were completed.
func judgeWorld(t *testing.T, w *world, since time.Time, ranges int) (all []schema.Outcome, completed int) {
	t.Helper()
	var checks []accountCheck
	for _, c := range Checks(w.cfg) {
		if c, ok := c.(accountCheck); ok {
			checks = append(checks, c)
		}
	}
	v := w.view()
	cards, err := readCards(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	counted := &completions{world: w, listed: cards.byID, completed: map[cardKey]bool{}}
	v.Entries = counted
	outcomes, err := judgeAccounts(t.Context(), checks, v, w.period, since, ranges)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		all = append(all, outcomes[c.Code()]...)
	}
	return all, len(counted.completed)
}

// completions notes of which listed cards all entries are asked for.
type completions struct {
	*world

	listed    map[cardKey]schema.Card
	completed map[cardKey]bool
}

func (c *completions) Entries(ctx context.Context, f schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	_, listed := c.listed[cardKey{f.Source, f.CardID}]
	if listed && f.Since.IsZero() && len(f.References) == 0 {
		c.completed[cardKey{f.Source, f.CardID}] = true
	}
	return c.world.Entries(ctx, f)
}

// TestJudgeAccounts_OlderEntriesThatMatter has one older entry each that changes what is said of later ones.
func TestJudgeAccounts_OlderEntriesThatMatter(t *testing.T) {
	day := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 12, 0, 0, 0, time.UTC) }
	eur, err := money.Lookup("EUR")
	if err != nil {
		t.Fatal(err)
	}
	purchase := func(id string, at time.Time) schema.Entry {
		return schema.Entry{
			Source: "slash-main", Provider: schema.Slash, ExternalID: id, CardID: "c1", Kind: schema.Purchase, Status: schema.Posted,
			OccurredAt: at, PostedAt: at.Add(time.Hour), Amount: money.FromMinor(-1000, money.USD()), Reference: "of " + id,
		}
	}
	for name, spoil := range map[string]func(older, later *schema.Entry, w *world){
		"AnotherCurrency": func(older, _ *schema.Entry, _ *world) { older.Amount = money.FromMinor(-1000, eur) },
		"AnotherCurrencyThanAFigure": func(older, later *schema.Entry, w *world) {
			older.Amount = money.FromMinor(-1000, eur)
			later.Amount, later.Status = older.Amount, schema.Declined
			w.observations[0].Limits = nil
			w.observations[0].Figures[0] = schema.Figure{Name: schema.TrailingSpend, Amount: money.FromMinor(0, money.USD())}
		},
		"AnotherCurrencyThanALimit": func(older, later *schema.Entry, w *world) {
			older.Amount = money.FromMinor(-1000, eur)
			later.Amount, later.Status = older.Amount, schema.Declined
			w.observations[0].Figures = nil
		},
		"TheSameReference": func(older, later *schema.Entry, _ *world) { older.Reference = later.Reference },
		"TheSameReferenceAmongTwoCurrencies": func(older, later *schema.Entry, w *world) {
			older.Reference = later.Reference
			first := purchase("t0", day(1, 1))
			first.Amount = money.FromMinor(-1, eur)
			w.entries = append(w.entries, first)
			w.observations = nil // no figure and no limit, of which two currencies would be too many
		},
		"AnAuthorizationThatStandsForALaterRow": func(older, later *schema.Entry, _ *world) {
			older.Status, older.PostedAt, older.LinkedID = schema.Superseded, time.Time{}, later.ExternalID
			later.PostedAt, later.LinkedID = day(8, 25), older.ExternalID
		},
		"AnAuthorizationThatWasCapturedAboveIt": func(older, later *schema.Entry, w *world) {
			older.Status, older.PostedAt, older.LinkedID = schema.Superseded, time.Time{}, later.ExternalID
			older.Amount, later.LinkedID = money.FromMinor(-500, money.USD()), older.ExternalID
			w.observations[0].Limits[0].Amount = money.FromMinor(700, money.USD())
		},
		"TheLastDigitsOfACardWithoutAList": func(older, _ *schema.Entry, w *world) {
			older.CardLast4 = "4242"
			w.cards = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			older, later := purchase("t1", day(3, 1)), purchase("t2", day(8, 10))
			w := &world{
				period: schema.Period{Window: schema.Window{From: day(8, 1), To: day(9, 1)}, Zone: time.UTC, Now: day(9, 1)},
				cards:  []schema.Card{{Source: "slash-main", Provider: schema.Slash, ID: "c1", CreatedAt: day(1, 1)}},
				observations: []schema.Observation{{
					Card: schema.Card{Source: "slash-main", Provider: schema.Slash, ID: "c1"}, Stream: schema.Cards, ObservedAt: day(8, 20),
					Limits:  []schema.Limit{{Window: schema.Monthly, Amount: money.FromMinor(100_000, money.USD())}},
					Figures: []schema.Figure{{Name: schema.Utilized, Amount: money.FromMinor(1000, money.USD())}},
				}},
				completeness: []schema.Completeness{{
					Source: "slash-main", Stream: schema.Transactions, Verdict: schema.VerdictComplete, Window: schema.Window{From: schema.Beginning, To: day(9, 1)},
				}},
			}
			spoil(&older, &later, w)
			said := func(since time.Time, entries ...schema.Entry) string {
				known := *w
				known.entries = append(slices.Clone(w.entries), entries...)
				outcomes, _ := judgeWorld(t, &known, since, 1)
				return show(outcomes, w.period.Window)
			}
			want := said(time.Time{}, older, later)
			if got := said(day(6, 1), older, later); got != want {
				t.Errorf("by what happened lately:\n%s\nby all entries:\n%s", got, want)
			}
			if said(time.Time{}, later) == want {
				t.Errorf("the older entry does not matter:\n%s", want)
			}
		})
	}
}
