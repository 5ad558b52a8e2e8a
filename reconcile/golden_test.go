package reconcile

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden runs each testdata/reconcile/CODE/CASE/ledger.txt through the check CODE.
func TestGolden(t *testing.T) {
	ledgers, err := filepath.Glob("../testdata/reconcile/*/*/ledger.txt")
	if err != nil || len(ledgers) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, ledger := range ledgers {
		dir := filepath.Dir(ledger)
		code := schema.FindingCode(filepath.Base(filepath.Dir(dir)))
		t.Run(string(code)+"/"+filepath.Base(dir), func(t *testing.T) {
			w := readWorld(t, ledger)
			got := show(w.run(t, code), w.period.Window)
			golden := filepath.Join(dir, "findings.golden.txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v; to write it: go test ./reconcile -run TestGolden -update", err)
			}
			if got != string(want) {
				t.Errorf("%s differs; to write it anew: go test ./reconcile -run TestGolden -update\ngot:\n%s\nwant:\n%s", golden, got, want)
			}
		})
	}
}

// show writes outcomes as a person reads them.
func show(outcomes []schema.Outcome, period schema.Window) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, value)
		}
	}
	instant := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	amount := func(a money.Amount) string {
		if !a.Known() {
			return ""
		}
		return amountText(a)
	}
	for _, o := range outcomes {
		if f := o.Finding; f != nil {
			fmt.Fprintf(&b, "finding %s %s\n", strings.TrimSpace(string(f.Code)+" "+f.Reason), f.Severity)
			line("id", f.ID())
			line("card", strings.TrimSpace(f.Source+" "+string(f.Provider)+" "+f.CardID+" "+f.CardName+" "+f.CardLast4))
			line("entry", f.EntryID)
			line("reference", f.Reference)
			line("subject", f.Subject)
			at := instant(f.SubjectAt)
			if !f.SubjectTo.IsZero() {
				at += " to " + instant(f.SubjectTo)
			}
			if !f.In(period) {
				at += " (outside of the period)"
			}
			line("at", at)
			line("period", cmp.Or(instant(f.PeriodFrom), "-")+" to "+cmp.Or(instant(f.PeriodTo), "-"))
			line("window", instant(f.WindowStart))
			line("expected", amount(f.Expected))
			line("actual", amount(f.Actual))
			line("difference", f.Difference())
			line("unexplained", amount(f.Unexplained))
			line("basis", f.Basis)
			line("explanation", f.Explanation)
			line("evidence", strings.Join(f.Evidence, " "))
			line("message", f.Message)
		}
		if j := o.Judgement; j != nil {
			fmt.Fprintf(&b, "judgement %s %s: %s\n", j.Code, j.Figure, j.Verdict)
			line("card", strings.TrimSpace(j.Source+" "+string(j.Provider)+" "+j.CardID+" "+j.CardName+" "+j.CardLast4))
			line("basis", j.Basis)
			line("observed", instant(j.ObservedAt))
			line("from", instant(j.From))
			line("expected", amount(j.Expected))
			line("actual", amount(j.Actual))
			line("reason", j.Reason)
			line("since", instant(j.Since))
			line("finding", j.FindingID)
		}
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}

// TestGolden_CoversEveryReasonAndExplanation: each has the smallest ledger that triggers it.
func TestGolden_CoversEveryReasonAndExplanation(t *testing.T) {
	goldens, err := filepath.Glob("../testdata/reconcile/*/*/findings.golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, golden := range goldens {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	var want []string
	for _, c := range Checks(Config{}) {
		want = append(want, "finding "+string(c.Code())+" ")
	}
	for _, reason := range []string{reportedOverLimit, computedOverLimit, overPerEntry, underPerEntry} {
		want = append(want, "finding limit-breach "+reason+" ")
	}
	for _, reason := range []string{cardUnknown, duplicateReference, failedAtProvider, currencyMismatch, amountMismatch, pendingPastGrace, noProviderTopUp, noFundingRecord} {
		want = append(want, "finding orphan-topup "+reason+" ")
	}
	for _, reason := range []string{string(schema.Balance), string(schema.PeriodSpend), string(schema.TrailingSpend), string(schema.Utilized), mixedBasis} {
		want = append(want, "finding balance-drift "+reason+" ")
	}
	for _, name := range []string{inFlight, dayBoundary, factor100, openingFunding, wrongSign, oneEntry, declines, twoEntries, capturedAbove, tip} {
		want = append(want, "explanation  "+name+"\n")
	}
	for _, text := range want {
		if !strings.Contains(all.String(), text) {
			t.Errorf("no fixture has %q", text)
		}
	}
}
