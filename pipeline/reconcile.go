package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// DefaultPeriod is the period of CONTRACT 3: from the first of the month that contains today less the longest look-back and
// the grace, to now; so that late postings and graces are always judged again.
func (p *Pipeline) DefaultPeriod() schema.Window {
	now := p.Now()
	days := p.Checks.GraceDays
	longest := 0
	for _, s := range p.Sources {
		longest = max(longest, s.LookbackDays)
	}
	year, month, day := now.In(p.Zone).Date()
	first := time.Date(year, month, day-days-longest, 0, 0, 0, 0, time.UTC)
	// A microsecond past now: what is observed now lies in the period.
	return schema.Window{From: schema.StartOfDay(first.Year(), first.Month(), 1, p.Zone), To: now.Add(time.Microsecond)}
}

// ReconcileResult is what the checks found.
type ReconcileResult struct {
	RunID        int64                                            `json:"run_id"`
	Status       schema.RunStatus                                 `json:"status"`
	Findings     map[schema.FindingCode]map[schema.Severity]int64 `json:"findings"` // open ones, of the period
	New          int64                                            `json:"new"`
	Reopened     int64                                            `json:"reopened"`
	Resolved     int64                                            `json:"resolved"`
	NotCheckable int64                                            `json:"not_checkable"`
}

// AtLeast counts the open findings of a severity or a higher one.
func (r ReconcileResult) AtLeast(s schema.Severity) int64 {
	var n int64
	for _, bySeverity := range r.Findings {
		for severity, count := range bySeverity {
			if severity.Rank() >= s.Rank() {
				n += count
			}
		}
	}
	return n
}

// Reconcile runs the checks over a period (a zero one: the default period) and stores what they found. An error means that the
// checks could not be run to their end; then no finding was stored.
func (p *Pipeline) Reconcile(ctx context.Context, w schema.Window) (ReconcileResult, error) {
	whole := w == schema.Window{}
	if whole {
		w = p.DefaultPeriod()
	}
	result, _, err := p.reconcile(ctx, w, whole)
	return result, err
}

// reconcile also returns what the checks said, for a report of the same period. whole: it is the default period.
func (p *Pipeline) reconcile(ctx context.Context, w schema.Window, whole bool) (ReconcileResult, checked, error) {
	result := ReconcileResult{Status: schema.FailedRun}
	asked := p.newRun(schema.ReconcileRun, w)
	asked.Whole = whole
	run, err := p.Ledger.StartRun(ctx, asked)
	if err != nil {
		return result, checked{}, fmt.Errorf("start reconcile: %w", err)
	}
	result.RunID = run.ID
	said, checkErr := p.check(ctx, run, w, &result)
	run.Status = schema.Complete
	if checkErr != nil {
		run.Status, run.Error = schema.FailedRun, checkErr.Error()
	}
	result.Status = run.Status
	if _, err := p.Ledger.FinishRun(context.WithoutCancel(ctx), run); err != nil {
		return result, said, errors.Join(checkErr, fmt.Errorf("finish reconcile %d: %w", run.ID, err))
	}
	return result, said, checkErr
}

func (p *Pipeline) check(ctx context.Context, run schema.Run, w schema.Window, result *ReconcileResult) (checked, error) {
	now, err := p.knownTo(ctx, run)
	if err != nil {
		return checked{}, err
	}
	period := schema.Period{Window: w, Zone: p.Zone, Now: upTo(w, now)}
	said, findings, err := runChecks(ctx, p.View(0), period, p.Checks)
	if err != nil {
		return said, err
	}
	said.run = run.ID
	set := ledger.FindingSet{Run: run.ID, Period: w, Judged: func(f schema.Finding) bool { return reconcile.Judges(period, f) }}
	for _, check := range reconcile.Checks(p.Checks) {
		set.Codes = append(set.Codes, check.Code())
	}
	for _, j := range said.judgements {
		if j.Verdict == schema.NotCheckable {
			set.NotCheckable = append(set.NotCheckable, j)
		}
	}
	if err := reconcile.SayCoverage(ctx, p.View(0), period, p.Checks, findings); err != nil {
		return said, fmt.Errorf("coverage of findings (%s): %w", w, err)
	}
	if set.Findings, err = p.capped(ctx, period, findings); err != nil {
		return said, err
	}
	changes, err := p.Ledger.SaveFindings(ctx, set)
	if err != nil {
		return said, fmt.Errorf("store findings (%s): %w", w, err)
	}
	result.New, result.Reopened, result.Resolved = changes.New, changes.Reopened, changes.Resolved
	result.NotCheckable = int64(len(set.NotCheckable))
	result.Findings, err = p.openFindings(ctx, w)
	return said, err
}

