package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

func funding(id string, minor int64) schema.Funding {
	return schema.Funding{
		ID: id, Reference: "R-" + id, Amount: usd(minor), SentAt: now, SentText: "2026-08-31", DateOnly: true, CardID: "card", Source: "bitnob-main",
		Note: "Ünit", File: "a.csv", Line: 2,
	}
}

func TestFundings(t *testing.T) {
	importing := func(t *testing.T, l *ledger.Ledger, file string, fundings ...schema.Funding) (schema.Run, int64, int64) {
		t.Helper()
		run := start(t, l, schema.ImportRun)
		added, withdrawn, err := l.ImportFundings(t.Context(), run.ID, file, fundings)
		if err != nil {
			t.Fatal(err)
		}
		return finish(t, l, run), added, withdrawn
	}
	ids := func(t *testing.T, l *ledger.Ledger, asOf int64) string {
		t.Helper()
		var all []string
		for f, err := range l.View(asOf).Fundings.Fundings(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, f.ID)
		}
		return strings.Join(all, " ")
	}
	t.Run("AreReadAsTheyWereGiven", func(t *testing.T) {
		l := fresh(t)
		f := funding("x", 12345)
		run, added, withdrawn := importing(t, l, "a.csv", f)
		if added != 1 || withdrawn != 0 {
			t.Errorf("%d added, %d withdrawn", added, withdrawn)
		}
		f.Run = run.ID
		same(t, "fundings", all(t, l.View(0).Fundings.Fundings(t.Context())), []schema.Funding{f})
		verify(t, l)
	})
	t.Run("TheSameFileTwiceChangesNothing", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		importing(t, l, "a.csv", funding("x", 1), funding("y", 2))
		run := start(t, l, schema.ImportRun)
		before, root := rowsStored(t, path), mustRoot(t, l)
		moved := funding("y", 2)
		moved.Line = 9
		added, withdrawn, err := l.ImportFundings(t.Context(), run.ID, "a.csv", []schema.Funding{moved, funding("x", 1), funding("x", 1)})
		if err != nil || added != 0 || withdrawn != 0 {
			t.Errorf("%d added, %d withdrawn, %v", added, withdrawn, err)
		}
		same(t, "rows", rowsStored(t, path), before)
		if got := mustRoot(t, l); got != root {
			t.Error("the chain grew")
		}
	})
	t.Run("ALineGoneFromItsFileIsWithdrawnAndKnownAsOfBefore", func(t *testing.T) {
		path := ledger.NewPath(t)
		l := open(t, path)
		one, _, _ := importing(t, l, "a.csv", funding("x", 1), funding("y", 2))
		two, added, withdrawn := importing(t, l, "a.csv", funding("y", 2), funding("z", 3))
		if added != 1 || withdrawn != 1 {
			t.Errorf("%d added, %d withdrawn", added, withdrawn)
		}
		if _, added, withdrawn := importing(t, l, "a.csv", funding("x", 1), funding("y", 2), funding("z", 3)); added != 1 || withdrawn != 0 {
			t.Errorf("back again: %d added, %d withdrawn", added, withdrawn)
		}
		if n := rowsStored(t, path)["funding_events"]; n != 5 {
			t.Errorf("two lines came, one came, one went and came back: that makes 5 events, not %d", n)
		}
		for asOf, want := range map[int64]string{0: "x y z", one.ID: "x y", two.ID: "y z"} {
			if got := ids(t, l, asOf); got != want {
				t.Errorf("as of %d: %s, want %s", asOf, got, want)
			}
		}
		verify(t, l)
	})
	t.Run("ALineInTwoFilesIsOneFundingUntilBothLostIt", func(t *testing.T) {
		l := fresh(t)
		importing(t, l, "a.csv", funding("x", 1))
		if _, added, _ := importing(t, l, "b.csv", funding("x", 1)); added != 0 {
			t.Errorf("%d added", added)
		}
		if _, _, withdrawn := importing(t, l, "a.csv"); withdrawn != 0 || ids(t, l, 0) != "x" {
			t.Errorf("%d withdrawn while the other file has it", withdrawn)
		}
		importing(t, l, "b.csv", funding("x", 1), funding("y", 1), funding("z", 1))
		if _, _, withdrawn := importing(t, l, "b.csv"); withdrawn != 3 || ids(t, l, 0) != "" {
			t.Errorf("%d withdrawn once neither has it", withdrawn)
		}
		verify(t, l)
	})
	t.Run("AreOrderedByTimeReferenceAndID", func(t *testing.T) {
		l := fresh(t)
		late, b := funding("a", 1), funding("b", 1)
		late.SentAt, b.Reference = now.Add(time.Hour), "R-a"
		importing(t, l, "a.csv", late, funding("d", 1), funding("c", 1), b)
		if got := ids(t, l, 0); got != "b c d a" {
			t.Errorf("%s", got)
		}
	})
}
