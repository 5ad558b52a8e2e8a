package sandbox

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// listing is what faults know of a provider's list: where an answer has its rows and says what comes next, and how a request
// names its page and its filters.
type listing struct {
	rows    string // path of the array of rows
	next    string // path of the field that names the next page; empty: pages have numbers
	more    string // path of the field that says whether there is one; empty: next says so
	count   string // path of the count of all rows; empty: there is none
	page    string // parameter that names the page
	filters string // what the names of parameters that filter begin with, between blanks; empty: there are none

	cursor [2]string // what stands around the number in a cursor
}

// listings is the one table of them.
func listings(p schema.Provider) map[string]listing {
	switch p {
	case schema.Bill:
		l := listing{rows: "results", next: "nextPage", page: "nextPage", filters: "filters", cursor: [2]string{billCursor, ""}}
		return map[string]listing{"/v3/spend/cards": l, "/v3/spend/budgets": l, "/v3/spend/transactions": l, "/v3/spend/users": l}
	case schema.Slash:
		l := listing{rows: "items", next: "metadata.nextCursor", page: "cursor", filters: "filter:", cursor: [2]string{slashCursor, ""}}
		return map[string]listing{"/card": l, "/transaction": l}
	case schema.Whop:
		rows := listing{
			rows: "data", next: "page_info.end_cursor", more: "page_info.has_next_page", page: "after",
			filters: "created_ status card transaction_ids", cursor: [2]string{whopCursor, whopCursorEnd},
		}
		return map[string]listing{"/card_transactions": rows, "/cards": {rows: "data"}}
	}
	l := listing{more: "data.meta.hasNextPage", count: "data.meta.itemCount", page: "page"}
	cards, rows := l, l
	cards.rows, rows.rows = "data.cards", "data.cardTransactions"
	return map[string]listing{"/virtualcards/cards": cards, "/virtualcards/cards/transactions": rows, "/virtualcards/transactions": rows}
}

// at is the page that a request names; empty where it is the first.
func (l *listing) at(q url.Values) string {
	at := q.Get(l.page)
	if l.page == "" || l.next == "" && at == "1" {
		return ""
	}
	return at
}

// moved is a cursor a number of rows further on; false where there is no such place.
func (l *listing) moved(cursor string, by int64) (string, bool) {
	n, ok := decodeCursor(l.cursor[0], cursor, l.cursor[1])
	if !ok || int64(n)+by < 0 {
		return "", false
	}
	return encodeCursor(l.cursor[0], n+int(by), l.cursor[1]), true
}

// unfiltered leaves the filters out of a query.
func (l *listing) unfiltered(q url.Values) {
	for name := range q {
		for word := range strings.FieldsSeq(l.filters) {
			if strings.HasPrefix(name, word) {
				q.Del(name)
			}
		}
	}
}

// opened is the JSON of an answer, open for changes.
type opened struct {
	body any
	list *listing
}

// read opens an answer; false where it is no page of the list.
func (l *listing) read(body []byte) (opened, bool) {
	p := opened{list: l}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&p.body) != nil {
		return p, false
	}
	_, ok := p.get(l.rows).([]any)
	return p, ok
}

func (p opened) text() []byte {
	text, err := json.Marshal(p.body)
	if err != nil { // it came from JSON
		return nil
	}
	return append(text, '\n')
}

// parent is the object that holds the last name of a path, made where it is missing.
func (p opened) parent(path string) (object, string) {
	at, _ := p.body.(object)
	for {
		name, rest, deeper := strings.Cut(path, ".")
		if !deeper || at == nil {
			return at, name
		}
		inner, ok := at[name].(object)
		if !ok {
			inner = object{}
			at[name] = inner
		}
		at, path = inner, rest
	}
}

func (p opened) get(path string) any {
	at, name := p.parent(path)
	return at[name]
}

func (p opened) set(path string, value any) {
	if at, name := p.parent(path); at != nil && path != "" {
		at[name] = value
	}
}

func (p opened) rows() []any {
	rows, _ := p.get(p.list.rows).([]any)
	return rows
}

// add changes a count.
func (p opened) add(path string, by int64) {
	number, ok := p.get(path).(json.Number)
	if n, err := number.Int64(); ok && err == nil {
		p.set(path, n+by)
	}
}

// An instant as the four providers write it, and as Slash takes it.
var (
	written = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)`)
	counted = regexp.MustCompile(`^\d{13}$`)
)

// skewed moves every instant in a text.
func skewed(text string, by time.Duration) string {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && counted.MatchString(text) {
		return strconv.FormatInt(n+by.Milliseconds(), 10)
	}
	return written.ReplaceAllStringFunc(text, func(word string) string {
		t, err := time.Parse(time.RFC3339Nano, word)
		if err != nil {
			return word
		}
		if strings.HasSuffix(word, "Z") {
			return t.Add(by).Format(millis)
		}
		return t.Add(by).Format("2006-01-02T15:04:05.000-07:00")
	})
}
