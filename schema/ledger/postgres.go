package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/tieout/tieout/schema/migrations"
)

// IsPostgres says whether a ledger is named by the address of a PostgreSQL database, rather than by a file.
func IsPostgres(path string) bool {
	return strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://")
}

// Name is what a ledger is called in messages: its path or, in PostgreSQL, its address without password and settings.
func Name(path string) string {
	if !IsPostgres(path) {
		return path
	}
	address, err := url.Parse(path)
	if err != nil {
		return "postgres://"
	}
	address.RawQuery, address.Fragment = "", ""
	if address.User != nil {
		address.User = url.User(address.User.Username())
	}
	return address.String()
}

// Place is which ledger an address names: the same for every user and password.
func Place(path string) string {
	address, err := url.Parse(path)
	if err != nil {
		return Name(path)
	}
	settings := address.Query()
	return strings.Join([]string{address.Host, settings.Get("host"), address.Path, settings.Get("search_path")}, " ")
}

// Database is which database an address names: ledgers of one database, in schemas of their own, are the same in it.
func Database(path string) string {
	config, err := pgx.ParseConfig(path)
	if err != nil {
		return Name(path)
	}
	return fmt.Sprintf("%s:%d/%s", config.Host, config.Port, config.Database)
}

// CheckAddress says whether the address of a ledger in PostgreSQL can be understood.
func CheckAddress(path string) error {
	if _, err := pgx.ParseConfig(path); err != nil {
		return errAddress // the error itself may hold the password
	}
	return nil
}

// ErrPostgres says that something is done by PostgreSQL's own tools.
var ErrPostgres = errors.New("the ledger is in PostgreSQL: use pg_dump and pg_restore, and `tieout verify` afterwards")

var errAddress = errors.New("the address of the ledger cannot be read: it is postgres://USER@HOST:PORT/DATABASE, with the password in PGPASSWORD or ~/.pgpass, " +
	"and sslmode or search_path behind a question mark")

func openPostgres(ctx context.Context, c Config) (l *Ledger, err error) {
	l = &Ledger{now: c.Now, path: c.Path, files: c.Migrations, older: c.older, postgres: true, shared: c.Shared}
	if l.files == nil {
		if l.files, err = migrations.Postgres(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			l, err = nil, errors.Join(err, l.Close())
		}
	}()
	if !c.ReadOnly {
		if l.write, err = connectPostgres(c.Path, 1, "tieout", ""); err != nil {
			return l, err
		}
		if err = l.migratePostgres(ctx); err != nil {
			return l, err
		}
	}
	if l.read, err = connectPostgres(c.Path, readers, "tieout", `SET default_transaction_read_only = on`); err != nil {
		return l, err
	}
	return l, l.checkVersion(ctx)
}

// connectPostgres opens a pool; each connection begins with a statement, if there is one.
func connectPostgres(path string, connections int, name, first string) (*sqlx.DB, error) {
	config, err := pgx.ParseConfig(path)
	if err != nil {
		return nil, errAddress // the error itself may hold the password
	}
	config.RuntimeParams["application_name"] = name
	db := sqlx.NewDb(stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		if first == "" {
			return nil
		}
		_, err := c.Exec(ctx, first)
		return err
	})), "pgx")
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(min(connections, idle))
	return db, nil
}

// migratePostgres brings the tables up to the newest of the migrations, one process at a time. Whoever finds them as they
// should be needs no right to change them.
func (l *Ledger) migratePostgres(ctx context.Context) (err error) {
	names, err := fs.Glob(l.files, "*.sql")
	if err != nil {
		return err
	}
	version, err := l.tablesOf(ctx, l.write)
	switch {
	case version > len(names):
		return ErrNewer
	case err != nil && !errors.Is(err, ErrNone), err == nil && version == len(names):
		return err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 120))
	if err != nil {
		return err
	}
	// The lock and the migrations need a connection each.
	db, err := connectPostgres(l.path, 2, "tieout migrate", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db.DB, l.files, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// tablesOf is tablesVersion in whatever database the ledger is.
func (l *Ledger) tablesOf(ctx context.Context, db *sqlx.DB) (version int, err error) {
	if !l.postgres {
		return tablesVersion(ctx, db)
	}
	var versions, commits bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL, to_regclass('commits') IS NOT NULL`).Scan(&versions, &commits); err != nil {
		return 0, err
	}
	switch {
	case !versions:
		return 0, ErrNone
	case !commits:
		if err := db.GetContext(ctx, &version, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`); err == nil && version == 0 {
			return 0, ErrNone // whoever was making it was killed
		}
		return 0, ErrForeign
	}
	err = db.GetContext(ctx, &version, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`)
	return version, err
}

// alone keeps every other writer out until the transaction ends: commits are numbered one after the other, whatever process
// they come from. SQLite's transactions begin so.
func (t *tx) alone(ctx context.Context, postgres bool) error {
	if !postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock(`+commitLock+`)`)
	return err
}

// Rows are copied in by so many, and inserted where they are fewer than it pays for.
const (
	maxCopied = 5000
	fewRows   = 20
)

