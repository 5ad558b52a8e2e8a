package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

const ledgerFile = "tieout.db"

// site is a company and the folder that its ledger is in.
type site struct {
	company
	dir string
}

// perPage is how many records a page has.
const perPage = 100

// source plays the extractor of a provider, and its normalizer: what is measured is what comes after them.
type source struct {
	company
	provider schema.Provider
	figures  []schema.Observation // by the number of the card
}

func (s source) Streams() []schema.Stream {
	switch s.provider {
	case schema.Bill:
		return []schema.Stream{schema.Cards, schema.Budgets, schema.Transactions}
	case schema.Slash:
		return []schema.Stream{schema.Cards, schema.Utilization, schema.Transactions}
	case schema.Bitnob:
		return []schema.Stream{schema.Cards, schema.Balances, schema.Transactions}
	}
	return []schema.Stream{schema.Cards, schema.Transactions}
}

// Pages lists a stream.
func (s source) Pages(_ context.Context, stream schema.Stream, w schema.Window, _ extract.Cursor) iter.Seq2[extract.Page, error] {
	return paged(func(yield func(schema.Record)) {
		switch stream {
		case schema.Cards:
			for _, o := range s.figures {
				yield(s.named(stream, o.ID))
			}
		case schema.Budgets:
			yield(s.named(stream, budget().ID))
		default:
			entries, _ := s.of(s.provider)
			for n := range entries {
				if e := s.entry(s.provider, n); w.Contains(e.OccurredAt) {
					yield(record(e))
				}
			}
		}
	})
}

// Fetch reads the figures of cards.
func (s source) Fetch(_ context.Context, stream schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return paged(func(yield func(schema.Record)) {
		for _, id := range ids {
			yield(s.named(stream, id))
		}
	})
}

// named is a record of which only the name is used.
func (s source) named(stream schema.Stream, id string) schema.Record {
	return schema.Record{Source: sourceName(s.provider), Provider: s.provider, Stream: stream, ExternalID: id, ReceivedAt: observed, Payload: []byte("{}")}
}

func paged(records func(yield func(schema.Record))) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		page, number, stopped := extract.Page{Total: -1}, 1, false
		records(func(r schema.Record) {
			if len(page.Records) == perPage && !stopped {
				number++
				page.Next = extract.Cursor(strconv.Itoa(number))
				stopped = !yield(page, nil)
				page = extract.Page{Total: -1}
			}
			page.Records = append(page.Records, r)
		})
		if !stopped {
			page.Last = true
			yield(page, nil)
		}
	}
}

// normalize gives back what a record was made of.
func (s source) normalize(r schema.Record, b *schema.Batch) error {
	number := func() (int, error) { return strconv.Atoi(r.ExternalID[strings.LastIndexByte(r.ExternalID, '-')+1:]) }
	switch r.Stream {
	case schema.Budgets:
		b.Budgets = append(b.Budgets, budget())
	case schema.Transactions:
		n, err := number()
		if err != nil {
			return err
		}
		b.Entries = append(b.Entries, s.entry(s.provider, n))
	default:
		n, err := number()
		if err != nil {
			return err
		}
		o := s.figures[n]
		if o.Stream != r.Stream {
			o.Stream, o.Limits, o.Figures = r.Stream, nil, nil
		}
		b.Observations = append(b.Observations, o)
	}
	return nil
}

// with opens the ledger and a pipeline over it.
func (s site) with(ctx context.Context, use func(*pipeline.Pipeline) error) (err error) {
	l, err := ledger.Open(ctx, ledger.Config{Path: filepath.Join(s.dir, ledgerFile), Now: func() time.Time { return observed }})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	start := time.Now()
	config := pipeline.Config{
		Ledger: l, Entity: "Bench", Zone: time.UTC, Version: "bench", Now: func() time.Time { return observed },
		Elapsed: func() time.Duration { return time.Since(start) }, Checks: reconcile.Config{GraceDays: 3, StalePendingDays: 10},
	}
	for _, p := range schema.Providers() {
		x := source{s.company, p, s.observations(p)}
		config.Sources = append(config.Sources, pipeline.Source{Name: sourceName(p), Provider: p, Extractor: x, Normalize: x.normalize, LookbackDays: 35})
	}
	p, err := pipeline.New(config)
	if err != nil {
		return err
	}
	return use(p)
}

// load stores the whole company as one sync, and its books.
func load(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		result, err := p.Sync(ctx)
		if err != nil || result.Status != schema.Complete {
			return errors.Join(err, result.Err())
		}
		_, _, err = p.Ledger.ImportFundings(ctx, result.RunID, "books.csv", s.fundings())
		return err
	})
}

// again reads the look-back once more, as every night does: nothing in it has changed.
func again(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		result, err := p.Sync(ctx)
		if err == nil && result.Status == schema.Complete {
			for _, one := range result.Sources {
				for _, stream := range one.Streams {
					if stream.EntriesNew+stream.EntriesChanged > 0 {
						err = fmt.Errorf("%s: %d new, %d changed", one.Source, stream.EntriesNew, stream.EntriesChanged)
					}
				}
			}
		}
		return errors.Join(err, result.Err())
	})
}

func reconcileMonths(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error { return found(p.Reconcile(ctx, p.DefaultPeriod())) })
}

func reconcileYear(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error { return found(p.Reconcile(ctx, year())) })
}

// found refuses a reconcile that found nothing: it would have measured nothing.
func found(result pipeline.ReconcileResult, err error) error {
	for _, code := range []schema.FindingCode{schema.LimitBreach, schema.OrphanTopUp, schema.BalanceDrift} {
		if err == nil && len(result.Findings[code]) == 0 {
			err = fmt.Errorf("no finding of %s among %v", code, result.Findings)
		}
	}
	return err
}

func year() schema.Window { return schema.Window{From: began, To: observed.Add(time.Microsecond)} }

func reportCSV(ctx context.Context, s site) error  { return s.report(ctx, "csv") }
func reportXLSX(ctx context.Context, s site) error { return s.report(ctx, "xlsx") }

func (s site) report(ctx context.Context, format string) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		_, err := p.Report(ctx, pipeline.ReportRequest{Period: year(), Formats: []string{format}, Dir: filepath.Join(s.dir, format)})
		return err
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
