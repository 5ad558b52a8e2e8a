package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func absence(id string) schema.Absence {
	return schema.Absence{Source: "bill-main", ExternalID: id, LastRead: now.Add(-24 * time.Hour), NoticedAt: now, Window: window}
}

func absent(t *testing.T, l *ledger.Ledger, asOf int64) []string {
	t.Helper()
	ids := []string{}
	for _, a := range all(t, l.View(asOf).Absences.Absences(t.Context())) {
		ids = append(ids, a.ExternalID)
	}
	return ids
}

func TestAbsences(t *testing.T) {
	l := fresh(t)
	first := start(t, l, schema.SyncRun)
	commit(t, l, group(first, entry("a", -1, schema.Posted), entry("b", -2, schema.Posted)))
	finish(t, l, first)
	second := start(t, l, schema.SyncRun)
	g := group(second)
	g.Absent = []schema.Absence{absence("b"), absence("a"), absence("b")}
	commit(t, l, g)
	finish(t, l, second)
	third := start(t, l, schema.SyncRun)
	g = group(third, entry("a", -1, schema.Posted))
	g.Absent = []schema.Absence{absence("b")}
	commit(t, l, g)
	finish(t, l, third)

	t.Run("AreStoredOnceWithWhatIsKnownOfThem", func(t *testing.T) {
		want := absence("a")
		want.Run = second.ID
		got := all(t, l.View(second.ID).Absences.Absences(t.Context()))
		same(t, "absences", got[:1], []schema.Absence{want})
		same(t, "ids", absent(t, l, second.ID), []string{"a", "b"})
	})
	t.Run("EndWhenTheEntryIsReadAgain", func(t *testing.T) {
		same(t, "ids", absent(t, l, 0), []string{"b"})
	})
	t.Run("WereNotKnownBefore", func(t *testing.T) {
		same(t, "ids", absent(t, l, first.ID), []string{})
	})
	t.Run("TakeNothingOutOfTheLedger", func(t *testing.T) {
		if got := entries(t, l, 0); len(got) != 2 || !got["b"].Status.Counted() {
			t.Errorf("%v", got)
		}
	})
	verify(t, l)
}

