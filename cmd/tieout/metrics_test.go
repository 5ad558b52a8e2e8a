package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tieout/tieout/extract/sandbox"
)

func TestMetrics(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 300}, nil)
	config := filepath.Join(s.dir, "tieout.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	to := func(path string) {
		t.Helper()
		if err := os.WriteFile(config, append(text, "metrics: {textfile: "+path+"}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("AreThoseOfTheNight", func(t *testing.T) {
		to("tieout.prom")
		s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
		written, err := os.ReadFile(filepath.Join(s.dir, "tieout.prom"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`tieout_last_success_timestamp_seconds{kind="sync"} 1788159600`, `tieout_last_success_timestamp_seconds{kind="reconcile"} 1788159600`,
			`tieout_complete_to_timestamp_seconds{source="whop-main",stream="transactions"} 1788159600`,
			`tieout_last_read_rows{source="bitnob-main",stream="cards"}`, `tieout_open_findings{code="limit-breach",severity="high"}`,
		} {
			if !strings.Contains(string(written), want) {
				t.Errorf("%s is not in\n%s", want, written)
			}
		}
		if info, err := os.Stat(filepath.Join(s.dir, "tieout.prom")); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("the collector cannot read it: %v %v", info.Mode(), err)
		}
	})
	t.Run("ThatCannotBeWrittenFailNoRun", func(t *testing.T) {
		to("no/such/folder/tieout.prom")
		code, _, stderr := s.run(t, "sync")
		if code != exitDone || !strings.Contains(stderr, "metrics were not written") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
}
