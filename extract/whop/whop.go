// Package whop reads Whop cards and card transactions.
//
// Cards come on one page. Transactions are {data, page_info}; the end is has_next_page false, whatever the cursor is
// (Whop native OpenAPI).
package whop

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// DefaultAPIVersion is the version whose answers this package was tested with.
const DefaultAPIVersion = "2026-06-09"

// Issuer describes Whop.
func Issuer() extract.Issuer {
	return extract.Issuer{
		Provider:          schema.Whop,
		New:               New,
		BaseURL:           "https://api.whop.com/api/v1",
		RequestsPerSecond: 599.0 / 60, // 600 a minute, operation and credential (Whop docs: Rate limits), less one
		PageSizes:         map[schema.Stream]int{schema.Transactions: 100},
		Scope: func(c extract.Config) schema.Scope {
			return schema.NewScope(map[string]string{"account_id": c.AccountID, "user_id": c.UserID})
		},
	}
}

type source struct {
	config    extract.Config
	client    *transport.Client
	redactors map[schema.Stream]*transport.Redactor
}

// New makes the extractor of one Whop account or user. It reads nothing yet.
func New(c extract.Config) (extract.Extractor, error) {
	if (c.AccountID == "") == (c.UserID == "") {
		return nil, fmt.Errorf("source %s: want exactly one of account_id and user_id", c.Source)
	}
	if c.APIVersion == "" {
		c.APIVersion = DefaultAPIVersion
	}
	header := http.Header{}
	header.Set("Authorization", "Bearer "+c.Credential.Reveal())
	header.Set("Api-Version-Date", c.APIVersion) // never left to the key's pin, which changes the shapes
	remedies := map[int]string{
		http.StatusBadRequest: fmt.Sprintf("if it is about the version, set api_version of source %s (now %s) to one that the message names", c.Source, c.APIVersion),
		http.StatusForbidden:  fmt.Sprintf("the credential of source %s needs the scope payout:account:read", c.Source),
		http.StatusNotFound:   fmt.Sprintf("the credential of source %s does not see this account_id or user_id", c.Source),
		http.StatusGone:       fmt.Sprintf("the endpoint is retired in api_version %s of source %s", c.APIVersion, c.Source),
	}
	client, err := Issuer().Client(c, header, 15*time.Second, remedies)
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

// Streams lists cards, then transactions.
func (x *source) Streams() []schema.Stream {
	return []schema.Stream{schema.Cards, schema.Transactions}
}

// state is what a walk remembers between pages.
type state struct {
	Doubt string `json:"doubt,omitempty"`
}

// Pages lists a stream. Transactions are those whose created_at, the time of authorization, lies in the window.
func (x *source) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	walk := paginate.Walk[state]{Source: x.config.Source, Stream: s, Window: w, Lists: 1, Pages: x.config.MaxPages}
	switch s {
	case schema.Cards:
		walk.Open = func() paginate.Step[state] {
			return func(ctx context.Context, _ *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
				return x.cards(ctx)
			}
		}
	case schema.Transactions:
		walk.Open = func() paginate.Step[state] {
			session := x.client.Session()
			return func(ctx context.Context, at *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
				return x.transactions(ctx, session, w, at)
			}
		}
	default:
		return paginate.Refuse(x.config.Source, s, "Whop has no such stream")
	}
	return walk.From(ctx, from)
}

// owner says whose rows are asked for.
func (x *source) owner() url.Values {
	if x.config.UserID != "" {
		return url.Values{"user_id": {x.config.UserID}}
	}
	return url.Values{"account_id": {x.config.AccountID}}
}

func (x *source) cards(ctx context.Context) (extract.Page, paginate.Stop, error) {
	var rows []transport.Value
	answer, err := x.client.Session().Get(ctx, transport.Path("cards"), x.owner(), func(v transport.Value) (err error) {
		rows, err = v.LookupRows("data")
		return err
	})
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	return extract.Page{Records: x.records(schema.Cards, answer, rows), Total: -1, Retries: answer.Retries}, paginate.Whole(), nil
}

const millis = "2006-01-02T15:04:05.000Z"

func (x *source) transactions(
	ctx context.Context, session *transport.Session, w schema.Window, at *paginate.Place[state],
) (extract.Page, paginate.Stop, error) {
	from, to := w.From.UTC().Truncate(time.Millisecond), w.To.UTC().Add(time.Millisecond-time.Nanosecond).Truncate(time.Millisecond)
	open := w.From.Equal(schema.Beginning)
	q := url.Values{"order": {"created_at"}, "direction": {"asc"}, "created_before": {to.Format(millis)}}
	if !open {
		q.Set("created_after", from.Format(millis))
	}
	rows, info, answer, err := x.get(ctx, session, q, at.At)
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	rows = slices.DeleteFunc(rows, func(row transport.Value) bool {
		t, ok := row.Instant("created_at")
		if !ok {
			return false // for the normalizer to reject
		}
		if t.After(to) || !open && t.Before(from) {
			at.State.Doubt = "server ignored filter created_after, created_before"
		}
		return !t.Before(w.To) || !open && t.Before(w.From)
	})
	return extract.Page{
		Records: x.records(schema.Transactions, answer, rows), Total: -1, Retries: answer.Retries, Doubt: at.State.Doubt,
	}, paginate.ByPageInfo(info.end, info.more), nil
}

