package sandbox

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Request is a kind of request, for counting.
type Request struct {
	Provider schema.Provider
	Method   string
	Path     string // below the base path, with its variables by name: /card/{id}/utilization; /: no such path
}

// Requests counts what was asked so far, refused requests included.
func (w *World) Requests() map[Request]int {
	w.counting.Lock()
	defer w.counting.Unlock()
	return maps.Clone(w.requests)
}

// problem is an answer that is no success.
type problem struct {
	status  int
	message string
	param   string // the field that is wrong; empty: none in particular
	body    any    // instead of the provider's usual error body
}

func bad(message string) *problem { return &problem{status: http.StatusBadRequest, message: message} }

func missing() *problem { return &problem{status: http.StatusNotFound, message: "Not found."} }

// answerer is one operation: it answers a request that may be made, with a value to write as JSON, or says what is wrong.
// A table of them has the keys "GET /card/{id}", "POST /card": the method, a blank, and the path below the base path as
// http.ServeMux reads it.
type answerer func(*http.Request) (any, *problem)

// created is an answer with status 201.
type created struct{ body any }

// Option is a setting of Handler and of Serve.
type Option func(*settings)

type settings struct {
	control bool
	faults  *Faults
}

// WithControl lets the handler serve the control endpoint too, below /control/. Whoever reaches it moves the clock and
// plants anomalies without a key.
func WithControl() Option { return func(s *settings) { s.control = true } }

// Handler serves the four APIs below their base paths.
func (w *World) Handler(options ...Option) http.Handler {
	var s settings
	for _, o := range options {
		o(&s)
	}
	mux := http.NewServeMux()
	for p, table := range w.surfaces() {
		for path, methods := range byPath(table) {
			mux.HandleFunc(w.BasePath(p)+path, w.serve(Request{Provider: p, Path: path}, methods))
		}
		mux.HandleFunc(w.BasePath(p)+"/", w.serve(Request{Provider: p, Path: "/"}, nil))
	}
	for path, methods := range byPath(w.vault()) {
		mux.HandleFunc(vaultBase+path, w.serve(Request{Provider: schema.Bill, Path: path}, methods))
	}
	if s.control {
		w.control(mux)
	}
	if s.faults == nil {
		return mux
	}
	if s.control {
		s.faults.Control(mux)
	}
	return s.faults.Wrap(mux)
}

// surfaces are the operations of each provider below its base path.
func (w *World) surfaces() map[schema.Provider]map[string]answerer {
	return map[schema.Provider]map[string]answerer{
		schema.Bill: w.bill(), schema.Slash: w.slash(), schema.Whop: w.whop(), schema.Bitnob: w.bitnob(),
	}
}

// byPath turns a table of operations into one of methods for each path.
func byPath(table map[string]answerer) map[string]map[string]answerer {
	paths := map[string]map[string]answerer{}
	for key, answer := range table {
		method, path, _ := strings.Cut(key, " ")
		if paths[path] == nil {
			paths[path] = map[string]answerer{}
		}
		paths[path][method] = answer
	}
	return paths
}

// response is an answer as it is written.
type response struct {
	status int
	header http.Header
	body   []byte
}

func (a response) write(rw http.ResponseWriter) {
	maps.Copy(rw.Header(), a.header)
	rw.WriteHeader(a.status)
	_, _ = rw.Write(a.body) // the client is gone where this fails
}

// serve is what all paths of a provider share. Without methods there is no such path.
func (w *World) serve(kind Request, methods map[string]answerer) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		kind := kind
		kind.Method = r.Method
		w.counting.Lock()
		w.requests[kind]++
		w.counting.Unlock()
		r, fault := bodied(r)
		var answer response
		if fault != nil {
			answer = w.refuse(kind.Provider, fault)
		} else {
			answer = w.respond(kind.Provider, r, methods)
		}
		answer.write(rw)
	}
}

// respond answers with the lock held, so that an answer shows one moment of the world.
func (w *World) respond(p schema.Provider, r *http.Request, methods map[string]answerer) response {
	if r.Method == http.MethodGet {
		w.mutex.RLock()
		defer w.mutex.RUnlock()
	} else {
		w.mutex.Lock()
		defer w.mutex.Unlock()
	}
	if fault := w.admit(p, r); fault != nil {
		return w.refuse(p, fault)
	}
	answer, ok := methods[r.Method]
	switch {
	case len(methods) == 0:
		return w.refuse(p, missing())
	case !ok:
		refusal := w.refuse(p, &problem{status: http.StatusMethodNotAllowed, message: "Method not allowed."})
		refusal.header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		return refusal
	}
	return w.once(p, r, func() response {
		body, fault := answer(r)
		if fault != nil {
			return w.refuse(p, fault)
		}
		if made, ok := body.(created); ok {
			return render(http.StatusCreated, made.body)
		}
		return render(http.StatusOK, body)
	})
}

// refuse is a problem in the provider's shape.
func (w *World) refuse(p schema.Provider, fault *problem) response {
	body := fault.body
	if body == nil {
		body = w.errorBody(p, fault)
	}
	return render(fault.status, body)
}

// render writes a value: a text as it is, anything else as JSON.
func render(status int, body any) response {
	if text, plain := body.(string); plain {
		return response{status, http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, []byte(text + "\n")}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return render(http.StatusInternalServerError, err.Error())
	}
	return response{status, http.Header{"Content-Type": {"application/json"}}, append(text, '\n')}
}

