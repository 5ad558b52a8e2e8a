package main

import (
	"context"
	"fmt"
	"io"
	"slices"
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
	Partial  []partialSpan  `json:"partial"` // windows that were begun and are not complete since
	Missing  []span         `json:"missing"` // gaps between complete windows, and from the last one to now
	Marks    *marks         `json:"marks,omitempty"`
	Verdict  schema.Verdict `json:"last_verdict"`
	Reason   string         `json:"last_reason"`
	ReadAt   *time.Time     `json:"last_read"`
}

// partialSpan is a window that was not read to its end.
type partialSpan struct {
	span

	Verdict schema.Verdict `json:"verdict"`
	Reason  string         `json:"reason"`
	Run     int64          `json:"run"`
}

// marks draw coverage: one mark for each month or day of the accounting zone.
type marks struct {
	Unit string `json:"unit"` // month, day
	From string `json:"from"` // the first, YYYY-MM or YYYY-MM-DD
	To   string `json:"to"`   // the last
	Text string `json:"text"`
}

// The marks.
const (
	markComplete = '#'
	markInPart   = '+' // some of it is complete
	markBegun    = '~' // none is complete, some was read
	markMissing  = '.'

	legend = "# complete   + complete in part   ~ begun, not complete   . missing"
)

func (a *app) coverageCommand() *cobra.Command {
	var names []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "coverage", Short: "Show what is complete, what is read in part and what is missing", Args: noArgs,
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
	readings := map[key][]schema.Completeness{}
	for c, err := range p.View(0).Completeness.Completeness(ctx) {
		if err != nil {
			return nil, err
		}
		k := key{c.Source, c.Stream}
		readings[k] = append(readings[k], c)
	}
	lines := []streamCoverage{}
	for _, s := range sources {
		for _, stream := range s.Extractor.Streams() {
			all := readings[key{s.Name, stream}]
			line := streamCoverage{
				Source: s.Name, Stream: stream, Complete: []span{}, Partial: []partialSpan{}, Missing: []span{}, Verdict: "never read",
			}
			line.last(all)
			if !stream.Snapshot() {
				if err := line.windows(ctx, p, s, all, now); err != nil {
					return nil, err
				}
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// last fills what the last reading said.
func (l *streamCoverage) last(readings []schema.Completeness) {
	run := int64(0)
	for _, c := range readings {
		if c.Run >= run {
			run, l.Verdict, l.Reason, l.ReadAt = c.Run, c.Verdict, c.Reason, &c.RecordedAt
		}
	}
}

// windows fills what is known of a stream that has a history.
func (l *streamCoverage) windows(ctx context.Context, p *pipeline.Pipeline, s pipeline.Source, readings []schema.Completeness, now time.Time) error {
	complete, err := p.Ledger.Coverage(ctx, s.Name, l.Stream, s.Scope)
	if err != nil {
		return err
	}
	start := schema.Beginning
	if !s.Start.IsZero() {
		start = s.Start
	}
	var begun []schema.Window
	for _, c := range readings {
		if c.Verdict != schema.VerdictComplete && !schema.Covered(c.Window, complete) {
			begun = append(begun, c.Window)
			l.Partial = append(l.Partial, partialSpan{span{c.Window.From, c.Window.To}, c.Verdict, c.Reason, c.Run})
		}
	}
	l.Complete, l.Missing = spans(complete), spans(missing(complete, schema.Window{From: start, To: now}))
	first, err := firstInstant(ctx, p, s, slices.Concat(complete, begun))
	if err != nil {
		return err
	}
	if end := drawnTo(complete, now); first.Before(end) {
		drawn := draw(schema.Window{From: first, To: end}, complete, begun, p.Zone)
		l.Marks = &drawn
	}
	return nil
}

// firstInstant is where the drawing of a source begins: at its start, else where the first window that was read does. One
// that has no beginning begins with the first entry.
func firstInstant(ctx context.Context, p *pipeline.Pipeline, s pipeline.Source, windows []schema.Window) (time.Time, error) {
	first := schema.Forever
	for _, w := range windows {
		if w.From.Before(first) {
			first = w.From
		}
	}
	if first.Equal(schema.Beginning) {
		for e, err := range p.View(0).Entries.Entries(ctx, schema.EntryFilter{Source: s.Name, ByTime: true}) {
			if err != nil {
				return first, err
			}
			return e.OccurredAt, nil
		}
		return schema.Forever, nil // everything there is was read, and it is nothing
	}
	if !s.Start.IsZero() {
		first = s.Start
	}
	return first, nil
}

// drawnTo is where a drawing ends: now, or where the last complete window does, when that is less than a day ago. Else the day
// or month of now would never be drawn complete.
func drawnTo(complete []schema.Window, now time.Time) time.Time {
	if n := len(complete); n > 0 && complete[n-1].To.Before(now) && now.Sub(complete[n-1].To) < 24*time.Hour {
		return complete[n-1].To
	}
	return now
}

// The most days that are drawn one by one, and the most marks.
const (
	mostDays  = 62
	mostMarks = 72
)

// draw draws a window, the latest part of it where it is very long. Neither kind of windows needs to be in order.
func draw(w schema.Window, complete, begun []schema.Window, zone *time.Location) marks {
	m := marks{Unit: "day"}
	layout, step := time.DateOnly, func(t time.Time, n int) time.Time {
		return schema.StartOfDay(t.Year(), t.Month(), t.Day()+n, zone).In(zone)
	}
	if w.To.Sub(w.From) > mostDays*24*time.Hour {
		m.Unit, layout = "month", "2006-01"
		step = func(t time.Time, n int) time.Time {
			return schema.StartOfDay(t.Year(), t.Month()+time.Month(n), 1, zone).In(zone)
		}
	}
	last := step(w.To.Add(-time.Microsecond).In(zone), 0)
	at := step(w.From.In(zone), 0)
	if earliest := step(last, 1-mostMarks); at.Before(earliest) {
		at = earliest
	}
	m.From, m.To = at.Format(layout), last.Format(layout)
	var text strings.Builder
	for ; !at.After(last); at = step(at, 1) {
		text.WriteRune(markOf(schema.Window{From: later(at, w.From), To: earlier(step(at, 1), w.To)}, complete, begun))
	}
	m.Text = text.String()
	return m
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func markOf(cell schema.Window, complete, begun []schema.Window) rune {
	switch {
	case schema.Covered(cell, complete):
		return markComplete
	case slices.ContainsFunc(complete, cell.Overlaps):
		return markInPart
	case slices.ContainsFunc(begun, cell.Overlaps):
		return markBegun
	}
	return markMissing
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
	source := ""
	for _, l := range lines {
		if l.Source != source {
			if source != "" {
				fmt.Fprintln(w)
			}
			source = l.Source
			fmt.Fprintln(w, source)
		}
		read := ""
		if l.ReadAt != nil {
			read = " on " + minuteText(*l.ReadAt, zone)
		}
		fmt.Fprintf(w, "  %-12s  last reading: %s%s\n", l.Stream, reasoned(string(l.Verdict), l.Reason), read)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		if m := l.Marks; m != nil {
			fmt.Fprintf(t, "\t\t%s to %s, a mark each %s:\t%s\n", m.From, m.To, m.Unit, m.Text)
		}
		writeSpans(t, "complete", l.Complete, zone)
		for _, p := range l.Partial {
			fmt.Fprintf(t, "\t\tin part\t%s (run %d: %s)\n", p.show(zone), p.Run, reasoned(string(p.Verdict), p.Reason))
		}
		writeSpans(t, "missing", l.Missing, zone)
		t.Flush()
	}
	fmt.Fprintf(w, "\n%s\n", legend)
}

// reasoned is a verdict with why.
func reasoned(verdict, why string) string {
	if why == "" {
		return verdict
	}
	return verdict + ", " + why
}

func writeSpans(w io.Writer, what string, spans []span, zone *time.Location) {
	for _, s := range spans {
		if s.To.Sub(s.From) >= time.Minute { // less would not show
			fmt.Fprintf(w, "\t\t%s\t%s\n", what, s.show(zone))
		}
	}
}

func minuteText(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02 15:04")
}

func (s span) show(zone *time.Location) string {
	from := "beginning"
	if !s.From.Equal(schema.Beginning) {
		from = minuteText(s.From, zone)
	}
	return from + " to " + minuteText(s.To, zone)
}
