package pipeline_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// bill is a BILL account in memory: one card in one budget, and rows of transactions.
type bill struct {
	spent string // of the card, in the budget's period
	rows  []string
}

func (b *bill) Streams() []schema.Stream {
	return []schema.Stream{schema.Budgets, schema.Cards, schema.Transactions}
}

func (b *bill) Pages(_ context.Context, s schema.Stream, _ schema.Window, _ extract.Cursor) iter.Seq2[extract.Page, error] {
	items := map[schema.Stream][]string{
		schema.Cards:        {`{"uuid": "card", "status": "ACTIVATED", "budgetUuid": "budget", "createdTime": "2026-08-01T00:00:00Z", "currentPeriod": {"limit": 1000, "spent": ` + b.spent + `}}`},
		schema.Budgets:      {`{"uuid": "budget", "timezone": "UTC", "currentPeriod": {"startDate": "2026-08-01", "endDate": "2026-08-31"}}`},
		schema.Transactions: b.rows,
	}[s]
	return func(yield func(extract.Page, error) bool) {
		page := extract.Page{Last: true, Total: -1}
		for _, item := range items {
			_, id, _ := strings.Cut(item, `"uuid": "`)
			id, _, _ = strings.Cut(id, `"`)
			page.Records = append(page.Records, schema.Record{
				Source: "one", Provider: schema.Bill, Stream: s, ExternalID: id, ReceivedAt: now.Add(-time.Minute), Payload: []byte(item),
			})
		}
		yield(page, nil)
	}
}

// transaction is a row of a coffee.
func transaction(id, kind, at, link string) string {
	return fmt.Sprintf(`{"uuid": %q, "cardUuid": "card", "transactionType": %q, "amount": 4.50, "authorizedTime": "2026-08-14T%sZ", "occurredTime": "2026-08-14T%sZ", "merchantName": "Coffee"%s}`,
		id, kind, at, at, link)
}

// judged reads the rows, runs the checks, and says which entries count, what was found of likeness, and what became of
// the card's spend.
func (b *bill) judged(t *testing.T) []string {
	t.Helper()
	read, err := normalize.For(schema.Bill)
	if err != nil {
		t.Fatal(err)
	}
	l := fresh(t)
	p, err := pipeline.New(pipeline.Config{
		Ledger: l, Zone: time.UTC, Version: "test",
		Sources: []pipeline.Source{{Name: "one", Provider: schema.Bill, Extractor: b, Normalize: read, LookbackDays: 5}},
		Now:     func() time.Time { return now }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Checks.StalePendingDays = 100
	sync(t, p)
	if _, err := p.Reconcile(t.Context(), p.DefaultPeriod()); err != nil {
		t.Fatal(err)
	}
	var says []string
	for e, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		says = append(says, fmt.Sprintf("%s %s", e.ExternalID, e.Status))
	}
	for f, err := range l.Findings(t.Context(), ledger.FindingFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Severity.Rank() > schema.Low.Rank() || f.Code == schema.DuplicateEntry {
			says = append(says, fmt.Sprintf("finding %s %s", f.Code, f.Severity))
		}
	}
	period := schema.Period{Window: p.DefaultPeriod(), Zone: time.UTC, Now: now}
	for _, check := range reconcile.Checks(p.Checks) {
		for o, err := range check.Run(t.Context(), l.View(0), period) {
			if err != nil {
				t.Fatal(err)
			}
			if o.Judgement != nil {
				says = append(says, fmt.Sprintf("%s %s: %s on %s", o.Judgement.Figure, o.Judgement.Actual, o.Judgement.Verdict, o.Judgement.Basis))
			}
		}
	}
	return says
}

func TestLikeness(t *testing.T) {
	for _, c := range []struct {
		name string
		bill bill
		want []string
	}{
		{
			"TwoEqualCoffeesInOneMinuteStayTwoUnflaggedAboveLow",
			bill{"9.00", []string{transaction("t1", "CLEAR", "10:00:00", ""), transaction("t2", "CLEAR", "10:00:20", "")}},
			[]string{"t1 posted", "t2 posted", "finding duplicate-entry low", "period-spend 9.00: agreed on posted, posted + pending"},
		},
		{
			"APendingRowAndItsPostedRowUnderAnotherIDCountOnce",
			bill{"4.50", []string{transaction("a1", "AUTHORIZATION", "10:00:00", ""), transaction("t1", "CLEAR", "10:00:00", `, "originalAuthTransactionUuid": "a1"`)}},
			[]string{"a1 superseded", "t1 posted", "period-spend 4.50: agreed on posted, posted + pending"},
		},
		{
			"AnUnrelatedPostingOfTheSameAmountLeavesThePendingRowAlone",
			bill{"9.00", []string{transaction("a1", "AUTHORIZATION", "10:00:00", ""), transaction("t1", "CLEAR", "12:00:00", "")}},
			[]string{"a1 pending", "t1 posted", "period-spend 9.00: agreed on posted + pending"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.bill.judged(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
