package transport

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const masked = "[masked]"

// The fewest digits of a card number.
const minCard = 13

// The most bytes of UTF-8 that a free text keeps; a longer one is cut there and ends with an ellipsis.
const maxText = 4096

// Mask replaces card numbers in free text by "[masked]". A card number is 13 to 19 digits that pass the Luhn check, with
// spaces and dashes of any kind between the digits. It must begin and end where its digits do; digits glued to others
// count only where they also have the length and the first digits of a large card network, since one in ten numbers
// passes Luhn by chance.
func Mask(s string) string {
	if fewDigits(s) {
		return s
	}
	var out strings.Builder
	for len(s) > 0 {
		start := strings.IndexFunc(s, digit)
		if start < 0 {
			break
		}
		out.WriteString(s[:start])
		s = s[start:]
		run := digitRun(s)
		maskRun(&out, s[:run.end], run)
		s = s[run.end:]
	}
	out.WriteString(s)
	return out.String()
}

// fewDigits says whether there are nowhere enough digits for a card number; what is not ASCII may separate them.
func fewDigits[T string | []byte](text T) bool {
	n := 0
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			if n++; n == minCard {
				return false
			}
		case c > ' ' && c != '-' && c < utf8.RuneSelf:
			n = 0
		}
	}
	return true
}

func digit(r rune) bool { return '0' <= r && r <= '9' }

func separator(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || unicode.Is(unicode.Cf, r)
}

// run is a stretch of digits with separators between them.
type run struct {
	digits []byte // their values, 0 to 9
	at     []int  // where each stands
	end    int
}

func digitRun(s string) run {
	var r run
	for i, c := range s {
		switch {
		case digit(c):
			r.digits = append(r.digits, byte(c-'0'))
			r.at = append(r.at, i)
			r.end = i + 1
		case !separator(c) || i-r.end > 8: // a longer gap separates two numbers
			return r
		}
	}
	return r
}

func maskRun(out *strings.Builder, s string, r run) {
	from := 0
	for i, n := range r.cards() {
		if n == 0 {
			continue
		}
		out.WriteString(s[from:r.at[i]])
		out.WriteString(masked)
		from = r.at[i+n-1] + 1
	}
	out.WriteString(s[from:])
}

// cards gives for each digit the number of digits of the card number that starts there, else 0. Numbers that stand by
// themselves go first, so that a date before a card number does not take its first digits. What is left beside a card
// number stands by itself too.
func (r run) cards() []int {
	length := make([]int, len(r.digits))
	taken := make([]bool, len(r.digits))
	free := func(i, n int) bool { return luhn(r.digits[i:i+n]) && !slices.Contains(taken[i:i+n], true) }
	alone := func(i, n int) bool {
		return (i == 0 || taken[i-1] || r.at[i] > r.at[i-1]+1) &&
			(i+n == len(r.digits) || taken[i+n] || r.at[i+n] > r.at[i+n-1]+1)
	}
	take := func(i, n int) {
		for n > 0 {
			length[i] = n
			for k := range n {
				taken[i+k] = true
			}
			for n = min(19, i); n >= minCard && !(alone(i-n, n) && free(i-n, n)); n-- {
			}
			if n < minCard {
				return
			}
			i -= n
		}
	}
	for _, glued := range []bool{false, true} {
		for i := range r.digits {
			for n := min(19, len(r.digits)-i); n >= minCard; n-- {
				if (alone(i, n) || glued && r.network(i, n)) && free(i, n) {
					take(i, n)
					break
				}
			}
		}
	}
	return length
}

// network says whether n digits from i have the length and prefix of Visa, Mastercard, American Express or Discover.
func (r run) network(i, n int) bool {
	d := r.digits[i : i+n]
	prefix := int(d[0])*1000 + int(d[1])*100 + int(d[2])*10 + int(d[3])
	switch n {
	case 15:
		return prefix/100 == 34 || prefix/100 == 37
	case 16:
		return d[0] == 4 || 5100 <= prefix && prefix < 5600 || 2221 <= prefix && prefix <= 2720 ||
			prefix == 6011 || prefix/100 == 65
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for i, v := range d {
		n := int(v)
		if (len(d)-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// cut shortens text to at most limit bytes, between two runes, and marks the cut with an ellipsis.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

var email = regexp.MustCompile(`[\w.+%-]+@[\w-]+(?:\.[\w-]+)+`)

// message makes text of an error body safe to print: one line, bounded, without card numbers, e-mail addresses and the
// credential itself.
func message(s string, credential Secret) string {
	if !credential.Empty() {
		s = strings.ReplaceAll(s, credential.Reveal(), redacted)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, cut(s, maxText))
	return Mask(cut(strings.TrimSpace(Mask(email.ReplaceAllString(s, masked))), 300))
}
