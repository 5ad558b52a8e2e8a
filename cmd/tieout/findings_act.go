package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// action is one of the commands by which people decide about findings.
type action struct {
	name, short string
	does        schema.FindingAction
	reason      bool // --reason, which is required; else --note, which is not
	bulk        bool // findings may be chosen by what they are
}

func actions() []action {
	return []action{
		{"ack", "Acknowledge findings: seen, work goes on", schema.Acknowledge, false, true},
		{"assign", "Assign findings to somebody", schema.Assign, false, true},
		{"accept", "Accept findings as they are; other figures open them again", schema.Accept, true, true},
		{"reopen", "Open findings again that were acknowledged or accepted", schema.Reopen, true, true},
		{"confirm", "Confirm that a proposed top-up is what the funding means", schema.ConfirmMatch, false, false},
		{"refuse", "Refuse a proposed top-up: it is not proposed again", schema.RefuseMatch, false, false},
	}
}

// actFlags are what the flags of an action say.
type actFlags struct {
	choice              findingChoice
	by, note, to        string
	yes, dryRun, asJSON bool
}

func (a *app) actCommand(act action) *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use: act.name + " FINDING_ID...", Short: act.short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return a.act(cmd.Context(), act, f, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.by, "by", "", "the `NAME` of who decides (default: the user of this system)")
	if act.reason {
		flags.StringVar(&f.note, "reason", "", "why, as `TEXT`; required")
	} else {
		flags.StringVar(&f.note, "note", "", "a `TEXT` to keep with it")
	}
	if act.does == schema.Assign {
		flags.StringVar(&f.to, "to", "", "the `NAME` of who is to work on it; required")
	}
	if act.bulk {
		f.choice.flags(cmd)
		flags.BoolVar(&f.yes, "yes", false, "without FINDING_ID: do it; else it is only shown what would change")
	}
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would change, and change nothing")
	flags.BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

// acted is what an action did, as JSON prints it.
type acted struct {
	RunID    int64       `json:"run_id"` // 0: nothing was changed
	DryRun   bool        `json:"dry_run"`
	Changed  int         `json:"changed"` // with dry_run: would change
	Findings []actedLine `json:"findings"`
}

