package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/schema"
)

// Run runs checks over a period and yields what each comes to, check by check in the order given, once all have ended. Checks
// that judge card by card read the entries together, so that a ledger of any size is read once for all of them. An error stands
// in place of all outcomes, and names the check or what was read.
func Run(ctx context.Context, checks []Check, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return func(yield func(schema.Outcome, error) bool) {
		said := make([][]schema.Outcome, len(checks))
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return runTogether(ctx, checks, v, p, said) })
		group.Go(func() error {
			for i, c := range checks {
				if _, ok := c.(accountCheck); ok {
					continue
				}
				for o, err := range c.Run(ctx, v, p) {
					if err != nil {
						return fmt.Errorf("check %s (%s): %w", c.Code(), p.Window, err)
					}
					said[i] = append(said[i], o)
				}
			}
			return nil
		})
		if err := group.Wait(); err != nil {
			yield(schema.Outcome{}, err)
			return
		}
		for _, outcomes := range said {
			for _, o := range outcomes {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// runTogether runs the checks that judge card by card.
func runTogether(ctx context.Context, checks []Check, v schema.View, p schema.Period, said [][]schema.Outcome) error {
	var together []accountCheck
	for _, c := range checks {
		if c, ok := c.(accountCheck); ok {
			together = append(together, c)
		}
	}
	judged, err := judgeLately(ctx, together, v, p)
	if err != nil {
		return fmt.Errorf("check (%s): %w", p.Window, err)
	}
	for i, c := range checks {
		if _, ok := c.(accountCheck); ok {
			said[i] = judged[c.Code()]
		}
	}
	return nil
}

// accountCheck is a check that judges card by card.
type accountCheck interface {
	Check
	// judge prepares to be shown every account, by source and card.
	judge(ctx context.Context, v schema.View, p schema.Period, cards cardIndex) (accountJudge, error)
}

// accountJudge judges accounts, several at once, each range of them in order; what it keeps of one it copies.
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
	ranges := 1
	if since.IsZero() {
		ranges = manyRanges()
	}
	return judgeAccounts(ctx, checks, v, p, since, ranges)
}

// judgeAccounts shows every account to all checks, and returns what they come to by code. With since, an account is first
// shown with the entries that occurred or posted then or later, and with all of them only where a judge asks for more: so a
// night costs by what is new rather than by the ledger. The cards are judged in ranges, some at once. The outcomes are the same.
func judgeAccounts(ctx context.Context, checks []accountCheck, v schema.View, p schema.Period, since time.Time, ranges int) (map[schema.FindingCode][]schema.Outcome, error) {
	all := map[schema.FindingCode][]schema.Outcome{}
	if len(checks) == 0 {
		return all, nil
	}
	w := walk{view: v, since: since}
	var err error
	if w.cards, err = readCards(ctx, v); err != nil {
		return nil, err
	}
	if w.twins, err = readTwins(ctx, v, w.cards, ""); err != nil {
		return nil, err
	}
	judges := make([]accountJudge, len(checks))
	for i, c := range checks {
		if judges[i], err = c.judge(ctx, v, p, w.cards); err != nil {
			return nil, err
		}
	}
	shares := w.cards.shares("", ranges)
	said := make([][][]schema.Outcome, len(shares))
	if err := w.each(ctx, shares, func(ctx context.Context, n int, w walk) (err error) {
		said[n], err = w.judge(ctx, checks, judges)
		return err
	}); err != nil {
		return nil, err
	}
	for i, j := range judges {
		code := checks[i].Code()
		for _, outcomes := range said {
			all[code] = append(all[code], outcomes[i]...)
		}
		all[code] = append(all[code], j.end()...)
	}
	return all, nil
}

// judge shows the accounts to all judges, and returns what each comes to.
func (w walk) judge(ctx context.Context, checks []accountCheck, judges []accountJudge) ([][]schema.Outcome, error) {
	said := make([][]schema.Outcome, len(judges))
	for a, err := range w.accounts(ctx) {
		if err != nil {
			return nil, err
		}
		if err := settle(ctx, checks, judges, w.view, a); err != nil {
			return nil, err
		}
		for i, j := range judges {
			outcomes, err := j.account(a)
			if err != nil {
				return nil, fmt.Errorf("%s: %s, card %s: %w", checks[i].Code(), a.card.Source, a.card.ID, err)
			}
			said[i] = append(said[i], outcomes...)
		}
	}
	return said, nil
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
