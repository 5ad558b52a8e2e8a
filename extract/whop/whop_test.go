package whop_test

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
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/extract/whop"
	"github.com/tieout/tieout/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var august = schema.Window{
	From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
	To:   time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC),
}

func envelope(p extracttest.Page) string {
	end := p.Next
	if end == "" {
		end = "filled although it is the last" // only has_next_page counts
	}
	return fmt.Sprintf(`{"data":[%s],"page_info":{"end_cursor":%q,"start_cursor":null,"has_next_page":%t,"has_previous_page":false}}`,
		strings.Join(p.Rows, ","), end, p.Next != "")
}

func issuer() extracttest.Issuer {
	return extracttest.Issuer{
		Describe: whop.Issuer(),
		Config:   extract.Config{AccountID: "biz_1"},
		Auth: func(h http.Header) string {
			token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
			if !ok || h.Get("Api-Version-Date") != whop.DefaultAPIVersion {
				return "no bearer token, or no version"
			}
			return token
		},
		Streams: []extracttest.Stream{
			{
				Name: schema.Cards, Path: "/cards",
				Page: func(p extracttest.Page) string { return fmt.Sprintf(`{"data":[%s]}`, strings.Join(p.Rows, ",")) },
				Row:  func(i int) string { return fmt.Sprintf(`{"object":"card","id":"row-%d","status":"active"}`, i) },
			},
			{
				Name: schema.Transactions, Path: "/card_transactions", Page: envelope, Window: august,
				At: func(q url.Values) string { return q.Get("after") },
				Row: func(i int) string {
					return fmt.Sprintf(`{"id":"row-%d","status":"completed","created_at":"2026-08-0%[1]dT10:00:00.000Z"}`, i)
				},
				Outside: `{"id":"outside","created_at":"2026-07-01T10:00:00.000Z"}`,
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

func open(t *testing.T, c extract.Config) extract.Extractor {
	t.Helper()
	c.Source, c.Credential, c.RequestsPerSecond = "whop-main", transport.NewSecret("sk-test-0001"), 1e6
	c.Now = func() time.Time { return august.To }
	c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	x, err := whop.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func collect(pages func(func(extract.Page, error) bool)) (ids []string, last extract.Page, err error) {
	for page, err := range pages {
		if err != nil {
			return ids, last, err
		}
		for _, r := range page.Records {
			ids = append(ids, r.ExternalID)
		}
		last = page
	}
	return ids, last, nil
}

func TestNew(t *testing.T) {
	t.Run("WantsExactlyOneOwner", func(t *testing.T) {
		for _, c := range []extract.Config{{}, {AccountID: "biz_1", UserID: "user_1"}} {
			if _, err := whop.New(c); err == nil || !strings.Contains(err.Error(), "exactly one of account_id and user_id") {
				t.Errorf("%+v: %v", c, err)
			}
		}
	})
}

func TestQueries(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+"?"+r.URL.RawQuery)
		fmt.Fprint(w, envelope(extracttest.Page{}))
	}))
	defer srv.Close()
	everything := schema.Window{From: schema.Beginning, To: august.To.Add(time.Microsecond)}
	for _, c := range []struct {
		config extract.Config
		stream schema.Stream
		window schema.Window
		want   string
	}{
		{extract.Config{AccountID: "biz_1"}, schema.Cards, august, "/cards?account_id=biz_1"},
		{extract.Config{UserID: "user_1"}, schema.Cards, august, "/cards?user_id=user_1"},
		{
			extract.Config{AccountID: "biz_1"},
			schema.Transactions, august,
			"/card_transactions?account_id=biz_1&created_after=2026-08-01T00%3A00%3A00.000Z&created_before=2026-09-01T00%3A00%3A00.000Z&direction=asc&first=100&order=created_at",
		},
		{
			extract.Config{UserID: "user_1", PageSize: 7},
			schema.Transactions, everything,
			"/card_transactions?created_before=2026-09-01T00%3A00%3A00.001Z&direction=asc&first=7&order=created_at",
		},
		{
			extract.Config{UserID: "user_1", PageSize: 500},
			schema.Transactions, everything,
			"/card_transactions?created_before=2026-09-01T00%3A00%3A00.001Z&direction=asc&first=100&order=created_at",
		},
	} {
		c.config.BaseURL = srv.URL
		asked = nil
		if _, _, err := collect(open(t, c.config).Pages(t.Context(), c.stream, c.window, "")); err != nil {
			t.Fatal(err)
		}
		if len(asked) != 1 || asked[0] != c.want {
			t.Errorf("%+v: asked %q", c.config, asked)
		}
	}
}

func TestErrors(t *testing.T) {
	for fact, c := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"UnknownVersion": {
			400, `{"error":{"type":"invalid_request_error","message":"Unknown version. Supported: 2025-01-01, 2026-06-09"}}`,
			"list cards (whop-main, page 1): 400 Bad Request: Unknown version. Supported: 2025-01-01, 2026-06-09; if it is about the version, set api_version of source whop-main (now 1999-01-01) to one that the message names",
		},
		"Forbidden": {
			403, `{"error":{"type":"forbidden"}}`,
			"list cards (whop-main, page 1): 403 Forbidden; the credential of source whop-main needs the scope payout:account:read",
		},
		"NoLedgerForTheOwner": {
			404, `{"error":{"type":"not_found","message":"not found"}}`,
			"list cards (whop-main, page 1): 404 Not Found: not found; the credential of source whop-main does not see this account_id or user_id",
		},
	} {
		t.Run(fact, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, c.body, c.status) }))
			defer srv.Close()
			x := open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1", APIVersion: "1999-01-01"})
			if _, _, err := collect(x.Pages(t.Context(), schema.Cards, schema.Window{}, "")); err == nil || err.Error() != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("MoreWithoutACursor", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"data":[],"page_info":{"end_cursor":null,"has_next_page":true}}`)
		}))
		defer srv.Close()
		x := open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1"})
		if _, _, err := collect(x.Pages(t.Context(), schema.Transactions, august, "")); err == nil || !strings.Contains(err.Error(), "page_info.end_cursor") {
			t.Errorf("got %v", err)
		}
	})
}

func fetch(t *testing.T, x extract.Extractor, ids ...string) (got, missing []string, last extract.Page, err error) {
	t.Helper()
	got, last, err = collect(func(yield func(extract.Page, error) bool) {
		for page, err := range x.(extract.Fetcher).Fetch(t.Context(), schema.Transactions, ids) {
			missing = append(missing, page.Missing...)
			if !yield(page, err) {
				return
			}
		}
	})
	return got, missing, last, err
}

func TestFetch(t *testing.T) {
	ids := func(n int) []string {
		var ids []string
		for i := range n {
			ids = append(ids, fmt.Sprintf("citx_%d", i))
		}
		return ids
	}
	t.Run("RepeatsTheNameForFiftyIdsAtATime", func(t *testing.T) {
		var batches []int
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked := r.URL.Query()["transaction_ids"]
			batches = append(batches, len(asked))
			var rows []string
			for _, id := range asked {
				if id != "citx_3" { // one that it does not know any more
					rows = append(rows, fmt.Sprintf(`{"id":%q}`, id))
				}
			}
			fmt.Fprint(w, envelope(extracttest.Page{Rows: rows}))
		}))
		defer srv.Close()
		x := open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1"})
		got, missing, last, err := fetch(t, x, ids(101)...)
		if err != nil || len(got) != 100 || !slices.Equal(batches, []int{50, 50, 1}) || !last.Last || last.Doubt != "" || !slices.Equal(missing, []string{"citx_3"}) {
			t.Errorf("%d ids, batches %v, last %+v, %v", len(got), batches, last, err)
		}
	})
	t.Run("DoubtsAnIgnoredFilterAndReadsNoFurther", func(t *testing.T) {
		asked := 0
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			fmt.Fprint(w, envelope(extracttest.Page{Rows: []string{`{"id":"citx_0"}`, `{"id":"another"}`}, Next: "n"}))
		}))
		defer srv.Close()
		x := open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1"}).(extract.Fetcher)
		got, last, err := collect(x.Fetch(t.Context(), schema.Transactions, ids(1)))
		if err != nil || !slices.Equal(got, []string{"citx_0"}) || asked != 1 || last.Doubt != "server ignored filter transaction_ids" {
			t.Errorf("%q, %d requests, %+v, %v", got, asked, last, err)
		}
	})
	t.Run("SplitsABatchThatIsRefusedUntilTheBadIdIsAlone", func(t *testing.T) {
		for _, status := range []int{http.StatusBadRequest, http.StatusNotFound} {
			for _, c := range []struct {
				n   int
				bad []int
			}{{1, []int{0}}, {2, []int{1}}, {50, []int{0}}, {120, []int{49}}, {120, []int{0, 50, 51, 119}}, {3, []int{0, 1, 2}}} {
				var bad []string
				for _, i := range c.bad {
					bad = append(bad, ids(c.n)[i])
				}
				asked := 0
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					asked++
					var rows []string
					for _, id := range r.URL.Query()["transaction_ids"] {
						if slices.Contains(bad, id) {
							http.Error(w, `{"error":{"type":"invalid_request_error","code":"parameter_invalid"}}`, status)
							return
						}
						rows = append(rows, fmt.Sprintf(`{"id":%q}`, id))
					}
					fmt.Fprint(w, envelope(extracttest.Page{Rows: rows}))
				}))
				got, missing, last, err := fetch(t, open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1"}), ids(c.n)...)
				srv.Close()
				good := slices.DeleteFunc(ids(c.n), func(id string) bool { return slices.Contains(bad, id) })
				if err != nil || !slices.Equal(got, good) || !slices.Equal(missing, bad) || !last.Last || last.Doubt != "" {
					t.Errorf("%d, %+v: got %q, missing %q, last %+v, %v", status, c, got, missing, last, err)
				}
				if most := 3 + 14*len(bad); asked > most {
					t.Errorf("%d, %+v: %d requests, want at most %d", status, c, asked, most)
				}
			}
		}
	})
	t.Run("FollowsTheCursorWithinABatch", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked := r.URL.Query()["transaction_ids"]
			n := 0
			_, _ = fmt.Sscanf(r.URL.Query().Get("after"), "%d", &n)
			page := extracttest.Page{Rows: []string{fmt.Sprintf(`{"id":%q}`, asked[n])}}
			if n < len(asked)-1 {
				page.Next = fmt.Sprint(n + 1)
			}
			fmt.Fprint(w, envelope(page))
		}))
		defer srv.Close()
		got, missing, last, err := fetch(t, open(t, extract.Config{BaseURL: srv.URL, AccountID: "biz_1"}), ids(52)...)
		if err != nil || !slices.Equal(got, ids(52)) || missing != nil || !last.Last {
			t.Errorf("got %q, missing %q, last %+v, %v", got, missing, last, err)
		}
	})
	t.Run("AsksForNothingWithoutIds", func(t *testing.T) {
		x := open(t, extract.Config{BaseURL: "https://127.0.0.1:1", AccountID: "biz_1"}).(extract.Fetcher)
		if got, _, err := collect(x.Fetch(t.Context(), schema.Transactions, nil)); got != nil || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func FuzzAnswers(f *testing.F) { issuer().FuzzAnswers(f, "../../testdata") }
