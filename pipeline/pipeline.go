// Package pipeline runs the stages for windows and records runs: sync, backfill, reconcile, report, nightly. It is the only
// package besides cmd that knows the ledger, and the only one that knows every stage.
package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// Source is one configured account, ready to be read.
type Source struct {
	Name         string
	Provider     schema.Provider
	Extractor    extract.Extractor
	Normalize    normalize.Func
	Mapping      string       // names Normalize: another one wherever the same record could become something else; empty: every record is mapped and compared
	Scope        schema.Scope // which of the provider's rows it asks for
	LookbackDays int
	Start        time.Time             // history before it is not read; zero: everything the provider gives
	FullScan     bool                  // the provider has no date filter, so every sync reads the whole history anyway
	BalanceUnit  reconcile.BalanceUnit // empty: auto

	// What a plan of requests rests on.
	Pace     time.Duration // from one request to the next
	PageSize int           // rows of a page of transactions; 0: unknown
}

// Config is what a Pipeline needs. Every field is required unless its comment says otherwise.
type Config struct {
	Ledger  *ledger.Ledger
	Sources []Source
	Entity  string
	Zone    *time.Location // accounting zone
	Version string
	Checks  reconcile.Config // Sources is filled by New
	Now     func() time.Time // the recorded clock
	Elapsed func() time.Duration
	// Parameters are the settings in force, printed on reports and recorded with reconcile runs.
	Parameters []reports.Parameter
	AgeBuckets []int          // upper ends of the ages of findings on reports, in days, ascending; none: 30, 60, 90, 180
	Fundings   []string       // glob patterns of the company's funding files; read on every sync; may be empty
	Progress   func(Progress) // called from several goroutines; nil: nobody listens
	GroupRows  int            // records committed together; 0: 10000
	GroupAge   time.Duration  // longest time that records wait for their commit; 0: 2 s
}

// Progress is what a listener is told after each committed group, and at the end of each walk.
type Progress struct {
	Run     int64
	Source  string
	Stream  schema.Stream
	Window  schema.Window
	Pages   int64
	Records int64
	Done    int // windows of a backfill that are behind it
	Windows int // windows of a backfill; 0: it is none

	Verdict schema.Verdict // at the end of a walk; empty before
	Reason  string         // why it is not complete
}

// Pipeline runs stages against one ledger.
type Pipeline struct {
	Config

	scopes map[string]schema.Scope // of all configured sources, by name
	job    *walkJob                // that the unit at hand is worked in; nil: it is none
}

