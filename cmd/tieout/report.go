package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) reportCommand() *cobra.Command {
	var from, to, out, sample, seed string
	var formats []string
	var asOf int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "report", Short: "Write the workbook, the CSV files and the page", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			open := func(use func(Config, *pipeline.Pipeline) error) error {
				return a.withConfigured(cmd.Context(), nil, use)
			}
			if a.readOnly {
				open = func(use func(Config, *pipeline.Pipeline) error) error { return a.withReader(cmd.Context(), use) }
			}
			return open(func(c Config, p *pipeline.Pipeline) error {
				w, err := period(p, from, to)
				if err != nil {
					return err
				}
				chosen, err := chooseFormats(formats, c.Reports.Formats)
				if err != nil {
					return err
				}
				drawn, err := chooseSample(sample, seed)
				if err != nil {
					return err
				}
				result, err := p.Report(cmd.Context(), pipeline.ReportRequest{Period: w, Formats: chosen, Dir: out, Under: c.Reports.Dir, AsOf: asOf, Sample: drawn, Unrecorded: a.readOnly})
				if errors.Is(err, ledger.ErrNotFound) {
					return usageError("%w", err)
				}
				if err != nil {
					return err
				}
				return a.print(asJSON, result, func(w io.Writer) {
					fmt.Fprintf(w, "%s: %s\n", result.Conclusion, filepath.Clean(result.Dir))
				})
			})
		},
	}
	dateFlags(cmd, &from, &to)
	cmd.Flags().StringSliceVar(&formats, "format", nil, "`FORMATS` to write: xlsx,csv,html (default: as configured)")
	cmd.Flags().StringVar(&out, "out", "", "write into the folder `DIR` instead of one of its own below reports.dir")
	cmd.Flags().Int64Var(&asOf, "as-of-run", 0, "show the ledger as it was known after run `N`")
	cmd.Flags().StringVar(&sample, "sample", "", "draw entries for an auditor to test, by `METHOD`: random, amount or largest, with a number of entries as in largest:40 (default 25)")
	cmd.Flags().StringVar(&seed, "sample-seed", "", "`TEXT` that decides what is drawn (default: follows from the period and the run)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// chooseSample is the sample asked for; none without --sample.
func chooseSample(text, seed string) (reports.Sample, error) {
	if text == "" {
		if seed != "" {
			return reports.Sample{}, usageError("--sample-seed goes with --sample")
		}
		return reports.Sample{}, nil
	}
	s, err := reports.ParseSample(text, seed)
	if err != nil {
		return s, usageError("--%s", err)
	}
	return s, nil
}

// chooseFormats is the formats asked for, else the configured ones.
func chooseFormats(asked, configured []string) ([]string, error) {
	if len(asked) == 0 {
		return configured, nil
	}
	for _, f := range asked {
		if !slices.Contains([]string{"xlsx", "csv", "html"}, f) {
			return nil, usageError("--format %q: xlsx, csv or html", strings.Join(asked, ","))
		}
	}
	return asked, nil
}
