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

	night   bool     // it ought to cost by what is new and the look-back, whatever the ledger holds
	most    int      // entries that it is given; 0: all
	scratch []string // what is removed afterwards: the ledgers of a large company fill a disk
}

// bench makes the contenders of one company.
type bench struct {
	site
	self     string // this program
	profile  string
	postgres *postgres
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

// served has a stage read from a server in another process, whose time is not counted.
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

// start starts a server, which lives as long as this process, and says where it listens.
func (b bench) start(ctx context.Context) (address string, err error) {
	cmd := b.process(ctx, "serve")
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // closed with this process
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	first, err := bufio.NewReader(out).ReadString('\n')
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
		{name: "decode", title: "decode, normalize: pages in memory", ours: b.less(b.stage("decode", nil), "pages"), peers: []contender{
			b.less(b.peer("encoding/json alone, into structs", "structs"), "pages"), b.less(b.peer("encoding/json alone, into any", "any"), "pages"),
		}},
		{name: "extract", title: "extract, decode, normalize: HTTP", ours: b.served(b.stage("extract", nil)), peers: []contender{
			b.served(b.peer("net/http and encoding/json, into structs", "fetch")),
		}},
		{name: "load", title: "ledger load, first time", ours: b.less(b.stage("load", b.empty, ledgerFile), "data"), peers: []contender{
			b.withLoaded(b.imports("sqlite3 .import, same tables and indexes", "live.sql")),
			b.withLoaded(b.imports("sqlite3 .import, indexes made afterwards", "after.sql")),
		}, scratch: []string{b.path("imported.db")}},
		{name: "resync", title: "re-sync, all unchanged", ours: b.less(b.stage("resync", b.loaded, ledgerFile), "received"), peers: b.upserting(false), scratch: b.upserted()},
		{name: "changed", title: "re-sync, 1 % changed", ours: b.less(b.stage("changed", b.loaded, ledgerFile), "received"), peers: b.upserting(true), scratch: b.upserted()},
		{name: "reconcile", title: "reconcile, all checks, whole history", ours: b.stage("reconcile", b.loaded), peers: []contender{
			b.withLoaded(b.duckdb(1)), b.withLoaded(b.duckdb(2)),
		}, scratch: []string{b.path("copy.duckdb")}},
		{name: "xlsx", most: xlsxRows, title: "XLSX, 12 columns, at most 500,000 rows", ours: b.stage("xlsx", b.withCells, "ours.xlsx"), peers: []contender{b.libxlsxwriter()}},
		{name: "workbook", title: "report, XLSX, whole history", ours: b.stage("workbook", b.checked, reportsDir+"/xlsx")},
		{name: "csv", title: "report, CSV, whole history", ours: b.stage("csv", b.checked, reportsDir+"/csv"), peers: []contender{b.withLoaded(b.asCSV())}},
		{name: "balances", title: "load, and balances of all cards", ours: b.less(b.stage("balances", b.empty, ledgerFile), "data"), peers: []contender{
			b.journalled("hledger"), b.journalled("ledger"),
		}},
		{name: "pg-load", title: "ledger load, SQLite and PostgreSQL", ours: b.stage("load", b.empty, ledgerFile), peers: []contender{b.onPostgres("load", "", nil)}},
		{name: "pg-reconcile", title: "reconcile, SQLite and PostgreSQL", ours: b.stage("reconcile", b.loaded), peers: []contender{b.onPostgres("reconcile", loadedFile, b.loaded)}},
		{name: "pg-workbook", title: "workbook, SQLite and PostgreSQL", ours: b.stage("workbook", b.checked, reportsDir+"/xlsx"), peers: []contender{
			b.onPostgres("workbook", checkFile, b.checked, reportsDir+"/xlsx"),
		}},
		{name: "verify", title: "verify", ours: b.stage("verify", b.checked), scratch: []string{b.path(checkFile)}},
		{name: "nightly", title: "night, 1,000 new, look-back 35 days", ours: nights.served(nights.stage("nightly", nights.night, ledgerFile, reportsDir)), scratch: []string{nights.dir}},
		{name: "filtered", night: true, title: "the same without Bitnob", ours: filtered.served(filtered.stage("nightly", filtered.night, ledgerFile, reportsDir)), scratch: []string{filtered.dir}},
		{name: "ingest", title: "backfill, HTTP to ledger", ours: b.served(b.stage("ingest", b.empty, ledgerFile))},
		{name: "backfill", title: "backfill, HTTP to reports", ours: b.served(b.stage("backfill", b.empty, ledgerFile, reportsDir))},
	}
}

func (b bench) upserted() []string { return []string{b.path("upserted.db"), b.path("incoming.db")} }

func (b bench) upserting(changed bool) []contender {
	return []contender{b.withLoaded(b.upserts(changed, false)), b.withLoaded(b.upserts(changed, true))}
}

// perNight is how many entries a night brings. The company of the nights has the same cards and as many entries a day, however
// long its history is.
const perNight = 1000

func (b bench) nights(filtered bool) bench {
	b.days, b.cards, b.filtered = max(1, b.entries/perNight), min(b.cards, perNight/10), filtered
	b.more = b.entries / b.days // perNight, but of the smallest
	b.dir = b.path("nights")
	if filtered {
		b.dir += "-filtered"
	}
	return b
}

// night is the state before the night: read over HTTP, so that what is read again is the same, and checked a day earlier.
func (b bench) night(ctx context.Context) error {
	b.more, b.profile = 0, ""
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	if size(b.path(loadedFile)) == 0 {
		if _, err := b.served(b.stage("first", b.empty)).round(ctx); err != nil {
			return err
		}
		if err := os.Rename(b.path(ledgerFile), b.path(loadedFile)); err != nil {
			return err
		}
	}
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
		if reset == nil {
			return nil
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
