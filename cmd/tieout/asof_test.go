package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// TestReport_AsOfEachRunIsWhatWasReportedThen makes a report right after each of several nights, with decisions of people,
// imports and backfills between them, and each of them again in the end as of its run: every byte is the same.
func TestReport_AsOfEachRunIsWhatWasReportedThen(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 6, Transactions: 800}, nil)
	o := &operator{site: s, Rand: rand.New(rand.NewPCG(6, 0)), cards: map[schema.Provider][]string{}}
	type made struct {
		dir  string
		asOf int64
	}
	var all []made
	report := func(name string) {
		t.Helper()
		dir := filepath.Join(s.dir, name)
		var result struct {
			Manifest struct {
				AsOf int64 `json:"as_of_run"`
			}
		}
		if err := json.Unmarshal([]byte(s.mustNow(t, "report", "--from", "2026-07-01", "--to", "2026-09-05", "--out", dir, "--json")), &result); err != nil {
			t.Fatal(err)
		}
		all = append(all, made{dir, result.Manifest.AsOf})
	}
	for night := range 4 {
		if err := writeFile(filepath.Join(s.dir, "fundings.csv"), s.world.WriteFundings); err != nil {
			t.Fatal(err)
		}
		s.mustNow(t, "sync")
		report(fmt.Sprint("synced-", night)) // before the checks of this night
		s.mustNow(t, "reconcile")
		report(fmt.Sprint("checked-", night))
		switch night {
		case 1:
			s.mustNow(t, "findings", "accept", "--code", "limit-breach", "--by", "ann", "--reason", "known", "--yes")
			report("accepted")
		case 2:
			s.mustNow(t, "backfill", "--from", "2026-07-01", "--to", "2026-07-31")
			report("backfilled")
		case 3:
			s.mustNow(t, "fundings", "import", s.extraFunding(t))
			report("imported")
		}
		for range 10 {
			o.act(t)
			o.wait(t, time.Duration(o.IntN(4*60))*time.Minute)
		}
	}
	s.reconfigure(t)
	asOf, contents := map[int64]bool{}, map[string]bool{}
	for _, m := range all {
		asOf[m.asOf] = true
		data, err := os.ReadFile(filepath.Join(m.dir, "findings.csv"))
		if err != nil {
			t.Fatal(err)
		}
		contents[string(data)] = true
		again := m.dir + "-again"
		s.mustNow(t, "report", "--from", "2026-07-01", "--to", "2026-09-05", "--out", again, "--as-of-run", fmt.Sprint(m.asOf))
		if then, now := folder(t, m.dir), folder(t, again); !slices.Equal(then, now) {
			t.Errorf("%s was made as of run %d and has other files now", m.dir, m.asOf)
		} else {
			for _, name := range then {
				sameFile(t, filepath.Join(m.dir, name), filepath.Join(again, name))
			}
		}
	}
	if len(asOf) != len(all) || len(contents) < 6 {
		t.Errorf("%d reports as of %d runs with %d different contents", len(all), len(asOf), len(contents))
	}
	s.mustNow(t, "verify", "--reports", s.dir)
}