// copySome stores rows by COPY, within the transaction.
func (t *tx) copySome(ctx context.Context, into table, args []any) error {
	columns := append([]string{"id", "commit_seq", "hash"}, into.columns...)
	return t.server.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's %T knows no COPY", c)
		}
		n := len(args) / len(columns)
		_, err := conn.Conn().CopyFrom(ctx, pgx.Identifier{into.name}, columns, pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			return args[i*len(columns) : (i+1)*len(columns)], nil
		}))
		return err
	})
}

// Tx is a transaction of PostgreSQL, for those who store something of theirs together with what a ledger stores.
type Tx = pgx.Tx

// beside does something else in the same transaction, which commits both or none. It is PostgreSQL's only.
func (t *tx) beside(do func(Tx) error) error {
	if t.server == nil {
		return errors.New("only a ledger in PostgreSQL has something beside it")
	}
	return t.server.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's %T cannot be shared", c)
		}
		return do(within{conn.Conn()})
	})
}

type pgxConn = pgx.Conn

// within is the transaction that a connection is in, for those who take one of pgx. Its beginning and end are the ledger's.
type within struct{ *pgxConn }

var errWithin = errors.New("the transaction is the ledger's: it is neither begun nor ended by others")

func (within) Begin(context.Context) (pgx.Tx, error) { return nil, errWithin }
func (within) Commit(context.Context) error          { return errWithin }
func (within) Rollback(context.Context) error        { return errWithin }
func (within) LargeObjects() pgx.LargeObjects        { return pgx.LargeObjects{} }
func (w within) Conn() *pgx.Conn                     { return w.pgxConn }

// snapshot is a transaction in which every statement reads the ledger as it was at the first. A transaction of SQLite is one.
func (l *Ledger) snapshot() *sql.TxOptions {
	if l.postgres {
		return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	}
	return &sql.TxOptions{ReadOnly: true}
}

// LockShared takes the right to write to a ledger in PostgreSQL beside others who take it so; Lock keeps them all out, and they it.
func LockShared(path string, at time.Time) (*FileLock, error) {
	return lockedPostgres(context.Background(), path, at, `pg_try_advisory_lock_shared(%s)`)
}

// LockAlone is Lock that waits for those who have it, and keeps others from taking it until it had its turn.
func LockAlone(ctx context.Context, path string, at time.Time) (*FileLock, error) {
	return lockedPostgres(ctx, path, at, `pg_advisory_lock(%s) IS NOT NULL`)
}

func lockedPostgres(ctx context.Context, path string, at time.Time, taking string) (*FileLock, error) {
	held, err := lockPostgres(ctx, path, at, taking)
	if err != nil {
		return nil, fmt.Errorf("lock ledger (%s): %w", Name(path), err)
	}
	return held, nil
}

// lockPostgres is Lock of a ledger in PostgreSQL. The server gives the lock back when the connection ends.
func lockPostgres(ctx context.Context, path string, at time.Time, taking string) (_ *FileLock, err error) {
	db, err := connectPostgres(path, 1, fmt.Sprintf("tieout "+noteForm, os.Getpid(), at.UTC().Format(time.RFC3339)), "")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	session, err := db.Connx(ctx)
	if err != nil {
		return nil, explain(path, err)
	}
	var got bool
	if err := session.GetContext(ctx, &got, fmt.Sprintf(`SELECT `+taking, writerLock)); err != nil {
		return nil, errors.Join(explain(path, err), session.Close())
	}
	if !got {
		var owner string
		err := session.GetContext(ctx, &owner, `SELECT COALESCE(MAX(a.application_name), '') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
			WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database() AND a.application_name LIKE 'tieout process%'
			  AND (l.classid::bigint, l.objid::bigint) = (SELECT k.a & 4294967295, k.b & 4294967295 FROM (SELECT `+writerLock+`) AS k (a, b))`)
		return nil, errors.Join(fmt.Errorf("%w (%s): wait for it to end", ErrLocked, strings.TrimPrefix(owner, "tieout ")), err, session.Close())
	}
	return &FileLock{func() error {
		_, err := session.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock_all()`) // the end of the connection takes a moment
		return errors.Join(err, session.Close(), db.Close())
	}}, nil
}

// Locks of a ledger: of the one process that runs commands on it, and of a commit.
const (
	writerLock = `hashtext('tieout writer'), hashtext(current_schema()::text)`
	commitLock = `hashtext('tieout commit'), hashtext(current_schema()::text)`
)

// meaningPostgres is meaning of an error of a server; empty: it says enough by itself.
func meaningPostgres(path string, err error) string {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return ""
	}
	switch {
	case refused.Code == "53100":
		return "no room is left for the ledger on the disk of the PostgreSQL server: make room and run the command again"
	case refused.Code == "42501":
		return fmt.Sprintf("this role may not do that in %s: grant it what the README lists, or let its owner run `tieout sync` once, which makes the tables", Name(path))
	case strings.HasPrefix(refused.Code, "57P"):
		return "the PostgreSQL server is stopping or starting: run the command again when it is up"
	}
	return ""
}
