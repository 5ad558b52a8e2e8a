package transport

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)

// waits records how long a client would have slept.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return ctx.Err()
}

func config(base string, w *waits) Config {
	return Config{
		Source: "source-a", BaseURL: base, Credential: NewSecret("sk_live_secret"), RequestsPerSecond: 1e6,
		Header: http.Header{"X-Api-Key": {"sk_live_secret"}}, Now: func() time.Time { return noon }, Sleep: w.sleep,
	}
}

func client(t *testing.T, c Config) *Client {
	t.Helper()
	made, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// script answers the n-th request with the n-th step, and all later ones with the last.
func script(t *testing.T, steps ...http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64) // a request that was given up may still be served beside the next
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		steps[min(int(n.Add(1)), len(steps))-1](w, r)
	}))
	t.Cleanup(srv.Close)
	return srv, n
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func get(t *testing.T, c *Client) (Answer, error) {
	t.Helper()
	return c.Session().Get(t.Context(), Path("x"), nil, nil)
}

func TestRetry(t *testing.T) {
	hijack := func(w http.ResponseWriter, do func(net.Conn)) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		do(conn)
		_ = conn.Close()
	}
	again := map[string]http.HandlerFunc{
		"MalformedJSON": status(200, `{"a":`),
		"HTML":          status(200, `<html>down for maintenance</html>`),
		"EmptyBody":     status(200, ``),
		"Reset": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
		},
		"CutShort": func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, func(c net.Conn) {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":")
			})
		},
		"NoAnswer":   func(w http.ResponseWriter, _ *http.Request) { hijack(w, func(net.Conn) {}) },
		"BrokenGzip": status(200, "this is no gzip", "Content-Encoding", "gzip"),
	}
	for _, code := range []int{408, 425, 429, 500, 502, 503, 504} {
		again[fmt.Sprint("Status", code)] = status(code, "")
	}
	for fact, first := range again {
		t.Run("TriesAgainAfter"+fact, func(t *testing.T) {
			srv, n := script(t, first, first, status(200, `{}`))
			var w waits
			answer, err := get(t, client(t, config(srv.URL, &w)))
			if err != nil || answer.Retries != 2 || n.Load() < 3 || len(w.list) != 2 || !answer.ReceivedAt.Equal(noon) {
				t.Errorf("%+v, %v, %d requests, waits %v", answer, err, n.Load(), w.list)
			}
		})
	}
	for _, code := range []int{204, 301, 307, 400, 401, 403, 404, 405, 409, 410, 418, 422, 501} {
		t.Run(fmt.Sprint("GivesUpAtOnceOnStatus", code), func(t *testing.T) {
			srv, n := script(t, status(code, ""))
			var w waits
			_, err := get(t, client(t, config(srv.URL, &w)))
			var status *StatusError
			if !errors.As(err, &status) || status.Status != code || n.Load() != 1 {
				t.Errorf("%v, %d requests", err, n.Load())
			}
		})
	}
	t.Run("EndsAfterAllAttemptsWithTheLastError", func(t *testing.T) {
		srv, n := script(t, status(503, `{"message":"come back later"}`))
		var w waits
		_, err := get(t, client(t, config(srv.URL, &w)))
		if err == nil || err.Error() != "after 6 attempts: 503 Service Unavailable: come back later" || n.Load() != 6 || len(w.list) != 5 {
			t.Errorf("%v, %d requests, waits %v", err, n.Load(), w.list)
		}
		for i, wait := range w.list { // half a second, then half as much again or more, with jitter
			if wait <= 0 || wait > time.Minute || i == 4 && wait < 500*time.Millisecond {
				t.Errorf("waits %v", w.list)
			}
		}
	})
	t.Run("FinishesWhatWasSentWhenToldToStop", func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		srv, n := script(t, func(w http.ResponseWriter, r *http.Request) {
			stop(errors.New("told to stop"))
			status(200, `{"a":1}`)(w, r)
		})
		session := client(t, config(srv.URL, new(waits))).Session()
		answer, err := session.Get(ctx, Path("x"), nil, nil)
		if err != nil || string(answer.Body.Bytes()) != `{"a":1}` {
			t.Errorf("%s, %v", answer.Body.Bytes(), err)
		}
		if _, err := session.Get(ctx, Path("x"), nil, nil); err == nil || err.Error() != "told to stop" || n.Load() != 1 {
			t.Errorf("the next: %v, %d requests", err, n.Load())
		}
		if _, err := session.Finish(ctx, Path("x"), nil, nil); err != nil || n.Load() != 2 {
			t.Errorf("what the page still needed: %v, %d requests", err, n.Load())
		}
	})
	t.Run("BoundsWhatWasSentWhenToldToStop", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		srv, n := script(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		c := config(srv.URL, new(waits))
		c.Timeout = 50 * time.Millisecond
		for _, ask := range []func(*Session) (Answer, error){
			func(s *Session) (Answer, error) { return s.Get(ctx, Path("x"), nil, nil) },
			func(s *Session) (Answer, error) { return s.Finish(ctx, Path("x"), nil, nil) },
		} {
			if _, err := ask(client(t, c).Session()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		if n.Load() != 2 {
			t.Errorf("%d requests", n.Load())
		}
	})
	t.Run("WaitsForNothingWhenToldToStop", func(t *testing.T) {
		srv, n := script(t, status(429, ""))
		ctx, stop := context.WithCancelCause(t.Context())
		c := config(srv.URL, nil)
		c.Sleep = func(ctx context.Context, _ time.Duration) error {
			stop(errors.New("told to stop"))
			<-ctx.Done()
			return ctx.Err()
		}
		if _, err := client(t, c).Session().Get(ctx, Path("x"), nil, nil); err == nil || err.Error() != "told to stop" || n.Load() != 1 {
			t.Errorf("for another try: %v, %d requests", err, n.Load())
		}
		ctx, stop = context.WithCancelCause(t.Context())
		defer stop(nil)
		c.RequestsPerSecond = 1e-6
		paced := client(t, c)
		_ = paced.pace.limiter.Reserve()
		if _, err := paced.Session().Get(ctx, Path("x"), nil, nil); err == nil || err.Error() != "told to stop" || n.Load() != 1 {
			t.Errorf("for its turn: %v, %d requests", err, n.Load())
		}
	})
	t.Run("StopsWhenCancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		srv, n := script(t, func(w http.ResponseWriter, r *http.Request) {
			cancel()
			status(503, "")(w, r)
		})
		var w waits
		_, err := client(t, config(srv.URL, &w)).Session().Get(ctx, Path("x"), nil, nil)
		if !errors.Is(err, context.Canceled) || n.Load() != 1 {
			t.Errorf("%v, %d requests", err, n.Load())
		}
	})
	t.Run("RunsTheCheckWithinTheAttempt", func(t *testing.T) {
		srv, n := script(t, status(200, `{"a":1}`), status(200, `{"results":[]}`))
		var w waits
		_, err := client(t, config(srv.URL, &w)).Session().Get(t.Context(), Path("x"), nil, func(v Value) error {
			_, err := v.LookupRows("results")
			return err
		})
		if err != nil || n.Load() != 2 {
			t.Errorf("%v, %d requests", err, n.Load())
		}
	})
	t.Run("GivesUpOnAServerThatSpeaksNoTLS", func(t *testing.T) {
		srv, n := script(t, status(200, `{}`))
		var w waits
		_, err := get(t, client(t, config(strings.Replace(srv.URL, "http:", "https:", 1), &w)))
		if err == nil || len(w.list) != 0 || n.Load() != 0 {
			t.Errorf("%v, waits %v", err, w.list)
		}
	})
	t.Run("GivesUpOnAnUnknownCertificate", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(status(200, `{}`))
		srv.Config.ErrorLog = nil
		srv.Config.ErrorLog = discard()
		srv.StartTLS()
		defer srv.Close()
		var w waits
		if _, err := get(t, client(t, config(srv.URL, &w))); err == nil || len(w.list) != 0 {
			t.Errorf("%v, waits %v", err, w.list)
		}
	})
	t.Run("GivesUpWaitingForHeaders", func(t *testing.T) {
		release := make(chan struct{})
		srv, _ := script(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		defer close(release)
		var w waits
		c := config(srv.URL, &w)
		c.HeaderTimeout, c.Attempts = time.Millisecond, 2
		if _, err := get(t, client(t, c)); err == nil || !strings.Contains(err.Error(), "after 2 attempts") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Run("EndsAnAttemptWhoseBodyStalls", func(t *testing.T) {
		srv, _ := script(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"a":`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		var w waits
		c := config(srv.URL, &w)
		c.Timeout, c.Attempts = 5*time.Millisecond, 2
		_, err := get(t, client(t, c))
		if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "took too long (more than 5ms)") || len(w.list) != 1 {
			t.Errorf("%v, waits %v", err, w.list)
		}
	})
}

func TestWait(t *testing.T) {
	for _, c := range []struct {
		fact   string
		step   http.HandlerFunc
		quota  time.Duration
		atMost time.Duration
		want   time.Duration
	}{
		{"Seconds", status(429, "", "Retry-After", "90"), 0, 0, 90 * time.Second},
		{"Date", status(503, "", "Retry-After", "Tue, 01 Sep 2026 12:01:30 GMT", "Date", "Tue, 01 Sep 2026 12:00:00 GMT"), 0, 0, 90 * time.Second},
		{"Message", status(429, `{"error":{"type":"rate_limit_exceeded","message":"Try again in 75 seconds."}}`), 0, 0, 75 * time.Second},
		{"MessageInMinutes", status(429, `{"error":{"message":"try again in 2 minutes"}}`), 0, 0, 2 * time.Minute},
		{"Quota", status(429, ""), time.Minute, 0, time.Minute},
		{"HeaderBeforeQuota", status(429, "", "Retry-After", "70"), time.Minute, 0, 70 * time.Second},
	} {
		t.Run("IsTakenFrom"+c.fact, func(t *testing.T) {
			srv, _ := script(t, c.step, status(200, `{}`))
			var w waits
			conf := config(srv.URL, &w)
			conf.QuotaWait = c.quota
			if _, err := get(t, client(t, conf)); err != nil || !slices.Equal(w.list, []time.Duration{c.want}) {
				t.Errorf("%v, waits %v", err, w.list)
			}
		})
	}
	t.Run("EndsTheWalkWhereItIsLongerThanAllowed", func(t *testing.T) {
		srv, n := script(t, status(429, "", "Retry-After", "3600"))
		var w waits
		_, err := get(t, client(t, config(srv.URL, &w)))
		var status *StatusError
		if !errors.Is(err, ErrBudget) || !errors.As(err, &status) || n.Load() != 1 || len(w.list) != 0 {
			t.Errorf("%v, %d requests, waits %v", err, n.Load(), w.list)
		}
	})
	t.Run("EndsTheWalkWhenTheBudgetIsSpent", func(t *testing.T) {
		srv, n := script(t, status(429, "", "Retry-After", "100"), status(200, `{}`), status(429, "", "Retry-After", "100"))
		var w waits
		c := config(srv.URL, &w)
		c.Budget = 150 * time.Second
		session := client(t, c).Session()
		if _, err := session.Get(t.Context(), Path("x"), nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := session.Get(t.Context(), Path("x"), nil, nil); !errors.Is(err, ErrBudget) || n.Load() != 3 {
			t.Errorf("%v, %d requests", err, n.Load())
		}
	})
}

func TestRetryAfter(t *testing.T) {
	date := "Tue, 01 Sep 2026 12:00:00 GMT"
	for _, c := range []struct {
		fact, value, date, msg string
		want                   time.Duration
	}{
		{"PastDateIsNoWait", "Tue, 01 Sep 2026 11:00:00 GMT", date, "", 0},
		{"DateWithoutTheServersDateSaysNothing", "Tue, 01 Sep 2026 12:01:00 GMT", "", "", 0},
		{"OtherDateFormats", "Tuesday, 01-Sep-26 12:01:00 GMT", date, "", time.Minute},
		{"Spaces", " 7 ", date, "", 7 * time.Second},
		{"NegativeSaysNothing", "-7", date, "", 0},
		{"FractionSaysNothing", "1.5", date, "", 0},
		{"HugeSaysNothing", "99999999999999999999", date, "", 0},
		{"HeaderBeforeMessage", "7", date, "Try again in 12 seconds.", 7 * time.Second},
		{"Message", "", date, "Try again in 12 seconds.", 12 * time.Second},
		{"OneSecond", "", date, "Try again in 1 second.", time.Second},
		{"OtherMessage", "", date, "Try again later.", 0},
	} {
		t.Run(c.fact, func(t *testing.T) {
			h := http.Header{}
			h.Set("Retry-After", c.value)
			h.Set("Date", c.date)
			if got := retryAfter(h, c.msg); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120", "Tue, 01 Sep 2026 12:00:00 GMT", "")
	f.Add("Tue, 01 Sep 2026 12:00:00 GMT", "Tue, 01 Sep 2026 11:00:00 GMT", "Try again in 12 seconds.")
	f.Add("", "", "try again in 999999 minutes")
	f.Fuzz(func(t *testing.T, value, date, msg string) {
		if got := retryAfter(http.Header{"Retry-After": {value}, "Date": {date}}, msg); got < 0 {
			t.Errorf("got %s", got)
		}
	})
}

func TestPace(t *testing.T) {
	t.Run("LetsNoMinuteHoldMoreThanTheQuota", func(t *testing.T) {
		srv, _ := script(t, status(200, `{}`))
		var w waits
		c := config(srv.URL, &w)
		c.RequestsPerSecond = 59.0 / 60 // as BILL: 60 a minute, less one
		session := client(t, c).Session()
		for range 61 {
			if _, err := session.Get(t.Context(), Path("x"), nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		// Nothing is slept here, so each wait is that of a request sent beside all those before it.
		if first, last := w.list[0], w.list[len(w.list)-1]; len(w.list) != 60 || first < 900*time.Millisecond || last < time.Minute {
			t.Errorf("%d waits, first %s, last %s", len(w.list), first, last)
		}
	})
	t.Run("IsSharedByAllGoroutines", func(t *testing.T) {
		srv := httptest.NewServer(status(200, `{}`))
		defer srv.Close()
		var w waits
		c := config(srv.URL, &w)
		c.RequestsPerSecond = 1
		made := client(t, c)
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				if _, err := made.Session().Get(t.Context(), Path("x"), nil, nil); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if longest := slices.Max(w.list); len(w.list) != 9 || longest < 8*time.Second {
			t.Errorf("waits %v", w.list)
		}
	})
}

func TestBounds(t *testing.T) {
	const bound = 1 << 20
	body := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
	zipped := func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(b)
		_ = w.Close()
		return out.Bytes()
	}
	for _, c := range []struct {
		fact  string
		body  []byte
		zip   bool
		large bool
	}{
		{"APageOfExactlyTheBound", body(bound), false, false},
		{"APageOneByteLarger", body(bound + 1), false, true},
		{"AZippedPageOfExactlyTheBound", zipped(body(bound)), true, false},
		{"AZippedPageOneByteLarger", zipped(body(bound + 1)), true, true},
	} {
		t.Run(c.fact, func(t *testing.T) {
			srv, n := script(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.zip {
					w.Header().Set("Content-Encoding", "gzip")
				}
				_, _ = w.Write(c.body)
			})
			var w waits
			conf := config(srv.URL, &w)
			conf.MaxBytes = bound
			_, err := get(t, client(t, conf))
			if errors.Is(err, ErrTooLarge) != c.large || (err == nil) == c.large || n.Load() != 1 {
				t.Errorf("%v, %d requests", err, n.Load())
			}
			if c.large && !strings.Contains(err.Error(), "more than 1048576 bytes") {
				t.Errorf("%v does not name the bound", err)
			}
		})
	}
	flood := func(w io.Writer) { // 100 MB of one JSON array
		chunk := []byte(strings.Repeat(`{"id":"x"},`, 1<<16))
		_, _ = io.WriteString(w, "[")
		for sent := 0; sent < 100<<20; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	for fact, serve := range map[string]http.HandlerFunc{
		"APageOf100MB": func(w http.ResponseWriter, _ *http.Request) { flood(w) },
		"AGzipBomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			flood(z)
			_ = z.Close()
		},
	} {
		t.Run(fact+"TakesLittleMemory", func(t *testing.T) {
			srv, n := script(t, serve)
			var w waits
			made := client(t, config(srv.URL, &w))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := get(t, made)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrTooLarge) || n.Load() != 1 {
				t.Errorf("%v, %d requests", err, n.Load())
			}
			// All that was allocated, freed or not, so more than was ever held at once.
			if used := after.TotalAlloc - before.TotalAlloc; used > 40<<20 {
				t.Errorf("%d MiB", used>>20)
			}
		})
	}
	t.Run("AnEncodingThatWasNotAskedFor", func(t *testing.T) {
		srv, n := script(t, status(200, "xx", "Content-Encoding", "br"))
		var w waits
		if _, err := get(t, client(t, config(srv.URL, &w))); err == nil || !strings.Contains(err.Error(), "content encoding") || n.Load() != 1 {
			t.Errorf("%v, %d requests", err, n.Load())
		}
	})
}

func TestBaseURL(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://api.example.com":            true,
		"https://api.example.com/api/v1/":    true,
		"http://127.0.0.1:8080":              true,
		"http://[::1]:8080/x":                true,
		"http://localhost":                   true,
		"http://api.example.com":             false,
		"http://localhost.example.com":       false,
		"http://127.0.0.1.example.com":       false,
		"https://user:pass@api.example.com":  false,
		"https://api.example.com?key=secret": false,
		"https://api.example.com#x":          false,
		"ftp://api.example.com":              false,
		"api.example.com":                    false,
		"https://":                           false,
		"":                                   false,
		"https://a b":                        false,
	} {
		t.Run(base, func(t *testing.T) {
			var w waits
			_, err := New(config(base, &w))
			if (err == nil) != ok || err != nil && !errors.Is(err, ErrBaseURL) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "pass") && !strings.Contains(err.Error(), "password") {
				t.Errorf("%v holds the password", err)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	t.Run("IsBuiltFromTheBaseURLAndEscapedSegments", func(t *testing.T) {
		var asked []string
		srv, _ := script(t, func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.RequestURI)
			_, _ = io.WriteString(w, `{}`)
		})
		var w waits
		c := config(srv.URL+"/api/v1/", &w)
		session := client(t, c).Session()
		for _, id := range []string{"a", "a/b?c=d#e", "..", "https://evil.example/x", "é%2F"} {
			if _, err := session.Get(t.Context(), Path("cards", id), url.Values{"q": {"a&b"}}, nil); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			"/api/v1/cards/a?q=a%26b", "/api/v1/cards/a%2Fb%3Fc=d%23e?q=a%26b", "/api/v1/cards/%2E%2E?q=a%26b",
			"/api/v1/cards/https:%2F%2Fevil.example%2Fx?q=a%26b", "/api/v1/cards/%C3%A9%252F?q=a%26b",
		}
		if !slices.Equal(asked, want) {
			t.Errorf("asked for %q", asked)
		}
	})
	t.Run("IsNeverAWriteNorForAnotherServer", func(t *testing.T) {
		base, err := url.Parse("https://api.example.com")
		if err != nil {
			t.Fatal(err)
		}
		guarded := readOnly(roundTrip(func(*http.Request) (*http.Response, error) {
			t.Error("it was sent")
			return nil, errors.New("sent")
		}), base)
		for _, c := range [][2]string{
			{http.MethodPost, "https://api.example.com/x"},
			{http.MethodDelete, "https://api.example.com/x"},
			{http.MethodGet, "https://evil.example.com/x"},
			{http.MethodGet, "http://api.example.com/x"},
			{http.MethodGet, "https://api.example.com:444/x"},
		} {
			req, err := http.NewRequestWithContext(t.Context(), c[0], c[1], http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := guarded.RoundTrip(req)
			if err == nil {
				_ = resp.Body.Close()
				t.Errorf("%v: no error", c)
			}
		}
	})
}

func TestStatusError(t *testing.T) {
	for _, c := range []struct {
		fact string
		step http.HandlerFunc
		want string
	}{
		{
			"TraceInTheMessage", status(401, `{"success":false,"message":"You must be logged in to do that. [4041-2121cyx]","identifier":4041,"rawStatus":401}`),
			"401 Unauthorized: You must be logged in to do that. [4041-2121cyx] (trace 4041-2121cyx); check the credential of source source-a",
		},
		{
			"TraceInAHeader", status(403, `{"error":{"message":"no"}}`, "X-Request-Id", "req_1"),
			"403 Forbidden: no (trace req_1); the credential of source source-a lacks the permission (scope) to read this",
		},
		{"ArrayOfErrors", status(400, `[{"timestamp":"t","code":"BDC_1144","message":"max: must be less than or equal to 50"}]`), "400 Bad Request: max: must be less than or equal to 50"},
		{"ListOfMessages", status(422, `{"statusCode":422,"message":["take must not be greater than 100","x"]}`), "422 Unprocessable Entity: take must not be greater than 100"},
		{"PlainText", status(400, "bad\ntoken\x1b[31m sk_live_secret"), "400 Bad Request: bad token [31m [redacted]"},
		{"HTML", status(400, "<!doctype html><title>x</title>"), "400 Bad Request: (a page of HTML)"},
		{"Nothing", status(400, ""), "400 Bad Request"},
		{"NumbersOnly", status(400, `{"message":7}`), "400 Bad Request"},
		{"CardNumber", status(400, `{"message":"card 4111 1111 1111 1111 of ada@example.com"}`), "400 Bad Request: card [masked] of [masked]"},
		{
			"Redirect", status(302, "", "Location", "https://evil.example"),
			"302 Found; check base_url of source source-a: the server redirects, and redirects are not followed",
		},
	} {
		t.Run(c.fact, func(t *testing.T) {
			srv, _ := script(t, c.step)
			var w waits
			if _, err := get(t, client(t, config(srv.URL, &w))); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
