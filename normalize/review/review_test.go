package review

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/normalize/workbook"
	"github.com/tieout/tieout/schema"
)

type page struct {
	name string
	rows [][]any
}

func bookOf(t testing.TB, pages ...page) []byte {
	t.Helper()
	file := excelize.NewFile()
	defer file.Close()
	for i, p := range pages {
		if i == 0 {
			if err := file.SetSheetName("Sheet1", p.name); err != nil {
				t.Fatal(err)
			}
		} else if _, err := file.NewSheet(p.name); err != nil {
			t.Fatal(err)
		}
		for n, row := range p.rows {
			if err := file.SetSheetRow(p.name, fmt.Sprintf("A%d", n+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := file.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(data []byte, limits Limits) ([]schema.ReviewRow, error) {
	return Read(bytes.NewReader(data), int64(len(data)), limits)
}

func limits(rows ...[]any) page {
	head := []any{"Finding", "Severity", "Limit", "Spent", "Disposition", "Reviewer", "Note"}
	return page{"Limit breaches", append([][]any{head}, rows...)}
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		pages []page
		want  []schema.ReviewRow
	}{
		"WhatWasWritten": {
			[]page{limits(
				[]any{"F-1", "high", 10, 1999, "accept", " Ann\nLee ", " because\nof it "},
				[]any{"F-2", "high", 10, 11},
				[]any{"F-3", "high", 10, 11, "", "Ann"},
				[]any{"F-4", "high", 10, 11, "", "", "what is this?"},
				[]any{nil, nil, 30, 41, "", "", "a note of my own"},
			)},
			[]schema.ReviewRow{
				{Sheet: "Limit breaches", Line: 2, FindingID: "F-1", Disposition: "accept", Reviewer: "Ann Lee", Note: "because\nof it", Expected: "10", Actual: "1999", Severity: "high"},
				{Sheet: "Limit breaches", Line: 5, FindingID: "F-4", Note: "what is this?", Expected: "10", Actual: "11", Severity: "high"},
			},
		},
		"ColumnsWhereverTheyStand": {
			[]page{{"Balance drift", [][]any{
				{"Acme Inc."},
				{},
				{"mine", "Note", "Reviewer", "Disposition", "Unexplained", "Provider", "Ledger", "Severity", "Finding", "mine"},
				{"x", "n", "r", "accept", -1, 2, 3, "low", "F-1", "x"},
			}}},
			[]schema.ReviewRow{{Sheet: "Balance drift", Line: 4, FindingID: "F-1", Disposition: "accept", Reviewer: "r", Note: "n", Expected: "3", Actual: "2", Unexplained: "-1", Severity: "low"}},
		},
		"SheetsThatGoOn": {
			[]page{
				{"Cover", [][]any{{"Finding"}}},
				{"Other findings", nil},
				{"Other findings 2", [][]any{{"Finding", "Severity", "Expected", "Actual", "Disposition", "Reviewer", "Note"}, {"F-1", "low", "", "", "reopen"}}},
				{"Other findings of mine", [][]any{{"x"}}},
			},
			[]schema.ReviewRow{{Sheet: "Other findings 2", Line: 2, FindingID: "F-1", Disposition: "reopen", Severity: "low"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(bookOf(t, c.pages...), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRead_Refuses(t *testing.T) {
	filled := []any{"F-1", "high", 10, 11, "accept", "Ann", "x"}
	renamed := func(column, name string) page {
		p := limits(filled)
		for i, cell := range p.rows[0] {
			if cell == column {
				p.rows[0][i] = name
			}
		}
		return p
	}
	far := make([][]any, 200)
	far[150] = limits().rows[0]
	far[0] = []any{"x"}
	far[120] = []any{"x"}
	for name, c := range map[string]struct {
		data   []byte
		says   string
		limits Limits
	}{
		"NoWorkbook":      {[]byte("finding_id,code\n"), "not a workbook", Limits{}},
		"NoReport":        {bookOf(t, page{"Sheet1", [][]any{{"Finding"}}}), "not a report", Limits{}},
		"NoHeaders":       {bookOf(t, page{"Balance drift", [][]any{{"x"}}}), `"Finding"`, Limits{}},
		"HeadersFarBelow": {bookOf(t, page{"Limit breaches", far}), `"Finding"`, Limits{}},
		"NoFigures":       {bookOf(t, renamed("Spent", "Outgoings")), `no column "Spent"`, Limits{}},
		"NoReviewer":      {bookOf(t, renamed("Reviewer", "Checked by")), `no column "Reviewer"`, Limits{}},
		"TwoNotes":        {bookOf(t, page{"Limit breaches", [][]any{append(limits().rows[0], "Note")}}), "two columns", Limits{}},
		"ALargeFile":      {bookOf(t, limits(filled)), "larger than 100 bytes", Limits{Bytes: 100}},
		"ManyRows":        {bookOf(t, limits(filled, filled)), "more than 1 rows", Limits{Rows: 1}},
		"ALargeSheet":     {bookOf(t, limits(filled)), "larger than 100 bytes", Limits{Workbook: workbook.Limits{Part: 100}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(c.data, c.limits)
			if err == nil || got != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v; want %q", got, err, c.says)
			}
		})
	}
}
