package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// All that speaks HTTP is here. It speaks to this machine only.

// serve serves a company until its input ends, which it does with the process that started it, and says where on the line that it
// prints.
func serve(ctx context.Context, c company, stdin io.Reader, stdout io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{Handler: newServer(c), ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		_ = s.Close() // the process ends then
	}()
	fmt.Fprintf(stdout, "http://%s\n", listener.Addr())
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := s.answer(r.URL)
	if body == nil {
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the client may be gone
}

// kept answers requests from memory, once it has been asked the same.
type kept struct {
	server *server
	bodies map[string][]byte
}

func (k kept) RoundTrip(r *http.Request) (*http.Response, error) {
	key := r.URL.RequestURI()
	body, ok := k.bodies[key]
	if !ok {
		body = k.server.answer(r.URL)
		k.bodies[key] = body
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}

// plainClient reads pages as plain programs do.
type plainClient struct{ http.Client }

func newPlainClient() *plainClient { return &plainClient{http.Client{Transport: &http.Transport{}}} }

func (c *plainClient) get(ctx context.Context, url string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := c.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	return errors.Join(err, answer.Body.Close(), json.Unmarshal(body, into))
}

// transportBase is what sends the requests of an extractor.
type transportBase = http.RoundTripper
