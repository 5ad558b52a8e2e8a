package slash_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/extracttest"
	"github.com/tieout/tieout/extract/slash"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var august = schema.Window{
	From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
	To:   time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
}

func envelope(p extracttest.Page) string {
	next := ""
	if p.Next != "" {
		next = fmt.Sprintf(`"nextCursor":%q,`, p.Next)
	}
	return fmt.Sprintf(`{"items":[%s],"metadata":{%s"count":%d}}`, strings.Join(p.Rows, ","), next, len(p.Rows))
}

func at(q url.Values) string { return q.Get("cursor") }

// main says whether a request is for the first list of a walk; other lists are empty, and there is no control total.
func others(main func(q url.Values) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/aggregation") {
			http.Error(w, "not here", http.StatusNotFound)
			return true
		}
		if !main(r.URL.Query()) {
			fmt.Fprint(w, envelope(extracttest.Page{}))
			return true
		}
		return false
	}
}

func issuer() extracttest.Issuer {
	return extracttest.Issuer{
		Describe: slash.Issuer(),
		Config:   extract.Config{LegalEntity: "le_1"},
		Auth:     func(h http.Header) string { return h.Get("X-API-Key") },
		Streams: []extracttest.Stream{
			{
				Name: schema.Cards, Path: "/card", Page: envelope, At: at,
				Row:   func(i int) string { return fmt.Sprintf(`{"id":"row-%d","status":"active"}`, i) },
				Other: others(func(q url.Values) bool { return !q.Has("filter:status") }),
			},
			{
				Name: schema.Transactions, Path: "/transaction", Page: envelope, At: at, Window: august,
				Row: func(i int) string {
					return fmt.Sprintf(`{"id":"row-%d","date":"2026-08-0%[1]dT10:00:00.000Z","status":"posted"}`, i)
				},
				Outside: `{"id":"outside","date":"2026-07-01T10:00:00.000Z","authorizedAt":"2026-06-30T10:00:00.000Z","status":"posted"}`,
				Other: others(func(q url.Values) bool {
					return q.Get("filter:category") == "card" && q.Has("filter:to_date")
				}),
			},
		},
	}
}

func TestConformance(t *testing.T) { extracttest.Run(t, issuer()) }

func TestGolden(t *testing.T) {
	for _, s := range issuer().Streams {
		issuer().Goldens(t, s, "../../testdata", *update)
	}
	issuer().Goldens(t, extracttest.Stream{Name: schema.Utilization}, "../../testdata", *update, "card_1", "card_2")
}

// world is a server that filters as Slash documents it, unless told not to.
type world struct {
	rows     []txn
	ignore   string                                // the name of a filter that is not applied
	total    func(status string, n int) (int, int) // what aggregation says instead: HTTP status and count
	requests []string
}

type txn struct{ id, category, date, authorized, status, detailed string }

func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.requests = append(w.requests, r.URL.Path+"?"+q.Encode())
	within := func(filter, value string) bool {
		for _, edge := range []string{"from_", "to_"} {
			bound := q.Get("filter:" + edge + filter)
			if bound == "" || w.ignore == filter {
				continue
			}
			t, err := time.Parse(time.RFC3339, value)
			if ms := fmt.Sprint(t.UnixMilli()); err != nil || edge == "from_" && ms < bound || edge == "to_" && ms > bound {
				return false
			}
		}
		return true
	}
	var rows []string
	for _, x := range w.rows {
		if c := q.Get("filter:category"); c != x.category && w.ignore != "category" {
			continue
		}
		if s := q.Get("filter:status"); s != "" && s != x.status {
			continue
		}
		if within("date", x.date) && within("authorized_at", x.authorized) {
			rows = append(rows, fmt.Sprintf(`{"id":%q,"date":%q,"authorizedAt":%q,"status":%q,"detailedStatus":%q}`,
				x.id, x.date, x.authorized, x.status, x.detailed))
		}
	}
	if strings.HasSuffix(r.URL.Path, "/aggregation") {
		status, n := http.StatusOK, len(rows)
		if w.total != nil {
			status, n = w.total(q.Get("filter:status"), n)
		}
		rw.WriteHeader(status)
		fmt.Fprintf(rw, `{"count":%d,"totalIn":0,"totalOut":0,"netChange":0}`, n)
		return
	}
	fmt.Fprint(rw, envelope(extracttest.Page{Rows: rows}))
}

