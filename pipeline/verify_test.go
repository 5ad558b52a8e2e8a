package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
)

func TestVerify(t *testing.T) {
	l, i := fresh(t), &issuer{rows: year(20), cards: []string{"card"}}
	under := filepath.Join(t.TempDir(), "reports")
	w := schema.Window{From: now.AddDate(0, -1, 0), To: now}
	p := on(t, l, i, now)
	sync(t, p)
	report := func() string {
		t.Helper()
		result, err := p.Report(t.Context(), pipeline.ReportRequest{Period: w, Formats: []string{"csv"}, Under: under})
		if err != nil {
			t.Fatal(err)
		}
		return result.Dir
	}
	verify := func(p *pipeline.Pipeline) pipeline.Verification {
		t.Helper()
		v, err := p.Verify(t.Context(), "", []string{under, filepath.Join(under, "none")})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// problem holds that a problem names what it should.
	problem := func(t *testing.T, v pipeline.Verification, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(v.Problem, word) {
				t.Errorf("%q does not say %q", v.Problem, word)
			}
		}
	}
	dir := report()

	t.Run("WhatWasNotTouchedHolds", func(t *testing.T) {
		v := verify(p)
		if v.Problem != "" || v.Entries != 20 || v.Otherwise != 0 || len(v.Reports) != 1 || v.Ledger.Walks != 2 || len(v.Unknown) != 0 {
			t.Errorf("%+v", v)
		}
	})
	t.Run("AReportThatIsMadeAgainHolds", func(t *testing.T) {
		if again := report(); again != dir {
			t.Fatalf("%s and %s", dir, again)
		}
		problem(t, verify(p))
	})
	t.Run("TheFileOfAReportThatWasChangedIsNamed", func(t *testing.T) {
		file := filepath.Join(dir, "ledger.csv")
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, forged := range []string{strings.Replace(string(was), "-1.", "-2.", 1), string(was) + "\n", ""} {
			if err := os.WriteFile(file, []byte(forged), 0o600); err != nil {
				t.Fatal(err)
			}
			problem(t, verify(p), dir, "ledger.csv: it has")
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		problem(t, verify(p), dir, "ledger.csv: it is missing")
		if err := os.WriteFile(file, was, 0o600); err != nil {
			t.Fatal(err)
		}
		if v := verify(p); v.Problem != "" {
			t.Error(v.Problem)
		}
	})
	t.Run("AManifestThatWasChangedIsSeen", func(t *testing.T) {
		file := filepath.Join(dir, "manifest.json")
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for forged, want := range map[string]string{
			strings.Replace(string(was), `"entity": ""`, `"entity": "Other"`, 1): "no run of this ledger wrote its manifest",
			strings.Replace(string(was), `"as_of_run": 1`, `"as_of_run": 9`, 1):  "as of run 9",
			strings.Replace(string(was), `"root": "`, `"root": "0`, 1):           "its root after run 1",
			strings.Replace(string(was), `"ledger.csv"`, `"../tieout.db"`, 1):    `it names the file "../tieout.db"`,
			"not json": "manifest.json",
		} {
			if forged == string(was) {
				t.Fatalf("the manifest is not as this test thinks: %s", was)
			}
			if err := os.WriteFile(file, []byte(forged), 0o600); err != nil {
				t.Fatal(err)
			}
			problem(t, verify(p), dir, want)
		}
		if err := os.WriteFile(file, was, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("AnEntryThatItsRecordDoesNotGiveIsNamed", func(t *testing.T) {
		other := on(t, l, i, now)
		other.Sources[0].Normalize = func(r schema.Record, b *schema.Batch) error {
			err := normalizeRow(r, b)
			if n := len(b.Entries); err == nil && n > 0 && r.ExternalID == "t0007" {
				b.Entries[n-1].Status = schema.Declined
			}
			return err
		}
		problem(t, verify(other), "entries row", "one/t0007", `status "posted"`, `"declined"`)
		other.Version = "of next year"
		if v := verify(other); v.Problem != "" || v.Otherwise != 1 || !strings.Contains(v.First, "one/t0007") {
			t.Errorf("%+v", v)
		}
	})
	t.Run("ASourceThatIsNotConfiguredIsSaid", func(t *testing.T) {
		other := on(t, l, i, now)
		other.Sources = nil
		if v := verify(other); v.Problem != "" || v.Entries != 0 || strings.Join(v.Unknown, " ") != "one" {
			t.Errorf("%+v", v)
		}
	})
	t.Run("AReportOfAnotherLedgerIsSeen", func(t *testing.T) {
		j := &issuer{rows: year(21), cards: []string{"card"}}
		other := on(t, fresh(t), j, now)
		sync(t, other)
		if _, err := other.Report(t.Context(), pipeline.ReportRequest{Period: w, Formats: reports.Formats()[1:2], Dir: filepath.Join(under, "foreign")}); err != nil {
			t.Fatal(err)
		}
		problem(t, verify(p), "foreign", "its root after run 1")
	})
}
