package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// demoMark names a folder as one that a demo made and may make again.
const demoMark = ".tieout-demo"

func (a *app) demoCommand() *cobra.Command {
	var flags worldFlags
	var out string
	cmd := &cobra.Command{
		Use: "demo", Short: "Run the whole job on a sandbox that the program brings along", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			world, err := flags.world(a.now(), time.UTC)
			if err != nil {
				return err
			}
			if err := a.mayWrite(); err != nil {
				return err
			}
			if err := demoFolder(out); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			server, err := sandbox.Serve(cmd.Context(), "127.0.0.1:0", world)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, server.Close()) }()
			if err := demoFiles(out, world, server.URL); err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			all, err := loadConfigs(filepath.Join(out, "tieout.yaml"), a.env)
			if err != nil {
				return fmt.Errorf("demo: %w", err)
			}
			return a.withLedger(cmd.Context(), all[0], nil, func(c Config, p *pipeline.Pipeline) error {
				result, err := p.Nightly(cmd.Context(), c.Reports.Formats, "", c.Reports.Dir)
				if err != nil {
					return err
				}
				a.printDemo(result, out)
				return nightlyError(result, nil, "")
			})
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&out, "out", "demo", "the folder `DIR` for ledger, books and reports; made again each time")
	return cmd
}

// demoFolder makes an empty folder. A folder that exists is emptied only when a demo made it.
func demoFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(dir, demoMark)); err != nil {
			return fmt.Errorf("%s is not empty and no demo made it: choose another folder with --out", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, demoMark), nil, 0o600)
}

// demoFiles writes what a user would have: the configuration, the keys and the books; and the answer key beside them.
func demoFiles(dir string, world *sandbox.World, url string) error {
	for _, p := range schema.Providers() {
		if err := os.WriteFile(filepath.Join(dir, string(p)+".key"), []byte(world.Credential(p)+"\n"), 0o600); err != nil {
			return err
		}
	}
	config := sandboxConfig(world, url, func(p schema.Provider) string { return "{file: " + string(p) + ".key}" }, "fundings.csv")
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "tieout.yaml"), []byte(config), 0o600),
		writeFile(filepath.Join(dir, "fundings.csv"), world.WriteFundings),
		writeFile(filepath.Join(dir, "answers.csv"), world.WriteAnswers),
	)
}

// printDemo says in ten lines what was read, what was found and where the workbook is.
func (a *app) printDemo(result pipeline.NightlyResult, dir string) {
	w := a.stdout
	for _, s := range result.Sources {
		var pages, records, entries, rejected int64
		for _, r := range s.Streams {
			pages, records, entries, rejected = pages+r.Pages, records+r.Records, entries+r.EntriesNew, rejected+r.Rejected
		}
		fmt.Fprintf(w, "%-12s %s: %d records on %d pages, %d entries, %d rejected\n", s.Source, s.Status, records, pages, entries, rejected)
	}
	for _, code := range []schema.FindingCode{schema.LimitBreach, schema.OrphanTopUp, schema.BalanceDrift} {
		writeFound(w, string(code), result.Findings[code])
	}
	others := map[schema.Severity]int64{}
	for code, bySeverity := range result.Findings {
		if code == schema.LimitBreach || code == schema.OrphanTopUp || code == schema.BalanceDrift {
			continue
		}
		for severity, n := range bySeverity {
			others[severity] += n
		}
	}
	writeFound(w, "other checks", others)
	fmt.Fprintf(w, "%s: what was planted stands in %s\n", result.Report.Conclusion, filepath.Join(dir, "answers.csv"))
	fmt.Fprintf(w, "workbook: %s\n", filepath.Join(result.ReportDir, "tieout.xlsx"))
}

func writeFound(w io.Writer, name string, found map[schema.Severity]int64) {
	fmt.Fprintf(w, "%-14s %d high, %d medium, %d low\n", name, found[schema.High], found[schema.Medium], found[schema.Low])
}
