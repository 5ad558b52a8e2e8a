//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// pacing counts requests, by credential.
type pacing struct {
	mutex sync.Mutex
	at    map[string][]time.Time
	total int
	on    map[int]chan struct{} // closed at that request
}

func (a *pacing) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mutex.Lock()
		credential := r.Header.Get("Authorization") + r.Header.Get("apiToken") + r.Header.Get("X-API-Key")
		a.at[credential] = append(a.at[credential], time.Now())
		a.total++
		if reached := a.on[a.total]; reached != nil {
			close(reached)
		}
		a.mutex.Unlock()
		world.ServeHTTP(w, r)
	})
}

// after waits for the n-th request.
func (a *pacing) after(t *testing.T, n int) {
	t.Helper()
	a.mutex.Lock()
	if a.total >= n {
		a.mutex.Unlock()
		return
	}
	reached := make(chan struct{})
	a.on[n] = reached
	a.mutex.Unlock()
	select {
	case <-reached:
	case <-time.After(3 * time.Minute):
		t.Fatalf("there were only %d requests", a.total)
	}
}

// held says how many requests a second there were at most over a stretch of requests, where that is more than the rate. Whoever is
// late with a request that it may send can be so with one for each process.
func (a *pacing) held(t *testing.T, rate float64, processes int) {
	t.Helper()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for credential, at := range a.at {
		for i := range at {
			for j := i + 1; j < len(at); j++ {
				if allowed := rate*at[j].Sub(at[i]).Seconds() + float64(1+processes); float64(j-i+1) > allowed {
					t.Fatalf("credential %.8s…: %d requests in %s", credential, j-i+1, at[j].Sub(at[i]))
				}
			}
		}
	}
}

func TestWorkers(t *testing.T) {
	server := postgres(t)
	address, err := server.Ledger("shared")
	if err != nil {
		t.Fatal(err)
	}
	const rate = 40
	binary := buildBinary(t)
	requests := &pacing{at: map[string][]time.Time{}, on: map[int]chan struct{}{}}
	s := newSite(t, sandbox.Config{Seed: 5, Transactions: 1500}, requests.wrap)
	path := filepath.Join(s.dir, "tieout.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "nightly")
	backfill := []string{"backfill", "--from", "2026-01-01", "--to", "2026-08-31"}
	s.must(t, backfill...)
	s.must(t, "reconcile")
	want := map[string]string{"findings": s.must(t, "findings", "list"), "coverage": s.must(t, "coverage")}
	want["ledger"] = string(s.ledgerRows(t))
	alone := requests.total

	shared := strings.ReplaceAll(strings.Replace(string(text), "ledger: tieout.db", "queue: {rescue: 5s, poll: 1s}\nledger: '"+address+"'", 1), "requests_per_second: 1000", "requests_per_second: "+strconv.Itoa(rate)+"\n    page_size: 20")
	if err := os.WriteFile(path, []byte(shared), 0o600); err != nil {
		t.Fatal(err)
	}
	requests.mutex.Lock()
	requests.at, requests.total = map[string][]time.Time{}, 0
	requests.mutex.Unlock()
	var all []*process
	start := func(args ...string) *process {
		p := s.process(t, binary, args...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
		return p
	}
	defer func() {
		for _, p := range all {
			_ = p.Process.Kill()
			_ = p.Wait()
			t.Logf("%v:\n%s", p.Args[len(p.Args)-1:], p.stderr.String())
		}
	}()
	s.must(t, append(backfill, "--enqueue")...)
	start("serve")
	start("serve")
	for range 3 {
		start("worker")
	}
	began := time.Now()
	ended := func() bool {
		var status struct {
			Runs []struct {
				Kind   schema.RunKind
				Status schema.RunStatus
			}
		}
		_, stdout, _ := s.run(t, "status", "--json")
		if json.Unmarshal([]byte(stdout), &status) != nil {
			return false
		}
		kinds := map[schema.RunKind]schema.RunStatus{}
		for _, r := range status.Runs {
			kinds[r.Kind] = r.Status
		}
		t.Log(kinds, requests.total, time.Since(began).Round(time.Second))
		return kinds[schema.BackfillRun] == schema.Complete && kinds[schema.ReportRun] == schema.Complete
	}
	for !ended() {
		if time.Since(began) > 2*time.Minute {
			t.Fatal("it did not end")
		}
		time.Sleep(2 * time.Second)
	}
	requests.held(t, rate, 5)
	s.must(t, "verify")
	fmt.Println(alone, requests.total)
	got := map[string]string{"ledger": string(s.ledgerRows(t))}
	if diff := cmp.Diff(want["ledger"], got["ledger"]); diff != "" {
		t.Errorf("alone (-) and shared (+):\n%s", diff)
	}
}
