// Package slash reads Slash: cards, transactions and each card's utilization.
//
// Lists are {items, metadata{nextCursor}}; the end is a nextCursor that is absent, null or empty. Filters on time are Unix
// milliseconds, inclusive on both ends; times in rows are ISO 8601 (Slash OpenAPI 0.0.1).
package slash

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Issuer describes Slash. It has no page size parameter.
func Issuer() extract.Issuer {
	return extract.Issuer{
		Provider:          schema.Slash,
		New:               New,
		BaseURL:           "https://api.slash.com",
		RequestsPerSecond: 2, // no figure is documented
		Scope: func(c extract.Config) schema.Scope {
			return schema.NewScope(map[string]string{"categories": strings.Join(chosen(c), ","), "legal_entity": c.LegalEntity})
		},
	}
}

// chosen is the categories that are read, in the order of their names whatever the order of the configuration: the cursor
// counts lists.
func chosen(c extract.Config) []string {
	if len(c.Categories) == 0 {
		return []string{"card", "fee"}
	}
	return slices.Sorted(slices.Values(c.Categories))
}

// Categories are the words that filter:category takes.
func Categories() []string {
	return []string{"card", "fee", "ach", "wire", "international_wire", "rtp", "internal"}
}

type source struct {
	config     extract.Config
	client     *transport.Client
	redactors  map[schema.Stream]*transport.Redactor
	categories []string
}

// New makes the extractor of one Slash key. It reads nothing yet.
func New(c extract.Config) (extract.Extractor, error) {
	header := http.Header{}
	header.Set("X-API-Key", c.Credential.Reveal())
	if c.LegalEntity != "" {
		header.Set("x-legal-entity", c.LegalEntity)
	}
	remedies := map[int]string{
		http.StatusBadRequest: fmt.Sprintf("if it is about the legal entity, set legal_entity of source %s, which a user-scoped key needs", c.Source),
		http.StatusForbidden:  fmt.Sprintf("the credential of source %s lacks the permission, or has no role on its legal_entity", c.Source),
	}
	client, err := Issuer().Client(c, header, 0, remedies)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", c.Source, err)
	}
	x := &source{config: c, client: client, redactors: map[schema.Stream]*transport.Redactor{}, categories: chosen(c)}
	for i, category := range x.categories {
		if !slices.Contains(Categories(), category) || slices.Contains(x.categories[:i], category) {
			return nil, fmt.Errorf("source %s: categories: %q is unknown or stands twice; known: %v", c.Source, category, Categories())
		}
	}
	for stream, f := range fields() {
		if x.redactors[stream], err = transport.NewRedactor(f); err != nil {
			return nil, fmt.Errorf("source %s: %s: %w", c.Source, stream, err)
		}
	}
	return x, nil
}

// Streams lists cards, transactions, then utilization, so that the figures are observed after the rows they sum.
func (x *source) Streams() []schema.Stream {
	return []schema.Stream{schema.Cards, schema.Transactions, schema.Utilization}
}

// state is what a walk remembers between pages.
type state struct {
	Doubt   string            `json:"doubt,omitempty"`
	Counts  map[string]counts `json:"counts,omitempty"` // distinct rows of the list being read that the date filter asked for, by status
	Total   int64             `json:"total,omitempty"`  // control totals of the lists read
	NoTotal bool              `json:"noTotal,omitempty"`
	Extra   int64             `json:"extra,omitempty"`  // rows yielded that no control total counts
	Rereads int               `json:"reread,omitempty"` // times that the walk was begun again
	Fresh   bool              `json:"fresh,omitempty"`  // the next page begins it again
}

// Pages lists cards or transactions. Cards are two lists: all, and those closed, since it is not documented whether the
// first holds them. Transactions are two lists for each category: those whose date lies in the window, and those whose
// authorizedAt does, since date moves when a row posts. A row that an earlier list brought is not repeated. The rows of
// each date list are counted against /transaction/aggregation, rows that no money moves with counted or not; where they
// disagree the walk begins again once, and then the page says so in Doubt. Where the key may not ask for that count, or
// Slash does not give it, there is no Total and no Doubt. Total, on the last page of a walk that was not resumed, is the sum of those counts and of the
// rows that they do not cover.
func (x *source) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	walk := paginate.Walk[state]{Source: x.config.Source, Stream: s, Window: w, Pages: x.config.MaxPages}
	switch s {
	case schema.Cards:
		walk.Lists = 2
		walk.Open = func() paginate.Step[state] {
			r := &reader{source: x, session: x.client.Session(), window: w}
			return r.cards
		}
	case schema.Transactions:
		walk.Lists = x.passes(w) * len(x.categories)
		walk.Open = func() paginate.Step[state] {
			r := &reader{source: x, session: x.client.Session(), window: w}
			return r.transactions
		}
	case schema.Utilization:
		return paginate.Refuse(x.config.Source, s, "it is read by card id")
	default:
		return paginate.Refuse(x.config.Source, s, "Slash has no such stream")
	}
	return walk.From(ctx, from)
}

