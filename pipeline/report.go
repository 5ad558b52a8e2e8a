package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"time"

	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// ReportRequest says which report to make.
type ReportRequest struct {
	Period  schema.Window // zero: the default period
	Formats []string      // xlsx, csv, html
	Dir     string        // the folder to write; empty: a folder of its own below Under
	Under   string
	Sample  reports.Sample // entries for an auditor to test
	AsOf    int64          // the run as of which the ledger is shown; 0: the latest that read or checked anything

	said  checked // by the reconcile run right before; empty: none
	whole bool    // Period is the default period

	Unrecorded bool // the ledger is not told of the report, and Verify will not know it: for a ledger that may only be read
}

// ReportResult says what was written.
type ReportResult struct {
	RunID      int64            `json:"run_id"`
	Dir        string           `json:"report_dir"`
	Complete   bool             `json:"complete"`   // every source is complete for the period
	Conclusion string           `json:"conclusion"` // the manifest's: that alone says whether it was checked, and what is open
	Manifest   reports.Manifest `json:"manifest"`
}

// Report writes the workpaper. The same ledger, period and as-of run give the same bytes, whenever it is made.
func (p *Pipeline) Report(ctx context.Context, r ReportRequest) (ReportResult, error) {
	var result ReportResult
	if r.Period == (schema.Window{}) {
		r.Period, r.whole = p.DefaultPeriod(), true
	}
	asOf, reconciled, err := p.asOf(ctx, r)
	if err != nil {
		return result, fmt.Errorf("report: %w", err)
	}
	if r.Unrecorded {
		return p.write(ctx, r, asOf, reconciled)
	}
	asked := p.newRun(schema.ReportRun, r.Period)
	asked.Whole = r.whole && r.AsOf == 0
	run, err := p.Ledger.StartRun(ctx, asked)
	if err != nil {
		return result, fmt.Errorf("start report: %w", err)
	}
	result, writeErr := p.write(ctx, r, asOf, reconciled)
	result.RunID = run.ID
	run.Status = schema.Complete
	if writeErr == nil {
		run.Parameters, writeErr = recordOf(asOf, result.Dir)
	}
	if writeErr != nil {
		run.Status, run.Error = schema.FailedRun, writeErr.Error()
	}
	if _, err := p.Ledger.FinishRun(context.WithoutCancel(ctx), run); err != nil {
		return result, errors.Join(writeErr, fmt.Errorf("finish report %d: %w", run.ID, err))
	}
	return result, writeErr
}

// asOf finds the run that the report shows the ledger after, and the latest reconcile run at or before it. Runs that only
// tell do not count.
func (p *Pipeline) asOf(ctx context.Context, r ReportRequest) (asOf, reconciled schema.Run, err error) {
	if r.AsOf != 0 {
		run, err := p.Ledger.Run(ctx, r.AsOf)
		if err != nil {
			return asOf, reconciled, fmt.Errorf("%w; `tieout status` lists the runs", err)
		}
		if run.Status.Goes() {
			return asOf, reconciled, fmt.Errorf("run %d has not finished", r.AsOf)
		}
	}
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return asOf, reconciled, err
	}
	for _, run := range runs { // newest first
		if run.Status.Goes() || run.Kind.Tells() && run.ID != r.AsOf || r.AsOf != 0 && run.ID > r.AsOf {
			continue
		}
		if asOf.ID == 0 {
			asOf = run
		}
		if run.Kind == schema.ReconcileRun && run.Status == schema.Complete {
			return asOf, run, nil
		}
	}
	if asOf.ID == 0 {
		return asOf, reconciled, errors.New("the ledger has no finished run to report on: run `tieout sync` first")
	}
	return asOf, reconciled, nil
}

