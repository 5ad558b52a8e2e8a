// Package transport is one credential's way to one issuer: it paces, retries, bounds and redacts. It only ever reads. No
// URL that an answer brings is followed; a request is built from the base URL, a path and a query.
package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"github.com/tieout/tieout/schema/raw"
)

// Defaults of Config.
const (
	DefaultMaxBytes      = 32 << 20
	DefaultHeaderTimeout = 30 * time.Second
	DefaultTimeout       = 2 * time.Minute
	DefaultAttempts      = 6
	DefaultMaxWait       = 5 * time.Minute
	DefaultBudget        = 15 * time.Minute
)

// Errors that callers test for.
var (
	// ErrTooLarge: a page, after decompression, is larger than the bound. Asking again would not help.
	ErrTooLarge = errors.New("page too large")
	// ErrBudget: the time for waiting on retries is spent, or the provider asks for a longer wait than is allowed. What
	// was read so far stands, and the walk can be resumed from its last cursor.
	ErrBudget = errors.New("retry budget spent")
	// ErrSpent: the requests or the time that a run may take are spent. What was read stands, and the next run goes on.
	ErrSpent = errors.New("what a run may take is spent")
	// ErrBaseURL: the base URL is not an absolute https URL, or plain http of a loopback address.
	ErrBaseURL = errors.New("bad base URL")
)

// Config says how to reach an issuer. Zero fields have the defaults above.
type Config struct {
	Source            string // name of the source, for errors
	BaseURL           string // https, or http for loopback; no user, query or fragment
	Header            http.Header
	Credential        Secret // removed from error texts; the issuer puts it into Header
	RequestsPerSecond float64
	Pace              *Pace          // shared with other clients of the credential; nil: one of its own
	QuotaWait         time.Duration  // how long to wait after a 429 that does not say; 0: backoff only
	Remedies          map[int]string // by HTTP status: what to do, where the general words are not enough

	MaxBytes      int64         // of one page, after decompression
	HeaderTimeout time.Duration // until an answer begins
	Timeout       time.Duration // of one attempt as a whole
	Attempts      int           // of one request, the first included
	MaxWait       time.Duration // the longest single wait; a provider that asks for more ends the walk
	Budget        time.Duration // of all waits for retries in one walk

	MaxRequests int64                // of the client; 0: any number
	MaxTime     time.Duration        // from the first request to the beginning of the last; 0: any time
	Elapsed     func() time.Duration // the monotonic clock; required with MaxTime

	Now   func() time.Time                           // the recorded clock; required
	Sleep func(context.Context, time.Duration) error // nil: a timer
	Base  http.RoundTripper                          // what sends; nil: HTTP over TLS 1.2 or later, without a proxy
}

// Client sends the requests of one source, paced by the limiter of its credential for all goroutines.
type Client struct {
	source     string
	base       *url.URL
	credential Secret
	http       *http.Client
	pace       *Pace
	quotaWait  time.Duration
	remedies   map[int]string
	timeout    time.Duration
	attempts   int
	maxWait    time.Duration
	budget     time.Duration
	now        func() time.Time
	sleep      func(context.Context, time.Duration) error

	mutex       sync.Mutex // guards what follows
	maxRequests int64
	maxTime     time.Duration
	elapsed     func() time.Duration
	sent        int64
	since       time.Duration
}

// spend counts a request, or refuses it.
func (c *Client) spend() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.sent == 0 && c.maxTime > 0 {
		c.since = c.elapsed()
	}
	switch {
	case c.maxRequests > 0 && c.sent >= c.maxRequests:
		return &permanentError{fmt.Errorf("%w: %d requests (max_requests); the next run goes on from here", ErrSpent, c.maxRequests)}
	case c.maxTime > 0 && c.elapsed()-c.since >= c.maxTime:
		return &permanentError{fmt.Errorf("%w: %s (max_minutes); the next run goes on from here", ErrSpent, c.maxTime)}
	}
	c.sent++
	return nil
}

// Pace is how fast one credential may ask, whoever asks with it.
type Pace struct {
	limiter    *rate.Limiter
	configured rate.Limit
	turn       func(ctx context.Context, every time.Duration) (wait time.Duration, err error)
}

// NewPace allows so many requests a second, one at a time: with a burst, the first minute could hold more requests than the
// quota allows.
func NewPace(requestsPerSecond float64) *Pace {
	return &Pace{limiter: rate.NewLimiter(rate.Limit(requestsPerSecond), 1), configured: rate.Limit(requestsPerSecond)}
}

// AtMost slows a pace down to so many requests a second, where it is faster. It is for the time before anybody asks with it.
func (p *Pace) AtMost(requestsPerSecond float64) {
	p.configured = min(p.configured, rate.Limit(requestsPerSecond))
	p.limiter.SetLimit(min(p.limiter.Limit(), p.configured))
}

// Share has each request also take a turn among those of other processes that ask with the credential: turn says how long it is
// until the next, with so much time from one to another. It is for the time before anybody asks.
func (p *Pace) Share(turn func(ctx context.Context, every time.Duration) (wait time.Duration, err error)) {
	p.turn = turn
}

