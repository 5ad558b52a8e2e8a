//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// pacing counts requests, by credential.
type pacing struct {
	mutex sync.Mutex
	at    map[string][]time.Time
	total int
	on    map[int]chan struct{} // closed at that request

	answer time.Duration                         // how long each takes
	refuse func(path string, n int) (status int) // what the n-th request gets instead of an answer; 0: an answer
}

func (a *pacing) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mutex.Lock()
		credential := r.Header.Get("Authorization") + r.Header.Get("apiToken") + r.Header.Get("X-API-Key")
		a.at[credential] = append(a.at[credential], time.Now())
		a.total++
		if reached := a.on[a.total]; reached != nil {
			close(reached)
		}
		n := a.total
		a.mutex.Unlock()
		time.Sleep(a.answer)
		if a.refuse != nil {
			if status := a.refuse(r.URL.Path, n); status != 0 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				return
			}
		}
		world.ServeHTTP(w, r)
	})
}

// after waits for the n-th request.
func (a *pacing) after(t testing.TB, n int) {
	t.Helper()
	a.mutex.Lock()
	if a.total >= n {
		a.mutex.Unlock()
		return
	}
	reached := make(chan struct{})
	a.on[n] = reached
	a.mutex.Unlock()
	select {
	case <-reached:
	case <-time.After(3 * time.Minute):
		t.Fatalf("there were only %d requests", a.total)
	}
}

// held says how many requests a second there were at most over a stretch of requests, where that is more than the rate. Whoever is
// late with a request that it may send can be so with one for each process.
func (a *pacing) held(t testing.TB, rate float64, processes int) {
	t.Helper()
	a.mutex.Lock()
	defer a.mutex.Unlock()
	for credential, at := range a.at {
		for i := range at {
			for j := i + 1; j < len(at); j++ {
				if allowed := rate*at[j].Sub(at[i]).Seconds() + float64(1+processes); float64(j-i+1) > allowed {
					t.Fatalf("credential %.8s…: %d requests in %s", credential, j-i+1, at[j].Sub(at[i]))
				}
			}
		}
	}
}

// most is how many requests a second the credential had that asked most, from its first to its last.
func (a *pacing) most() (most float64) {
	for _, at := range a.at {
		if n := len(at); n > 1 {
			most = max(most, float64(n-1)/at[n-1].Sub(at[0]).Seconds())
		}
	}
	return most
}

// crew is a ledger in PostgreSQL that several processes work on.
type crew struct {
	*site

	binary   string
	server   *pgtest.Server
	requests *pacing
	all      []*process
}

// newCrew has a site whose ledger is a file, until share moves it.
func newCrew(t testing.TB, world sandbox.Config) *crew {
	t.Helper()
	c := &crew{server: postgres(t, "synchronous_commit=on", "full_page_writes=on"), binary: buildBinary(t), requests: &pacing{at: map[string][]time.Time{}, on: map[int]chan struct{}{}}}
	c.site = newSite(t, world, c.requests.wrap)
	t.Cleanup(func() {
		for _, p := range c.all {
			_ = p.Process.Kill()
			_ = p.Wait()
			if t.Failed() {
				t.Logf("%s (%d):\n%s", p.Args[len(p.Args)-1], p.Process.Pid, p.stderr.String())
			}
		}
	})
	return c
}

// share has the next commands work on a ledger in PostgreSQL, with a shared quota that counts.
func (c *crew) share(t testing.TB, rate int) {
	t.Helper()
	address, err := c.server.Ledger("shared")
	if err != nil {
		t.Fatal(err)
	}
	c.edit(t, "ledger: tieout.db", "queue: {rescue: 5s, poll: 1s}\nreports: {dir: shared}\nledger: '"+address+"'")
	for range schema.Providers() {
		c.edit(t, "requests_per_second: 1000", "requests_per_second: "+strconv.Itoa(rate))
	}
	c.requests.mutex.Lock()
	c.requests.at, c.requests.total = map[string][]time.Time{}, 0
	c.requests.mutex.Unlock()
}

// demote goes on as the role that the README describes, with no more rights than it lists.
func (c *crew) demote(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repoRoot, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	statements := "CREATE ROLE tieout_writer LOGIN; CREATE ROLE tieout_auditor;"
	for i, part := range strings.Split(string(text), "```sql\n") {
		if grants, _, found := strings.Cut(part, "```"); i > 0 && found {
			statements += regexp.MustCompile(`\bbooks\b`).ReplaceAllString(grants, "shared")
		}
	}
	if said, err := c.server.Ask(statements); err != nil {
		t.Fatal(err, said)
	}
	c.edit(t, "postgres://postgres@", "postgres://tieout_writer@")
}

