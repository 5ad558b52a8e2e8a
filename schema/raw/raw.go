// Package raw reads JSON as it was sent. Numbers keep their digits, names match with their case, and a name that stands
// twice in an object is seen instead of the last one winning.
//
// A text is read once: Parse checks it and notes where each value begins and ends, and nothing is scanned again after that.
// What is JSON is what encoding/json takes for it, and so is the text of every string; a fuzz test compares the two.
package raw

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind is what a value is.
type Kind uint8

// The kinds.
const (
	Absent Kind = iota
	Object
	Array
	String
	Number
	Boolean
	Null
)

// String is the kind as JSON calls it, "nothing" for Absent.
func (k Kind) String() string {
	return [...]string{"nothing", "object", "array", "string", "number", "boolean", "null"}[k]
}

// ErrTooMany is a text that holds more than two million values.
var ErrTooMany = errors.New("too many values")

// Document is the memory that a parsed text needs.
type Document struct {
	text   []byte
	shared *strings.Builder // where strings are to share memory
	nodes  []node           // in the order in which they begin
}

// node is where a value stands, and its name where it is a member.
type node struct {
	name, nameEnd uint32 // quotes included
	start, end    uint32
	next          int32 // the node behind this value and all that is in it
	kind          Kind
	odd, oddName  bool // the string has escapes, or bytes beyond ASCII
}

// Value is one value of a document; good until the document parses another text. The zero Value is absent.
type Value struct {
	document *Document
	at       int32
}

func (v Value) node() *node { return &v.document.nodes[v.at] }

// Parse reads a text that is exactly one value; else the error is that of encoding/json, or ErrTooMany. The text must stay as
// it is for as long as its values are used.
func Parse(text []byte) (Value, error) { return new(Document).Parse(text) }

// Parse is Parse with the memory of d, whose values so far are void.
func (d *Document) Parse(text []byte) (Value, error) {
	if d.text = text; cap(d.nodes) > maxSpare {
		d.nodes = nil
	}
	if err := d.index(); err != nil {
		return Value{}, err
	}
	return Value{document: d}, nil
}

// Share makes all strings that are read from d share pieces of memory with one another, beyond this text too. That costs less
// than memory for each of them, and keeps a piece for as long as one of them is kept.
func (d *Document) Share() {
	if d.shared == nil {
		d.shared = new(strings.Builder)
	}
}

// pieceSize is how much memory strings share.
const pieceSize = 4 << 10

func (d *Document) string(from, to uint32) string {
	size := int(to - from)
	if d.shared == nil || size > pieceSize/4 {
		return string(d.text[from:to])
	}
	if d.shared.Cap()-d.shared.Len() < size { // what was written stays where it is
		d.shared = new(strings.Builder)
		d.shared.Grow(pieceSize)
	}
	d.shared.Write(d.text[from:to])
	return d.shared.String()[d.shared.Len()-size:]
}

// Kind says what the value is.
func (v Value) Kind() Kind {
	if v.document == nil {
		return Absent
	}
	return v.node().kind
}

// Bytes is the value as it stands in the text; nil where it is absent. It is not a copy.
func (v Value) Bytes() []byte {
	if v.document == nil {
		return nil
	}
	n := v.node()
	return v.document.text[n.start:n.end]
}

// Literal is Bytes as text.
func (v Value) Literal() string {
	if v.document == nil {
		return ""
	}
	n := v.node()
	return v.document.string(n.start, n.end)
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
	return string(v.NameBytes()) == name
}

// NameBytes is Name, good as long as the value. It may not be a copy.
func (v Value) NameBytes() []byte {
	if n := v.node(); !n.oddName {
		return v.document.text[n.name+1 : n.nameEnd-1]
	}
	return []byte(v.Name())
}

func (d *Document) unquote(from, to uint32, odd bool) string {
	inner := d.text[from+1 : to-1]
	if !odd || bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return d.string(from+1, to-1)
	}
	return unescape(inner)
}

// unescape reads what stands between the quotes of a string that was checked.
func unescape(inner []byte) string {
	out := make([]byte, 0, len(inner))
	for len(inner) > 0 {
		c, size := inner[0], 1
		switch {
		case c == '\\' && inner[1] == 'u':
			r := hex(inner)
			if size = 6; utf16.IsSurrogate(r) {
				second := rune(utf8.RuneError)
				if len(inner) >= 12 && inner[6] == '\\' && inner[7] == 'u' {
					second = hex(inner[6:])
				}
				if r = utf16.DecodeRune(r, second); r != utf8.RuneError {
					size = 12
				}
			}
			out = utf8.AppendRune(out, r)
		case c == '\\':
			if at := strings.IndexByte("bfnrt", inner[1]); at >= 0 {
				out = append(out, "\b\f\n\r\t"[at])
			} else {
				out = append(out, inner[1])
			}
			size = 2
		case c < utf8.RuneSelf:
			out = append(out, c)
		default:
			var r rune
			r, size = utf8.DecodeRune(inner)
			out = utf8.AppendRune(out, r)
		}
		inner = inner[size:]
	}
	return string(out)
}

// hex is the number of an escape such as \u00e9.
func hex(escape []byte) (r rune) {
	for _, c := range escape[2:6] {
		switch {
		case c <= '9':
			c -= '0'
		default:
			c = c | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(c)
	}
	return r
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
