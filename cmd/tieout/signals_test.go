//go:build linux

package main

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
)

// holder holds back the answer to one request, and notes what is asked for.
type holder struct {
	mutex sync.Mutex
	asked []string
	hold  func(uri string, before []string) bool
	held  chan string   // the request that is held
	free  chan struct{} // closed: it is answered
}

func (h *holder) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uri := r.URL.RequestURI()
		h.mutex.Lock()
		hold := h.hold != nil && h.hold(uri, h.asked)
		if h.asked = append(h.asked, uri); hold {
			h.hold = nil
		}
		h.mutex.Unlock()
		if hold {
			h.held <- uri
			select {
			case <-h.free:
			case <-r.Context().Done():
				return
			}
		}
		world.ServeHTTP(w, r)
	})
}

// secondPage is a page of BILL's transactions that only a cursor leads to.
func secondPage(uri string, _ []string) bool {
	return strings.Contains(uri, "/transactions?") && strings.Contains(uri, "nextPage=")
}

// controlledPage is a page of Slash's fees, which Slash's own count of them follows.
func controlledPage(uri string, _ []string) bool {
	return strings.HasPrefix(uri, "/slash/transaction?") && strings.Contains(uri, "category=fee")
}

func (h *holder) again(hold func(string, []string) bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.asked, h.hold, h.held, h.free = nil, hold, make(chan string, 1), make(chan struct{})
}

func (h *holder) requests() []string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.asked
}

// listener keeps what a process says, and notices a word.
type listener struct {
	text  bytes.Buffer
	word  string
	heard chan struct{} // closed when it was said
}

const stopping = "stopping after" // is what a process says once it was told to stop

func (l *listener) Write(p []byte) (int, error) {
	before := strings.Contains(l.text.String(), l.word)
	n, err := l.text.Write(p)
	if !before && strings.Contains(l.text.String(), l.word) {
		close(l.heard)
	}
	return n, err
}

// String is what was said; it is for when the process has ended.
func (l *listener) String() string { return l.text.String() }

// TestSignals sends real signals to the real program while an issuer is slow to answer.
func TestSignals(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	world := sandbox.Config{Seed: 3, Transactions: 1200}
	undisturbed := newSite(t, world, nil)
	undisturbed.must(t, "sync")
	want := string(undisturbed.ledgerRows(t))
	signalled := func(t *testing.T, hold func(string, []string) bool, words ...string) (s *site, h *holder, p *process, said *listener, page string) {
		t.Helper()
		h = new(holder)
		s = newSite(t, world, h.wrap)
		h.again(hold)
		p, said = s.process(t, binary, words...), &listener{word: stopping, heard: make(chan struct{})}
		p.Stderr = said
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		page = <-h.held
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-said.heard
		return s, h, p, said, page
	}
	backfill := []string{"backfill", "--from", "2025-01-01", "--to", "2026-08-31"}
	for name, words := range map[string]struct {
		hold        func(string, []string) bool
		first, next []string
	}{
		"sync": {secondPage, []string{"sync"}, []string{"sync"}}, "nightly": {secondPage, []string{"nightly"}, []string{"sync"}},
		"serve": {secondPage, []string{"serve"}, []string{"sync"}}, "backfill": {secondPage, backfill, backfill},
		"backfill, with its control total": {controlledPage, backfill, backfill},
	} {
		t.Run("TheFirstFinishesThePageInFlight/"+name, func(t *testing.T) {
			t.Parallel()
			s, h, p, said, page := signalled(t, words.hold, words.first...)
			close(h.free)
			if code := p.code(t); code != exitPartial || !strings.Contains(said.String(), "goes on from there") {
				t.Errorf("exit %d\n%s", code, said)
			}
			s.must(t, "verify")
			h.again(nil)
			s.must(t, words.next...)
			if slices.Contains(h.requests(), page) {
				t.Errorf("%s is asked for once more", page)
			}
			s.must(t, "verify")
			if diff := cmp.Diff(want, string(s.ledgerRows(t))); diff != "" {
				t.Errorf("the ledger of an undisturbed run (-) and this one (+):\n%s", diff)
			}
		})
	}
	t.Run("TheFirstEndsTheWaitForAnotherTry", func(t *testing.T) {
		t.Parallel()
		refused := make(chan struct{}, 100)
		s := newSite(t, world, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "250") // seconds
				w.WriteHeader(http.StatusTooManyRequests)
				refused <- struct{}{}
			})
		})
		p, said := s.process(t, binary, "sync"), &listener{word: stopping, heard: make(chan struct{})}
		p.Stderr = said
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		<-refused
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.code(t); code != exitPartial || !strings.Contains(said.String(), "goes on from there") || !strings.Contains(said.String(), "and what comes after are left: stopped by terminated") {
			t.Errorf("exit %d\n%s", code, said)
		}
		s.must(t, "verify")
	})
	t.Run("TheFirstEndsTheWaitForTheNextNight", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, world, nil)
		p, out := s.process(t, binary, "serve"), &listener{word: "COMPLETE", heard: make(chan struct{})}
		p.Stdout = out
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		<-out.heard
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.code(t); code != exitDone {
			t.Errorf("exit %d\n%s", code, &p.stderr)
		}
	})
	t.Run("TheSecondStopsAtOnce", func(t *testing.T) {
		t.Parallel()
		s, h, p, said, _ := signalled(t, secondPage, "sync")
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.code(t); code != exitPartial { // while the page is still held back
			t.Errorf("exit %d\n%s", code, said)
		}
		close(h.free)
		s.must(t, "verify")
		s.must(t, "sync")
		if diff := cmp.Diff(want, string(s.ledgerRows(t))); diff != "" {
			t.Errorf("the ledger of an undisturbed run (-) and this one (+):\n%s", diff)
		}
	})
}
