package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check the configuration and ask every source for a page; changes nothing", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.each(cmd.Context(), func(c Config) error {
				fmt.Fprintf(a.stdout, "%s: %d sources, zone %s\n", c.Path, len(c.Sources), c.Zone)
				return a.checkSources(cmd.Context(), c)
			})
		},
	}
}

// checkSources asks every source for its first page of cards, side by side, and prints one line for each.
func (a *app) checkSources(ctx context.Context, c Config) error {
	sources := make([]pipeline.Source, len(c.Sources))
	for i, s := range c.Sources {
		var err error
		if sources[i], err = a.source(c, s, transport.NewPace(s.RequestsPerSecond)); err != nil {
			return &exitError{code: exitUsage, err: fmt.Errorf("source %s: %w", s.Name, err)}
		}
	}
	errs := make([]error, len(sources))
	counts := make([]int, len(sources))
	var group errgroup.Group
	for i, s := range sources {
		group.Go(func() error {
			for page, err := range s.Extractor.Pages(ctx, schema.Cards, schema.Window{}, "") {
				counts[i], errs[i] = len(page.Records), err
				break
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	for i, s := range sources {
		if errs[i] != nil {
			fmt.Fprintf(a.stdout, "%s: FAILED\n", s.Name)
			continue
		}
		fmt.Fprintf(a.stdout, "%s: ok, %d cards on the first page\n", s.Name, counts[i])
	}
	return errors.Join(errs...)
}
