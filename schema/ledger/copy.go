package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// ErrNotEmpty says that there is a ledger where one was to be copied to.
var ErrNotEmpty = errors.New("there is a ledger already, which is left as it is: name a place where there is none")

// CopyTo copies everything into a ledger that holds nothing yet, in whatever database either is: every version, the chain, and how
// far walks have come. Both are verified, and what is returned is of the copy, whose root and rows are those of the ledger; else it
// is an error. Either all of it is copied or nothing.
func (l *Ledger) CopyTo(ctx context.Context, to *Ledger) (Verification, error) {
	v, err := l.copyTo(ctx, to)
	if err != nil {
		return v, fmt.Errorf("copy the ledger (to %s): %w", Name(to.path), explain(to.path, err))
	}
	return v, nil
}

func (l *Ledger) copyTo(ctx context.Context, to *Ledger) (v Verification, err error) {
	if to.write == nil {
		return v, errors.New("it is open for reading only")
	}
	have, err := l.Verify(ctx, "")
	if err != nil {
		return v, err
	}
	if have.Problem != "" {
		return v, fmt.Errorf("the ledger itself does not hold: %s", have.Problem)
	}
	if err := l.copyTables(ctx, to); err != nil {
		return v, err
	}
	if to.first != nil {
		if err := to.index(ctx); err != nil {
			return v, err
		}
	}
	v, err = to.Verify(ctx, have.Root)
	switch {
	case err != nil:
		return v, err
	case v.Problem != "":
		return v, fmt.Errorf("the copy does not hold: %s", v.Problem)
	case v.Root != have.Root || v.Rows != have.Rows || v.Commits != have.Commits:
		return v, fmt.Errorf("the copy has %d rows in %d commits with the root %s, the ledger %d in %d with %s", v.Rows, v.Commits, v.Root, have.Rows, have.Commits, have.Root)
	}
	return v, nil
}

// copiedTables are the tables with their columns, in an order in which what is referred to comes first, and the order of their rows.
func copiedTables() (all [][3]string) {
	all = append(all, [3]string{"commits", "seq, run_id, kind, counts, digest, root", "seq"})
	for _, t := range tables() {
		columns := "id, commit_seq, hash, " + strings.Join(t.columns, ", ")
		if t.closes {
			columns += ", closed_seq"
		}
		all = append(all, [3]string{t.name, columns, "id"})
	}
	return append(all,
		[3]string{"checkpoints", "source, stream, window_from, window_to, scope, cursor, state, run_id", "source, stream, window_from, window_to"},
		[3]string{"checkpoint_ids", "source, stream, window_from, window_to, ids", "id"}) // their own ids are any that rise
}

func (l *Ledger) copyTables(ctx context.Context, to *Ledger) (err error) {
	from, err := l.read.BeginTxx(ctx, l.snapshot())
	if err != nil {
		return err
	}
	defer from.Rollback() //nolint:errcheck // nothing was written
	into, err := to.write.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = into.Rollback() // the error that led here says more
		}
	}()
	if err := (&tx{Tx: into}).alone(ctx, to.postgres); err != nil {
		return err
	}
	var there bool
	if err := into.GetContext(ctx, &there, `SELECT EXISTS (SELECT 1 FROM commits)`); err != nil {
		return err
	}
	if there {
		return ErrNotEmpty
	}
	for _, t := range copiedTables() {
		if err := copyRows(ctx, from, into, t[0], t[1], t[2]); err != nil {
			return fmt.Errorf("%s: %w", t[0], err)
		}
	}
	return into.Commit()
}

// copyRows copies the rows of a table as they are.
func copyRows(ctx context.Context, from, into *sqlx.Tx, table, columns, order string) error {
	rows, err := from.QueryxContext(ctx, "SELECT "+columns+" FROM "+table+" ORDER BY "+order)
	if err != nil {
		return err
	}
	defer rows.Close()
	width := strings.Count(columns, ",") + 1
	mark := "(?" + strings.Repeat(", ?", width-1) + ")"
	insert := func(n int, args []any) error {
		if n == 0 {
			return nil
		}
		_, err := into.ExecContext(ctx, into.Rebind("INSERT INTO "+table+" ("+columns+") VALUES "+mark+strings.Repeat(", "+mark, n-1)), args...)
		return err
	}
	n, args := 0, []any(nil)
	for rows.Next() {
		row, err := rows.SliceScan()
		if err != nil {
			return err
		}
		args = append(args, row...)
		if n++; n == maxParameters/width {
			if err := insert(n, args); err != nil {
				return err
			}
			n, args = 0, args[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return insert(n, args)
}
