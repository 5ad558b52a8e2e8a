package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// maxBody bounds what a request may send.
const maxBody = 1 << 20

// bodied reads a request's body into memory, so that no slow client holds the world's lock.
func bodied(r *http.Request) (*http.Request, *problem) {
	if r.Method == http.MethodGet {
		return r, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, bad("The body cannot be read.")
	}
	if len(text) > maxBody {
		return nil, &problem{status: http.StatusRequestEntityTooLarge, message: "The body is too large."}
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(text))
	return r, nil
}

// form is the JSON object that a request sends. Its readers note the first field that is wrong; what they return is
// of use only where fault is nil in the end.
type form struct {
	fields map[string]any
	fault  *problem
}

// readForm reads a body, which may be empty.
func readForm(r *http.Request) *form {
	f := &form{fields: map[string]any{}}
	text, err := io.ReadAll(r.Body)
	if len(bytes.TrimSpace(text)) == 0 && err == nil {
		return f
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err == nil {
		err = decoder.Decode(&f.fields)
	}
	if err != nil || f.fields == nil || decoder.More() {
		f.wrong("The body is not a JSON object.")
		f.fields = map[string]any{}
	}
	return f
}

// wrong notes a fault, unless there is one already.
func (f *form) wrong(message string) {
	if f.fault == nil {
		f.fault = bad(message)
	}
}

// mistaken notes what a field must be.
func (f *form) mistaken(name, rule string) {
	if f.fault == nil {
		f.fault = &problem{status: http.StatusBadRequest, message: name + " " + rule, param: name}
	}
}

// missing notes that something named is not there, or not to be seen.
func (f *form) missing() {
	if f.fault == nil {
		f.fault = missing()
	}
}

// has says whether a field is there and not null.
func (f *form) has(name string) bool { return f.fields[name] != nil }

// need notes a fault for each field that is missing or empty.
func (f *form) need(names ...string) {
	for _, name := range names {
		if text, isText := f.fields[name].(string); !f.has(name) || isText && strings.TrimSpace(text) == "" {
			f.mistaken(name, "is required")
		}
	}
}

// text is a text; empty where there is none.
func (f *form) text(name string) string {
	text, ok := f.fields[name].(string)
	if f.has(name) && !ok {
		f.mistaken(name, "must be a string")
	}
	return text
}

// choice is one of certain words; empty where there is none.
func (f *form) choice(name string, words ...string) string {
	word := f.text(name)
	if f.has(name) && !slices.Contains(words, word) {
		f.mistaken(name, "must be one of "+strings.Join(words, ", "))
	}
	return word
}

// flag is true or false; false where it is not said.
func (f *form) flag(name string) bool {
	flag, ok := f.fields[name].(bool)
	if f.has(name) && !ok {
		f.mistaken(name, "must be a boolean")
	}
	return flag
}

// dollars is a positive amount of dollars in cents, given as a number or as text; 0 where there is none.
func (f *form) dollars(name string) int64 {
	return f.amount(name, readCents)
}

// cents is a positive amount of whole cents, given as a number or as text; 0 where there is none.
func (f *form) cents(name string) int64 {
	return f.amount(name, readMinor)
}

func (f *form) amount(name string, read func(string) (int64, bool)) int64 {
	if !f.has(name) {
		return 0
	}
	number, isNumber := f.fields[name].(json.Number)
	text, isText := f.fields[name].(string)
	if isNumber {
		text = number.String()
	}
	cents, ok := read(text)
	if !isNumber && !isText || !ok || cents <= 0 {
		f.mistaken(name, "must be a positive amount")
		return 0
	}
	return cents
}

// stands is a field that names something; what the documents write in the place of a name, such as <string> or {card_id},
// stands for what the sandbox has itself.
func (f *form) stands(name, own string) string {
	if text := f.text(name); !placeholder(text) {
		return text
	}
	return own
}

// placeholder says whether a text is what documents write in the place of a value. In an address curl takes it out of its
// braces.
func placeholder(text string) bool {
	switch text {
	case "card_id", "cardId", "card_user_id":
		return true
	}
	n := len(text)
	return n > 2 && (text[0] == '<' && text[n-1] == '>' || text[0] == '{' && text[n-1] == '}')
}
