package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// tally is what has been counted of a walk over one window. It is stored with each checkpoint, so that a walk that was
// killed ends with the same completeness record as one that was not.
type tally struct {
	Pages, Requests, Records, Duplicates, Rejected, Retries, Restarts int64

	Total   int64 // -1: the provider gives none
	FirstID string
	LastID  string
	Doubt   string
	Hash    []byte // state of the hash over the redacted records

	Began int64 // the run in which the walk began

	sum  hash.Hash
	seen map[uint64]struct{}
}

func newTally(run schema.Run) *tally {
	return &tally{Total: -1, Began: run.ID, sum: sha256.New(), seen: map[uint64]struct{}{}}
}

// again is the tally of a walk that begins again.
func (t *tally) again(run schema.Run) *tally {
	next := newTally(run)
	next.Restarts = t.Restarts + 1
	return next
}

// restore takes up a tally where a checkpoint left it.
func restore(c ledger.Checkpoint) (*tally, error) {
	t := newTally(schema.Run{})
	if err := json.Unmarshal([]byte(c.State), t); err != nil {
		return nil, fmt.Errorf("read checkpoint state: %w", err)
	}
	if err := t.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(t.Hash); err != nil {
		return nil, fmt.Errorf("read checkpoint state: %w", err)
	}
	for _, id := range c.Seen {
		t.seen[id] = struct{}{}
	}
	return t, nil
}

func (t *tally) state() (string, error) {
	var err error
	if t.Hash, err = t.sum.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return "", fmt.Errorf("save checkpoint state: %w", err)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("save checkpoint state: %w", err)
	}
	return string(text), nil
}

// page counts a page. It appends the hashes of its ids, 0 where there is none, and of those that were not seen before.
func (t *tally) page(p extract.Page, ids, fresh []uint64) (all, unseen []uint64) {
	t.Pages++
	t.Requests += 1 + int64(p.Beside)
	t.Retries += int64(p.Retries)
	if p.Total >= 0 {
		t.Total = p.Total
	}
	if t.Doubt == "" {
		t.Doubt = p.Doubt
	}
	for _, r := range p.Records {
		t.Records++
		t.sum.Write(r.Payload)
		t.sum.Write([]byte{'\n'})
		if r.ExternalID == "" {
			ids = append(ids, 0)
			continue // rejected, and never the same as another
		}
		if t.FirstID == "" {
			t.FirstID = r.ExternalID
		}
		t.LastID = r.ExternalID
		id := idHash(r.ExternalID)
		ids = append(ids, id)
		if _, ok := t.seen[id]; ok {
			t.Duplicates++
			continue
		}
		t.seen[id] = struct{}{}
		fresh = append(fresh, id)
	}
	return ids, fresh
}

// idHash stands for an id. A collision costs no more than a duplicate counted where there was none.
func idHash(id string) uint64 { return ledger.IDHash(id) }

// completeness is the record of the walk when it has ended.
func (t *tally) completeness(s Source, stream schema.Stream, w schema.Window, verdict schema.Verdict, reason string, at time.Time) *schema.Completeness {
	return &schema.Completeness{
		Source: s.Name, Stream: stream, Scope: s.Scope, Window: w, Verdict: verdict, Reason: reason,
		Pages: t.Pages, Requests: t.Requests, Records: t.Records, Total: t.Total, Rejected: t.Rejected, Duplicates: t.Duplicates, Retries: t.Retries, Restarts: t.Restarts,
		FirstID: t.FirstID, LastID: t.LastID, SHA256: hex.EncodeToString(t.sum.Sum(nil)), RecordedAt: at,
	}
}

// walk reads one window of one stream to its end, from its checkpoint if there is one, and records its completeness.
func (p *Pipeline) walk(ctx context.Context, run schema.Run, s Source, stream schema.Stream, w schema.Window) streamOutcome {
	o := streamOutcome{StreamResult: StreamResult{Stream: stream}}
	checkpoint, found, err := p.Ledger.Checkpoint(ctx, s.Name, stream, w)
	if err != nil {
		return failed(stream, err)
	}
	if found && checkpoint.Scope != s.Scope { // its pages were of other rows
		found = false
		if err := p.Ledger.DropCheckpoint(ctx, s.Name, stream, w); err != nil {
			return failed(stream, err)
		}
	}
	t, from := newTally(run), extract.Cursor("")
	if found {
		if t, err = restore(checkpoint); err != nil {
			return failed(stream, err)
		}
		from = extract.Cursor(checkpoint.Cursor)
	}
	c := &collector{p: p, run: run, source: s, stream: stream, window: w, tally: t, result: &o.StreamResult, next: from}
	if stream == schema.Transactions && s.Mapping != "" && p.job == nil { // other workers store what was not known when this one began
		if c.known, err = p.Ledger.Known(ctx, s.Name, w, s.Mapping); err != nil {
			return failed(stream, err)
		}
	}
	if c.known == nil {
		c.source.Mapping = ""
	}
	last, err := c.pages(ctx, s.Extractor.Pages(ctx, stream, w, from))
	if found && c.read == 0 && errors.Is(err, extract.ErrCursor) {
		// The provider no longer accepts the cursor of the checkpoint: the window starts again, and rows that were stored
		// before are met again.
		if err := p.Ledger.DropCheckpoint(ctx, s.Name, stream, w); err != nil {
			return failed(stream, err)
		}
		c.tally, c.next = c.tally.again(run), ""
		last, err = c.pages(ctx, s.Extractor.Pages(ctx, stream, w, ""))
	}
	o.err = c.end(ctx, last, err)
	o.met = c.tally.seen
	return o
}

