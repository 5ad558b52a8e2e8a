package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// postgres starts a server, or skips the test where there is none to start.
func postgres(t testing.TB, settings ...string) *pgtest.Server {
	t.Helper()
	server, err := pgtest.Start(settings...)
	if errors.Is(err, pgtest.ErrAbsent) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

// TestEngines does the same on a ledger in a file and on one in PostgreSQL, with one other line in the configuration: what is
// printed is the same, and so is every byte of the reports.
func TestEngines(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4, Transactions: 300}, nil)
	address, err := postgres(t).Ledger("books")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	for _, engine := range []string{"sqlite", "postgres"} {
		if engine == "postgres" {
			s.edit(t, "ledger: tieout.db", "ledger: '"+address+"'")
		}
		do := func(args ...string) string {
			code, stdout, stderr := s.run(t, args...)
			if code != exitDone && code != exitPartial {
				t.Fatalf("%s: tieout %s: exit %d\n%s%s", engine, strings.Join(args, " "), code, stdout, stderr)
			}
			said[engine] = append(said[engine], strings.ReplaceAll(stdout, engine, "ENGINE"))
			return stdout
		}
		out := func(name string) string { return filepath.Join(s.dir, engine, name) }
		read := func(args ...string) { // one source after the other: those that are read at once are stored in any order
			for _, source := range []string{"bill-main", "bitnob-main", "slash-main", "whop-main"} {
				do(append(args, "--source", source)...)
			}
			do("fundings", "import", filepath.Join(s.dir, "fundings.csv"))
		}
		read("backfill", "--from", "2026-06-01", "--to", "2026-06-30")
		read("sync")
		do("reconcile")
		do("report", "--out", out("first"))
		var findings []findingLine
		if err := json.Unmarshal([]byte(do("findings", "list", "--json")), &findings); err != nil || len(findings) < 2 {
			t.Fatalf("%d findings, %v", len(findings), err)
		}
		do("findings", "accept", findings[0].ID, "--by", "ann", "--reason", "seen")
		do("findings", "show", findings[0].ID)
		read("sync")
		do("reconcile")
		do("report", "--out", out("second"))
		do("report", "--from", "2026-05-01", "--to", "2026-08-31", "--sample", "amount:9", "--out", out("third"))
		do("report", "--as-of-run", "3", "--from", "2026-05-01", "--to", "2026-08-31", "--out", out("earlier"))
		do("coverage")
		do("status", "--json")
		do("verify")
	}
	if diff := cmp.Diff(said["sqlite"], said["postgres"]); diff != "" {
		t.Errorf("SQLite (-) and PostgreSQL (+) said:\n%s", diff)
	}
	for _, name := range []string{"first", "second", "third", "earlier"} {
		sameFiles(t, filepath.Join(s.dir, "sqlite", name), filepath.Join(s.dir, "postgres", name))
	}
	if code, _, stderr := s.run(t, "backup", filepath.Join(s.dir, "copy.db")); code != exitFailed || !strings.Contains(stderr, "use pg_dump") {
		t.Errorf("backup: exit %d, %s", code, stderr)
	}
	if code, _, stderr := s.run(t, "restore", filepath.Join(s.dir, "tieout.db")); code != exitFailed || !strings.Contains(stderr, "use pg_dump") {
		t.Errorf("restore: exit %d, %s", code, stderr)
	}
}

// TestMigrateLedger copies a ledger from a file into PostgreSQL, on from there into another file, and goes on with each: what is
// shown of all is the same.
func TestMigrateLedger(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 6, Transactions: 300}, nil)
	address, err := postgres(t).Ledger("moved")
	if err != nil {
		t.Fatal(err)
	}
	s.must(t, "nightly")
	s.must(t, "nightly")
	back := filepath.Join(s.dir, "back.db")
	var shown []string
	var said string
	for i, next := range []string{address, back, ""} {
		out := filepath.Join(s.dir, fmt.Sprint("report-", i))
		shown = append(shown, s.must(t, "verify")+s.must(t, "status", "--json")+s.must(t, "coverage")+s.must(t, "findings", "list", "--json"))
		s.must(t, "report", "--read-only", "--as-of-run", "6", "--from", "2026-05-01", "--to", "2026-08-31", "--out", out)
		if i > 0 {
			sameFiles(t, filepath.Join(s.dir, "report-0"), out)
		}
		if next == "" {
			break
		}
		said = s.must(t, "migrate-ledger", "--to", next)
		from := "ledger: tieout.db"
		if i > 0 {
			from = "ledger: '" + address + "'"
		}
		s.edit(t, from, "ledger: '"+next+"'")
	}
	if shown[0] != shown[1] || shown[0] != shown[2] {
		t.Errorf("they differ:\n%s", cmp.Diff(shown[0], shown[1])+cmp.Diff(shown[0], shown[2]))
	}
	if !strings.Contains(said, "copied postgres://postgres@/postgres to "+back) || !strings.Contains(said, "root ") {
		t.Errorf("it says:\n%s", said)
	}
	for _, there := range []string{address, filepath.Join(s.dir, "tieout.db")} {
		if code, _, stderr := s.run(t, "migrate-ledger", "--to", there); code != exitFailed || !strings.Contains(stderr, "there is a ledger already") {
			t.Errorf("over another ledger: exit %d, %s", code, stderr)
		}
	}
	for _, wrong := range [][]string{{}, {"--to", back}, {"--to", "postgres://a:geheim%zz@b/c"}} {
		if code, _, stderr := s.run(t, append([]string{"migrate-ledger"}, wrong...)...); code != exitUsage || strings.Contains(stderr, "geheim") {
			t.Errorf("%v: exit %d, %s", wrong, code, stderr)
		}
	}
	s.must(t, "nightly")
	s.must(t, "verify")
}
