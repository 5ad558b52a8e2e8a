//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUsOrRoot says whether a file belongs to the user that runs the program, or to root.
func ownedByUsOrRoot(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
}
