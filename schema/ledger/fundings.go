package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tieout/tieout/schema"
)

// ImportFundings stores the fundings of one file: new ones are added; those that the file no longer has are withdrawn,
// unless another file still has them. The same file twice changes nothing, not even the chain.
func (l *Ledger) ImportFundings(ctx context.Context, run int64, file string, fundings []schema.Funding) (added, withdrawn int64, err error) {
	file = text(file)
	had, err := l.fundingsOf(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	has := map[string]bool{}
	for _, f := range fundings {
		has[f.ID] = true
	}
	same := len(has) == len(had)
	for id := range has {
		same = same && had[id]
	}
	if same {
		return 0, 0, nil
	}
	err = l.commit(ctx, run, "fundings", func(t *tx) error {
		before, err := t.presentFundings(ctx)
		if err != nil {
			return err
		}
		if err := t.addFundings(ctx, file, fundings, had); err != nil {
			return err
		}
		var gone [][]any
		for _, id := range slices.Sorted(maps.Keys(had)) {
			if !has[id] {
				gone = append(gone, []any{file, id, int64(0)})
			}
		}
		if err := t.insert(ctx, "funding_events", gone); err != nil {
			return err
		}
		after, err := t.presentFundings(ctx)
		if err != nil {
			return err
		}
		added, withdrawn = difference(after, before), difference(before, after)
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("import fundings (%s): %w", file, err)
	}
	return added, withdrawn, nil
}

func difference(a, b map[string]bool) (n int64) {
	for id := range a {
		if !b[id] {
			n++
		}
	}
	return n
}

func (t *tx) addFundings(ctx context.Context, file string, fundings []schema.Funding, had map[string]bool) error {
	var ids []string
	for _, f := range fundings {
		ids = append(ids, f.ID)
	}
	stored, err := selectIn[string](ctx, t, t.Rebind, ids, `SELECT funding_id FROM fundings WHERE funding_id IN (?)`)
	if err != nil {
		return fmt.Errorf("read fundings: %w", err)
	}
	known := map[string]bool{}
	for _, id := range stored {
		known[id] = true
	}
	var rows, events [][]any
	listed := map[string]bool{}
	for _, f := range fundings {
		if !known[f.ID] {
			known[f.ID] = true
			dateOnly := int64(0)
			if f.DateOnly {
				dateOnly = 1
			}
			rows = append(rows, []any{
				f.ID, text(f.Reference), f.Amount.Minor(), f.Amount.Currency().Code(), f.SentAt.UnixMicro(), dateOnly, text(f.SentText),
				text(f.CardID), text(f.Source), text(f.Note), text(f.File), int64(f.Line),
			})
		}
		if !had[f.ID] && !listed[f.ID] {
			listed[f.ID] = true
			events = append(events, []any{file, f.ID, int64(1)})
		}
	}
	if err := t.insert(ctx, "fundings", rows); err != nil {
		return err
	}
	return t.insert(ctx, "funding_events", events)
}

// latestEvents selects what is known last of each funding in each file, up to a commit.
const latestEvents = `
SELECT e.file, e.funding_id FROM funding_events e
WHERE e.present = 1 AND e.id = (SELECT MAX(o.id) FROM funding_events o
	WHERE o.file = e.file AND o.funding_id = e.funding_id AND o.commit_seq <= ?)`

type eventRow struct {
	File      string `db:"file"`
	FundingID string `db:"funding_id"`
}

// fundingsOf lists the ids of the fundings that a file has.
func (l *Ledger) fundingsOf(ctx context.Context, file string) (map[string]bool, error) {
	var rows []eventRow
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(latestEvents+` AND e.file = ?`), maxSeq, file); err != nil {
		return nil, fmt.Errorf("read fundings (%s): %w", file, err)
	}
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.FundingID] = true
	}
	return ids, nil
}

// presentFundings lists the ids of the fundings that some file has.
func (t *tx) presentFundings(ctx context.Context) (map[string]bool, error) {
	var rows []eventRow
	if err := t.SelectContext(ctx, &rows, t.Rebind(latestEvents), maxSeq); err != nil {
		return nil, fmt.Errorf("read fundings: %w", err)
	}
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.FundingID] = true
	}
	return ids, nil
}
