package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrExists says that a file is in the way, and was left as it is.
var ErrExists = errors.New("the file exists and is left as it is")

// ErrWouldLose says that a restore would take the place of a ledger that knows what the backup does not.
var ErrWouldLose = errors.New("the ledger knows what the backup does not")

// Backup writes a copy of the ledger as it stands at one moment, while a run may be writing, and verifies it: what is
// returned is of the copy, and a Problem there is an error. A file at path is ErrExists. The copy is one file of mode 0600,
// without anything beside it, and is a ledger by itself. It appears at path only when it is whole and on the disk.
func (l *Ledger) Backup(ctx context.Context, path string) (Verification, error) {
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
	temp, v, err := l.copyBeside(ctx, path)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, removeFile(temp)) }()
	// The run that is writing goes on: the copy's root is one of this chain, and need not be the last.
	if seq, err := l.seqOfRoot(ctx, v.Root); err != nil || seq != v.Commits {
		return v, errors.Join(fmt.Errorf("root %s of the copy is not the ledger's after commit %d", v.Root, v.Commits), err)
	}
	if err := os.Link(temp, path); errors.Is(err, fs.ErrExist) { // unlike a rename, it takes no file's place
		return v, ErrExists
	} else if err != nil {
		return v, err
	}
	return v, syncFolder(path)
}

// copyBeside makes a verified copy of the ledger in the folder of path, under a temporary name.
func (l *Ledger) copyBeside(ctx context.Context, path string) (temp string, v Verification, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // its mode is 0600, and SQLite keeps it
	if err != nil {
		return "", v, err
	}
	temp = file.Name()
	err = file.Close()
	if err == nil {
		err = vacuumInto(ctx, l.path, temp)
	}
	if err == nil {
		err = syncFile(temp)
	}
	if err == nil {
		v, err = verifyFile(ctx, temp, l.now)
	}
	if err != nil {
		return "", v, errors.Join(err, removeFile(temp), removeFile(temp+"-journal"))
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
func verifyFile(ctx context.Context, path string, now func() time.Time) (v Verification, err error) {
	copied, err := Open(ctx, Config{Path: path, ReadOnly: true, Now: now})
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

// Restored says what Restore did.
type Restored struct {
	Verification        // of the ledger that is now in place
	Aside        string // where the ledger that was in place is kept; empty: there was none
}

// Restore puts a verified copy of a backup in place of the ledger that c names. A ledger that is there is kept beside it under
// another name. Where it has commits that the backup lacks, or cannot be read, that is ErrWouldLose unless force is set. The
// caller holds the ledger's lock.
func Restore(ctx context.Context, c Config, backup string, force bool) (Restored, error) {
	r, err := restore(ctx, c, backup, force)
	if err != nil {
		return r, fmt.Errorf("restore (%s): %w", backup, err)
	}
	return r, nil
}

func restore(ctx context.Context, c Config, backup string, force bool) (r Restored, err error) {
	if c.Path, err = RealPath(c.Path); err != nil { // a link to the ledger stays one
		return r, err
	}
	if _, err := os.Stat(backup); err != nil {
		return r, err
	}
	from, err := Open(ctx, Config{Path: backup, ReadOnly: true, Now: c.Now})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	v, err := from.Verify(ctx, "")
	if err != nil {
		return r, err
	}
	if v.Problem != "" {
		return r, errors.New("the backup does not hold: " + v.Problem)
	}
	if !force {
		if err := wouldLose(ctx, c, from); err != nil {
			return r, err
		}
	}
	temp, copied, err := from.copyBeside(ctx, c.Path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, removeFile(temp)) }()
	if copied.Root != v.Root || copied.Rows != v.Rows || !sameTotals(copied.Totals, v.Totals) {
		return r, errors.New("the copy is not as the backup: it changed while it was copied")
	}
	foldLog(ctx, c.Path)
	if r.Aside, err = setAside(c.Path, c.Now()); err != nil {
		return r, err
	}
	if err := os.Rename(temp, c.Path); err != nil {
		return r, err
	}
	if err := syncFolder(c.Path); err != nil {
		return r, err
	}
	r.Verification, err = verifyFile(ctx, c.Path, c.Now)
	return r, err
}

// wouldLose says what the ledger in place knows that the backup does not.
func wouldLose(ctx context.Context, c Config, backup *Ledger) (err error) {
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	there, err := Open(ctx, Config{Path: c.Path, ReadOnly: true, Now: c.Now})
	if err != nil {
		return fmt.Errorf("%w: it cannot be read (%w)", ErrWouldLose, err)
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	root, err := there.Root(ctx)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read (%w)", ErrWouldLose, err)
	}
	if root == "" {
		return nil
	}
	if seq, err := backup.seqOfRoot(ctx, root); err != nil || seq > 0 {
		return err // it is an earlier state of the backup, or the same
	}
	var runs [2]int64
	for i, l := range []*Ledger{there, backup} {
		if err := l.read.GetContext(ctx, &runs[i], `SELECT COALESCE(MAX(run_id), 0) FROM run_events`); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: it has runs up to %d, and the backup up to %d", ErrWouldLose, runs[0], runs[1])
}

func sameTotals(a, b []Total) bool {
	same := len(a) == len(b)
	for i := range a {
		same = same && a[i].Source == b[i].Source && a[i].Currency == b[i].Currency && a[i].Entries == b[i].Entries && a[i].Counted.Cmp(b[i].Counted) == 0
	}
	return same
}

// foldLog brings what SQLite keeps in the -wal of a ledger into the ledger itself, which closing the last connection does.
// Where others read it still, or where it cannot be read, it stays, and is set aside with the ledger.
func foldLog(ctx context.Context, path string) {
	if _, err := os.Stat(path + "-wal"); err != nil {
		return
	}
	db, err := connect(path, 1)
	if err != nil {
		return
	}
	_, _ = db.ExecContext(ctx, `SELECT COUNT(*) FROM commits`)
	_ = db.Close()
}

// setAside renames a ledger with what SQLite keeps beside it, which belongs to it by its name.
func setAside(path string, at time.Time) (aside string, err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	base := path + ".before-restore-" + at.UTC().Format("20060102T150405Z")
	for n := 1; ; n++ {
		aside = base + strings.Repeat("+", n-1)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

func syncFile(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// syncFolder makes the name of a new file last.
func syncFolder(path string) error { return syncFile(filepath.Dir(path)) }

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
