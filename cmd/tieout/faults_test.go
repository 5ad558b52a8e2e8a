package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// wire is a network without a machine: its connections are pipes, so that in a bubble of synctest every wait of the product
// and of the sandbox passes at once.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mutex  sync.Mutex
	dialed map[string]bool // addresses that the product connected to
}

func (w *wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) Addr() net.Addr { return &net.TCPAddr{} }

func (w *wire) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	w.mutex.Lock()
	w.dialed[addr] = true
	w.mutex.Unlock()
	ours, theirs := net.Pipe()
	select {
	case w.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// rig is the product as the program wires it, on a ledger of its own, before a sandbox whose faults can be armed.
type rig struct {
	t      *testing.T
	world  *sandbox.World
	faults *sandbox.Faults
	wire   *wire
	now    time.Time
	ahead  time.Duration // by which the provider's clock is ahead of the faultless world's
	*pipeline.Pipeline
}

const rigAddress = "127.0.0.1:8700"

// newRig makes one. To be called in a bubble.
func newRig(t *testing.T, world *sandbox.World, spec string) *rig {
	t.Helper()
	plan, err := sandbox.ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{
		t: t, world: world, faults: sandbox.NewFaults(plan, world.Now), now: testNow,
		wire: &wire{conns: make(chan net.Conn), closed: make(chan struct{}), dialed: map[string]bool{}},
	}
	server := &http.Server{Handler: world.Handler(sandbox.WithFaults(r.faults))}
	client := &http.Transport{DialContext: r.wire.dial, ResponseHeaderTimeout: 30 * time.Second}
	go func() { _ = server.Serve(r.wire) }()
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	if err := demoFiles(dir, world, "http://"+rigAddress); err != nil {
		t.Fatal(err)
	}
	c, err := loadOne(filepath.Join(dir, "tieout.yaml"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	a := &app{
		now: func() time.Time { return r.now }, elapsed: func() time.Duration { return time.Since(started) },
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	l, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(dir, "tieout.db"), Now: a.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if r.Pipeline, err = a.newPipeline(c, l); err != nil {
		t.Fatal(err)
	}
	for i, s := range c.Sources {
		r.Sources[i].Extractor, err = all.New(s.Provider, all.Config{
			Source: s.Name, BaseURL: s.BaseURL, Credential: s.Credential, PageSize: 20, RequestsPerSecond: s.RequestsPerSecond,
			AccountID: s.AccountID, Now: a.now, Base: client,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// sync reads once and returns what it did and the exit status that the program would end with.
func (r *rig) sync() (pipeline.ReadResult, int) {
	r.t.Helper()
	result, err := r.Sync(r.t.Context())
	if err = readError(result, err); err == nil {
		return result, exitDone
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return result, exit.code
}

// lines is the ledger by source: every entry with all that reports show of it, and every card.
func (r *rig) lines() map[string][]string {
	r.t.Helper()
	lines := map[string][]string{}
	view := r.Ledger.View(0)
	for e, err := range view.Entries.Entries(r.t.Context(), schema.EntryFilter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		e.Version, e.Run, e.OccurredAt = 0, 0, e.OccurredAt.Add(-r.ahead)
		if !e.PostedAt.IsZero() {
			e.PostedAt = e.PostedAt.Add(-r.ahead)
		}
		lines[e.Source] = append(lines[e.Source], fmt.Sprintf("%+v", e))
	}
	for c, err := range view.Cards.Cards(r.t.Context()) {
		if err != nil {
			r.t.Fatal(err)
		}
		lines[c.Source] = append(lines[c.Source], fmt.Sprintf("card %s %s %s %s %s", c.ID, c.AltID, c.Last4, c.Name, c.Status))
	}
	return lines
}

// sources are the names of all of them.
func sources() (names []string) {
	for _, p := range schema.Providers() {
		names = append(names, string(p)+"-main")
	}
	return names
}

// ids are the identities in a ledger's lines of one source: the same row twice would be two lines of one id.
func ids(lines []string) map[string]int {
	n := map[string]int{}
	for _, l := range lines {
		id, _, _ := strings.Cut(l, " CardAltID:")
		n[id]++
	}
	return n
}

// check compares a source's ledger with what a faultless reading gives. Of a reading in part every row must be one of the
// faultless, and none may be there twice.
func (r *rig) check(source string, want []string, whole bool) {
	r.t.Helper()
	got := r.lines()[source]
	if whole {
		if diff := cmp.Diff(want, got); diff != "" {
			r.t.Errorf("%s: without faults (-) and with them (+):\n%.2000s", source, diff)
		}
		return
	}
	known := ids(want)
	for id, n := range ids(got) {
		if n != 1 || known[id] != 1 {
			r.t.Errorf("%s: %s stands %d times in the ledger, %d times in the faultless one", source, id, n, known[id])
		}
	}
	if len(got) >= len(want) {
		r.t.Errorf("%s: all %d rows were read under a fault that must have kept some back", source, len(got))
	}
}

// fails checks that a source was read in part, and that its error says so: source, stream and cause.
func (r *rig) fails(result pipeline.ReadResult, source string, cause string) {
	r.t.Helper()
	i := slices.IndexFunc(result.Sources, func(s pipeline.SourceResult) bool { return s.Source == source })
	s := result.Sources[i]
	if s.Status == schema.Complete {
		r.t.Errorf("%s is called complete", source)
	}
	for _, word := range []string{source, "transactions", cause} {
		if !strings.Contains(s.Error, word) {
			r.t.Errorf("%s: the error does not name %q: %s", source, word, s.Error)
		}
	}
	for _, stream := range s.Streams {
		if stream.Stream == schema.Transactions && stream.Verdict == schema.VerdictComplete {
			r.t.Errorf("%s: the transactions are called complete", source)
		}
	}
}

func rigWorld() *sandbox.World {
	return sandbox.New(sandbox.Config{Seed: 4, Cards: 12, Transactions: 900, Now: testNow, Zone: time.UTC})
}

// faultless is the ledger of a reading that nothing disturbs.
func faultless(t *testing.T, world *sandbox.World) (want map[string][]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, world, "")
		if _, code := r.sync(); code != exitDone {
			t.Fatalf("exit %d without faults", code)
		}
		want = r.lines()
	})
	for _, s := range sources() {
		if len(want[s]) < 50 {
			t.Fatalf("%s: only %d rows", s, len(want[s]))
		}
	}
	return want
}

// TestSync_UnderEveryFault reads all four sources while a fault strikes the transactions of each. What a retry mends must
// leave the ledger that a faultless reading leaves. What it cannot mend must end in part, say where and why, and leave
// nothing twice; and the next reading, without the fault, must make up for it.
func TestSync_UnderEveryFault(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	none := map[string]string{}
	tried := map[string]bool{"deleted": true, "unfiltered": true, "skew": true} // by tests of their own, below
	everywhere := func(cause string) map[string]string {
		causes := map[string]string{}
		for _, s := range sources() {
			causes[s] = cause
		}
		return causes
	}
	for _, c := range []struct {
		fact, fault string
		causes      map[string]string // by source that cannot be read to its end; the others must be whole
	}{
		{"QuotaThatSaysNothing", "429@2", none},
		{"QuotaThatSaysNothingForGood", "429@2-", everywhere("page 2): after 6 attempts: 429 Too Many Requests")},
		{"QuotaInSeconds", "429-seconds=20@1-3", none},
		{"QuotaWithADate", "429-date=20@2-4", none},
		{"QuotaInEveryOtherForm", "429-rfc850=20@2,*.transactions:429-asctime=20@3,*.transactions:429-past=20@4,*.transactions:429-nonsense=20@5", none},
		{"QuotaInTheMessage", "429-message=20@2", none},
		{"QuotaOfAnHour", "429-seconds=3600@2", everywhere("retry budget spent (a wait of 1h0m0s is due)")},
		{"BurstOf500", "500@1-5", none},
		{"BurstOf502", "502@2-4", none},
		{"BurstOf503", "503@3-7", none},
		{"BurstOf504", "504@2-3", none},
		{"ServerErrorForGood", "503@2-", everywhere("page 2): after 6 attempts: 503 Service Unavailable: (a page of HTML)")},
		{"NowAndThen", "503@0.2,*.transactions:reset@0.1,*.transactions:truncated@0.1;seed=11", none},
		{"NoAnswer", "down@2-4", none},
		{"DownForGood", "down", everywhere("page 1): after 6 attempts: the connection ended without an answer")},
		{"ResetInMidBody", "reset@1-5", none},
		{"ResetForGood", "reset@3-", everywhere("after 6 attempts: read the answer: unexpected EOF")},
		{"TruncatedJSON", "truncated@2-3", none},
		{"TruncatedForGood", "truncated@2-", everywhere("after 6 attempts: malformed JSON: unexpected end of JSON input")},
		{"SlowDrip", "drip=200@2", none},
		{"SlowDripForGood", "drip=1@2-", everywhere("page 2): after 6 attempts: read the answer: the attempt took too long (more than 2m0s)")},
		{"GzipBomb", "bomb=64@2", everywhere("page 2): read the answer: page too large: more than 33554432 bytes")},
		{"HugePage", "huge=40@2", everywhere("page 2): read the answer: page too large: more than 33554432 bytes")},
		{"Redirect", "redirect@2", everywhere("page 2): 302 Found; check base_url")},
		{"RedirectToAnotherServer", "redirect-away@2", everywhere("page 2): 302 Found; check base_url")},
		{"RepeatedCursor", "repeated-cursor@1-", map[string]string{
			"bill-main": "page 2): the provider repeats a cursor", "slash-main": "page 2): the provider repeats a cursor",
			"whop-main": "page 2): the provider repeats a cursor", "bitnob-main": "page 2): the page brings no new row",
		}},
		{"ExpiredCursor", "expired-cursor@2", everywhere("page 3): 400 Bad Request")},
		{"ForeignURL", "foreign-url@2", map[string]string{ // Bitnob's pages have numbers, and the field that is new is not looked at
			"bill-main": "page 3): 400 Bad Request", "slash-main": "page 3): 400 Bad Request", "whop-main": "page 3): 400 Bad Request",
		}},
		{"InsertedRows", "inserted=3@2", none},
		{"InsertedRowsOnEveryPage", "inserted=2", map[string]string{"bitnob-main": "control total does not agree"}},
		{"DuplicateRows", "duplicates", none},
	} {
		plan, err := sandbox.ParseFaults("*.transactions:" + c.fault)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range plan.Rules {
			tried[r.Kind] = true
		}
		t.Run(c.fact, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, world, "*.transactions:"+c.fault)
				result, code := r.sync()
				if (code == exitDone) != (len(c.causes) == 0) || code != exitDone && code != exitPartial {
					t.Errorf("exit %d: %v", code, result.Err())
				}
				for kind, n := range r.faults.Struck() {
					if n == 0 || n < int64(len(sources())) && !strings.Contains(c.fault, "@0.") {
						t.Errorf("%s struck only %d requests", kind, n)
					}
				}
				for _, source := range sources() {
					if cause, ok := c.causes[source]; ok {
						r.fails(result, source, cause)
						if c.fact != "InsertedRowsOnEveryPage" {
							r.check(source, want[source], false)
						}
					} else {
						r.check(source, want[source], true)
					}
				}
				r.recovers(want)
			})
		})
	}
	for _, k := range sandbox.FaultKinds() {
		if !tried[k.Name] {
			t.Errorf("no reading is tried under %s", k.Name)
		}
	}
}

// recovers reads once more, without faults, and wants the faultless ledger and a chain that holds. Nothing may have gone to
// another server all the while.
func (r *rig) recovers(want map[string][]string) {
	r.t.Helper()
	r.faults.Disarm()
	if result, code := r.sync(); code != exitDone {
		r.t.Errorf("the next reading: exit %d: %v", code, result.Err())
	}
	for _, source := range sources() {
		r.check(source, want[source], true)
	}
	v, err := r.Ledger.Verify(r.t.Context(), "")
	if err != nil || v.Problem != "" {
		r.t.Errorf("verify: %v, %s", err, v.Problem)
	}
	r.wire.mutex.Lock()
	defer r.wire.mutex.Unlock()
	if len(r.wire.dialed) != 1 || !r.wire.dialed[rigAddress] {
		r.t.Errorf("connections to %v", r.wire.dialed)
	}
}

// TestSync_UnharmedByAnotherSource strikes one source for good, in every stream: the others must be whole.
func TestSync_UnharmedByAnotherSource(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	for _, p := range schema.Providers() {
		for fault, cause := range map[string]string{
			"down": "the connection ended without an answer", "500": "500 Internal Server Error", "bomb=64": "page too large",
			"truncated": "malformed JSON", "redirect-away": "302 Found", "429-seconds=86400": "retry budget spent",
		} {
			t.Run(string(p)+" "+fault, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, world, string(p)+":"+fault)
					result, code := r.sync()
					if code != exitPartial || result.Status != schema.Partial {
						t.Errorf("exit %d, %s", code, result.Status)
					}
					for i, source := range sources() {
						if source != string(p)+"-main" {
							r.check(source, want[source], true)
							continue
						}
						r.fails(result, source, cause)
						if result.Sources[i].Status != schema.FailedRun || len(r.lines()[source]) != 0 {
							t.Errorf("%s, %d rows", result.Sources[i].Status, len(r.lines()[source]))
						}
					}
					r.recovers(want)
				})
			})
		}
	}
	t.Run("AllOfThem", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, world, "*:down")
			if result, code := r.sync(); code != exitFailed || result.Status != schema.FailedRun {
				t.Errorf("exit %d, %s", code, result.Status)
			}
			r.recovers(want)
		})
	})
}

