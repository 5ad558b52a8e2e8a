//go:build linux

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
)

var pairs = flag.Int("pairs", 10, "how many times TestSync_OneOfTwoProcesses starts two")

// process is a run of the real program.
type process struct {
	*exec.Cmd
	stderr bytes.Buffer
}

func (s *site) process(t testing.TB, binary string, args ...string) *process {
	t.Helper()
	return s.processOf(t, "tieout.yaml", binary, args...)
}

func (s *site) processOf(t testing.TB, config, binary string, args ...string) *process {
	t.Helper()
	all := append([]string{"--config", filepath.Join(s.dir, config), "--now", testNow.Format(time.RFC3339)}, args...)
	p := &process{Cmd: exec.CommandContext(t.Context(), binary, all...)}
	p.Stderr = &p.stderr
	return p
}

// code waits for the end of a process and returns its exit status.
func (p *process) code(t *testing.T) int {
	t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return p.ProcessState.ExitCode()
}

// TestSync_OneOfTwoProcesses starts two syncs of one ledger at the same instant: one works, and the other says which
// process holds the ledger and since when, although the second's configuration names the ledger by a link. Every third time the
// owner is killed, and the next that comes finishes its work.
func TestSync_OneOfTwoProcesses(t *testing.T) {
	binary := buildBinary(t)
	var gate sync.RWMutex // requests wait while it is held
	s := newSite(t, sandbox.Config{Seed: 3, Cards: 4, Transactions: 40}, func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			gate.RLock()
			defer gate.RUnlock()
			world.ServeHTTP(w, r)
		})
	})
	text, err := os.ReadFile(filepath.Join(s.dir, "tieout.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, "linked.yaml"), bytes.Replace(text, []byte("ledger: tieout.db"), []byte("ledger: linked.db"), 1), 0o600)
	}
	if err == nil {
		err = os.Symlink("tieout.db", filepath.Join(s.dir, "linked.db"))
	}
	if err != nil {
		t.Fatal(err)
	}
	refused, taken := 0, 0
	for n := range *pairs {
		gate.Lock()
		two := [2]*process{s.process(t, binary, "sync"), s.processOf(t, "linked.yaml", binary, "sync")}
		ended := make(chan int, 2)
		codes := [2]int{}
		for i, p := range two {
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			go func() {
				codes[i] = p.code(t)
				ended <- i
			}()
		}
		loser := <-ended // the other waits for an answer
		owner := two[1-loser]
		if codes[loser] != exitFailed || !strings.Contains(two[loser].stderr.String(), fmt.Sprintf("another process is writing to it (process %d since %s", owner.Process.Pid, testNow.Format(time.RFC3339))) {
			t.Errorf("pair %d: exit %d, and process %d has it:\n%s", n, codes[loser], owner.Process.Pid, two[loser].stderr.String())
		}
		refused++
		if n%3 == 2 {
			if err := owner.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
			gate.Unlock()
			if next := s.process(t, binary, "sync"); next.Run() != nil {
				t.Fatalf("pair %d: after the owner was killed:\n%s", n, next.stderr.String())
			}
			taken++
			continue
		}
		gate.Unlock()
		if <-ended; codes[1-loser] != exitDone {
			t.Errorf("pair %d: the owner ended %d:\n%s", n, codes[1-loser], owner.stderr.String())
		}
	}
	s.must(t, "verify")
	t.Logf("%d pairs: %d were refused, %d times the next took over from an owner that was killed", *pairs, refused, taken)
}

// TestSync_DiskFull fills the disk of a ledger, makes room, and takes the right to write away.
func TestSync_DiskFull(t *testing.T) {
	disk := t.TempDir()
	mount := fmt.Sprintf("mount -t tmpfs -o size=1m tmpfs %s", disk)
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", mount).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v %s", err, out)
	}
	binary := buildBinary(t)
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 3000}, nil)
	other := newSite(t, sandbox.Config{Seed: 3, Transactions: 3000}, nil)
	other.must(t, "sync")
	path := filepath.Join(s.dir, "tieout.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("ledger: tieout.db"), []byte("ledger: "+filepath.Join(disk, "tieout.db")), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	tieout := fmt.Sprintf("%s --quiet --config %s --now %s", binary, path, testNow.Format(time.RFC3339))
	script := fmt.Sprintf(`exec 2>&1
%[1]s
%[2]s sync; echo "full: $?"
%[2]s verify; echo "full, verify: $?"
mount -o remount,size=64m %[3]s
%[2]s sync; echo "room: $?"
%[2]s verify; echo "room, verify: $?"
cp %[3]s/tieout.db* %[4]s
mount -o remount,ro %[3]s
%[2]s sync; echo "read-only: $?"
%[2]s status; echo "read-only, status: $?"
`, mount, tieout, disk, s.dir)
	out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"no room is left for the ledger", "\nfull: 3\n", "\nfull, verify: 0\n", "\nroom: 0\n", "\nroom, verify: 0\n", "read-only file system", "\nread-only: 1\n",
		"\nread-only, status: 0\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(filepath.Join(disk, "tieout.db")), []byte("tieout.db"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(other.ledgerRows(t)), string(s.ledgerRows(t))); diff != "" {
		t.Errorf("the ledger that never was short of room (-) and this one (+):\n%s", diff)
	}
}

// TestReading_ALedgerOnADiskThatCannotBeWrittenTo is an auditor who was handed a disk: everything that reads works, and what
// would be missed in a log that was not written back is not missed silently.
func TestReading_ALedgerOnADiskThatCannotBeWrittenTo(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("a disk cannot be mounted here: %v %s", err, out)
	}
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 200}, nil)
	s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
	s.edit(t, "ledger: tieout.db", "ledger: "+filepath.Join(disk, "tieout.db"))
	script := fmt.Sprintf(`exec 2>&1
set -e
mount -t tmpfs tmpfs %[1]s
cp %[2]s/tieout.db %[1]s
mount -o remount,ro %[1]s
set +e
for words in status coverage "findings list" "changes --since-run 1" verify "report --read-only --out %[2]s/report" "backup %[2]s/backup.db"; do
	tieout() { %[3]s --config %[2]s/tieout.yaml --now %[4]s "$@"; }
	tieout $words; echo "$words: $?"
done
mount -o remount,rw %[1]s
echo unfinished > %[1]s/tieout.db-wal
mount -o remount,ro %[1]s
tieout status; echo "with a log: $?"
`, disk, s.dir, buildBinary(t), testNow.Format(time.RFC3339))
	out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\nstatus: 0\n", "\ncoverage: 0\n", "\nfindings list: 0\n", "\nchanges --since-run 1: 0\n", "\nverify: 0\n", "/report: 0\n", "/backup.db: 0\n",
		"its folder cannot be written to", "\nwith a log: 1\n",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}
