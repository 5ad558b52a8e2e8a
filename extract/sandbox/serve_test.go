package sandbox

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

func TestServe(t *testing.T) {
	w := New(Config{Seed: 1, Cards: 4, Transactions: 10})

	t.Run("EndsWithClose", func(t *testing.T) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		s, err := Serve(t.Context(), "127.0.0.1:0", w)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Get(s.URL + "/slash/card")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("status %d, want 401", response.StatusCode)
		}
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("RefusesOtherMachines", func(t *testing.T) {
		for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.com:80", "8700"} {
			if s, err := Serve(t.Context(), addr, w); err == nil {
				t.Errorf("%s is served", addr)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
