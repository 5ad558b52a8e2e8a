// Package bitnob reads Bitnob virtual cards, generation A of the API: cards, transactions and each card's balance.
//
// Lists are {status, message, data} with page and take. There is no filter at all: each walk reads everything, oldest
// first so that new rows land on the last page, and keeps what lies in the window (Bitnob docs: Virtual Cards; vendor
// SDKs for paths and envelope).
package bitnob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Issuer describes Bitnob.
func Issuer() extract.Issuer {
	return extract.Issuer{
		Provider:          schema.Bitnob,
		New:               New,
		BaseURL:           "https://api.bitnob.co/api/v1",
		RequestsPerSecond: 1, // no figure is documented
		PageSizes:         map[schema.Stream]int{schema.Cards: 100, schema.Transactions: 100},
		FullScan:          true,
	}
}

type source struct {
	config    extract.Config
	client    *transport.Client
	redactors map[schema.Stream]*transport.Redactor
	paths     map[schema.Stream]*spelling
}

// spelling is the ways in which the documents write one path. Which one a server knows is found out once.
type spelling struct {
	ways  [][]string
	known atomic.Int32 // 1 + the way that worked; 0: none yet
}

// New makes the extractor of one Bitnob business. It reads nothing yet.
func New(c extract.Config) (extract.Extractor, error) {
	header := http.Header{}
	header.Set("Authorization", "Bearer "+c.Credential.Reveal())
	client, err := Issuer().Client(c, header, 0, nil)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", c.Source, err)
	}
	x := &source{
		config: c, client: client, redactors: map[schema.Stream]*transport.Redactor{},
		paths: map[schema.Stream]*spelling{
			schema.Cards:        {ways: [][]string{{"virtualcards", "cards"}}},
			schema.Transactions: {ways: [][]string{{"virtualcards", "cards", "transactions"}, {"virtualcards", "transactions"}}},
			schema.Balances:     {ways: [][]string{{"virtualcards", "cards"}, {"virtualcards", "card"}}},
		},
	}
	for stream, f := range fields() {
		if x.redactors[stream], err = transport.NewRedactor(f); err != nil {
			return nil, fmt.Errorf("source %s: %s: %w", c.Source, stream, err)
		}
	}
	return x, nil
}

// Streams lists cards, transactions, then balances, so that balances are observed after the rows they sum.
func (x *source) Streams() []schema.Stream {
	return []schema.Stream{schema.Cards, schema.Transactions, schema.Balances}
}

// The most times that a walk begins again because the list changed while it was read.
const maxRestarts = 3

// state is what a walk remembers between pages.
type state struct {
	Items    int64  `json:"items"` // itemCount of the first page of the walk; -1: not given
	Rows     int64  `json:"rows"`  // distinct rows so far
	PerPage  bool   `json:"perPage,omitempty"`
	Trimmed  bool   `json:"trimmed,omitempty"`  // rows outside the window were left out
	Restarts int    `json:"restarts,omitempty"` // times that the walk was begun again
	Fresh    bool   `json:"fresh,omitempty"`    // the next page begins it again
	Doubt    string `json:"doubt,omitempty"`
}

// Pages lists cards, or the transactions whose createdAt lies in the window. Every walk reads the whole list and counts
// its rows against itemCount. Where itemCount changes or does not agree in the end, the walk begins again, three times at
// most; then the last page says so in Doubt. Total is itemCount, given only where the window left no row out, since it
// counts the whole list.
func (x *source) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	switch s {
	case schema.Cards, schema.Transactions:
	case schema.Balances:
		return paginate.Refuse(x.config.Source, s, "they are read by card id")
	default:
		return paginate.Refuse(x.config.Source, s, "Bitnob has no such stream")
	}
	walk := paginate.Walk[state]{
		Source: x.config.Source, Stream: s, Window: w, Lists: 1, Pages: x.config.MaxPages,
		Open: func() paginate.Step[state] {
			r := &reader{source: x, session: x.client.Session(), stream: s, window: w}
			return r.page
		},
	}
	return walk.From(ctx, from)
}

