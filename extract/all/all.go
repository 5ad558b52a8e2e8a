// Package all is the list of issuers.
package all

import (
	"fmt"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/bill"
	"github.com/tieout/tieout/extract/bitnob"
	"github.com/tieout/tieout/extract/slash"
	"github.com/tieout/tieout/extract/whop"
	"github.com/tieout/tieout/schema"
)

// Config says how to read one source.
type Config = extract.Config

// List lists the issuers, in the order of schema.Providers.
func List() []extract.Issuer {
	return []extract.Issuer{bill.Issuer(), slash.Issuer(), whop.Issuer(), bitnob.Issuer()}
}

// New makes the extractor of a source. It connects to nothing.
func New(p schema.Provider, c Config) (extract.Extractor, error) {
	for _, issuer := range List() {
		if issuer.Provider == p {
			return issuer.New(c)
		}
	}
	return nil, fmt.Errorf("source %s: unknown provider %q", c.Source, p)
}
