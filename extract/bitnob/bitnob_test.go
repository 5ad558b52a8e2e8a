package bitnob_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/bitnob"
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

var everything = schema.Window{From: schema.Beginning, To: august.To}

func envelope(rows string) func(extracttest.Page) string {
	return func(p extracttest.Page) string {
		return fmt.Sprintf(`{"status":true,"message":"ok","data":{%q:[%s],"meta":{"itemCount":%d,"hasNextPage":%t}}}`,
			rows, strings.Join(p.Rows, ","), p.Total, p.Next != "")
	}
}

func at(q url.Values) string {
	if q.Get("page") == "1" {
		return ""
	}
	return q.Get("page")
}

func row(i int) string {
	return fmt.Sprintf(`{"id":"row-%d","createdAt":"2026-08-0%[1]dT10:00:00.000Z","status":"success"}`, i)
}

func issuer() extracttest.Issuer {
	return extracttest.Issuer{
		Describe: bitnob.Issuer(),
		Auth: func(h http.Header) string {
			token, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
			return token
		},
		Streams: []extracttest.Stream{
			{Name: schema.Cards, Path: "/virtualcards/cards", Page: envelope("cards"), At: at, Numbered: true, Row: row},
			{
				Name: schema.Transactions, Path: "/virtualcards/cards/transactions", Page: envelope("cardTransactions"),
				At: at, Numbered: true, Row: row, Window: august,
			},
		},
	}
}

func TestConformance(t *testing.T) { extracttest.Run(t, issuer()) }

func TestGolden(t *testing.T) {
	for _, s := range issuer().Streams {
		issuer().Goldens(t, s, "../../testdata", *update)
	}
	issuer().Goldens(t, extracttest.Stream{Name: schema.Balances}, "../../testdata", *update,
		"0b1e7a3c-0000-4000-8000-000000000001", "0b1e7a3c-0000-4000-8000-000000000002")
}

func open(t *testing.T, base string) extract.Extractor {
	t.Helper()
	x, err := bitnob.New(extract.Config{
		Source: "bitnob-main", BaseURL: base, Credential: transport.NewSecret("sk-test-0001"), RequestsPerSecond: 1e6, PageSize: 2,
		Now:   func() time.Time { return august.To },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// list is a server over rows that change: before each request, change is given its number and the rows.
func list(rows []string, change func(n int, rows []string) []string) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		n++
		if change != nil {
			rows = change(n, rows)
		}
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		take, _ := strconv.Atoi(r.URL.Query().Get("take"))
		from := min((page-1)*take, len(rows))
		to := min(from+take, len(rows))
		fmt.Fprintf(w, `{"status":true,"data":{"cardTransactions":[%s],"cards":[%[1]s],"meta":{"page":%d,"take":%d,"itemCount":%d,"pageCount":%d,"hasPreviousPage":%t,"hasNextPage":%t}}}`,
			strings.Join(rows[from:to], ","), page, take, len(rows), (len(rows)+take-1)/take, page > 1, to < len(rows))
	}
}

type outcome struct {
	ids      []string
	restarts int
	last     extract.Page
	requests int
	err      error
}

func read(t *testing.T, w schema.Window, h http.HandlerFunc) outcome {
	t.Helper()
	var o outcome
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests++
		h(w, r)
	}))
	defer srv.Close()
	for page, err := range open(t, srv.URL).Pages(t.Context(), schema.Transactions, w, "") {
		if err != nil {
			o.err = err
			return o
		}
		if page.Restart {
			o.ids = nil
			o.restarts++
		}
		for _, r := range page.Records {
			o.ids = append(o.ids, r.ExternalID)
		}
		o.last = page
	}
	return o
}

func rows(n int) []string {
	var rows []string
	for i := 1; i <= n; i++ {
		rows = append(rows, row(i))
	}
	return rows
}

