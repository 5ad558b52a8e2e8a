package transport

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/schema/raw"
)

// Value is one JSON value of an answer, good until its Session asks again. The zero Value is absent.
type Value struct {
	raw.Value
	row *readRow // of the rows of a page: the one that was read last
}

// Kind is what a Value is.
type Kind = raw.Kind

// The kinds.
const (
	Absent  = raw.Absent
	Object  = raw.Object
	Array   = raw.Array
	String  = raw.String
	Number  = raw.Number
	Boolean = raw.Boolean
	Null    = raw.Null
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
func Parse(body []byte) (Value, error) { return parse(new(raw.Document), body) }

func parse(d *raw.Document, body []byte) (Value, error) {
	v, err := d.Parse(body)
	if err != nil {
		return Value{}, &MalformedError{Err: err}
	}
	return Value{Value: v}, nil
}

// Lookup finds the value at a dotted path. A missing member anywhere on the way is the zero Value; a name that stands
// twice, or something other than an object on the way, is a *FieldError.
func (v Value) Lookup(path string) (Value, error) {
	for end := 0; end < len(path); end++ {
		at := end
		if end = strings.IndexByte(path[at:], '.') + at; end < at {
			end = len(path)
		}
		switch v.Kind() {
		case Object:
		case Absent, Null:
			return Value{}, nil
		default:
			return Value{}, &FieldError{Field: orBody(strings.TrimSuffix(path[:at], ".")), Problem: fmt.Sprintf("want object, have %s", v.Kind())}
		}
		if m, ok := v.row.find(v.Value, path[at:end]); ok {
			v = Value{Value: m}
			continue
		}
		var found Value
		for m := range v.Inside() {
			if !m.Named(path[at:end]) {
				continue
			}
			if found.Kind() != Absent {
				return Value{}, &FieldError{Field: path[:end], Problem: "stands twice"}
			}
			found = Value{Value: m}
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
	return f.Bytes()[0] == 't', nil
}

// LookupCount finds a whole number, written as a number or as a string; -1 where it is missing or null.
func (v Value) LookupCount(path string) (int64, error) {
	f, err := v.Lookup(path)
	if err != nil || f.Kind() == Absent || f.Kind() == Null {
		return -1, err
	}
	text, ok := f.Text()
	if !ok {
		text = f.Literal()
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
	n := 0
	for range f.Inside() {
		if n++; n > maxRows {
			return nil, &FieldError{Field: path, Problem: fmt.Sprintf("more than %d rows on one page", maxRows)}
		}
	}
	rows, read := make([]Value, 0, n), new(readRow)
	for row := range f.Inside() {
		rows = append(rows, Value{row, read})
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
