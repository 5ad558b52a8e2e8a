package pipeline_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

// lapsed are rows that have been pending for days.
func lapsed(n int) []row {
	var rows []row
	for i := range n {
		rows = append(rows, row{id: fmt.Sprintf("p%04d", i), at: now.AddDate(0, 0, -3).Add(time.Duration(i) * time.Minute), minor: -100, status: schema.Pending})
	}
	return rows
}

// open lists the reasons and entries of the open findings of stale-pending.
func open(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	all := []string{}
	for f, err := range l.Findings(t.Context(), ledger.FindingFilter{Code: schema.StalePending, Status: schema.Open}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Reason+f.EntryID)
	}
	slices.Sort(all)
	return all
}

func TestReconcile_CapsAFlood(t *testing.T) {
	l, i := fresh(t), &issuer{rows: lapsed(2), cards: []string{"card"}}
	night := func(limit int) pipeline.ReconcileResult {
		t.Helper()
		p := on(t, l, i, now)
		p.Checks.MaxNew = map[schema.FindingCode]int{schema.StalePending: limit}
		sync(t, p)
		result, err := p.Reconcile(t.Context(), p.DefaultPeriod())
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	night(5)
	few := []string{"one/p0000", "one/p0001"}
	if diff := cmp.Diff(few, open(t, l)); diff != "" {
		t.Fatalf("within the limit: %s", diff)
	}
	i.rows = lapsed(9)
	night(5)
	capped := append(slices.Clone(few), "too-many-new")
	if diff := cmp.Diff(capped, open(t, l)); diff != "" {
		t.Fatalf("a flood beside what was known: %s", diff)
	}
	if r := night(5); r.New != 0 || r.Resolved != 0 || r.Reopened != 0 {
		t.Errorf("the same flood the next night: %+v", r)
	}
	if diff := cmp.Diff(capped, open(t, l)); diff != "" {
		t.Fatalf("the same flood the next night: %s", diff)
	}
	if r := night(7); r.New != 7 || r.Resolved != 1 {
		t.Errorf("with a higher limit: %+v", r)
	}
	if got := open(t, l); len(got) != 9 || slices.Contains(got, "too-many-new") {
		t.Errorf("with a higher limit: %v", got)
	}
}

// flooded is an issuer of which many cards have a drift.
func TestReport_PointsToTheFindingThatStandsForAFlood(t *testing.T) {
	l, i := fresh(t), &issuer{}
	for n := range 4 {
		i.cards = append(i.cards, fmt.Sprintf("c%d", n))
	}
	p := on(t, l, i, now)
	p.Sources[0].Normalize = func(r schema.Record, b *schema.Batch) error {
		b.Observations = append(b.Observations, schema.Observation{
			Card:   schema.Card{Source: r.Source, Provider: r.Provider, ID: r.ExternalID, Currency: "USD", BudgetID: "b"},
			Stream: r.Stream, ObservedAt: r.ReceivedAt, Figures: []schema.Figure{{Name: schema.TrailingSpend, Raw: "1", Amount: money.FromMinor(100, money.USD())}},
		})
		return nil
	}
	p.Checks.MaxNew = map[schema.FindingCode]int{schema.BalanceDrift: 3}
	sync(t, p)
	if _, err := p.Reconcile(t.Context(), p.DefaultPeriod()); err != nil {
		t.Fatal(err)
	}
	report, err := p.Report(t.Context(), pipeline.ReportRequest{Period: p.DefaultPeriod(), Formats: []string{"csv"}, Under: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(report.Dir, "roll_forward.csv"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	id, differs := slices.Index(rows[0], "finding_id"), 0
	for _, r := range rows[1:] {
		if r[id] == reconcile.SummaryID(schema.BalanceDrift, "one") {
			differs++
		}
	}
	if differs != 4 {
		t.Errorf("%d of 4 judgements point to the finding that stands for them: %v", differs, rows)
	}
}
