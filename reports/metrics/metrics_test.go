package metrics_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/reports/metrics"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func facts() metrics.Facts {
	at := func(hour int) time.Time { return time.Date(2026, 8, 31, hour, 0, 0, 0, time.UTC) }
	drift := func(source string, minor int64) schema.Finding {
		return schema.Finding{Code: schema.BalanceDrift, Severity: schema.High, Source: source, Unexplained: money.FromMinor(minor, money.USD())}
	}
	reading := func(run int64, stream schema.Stream, to int, verdict schema.Verdict, pages int64) schema.Completeness {
		return schema.Completeness{
			Run: run, Source: `bill "main"`, Stream: stream, Window: schema.Window{From: schema.Beginning, To: at(to)}, Verdict: verdict,
			Pages: pages, Records: 10 * pages, Retries: pages - 1,
		}
	}
	return metrics.Facts{
		Version: "1.0",
		Runs: []schema.Run{
			{ID: 5, Kind: schema.SyncRun, Status: schema.Complete, Whole: true, StartedAt: at(9)}, // still going on
			{ID: 4, Kind: schema.SyncRun, Status: schema.Partial, Whole: true, StartedAt: at(8), FinishedAt: at(8).Add(1500 * time.Millisecond)},
			{ID: 3, Kind: schema.ReconcileRun, Status: schema.Complete, Whole: true, StartedAt: at(7), FinishedAt: at(7).Add(time.Minute)},
			{ID: 3, Kind: schema.SyncRun, Status: schema.Complete, StartedAt: at(7), FinishedAt: at(8)}, // of one source
			{ID: 2, Kind: schema.SyncRun, Status: schema.Complete, Whole: true, StartedAt: at(6), FinishedAt: at(7)},
		},
		Night: at(5),
		Readings: []schema.Completeness{
			reading(2, schema.Transactions, 6, schema.VerdictComplete, 7), reading(4, schema.Transactions, 8, schema.VerdictPartial, 2),
			reading(4, schema.Transactions, 7, schema.VerdictPartial, 1), reading(2, schema.Cards, 6, schema.VerdictComplete, 1),
		},
		Findings: []schema.Finding{drift("bill", -5), drift("bill", 1205), drift("whop", 1), {Code: schema.OrphanTopUp, Severity: schema.Low}},
		Codes:    []schema.FindingCode{schema.LimitBreach, schema.BalanceDrift, schema.OrphanTopUp},
	}
}

func TestWrite(t *testing.T) {
	var got bytes.Buffer
	if err := metrics.Write(&got, facts()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "tieout.prom")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestWrite_PromtoolAccepts(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed (Debian package prometheus)")
	}
	for name, f := range map[string]metrics.Facts{"AYear": facts(), "BeforeAnything": {Version: "1.0"}} {
		t.Run(name, func(t *testing.T) {
			var text bytes.Buffer
			if err := metrics.Write(&text, f); err != nil {
				t.Fatal(err)
			}
			check := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
			check.Stdin = &text
			if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
