package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// The simulation is the product and the sandbox on one clock, over nights of operations, faults and kills. Everything is
// drawn from a seed, so that a seed that fails is a test case:
//
//	go test ./cmd/tieout -run TestSimulation -simulate.seeds 1 -simulate.from SEED
var (
	simulateSeeds  = flag.Int("simulate.seeds", 12, "how many seeds the simulation runs")
	simulateFrom   = flag.Uint64("simulate.from", 1, "the first seed of the simulation")
	simulateNights = flag.Int("simulate.nights", 4, "the nights of a simulated life")
	simulateServer = flag.Bool("simulate.postgres", false, "have the ledgers of the simulation in PostgreSQL")
)

func TestSimulation(t *testing.T) {
	seen := &witnesses{counts: map[string]int{}}
	var server *pgtest.Server
	if *simulateServer {
		server = postgres(t)
	}
	t.Run("Seeds", func(t *testing.T) {
		for i := range *simulateSeeds {
			seed := *simulateFrom + uint64(i)
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				simulate(t, seed, seen, server)
			})
		}
	})
	t.Log(seen)
	if *simulateSeeds < 40 {
		return
	}
	// A simulation that met nothing has proved nothing.
	for _, what := range []string{"nights", "complete nights", "incomplete nights", "operations", "keys compared", "crashes", "stops", "findings in keys"} {
		if seen.counts[what] == 0 {
			t.Errorf("no seed met %s", what)
		}
	}
}

// witnesses counts what the seeds met.
type witnesses struct {
	mutex  sync.Mutex
	counts map[string]int
}

func (w *witnesses) add(what string, n int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.counts[what] += n
}

