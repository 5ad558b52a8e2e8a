package pipeline_test

import (
	"testing"
	"time"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// TestReconcile_OfThePresent: cards that were never read are incomplete as of now, which a reconcile says on a clock that
// goes on, and of which one over a past period says nothing.
func TestReconcile_OfThePresent(t *testing.T) {
	ticking := func(at time.Time) func() time.Time {
		return func() time.Time {
			at = at.Add(time.Millisecond)
			return at
		}
	}
	cards := func(t *testing.T, l *ledger.Ledger) (statuses []schema.FindingStatus) {
		t.Helper()
		for f, err := range l.Findings(t.Context(), ledger.FindingFilter{Code: schema.IncompleteExtract}) {
			if err != nil {
				t.Fatal(err)
			}
			if f.Subject == string(schema.Cards) {
				statuses = append(statuses, f.Status)
			}
		}
		return statuses
	}
	reconcile := func(t *testing.T, p *pipeline.Pipeline, w schema.Window) {
		t.Helper()
		if _, err := p.Reconcile(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	night := func(t *testing.T) *ledger.Ledger {
		t.Helper()
		l := fresh(t)
		p := on(t, l, &issuer{}, now)
		reconcile(t, p, p.DefaultPeriod())
		if got := cards(t, l); len(got) != 1 || got[0] != schema.Open {
			t.Fatalf("the night says %v, want one open finding", got)
		}
		return l
	}
	t.Run("StaysOpenOnAClockThatGoesOn", func(t *testing.T) {
		l := night(t)
		p := on(t, l, &issuer{}, now)
		p.Now = ticking(now.Add(time.Hour))
		reconcile(t, p, p.DefaultPeriod())
		if got := cards(t, l); len(got) != 1 || got[0] != schema.Open {
			t.Errorf("%v, want one open finding", got)
		}
		report, err := p.Report(t.Context(), pipeline.ReportRequest{Period: p.DefaultPeriod(), Formats: []string{"csv"}, Under: t.TempDir()})
		if err != nil || report.Complete {
			t.Errorf("the report is complete: %v, %v", report.Complete, err)
		}
	})
	t.Run("IsNotResolvedByAPastPeriod", func(t *testing.T) {
		l := night(t)
		p := on(t, l, &issuer{}, now.AddDate(0, 0, 1))
		reconcile(t, p, schema.Window{From: now.AddDate(0, -1, 0), To: now.Add(time.Hour)})
		if got := cards(t, l); len(got) != 1 || got[0] != schema.Open {
			t.Errorf("%v, want one open finding", got)
		}
	})
}
