package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// edge is how far from the edges of a window both times of an entry must lie for the entry to be expected among its rows:
// providers filter by times that an entry does not have (BILL occurredTime of an authorization), or that move (Slash date).
const edge = 24 * time.Hour

// maxAsked is how many entries that a walk did not meet are asked for by their ids. Where more are missing, something else
// is wrong than a date that moved, and a request for each would take the night.
const maxAsked = 100

// markAbsent puts into the last group of a reading the entries that the provider no longer lists or knows: those that a walk
// over their window did not meet, and those that were asked for by id in vain.
func (c *collector) markAbsent(ctx context.Context, verdict schema.Verdict) error {
	if c.stream != schema.Transactions {
		return nil
	}
	ids := c.result.Missing
	if !c.byID {
		ids = nil
		if verdict == schema.VerdictComplete {
			var err error
			if ids, err = c.missed(ctx); err != nil {
				return err
			}
		}
	}
	var err error
	c.group.Absent, err = c.p.absences(context.WithoutCancel(ctx), c.run, c.source, ids, c.window)
	return err
}

// missed lists what the walk, which met its whole window, should have met and did not. A row whose date moved out of the
// window is still known by its id, so each is asked for first. Asking stores what comes back, and marks what does not.
func (c *collector) missed(ctx context.Context) ([]string, error) {
	ids, err := c.unmet(context.WithoutCancel(ctx))
	if err != nil || len(ids) == 0 || !c.source.readsByID() {
		return ids, err
	}
	asked := ids[:min(len(ids), maxAsked)]
	gone, err := c.ask(ctx, asked)
	if err != nil || gone == 0 {
		return nil, err // where all that were asked for are still known, so are the others
	}
	return ids[len(asked):], nil
}

// readsByID says whether the transactions of a source can be asked for by id. A provider without a filter has no window that a row
// could move out of.
func (s Source) readsByID() bool {
	_, ok := s.Extractor.(extract.Fetcher)
	return ok && !s.FullScan
}

// unmet lists the entries that lie well inside the window, were stored before the walk began, and were not among its rows.
func (c *collector) unmet(ctx context.Context) ([]string, error) {
	within := schema.Window{From: c.window.From, To: c.window.To.Add(-edge)}
	if !within.From.Equal(schema.Beginning) {
		within.From = within.From.Add(edge)
	}
	listed := ledger.Listed{Source: c.source.Name, Within: within, Before: c.tally.Began}
	if c.known != nil {
		if listed.At = c.known.Unmet(within, c.tally.seen); len(listed.At) == 0 {
			return nil, nil
		}
	}
	var ids []string
	for id, err := range c.p.Ledger.ListedIDs(ctx, listed) {
		if err != nil {
			return nil, err
		}
		if _, met := c.tally.seen[idHash(id)]; !met {
			ids = append(ids, id)
		}
	}
	return c.inScope(ctx, ids)
}

// inScope leaves out the entries that were read in a scope which this walk does not cover: it did not ask for them.
func (c *collector) inScope(ctx context.Context, ids []string) ([]string, error) {
	readings, err := c.p.Ledger.Readings(ctx, c.source.Name, ids)
	if err != nil || len(readings) == 0 {
		return nil, err
	}
	scopes := map[int64]schema.Scope{} // in which the runs read the source
	var runs []int64
	for r, err := range c.p.Ledger.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return nil, err
		}
		if r.Source == c.source.Name && r.Stream == schema.Transactions {
			scopes[r.Run] = r.Scope
			runs = append(runs, r.Run)
		}
	}
	slices.Sort(runs)
	ids = ids[:0]
	for _, r := range readings {
		// A run that was killed left no word; the next one went on in the same scope.
		n, _ := slices.BinarySearch(runs, r.Run)
		if n < len(runs) && c.source.Scope.Covers(scopes[runs[n]].Only("categories", r.Category)) {
			ids = append(ids, r.ExternalID)
		}
	}
	return ids, nil
}

// ask asks for entries by id, stores what comes back and marks what is not known any more; it says how many those are. What
// was neither read nor reported missing is left alone: nothing is known of it.
func (c *collector) ask(ctx context.Context, ids []string) (gone int, err error) {
	o := StreamResult{Stream: c.stream}
	by := &collector{p: c.p, run: c.run, source: c.source, stream: c.stream, window: c.window, tally: newTally(c.run), result: &o, byID: true}
	if err := by.recall(ctx, ids); err != nil {
		return 0, err
	}
	_, err = by.pages(ctx, c.source.Extractor.(extract.Fetcher).Fetch(ctx, c.stream, ids))
	err = by.end(ctx, err == nil, err)
	c.result.add(o)
	if err == nil && by.tally.Doubt != "" {
		err = errors.New(by.tally.Doubt)
	}
	if err != nil {
		err = fmt.Errorf("ask for transactions that are no longer listed (%s): %w", c.source.Name, err)
	}
	return len(o.Missing), err
}

// absences describes entries that a provider no longer lists or knows.
func (p *Pipeline) absences(ctx context.Context, run schema.Run, s Source, ids []string, w schema.Window) ([]schema.Absence, error) {
	readings, err := p.Ledger.Readings(ctx, s.Name, ids)
	if err != nil || len(readings) == 0 {
		return nil, err
	}
	var walks []schema.Completeness
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return nil, err
		}
		if c.Source == s.Name && c.Stream == schema.Transactions && c.Verdict == schema.VerdictComplete && c.Run < run.ID {
			walks = append(walks, c)
		}
	}
	all := make([]schema.Absence, 0, len(readings))
	for _, r := range readings {
		all = append(all, schema.Absence{
			Source: s.Name, ExternalID: r.ExternalID, LastRead: lastRead(r, walks), NoticedAt: run.StartedAt, Window: w,
		})
	}
	return all, nil
}

// lastRead is when an entry was last read for certain: when what is stored of it was received or, since a row that has not
// changed leaves no trace, the latest complete walk that would have noticed its absence.
func lastRead(r ledger.Reading, walks []schema.Completeness) time.Time {
	at := r.StoredAt
	for _, w := range walks {
		if w.RecordedAt.After(at) && wellInside(w.Window, r.OccurredAt) && (r.PostedAt.IsZero() || wellInside(w.Window, r.PostedAt)) {
			at = w.RecordedAt
		}
	}
	return at
}

func wellInside(w schema.Window, t time.Time) bool {
	return t.Before(w.To.Add(-edge)) && (w.From.Equal(schema.Beginning) || !t.Before(w.From.Add(edge)))
}