// checked is what the checks say of a period.
type checked struct {
	run        int64 // the reconcile run that asked them; 0: a report did
	period     schema.Period
	units      map[string]reconcile.UnitChoice
	judgements []schema.Judgement
	drifts     map[reports.FigureKey]schema.Finding // what explains the judgements that differ
	incomplete map[string]string                    // by source, what is not complete
}

// runChecks asks all checks.
func runChecks(ctx context.Context, view schema.View, period schema.Period, cfg reconcile.Config) (checked, []schema.Finding, error) {
	said := checked{period: period, drifts: map[reports.FigureKey]schema.Finding{}, incomplete: map[string]string{}}
	var err error
	if said.units, err = reconcile.BalanceUnits(ctx, view, period, cfg); err != nil {
		return said, nil, err
	}
	cfg.Units = said.units
	var findings []schema.Finding
	drifts := map[string]schema.Finding{}
	for outcome, err := range reconcile.Run(ctx, reconcile.Checks(cfg), view, period) {
		if err != nil {
			return said, nil, err
		}
		if outcome.Judgement != nil {
			said.judgements = append(said.judgements, *outcome.Judgement)
		}
		f := outcome.Finding
		if f == nil {
			continue
		}
		findings = append(findings, *f)
		switch {
		case f.Code == schema.BalanceDrift:
			drifts[f.ID()] = *f
		case f.Code == schema.IncompleteExtract && said.incomplete[f.Source] == "":
			said.incomplete[f.Source] = f.Message
		}
	}
	for _, j := range said.judgements {
		if f, ok := drifts[j.FindingID]; ok {
			said.drifts[reports.KeyOf(j)] = f
		}
	}
	return said, findings, nil
}

// capped replaces floods of new findings (reconcile.Cap). What is known is asked only where there are enough for one.
func (p *Pipeline) capped(ctx context.Context, period schema.Period, found []schema.Finding) ([]schema.Finding, error) {
	smallest := reconcile.DefaultMaxNew
	for _, limit := range p.Checks.MaxNew {
		smallest = min(smallest, limit)
	}
	if len(found) <= smallest {
		return found, nil
	}
	known := map[string]bool{}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{}) {
		if err != nil {
			return nil, fmt.Errorf("cap findings: %w", err)
		}
		known[f.ID()] = true
	}
	return reconcile.Cap(period, found, func(id string) bool { return known[id] }, p.Checks.MaxNew), nil
}

// openFindings counts the findings of a period that are open or acknowledged: accepted ones were settled by a person.
func (p *Pipeline) openFindings(ctx context.Context, w schema.Window) (map[schema.FindingCode]map[schema.Severity]int64, error) {
	counts := map[schema.FindingCode]map[schema.Severity]int64{}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Period: w}) {
		if err != nil {
			return nil, fmt.Errorf("count findings: %w", err)
		}
		if f.Status != schema.Open && f.Status != schema.Acknowledged {
			continue
		}
		if counts[f.Code] == nil {
			counts[f.Code] = map[schema.Severity]int64{}
		}
		counts[f.Code][f.Severity]++
	}
	return counts, nil
}

// freshness is how long after the end of a sync its reading still counts as reaching to now.
const freshness = 15 * time.Minute

// moment is the longest time from choosing a period up to now to asking the clock again.
const moment = time.Minute

// upTo is now over a period: its end where that was now a moment ago. A period that was chosen to reach up to now reaches up
// to it, although the clock goes on while a command begins.
func upTo(w schema.Window, now time.Time) time.Time {
	if late := now.Sub(w.To); late > 0 && late < moment {
		return w.To
	}
	return now
}

// knownTo is the instant that counts as now for a run: its own start or, right after a sync, the start of that sync, which is
// how far the rows are known to reach. Otherwise no nightly run could ever be complete: it reconciles minutes after it read.
func (p *Pipeline) knownTo(ctx context.Context, run schema.Run) (time.Time, error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil {
		return time.Time{}, err
	}
	for _, sync := range runs { // newest first
		if sync.Kind != schema.SyncRun || sync.ID > run.ID || sync.Status.Goes() {
			continue
		}
		if sync.ID == run.ID || run.StartedAt.Sub(sync.FinishedAt) <= freshness {
			return sync.StartedAt, nil
		}
		break
	}
	return run.StartedAt, nil
}
