package pipeline_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func changes(t *testing.T, p *pipeline.Pipeline, since, to int64, period schema.Window) schema.Changes {
	t.Helper()
	c, err := p.Changes(t.Context(), since, to, period)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// lines shows changes as text.
func lines(t *testing.T, c schema.Changes) []string {
	t.Helper()
	all := []string{}
	for change, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprint(change.Kind, " ", change.Entry.ExternalID)
		for _, f := range change.Fields {
			line += fmt.Sprintf(" %s=%s>%s", f.Field, f.Old, f.New)
		}
		all = append(all, line)
	}
	for _, m := range c.Months {
		all = append(all, fmt.Sprintf("%s %s %s: %s to %s, %s vanished, %d changes", m.Source, m.Currency.Code(), m.Month.Format("2006-01"), m.Before, m.After, m.Vanished, m.Changes))
	}
	for _, a := range c.Accepted {
		all = append(all, fmt.Sprintf("%s %s>%s %s %d", a.Finding.Code, a.Was.Status, a.Finding.Status, strings.Join(a.Entries, " "), a.OnCard))
	}
	return all
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestChanges(t *testing.T) {
	tomorrow := now.AddDate(0, 0, 1)
	at := func(day int) time.Time { return time.Date(2026, 8, day, 12, 0, 0, 0, time.UTC) }
	l := fresh(t)
	i := &issuer{rows: []row{
		{"amount", at(27), -100, schema.Posted},
		{"gone", at(28), -300, schema.Posted},
		{"moved", at(29), -700, schema.Pending},
		{"same", at(29), -900, schema.Posted},
	}}
	sync(t, on(t, l, i, now))
	i.rows = []row{
		{"late", at(27), -11, schema.Posted},
		{"amount", at(27), -150, schema.Posted},
		{"same", at(29), -900, schema.Posted},
		{"moved", at(31).Add(12 * time.Hour), -700, schema.Pending}, // 1 September
	}
	sync(t, on(t, l, i, tomorrow))
	p := on(t, l, i, tomorrow)

	t.Run("ListEntriesAndTheirEffectOnEachMonth", func(t *testing.T) {
		c := changes(t, p, 1, 0, schema.Window{})
		equal(t, lines(t, c),
			"changed amount amount=-1.00>-1.50 literal_amount=-100>-150",
			"came late",
			"vanished gone",
			"changed moved occurred_at=2026-08-29T12:00:00Z>2026-09-01T00:00:00Z",
			"one USD 2026-08: -2000 to -1361, -300 vanished, 4 changes",
			"one USD 2026-09: 0 to -700, 0 vanished, 1 changes",
		)
		if c.Since != 1 || c.To != 2 || c.Len() != 4 || c.Count[schema.Changed] != 2 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("MonthsAreThoseOfTheAccountingZone", func(t *testing.T) {
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		west := on(t, l, i, tomorrow)
		west.Zone = zone
		if got := changes(t, west, 1, 0, schema.Window{}).Months; len(got) != 1 || got[0].Month.Format(time.RFC3339) != "2026-08-01T00:00:00-04:00" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("OfAPeriodAreThoseThatTouchIt", func(t *testing.T) {
		equal(t, lines(t, changes(t, p, 1, 0, schema.Window{From: at(29), To: at(30)})),
			"changed moved occurred_at=2026-08-29T12:00:00Z>2026-09-01T00:00:00Z",
			"one USD 2026-08: -2000 to -1361, 0 vanished, 1 changes",
			"one USD 2026-09: 0 to -700, 0 vanished, 1 changes",
		)
	})
	t.Run("SinceTheLastRunThereAreNone", func(t *testing.T) {
		equal(t, lines(t, changes(t, p, 2, 0, schema.Window{})))
	})
	t.Run("AnUnknownRunIsRefusedWithThoseThatThereAre", func(t *testing.T) {
		for _, since := range []int64{-1, 0, 3} {
			_, err := p.Changes(t.Context(), since, 0, schema.Window{})
			if !errors.Is(err, ledger.ErrNotFound) || !strings.Contains(err.Error(), "runs 1 to 2") {
				t.Errorf("%d: %v", since, err)
			}
		}
		if _, err := on(t, fresh(t), i, now).Changes(t.Context(), 1, 0, schema.Window{}); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
	t.Run("UnderAcceptedFindingsAreNamed", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: []row{{"stale", at(1), -100, schema.Pending}, {"other", at(2), -100, schema.Pending}, {"coffee", at(28), -5, schema.Posted}}, cards: []string{"card"}}
		p := on(t, l, i, now)
		sync(t, p)
		if _, err := p.Reconcile(t.Context(), schema.Window{From: at(1), To: now}); err != nil {
			t.Fatal(err)
		}
		for f, err := range l.Findings(t.Context(), ledger.FindingFilter{Code: schema.StalePending}) {
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Decide(t.Context(), 2, []schema.Decision{{FindingID: f.ID(), Action: schema.Accept, By: "ann", Note: "known"}}); err != nil {
				t.Fatal(err)
			}
		}
		i.rows[0].minor = -120
		if _, err := on(t, l, i, tomorrow).Backfill(t.Context(), schema.Window{From: at(1), To: at(10)}); err != nil {
			t.Fatal(err)
		}
		equal(t, lines(t, changes(t, p, 2, 0, schema.Window{})),
			"changed stale amount=-1.00>-1.20 literal_amount=-100>-120",
			"one USD 2026-08: -205 to -225, 0 vanished, 1 changes",
			"stale-pending accepted>accepted one/stale 1", "stale-pending accepted>accepted  1", // the other one on the card
		)
		equal(t, lines(t, changes(t, p, 3, 0, schema.Window{})))
	})
}

// TestChanges_AddUp holds over random nights that what each month lost or won is the sum of the changes, and that entries
// changed by no less and no more.
func TestChanges_AddUp(t *testing.T) {
	for seed := range uint64(6) {
		dice := rand.New(rand.NewPCG(seed, 1))
		l, i := fresh(t), &issuer{rows: year(40)}
		for night := range 4 {
			sync(t, on(t, l, i, now.AddDate(0, 0, night)))
			for range 6 {
				n := dice.IntN(len(i.rows))
				switch dice.IntN(4) {
				case 0:
					i.rows[n].minor -= int64(dice.IntN(50))
				case 1:
					i.rows[n].status = []schema.Status{schema.Pending, schema.Posted, schema.Declined}[dice.IntN(3)]
				case 2:
					i.rows = append(i.rows[:n:n], i.rows[n+1:]...)
				default:
					i.rows = append(i.rows, row{fmt.Sprintf("n%d-%d", night, dice.IntN(1000)), now.Add(-time.Duration(dice.IntN(90)) * time.Hour), -5, schema.Posted})
				}
			}
		}
		p := on(t, l, i, now.AddDate(0, 0, 4))
		for since := int64(1); since <= 3; since++ {
			c := changes(t, p, since, 0, schema.Window{})
			sums := map[string]*big.Int{}
			add := func(e schema.Entry, sign int64) {
				month := e.OccurredAt.Format("2006-01")
				if sums[month] == nil {
					sums[month] = new(big.Int)
				}
				if e.Status.Counted() {
					sums[month].Add(sums[month], big.NewInt(sign*e.Amount.Minor()))
				}
			}
			now, was := map[string]schema.Entry{}, map[string]schema.Entry{}
			for e, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				now[e.ExternalID] = e
			}
			for e, err := range l.View(since).Entries.Entries(t.Context(), schema.EntryFilter{}) {
				if err != nil {
					t.Fatal(err)
				}
				was[e.ExternalID] = e
			}
			for change, err := range c.Entries(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				add(change.Entry, 1)
				if change.Was.ExternalID != "" {
					add(change.Was, -1)
				}
				if change.Entry != now[change.Entry.ExternalID] || change.Was != was[change.Entry.ExternalID] {
					t.Errorf("seed %d: %+v", seed, change)
				}
				delete(now, change.Entry.ExternalID)
			}
			for id, e := range now {
				if len(schema.Differences(was[id], e)) > 0 {
					t.Errorf("seed %d: %s changed and is not listed", seed, id)
				}
			}
			for _, m := range c.Months {
				if want := sums[m.Month.Format("2006-01")]; m.Difference().Cmp(want) != 0 {
					t.Errorf("seed %d since run %d: %s changed by %s, its entries by %s", seed, since, m.Month, m.Difference(), want)
				}
			}
		}
	}
}

func TestReport_ShowsChangesSinceThePeriodWasReportedOn(t *testing.T) {
	l, i := fresh(t), &issuer{rows: year(20), cards: []string{"card"}}
	august := schema.Window{From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	july := schema.Window{From: august.From.AddDate(0, -1, 0), To: august.From}
	report := func(at time.Time, w schema.Window) {
		if _, err := on(t, l, i, at).Report(t.Context(), pipeline.ReportRequest{Period: w, Formats: reports.Formats()[1:2], Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	since := func(asOf int64, w schema.Window) schema.Changes {
		t.Helper()
		run, err := l.Run(t.Context(), asOf)
		if err != nil {
			t.Fatal(err)
		}
		c, err := pipeline.ChangesInReport(t.Context(), on(t, l, i, now), run, w)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	sync(t, on(t, l, i, now)) // run 1
	report(now, august)       // run 2
	if c := since(1, august); c.Since != 0 || c.Len() != 0 {
		t.Errorf("the first report: %+v", c)
	}
	i.rows[3].minor--
	sync(t, on(t, l, i, now.AddDate(0, 0, 1))) // run 3
	if c := since(3, august); c.Since != 1 || c.Len() != 1 {
		t.Errorf("%+v", c)
	}
	report(now, august) // run 4, as of run 3
	report(now, july)   // run 5
	i.rows[4].minor--
	sync(t, on(t, l, i, now.AddDate(0, 0, 2))) // run 6
	for _, again := range []struct {
		asOf, since, len int64
		period           schema.Window
	}{{6, 3, 1, august}, {6, 3, 0, july}, {3, 1, 1, august}, {1, 0, 0, august}, {3, 0, 0, july}, {6, 3, 1, schema.Window{From: july.From.AddDate(0, 0, 1), To: august.To}}} {
		if c := since(again.asOf, again.period); c.Since != again.since || c.Len() != again.len {
			t.Errorf("%+v: %+v", again, c)
		}
	}
}