// reader is one range over one list.
type reader struct {
	*source
	session *transport.Session
	stream  schema.Stream
	window  schema.Window
	seen    paginate.Seen
}

// sheet is what one answer of a list says.
type sheet struct {
	rows         []transport.Value
	items, pages int64 // itemCount and pageCount; -1: not given
	more         bool
	number       int // the page asked for
	transport.Answer
}

func (r *reader) page(ctx context.Context, at *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
	s, err := r.get(ctx, at.At)
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	page := extract.Page{Records: make([]schema.Record, 0, len(s.rows)), Total: -1, Retries: s.Retries, Restart: at.State.Fresh}
	at.State.Fresh = false
	if at.At == "" {
		r.seen.Reset()
		at.State = state{Items: s.items, PerPage: true, Restarts: at.State.Restarts}
	}
	base := schema.Record{Source: r.config.Source, Provider: schema.Bitnob, Stream: r.stream, ReceivedAt: s.ReceivedAt}
	fresh := len(s.rows) == 0
	for _, row := range s.rows {
		record := r.redactors[r.stream].Record(base, row, "id")
		if _, first := r.seen.Note(0, record.ExternalID); first {
			at.State.Rows++
			fresh = true
		}
		created, ok := row.Instant("createdAt")
		if ok && !r.stream.Snapshot() && !r.window.Contains(created) {
			at.State.Trimmed = true
			continue
		}
		page.Records = append(page.Records, record)
	}
	at.State.PerPage = at.State.PerPage && s.items == int64(len(s.rows))
	if at.State.Restarts == maxRestarts && !at.State.PerPage {
		// A list that only grows whenever it is read: new rows land on its last page, so the count at the end decides.
		at.State.Items = max(at.State.Items, s.items)
	}
	// A number beyond the last page can only be empty, whatever hasNextPage says of it.
	more := s.more && !(len(s.rows) == 0 && s.pages >= 0 && int64(s.number) > s.pages)
	if !fresh && more {
		return extract.Page{}, paginate.Stop{}, errors.New("the page brings no new row, but says that another follows: the list would never end")
	}
	if problem := changed(s, more, at.State); problem != "" {
		if at.State.Restarts < maxRestarts {
			at.State = state{Restarts: at.State.Restarts + 1, Fresh: true}
			return page, paginate.Again(), nil
		}
		at.State.Doubt = problem
	}
	page.Doubt = at.State.Doubt
	if !more && !at.State.Trimmed && at.State.Items == at.State.Rows {
		page.Total = s.items
	}
	return page, paginate.ByNumber(s.number, more), nil
}

// changed says why the list read so far cannot be the whole list; empty: nothing speaks against it. The documents call
// itemCount the total, but for cards the rows on the page: where it equals those on every page, it says nothing.
func changed(s sheet, more bool, st state) string {
	switch {
	case st.Items < 0 || st.PerPage && (more || s.number > 1):
		return ""
	case s.items != st.Items:
		return fmt.Sprintf("the list changed while it was read: itemCount went from %d to %d", st.Items, s.items)
	case !more && st.Rows != st.Items:
		return fmt.Sprintf("control total does not agree: itemCount is %d, %d different rows were read", st.Items, st.Rows)
	}
	return ""
}

