package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// TestNight_IsOfAllSourcesOverTheDefaultPeriod: who reads one source by hand and makes a report has not run the night, for the
// schedule, for silence and for metrics alike. Who reads and judges everything has.
func TestNight_IsOfAllSourcesOverTheDefaultPeriod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fact string
		hand [][]string
		done bool
	}{
		{"SyncOfOneSource", [][]string{{"sync", "--source", "bill-main"}, {"reconcile"}, {"report", "--format", "csv"}}, false},
		{"ReconcileOfAMonth", [][]string{{"sync"}, {"reconcile", "--from", "2026-08-01", "--to", "2026-09-01"}, {"report", "--format", "csv"}}, false},
		{"ReportOfAMonth", [][]string{{"sync"}, {"reconcile"}, {"report", "--format", "csv", "--from", "2026-08-01", "--to", "2026-09-01"}}, false},
		{"ReportAsOfARun", [][]string{{"sync"}, {"reconcile"}, {"report", "--format", "csv", "--as-of-run", "2"}}, false},
		{"Everything", [][]string{{"sync"}, {"reconcile"}, {"report", "--format", "csv"}}, true},
	} {
		t.Run(c.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
			s.notify(t, "notify: {silence_hours: 20}\nmetrics: {textfile: tieout.prom}\n", nil)
			s.must(t, "nightly", "--out", filepath.Join(s.dir, "first"))
			at := testNow.Add(24*time.Hour + time.Minute)
			for _, words := range c.hand {
				s.must(t, append([]string{"--now", at.Format(time.RFC3339)}, words...)...)
			}
			status := s.must(t, "--now", at.Format(time.RFC3339), "status")
			next, last := "next due: 2026-09-01T07:", testNow
			if c.done {
				next, last = "next due: 2026-09-02T07:", at
			}
			if !strings.Contains(status, next) || strings.Contains(status, "no night has been complete since 2026-08-31T07:00:00Z") == c.done {
				t.Errorf("status:\n%s", status)
			}
			metrics, err := os.ReadFile(filepath.Join(s.dir, "tieout.prom"))
			want := fmt.Sprintf("tieout_last_success_timestamp_seconds{kind=\"night\"} %d\n", last.Unix())
			if err != nil || !strings.Contains(string(metrics), want) {
				t.Errorf("%s is not in (%v)\n%s", want, err, metrics)
			}
		})
	}
}

// TestServe_RunsNoNightTwiceAfterManyOtherRuns counts no runs to find the night among them.
func TestServe_RunsNoNightTwiceAfterManyOtherRuns(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, nil)
	w := newWatch(t, s)
	w.ring()
	l, err := ledger.Open(t.Context(), ledger.Config{Path: w.config.LedgerPath, Now: w.app.now})
	if err != nil {
		t.Fatal(err)
	}
	for range 310 {
		if _, err := l.StartRun(t.Context(), schema.Run{Kind: schema.SyncRun, StartedAt: testNow.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	w.at(testNow.Add(2 * time.Hour))
	w.ring()
	if n := w.nights(t)[schema.ReportRun]; n != 1 {
		t.Errorf("the night was run %d times", n)
	}
	if err := w.stop(t); err != nil {
		t.Error(err)
	}
}

// TestBackfill_DryRunWritesNothing: it asks no issuer, and makes neither ledger nor lock nor metrics, whether there is a ledger, an
// empty file or nothing.
func TestBackfill_DryRunWritesNothing(t *testing.T) {
	t.Parallel()
	files := func(dir string) (all []string) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "-wal") { // SQLite needs these to read
				return err
			}
			text, err := os.ReadFile(path)
			all = append(all, fmt.Sprintf("%s %x", path, sha256.Sum256(text)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, c := range []struct {
		fact string
		make func(*testing.T, *site)
	}{
		{"WithoutALedger", func(*testing.T, *site) {}},
		{"WithAnEmptyFile", func(t *testing.T, s *site) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(s.dir, "tieout.db"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		{"WithALedger", func(t *testing.T, s *site) { t.Helper(); s.must(t, "sync") }},
	} {
		t.Run(c.fact, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Bool
			s := newSite(t, sandbox.Config{Seed: 4, Transactions: 60}, func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Store(true); h.ServeHTTP(w, r) })
			})
			c.make(t, s)
			s.notify(t, "metrics: {textfile: tieout.prom}\n", nil)
			asked.Store(false)
			before := files(s.dir)
			plan := s.must(t, "backfill", "--dry-run", "--from", "2026-01-01", "--to", "2026-08-30")
			again := s.must(t, "--read-only", "backfill", "--dry-run", "--from", "2026-01-01", "--to", "2026-08-30")
			if plan != again || !strings.Contains(plan, "whop-main") || !strings.Contains(plan, "bill-main") {
				t.Errorf("%s\n%s", plan, again)
			}
			if diff := cmp.Diff(before, files(s.dir)); diff != "" || asked.Load() {
				t.Errorf("asked an issuer: %v; files before (-) and after (+):\n%s", asked.Load(), diff)
			}
		})
	}
}