// admit checks the credential.
func (w *World) admit(p schema.Provider, r *http.Request) *problem {
	if r.URL.Path == vaultBase+vaultPath {
		return nil // the token in the body is the key
	}
	var given string
	switch p {
	case schema.Bill:
		given = r.Header.Get("apiToken")
	case schema.Slash:
		given = r.Header.Get("X-API-Key")
	default:
		given, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if given == r.Header.Get("Authorization") {
			given = ""
		}
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(w.books[p].key)) != 1 {
		fault := &problem{status: http.StatusUnauthorized, message: "You must be logged in to do that."}
		if p == schema.Bill {
			fault.body = "Unauthorized" // plain text (public clients)
		}
		return fault
	}
	if entity := r.Header.Get("x-legal-entity"); p == schema.Slash && entity != "" && entity != w.entity {
		return &problem{status: http.StatusForbidden, message: "You have no role on this legal entity."}
	}
	return nil
}

type object = map[string]any

// errorBody is an error in the provider's shape.
func (w *World) errorBody(p schema.Provider, f *problem) any {
	switch p {
	case schema.Bill:
		return []object{{
			"timestamp": w.now.offset(), "code": "BDC_" + strconv.Itoa(1000+f.status), "severity": "ERROR", "category": "REQUEST",
			"message": f.message,
		}}
	case schema.Slash:
		return object{
			"success": false, "message": f.message + " [" + strconv.Itoa(f.status) + "1-2121cyx]", "identifier": f.status*10 + 1,
			"rawStatus": f.status, "displayType": "toast",
		}
	case schema.Whop:
		e := object{"message": f.message, "type": map[int]string{
			http.StatusBadRequest: "invalid_request_error", http.StatusUnauthorized: "unauthorized", http.StatusNotFound: "not_found",
			http.StatusMethodNotAllowed: "method_not_allowed", http.StatusConflict: "idempotency_conflict",
			http.StatusRequestEntityTooLarge: "invalid_request_error",
		}[f.status]}
		if f.status == http.StatusBadRequest {
			e["code"] = "parameter_invalid"
		}
		if f.param != "" {
			e["param"] = f.param
		}
		return object{"error": e}
	}
	return object{"status": false, "statusCode": f.status, "message": f.message}
}

// maxPicks bounds how many filtered lists are kept for their next pages.
const maxPicks = 16

// picks keeps filtered lists, so that a walk over many pages filters once.
type picks struct {
	mutex sync.Mutex
	lists map[string][]*row
}

// pick is the rows of a book that are wanted, in the order that arrange gives them. The key names all of that. The list is
// shared: nobody changes it.
func (b *book) pick(key string, want func(*row) bool, arrange func([]*row)) []*row {
	b.picks.mutex.Lock()
	defer b.picks.mutex.Unlock()
	if list, ok := b.picks.lists[key]; ok {
		return list
	}
	var list []*row
	for _, r := range b.rows {
		if want(r) {
			list = append(list, r)
		}
	}
	arrange(list)
	if b.picks.lists == nil || len(b.picks.lists) >= maxPicks {
		b.picks.lists = map[string][]*row{}
	}
	b.picks.lists[key] = list
	return list
}

// forget drops the lists, because rows changed.
func (p *picks) forget() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.lists = nil
}

func oldestFirst([]*row) {}

func newestFirst(list []*row) { slices.Reverse(list) }

// A cursor is a place in a list, opaque to clients: base64 of a word around a number.
func encodeCursor(before string, n int, after string) string {
	return base64.StdEncoding.EncodeToString([]byte(before + strconv.Itoa(n) + after))
}

// decodeCursor reads one back; false for anything that encodeCursor did not make.
func decodeCursor(before, text, after string) (int, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, false
	}
	number, _ := strings.CutPrefix(string(raw), before)
	number, _ = strings.CutSuffix(number, after)
	n, err := strconv.Atoi(number)
	return n, err == nil && n >= 0 && n < 1<<31 && encodeCursor(before, n, after) == text
}

// slice cuts a page that may lie beyond the end.
func slice[T any](list []T, from, to int) []T {
	to = min(to, len(list))
	return list[min(from, to):to]
}

func each[T any](list []T, one func(T) any) []any {
	out := make([]any, 0, len(list))
	for _, x := range list {
		out = append(out, one(x))
	}
	return out
}

// number reads a parameter that counts something.
func number(r *http.Request, name string, otherwise, least, most int) (int, *problem) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < least:
		return 0, bad(name + ": must be a number greater than or equal to " + strconv.Itoa(least))
	case n > most:
		return 0, bad(name + ": must be less than or equal to " + strconv.Itoa(most))
	}
	return n, nil
}

// text is a string, or null where it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// shown is an instant, or null where there is none.
func shown(t instant) any {
	if t == 0 {
		return nil
	}
	return t.text()
}

// full is an amount of dollars as a JSON number with two decimals, as BILL writes it: 6.90.
func full(cents int64) json.Number { return json.Number(dollars(cents)) }

// short is an amount of dollars as a JSON number without trailing zeros: 6.9.
func short(cents int64) json.Number { return json.Number(trim(dollars(cents))) }

func trim(decimal string) string {
	if strings.Contains(decimal, ".") {
		decimal = strings.TrimRight(strings.TrimRight(decimal, "0"), ".")
	}
	return decimal
}

// readTime reads an instant as clients write it: with or without zone, seconds or time of day; UTC where it does not say. A
// date alone is the midnight that begins it.
func readTime(s string) (instant, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return instantOf(t), true
		}
	}
	return 0, false
}

// readMinor reads a whole number of cents.
func readMinor(s string) (int64, bool) {
	a, err := money.ParseMinor(s, money.USD())
	return a.Minor(), err == nil
}

// readCents reads an amount of dollars.
func readCents(s string) (int64, bool) {
	a, err := money.Parse(s, money.USD())
	return a.Minor(), err == nil
}
