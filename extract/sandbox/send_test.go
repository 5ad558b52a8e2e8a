package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/tieout/tieout/schema"
)

// post sends a body to an address and reads the answer.
func (c *client) post(url string, header http.Header, body string) reply {
	c.t.Helper()
	return c.roundTrip(http.MethodPost, url, header, body)
}

func (c *client) roundTrip(method, url string, header http.Header, body string) reply {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
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
	decoder := json.NewDecoder(bytes.NewReader(r.raw))
	decoder.UseNumber()
	_ = decoder.Decode(&r.json) // plain text stays nil
	return r
}

// send writes with the right key.
func (c *client) send(method string, p schema.Provider, path, body string) reply {
	c.t.Helper()
	return c.roundTrip(method, c.url+c.world.BasePath(p)+path, c.key(p, c.world.Credential(p)), body)
}

// want writes and wants a status and an object.
func (c *client) want(status int, method string, p schema.Provider, path, body string) map[string]any {
	c.t.Helper()
	r := c.send(method, p, path, body)
	answer, ok := r.json.(map[string]any)
	if r.status != status || !ok {
		c.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, r.status, status, r.raw)
	}
	return answer
}

// authorize spends with a card over the control endpoint and returns why that was declined; empty: it was not.
func (c *client) authorize(p schema.Provider, card, amount string) string {
	c.t.Helper()
	r := c.post(c.url+"/control/authorize", http.Header{}, fmt.Sprintf(`{"provider":%q,"card":%q,"amount":%q}`, p, card, amount))
	if r.status != http.StatusOK || str(r.json, "approved") != fmt.Sprint(str(r.json, "reason") == "") {
		c.t.Fatalf("authorize %s on %s: status %d: %s", amount, card, r.status, r.raw)
	}
	return str(r.json, "reason")
}
