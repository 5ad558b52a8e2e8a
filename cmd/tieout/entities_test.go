package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
)

const someSource = "{name: a, provider: slash, credential: {env: KEY}}"

func TestParseConfig_Entities(t *testing.T) {
	t.Parallel()
	parse := func(text string) ([]Config, error) {
		return parseConfigs("conf/tieout.yaml", []byte(text), func(string) (string, bool) { return "secret", true }, testFiles)
	}
	t.Run("HaveTheirOwnAndWhatIsCommon", func(t *testing.T) {
		all, err := parse(`timezone: Africa/Lagos
reports: {dir: out, formats: [csv]}
checks: {orphan-topup: {grace_days: 9}}
entities:
  - {name: acme, entity: Acme Inc., timezone: America/New_York, sources: [` + someSource + `]}
  - {name: globex, ledger: books/g.db, reports: {dir: globex}, sources: [` + someSource + `], checks: {orphan-topup: {grace_days: 1}}}
`)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range all {
			got = append(got, fmt.Sprint(c.Name, "|", c.Entity, "|", c.Zone, "|", c.LedgerPath, "|", c.Reports.Dir, "|", c.Reports.Formats, "|", c.Checks.GraceDays, "|", len(c.Sources)))
		}
		want := []string{
			"acme|Acme Inc.|America/New_York|conf/acme.db|conf/out/acme|[csv]|9|1",
			"globex|globex|Africa/Lagos|conf/books/g.db|conf/globex|[xlsx csv html]|1|1",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	for name, c := range map[string]struct{ text, want string }{
		"NoName":            {"entities: [{sources: [" + someSource + "]}]", "line 2: an entity needs a name"},
		"ABadName":          {"entities: [{name: A/B, sources: [" + someSource + "]}]", "line 2: name must be of lower-case letters"},
		"TheSameName":       {"entities: [{name: a, sources: [" + someSource + "]}, {name: a, ledger: b.db, reports: {dir: b}, sources: [" + someSource + "]}]", "line 2: two entities are called a"},
		"OneLedgerForTwo":   {"entities: [{name: a, sources: [" + someSource + "]}, {name: b, ledger: A.db, sources: [" + someSource + "]}]", "line 2: a and b have a ledger in common"},
		"OneFolderForTwo":   {"entities: [{name: a, reports: {dir: r}, sources: [" + someSource + "]}, {name: b, reports: {dir: r}, sources: [" + someSource + "]}]", "a and b have reports.dir in common"},
		"ACommonLedger":     {"ledger: x.db\nentities: [{name: a, sources: [" + someSource + "]}]", "line 2: ledger stands beside entities"},
		"CommonSources":     {"sources: [" + someSource + "]\nentities: [{name: a, sources: [" + someSource + "]}]", "line 2: sources stands beside entities"},
		"NoEntity":          {"entities: []", "line 2: entities must be a list of at least one entity"},
		"NotAMapping":       {"entities: [acme]", "line 2: an entity must be a mapping"},
		"EntitiesInside":    {"entities: [{name: a, entities: [], sources: [" + someSource + "]}]", "line 2: an entity has no entities"},
		"GivenTwice":        {"entities: [{name: a, sources: [" + someSource + "]}]\nentities: []", "line 3: entities is given twice"},
		"AnUnknownKey":      {"entities: [{name: a, sorces: []}]", "line 2: unknown key \"sorces\""},
		"WhatIsCommonOnce":  {"checks: {what: {}}\nentities: [{name: a, sources: [" + someSource + "]}, {name: b, sources: [" + someSource + "]}]", "unknown key \"what\""},
		"WithoutAnySources": {"entities: [{name: a}]", "line 2: sources is missing"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			_, err := parse("timezone: UTC\n" + c.text + "\n")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), c.want) != 1 {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestParseConfig_EntitiesThatSpellOnePlaceDifferently has two entities that would write to one place by two names.
func TestParseConfig_EntitiesThatSpellOnePlaceDifferently(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll(filepath.Join("conf", "books"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"linked": "books", "b.db": filepath.Join("books", "a.db"), "b.prom": "a.prom"} {
		if err := os.Symlink(to, filepath.Join("conf", name)); err != nil {
			t.Skipf("links cannot be made here: %v", err)
		}
	}
	for name, c := range map[string]struct{ a, b, want string }{
		"ALedgerThroughALink":         {"ledger: books/a.db", "ledger: b.db", "a and b have a ledger in common"},
		"ALedgerThroughALinkedFolder": {"ledger: books/a.db", "ledger: linked/a.db", "a and b have a ledger in common"},
		"ALedgerNamedAbsolutely":      {"ledger: books/a.db", "ledger: " + filepath.Join(dir, "conf", "books", "a.db"), "a and b have a ledger in common"},
		"ALedgerWithDots":             {"ledger: books/a.db", "ledger: ./books/../books/a.db", "a and b have a ledger in common"},
		"ReportsThroughALinkedFolder": {"reports: {dir: books/r}", "reports: {dir: linked/r}", "a and b have reports.dir in common"},
		"MetricsThroughALink":         {"metrics: {textfile: a.prom}", "metrics: {textfile: b.prom}", "a and b have metrics.textfile in common"},
		"DifferentOnes":               {"ledger: books/a.db", "ledger: linked/b.db", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := fmt.Sprintf("timezone: UTC\nentities:\n  - {name: a, %s, sources: [%s]}\n  - {name: b, %s, sources: [%s]}\n", c.a, someSource, c.b, someSource)
			_, err := parseConfigs(filepath.Join("conf", "tieout.yaml"), []byte(text), func(string) (string, bool) { return "secret", true }, testFiles)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// company is one of several entities, with a world of its own.
type company struct {
	name  string
	world *sandbox.World
	url   string
	dir   string
}

// newCompanies is a configuration of several entities whose sources have the same names.
func newCompanies(t *testing.T, names ...string) (config string, all []*company) {
	t.Helper()
	dir := t.TempDir()
	text := "timezone: UTC\nreports: {dir: reports}\nentities:\n"
	for i, name := range names {
		c := &company{name: name, dir: filepath.Join(dir, name), world: sandbox.New(sandbox.Config{Seed: int64(10 + i), Transactions: 200, Now: testNow, Zone: time.UTC})}
		server := httptest.NewServer(c.world.Handler(sandbox.WithControl()))
		t.Cleanup(server.Close)
		c.url = server.URL
		if err := os.Mkdir(c.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := demoFiles(c.dir, c.world, c.url); err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(filepath.Join(c.dir, "tieout.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("  - name: %s\n    entity: %s Inc.\n    metrics: {textfile: %s.prom}\n", name, strings.ToUpper(name), name)
		var keep bool
		for line := range strings.Lines(string(own)) {
			if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "-") {
				keep = strings.HasPrefix(line, "sources:") || strings.HasPrefix(line, "fundings:")
			}
			if keep {
				line = strings.NewReplacer("{file: ", "{file: "+name+"/", "fundings.csv", name+"/fundings.csv").Replace(line)
				text += "    " + line
			}
		}
		all = append(all, c)
	}
	config = filepath.Join(dir, "tieout.yaml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, all
}

// tell runs the program with a configuration, and returns its exit status and output.
func tell(t *testing.T, config string, words ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	words = append([]string{"--config", config, "--now", testNow.Format(time.RFC3339)}, words...)
	code = run(t.Context(), words, &out, &errs, func(string) (string, bool) { return "", false })
	return code, out.String(), errs.String()
}

func TestEntities(t *testing.T) {
	t.Parallel()
	config, all := newCompanies(t, "acme", "globex")
	dir := filepath.Dir(config)
	night := func() string {
		t.Helper()
		code, stdout, stderr := tell(t, config, "nightly")
		if code != exitDone {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		return stdout
	}
	if out := night(); !strings.Contains(out, "== ACME Inc.\n") || !strings.Contains(out, "== GLOBEX Inc.\n") {
		t.Error(out)
	}
	before := filesBelow(t, filepath.Join(dir, "reports", "acme"))
	if _, err := all[1].world.Plant("balance"); err != nil {
		t.Fatal(err)
	}
	night()
	t.Run("AreKeptApart", func(t *testing.T) {
		for name, text := range filesBelow(t, filepath.Join(dir, "reports", "acme")) {
			for _, word := range []string{"GLOBEX", "globex", "Globex"} {
				if strings.Contains(text, word) {
					t.Errorf("%s of acme names globex", name)
				}
			}
		}
		ids := map[string][]string{}
		for _, c := range all {
			code, stdout, stderr := tell(t, config, "--entity", c.name, "report", "--format", "csv", "--out", filepath.Join(dir, c.name, "out"))
			if code != exitDone {
				t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
			}
			for _, row := range table(t, filepath.Join(dir, c.name, "out", "ledger.csv")) {
				ids[c.name] = append(ids[c.name], row["entry_id"])
			}
		}
		if len(ids["acme"]) == 0 || len(ids["globex"]) == 0 {
			t.Fatal("no entries")
		}
		for _, one := range ids["globex"] {
			if slices.Contains(ids["acme"], one) {
				t.Errorf("acme has %s of globex", one)
			}
		}
		after := filesBelow(t, filepath.Join(dir, "reports", "acme"))
		for name, text := range before {
			if after[name] != text {
				t.Errorf("%s of acme became another when globex changed", name)
			}
		}
		for _, c := range all {
			text, err := os.ReadFile(filepath.Join(dir, c.name+".prom"))
			if err != nil || strings.Count(string(text), "\ntieout_") != strings.Count(string(text), `{entity="`+c.name+`",`) {
				t.Errorf("%v\n%s", err, text)
			}
		}
	})
	t.Run("OneIsChosen", func(t *testing.T) {
		for _, words := range []string{"findings list --json", "changes --since-run 1", "backup " + filepath.Join(dir, "b.db"), "report --out " + filepath.Join(dir, "r"), "findings show F-1"} {
			if code, _, stderr := tell(t, config, strings.Fields(words)...); code != exitUsage || !strings.Contains(stderr, "choose it with --entity (acme, globex)") {
				t.Errorf("%s: exit %d\n%s", words, code, stderr)
			}
		}
		code, stdout, stderr := tell(t, config, "--entity", "globex", "status", "--json")
		var report statusReport
		if err := json.Unmarshal([]byte(stdout), &report); code != exitDone || err != nil || len(report.Runs) == 0 {
			t.Errorf("exit %d, %v\n%s%s", code, err, stdout, stderr)
		}
		if code, _, stderr := tell(t, config, "--entity", "initech", "status"); code != exitUsage || !strings.Contains(stderr, "no such entity") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
	t.Run("WhatFailsForOneIsDoneForTheOthers", func(t *testing.T) {
		if err := os.Remove(filepath.Join(dir, "acme.db")); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "acme.db"), 0o700); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := tell(t, config, "nightly")
		if code != exitPartial || !strings.Contains(stderr, "acme: ") || strings.Contains(stderr, "globex: ") || !strings.Contains(stdout, filepath.Join("reports", "globex")) {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
		code, stdout, stderr = tell(t, config, "verify")
		if code != exitPartial || !strings.Contains(stdout, "== GLOBEX Inc.") {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	})
}

// filesBelow is the text of each file in a folder.
func filesBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(text)
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatal(err, len(all))
	}
	return all
}
