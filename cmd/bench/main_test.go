package main

import (
	"os"
	"strings"
	"testing"
)

// TestMain is the bench itself where a test's bench calls itself for a stage.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-stage" {
		main()
		return
	}
	m.Run()
}

// TestBench_RunsEveryWork runs all of it with little data; each stage itself refuses what would measure nothing. Peers that are
// not installed are named.
func TestBench_RunsEveryWork(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-entries", "400", "-cards", "40", "-rounds", "1", "-dir", t.TempDir()}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, w := range (bench{}).works() {
		if !strings.Contains(out.String(), "\n"+w.title) {
			t.Errorf("no line for %s in\n%s", w.name, out.String())
		}
	}
}
