package books

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/schema"
)

const head = "reference,amount,currency,sent_at,card_id,source,note\n"

func newYork(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func mustRead(t *testing.T, name, content string) ([]schema.Funding, []LineError) {
	t.Helper()
	fundings, refused, err := Read(name, strings.NewReader(content), newYork(t), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return fundings, refused
}

// text is what a reader sees of a funding, without its identity.
func text(f schema.Funding) string {
	return fmt.Sprintf("%d: %s %s %s %s (%s, date only %t) card %q source %q note %q",
		f.Line, f.Reference, f.Amount, f.Amount.Currency(), f.SentAt.Format(time.RFC3339Nano), f.SentText, f.DateOnly, f.CardID, f.Source, f.Note)
}

func TestRead_CSV(t *testing.T) {
	cases := []struct{ name, content, want string }{
		{
			"AllColumns", head + "ACME-1,1250.00,USD,2026-08-01T09:30:00Z,card_1,bitnob-main,first top-up\n",
			`2: ACME-1 1250.00 USD 2026-08-01T09:30:00Z (2026-08-01T09:30:00Z, date only false) card "card_1" source "bitnob-main" note "first top-up"`,
		},
		{
			"DateIsTheStartOfTheDayInTheAccountingZone", head + "ACME-1,12.5,usd,2026-08-01,,,\n",
			`2: ACME-1 12.50 USD 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note ""`,
		},
		{
			"DateInWinterTime", head + "ACME-1,12.5,usd,2026-01-01,,,\n",
			`2: ACME-1 12.50 USD 2026-01-01T05:00:00Z (2026-01-01, date only true) card "" source "" note ""`,
		},
		{
			"OffsetTime", head + "ACME-1,1,USD,2026-08-01T09:30:00.5+02:00,,,\n",
			`2: ACME-1 1.00 USD 2026-08-01T07:30:00.5Z (2026-08-01T09:30:00.5+02:00, date only false) card "" source "" note ""`,
		},
		{
			"ColumnsInAnyOrderAndCase", "colour, Sent_At ,CURRENCY,amount,Reference\nred,2026-08-01,JPY,1200, ACME-1 \n",
			`2: ACME-1 1200 JPY 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note ""`,
		},
		{
			"ByteOrderMarkAndCRLF", "\ufeff" + strings.ReplaceAll(head, "\n", "\r\n") + "ACME-1,0.07,USD,2026-08-01,,,\r\n",
			`2: ACME-1 0.07 USD 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note ""`,
		},
		{
			"QuotedTextOverTwoLines", head + "\"ACME, \"\"1\"\"\",1234567.89,USD,2026-08-01,,,\"two\nlines\"\n",
			`2: ACME, "1" 1234567.89 USD 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note "two\nlines"`,
		},
		{
			"BlankLinesAreSkippedAndCounted", "\n,,\n" + head + "\n , ,,,,,\nACME-1,6.90,USD,2026-08-01,,,",
			`6: ACME-1 6.90 USD 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note ""`,
		},
		{
			"CaseOfReferenceIsKept", head + "acme-1,0.125,BHD,2026-08-01,,,\n",
			`2: acme-1 0.125 BHD 2026-08-01T04:00:00Z (2026-08-01, date only true) card "" source "" note ""`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fundings, refused := mustRead(t, "fundings.csv", c.content)
			if len(refused) > 0 || len(fundings) != 1 {
				t.Fatalf("%d fundings, refused %v; want one funding", len(fundings), refused)
			}
			if got := text(fundings[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRead_RefusesLinesAndReadsTheOthers(t *testing.T) {
	cases := []struct{ name, line, want string }{
		{"EmptyReference", " ,1,USD,2026-08-01,,,", "f.csv line 3: reference: empty; every line needs one"},
		{"EmptyAmount", "R,,USD,2026-08-01,,,", "f.csv line 3: amount: empty; every line needs one"},
		{"EmptyCurrency", "R,1,,2026-08-01,,,", "f.csv line 3: currency: empty; every line needs one"},
		{"EmptyTime", "R,1,USD,,,,", "f.csv line 3: sent_at: empty; every line needs one"},
		{"ExcessDigit", "R,10.005,USD,2026-08-01,,,", `f.csv line 3: amount: "10.005" has more digits than USD has (2); nothing is rounded`},
		{"YenWithDigits", "R,10.5,JPY,2026-08-01,,,", `f.csv line 3: amount: "10.5" has more digits than JPY has (0); nothing is rounded`},
		{"Zero", "R,0.00,USD,2026-08-01,,,", `f.csv line 3: amount: "0.00" is not positive; a funding is what was sent to the card`},
		{"Negative", "R,-5,USD,2026-08-01,,,", `f.csv line 3: amount: "-5" is not positive; a funding is what was sent to the card`},
		{"Separator", `R,"1,000.00",USD,2026-08-01,,,`, `f.csv line 3: amount: "1,000.00" is not decimal text; write it without separators, as 1250.00`},
		{"Symbol", `R,$10,USD,2026-08-01,,,`, `f.csv line 3: amount: "$10" is not decimal text; write it without separators, as 1250.00`},
		{"Exponent", `R,1e3,USD,2026-08-01,,,`, `f.csv line 3: amount: "1e3" is not decimal text; write it without separators, as 1250.00`},
		{"Huge", `R,99999999999999999999,USD,2026-08-01,,,`, `f.csv line 3: amount: a value of 20 characters is too large`},
		{"UnknownCurrency", "R,1,USDT,2026-08-01,,,", `f.csv line 3: currency: "USDT" is not an ISO 4217 currency; write a code such as USD`},
		{"OtherDate", "R,1,USD,08/01/2026,,,", `f.csv line 3: sent_at: "08/01/2026" is neither YYYY-MM-DD nor an RFC 3339 time with a zone, as 2026-08-01T09:30:00Z`},
		{"NoSuchDay", "R,1,USD,2026-02-29,,,", `f.csv line 3: sent_at: "2026-02-29" is neither YYYY-MM-DD nor an RFC 3339 time with a zone, as 2026-08-01T09:30:00Z`},
		{"TimeWithoutZone", "R,1,USD,2026-08-01T09:30:00,,,", `f.csv line 3: sent_at: a value of 19 characters is neither YYYY-MM-DD nor an RFC 3339 time with a zone, as 2026-08-01T09:30:00Z`},
		{"SerialDate", "R,1,USD,46235,,,", `f.csv line 3: sent_at: "46235" is neither YYYY-MM-DD nor an RFC 3339 time with a zone, as 2026-08-01T09:30:00Z`},
		{"LongAgo", "R,1,USD,1900-01-01,,,", `f.csv line 3: sent_at: "1900-01-01" is before 1970`},
		{"StrayComma", "R,1,000,USD,2026-08-01,,,", "f.csv line 3: 8 columns where the first line names 7; quote a text that holds a comma"},
		{"MissingColumns", "R,1,USD", "f.csv line 3: 3 columns where the first line names 7; quote a text that holds a comma"},
		{"BareQuote", `R"x,1,USD,2026-08-01,,,`, "f.csv line 3: quotes do not match; double a quote inside a quoted text"},
		{"Latin1", "R,1,USD,2026-08-01,,,caf\xe9", "f.csv line 3: note: not UTF-8; save the file as CSV UTF-8"},
		{"Nul", "R,1,USD,2026-08-01,,,a\x00b", "f.csv line 3: note: holds a control character; type it again"},
		{"LongCell", "R,1,USD,2026-08-01,,," + strings.Repeat("x", maxCell+1), "f.csv line 3: note: longer than 4096 bytes; shorten it"},
		{"CardNumber", "R,4242 4242 4242 4242,USD,2026-08-01,,,", "f.csv line 3: amount: a value of 19 characters is not decimal text; write it without separators, as 1250.00"},
		{"LongAmount", "R," + strings.Repeat("y", 4000) + ",USD,2026-08-01,,,", `f.csv line 3: amount: "yyyyyyyyyyyyyyyyyyyyyyyy…" is not decimal text; write it without separators, as 1250.00`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fundings, refused := mustRead(t, "f.csv", head+"A,1,USD,2026-08-01,,,\n"+c.line+"\nB,2,USD,2026-08-02,,,\n")
			if len(fundings) != 2 || fundings[0].Reference != "A" || fundings[1].Reference != "B" || fundings[1].Line != 4 {
				t.Errorf("fundings %v; want A and, from line 4, B", fundings)
			}
			if len(refused) != 1 || refused[0].Error() != c.want {
				t.Errorf("refused %v\nwant     [%s]", refused, c.want)
			}
		})
	}
}

func TestRead_NamesTheLinesThatAnOpenQuoteSwallows(t *testing.T) {
	_, refused := mustRead(t, "f.csv", head+"A,1,USD,2026-08-01,,,\"never closed\nB,2,USD,2026-08-02,,,\nC,3,USD,2026-08-02,,,\n")
	if len(refused) != 1 || refused[0].Line != 2 || !strings.Contains(refused[0].Reason, "to line 4") {
		t.Errorf("refused %v; want lines 2 to 4", refused)
	}
}

func TestRead_RefusesFiles(t *testing.T) {
	utf16 := "\xff\xfer\x00e\x00"
	cases := []struct{ name, file, content, want string }{
		{"Empty", "f.csv", "", "empty; its first line must name the columns"},
		{"OnlyBlankLines", "f.csv", "\n,,\n \n", "empty; its first line must name the columns"},
		{"NoReference", "f.csv", "amount,currency,sent_at\n", "line 1, which names the columns, has no reference"},
		{"NoHeader", "f.csv", "ACME-1,5,USD,2026-08-01\n", "line 1, which names the columns, has no reference"},
		{"ColumnTwice", "f.csv", "reference,amount,Amount,currency,sent_at\n", "line 1 names the column amount twice"},
		{"Semicolons", "f.csv", "reference;amount;currency;sent_at\n", "columns are separated by semicolons or tabs; save the file with commas"},
		{"Tabs", "f.csv", "reference\tamount\tcurrency\tsent_at\n", "columns are separated by semicolons or tabs; save the file with commas"},
		{"UTF16", "f.csv", utf16, "UTF-16; save the file as CSV UTF-8"},
		{"OtherKind", "f.ods", head, "neither .csv nor .xlsx; save the file as one of the two"},
		{"NotAWorkbook", "f.xlsx", head, "not a workbook that can be read: zip: not a valid zip file"},
		{"TooManyBytes", "f.csv", head + strings.Repeat("x", 1000), "larger than 1000 bytes; split the file"},
		{"TooManyRows", "f.csv", head + strings.Repeat("A,1,USD,2026-08-01,,,\n", 11), "more than 10 lines; split the file"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fundings, refused, err := Read(c.file, strings.NewReader(c.content), time.UTC, Limits{Bytes: 1000, Rows: 10})
			want := "read fundings (" + c.file + "): " + c.want
			if err == nil || err.Error() != want || len(fundings)+len(refused) > 0 {
				t.Errorf("error %v, %d fundings\nwant  %s", err, len(fundings), want)
			}
		})
	}
}

func TestRead_Identity(t *testing.T) {
	ids := func(name, content string) []string {
		fundings, refused := mustRead(t, name, content)
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		var ids []string
		for _, f := range fundings {
			ids = append(ids, f.ID)
		}
		return ids
	}
	base := ids("a.csv", head+"R,12.50,USD,2026-08-01,c,s,n\nR,12.50,USD,2026-08-01,c,s,n\n")
	if base[0] == base[1] || len(base[0]) != 64 {
		t.Errorf("two equal lines have the identities %v; want two, of 64 hexadecimal digits", base)
	}
	for name, content := range map[string]string{
		"OtherFileAndLine": "\n" + head + "R,12.50,USD,2026-08-01,c,s,n\nR,12.50,USD,2026-08-01,c,s,n\n",
		"OtherColumnOrder": "note,source,card_id,sent_at,currency,amount,reference,extra\nn,s,c,2026-08-01,usd,12.5,R,1\nn,s,c,2026-08-01,usd,12.500,R,2\n",
		"LineBetween":      head + "R,12.50,USD,2026-08-01,c,s,n\nQ,1,USD,2026-08-01,c,s,n\nR,12.50,USD,2026-08-01,c,s,n\n",
	} {
		t.Run("Survives"+name, func(t *testing.T) {
			got := ids("b.csv", content)
			if got[0] != base[0] || got[len(got)-1] != base[1] {
				t.Errorf("identities %v, want %v", got, base)
			}
		})
	}
	for name, line := range map[string]string{
		"Reference": "r,12.50,USD,2026-08-01,c,s,n", "Amount": "R,12.51,USD,2026-08-01,c,s,n", "Currency": "R,12.50,EUR,2026-08-01,c,s,n",
		"SentAt": "R,12.50,USD,2026-08-02,c,s,n", "Card": "R,12.50,USD,2026-08-01,d,s,n", "Source": "R,12.50,USD,2026-08-01,c,t,n",
		"Note": "R,12.50,USD,2026-08-01,c,s,m", "NeighbourColumn": "R,12.50,USD,2026-08-01,,cs,n",
	} {
		t.Run("ChangesWith"+name, func(t *testing.T) {
			if got := ids("a.csv", head+line+"\n"); got[0] == base[0] {
				t.Errorf("%s has the identity of another line", line)
			}
		})
	}
}

func TestRead_DayWithoutMidnight(t *testing.T) {
	zone, err := time.LoadLocation("America/Havana")
	if err != nil {
		t.Fatal(err)
	}
	fundings, _, err := Read("f.csv", strings.NewReader(head+"R,1,USD,2026-03-08,,,\n"), zone, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fundings[0].SentAt.In(zone).Format(time.RFC3339); got != "2026-03-08T01:00:00-04:00" {
		t.Errorf("the day begins at %s, want 01:00, since clocks skip midnight", got)
	}
}

// workbook makes an XLSX file whose first sheet has the given cells; cells that begin with "#" are stored as the number
// behind it, others as text.
func workbookOf(t testing.TB, date1904 bool, rows ...[]string) []byte {
	t.Helper()
	f := excelize.NewFile()
	if err := f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &date1904}); err != nil {
		t.Fatal(err)
	}
	for i, cells := range rows {
		for j, cell := range cells {
			at, err := excelize.CoordinatesToCellName(j+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if number, ok := strings.CutPrefix(cell, "#"); ok {
				err = f.SetCellDefault("Sheet1", at, number)
			} else {
				err = f.SetCellStr("Sheet1", at, cell)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var columns = []string{"reference", "amount", "currency", "sent_at"}

func TestRead_Workbook(t *testing.T) {
	cases := []struct {
		name, amount, sentAt string
		want                 string
	}{
		{"Text", "12.50", "2026-08-01", "12.50 2026-08-01"},
		{"Number", "#12.5", "#46235", "12.50 2026-08-01"},
		{"AllDigitsOfADouble", "#19.989999999999998", "2026-08-01", "19.99 2026-08-01"},
		{"AllDigitsAbove", "#1.1000000000000001", "2026-08-01", "1.10 2026-08-01"},
		{"SmallWithExponent", "#7.0000000000000007E-2", "2026-08-01", "0.07 2026-08-01"},
		{"LargeWithExponent", "#1.23456789E6", "2026-08-01", "1234567.89 2026-08-01"},
		{"LargeWithExcessDigit", "#1.234567891E6", "2026-08-01", ""},
		{"NeighbourOfAnAmount", "#12.499999999999998", "2026-08-01", ""},
		{"ManyNines", "#12.499999999999999", "2026-08-01", ""},
		{"ExcessDigit", "#10.005", "2026-08-01", ""},
		{"ThousandSeparator", "1,250.00", "2026-08-01", ""},
		{"Time", "#12.5", "2026-08-01T09:30:00Z", "12.50 2026-08-01T09:30:00Z"},
		{"DateWithTimeOfDay", "#12.5", "#46235.5", ""},
		{"WholeDateWithPoint", "#12.5", "#46235.0", "12.50 2026-08-01"},
		{"DateAsPlainNumber", "#12.5", "#20260801", ""},
		{"DateBefore1970", "#12.5", "#20000", ""},
		{"LeapDay", "#12.5", "#45351", "12.50 2024-02-29"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data := workbookOf(t, false, columns, []string{"R", c.amount, "USD", c.sentAt})
			fundings, refused := mustRead(t, "f.xlsx", string(data))
			var got string
			if len(fundings) == 1 {
				got = fundings[0].Amount.String() + " " + fundings[0].SentText
			}
			if got != c.want || len(fundings)+len(refused) != 1 {
				t.Errorf("got %q, refused %v; want %q", got, refused, c.want)
			}
		})
	}
}

func TestCellDecimal(t *testing.T) {
	cases := []struct{ cell, want string }{
		{"19.989999999999998", "19.99"},
		{"19.99", "19.99"},
		{"0.070000000000000007", "0.07"},
		{"7.0000000000000007E-2", "0.07"},
		{"0.10000000000000001", "0.1"},
		{"0.30000000000000004", "0.30000000000000004"}, // the sum 0.1 + 0.2 of a program is not what it stores for 0.3
		{"0.29999999999999999", "0.3"},
		{"1234567.8899999999", "1234567.89"},
		{"99999999999.990005", "99999999999.99"},
		{"12.499999999999998", "12.499999999999998"},
		{"12.499999999999999", "12.499999999999999"},
		{"12.5000000000000001", "12.5"},
		{"9007199254740993", "9007199254740993"}, // 2^53 + 1 has no 15 digits
		{"1E+15", "1000000000000000"},
		{"0", "0"},
		{"0.000", "0"},
		{"-19.989999999999998", "-19.989999999999998"},
		{"1,250.00", "1,250.00"},
		{"1e999", "1e999"},
		{"", ""},
	}
	for _, c := range cases {
		if got := cellDecimal(c.cell); got != c.want {
			t.Errorf("%q is read as %q, want %q", c.cell, got, c.want)
		}
	}
}

func TestRead_WorkbookOf1904(t *testing.T) {
	fundings, refused := mustRead(t, "f.xlsx", string(workbookOf(t, true, columns, []string{"R", "#1", "USD", "#44773"})))
	if len(fundings) != 1 || fundings[0].SentText != "2026-08-01" {
		t.Errorf("fundings %v, refused %v; want one sent on 2026-08-01", fundings, refused)
	}
}

func TestRead_WorkbookAndCSVOfTheSameLinesAreTheSameFundings(t *testing.T) {
	fromCSV, _ := mustRead(t, "f.csv", "reference,amount,currency,sent_at\nR,19.99,USD,2026-08-01\n,,,\nS,7,EUR,2026-08-02\n")
	fromWorkbook, refused := mustRead(t, "f.xlsx", string(workbookOf(t, false, columns,
		[]string{"R", "#19.989999999999998", "usd", "#46235"}, nil, []string{"S", "7.00", "EUR", "2026-08-02", "", "beside the columns"})))
	if len(refused) > 0 || len(fromWorkbook) != 2 {
		t.Fatalf("%d fundings, refused %v", len(fromWorkbook), refused)
	}
	for i := range fromCSV {
		if fromCSV[i].ID != fromWorkbook[i].ID || fromCSV[i].Line != fromWorkbook[i].Line {
			t.Errorf("from CSV %s, from the workbook %s", text(fromCSV[i]), text(fromWorkbook[i]))
		}
	}
}

func TestRead_OnlyTheFirstSheet(t *testing.T) {
	f := excelize.NewFile()
	if _, err := f.NewSheet("Later"); err != nil {
		t.Fatal(err)
	}
	for sheet, reference := range map[string]string{"Sheet1": "first", "Later": "second"} {
		for i, row := range [][]any{{"reference", "amount", "currency", "sent_at"}, {reference, 5, "USD", "2026-08-01"}} {
			if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	if fundings, _ := mustRead(t, "f.xlsx", b.String()); len(fundings) != 1 || fundings[0].Reference != "first" {
		t.Errorf("fundings %v; want the one of the first sheet", fundings)
	}
}

func TestRead_BoundsAnInflatingWorkbook(t *testing.T) {
	big := workbookOf(t, false, columns, []string{strings.Repeat("x", 30_000), "1", "USD", "2026-08-01"})
	_, _, err := Read("f.xlsx", bytes.NewReader(big), time.UTC, Limits{Inflated: 20_000})
	if err == nil || !strings.Contains(err.Error(), "larger than 20000 bytes") {
		t.Errorf("error %v; want a refusal by inflated size", err)
	}
}

func TestRead_BoundsTheWidthOfAWorkbook(t *testing.T) {
	rows := [][]string{columns, make([]string, 2000)}
	rows[1][1999] = "far to the right"
	_, _, err := Read("f.xlsx", bytes.NewReader(workbookOf(t, false, rows...)), time.UTC, Limits{Rows: 2})
	if err == nil || !strings.Contains(err.Error(), "row 2 reaches beyond column 1024") {
		t.Errorf("error %v; want a refusal by width", err)
	}
}

// rewritten changes a part of a workbook as a faulty program would write it.
func rewritten(t testing.TB, data []byte, part string, change func(string) string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == part {
			content = []byte(change(string(content)))
		}
		w, err := out.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead_RefusesWorkbooksThatWouldBeReadWrong(t *testing.T) {
	good := workbookOf(t, false, columns, []string{"R", "1", "USD", "2026-08-01"}, []string{"S", "2", "USD", "2026-08-01"})
	cases := map[string]func(string) string{
		"BrokenOff": func(s string) string {
			before, _, _ := strings.Cut(s, `<row r="3"`)
			return before
		},
		"RowsOutOfOrder": func(s string) string {
			return strings.NewReplacer(`r="3"`, `r="2"`, `r="A3"`, `r="A2"`, `r="B3"`, `r="B2"`, `r="C3"`, `r="C2"`, `r="D3"`, `r="D2"`).Replace(s)
		},
		"CellsOutOfOrder": func(s string) string { return strings.NewReplacer(`r="A3"`, `r="B3"`, `r="B3"`, `r="A3"`).Replace(s) },
		"CellOfAnotherRow": func(s string) string {
			return strings.Replace(s, `r="B3"`, `r="B9"`, 1)
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			fundings, _, err := Read("f.xlsx", bytes.NewReader(rewritten(t, good, "xl/worksheets/sheet1.xml", change)), time.UTC, Limits{})
			if err == nil {
				t.Errorf("read %d fundings; want an error", len(fundings))
			}
		})
	}
}
