package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// testNow is the instant that the worlds of these tests end at and that the program is told is now.
var testNow = time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)

// site is a folder as a user has it, beside a served sandbox world.
type site struct {
	dir   string
	world *sandbox.World
	url   string
	tune  func(*all.Config) // nil: the program as it is

	migrations fs.FS // of another version of the program; nil: this one
}

// newSite serves a world; wrap, if not nil, stands between the product and the world.
func newSite(t testing.TB, config sandbox.Config, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	if config.Now.IsZero() {
		config.Now = testNow
	}
	if config.Zone == nil {
		config.Zone = time.UTC
	}
	s := &site{dir: t.TempDir(), world: sandbox.New(config)}
	handler := s.world.Handler(sandbox.WithControl())
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url = server.URL
	if err := demoFiles(s.dir, s.world, s.url); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs the program in-process and returns its exit status and output.
func (s *site) run(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append([]string{"--config", filepath.Join(s.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339)}, args...)
	a := newApp(&out, &errs, func(string) (string, bool) { return "", false })
	a.tune, a.migrations = s.tune, s.migrations
	return a.run(t.Context(), args), out.String(), errs.String()
}

// must runs the program and fails the test unless it ends 0.
func (s *site) must(t testing.TB, args ...string) string {
	t.Helper()
	code, stdout, stderr := s.run(t, args...)
	if code != exitDone {
		t.Fatalf("tieout %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// edit replaces a text of the configuration.
func (s *site) edit(t testing.TB, old, with string) {
	t.Helper()
	path := filepath.Join(s.dir, "tieout.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("the configuration has no %q", old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// table reads a CSV file of a report as rows by column name.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// missionCodes are the checks that the answer key covers.
var missionCodes = []string{string(schema.LimitBreach), string(schema.OrphanTopUp), string(schema.BalanceDrift)}

// keyed are the columns in which a finding and its answer must agree.
var keyed = []string{
	"code", "reason", "severity", "source", "provider", "card_id", "entry_id", "reference", "currency", "expected", "actual", "difference",
	"unexplained",
}

func line(row map[string]string) string {
	var words []string
	for _, column := range keyed {
		words = append(words, column+"="+row[column])
	}
	return strings.Join(words, " ")
}

func TestNightly_FindsWhatWasPlanted(t *testing.T) {
	for seed := int64(1); seed <= 20; seed++ {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sandbox.Config{Seed: seed}, nil)
			s.must(t, "nightly", "--out", filepath.Join(s.dir, "out"))
			var got []string
			for _, row := range table(t, filepath.Join(s.dir, "out", "findings.csv")) {
				if slices.Contains(missionCodes, row["code"]) {
					got = append(got, line(row))
				}
			}
			var want []string
			for _, row := range table(t, filepath.Join(s.dir, "answers.csv")) {
				want = append(want, line(row))
			}
			slices.Sort(got)
			slices.Sort(want)
			if len(want) == 0 {
				t.Fatal("nothing was planted")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("planted (-) and found (+):\n%s", diff)
			}
		})
	}
}

// ledgerRows is the ledger as ledger.csv shows it over all time.
func (s *site) ledgerRows(t *testing.T) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "report")
	s.must(t, "report", "--from", "2000-01-01", "--to", "2026-12-31", "--format", "csv", "--out", out)
	data, err := os.ReadFile(filepath.Join(out, "ledger.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSync_TwiceAddsNothing(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3}, nil)
	s.must(t, "nightly")
	before := s.ledgerRows(t)
	var second struct {
		Sources []struct {
			Streams []struct {
				New     int64 `json:"entries_new"`
				Changed int64 `json:"entries_changed"`
			}
		}
		Reconcile struct{ New, Reopened, Resolved int64 }
	}
	if err := json.Unmarshal([]byte(s.must(t, "nightly", "--json")), &second); err != nil {
		t.Fatal(err)
	}
	for _, source := range second.Sources {
		for _, stream := range source.Streams {
			if stream.New != 0 || stream.Changed != 0 {
				t.Errorf("the second sync stored entries: %+v", source)
			}
		}
	}
	if second.Reconcile.New+second.Reconcile.Reopened+second.Reconcile.Resolved != 0 {
		t.Errorf("the second reconcile changed findings: %+v", second.Reconcile)
	}
	if !bytes.Equal(before, s.ledgerRows(t)) {
		t.Error("the ledger changed")
	}
	s.must(t, "verify")
}

func TestBackfill_AnyOrderGivesTheLedgerOfOneSync(t *testing.T) {
	config := sandbox.Config{Seed: 5}
	whole := newSite(t, config, nil)
	whole.must(t, "sync")
	want := whole.ledgerRows(t)
	parts := newSite(t, config, nil)
	for _, days := range [][2]string{
		{"2026-08-01", "2026-08-31"},
		{"2000-01-01", "2026-05-20"},
		{"2026-07-10", "2026-08-05"},
		{"2026-05-10", "2026-07-15"},
		{"2026-07-01", "2026-07-31"},
	} {
		parts.must(t, "backfill", "--from", days[0], "--to", days[1])
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(parts.ledgerRows(t)), "\n")); diff != "" {
		t.Errorf("one sync (-) and backfills (+):\n%s", diff)
	}
	parts.must(t, "verify")
}

// TestReport_IsTheSameWhenMadeAgain makes a report of a ledger, and the same one in two processes that live in other zones.
func TestReport_IsTheSameWhenMadeAgain(t *testing.T) {
	const inherited = "TIEOUT_TEST_REPORT_ARGS"
	if args := os.Getenv(inherited); args != "" { // one of these processes
		if code := run(t.Context(), strings.Split(args, "\n"), io.Discard, os.Stderr, func(string) (string, bool) { return "", false }); code != exitDone {
			t.Fatalf("exit %d", code)
		}
		return
	}
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 300}, nil)
	s.must(t, "nightly")
	args := []string{"report", "--from", "2026-07-01", "--to", "2026-08-31", "--sample", "amount:9", "--out"}
	first := filepath.Join(s.dir, "first")
	s.must(t, append(args, first)...)
	for _, zone := range []string{"Asia/Kathmandu", "America/New_York"} {
		second := filepath.Join(s.dir, filepath.Base(zone))
		given := append([]string{"--config", filepath.Join(s.dir, "tieout.yaml"), "--now", testNow.Format(time.RFC3339)}, append(args, second)...)
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReport_IsTheSameWhenMadeAgain$")
		child.Env = append(os.Environ(), inherited+"="+strings.Join(given, "\n"), "TZ="+zone)
		if out, err := child.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sameFiles(t, first, second)
	}
}

