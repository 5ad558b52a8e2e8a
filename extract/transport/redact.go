package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tieout/tieout/schema"
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
	members map[string]*node
	element *node // of an array
}

// Redactor keeps the wanted fields of rows.
type Redactor struct{ root *node }

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
	return &Redactor{root: root}, nil
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
			next = &node{}
			n.members[name] = next
		}
		if n = next; array {
			if n.element == nil {
				n.element = &node{}
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

// Bounds on what one row may report as unknown, since names come from outside.
const (
	maxUnknown     = 64
	maxUnknownName = 128
)

// Record makes a record of a row: base says where and when it was received, ids name the members that may hold its id,
// best first. A row that is not an object, or in which a name stands twice, becomes a record with an empty payload that
// says why in Malformed; it is for the normalizer to reject.
func (r *Redactor) Record(base schema.Record, row Value, ids ...string) schema.Record {
	for _, name := range ids {
		if id, err := row.LookupText(name); err == nil && id != "" && len(id) <= maxText {
			base.ExternalID = id
			break
		}
	}
	var w writer
	if row.Kind() == Object {
		w.object(r.root, row, "")
	} else {
		w.fail("the row is not an object but " + string(row.Kind()))
	}
	base.Payload, base.Unknown, base.Malformed = w.out.Bytes(), w.unknown, w.problem
	if w.problem != "" {
		base.Payload = json.RawMessage("{}")
	}
	return base
}

type writer struct {
	out     bytes.Buffer
	unknown []string
	problem string
}

func (w *writer) fail(problem string) {
	if w.problem == "" {
		w.problem = problem
	}
}

// write copies what the rules keep of a value and says whether it wrote anything.
func (w *writer) write(n *node, v Value, path string) bool {
	switch kind := v.Kind(); {
	case n.rule == drop:
		return false
	case kind == Null:
		w.out.WriteString("null")
	case kind == Object && n.members != nil:
		w.object(n, v, path)
	case kind == Array && n.element != nil:
		w.array(n.element, v, path+"[]")
	case kind == Object:
		return w.drift(path + "{}")
	case kind == Array:
		return w.drift(path + "[]")
	case n.rule == exact && len(v) <= maxText && utf8.Valid(v):
		w.out.Write(v)
	case n.rule == text:
		w.text(v)
	default: // a scalar where an object or an array should stand, or an id too long to be one
		return w.drift(path)
	}
	return true
}

func (w *writer) object(n *node, v Value, path string) {
	seen := make(map[string]bool, len(n.members))
	w.out.WriteByte('{')
	empty := true
	for name, member := range v.Members() {
		at := strings.TrimPrefix(path+"."+name, ".")
		if seen[name] {
			w.fail("the field " + safeName(at) + " stands twice")
			return
		}
		seen[name] = true
		next := n.members[name]
		if next == nil {
			w.drift(at)
			continue
		}
		mark := w.out.Len()
		if !empty {
			w.out.WriteByte(',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			w.fail("the field " + safeName(at) + " has an unreadable name")
			return
		}
		w.out.Write(quoted)
		w.out.WriteByte(':')
		if w.write(next, member, at) {
			empty = false
		} else {
			w.out.Truncate(mark)
		}
	}
	w.out.WriteByte('}')
}

// array keeps the place of an element that is dropped with a null.
func (w *writer) array(n *node, v Value, path string) {
	w.out.WriteByte('[')
	first := true
	for item := range v.Items() {
		if !first {
			w.out.WriteByte(',')
		}
		first = false
		if !w.write(n, item, path) {
			w.out.WriteString("null")
		}
	}
	w.out.WriteByte(']')
}

// text writes a scalar of free text: masked, bounded, and unchanged where neither was needed.
func (w *writer) text(v Value) {
	s, isString := v.Text()
	if !isString {
		s = string(v)
	}
	safe := bound(s)
	if safe == s && utf8.Valid(v) {
		w.out.Write(v)
		return
	}
	quoted, err := json.Marshal(safe)
	if err != nil {
		quoted = []byte(`""`)
	}
	w.out.Write(quoted)
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
