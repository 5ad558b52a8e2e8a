package ledger

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jmoiron/sqlx"

	"github.com/tieout/tieout/schema/ledger/pgtest"
)

// OnDisk is a configuration with another disk: how links are made on it (nil: as always), and who is told of each step.
func OnDisk(c Config, link func(from, to string) error, step func(name string)) Config {
	c.disk = disk{link: link, step: step}
	return c
}

// Path is where the ledger is.
func (l *Ledger) Path() string { return l.path }

// OnPostgres says whether the tests of this package run on PostgreSQL. TestOnPostgres runs them so.
var OnPostgres = flag.Bool("postgres", false, "make the ledgers of the tests in PostgreSQL")

var server struct {
	once    sync.Once
	it      *pgtest.Server
	err     error
	schemas atomic.Int64
}

// StopServer ends the server that tests used.
func StopServer() error {
	if server.it == nil {
		return nil
	}
	return server.it.Stop()
}

// NewPath is where a test can have a new ledger.
func NewPath(t testing.TB) string {
	t.Helper()
	if !*OnPostgres {
		return filepath.Join(t.TempDir(), "tieout.db")
	}
	server.once.Do(func() { server.it, server.err = pgtest.Start() })
	if server.err != nil {
		t.Fatal(server.err)
	}
	path, err := server.it.Ledger(fmt.Sprintf("t%d", server.schemas.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Raw opens what a ledger is in for what no ledger does: to forge it.
func Raw(t testing.TB, path string) (db *sqlx.DB) {
	t.Helper()
	var err error
	if IsPostgres(path) {
		db, err = connectPostgres(path, 1, "test", "")
	} else {
		db, err = sqlx.Open("sqlite", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// SQLiteOnly skips a test of what only a ledger in a file has.
func SQLiteOnly(t *testing.T, what string) {
	t.Helper()
	if *OnPostgres {
		t.Skip("only a ledger in a file has " + strings.TrimSpace(what))
	}
}