// TestSync_CursorThatExpiresBetweenRuns: the cursor of a reading that was cut short is refused when the next goes on from it,
// so that the window begins again.
func TestSync_CursorThatExpiresBetweenRuns(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, world, "*.transactions:expired-cursor@2-3")
		if _, code := r.sync(); code != exitPartial {
			t.Errorf("exit %d", code)
		}
		if result, code := r.sync(); code != exitDone {
			t.Errorf("the next reading: exit %d: %v", code, result.Err())
		}
		if n := r.faults.Struck()["expired-cursor"]; n != 2*int64(len(sources())) {
			t.Errorf("%d cursors were refused", n)
		}
		r.recovers(want)
	})
}

// TestSync_DeletedRowHidesAnother: a row that goes while its list is read moves the others up, so that one is passed over.
// Where the provider counts its rows the list is read again at once. BILL and Whop count nothing; they are read oldest first,
// so the row that is passed over is a late one, and the next reading looks back far enough to bring it.
func TestSync_DeletedRowHidesAnother(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, world, "slash.transactions:deleted@2,bitnob.transactions:deleted=5@2,bill.transactions:deleted@17,whop.transactions:deleted@8")
		result, code := r.sync()
		if code != exitDone || r.faults.Struck()["deleted"] != 4 {
			t.Errorf("exit %d: %v; struck %v", code, result.Err(), r.faults.Struck())
		}
		for _, source := range sources() {
			r.check(source, want[source], source == "slash-main" || source == "bitnob-main")
		}
		r.recovers(want)
	})
}

