package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// Run runs checks over a period and yields what each comes to, check by check in the order given. Checks that judge card by
// card read the entries together, so that a ledger of any size is read once for all of them. An error ends it, and names the
// check or what was read.
func Run(ctx context.Context, checks []Check, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return func(yield func(schema.Outcome, error) bool) {
		var together []accountCheck
		for _, c := range checks {
			if c, ok := c.(accountCheck); ok {
				together = append(together, c)
			}
		}
		judged, err := judgeAccounts(ctx, together, v, p)
		if err != nil {
			yield(schema.Outcome{}, fmt.Errorf("check (%s): %w", p.Window, err))
			return
		}
		for _, c := range checks {
			for _, o := range judged[c.Code()] {
				if !yield(o, nil) {
					return
				}
			}
			if _, done := c.(accountCheck); done {
				continue
			}
			for o, err := range c.Run(ctx, v, p) {
				if err != nil {
					yield(schema.Outcome{}, fmt.Errorf("check %s (%s): %w", c.Code(), p.Window, err))
					return
				}
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// accountCheck is a check that judges card by card.
type accountCheck interface {
	Check
	// judge prepares to be shown every account, by source and card.
	judge(ctx context.Context, v schema.View, p schema.Period, cards cardIndex) (accountJudge, error)
}

// accountJudge judges accounts one after the other; what it keeps of one it copies.
type accountJudge interface {
	account(a *account) ([]schema.Outcome, error)
	end() []schema.Outcome
}

// byAccount is an accountJudge that judges every account by itself.
type byAccount func(*account) ([]schema.Outcome, error)

func (f byAccount) account(a *account) ([]schema.Outcome, error) { return f(a) }
func (byAccount) end() []schema.Outcome                          { return nil }

// judgeAccounts shows every account to all checks, and returns what they come to by code.
func judgeAccounts(ctx context.Context, checks []accountCheck, v schema.View, p schema.Period) (map[schema.FindingCode][]schema.Outcome, error) {
	all := map[schema.FindingCode][]schema.Outcome{}
	if len(checks) == 0 {
		return all, nil
	}
	cards, err := readCards(ctx, v)
	if err != nil {
		return nil, err
	}
	judges := make([]accountJudge, len(checks))
	for i, c := range checks {
		if judges[i], err = c.judge(ctx, v, p, cards); err != nil {
			return nil, err
		}
	}
	for a, err := range accounts(ctx, v, cards, "") {
		if err != nil {
			return nil, err
		}
		for i, j := range judges {
			outcomes, err := j.account(a)
			if err != nil {
				return nil, fmt.Errorf("%s: %s, card %s: %w", checks[i].Code(), a.card.Source, a.card.ID, err)
			}
			all[checks[i].Code()] = append(all[checks[i].Code()], outcomes...)
		}
	}
	for i, j := range judges {
		all[checks[i].Code()] = append(all[checks[i].Code()], j.end()...)
	}
	return all, nil
}

// alone runs one of them by itself.
func alone(ctx context.Context, c accountCheck, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		all, err := judgeAccounts(ctx, []accountCheck{c}, v, p)
		return all[c.Code()], err
	})
}
