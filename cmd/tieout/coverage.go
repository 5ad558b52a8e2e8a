package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// streamCoverage is what is known of one stream: where its windows are complete, and what its last reading said.
type streamCoverage struct {
	Source   string         `json:"source"`
	Stream   schema.Stream  `json:"stream"`
	Complete []span         `json:"complete"`
	Missing  []span         `json:"missing"` // gaps between complete windows, and from the last one to now
	Verdict  schema.Verdict `json:"last_verdict"`
	Reason   string         `json:"last_reason"`
}

func (a *app) coverageCommand() *cobra.Command {
	var names []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "coverage", Short: "Show what is complete and what is missing", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(c Config, p *pipeline.Pipeline) error {
				chosen, err := chooseSources(p.Sources, names)
				if err != nil {
					return err
				}
				lines, err := gatherCoverage(cmd.Context(), p, chosen, a.now())
				if err != nil {
					return err
				}
				return a.print(asJSON, lines, func(w io.Writer) { writeCoverage(w, lines, p.Zone) })
			})
		},
	}
	cmd.Flags().StringArrayVar(&names, "source", nil, "show only the source `NAME` (may be repeated)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func gatherCoverage(ctx context.Context, p *pipeline.Pipeline, sources []pipeline.Source, now time.Time) ([]streamCoverage, error) {
	type key struct {
		source string
		stream schema.Stream
	}
	last := map[key]schema.Completeness{}
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return nil, err
		}
		k := key{c.Source, c.Stream}
		if c.Run >= last[k].Run {
			last[k] = c
		}
	}
	lines := []streamCoverage{}
	for _, s := range sources {
		for _, stream := range s.Extractor.Streams() {
			line := streamCoverage{Source: s.Name, Stream: stream, Complete: []span{}, Missing: []span{}, Verdict: "never read"}
			if c, ok := last[key{s.Name, stream}]; ok {
				line.Verdict, line.Reason = c.Verdict, c.Reason
			}
			if !stream.Snapshot() {
				windows, err := p.Ledger.Coverage(ctx, s.Name, stream, s.Scope)
				if err != nil {
					return nil, err
				}
				start := schema.Beginning
				if !s.Start.IsZero() {
					start = s.Start
				}
				line.Complete, line.Missing = spans(windows), spans(missing(windows, schema.Window{From: start, To: now}))
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// missing is what of a window no complete window covers; covered is merged and ordered.
func missing(covered []schema.Window, w schema.Window) []schema.Window {
	var gaps []schema.Window
	at := w.From
	for _, c := range covered {
		if c.From.After(at) {
			gaps = append(gaps, schema.Window{From: at, To: c.From})
		}
		if c.To.After(at) {
			at = c.To
		}
	}
	if at.Before(w.To) {
		gaps = append(gaps, schema.Window{From: at, To: w.To})
	}
	return gaps
}

func writeCoverage(w io.Writer, lines []streamCoverage, zone *time.Location) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "source\tstream\tlast reading\tcomplete\tmissing")
	for _, l := range lines {
		verdict := string(l.Verdict)
		if l.Reason != "" {
			verdict += ": " + l.Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.Source, l.Stream, verdict, showSpans(l.Complete, zone), showSpans(l.Missing, zone))
	}
	t.Flush()
}

func showSpans(spans []span, zone *time.Location) string {
	var text strings.Builder
	for i, s := range spans {
		if i > 0 {
			text.WriteString(", ")
		}
		from := "beginning"
		if !s.From.Equal(schema.Beginning) {
			from = s.From.In(zone).Format("2006-01-02 15:04")
		}
		text.WriteString(from + " to " + s.To.In(zone).Format("2006-01-02 15:04"))
	}
	if text.String() == "" {
		return "-"
	}
	return text.String()
}
