package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/tieout/tieout/schema"
)

// The way to a card's number is a signed token that lives five minutes, exchanged at another host (BILL docs: JWT to PAN).
// Below the sandbox's URL that host is the path /bill; it asks for no apiToken, since the token is the key.
const (
	vaultBase = "/bill"
	vaultPath = "/de/rest/pan"
	tokenLife = 5 * minute
)

// claims are what a token says: which card, and from when until when, in seconds since 1970.
type claims struct {
	Card    string `json:"sub"`
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp"`
}

// tokenHeader begins every token. There is one algorithm; whatever begins otherwise was not signed here.
const tokenHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" // {"alg":"HS256","typ":"JWT"}

// giveToken is a token that is remembered as the last one, which a reader shares with other readers.
func (w *World) giveToken(c *card) string {
	w.counting.Lock()
	defer w.counting.Unlock()
	w.token = w.panToken(c)
	return w.token
}

// lastToken is the token that was given out last.
func (w *World) lastToken() string {
	w.counting.Lock()
	defer w.counting.Unlock()
	return w.token
}

// panToken is a JWT for a card, signed with HMAC-SHA256 (RFC 7519, RFC 7515).
func (w *World) panToken(c *card) string {
	body, _ := json.Marshal(claims{Card: c.id, Issued: int64(w.now / 1000), Expires: int64((w.now + tokenLife) / 1000)}) // strings and numbers
	signed := tokenHeader + "." + base64.RawURLEncoding.EncodeToString(body)
	return signed + "." + w.signature(signed)
}

func (w *World) signature(text string) string {
	mac := hmac.New(sha256.New, []byte(w.dice("pan-jwt").code(base62, 43)))
	mac.Write([]byte(text)) // never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// vault is the other host: it exchanges a token for the number, the code and the end of the card. The names of its answer
// are not documented. What the documents write in the place of a token stands for the last one.
func (w *World) vault() map[string]answerer {
	return map[string]answerer{"POST " + vaultPath: func(r *http.Request) (any, *problem) {
		f := readForm(r)
		f.need("token")
		token := f.stands("token", w.lastToken())
		if f.fault != nil {
			return nil, f.fault
		}
		said, ok := w.readToken(token)
		c := w.books[schema.Bill].cardByID[said.Card]
		switch {
		case !ok || c == nil:
			return nil, &problem{status: http.StatusUnauthorized, message: "The token is not valid."}
		case int64(w.now/1000) >= said.Expires:
			return nil, &problem{status: http.StatusUnauthorized, message: "The token has expired."}
		}
		return object{"pan": c.pan, "cvv": c.cvv, "expirationDate": billExpiry}, nil
	}}
}

// readToken reads what a token says; false where it was not signed here.
func (w *World) readToken(token string) (said claims, ok bool) {
	end := strings.LastIndexByte(token, '.')
	if end < 0 || !hmac.Equal([]byte(token[end+1:]), []byte(w.signature(token[:end]))) {
		return claims{}, false
	}
	header, body, _ := strings.Cut(token[:end], ".")
	text, err := base64.RawURLEncoding.DecodeString(body)
	if header != tokenHeader || err != nil || json.Unmarshal(text, &said) != nil {
		return claims{}, false
	}
	return said, true
}
