package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) verifyCommand() *cobra.Command {
	var root string
	var folders []string
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute the hash chain and the totals of the ledger, and the files of its reports", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(c Config, p *pipeline.Pipeline) error {
				v, err := p.Verify(cmd.Context(), root, append([]string{c.Reports.Dir}, folders...))
				if err != nil {
					return err
				}
				if v.Problem != "" {
					return errors.New("verify: this does not hold: " + v.Problem)
				}
				writeVerification(a.stdout, v)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "also check that `HASH` is a root of this chain, as a report or an alert gave it")
	cmd.Flags().StringArrayVar(&folders, "reports", nil, "also look for reports in and below `DIR` (may be repeated); those of reports.dir are found by themselves")
	return cmd
}

func writeVerification(w io.Writer, v pipeline.Verification) {
	fmt.Fprintf(w, "verified %d runs, %d commits, %d rows\n", v.Ledger.Runs, v.Ledger.Commits, v.Ledger.Rows)
	fmt.Fprintf(w, "computed again: %d entries from their records, %d walks from all records that they read\n", v.Entries, v.Ledger.Walks)
	if v.Otherwise > 0 {
		fmt.Fprintf(w, "%d of these entries were stored by another version, and this one reads them otherwise, such as %s\n", v.Otherwise, v.First)
	}
	for _, name := range v.Unknown {
		fmt.Fprintf(w, "entries of %s were not computed again: the source is not configured\n", name)
	}
	fmt.Fprintf(w, "%d reports are as they were written\n", len(v.Reports))
	writeTotals(w, v.Ledger.Totals)
	fmt.Fprintf(w, "root %s\n", v.Ledger.Root)
}

// writeTotals prints control totals.
func writeTotals(w io.Writer, totals []ledger.Total) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, strings.Join([]string{"source", "currency", "entries", "sum of counted", ""}, "\t"))
	for _, total := range totals {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t\n", total.Source, total.Currency.Code(), total.Entries, sumText(total.Counted, total.Currency))
	}
	t.Flush()
}
