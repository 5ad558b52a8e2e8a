// Package bill reads BILL Spend & Expense: cards, budgets and transactions.
//
// Lists are {results, nextPage}; the end is a nextPage that is absent or null. Parameters that BILL does not know are
// ignored with HTTP 200, so every row is compared with what was asked (BILL docs: Get list of cards; public clients).
package bill

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Issuer describes BILL.
func Issuer() extract.Issuer {
	return extract.Issuer{
		Provider: schema.Bill,
		New:      New,
		BaseURL:  "https://gateway.prod.bill.com/connect",
		// 60 calls a minute and token (BILL docs: API rate limits), less one, so that no minute however cut holds 61.
		RequestsPerSecond: 59.0 / 60,
		PageSizes:         map[schema.Stream]int{schema.Cards: 100, schema.Budgets: 100, schema.Transactions: 50},
	}
}

type source struct {
	config    extract.Config
	client    *transport.Client
	redactors map[schema.Stream]*transport.Redactor
}

// New makes the extractor of one BILL company. It reads nothing yet.
func New(c extract.Config) (extract.Extractor, error) {
	header := http.Header{}
	header.Set("apiToken", c.Credential.Reveal())
	// The status of an exceeded quota is not documented, nor how long to wait: to the next minute.
	client, err := Issuer().Client(c, header, time.Minute, nil)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", c.Source, err)
	}
	x := &source{config: c, client: client, redactors: map[schema.Stream]*transport.Redactor{}}
	for stream, f := range fields() {
		if x.redactors[stream], err = transport.NewRedactor(f); err != nil {
			return nil, fmt.Errorf("source %s: %s: %w", c.Source, stream, err)
		}
	}
	return x, nil
}

// Streams lists cards, then budgets, whose periods the cards' limits count over, then transactions.
func (x *source) Streams() []schema.Stream {
	return []schema.Stream{schema.Cards, schema.Budgets, schema.Transactions}
}

// state is what a walk remembers between pages.
type state struct {
	Wide  bool   `json:"wide,omitempty"` // the date filter was refused; whole days are asked for instead
	Doubt string `json:"doubt,omitempty"`
}

// Pages lists a stream. Transactions are those whose occurredTime lies in the window. Budgets are two lists, those in use
// and those retired.
func (x *source) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	if x.redactors[s] == nil {
		return paginate.Refuse(x.config.Source, s, "BILL has no such stream")
	}
	walk := paginate.Walk[state]{
		Source: x.config.Source, Stream: s, Window: w, Lists: 1, Pages: x.config.MaxPages,
		Open: func() paginate.Step[state] {
			r := &reader{source: x, session: x.client.Session(), stream: s, window: w}
			return r.page
		},
	}
	if s == schema.Budgets {
		walk.Lists = 2
	}
	return walk.From(ctx, from)
}

// reader is one range over one stream.
type reader struct {
	*source
	session *transport.Session
	stream  schema.Stream
	window  schema.Window
	walk    paginate.Seen // ids of the walk, by the list that brought them
	list    paginate.Seen // ids of the list being read
}

func (r *reader) page(ctx context.Context, at *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
	if at.At == "" {
		r.list.Reset()
	}
	var rows []transport.Value
	var next string
	answer, err := r.get(ctx, at, func(v transport.Value) (err error) {
		if rows, err = v.LookupRows("results"); err != nil {
			return err
		}
		next, err = v.LookupText("nextPage")
		return err
	})
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	page := extract.Page{Records: make([]schema.Record, 0, len(rows)), Total: -1, Retries: answer.Retries}
	fresh := len(rows) == 0
	for _, row := range rows {
		record := r.redactors[r.stream].Record(r.base(r.stream, answer), row, "uuid", "id")
		if _, first := r.list.Note(at.List, record.ExternalID); first {
			fresh = true
		}
		owner, _ := r.walk.Note(at.List, record.ExternalID)
		if r.keep(row, at) && owner == at.List {
			page.Records = append(page.Records, record)
		}
	}
	if !fresh && next != "" {
		return extract.Page{}, paginate.Stop{}, errors.New("the page brings no new row, but names another page: the list would never end")
	}
	page.Doubt = at.State.Doubt
	return page, paginate.ByCursor(next), nil
}

