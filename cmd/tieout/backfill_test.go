//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
)

// asked counts requests by provider.
type asked struct {
	mutex sync.Mutex
	count map[string]int64
}

func (a *asked) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mutex.Lock()
		a.count[strings.Split(r.URL.Path, "/")[1]+"-main"]++
		a.mutex.Unlock()
		world.ServeHTTP(w, r)
	})
}

// since are the requests since it was asked before.
func (a *asked) since() map[string]int64 {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	count := maps.Clone(a.count)
	clear(a.count)
	return count
}

// plan is what `backfill --dry-run` says, by source.
func (s *site) plan(t *testing.T, args ...string) map[string]pipeline.SourcePlan {
	t.Helper()
	var plan pipeline.Plan
	if err := json.Unmarshal([]byte(s.must(t, append([]string{"backfill", "--dry-run", "--json"}, args...)...)), &plan); err != nil {
		t.Fatal(err)
	}
	all := map[string]pipeline.SourcePlan{}
	for _, p := range plan.Sources {
		all[p.Source] = p
	}
	return all
}

// TestBackfill_OfThreeYears kills a backfill of three years five times, and plans it.
func TestBackfill_OfThreeYears(t *testing.T) {
	binary := buildBinary(t)
	config := sandbox.Config{Seed: 4, Cards: 12, Transactions: 1200, Months: 36}
	requests := &asked{count: map[string]int64{}}
	var k killer
	s := newSite(t, config, func(world http.Handler) http.Handler { return k.wrap(requests.wrap(world)) })
	undisturbed := newSite(t, config, nil)
	days := []string{"--from", "2023-09-01", "--to", "2026-08-31"}
	undisturbed.must(t, append([]string{"backfill"}, days...)...)

	t.Run("IsPlannedByWindowBeforeAnythingIsKnown", func(t *testing.T) {
		for source, p := range s.plan(t, days...) {
			windows := 36
			if source == "bitnob-main" { // has no filter by time
				windows = 1
			}
			// A window of Slash is four lists, two of which have a control total; its cards are two lists.
			least := map[string]int64{"slash-main": 36*6 + 2}[source]
			if least == 0 {
				least = int64(windows) + 1
			}
			if p.Windows != windows || p.Done != 0 || p.Exact || p.Least != least || p.Requests != least {
				t.Errorf("%+v", p)
			}
		}
		if n := requests.since(); len(n) > 0 {
			t.Errorf("a plan asked %v", n)
		}
	})
	t.Run("KilledFiveTimesGivesTheSameLedger", func(t *testing.T) {
		args := append([]string{"--config", filepath.Join(s.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339), "backfill"}, days...)
		for n := range 5 {
			if !k.run(t, 11+17*n, 0, binary, args...) {
				t.Fatalf("it had ended before kill %d", n)
			}
			s.must(t, "verify")
		}
		done, plan := 0, s.plan(t, days...)
		for _, p := range plan {
			done += p.Done
		}
		if done == 0 {
			t.Error("nothing counts as read already")
		}
		requests.since()
		k.run(t, -1, 0, binary, args...)
		sameAsPlanned(t, plan, requests.since())
		if diff := cmp.Diff(string(undisturbed.ledgerRows(t)), string(s.ledgerRows(t))); diff != "" {
			t.Errorf("undisturbed (-) and killed (+):\n%s", diff)
		}
		s.must(t, "verify")
	})
	t.Run("AsksForAsManyPagesAsItPlanned", func(t *testing.T) {
		requests.since()
		plan := s.plan(t, days...)
		s.must(t, append([]string{"backfill"}, days...)...)
		sameAsPlanned(t, plan, requests.since())
		for _, p := range plan {
			if !p.Exact || p.Done != 0 {
				t.Errorf("%+v", p)
			}
		}
	})
	t.Run("MovesNoWatermark", func(t *testing.T) {
		var result pipeline.ReadResult
		if err := json.Unmarshal([]byte(s.must(t, "sync", "--json")), &result); err != nil {
			t.Fatal(err)
		}
		for _, source := range result.Sources {
			for _, stream := range source.Streams {
				if stream.EntriesChanged > 0 {
					t.Errorf("%s: %+v", source.Source, stream)
				}
			}
		}
	})
}

// sameAsPlanned compares a plan with what was asked.
func sameAsPlanned(t *testing.T, plan map[string]pipeline.SourcePlan, asked map[string]int64) {
	t.Helper()
	planned := map[string]int64{}
	for source, p := range plan {
		if planned[source] = p.Requests; p.Least > p.Requests || p.Least == 0 {
			t.Errorf("%+v", p)
		}
	}
	if diff := cmp.Diff(planned, asked); diff != "" {
		t.Errorf("planned (-) and asked (+):\n%s", diff)
	}
}

// TestBackfill_FirstAsksForWhatItPlanned is of a world whose windows have a page each, of which nothing is known.
func TestBackfill_FirstAsksForWhatItPlanned(t *testing.T) {
	t.Parallel()
	requests := &asked{count: map[string]int64{}}
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 160, Months: 12}, requests.wrap)
	days := []string{"--from", "2025-09-01", "--to", "2026-08-31"}
	text := s.must(t, append([]string{"backfill", "--dry-run"}, days...)...)
	if want := regexp.MustCompile(`slash-main +12 +0 +74 +about 74 +about [0-9]+s`); !want.MatchString(text) {
		t.Errorf("it says\n%s", text)
	}
	plan := s.plan(t, days...)
	if n := requests.since(); len(n) > 0 {
		t.Errorf("a plan asked %v", n)
	}
	s.must(t, append([]string{"backfill"}, days...)...)
	sameAsPlanned(t, plan, requests.since())
}

