// Command bench measures tieout at the size of a large company, beside the tools that do the same work. It makes its data from a
// formula, runs each stage in a process of its own, in turn with its peers, and prints the medians, how cost grows with the number
// of entries, and which goals are reached:
//
//	go run ./cmd/bench -entries 10000,100000,1000000
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
	"runtime/pprof"
	"slices"
	"strconv"
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
	dir, only, stage, profile, address, ledger string
	rounds                                     int
	sizes                                      []int
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	entries := flags.String("entries", "100000", "transactions over all four sources; several sizes with a comma between them")
	flags.IntVar(&o.cards, "cards", 0, "cards over all four sources; default: one for a hundred transactions")
	flags.IntVar(&o.days, "days", 365, "days of history")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each contender; what is printed is the median")
	flags.StringVar(&o.only, "only", "", "measure only these works, by name, with a comma between them")
	flags.StringVar(&o.dir, "dir", "", "folder to work in, kept afterwards, and what was made there is used again, which only the same build may measure; default: a temporary one")
	flags.StringVar(&o.stage, "stage", "", "do this stage in this process; what bench calls itself with")
	flags.IntVar(&o.more, "more", 0, "with -stage: entries of the day after the history")
	flags.BoolVar(&o.filtered, "filtered", false, "with -stage: without Bitnob")
	flags.StringVar(&o.address, "address", "", "with -stage: where the providers are served")
	flags.StringVar(&o.ledger, "ledger", "", "with -stage: address of a ledger in PostgreSQL")
	flags.StringVar(&o.profile, "cpuprofile", "", "file for a profile of the processor's time of our part of the last round")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for text := range strings.SplitSeq(*entries, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("entries: %w", err)
		}
		o.sizes = append(o.sizes, n)
	}
	slices.Sort(o.sizes)
	if o.entries = o.sizes[0]; o.cards < 0 || o.entries < max(400, o.cards) || o.rounds < 1 || o.days < 1 {
		return errors.New("at least 400 entries, no more cards than entries, a day and a round")
	}
	if o.stage != "" {
		if o.stage == "serve" {
			return serve(ctx, o.company, os.Stdin, stdout)
		}
		does := stages()[o.stage]
		if does == nil {
			return fmt.Errorf("no stage %q", o.stage)
		}
		return profiled(o.profile, func() error {
			return does(ctx, site{company: o.company, dir: o.dir, address: o.address, ledger: o.ledger})
		})
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