// next is how long it is until the next request may be sent. What was not waited for is given back by cancel.
func (p *Pace) next(ctx context.Context) (wait time.Duration, cancel func(), err error) {
	reservation := p.limiter.Reserve()
	wait = reservation.Delay()
	if p.turn == nil {
		return wait, reservation.Cancel, nil
	}
	among, err := p.turn(ctx, time.Duration(float64(time.Second)/float64(p.limiter.Limit())))
	return max(wait, among), reservation.Cancel, err
}

// PerSecond is how many requests a second it allows where no provider has refused one.
func (p *Pace) PerSecond() float64 { return float64(p.configured) }

// slowest is the part of the configured pace below which a provider's refusals do not bring it.
const slowest = 8

// slower halves the pace after a refusal for asking too fast, and faster brings it back little by little.
func (p *Pace) slower() { p.limiter.SetLimit(max(p.limiter.Limit()/2, p.configured/slowest)) }

func (p *Pace) faster() {
	if now := p.limiter.Limit(); now < p.configured {
		p.limiter.SetLimit(min(now+p.configured/100, p.configured))
	}
}

// New makes a client. It connects to nothing.
func New(c Config) (*Client, error) {
	base, err := parseBase(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		return nil, errors.New("no clock given")
	}
	if c.MaxTime > 0 && c.Elapsed == nil {
		return nil, errors.New("no monotonic clock given")
	}
	if c.RequestsPerSecond <= 0 {
		return nil, fmt.Errorf("requests per second: %v is not positive", c.RequestsPerSecond)
	}
	orDefault(&c.MaxBytes, DefaultMaxBytes)
	orDefault(&c.HeaderTimeout, DefaultHeaderTimeout)
	orDefault(&c.Timeout, DefaultTimeout)
	orDefault(&c.Attempts, DefaultAttempts)
	orDefault(&c.MaxWait, DefaultMaxWait)
	orDefault(&c.Budget, DefaultBudget)
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	if c.Pace == nil {
		c.Pace = NewPace(c.RequestsPerSecond)
	}
	if c.Base == nil {
		c.Base = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  c.HeaderTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		}
	}
	rt := bounded(c.Base, c.MaxBytes)
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Accept", "application/json")
	header.Set("User-Agent", "tieout")
	rt = withHeader(rt, header)
	rt = readOnly(rt, base)
	return &Client{
		source: c.Source, base: base, credential: c.Credential, remedies: c.Remedies, quotaWait: c.QuotaWait,
		http: &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // a redirect is an answer like any other that is not 200
		}},
		pace: c.Pace, timeout: c.Timeout, attempts: c.Attempts, maxWait: c.MaxWait, budget: c.Budget,
		now: c.Now, sleep: c.Sleep,
		maxRequests: c.MaxRequests, maxTime: c.MaxTime, elapsed: c.Elapsed,
	}, nil
}

func orDefault[T int | int64 | time.Duration](v *T, otherwise T) {
	if *v <= 0 {
		*v = otherwise
	}
}

func parseBase(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be parsed", ErrBaseURL) // the cause would quote it, and it may hold a password
	}
	switch {
	case u.User != nil:
		return nil, fmt.Errorf("%w: it holds a user or a password", ErrBaseURL)
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return nil, fmt.Errorf("%w %s: it has a query or a fragment", ErrBaseURL, text)
	case u.Hostname() == "":
		return nil, fmt.Errorf("%w %q: want https://HOST/PATH", ErrBaseURL, text)
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, fmt.Errorf("%w %s: want https (http is for loopback only)", ErrBaseURL, text)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = strings.TrimRight(u.RawPath, "/")
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// wait sleeps, and says why ctx was done before the time was over.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	err := c.sleep(ctx, d)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Answer is a 200 whose body is JSON and passed the caller's check.
type Answer struct {
	Body       Value     // good until the session asks again
	ReceivedAt time.Time // by the recorded clock
	Retries    int       // attempts beyond the first
}

// Session is one walk's use of the client: it has a retry budget of its own. It is for one goroutine at a time.
type Session struct {
	client *Client
	left   time.Duration
	body   []byte // memory of the last answer, for the next one
	parsed raw.Document
}

// The most memory of an answer that is kept for the next one.
const maxSpare = 1 << 20

// Session begins one.
func (c *Client) Session() *Session { return &Session{client: c, left: c.budget} }

// Path joins segments under the base URL's path, each escaped: an id can never lead to another path.
func Path(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch s {
		case ".", "..": // url.PathEscape leaves them, servers resolve them
			b.WriteString(strings.ReplaceAll(s, ".", "%2E"))
		default:
			b.WriteString(url.PathEscape(s))
		}
	}
	return b.String()
}

