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
	"unicode"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline/schedule"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// AlertRules say what somebody is told of.
type AlertRules struct {
	Channel  string          // each is told by itself, and of what it was not told yet
	Severity schema.Severity // the least of a finding
	Silence  time.Duration   // since the last complete night
	// SilenceOnly tells nothing as long as there is no silence to tell of: for the time before and between nights.
	SilenceOnly bool
}

// Alert is what somebody is told after a night: what is new since the alert before.
type Alert struct {
	ID         string           `json:"id"` // the same for the same news, when it is told once more too
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
	news    []string // what of it was not told yet, as keys; none: it need not be told
	notRun  bool     // the night could not begin
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
	Channel    string     `json:"channel"`
	AsOf       int64      `json:"as_of_run"`
	Alert      string     `json:"alert"`
	SilentFrom *time.Time `json:"silent_from,omitempty"`
}

// Alert is what a channel is to be told after a night that ended so; false: nothing. What is not read whole is part of an
// alert as long as it is not, but only news when it begins or changes; the same holds for silence until it has lasted as long
// once more. A zero night is none: the alert then stands before one or between two.
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
	records := toldBefore(runs, rules.Channel)
	a.silence(runs, records, rules.Silence)
	if rules.SilenceOnly && len(a.news) == 0 {
		return a, false, nil
	}
	var since int64
	if len(records) > 0 {
		since = records[0].AsOf
	}
	if err := p.failures(ctx, &a, runs, since, night, failure); err != nil {
		return a, false, err
	}
	if err := p.newSince(ctx, &a, rules, since); err != nil {
		return a, false, err
	}
	// Another ledger's news are others, though its runs have the same numbers.
	a.finish(runs[len(runs)-1].StartedAt)
	return a, len(a.news) > 0, nil
}

// finish gives an alert its ID, by what is new in it since an instant, and its words.
func (a *Alert) finish(since time.Time) {
	key := []string{a.Entity, a.channel, since.UTC().Format(time.RFC3339Nano)}
	sum := sha256.Sum256([]byte(strings.Join(append(key, a.news...), "\x1f")))
	a.ID = hex.EncodeToString(sum[:12])
	a.Subject, a.Text = printable(a.subject(), false), printable(a.text(), true)
}

// News are the news of an alert, as keys.
func (a Alert) News() []string { return slices.Clone(a.news) }

// toldAlert is an alert that a channel took.
type toldAlert struct {
	alertRecord
	at time.Time
}

// toldBefore are the alerts that a channel took, newest first, as runs are.
func toldBefore(runs []schema.Run, channel string) []toldAlert {
	var all []toldAlert
	for _, r := range runs {
		var record alertRecord
		if r.Kind == schema.AlertRun && r.Status == schema.Complete && json.Unmarshal([]byte(r.Parameters), &record) == nil && record.Channel == channel {
			all = append(all, toldAlert{record, r.FinishedAt})
		}
	}
	return all
}

// silence says since when no night was complete, where that is too long.
func (a *Alert) silence(runs []schema.Run, told []toldAlert, longest time.Duration) {
	from := lastComplete(a.At, runs)
	times := a.silentSince(from, longest)
	if times == 0 {
		return
	}
	due := from.Add(time.Duration(times) * longest)
	for _, t := range told {
		if t.SilentFrom != nil && t.SilentFrom.Equal(from) && !t.at.Before(due) {
			return
		}
	}
	a.silenceIsNews(from, times)
}

// silentSince notes a silence, and says how often it has lasted as long as it may; 0: there is none.
func (a *Alert) silentSince(from time.Time, longest time.Duration) (times int64) {
	silent := a.At.Sub(from)
	if silent <= longest {
		return 0
	}
	a.SilentFrom = &from
	return int64(silent / longest)
}

func (a *Alert) silenceIsNews(from time.Time, times int64) {
	a.news = append(a.news, fmt.Sprint("silence ", from.UnixMicro(), " ", times))
}

// SilentFrom is when the last complete night ended, where that is longer ago than longest; nil: it is not, or nothing ever ran.
func (p *Pipeline) SilentFrom(ctx context.Context, longest time.Duration) (*time.Time, error) {
	from, err := p.LastComplete(ctx)
	if err != nil || from.IsZero() || p.Now().Sub(from) <= longest {
		return nil, err
	}
	return &from, nil
}