// get asks for a page. The place of the paging fields is not documented: data.meta, data, or beside data.
func (r *reader) get(ctx context.Context, cursor string) (sheet, error) {
	s := sheet{number: 1}
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 1 {
			return sheet{}, fmt.Errorf("%w: it names no page", extract.ErrCursor)
		}
		s.number = n
	}
	q := url.Values{
		"page": {strconv.Itoa(s.number)}, "take": {strconv.Itoa(Issuer().Size(r.config, r.stream))},
		"order": {"ASC"}, // the documents disagree on the default
	}
	rows := map[schema.Stream]string{schema.Cards: "data.cards", schema.Transactions: "data.cardTransactions"}[r.stream]
	var err error
	s.Answer, err = r.try(ctx, r.session, r.paths[r.stream], "", q, func(v transport.Value) (err error) {
		if err := r.succeeded(v); err != nil {
			return err
		}
		if s.rows, err = v.LookupRows(rows); err != nil {
			return err
		}
		meta, err := place(v)
		if err != nil {
			return err
		}
		if s.more, err = v.LookupBool(meta + "hasNextPage"); err != nil {
			return err
		}
		if s.items, err = v.LookupCount(meta + "itemCount"); err != nil {
			return err
		}
		s.pages, err = v.LookupCount(meta + "pageCount")
		return err
	})
	return s, err
}

// place finds where the paging fields are.
func place(v transport.Value) (string, error) {
	const usual = "data.meta."
	for _, meta := range []string{usual, "data.", "meta.", ""} {
		field, err := v.Lookup(meta + "hasNextPage")
		if err != nil {
			return "", err
		}
		if field.Kind() != transport.Absent {
			return meta, nil
		}
	}
	return usual, nil
}

// succeeded turns an envelope that says status false, or nothing, into an error; HTTP says 200 all the same.
func (x *source) succeeded(v transport.Value) error {
	ok, err := v.LookupBool("status")
	if err != nil {
		return err
	}
	if !ok {
		return &transport.StatusError{
			Source: x.config.Source, Status: http.StatusOK, Message: x.client.Message(v.Bytes()), Remedy: "the provider says status false",
		}
	}
	return nil
}

// try asks under each spelling of a path until one is known. The id, if any, is the last segment.
func (x *source) try(
	ctx context.Context, session *transport.Session, p *spelling, id string, q url.Values, check func(transport.Value) error,
) (transport.Answer, error) {
	ask := func(way int) (transport.Answer, error) {
		segments := p.ways[way]
		if id != "" {
			segments = append(slices.Clip(segments), id)
		}
		return session.Get(ctx, transport.Path(segments...), q, check)
	}
	if known := p.known.Load(); known > 0 {
		return ask(int(known) - 1)
	}
	var first error
	for way := range p.ways {
		answer, err := ask(way)
		if err == nil {
			p.known.Store(int32(way) + 1)
			return answer, nil
		}
		var status *transport.StatusError
		if !errors.As(err, &status) || status.Status != http.StatusNotFound {
			return answer, err
		}
		if first == nil {
			first = err
		}
	}
	return transport.Answer{}, first
}

// Fetch reads balances by card id, one request each. That answer also holds the card's number and CVV, which are dropped
// before anything else is done with it. ExternalID is the card's id.
func (x *source) Fetch(ctx context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	if s != schema.Balances {
		return paginate.Refuse(x.config.Source, s, "Bitnob does not read it by id")
	}
	return paginate.ByID(ctx, x.config.Source, s, ids, func() func(context.Context, string) (schema.Record, int, error) {
		session := x.client.Session()
		return func(ctx context.Context, id string) (schema.Record, int, error) {
			var row transport.Value
			answer, err := x.try(ctx, session, x.paths[s], id, nil, func(v transport.Value) (err error) {
				if err := x.succeeded(v); err != nil {
					return err
				}
				if row, err = v.Lookup("data"); err == nil && row.Kind() != transport.Object {
					err = &transport.FieldError{Field: "data", Problem: fmt.Sprintf("want object, have %s", row.Kind())}
				}
				return err
			})
			if err != nil {
				return schema.Record{}, 0, err
			}
			base := schema.Record{
				Source: x.config.Source, Provider: schema.Bitnob, Stream: s, ExternalID: id, ReceivedAt: answer.ReceivedAt,
			}
			return x.redactors[s].Record(base, row), answer.Retries, nil
		}
	})
}
