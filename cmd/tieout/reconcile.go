package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func (a *app) reconcileCommand() *cobra.Command {
	var from, to, failOn string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "reconcile", Short: "Run the checks over a period", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			severity, err := parseSeverity(failOn)
			if err != nil {
				return err
			}
			return a.withPipeline(cmd.Context(), nil, func(p *pipeline.Pipeline) error {
				w, err := period(p, from, to)
				if err != nil {
					return err
				}
				result, err := p.Reconcile(cmd.Context(), w)
				if err != nil {
					return err
				}
				if err := a.print(asJSON, result, func(w io.Writer) { writeReconcile(w, result) }); err != nil {
					return err
				}
				return findingsError(result, severity)
			})
		},
	}
	dateFlags(cmd, &from, &to)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	failOnFlag(cmd, &failOn)
	return cmd
}

func failOnFlag(cmd *cobra.Command, failOn *string) {
	cmd.Flags().StringVar(failOn, "fail-on", "", "exit 4 when findings of at least this `SEVERITY` (low, medium, high) are open")
}

func parseSeverity(text string) (schema.Severity, error) {
	severity := schema.Severity(text)
	if text != "" && severity.Rank() == 0 {
		return "", usageError("--fail-on %q: low, medium or high", text)
	}
	return severity, nil
}

// findingsError is exit status 4 when a severity was asked for and such findings are open.
func findingsError(result pipeline.ReconcileResult, severity schema.Severity) error {
	if severity == "" {
		return nil
	}
	if n := result.AtLeast(severity); n > 0 {
		return &exitError{code: exitFindings, err: fmt.Errorf("%d findings of severity %s or higher are open", n, severity)}
	}
	return nil
}

// period is the asked period; zero, which stands for the default one, when no date is given.
func period(p *pipeline.Pipeline, from, to string) (schema.Window, error) {
	switch {
	case from == "" && to == "":
		return schema.Window{}, nil
	case from == "" || to == "":
		return schema.Window{}, usageError("--from and --to belong together")
	}
	return businessDays(from, to, p.Zone)
}

func writeReconcile(w io.Writer, result pipeline.ReconcileResult) {
	fmt.Fprintf(w, "run %d: %d new, %d reopened, %d resolved; %d not checkable\n", result.RunID, result.New, result.Reopened,
		result.Resolved, result.NotCheckable)
	writeCounts(w, result.Findings)
}
