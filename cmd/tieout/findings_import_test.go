package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// written is what a reviewer fills in beside a finding.
type written struct{ finding, disposition, reviewer, note string }

// fill opens the workbook of a report as Excel does, fills in rows, and saves it under another name.
func fill(t *testing.T, report, name string, rows ...written) string {
	t.Helper()
	file, err := excelize.OpenFile(filepath.Join(report, "tieout.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	left := len(rows)
	for _, kind := range schema.ReviewSheets() {
		lines, err := file.GetRows(kind.Name)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range lines[1:] {
			i := slices.IndexFunc(rows, func(w written) bool { return w.finding == line[0] })
			if i < 0 {
				continue
			}
			left--
			for header, text := range map[string]string{
				schema.ReviewDisposition: rows[i].disposition, schema.ReviewReviewer: rows[i].reviewer, schema.ReviewNote: rows[i].note,
			} {
				cell, err := excelize.CoordinatesToCellName(slices.Index(lines[0], header)+1, n+2)
				if err != nil {
					t.Fatal(err)
				}
				if err := file.SetCellStr(kind.Name, cell, text); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if left != 0 {
		t.Fatalf("%d findings are not in the workbook", left)
	}
	path := filepath.Join(report, name)
	if err := file.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// imported imports a workbook and returns what it printed as JSON.
func (s *site) imported(t *testing.T, want int, args ...string) pipeline.ReviewFile {
	t.Helper()
	code, stdout, stderr := s.run(t, append([]string{"findings", "import", "--json"}, args...)...)
	var result pipeline.ReviewFile
	if err := json.Unmarshal([]byte(stdout), &result); err != nil || code != want {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return result
}

func TestFindingsImport(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) (*site, string) {
		s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
		report := filepath.Join(s.dir, "out")
		s.must(t, "nightly", "--out", report)
		return s, report
	}
	t.Run("AppliesWhatWasWrittenOnce", func(t *testing.T) {
		t.Parallel()
		s, report := start(t)
		mismatch, breach, proposal := s.one(t, "amount-mismatch", "high"), s.one(t, "computed-over-limit", "high"), s.one(t, "no-provider-topup", "medium")
		drift := s.findings(t, "--code", "balance-drift")
		ids := slices.Sorted(func(yield func(string) bool) {
			for id := range drift {
				if !yield(id) {
					return
				}
			}
		})
		filled := fill(t, report, "filled.xlsx",
			written{mismatch.ID, "Accept", "Ann", "a fee\nof theirs"}, written{breach.ID, "acknowledge", "Bob", ""},
			written{proposal.ID, "confirm", "Ann", "asked the treasury"}, written{ids[0], "accept", "Ann", "known"})
		before := s.must(t, "findings", "list", "--json")
		if got := s.imported(t, exitDone, filled, "--dry-run"); got.Applied != 4 || got.RunID != 0 || !got.DryRun {
			t.Errorf("dry run: %+v", got)
		}
		if after := s.must(t, "findings", "list", "--json"); after != before {
			t.Fatal("a dry run changed something")
		}
		got := s.imported(t, exitDone, filled)
		if got.Rows != 4 || got.Applied != 4 || got.Unchanged != 0 || len(got.Refused) != 0 || got.RunID == 0 {
			t.Errorf("%+v", got)
		}
		now := s.findings(t)
		for id, want := range map[string]schema.FindingStatus{
			mismatch.ID: schema.Accepted, breach.ID: schema.Acknowledged, proposal.ID: schema.Acknowledged, ids[0]: schema.Accepted,
		} {
			if now[id].Status != string(want) {
				t.Errorf("%s is %s, want %s", id, now[id].Status, want)
			}
		}
		if e := s.shown(t, mismatch.ID).History[1]; e.By != "Ann" || e.Note != "a fee\nof theirs" || e.Origin != "filled.xlsx" {
			t.Errorf("%+v", e)
		}
		run := s.lastRun(t)
		if got := s.imported(t, exitDone, filled); got.Unchanged != 4 || got.Applied != 0 || got.RunID != 0 || s.lastRun(t) != run {
			t.Errorf("a second time: %+v", got)
		}
		s.must(t, "reconcile")
		s.must(t, "findings", "reopen", mismatch.ID, "--reason", "no, it is not", "--by", "eve")
		if got := s.imported(t, exitDone, filled); got.Applied != 0 || len(got.Notices) != 1 || !strings.Contains(got.Notices[0], mismatch.ID) {
			t.Errorf("after it was reopened: %+v", got)
		}
		if got := s.findings(t)[mismatch.ID]; got.Status != string(schema.Open) {
			t.Errorf("an old review accepted it again: %+v", got)
		}
		if text := s.must(t, "findings", "import", filled); !strings.Contains(text, "4 rows filled in, 0 applied, 4 unchanged, 0 refused") {
			t.Errorf("%s", text)
		}
		s.must(t, "verify")
	})
	t.Run("RefusesRowsAndAppliesTheOthers", func(t *testing.T) {
		t.Parallel()
		s, report := start(t)
		mismatch, breach, proposal := s.one(t, "amount-mismatch", "high"), s.one(t, "computed-over-limit", "high"), s.one(t, "no-provider-topup", "medium")
		stale, unnamed, wordless, odd := s.one(t, "currency-mismatch", "high"), s.one(t, "transaction-over-limit", "high"), s.one(t, "failed-at-provider", "high"), s.one(t, "pending-past-grace", "medium")
		filled := fill(t, report, "filled.xlsx",
			written{mismatch.ID, "accept", "Ann", ""}, written{breach.ID, "confirm", "Ann", ""}, written{proposal.ID, "acknowledge", "Ann", ""},
			written{stale.ID, "accept", "Ann", "fine"}, written{unnamed.ID, "acknowledge", "", ""}, written{wordless.ID, "", "Ann", "hm"}, written{odd.ID, "ignore", "Ann", ""})
		s.book(t, stale.Reference, "1.23")
		s.must(t, "sync")
		s.must(t, "reconcile")
		got := s.imported(t, exitPartial, filled)
		if got.Rows != 7 || got.Applied != 1 || len(got.Refused) != 6 {
			t.Errorf("%+v", got)
		}
		all := strings.Join(got.Refused, "\n")
		for id, why := range map[string]string{
			mismatch.ID: "reason in the column Note", breach.ID: "proposes no top-up", stale.ID: "is 1.23 now", unnamed.ID: "column Reviewer",
			wordless.ID: "choose one of", odd.ID: `"ignore"`,
		} {
			i := slices.IndexFunc(got.Refused, func(line string) bool { return strings.Contains(line, id) })
			if i < 0 || !strings.Contains(got.Refused[i], why) || !strings.Contains(got.Refused[i], "row ") {
				t.Errorf("%s is not refused because of %q:\n%s", id, why, all)
			}
		}
		for id, f := range s.findings(t) {
			if want := map[bool]schema.FindingStatus{true: schema.Acknowledged, false: schema.Open}[id == proposal.ID]; f.Status != string(want) {
				t.Errorf("%s is %s", id, f.Status)
			}
		}
		if code, _, stderr := s.run(t, "findings", "import", filled); code != exitPartial || !strings.Contains(stderr, "refused") {
			t.Errorf("exit %d: %s", code, stderr)
		}
	})
	t.Run("RefusesFilesThatAreNoReport", func(t *testing.T) {
		t.Parallel()
		s, report := start(t)
		text := filepath.Join(s.dir, "text.xlsx")
		if err := os.WriteFile(text, []byte("finding_id\nF-1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		other := excelize.NewFile()
		defer other.Close()
		if err := other.SaveAs(filepath.Join(s.dir, "other.xlsx")); err != nil {
			t.Fatal(err)
		}
		for file, want := range map[string]int{
			text: exitFailed, filepath.Join(s.dir, "other.xlsx"): exitFailed, filepath.Join(s.dir, "none.xlsx"): exitFailed, s.dir: exitFailed,
			filepath.Join(report, "findings.csv"): exitFailed,
		} {
			if code, _, stderr := s.run(t, "findings", "import", file); code != want || !strings.Contains(stderr, "import review") {
				t.Errorf("%s: exit %d: %s", file, code, stderr)
			}
		}
		if code, _, _ := s.run(t, "findings", "import"); code != exitUsage {
			t.Errorf("without a file: exit %d", code)
		}
		if got := s.imported(t, exitDone, filepath.Join(report, "tieout.xlsx")); got.Rows != 0 || got.RunID != 0 {
			t.Errorf("a report with nothing filled in: %+v", got)
		}
	})
}
