package ledger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3/lock"
)

// Pool connects those who share the work on ledgers of one PostgreSQL database: to where their jobs are, and to how fast they
// may ask. None of it is chained, and none of it is needed once the jobs are done.
type Pool struct {
	*pgxpool.Pool

	schema string
}

// QueueSchema is the schema of the database in which jobs are, where the configuration names no other.
const QueueSchema = "tieout_queue"

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,40}$`)

// CheckSchema says whether a name can be that of a schema for jobs.
func CheckSchema(name string) error {
	if !schemaName.MatchString(name) {
		return errors.New("must be of lower-case letters, digits and underscores, at most 41")
	}
	return nil
}

// OpenPool connects to the database of a ledger and makes the schema and its table where they are missing. make makes what else
// is in the schema. One process at a time does either.
func OpenPool(ctx context.Context, path, schema string, connections int32, make func(context.Context, *Pool) error) (_ *Pool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("open queue (%s, schema %s): %w", Name(path), schema, explain(path, err))
		}
	}()
	if err := CheckSchema(schema); err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(path)
	if err != nil {
		return nil, errAddress // the error itself may hold the password
	}
	config.MaxConns = connections
	config.ConnConfig.RuntimeParams["application_name"] = "tieout queue"
	inner, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	p := &Pool{inner, schema}
	if err := p.alone(ctx, func(conn *pgxpool.Conn) error {
		if err := p.tables(ctx, conn); err != nil {
			return err
		}
		return make(ctx, p)
	}); err != nil {
		inner.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pool) paces() string { return pgx.Identifier{p.schema, "paces"}.Sanitize() }

// tables makes what is missing. Whoever finds it all needs no right to make it.
func (p *Pool) tables(ctx context.Context, conn *pgxpool.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, p.paces()).Scan(&there); err != nil || there {
		return err
	}
	if _, err := conn.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{p.schema}.Sanitize()); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS `+p.paces()+` (name TEXT PRIMARY KEY, next_at BIGINT NOT NULL)`)
	return err
}

// alone holds the lock under which tables are made.
func (p *Pool) alone(ctx context.Context, do func(*pgxpool.Conn) error) error {
	return p.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lock.DefaultLockID); err != nil {
			return err
		}
		err := do(conn)
		_, unlockErr := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, lock.DefaultLockID)
		return errors.Join(err, unlockErr)
	})
}

// Do does something in a transaction.
func (p *Pool) Do(ctx context.Context, do func(Tx) error) error { return pgx.BeginFunc(ctx, p, do) }

// Turn takes the next turn of those who ask with one credential, so long after the last one, and says how long it is to it. It
// goes by the clock of the server, which is the same for all.
func (p *Pool) Turn(ctx context.Context, credential string, every time.Duration) (time.Duration, error) {
	var wait int64
	err := p.QueryRow(ctx, `
		WITH clock AS (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now)
		INSERT INTO `+p.paces()+` AS p (name, next_at) SELECT $1, now + $2::bigint FROM clock
		ON CONFLICT (name) DO UPDATE SET next_at = GREATEST(p.next_at, excluded.next_at - $2::bigint) + $2::bigint
		RETURNING next_at - $2::bigint - (SELECT now FROM clock)`, credential, every.Microseconds()).Scan(&wait)
	if err != nil {
		return 0, fmt.Errorf("take a turn (%s): %w", credential, err)
	}
	return max(0, time.Duration(wait)*time.Microsecond), nil
}