func (w *world) read(t *testing.T, window schema.Window) []extract.Page {
	t.Helper()
	srv := httptest.NewServer(w)
	defer srv.Close()
	var pages []extract.Page
	for page, err := range open(t, srv.URL).Pages(t.Context(), schema.Transactions, window, "") {
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	return pages
}

// category of the last request.
func (w *world) category() string {
	_, query, _ := strings.Cut(w.requests[len(w.requests)-1], "?")
	q, _ := url.ParseQuery(query)
	return q.Get("filter:category")
}

// fail reads until the error, if there is one.
func (w *world) fail(t *testing.T, window schema.Window) error {
	t.Helper()
	srv := httptest.NewServer(w)
	defer srv.Close()
	for _, err := range open(t, srv.URL).Pages(t.Context(), schema.Transactions, window, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

func open(t *testing.T, base string) extract.Extractor {
	t.Helper()
	x, err := slash.New(extract.Config{
		Source: "slash-main", BaseURL: base, Credential: transport.NewSecret("sk-test-0001"), RequestsPerSecond: 1e6,
		Now:   func() time.Time { return august.To },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func records(pages []extract.Page) []string {
	var got []string
	for _, p := range pages {
		for _, r := range p.Records {
			got = append(got, r.Category+" "+r.ExternalID)
		}
	}
	return got
}

func months() *world {
	return &world{rows: []txn{
		{"a", "card", "2026-08-02T00:00:00.000Z", "2026-08-01T00:00:00.000Z", "posted", ""},
		{"b", "card", "2026-08-03T00:00:00.000Z", "2026-08-03T00:00:00.000Z", "failed", ""},
		{"moved", "card", "2026-09-03T00:00:00.000Z", "2026-08-30T00:00:00.000Z", "posted", ""},
		{"edge", "card", "2026-09-01T00:00:00.000Z", "2026-09-01T00:00:00.000Z", "pending", ""},
		{"fee", "fee", "2026-08-05T00:00:00.000Z", "", "posted", ""},
		{"wire", "wire", "2026-08-05T00:00:00.000Z", "", "posted", ""},
	}}
}

func TestTransactions(t *testing.T) {
	t.Run("AreReadByDateAndByAuthorizationForEachCategory", func(t *testing.T) {
		w := months()
		pages := w.read(t, august)
		if want := []string{"card a", "card b", "card moved", "fee fee"}; !slices.Equal(records(pages), want) {
			t.Errorf("got %q", records(pages))
		}
		want := []string{
			"/transaction?filter%3Acategory=card&filter%3Afrom_date=1785542400000&filter%3Ato_date=1788220799999",
			"/transaction/aggregation?filter%3Acategory=card&filter%3Afrom_date=1785542400000&filter%3Ato_date=1788220799999",
			"/transaction?filter%3Acategory=card&filter%3Afrom_authorized_at=1785542400000&filter%3Ato_authorized_at=1788220799999",
			"/transaction?filter%3Acategory=fee&filter%3Afrom_date=1785542400000&filter%3Ato_date=1788220799999",
			"/transaction/aggregation?filter%3Acategory=fee&filter%3Afrom_date=1785542400000&filter%3Ato_date=1788220799999",
			"/transaction?filter%3Acategory=fee&filter%3Afrom_authorized_at=1785542400000&filter%3Ato_authorized_at=1788220799999",
		}
		if !slices.Equal(w.requests, want) {
			t.Errorf("requests:\n%s", strings.Join(w.requests, "\n"))
		}
		last := pages[len(pages)-1]
		if last.Total != 4 || last.Doubt != "" || !last.Last || pages[0].Total != -1 {
			t.Errorf("last page %+v", last)
		}
	})
	t.Run("AreReadOnceEachWithoutALowerBound", func(t *testing.T) {
		w := months()
		pages := w.read(t, schema.Window{From: schema.Beginning, To: august.To})
		if want := []string{"card a", "card b", "fee fee"}; !slices.Equal(records(pages), want) || len(w.requests) != 4 {
			t.Errorf("got %q in %d requests", records(pages), len(w.requests))
		}
		if strings.Contains(strings.Join(w.requests, ""), "from_") {
			t.Errorf("a lower bound: %q", w.requests)
		}
	})
	t.Run("AgreeByStatusWhereTheTotalLeavesFailedRowsOut", func(t *testing.T) {
		w := months()
		w.total = func(status string, n int) (int, int) {
			if status == "" && n > 1 {
				n--
			}
			return http.StatusOK, n
		}
		pages := w.read(t, august)
		last := pages[len(pages)-1]
		if last.Total != 4 || last.Doubt != "" || len(records(pages)) != 4 {
			t.Errorf("%q, last page %+v", records(pages), last)
		}
	})
	t.Run("AreReadAgainOnceWhenTheControlTotalDisagrees", func(t *testing.T) {
		w, asked := months(), 0
		w.total = func(_ string, n int) (int, int) {
			if asked++; asked <= 2 {
				n++
			}
			return http.StatusOK, n
		}
		pages := w.read(t, august)
		restarts := 0
		for _, p := range pages {
			if p.Restart {
				restarts++
			}
		}
		last := pages[len(pages)-1]
		if restarts != 1 || !pages[1].Restart || last.Doubt != "" || last.Total != 4 {
			t.Errorf("%d restarts, last page %+v", restarts, last)
		}
		if want := []string{"card a", "card b", "fee fee"}; !slices.Equal(records(pages)[2:], slices.Insert(want, 2, "card moved")) {
			t.Errorf("got %q", records(pages))
		}
	})
	t.Run("AreDoubtedWhenTheControlTotalDisagreesTwice", func(t *testing.T) {
		w := months()
		w.total = func(_ string, n int) (int, int) { return http.StatusOK, n + 1 }
		pages := w.read(t, august)
		last := pages[len(pages)-1]
		if !last.Last || last.Doubt != "control total does not agree: of category fee the provider counts 2 rows (pending 1, posted 2, failed 1), "+
			"but 1 rows (pending 0, posted 1, failed 0) were read" {
			t.Errorf("doubt %q", last.Doubt)
		}
	})
	t.Run("HaveNoTotalWhereThereIsNoAggregation", func(t *testing.T) {
		for _, status := range []int{400, 403, 404, 405, 410, 422, 501} {
			w := months()
			w.total = func(string, int) (int, int) { return status, 0 }
			pages := w.read(t, august)
			if last := pages[len(pages)-1]; last.Total != -1 || last.Doubt != "" || len(records(pages)) != 4 {
				t.Errorf("last page %+v", last)
			}
		}
	})
	t.Run("FailWhenTheControlTotalIsRefusedForTheCredential", func(t *testing.T) {
		w := months()
		w.total = func(string, int) (int, int) { return http.StatusUnauthorized, 0 }
		if err := w.fail(t, august); err == nil || !strings.Contains(err.Error(), "control total of category card: 401") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("AreDoubtedWhenAFilterIsIgnored", func(t *testing.T) {
		for filter, doubt := range map[string]string{
			"category": "server ignored filter category",
			"date":     "server ignored filter date",
		} {
			w := months()
			w.ignore = filter
			w.total = func(string, int) (int, int) { return http.StatusNotFound, 0 }
			pages := w.read(t, august)
			if last := pages[len(pages)-1]; last.Doubt != doubt {
				t.Errorf("%s: doubt %q", filter, last.Doubt)
			}
			got := records(pages)
			if strings.Contains(strings.Join(got, ","), " wire") != (filter == "category") || slices.Contains(got, "card wire") || slices.Contains(got, "fee wire") {
				t.Errorf("%s: a wire is taken for something else: %q", filter, got)
			}
			seen := map[string]bool{}
			for _, r := range got {
				if _, id, _ := strings.Cut(r, " "); seen[id] || id == "edge" {
					t.Errorf("%s: %q", filter, got)
				} else {
					seen[id] = true
				}
			}
		}
	})
}

// Which rows of no effect the aggregation counts is not documented; a row that is missing is found all the same.
func TestControlTotal(t *testing.T) {
	rows := func() *world {
		day := func(n int) string { return fmt.Sprintf("2026-08-%02dT00:00:00.000Z", n) }
		return &world{rows: []txn{
			{"p1", "card", day(1), day(1), "pending", "pending"},
			{"s1", "card", day(2), day(2), "posted", "settled"},
			{"s2", "card", day(3), day(3), "posted", "refund"},
			{"r1", "card", day(4), day(4), "posted", "reversed"},
			{"d1", "card", day(5), day(5), "failed", "declined"},
			{"d2", "card", day(6), day(6), "failed", "declined"},
			{"c1", "card", day(7), day(7), "failed", "canceled"},
			{"f1", "card", day(8), day(8), "failed", ""},
		}}
	}
	type figures struct{ all, pending, posted, failed int }
	for fact, c := range map[string]struct {
		says   figures
		agrees bool
	}{
		"AgreesWhenEveryRowIsCounted":                      {figures{8, 1, 3, 4}, true},
		"AgreesWhenFailedRowsAreLeftOutOfTheWhole":         {figures{4, 1, 3, 4}, true},
		"AgreesWhenFailedRowsAreLeftOutEverywhere":         {figures{4, 1, 3, 0}, true},
		"AgreesWhenDeclinedRowsAreLeftOut":                 {figures{6, 1, 3, 2}, true},
		"AgreesWhenDeclinedAndCanceledRowsAreLeftOut":      {figures{5, 1, 3, 1}, true},
		"AgreesWhenRowsWithoutEffectAreLeftOut":            {figures{3, 1, 2, 0}, true},
		"DisagreesWhenAPostedRowIsMissing":                 {figures{9, 1, 4, 4}, false},
		"DisagreesWhenAPostedRowIsHiddenBehindAFailedOne":  {figures{7, 1, 4, 2}, false},
		"DisagreesWhenAPendingRowIsMissing":                {figures{9, 2, 3, 4}, false},
		"AgreesWhenAReversedRowIsLeftOut":                  {figures{7, 1, 2, 4}, true},
		"DisagreesWhenAPostedRowIsTooMany":                 {figures{6, 1, 1, 4}, false},
		"DisagreesWhenAFailedRowIsMissing":                 {figures{4, 1, 3, 5}, false},
		"DisagreesWhenARowOfAnotherStatusIsMissing":        {figures{9, 1, 3, 4}, false},
		"DisagreesWhenTheStatusesAreLeftOutInAnotherWay":   {figures{4, 1, 3, 2}, false},
		"DisagreesWhenTheWholeDiffersAndNoStatusIsCounted": {figures{4, -1, -1, -1}, false},
	} {
		t.Run(fact, func(t *testing.T) {
			w := rows()
			w.total = func(status string, n int) (int, int) {
				if category := w.category(); category != "card" {
					return http.StatusOK, n
				}
				n = map[string]int{"": c.says.all, "pending": c.says.pending, "posted": c.says.posted, "failed": c.says.failed}[status]
				if n < 0 {
					return http.StatusBadRequest, 0
				}
				return http.StatusOK, n
			}
			pages := w.read(t, august)
			last := pages[len(pages)-1]
			if (last.Doubt == "") != c.agrees || !last.Last {
				t.Errorf("doubt %q", last.Doubt)
			}
			if c.agrees && last.Total != 8 {
				t.Errorf("total %d", last.Total)
			}
		})
	}
}

func TestNew(t *testing.T) {
	t.Run("RefusesAnUnknownCategory", func(t *testing.T) {
		for _, categories := range [][]string{{"cards"}, {"card", "card"}} {
			_, err := slash.New(extract.Config{
				Source: "s", Credential: transport.NewSecret("sk-test-0001"), Categories: categories, Now: func() time.Time { return august.To },
			})
			if err == nil || !strings.Contains(err.Error(), "categories") {
				t.Errorf("%q: %v", categories, err)
			}
		}
	})
	t.Run("SendsTheLegalEntity", func(t *testing.T) {
		var got string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("x-legal-entity")
			fmt.Fprint(w, envelope(extracttest.Page{}))
		}))
		defer srv.Close()
		x, err := slash.New(extract.Config{
			Source: "s", BaseURL: srv.URL, Credential: transport.NewSecret("sk-test-0001"), LegalEntity: "le_1", Now: func() time.Time { return august.To },
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range x.Pages(t.Context(), schema.Cards, schema.Window{}, "") {
			if err != nil {
				t.Error(err)
			}
			break
		}
		if got != "le_1" {
			t.Errorf("x-legal-entity %q", got)
		}
	})
}

func TestFetch(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/transaction/t1":
			fmt.Fprint(w, `{"id":"t1","cardId":"c1","status":"pending"}`)
		case "/transaction/t2":
			fmt.Fprint(w, `{"id":"t2","feeInfo":{"relatedTransaction":{"id":"t1","amount":1}}}`)
		case "/transaction/t3":
			fmt.Fprint(w, `{"id":"t3","cardId":null}`)
		case "/card/c1/utilization":
			fmt.Fprint(w, `{"spend":{"amountCents":5}}`)
		default:
			http.Error(w, "Not Found", http.StatusNotFound)
		}
	}))
	defer srv.Close()
	fetch := func(t *testing.T, s schema.Stream, ids ...string) []string {
		t.Helper()
		var pages []extract.Page
		for page, err := range open(t, srv.URL).(extract.Fetcher).Fetch(t.Context(), s, ids) {
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page)
		}
		return records(pages)
	}
	t.Run("TellsTheCategoryOfASingleTransaction", func(t *testing.T) {
		if got := fetch(t, schema.Transactions, "t1", "t2", "t3", "gone"); !slices.Equal(got, []string{"card t1", "fee t2", " t3"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("NamesTheCardOfAUtilization", func(t *testing.T) {
		if got := fetch(t, schema.Utilization, "gone", "c1"); !slices.Equal(got, []string{" c1"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("AsksForNothingWithoutIds", func(t *testing.T) {
		if got := fetch(t, schema.Utilization); got != nil {
			t.Errorf("got %q", got)
		}
	})
}

func FuzzAnswers(f *testing.F) { issuer().FuzzAnswers(f, "../../testdata") }
