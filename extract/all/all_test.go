package all_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

func clock() time.Time { return time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC) }

func TestNew(t *testing.T) {
	for _, p := range schema.Providers() {
		t.Run("KnowsDefaultsOf/"+string(p), func(t *testing.T) {
			c := all.Config{Source: "s", Credential: transport.NewSecret("sk-test-0001"), Now: clock}
			if p == schema.Whop {
				c.AccountID = "biz_1"
			}
			x, err := all.New(p, c)
			if err != nil {
				t.Fatal(err)
			}
			streams := x.Streams()
			if streams[0] != schema.Cards || len(streams) < 2 {
				t.Errorf("streams %q", streams)
			}
		})
	}
	for fact, c := range map[string]struct {
		p    schema.Provider
		c    all.Config
		want string
	}{
		"AnUnknownProvider": {"acme", all.Config{Source: "s", Credential: transport.NewSecret("x"), Now: clock}, `source s: unknown provider "acme"`},
		"NoCredential":      {schema.Bill, all.Config{Source: "s", Now: clock}, "source s: the credential is empty"},
		"NoClock":           {schema.Slash, all.Config{Source: "s", Credential: transport.NewSecret("x")}, "source s: no clock given"},
		"NoSource":          {schema.Slash, all.Config{Credential: transport.NewSecret("x"), Now: clock}, "source : no source name given"},
		"PlainHTTP":         {schema.Bitnob, all.Config{Source: "s", Credential: transport.NewSecret("x"), Now: clock, BaseURL: "http://api.example.com"}, "source s: bad base URL"},
		"ANegativePageSize": {schema.Bill, all.Config{Source: "s", Credential: transport.NewSecret("x"), Now: clock, PageSize: -1}, "source s: the page size is negative"},
		"ANegativePace":     {schema.Bill, all.Config{Source: "s", Credential: transport.NewSecret("x"), Now: clock, RequestsPerSecond: -1}, "is not positive"},
	} {
		t.Run("Refuses"+fact, func(t *testing.T) {
			if _, err := all.New(c.p, c.c); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestList(t *testing.T) {
	for i, issuer := range all.List() {
		if issuer.Provider != schema.Providers()[i] {
			t.Errorf("%d is %s", i, issuer.Provider)
		}
		if !strings.HasPrefix(issuer.BaseURL, "https://") || issuer.RequestsPerSecond <= 0 || issuer.New == nil {
			t.Errorf("%s: %+v", issuer.Provider, issuer)
		}
		for stream, size := range issuer.PageSizes {
			for configured, want := range map[int]int{0: size, 7: 7, 10_000: size} {
				if got := issuer.Size(all.Config{PageSize: configured}, stream); got != want {
					t.Errorf("%s %s: page size %d of %d", issuer.Provider, stream, got, configured)
				}
			}
		}
	}
}
