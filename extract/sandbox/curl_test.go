package sandbox

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

// TestCurl sends the requests of the documents as they are written there, with host and key exchanged and nothing else.
// Each file is one command. Those of one provider run in the order of their names in one world, an hour apart, so that what
// one begins is done before the next; those of BILL a minute, since the token of one is the next one's.
func TestCurl(t *testing.T) {
	for _, p := range schema.Providers() {
		files, err := filepath.Glob(filepath.Join("testdata", "curl", string(p)+"-*.txt"))
		if err != nil {
			t.Fatal(err)
		}
		w := New(Config{Seed: 1})
		c := newClient(t, w)
		if len(files) == 0 {
			t.Errorf("%s has no commands", p)
		}
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				c.t = t
				command, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				r := c.curl(p, string(command))
				if r.status/100 != 2 || p == schema.Bitnob && str(r.json, "status") != "true" {
					t.Errorf("status %d: %s", r.status, r.raw)
				}
				pause := time.Hour
				if p == schema.Bill {
					pause = time.Minute
				}
				if err := w.Advance(pause); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// hosts are what the documents write for a provider's hosts with their base paths; keys what they
// write for its key.
func hosts() map[schema.Provider][]string {
	return map[schema.Provider][]string{
		schema.Bill:   {"https://gateway.stage.bill.com/connect", "https://app-dev-sandbox.divvy.co", "https://api.divvy.co"},
		schema.Slash:  {"https://api.joinslash.com", "https://api.slash.com"},
		schema.Whop:   {"https://{defaultHost}"},
		schema.Bitnob: {"https://sandboxapi.bitnob.co/api/v1"},
	}
}

func keys() []string { return []string{"{api_token}", "<api-key>", "<token>", "API-KEY"} }

// curl sends a command of one request to the world instead of the provider.
func (c *client) curl(p schema.Provider, command string) reply {
	c.t.Helper()
	for _, host := range hosts()[p] {
		base := c.world.BasePath(p)
		if strings.HasSuffix(host, "divvy.co") {
			base = vaultBase
		}
		command = strings.ReplaceAll(command, host, c.url+base)
	}
	for _, key := range keys() {
		command = strings.ReplaceAll(command, key, c.world.Credential(p))
	}
	words := split(c.t, command)
	if len(words) == 0 || words[0] != "curl" {
		c.t.Fatalf("no curl command: %q", command)
	}
	method, address, body, header := "", "", "", http.Header{}
	for words = words[1:]; len(words) > 1; words = words[2:] {
		switch words[0] {
		case "--request":
			method = words[1]
		case "--url":
			address = strings.NewReplacer("{", "", "}", "").Replace(words[1]) // as curl does with a list of one
		case "--header":
			name, value, _ := strings.Cut(words[1], ":")
			header.Set(name, strings.TrimSpace(value))
		case "--data", "--data-raw":
			body = words[1]
		default:
			c.t.Fatalf("an option that is not known here: %q", words[0])
		}
	}
	if len(words) > 0 {
		c.t.Fatalf("a word is left over: %q", words)
	}
	return c.roundTrip(method, address, header, body)
}

// split cuts a command into words as a shell does: blanks part words, single quotes keep everything, a backslash before the
// end of a line continues it. Double quotes are not needed outside of single ones.
func split(t *testing.T, command string) (words []string) {
	t.Helper()
	var word strings.Builder
	quoted, open := false, false
	for _, r := range strings.ReplaceAll(command, "\\\n", " ") {
		switch {
		case r == '\'':
			quoted, open = !quoted, true
		case !quoted && (r == '\\' || r == '"' || r == '$'):
			t.Fatalf("%q needs more of a shell", r)
		case quoted || r != ' ' && r != '\n':
			open = true
			word.WriteRune(r)
		case open:
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	if quoted {
		t.Fatal("a quote is not closed")
	}
	if open {
		words = append(words, word.String())
	}
	return words
}

func TestSplit(t *testing.T) {
	got := split(t, "curl --request POST \\\n  --url  http://h/x \\\n--header 'A: b c' --data '\n{\"a\": \"it\"}\n' ''\n")
	want := []string{"curl", "--request", "POST", "--url", "http://h/x", "--header", "A: b c", "--data", "\n{\"a\": \"it\"}\n", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