// get asks for a page. Where the date filter is refused at the start of a list, it asks once more with whole days: public
// clients disagree on how a time must be quoted.
func (r *reader) get(ctx context.Context, at *paginate.Place[state], check func(transport.Value) error) (transport.Answer, error) {
	path := transport.Path("v3", "spend", string(r.stream))
	answer, err := r.session.Get(ctx, path, r.query(at), check)
	var status *transport.StatusError
	if r.stream == schema.Transactions && at.At == "" && !at.State.Wide &&
		errors.As(err, &status) && status.Status == http.StatusBadRequest {
		at.State.Wide = true
		answer, err = r.session.Get(ctx, path, r.query(at), check)
		answer.Retries++
	}
	return answer, err
}

// query is sent unchanged with every page: whether nextPage alone would do is not documented.
func (r *reader) query(at *paginate.Place[state]) url.Values {
	q := url.Values{"max": {strconv.Itoa(Issuer().Size(r.config, r.stream))}}
	switch r.stream {
	case schema.Budgets:
		q.Set("filters", "retired:eq:"+strconv.FormatBool(at.List == 1))
	case schema.Transactions:
		q.Set("sort", "occurredTime:asc")
		q.Set("filters", r.dates(at.State.Wide))
	}
	if at.At != "" {
		q.Set("nextPage", at.At)
	}
	return q
}

const millis = "2006-01-02T15:04:05.000Z"

// dates is the filter on occurredTime, all of it in one parameter since a second one is ignored. A date alone as lte means
// the midnight that begins it, and its zone is unknown, so whole days are widened by one on each side.
func (r *reader) dates(wide bool) string {
	from, to := r.bounds(wide)
	gte, lte := `"`+from.Format(millis)+`"`, `"`+to.Format(millis)+`"`
	if wide {
		gte, lte = from.Format(time.DateOnly), to.Format(time.DateOnly)
	}
	upper := "occurredTime:lte:" + lte
	if r.window.From.Equal(schema.Beginning) {
		return upper
	}
	return "occurredTime:gte:" + gte + "," + upper
}

func (r *reader) bounds(wide bool) (from, to time.Time) {
	from, to = r.window.From.UTC(), r.window.To.UTC()
	if wide {
		day := 24 * time.Hour
		last := to.Add(-time.Nanosecond).Truncate(day)
		return from.Truncate(day).AddDate(0, 0, -1), last.AddDate(0, 0, 2)
	}
	return from.Truncate(time.Millisecond), to.Add(time.Millisecond - time.Nanosecond).Truncate(time.Millisecond)
}

// keep says whether a row is one that was asked for, and notes when the server did not filter. A row whose time cannot be
// read is kept, for the normalizer to reject.
func (r *reader) keep(row transport.Value, at *paginate.Place[state]) bool {
	switch r.stream {
	case schema.Budgets:
		if retired, err := row.LookupBool("retired"); err == nil && retired != (at.List == 1) {
			at.State.Doubt = "server ignored filter retired"
		}
	case schema.Transactions:
		t, ok := row.Instant("occurredTime")
		if !ok {
			return true
		}
		from, to := r.bounds(at.State.Wide)
		if at.State.Wide { // the zone of a date is unknown
			from, to = from.AddDate(0, 0, -1), to.AddDate(0, 0, 1)
		}
		open := r.window.From.Equal(schema.Beginning)
		if !open && t.Before(from) || t.After(to) {
			at.State.Doubt = "server ignored filter occurredTime"
		}
		return r.window.Contains(t) || open && t.Before(r.window.To)
	}
	return true
}

// Fetch reads cards, budgets or transactions by id or uuid, one request each.
func (x *source) Fetch(ctx context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	if x.redactors[s] == nil {
		return paginate.Refuse(x.config.Source, s, "BILL has no such stream")
	}
	return paginate.ByID(ctx, x.config.Source, s, ids, func() func(context.Context, string) (schema.Record, int, error) {
		session := x.client.Session()
		return func(ctx context.Context, id string) (schema.Record, int, error) {
			answer, err := session.Get(ctx, transport.Path("v3", "spend", string(s), id), nil, nil)
			if err != nil {
				return schema.Record{}, 0, err
			}
			return x.redactors[s].Record(x.base(s, answer), answer.Body, "uuid", "id"), answer.Retries, nil
		}
	})
}

func (x *source) base(s schema.Stream, a transport.Answer) schema.Record {
	return schema.Record{Source: x.config.Source, Provider: schema.Bill, Stream: s, ReceivedAt: a.ReceivedAt}
}