func (c *crew) start(t testing.TB, command string) *process {
	t.Helper()
	p := c.process(t, c.binary, command)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	c.all = append(c.all, p)
	return p
}

// kill is kill -9.
func (c *crew) kill(t testing.TB, p *process) {
	t.Helper()
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// leader is the process that River's clients elected.
func (c *crew) leader(t testing.TB) *process {
	t.Helper()
	said, err := c.server.Ask("TABLE tieout_queue.river_leader")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.all {
		if strings.Contains(said, fmt.Sprintf("_%d_", p.Process.Pid)) {
			return p
		}
	}
	t.Fatalf("no process leads: %s", said)
	return nil
}

// statuses are those of the latest run of each kind; of chooses an entity.
func (c *crew) statuses(t testing.TB, of []string) map[schema.RunKind]schema.RunStatus {
	t.Helper()
	var status struct {
		Runs []struct {
			Kind   schema.RunKind
			Status schema.RunStatus
		}
	}
	latest := map[schema.RunKind]schema.RunStatus{}
	_, stdout, _ := c.run(t, append([]string{"status", "--json"}, of...)...)
	if json.Unmarshal([]byte(stdout), &status) != nil {
		return latest // the server is away
	}
	for _, r := range slices.Backward(status.Runs) {
		latest[r.Kind] = r.Status
	}
	return latest
}

// ended waits until the latest run of each kind is complete.
func (c *crew) ended(t testing.TB, of []string, kinds ...schema.RunKind) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Second) {
		statuses := c.statuses(t, of)
		if !slices.ContainsFunc(kinds, func(k schema.RunKind) bool { return statuses[k] != schema.Complete }) {
			return
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("it did not end: %v", statuses)
		}
	}
}

// known is what a ledger says, however it came to say it.
func (c *crew) known(t testing.TB) map[string]string {
	t.Helper()
	said := map[string]string{"coverage": c.must(t, "coverage")}
	out := filepath.Join(t.TempDir(), "report")
	c.must(t, "report", "--from", "2000-01-01", "--to", "2026-12-31", "--format", "csv", "--out", out)
	for _, name := range []string{"ledger.csv", "cards.csv"} {
		text, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		said[name] = string(text)
	}
	return said
}

// TestWorkers_BackfillThroughKills has three workers and two planners, as processes, read a year and a night into a ledger in PostgreSQL.
// A worker is killed and one is told to stop, then the leader is killed, then the server. In the end the ledger is that of one process on a file, line by line, and
// no credential was used faster than its quota.
func TestWorkers_BackfillThroughKills(t *testing.T) {
	const rate = 25
	c := newCrew(t, sandbox.Config{Seed: 5, Transactions: 4000})
	for _, p := range schema.Providers() {
		c.edit(t, "  - name: "+string(p)+"-main\n", "  - name: "+string(p)+"-main\n    page_size: 10\n")
	}
	backfill := []string{"backfill", "--from", "2026-01-01", "--to", "2026-08-31"}
	c.must(t, backfill...)
	c.must(t, "nightly")
	want, alone := c.known(t), c.requests.total

	c.share(t, rate)
	c.must(t, append(backfill, "--enqueue")...)
	c.demote(t)
	c.start(t, "serve")
	c.start(t, "serve")
	workers := []*process{c.start(t, "worker"), c.start(t, "worker"), c.start(t, "worker")}
	c.requests.after(t, alone/10)
	victim := workers[0]
	if c.leader(t) == victim {
		victim = workers[1]
	}
	c.kill(t, victim)
	c.start(t, "worker")
	if err := workers[2].Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := workers[2].code(t); code != exitDone {
		t.Errorf("a worker that was told to stop ended %d", code)
	}
	c.requests.after(t, alone*2/10)
	c.kill(t, c.leader(t))
	c.start(t, "serve")
	c.start(t, "worker")
	c.requests.after(t, alone*3/10)
	if err := c.server.Restart(); err != nil {
		t.Fatal(err)
	}
	c.ended(t, nil, schema.BackfillRun, schema.SyncRun, schema.ReconcileRun, schema.ReportRun)
	c.requests.held(t, rate, len(c.all))
	c.must(t, "verify")
	if diff := cmp.Diff(want, c.known(t)); diff != "" {
		t.Errorf("alone (-) and shared (+):\n%s", diff)
	}
	t.Logf("%d requests alone, %d with kills", alone, c.requests.total)
}

