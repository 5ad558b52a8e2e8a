package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

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
		judged, err := judgeLately(ctx, together, v, p)
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
	// glance judges an account that may lack its older entries, and keeps nothing. Where these could change a word of what account
	// and end will say, it notes that by account.reach, account.only or account.short.
	glance(a *account) error
	account(a *account) ([]schema.Outcome, error)
	end() []schema.Outcome
}

// byAccount is an accountJudge that judges every account by itself.
type byAccount func(*account) ([]schema.Outcome, error)

func (f byAccount) account(a *account) ([]schema.Outcome, error) { return f(a) }
func (byAccount) end() []schema.Outcome                          { return nil }

func (f byAccount) glance(a *account) error {
	_, err := f(a)
	return err
}

// longWindow is the longest of the usual windows of limits and figures.
const longWindow = 32 * 24 * time.Hour

// judgeLately is judgeAccounts with as few entries as will do.
func judgeLately(ctx context.Context, checks []accountCheck, v schema.View, p schema.Period) (map[schema.FindingCode][]schema.Outcome, error) {
	since := p.From.Add(-longWindow)
	for oldest, err := range v.Entries.Entries(ctx, schema.EntryFilter{ByTime: true}) {
		if err != nil {
			return nil, fmt.Errorf("read entries: %w", err)
		}
		if since.Sub(oldest.OccurredAt) < p.To.Sub(since) { // most of the ledger is needed: it is read in its own order
			since = time.Time{}
		}
		break
	}
	return judgeAccounts(ctx, checks, v, p, since)
}

// judgeAccounts shows every account to all checks, and returns what they come to by code. With since, an account is first
// shown with the entries that occurred or posted then or later, and with all of them only where a judge asks for more: so a night costs by what is new rather than by the ledger. The outcomes are the same.
func judgeAccounts(ctx context.Context, checks []accountCheck, v schema.View, p schema.Period, since time.Time) (map[schema.FindingCode][]schema.Outcome, error) {
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
	for a, err := range accounts(ctx, v, cards, "", since) {
		if err != nil {
			return nil, err
		}
		if err := settle(ctx, checks, judges, v, a); err != nil {
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

// settle completes an account unless all judges can do without its older entries.
func settle(ctx context.Context, checks []accountCheck, judges []accountJudge, v schema.View, a *account) error {
	for i, j := range judges {
		if a.since.IsZero() {
			return nil
		}
		if err := j.glance(a); err != nil {
			return fmt.Errorf("%s: %s, card %s: %w", checks[i].Code(), a.card.Source, a.card.ID, err)
		}
		if a.short {
			return a.complete(ctx, v)
		}
	}
	return nil
}

// alone runs one of them by itself.
func alone(ctx context.Context, c accountCheck, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		all, err := judgeLately(ctx, []accountCheck{c}, v, p)
		return all[c.Code()], err
	})
}
