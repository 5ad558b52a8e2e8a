package transport

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// readOnly lets nothing pass but GET requests to the base URL's own origin: no write to an issuer, and no credential to
// another host, whatever the code above it does.
func readOnly(next http.RoundTripper, base *url.URL) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet {
			return nil, &permanentError{fmt.Errorf("refused: %s is not a read", req.Method)}
		}
		if req.URL.Scheme != base.Scheme || req.URL.Host != base.Host {
			return nil, &permanentError{fmt.Errorf("refused: %s is not the source's own server", req.URL.Host)}
		}
		return next.RoundTrip(req)
	})
}

// withHeader adds the source's headers, the credential among them.
func withHeader(next http.RoundTripper, header http.Header) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		maps.Copy(req.Header, header)
		return next.RoundTrip(req)
	})
}

// bounded ends the read of a body with ErrTooLarge where it exceeds limit bytes. It stands outside http.Transport, so it
// counts what is left after decompression.
func bounded(next http.RoundTripper, limit int64) http.RoundTripper {
	return roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body = &boundedBody{ReadCloser: resp.Body, left: limit, limit: limit}
		return resp, nil
	})
}

type boundedBody struct {
	io.ReadCloser
	left, limit int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, b.limit)
	}
	return n, err
}

// readAll is io.ReadAll that reads into memory it is given, as far as that reaches, and beyond that holds no byte twice until
// all are there: a page that is too large costs its bound and no more. The length is what the server says, or -1.
func readAll(r io.Reader, length int64, into []byte) ([]byte, error) {
	const least, most = 4 << 10, 1 << 20
	var full [][]byte
	part := into[:0]
	if int64(cap(part)) <= length && length < most { // the end is seen with one byte to spare
		part = make([]byte, 0, length+least)
	}
	for {
		if len(part) == cap(part) {
			if len(part) > 0 {
				full = append(full, part)
			}
			part = make([]byte, 0, min(max(2*cap(part), least), most))
		}
		n, err := r.Read(part[len(part):cap(part)])
		part = part[:len(part)+n]
		switch {
		case err == io.EOF && len(full) == 0:
			return part, nil
		case err == io.EOF:
			return slices.Concat(append(full, part)...), nil
		case err != nil:
			return nil, err
		}
	}
}
