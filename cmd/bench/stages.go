package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// site is a company and the folder that everything of it is in.
type site struct {
	company
	dir string
}

func (s site) path(name string) string { return filepath.Join(s.dir, name) }

// Files of a site.
const (
	ledgerFile = "tieout.db"  // what a stage works on
	loadedFile = "loaded.db"  // the whole company, loaded and not checked
	checkFile  = "checked.db" // the same, checked
	cellsFile  = "cells.tsv"  // of the XLSX stage
	reportsDir = "reports"    // written by the stages
)

// stages are what a process of its own does, by name.
func stages() map[string]func(context.Context, site) error {
	return map[string]func(context.Context, site) error{
		"data":      data,
		"load":      load,
		"resync":    resync,
		"changed":   changed,
		"reconcile": reconcileAll,
		"xlsx":      xlsxCells,
		"workbook":  func(ctx context.Context, s site) error { return s.report(ctx, "xlsx") },
		"csv":       func(ctx context.Context, s site) error { return s.report(ctx, "csv") },
		"balances":  balances,
		"verify":    verify,
	}
}

// with opens the ledger and a pipeline over it.
func (s site) with(ctx context.Context, use func(*pipeline.Pipeline) error) (err error) {
	l, err := ledger.Open(ctx, ledger.Config{Path: s.path(ledgerFile), Now: s.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	start := time.Now()
	config := pipeline.Config{
		Ledger: l, Entity: "Bench", Zone: time.UTC, Version: "bench", Now: s.now,
		Elapsed: func() time.Duration { return time.Since(start) }, Checks: reconcile.Config{GraceDays: 3, StalePendingDays: 10},
	}
	for _, p := range schema.Providers() {
		x := newSource(s.company, p)
		config.Sources = append(config.Sources, pipeline.Source{
			Name: sourceName(p), Provider: p, Extractor: x, Normalize: x.normalize, LookbackDays: s.days + 1,
		})
	}
	p, err := pipeline.New(config)
	if err != nil {
		return err
	}
	return use(p)
}

// data makes what a load is given, and throws it away: what the making costs is not what a load costs.
func data(ctx context.Context, s site) error {
	var group errgroup.Group
	for _, p := range schema.Providers() {
		group.Go(func() error {
			x := newSource(s.company, p)
			for _, stream := range x.Streams() {
				for page, err := range x.Pages(ctx, stream, s.whole(), "") {
					var b schema.Batch
					for _, r := range page.Records {
						err = errors.Join(err, x.normalize(r, &b))
					}
					if err != nil {
						return err
					}
				}
			}
			if p == schema.Bitnob {
				_ = s.fundings()
			}
			return nil
		})
	}
	return group.Wait()
}

// sync reads the whole company and says how many entries were new, and how many changed.
func (s site) sync(ctx context.Context, p *pipeline.Pipeline) (fresh, changed int64, err error) {
	result, err := p.Sync(ctx)
	if err := errors.Join(err, result.Err()); err != nil {
		return 0, 0, err
	}
	var read int64
	for _, one := range result.Sources {
		for _, stream := range one.Streams {
			fresh += stream.EntriesNew
			changed += stream.EntriesChanged
			read += stream.EntriesNew + stream.EntriesChanged + stream.EntriesUnchanged
		}
	}
	if entries, _ := s.of(); read < int64(4*entries) {
		err = fmt.Errorf("%d entries were read of %d", read, 4*entries)
	}
	_, _, books := p.Ledger.ImportFundings(ctx, result.RunID, "books.csv", s.fundings())
	return fresh, changed, errors.Join(err, books)
}

// load stores the whole company as one sync, and its books.
func load(ctx context.Context, s site) error { return s.syncs(ctx, 4*(s.entries/4), 0) }

// resync reads everything once more: nothing has changed.
func resync(ctx context.Context, s site) error { return s.syncs(ctx, 0, 0) }

// changed reads everything once more: one entry in a hundred has changed.
func changed(ctx context.Context, s site) error {
	s.changed = true
	perSource := 0
	for n := range s.entries / 4 {
		if n%100 == 55 {
			perSource++
		}
	}
	return s.syncs(ctx, 0, 4*perSource)
}

// syncs reads the company, and refuses what would have measured something else.
func (s site) syncs(ctx context.Context, fresh, changed int) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		n, c, err := s.sync(ctx, p)
		if err == nil && (n != int64(fresh) || c != int64(changed)) {
			err = fmt.Errorf("%d entries were new and %d changed, want %d and %d", n, c, fresh, changed)
		}
		return err
	})
}

// reconcileAll runs all checks over the whole history.
func reconcileAll(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		result, err := p.Reconcile(ctx, s.whole())
		for _, code := range []schema.FindingCode{schema.OrphanTopUp, schema.BalanceDrift} {
			if err == nil && len(result.Findings[code]) == 0 {
				err = fmt.Errorf("no finding of %s among %v: nothing was measured", code, result.Findings)
			}
		}
		return err
	})
}

// report writes the workpaper of the whole history.
func (s site) report(ctx context.Context, format string) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		_, err := p.Report(ctx, pipeline.ReportRequest{Period: s.whole(), Formats: []string{format}, Dir: filepath.Join(s.dir, reportsDir, format)})
		return err
	})
}

// balances loads the company and sums its entries by card.
func balances(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		if _, _, err := s.sync(ctx, p); err != nil {
			return err
		}
		type account struct{ source, card string }
		sums := map[account]int64{}
		for e, err := range p.View(0).Entries.Entries(ctx, schema.EntryFilter{}) {
			if err != nil {
				return err
			}
			sums[account{e.Source, e.CardID}] += e.Amount.Minor()
		}
		if _, cards := s.of(); len(sums) > 4*cards || len(sums) == 0 {
			return fmt.Errorf("balances of %d cards", len(sums))
		}
		return nil
	})
}

func verify(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		v, err := p.Ledger.Verify(ctx, "")
		if err == nil && v.Problem != "" {
			err = errors.New(v.Problem)
		}
		return err
	})
}