// Get asks for a path (see Path) with a query and returns the answer. One attempt is: wait for the limiter, request, read
// within the bound, decode, check. All of it is retried together, within the number of attempts and the session's budget,
// on statuses 408, 425, 429, 500, 502, 503 and 504, on broken connections, timeouts, and on bodies that are cut short or
// not what check expects. Any other status ends it with a *StatusError. check may be nil.
//
// A context that is done ends every wait, with its cause, and nothing more is asked for; a request that is on its way is still
// answered, within its own time, so that a run that is to stop loses no page that it has asked for.
func (s *Session) Get(ctx context.Context, path string, query url.Values, check func(Value) error) (Answer, error) {
	return s.get(ctx, ctx, path, query, check)
}

// Finish is Get for what a page that was begun still needs, such as its control total: it is sent, once, also when ctx is
// done, since the page would be lost without it.
func (s *Session) Finish(ctx context.Context, path string, query url.Values, check func(Value) error) (Answer, error) {
	return s.get(ctx, context.WithoutCancel(ctx), path, query, check)
}

// get waits and tries again as long as ctx is not done, and sends as long as sending is not.
func (s *Session) get(ctx, sending context.Context, path string, query url.Values, check func(Value) error) (Answer, error) {
	c := s.client
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = time.Minute
	for attempt := 1; ; attempt++ {
		if sending.Err() != nil {
			return Answer{}, context.Cause(sending)
		}
		answer, err := s.attempt(sending, path, query, check)
		if err == nil {
			c.pace.faster()
			answer.Retries = attempt - 1
			return answer, nil
		}
		if ctx.Err() != nil {
			return Answer{}, context.Cause(ctx)
		}
		if !retryable(err) {
			return Answer{}, err
		}
		if attempt == c.attempts {
			return Answer{}, fmt.Errorf("after %d attempts: %w", attempt, err)
		}
		wait := waits.NextBackOff()
		if status, ok := errors.AsType[*StatusError](err); ok {
			wait = max(wait, status.RetryAfter)
			if status.Status == http.StatusTooManyRequests {
				c.pace.slower()
			}
		}
		if wait > c.maxWait || wait > s.left {
			return Answer{}, fmt.Errorf("%w (a wait of %s is due): %w", ErrBudget, wait.Round(time.Second), err)
		}
		s.left -= wait
		if err := c.wait(ctx, wait); err != nil {
			return Answer{}, err
		}
	}
}

func (s *Session) attempt(ctx context.Context, path string, query url.Values, check func(Value) error) (Answer, error) {
	c := s.client
	if err := c.spend(); err != nil {
		return Answer{}, err
	}
	wait, cancel, err := c.pace.next(ctx)
	if err == nil && wait > 0 {
		err = c.wait(ctx, wait)
	}
	if err != nil {
		cancel()
		return Answer{}, err
	}
	ctx, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), c.timeout, errSlow)
	defer cancel()
	target := c.base.Scheme + "://" + c.base.Host + c.base.EscapedPath() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return Answer{}, &permanentError{err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.connection(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			body = nil // the status says enough
		}
		return Answer{}, c.statusError(resp, body)
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return Answer{}, &permanentError{fmt.Errorf("the answer has a content encoding that was not asked for: %s", message(encoding, c.credential))}
	}
	body, err := readAll(resp.Body, resp.ContentLength, s.body)
	if err != nil {
		return Answer{}, fmt.Errorf("read the answer: %w", c.connection(ctx, err))
	}
	if s.body = body; cap(body) > maxSpare {
		s.body = nil
	}
	received := c.now().UTC()
	v, err := parse(&s.parsed, body)
	if err != nil {
		return Answer{}, err
	}
	if check != nil {
		if err := check(v); err != nil {
			return Answer{}, err
		}
	}
	return Answer{Body: v, ReceivedAt: received}, nil
}

// connectionError is a request that got no answer.
type connectionError struct {
	text string
	err  error
}

func (e *connectionError) Error() string { return e.text }
func (e *connectionError) Unwrap() error { return e.err }

// errSlow is not context.DeadlineExceeded, so that nobody takes one slow attempt for the end of the run.
var errSlow = errors.New("the attempt took too long")

// connection drops the request's URL from an error: it is long, and cursors in it mean nothing to a reader. What is left
// may quote the server, so it is masked.
func (c *Client) connection(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSlow) {
		return fmt.Errorf("%w (more than %s)", errSlow, c.timeout)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	text := err.Error()
	if errors.Is(err, io.EOF) { // io.ErrUnexpectedEOF is another
		text = "the connection ended without an answer"
	}
	return &connectionError{text: message(text, c.credential), err: err}
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// Later says whether what ended with an error may succeed later, and when: what the provider refused for good does not, nor does
// what a run may not take. wait is what the provider asked for; 0: it does not say.
func Later(err error) (wait time.Duration, again bool) {
	if status, ok := errors.AsType[*StatusError](err); ok {
		wait = status.RetryAfter
	}
	return wait, !errors.Is(err, ErrSpent) && retryable(err)
}

func retryable(err error) bool {
	var (
		status      *StatusError
		permanent   *permanentError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &status):
		return status.retryable()
	case errors.As(err, &permanent), errors.As(err, &certificate), errors.As(err, &record),
		errors.Is(err, ErrTooLarge), errors.Is(err, raw.ErrTooMany), errors.Is(err, http.ErrSchemeMismatch):
		return false
	}
	return true
}
