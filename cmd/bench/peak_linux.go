package main

import (
	"fmt"
	"os"
	"syscall"
)

// peak is the largest memory that a process held resident, in MiB (getrusage counts KiB on Linux).
func peak(state *os.ProcessState) string {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return "unknown"
	}
	return fmt.Sprint(usage.Maxrss >> 10)
}
