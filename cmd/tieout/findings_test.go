package main

import (
	"encoding/csv"
	"encoding/json"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// findings lists findings with their ids.
func (s *site) findings(t *testing.T, args ...string) map[string]findingLine {
	t.Helper()
	var list []findingLine
	if err := json.Unmarshal([]byte(s.must(t, append([]string{"findings", "list", "--json"}, args...)...)), &list); err != nil {
		t.Fatal(err)
	}
	byID := map[string]findingLine{}
	for _, f := range list {
		byID[f.ID] = f
	}
	return byID
}

// shown is what `findings show` says of a finding.
func (s *site) shown(t *testing.T, id string, args ...string) findingDetail {
	t.Helper()
	var d findingDetail
	if err := json.Unmarshal([]byte(s.must(t, append([]string{"findings", "show", id, "--json"}, args...)...)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// one is the first finding, by id, with a reason.
func (s *site) one(t *testing.T, reason, severity string) findingLine {
	t.Helper()
	all := s.findings(t)
	ids := []string{}
	for id, f := range all {
		if f.Reason == reason && f.Severity == severity && f.Status == string(schema.Open) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		t.Fatalf("no %s", reason)
	}
	return all[slices.Min(ids)]
}

// book rewrites the amount that the company's books have for a reference.
func (s *site) book(t *testing.T, reference, amount string) {
	t.Helper()
	path := filepath.Join(s.dir, "fundings.csv")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range rows {
		if r[0] == reference {
			r[1], found = amount, true
		}
	}
	if !found {
		t.Fatalf("the books have no %s", reference)
	}
	var out strings.Builder
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// steps are the actions of a history, with the status after each.
func steps(d findingDetail) []string {
	var all []string
	for _, e := range d.History {
		all = append(all, e.By+" "+e.Action+": "+e.Status)
	}
	return all
}

func TestFindings_LiveFromNightToNight(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	s.must(t, "nightly")
	first := s.findings(t)
	f := s.one(t, "amount-mismatch", "high")
	night := func(status schema.FindingStatus) {
		t.Helper()
		s.must(t, "sync")
		s.must(t, "reconcile")
		if got := s.findings(t)[f.ID]; got.Status != string(status) {
			t.Fatalf("it is %s, want %s", got.Status, status)
		}
	}
	s.must(t, "findings", "ack", f.ID[:10], "--by", "ann", "--note", "asked the bank")
	night(schema.Acknowledged)
	s.must(t, "findings", "assign", f.ID, "--by", "ann", "--to", "bob")
	s.must(t, "findings", "accept", f.ID, "--by", "bob", "--reason", "a fee of theirs")
	night(schema.Accepted)
	if now := s.findings(t); len(now) != len(first) {
		t.Errorf("%d findings became %d", len(first), len(now))
	}
	for id := range s.findings(t) {
		if _, ok := first[id]; !ok {
			t.Errorf("%s is new", id)
		}
	}
	accepted := s.lastRun(t)

	s.book(t, f.Reference, "1.23") // the books are corrected, wrongly
	night(schema.Open)
	s.book(t, f.Reference, f.Actual) // and then rightly
	night(schema.Resolved)
	s.book(t, f.Reference, f.Expected)
	night(schema.Open)

	d := s.shown(t, f.ID)
	want := []string{
		"tieout opened: open", "ann acknowledge: acknowledged", "ann assign: acknowledged", "bob accept: accepted", "tieout reopened: open",
		"tieout resolved: resolved", "tieout reopened: open",
	}
	if diff := cmp.Diff(want, steps(d)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	for _, e := range d.History {
		if e.At != testNow.Format("2006-01-02T15:04:05Z") || e.RunID == 0 {
			t.Errorf("%+v", e)
		}
	}
	for _, words := range []string{"expected " + f.Expected, "actual " + f.Actual, "expected 1.23"} {
		if !strings.Contains(d.History[4].Note, words) {
			t.Errorf("why it was reopened does not say %q: %s", words, d.History[4].Note)
		}
	}
	if d.Assignee != "bob" || d.FirstSeen != f.FirstSeen {
		t.Errorf("%+v", d.findingLine)
	}
	text := s.must(t, "findings", "show", f.ID)
	for _, words := range []string{"history", "asked the bank", "to bob", "a fee of theirs"} {
		if !strings.Contains(text, words) {
			t.Errorf("show does not say %q:\n%s", words, text)
		}
	}

	then := s.shown(t, f.ID, "--as-of-run", accepted)
	if then.Status != string(schema.Accepted) || len(then.History) != 4 || then.Expected != f.Expected {
		t.Errorf("as of run %s: %+v", accepted, then)
	}
	if _, ok := s.findings(t, "--as-of-run", accepted, "--status", "accepted")[f.ID]; !ok {
		t.Errorf("as of run %s it was not accepted", accepted)
	}
	s.must(t, "findings", "ack", f.ID) // who does not say a name is who the system says
	if me, err := user.Current(); err == nil {
		if h := s.shown(t, f.ID).History; h[len(h)-1].By != me.Username {
			t.Errorf("by %q, want %q", h[len(h)-1].By, me.Username)
		}
	}
	s.must(t, "verify")
}

// lastRun is the number of the latest run.
func (s *site) lastRun(t *testing.T) string {
	t.Helper()
	var status struct {
		Runs []struct{ ID json.Number }
	}
	if err := json.Unmarshal([]byte(s.must(t, "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	return status.Runs[0].ID.String()
}

func TestFindings_AnEarlierReportStaysAsItWas(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	s.must(t, "nightly")
	read := func() map[string]string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "report")
		s.must(t, "report", "--as-of-run", "2", "--out", dir)
		files := map[string]string{}
		for _, name := range []string{"tieout.xlsx", "findings.csv", "report.html"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files[name] = string(data)
		}
		return files
	}
	before := read()
	s.must(t, "findings", "accept", "--severity", "high", "--reason", "known", "--yes")
	s.must(t, "findings", "assign", "--severity", "low", "--to", "bob", "--yes")
	for name, data := range read() {
		if data != before[name] {
			t.Errorf("%s as of run 2 is another one after people decided", name)
		}
	}
	dir := filepath.Join(t.TempDir(), "report")
	s.must(t, "report", "--out", dir)
	statuses := map[string]int{}
	for _, row := range table(t, filepath.Join(dir, "findings.csv")) {
		statuses[row["severity"]+" "+row["status"]]++
	}
	if statuses["high accepted"] == 0 || statuses["high open"] != 0 || statuses["medium open"] == 0 {
		t.Errorf("today's report: %v", statuses)
	}
}

func TestFindings_BulkShowsFirstAndChangesWithYes(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	s.must(t, "nightly")
	before := s.must(t, "findings", "list", "--json")
	run := s.lastRun(t)
	chosen := s.findings(t, "--code", "orphan-topup", "--severity", "high")
	if len(chosen) < 2 {
		t.Fatalf("only %d to choose", len(chosen))
	}
	bulk := []string{"findings", "accept", "--code", "orphan-topup", "--severity", "high", "--reason", "the pilot", "--by", "ann"}
	for _, args := range [][]string{bulk, append(slices.Clone(bulk), "--dry-run"), append(slices.Clone(bulk), "--dry-run", "--yes"), {"findings", "ack", slices.Sorted(maps.Keys(chosen))[0], "--dry-run"}} {
		got := s.must(t, args...)
		if !strings.Contains(got, "would change") {
			t.Errorf("%v: %s", args, got)
		}
		if after := s.must(t, "findings", "list", "--json"); after != before || s.lastRun(t) != run {
			t.Fatalf("%v changed something", args)
		}
	}
	if got := s.must(t, bulk...); !strings.Contains(got, "--yes") {
		t.Errorf("it does not say what to add: %s", got)
	}
	var result acted
	if err := json.Unmarshal([]byte(s.must(t, append(slices.Clone(bulk), "--yes", "--json")...)), &result); err != nil {
		t.Fatal(err)
	}
	if result.Changed != len(chosen) || result.DryRun || result.RunID == 0 {
		t.Errorf("%+v", result)
	}
	for id, f := range s.findings(t) {
		_, want := chosen[id]
		if got := f.Status == string(schema.Accepted); got != want {
			t.Errorf("%s (%s, %s) is %s", id, f.Code, f.Severity, f.Status)
		}
	}
	run = s.lastRun(t)
	if got := s.must(t, append(slices.Clone(bulk), "--yes")...); !strings.Contains(got, "0 findings changed") || s.lastRun(t) != run {
		t.Errorf("a second time: %s", got)
	}
	if got := s.must(t, "findings", "ack", "--code", "orphan-topup", "--yes"); !strings.Contains(got, "stay as before: it is accepted; reopen it first") {
		t.Errorf("accepted ones were not passed over: %s", got)
	}
	s.must(t, "verify")
}

func TestFindings_WrongUsageChangesNothing(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	s.must(t, "nightly")
	ids := slices.Sorted(maps.Keys(s.findings(t)))
	before := s.must(t, "findings", "list", "--json")
	run := s.lastRun(t)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{exitUsage, "open, acknowledged, accepted, resolved", []string{"list", "--status", "closed"}},
		{exitUsage, "limit-breach, orphan-topup, balance-drift", []string{"list", "--code", "limit"}},
		{exitUsage, "bill-main, bitnob-main, slash-main, whop-main", []string{"list", "--source", "bill"}},
		{exitUsage, "low, medium, high", []string{"list", "--severity", "huge"}},
		{exitFailed, "tieout status", []string{"list", "--as-of-run", "999"}},
		{exitUsage, "low, medium, high", []string{"ack", "--severity", "huge", "--yes"}},
		{exitUsage, "bill-main", []string{"links", "--source", "bill"}},
		{exitUsage, "F-none", []string{"ack", ids[0], "F-none"}},
		{exitUsage, "begin so", []string{"ack", ids[0], "F-"}},
		{exitUsage, "begin so", []string{"show", "F-"}},
		{exitUsage, "", []string{"ack", ids[0], ""}},
		{exitUsage, "--status", []string{"ack"}},
		{exitUsage, "not both", []string{"ack", ids[0], "--code", "orphan-topup"}},
		{exitUsage, "FINDING_ID", []string{"confirm"}},
		{exitUsage, "--code", []string{"confirm", "--code", "orphan-topup"}},
		{exitUsage, "--reason", []string{"accept", ids[0]}},
		{exitUsage, "--reason", []string{"accept", ids[0], "--reason", " \n"}},
		{exitUsage, "--reason", []string{"reopen", ids[0]}},
		{exitUsage, "--to", []string{"assign", ids[0]}},
		{exitUsage, "100 characters", []string{"assign", ids[0], "--to", strings.Repeat("x", 101)}},
		{exitUsage, "4000 characters", []string{"ack", ids[0], "--note", strings.Repeat("x", 4001)}},
		{exitUsage, "program", []string{"ack", ids[0], "--by", "tieout"}},
	} {
		code, stdout, stderr := s.run(t, append([]string{"findings"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("findings %q: exit %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
	// One that cannot be done keeps the others from being done.
	open, proposal := "", ""
	for _, id := range ids {
		if d := s.shown(t, id); d.Proposal == nil {
			open = id
		} else {
			proposal = id
		}
	}
	if code, _, stderr := s.run(t, "findings", "confirm", proposal, open); proposal == "" || code != exitFailed || !strings.Contains(stderr, open) {
		t.Errorf("confirmed what proposes nothing: exit %d\n%s", code, stderr)
	}
	if after := s.must(t, "findings", "list", "--json"); after != before || s.lastRun(t) != run {
		t.Error("something was changed")
	}
}

func TestFindings_Proposal(t *testing.T) {
	start := func(t *testing.T) (*site, findingLine) {
		s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
		s.must(t, "nightly")
		return s, s.one(t, "no-provider-topup", "medium")
	}
	t.Run("IsShownWithBothSides", func(t *testing.T) {
		s, f := start(t)
		p := s.shown(t, f.ID).Proposal
		if p == nil || p.EntryID != f.EntryID || p.FundingAmount != f.Expected || p.EntryAmount != f.Expected || p.EntryRef == "" ||
			p.EntryRef == p.Reference || p.FundingLine == 0 || p.Decision != "" {
			t.Errorf("%+v", p)
		}
		text := s.must(t, "findings", "show", f.ID)
		for _, words := range []string{p.EntryRef, "findings confirm " + f.ID, "findings refuse " + f.ID} {
			if !strings.Contains(text, words) {
				t.Errorf("show does not say %q:\n%s", words, text)
			}
		}
		if links := s.must(t, "findings", "links"); !strings.Contains(links, "stated") || !strings.Contains(links, "proposed") {
			t.Errorf("%s", links)
		}
	})
	t.Run("ConfirmedIsAMatch", func(t *testing.T) {
		s, f := start(t)
		s.must(t, "findings", "confirm", f.ID, "--by", "ann", "--note", "asked the treasury")
		if d := s.shown(t, f.ID); d.Status != string(schema.Acknowledged) || d.Proposal.Decision != "confirmed by ann" {
			t.Errorf("%+v", d)
		}
		before := s.findings(t)
		s.must(t, "reconcile")
		after := s.findings(t)
		if after[f.ID].Status != string(schema.Resolved) || len(after) != len(before) {
			t.Errorf("%+v, %d findings became %d", after[f.ID], len(before), len(after))
		}
		if links := s.must(t, "findings", "links", "--source", "bitnob-main"); !strings.Contains(links, "confirmed by ann") || strings.Contains(links, "cleared") {
			t.Errorf("%s", links)
		}
		// It can be taken back.
		s.must(t, "findings", "refuse", f.ID, "--by", "ann")
		s.must(t, "reconcile")
		if got := s.findings(t)[f.ID]; got.Status != string(schema.Open) || got.Severity != "high" || got.EntryID != "" {
			t.Errorf("%+v", got)
		}
		s.must(t, "verify")
	})
	t.Run("RefusedIsNeverProposedAgain", func(t *testing.T) {
		s, f := start(t)
		s.must(t, "findings", "refuse", f.ID, "--by", "ann")
		s.must(t, "nightly")
		alone := false
		for _, other := range s.findings(t) {
			alone = alone || other.Reason == "no-funding-record" && other.EntryID == f.EntryID
			if other.Reason == "no-provider-topup" && other.EntryID != "" && other.Status != string(schema.Resolved) {
				t.Errorf("%s proposes %s", other.ID, other.EntryID)
			}
		}
		if got := s.findings(t)[f.ID]; !alone || got.Status != string(schema.Open) || got.Severity != "high" {
			t.Errorf("%+v", got)
		}
	})
}

func TestFindings_WhatOthersWroteIsPrintedOnOneLineAndHarmless(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	s.must(t, "nightly")
	id := slices.Sorted(maps.Keys(s.findings(t)))[0]
	s.must(t, "findings", "ack", id, "--by", "ann\nresolved", "--note", "a\n2026-01-01  accept  accepted  bob\x1b[2J\u202e")
	text := s.must(t, "findings", "show", id)
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Contains(text, "\n2026-01-01") {
		t.Errorf("%q", text)
	}
	if d := s.shown(t, id); d.History[1].By != "ann resolved" || d.History[1].Note != "a\n2026-01-01  accept  accepted  bob\x1b[2J\u202e" {
		t.Errorf("%+v", d.History[1])
	}
}
