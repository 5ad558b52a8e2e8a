package transport

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer other than 200, or a 200 whose envelope says that it failed. Its text is safe to print and
// ends with what to do about it.
type StatusError struct {
	Source     string
	Status     int           // the HTTP status
	Message    string        // the provider's own words, masked and bounded; may be empty
	Trace      string        // the provider's id of the request, for its support; may be empty
	Remedy     string        // what the reader can do; may be empty
	RetryAfter time.Duration // how long the provider asks to wait; 0: it does not say
}

// Error is "401 Unauthorized: MESSAGE (trace …); check the credential of source X".
func (e *StatusError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Trace != "" {
		b.WriteString(" (trace " + e.Trace + ")")
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// retryable says whether the same request may succeed later.
func (e *StatusError) retryable() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// The end of a Slash message, "… [4041-2121cyx]", is the id of the request (Slash docs: Introduction).
var bracketed = regexp.MustCompile(`\[([0-9]+-[0-9A-Za-z]+)\]$`)

func (c *Client) statusError(resp *http.Response, body []byte) *StatusError {
	e := &StatusError{Source: c.source, Status: resp.StatusCode, Message: c.Message(body)}
	e.Trace = cut(message(resp.Header.Get("X-Request-Id"), c.credential), 80)
	if m := bracketed.FindStringSubmatch(e.Message); m != nil && e.Trace == "" {
		e.Trace = m[1]
	}
	e.RetryAfter = retryAfter(resp.Header, e.Message)
	if e.RetryAfter == 0 && e.Status == http.StatusTooManyRequests {
		e.RetryAfter = c.quotaWait
	}
	e.Remedy = c.remedy(resp)
	return e
}

func (c *Client) remedy(resp *http.Response) string {
	if text := c.remedies[resp.StatusCode]; text != "" {
		return text
	}
	switch status := resp.StatusCode; {
	case status >= 300 && status < 400:
		return fmt.Sprintf("check base_url of source %s: the server redirects, and redirects are not followed", c.source)
	case status == http.StatusUnauthorized:
		return fmt.Sprintf("check the credential of source %s", c.source)
	case status == http.StatusForbidden:
		return fmt.Sprintf("the credential of source %s lacks the permission (scope) to read this", c.source)
	case status == http.StatusNotFound:
		return fmt.Sprintf("check base_url of source %s and what its credential may see", c.source)
	case status == http.StatusTooManyRequests:
		return fmt.Sprintf("lower requests_per_second of source %s if this persists", c.source)
	}
	return ""
}

// Message finds the provider's own words in a body, in any of the shapes that providers use (an object with message or
// error, an array of such objects, plain text), and makes them safe to print.
func (c *Client) Message(body []byte) string {
	v, err := Parse(body)
	if err != nil {
		text := string(body)
		if strings.HasPrefix(strings.TrimSpace(text), "<") {
			text = "(a page of HTML)"
		}
		return message(text, c.credential)
	}
	return message(words(v, 0), c.credential)
}

func words(v Value, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v.Kind() {
	case String:
		s, _ := v.Text()
		return s
	case Array:
		for item := range v.Inside() {
			if s := words(Value{Value: item}, depth+1); s != "" {
				return s
			}
		}
	case Object:
		for _, name := range []string{"message", "error", "errors", "details"} {
			member, err := v.Lookup(name)
			if err != nil {
				continue
			}
			if s := words(member, depth+1); s != "" {
				return s
			}
		}
	}
	return ""
}

// Whop says how long to wait only in its message (Whop docs: Rate limits).
var tryAgain = regexp.MustCompile(`(?i)try again in (\d{1,6}) (second|minute)s?`)

// retryAfter is how long an answer asks to wait; 0 where it does not say or says it in no way that is understood. A date
// is compared with the answer's own Date, so that neither a wrong local clock nor a recorded clock that stands still
// matters; without a Date it says nothing.
func retryAfter(h http.Header, msg string) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, errAt := http.ParseTime(value)
	sent, errSent := http.ParseTime(h.Get("Date"))
	if errAt == nil && errSent == nil {
		return max(at.Sub(sent), 0)
	}
	if m := tryAgain.FindStringSubmatch(msg); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return 0
		}
		if strings.EqualFold(m[2], "minute") {
			n *= 60
		}
		return time.Duration(n) * time.Second
	}
	return 0
}