// sameFiles compares the files of two reports, byte by byte.
func sameFiles(t *testing.T, first, second string) {
	t.Helper()
	names, err := os.ReadDir(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		a, errA := os.ReadFile(filepath.Join(first, n.Name()))
		b, errB := os.ReadFile(filepath.Join(second, n.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs in %s", n.Name(), second)
		}
	}
	if len(names) < 15 {
		t.Errorf("only %d files", len(names))
	}
}

func TestWorkbook_HoldsTheLedgersAmounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 4}, nil)
	out := filepath.Join(s.dir, "out")
	s.must(t, "nightly", "--out", out)
	book, err := excelize.OpenFile(filepath.Join(out, "tieout.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Ledger", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	header := slices.IndexFunc(rows, func(r []string) bool { return len(r) > 5 })
	columns := map[string]int{}
	for i, name := range rows[header] {
		columns[strings.ToLower(name)] = i
	}
	entryColumn, amountColumn := columns["entry id"], columns["amount"]
	inBook := map[string]string{}
	for n, r := range rows[header+1:] {
		cell, err := excelize.CoordinatesToCellName(amountColumn+1, header+2+n)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := book.GetCellType("Ledger", cell)
		if err != nil || (kind != excelize.CellTypeUnset && kind != excelize.CellTypeNumber) {
			t.Fatalf("%s is not a number: %v, %v", cell, kind, err)
		}
		inBook[r[entryColumn]] = r[amountColumn]
	}
	inLedger := table(t, filepath.Join(out, "ledger.csv"))
	if len(inBook) != len(inLedger) || len(inLedger) == 0 {
		t.Fatalf("%d entries in the workbook, %d in the ledger", len(inBook), len(inLedger))
	}
	for _, row := range inLedger {
		if !sameNumber(inBook[row["entry_id"]], row["amount"]) {
			t.Errorf("%s: %s in the workbook, %s in the ledger", row["entry_id"], inBook[row["entry_id"]], row["amount"])
		}
	}
}

// sameNumber compares decimal texts of one value: 12.5 and 12.50.
func sameNumber(a, b string) bool {
	trim := func(s string) string {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	return trim(a) == trim(b)
}

func TestSecrets_SurfaceNowhere(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 7}, nil)
	code, stdout, stderr := s.run(t, "--verbose", "--log-format", "json", "nightly", "--json")
	if code != exitDone {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	secrets := s.world.Secrets()
	if len(secrets) < 10 {
		t.Fatalf("the world has only %d secrets", len(secrets))
	}
	search := func(where string, data []byte) {
		for _, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds %q", where, secret)
			}
		}
	}
	search("standard output", []byte(stdout))
	search("standard error", []byte(stderr))
	files := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".key") {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		search(path, data)
		if strings.HasSuffix(path, ".xlsx") {
			book, err := excelize.OpenReader(bytes.NewReader(data))
			if err != nil {
				return err
			}
			defer book.Close()
			for _, sheet := range book.GetSheetList() {
				rows, err := book.GetRows(sheet)
				if err != nil {
					return err
				}
				search(path+" "+sheet, []byte(fmt.Sprint(rows)))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files were searched", files)
	}
}

// tamper changes what one path of a world answers.
func tamper(prefix string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(world http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, prefix) {
				answer(w, r)
				return
			}
			world.ServeHTTP(w, r)
		})
	}
}

