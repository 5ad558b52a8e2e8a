package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// byID is an issuer that also answers by id, from a list of its own.
type byID struct {
	*issuer
	known []row
	asked []string
	down  error
}

func (b *byID) Fetch(_ context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		b.asked = append(b.asked, ids...)
		if b.down != nil {
			yield(extract.Page{}, b.down)
			return
		}
		p := extract.Page{Total: -1, Last: true}
		for _, id := range ids {
			n := slices.IndexFunc(b.known, func(r row) bool { return r.id == id })
			if n < 0 {
				p.Missing = append(p.Missing, id)
				continue
			}
			r := b.known[n]
			p.Records = append(p.Records, record(s, r.id+"|"+strconv.FormatInt(r.minor, 10)+"|"+string(r.status)+"|"+r.at.Format(time.RFC3339)))
		}
		yield(p, nil)
	}
}

func absent(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	ids := []string{}
	for a, err := range l.View(0).Absences.Absences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ExternalID)
	}
	return ids
}

// absentAre compares the ids of the absences that stand, and holds that no entry was lost over them.
func absentAre(t *testing.T, l *ledger.Ledger, entries int, want ...string) {
	t.Helper()
	if got := absent(t, l); !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("absent are %v, want %v", got, want)
	}
	if got := len(books(t, l)); got != entries {
		t.Errorf("%d entries, want %d", got, entries)
	}
}

func without(rows []row, id string) []row {
	return slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.id == id })
}

