package sandbox

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

func TestParseFaults(t *testing.T) {
	for _, c := range []struct {
		fact, spec string
		rules      []FaultRule
		seed       uint64
		canonical  string
	}{
		{fact: "TakesNothing"},
		{"EveryRequest", "*:reset", []FaultRule{{Kind: "reset", First: 1}}, 1, "*:reset;seed=1"},
		{"OneRequest", "slash.transactions:429-seconds@3", []FaultRule{
			{Provider: schema.Slash, Stream: schema.Transactions, Kind: "429-seconds", Number: 2, First: 3, Last: 3},
		}, 1, "slash.transactions:429-seconds=2@3;seed=1"},
		{"Span", "bill:503@2-4", []FaultRule{{Provider: schema.Bill, Kind: "503", First: 2, Last: 4}}, 1, "bill:503@2-4;seed=1"},
		{"FromOneOn", "whop.cards:down@2-", []FaultRule{{Provider: schema.Whop, Stream: schema.Cards, Kind: "down", First: 2}}, 1, "whop.cards:down@2-;seed=1"},
		{"Chance", "*.balances:drip=7@0.050", []FaultRule{{Stream: schema.Balances, Kind: "drip", Number: 7, First: 1, Chance: 50_000}}, 1, "*.balances:drip=7@0.05;seed=1"},
		{"SmallestChance", "*:502@0.000001", []FaultRule{{Kind: "502", First: 1, Chance: 1}}, 1, "*:502@0.000001;seed=1"},
		{"SeveralAndASeed", "bitnob:huge=5@1,*:truncated;seed=42", []FaultRule{
			{Provider: schema.Bitnob, Kind: "huge", Number: 5, First: 1, Last: 1}, {Kind: "truncated", First: 1},
		}, 42, "bitnob:huge=5@1,*:truncated;seed=42"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			plan, err := ParseFaults(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			if c.spec == "" {
				c.seed = 1
			}
			if diff := cmp.Diff(FaultPlan{Rules: c.rules, Seed: c.seed}, plan); diff != "" {
				t.Errorf("want (-), have (+):\n%s", diff)
			}
			if plan.String() != c.canonical {
				t.Errorf("written as %q, want %q", plan, c.canonical)
			}
		})
	}
	for _, c := range []struct {
		fact, spec string
		at         int
		says       string
	}{
		{"NoFault", "slash", 1, "want WHERE:FAULT"},
		{"EmptyRule", "*:reset,", 9, "want WHERE:FAULT"},
		{"UnknownProvider", "stripe:503", 1, "no such provider"},
		{"UnknownStream", "whop.budgets:503", 6, "it has [cards transactions]"},
		{"EmptyStream", "*.:503", 3, "no such stream"},
		{"UnknownFault", "slash.cards:429-second", 13, "429-seconds"},
		{"Blank", "*:reset, *:503", 9, "no such provider"},
		{"NumberOfAFaultThatTakesNone", "*:reset=3", 9, "takes no number"},
		{"ZeroNumber", "*:drip=0", 8, "bytes"},
		{"NumberTooLarge", "*:429-date=86401", 12, "from 1 to 86400"},
		{"NumberWithSign", "*:429-date=+1", 12, "whole number"},
		{"RequestZero", "*:reset@0", 9, "want N, N-M, N- or 0.P"},
		{"NoRequest", "*:reset@", 9, "want N"},
		{"SpanBackwards", "bill:503@1,*:reset@4-2", 22, "not below the first"},
		{"CertainChance", "*:reset@1.0", 9, "want N"},
		{"NoChance", "*:reset@0.000", 9, "chance"},
		{"ChanceTooFine", "*:reset@0.0000001", 9, "six digits"},
		{"NoSeed", "*:reset;", 9, "want seed=N"},
		{"SeedWithSign", "*:reset;seed=-1", 9, "want seed=N"},
		{"TwoSeeds", "*:reset;seed=1;seed=2", 9, "want seed=N"},
		{"SeedFirst", ";seed=2", 1, "want WHERE:FAULT"},
	} {
		t.Run("Refuses"+c.fact, func(t *testing.T) {
			_, err := ParseFaults(c.spec)
			if err == nil || !strings.HasPrefix(err.Error(), "at "+strconv.Itoa(c.at)+",") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want a place %d that says %q", err, c.at, c.says)
			}
		})
	}
}

