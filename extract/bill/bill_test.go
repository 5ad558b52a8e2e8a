package bill_test

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
	"github.com/tieout/tieout/extract/bill"
	"github.com/tieout/tieout/extract/extracttest"
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
	next := "null"
	if p.Next != "" {
		next = fmt.Sprintf("%q", p.Next)
	}
	return fmt.Sprintf(`{"results":[%s],"nextPage":%s,"prevPage":null}`, strings.Join(p.Rows, ","), next)
}

func at(q url.Values) string { return q.Get("nextPage") }

func issuer() extracttest.Issuer {
	row := func(format string) func(int) string {
		return func(i int) string { return fmt.Sprintf(format, i) }
	}
	return extracttest.Issuer{
		Describe: bill.Issuer(),
		Auth:     func(h http.Header) string { return h.Get("apiToken") },
		Streams: []extracttest.Stream{
			{
				Name: schema.Cards, Path: "/v3/spend/cards", Page: envelope, At: at,
				Row: row(`{"id":"Q%[1]d","uuid":"row-%[1]d","name":"n","status":"ACTIVATED"}`),
			},
			{
				Name: schema.Budgets, Path: "/v3/spend/budgets", Page: envelope, At: at,
				Row: row(`{"id":"Q%[1]d","uuid":"row-%[1]d","retired":false}`),
				Other: func(w http.ResponseWriter, r *http.Request) bool {
					retired := r.URL.Query().Get("filters") == "retired:eq:true"
					if retired {
						fmt.Fprint(w, envelope(extracttest.Page{}))
					}
					return retired
				},
			},
			{
				Name: schema.Transactions, Path: "/v3/spend/transactions", Page: envelope, At: at, Window: august,
				Row:     row(`{"id":"Q%[1]d","uuid":"row-%[1]d","transactionType":"CLEAR","occurredTime":"2026-08-0%[1]dT10:00:00.000+00:00"}`),
				Outside: `{"uuid":"outside","occurredTime":"2026-07-01T10:00:00.000+00:00"}`,
			},
		},
	}
}

func TestConformance(t *testing.T) { extracttest.Run(t, issuer()) }

func TestGolden(t *testing.T) {
	for _, s := range issuer().Streams {
		issuer().Goldens(t, s, "../../testdata", *update)
	}
}

// read lists a stream from a handler and returns the pages.
func read(t *testing.T, s schema.Stream, w schema.Window, h http.HandlerFunc) ([]extract.Page, error) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	var pages []extract.Page
	for page, err := range open(t, srv.URL).Pages(t.Context(), s, w, "") {
		if err != nil {
			return pages, err
		}
		pages = append(pages, page)
	}
	return pages, nil
}

