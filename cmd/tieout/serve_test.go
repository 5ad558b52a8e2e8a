package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// watch is a serve loop whose clock and bell the test holds.
type watch struct {
	app    *app
	bell   chan struct{}
	idle   chan struct{} // the loop has nothing left to do
	now    atomic.Int64
	out    bytes.Buffer
	errs   bytes.Buffer
	ended  chan error
	cancel context.CancelFunc
	site   *site
	config Config
}

func newWatch(t *testing.T, s *site) *watch {
	t.Helper()
	w := &watch{bell: make(chan struct{}), idle: make(chan struct{}, 1), ended: make(chan error, 1), site: s}
	w.now.Store(testNow.UnixMicro())
	w.app = &app{
		stdout: &w.out, stderr: &w.errs, env: func(string) (string, bool) { return "", false },
		configPath: filepath.Join(s.dir, "tieout.yaml"),
		now:        func() time.Time { return time.UnixMicro(w.now.Load()).UTC() },
		elapsed:    func() time.Duration { return 0 },
		tune:       s.tune, migrations: s.migrations,
	}
	w.app.log = slog.New(slog.NewTextHandler(&w.errs, nil))
	var err error
	if w.config, err = w.app.config(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.cancel = cancel
	go func() { w.ended <- w.app.serve(ctx, []Config{w.config}, w) }()
	<-w.idle
	t.Cleanup(cancel)
	return w
}

// Bell makes a watch the alarm of its own loop.
func (w *watch) Bell() <-chan struct{} {
	w.idle <- struct{}{}
	return w.bell
}

// ring rings, and waits until the loop has nothing left to do.
func (w *watch) ring() {
	w.bell <- struct{}{}
	<-w.idle
}

func (w *watch) at(t time.Time) { w.now.Store(t.UnixMicro()) }

// stop ends the loop, after which its output may be read.
func (w *watch) stop(t *testing.T) error {
	t.Helper()
	w.cancel()
	return <-w.ended
}

// nights counts the runs of each kind in the ledger.
func (w *watch) nights(t *testing.T) map[schema.RunKind]int {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Path: w.config.LedgerPath, ReadOnly: true, Now: w.app.now, Migrations: w.app.migrations})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	runs, err := l.Runs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[schema.RunKind]int{}
	for _, r := range runs {
		kinds[r.Kind]++
	}
	return kinds
}

func TestServe_RunsEachNightOnce(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, nil)
	w := newWatch(t, s)
	want := func(when string, n int) {
		t.Helper()
		if got := w.nights(t); got[schema.SyncRun] != n || got[schema.ReconcileRun] != n || got[schema.ReportRun] != n {
			t.Errorf("%s: %v, want %d of each", when, got, n)
		}
	}
	w.ring()
	want("at the first tick, with an empty ledger", 1)
	w.ring()
	w.at(testNow.Add(23 * time.Hour))
	w.ring()
	want("before the next tick, however often it rings", 1)
	w.at(testNow.AddDate(0, 0, 1).Add(time.Minute))
	w.ring()
	want("after the next tick", 2)
	w.at(testNow.AddDate(0, 0, 6))
	w.ring()
	want("after five days off", 3)
	if err := w.stop(t); err != nil {
		t.Errorf("serve: %v", err)
	}
	if n := strings.Count(w.out.String(), "\nCOMPLETE"); n != 3 {
		t.Errorf("printed %d conclusions:\n%s", n, &w.out)
	}
}

func TestServe_TriesAPartialNightAgain(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() && strings.HasPrefix(r.URL.Path, "/slash") {
				http.Error(w, "{}", http.StatusForbidden)
				return
			}
			h.ServeHTTP(w, r)
		})
	})
	w := newWatch(t, s)
	w.ring()
	down.Store(false)
	w.at(testNow.Add(10 * time.Minute))
	w.ring()
	if n := w.nights(t)[schema.SyncRun]; n != 1 {
		t.Errorf("%d nights ten minutes after a partial one", n)
	}
	w.at(testNow.Add(16 * time.Minute))
	w.ring()
	w.at(testNow.Add(5 * time.Hour))
	w.ring()
	if n := w.nights(t)[schema.SyncRun]; n != 2 {
		t.Errorf("%d nights after the second try was complete", n)
	}
	if err := w.stop(t); err != nil {
		t.Errorf("serve: %v", err)
	}
	if !strings.Contains(w.errs.String(), "level=ERROR msg=night") || !strings.Contains(w.errs.String(), "slash-main") {
		t.Errorf("the partial night was not logged:\n%s", &w.errs)
	}
}

func TestServe_WaitsForWhoHoldsTheLedger(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, nil)
	w := newWatch(t, s)
	lock, err := ledger.Lock(w.config.LedgerPath, testNow)
	if err != nil {
		t.Fatal(err)
	}
	w.ring()
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	w.ring()
	if n := w.nights(t)[schema.ReportRun]; n != 1 {
		t.Errorf("%d nights after the ledger was given back", n)
	}
	if err := w.stop(t); err != nil {
		t.Errorf("serve: %v", err)
	}
	if log := w.errs.String(); !strings.Contains(log, "night waits") || !strings.Contains(log, "since 2026-08-31T07:00:00Z") {
		t.Errorf("who holds the ledger was not logged:\n%s", log)
	}
}

func TestServe_InterruptedInANightIsDoneInPart(t *testing.T) {
	var w *watch
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/transactions") {
				w.cancel()
			}
			h.ServeHTTP(rw, r)
		})
	})
	w = newWatch(t, s)
	w.bell <- struct{}{}
	err := <-w.ended
	if exit, ok := errors.AsType[*exitError](err); !ok || exit.code != exitPartial {
		t.Errorf("serve ended with %v", err)
	}
}

func TestLetTimePass_GoesOnFromNow(t *testing.T) {
	var elapsed time.Duration
	a := &app{elapsed: func() time.Duration { return elapsed }}
	if err := a.setClock("2026-08-31T07:00:00Z"); err != nil {
		t.Fatal(err)
	}
	elapsed = time.Hour
	a.letTimePass()
	elapsed = 3 * time.Hour
	if got := a.now(); !got.Equal(testNow.Add(2 * time.Hour)) {
		t.Errorf("two hours on it is %s", got)
	}
}
