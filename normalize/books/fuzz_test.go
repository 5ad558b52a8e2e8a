package books

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
)

func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		head + "ACME-1,1250.00,USD,2026-08-01T09:30:00Z,card_1,bitnob-main,first\nACME-1,1250.00,USD,2026-08-01,,,\n",
		"\ufeffSent_At,currency,amount,reference\r\n2026-08-01,jpy,12,\"a \"\"b\"\"\n\"\r\n",
		"reference;amount\n", head + "\"\n", head + "a\"b,1,USD\n", "reference,amount,currency,sent_at\nR,0.10,BHD,0000-01-01\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "f.csv", data) })
}

func FuzzReadWorkbook(f *testing.F) {
	f.Add(workbookOf(f, false, columns, []string{"R", "#19.989999999999998", "usd", "#46235"}, []string{"S", "x", "USD", "2026-08-01"}))
	f.Add(workbookOf(f, true, columns, nil, []string{"R", "#5", "EUR", "2026-08-01T00:00:00Z"}))
	f.Fuzz(func(t *testing.T, data []byte) { check(t, "f.xlsx", data) })
}

// FuzzReadWorkbookParts fuzzes the parts that a zip hides from the fuzzer.
func FuzzReadWorkbookParts(f *testing.F) {
	whole := workbookOf(f, false, columns, []string{"R", "#19.989999999999998", "usd", "#46235"}, []string{"S", "x", "USD", "2026-08-01"})
	const sheet, texts, book = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/workbook.xml"
	var seed [3]string
	for i, name := range []string{sheet, texts, book} {
		rewritten(f, whole, name, func(s string) string { seed[i] = s; return s })
	}
	f.Add(seed[0], seed[1], seed[2])
	f.Fuzz(func(t *testing.T, a, b, c string) {
		data := rewritten(t, whole, sheet, func(string) string { return a })
		data = rewritten(t, data, texts, func(string) string { return b })
		check(t, "f.xlsx", rewritten(t, data, book, func(string) string { return c }))
	})
}

// FuzzWorkbookCells fuzzes what becomes of one cell.
func FuzzWorkbookCells(f *testing.F) {
	for _, cell := range []string{"19.989999999999998", "12.499999999999999", "1E-2", "46235", "46235.0", "99999", "-0", "1e99", "00012345678901234567890"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		if short := cellDecimal(cell); short != cell && cellDecimal(short) != short {
			t.Errorf("%q was read as %q, and that as %q", cell, short, cellDecimal(short))
		}
		for _, date1904 := range []bool{false, true} {
			if date := cellDate(cell, date1904); date != cell {
				if _, err := time.Parse(time.DateOnly, date); err != nil {
					t.Errorf("%q was read as the date %q", cell, date)
				}
			}
		}
	})
}

// check holds a reader to what callers rely on, whatever the file holds.
func check(t *testing.T, name string, data []byte) {
	fundings, refused, err := Read(name, bytes.NewReader(data), time.UTC, Limits{Bytes: 1 << 20, Inflated: 4 << 20, Rows: 1000})
	if err != nil && len(fundings)+len(refused) > 0 {
		t.Fatalf("an error and yet %d fundings and %d refused lines", len(fundings), len(refused))
	}
	ids := map[string]bool{}
	for _, f := range fundings {
		if f.Amount.Sign() <= 0 || f.Reference == "" || f.Reference != strings.TrimSpace(f.Reference) ||
			f.SentAt.Before(schema.Beginning) || f.Line < 1 || f.File != name || !utf8.ValidString(f.Reference+f.Note) {
			t.Fatalf("funding that must not be: %+v", f)
		}
		if ids[f.ID] {
			t.Fatalf("two fundings of one file with the identity %s", f.ID)
		}
		ids[f.ID] = true
	}
	for _, e := range refused {
		if e.Line < 1 || e.Reason == "" || len(e.Error()) > 400 {
			t.Fatalf("refusal without line or reason, or too long: %v", e)
		}
	}
}
