package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

const withPAN, withoutPAN = "paid with 4111 1111 1111 1111", "paid with [masked]"

func TestImportFundings_MasksCardNumbersInNotes(t *testing.T) {
	l := fresh(t)
	file := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(file, []byte("reference,amount,currency,sent_at,source,note\n"+
		"R1,1,USD,2026-08-01,,"+withPAN+"\nR2,1,USD,2026-08-01,4111111111111111,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, files, err := on(t, l, &issuer{}, now).ImportFundings(t.Context(), []string{file})
	if err != nil {
		t.Fatal(err)
	}
	if len(files[0].Refused) != 1 || strings.Contains(files[0].Refused[0], "4111") {
		t.Errorf("refused: %q, want one line without the number", files[0].Refused)
	}
	n := 0
	for f, err := range l.View(0).Fundings.Fundings(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; f.Note != withoutPAN {
			t.Errorf("the note is %q, want %q", f.Note, withoutPAN)
		}
	}
	if n != 1 {
		t.Errorf("%d fundings, want one", n)
	}
}

func TestDecide_MasksCardNumbersInNotes(t *testing.T) {
	l, i := fresh(t), &issuer{rows: lapsed(1), cards: []string{"card"}}
	p := on(t, l, i, now)
	p.Checks.StalePendingDays = 1
	sync(t, p)
	if _, err := p.Reconcile(t.Context(), p.DefaultPeriod()); err != nil {
		t.Fatal(err)
	}
	var decisions []schema.Decision
	for f, err := range l.Findings(t.Context(), ledger.FindingFilter{Code: schema.StalePending}) {
		if err != nil {
			t.Fatal(err)
		}
		decisions = append(decisions, schema.Decision{FindingID: f.ID(), Action: schema.Accept, By: "ann", Note: withPAN})
	}
	if _, _, err := p.Decide(t.Context(), decisions, true); err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range l.History(t.Context(), 0, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action != schema.Accept {
			continue
		}
		if n++; e.Note != withoutPAN {
			t.Errorf("the note is %q, want %q", e.Note, withoutPAN)
		}
	}
	if n != 1 {
		t.Errorf("%d decisions, want one", n)
	}
}