// fetch reads records by id. They have no window of their own: a by-id stream is complete when every id was asked for.
func (p *Pipeline) fetch(ctx context.Context, run schema.Run, s Source, stream schema.Stream, ids []string) streamOutcome {
	o := streamOutcome{StreamResult: StreamResult{Stream: stream}}
	fetcher, ok := s.Extractor.(extract.Fetcher)
	if !ok {
		return failed(stream, fmt.Errorf("fetch %s (%s): the extractor cannot read by id", stream, s.Name))
	}
	c := &collector{p: p, run: run, source: s, stream: stream, window: p.snapshot(), tally: newTally(run), result: &o.StreamResult, byID: true}
	if err := c.recall(ctx, ids); err != nil {
		return failed(stream, err)
	}
	_, err := c.pages(ctx, fetcher.Fetch(ctx, stream, ids))
	o.err = c.end(ctx, err == nil, err)
	return o
}

// recall finds the categories of the lists that brought the transactions which are now read by their ids: a row alone does
// not say it.
func (c *collector) recall(ctx context.Context, ids []string) (err error) {
	if c.stream == schema.Transactions {
		c.categories, err = c.p.Ledger.Categories(context.WithoutCancel(ctx), c.source.Name, ids)
	}
	return err
}

// collector turns pages into groups and commits them.
type collector struct {
	p      *Pipeline
	run    schema.Run
	source Source
	stream schema.Stream
	window schema.Window
	byID   bool // no cursor to go on from, and transactions read by id say nothing of their window

	categories map[string]string // of what is read by id, by id

	known *ledger.Known // of the window's transactions, before the walk; nil: each is looked up

	tally  *tally
	result *StreamResult
	read   int // pages read in this process
	group  ledger.Group
	same   int // records of the group that are not in it, as nothing would come of them
	ids    []uint64
	fresh  []uint64
	next   extract.Cursor
	since  time.Duration
}

// pages reads a sequence to its end, committing groups as they fill. It says whether the provider's last page was seen.
func (c *collector) pages(ctx context.Context, pages func(func(extract.Page, error) bool)) (last bool, err error) {
	c.reset()
	for page, err := range pages {
		if err != nil {
			return false, err
		}
		stored := context.WithoutCancel(ctx) // a page that was read is stored, though it was in flight when ctx was done
		if page.Restart {
			c.tally, c.fresh = c.tally.again(c.run), nil
			if err := c.forget(stored); err != nil {
				return false, err
			}
		}
		c.read++
		c.result.Pages++
		c.result.Records += int64(len(page.Records))
		c.result.Missing = append(c.result.Missing, page.Missing...)
		c.ids, c.fresh = c.tally.page(page, c.ids[:0], c.fresh)
		c.add(page.Records)
		c.next, last = page.Next, page.Last
		if last {
			continue // committed by end, with the completeness record
		}
		if len(c.group.Records)+c.same >= c.p.GroupRows || c.p.Elapsed()-c.since >= c.p.GroupAge {
			if err := c.commit(stored, nil); err != nil {
				return false, err
			}
		}
		if c.p.job != nil && c.stream == schema.Transactions && !c.byID && c.next != "" && c.p.job.pause() {
			return false, errPaused
		}
	}
	return last, nil
}

// forget drops the checkpoint of a walk that begins again: the ids that it has seen belong to the walk before.
func (c *collector) forget(ctx context.Context) error {
	if c.byID {
		return nil
	}
	return c.p.Ledger.DropCheckpoint(ctx, c.source.Name, c.stream, c.window)
}

// reset begins the next group in the memory of the last, which the ledger does not keep.
func (c *collector) reset() {
	clear(c.group.Records)
	clear(c.group.Batch.Entries)
	c.group = ledger.Group{
		Run: c.run.ID, Source: c.source.Name, Provider: c.source.Provider, Stream: c.stream, ByID: c.byID, Mapping: c.source.Mapping,
		Records: c.group.Records[:0], Batch: schema.Batch{Entries: c.group.Batch.Entries[:0]},
	}
	c.fresh, c.same = c.fresh[:0], 0
	c.since = c.p.Elapsed()
}

