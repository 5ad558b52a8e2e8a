// Package extracttest is the conformance suite that every issuer passes. It stands in for the issuer's server, page by
// page, and proves the contract of extract.Extractor: what is asked for, when, and what becomes of the answers.
package extracttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Credential is what the suite gives an extractor to authenticate with.
const Credential = "sk_test_conformance"

// Issuer is what the suite must know to stand in for an issuer.
type Issuer struct {
	Describe extract.Issuer
	Config   extract.Config             // what the issuer needs beside source, base URL and credential
	Auth     func(h http.Header) string // finds the credential in a request
	Streams  []Stream
}

// Stream is one listed stream.
type Stream struct {
	Name   schema.Stream
	Window schema.Window
	Path   string                                            // of the list, below the base URL
	Row    func(i int) string                                // row i, which lies in the window; its id is ID(i)
	ID     func(i int) string                                // nil: "row-1", "row-2", …
	Page   func(p Page) string                               // the envelope
	Other  func(w http.ResponseWriter, r *http.Request) bool // answers requests that are not for the pages: a second list, a control total

	At       func(q url.Values) string // the provider's cursor in a request; nil: the list has no pages
	Numbered bool                      // cursors are page numbers
	Outside  string                    // a row that the filter keeps out; empty: there is no filter
}

// Page is what an envelope is made from.
type Page struct {
	Rows  []string
	Next  string // the provider's cursor or number of the next page; empty on the last
	Total int    // different rows in the whole list
}

// Config is what the suite gives an extractor: no pace, no waiting, a clock that stands still.
func (issuer Issuer) config(baseURL string) extract.Config {
	c := issuer.Config
	c.Source, c.BaseURL, c.Credential = "source-a", baseURL, transport.NewSecret(Credential)
	c.RequestsPerSecond = 1e6
	c.Now = func() time.Time { return time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC) }
	c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return c
}

func (s Stream) id(i int) string {
	if s.ID != nil {
		return s.ID(i)
	}
	return fmt.Sprintf("row-%d", i)
}

func (s Stream) token(page int) string {
	switch {
	case page == 0:
		return ""
	case s.Numbered:
		return fmt.Sprint(page + 1)
	}
	return fmt.Sprintf("cursor-%d", page+1)
}

// rows makes rows from..to, both included.
func (s Stream) rows(from, to int) []string {
	var rows []string
	for i := from; i <= to; i++ {
		rows = append(rows, s.Row(i))
	}
	return rows
}

func (s Stream) ids(from, to int) []string {
	var ids []string
	for i := from; i <= to; i++ {
		ids = append(ids, s.id(i))
	}
	return ids
}

// server is the stand-in. answer is asked for the pages of the list.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func (s *server) asked() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

type answer func(w http.ResponseWriter, r *http.Request, at string)