// uncounted is a Slash whose count of a category leaves out what was declined, so that each status must be asked for.
func uncounted(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/slash/transaction/aggregation" || r.URL.Query().Has("filter:status") {
			world.ServeHTTP(w, r)
			return
		}
		var list struct {
			Items []struct{ DetailedStatus string }
		}
		asked := r.Clone(r.Context())
		asked.URL.Path = "/slash/transaction"
		answer := httptest.NewRecorder()
		world.ServeHTTP(answer, asked)
		_ = json.Unmarshal(answer.Body.Bytes(), &list)
		n := 0
		for _, row := range list.Items {
			if row.DetailedStatus != "declined" {
				n++
			}
		}
		fmt.Fprintf(w, `{"count": %d}`, n)
	})
}

func TestBackfill_LearnsWhatIsAskedBesidePages(t *testing.T) {
	t.Parallel()
	requests := &asked{count: map[string]int64{}}
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 160, Months: 12}, func(world http.Handler) http.Handler { return requests.wrap(uncounted(world)) })
	words := []string{"--from", "2025-09-01", "--to", "2026-08-31", "--source", "slash-main"}
	plan := s.plan(t, words...)
	s.must(t, append([]string{"backfill"}, words...)...)
	first := requests.since()["slash-main"]
	if least := plan["slash-main"].Least; first <= least || (first-least)%3 != 0 { // there are three statuses
		t.Fatalf("asked %d times, and at least %d were planned", first, least)
	}
	plan = s.plan(t, words...)
	s.must(t, append([]string{"backfill"}, words...)...)
	sameAsPlanned(t, plan, requests.since())
}

// TestBackfill_OfOneSourceKeepsWhatOthersHaveLeft brings one source of a backfill that was not finished to its end, by itself.
func TestBackfill_OfOneSourceKeepsWhatOthersHaveLeft(t *testing.T) {
	t.Parallel()
	requests := &asked{count: map[string]int64{}}
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 160, Months: 12}, requests.wrap)
	s.edit(t, "    provider: slash\n", "    provider: slash\n    max_requests: 40\n")
	s.edit(t, "    provider: bill\n", "    provider: bill\n    max_requests: 5\n")
	days := []string{"--from", "2025-09-01", "--to", "2026-08-31"}
	all := append([]string{"backfill"}, days...)
	if code, _, stderr := s.run(t, all...); code != exitPartial {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	s.edit(t, "    max_requests: 5\n", "")
	s.edit(t, "    max_requests: 40\n", "")
	s.must(t, append(all, "--source", "bill-main")...)
	requests.since()
	done := map[string]int{}
	plan := s.plan(t, days...)
	for source, p := range plan {
		done[source] = p.Done
	}
	if diff := cmp.Diff(map[string]int{"bill-main": 12, "slash-main": 6, "whop-main": 12, "bitnob-main": 1}, done); diff != "" {
		t.Errorf("windows that are read already, want - and got +:\n%s", diff)
	}
	s.must(t, all...)
	sameAsPlanned(t, plan, requests.since())
	for _, p := range s.plan(t, days...) { // it has come to its end, and the next begins a new one
		if p.Done != 0 {
			t.Errorf("%+v", p)
		}
	}
}

// TestBackfill_OfSourcesOneByOneComesToItsEnd finishes a backfill by its single sources: the next reads all again.
func TestBackfill_OfSourcesOneByOneComesToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 160, Months: 12}, nil)
	s.edit(t, "    provider: slash\n", "    provider: slash\n    max_requests: 40\n")
	days := []string{"--from", "2025-09-01", "--to", "2026-08-31"}
	all := append([]string{"backfill"}, days...)
	left := func() (done int) {
		for _, p := range s.plan(t, days...) {
			done += p.Done
		}
		return done
	}
	if code, _, stderr := s.run(t, all...); code != exitPartial || left() == 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	s.edit(t, "    max_requests: 40\n", "")
	s.must(t, append(all, "--source", "slash-main")...)
	if done := left(); done != 0 {
		t.Errorf("%d windows count as read already after all sources came to their end", done)
	}
}

func TestBackfill_PastItsBudgetGoesOnNextTime(t *testing.T) {
	requests := &asked{count: map[string]int64{}}
	s := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 1200, Months: 36}, requests.wrap)
	free := newSite(t, sandbox.Config{Seed: 4, Cards: 12, Transactions: 1200, Months: 36}, nil)
	days := []string{"backfill", "--source", "slash-main", "--from", "2024-09-01", "--to", "2026-08-31"}
	free.must(t, days...)
	s.edit(t, "    provider: slash\n", "    provider: slash\n    max_requests: 40\n")
	runs := 0
	for code := exitPartial; code == exitPartial; runs++ {
		var stderr string
		planned := s.plan(t, days[1:]...)["slash-main"].Requests
		code, _, stderr = s.run(t, days...)
		if code == exitPartial && (!strings.Contains(stderr, "40 requests (max_requests)") || !strings.Contains(stderr, "windows are left")) {
			t.Fatalf("run %d:\n%s", runs, stderr)
		}
		if n := requests.since()["slash-main"]; n != min(40, planned) {
			t.Errorf("run %d asked %d times, and %d requests were left", runs, n, planned)
		}
		if code != exitPartial && code != exitDone || runs > 20 {
			t.Fatalf("run %d: exit %d\n%s", runs, code, stderr)
		}
	}
	if runs < 3 {
		t.Errorf("it took %d runs", runs)
	}
	if diff := cmp.Diff(string(free.ledgerRows(t)), string(s.ledgerRows(t))); diff != "" {
		t.Errorf("in one run (-) and in %d (+):\n%s", runs, diff)
	}
}
