package sandbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tieout/tieout/schema"
)

// FaultKind is something that a network or an issuer does.
type FaultKind struct {
	Name    string
	Unit    string // of its number; empty: it takes none
	Usual   int64  // the number where none is given
	Most    int64
	Meaning string

	can    func(aim) bool // which requests it can strike; nil: all
	strike func(*strike, http.ResponseWriter)
}

// FaultKinds lists what can go wrong.
func FaultKinds() []FaultKind {
	return slices.Concat(refusals(), breakages(), movements())
}

func kindOf(name string) (FaultKind, bool) {
	kinds := FaultKinds()
	i := slices.IndexFunc(kinds, func(k FaultKind) bool { return k.Name == name })
	if i < 0 {
		return FaultKind{}, false
	}
	return kinds[i], true
}

func kindNames() []string {
	var names []string
	for _, k := range FaultKinds() {
		names = append(names, k.Name)
	}
	return names
}

// refusals are the answers that say no, in words.
func refusals() []FaultKind {
	quota := func(name, meaning string, header func(*strike, http.Header), message string) FaultKind {
		k := FaultKind{Name: name, Unit: "seconds", Usual: 2, Most: 86_400, Meaning: meaning}
		if header == nil && message == "" {
			k.Unit, k.Usual, k.Most = "", 0, 0
		}
		k.strike = func(s *strike, rw http.ResponseWriter) {
			text := "Too many requests."
			if message != "" {
				text = fmt.Sprintf(message, s.number)
			}
			if header != nil {
				header(s, rw.Header())
			}
			render(http.StatusTooManyRequests, quotaBody(s.provider, text)).write(rw)
		}
		return k
	}
	kinds := []FaultKind{
		quota("429", "too many requests, without a word on how long to wait", nil, ""),
		quota("429-seconds", "too many requests, Retry-After in seconds", func(s *strike, h http.Header) {
			h.Set("Retry-After", strconv.FormatInt(s.number, 10))
		}, ""),
		quota("429-date", "too many requests, Retry-After as a date", dated(http.TimeFormat, 1), ""),
		quota("429-rfc850", "too many requests, Retry-After as a date in the form of RFC 850", dated("Monday, 02-Jan-06 15:04:05 GMT", 1), ""),
		quota("429-asctime", "too many requests, Retry-After as a date in the form of asctime", dated(time.ANSIC, 1), ""),
		quota("429-past", "too many requests, Retry-After as a date that is past", dated(http.TimeFormat, -1), ""),
		quota("429-nonsense", "too many requests, Retry-After as neither seconds nor a date", func(s *strike, h http.Header) {
			h.Set("Retry-After", fmt.Sprintf("-%d.5s", s.number))
		}, ""),
		quota("429-message", "too many requests, the wait in the message only, as Whop says it", nil, "Try again in %d seconds."),
	}
	for _, status := range []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		word := http.StatusText(status)
		kinds = append(kinds, FaultKind{
			Name: strconv.Itoa(status), Meaning: word + ", a page of HTML", strike: func(_ *strike, rw http.ResponseWriter) {
				rw.Header().Set("Content-Type", "text/html")
				rw.WriteHeader(status)
				_, _ = fmt.Fprintf(rw, "<html><h1>%d %s</h1></html>\n", status, word) // the client is gone where this fails
			},
		})
	}
	redirect := func(name, meaning, origin string) FaultKind {
		return FaultKind{Name: name, Meaning: meaning, strike: func(s *strike, rw http.ResponseWriter) {
			to := url.URL{Path: s.request.URL.Path, RawQuery: s.request.URL.RawQuery}
			rw.Header().Set("Location", origin+to.String())
			rw.WriteHeader(http.StatusFound)
		}}
	}
	return append(kinds,
		redirect("redirect", "a redirect within the server", "/moved"),
		redirect("redirect-away", "a redirect to another server", elsewhere),
	)
}

// dated sets Retry-After to a date, so many seconds after Date or before it.
func dated(layout string, direction int64) func(*strike, http.Header) {
	return func(s *strike, h http.Header) {
		now := s.now().UTC()
		h.Set("Date", now.Format(http.TimeFormat))
		h.Set("Retry-After", now.Add(time.Duration(direction*s.number)*time.Second).Format(layout))
	}
}

// elsewhere is a server that nobody has (RFC 2606).
const elsewhere = "https://elsewhere.example"

func quotaBody(p schema.Provider, message string) any {
	switch p {
	case schema.Whop:
		return object{"error": object{"type": "rate_limit_exceeded", "message": message}}
	case schema.Bill:
		return []object{{"code": "BDC_1144", "severity": "ERROR", "category": "DOWNSTREAM", "message": message}}
	}
	return object{"message": message}
}

