package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tieout/tieout/schema"
)

// client asks a world over HTTP as anybody could, with the right key unless told otherwise.
type client struct {
	t     *testing.T
	world *World
	url   string
}

func newClient(t *testing.T, w *World) *client {
	t.Helper()
	server := httptest.NewServer(w.Handler(WithControl()))
	t.Cleanup(server.Close)
	return &client{t: t, world: w, url: server.URL}
}

// reply is an answer: its status, its bytes and, where it is JSON, its value with numbers as text.
type reply struct {
	status int
	raw    []byte
	json   any
}

func (c *client) do(method string, p schema.Provider, path string, q url.Values, header http.Header) reply {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+c.world.BasePath(p)+path+"?"+q.Encode(), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var raw bytes.Buffer
	if _, err := raw.ReadFrom(response.Body); err != nil {
		c.t.Fatal(err)
	}
	r := reply{status: response.StatusCode, raw: raw.Bytes()}
	decoder := json.NewDecoder(&raw)
	decoder.UseNumber()
	_ = decoder.Decode(&r.json) // plain text stays nil
	return r
}

// key is the header that a provider wants.
func (c *client) key(p schema.Provider, secret string) http.Header {
	h := http.Header{}
	switch p {
	case schema.Bill:
		h.Set("apiToken", secret)
	case schema.Slash:
		h.Set("X-API-Key", secret)
	default:
		h.Set("Authorization", "Bearer "+secret)
	}
	if p == schema.Whop {
		h.Set("Api-Version-Date", "2026-06-09")
	}
	return h
}

// try asks with the right key. Parameters are name, value, name, value.
func (c *client) try(p schema.Provider, path string, parameters ...string) reply {
	c.t.Helper()
	q := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		q.Add(parameters[i], parameters[i+1])
	}
	return c.do(http.MethodGet, p, path, q, c.key(p, c.world.Credential(p)))
}

// get asks and wants success.
func (c *client) get(p schema.Provider, path string, parameters ...string) map[string]any {
	c.t.Helper()
	r := c.try(p, path, parameters...)
	if r.status != http.StatusOK {
		c.t.Fatalf("GET %s %v: status %d: %s", path, parameters, r.status, r.raw)
	}
	return r.json.(map[string]any)
}

// refused asks and wants an error whose body holds a text.
func (c *client) refused(status int, text string, p schema.Provider, path string, parameters ...string) {
	c.t.Helper()
	r := c.try(p, path, parameters...)
	if r.status != status || !strings.Contains(string(r.raw), text) {
		c.t.Errorf("GET %s %v: status %d, body %s; want %d with %q", path, parameters, r.status, r.raw, status, text)
	}
}

// at finds a value by its path of names.
func at(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

// str is the text of a value: a string, the digits of a number, true or false; empty for null.
func str(v any, path string) string {
	v = at(v, path)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// walk reads a list from its first page to its last.
func (c *client) walk(p schema.Provider, path string, parameters ...string) (rows []any) {
	c.t.Helper()
	cursor, number := "", 1
	for pages := 0; ; pages++ {
		if pages > 100_000 {
			c.t.Fatalf("GET %s never ends", path)
		}
		ask := parameters
		switch {
		case p == schema.Bitnob:
			ask = append(slices.Clip(ask), "page", fmt.Sprint(number))
		case cursor != "":
			ask = append(slices.Clip(ask), map[schema.Provider]string{
				schema.Bill: "nextPage", schema.Slash: "cursor", schema.Whop: "after",
			}[p], cursor)
		}
		page := c.get(p, path, ask...)
		more := false
		switch p {
		case schema.Bill:
			rows = append(rows, page["results"].([]any)...)
			cursor = str(page, "nextPage")
			more = cursor != ""
		case schema.Slash:
			rows = append(rows, page["items"].([]any)...)
			cursor = str(page, "metadata.nextCursor")
			more = cursor != ""
		case schema.Whop:
			rows = append(rows, page["data"].([]any)...)
			cursor = str(page, "page_info.end_cursor")
			more = at(page, "page_info.has_next_page") == true
		case schema.Bitnob:
			for name, list := range page["data"].(map[string]any) {
				if name != "meta" {
					rows = append(rows, list.([]any)...)
				}
			}
			more = at(page, "data.meta.hasNextPage") == true
			number++
		}
		if !more {
			return rows
		}
	}
}

// everything reads all that the four lists and the gets of single cards hold.
func (c *client) everything() (text []byte) {
	c.t.Helper()
	note := func(v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			c.t.Fatal(err)
		}
		text = append(append(text, raw...), '\n')
	}
	for _, list := range lists() {
		note(c.walk(list.provider, list.path, list.owner(c.world)...))
	}
	for _, p := range schema.Providers() {
		for _, card := range c.world.books[p].cards {
			switch p {
			case schema.Bill:
				note(c.get(p, "/v3/spend/cards/"+url.PathEscape(card.id)))
			case schema.Slash:
				note(c.get(p, "/card/"+card.id, "include_pan", "true"))
				note(c.get(p, "/card/"+card.id+"/utilization"))
			case schema.Whop:
				note(c.get(p, "/cards/"+card.id))
			case schema.Bitnob:
				note(c.get(p, "/virtualcards/cards/"+card.id))
			}
		}
	}
	return text
}

// list is one of the lists that are served.
type list struct {
	provider schema.Provider
	path     string
	rows     string // "cards", "transactions" or "others"
}

func lists() []list {
	return []list{
		{schema.Bill, "/v3/spend/cards", "cards"},
		{schema.Bill, "/v3/spend/transactions", "transactions"},
		{schema.Bill, "/v3/spend/budgets", "others"},
		{schema.Bill, "/v3/spend/users", "others"},
		{schema.Slash, "/card", "cards"},
		{schema.Slash, "/transaction", "transactions"},
		{schema.Whop, "/cards", "cards"},
		{schema.Whop, "/card_transactions", "transactions"},
		{schema.Bitnob, "/virtualcards/cards", "cards"},
		{schema.Bitnob, "/virtualcards/cards/transactions", "transactions"},
		{schema.Bitnob, "/virtualcards/users", "others"},
	}
}

// owner are the parameters without which the list is refused.
func (l list) owner(w *World) []string {
	if l.provider == schema.Whop && l.rows == "cards" {
		return []string{"account_id", w.Account()}
	}
	return nil
}
