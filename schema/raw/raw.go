// Package raw reads JSON as it was sent. Numbers keep their digits, names match with their case, and a name that stands
// twice in an object is seen instead of the last one winning.
//
// A text is read once: Parse checks it and notes where each value begins and ends, and nothing is scanned again after that.
// What is JSON is what encoding/json takes for it, and so is the text of every string; a fuzz test compares the two.
package raw

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"unicode/utf8"
)

// Kind is what a value is.
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

// ErrTooMany is a text that holds more than two million values.
var ErrTooMany = errors.New("too many values")

// Document is the memory that a parsed text needs.
type Document struct {
	text   []byte
	shared string // the text, where strings are to share its memory
	nodes  []node // in the order in which they begin
}

// node is where a value stands, and its name where it is a member.
type node struct {
	name, nameEnd uint32 // quotes included
	start, end    uint32
	next          int32 // the node behind this value and all that is in it
	odd, oddName  bool  // the string has escapes, or bytes beyond ASCII
}

// Value is one value of a document; good until the document parses another text. The zero Value is absent.
type Value struct {
	document *Document
	at       int32
}

// Parse reads a text that is exactly one value; else the error is that of encoding/json, or ErrTooMany. The text must stay as
// it is for as long as its values are used.
func Parse(text []byte) (Value, error) { return new(Document).Parse(text) }

// Parse is Parse with the memory of d, whose values so far are void.
func (d *Document) Parse(text []byte) (Value, error) {
	if d.text, d.shared = text, ""; cap(d.nodes) > maxSpare {
		d.nodes = nil
	}
	if err := d.index(); err != nil {
		return Value{}, err
	}
	return Value{document: d}, nil
}

// Share copies the text once. All strings that are read from it from now on share that copy, and keep it in memory.
func (d *Document) Share() { d.shared = string(d.text) }

// Kind says what the value is.
func (v Value) Kind() Kind {
	if v.document == nil {
		return Absent
	}
	switch v.document.text[v.node().start] {
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

func (v Value) node() *node { return &v.document.nodes[v.at] }

// Bytes is the value as it stands in the text; nil where it is absent. It is not a copy.
func (v Value) Bytes() []byte {
	if v.document == nil {
		return nil
	}
	return v.document.text[v.node().start:v.node().end]
}

// Literal is Bytes as text.
func (v Value) Literal() string {
	if v.document == nil {
		return ""
	}
	return v.document.string(v.node().start, v.node().end)
}

// ASCII says that the value is a string without escapes, of ASCII bytes only, or no string at all.
func (v Value) ASCII() bool { return !v.node().odd }

// Text is the value of a string; false for every other kind. Bytes that are not UTF-8 become U+FFFD.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	n := v.node()
	return v.document.unquote(n.start, n.end, n.odd), true
}

// Name is the name of a member.
func (v Value) Name() string {
	n := v.node()
	return v.document.unquote(n.name, n.nameEnd, n.oddName)
}

// Named says whether Name is name.
func (v Value) Named(name string) bool {
	n := v.node()
	if n.oddName {
		return v.Name() == name
	}
	return string(v.document.text[n.name+1:n.nameEnd-1]) == name
}

// NameBytes is Name, good as long as the value. It may not be a copy.
func (v Value) NameBytes() []byte {
	if n := v.node(); !n.oddName {
		return v.document.text[n.name+1 : n.nameEnd-1]
	}
	return []byte(v.Name())
}

func (d *Document) string(from, to uint32) string {
	if d.shared != "" {
		return d.shared[from:to]
	}
	return string(d.text[from:to])
}

func (d *Document) unquote(from, to uint32, odd bool) string {
	if inner := d.text[from+1 : to-1]; !odd || bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return d.string(from+1, to-1)
	}
	var s string
	_ = json.Unmarshal(d.text[from:to], &s) // it was parsed, so it is a string
	return s
}

// Inside yields the elements of an array, or the members of an object in the order received, names that stand twice included;
// nothing for every other kind.
func (v Value) Inside() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.document == nil {
			return
		}
		nodes := v.document.nodes
		for i, end := v.at+1, nodes[v.at].next; i < end; i = nodes[i].next {
			if !yield(Value{v.document, i}) {
				return
			}
		}
	}
}
