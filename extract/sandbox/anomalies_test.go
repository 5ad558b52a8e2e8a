package sandbox

import (
	"errors"
	"testing"
	"time"
)

func TestPlant(t *testing.T) {
	t.Run("AddsTheLineThatItIsNamedAfter", func(t *testing.T) {
		n := 0
		for c := range seeds {
			if n++; n > 6 {
				break
			}
			w := New(c)
			for _, name := range Anomalies() {
				before := len(w.Answers())
				added, err := w.Plant(name)
				if err != nil {
					t.Errorf("seed %d, %s: %v", c.Seed, name, err)
				}
				if len(added) == 0 || len(w.Answers())-before != len(added) {
					t.Errorf("seed %d, %s: %d lines added, %d before and %d after", c.Seed, name, len(added), before, len(w.Answers()))
				}
				for _, a := range added {
					if a.Reason != name {
						t.Errorf("seed %d, %s: %+v", c.Seed, name, a)
					}
				}
				if err := w.Advance(35 * time.Minute); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	t.Run("KnowsEveryReason", func(t *testing.T) {
		if n := len(Anomalies()); n != 4+5+8 {
			t.Errorf("%d anomalies: %v", n, Anomalies())
		}
	})
	t.Run("RefusesOtherNames", func(t *testing.T) {
		w := New(Config{Seed: 1})
		if _, err := w.Plant("bad-luck"); !errors.Is(err, ErrAnomaly) {
			t.Errorf("%v", err)
		}
	})
}
