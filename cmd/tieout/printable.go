package main

import (
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printable is where everything that the program prints goes through. Merchants choose their own names and issuers pass
// them on: a name must not move the cursor, colour the line or turn it around. What could do so is written as \u and four
// hexadecimal digits, which is also what JSON means by the character, so that a program reads what was there.
type printable struct {
	to   io.Writer
	rest []byte // the beginning of a character that the next Write ends
}

// Write always takes all of p; its error is the underlying writer's.
func (w *printable) Write(p []byte) (int, error) {
	text := slices.Concat(w.rest, p)
	w.rest = nil
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		if !utf8.FullRune(text) {
			w.rest = append(w.rest, text...)
			break
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			out = append(out, `\ufffd`...)
		case harmless(r):
			out = append(out, text[:n]...)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
		text = text[n:]
	}
	if _, err := w.to.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// harmless says whether a terminal only shows the character.
func harmless(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return true
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.In(r, unicode.Zl, unicode.Zp):
		return false
	}
	return true
}
