package transport

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func TestBudget(t *testing.T) {
	t.Run("OfRequestsCountsEveryAttempt", func(t *testing.T) {
		srv, n := script(t, status(503, ""), status(200, `{}`))
		cfg := config(srv.URL, new(waits))
		cfg.MaxRequests = 3
		c := client(t, cfg)
		for range 2 { // the first takes two
			if _, err := get(t, c); err != nil {
				t.Fatal(err)
			}
		}
		_, err := get(t, c)
		if !errors.Is(err, ErrSpent) || !strings.Contains(err.Error(), "3 requests (max_requests)") || n.Load() != 3 {
			t.Errorf("%d requests, then %v", n.Load(), err)
		}
	})
	t.Run("OfTimeBeginsWithTheFirstRequest", func(t *testing.T) {
		srv, n := script(t, status(200, `{}`))
		cfg := config(srv.URL, new(waits))
		clock := time.Hour
		cfg.MaxTime, cfg.Elapsed = time.Minute, func() time.Duration { return clock }
		c := client(t, cfg)
		for _, at := range []time.Duration{0, 59 * time.Second} {
			clock = 2*time.Hour + at
			if _, err := get(t, c); err != nil {
				t.Fatal(err)
			}
		}
		clock += time.Second
		if _, err := get(t, c); !errors.Is(err, ErrSpent) || !strings.Contains(err.Error(), "1m0s (max_minutes)") || n.Load() != 2 {
			t.Errorf("%d requests, then %v", n.Load(), err)
		}
	})
	t.Run("OfTimeNeedsAClock", func(t *testing.T) {
		cfg := config("https://api.example.com", new(waits))
		cfg.MaxTime = time.Minute
		if _, err := New(cfg); err == nil {
			t.Error("made")
		}
	})
}

func TestPace_SlowsDownWhenToldSoAndComesBack(t *testing.T) {
	srv, _ := script(t, status(429, ""), status(429, ""), status(429, ""), status(429, ""), status(429, ""), status(200, `{}`))
	cfg := config(srv.URL, new(waits))
	cfg.RequestsPerSecond = 1000
	c := client(t, cfg)
	if _, err := get(t, c); err != nil {
		t.Fatal(err)
	}
	// Five refusals would halve it to a 32nd, but it stays at an eighth; the answer brings back a hundredth.
	if got, want := c.pace.limiter.Limit(), rate.Limit(1000.0/8+10); got != want {
		t.Errorf("%v a second, want %v", got, want)
	}
	for range 100 {
		if _, err := get(t, c); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.pace.limiter.Limit(); got != 1000 {
		t.Errorf("%v a second after a hundred answers", got)
	}
}

func TestPace_IsSharedByTheClientsOfACredential(t *testing.T) {
	srv, _ := script(t, status(200, `{}`))
	var w waits
	cfg := config(srv.URL, &w)
	cfg.Pace = NewPace(1.0 / 60)
	for n := range 3 {
		if _, err := get(t, client(t, cfg)); err != nil {
			t.Fatal(err)
		}
		if len(w.list) != n {
			t.Fatalf("%d requests, and waited %d times", n+1, len(w.list))
		}
	}
	if last := w.list[1]; last < time.Minute || last > 2*time.Minute {
		t.Errorf("the third waited %s", last)
	}
}

func TestPace_AtMostIsTheSlowest(t *testing.T) {
	p := NewPace(4)
	for _, c := range []struct{ most, want float64 }{{5, 4}, {1, 1}, {2, 1}} {
		p.AtMost(c.most)
		if p.PerSecond() != c.want || float64(p.limiter.Limit()) != c.want {
			t.Errorf("at most %v: %v a second, and %v now", c.most, p.PerSecond(), p.limiter.Limit())
		}
	}
	p.slower()
	p.AtMost(0.9)
	for range 1000 {
		p.faster()
	}
	if got := float64(p.limiter.Limit()); got != 0.9 {
		t.Errorf("it came back to %v a second", got)
	}
}
