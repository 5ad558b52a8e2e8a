package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

// process is this program doing a stage, given a company and a folder.
func (b bench) process(ctx context.Context, stage string, more ...string) *exec.Cmd {
	args := append([]string{
		"-stage", stage, "-dir", b.dir, "-entries", strconv.Itoa(b.entries), "-cards", strconv.Itoa(b.cards), "-days", strconv.Itoa(b.days),
		"-more", strconv.Itoa(b.more), "-filtered=" + strconv.FormatBool(b.filtered),
	}, more...)
	return exec.CommandContext(ctx, b.self, args...) //nolint:gosec // itself
}

// stage is this program doing one stage in a process of its own.
func (b bench) stage(name string, reset func(context.Context) error, wrote ...string) contender {
	c := contender{
		name: "tieout", reset: reset,
		command: func(ctx context.Context) *exec.Cmd {
			if b.profile != "" {
				return b.process(ctx, name, "-cpuprofile", b.profile)
			}
			return b.process(ctx, name)
		},
	}
	for _, path := range wrote {
		c.wrote = append(c.wrote, b.path(path))
	}
	return c
}

// served has a stage read from a server in another process, whose time is not counted. It lives as long as the context of the
// first round.
func (b bench) served(c contender) contender {
	var address string
	reset, command := c.reset, c.command
	c.reset = func(ctx context.Context) (err error) {
		if address == "" {
			if address, err = b.start(ctx); err != nil {
				return err
			}
		}
		if reset == nil {
			return nil
		}
		return reset(ctx)
	}
	c.command = func(ctx context.Context) *exec.Cmd {
		cmd := command(ctx)
		cmd.Args = append(cmd.Args, "-address", address)
		return cmd
	}
	return c
}

// start starts a server and says where it listens.
func (b bench) start(ctx context.Context) (address string, err error) {
	cmd := b.process(ctx, "serve")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	go func() { _ = cmd.Wait() }() // it is killed in the end
	return strings.TrimSpace(first), err
}

// less takes off a contender what another stage costs: the making of what it is given.
func (b bench) less(c contender, stage string) contender {
	b.profile = ""
	less := b.stage(stage, nil)
	less.name = "making the data"
	c.less = &less
	return c
}

// peer is another way to do a work that is in this program too.
func (b bench) peer(name, stage string) contender {
	b.profile = ""
	c := b.stage(stage, nil)
	c.name = name
	return c
}

// works lists what is measured.
func (b bench) works() []work {
	nights, filtered := b.nights(false), b.nights(true)
	return []work{
		{"decode", "decode, normalize: pages in memory", b.less(b.stage("decode", nil), "pages"), []contender{
			b.less(b.peer("encoding/json alone, into structs", "structs"), "pages"), b.less(b.peer("encoding/json alone, into any", "any"), "pages"),
		}},
		{"extract", "extract, decode, normalize: HTTP", b.served(b.stage("extract", nil)), []contender{
			b.served(b.peer("net/http and encoding/json, into structs", "fetch")),
		}},
		{"load", "ledger load, first time", b.less(b.stage("load", b.empty, ledgerFile), "data"), []contender{
			b.withLoaded(b.imports("sqlite3 .import, same tables and indexes", "live.sql")),
			b.withLoaded(b.imports("sqlite3 .import, indexes made afterwards", "after.sql")),
		}},
		{"resync", "re-sync, all unchanged", b.less(b.stage("resync", b.loaded, ledgerFile), "data"), b.upserting(false)},
		{"changed", "re-sync, 1 % changed", b.less(b.stage("changed", b.loaded, ledgerFile), "data"), b.upserting(true)},
		{"reconcile", "reconcile, all checks, whole history", b.stage("reconcile", b.loaded), []contender{
			b.withLoaded(b.duckdb(1)), b.withLoaded(b.duckdb(2)),
		}},
		{"xlsx", "XLSX, 12 columns from a file", b.stage("xlsx", b.withCells, "ours.xlsx"), []contender{b.libxlsxwriter()}},
		{"workbook", "report, XLSX, whole history", b.stage("workbook", b.checked, reportsDir+"/xlsx"), nil},
		{"csv", "report, CSV, whole history", b.stage("csv", b.checked, reportsDir+"/csv"), nil},
		{"balances", "load, and balances of all cards", b.less(b.stage("balances", b.empty, ledgerFile), "data"), []contender{b.journalled("hledger"), b.journalled("ledger")}},
		{"verify", "verify", b.stage("verify", b.checked), nil},
		{"nightly", "night of 1,000 new, look-back 35 days", nights.served(nights.stage("nightly", nights.night, ledgerFile, reportsDir)), nil},
		{"filtered", "the same without Bitnob", filtered.served(filtered.stage("nightly", filtered.night, ledgerFile, reportsDir)), nil},
		{"ingest", "backfill, HTTP to ledger", b.served(b.stage("ingest", b.empty, ledgerFile)), nil},
		{"backfill", "backfill, HTTP to reports", b.served(b.stage("backfill", b.empty, ledgerFile, reportsDir)), nil},
	}
}

func (b bench) upserting(changed bool) []contender {
	return []contender{b.withLoaded(b.upserts(changed, false)), b.withLoaded(b.upserts(changed, true))}
}

// perNight is how many entries a night brings. The company of the nights has the same cards and as many entries a day, however
// long its history is.
const perNight = 1000

func (b bench) nights(filtered bool) bench {
	b.days, b.cards, b.filtered = max(1, b.entries/perNight), min(b.cards, perNight/10), filtered
	b.more = b.entries / b.days
	b.dir = b.path("nights")
	if filtered {
		b.dir += "-filtered"
	}
	return b
}

// night is the state before the night: loaded and checked a day earlier.
func (b bench) night(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	b.more = 0
	return b.checked(ctx)
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
