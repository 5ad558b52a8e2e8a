//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/schema"
)

// recorded answers with what a handler answered when it was asked the same before.
type recorded struct {
	handler http.Handler
	bodies  map[string][]byte
}

func (r *recorded) RoundTrip(request *http.Request) (*http.Response, error) {
	key := request.URL.RequestURI()
	body, ok := r.bodies[key]
	if !ok {
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			return nil, errors.New(answer.Body.String())
		}
		body = answer.Body.Bytes()
		r.bodies[key] = body
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// pageCase is the transactions of a provider, to be read from memory.
type pageCase struct {
	pages       *recorded
	extractor   extract.Extractor
	normalize   normalize.Func
	window      schema.Window
	rows, bytes int
}

// pageCases asks the sandbox for all its transactions, and leaves nothing of it in memory but the answers.
func pageCases(b *testing.B) map[schema.Provider]pageCase {
	b.Helper()
	world := sandbox.New(sandbox.Config{Seed: 7, Transactions: 4000})
	now, cases := world.Now(), map[schema.Provider]pageCase{}
	for _, p := range schema.Providers() {
		c := pageCase{pages: &recorded{handler: world.Handler(), bodies: map[string][]byte{}}, window: schema.Window{From: schema.Beginning, To: now}}
		config := all.Config{
			Source: string(p) + "-main", BaseURL: "http://127.0.0.1" + world.BasePath(p), Credential: transport.NewSecret(world.Credential(p)),
			RequestsPerSecond: 1e9, AccountID: world.Account(), Now: func() time.Time { return now }, Base: c.pages,
		}
		var err error
		if c.extractor, err = all.New(p, config); err != nil {
			b.Fatal(err)
		}
		if c.normalize, err = normalize.For(p); err != nil {
			b.Fatal(err)
		}
		c.rows = c.read(b)
		for _, body := range c.pages.bodies {
			c.bytes += len(body)
		}
		c.pages.handler = nil
		cases[p] = c
	}
	return cases
}

// BenchmarkPage reads the pages of the sandbox's transactions from memory: ours by the issuer's extractor and its normalizer,
// which check, redact and map every row; encoding/json into plain structs, amounts as text, and nothing else. The ratio is of
// processor times, taken in turn.
func BenchmarkPage(b *testing.B) {
	cases := pageCases(b)
	for _, p := range schema.Providers() {
		c := cases[p]
		ours := func() { c.read(b) }
		theirs := func() {
			for _, body := range c.pages.bodies {
				if err := json.Unmarshal(body, wholePage(p)); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.Run(string(p)+"/ours", func(b *testing.B) { perByte(b, c.bytes, c.rows, ours) })
		b.Run(string(p)+"/encoding/json", func(b *testing.B) { perByte(b, c.bytes, c.rows, theirs) })
		b.Run(string(p)+"/ratio", func(b *testing.B) {
			var one, other time.Duration
			for b.Loop() {
				other += processor(b, theirs)
				one += processor(b, ours)
			}
			b.ReportMetric(float64(other)/float64(one), "x-encoding/json")
		})
	}
}

// perByte reports the processor time of work by the bytes and the rows that it reads.
func perByte(b *testing.B, total, rows int, work func()) {
	b.ReportAllocs()
	var used time.Duration
	for b.Loop() {
		used += processor(b, work)
	}
	b.ReportMetric(float64(total)*float64(b.N)/1e6/used.Seconds(), "MB/cpu-s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N*rows), "cpu-ns/row")
}

// processor is the processor time of all threads that work takes.
func processor(b *testing.B, work func()) time.Duration {
	now := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := now()
	work()
	return now() - before
}

// read reads all transactions and counts them.
func (c *pageCase) read(b *testing.B) (rows int) {
	var batch schema.Batch
	for page, err := range c.extractor.Pages(b.Context(), schema.Transactions, c.window, "") {
		if err != nil {
			b.Fatal(err)
		}
		batch.Entries, batch.Links, batch.Notes = batch.Entries[:0], batch.Links[:0], batch.Notes[:0]
		for _, r := range page.Records {
			var reject *normalize.RejectError
			if err := c.normalize(r, &batch); err != nil && !errors.As(err, &reject) {
				b.Fatal(err)
			}
		}
		rows += len(page.Records)
	}
	if rows == 0 {
		b.Fatal("no rows")
	}
	return rows
}

// wholePage is a page of a provider with every field that is kept of it, amounts as the digits that were sent.
func wholePage(p schema.Provider) any {
	switch p {
	case schema.Bill:
		return new(billWhole)
	case schema.Slash:
		return new(slashWhole)
	}
	return typedPage(p)
}

type billWhole struct {
	NextPage string `json:"nextPage"`
	Results  []struct {
		ID                          string      `json:"id"`
		UUID                        string      `json:"uuid"`
		CardID                      string      `json:"cardId"`
		CardUUID                    string      `json:"cardUuid"`
		Amount                      json.Number `json:"amount"`
		OccurredTime                string      `json:"occurredTime"`
		AuthorizedTime              string      `json:"authorizedTime"`
		TransactionType             string      `json:"transactionType"`
		Status                      string      `json:"status"`
		MerchantName                string      `json:"merchantName"`
		RawMerchantName             string      `json:"rawMerchantName"`
		MerchantCategoryCode        string      `json:"merchantCategoryCode"`
		CardLastFour                string      `json:"cardLastFour"`
		DeclineReason               string      `json:"declineReason"`
		IsParent                    bool        `json:"isParent"`
		ParentTransactionID         string      `json:"parentTransactionId"`
		ParentTransactionUUID       string      `json:"parentTransactionUuid"`
		OriginalAuthTransactionID   string      `json:"originalAuthTransactionId"`
		OriginalAuthTransactionUUID string      `json:"originalAuthTransactionUuid"`
		MatchedClearTransactionID   string      `json:"matchedClearTransactionId"`
		MatchedClearTransactionUUID string      `json:"matchedClearTransactionUuid"`
		CurrencyData                struct {
			OriginalCurrencyAmount json.Number `json:"originalCurrencyAmount"`
			OriginalCurrencyCode   string      `json:"originalCurrencyCode"`
			Exponent               json.Number `json:"exponent"`
		} `json:"currencyData"`
	} `json:"results"`
}

type slashWhole struct {
	Items []struct {
		ID             string      `json:"id"`
		Date           string      `json:"date"`
		AuthorizedAt   string      `json:"authorizedAt"`
		AmountCents    json.Number `json:"amountCents"`
		CardID         string      `json:"cardId"`
		Status         string      `json:"status"`
		DetailedStatus string      `json:"detailedStatus"`
		Description    string      `json:"description"`
		Memo           string      `json:"memo"`
		OrderID        string      `json:"orderId"`
		MerchantData   struct {
			Description  string `json:"description"`
			CategoryCode string `json:"categoryCode"`
		} `json:"merchantData"`
		MerchantDescription string `json:"merchantDescription"`
		ReferenceNumber     string `json:"referenceNumber"`
		OriginalCurrency    struct {
			Code        string      `json:"code"`
			AmountCents json.Number `json:"amountCents"`
		} `json:"originalCurrency"`
	} `json:"items"`
	Metadata struct {
		NextCursor string `json:"nextCursor"`
	} `json:"metadata"`
}
