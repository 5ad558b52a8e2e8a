package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tieout/tieout/extract/all"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// withPipeline runs a function that writes to the ledger; names choose sources, none means all.
func (a *app) withPipeline(ctx context.Context, names []string, use func(*pipeline.Pipeline) error) error {
	return a.withConfigured(ctx, names, func(_ Config, p *pipeline.Pipeline) error { return use(p) })
}

// withConfigured is withPipeline with the configuration.
func (a *app) withConfigured(ctx context.Context, names []string, use func(Config, *pipeline.Pipeline) error) error {
	return a.each(ctx, func(c Config) error { return a.withLedger(ctx, c, names, use) })
}

// withLedger opens the ledger for writing, alone: a second process is told who holds it.
func (a *app) withLedger(ctx context.Context, c Config, names []string, use func(Config, *pipeline.Pipeline) error) error {
	return a.withLock(ctx, c, a.lock, a.shared, names, use)
}

// withLock is withLedger with a lock of some kind; shared: others may hold it too.
func (a *app) withLock(ctx context.Context, c Config, take func(Config) (*ledger.FileLock, error), shared bool, names []string, use func(Config, *pipeline.Pipeline) error) (err error) {
	lock, err := take(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return a.open(ctx, c, ledger.Config{Path: c.LedgerPath, Now: a.now, Shared: shared}, names, func(c Config, p *pipeline.Pipeline) error {
		err := use(c, p)
		// A run that was stopped is told of too, and one that cannot be told of is no failed run.
		if c.Metrics != "" {
			if err := writeMetrics(context.WithoutCancel(ctx), c, p); err != nil {
				a.log.Warn("metrics were not written", "error", err)
			}
		}
		return err
	})
}

// lock takes the right to write to the ledger.
func (a *app) lock(c Config) (*ledger.FileLock, error) {
	if err := a.mayWrite(); err != nil {
		return nil, err
	}
	if a.shared {
		return ledger.LockShared(c.LedgerPath, a.now())
	}
	return ledger.Lock(c.LedgerPath, a.now())
}

func (a *app) mayWrite() error {
	if a.readOnly {
		return usageError("this writes to the ledger: leave --read-only away")
	}
	return nil
}

// withReader opens the ledgers of the chosen entities, one after the other, for reading only.
func (a *app) withReader(ctx context.Context, use func(Config, *pipeline.Pipeline) error) error {
	return a.each(ctx, func(c Config) error { return a.read(ctx, c, use) })
}

// read opens a ledger for reading only, beside a run that may be writing.
func (a *app) read(ctx context.Context, c Config, use func(Config, *pipeline.Pipeline) error) error {
	return a.open(ctx, c, ledger.Config{Path: c.LedgerPath, ReadOnly: true, Now: a.now}, nil, use)
}

// readOrEmpty is read for what can be said before there is a ledger, too: it makes none.
func (a *app) readOrEmpty(ctx context.Context, c Config, use func(Config, *pipeline.Pipeline) error) error {
	err := a.read(ctx, c, use)
	if !errors.Is(err, ledger.ErrNone) {
		return err
	}
	l, err := ledger.Empty(ctx, ledger.Config{Path: c.LedgerPath, Now: a.now})
	if err != nil {
		return err
	}
	return a.on(c, l, nil, use)
}

func (a *app) open(ctx context.Context, c Config, lc ledger.Config, names []string, use func(Config, *pipeline.Pipeline) error) error {
	lc.Migrations = a.migrations
	l, err := ledger.Open(ctx, lc)
	if err != nil {
		return err
	}
	return a.on(c, l, names, use)
}

// on runs a function on an open ledger, and closes it.
func (a *app) on(c Config, l *ledger.Ledger, names []string, use func(Config, *pipeline.Pipeline) error) (err error) {
	defer func() { err = errors.Join(err, l.Close()) }()
	p, err := a.newPipeline(c, l)
	if err != nil {
		return err
	}
	if p.Sources, err = chooseSources(p.Sources, names); err != nil {
		return err
	}
	return use(c, p)
}

// pipeline wires the configured sources to their extractors and normalizers.
func (a *app) newPipeline(c Config, l *ledger.Ledger) (*pipeline.Pipeline, error) {
	var sources []pipeline.Source
	if a.queues == nil { // else it is done, for all entities at once
		a.makePaces(c)
	}
	for _, s := range c.Sources {
		source, err := a.source(c, s, a.paces[s.quota()])
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		sources = append(sources, source)
	}
	return pipeline.New(pipeline.Config{
		Ledger: l, Sources: sources, Entity: c.Entity, Zone: c.Zone, Version: version,
		Checks: reconcile.Config{
			DriftTolerance: c.Checks.DriftTolerance, GraceDays: c.Checks.GraceDays, StalePendingDays: c.Checks.StaleAfterDays,
			TipPercent: c.Checks.TipPercent, MaxNew: c.Checks.MaxNew,
		},
		Now: a.now, Elapsed: a.elapsed, Parameters: parameters(c), AgeBuckets: c.Reports.Ages, Fundings: c.Fundings, Progress: a.logProgress,
	})
}

// program names this build.
var program = sync.OnceValue(pipeline.Program)

// quota tells credentials apart: sources of one share what it may ask.
func (s SourceConfig) quota() string {
	return strings.Join([]string{string(s.Provider), s.BaseURL, s.Credential.Reveal()}, "\x1f")
}

// makePaces makes the paces of the credentials of a configuration. The slowest source of one says how fast.
func (a *app) makePaces(c Config) {
	if a.paces == nil {
		a.paces = map[string]*transport.Pace{}
	}
	for _, s := range c.Sources {
		if pace := a.paces[s.quota()]; pace != nil {
			pace.AtMost(s.RequestsPerSecond)
			continue
		}
		a.paces[s.quota()] = transport.NewPace(s.RequestsPerSecond)
	}
}

func (a *app) source(c Config, s SourceConfig, pace *transport.Pace) (pipeline.Source, error) {
	settings := all.Config{
		Source: s.Name, BaseURL: s.BaseURL, Credential: s.Credential, PageSize: s.PageSize,
		RequestsPerSecond: s.RequestsPerSecond, Pace: pace, AccountID: s.AccountID, UserID: s.UserID, APIVersion: s.APIVersion,
		LegalEntity: s.LegalEntity, Categories: s.Categories, Now: a.now,
		MaxRequests: int64(s.MaxRequests), MaxTime: time.Duration(s.MaxMinutes) * time.Minute, Elapsed: a.elapsed,
	}
	if a.tune != nil {
		a.tune(&settings)
	}
	extractor, err := all.New(s.Provider, settings)
	if err != nil {
		return pipeline.Source{}, err
	}
	normalizer, err := normalize.For(s.Provider)
	if err != nil {
		return pipeline.Source{}, err
	}
	source := pipeline.Source{
		Name: s.Name, Provider: s.Provider, Extractor: extractor, Normalize: normalizer, LookbackDays: s.LookbackDays,
		BalanceUnit: s.BalanceUnit, Mapping: program(), // a normalizer has no settings
	}
	for _, issuer := range all.List() {
		if issuer.Provider == s.Provider {
			source.FullScan, source.PageSize = issuer.FullScan, issuer.Size(settings, schema.Transactions)
			source.Pace = time.Duration(float64(time.Second) / pace.PerSecond())
			if issuer.Scope != nil {
				source.Scope = issuer.Scope(settings)
			}
		}
	}
	if s.StartDate != "" {
		start, err := time.Parse(time.DateOnly, s.StartDate)
		if err != nil {
			return source, fmt.Errorf("start_date: %w", err)
		}
		source.Start = schema.StartOfDay(start.Year(), start.Month(), start.Day(), c.Zone)
	}
	return source, nil
}

// chooseSources picks sources by name; none means all.
func chooseSources(sources []pipeline.Source, names []string) ([]pipeline.Source, error) {
	if len(names) == 0 {
		return sources, nil
	}
	var chosen []pipeline.Source
	var known []string
	for _, s := range sources {
		known = append(known, s.Name)
		if slices.Contains(names, s.Name) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, usageError("--source %q is not configured; configured are: %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// parameters are the settings in force, as reports print them. None of them is a secret.
func parameters(c Config) []reports.Parameter {
	list := []reports.Parameter{
		{Name: "timezone", Value: c.Zone.String(), Meaning: "accounting zone: business days and periods"},
		{Name: "checks.limit-breach.tip_percent", Value: fmt.Sprint(c.Checks.TipPercent), Meaning: "how far above its authorization a capture counts as a tip, in percent of it"},
		{Name: "checks.balance-drift.tolerance", Value: c.Checks.DriftTolerance.String(), Meaning: "largest difference that counts as agreement, in major units"},
		{Name: "checks.orphan-topup.grace_days", Value: fmt.Sprint(c.Checks.GraceDays), Meaning: "calendar days that a top-up may take to show on the other side"},
		{Name: "checks.stale-pending.after_days", Value: fmt.Sprint(c.Checks.StaleAfterDays), Meaning: "days after which a pending entry is stale"},
		{Name: "reports.age_buckets", Value: strings.Trim(fmt.Sprint(c.Reports.Ages), "[]"), Meaning: "upper ends of the ages by which findings are counted, in days"},
		{Name: "fundings", Value: strings.Join(c.Fundings, ", "), Meaning: "files of the company's own books"},
	}
	for _, code := range findingCodes {
		if limit, ok := c.Checks.MaxNew[code]; ok {
			list = append(list, reports.Parameter{
				Name: "checks." + string(code) + ".max_new", Value: fmt.Sprint(limit),
				Meaning: fmt.Sprintf("new findings that one run opens before one stands for all; %d for the other checks", reconcile.DefaultMaxNew),
			})
		}
	}
	for _, s := range c.Sources {
		name := "sources." + s.Name + "."
		list = append(list,
			reports.Parameter{Name: name + "provider", Value: string(s.Provider), Meaning: "issuer"},
			reports.Parameter{Name: name + "base_url", Value: s.BaseURL, Meaning: "where it is read"},
			reports.Parameter{Name: name + "lookback_days", Value: fmt.Sprint(s.LookbackDays), Meaning: "days that each sync reads again"},
			reports.Parameter{Name: name + "start_date", Value: s.StartDate, Meaning: "history before it is not read; empty: everything"},
		)
		switch s.Provider {
		case schema.Whop:
			list = append(list, reports.Parameter{Name: name + "api_version", Value: s.APIVersion, Meaning: "sent as Api-Version-Date"})
		case schema.Slash:
			list = append(list, reports.Parameter{Name: name + "categories", Value: strings.Join(s.Categories, ", "), Meaning: "transaction categories that are read"})
		case schema.Bitnob:
			list = append(list, reports.Parameter{Name: name + "balance_unit", Value: string(s.BalanceUnit), Meaning: "how the balance is read; auto finds out"})
		}
	}
	return list
}
