package extract

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// ErrCursor says that a walk cannot go on from the cursor it was given, because the provider or the extractor no longer
// accepts it. Begin the window again.
var ErrCursor = errors.New("cursor no longer accepted")

// Config says how to read one source. Fields that an issuer does not know are ignored by it; zero fields have the
// issuer's and transport's defaults.
type Config struct {
	Source            string           // its name: part of every record and error; required
	BaseURL           string           // default: the provider's production URL
	Credential        transport.Secret // required
	PageSize          int              // rows a page; default and cap: each endpoint's largest
	RequestsPerSecond float64          // default: within the provider's quota
	Pace              *transport.Pace  // of the credential, where several sources share it; default: one of its own
	MaxRequests       int64            // of all walks together; 0: any number
	MaxTime           time.Duration    // of all walks together, from the first request on; 0: any
	MaxPages          int              // pages of one walk before it is an error; default 100,000

	AccountID   string   // Whop: the account (biz_…); exactly one of AccountID and UserID
	UserID      string   // Whop: the user (user_…)
	APIVersion  string   // Whop: sent as Api-Version-Date
	LegalEntity string   // Slash: sent as x-legal-entity, for user-scoped keys
	Categories  []string // Slash: the transaction categories that are read; default card, fee

	Now     func() time.Time                           // the recorded clock; required
	Elapsed func() time.Duration                       // the monotonic clock; required with MaxTime
	Sleep   func(context.Context, time.Duration) error // default: a timer; for tests

	MaxPageBytes  int64         // of a page after decompression
	HeaderTimeout time.Duration // until an answer begins
	Timeout       time.Duration // of one attempt as a whole
	Attempts      int           // of one request
	MaxWait       time.Duration // the longest single wait for a retry
	RetryBudget   time.Duration // of all waits for retries in one walk

	Base http.RoundTripper // what sends; default: HTTP over TLS 1.2 or later, without a proxy
}

// Issuer is what extract/all knows about one kind of issuer.
type Issuer struct {
	Provider          schema.Provider
	New               func(Config) (Extractor, error)
	BaseURL           string                // of production
	RequestsPerSecond float64               // within the provider's documented quota, else a careful guess
	PageSizes         map[schema.Stream]int // the largest page of each paged list
	FullScan          bool                  // transactions cannot be filtered by date: every walk reads all of them
	// Scope names the settings that decide which of the provider's rows a source asks for; nil: there are none. The account
	// that a credential belongs to is not among them, since a credential does not say it.
	Scope func(Config) schema.Scope
}

// Size is the page size of a list: the configured one, at most the list's largest.
func (i Issuer) Size(c Config, s schema.Stream) int {
	if c.PageSize > 0 {
		return min(c.PageSize, i.PageSizes[s])
	}
	return i.PageSizes[s]
}

// Client makes the way to the issuer. header holds the credential and whatever else each request must carry.
func (i Issuer) Client(c Config, header http.Header, quotaWait time.Duration, remedies map[int]string) (*transport.Client, error) {
	switch {
	case c.Source == "":
		return nil, errors.New("no source name given")
	case c.Credential.Empty():
		return nil, errors.New("the credential is empty")
	case c.PageSize < 0:
		return nil, errors.New("the page size is negative")
	}
	if c.BaseURL == "" {
		c.BaseURL = i.BaseURL
	}
	if c.RequestsPerSecond == 0 {
		c.RequestsPerSecond = i.RequestsPerSecond
	}
	return transport.New(transport.Config{
		Source: c.Source, BaseURL: c.BaseURL, Header: header, Credential: c.Credential,
		RequestsPerSecond: c.RequestsPerSecond, QuotaWait: quotaWait, Remedies: remedies,
		MaxBytes: c.MaxPageBytes, HeaderTimeout: c.HeaderTimeout, Timeout: c.Timeout, Attempts: c.Attempts,
		MaxWait: c.MaxWait, Budget: c.RetryBudget, Now: c.Now, Sleep: c.Sleep, Base: c.Base,
		Pace: c.Pace, MaxRequests: c.MaxRequests, MaxTime: c.MaxTime, Elapsed: c.Elapsed,
	})
}
