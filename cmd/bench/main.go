// Command bench measures tieout at the size of a large company. It makes its data from a formula, runs each stage in a
// process of its own, and prints how long that took and how much memory it held at most:
//
//	go run ./cmd/bench -entries 1000000 -cards 10000
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
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"time"
)

// work is one stage: what it is called, what it does to a folder, and what it does it to.
type work struct {
	name string
	does func(context.Context, site) error
	size func(company) int // entries
}

func works() []work {
	entries := func(c company) int { return c.entries }
	lookback := func(c company) int { return c.entries / 10 }
	return []work{
		{"load", load, entries},
		{"read a tenth again, unchanged", again, lookback},
		{"reconcile, all checks, the default period", reconcileMonths, entries},
		{"reconcile, all checks, the whole year", reconcileYear, entries},
		{"report, CSV, the whole year", reportCSV, entries},
		{"report, XLSX, the whole year", reportXLSX, entries},
		{"verify", verify, entries},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	entries := flags.Int("entries", 200_000, "transactions over all four sources")
	cards := flags.Int("cards", 2_000, "cards over all four sources")
	dir := flags.String("dir", "", "folder to work in, kept afterwards; default: a temporary one")
	only := flags.Int("stage", -1, "run the stage of this number in this process; what bench calls itself with")
	profile := flags.String("cpuprofile", "", "with -stage: file for a profile of the processor's time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c := company{entries: *entries, cards: *cards}
	if c.cards < 4 || c.entries < c.cards {
		return errors.New("at least four cards, and an entry for each")
	}
	if *only >= 0 {
		return profiled(*profile, func() error { return works()[*only].does(ctx, site{company: c, dir: *dir}) })
	}
	if *dir == "" {
		temporary, err := os.MkdirTemp("", "tieout-bench-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(temporary) }() // left behind at worst
		*dir = temporary
	}
	return table(ctx, stdout, site{company: c, dir: *dir})
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

// table runs the stages one after the other and prints a line for each.
func table(ctx context.Context, stdout io.Writer, s site) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d entries on %d cards of four sources\n\n", s.entries, s.cards)
	const line = "%-44s %9s %9s %12s %9s %11s\n"
	fmt.Fprintf(stdout, line, "work", "seconds", "cpu s", "entries/s", "peak MiB", "ledger MiB")
	for i, w := range works() {
		cmd := exec.CommandContext(ctx, self, "-stage", fmt.Sprint(i), "-dir", s.dir, "-entries", fmt.Sprint(s.entries), "-cards", fmt.Sprint(s.cards)) //nolint:gosec // itself
		cmd.Stderr = os.Stderr
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		took := time.Since(began)
		fmt.Fprintf(stdout, line, w.name, fmt.Sprintf("%.1f", took.Seconds()),
			fmt.Sprintf("%.1f", (cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()).Seconds()), fmt.Sprintf("%.0f", float64(w.size(s.company))/took.Seconds()),
			peak(cmd.ProcessState), fmt.Sprint(ledgerSize(s.dir)>>20))
	}
	return nil
}

func ledgerSize(dir string) (bytes int64) {
	for _, name := range []string{ledgerFile, ledgerFile + "-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}
