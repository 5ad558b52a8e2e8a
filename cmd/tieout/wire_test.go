package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema/ledger"
)

// TestPace_OfSourcesWithOneCredentialIsTheSlowest has two sources of Slash with one key, the second of which is slower.
func TestPace_OfSourcesWithOneCredentialIsTheSlowest(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 1, Transactions: 20}, nil)
	s.edit(t, "sources:", "sources:\n  - {name: slash-slow, provider: slash, base_url: '"+s.url+s.world.BasePath("slash")+"', credential: {file: slash.key}, requests_per_second: 0.5}")
	c, err := loadOne(filepath.Join(s.dir, "tieout.yaml"), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	a := &app{now: func() time.Time { return testNow }, elapsed: func() time.Duration { return 0 }}
	p, err := a.newPipeline(c, new(ledger.Ledger))
	if err != nil {
		t.Fatal(err)
	}
	paced := map[string]time.Duration{}
	for _, source := range p.Sources {
		if source.Provider == "slash" {
			paced[source.Name] = source.Pace
		}
	}
	if len(paced) != 2 || paced["slash-slow"] != 2*time.Second || paced["slash-main"] != 2*time.Second {
		t.Errorf("%v", paced)
	}
}
