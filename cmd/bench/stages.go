package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// site is a company and the folder that everything of it is in.
type site struct {
	company
	dir     string
	ledger  string        // in PostgreSQL; empty: a file of the folder
	address string        // of the server that plays the providers; empty: their records are made in this process
	base    transportBase // answers instead of it; nil: HTTP
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
		"received":  received,
		"pages":     made,
		"decode":    decoded,
		"structs":   plainly(typedPage),
		"any":       plainly(anything),
		"extract":   extracted,
		"fetch":     fetched,
		"ingest":    ingest,
		"backfill":  backfill,
		"first":     load, // over HTTP
		"nightly":   nightly,
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
	l, err := ledger.Open(ctx, ledger.Config{Path: cmp.Or(s.ledger, s.path(ledgerFile)), Now: s.now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	start := time.Now()
	config := pipeline.Config{
		Ledger: l, Entity: "Bench", Zone: time.UTC, Version: "bench", Now: s.now,
		Elapsed: func() time.Duration { return time.Since(start) }, Checks: reconcile.Config{GraceDays: 3, StalePendingDays: 10},
	}
	for _, p := range s.providers() {
		one, err := s.source(p)
		if err != nil {
			return err
		}
		config.Sources = append(config.Sources, one)
	}
	p, err := pipeline.New(config)
	if err != nil {
		return err
	}
	return use(p)
}

// program names this build, as tieout does for itself.
var program = sync.OnceValue(pipeline.Program)

// source is a provider as the pipeline reads it: over HTTP with the look-back of the default, or made here and read whole.
func (s site) source(p schema.Provider) (one pipeline.Source, err error) {
	one = pipeline.Source{Name: sourceName(p), Provider: p, LookbackDays: 35, Mapping: program()}
	if s.address == "" {
		x := newSource(s.company, p)
		one.Extractor, one.Normalize, one.LookbackDays = x, x.normalize, s.days+2
	} else if one.Extractor, one.Normalize, err = s.extractor(p); err != nil {
		return one, err
	}
	for _, issuer := range all.List() {
		if issuer.Provider != p {
			continue
		}
		if one.PageSize = issuer.PageSizes[schema.Transactions]; s.address != "" {
			one.FullScan = issuer.FullScan
		}
		if issuer.Scope != nil {
			one.Scope = issuer.Scope(s.config(p))
		}
	}
	return one, nil
}

// data makes what a load is given, and throws it away: what the making costs is not what a load costs.
func data(ctx context.Context, s site) error { return s.making(ctx, true) }

// received makes the records only: what a re-sync does not normalize is not taken off it.
func received(ctx context.Context, s site) error { return s.making(ctx, false) }

func (s site) making(ctx context.Context, normalized bool) error {
	// A heap with next to nothing in it is collected all the time. What that costs is none of what a load or a re-sync pays for
	// the same records, so it must not be taken off: with this, which is never touched, the heap is collected as seldom as theirs.
	ballast := make([]byte, 128<<20)
	defer runtime.KeepAlive(ballast)
	var group errgroup.Group
	for _, p := range s.providers() {
		group.Go(func() error {
			x := newSource(s.company, p)
			for _, stream := range x.Streams() {
				for page, err := range x.Pages(ctx, stream, s.whole(), "") {
					var b schema.Batch
					for _, r := range page.Records {
						if normalized || stream != schema.Transactions {
							err = errors.Join(err, x.normalize(r, &b))
						}
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

// read is what a reading did to entries.
type read struct{ fresh, changed, unchanged int64 }

func entriesOf(result pipeline.ReadResult) (r read) {
	for _, one := range result.Sources {
		for _, stream := range one.Streams {
			r.fresh += stream.EntriesNew
			r.changed += stream.EntriesChanged
			r.unchanged += stream.EntriesUnchanged
		}
	}
	return r
}

// sync reads the whole company and its books.
func (s site) sync(ctx context.Context, p *pipeline.Pipeline) (read, error) {
	result, err := p.Sync(ctx)
	if err := errors.Join(err, result.Err()); err != nil {
		return read{}, err
	}
	_, _, err = p.Ledger.ImportFundings(ctx, result.RunID, "books.csv", s.fundings())
	return entriesOf(result), err
}

// load stores the whole company as one sync, and its books.
func load(ctx context.Context, s site) error { return s.syncs(ctx, s.all(), 0) }

// resync reads everything once more: nothing has changed.
func resync(ctx context.Context, s site) error { return s.syncs(ctx, 0, 0) }

// changed reads everything once more: one entry in a hundred has changed.
func changed(ctx context.Context, s site) error {
	s.changed = true
	entries, _ := s.of()
	return s.syncs(ctx, 0, (entries+44)/100*len(s.providers()))
}

// ingest reads the whole company over HTTP into an empty ledger.
func ingest(ctx context.Context, s site) error { return s.with(ctx, s.backfilled(ctx)) }

func (s site) backfilled(ctx context.Context) func(*pipeline.Pipeline) error {
	return func(p *pipeline.Pipeline) error {
		result, err := p.Backfill(ctx, s.whole())
		if err := errors.Join(err, result.Err()); err != nil {
			return err
		}
		if have, want := entriesOf(result), (read{fresh: int64(s.all())}); have != want {
			return fmt.Errorf("entries: %+v, want %+v", have, want)
		}
		_, _, err = p.Ledger.ImportFundings(ctx, result.RunID, "books.csv", s.fundings())
		return err
	}
}

// backfill is all of it: an empty ledger, what the providers list, the checks, the reports.
func backfill(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		if err := s.backfilled(ctx)(p); err != nil {
			return err
		}
		if _, err := p.Reconcile(ctx, s.whole()); err != nil {
			return err
		}
		_, err := p.Report(ctx, pipeline.ReportRequest{Period: s.whole(), Formats: reports.Formats(), Dir: s.path(reportsDir)})
		return err
	})
}

// nightly is the night after the last day of the ledger.
func nightly(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		result, err := p.Nightly(ctx, reports.Formats(), s.path(reportsDir), "")
		if err := errors.Join(err, result.ReadResult.Err()); err != nil {
			return err
		}
		before := s.company
		before.more = 0
		night := int64(s.all() - before.all())
		if have := entriesOf(result.ReadResult); have.fresh != night || have.changed > 2*night { // what was pending a day ago is posted
			return fmt.Errorf("entries: %+v, want %d new ones, and changed ones of the last day", have, night)
		}
		return nil
	})
}

// syncs reads the company, and refuses what would have measured something else.
func (s site) syncs(ctx context.Context, fresh, changed int) error {
	want := read{int64(fresh), int64(changed), int64(s.all() - fresh - changed)}
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		have, err := s.sync(ctx, p)
		if err == nil && have != want {
			err = fmt.Errorf("entries: %+v, want %+v", have, want)
		}
		return err
	})
}

// reconcileAll runs all checks over the whole history.
func reconcileAll(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		result, err := p.Reconcile(ctx, s.whole())
		for _, code := range []schema.FindingCode{schema.OrphanTopUp, schema.BalanceDrift} {
			if err == nil && len(result.Findings[code]) == 0 && !(s.filtered && code == schema.OrphanTopUp) {
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
		if _, err := s.sync(ctx, p); err != nil {
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
		if len(sums) > s.cards || len(sums) == 0 {
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
