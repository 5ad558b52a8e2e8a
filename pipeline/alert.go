package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// AlertRules say what somebody is told of.
type AlertRules struct {
	Channel  string          // each is told by itself, and of what it was not told yet
	Severity schema.Severity // the least of a finding
	Silence  time.Duration   // since the last complete reading
}

// Alert is what somebody is told after a night: what is new since the alert before.
type Alert struct {
	ID         string           `json:"id"` // the same when it is told once more
	Subject    string           `json:"subject"`
	Text       string           `json:"text"` // all of it for a person
	Entity     string           `json:"entity"`
	Version    string           `json:"version"`
	At         time.Time        `json:"at"`
	RunID      int64            `json:"run_id"` // of the sync
	Status     schema.RunStatus `json:"status"`
	Conclusion string           `json:"conclusion"` // of the report; empty where none could be made
	Failures   []AlertFailure   `json:"failures"`   // sources that were not read whole, and what else went wrong
	SilentFrom *time.Time       `json:"silent_from,omitempty"`
	Findings   []AlertFinding   `json:"findings"` // new ones, the gravest first; at most mostFindings
	New        int              `json:"new_findings"`
	ReportDir  string           `json:"report_dir"`
	Root       string           `json:"root"`

	asOf    int64
	channel string
	zone    *time.Location
}

// AlertFailure is one thing that went wrong.
type AlertFailure struct {
	Source string `json:"source"` // empty: it is about none
	Error  string `json:"error"`
}

// AlertFinding is a finding as it is told: it names a card by name and last four.
type AlertFinding struct {
	ID       string             `json:"finding_id"`
	Code     schema.FindingCode `json:"code"`
	Severity schema.Severity    `json:"severity"`
	Source   string             `json:"source"`
	Message  string             `json:"message"`
}

// mostFindings is how many findings an alert names; the report has all.
const mostFindings = 30

// alertRecord is what the ledger keeps of an alert.
type alertRecord struct {
	Channel string `json:"channel"`
	AsOf    int64  `json:"as_of_run"`
	Alert   string `json:"alert"`
}

// Alert is what a channel is to be told after a night that ended so; false: nothing.
func (p *Pipeline) Alert(ctx context.Context, rules AlertRules, night NightlyResult, failure error) (Alert, bool, error) {
	a := Alert{
		Entity: p.Entity, Version: p.Version, At: p.Now(), RunID: night.RunID, Status: night.Status, Conclusion: night.Conclusion,
		Failures: []AlertFailure{}, Findings: []AlertFinding{}, ReportDir: night.ReportDir, channel: rules.Channel, zone: p.Zone,
	}
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil || len(runs) == 0 {
		return a, false, err
	}
	a.asOf, a.Root = runs[0].ID, runs[0].Root
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Entity, rules.Channel, a.Root}, "\x1f")))
	a.ID = hex.EncodeToString(sum[:12])
	a.failures(night, failure)
	if silent := lastComplete(runs); a.At.Sub(silent) > rules.Silence {
		a.SilentFrom = &silent
	}
	if err := p.newSince(ctx, &a, rules, told(runs, rules.Channel)); err != nil {
		return a, false, err
	}
	a.Subject, a.Text = a.subject(), a.text()
	return a, len(a.Failures) > 0 || a.SilentFrom != nil || a.New > 0, nil
}

func (a *Alert) failures(night NightlyResult, failure error) {
	for _, s := range night.Sources {
		if s.Status != schema.Complete {
			a.Failures = append(a.Failures, AlertFailure{s.Source, s.Error})
		}
	}
	if night.FundingsError != "" {
		a.Failures = append(a.Failures, AlertFailure{"", night.FundingsError})
	}
	if failure != nil {
		a.Failures = append(a.Failures, AlertFailure{"", failure.Error()})
	}
}

// lastComplete is when the last complete sync ended, or the first run began where none was complete. runs are newest first.
func lastComplete(runs []schema.Run) time.Time {
	for _, r := range runs {
		if r.Kind == schema.SyncRun && r.Status == schema.Complete {
			return r.FinishedAt
		}
	}
	return runs[len(runs)-1].StartedAt
}