func (p *Pipeline) write(ctx context.Context, r ReportRequest, asOf, reconciled schema.Run) (ReportResult, error) {
	var result ReportResult
	then := p.settings() // what is configured and was never read must not be missing
	if r.AsOf != 0 {
		then = p.inForce(asOf, reconciled)
	}
	cfg, view := then.Checks, p.viewIn(asOf.ID, then.Scopes)
	// Now is the as-of run's: a report made again next year as of the same run must say the same.
	now, err := p.knownTo(ctx, asOf)
	if err != nil {
		return result, fmt.Errorf("report: %w", err)
	}
	// Without a run to go back to, the question is what is known now: a ledger that was not fed since is not complete.
	if r.AsOf == 0 && p.Now().Sub(asOf.FinishedAt) > freshness {
		now = p.Now()
	}
	period := schema.Period{Window: r.Period, Zone: p.Zone, Now: upTo(r.Period, now)}
	// The checks are asked again, as of the report's run, unless that run has just asked them the same. Findings are not taken
	// from here: those that the report shows are the stored ones, with their life.
	checks := r.said
	if checks.run == 0 || checks.run != asOf.ID || !same(checks.period, period) {
		if checks, _, err = runChecks(ctx, view, period, cfg); err != nil {
			return result, fmt.Errorf("report: %w", err)
		}
	}
	if err := p.pointToSummaries(ctx, ledger.FindingFilter{Period: r.Period, AsOf: asOf.ID}, checks.judgements); err != nil {
		return result, fmt.Errorf("report: %w", err)
	}
	books := false
	for _, err := range view.Fundings.Fundings(ctx) {
		if err != nil {
			return result, fmt.Errorf("report: %w", err)
		}
		books = true
		break
	}
	changes, err := p.changesInReport(ctx, asOf, r.Period)
	if err != nil {
		return result, fmt.Errorf("report: %w", err)
	}
	input := reports.Input{
		View: view, Period: period, Entity: p.Entity, AsOf: asOf, Reconciled: reconciled, Version: p.Version, Root: asOf.Root,
		BooksKnown: books, Parameters: p.inForce(reconciled, asOf).Parameters, Judgements: checks.judgements, Changes: changes, Drifts: checks.drifts,
		Sample: r.Sample, AgeBuckets: p.AgeBuckets,
		Findings: func(ctx context.Context) iter.Seq2[schema.Finding, error] {
			return p.Ledger.Findings(ctx, ledger.FindingFilter{Period: r.Period, AsOf: asOf.ID})
		},
		History: func(ctx context.Context) iter.Seq2[schema.FindingEvent, error] {
			return p.Ledger.History(ctx, asOf.ID, nil)
		},
	}
	if changes.Since > 0 {
		before, err := p.Ledger.Run(ctx, changes.Since)
		if err != nil {
			return result, fmt.Errorf("report: %w", err)
		}
		input.Before = before.StartedAt
	}
	result.Complete = true
	for _, s := range cfg.Sources {
		source := reports.Source{Name: s.Name, Provider: s.Provider, LookbackDays: s.LookbackDays}
		if unit, ok := checks.units[s.Name]; ok {
			source.BalanceUnit = string(unit.Unit)
		}
		source.Reason = checks.incomplete[s.Name]
		source.Complete = source.Reason == ""
		result.Complete = result.Complete && source.Complete
		input.Sources = append(input.Sources, source)
	}
	result.Dir = r.Dir
	if result.Dir == "" {
		result.Dir = filepath.Join(r.Under, fmt.Sprintf("%s_%s_run-%d", r.Period.From.In(p.Zone).Format(time.DateOnly),
			r.Period.To.Add(-time.Microsecond).In(p.Zone).Format(time.DateOnly), asOf.ID))
	}
	result.Manifest, err = reports.Write(ctx, result.Dir, input, r.Formats)
	result.Conclusion = result.Manifest.Conclusion
	return result, err
}

// same says whether two periods are the same, and judged at the same moment.
func same(a, b schema.Period) bool {
	return a.From.Equal(b.From) && a.To.Equal(b.To) && a.Now.Equal(b.Now) && a.Zone.String() == b.Zone.String()
}

// pointToSummaries gives judgements whose finding was not stored, since it came in a flood, the ID of the finding that
// stands for the flood.
func (p *Pipeline) pointToSummaries(ctx context.Context, stored ledger.FindingFilter, judgements []schema.Judgement) error {
	known := map[string]bool{}
	for f, err := range p.Ledger.Findings(ctx, stored) {
		if err != nil {
			return err
		}
		known[f.ID()] = true
	}
	for i := range judgements {
		j := &judgements[i]
		if summary := reconcile.SummaryID(j.Code, j.Source); j.FindingID != "" && !known[j.FindingID] && known[summary] {
			j.FindingID = summary
		}
	}
	return nil
}

// NightlyResult is what a nightly run did.
type NightlyResult struct {
	ReadResult
	Findings   map[schema.FindingCode]map[schema.Severity]int64 `json:"findings"`
	ReportDir  string                                           `json:"report_dir"`
	Complete   bool                                             `json:"complete"`
	Conclusion string                                           `json:"conclusion"`
	Reconcile  ReconcileResult                                  `json:"reconcile"`
	Report     ReportResult                                     `json:"report"`
}

// Nightly is sync, reconcile over the default period, and report. A sync that failed in part is still reconciled and
// reported: the report then says INCOMPLETE.
func (p *Pipeline) Nightly(ctx context.Context, formats []string, dir, under string) (NightlyResult, error) {
	read, err := p.Sync(ctx)
	if err != nil {
		return NightlyResult{ReadResult: read}, err
	}
	return p.Rest(ctx, read, formats, dir, under)
}

// Rest is what a nightly run does after its sync.
func (p *Pipeline) Rest(ctx context.Context, read ReadResult, formats []string, dir, under string) (NightlyResult, error) {
	result := NightlyResult{ReadResult: read}
	if ctx.Err() != nil {
		return result, context.Cause(ctx)
	}
	w := p.DefaultPeriod()
	var said checked
	var err error
	if result.Reconcile, said, err = p.reconcile(ctx, w, true); err != nil {
		return result, err
	}
	result.Findings = result.Reconcile.Findings
	result.Report, err = p.Report(ctx, ReportRequest{Period: w, Formats: formats, Dir: dir, Under: under, said: said, whole: true})
	result.ReportDir, result.Complete, result.Conclusion = result.Report.Dir, result.Report.Complete, result.Report.Conclusion
	return result, err
}
