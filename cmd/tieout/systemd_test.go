package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The units in the README are what people copy.
func TestReadme_SystemdUnitsAreValid(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	units := regexp.MustCompile("(?s)```ini\n# /etc/systemd/system/([a-z-]+\\.[a-z]+)[^\n]*\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(units) != 3 {
		t.Fatalf("%d units in the README, want 3", len(units))
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "tieout")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // systemd asks whether it can be run
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no"}
	for _, unit := range units {
		path := filepath.Join(dir, unit[1])
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(unit[2], "/usr/local/bin/tieout", program)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