func TestTransactions(t *testing.T) {
	t.Run("AreTrimmedToTheWindowAndThenHaveNoTotal", func(t *testing.T) {
		window := schema.Window{From: august.From.AddDate(0, 0, 1), To: august.From.AddDate(0, 0, 3)}
		o := read(t, window, list(rows(5), nil))
		if !slices.Equal(o.ids, []string{"row-2", "row-3"}) || o.last.Total != -1 || o.last.Doubt != "" || o.requests != 3 {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("HaveATotalWhereTheWindowHoldsThemAll", func(t *testing.T) {
		if o := read(t, everything, list(rows(5), nil)); len(o.ids) != 5 || o.last.Total != 5 || o.last.Doubt != "" {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreReadAgainWhenOneIsDeletedMeanwhile", func(t *testing.T) {
		o := read(t, everything, list(rows(6), func(n int, rows []string) []string {
			if n == 2 {
				return rows[1:] // row-3 moves to the page that was read
			}
			return rows
		}))
		if want := []string{"row-2", "row-3", "row-4", "row-5", "row-6"}; !slices.Equal(o.ids, want) || o.restarts != 1 || o.last.Doubt != "" {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreReadAgainWhenTheCountHidesTheMove", func(t *testing.T) {
		o := read(t, everything, list(rows(5), func(n int, rows []string) []string {
			if n == 2 {
				return []string{row(1), row(2), row(2), row(3), row(4)} // five of a count of five, and four different
			}
			if n == 3 {
				return []string{row(1), row(2), row(3), row(4), row(5)}
			}
			return rows
		}))
		if want := []string{"row-1", "row-2", "row-3", "row-4", "row-5"}; !slices.Equal(o.ids, want) || o.restarts != 1 || o.last.Total != 5 {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreDoubtedAfterThreeRestarts", func(t *testing.T) {
		o := read(t, everything, list(rows(9), func(n int, rows []string) []string {
			if n%2 == 0 {
				return rows[1:]
			}
			return rows
		}))
		if o.restarts != 3 || !o.last.Last || !strings.Contains(o.last.Doubt, "itemCount went from 6 to 5") {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreCompleteThoughTheListGrowsWheneverItIsRead", func(t *testing.T) {
		next := 4
		o := read(t, everything, list(rows(3), func(n int, rows []string) []string {
			if n%2 == 0 && next < 10 {
				rows = append(rows, row(next))
				next++
			}
			return rows
		}))
		if o.restarts != 3 || len(o.ids) != next-1 || o.last.Doubt != "" || o.last.Total != int64(next-1) {
			t.Errorf("got %+v (next %d)", o, next)
		}
	})
	t.Run("AreNotCountedWhereItemCountMeansThePage", func(t *testing.T) {
		o := read(t, everything, func(w http.ResponseWriter, r *http.Request) {
			n := map[string]int{"1": 2, "2": 1}[r.URL.Query().Get("page")]
			first := map[string]int{"1": 1, "2": 3}[r.URL.Query().Get("page")]
			fmt.Fprintf(w, `{"status":true,"data":{"cardTransactions":[%s],"itemCount":%d,"hasNextPage":%t}}`,
				strings.Join(rows(3)[first-1:first-1+n], ","), n, n == 2)
		})
		if len(o.ids) != 3 || o.restarts != 0 || o.last.Doubt != "" || o.last.Total != -1 {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("EndOnAnEmptyPageBeyondTheLast", func(t *testing.T) {
		o := read(t, everything, func(w http.ResponseWriter, r *http.Request) {
			page := r.URL.Query().Get("page")
			body := row(1)
			if page != "1" {
				body = ""
			}
			fmt.Fprintf(w, `{"status":true,"data":{"cardTransactions":[%s]},"meta":{"itemCount":1,"pageCount":1,"hasNextPage":true}}`, body)
		})
		if o.err != nil || o.requests != 2 || !o.last.Last || o.last.Doubt != "" {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreAnErrorWhenEveryPageIsTheFirst", func(t *testing.T) {
		o := read(t, everything, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"status":true,"data":{"cardTransactions":[%s]},"meta":{"itemCount":5,"pageCount":3,"hasNextPage":true}}`, strings.Join(rows(2), ","))
		})
		want := "list transactions (bitnob-main, beginning..2026-09-01, page 2): the page brings no new row, but says that another follows: the list would never end"
		if o.err == nil || o.err.Error() != want || o.requests != 2 {
			t.Errorf("got %+v", o)
		}
	})
	t.Run("AreAnErrorWhenTheEnvelopeSaysSo", func(t *testing.T) {
		o := read(t, everything, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":false,"message":"Invalid secret key","data":null}`)
		})
		want := "list transactions (bitnob-main, beginning..2026-09-01, page 1): 200 OK: Invalid secret key; the provider says status false"
		if o.err == nil || o.err.Error() != want || o.requests != 1 {
			t.Errorf("got %+v", o)
		}
	})
}

func TestPaths(t *testing.T) {
	t.Run("FallBackToTheOtherSpellingAndRememberIt", func(t *testing.T) {
		var paths []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.Path)
			switch r.URL.Path {
			case "/virtualcards/transactions":
				list(rows(1), nil)(w, r)
			case "/virtualcards/card/c1", "/virtualcards/card/c3":
				fmt.Fprint(w, `{"status":true,"data":{"id":"x","balance":1}}`)
			default:
				http.Error(w, `{"message":"Cannot GET"}`, http.StatusNotFound)
			}
		}))
		defer srv.Close()
		x := open(t, srv.URL)
		for range 2 {
			for _, err := range x.Pages(t.Context(), schema.Transactions, everything, "") {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		var got []string
		for page, err := range x.(extract.Fetcher).Fetch(t.Context(), schema.Balances, []string{"c1", "gone", "c3"}) {
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Records {
				got = append(got, r.ExternalID)
			}
		}
		if !slices.Equal(got, []string{"c1", "c3"}) {
			t.Errorf("balances of %q", got)
		}
		want := []string{
			"/virtualcards/cards/transactions", "/virtualcards/transactions", "/virtualcards/transactions",
			"/virtualcards/cards/c1", "/virtualcards/card/c1", "/virtualcards/card/gone", "/virtualcards/card/c3",
		}
		if !slices.Equal(paths, want) {
			t.Errorf("asked for %q", paths)
		}
	})
	t.Run("AreAnErrorWhenNoSpellingIsKnown", func(t *testing.T) {
		o := read(t, everything, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })
		if o.err == nil || o.requests != 2 || !strings.Contains(o.err.Error(), "404 Not Found") {
			t.Errorf("got %+v", o)
		}
	})
}

func TestBalances(t *testing.T) {
	t.Run("HoldNoSecretWhateverItsPlace", func(t *testing.T) {
		secrets := []string{"4111111111111111", "737", "ada@example.com", "Marina", "22233344455"}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":true,"data":{"id":"c1","balance":480.01,"cardNumber":"4111111111111111","cvv2":"737",
				"CardNumber":"4111111111111111","customerReference":"ada@example.com","street":"1 Marina Rd","bvn":"22233344455",
				"cardName":"Ada 4111 1111-1111 1111","last4":"4111111111111111","secrets":{"pan":"4111111111111111"},
				"4111111111111111":1}}`)
		}))
		defer srv.Close()
		for page, err := range open(t, srv.URL).(extract.Fetcher).Fetch(t.Context(), schema.Balances, []string{"c1"}) {
			if err != nil {
				t.Fatal(err)
			}
			r := page.Records[0]
			if want := `{"id":"c1","balance":480.01,"cardName":"Ada [masked]","last4":"[masked]"}`; string(r.Payload) != want {
				t.Errorf("payload %s", r.Payload)
			}
			if want := []string{"CardNumber", "bvn", "secrets", "[masked]"}; !slices.Equal(r.Unknown, want) {
				t.Errorf("unknown %q", r.Unknown)
			}
			for _, secret := range secrets {
				if strings.Contains(fmt.Sprintf("%+v %s", r, r.Payload), secret) {
					t.Errorf("%s is kept", secret)
				}
			}
		}
	})
}

func FuzzAnswers(f *testing.F) { issuer().FuzzAnswers(f, "../../testdata") }
