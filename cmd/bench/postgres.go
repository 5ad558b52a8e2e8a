package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// The same stages on a ledger in PostgreSQL stand beside those on SQLite. The server writes as safely as it does by default. Its
// processor time is that of another process and is not counted: the time on the wall is what to compare.

// postgres is the server of one bench, started when it is needed first.
type postgres struct {
	server *pgtest.Server
	err    error
	made   int // ledgers
}

func (p *postgres) absent(context.Context) string {
	if p.server == nil && p.err == nil {
		p.server, p.err = pgtest.Start("fsync=on", "synchronous_commit=on", "full_page_writes=on")
	}
	if p.err != nil {
		return p.err.Error()
	}
	return ""
}

func (p *postgres) stop() error {
	if p.server == nil {
		return nil
	}
	return p.server.Stop()
}

// empty makes room for a new ledger.
func (p *postgres) empty() (address string, err error) {
	p.made++
	return p.server.Ledger(fmt.Sprintf("bench%d", p.made))
}

// loaded is a new ledger that holds what a ledger in a file holds.
func (p *postgres) loaded(ctx context.Context, s site, file string) (address string, err error) {
	if address, err = p.empty(); err != nil {
		return "", err
	}
	from, err := ledger.Open(ctx, ledger.Config{Path: s.path(file), ReadOnly: true, Now: s.now})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := ledger.Open(ctx, ledger.Config{Path: address, Now: s.now})
	if err != nil {
		return "", err
	}
	_, err = from.CopyTo(ctx, to)
	return address, errors.Join(err, to.Close())
}

// onPostgres is a stage on a ledger in PostgreSQL: an empty one, or one that holds what a file holds.
func (b bench) onPostgres(stage, file string, before func(context.Context) error, wrote ...string) contender {
	b.profile = ""
	c := b.stage(stage, nil, wrote...)
	c.name, c.absent = "tieout, ledger in PostgreSQL", b.postgres.absent
	var address string
	c.reset = func(ctx context.Context) (err error) {
		if file == "" {
			address, err = b.postgres.empty()
			return err
		}
		if size(b.path(file)) == 0 {
			if err := before(ctx); err != nil {
				return err
			}
		}
		address, err = b.postgres.loaded(ctx, b.site, file)
		return err
	}
	c.command = func(ctx context.Context) *exec.Cmd { return b.process(ctx, stage, "-ledger", address) }
	return c
}
