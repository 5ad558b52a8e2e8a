package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tieout/tieout/extract/sandbox"
)

func TestPrinted_ConclusionIsTheManifests(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	conclusion := func(dir string) string {
		text, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
		if err != nil {
			t.Fatal(err)
		}
		var manifest struct{ Conclusion string }
		if err := json.Unmarshal(text, &manifest); err != nil {
			t.Fatal(err)
		}
		return manifest.Conclusion
	}
	seen := map[string]bool{}
	check := func(command string, args ...string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		printed := s.must(t, append([]string{command, "--out", out}, args...)...)
		want := conclusion(out)
		seen[want] = true
		if !strings.Contains(printed, want+":") {
			t.Errorf("%s %s: prints no %q:\n%s", command, args, want, printed)
		}
	}
	s.must(t, "sync")
	check("report")
	check("nightly")
	check("report")
	check("report", "--from", "2026-05-01", "--to", "2026-05-31")
	for _, word := range []string{"NOT CHECKED", "COMPLETE, WITH FINDINGS", "PARTLY CHECKED"} {
		if !seen[word] {
			t.Errorf("no report concluded %s: %v", word, seen)
		}
	}
}

// An issuer's text is whatever a merchant, a cardholder or an intruder made of it.
func TestPrinted_ProvidersTextDoesNotReachTheTerminalRaw(t *testing.T) {
	last4 := regexp.MustCompile(`"last4":"\d{4}"`)
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			h.ServeHTTP(recorder, r)
			w.Header().Set("Content-Type", recorder.Header().Get("Content-Type"))
			w.WriteHeader(recorder.Code)
			_, _ = w.Write(last4.ReplaceAll(recorder.Body.Bytes(), []byte(`"last4":"\u001b[2J\u202e"`)))
		})
	})
	s.must(t, "nightly")
	raw := "\x1b\u202e"
	list := s.must(t, "findings", "list")
	if strings.ContainsAny(list, raw) {
		t.Errorf("findings list printed an escape sequence:\n%q", list)
	}
	if !strings.Contains(list, `\u001b[2J\u202e`) {
		t.Errorf("findings list does not show the text at all:\n%s", list)
	}
	var findings []map[string]any
	if err := json.Unmarshal([]byte(s.must(t, "findings", "list", "--json")), &findings); err != nil {
		t.Fatal(err)
	}
	if len(findings) == 0 {
		t.Fatal("no finding")
	}
	for _, f := range findings {
		if shown := s.must(t, "findings", "show", f["finding_id"].(string)); strings.ContainsAny(shown, raw) {
			t.Errorf("findings show printed an escape sequence:\n%q", shown)
		}
	}
}

func TestFundings_OfAnUnknownSourceAreRefusedByLine(t *testing.T) {
	s := newSite(t, sandbox.Config{Seed: 3, Transactions: 300}, nil)
	path := filepath.Join(s.dir, "more.csv")
	const text = "reference,amount,currency,sent_at,source\nA-1,10,USD,2026-08-01,bitnob-main\nA-2,10,USD,2026-08-01,bitnob-mian\nA-3,x,USD,2026-08-01,\nA-4,10,USD,2026-08-01,\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := s.run(t, "fundings", "import", path)
	if code != exitPartial || !strings.Contains(stdout, "2 read, 2 new, 0 withdrawn, 2 refused") ||
		!strings.Contains(stdout, `line 3: source: "bitnob-mian" is no source; the sources are bill-main, bitnob-main, slash-main, whop-main`) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if one, two := strings.Index(stdout, "line 3"), strings.Index(stdout, "line 4"); one > two {
		t.Errorf("not in the order of the file:\n%s", stdout)
	}
}