// Plan counts the lists of Pages, and a control total at the end of each list by date. Where a control total does not agree
// at once more is asked, which nobody can know before.
func (x *source) Plan(s schema.Stream, w schema.Window, from extract.Cursor) extract.Requests {
	list := paginate.List(from)
	if s != schema.Transactions {
		return extract.Requests{Lists: max(2-list, 1), Times: 1}
	}
	passes := x.passes(w)
	done := (list + passes - 1) / passes // categories whose list by date lies behind
	return extract.Requests{
		Lists: max(passes*len(x.categories)-list, 1), Beside: max(len(x.categories)-done, 0), Times: passes,
	}
}

// passes is the number of lists of a category. Without a lower bound the first holds everything.
func (x *source) passes(w schema.Window) int {
	if w.From.Equal(schema.Beginning) {
		return 1
	}
	return 2
}

// reader is one range over one stream.
type reader struct {
	*source
	session *transport.Session
	beside  int // requests of the page being read beside its own
	window  schema.Window
	walk    paginate.Seen // ids of the walk, by the list that brought them
	list    paginate.Seen // ids of the list being read
	whole   bool          // the range began at the walk's start, so walk holds all its ids
}

func (r *reader) get(ctx context.Context, path, cursor string, q url.Values) (rows []transport.Value, next string, a transport.Answer, err error) {
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	a, err = r.session.Get(ctx, path, q, func(v transport.Value) (err error) {
		if rows, err = v.LookupRows("items"); err != nil {
			return err
		}
		next, err = v.LookupText("metadata.nextCursor")
		return err
	})
	return rows, next, a, err
}

func (r *reader) cards(ctx context.Context, at *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
	q := url.Values{"sort": {"createdAt"}, "sortDirection": {"ASC"}}
	if at.List == 1 {
		q.Set("filter:status", "closed")
	}
	rows, next, answer, err := r.get(ctx, transport.Path("card"), at.At, q)
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	page := extract.Page{Records: make([]schema.Record, 0, len(rows)), Total: -1, Retries: answer.Retries}
	for _, row := range rows {
		record := r.redactors[schema.Cards].Record(r.base(schema.Cards, "", answer), row, "id")
		if owner, _ := r.walk.Note(at.List, record.ExternalID); owner == at.List {
			page.Records = append(page.Records, record)
		}
	}
	return page, paginate.ByCursor(next), nil
}

func (r *reader) transactions(ctx context.Context, at *paginate.Place[state]) (extract.Page, paginate.Stop, error) {
	page := extract.Page{Total: -1, Restart: at.State.Fresh}
	at.State.Fresh, r.beside = false, 0
	if page.Restart {
		r.walk.Reset()
	}
	if at.At == "" {
		r.list.Reset()
		at.State.Counts = map[string]counts{}
		r.whole = r.whole || at.List == 0
	}
	passes := r.passes(r.window)
	category, byDate := r.categories[at.List/passes], at.List%passes == 0
	filter := "authorized_at"
	if byDate {
		filter = "date"
	}
	q := r.query(category, filter)
	rows, next, answer, err := r.get(ctx, transport.Path("transaction"), at.At, q)
	if err != nil {
		return extract.Page{}, paginate.Stop{}, err
	}
	page.Retries, page.Records = answer.Retries, make([]schema.Record, 0, len(rows))
	for _, row := range rows {
		record := r.redactors[schema.Transactions].Record(r.base(schema.Transactions, "", answer), row, "id")
		record.Category = told(row, category)
		if told := record.Category; told != "" && told != category {
			at.State.Doubt = "server ignored filter category"
			continue // its own list brings it, if that is read
		}
		asked, wanted := r.judge(row)
		if !asked.any {
			at.State.Doubt = "server ignored filter " + filter
		}
		_, newInList := r.list.Note(at.List, record.ExternalID)
		owner, newInWalk := r.walk.Note(at.List, record.ExternalID)
		if owner/passes != at.List/passes {
			at.State.Doubt = "server ignored filter category"
		}
		if byDate && asked.byDate && newInList {
			at.State.count(row)
		}
		if !wanted || owner != at.List {
			continue
		}
		if newInWalk && !(byDate && asked.byDate) {
			at.State.Extra++
		}
		page.Records = append(page.Records, record)
	}
	stop := paginate.ByCursor(next)
	if next == "" && byDate {
		agreed, retries, err := r.control(ctx, category, at)
		if err != nil {
			return extract.Page{}, paginate.Stop{}, err
		}
		page.Retries, page.Beside = page.Retries+retries, r.beside
		if !agreed && at.State.Rereads == 0 {
			at.State = state{Rereads: 1, Fresh: true}
			return page, paginate.Again(), nil
		}
	}
	page.Doubt = at.State.Doubt
	last := next == "" && at.List == passes*len(r.categories)-1
	if last && r.whole && !at.State.NoTotal {
		page.Total = at.State.Total + at.State.Extra
	}
	return page, stop, nil
}

