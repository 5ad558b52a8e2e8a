package main

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
)

var (
	kills    = flag.Int("kills", 10, "how many times TestSync_KilledAtRandomMoments must have killed the program")
	killSeed = flag.Uint64("killseed", 1, "the seed of the moments at which it kills")
)

// buildBinary builds the real program.
func buildBinary(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "tieout")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// killer kills a process some work after it made its n-th request. The work is counted in hashes, not in time, so that a
// machine that is busy has the same moments.
type killer struct {
	mutex    sync.Mutex
	cmd      *exec.Cmd
	requests int
	at, work int
}

func (k *killer) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.mutex.Lock()
		k.requests++
		due := k.requests == k.at
		k.mutex.Unlock()
		world.ServeHTTP(w, r)
		if due {
			_ = http.NewResponseController(w).Flush()
			k.kill()
		}
	})
}

// kill is kill -9. The process may have ended by itself.
func (k *killer) kill() {
	sum := [32]byte{}
	for range k.work {
		sum = sha256.Sum256(sum[:])
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	_ = k.cmd.Process.Kill()
}

// run starts the program and kills it at a moment: after a number of requests (0: as it starts; -1: never) and some work. It
// says whether it did. A program that fails by itself fails the test.
func (k *killer) run(t *testing.T, at, work int, binary string, args ...string) (killed bool) {
	t.Helper()
	k.mutex.Lock()
	k.cmd, k.requests, k.at, k.work = exec.CommandContext(t.Context(), binary, args...), 0, at, work
	var text bytes.Buffer
	k.cmd.Stdout, k.cmd.Stderr = &text, &text
	err := k.cmd.Start() // still locked: its first request may come before this returns
	k.mutex.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if at == 0 {
		k.kill()
	}
	err = k.cmd.Wait()
	killed = k.cmd.ProcessState.ExitCode() == -1
	if err != nil && !killed {
		t.Fatalf("the program failed: %v\n%s", err, text.String())
	}
	return killed
}

// TestSync_KilledAtRandomMoments kills the real program, as kill -9 does, again and again while it fills one ledger, and
// then lets it finish. After each kill the ledger must verify; in the end it must be the one of an undisturbed reading, line
// by line. Then the next ledger, until there were kills enough.
func TestSync_KilledAtRandomMoments(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no kill -9 on Windows")
	}
	binary := buildBinary(t)
	config := sandbox.Config{Seed: 11, Transactions: 6000}
	var k killer
	site := newSite(t, config, k.wrap)
	args := []string{"--config", filepath.Join(site.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339), "sync"}
	k.run(t, -1, 0, binary, args...)
	requests := k.requests
	want := strings.Split(string(site.ledgerRows(t)), "\n")
	dice := rand.New(rand.NewPCG(*killSeed, 0))
	hit, missed, verified, ledgers := 0, 0, 0, 0
	for ; hit < *kills && ledgers < *kills; ledgers++ {
		site.empty(t)
		for range 1 + dice.IntN(8) {
			at := dice.IntN(requests + 1)
			if dice.IntN(6) == 0 {
				at = 0
			}
			if !k.run(t, at, dice.IntN(1<<dice.IntN(20)), binary, args...) {
				missed++ // a later reading makes fewer requests
				continue
			}
			hit++
			code, stdout, stderr := site.run(t, "verify")
			if code != exitDone && !strings.Contains(stderr, "there is no ledger yet") {
				t.Fatalf("verify after kill %d of seed %d: exit %d\n%s%s", hit, *killSeed, code, stdout, stderr)
			}
			if code == exitDone {
				verified++
			}
		}
		k.run(t, -1, 0, binary, args...)
		site.must(t, "verify")
		if diff := cmp.Diff(want, strings.Split(string(site.ledgerRows(t)), "\n")); diff != "" {
			t.Fatalf("ledger %d of seed %d, undisturbed (-) and killed (+):\n%s", ledgers+1, *killSeed, diff)
		}
	}
	if hit < *kills {
		t.Errorf("only %d kills", hit)
	}
	t.Logf("%d kills hit and %d came too late, over %d ledgers of %d rows (seed %d); every ledger equals the undisturbed one; verified after %d kills and at every end",
		hit, missed, ledgers, len(want)-2, *killSeed, verified)
}

// empty removes the ledger.
func (s *site) empty(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "tieout.db*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.RemoveAll(f); err != nil {
			t.Fatal(err)
		}
	}
}
