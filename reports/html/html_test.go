package html

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"image/color"
	"image/png"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

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

// book is a page with a chart of each kind, and a table whose texts try to break out.
func book() table.Book {
	page := table.Page{Name: "Summary", Widths: []int{20, 20, 20}, Lines: []table.Line{
		{Role: table.Title, Cells: []any{"Summary"}, Span: true},
		{Role: table.Head, Cells: []any{"Day", "a", "b"}},
		{Cells: []any{table.Date("2026-08-01"), table.Decimal("1234567.89"), table.Decimal("-12.50")}},
		{Cells: []any{table.Date("2026-08-02"), table.Calc{Value: table.Decimal("0.00"), Check: true}, table.Foot{Value: int64(1200), Bar: true}}},
		{Cells: []any{"differs", table.Calc{Value: table.Decimal("-0.01"), Check: true}, money.FromMinor(-125, money.USD())}},
	}}
	of := func(column int) table.Range {
		return table.Range{From: table.At{Line: 2, Column: column}, To: table.At{Line: 3, Column: column}}
	}
	for _, stacked := range []bool{true, false} {
		c := table.Chart{Title: "Chart <1>", At: table.At{Line: 9}, Lines: 3, Stacked: stacked, Categories: of(0)}
		for i := 1; i <= 2; i++ {
			c.Series = append(c.Series, table.Series{Name: table.At{Line: 1, Column: i}, Values: of(i)})
		}
		page.Charts = append(page.Charts, c)
	}
	tab := table.Table{
		Name: "Findings", Len: 3, Columns: []table.Column{{Name: "Severity", Filter: true}, {Name: "What was found"}, {Name: "Amount", Kind: table.Amount}, {Name: "Seen", Kind: table.Instant}},
		Rows: rows(
			[]any{table.Word{Text: "high", Tone: table.Bad}, "<script>alert(1)</script> \x1b[31m</style>", money.FromMinor(-123456, money.USD()), time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)},
			[]any{table.Word{Text: "low"}, "line one\nline two", nil, time.Time{}},
			[]any{table.Word{Text: `a" onclick="x`}, table.Link{Sheet: "Cards", Row: 2, Text: "a card"}, nil, nil}),
	}
	return table.Book{
		Title: "T", Entity: "A & B", Period: "2026-08", Version: "v1", At: time.Unix(0, 0), Zone: time.UTC,
		Sheets: []table.Sheet{{Page: &page}, {Table: &tab}},
	}
}

func written(t *testing.T, b table.Book) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(t.Context(), &out, b, []File{{"ledger.csv", "3 rows"}}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestWrite_PolicyNamesWhatIsThere computes the hashes of the policy from the page, as a browser does.
func TestWrite_PolicyNamesWhatIsThere(t *testing.T) {
	page := written(t, book())
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil {
		t.Fatal("no policy")
	}
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(page, -1)
		if len(found) != 1 {
			t.Fatalf("%d of %s", len(found), element)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(html.UnescapeString(policy[1]), want) {
			t.Errorf("the policy %s lacks %s", policy[1], want)
		}
	}
	for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(html.UnescapeString(policy[1]), want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
	if strings.Contains(policy[1], "unsafe") {
		t.Error("the policy allows what is unsafe")
	}
}

func TestWrite_TextStaysText(t *testing.T) {
	page := written(t, book())
	for _, want := range []string{
		"&lt;script&gt;alert(1)&lt;/script&gt; \uFFFD[31m&lt;/style&gt;", `data-severity="high"`, `data-severity="a&#34; onclick=&#34;x"`, `<td class="number negative">-1,234.56</td>`,
		`<td class="lines">line one` + "\n" + `line two</td>`, "agrees 0.00", `<td class="number bad">differs -0.01</td>`, `<a href="ledger.csv">ledger.csv</a> 3 rows`, "<option>low</option>", "A &amp; B",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Contains(page, "\x1b") {
		t.Error("a control character stands in the page")
	}
}

func TestWrite_Errors(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := book()
	broken.Sheets[1].Table.Rows = func(yield func([]any, error) bool) { yield(nil, errors.New("disk")) }
	for name, c := range map[string]struct {
		ctx  context.Context
		book table.Book
		want string
	}{
		"Cancelled":  {cancelled, book(), "write report.html: context canceled"},
		"ErrorOfRow": {t.Context(), broken, "write report.html: disk"},
	} {
		if err := Write(c.ctx, &bytes.Buffer{}, c.book, nil); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestWrite_LongTablesAreCut(t *testing.T) {
	b := book()
	b.Sheets[1].Table.Len = mostRows + 7
	b.Sheets[1].Table.Rows = func(yield func([]any, error) bool) {
		for range mostRows + 7 {
			if !yield([]any{"x", "y", nil, nil}, nil) {
				return
			}
		}
	}
	if page := written(t, b); !strings.Contains(page, "7 more are in the files.") || strings.Count(page, `<tr data-severity=`) != mostRows {
		t.Error("not cut")
	}
}

func TestScale_EndsAreTicksAndHoldTheFigures(t *testing.T) {
	for _, c := range []struct{ low, high, wantLow, wantHigh, step string }{
		{"0", "0", "0", "1", "1"},
		{"0", "4", "0", "4", "1"},
		{"0", "2213.40", "0", "3000", "1000"},
		{"-187.28", "212240.16", "-100000", "300000", "100000"},
		{"-7", "0", "-8", "0", "2"},
		{"0", "92233720368547758.07", "0", "100000000000000000", "50000000000000000"},
	} {
		s := newScale(decimal.RequireFromString(c.low), decimal.RequireFromString(c.high), 100)
		if s.low.String() != c.wantLow || s.high.String() != c.wantHigh || s.step.String() != c.step {
			t.Errorf("%s to %s: got %s to %s by %s", c.low, c.high, s.low, s.high, s.step)
		}
		if s.at(s.low) != 0 || s.at(s.high) != 100 {
			t.Errorf("%s to %s: the ends lie at %d and %d", c.low, c.high, s.at(s.low), s.at(s.high))
		}
	}
}

// TestPage_InChromium opens the page from a file, without a network, in a browser: it must not complain, and the filters must
// work.
func TestPage_InChromium(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed (Debian package chromium)")
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(written(t, book())), 0o600); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]int{"": 3, "?severity=high": 1, "?severity=high&text=nothing": 0, "?text=LINE+TWO": 1} {
		t.Run("With"+query, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			shot := filepath.Join(dir, "shot.png")
			cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir="+filepath.Join(dir, "profile"),
				"--enable-logging=stderr", "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--window-size=1400,1000", "--screenshot="+shot, "--dump-dom", "file://"+path+query)
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "CONSOLE") {
					t.Errorf("the browser says: %s", line)
				}
			}
			dom := out.String()
			hidden := strings.Count(dom, "hidden=") - strings.Count(dom, `aria-hidden=`)
			if shown := 3 - hidden; shown != want || !strings.Contains(dom, fmt.Sprintf("%d of 3 shown", want)) {
				t.Errorf("%d rows are shown, want %d", shown, want)
			}
			if n := shades(t, shot); n < 20 {
				t.Errorf("%d colours on the picture", n)
			}
		})
	}
}

// shades is how many colours a picture has.
func shades(t *testing.T, path string) int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[color.Color]bool{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			seen[picture.At(x, y)] = true
		}
	}
	return len(seen)
}
