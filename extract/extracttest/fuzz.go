package extracttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/tieout/tieout/extract"
)

// FuzzAnswers plays any body as every answer of the issuer. Whatever comes, each stream ends with pages or one error, and
// each payload is an object. The corpus starts from the golden answers below root.
func (issuer Issuer) FuzzAnswers(f *testing.F, root string) {
	paths, err := filepath.Glob(filepath.Join(root, string(issuer.Describe.Provider), "*", "*", "page-*.json"))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no answers (%v)", err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	var answer []byte
	config := issuer.config("http://localhost")
	config.Attempts, config.MaxPages = 1, 12
	config.Base = sender(func(*http.Request) (*http.Response, error) { // no sockets: coverage must repeat
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(answer))}, nil
	})
	x, err := issuer.Describe.New(config)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer = body
		for _, s := range issuer.Streams {
			sound(t, x.Pages(t.Context(), s.Name, s.Window, ""))
		}
		fetcher, ok := x.(extract.Fetcher)
		if !ok {
			return
		}
		for _, s := range x.Streams() {
			sound(t, fetcher.Fetch(t.Context(), s, []string{"id-1", "id-2"}))
		}
	})
}

type sender func(*http.Request) (*http.Response, error)

func (s sender) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func sound(t *testing.T, pages func(func(extract.Page, error) bool)) {
	t.Helper()
	ended := false
	for page, err := range pages {
		if ended {
			t.Error("a page after the end")
		}
		ended = err != nil || page.Last
		if err != nil {
			if len(page.Records) != 0 || page.Next != "" || len(err.Error()) > 4096 {
				t.Errorf("an error with %+v: %v", page, err)
			}
			continue
		}
		for _, r := range page.Records {
			if !json.Valid(r.Payload) || r.Payload[0] != '{' || r.Malformed != "" && string(r.Payload) != "{}" {
				t.Errorf("malformed %q, payload %q", r.Malformed, r.Payload)
			}
		}
	}
	if !ended {
		t.Error("no last page and no error")
	}
}
