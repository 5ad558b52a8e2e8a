package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestExplain_SaysWhatHappenedAndWhatToDo of what the system says, wherever it says it.
func TestExplain_SaysWhatHappenedAndWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tieout.db")
	for err, want := range map[error]string{
		&fs.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}: "no room is left for the ledger: the disk of " + filepath.Dir(path) + " is full: make room",
		syscall.EDQUOT: "no room is left for the ledger",
		&fs.PathError{Op: "open", Path: path, Err: syscall.EROFS}:  "cannot be written to: find out in the system's log why",
		&fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}: "this user may not read and write " + path,
	} {
		got := explain(path, fmt.Errorf("some step: %w", err))
		if !strings.HasPrefix(got.Error(), want) && !strings.Contains(got.Error(), want) || !errors.Is(got, err) || !strings.HasSuffix(got.Error(), "some step: "+err.Error()) {
			t.Errorf("%v: %v", err, got)
		}
		if again := explain(path, got); again.Error() != got.Error() {
			t.Errorf("explained twice: %v", again)
		}
	}
	for _, err := range []error{nil, context.Canceled, ErrNewer, ErrOlder, ErrNone, ErrNotFound} {
		if got := explain(path, err); got != err { //nolint:errorlint // the very same
			t.Errorf("%v became %v", err, got)
		}
	}
}

// TestOpen_SaysWhatIsWrongWithTheFile opens for writing and for reading what is no ledger, or no longer.
func TestOpen_SaysWhatIsWrongWithTheFile(t *testing.T) {
	now := time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)
	whole := filepath.Join(t.TempDir(), "tieout.db")
	l, err := Open(t.Context(), Config{Path: whole, Now: func() time.Time { return now }})
	if err == nil {
		_, err = l.write.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	garbled := func(from int) []byte {
		copied := append([]byte{}, text...)
		for i := from; i < len(copied); i++ {
			copied[i] = 0xa5
		}
		return copied
	}
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"ABeginningThatIsDamaged": {garbled(0), "it is not a ledger of tieout, or its beginning is damaged"},
		"PagesThatAreDamaged":     {garbled(4096), "the ledger is damaged: put a backup in its place with `tieout restore FILE`"},
		"APartOfAFile":            {text[:len(text)/2], "the ledger is damaged"},
		"AnotherFile":             {[]byte(strings.Repeat("entity: Acme Inc.\n", 300)), "it is not a ledger of tieout"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tieout.db")
			if err := os.WriteFile(path, c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, readOnly := range []bool{true, false} {
				l, err := Open(t.Context(), Config{Path: path, ReadOnly: readOnly, Now: func() time.Time { return now }})
				if err == nil {
					err = errors.Join(errors.New("it was opened"), l.Close())
				}
				if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
					t.Errorf("read only %v: %v", readOnly, err)
				}
			}
			if left, err := os.ReadFile(path); err != nil || string(left) != string(c.text) {
				t.Errorf("the file was changed (%v)", err)
			}
		})
	}
	t.Run("ADatabaseOfAnotherProgram", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "other.db")
		db, err := connect(path, 1)
		if err == nil {
			_, err = db.ExecContext(t.Context(), "CREATE TABLE bookmarks (id INTEGER PRIMARY KEY)")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		for _, readOnly := range []bool{true, false} {
			if _, err := Open(t.Context(), Config{Path: path, ReadOnly: readOnly, Now: time.Now}); err == nil || !strings.Contains(err.Error(), "a database of another program") {
				t.Errorf("read only %v: %v", readOnly, err)
			}
		}
		var tables int
		if err := db.GetContext(t.Context(), &tables, "SELECT COUNT(*) FROM sqlite_master"); err != nil || tables != 1 {
			t.Errorf("%d tables, %v", tables, err)
		}
	})
}
