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
	"github.com/tieout/tieout/schema/ledger"
)

func (a *app) backfillCommand() *cobra.Command {
	var names []string
	var from, to string
	var asJSON, dryRun, enqueue bool
	cmd := &cobra.Command{
		Use: "backfill --from DATE --to DATE", Short: "Read a range of business dates, both included", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" || to == "" {
				return usageError("backfill needs --from DATE and --to DATE")
			}
			if enqueue && dryRun {
				return usageError("--enqueue and --dry-run exclude each other")
			}
			use := func(c Config, p *pipeline.Pipeline) error {
				w, err := a.backfillRange(from, to, p.Zone)
				if err != nil {
					return err
				}
				if dryRun {
					return a.planBackfill(cmd.Context(), p, w, names, asJSON)
				}
				if enqueue {
					return a.queueBackfill(cmd.Context(), c, p, w, asJSON)
				}
				result, err := p.Backfill(cmd.Context(), w)
				a.progress.end()
				return interrupted(cmd.Context(), a.printRead(result, err, asJSON))
			}
			return a.each(cmd.Context(), func(c Config) error {
				if dryRun {
					return a.readOrEmpty(cmd.Context(), c, use)
				}
				if enqueue && !ledger.IsPostgres(c.LedgerPath) {
					return usageError("--enqueue leaves the work to `tieout worker`, which needs a ledger in PostgreSQL; %s is a file", ledger.Name(c.LedgerPath))
				}
				a.shared = enqueue
				return a.withLedger(cmd.Context(), c, names, use)
			})
		},
	}
	dateFlags(cmd, &from, &to)
	cmd.Flags().StringArrayVar(&names, "source", nil, "read only the source `NAME` (may be repeated)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be asked for, how many requests that takes and how long, and ask for nothing")
	cmd.Flags().BoolVar(&enqueue, "enqueue", false, "leave the work to the processes of `tieout worker`, of a ledger in PostgreSQL, and do not wait for them")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (a *app) backfillRange(from, to string, zone *time.Location) (schema.Window, error) {
	w, err := businessDays(from, to, zone)
	if err != nil {
		return w, err
	}
	if !w.From.Before(a.now()) {
		return w, usageError("--from %s lies in the future", from)
	}
	return w, nil
}

func (a *app) planBackfill(ctx context.Context, p *pipeline.Pipeline, w schema.Window, names []string, asJSON bool) error {
	var err error
	if p.Sources, err = chooseSources(p.Sources, names); err != nil {
		return err
	}
	plan, err := p.PlanBackfill(ctx, w)
	if err != nil {
		return err
	}
	return a.print(asJSON, plan, func(w io.Writer) { writePlan(w, plan) })
}

func writePlan(w io.Writer, plan pipeline.Plan) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "source\twindows\tread already\trequests, at least\texpected\ttime")
	estimated := false
	for _, s := range plan.Sources {
		about := ""
		if !s.Exact {
			about, estimated = "about ", true
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s%d\t%s%s\n", s.Source, s.Windows, s.Done, s.Least, about, s.Requests, about, s.Time.Round(time.Second))
	}
	t.Flush()
	if estimated {
		fmt.Fprintln(w, "about: days that were not read before are taken to have as many rows as the ledger knows of others; at least: one page for each list of a window")
	}
}

// progress shows how far a backfill is: on a terminal as one line that changes, elsewhere as a line in the log now and then.
// Its zero value shows nothing.
type progress struct {
	terminal io.Writer // nil: it is none
	shown    bool
	last     time.Duration
	sources  map[string]*sourceProgress
}

type sourceProgress struct {
	done, windows int
	rows          int64 // of the windows that are behind
	inWindow      int64
	began         time.Duration
	first         int // windows that were behind when it began
}

// progressEvery is how often a line is written where there is no terminal.
const progressEvery = 10 * time.Second

// logProgress is what a running sync or backfill says on standard error. It is called by several sources at once.
func (a *app) logProgress(p pipeline.Progress) {
	a.progressMutex.Lock()
	defer a.progressMutex.Unlock()
	if p.Verdict != "" {
		a.logEnd(p)
		return
	}
	if p.Records > 0 {
		a.log.Debug("stored", "run", p.Run, "source", p.Source, "stream", string(p.Stream), "window", p.Window.String(),
			"pages", p.Pages, "records", p.Records)
	}
	a.progress.show(a, p)
}

// logEnd is what is said of a walk that has ended: what was not read whole is said where nobody asked for more, too.
func (a *app) logEnd(p pipeline.Progress) {
	about := []any{"run", p.Run, "source", p.Source, "stream", string(p.Stream), "window", p.Window.String(), "pages", p.Pages, "records", p.Records}
	if p.Verdict == schema.VerdictComplete {
		a.log.Debug("read", about...)
		return
	}
	a.progress.end() // of the line on a terminal
	a.log.Warn("not read whole", append(about, "verdict", string(p.Verdict), "error", p.Reason)...)
}

func (g *progress) show(a *app, p pipeline.Progress) {
	if g.sources == nil {
		g.sources = map[string]*sourceProgress{}
	}
	s := g.sources[p.Source]
	now := a.elapsed()
	switch {
	case p.Windows > 0 && s == nil:
		s = &sourceProgress{began: now, first: p.Done}
		g.sources[p.Source] = s
	case s == nil || p.Stream != schema.Transactions:
		return
	}
	if p.Windows > 0 {
		s.rows, s.inWindow, s.done, s.windows = s.rows+s.inWindow, 0, p.Done, p.Windows
	} else {
		s.inWindow = p.Records
	}
	if s.windows < 2 {
		return
	}
	took := now - s.began
	rate, left := "no rate yet", "unknown"
	if done := s.done - s.first; done > 0 {
		rate = fmt.Sprintf("%.0f rows/s", float64(s.rows+s.inWindow)/took.Seconds())
		left = (took / time.Duration(done) * time.Duration(s.windows-s.done)).Round(time.Second).String()
	}
	switch {
	case g.terminal != nil:
		g.shown = true
		fmt.Fprintf(g.terminal, "\r\x1b[K%s: window %d of %d, %d rows, %s, time left %s", p.Source, s.done+1, s.windows, s.rows+s.inWindow, rate, left)
	case now-g.last >= progressEvery:
		g.last = now
		a.log.Info("reading", "run", p.Run, "source", p.Source, "stream", string(p.Stream), "window", p.Window.String(), "windows_done", s.done,
			"windows", s.windows, "rows", s.rows+s.inWindow, "rate", rate, "left", left)
	}
}

// end leaves the line.
func (g *progress) end() {
	if g.shown {
		fmt.Fprintln(g.terminal)
		g.shown = false
	}
}