// told is the run up to which a channel has been told of everything.
func told(runs []schema.Run, channel string) int64 {
	for _, r := range runs {
		var record alertRecord
		if r.Kind == schema.AlertRun && r.Status == schema.Complete && json.Unmarshal([]byte(r.Parameters), &record) == nil && record.Channel == channel {
			return record.AsOf
		}
	}
	return 0
}

// newSince finds what is open now and was not open as of a run.
func (p *Pipeline) newSince(ctx context.Context, a *Alert, rules AlertRules, since int64) error {
	known := map[string]bool{}
	if since > 0 {
		for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{AsOf: since}) {
			if err != nil {
				return err
			}
			known[f.ID()] = f.Status != schema.Resolved
		}
	}
	var all []schema.Finding
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Status: schema.Open}) {
		if err != nil {
			return err
		}
		if f.Severity.Rank() >= rules.Severity.Rank() && !known[f.ID()] {
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(x, y schema.Finding) int { return y.Severity.Rank() - x.Severity.Rank() })
	a.New = len(all)
	for _, f := range all[:min(len(all), mostFindings)] {
		a.Findings = append(a.Findings, AlertFinding{f.ID(), f.Code, f.Severity, f.Source, f.Message})
	}
	return nil
}

// RecordAlert notes that an alert was delivered, or why not. Only one that was is not told again.
func (p *Pipeline) RecordAlert(ctx context.Context, a Alert, delivery error) error {
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.AlertRun, schema.Window{}))
	if err != nil {
		return fmt.Errorf("start alert: %w", err)
	}
	text, err := json.Marshal(alertRecord{a.channel, a.asOf, a.ID})
	run.Status, run.Parameters = schema.Complete, string(text)
	if delivery != nil {
		run.Status, run.Error = schema.FailedRun, delivery.Error()
	}
	_, finishErr := p.Ledger.FinishRun(ctx, run)
	return errors.Join(err, finishErr)
}

// subject says the alert in a line.
func (a Alert) subject() string {
	var parts []string
	if a.SilentFrom != nil {
		parts = append(parts, "no complete reading since "+a.SilentFrom.In(a.zone).Format("2006-01-02"))
	}
	if n := len(a.Failures); n > 0 {
		parts = append(parts, fmt.Sprintf("%s not read whole", count(n, "source", "sources")))
		if a.Conclusion == "" {
			parts[len(parts)-1] = "the night failed"
		}
	}
	if a.New > 0 {
		parts = append(parts, count(a.New, "new finding", "new findings"))
	}
	return "tieout, " + a.Entity + ": " + strings.Join(parts, ", ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// text is the alert for a person, in plain text.
func (a Alert) text() string {
	var b strings.Builder
	conclusion := a.Conclusion
	if conclusion == "" {
		conclusion = "no report could be made"
	}
	fmt.Fprintf(&b, "%s, %s: %s.\n", a.Entity, a.At.In(a.zone).Format("2006-01-02 15:04 MST"), conclusion)
	if a.SilentFrom != nil {
		fmt.Fprintf(&b, "\nNo reading has been complete since %s.\n", a.SilentFrom.In(a.zone).Format("2006-01-02 15:04 MST"))
	}
	if len(a.Failures) > 0 {
		b.WriteString("\nNot read whole, and asked for again by the next run:\n")
		for _, f := range a.Failures {
			source := f.Source
			if source == "" {
				source = "tieout"
			}
			fmt.Fprintf(&b, "- %s: %s\n", source, strings.ReplaceAll(f.Error, "\n", "\n  "))
		}
	}
	if a.New > 0 {
		fmt.Fprintf(&b, "\n%s:\n", count(a.New, "new finding", "new findings"))
		for _, f := range a.Findings {
			fmt.Fprintf(&b, "- %s, %s, %s: %s\n", f.Severity, f.Code, f.ID, f.Message)
		}
		if more := a.New - len(a.Findings); more > 0 {
			fmt.Fprintf(&b, "- and %d more, which the report names\n", more)
		}
	}
	if a.ReportDir != "" {
		fmt.Fprintf(&b, "\nReport: %s\n", a.ReportDir)
	}
	fmt.Fprintf(&b, "Root of the hash chain: %s\n", a.Root)
	return b.String()
}