func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{
		"", "*:reset", "slash.transactions:429-seconds@3,*:reset@0.05;seed=7", "bill:503@2-4", "whop:down@2-", "*.balances:drip=7@0.000001", "*:reset;seed=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		plan, err := ParseFaults(spec)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "at ") {
				t.Errorf("%q: %v names no place", spec, err)
			}
			return
		}
		again, err := ParseFaults(plan.String())
		if err != nil || cmp.Diff(plan, again) != "" {
			t.Errorf("%q is %q, which is %q: %v", spec, plan, again, err)
		}
	})
}

func TestFaultKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range FaultKinds() {
		if seen[k.Name] || k.Meaning == "" || strings.ContainsAny(k.Name, ":,;=@. ") || (k.Unit == "") != (k.Most == 0) || k.Usual > k.Most {
			t.Errorf("%+v", k)
		}
		seen[k.Name] = true
	}
}

// faulty serves a small world under a plan. Nothing waits.
func faulty(t *testing.T, spec string) (*client, *Faults) {
	t.Helper()
	plan, err := ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	w := New(Config{Seed: 1, Cards: 12, Transactions: 1500})
	f := NewFaults(plan, w.Now)
	f.pause = func(context.Context, time.Duration) error { return nil }
	server := httptest.NewServer(w.Handler(WithControl(), WithFaults(f)))
	t.Cleanup(server.Close)
	return &client{t: t, world: w, url: server.URL}, f
}

// raw asks without undoing any encoding, and without following anything.
func (c *client) raw(p schema.Provider, path string) (*http.Response, []byte, error) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+c.world.BasePath(p)+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header = c.key(p, c.world.Credential(p))
	transport := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, body, err
}

const slashRows = "/transaction?filter:category=card"

func TestFaults_Refusals(t *testing.T) {
	for _, c := range []struct{ spec, path, retryAfter, body string }{
		{"slash:429", "/card", "", "Too many requests."},
		{"slash:429-seconds=7", "/card", "7", "Too many requests."},
		{"slash:429-message=9", "/card", "", "Try again in 9 seconds."},
		{"slash:429-nonsense=7", "/card", "-7.5s", "Too many requests."},
	} {
		client, _ := faulty(t, c.spec)
		response, body, err := client.raw(schema.Slash, c.path)
		if err != nil || response.StatusCode != 429 || response.Header.Get("Retry-After") != c.retryAfter || !strings.Contains(string(body), c.body) {
			t.Errorf("%s: %v, %+v\n%s", c.spec, err, response, body)
		}
	}
	for kind, dated := range map[string]struct {
		looks *regexp.Regexp
		wait  time.Duration
	}{
		"429-date":    {regexp.MustCompile(`^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$`), 90 * time.Second},
		"429-rfc850":  {regexp.MustCompile(`^\w+day, \d\d-\w{3}-\d\d [\d:]{8} GMT$`), 90 * time.Second},
		"429-asctime": {regexp.MustCompile(`^\w{3} \w{3} [ \d]\d [\d:]{8} \d{4}$`), 90 * time.Second},
		"429-past":    {regexp.MustCompile(`^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$`), -90 * time.Second},
	} {
		client, _ := faulty(t, "whop:"+kind+"=90")
		response, _, err := client.raw(schema.Whop, "/cards")
		if err != nil {
			t.Fatal(err)
		}
		after := response.Header.Get("Retry-After")
		at, errAt := http.ParseTime(after)
		sent, errSent := http.ParseTime(response.Header.Get("Date"))
		if response.StatusCode != 429 || errAt != nil || errSent != nil || at.Sub(sent) != dated.wait || !dated.looks.MatchString(after) {
			t.Errorf("%s: %d, Date %s, Retry-After %s", kind, response.StatusCode, response.Header.Get("Date"), after)
		}
	}
	for _, status := range []string{"500", "502", "503", "504"} {
		client, _ := faulty(t, "bitnob:"+status)
		response, body, err := client.raw(schema.Bitnob, "/virtualcards/cards")
		if err != nil || strconv.Itoa(response.StatusCode) != status || !bytes.HasPrefix(body, []byte("<html>")) {
			t.Errorf("%s: %v, %+v\n%s", status, err, response, body)
		}
	}
	for spec, prefix := range map[string]string{"slash:redirect": "/moved/slash/transaction?", "slash:redirect-away": elsewhere + "/slash/transaction?"} {
		client, _ := faulty(t, spec)
		response, _, err := client.raw(schema.Slash, slashRows)
		if err != nil || response.StatusCode != http.StatusFound || !strings.HasPrefix(response.Header.Get("Location"), prefix) {
			t.Errorf("%s: %v, %+v", spec, err, response)
		}
	}
}

