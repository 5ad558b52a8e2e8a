package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// contender is one way to do a work.
type contender struct {
	name    string
	absent  func(context.Context) string // why it cannot take part; empty: it can
	reset   func(context.Context) error  // before each round, not measured
	command func(context.Context) *exec.Cmd
	check   func(context.Context) error // after each round, not measured
	wrote   []string                    // files and folders whose bytes are counted
	less    *contender                  // what is measured beside it in every round, and taken off
}

// sample is what one round of a contender cost.
type sample struct {
	cpu, wall time.Duration
	peak      int64 // most memory held, in bytes; 0: not measured
	bytes     int64
	off       time.Duration // processor time that was taken off
}

// round measures a contender once, less what is to be taken off.
func (c contender) round(ctx context.Context) (sample, error) {
	if c.reset != nil {
		if err := c.reset(ctx); err != nil {
			return sample{}, fmt.Errorf("%s: prepare: %w", c.name, err)
		}
	}
	one, err := measure(c.command(ctx))
	if err == nil && c.check != nil {
		err = c.check(ctx)
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", c.name, err)
	}
	for _, path := range c.wrote {
		one.bytes += size(path)
	}
	if c.less != nil {
		less, err := c.less.round(ctx)
		if err != nil {
			return sample{}, err
		}
		one.cpu -= less.cpu
		one.off = less.cpu
		one.wall -= less.wall
	}
	return one, nil
}

// measure runs a process to its end: its own processor time and that of its children, the time on the wall, and the most
// memory that it held. The system's account of the memory of an ended process will not do: it begins with what the process
// that started it held.
func measure(cmd *exec.Cmd) (sample, error) {
	var text bytes.Buffer
	cmd.Stderr = &text
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var one sample
	for {
		select {
		case err := <-ended:
			one.wall = time.Since(began)
			one.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			if err != nil {
				err = fmt.Errorf("%w: %s", err, strings.TrimSpace(text.String()))
			}
			return one, err
		case <-tick.C:
			one.peak = max(one.peak, heldAtMost(cmd.Process.Pid))
		}
	}
}

// heldAtMost is the most memory that a running process has held so far; 0 when it has ended, or where there is no /proc.
func heldAtMost(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// size is how many bytes a file has, or the files of a folder; 0: there is none.
func size(path string) (bytes int64) {
	_ = filepath.Walk(path, func(_ string, info os.FileInfo, err error) error { // what is not there has no bytes
		if err == nil && !info.IsDir() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// figures are the medians of a contender's rounds.
func figures(samples []sample) sample {
	median := func(of func(sample) int64) int64 {
		values := make([]int64, 0, len(samples))
		for _, s := range samples {
			values = append(values, of(s))
		}
		slices.Sort(values)
		n := len(values)
		return (values[(n-1)/2] + values[n/2]) / 2
	}
	return sample{
		cpu:   time.Duration(median(func(s sample) int64 { return int64(s.cpu) })),
		wall:  time.Duration(median(func(s sample) int64 { return int64(s.wall) })),
		peak:  median(func(s sample) int64 { return s.peak }),
		bytes: median(func(s sample) int64 { return s.bytes }),
		off:   time.Duration(median(func(s sample) int64 { return int64(s.off) })),
	}
}

// spread is the smallest and the largest processor time of some rounds.
func spread(samples []sample) (least, most time.Duration) {
	compare := func(a, b sample) int { return int(a.cpu - b.cpu) }
	return slices.MinFunc(samples, compare).cpu, slices.MaxFunc(samples, compare).cpu
}

// tool says why a program cannot be used; empty: it can.
func tool(name string) func(context.Context) string {
	return func(context.Context) string {
		if _, err := exec.LookPath(name); errors.Is(err, exec.ErrNotFound) {
			return name + " is not installed"
		} else if err != nil {
			return err.Error()
		}
		return ""
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

// mebibytes is a size as it is printed.
func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/(1<<20))
}