func serve(t *testing.T, s Stream, a answer) *server {
	t.Helper()
	srv := &server{}
	srv.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.mu.Lock()
		srv.requests = append(srv.requests, r)
		srv.mu.Unlock()
		if s.Other != nil && s.Other(w, r) {
			return
		}
		if r.URL.Path != "/base"+s.Path {
			http.Error(w, `{"message":"no such path"}`, http.StatusTeapot)
			return
		}
		at := ""
		if s.At != nil {
			at = s.At(r.URL.Query())
		}
		a(w, r, at)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// pages answers with fixed pages.
func (s Stream) pages(total int, pages ...[]string) answer {
	return func(w http.ResponseWriter, _ *http.Request, at string) {
		for i, rows := range pages {
			if at != s.token(i) && !(s.Numbered && i == 0 && at == "1") {
				continue
			}
			p := Page{Rows: rows, Total: total}
			if i < len(pages)-1 {
				p.Next = s.token(i + 1)
			}
			_, _ = io.WriteString(w, s.Page(p))
			return
		}
		http.Error(w, `{"message":"no such page"}`, http.StatusTeapot)
	}
}

// read is the outcome of a range.
type read struct {
	pages []extract.Page
	err   error
}

func (r read) ids() []string {
	var ids []string
	for _, p := range r.pages {
		for _, record := range p.Records {
			ids = append(ids, record.ExternalID)
		}
	}
	return ids
}

func (r read) last() extract.Page {
	if len(r.pages) == 0 {
		return extract.Page{}
	}
	return r.pages[len(r.pages)-1]
}

type fixture struct {
	issuer Issuer
	stream Stream
	server *server
	x      extract.Extractor
}

func (issuer Issuer) fixture(t *testing.T, s Stream, a answer) *fixture {
	t.Helper()
	srv := serve(t, s, a)
	x, err := issuer.Describe.New(issuer.config(srv.URL + "/base"))
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{issuer: issuer, stream: s, server: srv, x: x}
}

func (f *fixture) read(ctx context.Context, from extract.Cursor) read {
	var r read
	for page, err := range f.x.Pages(ctx, f.stream.Name, f.stream.Window, from) {
		if err != nil {
			if r.err != nil {
				r.err = errors.New("a second error after the first")
				return r
			}
			r.err = err
			continue
		}
		r.pages = append(r.pages, page)
	}
	return r
}

func (f *fixture) all(t *testing.T) read {
	t.Helper()
	r := f.read(t.Context(), "")
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Run runs the suite.
func Run(t *testing.T, issuer Issuer) {
	for _, stream := range issuer.Streams {
		t.Run(string(stream.Name), func(t *testing.T) {
			tests := issuer.anyList(stream)
			if stream.At != nil {
				tests = append(tests, issuer.pagedList(stream)...)
			}
			if stream.At != nil && !stream.Numbered {
				tests = append(tests, issuer.cursorList(stream)...)
			}
			if stream.Outside != "" {
				tests = append(tests, issuer.filteredList(stream)...)
			}
			for _, test := range tests {
				t.Run(test.fact, test.prove)
			}
		})
	}
	t.Run("RefusesAStreamThatItDoesNotHave", func(t *testing.T) {
		f := issuer.fixture(t, issuer.Streams[0], issuer.Streams[0].pages(0, nil))
		for page, err := range f.x.Pages(t.Context(), "no-such-stream", schema.Window{}, "") {
			if err == nil {
				t.Errorf("got a page: %+v", page)
			}
		}
		if n := len(f.server.asked()); n != 0 {
			t.Errorf("%d requests", n)
		}
	})
}

type test struct {
	fact  string
	prove func(t *testing.T)
}

// anyList is what holds for every list, paged or not.
func (issuer Issuer) anyList(s Stream) []test {
	return []test{
		{"AsksForNothingBeforeTheFirstRange", func(t *testing.T) {
			f := issuer.fixture(t, s, s.pages(2, s.rows(1, 2)))
			pages := f.x.Pages(t.Context(), s.Name, s.Window, "")
			if n := len(f.server.asked()); n != 0 {
				t.Errorf("%d requests before the first range", n)
			}
			for _, err := range pages {
				if err != nil {
					t.Error(err)
				}
				break
			}
			if len(f.server.asked()) == 0 {
				t.Error("no request by the first range")
			}
		}},
		{"StartsAgainWhenRangedAgain", func(t *testing.T) {
			f := issuer.fixture(t, s, s.pages(2, s.rows(1, 2)))
			pages := f.x.Pages(t.Context(), s.Name, s.Window, "")
			for range 2 {
				var ids []string
				for page, err := range pages {
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, read{pages: []extract.Page{page}}.ids()...)
				}
				same(t, "ids", ids, s.ids(1, 2))
			}
		}},
		{"SendsTheCredentialWithEveryRequestAndOnlyReads", func(t *testing.T) {
			f := issuer.fixture(t, s, s.pages(2, s.rows(1, 2)))
			f.all(t)
			for _, r := range f.server.asked() {
				if got := issuer.Auth(r.Header); got != Credential {
					t.Errorf("%s: credential %q", r.URL, got)
				}
				if r.Method != http.MethodGet {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				if strings.Contains(r.URL.String(), Credential) {
					t.Errorf("the credential stands in the URL %s", r.URL)
				}
			}
		}},
		{"EndsAnEmptyStreamWithALastPage", func(t *testing.T) {
			r := issuer.fixture(t, s, s.pages(0, nil)).all(t)
			if len(r.ids()) != 0 || !r.last().Last || r.last().Next != "" || r.last().Doubt != "" {
				t.Errorf("got %+v", r.pages)
			}
		}},
		{"SaysWhereAndWhenARecordWasReceived", func(t *testing.T) {
			r := issuer.fixture(t, s, s.pages(1, s.rows(1, 1))).all(t)
			record := r.pages[0].Records[0]
			if record.Source != "source-a" || record.Provider != issuer.Describe.Provider || record.Stream != s.Name ||
				!record.ReceivedAt.Equal(time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)) {
				t.Errorf("got %+v", record)
			}
			if len(record.Unknown) != 0 || record.Malformed != "" {
				t.Errorf("unknown %q, malformed %q", record.Unknown, record.Malformed)
			}
		}},
		{"KeepsTheRestOfAPageWithBadRows", func(t *testing.T) {
			bad := []string{`42`, `null`, `"text"`, `[]`, `{"id":7}`, `{"id":"twice","id":"twice"}`, `{}`}
			r := issuer.fixture(t, s, s.pages(9, slices.Concat(s.rows(1, 1), bad, s.rows(2, 2)))).all(t)
			var good []string
			for _, id := range r.ids() {
				if strings.HasPrefix(id, s.id(1)[:1]) {
					good = append(good, id)
				}
			}
			records := 0
			for _, p := range r.pages {
				records += len(p.Records)
			}
			if !slices.Contains(r.ids(), s.id(1)) || !slices.Contains(r.ids(), s.id(2)) {
				t.Errorf("ids: got %q", good)
			}
			// A server that counts differently makes the walk begin again: the bad rows then come several times.
			if walks := records / 9; records%9 != 0 || walks < 1 {
				t.Errorf("%d records of 9 rows", records)
			}
		}},
		{"NamesSourceStreamPageAndFieldOfABadEnvelope", func(t *testing.T) {
			for _, body := range []string{`{}`, `[]`, `null`, `"text"`, `{"status":true,"data":{"cards":7,"cardTransactions":7},"results":7,"items":7}`} {
				f := issuer.fixture(t, s, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, body) })
				r := f.read(t.Context(), "")
				var field *transport.FieldError
				if !errors.As(r.err, &field) || field.Field == "" {
					t.Errorf("%s: got %v", body, r.err)
					continue
				}
				for _, word := range []string{"source-a", string(s.Name), "page 1", field.Field} {
					if !strings.Contains(r.err.Error(), word) {
						t.Errorf("%s: %q does not name %s", body, r.err, word)
					}
				}
			}
		}},
		{"ReadsAPageAgainThatWasCutShort", func(t *testing.T) {
			whole, cut := s.pages(2, s.rows(1, 2)), true
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, at string) {
				if !cut {
					whole(w, r, at)
					return
				}
				cut = false
				rec := httptest.NewRecorder()
				whole(rec, r, at)
				_, _ = io.WriteString(w, rec.Body.String()[:rec.Body.Len()/2])
			})
			r := f.all(t)
			same(t, "ids", r.ids(), s.ids(1, 2))
			if r.pages[0].Retries != 1 {
				t.Errorf("%d retries", r.pages[0].Retries)
			}
		}},
		{"NeverFollowsARedirect", func(t *testing.T) {
			foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("the foreign server was asked for %s with %q", r.URL, issuer.Auth(r.Header))
			}))
			t.Cleanup(foreign.Close)
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, _ string) {
				http.Redirect(w, r, foreign.URL, http.StatusTemporaryRedirect)
			})
			var status *transport.StatusError
			if r := f.read(t.Context(), ""); !errors.As(r.err, &status) || status.Status != http.StatusTemporaryRedirect {
				t.Errorf("got %v", r.err)
			}
		}},
		{"KeepsTheCredentialAndCardNumbersOutOfErrors", func(t *testing.T) {
			f := issuer.fixture(t, s, func(w http.ResponseWriter, _ *http.Request, _ string) {
				http.Error(w, `{"message":"`+Credential+` may not see 4111 1111 1111 1111 of jane@example.com"}`, http.StatusUnauthorized)
			})
			r := f.read(t.Context(), "")
			if r.err == nil {
				t.Fatal("no error")
			}
			for _, secret := range []string{Credential, "4111", "jane@"} {
				if strings.Contains(r.err.Error(), secret) {
					t.Errorf("%q holds %s", r.err, secret)
				}
			}
			if !strings.Contains(r.err.Error(), "check the credential of source source-a") {
				t.Errorf("%q names no remedy", r.err)
			}
			if n := len(f.server.asked()); n != 1 {
				t.Errorf("a 401 was asked for %d times", n)
			}
		}},
		{"RefusesACursorThatIsNotItsOwn", func(t *testing.T) {
			for _, from := range []extract.Cursor{"x", "{", `{"list":99,"page":1,"state":{}}`, `{"list":-1,"page":1,"state":{}}`} {
				f := issuer.fixture(t, s, s.pages(0, nil))
				if r := f.read(t.Context(), from); !errors.Is(r.err, extract.ErrCursor) || len(f.server.asked()) != 0 {
					t.Errorf("%s: %v, %d requests", from, r.err, len(f.server.asked()))
				}
			}
		}},
	}
}