// breakages are the answers that do not arrive as they were sent.
func breakages() []FaultKind {
	return []FaultKind{
		{Name: "down", Meaning: "the connection ends without an answer", strike: func(_ *strike, rw http.ResponseWriter) { hangUp(rw) }},
		{Name: "reset", Meaning: "the connection is reset in mid-body", strike: func(s *strike, rw http.ResponseWriter) {
			s.ask().begin(rw, 2)
			hangUp(rw)
		}},
		{Name: "truncated", Meaning: "half of the JSON, as if it were all", strike: func(s *strike, rw http.ResponseWriter) {
			a := s.ask()
			response{a.status, a.header, a.body.Bytes()[:a.body.Len()/2]}.write(rw)
		}},
		{
			Name: "drip", Unit: "bytes", Usual: 64, Most: 1 << 20, strike: (*strike).drip,
			Meaning: "so many bytes of the body at a time, with 100 ms between",
		},
		{
			Name: "bomb", Unit: "MiB", Usual: 1024, Most: 1 << 20, strike: (*strike).bomb,
			Meaning: "a small gzip body that unpacks to so many MiB",
		},
		{
			Name: "huge", Unit: "MB", Usual: 100, Most: 1 << 20, strike: (*strike).huge,
			Meaning: "a page of so many MB: its rows, again and again",
		},
	}
}

// movements are the answers that are fine by themselves and wrong among the others.
func movements() []FaultKind {
	paged := func(t aim) bool { return t.list != nil && t.list.page != "" }
	later := func(t aim) bool { return paged(t) && t.list.at(t.request.URL.Query()) != "" }
	return []FaultKind{
		{Name: "repeated-cursor", Meaning: "a later page names itself as the next; where pages have numbers, the first comes again", can: later, strike: (*strike).repeat},
		{Name: "expired-cursor", Meaning: "a later page is refused: its cursor is not accepted", can: later, strike: func(s *strike, rw http.ResponseWriter) {
			s.change(func(q url.Values) { q.Set(s.list.page, "expired") })
			s.pass(rw)
		}},
		{Name: "foreign-url", Meaning: "the field that names the next page holds a URL of another server", can: paged, strike: (*strike).foreign},
		{
			Name: "inserted", Unit: "rows", Usual: 1, Most: 100, can: later, strike: func(s *strike, rw http.ResponseWriter) { s.shift(rw, -s.number) },
			Meaning: "rows came in before a later page, which begins with rows of the page before",
		},
		{
			Name: "deleted", Unit: "rows", Usual: 1, Most: 100, can: later, strike: func(s *strike, rw http.ResponseWriter) { s.shift(rw, s.number) },
			Meaning: "rows went before a later page, which leaves out as many of its own",
		},
		{Name: "duplicates", Meaning: "every row of a page stands twice", can: func(t aim) bool { return t.list != nil }, strike: (*strike).duplicate},
		{
			Name: "unfiltered", Meaning: "the filters of a list are ignored", can: func(t aim) bool { return t.list != nil && t.list.filters != "" },
			strike: func(s *strike, rw http.ResponseWriter) {
				s.change(s.list.unfiltered)
				s.pass(rw)
			},
		},
		{
			Name: "skew", Unit: "seconds", Usual: 600, Most: 86_400, strike: (*strike).skew,
			Meaning: "the provider's clock is ahead by so many seconds: Date, every time in the answer, every time that is asked for",
		},
	}
}

// strike is one request that a fault has struck.
type strike struct {
	*Faults
	aim
	number int64
	next   http.Handler
}

// change changes what is asked for.
func (s *strike) change(edit func(url.Values)) {
	s.request = s.request.Clone(s.request.Context())
	q := s.request.URL.Query()
	edit(q)
	s.request.URL.RawQuery = q.Encode()
}

func (s *strike) pass(rw http.ResponseWriter) { s.next.ServeHTTP(rw, s.request) }

func (s *strike) ask() *answered { return ask(s.next, s.request) }

// edit answers with a changed page, or with what the world says where that is no page.
func (s *strike) edit(rw http.ResponseWriter, change func(opened)) {
	a := s.ask()
	body := a.body.Bytes()
	if p, ok := s.list.read(body); ok && a.status == http.StatusOK {
		change(p)
		body = p.text()
	}
	response{a.status, a.header, body}.write(rw)
}

// begin sends the head and the first part of the body, one in so many.
func (a *answered) begin(rw http.ResponseWriter, part int) {
	a.head(rw)
	_, _ = rw.Write(a.body.Bytes()[:a.body.Len()/part])
	_ = http.NewResponseController(rw).Flush()
}

func (a *answered) head(rw http.ResponseWriter) {
	maps.Copy(rw.Header(), a.header)
	rw.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	rw.WriteHeader(a.status)
}

