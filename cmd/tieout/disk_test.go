//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// asProgram makes this test's binary the program that it tests.
const asProgram = "TIEOUT_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // ends the process
	}
	os.Exit(m.Run())
}

// TestNightly_OnADiskThatFailsIsToldOf runs nights on small disks of their own: one that is full, one that fills while the night
// reads, and one that cannot be written to. It shows what standard error, the alert and the report in the morning say.
func TestNightly_OnADiskThatFailsIsToldOf(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	mount := func(size string) string { return fmt.Sprintf("mount -t tmpfs -o size=%s tmpfs %s\n", size, disk) }
	if out, err := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", mount("1m")).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v %s", err, out)
	}
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 3000}, nil)
	h := hooked(t, s)
	if code, stderr := s.night(t, testNow); code != exitDone {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	s.must(t, "backup", filepath.Join(s.dir, "copy.db"))
	s.edit(t, "ledger: tieout.db", "ledger: "+filepath.Join(disk, "tieout.db"))
	h.all()
	bring := "cp " + filepath.Join(s.dir, "copy.db") + " " + disk + "/tieout.db\n"
	fill := "dd if=/dev/zero of=" + disk + "/other bs=4k 2>/dev/null\n"
	var texts strings.Builder
	for n, c := range []struct {
		name, script, cause string
		begins              bool // the night: it may make a report of what it has
	}{
		{"The disk is full", mount("64m") + bring + fill, "the disk of DISK is full: make room and run the command again", false},
		{"The disk fills while the night reads", mount("1m"), "the disk of DISK is full: make room and run the command again", true},
		{"The disk cannot be written to", mount("64m") + bring + "mount -o remount,ro " + disk + "\n", "the disk of DISK cannot be written to: find out in the system's log why", false},
	} {
		if err := os.RemoveAll(filepath.Join(s.dir, "morning")); err != nil {
			t.Fatal(err)
		}
		at := testNow.Add(48 * time.Hour).Add(time.Duration(n) * time.Hour).Format(time.RFC3339)
		cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c",
			c.script+fmt.Sprintf("exec %s --quiet --config %s/tieout.yaml --now %s nightly --out %[2]s/morning >/dev/null", os.Args[0], s.dir, at))
		cmd.Env = append(os.Environ(), asProgram+"=1")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		_ = cmd.Run() // its status follows
		code, alerts := cmd.ProcessState.ExitCode(), h.all()
		text := strings.ReplaceAll(shown(s, c.name, code, stderr.String(), alerts), disk, "DISK")
		if len(alerts) != 1 || alerts[0].Status == schema.Complete || strings.Count(text, c.cause) < 2 {
			t.Errorf("%s: exit %d, told %d times; not said twice: %s", c.name, code, len(alerts), c.cause)
		}
		_, err := os.Stat(filepath.Join(s.dir, "morning", "report.html"))
		if !c.begins {
			if err == nil || code != exitFailed || len(alerts) == 1 && alerts[0].SilentFrom == nil {
				t.Errorf("%s: exit %d, a report in the morning: %v, told %+v", c.name, code, err, alerts)
			}
			texts.WriteString(text + "## The report in the morning\n\nThere is none.\n\n")
			continue
		}
		said := "There is none." // what there is room for is not the same each time
		if err == nil {
			said = s.morning(t)
		}
		if code != exitFailed && code != exitPartial || err == nil && !strings.HasPrefix(said, "INCOMPLETE\n") || err != nil && !strings.Contains(text, "the night failed") {
			t.Errorf("%s: exit %d, and the report in the morning says\n%s", c.name, code, said)
		}
		t.Logf("%s\n## The report in the morning\n\n%s", text, said)
	}
	golden(t, "notrun-disk.txt", texts.String())
}
