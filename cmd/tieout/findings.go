package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// findingLine is a finding as JSON prints it: the columns of findings.csv, and what it rests on.
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
}

func lineOf(f schema.Finding) findingLine {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	return findingLine{
		ID: f.ID(), Code: string(f.Code), Reason: f.Reason, Severity: string(f.Severity), Status: string(f.Status),
		Source: f.Source, Provider: string(f.Provider), CardID: f.CardID, CardName: f.CardName, CardLast4: f.CardLast4,
		EntryID: f.EntryID, Reference: f.Reference, Currency: f.Currency(),
		Expected: f.Expected.String(), Actual: f.Actual.String(), Difference: f.Difference(), Unexplained: f.Unexplained.String(),
		PeriodFrom: at(f.PeriodFrom), PeriodTo: at(f.PeriodTo), FirstSeen: at(f.FirstSeen), LastSeen: at(f.LastSeen),
		Message: f.Message, Basis: f.Basis, Explanation: f.Explanation, Evidence: append([]string{}, f.Evidence...),
	}
}

func (a *app) findingsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "findings", Short: "List and show findings", Args: noArgs, RunE: needSubcommand}
	var status, code, source string
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List findings", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter := ledger.FindingFilter{Status: schema.FindingStatus(status), Code: schema.FindingCode(code), Source: source}
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				lines, err := gatherFindings(cmd.Context(), p, filter)
				if err != nil {
					return err
				}
				return a.print(asJSON, lines, func(w io.Writer) { writeFindings(w, lines) })
			})
		},
	}
	list.Flags().StringVar(&status, "status", "", "only `STATUS`: open, acknowledged, accepted, resolved")
	list.Flags().StringVar(&code, "code", "", "only the check `CODE`")
	list.Flags().StringVar(&source, "source", "", "only the source `NAME`")
	list.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	var showJSON bool
	show := &cobra.Command{
		Use: "show FINDING_ID", Short: "Show one finding with what it rests on", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("findings show needs one FINDING_ID, as `tieout findings list` prints it")
			}
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				lines, err := gatherFindings(cmd.Context(), p, ledger.FindingFilter{ID: args[0]})
				if err != nil {
					return err
				}
				if len(lines) == 0 {
					return fmt.Errorf("finding %s: %w; `tieout findings list` prints the ids", args[0], ledger.ErrNotFound)
				}
				return a.print(showJSON, lines[0], func(w io.Writer) { writeFinding(w, lines[0]) })
			})
		},
	}
	show.Flags().BoolVar(&showJSON, "json", false, "print one JSON object")
	cmd.AddCommand(list, show)
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
	fmt.Fprintln(t, "finding\tseverity\tstatus\tcode\treason\tsource\tcard\tcurrency\texpected\tactual\tdifference")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Severity, l.Status, l.Code, l.Reason, l.Source,
			l.CardLast4, l.Currency, l.Expected, l.Actual, l.Difference)
	}
	t.Flush()
	fmt.Fprintf(w, "%d findings\n", len(lines))
}

func writeFinding(w io.Writer, l findingLine) {
	fmt.Fprintf(w, "%s\n\n", l.Message)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"finding", l.ID},
		{"code", l.Code},
		{"reason", l.Reason},
		{"severity", l.Severity},
		{"status", l.Status},
		{"source", l.Source},
		{"card", strings.TrimSpace(l.CardName + " " + l.CardLast4)},
		{"card id", l.CardID},
		{"entry", l.EntryID},
		{"reference", l.Reference},
		{"currency", l.Currency},
		{"expected", l.Expected},
		{"actual", l.Actual},
		{"difference", l.Difference},
		{"unexplained", l.Unexplained},
		{"from", l.PeriodFrom},
		{"to", l.PeriodTo},
		{"basis", l.Basis},
		{"explanation", l.Explanation},
		{"rests on", strings.Join(l.Evidence, ", ")},
		{"first seen", l.FirstSeen},
		{"last seen", l.LastSeen},
	} {
		if row[1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", row[0], row[1])
		}
	}
	t.Flush()
}
