package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrWouldLose says that a restore would take the place of a ledger that knows what the backup does not.
var ErrWouldLose = errors.New("the ledger knows what the backup does not")

// ErrInUse says that a restore would take the place of a ledger that a program has open.
var ErrInUse = errors.New("a program has the ledger open: wait for it to end, or end it")

// Restored says what Restore did.
type Restored struct {
	Verification        // of the ledger that is now in place
	Aside        string // where the ledger that was in place is kept; empty: there was none
	Upgraded     int    // the version of the backup's tables, which the ledger's are no longer; 0: they are of this version
}

// Restore puts a verified copy of a backup in place of the ledger that c names. A backup of an older version is upgraded on the
// way, and stays as it is itself. A ledger that is there is kept beside it under another name. Where it has commits that the
// backup lacks, or cannot be read, that is ErrWouldLose unless force is set; where it is open, ErrInUse. The caller holds the
// ledger's lock.
//
// Whenever the process ends, the ledger in place is wholly the one or wholly the other: see replace.
func Restore(ctx context.Context, c Config, backup string, force bool) (Restored, error) {
	if IsPostgres(c.Path) {
		return Restored{}, fmt.Errorf("restore (%s): %w", backup, ErrPostgres)
	}
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
	from, err := openToRead(ctx, c, backup)
	if err != nil {
		return r, ofBackup(err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := wouldLose(ctx, c, from, force); err != nil {
		return r, err
	}
	if err := removeStale(c.Path); err != nil {
		return r, err
	}
	temp, copied, err := from.copyToRestore(ctx, c)
	if temp != "" {
		defer func() { err = errors.Join(err, removeHidden(temp)) }()
	}
	if err != nil {
		return r, ofBackup(err)
	}
	if from.version < from.newest {
		r.Upgraded = from.version
	}
	if r.Aside, err = c.disk.replace(ctx, temp, c.Path, c.Now()); err != nil {
		return r, err
	}
	c.disk.next("verify the ledger")
	if r.Verification, err = verifyFile(ctx, c, c.Path); err != nil {
		return r, err
	}
	if r.Root != copied.Root || r.Rows != copied.Rows || !sameTotals(r.Totals, copied.Totals) {
		return r, errors.New("the ledger in place is not as the copy that was verified before")
	}
	return r, nil
}

// openToRead opens a ledger of this version or of an older one, for what has been in its tables from the first.
func openToRead(ctx context.Context, c Config, path string) (*Ledger, error) {
	c.Path, c.ReadOnly, c.older = path, true, true
	return open(ctx, c)
}

// ofBackup says of a damaged file that it is the backup.
func ofBackup(err error) error {
	if damaged(err) {
		return fmt.Errorf("the backup is damaged, or none: %w", err)
	}
	return err
}

// copyToRestore copies a backup to beside the ledger that c names, upgrades the copy, and verifies it. The chain's root stands
// for all rows and so for the totals: the copy is of the backup when they have the same.
func (l *Ledger) copyToRestore(ctx context.Context, c Config) (temp string, v Verification, err error) {
	root, err := l.Root(ctx)
	if err != nil {
		return "", v, err
	}
	if temp, err = hidden(c.Path); err != nil {
		return temp, v, err
	}
	c.disk.next("copy")
	if err := vacuumInto(ctx, l.path, temp); err != nil {
		return temp, v, err
	}
	if l.version < l.newest {
		c.disk.next("upgrade")
		if err := upgrade(ctx, temp, l.files); err != nil {
			return temp, v, fmt.Errorf("upgrade a copy of the backup from version %d: %w", l.version, err)
		}
	}
	c.disk.next("sync")
	if err := syncFile(temp); err != nil {
		return temp, v, err
	}
	c.disk.next("verify")
	if v, err = verifyFile(ctx, c, temp); err != nil {
		return temp, v, fmt.Errorf("verify a copy of the backup: %w", err)
	}
	if v.Root != root {
		return temp, v, errors.New("the copy is not as the backup: it changed while it was copied")
	}
	return temp, v, nil
}

// upgrade brings the tables of a copy up to the newest of the migrations.
func upgrade(ctx context.Context, path string, files fs.FS) (err error) {
	db, err := connect(path, 1, "_txlock=immediate", pragma("synchronous(FULL)"), pragma("foreign_keys(1)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectSQLite3, db.DB, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// wouldLose says what the ledger in place knows that the backup does not. The database of another program is no such ledger,
// and its place is never taken.
func wouldLose(ctx context.Context, c Config, backup *Ledger, force bool) (err error) {
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	root, run, err := whatItKnows(ctx, c)
	switch {
	case errors.Is(err, ErrForeign):
		return err
	case force, errors.Is(err, ErrNone):
		return nil
	case err != nil:
		return fmt.Errorf("%w: it cannot be read (%w)", ErrWouldLose, err)
	case root == "":
		return nil
	}
	if seq, err := backup.seqOfRoot(ctx, root); err != nil || seq > 0 {
		return err // it is an earlier state of the backup, or the same
	}
	last, err := backup.lastRun(ctx)
	if err != nil {
		return err
	}
	return fmt.Errorf("%w: it has runs up to %d, and the backup up to %d", ErrWouldLose, run, last)
}

// whatItKnows is the root of the ledger in place, and the number of its last run.
func whatItKnows(ctx context.Context, c Config) (root string, run int64, err error) {
	there, err := openToRead(ctx, c, c.Path)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	if root, err = there.Root(ctx); err != nil {
		return "", 0, err
	}
	run, err = there.lastRun(ctx)
	return root, run, err
}

func (l *Ledger) lastRun(ctx context.Context) (id int64, err error) {
	err = l.read.GetContext(ctx, &id, `SELECT COALESCE(MAX(run_id), 0) FROM run_events`)
	return id, err
}

func sameTotals(a, b []Total) bool {
	same := len(a) == len(b)
	for i := range a {
		same = same && a[i].Source == b[i].Source && a[i].Currency == b[i].Currency && a[i].Entries == b[i].Entries && a[i].Counted.Cmp(b[i].Counted) == 0
	}
	return same
}

// beside are the files that SQLite keeps with a database. They belong to it by their names alone: the log of one that lay beside
// another would be written into that one.
var beside = []string{"-wal", "-journal", "-shm"}

// replace puts a file that is on the disk in place of a ledger, which it keeps under another name:
//
//  1. what SQLite keeps beside the ledger is written into it and removed; nothing is put there until somebody writes;
//  2. the ledger gets a second name, with what is still beside one that cannot be read;
//  3. what is still there is removed from beside it;
//  4. one rename takes the name of the ledger from the old one to the new one.
//
// The folder is synced between them, so that a disk that loses its power has them in this order. Until 4, the old ledger is in
// place.
func (d disk) replace(ctx context.Context, temp, path string, at time.Time) (aside string, err error) {
	if err := dropAliases(path); err != nil {
		return "", err
	}
	d.next("settle")
	if err := settle(ctx, path); err != nil {
		return "", err
	}
	if aside, err = d.setAside(path, at); err != nil {
		return "", err
	}
	d.next("rename")
	if err := os.Rename(temp, path); err != nil {
		return aside, err
	}
	d.next("sync folder")
	return aside, syncFolder(path)
}

// settle makes a ledger one file, with nothing beside it that belongs to it. That takes that nobody else has it open. One that
// SQLite cannot read stays as it is.
func settle(ctx context.Context, path string) (err error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	db, err := connect(path, 1, "mode=rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var mode string
	err = db.GetContext(ctx, &mode, `PRAGMA journal_mode = DELETE`)
	refused, ok := errors.AsType[*sqlite.Error](err)
	switch {
	case damaged(err):
		return nil
	case ok && refused.Code()&0xff == sqlite3.SQLITE_BUSY:
		return fmt.Errorf("%w (%w)", ErrInUse, err)
	case err == nil && mode != "delete":
		return fmt.Errorf("the ledger is in mode %s", mode)
	}
	return err
}

// damaged says whether a file is no SQLite database, or no longer one.
func damaged(err error) bool {
	refused, ok := errors.AsType[*sqlite.Error](err)
	return ok && (refused.Code()&0xff == sqlite3.SQLITE_NOTADB || refused.Code()&0xff == sqlite3.SQLITE_CORRUPT)
}

const asideMark = ".before-restore-"

// setAside gives a ledger a second name, and takes away what is beside it, which is kept beside that name.
func (d disk) setAside(path string, at time.Time) (aside string, err error) {
	var there []string
	for _, suffix := range append([]string{""}, beside...) {
		if _, err := os.Lstat(path + suffix); err == nil {
			there = append(there, suffix)
		}
	}
	if len(there) == 0 {
		return "", nil
	}
	for n := 0; aside == "" || !free(aside); n++ {
		aside = path + asideMark + at.UTC().Format("20060102T150405Z") + strings.Repeat("+", n)
	}
	for _, suffix := range there {
		if err := d.keep(path+suffix, aside+suffix); err != nil {
			return "", fmt.Errorf("keep the ledger that is there: %w", err)
		}
	}
	d.next("sync folder")
	if err := syncFolder(path); err != nil {
		return "", err
	}
	for _, suffix := range there {
		if suffix != "" {
			d.next("remove " + suffix)
			if err := removeFile(path + suffix); err != nil {
				return "", err
			}
		}
	}
	if there[0] != "" {
		aside = "" // only a log of a ledger that is gone
	}
	return aside, syncFolder(path)
}

// free says whether there is no file of this name, and none that SQLite would take for its.
func free(path string) bool {
	for _, suffix := range append([]string{""}, beside...) {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// dropAliases removes the second names that the ledger in place has from restores that were killed.
func dropAliases(path string) error {
	ledger, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	items, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, item := range items {
		if !strings.HasPrefix(item.Name(), filepath.Base(path)+asideMark) {
			continue
		}
		name := filepath.Join(filepath.Dir(path), item.Name())
		if info, err := os.Lstat(name); err == nil && os.SameFile(ledger, info) {
			if err := removeFile(name); err != nil {
				return err
			}
		}
	}
	return nil
}
