package ledger

import (
	"slices"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// knowing opens a ledger that knows a card.
func knowing(t *testing.T) (*Ledger, schema.Run) {
	t.Helper()
	l, run := opened(t)
	g := groupOf(run, "a-main")
	g.Stream = schema.Cards
	g.Batch.Observations = []schema.Observation{{
		Card: schema.Card{Source: "a-main", Provider: schema.Bill, ID: "card", AltID: "second", Currency: "USD"}, Stream: schema.Cards, ObservedAt: loadedAt,
	}}
	stored(t, l, g)
	return l, run
}

// mapped is a group of transactions at some days from loadedAt on.
func mapped(run schema.Run, days int, ids ...string) Group {
	g := groupOf(run, "a-main", ids...)
	g.Mapping = "m"
	for i := range g.Batch.Entries {
		g.Batch.Entries[i].OccurredAt = loadedAt.AddDate(0, 0, days)
	}
	return g
}

// another is a group whose records and entries are others than those of the same ids before.
func another(g Group) Group {
	for i := range g.Records {
		g.Records[i].Payload = append(g.Records[i].Payload, ' ')
		g.Batch.Entries[i].Description = "another"
	}
	return g
}

// noted is a group of a row with a note.
func noted(run schema.Run, id, mapping string) Group {
	g := mapped(run, 0, id)
	g.Mapping = mapping
	g.Batch.Notes = []schema.Note{{Source: g.Source, Stream: g.Stream, ExternalID: id, Code: schema.UnknownFieldNote, Field: "new"}}
	return g
}

// unnamed is a group whose mapping nobody named.
func unnamed(g Group) Group {
	g.Mapping = ""
	return g
}

// unchanged lists which records of a group are known in the month around loadedAt.
func unchanged(t *testing.T, l *Ledger, mapping string, g Group) (ids []string) {
	t.Helper()
	k, err := l.Known(t.Context(), "a-main", schema.Window{From: loadedAt.AddDate(0, 0, -15), To: loadedAt.AddDate(0, 0, 15)}, mapping)
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Records {
		if k.Unchanged(IDHash(g.Records[i].ExternalID), &g.Records[i]) {
			ids = append(ids, g.Records[i].ExternalID)
		}
	}
	return ids
}

func TestKnown(t *testing.T) {
	first := func(run schema.Run) Group { return mapped(run, 0, "a", "b") }
	for name, c := range map[string]struct {
		then func(schema.Run) []Group
		want []string
	}{
		"AsItWasStored": {func(schema.Run) []Group { return nil }, []string{"a", "b"}},
		"NotOfARecordThatChanged": {func(run schema.Run) []Group {
			return []Group{another(mapped(run, 0, "a"))}
		}, []string{"b"}},
		"NotOfARecordThatChangedAndWasReadByItsID": {func(run schema.Run) []Group {
			g := another(mapped(run, 0, "a"))
			g.ByID = true
			return []Group{g}
		}, []string{"b"}},
		"NotOfARecordThatChangedToAnotherTimeFarFromTheWindow": {func(run schema.Run) []Group {
			return []Group{another(mapped(run, -300, "a"))}
		}, []string{"b"}},
		"NotOfARecordThatWasRejected": {func(run schema.Run) []Group {
			g := another(mapped(run, 0, "a"))
			g.Batch = schema.Batch{Rejects: []schema.Reject{{Source: "a-main", Provider: schema.Bill, Stream: g.Stream, ExternalID: "a", Reason: "r", ReceivedAt: loadedAt, Payload: g.Records[0].Payload}}}
			return []Group{g}
		}, []string{"b"}},
		"NotOfAnEntryThatIsAbsent": {func(run schema.Run) []Group {
			g := mapped(run, 0)
			g.Absent = []schema.Absence{{Source: "a-main", ExternalID: "a", LastRead: loadedAt, NoticedAt: loadedAt}}
			return []Group{g}
		}, []string{"b"}},
		"NotWhereAnotherMappingMadeANote": {func(run schema.Run) []Group {
			return []Group{noted(run, "a", "")}
		}, []string{"b"}},
		"NotWhereAnotherMappingMadeNoNote": {func(run schema.Run) []Group {
			return []Group{noted(run, "a", "m"), unnamed(mapped(run, 0, "a"))}
		}, []string{"b"}},
		"OfARecordThatChangedBack": {func(run schema.Run) []Group {
			return []Group{another(first(run)), first(run)}
		}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, run := knowing(t)
			stored(t, l, first(run))
			for _, g := range c.then(run) {
				stored(t, l, g)
			}
			if got := unchanged(t, l, "m", first(run)); !slices.Equal(got, c.want) {
				t.Errorf("known are %q, want %q", got, c.want)
			}
			sound(t, l)
		})
	}
	t.Run("NotUnderAnotherMapping", func(t *testing.T) {
		l, run := knowing(t)
		stored(t, l, first(run))
		for _, mapping := range []string{"", "other"} {
			if got := unchanged(t, l, mapping, first(run)); got != nil {
				t.Errorf("under %q, %q are known", mapping, got)
			}
		}
	})
	t.Run("NotWithAnotherCategoryOrAFieldThatNobodyKnows", func(t *testing.T) {
		l, run := knowing(t)
		stored(t, l, first(run))
		g := first(run)
		g.Records[0].Category, g.Records[1].Unknown = "fee", []string{"new"}
		if got := unchanged(t, l, "m", g); got != nil {
			t.Errorf("known are %q", got)
		}
		stored(t, l, g)
		if got := unchanged(t, l, "m", g); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("afterwards, known are %q", got)
		}
	})
	t.Run("NotOfAnEntryOutsideOfTheWindow", func(t *testing.T) {
		// What it changed to may lie where it is not read.
		l, run := knowing(t)
		g := mapped(run, 0, "in", "out")
		g.Batch.Entries[1].OccurredAt = loadedAt.AddDate(0, 0, -300)
		stored(t, l, g)
		if got := unchanged(t, l, "m", g); !slices.Equal(got, []string{"in"}) {
			t.Errorf("known are %q", got)
		}
		stored(t, l, another(mapped(run, -300, "out")))
		if got := unchanged(t, l, "m", g); !slices.Equal(got, []string{"in"}) {
			t.Errorf("afterwards, known are %q", got)
		}
	})
	t.Run("NotOfACardThatMayBeAnother", func(t *testing.T) {
		l, run := knowing(t)
		g := mapped(run, 0, "unlisted", "by its second id", "none", "none but the second")
		for i, card := range [][2]string{{"unlisted", ""}, {"second", ""}, {"", ""}, {"", "unlisted"}} {
			g.Batch.Entries[i].CardID, g.Batch.Entries[i].CardAltID = card[0], card[1]
		}
		stored(t, l, g)
		if got := unchanged(t, l, "m", g); !slices.Equal(got, []string{"none"}) {
			t.Errorf("known are %q", got)
		}
	})
	t.Run("SaysWhenEntriesOccurredThatWereNotMet", func(t *testing.T) {
		l, run := knowing(t)
		for i, id := range []string{"a", "b", "c", "d"} {
			stored(t, l, mapped(run, i-2, id))
		}
		stored(t, l, another(mapped(run, 5, "a")))
		w := schema.Window{From: loadedAt.AddDate(0, 0, -2), To: loadedAt.AddDate(0, 0, 6)}
		k, err := l.Known(t.Context(), "a-main", w, "m")
		if err != nil {
			t.Fatal(err)
		}
		w.From = w.From.AddDate(0, 0, 1)
		got := k.Unmet(w, map[uint64]struct{}{IDHash("c"): {}})
		if want := []time.Time{loadedAt.AddDate(0, 0, -1), loadedAt.AddDate(0, 0, 1), loadedAt.AddDate(0, 0, 5)}; !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Errorf("%v, want %v", got, want)
		}
	})
	t.Run("WhatIsReadAgainByItsIDOrByNoMappingAndIsAsItWasAddsNothing", func(t *testing.T) {
		l, run := knowing(t)
		g := mapped(run, 0, "a")
		stored(t, l, g)
		g.ByID = true
		stored(t, l, g)
		g.ByID, g.Mapping = false, ""
		stored(t, l, g)
		var rows int
		if err := l.read.GetContext(t.Context(), &rows, `SELECT COUNT(*) FROM known`); err != nil || rows != 1 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
	t.Run("NotOfAnotherSource", func(t *testing.T) {
		l, run := knowing(t)
		stored(t, l, first(run))
		g := another(first(run))
		g.Source = "b-main"
		for i := range g.Records {
			g.Records[i].Source, g.Batch.Entries[i].Source = g.Source, g.Source
		}
		stored(t, l, g)
		if got := unchanged(t, l, "m", g); got != nil {
			t.Errorf("known are %q, of another source", got)
		}
		if got := unchanged(t, l, "m", first(run)); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("known are %q", got)
		}
	})
}