// TestWorkers_ShareEntities has two workers do the nights of two entities, in two schemas of one database, which read one account with
// one credential: they share its quota and nothing else.
func TestWorkers_ShareEntities(t *testing.T) {
	const rate = 20
	c := newCrew(t, sandbox.Config{Seed: 6, Transactions: 600})
	config := "timezone: UTC\nqueue: {rescue: 5s, poll: 1s}\nschedule: {nightly: \"0 7 * * *\"}\nentities:\n"
	names := []string{"acme", "globex"}
	for _, name := range names {
		address, err := c.server.Ledger(name)
		if err != nil {
			t.Fatal(err)
		}
		config += fmt.Sprintf("  - name: %s\n    ledger: '%s'\n    sources: [{name: slash-%s, provider: slash, base_url: '%s', credential: {file: slash.key}, requests_per_second: %d, page_size: 10}]\n",
			name, address, name, c.url+c.world.BasePath(schema.Slash), rate)
	}
	if err := os.WriteFile(filepath.Join(c.dir, "tieout.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c.start(t, "serve")
	c.start(t, "worker")
	c.start(t, "worker")
	for _, name := range names {
		c.ended(t, []string{"--entity", name}, schema.SyncRun, schema.ReconcileRun, schema.ReportRun)
	}
	c.requests.held(t, rate, len(c.all))
	if n := len(c.requests.at); n != 1 {
		t.Errorf("%d credentials", n)
	}
	for i, name := range names {
		files := filesBelow(t, filepath.Join(c.dir, "reports", name))
		found := false
		for file, text := range files {
			if strings.Contains(text, names[1-i]) {
				t.Errorf("%s of %s names %s", file, name, names[1-i])
			}
			found = found || strings.HasSuffix(file, "ledger.csv") && strings.Contains(text, "slash-"+name)
		}
		if !found {
			t.Errorf("%s has no ledger.csv with its entries: %d files", name, len(files))
		}
		c.must(t, "verify", "--entity", name)
	}
}

// TestWorkers_Refused has an issuer that refuses the credential and one that is out of order for a while. What was refused is not
// asked for again, and nothing that would come after it; what was out of order is, until it answers. The night ends as one process
// on a file would end it.
func TestWorkers_Refused(t *testing.T) {
	c := newCrew(t, sandbox.Config{Seed: 7, Transactions: 200})
	slash, whop := c.world.BasePath(schema.Slash), c.world.BasePath(schema.Whop)
	var refused atomic.Int64
	outage := false
	c.requests.refuse = func(path string, n int) int {
		switch {
		case strings.HasPrefix(path, slash):
			refused.Add(1)
			return http.StatusUnauthorized
		case outage && strings.HasPrefix(path, whop) && n < 25:
			return http.StatusServiceUnavailable
		}
		return 0
	}
	if code, _, stderr := c.run(t, "nightly"); code != exitPartial {
		t.Fatalf("alone: exit %d\n%s", code, stderr)
	}
	want, alone := c.lastSync(t), refused.Swap(0)
	outage = true
	c.share(t, 1000)
	c.start(t, "serve")
	c.start(t, "worker")
	c.start(t, "worker")
	c.ended(t, nil, schema.ReconcileRun, schema.ReportRun)
	if diff := cmp.Diff(want, c.lastSync(t)); diff != "" {
		t.Errorf("alone (-) and shared (+):\n%s", diff)
	}
	if !strings.Contains(want, "partial") || !strings.Contains(want, "401") {
		t.Errorf("the sync is %s", want)
	}
	if n := refused.Load(); n != alone || n == 0 {
		t.Errorf("%d requests were refused, %d alone", n, alone)
	}
}

// lastSync is how the latest sync ended.
func (c *crew) lastSync(t testing.TB) string {
	t.Helper()
	var status struct {
		Runs []struct {
			Kind          schema.RunKind
			Status, Error string
		}
	}
	if err := json.Unmarshal([]byte(c.must(t, "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	for _, r := range status.Runs {
		if r.Kind == schema.SyncRun {
			return r.Status + ": " + r.Error
		}
	}
	return ""
}

// BenchmarkWorkers reads a backfill by 1, 2 and 4 workers from issuers that take a fifth of a second for an answer and allow ten
// requests a second and credential: one worker waits for answers, and four for their turns.
func BenchmarkWorkers(b *testing.B) {
	const rate, answer = 10, 200 * time.Millisecond
	for _, n := range []int{1, 2, 4} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				c := newCrew(b, sandbox.Config{Seed: 5, Transactions: 2500})
				c.requests.answer = answer
				for _, p := range schema.Providers() {
					c.edit(b, "  - name: "+string(p)+"-main\n", "  - name: "+string(p)+"-main\n    page_size: 10\n")
				}
				c.share(b, rate)
				c.must(b, "backfill", "--from", "2026-01-01", "--to", "2026-08-31", "--enqueue")
				c.start(b, "serve")
				for range n {
					c.start(b, "worker")
				}
				c.ended(b, nil, schema.BackfillRun)
				c.requests.held(b, rate, n)
				b.ReportMetric(c.requests.most(), "requests/s/credential")
			}
		})
	}
}
