package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func (a *app) fundingsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "fundings", Short: "Read the company's own books of top-ups", Args: noArgs, RunE: needSubcommand}
	var asJSON bool
	imp := &cobra.Command{
		Use: "import FILE...", Short: "Read funding files (CSV or XLSX) into the ledger", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("fundings import needs at least one FILE")
			}
			return a.withPipeline(cmd.Context(), nil, func(p *pipeline.Pipeline) error {
				run, files, err := p.ImportFundings(cmd.Context(), args)
				printErr := a.print(asJSON, files, func(w io.Writer) { writeFundings(w, files) })
				switch {
				case printErr != nil:
					return printErr
				case run.Status == schema.Partial:
					return &exitError{code: exitPartial, err: errors.Join(errors.New("some lines or files were refused; the others are in the ledger"), err)}
				}
				return err
			})
		},
	}
	imp.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	cmd.AddCommand(imp)
	return cmd
}

func writeFundings(w io.Writer, files []pipeline.FundingFile) {
	for _, f := range files {
		fmt.Fprintf(w, "%s: %d read, %d new, %d withdrawn, %d refused\n", f.File, f.Rows, f.Added, f.Withdrawn, len(f.Refused))
		for _, line := range f.Refused {
			fmt.Fprintf(w, "  %s\n", line)
		}
	}
}