type actedLine struct {
	ID       string `json:"finding_id"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Reason   string `json:"reason"`
	Source   string `json:"source"`
	Before   string `json:"status_before"`
	Status   string `json:"status"`
	Assignee string `json:"assignee"`
	Changed  bool   `json:"changed"`
	Refused  string `json:"refused"` // why it stays as it is; empty: it changes, or stands so already
}

func (a *app) act(ctx context.Context, act action, f actFlags, args []string) error {
	decision, err := a.decision(act, f)
	if err != nil {
		return err
	}
	switch {
	case len(args) > 0 && !f.choice.empty():
		return usageError("findings %s takes FINDING_IDs or flags that choose findings, not both", act.name)
	case len(args) == 0 && f.choice.empty() && act.bulk:
		return usageError("findings %s needs FINDING_IDs, or at least one of --status, --code, --source, --severity", act.name)
	case len(args) == 0 && !act.bulk:
		return usageError("findings %s needs at least one FINDING_ID, as `tieout findings list` prints it", act.name)
	}
	byID := len(args) > 0
	dry := f.dryRun || !byID && !f.yes
	do := func(c Config, p *pipeline.Pipeline) error {
		decisions, err := chosen(ctx, c, p, decision, f.choice, args)
		if err != nil {
			return err
		}
		run, decided, err := decide(ctx, p, decisions, dry, byID)
		if err != nil {
			return err
		}
		result := actedOf(run, decided, dry)
		if byID {
			if err := refusedError(decided); err != nil {
				return err
			}
		}
		return a.print(f.asJSON, result, func(w io.Writer) { writeActed(w, result, !byID && !f.yes && !f.dryRun) })
	}
	if dry {
		return a.withReader(ctx, do)
	}
	return a.withConfigured(ctx, nil, do)
}

// decision is what the flags ask for, without a finding.
func (a *app) decision(act action, f actFlags) (schema.Decision, error) {
	d := schema.Decision{Action: act.does, By: oneLine(f.by), Note: strings.TrimSpace(f.note), Assignee: oneLine(f.to)}
	if d.By == "" {
		d.By = a.systemUser()
	}
	switch {
	case d.By == "":
		return d, usageError("this system does not say who you are: add --by NAME")
	case d.By == schema.Program:
		return d, usageError("--by %q: that is what the program's own doings are recorded under", d.By)
	case act.reason && d.Note == "":
		return d, usageError("findings %s needs --reason TEXT", act.name)
	case act.does == schema.Assign && d.Assignee == "":
		return d, usageError("findings %s needs --to NAME", act.name)
	}
	if err := d.Check(); err != nil {
		return d, usageError("findings %s: %w", act.name, err)
	}
	return d, nil
}

// systemUser is the name of the user whom the program runs for; empty: it is not known.
func (a *app) systemUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return oneLine(u.Username)
	}
	name, _ := a.env("USER")
	return oneLine(name)
}

// chosen is the decision on each finding that was named or that the flags choose. An id that names none or several refuses
// all of them.
func chosen(ctx context.Context, c Config, p *pipeline.Pipeline, d schema.Decision, choice findingChoice, args []string) ([]schema.Decision, error) {
	var decisions []schema.Decision
	add := func(id string) {
		d.FindingID = id
		if !slices.Contains(decisions, d) {
			decisions = append(decisions, d)
		}
	}
	for _, arg := range args {
		ids, err := p.Ledger.FindingIDs(ctx, arg)
		switch {
		case err != nil:
			return nil, err
		case len(ids) == 0 || strings.TrimSpace(arg) == "":
			return nil, usageError("finding %s: there is none; `tieout findings list` prints the ids. Nothing was changed", arg)
		case len(ids) > 1:
			return nil, usageError("finding %s: %d findings begin so: %s. Nothing was changed", arg, len(ids), strings.Join(ids[:min(5, len(ids))], ", "))
		}
		add(ids[0])
	}
	if len(args) > 0 {
		return decisions, nil
	}
	filter, err := choice.filter(ctx, c, p)
	if err != nil {
		return nil, err
	}
	for f, err := range p.Ledger.Findings(ctx, filter) {
		if err != nil {
			return nil, err
		}
		d.FindingID = f.ID()
		decisions = append(decisions, d)
	}
	return decisions, nil
}

func decide(ctx context.Context, p *pipeline.Pipeline, decisions []schema.Decision, dry, whole bool) (schema.Run, []ledger.Decided, error) {
	if dry {
		decided, err := p.Ledger.Judge(ctx, decisions)
		return schema.Run{}, decided, err
	}
	return p.Decide(ctx, decisions, whole)
}

// refusedError says why findings that were named cannot be decided about so.
func refusedError(decided []ledger.Decided) error {
	var lines []string
	for _, d := range decided {
		if d.Refused != "" {
			lines = append(lines, fmt.Sprintf("finding %s: %s", d.FindingID, d.Refused))
		}
	}
	if lines == nil {
		return nil
	}
	return fmt.Errorf("nothing was changed:\n%s", strings.Join(lines, "\n"))
}

func actedOf(run schema.Run, decided []ledger.Decided, dry bool) acted {
	result := acted{RunID: run.ID, DryRun: dry, Findings: []actedLine{}}
	for _, d := range decided {
		if d.Changed {
			result.Changed++
		}
		result.Findings = append(result.Findings, actedLine{
			ID: d.FindingID, Severity: string(d.Finding.Severity), Code: string(d.Finding.Code), Reason: d.Finding.Reason,
			Source: d.Finding.Source, Before: string(d.Finding.Status), Status: string(d.Status), Assignee: cmp.Or(d.Assignee, d.Finding.Assignee),
			Changed: d.Changed, Refused: d.Refused,
		})
	}
	return result
}

func writeActed(w io.Writer, result acted, hint bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "finding\tseverity\tcode\treason\tsource\tstatus\tbecomes")
	stay := map[string]int{}
	for _, l := range result.Findings {
		switch {
		case l.Refused != "":
			stay[l.Refused]++
			continue
		case !l.Changed:
			stay["it stands so already"]++
			continue
		}
		becomes := l.Status
		if l.Assignee != "" {
			becomes += ", " + l.Assignee
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Severity, l.Code, l.Reason, l.Source, l.Before, becomes)
	}
	if result.Changed > 0 {
		t.Flush()
	}
	verb := "changed"
	if result.DryRun {
		verb = "would change"
	}
	fmt.Fprintf(w, "%s %s\n", counted(result.Changed, "finding", "findings"), verb)
	for _, why := range slices.Sorted(maps.Keys(stay)) {
		fmt.Fprintf(w, "%s as before: %s\n", counted(stay[why], "finding stays", "findings stay"), why)
	}
	if hint && result.Changed > 0 {
		fmt.Fprintln(w, "nothing was changed: add --yes to do it")
	}
}