func TestListedIDs(t *testing.T) {
	l := fresh(t)
	at := func(id string, occurred, posted int) schema.Entry {
		e := entry(id, -1, schema.Posted)
		e.OccurredAt, e.PostedAt = window.From.AddDate(0, 0, occurred), window.From.AddDate(0, 0, posted)
		return e
	}
	pending := at("pending", 5, 0)
	pending.Status, pending.PostedAt = schema.Pending, time.Time{}
	authorization := pending
	authorization.ExternalID = "authorization"
	old := start(t, l, schema.SyncRun)
	g := group(old, at("inside", 4, 6), at("posted later", 4, 12), at("occurred before", -1, 3), at("first instant", 0, 1), at("last instant", 4, 10),
		at("gone", 4, 4), pending, authorization, at("clearing", 5, 6))
	g.Batch.Links = []schema.Link{{From: "authorization", To: "clearing", Basis: schema.Cleared}}
	g.Absent = []schema.Absence{absence("gone")}
	commit(t, l, g)
	finish(t, l, old)
	walk := start(t, l, schema.SyncRun)
	commit(t, l, group(walk, at("stored meanwhile", 4, 5)))
	within := schema.Window{From: window.From, To: window.From.AddDate(0, 0, 10)}
	same(t, "listed", all(t, l.ListedIDs(t.Context(), ledger.Listed{Source: "bill-main", Within: within, Before: walk.ID})),
		[]string{"first instant", "inside", "clearing", "pending"})
	if got := all(t, l.ListedIDs(t.Context(), ledger.Listed{Source: "other", Within: within, Before: walk.ID})); len(got) != 0 {
		t.Errorf("of another source: %v", got)
	}
	if got := all(t, l.ListedIDs(t.Context(), ledger.Listed{Source: "bill-main", Within: within, Before: old.ID})); len(got) != 0 {
		t.Errorf("before there was a run: %v", got)
	}
	readings, err := l.Readings(t.Context(), "bill-main", []string{"pending", "inside", "unheard of"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "readings", readings, []ledger.Reading{
		{ExternalID: "inside", OccurredAt: at("", 4, 6).OccurredAt, PostedAt: at("", 4, 6).PostedAt, StoredAt: now, Run: old.ID},
		{ExternalID: "pending", OccurredAt: pending.OccurredAt, StoredAt: now, Run: old.ID},
	})
}

func TestChanges(t *testing.T) {
	l := fresh(t)
	one := start(t, l, schema.SyncRun)
	commit(t, l, group(one, entry("same", -1, schema.Posted), entry("moved", -100, schema.Pending), entry("back", -3, schema.Posted),
		entry("gone", -4, schema.Posted), entry("was gone", -5, schema.Posted)))
	g := group(one)
	g.Absent = []schema.Absence{absence("was gone")}
	commit(t, l, g)
	one = finish(t, l, one)

	two := start(t, l, schema.SyncRun)
	posted := entry("moved", -120, schema.Posted)
	commit(t, l, group(two, posted, entry("back", -33, schema.Posted), entry("was gone", -5, schema.Posted)))
	finish(t, l, two)
	three := start(t, l, schema.SyncRun)
	posted.OccurredAt = posted.OccurredAt.Add(time.Hour)
	g = group(three, posted, entry("back", -3, schema.Posted), entry("new", -6, schema.Posted))
	g.Absent = []schema.Absence{absence("gone")}
	commit(t, l, g)
	three = finish(t, l, three)

	show := func(c schema.Change) string { return string(c.Kind) + " " + c.Entry.ExternalID }
	list := func(t *testing.T, since, to int64) (shown []string, byID map[string]schema.Change) {
		t.Helper()
		byID = map[string]schema.Change{}
		for _, c := range all(t, l.Changes(t.Context(), since, to)) {
			shown = append(shown, show(c))
			byID[c.Entry.ExternalID] = c
		}
		return shown, byID
	}
	t.Run("AreInTheOrderOfTheCardAndWhatIsAsItWasIsNone", func(t *testing.T) {
		got, _ := list(t, one.ID, 0)
		same(t, "changes", got, []string{"vanished gone", "came new", "returned was gone", "changed moved"})
	})
	t.Run("NameOldAndNewValues", func(t *testing.T) {
		_, byID := list(t, one.ID, 0)
		same(t, "fields", byID["moved"].Fields, []schema.FieldChange{
			{Field: "status", Old: "pending", New: "posted"},
			{Field: "occurred_at", Old: "2026-08-29T07:00:00Z", New: "2026-08-29T08:00:00Z"},
			{Field: "posted_at", Old: "", New: "2026-08-30T07:00:00Z"},
			{Field: "amount", Old: "-1.00", New: "-1.20"},
		})
		if c := byID["moved"]; c.Was.Amount != usd(-100) || c.Entry.Amount != usd(-120) || c.Entry.Run != three.ID || c.Was.Run != one.ID {
			t.Errorf("%+v", c)
		}
		if c := byID["new"]; c.Was.ExternalID != "" || c.Fields != nil {
			t.Errorf("%+v", c)
		}
		if c := byID["gone"]; c.Absence.Run != three.ID || !c.Absence.LastRead.Equal(absence("").LastRead) || c.Fields != nil || c.Was.ExternalID != "gone" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("UpToARunAreThoseKnownThen", func(t *testing.T) {
		got, _ := list(t, one.ID, two.ID)
		same(t, "changes", got, []string{"changed back", "changed moved", "returned was gone"})
	})
	t.Run("SinceTheLastRunAreNone", func(t *testing.T) {
		got, _ := list(t, three.ID, 0)
		same(t, "changes", got, nil)
	})
	t.Run("StopWhenNobodyListens", func(t *testing.T) {
		for c, err := range l.Changes(t.Context(), one.ID, 0) {
			if err != nil || show(c) != "vanished gone" {
				t.Errorf("%v %v", c, err)
			}
			break
		}
	})
	t.Run("EndWithTheirContext", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		n := 0
		for _, err := range l.Changes(ctx, one.ID, 0) {
			n++
			if err == nil {
				t.Error("a change came although the context had ended")
			}
		}
		if n != 1 {
			t.Errorf("%d outcomes", n)
		}
	})
}