func TestFaults_Breakages(t *testing.T) {
	whole, _ := faulty(t, "")
	_, want, err := whole.raw(schema.Slash, slashRows)
	if err != nil || len(want) < 1000 {
		t.Fatalf("%v, %d bytes", err, len(want))
	}
	get := func(spec string) (*http.Response, []byte, error) {
		client, f := faulty(t, spec)
		response, body, err := client.raw(schema.Slash, slashRows)
		if f.Struck()[strings.Split(strings.Split(spec, ":")[1], "=")[0]] != 1 {
			t.Errorf("%s struck %v", spec, f.Struck())
		}
		return response, body, err
	}
	if _, _, err := get("slash:down"); err == nil {
		t.Error("down: an answer came")
	}
	response, body, err := get("slash:reset")
	if err == nil || response != nil && (response.StatusCode != 200 || len(body) >= len(want)) {
		t.Errorf("reset: %v, %d bytes", err, len(body))
	}
	if _, body, err = get("slash:truncated"); err != nil || !bytes.Equal(body, want[:len(want)/2]) || json.Valid(body) {
		t.Errorf("truncated: %v, %d bytes", err, len(body))
	}
	if _, body, err = get("slash:drip=100"); err != nil || !bytes.Equal(body, want) {
		t.Errorf("drip: %v, %d bytes", err, len(body))
	}
	response, body, err = get("slash:bomb=64")
	if err != nil || response.Header.Get("Content-Encoding") != "gzip" || len(body) > 1<<20 {
		t.Fatalf("bomb: %v, %d bytes", err, len(body))
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, z); n != 64<<20 || err != nil {
		t.Errorf("bomb: unpacks to %d bytes, %v", n, err)
	}
	_, body, err = get("slash:huge=3")
	var page struct{ Items []struct{ ID string } }
	if err != nil || len(body) < 3_000_000 || len(body) > 4_000_000 || json.Unmarshal(body, &page) != nil || len(page.Items) < 1000 {
		t.Errorf("huge: %v, %d bytes, %d rows", err, len(body), len(page.Items))
	}
}

func TestFaults_DripWaitsBetweenItsSteps(t *testing.T) {
	client, f := faulty(t, "slash:drip=1000")
	waits := make(chan time.Duration, 3)
	f.pause = func(_ context.Context, d time.Duration) error {
		if waits <- d; len(waits) == cap(waits) {
			return context.Canceled
		}
		return nil
	}
	if _, body, err := client.raw(schema.Slash, slashRows); err == nil || len(body) > 3000 {
		t.Errorf("%v, %d bytes", err, len(body))
	}
	for n := range cap(waits) {
		if d := <-waits; d != dripPause {
			t.Errorf("wait %d takes %s", n, d)
		}
	}
	if len(waits) > 0 {
		t.Error("it went on")
	}
}

// trust reads a list to its end as a client that believes everything, and returns the ids page by page.
func (c *client) trust(p schema.Provider) (pages [][]string, err error) {
	c.t.Helper()
	l := map[schema.Provider]struct{ path, id string }{
		schema.Bill: {"/v3/spend/transactions?max=50&sort=occurredTime:asc", "uuid"}, schema.Slash: {slashRows, "id"},
		schema.Whop:   {"/card_transactions?first=50&direction=asc&account_id=" + c.world.Account(), "id"},
		schema.Bitnob: {"/virtualcards/cards/transactions?take=50&order=ASC", "id"},
	}[p]
	list := listings(p)[strings.Split(l.path, "?")[0]]
	at := ""
	for len(pages) < 100 {
		path := l.path
		if at != "" {
			path += "&" + list.page + "=" + at
		}
		response, body, err := c.raw(p, path)
		if err != nil {
			return pages, err
		}
		page, ok := list.read(body)
		if response.StatusCode != http.StatusOK || !ok {
			return pages, errors.New(response.Status)
		}
		var ids []string
		for _, row := range page.rows() {
			ids = append(ids, str(row, l.id))
		}
		pages = append(pages, ids)
		next := page.get(list.next)
		more := next != nil && next != ""
		if list.more != "" {
			more = page.get(list.more) == true
		}
		if !more {
			return pages, nil
		}
		if at, ok = next.(string); !ok {
			at = strconv.Itoa(len(pages) + 1)
		}
		at = strings.ReplaceAll(strings.ReplaceAll(at, "+", "%2B"), "=", "%3D")
	}
	return pages, errors.New("no end")
}