// pageInfo is what an answer says about the page after it.
type pageInfo struct {
	end  string
	more bool
}

// get asks for a page of transactions.
func (x *source) get(
	ctx context.Context, session *transport.Session, q url.Values, after string,
) (rows []transport.Value, info pageInfo, answer transport.Answer, err error) {
	q.Set("first", strconv.Itoa(Issuer().Size(x.config, schema.Transactions)))
	if x.config.AccountID != "" { // it defaults to the credential's account; there is no user_id here
		q.Set("account_id", x.config.AccountID)
	}
	if after != "" {
		q.Set("after", after)
	}
	answer, err = session.Get(ctx, transport.Path("card_transactions"), q, func(v transport.Value) (err error) {
		if rows, err = v.LookupRows("data"); err != nil {
			return err
		}
		if info.more, err = v.LookupBool("page_info.has_next_page"); err != nil {
			return err
		}
		info.end, err = v.LookupText("page_info.end_cursor")
		return err
	})
	return rows, info, answer, err
}

// Ids asked for at once, so that the URL stays short.
const batch = 50

// span is which of the ids a request asks for, and where in their answer.
type span struct {
	From  int    `json:"from"`
	To    int    `json:"to"`
	After string `json:"after,omitempty"`
}

func (s span) String() string { return fmt.Sprintf("%d-%d %s", s.From, s.To, s.After) }

// Fetch reads transactions by id, 50 at a time. One bad id fails all that are asked for with it (Whop native OpenAPI:
// "bad id gives 400"), so a span that is refused is halved until the bad id is alone; it is then Missing, like one that is
// answered 404 or left out of the answer.
func (x *source) Fetch(ctx context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	if s != schema.Transactions {
		return paginate.Refuse(x.config.Source, s, "Whop does not read it by id")
	}
	if len(ids) == 0 {
		return func(func(extract.Page, error) bool) {}
	}
	walk := paginate.Walk[span]{
		Source: x.config.Source, Stream: s, Lists: 1, Pages: x.config.MaxPages,
		Window: schema.Window{From: schema.Beginning, To: x.config.Now().UTC()},
		Open: func() paginate.Step[span] {
			f := &fetch{source: x, session: x.client.Session(), ids: ids, found: map[string]bool{}}
			return f.page
		},
	}
	return walk.From(ctx, "")
}

// fetch is one range over ids.
type fetch struct {
	*source
	session *transport.Session
	ids     []string
	found   map[string]bool
	doubt   string
}

func (f *fetch) page(ctx context.Context, at *paginate.Place[span]) (extract.Page, paginate.Stop, error) {
	here := &at.State
	if at.At == "" {
		*here = span{To: min(batch, len(f.ids))}
	}
	ids := f.ids[here.From:here.To]
	rows, info, answer, err := f.get(ctx, f.session, url.Values{"transaction_ids": ids}, here.After)
	page := extract.Page{Total: -1, Retries: answer.Retries}
	refused := here.After == "" && unknown(err)
	if refused && len(ids) > 1 {
		here.To = here.From + len(ids)/2
		return page, paginate.ByCursor(here.String()), nil
	}
	if err != nil && !refused {
		return extract.Page{}, paginate.Stop{}, err
	}
	for _, record := range f.records(schema.Transactions, answer, rows) {
		if !slices.Contains(ids, record.ExternalID) {
			f.doubt = "server ignored filter transaction_ids"
			continue
		}
		f.found[record.ExternalID] = true
		page.Records = append(page.Records, record)
	}
	page.Doubt = f.doubt
	if f.doubt != "" {
		return page, paginate.Whole(), nil // what follows is not what was asked for
	}
	if info.more {
		if here.After = info.end; info.end == "" {
			return page, paginate.ByPageInfo("", true), nil
		}
		return page, paginate.ByCursor(here.String()), nil
	}
	for _, id := range ids {
		if !f.found[id] {
			page.Missing = append(page.Missing, id)
		}
	}
	if here.To == len(f.ids) {
		return page, paginate.Whole(), nil
	}
	*here = span{From: here.To, To: min(here.To+batch, len(f.ids))}
	return page, paginate.ByCursor(here.String()), nil
}

// unknown says whether an answer means that at least one of the ids asked for is not known.
func unknown(err error) bool {
	var status *transport.StatusError
	return errors.As(err, &status) && (status.Status == http.StatusBadRequest || status.Status == http.StatusNotFound)
}

func (x *source) records(s schema.Stream, a transport.Answer, rows []transport.Value) []schema.Record {
	base := schema.Record{Source: x.config.Source, Provider: schema.Whop, Stream: s, ReceivedAt: a.ReceivedAt}
	records := make([]schema.Record, 0, len(rows))
	for _, row := range rows {
		records = append(records, x.redactors[s].Record(base, row, "id"))
	}
	return records
}
