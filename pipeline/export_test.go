package pipeline

import (
	"context"

	"github.com/tieout/tieout/schema"
)

// ChangesInReport is what a report shows of changes, to tests.
func ChangesInReport(ctx context.Context, p *Pipeline, asOf schema.Run, period schema.Window) (schema.Changes, error) {
	return p.changesInReport(ctx, asOf, period)
}
