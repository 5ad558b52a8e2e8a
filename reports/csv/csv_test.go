package csv

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema/money"
)

func rows(all ...[]any) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func written(t *testing.T, tab table.Table) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, tab); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	jpy, err := money.Lookup("JPY")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cell any
		want string
	}{
		{"NegativeAmountStaysANumber", money.FromMinor(-1250, money.USD()), "-12.50"},
		{"AmountWithoutMinorUnits", money.FromMinor(1200, jpy), "1200"},
		{"UnknownAmountIsEmpty", money.Amount{}, ""},
		{"NegativeDecimalStaysANumber", table.Decimal("-0.125"), "-0.125"},
		{"Count", int64(-3), "-3"},
		{"InstantIsUTC", time.Date(2026, 8, 1, 8, 0, 0, 0, time.FixedZone("", -4*3600)), "2026-08-01T12:00:00Z"},
		{"InstantKeepsMicroseconds", time.Date(2026, 8, 1, 12, 0, 0, 250_000_000, time.UTC), "2026-08-01T12:00:00.25Z"},
		{"UnknownInstantIsEmpty", time.Time{}, ""},
		{"NilIsEmpty", nil, ""},
		{"Word", table.Word{Text: "high", Tone: table.Bad}, "high"},
		{"Formula", "=1+1", "'=1+1"},
		{"Plus", "+1", "'+1"},
		{"Minus", "-1", "'-1"},
		{"At", "@SUM(A1)", "'@SUM(A1)"},
		{"Tab", "\t=1", "'\t=1"},
		{"CarriageReturnIsKept", "\r=1", `"'` + "\r" + `=1"`},
		{"LineFeedIsKept", "\n=1", `"'` + "\n" + `=1"`},
		{"ControlCharactersAreReplaced", "\x00=1\x1b[31m\x07\x7f\u0085", "\uFFFD=1\uFFFD[31m\uFFFD\uFFFD\uFFFD"},
		{"TabAndLineEndsAreKept", "a\tb\nc\r\nd", "\"a\tb\nc\r\nd\""},
		{"FullWidthSign", "＝1", "'＝1"},
		{"FormulaInTheMiddleIsText", "a=1", "a=1"},
		{"Apostrophe", "'=1", "'=1"},
		{"QuotesAndCommas", `say "hi", all`, `"say ""hi"", all"`},
		{"FormulaWithComma", "=A1,B1", `"'=A1,B1"`},
		{"SpaceAtTheEdgeIsQuoted", " x", `" x"`},
		{"BrokenUTF8", "a\xffb", "a\uFFFDb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := written(t, table.Table{Name: "x", Columns: []table.Column{{Name: "a"}, {Name: "b"}}, Len: 1, Rows: rows([]any{c.cell, "end"})})
			if want := "a,b\r\n" + c.want + ",end\r\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestWrite_Shape(t *testing.T) {
	broken := errors.New("disk")
	two := []table.Column{{Name: "a"}, {Name: "b"}}
	t.Run("HeaderStandsWithoutRows", func(t *testing.T) {
		if got := written(t, table.Table{Name: "x", Columns: two, Rows: rows()}); got != "a,b\r\n" {
			t.Errorf("got %q", got)
		}
	})
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		tab  table.Table
		want string
	}{
		{"RowOfAnotherWidth", t.Context(), table.Table{Name: "x", Columns: two, Len: 1, Rows: rows([]any{"1"})}, "write x.csv: row 1: 1 cells for 2 columns"},
		{"CellOfAnUnknownType", t.Context(), table.Table{Name: "x", Columns: two, Len: 1, Rows: rows([]any{"1", 1})}, "write x.csv: row 1, b: a cell of type int"},
		{"FewerRowsThanCounted", t.Context(), table.Table{Name: "x", Columns: two, Len: 2, Rows: rows([]any{"1", "2"})}, "write x.csv: 1 rows where 2 were counted"},
		{"ErrorOfARow", t.Context(), table.Table{Name: "x", Columns: two, Len: 1, Rows: func(yield func([]any, error) bool) { yield(nil, broken) }}, "write x.csv: row 1: disk"},
		{"Cancelled", cancelled, table.Table{Name: "x", Columns: two, Len: 1, Rows: rows([]any{"1", "2"})}, "write x.csv: row 1: context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := Write(c.ctx, &bytes.Buffer{}, c.tab); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// FuzzWrite reads back with another reader what was written: text keeps its bytes but for one apostrophe and what is no
// UTF-8, and no field can start a formula.
func FuzzWrite(f *testing.F) {
	for _, s := range []string{"", "=1+1", "a\r\nb", "\"", "\x00", " x ", "＝1", "\xff", ",", "'"} {
		f.Add(s, s+"x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		got := written(t, table.Table{Name: "x", Columns: []table.Column{{Name: "a"}, {Name: "b"}}, Len: 1, Rows: rows([]any{a, b})})
		back, err := csv.NewReader(strings.NewReader(got)).ReadAll()
		if err != nil {
			t.Fatalf("%q: %v", got, err)
		}
		if len(back) != 2 {
			t.Fatalf("%q: %d lines", got, len(back))
		}
		for i, text := range []string{a, b} {
			// The reader makes \n of every \r\n, inside of fields too.
			want := strings.ReplaceAll(table.PlainText(text), "\r\n", "\n")
			field := back[1][i]
			if field != want && field != "'"+want {
				t.Errorf("%q became %q", want, field)
			}
			if strings.HasPrefix(field, "=") || strings.HasPrefix(field, "+") || strings.HasPrefix(field, "-") || strings.HasPrefix(field, "@") {
				t.Errorf("%q starts a formula", field)
			}
		}
		if diff := cmp.Diff([]string{"a", "b"}, back[0]); diff != "" {
			t.Error(diff)
		}
	})
}
