package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
)

// server plays the four providers over HTTP, each below a path of its own name, from the formula of a company. It knows what the
// extractors ask for and nothing else.
type server struct {
	company
	figures map[schema.Provider]func() []schema.Observation
}

func newServer(c company) *server {
	s := &server{c, map[schema.Provider]func() []schema.Observation{}}
	for _, p := range c.providers() {
		s.figures[p] = sync.OnceValue(func() []schema.Observation { return c.observations(p) })
	}
	return s
}

// answer is the body of an answer; nil: there is no such thing.
func (s *server) answer(u *url.URL) []byte {
	provider, path, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch p := schema.Provider(provider); p {
	case schema.Bill:
		return s.bill(strings.TrimPrefix(path, "v3/spend/"), u)
	case schema.Slash:
		return s.slash(path, u)
	case schema.Whop:
		return s.whop(path, u)
	case schema.Bitnob:
		return s.bitnob(strings.TrimPrefix(path, "virtualcards/"), u)
	}
	return nil
}

// list is a page of a list: the rows from one number to another, and whether others follow.
func list(b []byte, from, to int, row func([]byte, int) []byte) []byte {
	for n := from; n < to; n++ {
		if n > from {
			b = append(b, ',')
		}
		b = row(b, n)
	}
	return b
}

// rows appends entries of a provider.
func (s *server) rows(b []byte, p schema.Provider, from, to int) []byte {
	return list(b, from, to, func(b []byte, n int) []byte { return row(b, s.entry(p, n)) })
}

// cursor is the number that a cursor names; without one the first that is asked for.
func cursor(text string, first int) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return first
}

// between is which entries lie from one time to another, both included.
func (s *server) between(from, to string) (first, last int) {
	return s.first(parsed(from)), s.first(parsed(to).Add(time.Millisecond))
}

// parsed is a time as text or as milliseconds; without one, the beginning.
func parsed(text string) time.Time {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).UTC()
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

var billTimes = regexp.MustCompile(`occurredTime:(gte|lte):"([^"]*)"`)

func (s *server) bill(path string, u *url.URL) []byte {
	q := u.Query()
	size := cursor(q.Get("max"), 50)
	name, id, single := strings.Cut(path, "/")
	switch {
	case single && name == "transactions":
		return row(nil, s.entry(schema.Bill, number(id)))
	case single:
		return nil
	case name == "transactions":
		bounds := map[string]string{}
		for _, m := range billTimes.FindAllStringSubmatch(q.Get("filters"), -1) {
			bounds[m[1]] = m[2]
		}
		first, last := s.between(bounds["gte"], bounds["lte"])
		from := cursor(q.Get("nextPage"), first)
		return billPage(min(from+size, last), last, func(b []byte, to int) []byte { return s.rows(b, schema.Bill, from, to) })
	case name == "budgets":
		return billPage(0, 0, func(b []byte, _ int) []byte {
			if q.Get("filters") != "retired:eq:false" {
				return b
			}
			budget := s.budget()
			return fmt.Appendf(b, `{"uuid":"budget","name":"Company","retired":false,"recurringInterval":"MONTHLY","currentPeriod":{"startDate":%q,"endDate":%q}}`,
				budget.StartDate, budget.EndDate)
		})
	case name == "cards":
		figures := s.figures[schema.Bill]()
		from := cursor(q.Get("nextPage"), 0)
		return billPage(min(from+size, len(figures)), len(figures), func(b []byte, to int) []byte {
			return list(b, from, to, func(b []byte, n int) []byte {
				o := figures[n]
				b = fmt.Appendf(b, `{"uuid":%q,"name":%q,"lastFour":%q,"status":"ACTIVATED","type":"VIRTUAL","budgetUuid":"budget","shareBudgetFunds":false,`, o.ID, o.Name, o.Last4)
				b = dollars(append(b, `"currentPeriod":{`...), "limit", o.Limits[0].Amount.Minor())
				b = dollars(b, "spent", o.Figures[0].Amount.Minor())
				return fmt.Appendf(b[:len(b)-1], `},"createdTime":%q}`, o.CreatedAt.Format(time.RFC3339))
			})
		})
	}
	return nil
}

func billPage(to, last int, rows func([]byte, int) []byte) []byte {
	b := append(rows(append(make([]byte, 0, 64<<10), `{"results":[`...), to), `],"nextPage":`...)
	if to < last {
		return append(strconv.AppendInt(append(b, '"'), int64(to), 10), `"}`...)
	}
	return append(b, "null}"...)
}

