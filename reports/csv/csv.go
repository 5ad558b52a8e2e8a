// Package csv writes tables for machines: RFC 4180 with CRLF, UTF-8 without a byte order mark, the header always.
//
// The writer is our own because encoding/csv with CRLF drops carriage returns inside of a field and rewrites its line
// feeds; here a quoted field keeps every byte.
package csv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

// Write writes one table. A text that a spreadsheet could take for a formula gets one leading apostrophe; numbers and
// instants are never touched.
func Write(ctx context.Context, w io.Writer, t table.Table) error {
	if err := write(ctx, w, t); err != nil {
		return fmt.Errorf("write %s.csv: %w", t.Name, err)
	}
	return nil
}

func write(ctx context.Context, w io.Writer, t table.Table) error {
	out := bufio.NewWriterSize(w, 1<<16)
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = c.Name
	}
	put(out, line)
	rows := 0
	for row, err := range t.Rows {
		rows++
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", rows, err)
		}
		if len(row) != len(t.Columns) {
			return fmt.Errorf("row %d: %d cells for %d columns", rows, len(row), len(t.Columns))
		}
		for i, v := range row {
			if line[i], err = format(v); err != nil {
				return fmt.Errorf("row %d, %s: %w", rows, t.Columns[i].Name, err)
			}
		}
		put(out, line)
	}
	if rows != t.Len {
		return fmt.Errorf("%d rows where %d were counted", rows, t.Len)
	}
	return out.Flush()
}

// format is the text of a cell.
func format(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return neutral(v), nil
	case table.Word:
		return neutral(v.Text), nil
	case money.Amount:
		return v.String(), nil
	case table.Decimal:
		return string(v), nil
	case table.Date:
		return string(v), nil
	case table.Foot:
		return format(v.Value)
	case table.Calc:
		return format(v.Value)
	case int64:
		return strconv.FormatInt(v, 10), nil
	case time.Time:
		if v.IsZero() {
			return "", nil
		}
		return v.UTC().Format(time.RFC3339Nano), nil
	}
	return "", fmt.Errorf("a cell of type %T", v)
}

// formulaStarts are what a spreadsheet may take for the start of a formula or skip before one, full-width signs included.
var formulaStarts = []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}

// neutral puts an apostrophe before text that a spreadsheet could take for a formula, and takes control characters out of it. Quotes do
// not help: LibreOffice computes "=1+1" in quotes.
func neutral(s string) string {
	s = table.PlainText(s)
	for _, start := range formulaStarts {
		if strings.HasPrefix(s, start) {
			return "'" + s
		}
	}
	return s
}

// put writes one line. Errors stay in out and come back from Flush.
func put(out *bufio.Writer, line []string) {
	for i, s := range line {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if strings.ContainsAny(s, ",\"\r\n") || strings.TrimSpace(s) != s {
			s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		_, _ = out.WriteString(s)
	}
	_, _ = out.WriteString("\r\n")
}
