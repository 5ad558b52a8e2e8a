//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// maxPeak is the most memory that a sync may hold, whatever it is sent.
const maxPeak = 256 << 20

// peak runs the program to its end and returns the most memory that it held at once, its exit status and its errors. The
// system's own account of an ended process will not do: it begins with what the process that started it held.
func peak(t *testing.T, binary string, args ...string) (bytesHeld int64, code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var text bytes.Buffer
	cmd.Stderr = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			return bytesHeld, cmd.ProcessState.ExitCode(), text.String()
		default:
			bytesHeld = max(bytesHeld, heldAtMost(cmd.Process.Pid))
			runtime.Gosched()
		}
	}
}

// heldAtMost is the most memory that a running process has held so far; 0 when it has ended.
func heldAtMost(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// TestMemory_StaysBounded runs the real program while all four providers at once, which is the worst there is, send a gzip
// bomb of 1 GiB or a page of 100 MB.
func TestMemory_StaysBounded(t *testing.T) {
	binary := buildBinary(t)
	for _, stream := range []schema.Stream{schema.Cards, schema.Transactions} {
		for _, fault := range []string{"bomb=1024", "huge=100"} {
			spec := fmt.Sprintf("*.%s:%s", stream, fault)
			t.Run(spec, func(t *testing.T) {
				plan, err := sandbox.ParseFaults(spec)
				if err != nil {
					t.Fatal(err)
				}
				s := newSite(t, sandbox.Config{Seed: 2, Cards: 12, Transactions: 400}, sandbox.NewFaults(plan, func() time.Time { return testNow }).Wrap)
				held, code, stderr := peak(t, binary, "--config", filepath.Join(s.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339), "sync")
				t.Logf("under %s a sync held %d MiB at most", spec, held>>20)
				if held > maxPeak || held < 1<<20 {
					t.Errorf("%d bytes", held)
				}
				if code != exitPartial {
					t.Errorf("exit %d\n%s", code, stderr)
				}
				for _, source := range sources() {
					named := regexp.MustCompile(fmt.Sprintf(`list %s \(%s.* page too large: more than 33554432 bytes`, stream, source))
					if !named.MatchString(stderr) {
						t.Errorf("the error does not name %s, %s and the bound:\n%s", source, stream, stderr)
					}
				}
			})
		}
	}
}
