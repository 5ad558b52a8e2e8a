package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// trouble is an error of the disk or of the file under a ledger, with what it means and what to do about it.
type trouble struct {
	text string
	err  error
}

func (t *trouble) Error() string { return t.text + ": " + t.err.Error() }
func (t *trouble) Unwrap() error { return t.err }

// explain puts before an error what it means for the ledger at path, where it comes from the disk or the file.
func explain(path string, err error) error {
	if _, ok := errors.AsType[*trouble](err); ok || err == nil {
		return err
	}
	if text := meaning(path, err); text != "" {
		return &trouble{text, err}
	}
	return err
}

func meaning(path string, err error) string {
	if IsPostgres(path) {
		return meaningPostgres(path, err)
	}
	folder := filepath.Dir(path)
	code := 0
	if refused, ok := errors.AsType[*sqlite.Error](err); ok {
		code = refused.Code() & 0xff // without what SQLite adds to it
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), code == sqlite3.SQLITE_FULL:
		return fmt.Sprintf("no room is left for the ledger: the disk of %s is full: make room and run the command again", folder)
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("the disk of %s cannot be written to: find out in the system's log why, make it writable, and run the command again", folder)
	case errors.Is(err, os.ErrPermission), code == sqlite3.SQLITE_PERM:
		return fmt.Sprintf("this user may not read and write %s and its folder: make it their owner, or run as who is", path)
	case code == sqlite3.SQLITE_CORRUPT:
		return "the ledger is damaged: put a backup in its place with `tieout restore FILE`, which keeps the damaged one under another name"
	case code == sqlite3.SQLITE_NOTADB:
		return "it is not a ledger of tieout, or its beginning is damaged: name another file as `ledger`, or put a backup in its place with `tieout restore FILE`"
	case code == sqlite3.SQLITE_BUSY:
		return "another program holds the ledger: end it, and run the command again"
	case code == sqlite3.SQLITE_IOERR, code == sqlite3.SQLITE_CANTOPEN, code == sqlite3.SQLITE_READONLY:
		// SQLite does not say what the system said: writing beside the ledger does.
		said := tryToWrite(path)
		if errors.Is(err, errBeside) && !errors.Is(said, syscall.ENOSPC) {
			return "" // it says what to do
		}
		if text := meaning(path, said); text != "" {
			return text
		}
		return fmt.Sprintf("%s cannot be read or written: look at its disk in the system's log; `tieout verify` says whether the ledger is whole", path)
	}
	return ""
}

// tryToWrite writes a file beside a ledger, where there is anything to write it into, and removes it.
func tryToWrite(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		err = file.Close()
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	probe, err := hidden(path)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(probe, make([]byte, 1<<17), 0o600), os.Remove(probe))
}
