package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// changesOutput is what `tieout changes --json` prints.
type changesOutput struct {
	Since    int64          `json:"since_run"`
	Entries  []changeLine   `json:"entries"`
	Totals   []monthLine    `json:"totals"`
	Accepted []acceptedLine `json:"accepted_findings"`
}

// TestChanges_AreThoseThatHappened has BILL restate one purchase, drop one and list one late. The command and the next report
// say so, with what it does to the sums, which are held against the ledger.csv of both nights, and that a finding which
// somebody accepted is concerned.
func TestChanges_AreThoseThatHappened(t *testing.T) {
	t.Parallel()
	e := &editing{}
	s := newSite(t, sandbox.Config{Seed: 2, Cards: 24, Transactions: 150}, e.wrap)
	rows := map[string]string{} // by what becomes of them
	var purchases []sandbox.Row
	for _, r := range s.world.Rows() {
		if r.Source == "bill-main" && r.Kind == schema.Purchase && r.Status == schema.Posted && r.Occurred.Before(testNow.AddDate(0, 0, -3)) && r.Occurred.After(testNow.AddDate(0, 0, -25)) {
			purchases = append(purchases, r)
		}
	}
	rows["late"], rows["gone"] = purchases[0].EntryID, purchases[1].EntryID
	of := func(row map[string]any, what string) bool { return rows[what] == "bill-main/"+fmt.Sprint(row["uuid"]) }
	night := func(name string) (byID map[string]map[string]string) {
		t.Helper()
		s.mustNow(t, "sync")
		s.mustNow(t, "reconcile")
		s.mustNow(t, "report", "--from", "2026-05-01", "--to", "2026-09-30", "--out", filepath.Join(s.dir, name))
		byID = map[string]map[string]string{}
		for _, row := range table(t, filepath.Join(s.dir, name, "ledger.csv")) {
			byID[row["entry_id"]] = row
		}
		return byID
	}
	e.change = func(row map[string]any) bool { return of(row, "late") }
	before := night("first")
	accepted := ""
	for id, f := range s.findings(t, "--source", "bill-main", "--severity", "high") {
		for _, entry := range f.Evidence {
			if slices.ContainsFunc(purchases[2:], func(r sandbox.Row) bool { return r.EntryID == entry }) && entry > rows["changed"] {
				accepted, rows["changed"] = id, entry
			}
		}
	}
	s.mustNow(t, "findings", "accept", accepted, "--by", "ann", "--reason", "known")
	since := s.lastRun(t)

	e.change = func(row map[string]any) bool {
		if of(row, "changed") {
			row["amount"] = json.Number("99999.01")
		}
		return of(row, "gone")
	}
	if err := s.world.Advance(time.Minute); err != nil {
		t.Fatal(err)
	}
	after := night("second")
	var got changesOutput
	if err := json.Unmarshal([]byte(s.mustNow(t, "changes", "--since-run", since, "--json")), &got); err != nil {
		t.Fatal(err)
	}

	t.Run("Entries", func(t *testing.T) {
		want, have := []string{"vanished " + rows["gone"]}, []string{}
		for id, row := range after {
			switch was, known := before[id]; {
			case !known:
				want = append(want, "came "+id)
			case !cmp.Equal(row, was):
				want = append(want, "changed "+id)
			}
		}
		for _, c := range got.Entries {
			have = append(have, fmt.Sprint(c.Kind, " ", c.EntryID))
		}
		slices.Sort(want)
		slices.Sort(have)
		if diff := cmp.Diff(want, have); diff != "" || len(want) < 3 {
			t.Errorf("ledger.csv of both nights (-), changes (+):\n%s", diff)
		}
	})
	t.Run("SumsOfTheMonths", func(t *testing.T) {
		sums := func(all map[string]map[string]string, month string) decimal.Decimal {
			sum := decimal.Zero
			for _, row := range all {
				if row["source"] == "bill-main" && strings.HasPrefix(row["occurred_at"], month) && (row["status"] == "posted" || row["status"] == "pending") {
					sum = sum.Add(decimal.RequireFromString(row["amount"]))
				}
			}
			return sum
		}
		for _, m := range got.Totals {
			b, a := sums(before, m.Month), sums(after, m.Month)
			if m.Source != "bill-main" || m.Before != b.StringFixed(2) || m.After != a.StringFixed(2) || m.Difference != a.Sub(b).StringFixed(2) {
				t.Errorf("%+v, want %s to %s", m, b, a)
			}
		}
		if len(got.Totals) == 0 || got.Totals[len(got.Totals)-1].Vanished == "0.00" {
			t.Errorf("%+v", got.Totals)
		}
	})
	t.Run("AcceptedFindings", func(t *testing.T) {
		if len(got.Accepted) == 0 || got.Accepted[0].ID != accepted || got.Accepted[0].Was != schema.Accepted || !slices.Contains(got.Accepted[0].Entries, rows["changed"]) {
			t.Errorf("%+v", got.Accepted)
		}
	})
	t.Run("AsText", func(t *testing.T) {
		text := s.mustNow(t, "changes", "--since-run", since)
		for _, words := range append([]string{"since run " + since, " 1 vanished, 0 returned", rows["late"], rows["gone"], `"-99999.01"`, "accepted findings", accepted}, got.Totals[0].Difference) {
			if !strings.Contains(text, words) {
				t.Errorf("it does not say %q:\n%s", words, text)
			}
		}
	})
	t.Run("InTheReport", func(t *testing.T) {
		var listed []string
		for _, row := range table(t, filepath.Join(s.dir, "second", "changes.csv")) {
			listed = append(listed, row["change"]+" "+row["entry_id"])
		}
		for _, c := range got.Entries {
			if !slices.Contains(listed, fmt.Sprint(c.Kind, " ", c.EntryID)) || len(listed) != len(got.Entries) {
				t.Errorf("changes.csv has %v, and not just %s %s", listed, c.Kind, c.EntryID)
			}
		}
		book, err := excelize.OpenFile(filepath.Join(s.dir, "second", "tieout.xlsx"))
		if err != nil {
			t.Fatal(err)
		}
		defer book.Close()
		for sheet, words := range map[string][]string{"Changes": {rows["late"], rows["gone"], rows["changed"]}, "Summary": {"Changes since the report before", accepted}} {
			cells, err := book.GetRows(sheet)
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range words {
				if !strings.Contains(fmt.Sprint(cells), word) {
					t.Errorf("the sheet %s does not say %q", sheet, word)
				}
			}
		}
	})
}
