// Command bench measures tieout at the size of a large company, beside the tools that do the same work. It makes its data from a
// formula, runs each stage in a process of its own, in turn with its peers, and prints the medians:
//
//	go run ./cmd/bench -entries 1000000
//	go run ./cmd/bench -only load -cpuprofile load.pprof
//
// The figures are of one machine at one time. What may be compared is what stands in one table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	company
	dir, only, stage, profile, address string
	rounds                             int
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.entries, "entries", 100_000, "transactions over all four sources")
	flags.IntVar(&o.cards, "cards", 0, "cards over all four sources; default: one for a hundred transactions")
	flags.IntVar(&o.days, "days", 365, "days of history")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each contender; what is printed is the median")
	flags.StringVar(&o.only, "only", "", "measure only these works, by name, with a comma between them")
	flags.StringVar(&o.dir, "dir", "", "folder to work in, kept afterwards; default: a temporary one")
	flags.StringVar(&o.stage, "stage", "", "do this stage in this process; what bench calls itself with")
	flags.IntVar(&o.more, "more", 0, "with -stage: entries of the day after the history")
	flags.BoolVar(&o.filtered, "filtered", false, "with -stage: without Bitnob")
	flags.StringVar(&o.address, "address", "", "with -stage: where the providers are served")
	flags.StringVar(&o.profile, "cpuprofile", "", "file for a profile of the processor's time of our part of the last round")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.cards == 0 {
		o.cards = max(4, o.entries/100)
	}
	if o.cards < 4 || o.entries < o.cards || o.rounds < 1 || o.days < 1 {
		return errors.New("at least four cards, an entry for each, a day and a round")
	}
	if o.stage != "" {
		if o.stage == "serve" {
			return serve(ctx, o.company, stdout)
		}
		does := stages()[o.stage]
		if does == nil {
			return fmt.Errorf("no stage %q", o.stage)
		}
		return profiled(o.profile, func() error { return does(ctx, site{company: o.company, dir: o.dir, address: o.address}) })
	}
	if o.dir == "" {
		temporary, err := os.MkdirTemp("", "tieout-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }() // left behind at worst
		o.dir = temporary
	}
	return o.compare(ctx, stdout)
}

// profiled does work and writes where its time went.
func profiled(path string, work func() error) (err error) {
	if path == "" {
		return work()
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return work()
}

// compare measures the works and prints them.
func (o options) compare(ctx context.Context, stdout io.Writer) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop() // the servers end with it
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(o.dir, fmt.Sprint(o.entries)))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	b := bench{site: site{company: o.company, dir: dir}, self: self, profile: o.profile}
	fmt.Fprintf(stdout, "%d entries on %d cards of four sources; medians of %d rounds, contenders in turn\n\n", o.entries, o.cards, o.rounds)
	fmt.Fprintf(stdout, line, "work", "", "cpu s", "least", "most", "wall s", "peak MiB", "MiB", "ratio")
	works := b.works()
	for name := range strings.SplitSeq(o.only, ",") {
		if name != "" && !slices.ContainsFunc(works, func(w work) bool { return w.name == name }) {
			return fmt.Errorf("no work %q", name)
		}
	}
	for _, w := range works {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), w.name) {
			continue
		}
		if err := w.compare(ctx, stdout, o.rounds); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	fmt.Fprint(stdout, "\nratio: processor time of the peer to ours; above 1 ours is faster. The making of the data is taken off ours.\n")
	return nil
}

const line = "%-38s %-42s %8s %8s %8s %8s %9s %8s %7s\n"

// compare measures the contenders of a work in turn and prints a line for each.
func (w work) compare(ctx context.Context, stdout io.Writer, rounds int) error {
	contenders := append([]contender{w.ours}, w.peers...)
	samples := make([][]sample, len(contenders))
	absent := make([]string, len(contenders))
	for i, c := range contenders {
		if c.absent != nil {
			absent[i] = c.absent(ctx)
		}
	}
	for range rounds {
		for i, c := range contenders {
			if absent[i] != "" {
				continue
			}
			one, err := c.round(ctx)
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], one)
		}
	}
	for i, c := range contenders {
		title := ""
		if i == 0 {
			title = w.title
		}
		if absent[i] != "" {
			fmt.Fprintf(stdout, "%-38s %s: absent, %s\n", title, c.name, absent[i])
			continue
		}
		f := figures(samples[i])
		least, most := spread(samples[i])
		ratio := ""
		if i > 0 {
			ratio = fmt.Sprintf("%.2f", float64(f.cpu)/float64(figures(samples[0]).cpu))
		}
		fmt.Fprintf(stdout, line, title, c.name, seconds(f.cpu), seconds(least), seconds(most), seconds(f.wall), mebibytes(f.peak), mebibytes(f.bytes), ratio)
	}
	return nil
}
