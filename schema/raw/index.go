package raw

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
)

// Bounds. The depth is that of encoding/json; a page of 32 MiB with as many rows as are allowed has fewer values.
const (
	maxDepth  = 10_000
	maxValues = 1 << 21
	maxSpare  = 1 << 16 // values whose memory is kept for the next text
	usualSize = 16      // bytes of a value with its name, rather too few
)

// index notes all values of the text. It goes through the text once, and not by recursion.
func (d *Document) index() error {
	if d.nodes == nil {
		d.nodes = make([]node, 0, min(len(d.text)/usualSize+1, maxSpare))
	}
	text, nodes := d.text, d.nodes[:0]
	defer func() { d.nodes = nodes }()
	around, inObject := int32(-1), false // the array or object that is open; its next is the one around it
	i := blank(text, 0)
	for depth := 0; ; {
		var one node
		if inObject {
			one.name = uint32(i)
			if i, one.oddName = quoted(text, i); i < 0 {
				return d.fault()
			}
			one.nameEnd = uint32(i)
			if i = blank(text, i); i >= len(text) || text[i] != ':' {
				return d.fault()
			}
			i = blank(text, i+1)
		}
		if i >= len(text) {
			return d.fault()
		}
		if len(nodes) == maxValues {
			return ErrTooMany
		}
		one.start = uint32(i)
		switch open := text[i]; open {
		case '{', '[':
			if depth++; depth > maxDepth {
				return d.fault()
			}
			if one.kind = Array; open == '{' {
				one.kind = Object
			}
			one.next, around, inObject = around, int32(len(nodes)), open == '{'
			nodes = append(nodes, one)
			if i = blank(text, i+1); i >= len(text) || text[i] != open+2 {
				continue
			}
		default:
			if i, one.kind, one.odd = scalar(text, i); i < 0 {
				return d.fault()
			}
			one.end, one.next = uint32(i), int32(len(nodes))+1
			nodes = append(nodes, one)
			i = blank(text, i)
		}
		for around >= 0 && i < len(text) && text[i] == text[nodes[around].start]+2 { // "}" is "{" plus two, "]" is "[" plus two
			closed := &nodes[around]
			closed.end, closed.next, around = uint32(i)+1, int32(len(nodes)), closed.next
			inObject = around >= 0 && nodes[around].kind == Object
			depth--
			i = blank(text, i+1)
		}
		switch {
		case around < 0 && i == len(text):
			return nil
		case around < 0 || i >= len(text) || text[i] != ',':
			return d.fault()
		}
		i = blank(text, i+1)
	}
}

// fault asks encoding/json what is wrong with the text.
func (d *Document) fault() error {
	if err := json.Unmarshal(d.text, new(json.RawMessage)); err != nil {
		return err
	}
	return errors.New("not JSON")
}

// blank is the first place from i on that is not white space.
func blank(text []byte, i int) int {
	for i < len(text) && text[i] <= ' ' && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// scalar is the end of the string, number or word that begins at i; negative: there is none.
func scalar(text []byte, i int) (end int, kind Kind, odd bool) {
	switch text[i] {
	case '"':
		end, odd = quoted(text, i)
		return end, String, odd
	case 't':
		return word(text, i, "true"), Boolean, false
	case 'f':
		return word(text, i, "false"), Boolean, false
	case 'n':
		return word(text, i, "null"), Null, false
	}
	return number(text, i), Number, false
}

func word(text []byte, i int, word string) int {
	if end := i + len(word); end <= len(text) && string(text[i:end]) == word {
		return end
	}
	return -1
}

func number(text []byte, i int) int {
	if text[i] == '-' {
		i++
	}
	switch {
	case i < len(text) && text[i] == '0':
		i++
	default:
		if i = digits(text, i); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i] == '.' {
		if i = digits(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return digits(text, i)
	}
	return i
}

// digits is the end of the digits that begin at i; negative: there are none.
func digits(text []byte, i int) int {
	from := i
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == from {
		return -1
	}
	return i
}

// quoted is the end of the string that begins at i, and whether it has escapes or bytes beyond ASCII; negative: there is none.
func quoted(text []byte, i int) (end int, odd bool) {
	if i >= len(text) || text[i] != '"' {
		return -1, false
	}
	for i = usual(text, i+1); i < len(text); i = usual(text, i) {
		switch c := text[i]; {
		case c == '"':
			return i + 1, odd
		case c == '\\':
			if i = escape(text, i+1); i < 0 {
				return -1, false
			}
			odd = true
		case c < ' ':
			return -1, false
		default:
			odd = odd || c >= 0x80
			i++
		}
	}
	return -1, false
}

// usual skips bytes, eight at a time, that are plain ASCII within a string. In each byte of a word the highest bit is free, so
// that one subtraction finds all bytes below a bound; a borrow can only spoil bytes behind the first that is found.
func usual(text []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		quote, slash := w^ones*'"', w^ones*'\\'
		if found := (w | (w - ones*' ') | (quote - ones) | (slash - ones)) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return i
}

// escape is the end of the escape whose letter stands at i; negative: there is none.
func escape(text []byte, i int) int {
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		end := i + 5
		if end > len(text) {
			return -1
		}
		for _, c := range text[i+1 : end] {
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return -1
			}
		}
		return end
	}
	return -1
}
