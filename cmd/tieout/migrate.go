package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) migrateCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use: "migrate-ledger --to postgres://… | FILE", Short: "Copy the ledger into another database, its history and chain included, and verify the copy", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if to == "" {
				return usageError("migrate-ledger needs --to: postgres://USER@HOST/DATABASE, or a file for SQLite")
			}
			if ledger.IsPostgres(to) {
				if err := ledger.CheckAddress(to); err != nil {
					return usageError("--to: %v", err)
				}
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
			return a.read(cmd.Context(), c, func(c Config, p *pipeline.Pipeline) (err error) {
				if place(to) == place(c.LedgerPath) {
					return usageError("that is where the ledger is")
				}
				theirs, err := ledger.Lock(to, a.now())
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, theirs.Unlock()) }()
				copied, err := ledger.Open(cmd.Context(), ledger.Config{Path: to, Now: a.now})
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, copied.Close()) }()
				v, err := p.Ledger.CopyTo(cmd.Context(), copied)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "copied %s to %s\n", ledger.Name(c.LedgerPath), ledger.Name(to))
				writeCopy(a.stdout, v)
				fmt.Fprintf(a.stdout, "nothing uses it before the configuration says so: `ledger` in %s\n", a.configFile())
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where there is no ledger yet: `ADDRESS` of a PostgreSQL database, or a file; the password goes into PGPASSWORD or ~/.pgpass")
	return cmd
}
