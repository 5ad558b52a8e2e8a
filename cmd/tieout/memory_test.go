//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// maxPeak is the most memory that a sync may hold, whatever it is sent.
const maxPeak = 256 << 20

// peak runs the program to its end and returns the most memory that it held at once, its exit status and its errors.
func peak(t *testing.T, binary string, args ...string) (bytesHeld int64, code int, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var text bytes.Buffer
	cmd.Stderr = &text
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not say what a process used")
	}
	return usage.Maxrss << 10, cmd.ProcessState.ExitCode(), text.String()
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
