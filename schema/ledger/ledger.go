// Package ledger is the one ledger: everything tieout knows, in one database. All SQL of the program is here and in
// schema/migrations, in the subset that SQLite and PostgreSQL both speak.
//
// What is stored is append-only: a changed row is a new version, and the old one names the commit that replaced it. Every
// transaction appends a commit to a hash chain over what it stored (see Verify), so that the ledger can be read as it was
// known after any run (see View), and a row that was changed by hand is found.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // also the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tieout/tieout/schema/migrations"
)

// Config says which ledger to open.
type Config struct {
	Path     string           // a SQLite file, or postgres://USER@HOST/DATABASE
	ReadOnly bool             // nothing is written, not even a migration; the file must exist
	Shared   bool             // other processes write to it as well, by LockShared; in PostgreSQL only
	Now      func() time.Time // the recorded clock; required
	// Migrations are those of this program where it is nil. Others are for tests, of a ledger of another version.
	Migrations fs.FS

	disk  disk
	older bool // read-only: a ledger of an older version is opened too
}

// ErrNotFound says that what was asked for is not in the ledger.
var ErrNotFound = errors.New("not in the ledger")

// ErrNewer says that the ledger was made by a newer version of the program.
var ErrNewer = errors.New("the ledger was made by a newer version of tieout: use that version")

// ErrOlder says that the ledger was made by an older version of the program, and was opened for reading only.
var ErrOlder = errors.New("the ledger was made by an older version of tieout: any command that writes, such as `tieout sync`, upgrades it")

// ErrNone says that there is no ledger, or one that nothing was put into yet, and that it was opened for reading only.
var ErrNone = errors.New("there is no ledger yet: `tieout sync` makes it")

// Ledger is an open ledger. Reading methods may be called from several goroutines and beside a writing one; an iterator
// holds a connection of its own until it ends. Writing methods wait for one another.
type Ledger struct {
	write *sqlx.DB // one connection; nil when read-only
	read  *sqlx.DB
	now   func() time.Time
	path  string
	files fs.FS // the migrations
	disk  disk

	postgres, shared bool

	version, newest int // of the tables, as they are and as this program has them, where it was opened for reading
	older           bool

	writing sync.Mutex // held by whoever writes, and for what follows
	first   *firstLoad // nil: all indexes are there
}

// readers is how many iterators and queries may be open at once.
const readers = 16

// idle is how many connections are kept for the next who reads: each holds its cache.
const idle = 4

// Open opens a ledger, makes it when it does not exist, and brings its tables up to this version. The file and what SQLite
// puts beside it can be read by their owner only.
func Open(ctx context.Context, c Config) (*Ledger, error) {
	if c.Now == nil {
		return nil, errors.New("open ledger: no clock")
	}
	opening := open
	if IsPostgres(c.Path) {
		opening = openPostgres
	}
	l, err := opening(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open ledger (%s): %w", Name(c.Path), explain(c.Path, err))
	}
	return l, nil
}