// add normalizes records into the group. A record that cannot be mapped becomes a reject and loses nothing else; one that is
// known, with what came of it, is counted.
func (c *collector) add(records []schema.Record) {
	for i, r := range records {
		if c.known != nil && c.known.Unchanged(c.ids[i], &records[i]) {
			c.same++
			continue
		}
		if known := c.categories[r.ExternalID]; known != "" {
			r.Category = known
		}
		c.group.Records = append(c.group.Records, r)
		err := c.source.Normalize(r, &c.group.Batch)
		if err == nil {
			continue
		}
		c.tally.Rejected++
		reject := schema.Reject{
			Source: r.Source, Provider: r.Provider, Stream: r.Stream, ExternalID: r.ExternalID,
			Reason: err.Error(), ReceivedAt: r.ReceivedAt, Payload: r.Payload,
		}
		if !c.byID {
			reject.Page = c.tally.Pages
		}
		if rejected, ok := errors.AsType[*normalize.RejectError](err); ok {
			reject.Field, reject.Reason = rejected.Field, rejected.Reason
		}
		c.group.Batch.Rejects = append(c.group.Batch.Rejects, reject)
	}
}

// commit stores the group in one transaction with how far the walk has come or, at its end, with its completeness.
func (c *collector) commit(ctx context.Context, end *schema.Completeness) error {
	done := end != nil && end.Verdict == schema.VerdictComplete
	if !c.byID && !done && c.next != "" {
		state, err := c.tally.state()
		if err != nil {
			return err
		}
		c.group.Checkpoint = &ledger.Checkpoint{
			Source: c.source.Name, Stream: c.stream, Window: c.window, Scope: c.source.Scope, Cursor: string(c.next),
			State: state, Seen: c.fresh, Run: c.run.ID,
		}
	}
	c.group.Completeness = end
	counts, err := c.p.Ledger.Commit(ctx, c.group)
	if err != nil {
		return fmt.Errorf("store %s (%s, %s): %w", c.stream, c.source.Name, c.window, err)
	}
	counts.Unchanged += int64(c.same)
	c.result.count(counts)
	c.p.Progress(Progress{
		Run: c.run.ID, Source: c.source.Name, Stream: c.stream, Window: c.window, Pages: c.tally.Pages, Records: c.tally.Records,
	})
	c.reset()
	return nil
}

// besideEnd lets the job of a unit that is one walk end in the transaction that ends the walk.
func (c *collector) besideEnd(ctx context.Context) {
	if job := c.p.job; job != nil && job.end != nil && !c.byID {
		c.group.Beside = func(tx ledger.Tx, counts ledger.Counts) error {
			result := *c.result
			result.count(counts)
			return job.end(context.WithoutCancel(ctx), tx, result)
		}
	}
}

// end commits what is left with the verdict on the window. A walk that stopped on an error keeps its checkpoint, so that
// the next run goes on from there.
func (c *collector) end(ctx context.Context, last bool, err error) error {
	if errors.Is(err, errPaused) { // nothing is to be said of the window yet
		if len(c.group.Records) > 0 {
			err = errors.Join(c.commit(context.WithoutCancel(ctx), nil), err)
		}
		return err
	}
	verdict, reason := schema.VerdictComplete, ""
	switch {
	case err != nil && c.tally.Pages == 0:
		verdict, reason = schema.VerdictFailed, err.Error()
	case err != nil:
		verdict, reason = schema.VerdictPartial, err.Error()
	case !last:
		verdict, reason = schema.VerdictPartial, "the provider's last page was not seen"
	case c.tally.Doubt != "":
		verdict, reason, c.next = schema.VerdictPartial, c.tally.Doubt, ""
	}
	absentErr := c.markAbsent(ctx, verdict)
	if absentErr != nil && ctx.Err() != nil && verdict == schema.VerdictComplete {
		verdict, reason, c.next = schema.VerdictPartial, absentErr.Error(), "" // else nobody would ask for them again
	}
	c.result.Verdict, c.result.Reason = verdict, reason
	var record *schema.Completeness
	if !c.byID || c.stream.Snapshot() {
		record = c.tally.completeness(c.source, c.stream, c.window, verdict, reason, c.run.StartedAt)
	}
	if absentErr != nil {
		c.result.Verdict, c.result.Reason = worse(verdict, schema.VerdictPartial), absentErr.Error() // the window itself may be complete
		err = errors.Join(err, absentErr)
	}
	if err == nil {
		c.besideEnd(ctx)
	}
	// What was read before the error is stored also when the context is done: it is complete pages.
	if storeErr := c.commit(context.WithoutCancel(ctx), record); storeErr != nil {
		c.result.Verdict, c.result.Reason = schema.VerdictFailed, storeErr.Error()
		err = errors.Join(err, storeErr)
	}
	c.p.Progress(Progress{
		Run: c.run.ID, Source: c.source.Name, Stream: c.stream, Window: c.window, Pages: c.result.Pages, Records: c.result.Records,
		Verdict: c.result.Verdict, Reason: c.result.Reason,
	})
	return err
}

// Unauthorized says whether the provider refused the credential.
func Unauthorized(err error) bool {
	const statusUnauthorized = 401 // RFC 9110; HTTP itself is extract's business
	var status *transport.StatusError
	return errors.As(err, &status) && status.Status == statusUnauthorized
}
