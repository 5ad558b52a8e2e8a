package transport

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/raw"
)

// Fields says what becomes of each field of a stream's rows. A path is dotted, with "[]" behind a name whose value is an
// array: "spendingRule.utilizationLimitV2[].limitAmount.amountCents". Paths of Exact and Text name scalars. A path of
// Drop drops whatever stands there. What no list names is dropped too, and its path is reported.
type Fields struct {
	Exact []string // ids, references, times, amounts: kept as they are, since masking them would make rows collide
	Text  []string // all else that is kept: card numbers in it are masked, and text beyond 4096 bytes is cut
	Drop  []string // known and not wanted: card numbers, secrets, people's data
}

type rule int

const (
	inner rule = iota
	exact
	text
	drop
)

type node struct {
	rule    rule
	name    string // as a member
	path    string // "limits[].amount"
	written []byte // its name with quotes and colon
	number  int    // of its siblings, from 0
	index   int    // of the nodes that have members, from 0
	members map[string]*node
	element *node // of an array
}

// Redactor keeps the wanted fields of rows.
type Redactor struct {
	root    *node
	objects int       // how many nodes are objects
	writers sync.Pool // of *writer, for their memory
}

// NewRedactor compiles the lists; an error when one path stands on two of them.
func NewRedactor(f Fields) (*Redactor, error) {
	root := &node{}
	for _, list := range []struct {
		rule  rule
		paths []string
	}{{exact, f.Exact}, {text, f.Text}, {drop, f.Drop}} {
		for _, path := range list.paths {
			if err := root.add(path, list.rule); err != nil {
				return nil, err
			}
		}
	}
	r := &Redactor{root: root}
	root.count(&r.objects)
	r.writers.New = func() any { return &writer{follow: make([][]*node, r.objects)} }
	return r, nil
}

// count numbers the nodes that are objects.
func (n *node) count(objects *int) {
	if n.members != nil || n.path == "" {
		n.index = *objects
		*objects++
	}
	for _, m := range n.members {
		m.count(objects)
	}
	if n.element != nil {
		n.element.count(objects)
	}
}

func (n *node) add(path string, r rule) error {
	for name := range strings.SplitSeq(path, ".") {
		if n.rule != inner {
			return fmt.Errorf("redaction list: %s lies below another path", path)
		}
		name, array := strings.CutSuffix(name, "[]")
		if n.members == nil {
			n.members = map[string]*node{}
		}
		next := n.members[name]
		if next == nil {
			written, err := json.Marshal(name)
			if err != nil {
				return fmt.Errorf("redaction list: %s: %w", path, err)
			}
			if len(n.members) == maxMembers {
				return fmt.Errorf("redaction list: %s is one too many", path)
			}
			next = &node{name: name, path: n.below(name), written: append(written, ':'), number: len(n.members)}
			n.members[name] = next
		}
		if n = next; array {
			if n.element == nil {
				n.element = &node{path: n.path + "[]"}
			}
			n = n.element
		}
	}
	if n.rule != inner || n.members != nil || n.element != nil {
		return fmt.Errorf("redaction list: %s stands twice", path)
	}
	n.rule = r
	return nil
}

// maxMembers is how many members of one object may be named.
const maxMembers = 256

func (n *node) below(name string) string { return strings.TrimPrefix(n.path+"."+name, ".") }

// Bounds on what one row may report as unknown, since names come from outside.
const (
	maxUnknown     = 64
	maxUnknownName = 128
)

// Record makes a record of a row: base says where and when it was received, ids name the members that may hold its id,
// best first. A row that is not an object, or in which a name stands twice, becomes a record with an empty payload that
// says why in Malformed; it is for the normalizer to reject.
func (r *Redactor) Record(base schema.Record, row Value, ids ...string) schema.Record {
	w := r.writers.Get().(*writer) // the pool holds nothing else
	defer r.writers.Put(w)
	from := w.begin(row)
	w.row = row.row.begin(r.root, row)
	if row.Kind() == Object {
		w.object(r.root, row)
	} else {
		w.fail("the row is not an object but " + row.Kind().String())
	}
	base.Unknown, base.Malformed = w.unknown, w.problem
	if w.problem != "" {
		w.out = append(w.out[:from], "{}"...)
		w.row.forget()
	}
	base.Payload = w.out[from:len(w.out):len(w.out)]
	w.row = nil
	for _, name := range ids {
		if id, err := row.LookupText(name); err == nil && id != "" && len(id) <= maxText {
			base.ExternalID = id
			break
		}
	}
	return base
}

// readRow is where the members stand of the row that was made a record last, so that they need not be looked for again. No name
// that has a rule stands twice in it.
type readRow struct {
	row     raw.Value
	root    *node
	members []raw.Value // by the number of their rule
}

func (r *readRow) begin(root *node, row Value) *readRow {
	if r == nil {
		r = new(readRow)
	}
	r.row, r.root = row.Value, root
	r.members = append(r.members[:0], make([]raw.Value, len(root.members))...)
	return r
}

func (r *readRow) forget() { r.row = raw.Value{} }

