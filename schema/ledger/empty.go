package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tieout/tieout/schema/migrations"
)

// Empty opens a ledger that holds nothing, for what reads where there is none yet: it stands in memory, under the name that c
// gives, and nothing of it reaches a disk.
func Empty(ctx context.Context, c Config) (*Ledger, error) {
	l, err := empty(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open an empty ledger: %w", err)
	}
	return l, nil
}

func empty(ctx context.Context, c Config) (l *Ledger, err error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, err
	}
	l = &Ledger{now: c.Now, path: path}
	defer func() {
		if err != nil {
			l, err = nil, errors.Join(err, l.Close())
		}
	}()
	if l.files, err = migrations.SQLite(); err != nil {
		return l, err
	}
	const memory = "vfs=memdb" // all connections of the process see one database of a name
	if l.write, err = connect(path, 1, memory); err != nil {
		return l, err
	}
	if err = migrate(ctx, l.write.DB, path, l.files); err != nil {
		return l, err
	}
	l.read, err = connect(path, readers, memory, pragma("query_only(1)"))
	return l, err
}