func open(ctx context.Context, c Config) (*Ledger, error) {
	path, err := RealPath(c.Path) // also where SQLite has its -wal and -shm
	if err != nil {
		return nil, err
	}
	l := &Ledger{now: c.Now, path: path, files: c.Migrations, disk: c.disk, older: c.older}
	if l.files == nil {
		if l.files, err = migrations.SQLite(); err != nil {
			return nil, err
		}
	}
	// Sixteen readers with a large cache each, and their sorting in memory, would hold as much as the ledger is large.
	reading := []string{pragma("query_only(1)"), pragma("cache_size(-4096)")}
	if c.ReadOnly {
		reading = append(reading, "mode=ro")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNone
		}
	} else {
		if err := own(ctx, path); err != nil {
			return nil, err
		}
		// A statement that inserts many rows keeps a journal of its own; in a file it would cost more than the rows. A longer
		// write-ahead log copies the pages that change with every commit less often into the database.
		if l.write, err = connect(path, 1, "_txlock=immediate", pragma("journal_mode(WAL)"), pragma("synchronous(FULL)"),
			pragma("foreign_keys(1)"), pragma("cache_size(-"+firstCache+")"), pragma("temp_store(MEMORY)"), pragma("wal_autocheckpoint(8192)")); err != nil {
			return nil, err
		}
		err = migrate(ctx, l.write.DB, path, l.files)
		if err == nil {
			err = l.beginFirstLoad(ctx)
		}
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	if err = l.reading(ctx, reading); c.ReadOnly && errors.Is(err, errBeside) && frozen(path) {
		err = l.reading(ctx, append(reading, "immutable=1")) // nobody can write there, so SQLite need not find out who does
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// own makes the file of a ledger, or makes sure that the one that is there is a ledger, and closes it to everybody else.
func own(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	// This is also for the library that migrates, which takes a table that it cannot read for one that is not there.
	if info.Size() > 0 {
		if _, err := versionOf(ctx, path); err != nil && !errors.Is(err, ErrNone) {
			return err
		}
	}
	// SQLite gives its -wal and -shm files the mode of the database, which may have been copied here with a wider one.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// reading connects for reading and looks what is there.
func (l *Ledger) reading(ctx context.Context, settings []string) (err error) {
	if l.read != nil {
		err = l.read.Close()
	}
	if err != nil {
		return err
	}
	if l.read, err = connect(l.path, readers, settings...); err != nil {
		return err
	}
	return l.checkVersion(ctx)
}

// cannotOpen says whether SQLite could not open a ledger or a file that it needs beside it.
func cannotOpen(err error) bool {
	refused, ok := errors.AsType[*sqlite.Error](err)
	return ok && refused.Code() == sqlite3.SQLITE_CANTOPEN
}

// frozen says whether a ledger lies on a disk that cannot be written to, and is whole without a write-ahead log.
func frozen(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		_ = f.Close()
	}
	if !errors.Is(err, syscall.EROFS) {
		return false
	}
	log, err := os.Stat(path + "-wal")
	return errors.Is(err, fs.ErrNotExist) || err == nil && log.Size() == 0
}

func pragma(p string) string { return "_pragma=" + url.QueryEscape(p) }

// connect opens a pool. Settings stand in the DSN, so that each connection of the pool has them.
func connect(path string, connections int, settings ...string) (*sqlx.DB, error) {
	settings = append(settings, pragma("busy_timeout(10000)"))
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: strings.Join(settings, "&")}
	db, err := sqlx.Open("sqlite", file.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(min(connections, idle))
	return db, nil
}

// migrate brings the tables up to the newest of the migrations. A ledger of an older version is copied first, to a file
// beside it.
func migrate(ctx context.Context, db *sql.DB, path string, files fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	current, err := provider.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return ErrNewer
	}
	if current > 0 && current < target {
		if err := keep(ctx, path, fmt.Sprintf("%s.version-%d", path, current)); err != nil {
			return fmt.Errorf("copy the ledger before it is upgraded: %w", err)
		}
	}
	_, err = provider.Up(ctx)
	return err
}

// keep copies a ledger. A copy that is there already is of an upgrade that did not succeed, and holds the same.
func keep(ctx context.Context, from, path string) error {
	err := removeStale(path)
	if err != nil {
		return err
	}
	temp, err := hidden(path)
	if err != nil {
		return err
	}
	if err := errors.Join(vacuumInto(ctx, from, temp), syncFile(temp)); err != nil {
		return errors.Join(err, removeHidden(temp))
	}
	return errors.Join(os.Rename(temp, path), syncFolder(path))
}

// errBeside says that a ledger could not be opened for reading where nothing can be written beside it.
var errBeside = errors.New("its folder cannot be written to, which reading a ledger in use needs: read a copy that `tieout backup` made")

// checkVersion refuses a ledger whose tables are not those of this program.
func (l *Ledger) checkVersion(ctx context.Context) error {
	names, err := fs.Glob(l.files, "*.sql")
	if err != nil {
		return err
	}
	version, err := l.tablesOf(ctx, l.read)
	l.version, l.newest = version, len(names)
	switch {
	case cannotOpen(err):
		return fmt.Errorf("%w: %w", errBeside, err)
	case err != nil:
		return err
	case version > len(names):
		return ErrNewer
	case version < len(names) && !l.older:
		return ErrOlder
	}
	return nil
}

// Close closes the ledger.
func (l *Ledger) Close() error {
	var errs []error
	for _, db := range []*sqlx.DB{l.read, l.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