// TestSync_IgnoredFilters: rows that were not asked for change no figure, and the window is not called complete.
func TestSync_IgnoredFilters(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	t.Run("OfTheFirstReading", func(t *testing.T) { // it has no lower bound; only Slash's category is left to ignore
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, world, "*.transactions:unfiltered")
			result, code := r.sync()
			if code != exitPartial {
				t.Errorf("exit %d", code)
			}
			for _, source := range sources() {
				if source == "slash-main" {
					r.fails(result, source, "of category card the provider counts")
				}
				r.check(source, want[source], source != "slash-main")
			}
			r.recovers(want)
		})
	})
	t.Run("OfOnePage", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, world, "*.transactions:unfiltered@2")
			r.sync()
			for source, lines := range r.lines() {
				if known := ids(want[source]); len(ids(lines)) != len(lines) || slices.ContainsFunc(lines, func(l string) bool {
					id, _, _ := strings.Cut(l, " CardAltID:")
					return known[id] != 1
				}) {
					t.Errorf("%s has rows that were not asked for", source)
				}
			}
			r.recovers(want)
		})
	})
	t.Run("OfALaterReading", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, world, "")
			r.sync()
			r.now = r.now.Add(24 * time.Hour)
			r.faults.Arm(sandbox.FaultRule{Stream: schema.Transactions, Kind: "unfiltered"})
			result, code := r.sync()
			if code != exitPartial {
				t.Errorf("exit %d", code)
			}
			for _, source := range sources() {
				if source != "bitnob-main" { // it has no filter
					r.fails(result, source, "server ignored filter")
				}
				if source != "slash-main" {
					r.check(source, want[source], true)
				}
			}
			// A fee that names its card and comes with the card list is a purchase until the fee list brings it.
			if diff := cmp.Diff(ids(want["slash-main"]), ids(r.lines()["slash-main"])); diff != "" {
				t.Errorf("slash-main: without faults (-) and with them (+):\n%s", diff)
			}
			r.recovers(want)
		})
	})
}

// TestSync_ClockAhead: a provider whose clock is a day ahead dates rows later than now. They are not lost, and come when
// their time has come.
func TestSync_ClockAhead(t *testing.T) {
	world := rigWorld()
	want := faultless(t, world)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, world, "*:skew=86400")
		r.ahead = 24 * time.Hour
		if result, code := r.sync(); code != exitDone {
			t.Errorf("exit %d: %v", code, result.Err())
		}
		r.check("bill-main", want["bill-main"], false)
		r.now = r.now.Add(r.ahead)
		if result, code := r.sync(); code != exitDone {
			t.Errorf("a day later: exit %d: %v", code, result.Err())
		}
		for _, source := range sources() {
			r.check(source, want[source], true)
		}
	})
}
