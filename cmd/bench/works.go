package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// work is something that is measured, and who does it.
type work struct {
	name  string // for -only
	title string
	ours  contender
	peers []contender
}

// bench makes the contenders of one company.
type bench struct {
	site
	self    string // this program
	profile string
}

// stage is this program doing one stage in a process of its own.
func (b bench) stage(name string, reset func(context.Context) error, wrote ...string) contender {
	c := contender{
		name: "tieout", reset: reset,
		command: func(ctx context.Context) *exec.Cmd {
			args := []string{"-stage", name, "-dir", b.dir, "-entries", strconv.Itoa(b.entries), "-cards", strconv.Itoa(b.cards), "-days", strconv.Itoa(b.days)}
			if b.profile != "" {
				args = append(args, "-cpuprofile", b.profile)
			}
			return exec.CommandContext(ctx, b.self, args...) //nolint:gosec // itself
		},
	}
	for _, path := range wrote {
		c.wrote = append(c.wrote, b.path(path))
	}
	return c
}

// given takes the making of the data off a stage that is given the whole company.
func (b bench) given(c contender) contender {
	b.profile = ""
	less := b.stage("data", nil)
	less.name = "making the data"
	c.less = &less
	return c
}

// works lists what is measured.
func (b bench) works() []work {
	return []work{
		{"load", "ledger load, first time", b.given(b.stage("load", b.empty, ledgerFile)), []contender{
			b.withLoaded(b.imports("sqlite3 .import, same tables and indexes", "live.sql")),
			b.withLoaded(b.imports("sqlite3 .import, indexes made afterwards", "after.sql")),
		}},
		{"resync", "re-sync, all unchanged", b.given(b.stage("resync", b.loaded, ledgerFile)), []contender{b.withLoaded(b.upserts(false))}},
		{"changed", "re-sync, 1 % changed", b.given(b.stage("changed", b.loaded, ledgerFile)), []contender{b.withLoaded(b.upserts(true))}},
		{"reconcile", "reconcile, all checks, whole history", b.stage("reconcile", b.loaded), nil},
		{"xlsx", "XLSX, 12 columns from a file", b.stage("xlsx", b.withCells, "ours.xlsx"), []contender{b.libxlsxwriter()}},
		{"workbook", "report, XLSX, whole history", b.stage("workbook", b.checked, reportsDir+"/xlsx"), nil},
		{"csv", "report, CSV, whole history", b.stage("csv", b.checked, reportsDir+"/csv"), nil},
		{"verify", "verify", b.stage("verify", b.checked), nil},
	}
}

// empty is the state before a first load.
func (b bench) empty(context.Context) error { return remove(b.path(ledgerFile)) }

// loaded is the state after a first load, which is made once.
func (b bench) loaded(ctx context.Context) error {
	if size(b.path(loadedFile)) == 0 {
		if err := b.make(ctx, "load", b.empty, loadedFile); err != nil {
			return err
		}
	}
	return copyLedger(b.path(loadedFile), b.path(ledgerFile))
}

// checked is the state after a first load and a reconcile.
func (b bench) checked(ctx context.Context) error {
	if size(b.path(checkFile)) == 0 {
		if err := b.make(ctx, "reconcile", b.loaded, checkFile); err != nil {
			return err
		}
	}
	return copyLedger(b.path(checkFile), b.path(ledgerFile))
}

// make runs a stage and keeps the ledger that it leaves.
func (b bench) make(ctx context.Context, stage string, before func(context.Context) error, file string) error {
	b.profile = ""
	if _, err := b.stage(stage, before).round(ctx); err != nil {
		return err
	}
	return os.Rename(b.path(ledgerFile), b.path(file))
}

func (b bench) withCells(context.Context) error {
	if size(b.path(cellsFile)) > 0 {
		return nil
	}
	return b.cells()
}

// withLoaded has a peer wait for the ledger that its rows come from.
func (b bench) withLoaded(c contender) contender {
	reset := c.reset
	c.reset = func(ctx context.Context) error {
		if size(b.path(loadedFile)) == 0 {
			if err := b.loaded(ctx); err != nil {
				return err
			}
		}
		return reset(ctx)
	}
	return c
}

// copyLedger copies a ledger that is closed.
func copyLedger(from, to string) (err error) {
	if err := remove(to); err != nil {
		return err
	}
	if size(from+"-wal") > 0 {
		return fmt.Errorf("%s has a log beside it: it was not closed", from)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // nothing was written
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}