// LastComplete is when the last complete night ended, or when the first run began where none was complete; zero: nothing ever
// ran.
func (p *Pipeline) LastComplete(ctx context.Context) (time.Time, error) {
	runs, err := p.Ledger.Runs(ctx, 0)
	if err != nil || len(runs) == 0 {
		return time.Time{}, err
	}
	return lastComplete(p.Now(), runs), nil
}

// lastComplete is when the last complete night ended, or when the first run began where none was complete. runs are newest
// first.
func lastComplete(now time.Time, runs []schema.Run) time.Time {
	if last := schedule.LastDone(now, runs); !last.IsZero() {
		return last
	}
	return runs[len(runs)-1].StartedAt
}

// failures says what of the night was not read whole, and which earlier runs went wrong that the channel was not told of.
func (p *Pipeline) failures(ctx context.Context, a *Alert, runs []schema.Run, since int64, night NightlyResult, failure error) error {
	add := func(source, text string) { a.Failures = append(a.Failures, AlertFailure{source, transport.Mask(text)}) }
	for _, s := range night.Sources {
		if s.Status != schema.Complete {
			add(s.Source, s.Error)
		}
	}
	if night.FundingsError != "" {
		add("", night.FundingsError)
	}
	if failure != nil {
		add("", failure.Error())
	}
	troubles, err := p.troubles(ctx, runs)
	if err != nil {
		return err
	}
	recorded := false
	for _, t := range troubles {
		tonight := night.RunID != 0 && t.run.ID >= night.RunID
		recorded = recorded || tonight && failure != nil && t.run.Error != "" && strings.Contains(failure.Error(), t.run.Error)
		fresh := t.run.ID > since && !t.old && (since > 0 || !t.over) // who was never told anything is not told old stories
		if fresh {
			a.news = append(a.news, fmt.Sprint("run ", t.run.ID))
		}
		if !tonight && fresh || night.RunID == 0 && t.last {
			add("", t.text(a.zone))
		}
	}
	if failure != nil && !recorded {
		a.news = append(a.news, "failure "+withoutFigures(failure.Error()))
	}
	return nil
}

// trouble is a run that failed or is incomplete.
type trouble struct {
	run     schema.Run
	sources []string // that it did not read whole
	old     bool     // the run like it before went wrong in the same way: whoever was told of that one knows
	over    bool     // a later run of its kind was complete, and whole where this one was
	last    bool     // it is the last run like it
}

// text says the trouble of an earlier night.
func (t trouble) text(zone *time.Location) string {
	text := fmt.Sprintf("the %s of %s (run %d) was %s", t.run.Kind, t.run.StartedAt.In(zone).Format("2006-01-02 15:04 MST"), t.run.ID, t.run.Status)
	switch {
	case len(t.sources) > 0:
		text += "; not read whole: " + strings.Join(t.sources, ", ")
	case t.run.Error != "":
		text += ": " + t.run.Error
	}
	if t.over {
		text += "; a later one was complete"
	}
	return text
}

// troubles are the runs that failed or are incomplete, oldest first. runs are newest first.
func (p *Pipeline) troubles(ctx context.Context, runs []schema.Run) ([]trouble, error) {
	sources := map[int64][]string{}
	for c, err := range p.View(0).Completeness.Completeness(ctx) { // by source
		if err != nil {
			return nil, err
		}
		if list := sources[c.Run]; c.Verdict != schema.VerdictComplete && (len(list) == 0 || list[len(list)-1] != c.Source) {
			sources[c.Run] = append(list, c.Source)
		}
	}
	var all []trouble
	type like struct { // a run of some sources says nothing of one of all
		kind  schema.RunKind
		whole bool
	}
	of := func(r schema.Run) like { return like{r.Kind, r.Whole} }
	before := map[like]string{}
	last := map[like]int64{}
	for _, r := range slices.Backward(runs) {
		last[of(r)] = r.ID
		if !slices.Contains([]schema.RunKind{schema.SyncRun, schema.BackfillRun, schema.ReconcileRun, schema.ReportRun}, r.Kind) || r.Status.Goes() {
			continue
		}
		if r.Status == schema.Complete {
			before[of(r)] = ""
			for i := range all {
				all[i].over = all[i].over || all[i].run.Kind == r.Kind && (r.Whole || !all[i].run.Whole)
			}
			continue
		}
		key := string(r.Status) + " " + strings.Join(sources[r.ID], " ")
		all = append(all, trouble{run: r, sources: sources[r.ID], old: before[of(r)] == key})
		before[of(r)] = key
	}
	for i := range all {
		all[i].last = all[i].run.ID == last[of(all[i].run)]
	}
	return all, nil
}