func open(t *testing.T, base string) extract.Extractor {
	t.Helper()
	x, err := bill.New(extract.Config{
		Source: "bill-main", BaseURL: base, Credential: transport.NewSecret("sk-test-0001"), RequestsPerSecond: 1e6, PageSize: 80,
		Now:   func() time.Time { return august.To },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func ids(pages []extract.Page) []string {
	var ids []string
	for _, p := range pages {
		for _, r := range p.Records {
			ids = append(ids, r.ExternalID)
		}
	}
	return ids
}

func TestTransactions(t *testing.T) {
	t.Run("AskInOneFiltersParameterWithQuotedTimes", func(t *testing.T) {
		var asked []url.Values
		_, err := read(t, schema.Transactions, august, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.URL.Query())
			next := ""
			if len(asked) == 1 {
				next = "n2"
			}
			fmt.Fprint(w, envelope(extracttest.Page{Next: next}))
		})
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{
			"max": {"50"}, "sort": {"occurredTime:asc"},
			"filters": {`occurredTime:gte:"2026-08-01T00:00:00.000Z",occurredTime:lte:"2026-09-01T00:00:00.000Z"`},
		}
		if asked[0].Encode() != want.Encode() {
			t.Errorf("first: %v", asked[0])
		}
		want.Set("nextPage", "n2")
		if asked[1].Encode() != want.Encode() {
			t.Errorf("second: %v", asked[1])
		}
	})
	t.Run("AskForEverythingWithoutALowerBound", func(t *testing.T) {
		var filters string
		pages, err := read(t, schema.Transactions, schema.Window{From: schema.Beginning, To: august.To}, func(w http.ResponseWriter, r *http.Request) {
			filters = r.URL.Query().Get("filters")
			fmt.Fprint(w, envelope(extracttest.Page{Rows: []string{`{"uuid":"old","occurredTime":"1969-01-01T00:00:00Z"}`}}))
		})
		if err != nil || filters != `occurredTime:lte:"2026-09-01T00:00:00.000Z"` {
			t.Errorf("%q, %v", filters, err)
		}
		if got := ids(pages); !slices.Equal(got, []string{"old"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("TrimTheInclusiveUpperBound", func(t *testing.T) {
		pages, err := read(t, schema.Transactions, august, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, envelope(extracttest.Page{Rows: []string{
				`{"uuid":"first","occurredTime":"2026-08-01T00:00:00Z"}`,
				`{"uuid":"last","occurredTime":"2026-08-31T23:59:59.999+00:00"}`,
				`{"uuid":"next","occurredTime":"2026-09-01T00:00:00Z"}`,
				`{"uuid":"unreadable","occurredTime":"yesterday"}`,
			}}))
		})
		if got := ids(pages); err != nil || !slices.Equal(got, []string{"first", "last", "unreadable"}) || pages[0].Doubt != "" {
			t.Errorf("%q, doubt %q, %v", got, pages[0].Doubt, err)
		}
	})
	t.Run("FallBackOnceToWholeDaysWidenedByOne", func(t *testing.T) {
		var filters []string
		pages, err := read(t, schema.Transactions, august, func(w http.ResponseWriter, r *http.Request) {
			filters = append(filters, r.URL.Query().Get("filters"))
			if strings.Contains(filters[len(filters)-1], `"`) {
				http.Error(w, `[{"message":"filters: bad value"}]`, http.StatusBadRequest)
				return
			}
			p := extracttest.Page{Next: "n2", Rows: []string{
				`{"uuid":"before","occurredTime":"2026-07-31T12:00:00Z"}`, `{"uuid":"in","occurredTime":"2026-08-31T23:00:00Z"}`,
			}}
			if at(r.URL.Query()) != "" {
				p = extracttest.Page{Rows: []string{`{"uuid":"after","occurredTime":"2026-09-01T23:00:00Z"}`}}
			}
			fmt.Fprint(w, envelope(p))
		})
		if err != nil {
			t.Fatal(err)
		}
		wide := "occurredTime:gte:2026-07-31,occurredTime:lte:2026-09-02"
		if len(filters) != 3 || filters[1] != wide || filters[2] != wide {
			t.Errorf("filters %q", filters)
		}
		if got := ids(pages); !slices.Equal(got, []string{"in"}) || pages[1].Doubt != "" || pages[0].Retries != 1 {
			t.Errorf("%q, doubt %q, %d retries", got, pages[1].Doubt, pages[0].Retries)
		}
	})
	t.Run("AreRefusedWhenBothFiltersAre", func(t *testing.T) {
		asked := 0
		_, err := read(t, schema.Transactions, august, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			http.Error(w, `[{"message":"filters: bad value","code":"BDC_1"}]`, http.StatusBadRequest)
		})
		if err == nil || asked != 2 || !strings.Contains(err.Error(), "list transactions (bill-main, 2026-08-01..2026-09-01, page 1): 400 Bad Request: filters: bad value") {
			t.Errorf("%d requests, %v", asked, err)
		}
	})
	t.Run("EndWithAnErrorWhenAPageBringsNothingNew", func(t *testing.T) {
		asked := 0
		pages, err := read(t, schema.Transactions, august, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			fmt.Fprint(w, envelope(extracttest.Page{Next: fmt.Sprint("n", asked), Rows: []string{`{"uuid":"same","occurredTime":"2026-08-02T00:00:00Z"}`}}))
		})
		if err == nil || len(pages) != 1 || asked != 2 {
			t.Errorf("%d pages, %d requests, %v", len(pages), asked, err)
		}
	})
}

func TestBudgets(t *testing.T) {
	t.Run("AreNotRepeatedWhenTheFilterIsIgnored", func(t *testing.T) {
		pages, err := read(t, schema.Budgets, schema.Window{}, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, envelope(extracttest.Page{Rows: []string{`{"uuid":"b1","retired":false}`, `{"uuid":"b2","retired":true}`}}))
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := ids(pages); !slices.Equal(got, []string{"b1", "b2"}) || pages[1].Doubt != "server ignored filter retired" {
			t.Errorf("%q, doubt %q", got, pages[1].Doubt)
		}
	})
}

func TestFetch(t *testing.T) {
	t.Run("LeavesOutWhatIsNotKnownAndNeverAsksForANumber", func(t *testing.T) {
		var paths []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.EscapedPath())
			if strings.HasSuffix(r.URL.Path, "gone") {
				http.Error(w, `{}`, http.StatusNotFound)
				return
			}
			fmt.Fprint(w, `{"id":"a/b=","uuid":"crd_1","lastFour":"4242"}`)
		}))
		defer srv.Close()
		var got []extract.Page
		for page, err := range open(t, srv.URL).(extract.Fetcher).Fetch(t.Context(), schema.Cards, []string{"gone", "a/b=", ".."}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page)
		}
		if want := []string{"/v3/spend/cards/gone", "/v3/spend/cards/a%2Fb=", "/v3/spend/cards/%2E%2E"}; !slices.Equal(paths, want) {
			t.Errorf("paths %q", paths)
		}
		if want := []string{"crd_1", "crd_1"}; !slices.Equal(ids(got), want) || !got[len(got)-1].Last {
			t.Errorf("got %+v", got)
		}
	})
}

func FuzzAnswers(f *testing.F) { issuer().FuzzAnswers(f, "../../testdata") }
