package raw

import "errors"

// ErrTwice is a name that stands twice in an object.
var ErrTwice = errors.New("a member name stands in it twice")

// Members finds the members of one object by name. The zero Members has none. Names that are made to collide would make it slow:
// it is for objects whose names are bounded in number, as those of redacted payloads are.
type Members struct {
	document *Document
	slots    []int32 // open addressing: nodes of members, 0 is free
}

// Of makes m the members of an object, in the memory that m has; of every other kind there are none. An error is ErrTwice.
func (m *Members) Of(v Value) error {
	m.document, m.slots = v.document, m.slots[:0]
	if v.Kind() != Object {
		return nil
	}
	size, n := 8, 0
	for range v.Inside() {
		if n++; size < 2*n {
			size *= 2
		}
	}
	m.slots = append(m.slots, make([]int32, size)...)
	for member := range v.Inside() {
		slot := find(m, member.NameBytes())
		if *slot != 0 {
			return ErrTwice
		}
		*slot = member.at
	}
	return nil
}

// Get is a member; absent where none has the name.
func (m *Members) Get(name string) Value {
	if len(m.slots) == 0 {
		return Value{}
	}
	if at := *find(m, name); at != 0 {
		return Value{m.document, at}
	}
	return Value{}
}

// find is the slot of a name: the one that holds it, else the free one where it belongs.
func find[T string | []byte](m *Members, name T) *int32 {
	hash := len(name)
	if hash > 0 {
		hash += 7*int(name[0]) + 31*int(name[hash-1]) + 131*int(name[hash/2])
	}
	nodes, text := m.document.nodes, m.document.text
	for mask := len(m.slots) - 1; ; hash++ {
		slot := &m.slots[hash&mask]
		if *slot == 0 {
			return slot
		}
		n := &nodes[*slot]
		if int(n.nameEnd-n.name)-2 == len(name) && !n.oddName && string(text[n.name+1:n.nameEnd-1]) == string(name) ||
			n.oddName && (Value{m.document, *slot}).Name() == string(name) {
			return slot
		}
	}
}
