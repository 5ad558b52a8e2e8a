package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

var errTwice = errors.New("a member name stands in it twice")

// membersOf splits a JSON object that is known to be valid into its members, as they are written. encoding/json would
// take AMOUNT for amount and the last of two amounts for the only one, and it costs three times as much.
func membersOf(raw []byte) (map[string]json.RawMessage, error) {
	members := make(map[string]json.RawMessage, 32)
	for i := nextToken(raw, 1); raw[i] != '}'; i = nextToken(raw, i) {
		if raw[i] == ',' {
			i = nextToken(raw, i+1)
		}
		end := endOfValue(raw, i)
		name, _ := literal(raw[i:end])
		i = nextToken(raw, nextToken(raw, end)+1) // past the colon
		end = endOfValue(raw, i)
		if _, twice := members[name]; twice {
			return nil, errTwice
		}
		members[name] = raw[i:end]
		i = end
	}
	return members, nil
}

// nextToken is the index of the first byte from i on that is not white space.
func nextToken(raw []byte, i int) int {
	for raw[i] == ' ' || raw[i] == '\n' || raw[i] == '\t' || raw[i] == '\r' {
		i++
	}
	return i
}

// endOfValue is the index behind the value that begins at i.
func endOfValue(raw []byte, i int) int {
	for depth := 0; ; i++ {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if next := raw[i+1]; depth > 0 || (next != ',' && next != '}' && next != ']' && next > ' ') {
				continue
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
}

// literal is the text of a JSON string or number.
func literal(raw json.RawMessage) (string, bool) {
	switch kindOf(raw) {
	case "a number":
		return string(raw), true
	case "text":
		if text := raw[1 : len(raw)-1]; bytes.IndexByte(text, '\\') < 0 && utf8.Valid(text) {
			return string(text), true
		}
		var s string
		return s, json.Unmarshal(raw, &s) == nil
	}
	return "", false
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