// New checks the configuration and fills its defaults.
func New(c Config) (*Pipeline, error) {
	switch {
	case c.Ledger == nil:
		return nil, errors.New("pipeline: no ledger")
	case c.Zone == nil:
		return nil, errors.New("pipeline: no accounting zone")
	case c.Now == nil || c.Elapsed == nil:
		return nil, errors.New("pipeline: no clock")
	}
	if c.GroupRows == 0 {
		c.GroupRows = 10000
	}
	if c.GroupAge == 0 {
		c.GroupAge = 2 * time.Second
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	c.Checks.Sources = nil
	scopes := map[string]schema.Scope{}
	for _, s := range c.Sources {
		scopes[s.Name] = s.Scope
		c.Checks.Sources = append(c.Checks.Sources, reconcile.Source{
			Name: s.Name, Provider: s.Provider, LookbackDays: s.LookbackDays, BalanceUnit: s.BalanceUnit, Start: s.Start,
		})
	}
	return &Pipeline{Config: c, scopes: scopes}, nil
}

// StreamResult is what reading one stream of one source did.
type StreamResult struct {
	Stream           schema.Stream  `json:"stream"`
	Verdict          schema.Verdict `json:"verdict"`
	Reason           string         `json:"reason,omitempty"`
	Pages            int64          `json:"pages"`
	Records          int64          `json:"records"`
	EntriesNew       int64          `json:"entries_new"`
	EntriesChanged   int64          `json:"entries_changed"`
	EntriesUnchanged int64          `json:"entries_unchanged"`
	Rejected         int64          `json:"rejected"`
	Vanished         int64          `json:"vanished"` // entries that the provider no longer lists, and did until now
	// Missing are the ids of transactions that were asked for by id and that the provider no longer knows.
	Missing []string `json:"missing,omitempty"`
}

func (r *StreamResult) add(o StreamResult) {
	r.Pages += o.Pages
	r.Records += o.Records
	r.EntriesNew += o.EntriesNew
	r.EntriesChanged += o.EntriesChanged
	r.EntriesUnchanged += o.EntriesUnchanged
	r.Rejected += o.Rejected
	r.Vanished += o.Vanished
	r.Missing = append(r.Missing, o.Missing...)
	r.Verdict = worse(r.Verdict, o.Verdict)
	if r.Reason == "" {
		r.Reason = o.Reason
	}
}

// count adds what a commit did.
func (r *StreamResult) count(c ledger.Counts) {
	r.EntriesNew += c.New
	r.EntriesChanged += c.Changed
	r.EntriesUnchanged += c.Unchanged
	r.Rejected += c.Rejected
	r.Vanished += c.Vanished
}

func worse(a, b schema.Verdict) schema.Verdict {
	rank := func(v schema.Verdict) int {
		switch v {
		case schema.VerdictFailed:
			return 2
		case schema.VerdictPartial:
			return 1
		}
		return 0
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// SourceResult is what reading one source did.
type SourceResult struct {
	Source  string           `json:"source"`
	Status  schema.RunStatus `json:"status"`
	Error   string           `json:"error"`
	Streams []StreamResult   `json:"streams"`
}

// ReadResult is what a sync or a backfill did.
type ReadResult struct {
	RunID   int64            `json:"run_id"`
	Status  schema.RunStatus `json:"status"`
	Sources []SourceResult   `json:"sources"`
	// FundingsError names the funding files and lines that could not be read; the run is then partial.
	FundingsError string `json:"fundings_error,omitempty"`
}

// Err joins what went wrong in the parts of the run; nil when nothing did.
func (r ReadResult) Err() error {
	var errs []error
	if r.FundingsError != "" {
		errs = append(errs, errors.New(r.FundingsError))
	}
	for _, s := range r.Sources {
		if s.Error != "" {
			errs = append(errs, errors.New(s.Error))
		}
	}
	return errors.Join(errs...)
}

// status of a whole from the statuses of its parts: complete when all are, failed when all are, else partial.
func status(parts []schema.RunStatus) schema.RunStatus {
	complete, failed := true, len(parts) > 0
	for _, s := range parts {
		complete = complete && s == schema.Complete
		failed = failed && s == schema.FailedRun
	}
	switch {
	case complete:
		return schema.Complete
	case failed:
		return schema.FailedRun
	}
	return schema.Partial
}

// Sync reads what is new in every source, plus the look-back, plus what is still pending, and the funding files. A failing
// source stops no other: what went wrong stands in the result. The returned error means that the run could not be recorded.
func (p *Pipeline) Sync(ctx context.Context) (ReadResult, error) {
	asked := p.newRun(schema.SyncRun, schema.Window{})
	asked.Whole = len(p.Sources) == len(p.scopes) // else some were chosen
	run, err := p.Ledger.StartRun(ctx, asked)
	if err != nil {
		return ReadResult{}, fmt.Errorf("start sync: %w", err)
	}
	result := ReadResult{RunID: run.ID}
	if err := p.readFundings(ctx, run); err != nil {
		result.FundingsError = err.Error()
	}
	return p.read(ctx, run, result, p.syncSource)
}

func (p *Pipeline) newRun(kind schema.RunKind, w schema.Window) schema.Run {
	return schema.Run{Kind: kind, StartedAt: p.Now(), Period: w, Zone: p.Zone.String(), Version: p.Version, Parameters: p.settings().encode()}
}

// streamOutcome is a stream's result with the error that ended it.
type streamOutcome struct {
	StreamResult
	met map[uint64]struct{} // hashes of the ids that a walk met
	err error
}

// read runs one function per source side by side and records how the run ended.
func (p *Pipeline) read(ctx context.Context, run schema.Run, result ReadResult,
	source func(context.Context, schema.Run, Source) []streamOutcome,
) (ReadResult, error) {
	result.Sources = make([]SourceResult, len(p.Sources))
	var group errgroup.Group
	for i, s := range p.Sources {
		group.Go(func() error {
			result.Sources[i] = sourceResult(ctx, s.Name, source(ctx, run, s))
			return nil
		})
	}
	_ = group.Wait() // the functions return no error: theirs stand in the results
	return p.conclude(ctx, run, result)
}

// conclude records how a run ended by what came of its sources.
func (p *Pipeline) conclude(ctx context.Context, run schema.Run, result ReadResult) (ReadResult, error) {
	var parts []schema.RunStatus
	for _, s := range result.Sources {
		parts = append(parts, s.Status)
	}
	result.Status = status(parts)
	if result.FundingsError != "" && result.Status == schema.Complete {
		result.Status = schema.Partial
	}
	run.Status = result.Status
	if err := result.Err(); err != nil {
		run.Error = err.Error()
	}
	// The run must be closed also when its context was cancelled: that is how a stopped run says where it stands.
	if _, err := p.Ledger.FinishRun(context.WithoutCancel(ctx), run); err != nil {
		return result, fmt.Errorf("finish %s %d: %w", run.Kind, run.ID, err)
	}
	return result, nil
}

// stopped says whether an error only is that the run was told to stop.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

func sourceResult(ctx context.Context, name string, streams []streamOutcome) SourceResult {
	result := SourceResult{Source: name, Streams: []StreamResult{}}
	var errs []error
	failed := true
	result.Status = schema.Complete
	for _, s := range streams {
		result.Streams = append(result.Streams, s.StreamResult)
		if s.Verdict != schema.VerdictComplete {
			result.Status = schema.Partial
		}
		if s.Verdict != schema.VerdictFailed || stopped(ctx, s.err) { // whoever is told to stop did not fail
			failed = false
		}
		if s.err != nil {
			errs = append(errs, s.err)
		} else if s.Reason != "" {
			errs = append(errs, fmt.Errorf("%s (%s): %s", s.Stream, name, s.Reason))
		}
	}
	if failed && len(streams) > 0 {
		result.Status = schema.FailedRun
	}
	if err := errors.Join(errs...); err != nil {
		result.Error = err.Error()
	}
	return result
}

// syncSource reads every stream of a source in the extractor's order.
func (p *Pipeline) syncSource(ctx context.Context, run schema.Run, s Source) []streamOutcome {
	return p.syncStreams(ctx, run, s, p.syncTransactions)
}

// syncSnapshots is syncSource without the transactions.
func (p *Pipeline) syncSnapshots(ctx context.Context, run schema.Run, s Source) []streamOutcome {
	return p.syncStreams(ctx, run, s, func(context.Context, schema.Run, Source) streamOutcome { return streamOutcome{} })
}

func (p *Pipeline) syncStreams(ctx context.Context, run schema.Run, s Source,
	transactions func(context.Context, schema.Run, Source) streamOutcome,
) []streamOutcome {
	var cards error
	var listed map[uint64]struct{} // hashes of the ids on the list of cards; nil: it was not read to its end
	return p.eachStream(ctx, s, func(stream schema.Stream) streamOutcome {
		switch {
		case byID(stream):
			ids, err := p.Ledger.CardIDs(ctx, s.Name)
			if err != nil {
				return failed(stream, err)
			}
			if len(ids) == 0 && cards != nil { // to have asked for none of them would pass for complete
				return failed(stream, fmt.Errorf("fetch %s (%s): no card is known, and the cards could not be listed", stream, s.Name))
			}
			if listed != nil { // a card that was deleted is answered 404, which would leave every later sync in doubt
				ids = slices.DeleteFunc(ids, func(id string) bool { _, ok := listed[idHash(id)]; return !ok })
			}
			return p.fetch(ctx, run, s, stream, ids)
		case stream == schema.Cards:
			o := p.walk(ctx, run, s, stream, p.snapshot())
			if cards = o.err; o.Verdict == schema.VerdictComplete {
				listed = o.met
			}
			return o
		case stream == schema.Budgets:
			return p.syncBudgets(ctx, run, s)
		case stream.Snapshot():
			return p.walk(ctx, run, s, stream, p.snapshot())
		}
		return transactions(ctx, run, s)
	})
}

// eachStream reads the snapshots first and the transactions last, so that the rows reach at least to the moment at which
// the figures were observed: a figure is compared with the rows up to its own moment. Streams that the function does not
// read are left out. A refused credential ends the source: every further request would be refused too, and some issuers
// lock a key out for trying.
func (p *Pipeline) eachStream(ctx context.Context, s Source, read func(schema.Stream) streamOutcome) []streamOutcome {
	var outcomes []streamOutcome
	streams := slices.Clone(s.Extractor.Streams())
	slices.SortStableFunc(streams, func(a, b schema.Stream) int {
		return cmp.Compare(last(a), last(b))
	})
	for _, stream := range streams {
		if ctx.Err() != nil {
			outcomes = append(outcomes, failed(stream, fmt.Errorf("%s (%s) and what comes after are left: %w", stream, s.Name, context.Cause(ctx))))
			break
		}
		o := read(stream)
		if o.Stream == "" {
			continue
		}
		outcomes = append(outcomes, o)
		if Unauthorized(o.err) || errors.Is(o.err, errPaused) {
			break
		}
	}
	return outcomes
}

func last(s schema.Stream) int {
	if s.Snapshot() {
		return 0
	}
	return 1
}

// byID says whether a stream is read card by card.
func byID(s schema.Stream) bool { return s == schema.Utilization || s == schema.Balances }

// snapshot is the window of a stream that says how things stand now.
func (p *Pipeline) snapshot() schema.Window {
	now := p.Now()
	return schema.Window{From: now, To: now}
}

func failed(s schema.Stream, err error) streamOutcome {
	return streamOutcome{StreamResult: StreamResult{Stream: s, Verdict: schema.VerdictFailed, Reason: err.Error()}, err: err}
}

// syncBudgets lists the budgets and then asks by id for those that cards name and that the list left out or gave without an
// end: the list can be empty while a budget can be read by its id (BILL, budgets).
func (p *Pipeline) syncBudgets(ctx context.Context, run schema.Run, s Source) streamOutcome {
	o := p.walk(ctx, run, s, schema.Budgets, p.snapshot())
	if o.err != nil {
		return o
	}
	ids, err := p.Ledger.BudgetIDs(ctx, s.Name)
	if err != nil {
		return failed(schema.Budgets, err)
	}
	known := map[string]bool{}
	for b, err := range p.Ledger.View(0).Budgets.Budgets(ctx) {
		if err != nil {
			return failed(schema.Budgets, err)
		}
		if b.Source == s.Name && b.Run == run.ID && b.EndDate != "" {
			known[b.ID], known[b.AltID] = true, true
		}
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return known[id] })
	if len(ids) == 0 {
		return o
	}
	byID := p.fetch(ctx, run, s, schema.Budgets, ids)
	o.add(byID.StreamResult)
	o.err = byID.err
	return o
}

// syncTransactions goes on with walks that an earlier sync did not finish, reads the window since the watermark with its
// look-back, and asks again for what is still pending from before that window.
func (p *Pipeline) syncTransactions(ctx context.Context, run schema.Run, s Source) streamOutcome {
	const stream = schema.Transactions
	open, err := p.Ledger.OpenCheckpoints(ctx, s.Name, stream)
	if err != nil {
		return failed(stream, err)
	}
	result := streamOutcome{StreamResult: StreamResult{Stream: stream, Verdict: schema.VerdictComplete}}
	merge := func(o streamOutcome) bool {
		result.add(o.StreamResult)
		result.err = errors.Join(result.err, o.err)
		return o.err == nil
	}
	var resumed []schema.Window
	var walked streamOutcome
	var w schema.Window // that this run walks
	for _, c := range open {
		of, err := p.Ledger.Run(ctx, c.Run)
		if err != nil {
			return failed(stream, err)
		}
		if of.Kind != schema.SyncRun {
			continue
		}
		o := p.walk(ctx, run, s, stream, c.Window)
		if !merge(o) {
			return result
		}
		if c.Run == run.ID { // it was paused
			w, walked = c.Window, o
			continue
		}
		resumed = append(resumed, c.Window)
	}
	from, err := p.syncFrom(ctx, s)
	if err != nil {
		return failed(stream, err)
	}
	if walked.Stream == "" {
		w = schema.Window{From: from, To: p.Now()}
	}
	if walked.Stream == "" && w.From.Before(w.To) {
		walked = p.walk(ctx, run, s, stream, w)
		again := func(r schema.Window) bool { return schema.Covered(r, []schema.Window{w}) }
		if walked.Verdict == schema.VerdictComplete && !slices.ContainsFunc(resumed, func(r schema.Window) bool { return !again(r) }) {
			result.Verdict, result.Reason = schema.VerdictComplete, "" // what moved while an earlier walk was interrupted was met now
		}
		if !merge(walked) {
			return result
		}
	}
	unsettled, err := p.unsettled(context.WithoutCancel(ctx), s, w.From, walked.met)
	if err != nil {
		return failed(stream, err)
	}
	if len(unsettled) > 0 {
		merge(p.fetch(ctx, run, s, stream, unsettled))
	}
	return result
}

// unsettled lists the ids of transactions to ask for once more, because no list that was just read brought them: what is
// pending from before the window, and what could not be read when it was met, such as a row whose amount was not known yet.
// Where every sync reads the whole history there is nothing to ask for: what lies before the window lies before the start.
func (p *Pipeline) unsettled(ctx context.Context, s Source, before time.Time, met map[uint64]struct{}) ([]string, error) {
	if s.FullScan {
		return nil, nil
	}
	ids, err := p.Ledger.PendingIDs(ctx, s.Name, before)
	if err != nil || !s.readsByID() {
		return ids, err
	}
	rejected, err := p.Ledger.RejectedIDs(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	for _, id := range rejected {
		if _, ok := met[idHash(id)]; !ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// syncFrom is where the next sync of a source starts: its watermark less the look-back, but where its history has a gap
// before that, such as that of a start that was moved back, at the gap; and never before its start.
func (p *Pipeline) syncFrom(ctx context.Context, s Source) (time.Time, error) {
	start := schema.Beginning
	if !s.Start.IsZero() {
		start = s.Start
	}
	watermark, err := p.Ledger.Watermark(ctx, s.Name, schema.Transactions, s.Scope)
	if err != nil || watermark.IsZero() || s.FullScan {
		return start, err
	}
	covered, err := p.Ledger.Coverage(ctx, s.Name, schema.Transactions, s.Scope)
	if err != nil {
		return start, err
	}
	gap := start
	for _, w := range covered {
		if w.Contains(start) {
			gap = w.To
		}
	}
	from := watermark.In(p.Zone).AddDate(0, 0, -s.LookbackDays).UTC()
	if gap.Before(from) {
		from = gap
	}
	if from.Before(start) {
		return start, nil
	}
	return from, nil
}

// View is the ledger as it was known after a run (0: now), in the scopes that are configured: what was read in another one
// says nothing of the rows that are asked for now.
func (p *Pipeline) View(asOf int64) schema.View { return p.viewIn(asOf, p.scopes) }

func (p *Pipeline) viewIn(asOf int64, scopes map[string]schema.Scope) schema.View {
	v := p.Ledger.View(asOf)
	v.Completeness = inScope{v.Completeness, scopes}
	return v
}

// inScope leaves out the readings whose scope does not cover the configured one of their source.
type inScope struct {
	schema.CompletenessReader
	scopes map[string]schema.Scope
}

func (r inScope) Completeness(ctx context.Context) iter.Seq2[schema.Completeness, error] {
	return func(yield func(schema.Completeness, error) bool) {
		for c, err := range r.CompletenessReader.Completeness(ctx) {
			if wanted, ok := r.scopes[c.Source]; err == nil && ok && !c.Scope.Covers(wanted) {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}