// query asks for one category by one of the two times.
func (r *reader) query(category, filter string) url.Values {
	from, to := r.bounds()
	q := url.Values{"filter:category": {category}}
	q.Set("filter:to_"+filter, strconv.FormatInt(to.UnixMilli(), 10))
	if !r.window.From.Equal(schema.Beginning) {
		q.Set("filter:from_"+filter, strconv.FormatInt(from.UnixMilli(), 10))
	}
	return q
}

// bounds is the window in whole milliseconds, both ends included.
func (r *reader) bounds() (from, to time.Time) {
	return r.window.From.Truncate(time.Millisecond), r.window.To.Add(-time.Nanosecond).Truncate(time.Millisecond)
}

// asked says which of the two filters a row satisfies.
type asked struct{ byDate, any bool }

// judge compares a row with what was asked, and says whether it lies in the window by either time. A row whose date cannot
// be read is wanted, for the normalizer to reject.
func (r *reader) judge(row transport.Value) (a asked, wanted bool) {
	date, ok := row.Instant("date")
	if !ok {
		return asked{byDate: true, any: true}, true
	}
	authorized, ok := row.Instant("authorizedAt")
	a.byDate = r.within(date)
	a.any = a.byDate || ok && r.within(authorized)
	return a, r.window.Contains(date) || ok && r.window.Contains(authorized)
}

func (r *reader) within(t time.Time) bool {
	from, to := r.bounds()
	t = t.Truncate(time.Millisecond)
	return !t.Before(from) && !t.After(to)
}

// Fetch reads utilization by card id, several cards a page, and transactions by id, one request each. A record of
// utilization has the card's id as ExternalID, since the payload names no card. A single transaction does not say its
// category; it is told from fields that only one category has.
func (x *source) Fetch(ctx context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	path := map[schema.Stream]func(id string) string{
		schema.Utilization:  func(id string) string { return transport.Path("card", id, "utilization") },
		schema.Transactions: func(id string) string { return transport.Path("transaction", id) },
	}[s]
	if path == nil {
		return paginate.Refuse(x.config.Source, s, "Slash does not read it by id")
	}
	return paginate.ByID(ctx, x.config.Source, s, ids, func() func(context.Context, string) (schema.Record, int, error) {
		session := x.client.Session()
		return func(ctx context.Context, id string) (schema.Record, int, error) {
			answer, err := session.Get(ctx, path(id), nil, nil)
			if err != nil {
				return schema.Record{}, 0, err
			}
			base := x.base(s, "", answer)
			if s == schema.Transactions {
				base.Category = category(answer.Body)
			} else {
				base.ExternalID = id
			}
			return x.redactors[s].Record(base, answer.Body, "id"), answer.Retries, nil
		}
	})
}

// category tells fee rows (feeInfo) and card rows (cardId, authorizedAt: "only exists for card transactions") from the
// others, whose category stays unknown.
func category(row transport.Value) string {
	switch {
	case holds(row, "feeInfo"):
		return "fee"
	case holds(row, "cardId"), holds(row, "authorizedAt"):
		return "card"
	}
	return ""
}

// holds says whether a row has a member that is neither null nor empty text.
func holds(row transport.Value, name string) bool {
	v, err := row.Lookup(name)
	text, isText := v.Text()
	return err == nil && v.Kind() != transport.Absent && v.Kind() != transport.Null && !(isText && text == "")
}

// told is the category of a row that a list brought: that of the list, unless what stands in the row speaks against it. It is
// empty for a row of the card list that names neither a card nor an authorization: a filter that is ignored brings transfers,
// which must not be counted as purchases.
func told(row transport.Value, list string) string {
	said := category(row)
	switch {
	case list == "card":
		return said
	case said == "card" && (list != "fee" || holds(row, "authorizedAt")): // a fee may name a card
		return said
	}
	return list
}

func (x *source) base(s schema.Stream, category string, a transport.Answer) schema.Record {
	return schema.Record{
		Source: x.config.Source, Provider: schema.Slash, Stream: s, Category: category, ReceivedAt: a.ReceivedAt,
	}
}
