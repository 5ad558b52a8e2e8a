package ledger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

var loadedAt = time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)

func openLedger(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Config{Path: path, Now: func() time.Time { return loadedAt }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// opened opens a new ledger with a run.
func opened(t *testing.T) (*Ledger, schema.Run) {
	t.Helper()
	l := openLedger(t, NewPath(t))
	run, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: loadedAt})
	if err != nil {
		t.Fatal(err)
	}
	return l, run
}

// groupOf has an entry and its record for each id; amounts are their number in the group.
func groupOf(run schema.Run, source string, ids ...string) Group {
	g := Group{Run: run.ID, Source: source, Provider: schema.Bill, Stream: schema.Transactions}
	for i, id := range ids {
		add(&g, id, int64(i), schema.Posted)
	}
	return g
}

func add(g *Group, id string, minor int64, status schema.Status) {
	g.Records = append(g.Records, schema.Record{
		Source: g.Source, Provider: g.Provider, Stream: g.Stream, ExternalID: id, ReceivedAt: loadedAt, Payload: fmt.Appendf(nil, `{"id":%q,"n":%d,"s":%q}`, id, minor, status),
	})
	g.Batch.Entries = append(g.Batch.Entries, schema.Entry{
		Source: g.Source, Provider: g.Provider, ExternalID: id, CardID: "card", Kind: schema.Purchase, Status: status, OccurredAt: loadedAt,
		Amount: money.FromMinor(minor, money.USD()),
	})
}

func stored(t *testing.T, l *Ledger, g Group) Counts {
	t.Helper()
	counts, err := l.Commit(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// sound verifies a ledger and returns its root, which is made of every column of every row.
func sound(t *testing.T, l *Ledger) string {
	t.Helper()
	v, err := l.Verify(t.Context(), "")
	if err != nil || v.Problem != "" {
		t.Fatalf("%v %s", err, v.Problem)
	}
	return v.Root
}

func lateIndexes(t *testing.T, l *Ledger) (names []string) {
	t.Helper()
	if err := l.read.SelectContext(t.Context(), &names, `SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
		AND tbl_name IN ('records', 'entries') AND name NOT IN ('entries_pending', 'entries_closed', 'entries_replaced', 'entries_open', 'entries_topup', 'entries_late') ORDER BY name`); err != nil {
		t.Fatal(err)
	}
	return names
}

// groups are some in which ids come again, in one group and in a later one, unchanged, changed and linked, of two sources.
func groups(run schema.Run, seed uint64) (all []Group) {
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 12 {
		g := groupOf(run, []string{"a-main", "b-main"}[dice.IntN(2)])
		for range 15 {
			id := fmt.Sprint("id-", dice.IntN(40))
			add(&g, id, dice.Int64N(3), []schema.Status{schema.Posted, schema.Pending}[dice.IntN(2)])
			if dice.IntN(4) == 0 {
				basis := []schema.LinkBasis{schema.Cleared, schema.Reverses}[dice.IntN(2)]
				g.Batch.Links = append(g.Batch.Links, schema.Link{From: id, To: fmt.Sprint("id-", dice.IntN(40)), Basis: basis})
			}
		}
		if dice.IntN(5) == 0 {
			g.Stream = schema.Cards // the same ids are other records there
			g.Batch = schema.Batch{}
		}
		all = append(all, g)
	}
	return all
}

func TestFirstLoad(t *testing.T) {
	SQLiteOnly(t, "a first load without indexes")
	t.Run("StoresWhatALedgerWithAllIndexesStores", func(t *testing.T) {
		for seed := range uint64(10) {
			first, run := opened(t)
			plain, _ := opened(t)
			if err := plain.index(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i, g := range groups(run, seed) {
				if got, want := stored(t, first, g), stored(t, plain, g); got != want {
					t.Fatalf("seed %d, group %d: %+v, want %+v", seed, i, got, want)
				}
			}
			if first.first == nil || first.first.over || plain.first != nil {
				t.Fatal("it compares nothing")
			}
			if got, want := sound(t, first), sound(t, plain); got != want {
				t.Fatalf("seed %d: root %s, want %s", seed, got, want)
			}
		}
	})
	t.Run("EndsWithTheRunThatStoredRows", func(t *testing.T) {
		l, run := opened(t)
		if _, err := l.FinishRun(t.Context(), run); err != nil || lateIndexes(t, l) != nil {
			t.Fatalf("it stored none: %v %v", err, lateIndexes(t, l))
		}
		stored(t, l, groupOf(run, "a-main", "a"))
		if got := lateIndexes(t, l); got != nil {
			t.Errorf("it is under way, and there are %v", got)
		}
		if _, err := l.FinishRun(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		if got := lateIndexes(t, l); !slices.Equal(got, []string{"entries_card", "entries_current", "entries_kin", "entries_time", "records_identity"}) {
			t.Errorf("indexes %v", got)
		}
		if got := stored(t, l, groupOf(run, "a-main", "a", "b")); got != (Counts{New: 1, Unchanged: 1}) {
			t.Errorf("afterwards: %+v", got)
		}
	})
	t.Run("OfAKilledRunEndsWhenTheLedgerIsOpened", func(t *testing.T) {
		l, run := opened(t)
		stored(t, l, groupOf(run, "a-main", "a"))
		l = openLedger(t, l.path)
		if l.first != nil || len(lateIndexes(t, l)) != 5 {
			t.Errorf("indexes %v", lateIndexes(t, l))
		}
	})
	for name, spoil := range map[string]func(*testing.T, *Ledger, schema.Run){
		"WhenSomebodyElseWrites": func(t *testing.T, l *Ledger, run schema.Run) {
			stored(t, openLedger(t, l.path), groupOf(run, "a-main", "x"))
		},
		"WhenACommitFails": func(t *testing.T, l *Ledger, run schema.Run) {
			g := groupOf(run, "a-main", "y", "x")
			g.Batch.Entries[1].Amount = money.Amount{}
			if _, err := l.Commit(t.Context(), g); !errors.Is(err, errNoAmount) {
				t.Fatal(err)
			}
		},
		"WhenItIsLarge": func(_ *testing.T, l *Ledger, _ schema.Run) { l.first.most = 1 },
		"WhenTwoIdsHaveOneKey": func(_ *testing.T, l *Ledger, _ schema.Run) {
			f := l.first
			f.ids[f.key("a-main", schema.Transactions, "x")] = f.ids[f.key("a-main", schema.Transactions, "b")]
		},
	} {
		t.Run("EndsEarly"+name, func(t *testing.T) {
			l, run := opened(t)
			stored(t, l, groupOf(run, "a-main", "a", "b"))
			spoil(t, l, run)
			stored(t, l, groupOf(run, "a-main", "x", "y"))
			stored(t, l, groupOf(run, "a-main", "a", "b", "z"))
			if l.first != nil {
				t.Error("it goes on")
			}
			if got := stored(t, l, groupOf(run, "a-main", "a", "b")); got != (Counts{Unchanged: 2}) {
				t.Errorf("what is stored is read again as %+v", got)
			}
			var rows int
			if err := l.read.GetContext(t.Context(), &rows, `SELECT COUNT(*) FROM records`); err != nil || rows != 5 {
				t.Errorf("%d records, %v", rows, err)
			}
			sound(t, l)
		})
	}
}
