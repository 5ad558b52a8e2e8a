package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// result is what a work came to at one size.
type result struct {
	work, title string
	entries     int
	night       bool // it ought to cost by what is new and the look-back, whatever the ledger holds
	ours        sample
	peers       []sample // zero: absent
}

// compare measures the works at every size and prints what they came to.
func (o options) compare(ctx context.Context, stdout io.Writer) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	chosen := strings.Split(o.only, ",")
	for _, name := range chosen {
		if name != "" && !slices.ContainsFunc((bench{}).works(), func(w work) bool { return w.name == name }) {
			return fmt.Errorf("no work %q", name)
		}
	}
	var all []result
	server := &postgres{}
	defer func() { err = errors.Join(err, server.stop()) }()
	for _, entries := range o.sizes {
		b := bench{postgres: server, site: site{company: o.company, dir: filepath.Join(dir, fmt.Sprint(entries))}, self: self, profile: o.profile}
		b.entries = entries
		if b.cards == 0 {
			b.cards = max(4, entries/100)
		}
		if err := os.MkdirAll(b.dir, 0o700); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%d entries on %d cards; medians of %d rounds, contenders in turn\n\n", b.entries, b.cards, o.rounds)
		fmt.Fprintf(stdout, line, "work", "", "cpu s", "least", "most", "wall s", "peak MiB", "MiB", "ratio")
		for _, w := range b.works() {
			if o.only != "" && !slices.Contains(chosen, w.name) {
				continue
			}
			one, err := w.compare(ctx, stdout, o.rounds)
			if err != nil {
				return fmt.Errorf("%s (%d entries): %w", w.name, entries, err)
			}
			if one.entries = entries; w.most > 0 {
				one.entries = min(entries, w.most)
			}
			all = append(all, one)
		}
		fmt.Fprintln(stdout)
	}
	fmt.Fprint(stdout, "cpu: processor time, user and system, of all processes of a contender; least and most of the rounds. ratio: the peer's to ours; above 1 ours is faster.\n"+
		"less: taken off, measured in the same rounds: what the making of the data costs in the same process, or the start of DuckDB. Servers run in other processes and are not counted.\n")
	if runtime.GOOS != "linux" {
		fmt.Fprintf(stdout, "Memory is not measured on %s.\n", runtime.GOOS)
	}
	growth(stdout, all)
	reached(stdout, all)
	return nil
}

const line = "%-38s %-49s %8s %8s %8s %8s %9s %8s %7s\n"

// compare measures the contenders of a work in turn and prints a line for each.
func (w work) compare(ctx context.Context, stdout io.Writer, rounds int) (result, error) {
	contenders := append([]contender{w.ours}, w.peers...)
	samples, absent := make([][]sample, len(contenders)), make([]string, len(contenders))
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
				return result{}, err
			}
			samples[i] = append(samples[i], one)
		}
	}
	for _, path := range w.scratch {
		if err := os.RemoveAll(path); err != nil {
			return result{}, err
		}
	}
	r := result{work: w.name, title: w.title, night: w.night}
	title := w.title
	for i, c := range contenders {
		if absent[i] != "" {
			fmt.Fprintf(stdout, "%-38s %s: absent, %s\n", "", c.name, absent[i])
			r.peers = append(r.peers, sample{})
			continue
		}
		f, ratio := figures(samples[i]), ""
		if i == 0 {
			r.ours = f
		} else {
			r.peers = append(r.peers, f)
			ratio = fmt.Sprintf("%.2f", part(f.cpu, r.ours.cpu))
		}
		name := c.name
		if f.off > 0 {
			name += " (less " + seconds(f.off) + ")"
		}
		least, most := spread(samples[i])
		fmt.Fprintf(stdout, line, title, name, seconds(f.cpu), seconds(least), seconds(most), seconds(f.wall), mebibytes(f.peak), mebibytes(f.bytes), ratio)
		title = ""
	}
	return r, nil
}
