package main

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
)

// TestSync_KilledAtAnyRequestGivesTheSameLedger kills the real program at the n-th request it makes, runs it again, and
// compares the ledger with one that was read undisturbed.
func TestSync_KilledAtAnyRequestGivesTheSameLedger(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "tieout")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	config := sandbox.Config{Seed: 11, Transactions: 3000}
	whole := newSite(t, config, nil)
	whole.must(t, "sync")
	want := whole.ledgerRows(t)

	var countdown atomic.Int64
	var running atomic.Pointer[exec.Cmd]
	site := newSite(t, config, func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if countdown.Add(-1) == 0 {
				if cmd := running.Load(); cmd != nil {
					_ = cmd.Process.Kill() // it may have ended by itself
				}
				return
			}
			world.ServeHTTP(w, r)
		})
	})
	sync := func() error {
		cmd := exec.CommandContext(t.Context(), binary, "--config", filepath.Join(site.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339), "sync")
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			return err
		}
		running.Store(cmd)
		err := cmd.Wait()
		running.Store(nil)
		if err != nil {
			t.Logf("%v", err)
		}
		return err
	}
	kills := 0
	for _, n := range []int64{1, 3, 7, 12, 20, 33, 41, 54, 70} {
		countdown.Store(n)
		if err := sync(); err != nil {
			kills++
		}
	}
	if kills < 5 {
		t.Errorf("only %d runs were killed", kills)
	}
	countdown.Store(0)
	if err := sync(); err != nil {
		t.Fatalf("the last run: %v", err)
	}
	if diff := cmp.Diff(bytes.Split(want, []byte("\n")), bytes.Split(site.ledgerRows(t), []byte("\n"))); diff != "" {
		t.Errorf("undisturbed (-) and killed %d times (+):\n%s", kills, diff)
	}
	site.must(t, "verify")
	if _, err := os.Stat(filepath.Join(site.dir, "tieout.db")); err != nil {
		t.Error(err)
	}
}