func TestBadAnswers_LoseNothingElse(t *testing.T) {
	const transactions = "/slash/transaction"
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	row := func(fields string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "aggregation") {
				http.NotFound(w, r)
				return
			}
			if r.URL.Query().Get("filter:category") != "card" {
				_, _ = io.WriteString(w, `{"items":[],"metadata":{}}`)
				return
			}
			good := `{"id":"good","date":"2026-08-20T10:00:00Z","authorizedAt":"2026-08-20T10:00:00Z","amountCents":-1250,"status":"posted","detailedStatus":"settled","accountId":"a","accountSubtype":"cash","description":"fine","cardId":"c"}`
			bad := `{` + fields + `,"date":"2026-08-20T10:00:00Z","status":"posted","accountId":"a","accountSubtype":"cash","description":"x","cardId":"c"}`
			_, _ = io.WriteString(w, `{"items":[`+bad+`,`+good+`],"metadata":{}}`)
		}
	}
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		code     int
		errors   []string // in standard error
		rejected string   // in findings.csv, as a rejected record's message; empty: none
	}{
		"WrongKey":    {text(401, `{"message":"nope","identifier":4041,"rawStatus":401}`), exitPartial, []string{"slash-main", "transactions", "401", "credential"}, ""},
		"Forbidden":   {text(403, `{"message":"no role"}`), exitPartial, []string{"slash-main", "transactions", "403"}, ""},
		"Malformed":   {text(200, `{"items":[{"id":`), exitPartial, []string{"slash-main", "transactions", "page 1"}, ""},
		"WrongShape":  {text(200, `{"items":{"a":1}}`), exitPartial, []string{"slash-main", "transactions", "items"}, ""},
		"HugePage":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, io.LimitReader(endless{}, 100<<20)) }, exitPartial, []string{"slash-main", "transactions", "page 1"}, ""},
		"WrongType":   {row(`"id":"bad","amountCents":"lots","detailedStatus":"settled"`), exitDone, nil, "amountCents"},
		"NoAmount":    {row(`"id":"bad","detailedStatus":"settled"`), exitDone, nil, "amountCents"},
		"HalfACent":   {row(`"id":"bad","amountCents":-10.5,"detailedStatus":"settled"`), exitDone, nil, "amountCents"},
		"UnknownEnum": {row(`"id":"bad","amountCents":-100,"detailedStatus":"teleported"`), exitDone, nil, ""},
		"LongMemo":    {row(`"id":"bad","amountCents":-100,"detailedStatus":"settled","memo":"` + strings.Repeat("long ", 8000) + `"`), exitDone, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sandbox.Config{Seed: 9, Transactions: 300}, tamper(transactions, c.answer))
			out := filepath.Join(s.dir, "out")
			code, _, stderr := s.run(t, "nightly", "--out", out)
			if code != c.code {
				t.Fatalf("exit %d, want %d\n%s", code, c.code, stderr)
			}
			for _, word := range c.errors {
				if !strings.Contains(stderr, word) {
					t.Errorf("the error does not name %q:\n%s", word, stderr)
				}
			}
			entries := map[string]int{}
			for _, row := range table(t, filepath.Join(out, "ledger.csv")) {
				entries[row["source"]]++
			}
			for _, other := range []string{"bill-main", "whop-main", "bitnob-main"} {
				if entries[other] == 0 {
					t.Errorf("%s was lost", other)
				}
			}
			if c.code == exitDone && entries["slash-main"] == 0 {
				t.Error("the good row beside the bad one was lost")
			}
			verdicts := map[string]bool{}
			for _, row := range table(t, filepath.Join(out, "completeness.csv")) {
				if row["source"] == "slash-main" && row["stream"] == "transactions" {
					verdicts[row["verdict"]] = true
				}
			}
			if c.code == exitPartial && verdicts["complete"] {
				t.Errorf("called complete: %v", slices.Collect(maps.Keys(verdicts)))
			}
			if c.rejected == "" {
				return
			}
			found := false
			for _, row := range table(t, filepath.Join(out, "findings.csv")) {
				found = found || row["code"] == "rejected-record" && strings.Contains(row["message"], c.rejected)
			}
			if !found {
				t.Errorf("no rejected-record names %s", c.rejected)
			}
		})
	}
}