// pagedList is what holds for every list with pages.
func (issuer Issuer) pagedList(s Stream) []test {
	three := func() answer { return s.pages(6, s.rows(1, 2), s.rows(3, 4), s.rows(5, 6)) }
	return []test{
		{"ReadsAllPagesInOrder", func(t *testing.T) {
			r := issuer.fixture(t, s, three()).all(t)
			same(t, "ids", r.ids(), s.ids(1, 6))
			for i, page := range r.pages {
				if last := i == len(r.pages)-1; page.Last != last || (page.Next == "") != last {
					t.Errorf("page %d of %d: Last %v, Next %q", i+1, len(r.pages), page.Last, page.Next)
				}
			}
		}},
		{"GoesOnFromEveryCursor", func(t *testing.T) {
			r := issuer.fixture(t, s, three()).all(t)
			for i, page := range r.pages[:len(r.pages)-1] {
				rest := issuer.fixture(t, s, three()).read(t.Context(), page.Next)
				if rest.err != nil {
					t.Fatal(rest.err)
				}
				same(t, fmt.Sprintf("ids after page %d", i+1), rest.ids(), read{pages: r.pages[i+1:]}.ids())
				if !rest.last().Last {
					t.Error("no last page")
				}
			}
		}},
		{"AsksForNothingMoreWhenTheRangeStops", func(t *testing.T) {
			f := issuer.fixture(t, s, three())
			for _, err := range f.x.Pages(t.Context(), s.Name, s.Window, "") {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
			if n := len(f.server.asked()); n != 1 {
				t.Errorf("%d requests for one page", n)
			}
		}},
		{"StopsBetweenPagesWhenCancelled", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := issuer.fixture(t, s, three())
			var errs []error
			for _, err := range f.x.Pages(ctx, s.Name, s.Window, "") {
				cancel()
				if err != nil {
					errs = append(errs, err)
				}
			}
			if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) || len(f.server.asked()) != 1 {
				t.Errorf("errors %v, %d requests", errs, len(f.server.asked()))
			}
		}},
		{"YieldsPageOneBeforeTheErrorOfPageTwo", func(t *testing.T) {
			whole := three()
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, at string) {
				if at == s.token(1) {
					http.Error(w, `{"message":"not for you"}`, http.StatusForbidden)
					return
				}
				whole(w, r, at)
			})
			r := f.read(t.Context(), "")
			same(t, "ids", r.ids(), s.ids(1, 2))
			if r.err == nil || !strings.Contains(r.err.Error(), "page 2") || !strings.Contains(r.err.Error(), "not for you") {
				t.Errorf("error %v", r.err)
			}
		}},
		{"GoesOnAfterAnEmptyPage", func(t *testing.T) {
			r := issuer.fixture(t, s, s.pages(4, s.rows(1, 2), nil, s.rows(3, 4))).all(t)
			same(t, "ids", r.ids(), s.ids(1, 4))
		}},
		{"YieldsARowOfTwoPagesTwice", func(t *testing.T) {
			r := issuer.fixture(t, s, s.pages(3, s.rows(1, 2), s.rows(2, 3))).all(t)
			same(t, "ids", r.ids(), []string{s.id(1), s.id(2), s.id(2), s.id(3)})
		}},
		{"LosesNoRowWhenAnotherIsInsertedBeforeIt", func(t *testing.T) {
			list := s.rows(1, 6)
			asked := 0
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, at string) {
				if asked++; asked == 2 {
					list = append([]string{s.Row(7)}, list...)
				}
				offset := 0
				for i := range len(list) {
					if at == s.token(i) || s.Numbered && at == fmt.Sprint(i+1) {
						offset = 2 * i
					}
				}
				end := min(offset+2, len(list))
				p := Page{Rows: list[min(offset, end):end], Total: len(list)}
				if end < len(list) {
					p.Next = s.token(end / 2)
				}
				_, _ = io.WriteString(w, s.Page(p))
			})
			r := f.all(t)
			for _, id := range s.ids(1, 6) {
				if !slices.Contains(r.ids(), id) {
					t.Errorf("%s is lost: got %q", id, r.ids())
				}
			}
			if r.last().Doubt != "" {
				t.Errorf("doubt %q", r.last().Doubt)
			}
		}},
		{"EndsAListThatIsTooLong", func(t *testing.T) {
			limited := issuer
			limited.Config.MaxPages = 2
			r := limited.fixture(t, s, three()).read(t.Context(), "")
			if !errors.Is(r.err, paginate.ErrTooMany) || len(r.pages) != 2 {
				t.Errorf("%d pages, error %v", len(r.pages), r.err)
			}
		}},
		{"SaysWhenTheCursorIsNoLongerAccepted", func(t *testing.T) {
			first := issuer.fixture(t, s, three()).all(t).pages[0]
			gone := func(w http.ResponseWriter, _ *http.Request, _ string) {
				http.Error(w, `{"message":"unknown cursor"}`, http.StatusBadRequest)
			}
			if r := issuer.fixture(t, s, gone).read(t.Context(), first.Next); !errors.Is(r.err, extract.ErrCursor) {
				t.Errorf("resumed: got %v", r.err)
			}
			if r := issuer.fixture(t, s, gone).read(t.Context(), ""); r.err == nil || errors.Is(r.err, extract.ErrCursor) {
				t.Errorf("from the start: got %v", r.err)
			}
		}},
	}
}

