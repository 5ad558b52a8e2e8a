package sandbox

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"

	"github.com/tieout/tieout/schema"
)

// replay is what a request with an idempotency key was and what came of it.
type replay struct {
	at     instant
	sum    [32]byte // of method, path and body
	answer response
}

// idempotency is the header by which a provider knows a write that is sent again, how long it does, and the header that
// marks the answer then. Bitnob has none: there the reference does it (Whop docs: Idempotency; Slash docs: Introduction).
func idempotency(p schema.Provider) (header string, lasts instant, mark string) {
	switch p {
	case schema.Whop:
		return "Idempotency-Key", day, "Idempotent-Replayed"
	case schema.Slash:
		return "X-Idempotency-Key", day, ""
	}
	return "", 0, ""
}

// once does what a request asks for, unless its idempotency key says that it was done already: then the answer is the same
// again. The same key with another request is a conflict. Refusals are not remembered.
func (w *World) once(p schema.Provider, r *http.Request, do func() response) response {
	header, lasts, mark := idempotency(p)
	key := ""
	if header != "" {
		key = r.Header.Get(header)
	}
	if key == "" || r.Method == http.MethodGet {
		return do()
	}
	if len(key) > 255 {
		return w.refuse(p, bad(header+" must not be longer than 255 characters."))
	}
	body, _ := io.ReadAll(r.Body) // of memory
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s", r.Method, r.URL.Path, body))
	key = string(p) + " " + key
	if before, ok := w.replays[key]; ok && w.now-before.at < lasts {
		if before.sum != sum {
			return w.refuse(p, &problem{status: http.StatusConflict, message: "The idempotency key was used for another request."})
		}
		again := before.answer
		again.header = again.header.Clone()
		if mark != "" {
			again.header.Set(mark, "true")
		}
		return again
	}
	answer := do()
	if answer.status < http.StatusMultipleChoices {
		w.replays[key] = replay{w.now, sum, answer}
	}
	return answer
}
