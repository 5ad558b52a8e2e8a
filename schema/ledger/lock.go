package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// FileLock is the right to write to a ledger, held by one process at a time. The operating system, or the database server,
// gives it back when the process ends, however it ends.
type FileLock struct{ unlock func() error }

// ErrLocked is in the error of a Lock that another process holds.
var ErrLocked = errors.New("another process is writing to it")

// Lock takes the lock of the ledger at path, or says who has it and since when. at is noted for the next who asks. A ledger has
// one lock, however its path is spelled.
func Lock(path string, at time.Time) (*FileLock, error) {
	if IsPostgres(path) {
		return lockedPostgres(context.Background(), path, at, `pg_try_advisory_lock(%s)`)
	}
	real, err := RealPath(path)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(real), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("lock ledger (%s): %w", path, explain(path, err))
	}
	name := real + ".lock"
	lock := flock.New(name, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock ledger (%s): %w", path, explain(real, err))
	}
	if !ok {
		return nil, fmt.Errorf("lock ledger (%s): %w (%s%s): wait for it to end", path, ErrLocked, owner(name), heartbeat(real))
	}
	note := fmt.Sprintf(noteForm+"\n", os.Getpid(), at.UTC().Format(time.RFC3339))
	if err := os.WriteFile(name, []byte(note), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock ledger (%s): %w", path, explain(real, err)), lock.Unlock())
	}
	return &FileLock{func() error { return errors.Join(os.Truncate(name, 0), lock.Unlock()) }}, nil
}

// Unlock gives the lock back.
func (f *FileLock) Unlock() error { return f.unlock() }

// noteForm is what an owner notes.
const noteForm = "process %d since %s"

// owner is the note of who holds a lock. For a moment there may be none, or that of an owner that was killed: a new one
// takes the lock first and notes itself then. Who holds it is a help, not a need.
func owner(name string) string {
	const tries, pause = 40, 50 * time.Millisecond
	var note string
	for range tries {
		text, _ := os.ReadFile(name)
		note = strings.TrimSpace(string(text))
		var pid int
		var since string
		if n, _ := fmt.Sscanf(note, noteForm, &pid, &since); n == 2 && alive(pid) {
			break
		}
		time.Sleep(pause)
	}
	return note
}

// heartbeat says when the ledger was last written to, by the clock of this machine: an owner that hangs holds its lock as well
// as one that works.
func heartbeat(path string) string {
	var last time.Time
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if last.IsZero() {
		return ""
	}
	return ", which last wrote at " + last.UTC().Format(time.RFC3339)
}

// alive says whether a process is not known to have ended.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
