package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func (a *app) nightlyCommand() *cobra.Command {
	var out, failOn string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "nightly", Short: "Sync, reconcile and report: what a timer calls", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			severity, err := parseSeverity(failOn)
			if err != nil {
				return err
			}
			if err := a.mayWrite(); err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.each(ctx, func(c Config) error {
				began, err := a.forNight(ctx, c, func(c Config, p *pipeline.Pipeline) error {
					result, err := a.nightly(ctx, c, p, out)
					if result.RunID != 0 {
						if printErr := a.print(asJSON, result, func(w io.Writer) { writeNightly(w, result) }); printErr != nil {
							return printErr
						}
					}
					return interrupted(ctx, nightlyError(result, err, severity))
				})
				if err != nil && !began && ctx.Err() == nil {
					a.tellNotRun(ctx, c, err)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the report into the folder `DIR`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	failOnFlag(cmd, &failOn)
	return cmd
}

// interrupted is the error of reading, or of a night, that was stopped: it is done in part.
func interrupted(ctx context.Context, err error) error {
	if _, said := errors.AsType[*exitError](err); err == nil || said || ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return &exitError{code: exitPartial, err: fmt.Errorf("done in part; the next run goes on from there: %w", err)}
}

func writeNightly(w io.Writer, result pipeline.NightlyResult) {
	writeRead(w, result.ReadResult)
	if result.Reconcile.RunID != 0 {
		writeReconcile(w, result.Reconcile)
	}
	if result.ReportDir != "" {
		fmt.Fprintf(w, "%s: %s\n", result.Conclusion, result.ReportDir)
	}
}

// nightlyError is the exit status of a night: an incomplete reading goes before findings. A night in which no source could
// be read is still done in part, since its report was made and says so.
func nightlyError(result pipeline.NightlyResult, err error, severity schema.Severity) error {
	if err != nil {
		return errors.Join(err, result.Err())
	}
	if readErr := readError(result.ReadResult, nil); readErr != nil {
		return &exitError{code: exitPartial, err: readErr}
	}
	return findingsError(result.Reconcile, severity)
}
