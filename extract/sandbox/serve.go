package sandbox

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is a world on a port of this machine.
type Server struct {
	URL    string // without a slash at the end
	server *http.Server
	done   chan struct{}
}

// Serve serves a world on a loopback address such as 127.0.0.1:0. Any other address is refused: the sandbox hands out
// card numbers to whoever has its printed key, made up but of the real shape.
func Serve(ctx context.Context, addr string, w *World, options ...Option) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("serve sandbox (%s): not an address such as 127.0.0.1:8700: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("serve sandbox (%s): loopback addresses only", addr)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("serve sandbox (%s): %w", addr, err)
	}
	s := &Server{
		URL:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: w.Handler(options...), ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // it ends with ErrServerClosed when Close is called
	}()
	return s, nil
}

// Close drops what is in flight and waits for the server to end.
func (s *Server) Close() error {
	err := s.server.Close()
	<-s.done
	if err != nil {
		return fmt.Errorf("close sandbox: %w", err)
	}
	return nil
}