// find is a member of the row; false where another value is asked, or for a name without a rule.
func (r *readRow) find(v raw.Value, name string) (raw.Value, bool) {
	if r == nil || r.row != v {
		return raw.Value{}, false
	}
	n := r.root.members[name]
	if n == nil {
		return raw.Value{}, false
	}
	return r.members[n.number], true
}

// Payloads are written one behind the other into pieces of memory of this size; a longer one has a piece of its own.
const pieceSize = 16 << 10

type writer struct {
	out     []byte // payloads, never written again; the last is being written
	unknown []string
	problem string
	row     *readRow
	follow  [][]*node // by index of an object, then 1 + number of a member: the member that came after it the last time
}

// begin forgets the row before, and says where the payload of this one begins.
func (w *writer) begin(row Value) (from int) {
	if size := min(len(row.Bytes()), pieceSize); cap(w.out)-len(w.out) < size {
		w.out = make([]byte, 0, pieceSize)
	}
	w.unknown, w.problem = nil, ""
	return len(w.out)
}

func (w *writer) fail(problem string) {
	if w.problem == "" {
		w.problem = problem
	}
}

// write copies what the rules keep of a value and says whether it wrote anything.
func (w *writer) write(n *node, v Value) bool {
	switch kind := v.Kind(); {
	case n.rule == drop:
		return false
	case kind == Null:
		w.out = append(w.out, "null"...)
	case kind == Object && n.members != nil:
		w.object(n, v)
	case kind == Array && n.element != nil:
		w.array(n.element, v)
	case kind == Object:
		return w.drift(n.path + "{}")
	case kind == Array:
		return w.drift(n.path + "[]")
	case n.rule == exact && len(v.Bytes()) <= maxText && (v.ASCII() || utf8.Valid(v.Bytes())):
		w.out = append(w.out, v.Bytes()...)
	case n.rule == text:
		w.text(v)
	default: // a scalar where an object or an array should stand, or an id too long to be one
		return w.drift(n.path)
	}
	return true
}

func (w *writer) object(n *node, v Value) {
	var known [maxMembers / 64]uint64 // which members were seen, by their number
	var other map[string]bool
	w.out = append(w.out, '{')
	follow, last := w.follow[n.index], 0
	if follow == nil {
		follow = make([]*node, 1+len(n.members))
		w.follow[n.index] = follow
	}
	empty := true
	for m := range v.Inside() {
		next := follow[last]
		if name := m.NameBytes(); next == nil || next.name != string(name) {
			if next = n.members[string(name)]; next != nil {
				follow[last] = next
			}
		}
		if next == nil {
			name := m.Name()
			if other[name] {
				w.fail("the field " + safeName(n.below(name)) + " stands twice")
				return
			}
			if other == nil {
				other = map[string]bool{}
			}
			other[name] = true
			w.drift(n.below(name))
			continue
		}
		last = 1 + next.number
		word, bit := &known[next.number/64], uint64(1)<<(next.number%64)
		if *word&bit != 0 {
			w.fail("the field " + next.path + " stands twice")
			return
		}
		*word |= bit
		if n == w.row.root {
			w.row.members[next.number] = m
		}
		mark := len(w.out)
		if !empty {
			w.out = append(w.out, ',')
		}
		w.out = append(w.out, next.written...)
		if w.write(next, Value{Value: m}) {
			empty = false
		} else {
			w.out = w.out[:mark]
		}
	}
	w.out = append(w.out, '}')
}

// array keeps the place of an element that is dropped with a null.
func (w *writer) array(n *node, v Value) {
	w.out = append(w.out, '[')
	first := true
	for item := range v.Inside() {
		if !first {
			w.out = append(w.out, ',')
		}
		first = false
		if !w.write(n, Value{Value: item}) {
			w.out = append(w.out, "null"...)
		}
	}
	w.out = append(w.out, ']')
}

// text writes a scalar of free text: masked, bounded, and unchanged where neither was needed.
func (w *writer) text(v Value) {
	if b := v.Bytes(); len(b) <= maxText && v.ASCII() && fewDigits(b) {
		w.out = append(w.out, b...)
		return
	}
	s, isString := v.Text()
	if !isString {
		s = v.Literal()
	}
	safe := bound(s)
	if safe == s && utf8.Valid(v.Bytes()) {
		w.out = append(w.out, v.Bytes()...)
		return
	}
	quoted, err := json.Marshal(safe)
	if err != nil {
		quoted = []byte(`""`)
	}
	w.out = append(w.out, quoted...)
}

// bound masks text and cuts it at maxText. Masking shortens text by less than half, so nothing beyond eight times that
// length can come into what is kept; the last mask is for digits that end in a card number only since the cut.
func bound(s string) string {
	if len(s) <= maxText {
		return Mask(s)
	}
	return Mask(cut(Mask(cut(s, 8*maxText)), maxText))
}

// drift reports a path that no list names, or where another kind of value stands than the lists expect.
func (w *writer) drift(path string) bool {
	if path = safeName(path); len(w.unknown) < maxUnknown && !slices.Contains(w.unknown, path) {
		w.unknown = append(w.unknown, path)
	}
	return false
}

func safeName(s string) string {
	return message(cut(s, maxUnknownName), Secret{})
}
