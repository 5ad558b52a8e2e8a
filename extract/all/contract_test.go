package all_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/extract/slash"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// contract opens a published OpenAPI document, once for what we ask, where nothing may be sent that it does not declare, and
// once for answers. The documents are not kept here: TIEOUT_OPENAPI names the folder that has them.
func contract(t *testing.T, file string) (asked, answered validator.Validator) {
	t.Helper()
	dir := os.Getenv("TIEOUT_OPENAPI")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vendor", "openapi")
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if os.IsNotExist(err) {
		t.Skipf("SKIPPED: the published OpenAPI document %s is not here, so that our requests were not compared with it; TIEOUT_OPENAPI names the folder that has it", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	paths := model.Model.Paths.PathItems
	for _, path := range slices.Collect(paths.KeysFromOldest()) {
		if !strings.HasPrefix(path, "/card") && !strings.HasPrefix(path, "/transaction") {
			paths.Delete(path) // the validator compiles whatever is left, and Slash's document is large
		}
	}
	asked = validator.NewValidatorFromV3Model(&model.Model, config.WithStrictMode(), config.WithFormatAssertions())
	// Slash writes nullable, which OpenAPI 3.1 no longer knows; with the vocabulary of OpenAPI the validator reads no such schema.
	answered = validator.NewValidatorFromV3Model(&model.Model, config.WithoutOpenAPIMode(), config.WithFormatAssertions())
	return asked, answered
}

// exchange is one request of ours and what the sandbox answered.
type exchange struct {
	request  *http.Request
	response *http.Response
	body     []byte
}

// recorder stands between an extractor and the sandbox.
type recorder struct {
	world http.Handler
	base  string // below which the sandbox serves the provider
	real  string // what the document's server is

	mutex     sync.Mutex
	exchanges []exchange
}

func (r *recorder) ServeHTTP(rw http.ResponseWriter, request *http.Request) {
	answer := httptest.NewRecorder()
	r.world.ServeHTTP(answer, request)
	copied := request.Clone(context.WithoutCancel(request.Context()))
	copied.RequestURI = ""
	target, err := copied.URL.Parse(r.real + strings.TrimPrefix(request.URL.EscapedPath(), r.base) + "?" + request.URL.RawQuery)
	if err == nil {
		copied.URL, copied.Host = target, target.Host
	}
	copied.Body = http.NoBody
	r.mutex.Lock()
	r.exchanges = append(r.exchanges, exchange{copied, answer.Result(), answer.Body.Bytes()})
	r.mutex.Unlock()
	maps.Copy(rw.Header(), answer.Header())
	rw.WriteHeader(answer.Code)
	_, _ = rw.Write(answer.Body.Bytes())
}

// record has an extractor ask for all that it can ask for: every stream, whole and in a window, and by id.
func record(t *testing.T, p schema.Provider, real string, configs ...extract.Config) []exchange {
	t.Helper()
	now := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
	world := sandbox.New(sandbox.Config{Seed: 3, Cards: 16, Transactions: 1600, Now: now, Zone: time.UTC})
	// A row that goes while its list is read has Slash asked again, for each status.
	moved, err := sandbox.ParseFaults("slash.transactions:deleted@3")
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{world: world.Handler(sandbox.WithFaults(sandbox.NewFaults(moved, world.Now))), base: world.BasePath(p), real: real}
	server := httptest.NewServer(r)
	defer server.Close()
	month := schema.Window{From: now.AddDate(0, -1, 0), To: now}
	for _, c := range configs {
		c.Source, c.BaseURL, c.Credential, c.RequestsPerSecond = "main", server.URL+r.base, transport.NewSecret(world.Credential(p)), 1e6
		c.Now = func() time.Time { return now }
		if c.LegalEntity != "" {
			c.LegalEntity = world.LegalEntity()
		}
		if p == schema.Whop && c.UserID == "" {
			c.AccountID = world.Account()
		}
		x, err := all.New(p, c)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[schema.Stream][]string{}
		read := func(pages func(func(extract.Page, error) bool)) {
			for page, err := range pages {
				if err != nil && c.UserID == "" {
					t.Fatal(err)
				}
				for _, record := range page.Records {
					ids[record.Stream] = append(ids[record.Stream], record.ExternalID)
				}
			}
		}
		read(x.Pages(t.Context(), schema.Cards, month, ""))
		read(x.Pages(t.Context(), schema.Transactions, schema.Window{From: schema.Beginning, To: now}, ""))
		read(x.Pages(t.Context(), schema.Transactions, month, ""))
		fetcher := x.(extract.Fetcher)
		read(fetcher.Fetch(t.Context(), schema.Transactions, append(slices.Clone(ids[schema.Transactions][:min(60, len(ids[schema.Transactions]))]), "gone")))
		if slices.Contains(x.Streams(), schema.Utilization) {
			read(fetcher.Fetch(t.Context(), schema.Utilization, ids[schema.Cards]))
		}
	}
	return r.exchanges
}

// form is what an exchange asks for: the operation, and the names of its parameters.
func (x exchange) form() string {
	return strings.TrimRight(x.operation()+"?"+strings.Join(slices.Sorted(maps.Keys(x.request.URL.Query())), "&"), "?")
}

func (x exchange) operation() string {
	segments := strings.Split(strings.TrimPrefix(x.request.URL.Path, "/api/v1"), "/")
	if len(segments) > 2 && segments[2] != "aggregation" {
		segments[2] = "{id}"
	}
	return x.request.Method + " " + strings.Join(segments, "/")
}

// complaints are what a validator has against an exchange, one line for each field, rows not told apart.
func (x exchange) complaints(about string, errs []*errors.ValidationError) (lines []string) {
	row := regexp.MustCompile(`\[\d+\]`)
	for _, e := range errs {
		line := x.operation() + " " + about + ": " + e.Message
		if len(e.SchemaValidationErrors) == 0 {
			lines = append(lines, line+": "+e.Reason)
		}
		for _, field := range e.SchemaValidationErrors {
			lines = append(lines, line+": "+row.ReplaceAllString(field.FieldPath, "[]")+" "+field.Reason)
		}
	}
	return lines
}

// known is where we, or the sandbox, differ from a document on purpose.
type known struct{ complaint, reason string }

func slashKnown() []known {
	return []known{
		{"request header 'X-Legal-Entity' is not declared", "the document asks for it under its security scheme, as text, and declares it nowhere as a parameter"},
		{"answer 404: GET operation request response code '404' does not exist", "the document names no answer for an id that is not known"},
		{"$.items[].spendingConstraint.merchantRule got null, want object", "the document says nullable, a word that OpenAPI 3.1 has no longer, so that the validator passes over it"},
	}
}

func whopKnown() []known {
	return []known{
		{"$.data[].limit.frequency value must be one of 'daily'", "the sandbox also speaks the words of earlier versions, which cards from then still have"},
	}
}

// accept fails for each complaint that is not known, and for each known one that is no longer made.
func accept(t *testing.T, complaints map[string]int, differences []known) {
	t.Helper()
	made := map[string]bool{}
	for line, times := range complaints {
		i := slices.IndexFunc(differences, func(k known) bool { return strings.Contains(line, k.complaint) })
		if i < 0 {
			t.Errorf("%d times: %s", times, line)
			continue
		}
		made[differences[i].complaint] = true
	}
	for _, k := range differences {
		if !made[k.complaint] {
			t.Errorf("no longer so: %s (%s)", k.complaint, k.reason)
		}
	}
}

// published is what we have to do with one document.
type published struct {
	file, server string
	configs      []extract.Config
	forms        []string // of request, that they make together
	known        []known
	wrong        map[string]string // requests that the document does not allow, and what is said of them
}

func slashPublished() published {
	return published{
		file: "slash-openapi.json", server: "https://api.slash.com", known: slashKnown(),
		configs: []extract.Config{{}, {LegalEntity: "the world's", Categories: slash.Categories()}},
		forms: []string{
			"GET /card/{id}/utilization",
			"GET /card?filter:status&sort&sortDirection",
			"GET /card?sort&sortDirection",
			"GET /transaction/aggregation?filter:category&filter:from_date&filter:to_date",
			"GET /transaction/aggregation?filter:category&filter:status&filter:to_date",
			"GET /transaction/aggregation?filter:category&filter:to_date",
			"GET /transaction/{id}",
			"GET /transaction?cursor&filter:category&filter:from_authorized_at&filter:to_authorized_at",
			"GET /transaction?cursor&filter:category&filter:from_date&filter:to_date",
			"GET /transaction?cursor&filter:category&filter:to_date",
			"GET /transaction?filter:category&filter:from_authorized_at&filter:to_authorized_at",
			"GET /transaction?filter:category&filter:from_date&filter:to_date",
			"GET /transaction?filter:category&filter:to_date",
		},
		wrong: map[string]string{
			"/card?status=closed":                 "found query parameter not in spec",
			"/card?filter:status=frozen":          "'filter:status'",
			"/transaction?filter:category=coffee": "'filter:category'",
			"/cards":                              "Path '/cards' not found",
		},
	}
}

func whopPublished() published {
	return published{
		file: "whop-native-subset.json", server: "https://api.whop.com/api/v1", known: whopKnown(),
		configs: []extract.Config{{}, {PageSize: 7}, {UserID: "user_nobody"}},
		forms: []string{
			"GET /card_transactions?account_id&after&created_after&created_before&direction&first&order",
			"GET /card_transactions?account_id&after&created_before&direction&first&order",
			"GET /card_transactions?account_id&after&first&transaction_ids",
			"GET /card_transactions?account_id&created_after&created_before&direction&first&order",
			"GET /card_transactions?account_id&created_before&direction&first&order",
			"GET /card_transactions?account_id&first&transaction_ids",
			"GET /card_transactions?after&created_before&direction&first&order",
			"GET /card_transactions?created_after&created_before&direction&first&order",
			"GET /card_transactions?created_before&direction&first&order",
			"GET /card_transactions?first&transaction_ids",
			"GET /cards?account_id",
			"GET /cards?user_id",
		},
		wrong: map[string]string{
			"/card_transactions?take=50":      "found query parameter not in spec",
			"/card_transactions?order=amount": "'order'",
			"/card_transactions?first=101":    "'first'",
			"/transactions":                   "Path '/api/v1/transactions' not found",
		},
	}
}

// TestContract compares every form of request that our extractors make with the document that the provider publishes, where
// nothing may be sent that the document does not declare; and the sandbox's answers with it too. BILL's document and one of
// Bitnob are not to be had.
func TestContract(t *testing.T) {
	for p, c := range map[schema.Provider]published{schema.Slash: slashPublished(), schema.Whop: whopPublished()} {
		t.Run(string(p), func(t *testing.T) {
			asked, answered := contract(t, c.file)
			forms, complaints := map[string]bool{}, map[string]int{}
			for _, x := range record(t, p, c.server, c.configs...) {
				forms[x.form()] = true
				_, errs := asked.ValidateHttpRequest(x.request)
				lines := x.complaints("request", errs)
				x.response.Body = io.NopCloser(bytes.NewReader(x.body))
				_, errs = answered.ValidateHttpResponse(x.request, x.response)
				for _, line := range append(lines, x.complaints("answer "+strconv.Itoa(x.response.StatusCode), errs)...) {
					complaints[line]++
				}
			}
			if diff := cmp.Diff(c.forms, slices.Sorted(maps.Keys(forms))); diff != "" {
				t.Errorf("forms of requests, wanted (-) and made (+):\n%s", diff)
			}
			accept(t, complaints, c.known)
			for path, want := range c.wrong { // so that silence means something
				request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.server+path, http.NoBody)
				request.Header = http.Header{"X-API-Key": {"k"}, "Authorization": {"Bearer k"}}
				_, errs := asked.ValidateHttpRequest(request)
				if said := strings.Join(exchange{request: request}.complaints("request", errs), "\n"); !strings.Contains(said, want) {
					t.Errorf("%s: %q", path, said)
				}
			}
		})
	}
}
