package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Decide stores what people decided about findings as one run, in one transaction. Where nothing would change there is no
// run, and the returned one is zero. With whole, one refused decision keeps all of them from being stored.
func (p *Pipeline) Decide(ctx context.Context, decisions []schema.Decision, whole bool) (schema.Run, []ledger.Decided, error) {
	judged, err := p.Ledger.Judge(ctx, decisions)
	if err != nil {
		return schema.Run{}, nil, err
	}
	changes, refused := 0, 0
	for _, d := range judged {
		if d.Changed {
			changes++
		}
		if d.Refused != "" {
			refused++
		}
	}
	if changes == 0 || whole && refused > 0 {
		return schema.Run{}, judged, nil
	}
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.ReviewRun, schema.Window{}))
	if err != nil {
		return run, nil, fmt.Errorf("start review: %w", err)
	}
	decided, decideErr := p.Ledger.Decide(ctx, run.ID, decisions)
	run.Status = schema.Complete
	if decideErr != nil {
		run.Status, run.Error = schema.FailedRun, decideErr.Error()
	}
	run, err = p.Ledger.FinishRun(context.WithoutCancel(ctx), run)
	if err != nil {
		return run, decided, errors.Join(decideErr, fmt.Errorf("finish review %d: %w", run.ID, err))
	}
	return run, decided, decideErr
}
