package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
)

func TestStatus_SaysSilence(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 100}, nil)
	s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
	for _, c := range []struct {
		after  time.Duration
		silent bool
	}{{36 * time.Hour, false}, {37 * time.Hour, true}} {
		at := testNow.Add(c.after).Format(time.RFC3339)
		text := s.must(t, "--now", at, "status")
		if got := strings.Contains(text, "no night has been complete since 2026-08-31T07:00:00Z"); got != c.silent {
			t.Errorf("after %s:\n%s", c.after, text)
		}
		var report statusReport
		if err := json.Unmarshal([]byte(s.must(t, "--now", at, "status", "--json")), &report); err != nil {
			t.Fatal(err)
		}
		if got := report.Silent != nil; got != c.silent || got && !report.Silent.Equal(testNow) {
			t.Errorf("after %s: %v", c.after, report.Silent)
		}
	}
}

// TestLog_SaysWhatWasNotReadWhole collects a log of JSON: each line is an object, and what is about reading says where.
func TestLog_SaysWhatWasNotReadWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 100}, func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/whop/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			world.ServeHTTP(w, r)
		})
	})
	code, _, stderr := s.run(t, "--log-format", "json", "--verbose", "sync")
	if code != exitPartial {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	said := map[string]int{}
	for line := range strings.Lines(stderr) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		msg, _ := l["msg"].(string)
		said[msg]++
		if msg == "ended" {
			if l["exit"] != float64(exitPartial) || !strings.Contains(line, "403") {
				t.Error(line)
			}
			continue
		}
		for _, key := range []string{"run", "source", "stream", "window"} {
			if l[key] == nil || l[key] == "" {
				t.Errorf("no %s: %s", key, line)
			}
		}
		if whop := l["source"] == "whop-main"; whop != (msg == "not read whole") || whop && !strings.Contains(line, "403 Forbidden") {
			t.Error(line)
		}
	}
	if said["not read whole"] != 2 || said["ended"] != 1 || said["read"] < 6 || said["stored"] < 6 {
		t.Errorf("%v", said)
	}
}
