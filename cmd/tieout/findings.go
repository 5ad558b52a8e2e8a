package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// findingLine is a finding as JSON prints it: the columns of findings.csv, what it rests on, and who works on it.
type findingLine struct {
	ID          string   `json:"finding_id"`
	Code        string   `json:"code"`
	Reason      string   `json:"reason"`
	Severity    string   `json:"severity"`
	Status      string   `json:"status"`
	Source      string   `json:"source"`
	Provider    string   `json:"provider"`
	CardID      string   `json:"card_id"`
	CardName    string   `json:"card_name"`
	CardLast4   string   `json:"card_last4"`
	EntryID     string   `json:"entry_id"`
	Reference   string   `json:"reference"`
	Currency    string   `json:"currency"`
	Expected    string   `json:"expected"`
	Actual      string   `json:"actual"`
	Difference  string   `json:"difference"`
	Unexplained string   `json:"unexplained"`
	PeriodFrom  string   `json:"period_from"`
	PeriodTo    string   `json:"period_to"`
	FirstSeen   string   `json:"first_seen"`
	LastSeen    string   `json:"last_seen"`
	Message     string   `json:"message"`
	Basis       string   `json:"basis"`
	Explanation string   `json:"explanation"`
	Evidence    []string `json:"evidence"`
	Assignee    string   `json:"assignee"`
}

// jsonInstant is an instant as reports write it; empty for the zero instant.
func jsonInstant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func lineOf(f schema.Finding) findingLine {
	return findingLine{
		ID: f.ID(), Code: string(f.Code), Reason: f.Reason, Severity: string(f.Severity), Status: string(f.Status),
		Source: f.Source, Provider: string(f.Provider), CardID: f.CardID, CardName: f.CardName, CardLast4: f.CardLast4,
		EntryID: f.EntryID, Reference: f.Reference, Currency: f.Currency(),
		Expected: f.Expected.String(), Actual: f.Actual.String(), Difference: f.Difference(), Unexplained: f.Unexplained.String(),
		PeriodFrom: jsonInstant(f.PeriodFrom), PeriodTo: jsonInstant(f.PeriodTo), FirstSeen: jsonInstant(f.FirstSeen), LastSeen: jsonInstant(f.LastSeen),
		Message: f.Message, Basis: f.Basis, Explanation: f.Explanation, Evidence: append([]string{}, f.Evidence...), Assignee: f.Assignee,
	}
}

func (a *app) findingsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "findings", Short: "List and show findings, and decide about them", Args: noArgs, RunE: needSubcommand}
	cmd.AddCommand(a.findingsListCommand(), a.findingsShowCommand())
	for _, act := range actions() {
		cmd.AddCommand(a.actCommand(act))
	}
	cmd.AddCommand(a.findingsLinksCommand(), a.findingsImportCommand())
	return cmd
}

// needSubcommand refuses a command that does nothing by itself.
func needSubcommand(cmd *cobra.Command, _ []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return usageError("%s needs one of: %s", cmd.CommandPath(), strings.Join(names, ", "))
}

// findingChoice is what the flags that choose findings say.
type findingChoice struct{ status, code, source, severity string }

func (c *findingChoice) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.status, "status", "", "only `STATUS`: open, acknowledged, accepted, resolved")
	cmd.Flags().StringVar(&c.code, "code", "", "only the check `CODE`")
	cmd.Flags().StringVar(&c.source, "source", "", "only the source `NAME`")
	cmd.Flags().StringVar(&c.severity, "severity", "", "only `SEVERITY`: low, medium, high")
}

func (c *findingChoice) empty() bool { return *c == findingChoice{} }

// filter refuses a word that is none of those that there are: it would look as if there were no finding.
func (c *findingChoice) filter(ctx context.Context, config Config, p *pipeline.Pipeline) (ledger.FindingFilter, error) {
	f := ledger.FindingFilter{
		Status: schema.FindingStatus(c.status), Code: schema.FindingCode(c.code), Source: c.source, Severity: schema.Severity(c.severity),
	}
	sources, err := p.Ledger.Sources(ctx)
	if err != nil {
		return f, err
	}
	for _, s := range config.Sources {
		sources = append(sources, s.Name)
	}
	slices.Sort(sources)
	statuses := []schema.FindingStatus{schema.Open, schema.Acknowledged, schema.Accepted, schema.Resolved}
	for _, err := range []error{
		oneOf("status", f.Status, statuses), oneOf("code", f.Code, findingCodes), oneOf("source", f.Source, slices.Compact(sources)),
		oneOf("severity", f.Severity, []schema.Severity{schema.Low, schema.Medium, schema.High}),
	} {
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

func oneOf[T ~string](flag string, value T, known []T) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	return usageError("--%s %q: one of %s", flag, value, strings.Join(words, ", "))
}

// asOfRun refuses a run that is not in the ledger; 0 means now.
func asOfRun(ctx context.Context, p *pipeline.Pipeline, run int64) error {
	if run == 0 {
		return nil
	}
	if _, err := p.Ledger.Run(ctx, run); err != nil {
		return fmt.Errorf("%w; `tieout status` lists the runs", err)
	}
	return nil
}

func (a *app) findingsListCommand() *cobra.Command {
	var choice findingChoice
	var asOf int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List findings", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(c Config, p *pipeline.Pipeline) error {
				filter, err := choice.filter(cmd.Context(), c, p)
				if err != nil {
					return err
				}
				if err := asOfRun(cmd.Context(), p, asOf); err != nil {
					return err
				}
				filter.AsOf = asOf
				lines, err := gatherFindings(cmd.Context(), p, filter)
				if err != nil {
					return err
				}
				return a.print(asJSON, lines, func(w io.Writer) { writeFindings(w, lines) })
			})
		},
	}
	choice.flags(cmd)
	cmd.Flags().Int64Var(&asOf, "as-of-run", 0, "as they were known after run `N`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func gatherFindings(ctx context.Context, p *pipeline.Pipeline, filter ledger.FindingFilter) ([]findingLine, error) {
	lines := []findingLine{}
	for f, err := range p.Ledger.Findings(ctx, filter) {
		if err != nil {
			return nil, err
		}
		lines = append(lines, lineOf(f))
	}
	return lines, nil
}

func writeFindings(w io.Writer, lines []findingLine) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "finding\tseverity\tstatus\tcode\treason\tsource\tcard\tcurrency\texpected\tactual\tdifference\tassignee")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Severity, l.Status, l.Code, l.Reason, l.Source,
			oneLine(l.CardLast4), l.Currency, l.Expected, l.Actual, l.Difference, oneLine(l.Assignee))
	}
	t.Flush()
	fmt.Fprintf(w, "%s\n", counted(len(lines), "finding", "findings"))
}

// oneLine keeps what others wrote from looking like lines and columns of ours.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
