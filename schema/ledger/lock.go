package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// FileLock keeps other processes from writing to a ledger. The operating system gives it back when its owner dies, however
// that happens.
type FileLock struct{ lock *flock.Flock }

// ErrLocked is in the error of a Lock that another process holds.
var ErrLocked = errors.New("another process is writing to it")

// noteDelay is how long a new owner may take to note itself: until then the owner before stands there.
const noteDelay = 100 * time.Millisecond

// Lock takes the lock of the ledger at path, or says who has it and since when. at is noted for the next who asks.
func Lock(path string, at time.Time) (*FileLock, error) {
	name := path + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("lock ledger (%s): %w", path, err)
	}
	lock := flock.New(name, flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock ledger (%s): %w", path, err)
	}
	if !ok {
		time.Sleep(noteDelay)
		owner, _ := os.ReadFile(name) // who holds it is a help, not a need
		return nil, fmt.Errorf("lock ledger (%s): %w (%s): wait for it to end", path, ErrLocked,
			strings.TrimSpace(string(owner)))
	}
	note := fmt.Sprintf("process %d since %s\n", os.Getpid(), at.UTC().Format(time.RFC3339))
	if err := os.WriteFile(name, []byte(note), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock ledger (%s): %w", path, err), lock.Unlock())
	}
	return &FileLock{lock}, nil
}

// Unlock gives the lock back.
func (f *FileLock) Unlock() error { return f.lock.Unlock() }
