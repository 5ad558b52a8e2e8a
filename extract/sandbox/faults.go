package sandbox

import (
	"bytes"
	"context"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
)

// Faults makes requests fail on their way to a world, by the rules of a plan and by those that are armed later. The same
// plan strikes the same requests again, as long as each provider is asked by one client at a time.
type Faults struct {
	seed  uint64
	now   func() time.Time
	pause func(context.Context, time.Duration) error

	mutex sync.Mutex
	rules []*armed // the first that strikes a request is the only one
}

// armed is a rule with what it has seen.
type armed struct {
	FaultRule
	matched map[schema.Provider]int64 // requests that it could have struck
	struck  int64
}

// NewFaults makes the faults of a plan. now dates the answers that name a time; required.
func NewFaults(plan FaultPlan, now func() time.Time) *Faults {
	f := &Faults{seed: plan.Seed, now: now, pause: pause}
	for _, r := range plan.Rules {
		f.rules = append(f.rules, &armed{FaultRule: r, matched: map[schema.Provider]int64{}})
	}
	return f
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// WithFaults puts faults between clients and the handler, and serves their control endpoint where the handler has one.
func WithFaults(f *Faults) Option { return func(s *settings) { s.faults = f } }

// Arm adds a rule, before all others.
func (f *Faults) Arm(r FaultRule) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.rules = append([]*armed{{FaultRule: r, matched: map[schema.Provider]int64{}}}, f.rules...)
}

// Disarm removes every rule.
func (f *Faults) Disarm() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.rules = nil
}

// Struck is how many requests each kind of fault has struck under the rules in force.
func (f *Faults) Struck() map[string]int64 {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	n := map[string]int64{}
	for _, r := range f.rules {
		n[r.Kind] += r.struck
	}
	return n
}

// Wrap puts the faults before a handler that serves the providers below their base paths. What is below none of them, such
// as the control endpoint, passes untouched.
func (f *Faults) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		t, ok := target(r)
		if !ok {
			next.ServeHTTP(rw, r)
			return
		}
		rule, ok := f.strikes(t)
		if !ok {
			next.ServeHTTP(rw, r)
			return
		}
		kind, _ := kindOf(rule.Kind) // rules hold known kinds only
		kind.strike(&strike{Faults: f, aim: t, number: rule.Number, next: next}, rw)
	})
}

// strikes finds the rule that strikes a request. Every rule that could have counts it.
func (f *Faults) strikes(t aim) (FaultRule, bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	var hit *armed
	for i, r := range f.rules {
		if !r.matches(t) {
			continue
		}
		r.matched[t.provider]++
		if hit == nil && r.due(f.seed, i, t.provider) {
			hit = r
		}
	}
	if hit == nil {
		return FaultRule{}, false
	}
	hit.struck++
	return hit.FaultRule, true
}

func (r *armed) matches(t aim) bool {
	kind, ok := kindOf(r.Kind)
	return ok && (r.Provider == "" || r.Provider == t.provider) && (r.Stream == "" || r.Stream == t.stream) &&
		strings.HasPrefix(t.path, r.Path) && (kind.can == nil || kind.can(t))
}

// due says whether the latest request that a rule matched is one that it strikes. Draws depend on the seed, the rule and the
// number of the request alone, so that providers that are asked side by side do not disturb one another.
func (r *armed) due(seed uint64, rule int, p schema.Provider) bool {
	n := r.matched[p]
	if r.Chance == 0 {
		return n >= max(r.First, 1) && (r.Last == 0 || n <= r.Last)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(string(p) + " " + strconv.Itoa(rule) + " " + strconv.FormatInt(n, 10))) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64())).Int64N(certain) < r.Chance
}

// aim is a request as rules see it.
type aim struct {
	request  *http.Request
	provider schema.Provider
	path     string        // below the base path
	stream   schema.Stream // empty: none of them
	list     *listing      // the list that is read; nil: it is something else
}

func target(r *http.Request) (aim, bool) {
	for _, p := range schema.Providers() {
		if path, ok := strings.CutPrefix(r.URL.Path, basePath(p)); ok && strings.HasPrefix(path, "/") {
			t := aim{request: r, provider: p, path: path, stream: streamOf(p, path)}
			if l, ok := listings(p)[path]; ok && r.Method == http.MethodGet {
				t.list = &l
			}
			return t, true
		}
	}
	return aim{}, false
}

// streamOf is the stream that a path belongs to.
func streamOf(p schema.Provider, path string) schema.Stream {
	has := func(word string) bool { return strings.HasPrefix(path+"/", word+"/") }
	switch p {
	case schema.Bill:
		for _, s := range []schema.Stream{schema.Cards, schema.Budgets, schema.Transactions} {
			if has("/v3/spend/" + string(s)) {
				return s
			}
		}
	case schema.Slash:
		switch {
		case has("/transaction"):
			return schema.Transactions
		case has("/card") && strings.HasSuffix(path, "/utilization"):
			return schema.Utilization
		case has("/card"):
			return schema.Cards
		}
	case schema.Whop:
		switch {
		case has("/card_transactions"):
			return schema.Transactions
		case has("/cards"):
			return schema.Cards
		}
	case schema.Bitnob:
		switch {
		case has("/virtualcards") && strings.HasSuffix(path, "/transactions"):
			return schema.Transactions
		case path == "/virtualcards/cards":
			return schema.Cards
		case has("/virtualcards/cards"), has("/virtualcards/card"):
			return schema.Balances
		}
	}
	return ""
}

// answered is an answer held back for a fault to work on.
type answered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answered) Header() http.Header { return a.header }

func (a *answered) WriteHeader(status int) { a.status = status }

func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }

// ask lets the world answer a request.
func ask(next http.Handler, r *http.Request) *answered {
	a := &answered{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(a, r)
	return a
}