func TestFaults_Movements(t *testing.T) {
	for _, p := range schema.Providers() {
		whole, _ := faulty(t, "")
		want, err := whole.trust(p)
		if err != nil || len(want) < 4 {
			t.Fatalf("%s: %v, %d pages", p, err, len(want))
		}
		all := slices.Concat(want...)
		walk := func(fault string) ([][]string, error) {
			client, f := faulty(t, string(p)+".transactions:"+fault)
			got, err := client.trust(p)
			if len(f.Struck()) != 1 || f.Struck()[strings.FieldsFunc(fault, func(r rune) bool { return r == '=' || r == '@' })[0]] == 0 {
				t.Errorf("%s %s: struck %v", p, fault, f.Struck())
			}
			return got, err
		}
		t.Run(string(p), func(t *testing.T) {
			if got, err := walk("repeated-cursor"); err == nil || err.Error() != "no end" {
				t.Errorf("repeated-cursor: %v, %d pages", err, len(got))
			}
			if got, err := walk("expired-cursor@2"); len(got) != 2 || err == nil || !strings.HasPrefix(err.Error(), "400") {
				t.Errorf("expired-cursor: %v, %d pages", err, len(got))
			}
			got, err := walk("inserted=3@1-")
			if err != nil || !slices.Equal(got[1][:3], want[0][len(want[0])-3:]) {
				t.Errorf("inserted: %v, the second page begins with %v", err, got[1][:3])
			}
			if got := slices.Concat(got...); len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(all) {
				t.Error("inserted: a row was lost")
			}
			got, err = walk("deleted=3@1")
			if err != nil || got[1][0] != want[1][3] || !slices.Equal(got[0], want[0]) {
				t.Errorf("deleted: %v, the second page begins with %s", err, got[1][0])
			}
			got, err = walk("duplicates@1")
			if err != nil || len(got[0]) != 2*len(want[0]) || got[0][0] != got[0][1] {
				t.Errorf("duplicates: %v, %d rows", err, len(got[0]))
			}
			client, _ := faulty(t, string(p)+":foreign-url@1")
			if _, body, err := client.raw(p, map[schema.Provider]string{
				schema.Bill: "/v3/spend/transactions", schema.Slash: slashRows, schema.Whop: "/card_transactions", schema.Bitnob: "/virtualcards/cards/transactions",
			}[p]); err != nil || !bytes.Contains(body, []byte(elsewhere)) {
				t.Errorf("foreign-url: %v\n%s", err, body)
			}
		})
	}
}

func TestFaults_IgnoresFilters(t *testing.T) {
	for p, path := range map[schema.Provider]string{
		schema.Bill:  `/v3/spend/transactions?filters=occurredTime:lte:"2000-01-01T00:00:00.000Z"`,
		schema.Slash: "/transaction?filter:to_date=1&filter:category=ach", schema.Whop: "/card_transactions?created_before=2000-01-01T00:00:00Z",
	} {
		path = strings.ReplaceAll(path, `"`, "%22")
		for spec, empty := range map[string]bool{"": true, string(p) + ":unfiltered": false} {
			client, _ := faulty(t, spec)
			_, body, err := client.raw(p, path)
			list := listings(p)[strings.Split(path, "?")[0]]
			page, ok := list.read(body)
			if err != nil || !ok || (len(page.rows()) == 0) != empty {
				t.Errorf("%s under %q: %v, %d rows\n%.300s", p, spec, err, len(page.rows()), body)
			}
		}
	}
	client, f := faulty(t, "bitnob:unfiltered")
	client.get(schema.Bitnob, "/virtualcards/cards")
	if f.Struck()["unfiltered"] != 0 {
		t.Error("Bitnob has no filter to ignore")
	}
}

