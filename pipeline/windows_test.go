package pipeline_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// asked are the windows of transactions that an issuer was asked for, in order.
func (i *issuer) asked() []string {
	var all []string
	for _, page := range i.pages {
		window, _, _ := strings.Cut(page, " ")
		all = append(all, window)
	}
	return slices.Compact(all)
}

// twice is an issuer with two lists that each bring every row, and a control total.
type twice struct{ *issuer }

func (twice) Plan(s schema.Stream, _ schema.Window, _ extract.Cursor) extract.Requests {
	if s == schema.Cards {
		return extract.Requests{Lists: 2, Times: 1}
	}
	return extract.Requests{Lists: 2, Beside: 1, Times: 2}
}

// TestBackfill_CutsByPages reads rows that come every three hours, one on a page: 25 days have the 200 pages that a window may.
func TestBackfill_CutsByPages(t *testing.T) {
	t.Parallel()
	rows := year(900)
	w := schema.Window{From: time.Date(2026, 5, 12, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC)}
	months := []string{"2026-05-12..2026-06-01", "2026-06-01..2026-07-01", "2026-07-01..2026-08-01", "2026-08-01..2026-08-31"}
	parts := []string{
		"2026-05-12..2026-06-01", "2026-06-01..2026-06-26", "2026-06-26..2026-07-01", "2026-07-01..2026-07-26", "2026-07-26..2026-08-01",
		"2026-08-01..2026-08-26", "2026-08-26..2026-08-31",
	}
	// Two of the days that the ledger knows are not whole, so that it takes seven rows for usual: 28 days.
	guessed := []string{
		"2026-05-12..2026-06-01", "2026-06-01..2026-06-29", "2026-06-29..2026-07-01", "2026-07-01..2026-07-29", "2026-07-29..2026-08-01",
		"2026-08-01..2026-08-29", "2026-08-29..2026-08-31",
	}
	backfill := func(t *testing.T, l *ledger.Ledger, i *issuer, w schema.Window) (pipeline.ReadResult, pipeline.Plan) {
		t.Helper()
		p := on(t, l, i, now)
		p.Sources[0].PageSize = 1
		plan, err := p.PlanBackfill(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		result, err := p.Backfill(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return result, plan
	}
	for name, c := range map[string]struct {
		knows []row // the ledger, before
		w     schema.Window
		want  []string
		pages int64 // that are planned, beside that of the cards
	}{
		"NothingIsKnown":        {nil, w, months, 4},
		"AllIsKnown":            {rows, w, parts, 8 * 111},
		"OnlyTheLastDaysAre":    {rows[860:], w, guessed, 7 * 111},
		"OneMonthOfWhichIsRead": {rows, schema.Window{From: w.To.AddDate(0, 0, -30), To: w.To}, parts[5:], 8 * 30},
	} {
		t.Run(name, func(t *testing.T) {
			l := fresh(t)
			if c.knows != nil {
				p := on(t, l, &issuer{rows: c.knows}, now)
				p.Sources[0].Start = c.knows[0].at
				sync(t, p)
			}
			i := &issuer{rows: rows}
			result, plan := backfill(t, l, i, c.w)
			if result.Status != schema.Complete {
				t.Errorf("%+v", result)
			}
			if diff := cmp.Diff(c.want, i.asked()); diff != "" {
				t.Errorf("windows, want - and got +:\n%s", diff)
			}
			if s := plan.Sources[0]; s.Windows != len(c.want) || s.Requests < c.pages || s.Requests > c.pages+16 || s.Exact {
				t.Errorf("planned %+v", s)
			}
		})
	}
	t.Run("EveryRowComesTwice", func(t *testing.T) {
		l := fresh(t)
		p := on(t, l, &issuer{rows: rows}, now)
		p.Sources[0].Start = rows[0].at
		sync(t, p)
		p.Sources[0].PageSize, p.Sources[0].Extractor = 1, twice{&issuer{rows: rows}}
		plan, err := p.PlanBackfill(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		// Twelve days have 200 pages, all of which but the last day's are known; and there are two lists of cards.
		if s := plan.Sources[0]; s.Windows != 2+3+3+3 || s.Least != 11*3+2 || s.Requests < 2*8*110 || s.Requests > 2*8*111+11+2 {
			t.Errorf("planned %+v", s)
		}
	})
	t.Run("OneThatGoesOnHasTheWindowsOfTheFirst", func(t *testing.T) {
		l := fresh(t)
		p := on(t, l, &issuer{rows: rows[860:]}, now)
		p.Sources[0].Start = rows[860].at
		sync(t, p)
		i := &issuer{rows: rows, breaks: map[int]error{}}
		for n := range 5 {
			i.breaks[4+3*n] = errors.New("the power is gone") // once, on a page of its own
			if result, _ := backfill(t, l, i, w); result.Status != schema.Partial {
				t.Fatalf("%d: %+v", n, result)
			}
		}
		if result, plan := backfill(t, l, i, w); result.Status != schema.Complete || plan.Sources[0].Windows != len(guessed) {
			t.Errorf("%+v %+v", result, plan)
		}
		if diff := cmp.Diff(guessed, i.asked()); diff != "" {
			t.Errorf("windows, want - and got +:\n%s", diff)
		}
		whole := fresh(t)
		if _, err := on(t, whole, &issuer{rows: rows}, now).Backfill(t.Context(), schema.Window{From: w.From, To: now}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(books(t, whole), books(t, l)); diff != "" {
			t.Error(diff)
		}
	})
}
