package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use: "backup FILE", Short: "Copy the ledger into a file, also while a run is writing, and verify the copy", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError("backup needs one FILE to write")
			}
			return a.withReader(cmd.Context(), func(_ Config, p *pipeline.Pipeline) error {
				v, err := p.Ledger.Backup(cmd.Context(), args[0])
				if errors.Is(err, ledger.ErrExists) {
					return fmt.Errorf("%w: name another", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "wrote %s\n", args[0])
				writeCopy(a.stdout, v)
				return nil
			})
		},
	}
}

func (a *app) restoreCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "restore FILE", Short: "Verify a backup and put it in place of the ledger, which is kept under another name", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) != 1 {
				return usageError("restore needs one FILE, as `tieout backup` wrote it")
			}
			c, err := a.config()
			if err != nil {
				return err
			}
			lock, err := a.lock(c)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, lock.Unlock()) }()
			r, err := ledger.Restore(cmd.Context(), ledger.Config{Path: c.LedgerPath, Now: a.now}, args[0], force)
			if errors.Is(err, ledger.ErrWouldLose) {
				return fmt.Errorf("%w: with --force the backup takes its place all the same, and the ledger is kept under another name", err)
			}
			if r.Aside != "" {
				fmt.Fprintf(a.stdout, "kept the ledger that was there as %s\n", r.Aside)
			}
			if err != nil {
				return err
			}
			writeRestored(a.stdout, c.LedgerPath, args[0], r)
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also where the ledger in place has runs that the backup lacks, or cannot be read")
	return cmd
}

// writeRestored prints what a restore did.
func writeRestored(w io.Writer, path, backup string, r ledger.Restored) {
	fmt.Fprintf(w, "restored %s from %s\n", path, backup)
	if r.Upgraded > 0 {
		fmt.Fprintf(w, "upgraded it on the way: the backup is of an older version of tieout (tables of version %d), and is as it was\n", r.Upgraded)
	}
	writeCopy(w, r.Verification)
}

// writeCopy prints what was found in a copy of a ledger.
func writeCopy(w io.Writer, v ledger.Verification) {
	fmt.Fprintf(w, "verified %d runs, %d commits, %d rows\n", v.Runs, v.Commits, v.Rows)
	writeTotals(w, v.Totals)
	fmt.Fprintf(w, "root %s\n", v.Root)
}