func (s *server) slash(path string, u *url.URL) []byte {
	q := u.Query()
	category := func(first, last int) (int, int) {
		if q.Get("filter:category") != "card" {
			return 0, 0
		}
		return first, last
	}
	switch name, id, _ := strings.Cut(path, "/"); {
	case path == "transaction", path == "transaction/aggregation":
		filter := "date"
		if q.Has("filter:to_authorized_at") {
			filter = "authorized_at"
		}
		first, last := category(s.between(q.Get("filter:from_"+filter), q.Get("filter:to_"+filter)))
		if path == "transaction/aggregation" {
			return fmt.Appendf(nil, `{"count":%d}`, last-first)
		}
		from := cursor(q.Get("cursor"), first)
		return slashPage(min(from+perPage, last), last, func(b []byte, to int) []byte { return s.rows(b, schema.Slash, from, to) })
	case path == "card":
		figures := s.figures[schema.Slash]()
		if q.Get("filter:status") == "closed" {
			figures = nil
		}
		from := cursor(q.Get("cursor"), 0)
		return slashPage(min(from+perPage, len(figures)), len(figures), func(b []byte, to int) []byte {
			return list(b, from, to, func(b []byte, n int) []byte {
				o := figures[n]
				return fmt.Appendf(b, `{"id":%q,"name":%q,"last4":%q,"status":"active","isPhysical":false,"createdAt":%q,"spendingConstraint":{"spendingRule":`+
					`{"utilizationLimitV2":[{"preset":"monthly","limitAmount":{"amountCents":%d}}]}}}`,
					o.ID, o.Name, o.Last4, o.CreatedAt.Format(time.RFC3339), o.Limits[0].Amount.Minor())
			})
		})
	case name == "transaction":
		return row(nil, s.entry(schema.Slash, number(id)))
	case name == "card":
		card := strings.TrimSuffix(id, "/utilization")
		return fmt.Appendf(nil, `{"spend":{"amountCents":%d}}`, s.figures[schema.Slash]()[number(card)].Figures[0].Amount.Minor())
	}
	return nil
}

func slashPage(to, last int, rows func([]byte, int) []byte) []byte {
	b := append(rows(append(make([]byte, 0, 96<<10), `{"items":[`...), to), `],"metadata":{"nextCursor":`...)
	if to < last {
		return append(strconv.AppendInt(append(b, '"'), int64(to), 10), `"}}`...)
	}
	return append(b, "null}}"...)
}

func (s *server) whop(path string, u *url.URL) []byte {
	q := u.Query()
	switch path {
	case "cards":
		figures := s.figures[schema.Whop]()
		b := list([]byte(`{"data":[`), 0, len(figures), func(b []byte, n int) []byte {
			o := figures[n]
			b = fmt.Appendf(b, `{"id":%q,"name":%q,"last4":%q,"status":"active","type":"virtual","spent_last_month":%d,"created_at":%q,`,
				o.ID, o.Name, o.Last4, o.Figures[0].Amount.Minor(), o.CreatedAt.Format(time.RFC3339))
			b = dollars(append(b, `"limit":{`...), "amount", o.Limits[0].Amount.Minor())
			return append(b, `"frequency":"monthly"}}`...)
		})
		return append(b, "]}"...)
	case "card_transactions":
		if ids := q["transaction_ids"]; len(ids) > 0 {
			b := list([]byte(`{"data":[`), 0, len(ids), func(b []byte, n int) []byte { return row(b, s.entry(schema.Whop, number(ids[n]))) })
			return append(b, `],"page_info":{"has_next_page":false,"end_cursor":null}}`...)
		}
		first, last := s.between(q.Get("created_after"), q.Get("created_before"))
		from := cursor(q.Get("after"), first)
		to := min(from+cursor(q.Get("first"), perPage), last)
		b := s.rows(append(make([]byte, 0, 64<<10), `{"data":[`...), schema.Whop, from, to)
		return fmt.Appendf(b, `],"page_info":{"has_next_page":%t,"has_previous_page":%t,"start_cursor":"%d","end_cursor":"%d"}}`, to < last, from > first, from, to)
	}
	return nil
}

func (s *server) bitnob(path string, u *url.URL) []byte {
	q := u.Query()
	page, size := cursor(q.Get("page"), 1), cursor(q.Get("take"), perPage)
	card := func(b []byte, n int) []byte {
		o := s.figures[schema.Bitnob]()[n]
		return fmt.Appendf(b, `{"id":%q,"cardName":%q,"last4":%q,"cardType":"virtual","status":"active","createdAt":%q,"balance":%s}`,
			o.ID, o.Name, o.Last4, o.CreatedAt.Format(time.RFC3339), o.Figures[0].Raw)
	}
	paged := func(name string, items int, rows func(b []byte, from, to int) []byte) []byte {
		from, to := min((page-1)*size, items), min(page*size, items)
		b := fmt.Appendf(make([]byte, 0, 80<<10), `{"status":true,"message":"found","data":{%q:[`, name)
		return fmt.Appendf(rows(b, from, to), `],"meta":{"page":%d,"take":%d,"itemCount":%d,"pageCount":%d,"hasPreviousPage":%t,"hasNextPage":%t}}}`,
			page, size, items, (items+size-1)/size, page > 1, to < items)
	}
	entries, cards := s.of()
	switch path {
	case "cards":
		return paged("cards", cards, func(b []byte, from, to int) []byte { return list(b, from, to, card) })
	case "cards/transactions":
		return paged("cardTransactions", entries, func(b []byte, from, to int) []byte { return s.rows(b, schema.Bitnob, from, to) })
	}
	return append(card([]byte(`{"status":true,"message":"found","data":`), number(path)), '}')
}