// reconfigure changes the settings of checks and adds a source. What was judged stays judged as it was.
func (s *site) reconfigure(t *testing.T) {
	t.Helper()
	file := filepath.Join(s.dir, "tieout.yaml")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	source := "sources:\n  - name: added\n    provider: whop\n    base_url: " + s.url + "\n    account_id: biz_added\n    credential: {file: whop.key}\n"
	checks := "checks:\n  balance-drift: {tolerance: \"900.00\"}\n  stale-pending: {after_days: 1}\n"
	text := strings.Replace(string(was), "sources:\n", checks+source, 1)
	text = strings.Replace(text, "provider: slash\n", "provider: slash\n    categories: [card, fee, ach]\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// mustNow is must at the world's now.
func (s *site) mustNow(t *testing.T, args ...string) string {
	t.Helper()
	return s.must(t, append([]string{"--now", s.world.Now().Format(time.RFC3339Nano)}, args...)...)
}

// extraFunding is a file of the books with one line that no other has.
func (s *site) extraFunding(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "extra.csv")
	if err := os.WriteFile(path, []byte("reference,amount,currency,sent_at\nextra-1,12.00,USD,2026-08-20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func folder(t *testing.T, dir string) []string {
	t.Helper()
	items, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range items {
		names = append(names, item.Name())
	}
	return names
}

// sameFile compares two files and shows the first line that differs.
func sameFile(t *testing.T, a, b string) {
	t.Helper()
	var lines [2][]string
	for i, path := range []string{a, b} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = strings.SplitAfter(string(data), "\n")
	}
	for n := range max(len(lines[0]), len(lines[1])) {
		if n >= len(lines[0]) || n >= len(lines[1]) || lines[0][n] != lines[1][n] {
			t.Errorf("%s and %s differ in line %d of %d and %d:\n%.400q\n%.400q", a, b, n+1, len(lines[0]), len(lines[1]), lineAt(lines[0], n), lineAt(lines[1], n))
			return
		}
	}
}

func lineAt(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return ""
}

// TestReport_ReadOnly makes the same report without writing to the ledger, beside a process that holds it.
func TestReport_ReadOnly(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 6, Transactions: 300}, nil)
	s.must(t, "nightly", "--out", filepath.Join(s.dir, "recorded"))
	s.must(t, "backup", filepath.Join(s.dir, "copy.db"))
	for name, path := range map[string]string{"TheLedgerThatIsInUse": "tieout.db", "ABackup": "copy.db"} {
		t.Run(name, func(t *testing.T) {
			config := filepath.Join(s.dir, "tieout.yaml")
			text, err := os.ReadFile(config)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(config, []byte(strings.Replace(string(text), "ledger: tieout.db", "ledger: "+path, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.WriteFile(config, text, 0o600) }()
			before, err := os.ReadFile(filepath.Join(s.dir, path))
			if err != nil {
				t.Fatal(err)
			}
			lock, err := ledger.Lock(filepath.Join(s.dir, path), testNow)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lock.Unlock() }()
			out := filepath.Join(s.dir, name)
			s.must(t, "report", "--read-only", "--out", out)
			for _, file := range []string{"manifest.json", "tieout.xlsx", "findings.csv"} {
				want, err := os.ReadFile(filepath.Join(s.dir, "recorded", file))
				if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(filepath.Join(out, file)); err != nil || string(got) != string(want) {
					t.Errorf("%s is another one (%v)", file, err)
				}
			}
			if after, err := os.ReadFile(filepath.Join(s.dir, path)); err != nil || string(after) != string(before) {
				t.Errorf("the ledger was written to (%v)", err)
			}
		})
	}
}

// TestReadOnly_RefusesWhatWrites holds for every command, whatever else it would need.
func TestReadOnly_RefusesWhatWrites(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 100}, nil)
	s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
	backup := filepath.Join(s.dir, "backup.db")
	s.must(t, "backup", backup)
	before := s.ledgerRows(t)
	for _, words := range []string{
		"sync", "backfill --from 2026-08-01 --to 2026-08-02", "reconcile", "nightly", "serve", "restore --force " + backup, "demo",
		"fundings import " + filepath.Join(s.dir, "fundings.csv"), "findings ack --severity high --by ann --yes",
	} {
		code, stdout, stderr := s.run(t, append([]string{"--read-only"}, strings.Fields(words)...)...)
		if code != exitUsage || !strings.Contains(stderr, "this writes to the ledger: leave --read-only away") {
			t.Errorf("%s: exit %d\n%s%s", words, code, stdout, stderr)
		}
	}
	for _, words := range []string{"status", "coverage", "findings list", "changes --since-run 1", "findings links", "verify"} {
		s.must(t, append(strings.Fields(words), "--read-only")...)
	}
	if after := s.ledgerRows(t); !bytes.Equal(before, after) {
		t.Error("the ledger was written to")
	}
}
