package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

func TestAccounts(t *testing.T) {
	at := instant(t, "2026-08-14T12:00:00Z")
	entry := func(source, id, card, alt string, hours int) schema.Entry {
		return schema.Entry{Source: source, Provider: schema.Bill, ExternalID: id, CardID: card, CardAltID: alt, OccurredAt: at.Add(time.Duration(hours) * time.Hour)}
	}
	w := &world{
		cards: []schema.Card{
			{Source: "a", Provider: schema.Bill, ID: "uuid-1", AltID: "id-1"},
			{Source: "a", Provider: schema.Bill, ID: "id-2"},
			{Source: "b", Provider: schema.Bill, ID: "id-1"},
			{Source: "b", Provider: schema.Bill, ID: "idle"},
		},
		entries: []schema.Entry{
			entry("a", "t1", "uuid-1", "", 2), entry("a", "t2", "id-1", "", 1), entry("a", "t3", "uuid-2", "id-2", 1), entry("a", "t4", "uuid-2", "", 3),
			entry("a", "t5", "id-2", "", 2), entry("a", "t6", "", "", 2), entry("a", "t7", "stranger", "", 2), entry("b", "t8", "id-1", "", 2),
		},
		observations: []schema.Observation{{Card: schema.Card{Source: "a", ID: "id-2"}, ObservedAt: at}, {Card: schema.Card{Source: "b", ID: "only-seen"}, ObservedAt: at}},
	}
	walk := func(t *testing.T, source string) []string {
		cards, err := readCards(t.Context(), w.view())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for a, err := range walked(t, w.view(), cards, source) {
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, e := range a.entries {
				ids = append(ids, e.ExternalID)
			}
			got = append(got, fmt.Sprintf("%s/%s listed=%v seen=%d %s", a.card.Source, a.card.ID, a.listed, len(a.observations), strings.Join(ids, " ")))
		}
		return got
	}
	t.Run("JoinsRowsUnderBothIDsOfACard", func(t *testing.T) {
		want := []string{
			"a/id-2 listed=true seen=1 t3 t5 t4", "a/stranger listed=false seen=0 t7", "a/uuid-1 listed=true seen=0 t2 t1",
			"b/id-1 listed=true seen=0 t8", "b/idle listed=true seen=0 ", "b/only-seen listed=false seen=1 ",
		}
		if got := walk(t, ""); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
	t.Run("ReadsOneSource", func(t *testing.T) {
		want := []string{"b/id-1 listed=true seen=0 t8", "b/idle listed=true seen=0 ", "b/only-seen listed=false seen=1 "}
		if got := walk(t, "b"); !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
	t.Run("RefusesRowsOutOfOrder", func(t *testing.T) {
		cards, err := readCards(t.Context(), w.view())
		if err != nil {
			t.Fatal(err)
		}
		v := w.view()
		v.Entries = entriesFunc(func(schema.EntryFilter) iter.Seq2[schema.Entry, error] {
			return each(t.Context(), []schema.Entry{entry("b", "t1", "x", "", 0), entry("a", "t2", "x", "", 0)}, all)
		})
		var last error
		for _, err := range walked(t, v, cards, "") {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "card a/x came after b/x") {
			t.Errorf("got %v", last)
		}
	})
}

func walked(t *testing.T, v schema.View, cards cardIndex, source string) iter.Seq2[*account, error] {
	t.Helper()
	twins, err := readTwins(t.Context(), v, cards, source)
	if err != nil {
		t.Fatal(err)
	}
	return walk{view: v, cards: cards, twins: twins, source: source}.accounts(t.Context())
}

type entriesFunc func(schema.EntryFilter) iter.Seq2[schema.Entry, error]

func (f entriesFunc) Entries(_ context.Context, filter schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	return f(filter)
}

func (f entriesFunc) EntryCards(context.Context) iter.Seq2[schema.EntryCard, error] {
	return entryCards(f(schema.EntryFilter{}))
}

// TestCheck is what every check promises.
func TestCheck(t *testing.T) {
	w := bigWorld(40, 4000)
	w.notes = []schema.Note{
		{Source: "s1-slash", Stream: schema.Transactions, ExternalID: "t1", Code: schema.UnitMismatchNote},
		{Source: "s1-slash", Stream: schema.Cards, ExternalID: "c1", Code: schema.UnitMismatchNote},
		{Source: "s1-slash", Stream: schema.Cards, Code: schema.UnknownFieldNote},
	}
	w.rejects = []schema.Reject{{Source: "s1-slash", Stream: schema.Cards, ReceivedAt: w.period.To}}
	for _, e := range w.entries[:20] {
		w.absences = append(w.absences, schema.Absence{Source: e.Source, ExternalID: e.ExternalID, LastRead: w.period.From, NoticedAt: w.period.To})
	}
	broken := errors.New("the disk is gone")
	for _, c := range Checks(w.cfg) {
		t.Run(string(c.Code())+"/StopsWhenTheCallerStops", func(t *testing.T) {
			for _, err := range c.Run(t.Context(), w.view(), w.period) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		})
		t.Run(string(c.Code())+"/YieldsEachFingerprintOnce", func(t *testing.T) {
			seen := map[string]bool{}
			for _, f := range findingsOf(w.run(t, c.Code())) {
				if seen[f.ID()] {
					t.Errorf("twice: %s", f.Message)
				}
				seen[f.ID()] = true
			}
		})
		t.Run(string(c.Code())+"/SaysWhatEveryFindingNeeds", func(t *testing.T) {
			for _, f := range findingsOf(w.run(t, c.Code())) {
				if f.Code != c.Code() || f.Severity.Rank() == 0 || f.Source == "" || f.Subject == "" || f.SubjectAt.IsZero() || !strings.HasSuffix(f.Message, ".") {
					t.Errorf("%+v", f)
				}
			}
		})
		t.Run(string(c.Code())+"/EndsWithAnErrorOfTheLedger", func(t *testing.T) {
			v := w.view()
			b := brokenReader{broken}
			v.Entries, v.Cards, v.Observations, v.Budgets, v.Fundings, v.Completeness, v.Rejects, v.Notes, v.Absences, v.Matches = b, b, b, b, b, b, b, b, b, b
			outcomes, last := 0, error(nil)
			for _, err := range c.Run(t.Context(), v, w.period) {
				if err == nil {
					outcomes++
				}
				last = err
			}
			if !errors.Is(last, broken) || outcomes > 0 || !strings.HasPrefix(last.Error(), "read ") {
				t.Errorf("%d outcomes, then %v", outcomes, last)
			}
		})
	}
}

// TestRun is what running checks together promises beyond what each does.
func TestRun(t *testing.T) {
	w := bigWorld(40, 4000)
	checks := Checks(w.cfg)
	t.Run("YieldsWhatEachCheckComesToByItself", func(t *testing.T) {
		var want, got []schema.Outcome
		for _, c := range checks {
			want = append(want, w.run(t, c.Code())...)
		}
		for o, err := range Run(t.Context(), checks, w.view(), w.period) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o)
		}
		if diff := cmp.Diff(show(want, w.period.Window), show(got, w.period.Window)); diff != "" || len(got) == 0 {
			t.Errorf("%d outcomes, together (+) and alone (-):\n%s", len(got), diff)
		}
	})
	t.Run("ReadsAllEntriesOnceForTheChecksThatJudgeCardByCard", func(t *testing.T) {
		counted := &readsCounted{world: w}
		v := w.view()
		v.Entries = counted
		for _, err := range Run(t.Context(), checks, v, w.period) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := counted.read.Load(); n != int64(len(w.entries)) {
			t.Errorf("read %d entries of %d", n, len(w.entries))
		}
	})
	t.Run("EndsWithAnErrorOfTheLedger", func(t *testing.T) {
		broken := errors.New("the disk is gone")
		v := w.view()
		v.Entries = brokenReader{broken}
		n := 0
		var last error
		for _, err := range Run(t.Context(), checks, v, w.period) {
			n, last = n+1, err
		}
		// Checks run at once: which of them comes to it first is not said.
		if n != 1 || !errors.Is(last, broken) || !strings.HasPrefix(last.Error(), "check ") || !strings.Contains(last.Error(), ": read ") {
			t.Errorf("%d outcomes, then %v", n, last)
		}
	})
}

// readsCounted counts the entries that are read by ranges of cards.
type readsCounted struct {
	*world

	read atomic.Int64
}

func (r *readsCounted) Entries(ctx context.Context, f schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	entries := r.world.Entries(ctx, f)
	if f.Source != "" || len(f.Kinds) > 0 || len(f.Statuses) > 0 || f.ByTime {
		return entries
	}
	return func(yield func(schema.Entry, error) bool) {
		for e, err := range entries {
			if r.read.Add(1); !yield(e, err) {
				return
			}
		}
	}
}

// brokenReader fails at its first row.
type brokenReader struct{ err error }

func fails[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

func (b brokenReader) Entries(context.Context, schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	return fails[schema.Entry](b.err)
}

func (b brokenReader) EntryCards(context.Context) iter.Seq2[schema.EntryCard, error] {
	return fails[schema.EntryCard](b.err)
}

func (b brokenReader) Cards(context.Context) iter.Seq2[schema.Card, error] {
	return fails[schema.Card](b.err)
}

func (b brokenReader) Observations(context.Context, schema.ObservationFilter) iter.Seq2[schema.Observation, error] {
	return fails[schema.Observation](b.err)
}

func (b brokenReader) Budgets(context.Context) iter.Seq2[schema.Budget, error] {
	return fails[schema.Budget](b.err)
}

func (b brokenReader) Fundings(context.Context) iter.Seq2[schema.Funding, error] {
	return fails[schema.Funding](b.err)
}

func (b brokenReader) Completeness(context.Context) iter.Seq2[schema.Completeness, error] {
	return fails[schema.Completeness](b.err)
}

func (b brokenReader) Rejects(context.Context) iter.Seq2[schema.Reject, error] {
	return fails[schema.Reject](b.err)
}

func (b brokenReader) Notes(context.Context) iter.Seq2[schema.Note, error] {
	return fails[schema.Note](b.err)
}

func (b brokenReader) Absences(context.Context) iter.Seq2[schema.Absence, error] {
	return fails[schema.Absence](b.err)
}

func (b brokenReader) Matches(context.Context) iter.Seq2[schema.Match, error] {
	return fails[schema.Match](b.err)
}

func TestLimitBreach_RefusesASumThatOverflows(t *testing.T) {
	at := instant(t, "2026-08-14T12:00:00Z")
	card := schema.Card{Source: "s", Provider: schema.Whop, ID: "c", CreatedAt: at.AddDate(-1, 0, 0)}
	w := &world{
		cards: []schema.Card{card}, period: schema.Period{Window: schema.Window{From: at.AddDate(0, -1, 0), To: at.AddDate(0, 1, 0)}, Zone: time.UTC, Now: at},
		observations: []schema.Observation{{Card: card, Stream: schema.Cards, ObservedAt: at, Limits: []schema.Limit{{Window: schema.Lifetime, Amount: usd(1)}}}},
	}
	for _, id := range []string{"t1", "t2"} {
		w.entries = append(w.entries, schema.Entry{Source: "s", ExternalID: id, CardID: "c", Kind: schema.Purchase, Status: schema.Posted, OccurredAt: at, Amount: usd(-1 << 62)})
	}
	var last error
	for _, err := range (limitBreach{}).Run(t.Context(), w.view(), w.period) {
		last = err
	}
	if !errors.Is(last, money.ErrOverflow) {
		t.Errorf("got %v", last)
	}
}

func TestCoverage_AgreesWithSchemaCovered(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	day := func(n int) time.Time { return civil(2026, 8, 1).AddDate(0, 0, n) }
	yes := 0
	for range 5000 {
		var windows []schema.Window
		for range 1 + r.IntN(6) {
			from := r.IntN(20)
			windows = append(windows, schema.Window{From: day(from), To: day(from + 1 + r.IntN(8))})
		}
		from := r.IntN(20)
		w := schema.Window{From: day(from), To: day(from + r.IntN(8))}
		want := schema.Covered(w, windows)
		got := coverage{"s": merge(slices.Clone(windows))}.covers("s", w)
		if got != want {
			t.Fatalf("%v over %s: got %v, want %v", windows, w, got, want)
		}
		if want {
			yes++
		}
	}
	if yes < 500 || yes > 4500 {
		t.Fatalf("%d of 5000 covered: the worlds are too alike", yes)
	}
}
