package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
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

// groupRows is how many records a sync commits together.
const groupRows = 2000

// source offers the streams of a provider and nothing to read: what the stages after extraction need of it.
type source struct{ provider schema.Provider }

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

func (source) Pages(context.Context, schema.Stream, schema.Window, extract.Cursor) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		yield(extract.Page{}, errors.New("there is nothing to read"))
	}
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
		config.Sources = append(config.Sources, pipeline.Source{Name: sourceName(p), Provider: p, Extractor: source{p}, LookbackDays: 35})
	}
	p, err := pipeline.New(config)
	if err != nil {
		return err
	}
	return use(p)
}

// load stores the whole company as one sync.
func load(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		run, err := p.Ledger.StartRun(ctx, schema.Run{Kind: schema.SyncRun, StartedAt: observed, Zone: "UTC", Version: "bench", Parameters: "{}"})
		if err != nil {
			return err
		}
		for _, provider := range schema.Providers() {
			if err := s.cardsOf(ctx, p.Ledger, run.ID, provider); err != nil {
				return err
			}
			entries, _ := s.of(provider)
			if err := s.rows(ctx, p.Ledger, run.ID, provider, 0, entries); err != nil {
				return err
			}
		}
		if _, _, err := p.Ledger.ImportFundings(ctx, run.ID, "books.csv", s.fundings()); err != nil {
			return err
		}
		run.Status = schema.Complete
		_, err = p.Ledger.FinishRun(ctx, run)
		return err
	})
}

// again stores the last tenth of the rows once more, as the look-back of every night does.
func again(ctx context.Context, s site) error {
	return s.with(ctx, func(p *pipeline.Pipeline) error {
		run, err := p.Ledger.StartRun(ctx, schema.Run{Kind: schema.SyncRun, StartedAt: observed, Zone: "UTC", Version: "bench", Parameters: "{}"})
		if err != nil {
			return err
		}
		for _, provider := range schema.Providers() {
			entries, _ := s.of(provider)
			if err := s.rows(ctx, p.Ledger, run.ID, provider, entries-entries/10, entries); err != nil {
				return err
			}
		}
		run.Status = schema.Complete
		_, err = p.Ledger.FinishRun(ctx, run)
		return err
	})
}

// cardsOf stores what a provider says of its cards.
func (s site) cardsOf(ctx context.Context, l *ledger.Ledger, run int64, p schema.Provider) error {
	group := func(stream schema.Stream) ledger.Group {
		return ledger.Group{Run: run, Source: sourceName(p), Provider: p, Stream: stream, Completeness: complete(p, stream, schema.Window{From: observed, To: observed})}
	}
	cards := group(schema.Cards)
	figures := cards
	for _, stream := range (source{p}).Streams() {
		if stream == schema.Utilization || stream == schema.Balances {
			figures = group(stream)
		}
	}
	for _, o := range s.observations(p) {
		if o.Stream != schema.Cards {
			plain := o
			plain.Stream, plain.Limits, plain.Figures = schema.Cards, nil, nil
			cards.Batch.Observations = append(cards.Batch.Observations, plain)
			figures.Batch.Observations = append(figures.Batch.Observations, o)
			continue
		}
		cards.Batch.Observations = append(cards.Batch.Observations, o)
	}
	groups := []ledger.Group{cards}
	if figures.Stream != schema.Cards {
		groups = append(groups, figures)
	}
	if p == schema.Bill {
		budgets := group(schema.Budgets)
		budgets.Batch.Budgets = []schema.Budget{budget()}
		groups = append(groups, budgets)
	}
	for _, g := range groups {
		if _, err := l.Commit(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// rows stores entries from up to to of a provider, in groups.
func (s site) rows(ctx context.Context, l *ledger.Ledger, run int64, p schema.Provider, from, to int) error {
	for at := from; at < to; at += groupRows {
		g := ledger.Group{Run: run, Source: sourceName(p), Provider: p, Stream: schema.Transactions}
		for n := at; n < min(at+groupRows, to); n++ {
			e := s.entry(p, n)
			g.Records = append(g.Records, record(e))
			g.Batch.Entries = append(g.Batch.Entries, e)
		}
		if at+groupRows >= to {
			g.Completeness = complete(p, schema.Transactions, schema.Window{From: schema.Beginning, To: observed})
		}
		if _, err := l.Commit(ctx, g); err != nil {
			return fmt.Errorf("rows from %d: %w", at, err)
		}
	}
	return nil
}

func complete(p schema.Provider, stream schema.Stream, w schema.Window) *schema.Completeness {
	return &schema.Completeness{
		Source: sourceName(p), Stream: stream, Window: w, Verdict: schema.VerdictComplete, Total: -1, RecordedAt: observed,
	}
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
