package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
)

func (a *app) verifyCommand() *cobra.Command {
	var root string
	cmd := &cobra.Command{
		Use: "verify", Short: "Recompute the hash chain and the totals of the ledger", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				v, err := p.Ledger.Verify(cmd.Context(), root)
				if err != nil {
					return fmt.Errorf("verify: %w", err)
				}
				if v.Problem != "" {
					return errors.New("verify: the ledger does not hold: " + v.Problem)
				}
				_, err = fmt.Fprintf(a.stdout, "verified %d runs, %d commits, %d rows\nroot %s\n", v.Runs, v.Commits, v.Rows, v.Root)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "also check that `HASH` is a root of this chain, as a report or an alert gave it")
	return cmd
}