// hangUp ends the connection: with a reset, where there is such a thing.
func hangUp(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server ends the connection, and says nothing of it
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// dripPause is how long a drip waits between its steps.
const dripPause = 100 * time.Millisecond

func (s *strike) drip(rw http.ResponseWriter) {
	a := s.ask()
	a.head(rw)
	flusher := http.NewResponseController(rw)
	for step := range slices.Chunk(a.body.Bytes(), int(s.number)) {
		if _, err := rw.Write(step); err != nil {
			return
		}
		_ = flusher.Flush()
		if s.Faults.pause(s.request.Context(), dripPause) != nil {
			return
		}
	}
}

// bomb sends one compressed MiB of blanks again and again: RFC 1952 lets members follow one another.
func (s *strike) bomb(rw http.ResponseWriter) {
	var member bytes.Buffer
	z := gzip.NewWriter(&member)
	_, _ = z.Write(bytes.Repeat([]byte{' '}, 1<<20)) // memory never fails
	_ = z.Close()
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Encoding", "gzip")
	for range s.number {
		if _, err := rw.Write(member.Bytes()); err != nil {
			return
		}
	}
}

// huge sends the world's page with its rows again and again, or with blanks before it where it has none.
func (s *strike) huge(rw http.ResponseWriter) {
	var head []byte
	filling, tail := bytes.Repeat([]byte{' '}, 1<<10), s.ask().body.Bytes()
	if s.list != nil {
		if p, ok := s.list.read(tail); ok && len(p.rows()) > 0 {
			const mark = "the rows stand here"
			rows := bytes.Trim(opened{body: p.rows()}.text(), "[]\n")
			p.set(s.list.rows, []any{mark})
			head, tail, _ = bytes.Cut(p.text(), []byte(strconv.Quote(mark)))
			filling, tail = slices.Concat(rows, []byte{','}), slices.Concat(rows, tail)
		}
	}
	rw.Header().Set("Content-Type", "application/json")
	_, err := rw.Write(head)
	for sent := int64(0); sent < s.number*1_000_000 && err == nil; sent += int64(len(filling)) {
		_, err = rw.Write(filling)
	}
	if err == nil {
		_, _ = rw.Write(tail)
	}
}

func (s *strike) repeat(rw http.ResponseWriter) {
	at := s.list.at(s.request.URL.Query())
	if s.list.next == "" {
		s.change(func(q url.Values) { q.Set(s.list.page, "1") })
	}
	s.edit(rw, func(p opened) {
		p.set(s.list.next, at)
		p.set(s.list.more, true)
	})
}

func (s *strike) foreign(rw http.ResponseWriter) {
	s.edit(rw, func(p opened) {
		field := s.list.next
		if field == "" { // no field names it; put one beside the field that says that there is one
			field = s.list.more + "Url"
		}
		p.set(field, elsewhere+s.request.URL.Path)
	})
}

// shift answers with rows that lie a number of rows further on, or before.
func (s *strike) shift(rw http.ResponseWriter, by int64) {
	if s.list.next == "" {
		s.shiftNumbered(rw, by)
		return
	}
	s.change(func(q url.Values) {
		if cursor, ok := s.list.moved(q.Get(s.list.page), by); ok {
			q.Set(s.list.page, cursor)
		}
	})
	s.pass(rw)
}

// shiftNumbered puts the page together from the rows of the pages around it. The count of all rows says how many came or went.
func (s *strike) shiftNumbered(rw http.ResponseWriter, by int64) {
	n, _ := strconv.Atoi(s.list.at(s.request.URL.Query()))
	around := func(number int) []any {
		neighbour := *s
		neighbour.change(func(q url.Values) { q.Set(s.list.page, strconv.Itoa(number)) })
		p, ok := s.list.read(neighbour.ask().body.Bytes())
		if !ok {
			return nil
		}
		return p.rows()
	}
	before, after := around(n-1), around(n+1)
	s.edit(rw, func(p opened) {
		rows, size := slices.Concat(before, p.rows(), after), len(before) // the page before one is full
		from := max(0, min(size+int(by), len(rows)))
		p.set(s.list.rows, slice(rows, from, from+size))
		p.set(s.list.more, from+size < len(rows))
		p.add(s.list.count, -by)
	})
}

func (s *strike) duplicate(rw http.ResponseWriter) {
	s.edit(rw, func(p opened) {
		twice := []any{}
		for _, row := range p.rows() {
			twice = append(twice, row, row)
		}
		p.set(s.list.rows, twice)
	})
}

func (s *strike) skew(rw http.ResponseWriter) {
	ahead := time.Duration(s.number) * time.Second
	s.change(func(q url.Values) {
		for _, values := range q {
			for i := range values {
				values[i] = skewed(values[i], -ahead)
			}
		}
	})
	a := s.ask()
	a.header.Set("Date", s.now().UTC().Add(ahead).Format(http.TimeFormat))
	response{a.status, a.header, []byte(skewed(a.body.String(), ahead))}.write(rw)
}
