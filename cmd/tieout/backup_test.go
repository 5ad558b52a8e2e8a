package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema/ledger"
)

// TestBackup_WhileASyncRuns holds a sync at one of its requests, in a run of its own, and backs up meanwhile.
func TestBackup_WhileASyncRuns(t *testing.T) {
	held, goOn := make(chan struct{}), make(chan struct{})
	requests := 0
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 1500}, func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/bill/") { // one source: its requests come one after another
				if requests++; requests == 8 {
					close(held)
					<-goOn
				}
			}
			world.ServeHTTP(w, r)
		})
	})
	totals := func(name string) string {
		t.Helper()
		out := filepath.Join(s.dir, name)
		s.must(t, "report", "--read-only", "--as-of-run", "1", "--format", "csv", "--out", out)
		text, err := os.ReadFile(filepath.Join(out, "control_totals.csv"))
		if err != nil || strings.Count(string(text), "\n") < 4 {
			t.Fatalf("%v\n%s", err, text)
		}
		return string(text)
	}
	s.must(t, "sync", "--source", "slash-main", "--source", "whop-main", "--source", "bitnob-main") // the run that the backup is taken after
	before := totals("before")
	ended := make(chan int, 1)
	go func() {
		var out, errs bytes.Buffer
		ended <- run(t.Context(), []string{"--config", filepath.Join(s.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339), "sync"}, &out, &errs,
			func(string) (string, bool) { return "", false })
	}()
	select {
	case <-held:
	case code := <-ended:
		t.Fatalf("the sync ended with %d before it could be held", code)
	}
	file := filepath.Join(s.dir, "backup.db")
	s.must(t, "backup", file)
	if code, _, stderr := s.run(t, "restore", "--force", file); code != exitFailed || !strings.Contains(stderr, "another process is writing") || !strings.Contains(stderr, ", which last wrote at ") {
		t.Errorf("a restore beside a sync ended with %d: %s", code, stderr)
	}
	close(goOn)
	if code := <-ended; code != exitDone {
		t.Fatalf("the sync ended with %d", code)
	}
	whole := s.ledgerRows(t)

	// What the backup lacks is read again from where it stood.
	s.must(t, "restore", "--force", file)
	s.must(t, "verify")
	if restored := totals("restored"); restored != before {
		t.Errorf("the totals of the run before the backup, and in the restored ledger:\n%s\n%s", before, restored)
	}
	s.must(t, "sync")
	if !bytes.Equal(whole, s.ledgerRows(t)) {
		t.Error("the restored ledger came to other entries")
	}
	s.must(t, "verify")
}

func TestBackup_AndRestoreSayWhatTheyDid(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 300}, nil)
	s.must(t, "nightly")
	file := filepath.Join(s.dir, "backup.db")
	said := s.must(t, "backup", file)
	_, root, _ := strings.Cut(said, "root ")
	if !strings.Contains(said, "wrote "+file) || !strings.Contains(said, "whop-main") || len(strings.TrimSpace(root)) != 64 {
		t.Errorf("%s", said)
	}
	if code, _, stderr := s.run(t, "backup", file); code != exitFailed || !strings.Contains(stderr, "exists") {
		t.Errorf("%d %s", code, stderr)
	}
	s.must(t, "sync")
	if code, _, stderr := s.run(t, "restore", file); code != exitFailed || !strings.Contains(stderr, "--force") {
		t.Errorf("%d %s", code, stderr)
	}
	said = s.must(t, "restore", file, "--force")
	_, aside, _ := strings.Cut(said, "kept the ledger that was there as ")
	aside, _, _ = strings.Cut(aside, "\n")
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
	if !strings.Contains(said, "root "+strings.TrimSpace(root)) || !strings.Contains(s.must(t, "verify"), strings.TrimSpace(root)) {
		t.Errorf("%s", said)
	}
	for _, args := range [][]string{{"backup"}, {"backup", "a", "b"}, {"restore"}, {"restore", "a", "b"}} {
		if code, _, _ := s.run(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d", args, code)
		}
	}
}

func TestRestore_SaysThatItUpgraded(t *testing.T) {
	for version, want := range map[int]string{
		0: "restored tieout.db from b.db\nverified ",
		1: "restored tieout.db from b.db\nupgraded it on the way: the backup is of an older version of tieout (tables of version 1), and is as it was\nverified ",
	} {
		var out bytes.Buffer
		writeRestored(&out, "tieout.db", "b.db", ledger.Restored{Upgraded: version})
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s", out.String())
		}
	}
}
