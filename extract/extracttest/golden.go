package extracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
)

// Golden plays the answers of a folder, page-01.json and on, and compares the records with records.golden.jsonl beside
// them: a schema.Record a line. The n-th request of the list, or the n-th id, gets the n-th answer; a request beyond the
// last gets an empty page. ids are asked for with Fetch; without them the stream is listed.
func (issuer Issuer) Golden(t *testing.T, s Stream, dir string, update bool, ids ...string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "page-*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no answers in %s (%v)", dir, err)
	}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Other != nil && r.URL.Path != "/base"+s.Path && s.Other(w, r) {
			return
		}
		if asked++; asked > len(paths) {
			_, _ = io.WriteString(w, s.Page(Page{}))
			return
		}
		body, err := os.ReadFile(paths[asked-1])
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(srv.Close)
	x, err := issuer.Describe.New(issuer.config(srv.URL + "/base"))
	if err != nil {
		t.Fatal(err)
	}
	var pages iter.Seq2[extract.Page, error]
	if len(ids) == 0 {
		pages = x.Pages(t.Context(), s.Name, s.Window, "")
	} else {
		pages = x.(extract.Fetcher).Fetch(t.Context(), s.Name, ids)
	}
	var got bytes.Buffer
	lines := json.NewEncoder(&got)
	lines.SetEscapeHTML(false)
	for page, err := range pages {
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range page.Records {
			if err := lines.Encode(record); err != nil {
				t.Fatal(err)
			}
		}
	}
	name := filepath.Join(dir, "records.golden.jsonl")
	if update {
		if err := os.WriteFile(name, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Goldens runs Golden for each case of a stream: a folder below testdata/PROVIDER/STREAM.
func (issuer Issuer) Goldens(t *testing.T, s Stream, root string, update bool, ids ...string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(root, string(issuer.Describe.Provider), string(s.Name), "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases of %s (%v)", s.Name, err)
	}
	for _, dir := range dirs {
		t.Run(fmt.Sprintf("%s/%s", s.Name, filepath.Base(dir)), func(t *testing.T) {
			issuer.Golden(t, s, dir, update, ids...)
		})
	}
}