// newSince finds the open findings that are news after a run.
func (p *Pipeline) newSince(ctx context.Context, a *Alert, rules AlertRules, since int64) error {
	var open []schema.Finding
	ids := []string{}
	for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Status: schema.Open}) {
		if err != nil {
			return err
		}
		if f.Severity.Rank() >= rules.Severity.Rank() {
			open, ids = append(open, f), append(ids, f.ID())
		}
	}
	events := map[string][]schema.FindingEvent{}
	for e, err := range p.Ledger.History(ctx, 0, ids) {
		if err != nil {
			return err
		}
		events[e.FindingID] = append(events[e.FindingID], e)
	}
	var all []schema.Finding
	for _, f := range open {
		if run := becameNews(events[f.ID()], since, rules.Severity); run > 0 {
			a.news = append(a.news, fmt.Sprint(f.ID(), " ", run))
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(x, y schema.Finding) int { return y.Severity.Rank() - x.Severity.Rank() })
	a.New = len(all)
	for _, f := range all[:min(len(all), mostFindings)] {
		a.Findings = append(a.Findings, AlertFinding{f.ID(), f.Code, f.Severity, f.Source, transport.Mask(f.Message)})
	}
	return nil
}

// becameNews is the last run after another one in which a finding with these events was opened, was opened again by checks,
// or rose to the least severity that is told; 0: it is no news.
func becameNews(events []schema.FindingEvent, since int64, least schema.Severity) (run int64) {
	below := false
	for _, e := range events {
		severe := e.Severity.Rank() >= least.Rank()
		opened := e.Action == schema.FindingOpened || e.Action == schema.FindingReopened
		if e.Run > since && (opened || below && severe) {
			run = e.Run
		}
		below = !severe
	}
	return run
}

// RecordAlert notes that an alert was delivered, or why not. Only one that was is not told again.
func (p *Pipeline) RecordAlert(ctx context.Context, a Alert, delivery error) error {
	run, err := p.Ledger.StartRun(ctx, p.newRun(schema.AlertRun, schema.Window{}))
	if err != nil {
		return fmt.Errorf("start alert: %w", err)
	}
	text, err := json.Marshal(alertRecord{a.channel, a.asOf, a.ID, a.SilentFrom})
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
		parts = append(parts, "no complete night since "+a.SilentFrom.In(a.zone).Format("2006-01-02"))
	}
	sources := 0
	for _, f := range a.Failures {
		if f.Source != "" {
			sources++
		}
	}
	switch {
	case a.notRun:
		parts = append(parts, "the night could not run")
	case len(a.Failures) == 0:
	case a.Conclusion == "" && a.Status != "":
		parts = append(parts, "the night failed")
	case sources == 0:
		parts = append(parts, "a run went wrong")
	default:
		parts = append(parts, count(sources, "source", "sources")+" not read whole")
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
	fmt.Fprintf(&b, "%s, %s", a.Entity, a.At.In(a.zone).Format("2006-01-02 15:04 MST"))
	switch {
	case a.Conclusion != "":
		b.WriteString(": " + a.Conclusion)
	case a.Status != "" || a.SilentFrom == nil: // else it stands before a night or between two
		b.WriteString(": no report could be made")
	}
	b.WriteString(".\n")
	if a.SilentFrom != nil {
		fmt.Fprintf(&b, "\nNo night has been complete since %s.\n", a.SilentFrom.In(a.zone).Format("2006-01-02 15:04 MST"))
	}
	if len(a.Failures) > 0 {
		if a.notRun {
			b.WriteString("\nThe night could not run, and is due as long as it has not:\n")
		} else {
			b.WriteString("\nNot read whole, and asked for again by the next run:\n")
		}
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
	b.WriteString("\n")
	if a.ReportDir != "" {
		fmt.Fprintf(&b, "Report: %s\n", a.ReportDir)
	}
	if a.Root != "" {
		fmt.Fprintf(&b, "Root of the hash chain: %s\n", a.Root)
	}
	return b.String()
}

// printable takes out of a text what could move a cursor, begin a header or turn a line around: merchants choose their own
// names, and issuers pass them on.
func printable(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' && lines {
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, s)
}
