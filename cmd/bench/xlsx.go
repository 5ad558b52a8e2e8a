package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/reports/xlsx"
)

// Both writers of a workbook read the same cells from the same file: a line a row, a tab between cells, times as seconds since
// 1970, amounts as cents. They write the same sheet of twelve columns, times and amounts as numbers with a format.

//go:embed testdata/xlsx.c.txt
var xlsxProgram string

// xlsxRows is how many rows the sheet gets at most.
const xlsxRows = 500_000

func (s site) cells() (err error) {
	file, err := os.Create(s.path(cellsFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriterSize(file, 1<<20)
	entries, _ := s.of()
	rows := 0
	for n := range entries {
		for _, p := range s.providers() {
			if rows++; rows > xlsxRows {
				break
			}
			e := s.entry(p, n)
			posted := int64(0)
			if !e.PostedAt.IsZero() {
				posted = e.PostedAt.Unix()
			}
			fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", e.OccurredAt.Unix()/86400, e.OccurredAt.Unix(), posted,
				e.Source, e.CardLast4, e.Kind, e.Status, e.Amount.Minor(), "USD", e.Merchant, e.MerchantCategory, e.ExternalID)
		}
	}
	return w.Flush()
}

// xlsxCells writes the sheet.
func xlsxCells(ctx context.Context, s site) (err error) {
	out, err := os.Create(s.path("ours.xlsx"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	column := func(name string, kind table.Kind, width int) table.Column {
		return table.Column{Name: name, Kind: kind, Width: width}
	}
	sheet := table.Table{Name: "Ledger", Len: min(s.all(), xlsxRows), Rows: s.sheet(), Columns: []table.Column{
		column("Day", table.Day, 11), column("Occurred", table.Instant, 18), column("Posted", table.Instant, 18), column("Source", table.Text, 13),
		column("Last 4", table.Text, 8), column("Kind", table.Text, 11), column("Status", table.Text, 11), column("Amount", table.Amount, 14),
		column("Currency", table.Text, 9), column("Merchant", table.Text, 32), column("Category", table.Text, 16), column("Entry id", table.Text, 40),
	}}
	book := table.Book{Title: "Bench", Entity: "Bench", Period: "all", Version: "bench", At: s.now(), Zone: time.UTC, Sheets: []table.Sheet{{Table: &sheet}}}
	return xlsx.Writer{TempDir: s.dir}.Write(ctx, out, book)
}

// sheet reads the rows.
func (s site) sheet() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		file, err := os.Open(s.path(cellsFile))
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = file.Close() }() // nothing was written
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			cells, err := typed(lines.Bytes())
			if !yield(cells, err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// typed makes the cells of a line.
func typed(line []byte) ([]any, error) {
	var cells []any
	for i := 0; ; i++ {
		text, rest, more := bytes.Cut(line, []byte{'\t'})
		var cell any = string(text)
		if i < 3 || i == 7 {
			n, err := strconv.ParseInt(string(text), 10, 64)
			if err != nil {
				return nil, err
			}
			switch {
			case i == 0:
				cell = table.Date(time.Unix(n*86400, 0).UTC().Format(time.DateOnly))
			case i == 7:
				cell = usd(n)
			case n == 0:
				cell = nil
			default:
				cell = time.Unix(n, 0).UTC()
			}
		}
		cells = append(cells, cell)
		if !more {
			return cells, nil
		}
		line = rest
	}
}

// libxlsxwriter is the same sheet, written in C.
func (s site) libxlsxwriter() contender {
	program, source, out := s.path("xlsx"), s.path("xlsx.c"), s.path("theirs.xlsx")
	return contender{
		name: "libxlsxwriter, constant_memory", wrote: []string{out},
		absent: func(ctx context.Context) string {
			if missing := tool("cc")(ctx); missing != "" {
				return missing
			}
			if err := writeAll(map[string]string{source: xlsxProgram}); err != nil {
				return err.Error()
			}
			if text, err := exec.CommandContext(ctx, "cc", "-O2", "-o", program, source, "-lxlsxwriter").CombinedOutput(); err != nil { //nolint:gosec // ours
				return "it cannot be compiled: " + firstLine(text)
			}
			return ""
		},
		command: func(ctx context.Context) *exec.Cmd { return exec.CommandContext(ctx, program, s.path(cellsFile), out) }, //nolint:gosec // made here
	}
}

func firstLine(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	return string(line)
}
