package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Value is one JSON value: a slice of a body that Parse accepted, not a copy. encoding/json decides what is JSON; Value
// only walks what it accepted, so that numbers keep their exact text, names are matched case-sensitively, and a name that
// stands twice in one object is seen instead of the last one winning. The zero Value is "absent".
type Value []byte

// Kind is what a Value is.
type Kind string

// The kinds.
const (
	Absent  Kind = "nothing"
	Object  Kind = "object"
	Array   Kind = "array"
	String  Kind = "string"
	Number  Kind = "number"
	Boolean Kind = "boolean"
	Null    Kind = "null"
)

// MalformedError says that a body is not JSON: cut short, or something else altogether.
type MalformedError struct{ Err error }

// Error names what is wrong and never quotes the body.
func (e *MalformedError) Error() string { return "malformed JSON: " + e.Err.Error() }

// Unwrap is the cause.
func (e *MalformedError) Unwrap() error { return e.Err }

// FieldError says that a field of an envelope is missing or is not what it should be.
type FieldError struct {
	Field   string // path, such as data.meta.hasNextPage
	Problem string // safe to print
}

// Error is "FIELD: PROBLEM".
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Parse accepts a body that is exactly one JSON value; else *MalformedError.
func Parse(body []byte) (Value, error) {
	if !json.Valid(body) {
		return nil, &MalformedError{Err: json.Unmarshal(body, &struct{}{})}
	}
	return Value(bytes.TrimSpace(body)), nil
}

// Kind says what the value is.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Absent
	}
	switch v[0] {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Boolean
	case 'n':
		return Null
	}
	return Number
}

// Text is the value of a JSON string; false for every other kind. Bytes that are not UTF-8 become U+FFFD.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	inner := v[1 : len(v)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	var s string
	if err := json.Unmarshal(v, &s); err != nil {
		return "", false
	}
	return s, true
}

// Items yields the elements of an array; nothing for every other kind.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		for i := blank(v, 1); v[i] != ']'; {
			end := after(v, i)
			if !yield(v[i:end]) {
				return
			}
			if i = blank(v, end); v[i] == ',' {
				i = blank(v, i+1)
			}
		}
	}
}

// Members yields the names and values of an object in the order received, names that stand twice included; nothing for
// every other kind.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for i := blank(v, 1); v[i] != '}'; {
			end := after(v, i)
			name, _ := v[i:end].Text()
			start := blank(v, blank(v, end)+1) // over the colon
			end = after(v, start)
			if !yield(name, v[start:end]) {
				return
			}
			if i = blank(v, end); v[i] == ',' {
				i = blank(v, i+1)
			}
		}
	}
}

func blank(v Value, i int) int {
	for v[i] == ' ' || v[i] == '\n' || v[i] == '\t' || v[i] == '\r' {
		i++
	}
	return i
}

// after finds the end of the value that starts at i, without recursion.
func after(v Value, i int) int {
	depth := 0
	for i < len(v) {
		switch v[i] {
		case '"':
			for i++; v[i] != '"'; i++ {
				if v[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\n', '\t', '\r':
			i++
			continue
		default:
			for i < len(v) && !strings.ContainsRune(",:]} \n\t\r", rune(v[i])) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// Lookup finds the value at a dotted path. A missing member anywhere on the way is the zero Value; a name that stands
// twice, or something other than an object on the way, is a *FieldError.
func (v Value) Lookup(path string) (Value, error) {
	at := ""
	for name := range strings.SplitSeq(path, ".") {
		if v.Kind() == Absent || v.Kind() == Null {
			return nil, nil
		}
		if v.Kind() != Object {
			return nil, &FieldError{Field: orBody(at), Problem: fmt.Sprintf("want object, have %s", v.Kind())}
		}
		if at += "." + name; at[0] == '.' {
			at = at[1:]
		}
		var found Value
		for n, m := range v.Members() {
			if n != name {
				continue
			}
			if found != nil {
				return nil, &FieldError{Field: at, Problem: "stands twice"}
			}
			found = m
		}
		v = found
	}
	return v, nil
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// LookupText finds a string; empty where it is missing or null.
func (v Value) LookupText(path string) (string, error) {
	f, err := v.Lookup(path)
	if err != nil || f.Kind() == Absent || f.Kind() == Null {
		return "", err
	}
	s, ok := f.Text()
	if !ok {
		return "", &FieldError{Field: path, Problem: fmt.Sprintf("want string, have %s", f.Kind())}
	}
	return s, nil
}

// LookupBool finds a boolean that must be there.
func (v Value) LookupBool(path string) (bool, error) {
	f, err := v.Lookup(path)
	if err != nil {
		return false, err
	}
	if f.Kind() != Boolean {
		return false, &FieldError{Field: path, Problem: fmt.Sprintf("want boolean, have %s", f.Kind())}
	}
	return f[0] == 't', nil
}

// LookupCount finds a whole number, written as a number or as a string; -1 where it is missing or null.
func (v Value) LookupCount(path string) (int64, error) {
	f, err := v.Lookup(path)
	if err != nil || f.Kind() == Absent || f.Kind() == Null {
		return -1, err
	}
	text, ok := f.Text()
	if !ok {
		text = string(f)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, &FieldError{Field: path, Problem: "want a whole number that is not negative"}
	}
	return n, nil
}

// The most rows one page may hold. Page sizes end at 100; only lists without paging come near.
const maxRows = 100_000

// LookupRows finds the array of a page's rows, which must be there. The rows themselves may be anything.
func (v Value) LookupRows(path string) ([]Value, error) {
	f, err := v.Lookup(path)
	if err != nil {
		return nil, err
	}
	if f.Kind() != Array {
		return nil, &FieldError{Field: path, Problem: fmt.Sprintf("want array, have %s", f.Kind())}
	}
	var rows []Value
	for row := range f.Items() {
		if len(rows) == maxRows {
			return nil, &FieldError{Field: path, Problem: fmt.Sprintf("more than %d rows on one page", maxRows)}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Instant reads an RFC 3339 time, with or without a fraction, from a member of a row; false where there is none that can
// be read.
func (v Value) Instant(name string) (time.Time, bool) {
	text, err := v.LookupText(name)
	if err != nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339, text)
	return t.UTC(), err == nil
}
