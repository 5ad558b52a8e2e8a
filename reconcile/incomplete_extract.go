package reconcile

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
)

// incompleteExtract finds streams of configured sources that are not known complete: transactions that are not covered
// over the period and its look-back, and snapshots whose last reading did not end well.
type incompleteExtract struct{ cfg Config }

func (incompleteExtract) Code() schema.FindingCode { return schema.IncompleteExtract }

func (c incompleteExtract) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		covered, err := readCoverage(ctx, v)
		if err != nil {
			return nil, err
		}
		type stream struct {
			source string
			stream schema.Stream
		}
		last := map[stream]schema.Completeness{}
		for r, err := range v.Completeness.Completeness(ctx) {
			if err != nil {
				return nil, fmt.Errorf("read completeness: %w", err)
			}
			key := stream{r.Source, r.Stream}
			if known, ok := last[key]; !ok || !r.RecordedAt.Before(known.RecordedAt) {
				last[key] = r
			}
		}
		var all []schema.Outcome
		for _, s := range c.cfg.Sources {
			for _, name := range streamsOf(s.Provider) {
				f := schema.Finding{Code: c.Code(), Severity: schema.High, Source: s.Name, Provider: s.Provider, Subject: string(name)}
				record, read := last[stream{s.Name, name}]
				var why string
				if name == schema.Transactions {
					why = c.transactions(&f, s, p, covered)
				} else if current(p) && (!read || record.Verdict != schema.VerdictComplete) {
					f.PeriodFrom, f.PeriodTo, f.SubjectAt = deadline(p), deadline(p), subjectAt(p, deadline(p))
					why = "they were never read"
					if read {
						why = "they were not read to the end on " + timeText(record.RecordedAt, p.Zone)
					}
				}
				if why == "" {
					continue
				}
				if read && record.Verdict != schema.VerdictComplete && record.Reason != "" {
					why += " (" + printable(record.Reason) + ")"
				}
				f.Message = fmt.Sprintf("The %s of %s are not complete: %s. Run sync or backfill again before relying on the figures.",
					name, s.Name, why)
				all = append(all, found(f))
			}
		}
		return all, nil
	})
}

// transactions says what is missing up to the earlier of now and the period's end with the look-back, since providers
// filter by other times than an entry's; empty: nothing is.
func (c incompleteExtract) transactions(f *schema.Finding, s Source, p schema.Period, covered coverage) string {
	wanted := schema.Window{From: p.From, To: daysAfter(p.To, s.LookbackDays, p.Zone)}
	if s.Start.After(wanted.From) {
		wanted.From = s.Start
	}
	if p.Now.Before(wanted.To) {
		wanted.To = p.Now
	}
	at, missing := covered.gap(s.Name, wanted)
	if !missing {
		return ""
	}
	f.PeriodFrom, f.PeriodTo, f.SubjectAt = at, at, at
	if !at.Before(p.To) {
		f.SubjectAt = p.To.Add(-time.Microsecond)
	}
	if wanted.To.Sub(at) < 24*time.Hour {
		f.Severity = schema.Low // the hours since the last sync
	}
	return fmt.Sprintf("those after %s are not known to be all there, and the period needs them up to %s", timeText(at, p.Zone), timeText(wanted.To, p.Zone))
}

// streamsOf lists the streams that the checks need of a provider.
func streamsOf(p schema.Provider) []schema.Stream {
	streams := []schema.Stream{schema.Cards, schema.Transactions}
	switch p {
	case schema.Bill:
		return append(streams, schema.Budgets)
	case schema.Slash:
		return append(streams, schema.Utilization)
	case schema.Bitnob:
		return append(streams, schema.Balances)
	}
	return streams
}