// cursorList is what holds where the provider makes the cursors.
func (issuer Issuer) cursorList(s Stream) []test {
	return []test{
		{"RefusesARepeatedCursor", func(t *testing.T) {
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, at string) {
				rows := s.rows(1, 2)
				if at != "" {
					rows = s.rows(3, 4)
				}
				_, _ = io.WriteString(w, s.Page(Page{Rows: rows, Next: "again", Total: 4}))
			})
			r := f.read(t.Context(), "")
			if !errors.Is(r.err, paginate.ErrRepeated) || len(r.pages) != 1 {
				t.Errorf("%d pages, error %v", len(r.pages), r.err)
			}
		}},
		{"SendsAURLAsACursorToItsOwnServerOnly", func(t *testing.T) {
			foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				t.Errorf("the foreign server was asked for %s", r.URL)
			}))
			t.Cleanup(foreign.Close)
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, at string) {
				p := Page{Rows: s.rows(1, 2), Next: foreign.URL + "/next?page=2", Total: 4}
				if at == p.Next {
					p = Page{Rows: s.rows(3, 4), Total: 4}
				}
				_, _ = io.WriteString(w, s.Page(p))
			})
			same(t, "ids", f.all(t).ids(), s.ids(1, 4))
		}},
		{"RefusesACursorThatIsTooLong", func(t *testing.T) {
			f := issuer.fixture(t, s, func(w http.ResponseWriter, r *http.Request, _ string) {
				_, _ = io.WriteString(w, s.Page(Page{Rows: s.rows(1, 2), Next: strings.Repeat("x", 9000), Total: 4}))
			})
			if r := f.read(t.Context(), ""); r.err == nil || len(r.pages) != 0 {
				t.Errorf("%d pages, error %v", len(r.pages), r.err)
			}
		}},
	}
}

// filteredList is what holds where the provider filters by time.
func (issuer Issuer) filteredList(s Stream) []test {
	return []test{
		{"DoubtsAWindowWhoseFilterTheServerIgnored", func(t *testing.T) {
			r := issuer.fixture(t, s, s.pages(4, append(s.rows(1, 2), s.Outside), s.rows(3, 4))).all(t)
			same(t, "ids", r.ids(), s.ids(1, 4))
			if !strings.Contains(r.last().Doubt, "server ignored filter") {
				t.Errorf("doubt %q", r.last().Doubt)
			}
		}},
		{"RemembersTheDoubtWhenItGoesOn", func(t *testing.T) {
			a := s.pages(4, append(s.rows(1, 2), s.Outside), s.rows(3, 4))
			first := issuer.fixture(t, s, a).all(t).pages[0]
			rest := issuer.fixture(t, s, a).read(t.Context(), first.Next)
			if rest.err != nil || !strings.Contains(rest.last().Doubt, "server ignored filter") {
				t.Errorf("doubt %q, error %v", rest.last().Doubt, rest.err)
			}
		}},
	}
}