func TestVanished(t *testing.T) {
	tomorrow := now.AddDate(0, 0, 1)
	t.Run("AnEntryThatIsNoLongerListedIsAbsentUntilItIs", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(30)}
		whole := i.rows
		sync(t, on(t, l, i, now))
		absentAre(t, l, 30)
		i.rows = without(whole, "t0010")
		sync(t, on(t, l, i, tomorrow))
		absentAre(t, l, 30, "t0010")
		for a, err := range l.View(0).Absences.Absences(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !a.LastRead.Equal(now) || !a.NoticedAt.Equal(tomorrow) || !a.Window.To.Equal(tomorrow) || a.Run != 2 {
				t.Errorf("%+v", a)
			}
		}
		sync(t, on(t, l, i, tomorrow.AddDate(0, 0, 1)))
		absentAre(t, l, 30, "t0010")
		i.rows = whole
		sync(t, on(t, l, i, tomorrow.AddDate(0, 0, 2)))
		absentAre(t, l, 30)
	})
	t.Run("ItWasLastReadByTheLatestWalkThatWouldHaveMissedIt", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(30)}
		sync(t, on(t, l, i, now))
		sync(t, on(t, l, i, tomorrow))
		i.rows = without(i.rows, "t0010")
		sync(t, on(t, l, i, tomorrow.AddDate(0, 0, 1)))
		for a, err := range l.View(0).Absences.Absences(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !a.LastRead.Equal(tomorrow) {
				t.Errorf("last read %s", a.LastRead)
			}
		}
	})
	t.Run("NothingIsSaidOfTheEdgesOfAWindow", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(95)}
		sync(t, on(t, l, i, now))
		w := schema.Window{From: now.AddDate(0, 0, -8), To: now.AddDate(0, 0, -2)}
		i.rows = slices.DeleteFunc(i.rows, func(r row) bool {
			return r.at.Before(w.From.Add(24*time.Hour)) || !r.at.Before(w.To.Add(-24*time.Hour))
		})
		if _, err := on(t, l, i, tomorrow).Backfill(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		absentAre(t, l, 95)
		i.rows = nil
		if _, err := on(t, l, i, tomorrow).Backfill(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if got := len(absent(t, l)); got != 32 { // four days of eight entries each
			t.Errorf("%d are absent", got)
		}
	})
	t.Run("AWalkThatDidNotEndSaysNothing", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(30)}
		sync(t, on(t, l, i, now))
		i.rows = without(i.rows, "t0010")
		i.breaks = map[int]error{2: errors.New("connection reset")}
		sync(t, on(t, l, i, tomorrow))
		absentAre(t, l, 30)
	})
	t.Run("AWalkInDoubtSaysNothing", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(30)}
		sync(t, on(t, l, i, now))
		i.rows, i.doubt = without(i.rows, "t0010"), "the server ignored the filter"
		sync(t, on(t, l, i, tomorrow))
		absentAre(t, l, 30)
	})
	t.Run("AResumedWalkKnowsWhatItMetBeforeItWasKilled", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(60)}
		sync(t, on(t, l, i, now))
		i.rows = without(i.rows, "t0050")
		i.breaks = map[int]error{4: errors.New("connection reset")}
		w := schema.Window{From: schema.Beginning, To: tomorrow}
		if _, err := on(t, l, i, tomorrow).Backfill(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		i.pages = nil
		if _, err := on(t, l, i, tomorrow).Backfill(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if i.pages[0] != w.String()+" 4" {
			t.Fatalf("it began again: %v", i.pages)
		}
		absentAre(t, l, 60, "t0050")
	})
	t.Run("WhatWasStoredAfterAWalkBeganIsNotExpectedOfIt", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(60), breaks: map[int]error{4: errors.New("connection reset")}}
		sync(t, on(t, l, i, now))
		// A late row comes in on a page that the broken walk has passed, and another run reads it.
		late := row{"late", now.Add(-170 * time.Hour), -7, schema.Posted}
		at := slices.IndexFunc(i.rows, func(r row) bool { return r.at.After(late.at) })
		with := slices.Insert(slices.Clone(i.rows), at, late)
		if _, err := on(t, l, &issuer{rows: with}, now).Backfill(t.Context(), schema.Window{From: now.AddDate(0, 0, -9), To: now}); err != nil {
			t.Fatal(err)
		}
		sync(t, on(t, l, i, now)) // goes on without it
		absentAre(t, l, 61)
	})
	t.Run("ARowWhoseDateMovedOutOfTheWindowIsReadByItsID", func(t *testing.T) {
		l, i := fresh(t), &byID{issuer: &issuer{rows: year(95)}}
		sync(t, with(on(t, l, i.issuer, now), i))
		i.known = slices.Clone(i.rows)
		n := slices.IndexFunc(i.rows, func(r row) bool { return r.at.Before(now.AddDate(0, 0, -5)) && r.at.After(now.AddDate(0, 0, -6)) })
		moved, gone := i.rows[n].id, i.rows[n-1].id
		i.known[n].at = now.Add(-time.Hour)
		i.known = without(i.known, gone)
		i.rows = without(without(i.rows, moved), gone)
		w := schema.Window{From: now.AddDate(0, 0, -9), To: now.AddDate(0, 0, -2)}
		result, err := with(on(t, l, i.issuer, tomorrow), i).Backfill(t.Context(), w)
		if err != nil || result.Status != schema.Complete || transactions(result).EntriesChanged != 1 {
			t.Fatalf("%v %+v", err, result)
		}
		absentAre(t, l, 95, gone)
		if !slices.Equal(i.asked, []string{gone, moved}) {
			t.Errorf("asked for %v", i.asked)
		}
		for a, err := range l.View(0).Absences.Absences(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if a.Window != w {
				t.Errorf("%+v", a)
			}
		}
		i.asked = nil
		if _, err := with(on(t, l, i.issuer, tomorrow), i).Backfill(t.Context(), w); err != nil || len(i.asked) != 0 {
			t.Errorf("what is absent already is asked for again: %v %v", i.asked, err)
		}
	})
	t.Run("WhereAskingFailsNothingIsSaidAndTheRunIsPartial", func(t *testing.T) {
		l, i := fresh(t), &byID{issuer: &issuer{rows: year(30)}, down: errors.New("503")}
		sync(t, with(on(t, l, i.issuer, now), i))
		i.rows = without(i.rows, "t0010")
		result := sync(t, with(on(t, l, i.issuer, tomorrow), i))
		if got := transactions(result); result.Status != schema.Partial || got.Verdict != schema.VerdictPartial {
			t.Errorf("%+v", result)
		}
		absentAre(t, l, 30)
		if got := completeness(t, l, schema.Window{From: now.AddDate(0, 0, -5), To: tomorrow}); got.Verdict != schema.VerdictComplete {
			t.Errorf("the window itself was read to its end: %+v", got)
		}
	})
	t.Run("NotMoreThanAHundredAreAskedFor", func(t *testing.T) {
		for _, known := range []int{0, 100, 130} {
			l, i := fresh(t), &byID{issuer: &issuer{rows: year(140)}}
			sync(t, with(on(t, l, i.issuer, now), i))
			i.known = slices.Clone(i.rows[:known])
			i.rows = nil
			if _, err := with(on(t, l, i.issuer, tomorrow), i).Backfill(t.Context(), schema.Window{From: schema.Beginning, To: now}); err != nil {
				t.Fatal(err)
			}
			// Eight entries lie on the last day of the window. Where the first hundred are all known, so are the others.
			want := map[int]int{0: 132, 100: 0, 130: 0}[known]
			if got := len(absent(t, l)); got != want || len(i.asked) != 100 {
				t.Errorf("%d known: %d are absent, %d were asked for", known, got, len(i.asked))
			}
		}
	})
	t.Run("APendingEntryThatIsNotKnownByItsIDIsAbsent", func(t *testing.T) {
		l, i := fresh(t), &byID{issuer: &issuer{rows: year(3)}}
		i.rows[0].status, i.rows[0].at = schema.Pending, now.AddDate(0, 0, -10)
		sync(t, with(on(t, l, i.issuer, now), i))
		sync(t, with(on(t, l, i.issuer, tomorrow), i))
		absentAre(t, l, 3, "t0000")
		i.known = i.rows
		sync(t, with(on(t, l, i.issuer, tomorrow.AddDate(0, 0, 1)), i))
		absentAre(t, l, 3)
	})
	t.Run("WhatIsNoLongerAskedForSaysNothing", func(t *testing.T) {
		for name, c := range map[string]struct {
			before, after schema.Scope
			read          []string
			absent        []string
		}{
			"another category": {"categories=card,fee", "categories=card", []string{"card"}, []string{"t0010"}},
			"another account":  {"account=1;categories=card,fee", "account=2;categories=card,fee", nil, nil},
			"nothing":          {"categories=card,fee", "categories=card,fee", []string{"card"}, []string{"f1", "t0010"}},
			"one more":         {"categories=card,fee", "categories=ach,card,fee", []string{"card"}, []string{"f1", "t0010"}},
		} {
			l := fresh(t)
			i := &categories{rows: map[string][]row{"card": year(20), "fee": {{"f1", now.AddDate(0, 0, -2), -5, schema.Posted}}}, read: []string{"card", "fee"}}
			for night, scope := range []schema.Scope{c.before, c.after, c.after} { // the second night in a new scope is no other than the first
				p := with(on(t, l, &issuer{}, now.AddDate(0, 0, night)), i)
				p.Sources[0].Scope = scope
				sync(t, p)
				i.rows["card"], i.read = without(i.rows["card"], "t0010"), c.read
			}
			if got := absent(t, l); !slices.Equal(got, append([]string{}, c.absent...)) {
				t.Errorf("%s: %v are absent, want %v", name, got, c.absent)
			}
		}
	})
}

func with(p *pipeline.Pipeline, x extract.Extractor) *pipeline.Pipeline {
	p.Sources[0].Extractor = x
	return p
}

// categories is an issuer whose rows are asked for by category.
type categories struct {
	rows map[string][]row
	read []string
}

func (c *categories) Streams() []schema.Stream { return []schema.Stream{schema.Transactions} }

func (c *categories) Pages(_ context.Context, s schema.Stream, w schema.Window, _ extract.Cursor) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		p := extract.Page{Total: -1, Last: true}
		for _, category := range c.read {
			for _, r := range c.rows[category] {
				if w.Contains(r.at) {
					p.Records = append(p.Records, record(s, fmt.Sprintf("%s|%d|%s|%s", r.id, r.minor, r.status, r.at.Format(time.RFC3339))))
					p.Records[len(p.Records)-1].Category = category
				}
			}
		}
		yield(p, nil)
	}
}