func (w *witnesses) String() string {
	var words []string
	for what, n := range w.counts {
		words = append(words, fmt.Sprintf("%d %s", n, what))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// simulation is one seed's life.
type simulation struct {
	*testing.T
	seen    *witnesses
	dice    *rand.Rand
	world   *sandbox.World
	handler http.Handler
	app     *app
	config  Config
	log     bytes.Buffer
	number  int  // of operations
	planted bool // since the last whole night, and a plant may be of days before
	calm    bool // nothing goes wrong at night
	lives   map[string]*life
	server  *pgtest.Server // where the ledger is; nil: it is a file
	schema  string         // of the server

	mutex    sync.Mutex // guards what follows: sources are read side by side
	fault    fault
	requests map[schema.Provider]int // of this night
	met      bool                    // the fault happened
	moved    bool                    // the world changed while it was read
	crashed  bool
	blurred  bool // nobody can say any more what was seen of the cards, on which the key depends
	cancel   context.CancelFunc
}

// fault is what goes wrong in a night: from the nth request to a provider on, for some requests.
type fault struct {
	name     string
	provider schema.Provider
	from, to int
	act      func(*simulation, *http.Request) (*http.Response, error)
}

func simulate(t *testing.T, seed uint64, seen *witnesses, server *pgtest.Server) {
	s := newSimulation(t, seed, seen, server)
	for night := range *simulateNights {
		if night > 0 {
			s.live()
		}
		s.night(night)
		if t.Failed() {
			t.Logf("replay: go test ./cmd/tieout -run TestSimulation -simulate.seeds 1 -simulate.from %d -simulate.nights %d", seed, *simulateNights)
			return
		}
	}
}

func newSimulation(t *testing.T, seed uint64, seen *witnesses, server *pgtest.Server) *simulation {
	s := &simulation{
		T: t, seen: seen, server: server, schema: fmt.Sprint("seed", seed), dice: rand.New(rand.NewPCG(seed, 20)), requests: map[schema.Provider]int{}, lives: map[string]*life{},
	}
	dir := t.TempDir()
	s.world = sandbox.New(sandbox.Config{Seed: int64(seed), Cards: 4 + s.dice.IntN(12), Transactions: -1, Months: 1 + s.dice.IntN(3), Now: testNow, Zone: time.UTC})
	s.handler = s.world.Handler(sandbox.WithControl())
	if err := demoFiles(dir, s.world, "http://127.0.0.1:9"); err != nil {
		t.Fatal(err)
	}
	pageSize := 1 + s.dice.IntN(30)
	s.app = &app{
		stdout: io.Discard, stderr: &s.log, env: func(string) (string, bool) { return "", false }, configPath: filepath.Join(dir, "tieout.yaml"),
		now: s.world.Now, elapsed: func() time.Duration { return 0 }, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		tune: func(c *all.Config) {
			c.Base, c.Pace, c.RequestsPerSecond, c.PageSize = s, nil, 1e6, pageSize
			c.Sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
		},
	}
	var err error
	if s.config, err = s.app.config(); err != nil {
		t.Fatal(err)
	}
	if server != nil {
		if s.config.LedgerPath, err = server.Ledger(s.schema); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// live is what happens between two nights: the clock goes on, and people spend.
func (s *simulation) live() {
	for range s.dice.IntN(4) {
		s.advance(time.Duration(s.dice.IntN(600)) * time.Minute)
		s.operate()
	}
	if s.dice.IntN(3) == 0 {
		s.plant()
	}
	s.advance(time.Duration(1+s.dice.IntN(40*60)) * time.Minute)
	files := filepath.Dir(s.app.configPath)
	if err := writeFile(filepath.Join(files, "fundings.csv"), s.world.WriteFundings); err != nil {
		s.Fatal(err)
	}
}

func (s *simulation) advance(by time.Duration) {
	if err := s.world.Advance(by); err != nil {
		s.Fatal(err)
	}
}

// operations are what people do to cards, as each provider's API has it: method, path below the base, body. %[1]s is a card,
// %[2]d a whole number of dollars, %[3]d a number that does not come again.
func operations() map[schema.Provider][][3]string {
	return map[schema.Provider][][3]string{
		schema.Bill: {
			{"POST", "/v3/spend/cards/%[1]s/freeze", ""},
			{"POST", "/v3/spend/cards/%[1]s/unfreeze", ""},
			{"POST", "/v3/spend/cards", `{"name":"New","userId":"<id>","budgetId":"<id>","limit":"%[2]d"}`},
		},
		schema.Slash: {
			{"PATCH", "/card/%[1]s", `{"status":"paused"}`},
			{"PATCH", "/card/%[1]s", `{"status":"active"}`},
			{"PATCH", "/card/%[1]s", `{"status":"closed"}`},
			{"POST", "/card", `{"type":"virtual","name":"New %[3]d","isSingleUse":true}`},
			{"POST", "/card", `{"type":"virtual","name":"New %[3]d"}`},
		},
		schema.Whop: {
			{"PATCH", "/cards/%[1]s", `{"spend_limit":%[2]d,"spend_limit_frequency":"weekly"}`},
			{"PATCH", "/cards/%[1]s", `{"frozen":true}`},
			{"POST", "/cards", `{"account_id":"<id>","name":"New %[3]d","spend_limit":%[2]d,"transaction_limit":%[2]d}`},
		},
		schema.Bitnob: {
			{"POST", "/virtualcards/topup", `{"cardId":%[1]q,"amount":%[2]d00,"reference":"sim-%[3]d"}`},
			{"POST", "/virtualcards/topup", `{"cardId":%[1]q,"amount":%[2]d00,"reference":"sim-%[3]d"}`},
			{"POST", "/virtualcards/withdraw", `{"cardId":%[1]q,"amount":%[2]d,"reference":"sim-%[3]d"}`},
			{"POST", "/virtualcards/mock-transaction", `{"cardId":%[1]q,"amount":"%[2]d00","type":"deduct"}`},
			{"POST", "/virtualcards/freeze", `{"cardId":%[1]q}`},
			{"POST", "/virtualcards/unfreeze", `{"cardId":%[1]q}`},
			{"POST", "/virtualcards/terminate", `{"cardId":%[1]q}`},
		},
	}
}

// operate is one thing that somebody does with a card that has been used before: mostly to buy something.
func (s *simulation) operate() {
	rows := s.world.Rows()
	r := rows[s.dice.IntN(len(rows))]
	if r.CardID == "" {
		return
	}
	p := schema.Provider(strings.TrimSuffix(r.Source, "-main"))
	s.number++
	dollars := 1 + s.dice.IntN(400)
	if s.dice.IntN(3) > 0 {
		body := fmt.Sprintf(`{"provider":%q,"card":%q,"amount":"%d.%02d"}`, p, r.CardID, dollars, s.dice.IntN(100))
		s.do(http.MethodPost, "/control/authorize", body, "")
		return
	}
	list := operations()[p]
	o := list[s.dice.IntN(len(list))]
	fill := func(text string) string {
		if !strings.Contains(text, "%") {
			return text
		}
		return strings.Split(fmt.Sprintf(text, r.CardID, dollars, s.number), "%!(EXTRA")[0]
	}
	s.do(o[0], s.world.BasePath(p)+fill(o[1]), fill(o[2]), s.world.Credential(p))
}

// plant makes something that must be found.
func (s *simulation) plant() {
	names := sandbox.Anomalies()
	name := names[s.dice.IntN(len(names))]
	if _, err := s.world.Plant(name); err != nil {
		s.seen.add("plants without room", 1)
		return
	}
	s.planted = true
	s.seen.add("plants", 1)
}

// do asks the sandbox for something; it may refuse, and may not fail.
func (s *simulation) do(method, path, body, key string) {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	for name, value := range map[string]string{"Authorization": "Bearer " + key, "X-API-Key": key, "apiToken": key, "Api-Version-Date": "2026-06-09"} {
		request.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, request)
	switch {
	case recorder.Code < http.StatusMultipleChoices:
		s.seen.add("operations", 1)
	case recorder.Code == http.StatusUnauthorized, recorder.Code >= http.StatusInternalServerError:
		s.Errorf("%s %s %s: %d %s", method, path, body, recorder.Code, recorder.Body)
	default: // what the card's state does not allow
		s.seen.add("refused operations", 1)
	}
}

// RoundTrip is the network of the night.
func (s *simulation) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	p := schema.Provider(strings.Split(r.URL.Path, "/")[1])
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n := s.requests[p]
	s.requests[p]++
	if f := s.fault; f.act != nil && f.provider == p && n >= f.from && n < f.to {
		s.met = true
		return f.act(s, r)
	}
	return s.serve(r)
}

func (s *simulation) serve(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	s.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// faults are the ways in which a night goes wrong.
func faults() map[string]func(*simulation, *http.Request) (*http.Response, error) {
	answer := func(code int, header http.Header) func(*simulation, *http.Request) (*http.Response, error) {
		return func(_ *simulation, r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(strings.NewReader(`{"message":"no"}`)), Request: r}, nil
		}
	}
	return map[string]func(*simulation, *http.Request) (*http.Response, error){
		"reset":     func(*simulation, *http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET },
		"forbidden": answer(http.StatusForbidden, http.Header{}),
		"gone":      answer(http.StatusNotFound, http.Header{}),
		"down":      answer(http.StatusServiceUnavailable, http.Header{}),
		"quota":     answer(http.StatusTooManyRequests, http.Header{"Retry-After": {"1"}}),
		"refused":   answer(http.StatusUnauthorized, http.Header{}),
		"truncated": func(s *simulation, r *http.Request) (*http.Response, error) {
			response, err := s.serve(r)
			if err != nil {
				return nil, err
			}
			text, err := io.ReadAll(response.Body)
			response.Body = io.NopCloser(bytes.NewReader(text[:len(text)/2]))
			return response, err
		},
		"empty object": func(s *simulation, r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/utilization") {
				s.moved = true // a card without a figure is not checkable: the key does not know that it was withheld
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
		},
		"spent meanwhile": func(s *simulation, r *http.Request) (*http.Response, error) {
			s.moved = true
			for range 1 + s.dice.IntN(3) {
				s.operate()
			}
			return s.serve(r)
		},
		"stopped": func(s *simulation, r *http.Request) (*http.Response, error) {
			s.cancel()
			s.seen.add("stops", 1)
			return s.serve(r)
		},
		"killed": func(s *simulation, r *http.Request) (*http.Response, error) {
			s.crash()
			return s.serve(r)
		},
	}
}

// draw picks what goes wrong tonight: nothing in every second night.
func (s *simulation) draw() fault {
	if s.calm || s.dice.IntN(2) == 0 {
		return fault{}
	}
	all := faults()
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[s.dice.IntN(len(names))]
	f := fault{name: name, provider: schema.Providers()[s.dice.IntN(4)], from: s.dice.IntN(8), act: all[name]}
	f.to = f.from + 1 + s.dice.IntN(4)
	if s.dice.IntN(3) == 0 {
		f.to = 1 << 20
	}
	if name == "killed" || name == "stopped" {
		f.to = f.from + 1
	}
	return f
}

// night is one nightly run and what must hold after it.
func (s *simulation) night(number int) {
	s.fault, s.met, s.moved, s.crashed = s.draw(), false, false, false
	clear(s.requests)
	s.seen.add("nights", 1)
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	s.cancel = cancel
	out := filepath.Join(s.TempDir(), "out")
	var result pipeline.NightlyResult
	err := s.app.withLedger(s.Context(), s.config, nil, func(_ Config, p *pipeline.Pipeline) error {
		var err error
		result, err = p.Nightly(ctx, []string{"csv"}, out, "")
		switch {
		case err != nil && !errors.Is(err, context.Canceled):
			return err
		case err != nil:
			return s.holds(p, result, "")
		}
		return s.holds(p, result, out)
	})
	if s.crashed {
		s.planted = true
		s.restore()
		s.blurred = true
	} else if err != nil {
		s.Errorf("night %d: %v", number, err)
	}
	s.saw(result)
	if s.Failed() {
		s.Logf("night %d at %s: %s at %s, requests %d to %d (met: %v)", number, s.world.Now().Format(time.RFC3339), s.fault.name, s.fault.provider, s.fault.from, s.fault.to, s.met)
	}
}

// saw tells the world what was seen of its cards tonight: limits in force and first balances are known from there.
func (s *simulation) saw(result pipeline.NightlyResult) {
	s.blurred = s.blurred || s.moved
	for _, source := range result.Sources {
		read, whole := false, true
		for _, stream := range source.Streams {
			if stream.Stream.Snapshot() {
				read = read || stream.Pages > 0
				whole = whole && stream.Verdict == schema.VerdictComplete
			}
		}
		switch {
		case !read:
		case whole:
			s.world.MarkRead(schema.Provider(strings.TrimSuffix(source.Source, "-main")))
		default:
			s.blurred = true
		}
	}
}

// holds checks what must be true of a ledger at any time, and of a night that was whole.
func (s *simulation) holds(p *pipeline.Pipeline, result pipeline.NightlyResult, out string) error {
	ctx := s.Context()
	if v, err := p.Ledger.Verify(ctx, ""); err != nil || v.Problem != "" {
		s.Errorf("verify: %v %s", err, v.Problem)
	}
	entries := map[string]schema.Entry{}
	for e, err := range p.Ledger.View(0).Entries.Entries(ctx, schema.EntryFilter{}) {
		if err != nil {
			return err
		}
		if _, twice := entries[e.ID()]; twice {
			s.Errorf("%s is in the ledger twice", e.ID())
		}
		entries[e.ID()] = e
	}
	complete := map[string]bool{}
	for _, source := range result.Sources {
		complete[source.Source] = source.Status == schema.Complete
	}
	known, behind, err := s.compare(p, entries, complete)
	if err != nil {
		return err
	}
	if n := len(entries); n != known {
		s.Errorf("the ledger has %d entries, and the world knows %d of them", n, known)
	}
	if out == "" {
		return nil
	}
	whole := result.Status == schema.Complete
	if whole != result.Complete && !s.moved {
		s.Errorf("the sync is %s and the report says complete: %v (%s)", result.Status, result.Complete, result.Conclusion)
	}
	if (!whole || behind > 0) && !s.moved && !strings.HasPrefix(result.Conclusion, "INCOMPLETE") {
		s.Errorf("the world has %d rows that the ledger lacks, the sync is %s, and the report concludes %s", behind, result.Status, result.Conclusion)
	}
	if !whole {
		s.seen.add("incomplete nights", 1)
		return nil
	}
	s.seen.add("complete nights", 1)
	s.planted = false
	if !s.moved && !s.blurred {
		s.key(out)
	}
	return nil
}

// compare holds the ledger against the world: what coverage claims must be there, and a source that was read completely
// must be equal. It counts the entries that the world knows, and its rows that the ledger lacks or has otherwise.
func (s *simulation) compare(p *pipeline.Pipeline, entries map[string]schema.Entry, complete map[string]bool) (known, behind int, err error) {
	covered := map[string][]schema.Window{}
	for _, source := range p.Sources {
		if covered[source.Name], err = p.Ledger.Coverage(s.Context(), source.Name, schema.Transactions, source.Scope); err != nil {
			return 0, 0, err
		}
	}
	now := s.world.Now()
	for _, r := range s.world.Rows() {
		if strings.HasPrefix(r.Source, "slash") && r.Category != "card" && r.Category != "fee" {
			continue // not asked for
		}
		e, ok := entries[r.EntryID]
		if ok {
			known++
		}
		const row = "%s %s %s %s %s %s"
		want := fmt.Sprintf(row, r.CardID, r.Kind, r.Status, r.Amount, r.Occurred, r.Posted)
		got := fmt.Sprintf(row, e.CardID, e.Kind, e.Status, e.Amount.String(), e.OccurredAt, e.PostedAt)
		if ok && got == want {
			continue
		}
		if s.moved || !r.Listed.Before(now) {
			continue // it came while it was read, or in the instant of the reading
		}
		behind++
		switch {
		case complete[r.Source]:
			s.Errorf("%s was read completely, and %s is %s instead of %s", r.Source, r.EntryID, got, want)
		case !ok && !s.planted && slices.ContainsFunc(covered[r.Source], func(w schema.Window) bool { return w.Contains(r.Listed) }):
			s.Errorf("%s of %s lies in a window that counts as read, and is not in the ledger", r.EntryID, r.Listed)
		}
	}
	return known, behind, nil
}

// key compares the findings of a whole night with the world's own key.
func (s *simulation) key(out string) {
	var text bytes.Buffer
	if err := s.world.WriteAnswers(&text); err != nil {
		s.Fatal(err)
	}
	answers, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		s.Fatal(err)
	}
	var want, got []string
	for _, values := range answers[1:] {
		row := map[string]string{}
		for i, name := range answers[0] {
			row[name] = values[i]
		}
		want = append(want, line(row))
	}
	for _, row := range table(s.T, filepath.Join(out, "findings.csv")) {
		if slices.Contains(missionCodes, row["code"]) && row["status"] != string(schema.Resolved) {
			got = append(got, line(row))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	s.seen.add("keys compared", 1)
	s.seen.add("findings in keys", len(want))
	for _, one := range got {
		if _, found := slices.BinarySearch(want, one); !found {
			s.Errorf("found, and not in the key: %s", one)
		}
	}
	for _, one := range want {
		if _, found := slices.BinarySearch(got, one); !found {
			s.Errorf("in the key, and not found: %s", one)
		}
	}
	if s.calm {
		s.follow(table(s.T, filepath.Join(out, "findings.csv")))
	}
}

// crash keeps the ledger as it is in this instant: what a kill would leave.
func (s *simulation) crash() {
	if s.crashed {
		return
	}
	if _, err := os.Stat(s.config.LedgerPath); err != nil && s.server == nil {
		return
	}
	s.crashed = true
	s.seen.add("crashes", 1)
	if s.server != nil { // whatever is stored from now on goes nowhere
		s.rename(s.schema, s.schema+"_kept")
		return
	}
	_ = os.Remove(s.kept())
	l, err := ledger.Open(s.Context(), ledger.Config{Path: s.config.LedgerPath, ReadOnly: true, Now: s.world.Now})
	if err == nil {
		_, err = l.Backup(s.Context(), s.kept())
		err = errors.Join(err, l.Close())
	}
	if err != nil {
		s.Errorf("keep the ledger of the crash: %v", err)
	}
}

// rename gives a schema of the server another name.
func (s *simulation) rename(from, to string) {
	if said, err := s.server.Ask("ALTER " + "SCHEMA " + from + " RENAME TO " + to); err != nil {
		s.Errorf("rename the schema: %v %s", err, said)
	}
}

func (s *simulation) kept() string { return s.config.LedgerPath + ".crash" }

// restore puts the crashed ledger in the place of the one that went on.
func (s *simulation) restore() {
	if s.server != nil {
		s.rename(s.schema+"_kept", s.schema)
		return
	}
	for _, end := range []string{"-wal", "-shm"} {
		_ = os.Remove(s.config.LedgerPath + end)
	}
	if err := os.Rename(s.kept(), s.config.LedgerPath); err != nil {
		s.Errorf("restore: %v", err)
	}
}