func TestFaults_SkewMovesEveryTimeAlike(t *testing.T) {
	plain, _ := faulty(t, "")
	ahead, _ := faulty(t, "*:skew=3600")
	for p, path := range map[schema.Provider][2]string{
		schema.Bill: {
			`/v3/spend/transactions?filters=occurredTime:gte:%222026-08-10T00:00:00.000Z%22`,
			`/v3/spend/transactions?filters=occurredTime:gte:%222026-08-10T01:00:00.000Z%22`,
		},
		schema.Slash:  {"/transaction?filter:from_date=1786320000000", "/transaction?filter:from_date=1786323600000"},
		schema.Whop:   {"/card_transactions?created_after=2026-08-10T00:00:00.000Z", "/card_transactions?created_after=2026-08-10T01:00:00.000Z"},
		schema.Bitnob: {"/virtualcards/cards/transactions", "/virtualcards/cards/transactions"},
	} {
		_, want, err := plain.raw(p, path[0])
		if err != nil {
			t.Fatal(err)
		}
		response, got, err := ahead.raw(p, path[1])
		if err != nil || bytes.Equal(got, want) || skewed(string(got), -time.Hour) != string(want) {
			t.Errorf("%s: %v\n%.300s\n%.300s", p, err, want, got)
		}
		if date, err := http.ParseTime(response.Header.Get("Date")); err != nil || !date.Equal(ahead.world.Now().Add(time.Hour).Truncate(time.Second)) {
			t.Errorf("%s: Date %s", p, response.Header.Get("Date"))
		}
	}
}

func TestFaults_When(t *testing.T) {
	statuses := func(c *client, n int) (list []int) {
		for range n {
			list = append(list, c.try(schema.Slash, "/card").status)
		}
		return list
	}
	for spec, want := range map[string][]int{
		"slash:503@2":                          {200, 503, 200, 200},
		"slash:503@2-3":                        {200, 503, 503, 200},
		"slash:503@3-":                         {200, 200, 503, 503},
		"slash.cards:503@1,slash:500":          {503, 500, 500, 500},
		"slash.transactions:503":               {200, 200, 200, 200},
		"bill:503":                             {200, 200, 200, 200},
		"*.cards:504@4,slash:expired-cursor@1": {200, 200, 200, 504},
	} {
		client, _ := faulty(t, spec)
		if got := statuses(client, 4); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
	t.Run("ProvidersAreCountedApart", func(t *testing.T) {
		client, _ := faulty(t, "*:503@2")
		got := []int{client.try(schema.Slash, "/card").status, client.try(schema.Bitnob, "/virtualcards/cards").status, client.try(schema.Slash, "/card").status}
		if !slices.Equal(got, []int{200, 200, 503}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("ASeedDrawsTheSame", func(t *testing.T) {
		draw := func(spec string) []int {
			client, _ := faulty(t, spec)
			return statuses(client, 60)
		}
		one, same, other := draw("*:503@0.3;seed=7"), draw("*:503@0.3;seed=7"), draw("*:503@0.3;seed=8")
		if !slices.Equal(one, same) || slices.Equal(one, other) || !slices.Contains(one, 503) || !slices.Contains(one, 200) {
			t.Errorf("%v\n%v\n%v", one, same, other)
		}
	})
}

func TestFaults_Control(t *testing.T) {
	client, _ := faulty(t, "bill:500")
	control := func(method, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, client.url+"/control/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	if status, text := control(http.MethodPost, `{"provider":"slash","path":"/transaction","fault":"429-seconds=5","requests":2}`); status != 200 ||
		!strings.Contains(text, `"rule":"slash:429-seconds=5@1-2"`) {
		t.Errorf("%d %s", status, text)
	}
	if got := client.try(schema.Slash, "/card").status; got != 200 {
		t.Errorf("another path: %d", got)
	}
	for i, want := range []int{429, 429, 200} {
		if got := client.try(schema.Slash, "/transaction").status; got != want {
			t.Errorf("request %d: %d, want %d", i+1, got, want)
		}
	}
	if _, text := control(http.MethodGet, ""); !strings.Contains(text, `"struck":2`) || !strings.Contains(text, `"matched":{"slash":3}`) || !strings.Contains(text, "bill:500") {
		t.Error(text)
	}
	if _, text := control(http.MethodDelete, ""); text != "{\"faults\":[]}\n" {
		t.Error(text)
	}
	if got := client.try(schema.Bill, "/v3/spend/cards").status; got != 200 {
		t.Errorf("after DELETE: %d", got)
	}
	for body, says := range map[string]string{
		``: "want one object", `[]`: "want one object", `{"provider":"slash","fault":"500","when":1}`: "want one object",
		`{"provider":"stripe","fault":"500"}`: "provider", `{"fault":"500"}`: "provider", `{"provider":"slash.cards","fault":"500"}`: "provider",
		`{"provider":"*","fault":"501"}`: "no such fault", `{"provider":"*","fault":"500","requests":0}`: "requests",
	} {
		if status, text := control(http.MethodPost, body); status != http.StatusBadRequest || !strings.Contains(text, says) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}
