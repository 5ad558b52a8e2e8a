package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// statusReport is what `tieout status` prints.
type statusReport struct {
	Runs    []runLine      `json:"runs"`
	Sources []sourceStatus `json:"sources"`
	NextDue time.Time      `json:"next_due"`    // by schedule.nightly and the recorded runs; in the past: it is due
	Silent  *time.Time     `json:"silent_from"` // when the last complete night ended, where that is longer ago than notify.silence_hours
}

type runLine struct {
	ID       int64            `json:"id"`
	Kind     schema.RunKind   `json:"kind"`
	Status   schema.RunStatus `json:"status"`
	Started  time.Time        `json:"started_at"`
	Finished *time.Time       `json:"finished_at"`
	Error    string           `json:"error"`
}

type sourceStatus struct {
	Source  string        `json:"source"`
	Stream  schema.Stream `json:"stream"`
	Covered []span        `json:"covered"`
	Fresh   *time.Time    `json:"complete_to"`
}

type span struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Show the last runs, and how fresh each source is", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withReader(cmd.Context(), func(c Config, p *pipeline.Pipeline) error {
				report, err := gatherStatus(cmd.Context(), p)
				if err != nil {
					return err
				}
				next, err := a.due(cmd.Context(), c, p)
				if err != nil {
					return err
				}
				report.NextDue = next.At
				if report.Silent, err = p.SilentFrom(cmd.Context(), c.Notify.Silence); err != nil {
					return err
				}
				return a.print(asJSON, report, func(w io.Writer) { writeStatus(w, report, p.Zone, a.now()) })
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func gatherStatus(ctx context.Context, p *pipeline.Pipeline) (statusReport, error) {
	report := statusReport{Runs: []runLine{}, Sources: []sourceStatus{}}
	runs, err := p.Ledger.Runs(ctx, 10)
	if err != nil {
		return report, err
	}
	for _, r := range runs {
		line := runLine{ID: r.ID, Kind: r.Kind, Status: r.Status, Started: r.StartedAt, Error: r.Error}
		if !r.FinishedAt.IsZero() {
			line.Finished = &r.FinishedAt
		}
		report.Runs = append(report.Runs, line)
	}
	for _, s := range p.Sources {
		for _, stream := range s.Extractor.Streams() {
			windows, err := p.Ledger.Coverage(ctx, s.Name, stream, s.Scope)
			if err != nil {
				return report, err
			}
			line := sourceStatus{Source: s.Name, Stream: stream, Covered: spans(windows)}
			if n := len(windows); n > 0 {
				line.Fresh = &windows[n-1].To
			}
			if stream.Snapshot() {
				line.Covered = []span{} // it says how things stood at one moment, and covers no time
			}
			report.Sources = append(report.Sources, line)
		}
	}
	return report, nil
}

func spans(windows []schema.Window) []span {
	all := make([]span, 0, len(windows))
	for _, w := range windows {
		all = append(all, span{From: w.From, To: w.To})
	}
	return all
}

func writeStatus(w io.Writer, report statusReport, zone *time.Location, now time.Time) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "run\tkind\tstatus\tstarted")
	for _, r := range report.Runs {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", r.ID, r.Kind, r.Status, r.Started.In(zone).Format(time.RFC3339))
	}
	fmt.Fprintln(t, "\t\t\t")
	fmt.Fprintln(t, "source\tstream\tcomplete to\tage")
	for _, s := range report.Sources {
		to, age := "never", ""
		if s.Fresh != nil {
			to, age = s.Fresh.In(zone).Format(time.RFC3339), now.Sub(*s.Fresh).Round(time.Minute).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", s.Source, s.Stream, to, age)
	}
	t.Flush()
	fmt.Fprintf(w, "\nnext due: %s\n", report.NextDue.In(zone).Format(time.RFC3339))
	if report.Silent != nil {
		fmt.Fprintf(w, "no night has been complete since %s\n", report.Silent.In(zone).Format(time.RFC3339))
	}
}