func TestReport_OfWhatWasNotReadIsIncomplete(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 2, Transactions: 300}, nil)
	s.must(t, "nightly")
	later := testNow.AddDate(0, 1, 0).Format(time.RFC3339)
	for _, period := range [][]string{{}, {"--from", "2026-08-01", "--to", "2026-08-20"}, {"--from", "2026-09-05", "--to", "2026-09-20"}} {
		got := s.must(t, append([]string{"--now", later, "report", "--format", "csv"}, period...)...)
		if !strings.HasPrefix(got, "INCOMPLETE") {
			t.Errorf("%v, a month after the last sync: %s", period, got)
		}
	}
	if code, stdout, _ := s.run(t, "report", "--as-of-run", "999"); code != exitUsage {
		t.Errorf("a run that does not exist: exit %d, %s", code, stdout)
	}
}

func TestUnknownVersion_NamesTheSupportedOnes(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 9, Transactions: 300}, nil)
	path := filepath.Join(s.dir, "tieout.yaml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config = bytes.Replace(config, []byte("    provider: whop\n"), []byte("    provider: whop\n    api_version: \"1999-01-01\"\n"), 1)
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := s.run(t, "sync")
	if code != exitPartial || !strings.Contains(stderr, "whop-main") || !strings.Contains(stderr, "2026-06-09") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// endless is JSON that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestUsage(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 1, Transactions: 200}, nil)
	for _, args := range [][]string{
		{"syncc"},
		{"sync", "--bogus"},
		{"sync", "stray"},
		{"backfill"},
		{"backfill", "--from", "2026-08-01"},
		{"backfill", "--from", "2026-08-02", "--to", "2026-08-01"},
		{"backfill", "--from", "yesterday", "--to", "2026-08-01"},
		{"sync", "--source", "nobody"},
		{"report", "--format", "pdf"},
		{"reconcile", "--fail-on", "huge"},
		{"findings"},
		{"reconcile", "--from", "2026-08-01"},
		{"--log-format", "xml", "version"},
		{"sandbox", "--listen", "0.0.0.0:0"},
	} {
		if code, stdout, stderr := s.run(t, args...); code != exitUsage {
			t.Errorf("tieout %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	s.must(t, "nightly")
	for _, args := range [][]string{
		{"report", "--as-of-run", "999"}, {"changes", "--since-run", "999"}, {"findings", "show", "F-none"}, {"findings", "ack", "F-none"},
	} {
		if code, stdout, stderr := s.run(t, args...); code != exitUsage || !strings.Contains(stderr, "999") && !strings.Contains(stderr, "F-none") {
			t.Errorf("tieout %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
	if code := run(context.Background(), []string{"--config", filepath.Join(s.dir, "none.yaml"), "sync"}, io.Discard, io.Discard, os.LookupEnv); code != exitUsage {
		t.Errorf("without a configuration: exit %d", code)
	}
}

func TestFailOn(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 1}, nil)
	if code, _, stderr := s.run(t, "nightly", "--fail-on", "high"); code != exitFindings {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	s.must(t, "nightly")
}

func TestReadingCommands(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 1}, nil)
	s.must(t, "check")
	s.must(t, "nightly")
	for _, args := range [][]string{
		{"status"},
		{"status", "--json"},
		{"coverage"},
		{"coverage", "--source", "bill-main", "--json"},
		{"verify"},
		{"version"},
		{"fundings", "import", filepath.Join(s.dir, "fundings.csv")},
	} {
		if s.must(t, args...) == "" {
			t.Errorf("tieout %s says nothing", strings.Join(args, " "))
		}
	}
	var findings []findingLine
	if err := json.Unmarshal([]byte(s.must(t, "findings", "list", "--json")), &findings); err != nil || len(findings) == 0 {
		t.Fatalf("%v, %d findings", err, len(findings))
	}
	if got := s.must(t, "findings", "show", findings[0].ID); !strings.Contains(got, findings[0].Message) {
		t.Errorf("show: %s", got)
	}
	if code, _, _ := s.run(t, "findings", "show", "F-none"); code != exitUsage {
		t.Errorf("an unknown finding: exit %d", code)
	}
	s.must(t, "--config", filepath.Join(s.dir, "fresh.yaml"), "init")
	if code, _, _ := s.run(t, "--config", filepath.Join(s.dir, "fresh.yaml"), "init"); code != exitFailed {
		t.Errorf("init over a file: exit %d", code)
	}
}
