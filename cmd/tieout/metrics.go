package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/pipeline/schedule"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/reports/metrics"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// writeMetrics replaces the file as one step: whoever collects it sees a whole one.
func writeMetrics(ctx context.Context, c Config, p *pipeline.Pipeline) (err error) {
	path := c.Metrics
	facts, err := gatherMetrics(ctx, p)
	if err != nil {
		return err
	}
	facts.Entity = c.Name
	file, err := os.CreateTemp(filepath.Dir(path), ".tieout-*") // a name that is not collected
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write metrics (%s): %w", path, err), os.Remove(file.Name()))
		}
	}()
	err = errors.Join(metrics.Write(file, facts), file.Chmod(0o644), file.Close()) // the collector is another user
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func gatherMetrics(ctx context.Context, p *pipeline.Pipeline) (metrics.Facts, error) {
	facts := metrics.Facts{Version: version}
	var err error
	if facts.Runs, err = p.Ledger.Runs(ctx, 0); err != nil {
		return facts, err
	}
	facts.Night = schedule.LastDone(p.Now(), facts.Runs)
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return facts, err
		}
		facts.Readings = append(facts.Readings, c)
	}
	for _, status := range []schema.FindingStatus{schema.Open, schema.Acknowledged} {
		for f, err := range p.Ledger.Findings(ctx, ledger.FindingFilter{Status: status}) {
			if err != nil {
				return facts, err
			}
			facts.Findings = append(facts.Findings, f)
		}
	}
	for _, check := range reconcile.Checks(p.Checks) {
		facts.Codes = append(facts.Codes, check.Code())
	}
	return facts, nil
}
