package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Backup writes a copy of the ledger as it stands at one moment, while a run may be writing, and verifies it: what is
// returned is of the copy, and a Problem there is an error. A file at path is ErrExists. The copy is one file of mode 0600,
// without anything beside it, and is a ledger by itself. It appears at path only when it is whole and on the disk. What a backup
// to path that was killed left behind is removed.
func (l *Ledger) Backup(ctx context.Context, path string) (Verification, error) {
	if l.postgres {
		return Verification{}, fmt.Errorf("back up: %w", ErrPostgres)
	}
	v, err := l.backup(ctx, path)
	if err != nil {
		return v, fmt.Errorf("back up (%s): %w", path, err)
	}
	return v, nil
}

func (l *Ledger) backup(ctx context.Context, path string) (v Verification, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return v, errors.Join(ErrExists, err)
	}
	if err := removeStale(path); err != nil {
		return v, err
	}
	temp, v, err := l.copyBeside(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, removeFile(temp)) }()
	// The run that is writing goes on: the copy's root is one of this chain, and need not be the last.
	if seq, err := l.seqOfRoot(ctx, v.Root); err != nil || seq != v.Commits {
		return v, errors.Join(fmt.Errorf("root %s of the copy is not the ledger's after commit %d", v.Root, v.Commits), err)
	}
	if err := l.disk.put(temp, path); err != nil {
		return v, err
	}
	l.disk.next("sync folder")
	return v, syncFolder(path)
}

// copyBeside makes a verified copy of the ledger in the folder of path, under a temporary name.
func (l *Ledger) copyBeside(ctx context.Context, path string) (temp string, v Verification, err error) {
	if temp, err = hidden(path); err != nil {
		return "", v, err
	}
	l.disk.next("copy")
	err = vacuumInto(ctx, l.path, temp)
	if err == nil {
		l.disk.next("sync")
		err = syncFile(temp)
	}
	if err == nil {
		l.disk.next("verify")
		v, err = verifyFile(ctx, Config{Now: l.now, Migrations: l.files}, temp)
	}
	if err != nil {
		return "", v, errors.Join(err, removeHidden(temp))
	}
	return temp, v, nil
}

// vacuumInto writes all that one transaction sees of a ledger into an empty file.
func vacuumInto(ctx context.Context, from, path string) error {
	err := vacuum(ctx, from, path)
	if cannotOpen(err) && frozen(from) {
		err = vacuum(ctx, from, path, "immutable=1")
	}
	return err
}

func vacuum(ctx context.Context, from, path string, settings ...string) (err error) {
	// The pool for reading refuses the statement (query_only), although it leaves the ledger alone.
	db, err := connect(from, 1, append(settings, "mode=ro")...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, path)
	return err
}

// verifyFile verifies a copy; what does not hold is an error.
func verifyFile(ctx context.Context, c Config, path string) (v Verification, err error) {
	c.Path, c.ReadOnly = path, true
	copied, err := open(ctx, c)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	if v, err = copied.Verify(ctx, ""); err == nil && v.Problem != "" {
		err = errors.New("it does not hold: " + v.Problem)
	}
	return v, err
}

// seqOfRoot is the number of the commit after which the chain has a root; 0: none.
func (l *Ledger) seqOfRoot(ctx context.Context, root string) (int64, error) {
	if root == "" {
		return 0, nil
	}
	hash, err := hex.DecodeString(root)
	if err != nil {
		return 0, err
	}
	var seq int64
	err = l.read.GetContext(ctx, &seq, l.read.Rebind(`SELECT COALESCE(MAX(seq), 0) FROM commits WHERE root = ?`), hash)
	return seq, err
}
