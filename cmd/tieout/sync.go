package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

func (a *app) syncCommand() *cobra.Command {
	var names []string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "sync", Short: "Read what is new, plus the look-back, plus what is still pending", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withPipeline(cmd.Context(), names, func(p *pipeline.Pipeline) error {
				result, err := p.Sync(cmd.Context())
				return interrupted(cmd.Context(), a.printRead(result, err, asJSON))
			})
		},
	}
	cmd.Flags().StringArrayVar(&names, "source", nil, "read only the source `NAME` (may be repeated)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func dateFlags(cmd *cobra.Command, from, to *string) {
	cmd.Flags().StringVar(from, "from", "", "first business `DATE` (YYYY-MM-DD, accounting zone)")
	cmd.Flags().StringVar(to, "to", "", "last business `DATE`, included")
}

// businessDays is the window of two inclusive business dates: from the first instant of one to the first instant after the
// other. Days are calendar days of the zone and may have 23 or 25 hours.
func businessDays(from, to string, zone *time.Location) (schema.Window, error) {
	first, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return schema.Window{}, usageError("--from %q: not a date such as 2026-08-01", from)
	}
	last, err := time.Parse(time.DateOnly, to)
	if err != nil {
		return schema.Window{}, usageError("--to %q: not a date such as 2026-08-31", to)
	}
	if last.Before(first) {
		return schema.Window{}, usageError("--to %s lies before --from %s", to, from)
	}
	return schema.Window{
		From: schema.StartOfDay(first.Year(), first.Month(), first.Day(), zone),
		To:   schema.StartOfDay(last.Year(), last.Month(), last.Day()+1, zone),
	}, nil
}

// printRead prints what a sync or a backfill did and turns its status into the exit status.
func (a *app) printRead(result pipeline.ReadResult, err error, asJSON bool) error {
	if result.RunID != 0 {
		if printErr := a.print(asJSON, result, func(w io.Writer) { writeRead(w, result) }); printErr != nil {
			return printErr
		}
	}
	return readError(result, err)
}

// readError is nil when everything was read. err is what kept the run from being recorded.
func readError(result pipeline.ReadResult, err error) error {
	switch {
	case err != nil:
		return err
	case result.Status == schema.Partial:
		return &exitError{code: exitPartial, err: fmt.Errorf("run %d is incomplete; running it again goes on from there:\n%w", result.RunID, result.Err())}
	case result.Status != schema.Complete:
		return &exitError{code: exitFailed, err: fmt.Errorf("run %d read nothing:\n%w", result.RunID, result.Err())}
	}
	return nil
}

func writeRead(w io.Writer, result pipeline.ReadResult) {
	fmt.Fprintf(w, "run %d: %s\n", result.RunID, result.Status)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "source\tstream\tverdict\tpages\trecords\tnew\tchanged\tunchanged\trejected\tvanished")
	for _, s := range result.Sources {
		for _, r := range s.Streams {
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", s.Source, r.Stream, r.Verdict, r.Pages, r.Records,
				r.EntriesNew, r.EntriesChanged, r.EntriesUnchanged, r.Rejected, r.Vanished)
		}
	}
	t.Flush()
}

// print writes a result as JSON or as text for people.
func (a *app) print(asJSON bool, value any, text func(io.Writer)) error {
	if !asJSON {
		text(a.stdout)
		return nil
	}
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

// writeCounts prints findings by code and severity, the worst first.
func writeCounts(w io.Writer, counts map[schema.FindingCode]map[schema.Severity]int64) {
	codes := make([]string, 0, len(counts))
	for code := range counts {
		codes = append(codes, string(code))
	}
	sort.Strings(codes)
	if len(codes) == 0 {
		fmt.Fprintln(w, "no open findings")
		return
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "open findings\thigh\tmedium\tlow\t")
	for _, code := range codes {
		c := counts[schema.FindingCode(code)]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t\n", code, c[schema.High], c[schema.Medium], c[schema.Low])
	}
	t.Flush()
}
