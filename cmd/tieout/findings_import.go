package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
)

func (a *app) findingsImportCommand() *cobra.Command {
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use: "import WORKBOOK.xlsx", Short: "Apply what reviewers wrote into the workbook of a report", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("findings import needs one WORKBOOK.xlsx")
			}
			do := func(_ Config, p *pipeline.Pipeline) error {
				result, err := p.ImportReview(cmd.Context(), args[0], dryRun)
				if err != nil {
					return err
				}
				if err := a.print(asJSON, result, func(w io.Writer) { writeReview(w, result) }); err != nil {
					return err
				}
				if len(result.Refused) > 0 {
					return &exitError{code: exitPartial, err: errors.New("some rows were refused; that does not keep the others from being applied")}
				}
				return nil
			}
			if dryRun {
				return a.withReader(cmd.Context(), do)
			}
			return a.withConfigured(cmd.Context(), nil, do)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "show what would change, and change nothing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func writeReview(w io.Writer, r pipeline.ReviewFile) {
	applied := "applied"
	if r.DryRun {
		applied = "would be applied"
	}
	fmt.Fprintf(w, "%s: %s filled in, %d %s, %d unchanged, %d refused\n", r.File, counted(r.Rows, "row", "rows"), r.Applied, applied, r.Unchanged, len(r.Refused))
	for _, line := range r.Refused {
		fmt.Fprintf(w, "  refused: %s\n", oneLine(line))
	}
	for _, line := range r.Notices {
		fmt.Fprintf(w, "  %s\n", oneLine(line))
	}
}
