package ledger

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// ErrExists says that a file is in the way, and was left as it is.
var ErrExists = errors.New("the file exists and is left as it is")

// disk is how copies of a ledger are put in their places. The zero value is the disk of this machine; tests have one on which
// no links can be made, and one that ends the process between two steps.
type disk struct {
	link func(from, to string) error // nil: os.Link
	step func(name string)           // told what comes next; nil: nobody is
}

func (d disk) next(step string) {
	if d.step != nil {
		d.step(step)
	}
}

func (d disk) linkTo(from, to string) error {
	d.next("link")
	if d.link != nil {
		return d.link(from, to)
	}
	return os.Link(from, to)
}

// hiddenMark is in the names of unfinished copies, before the number of the process.
const hiddenMark = ".tieout-"

// hidden makes an empty file of mode 0600, which SQLite keeps, in the folder of path, for a copy that is not finished.
func hidden(path string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(path), fmt.Sprintf(".%s%s%d-*", filepath.Base(path), hiddenMark, os.Getpid()))
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// removeStale removes the unfinished copies that processes which were killed left in the folder of path, with what SQLite put
// beside them. This process has none yet: in a container, the one before it had the same number.
func removeStale(path string) error {
	folder, name := filepath.Dir(path), filepath.Base(path)
	items, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, item := range items {
		rest, ok := strings.CutPrefix(item.Name(), "."+name+hiddenMark)
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, "-")
		if pid, err := strconv.Atoi(number); err != nil || pid != os.Getpid() && alive(pid) {
			continue
		}
		if err := removeFile(filepath.Join(folder, item.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeHidden removes an unfinished copy, with what SQLite put beside it.
func removeHidden(path string) error {
	var errs []error
	for _, suffix := range append([]string{""}, beside...) {
		errs = append(errs, removeFile(path+suffix))
	}
	return errors.Join(errs...)
}

// put gives a whole file a name that no file has: ErrExists. The file may keep the name that it had, too.
func (d disk) put(file, path string) error {
	err := d.linkTo(file, path) // unlike a rename, it takes no file's place
	if err == nil || errors.Is(err, fs.ErrExist) {
		return exists(err)
	}
	// There are no links on FAT and on some shares. The rename takes the place of an empty file that is certainly ours; a process
	// that is killed just there leaves that one.
	d.next("take the name")
	taken, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return exists(err)
	}
	err = taken.Close()
	if err == nil {
		d.next("rename")
		err = os.Rename(file, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func exists(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return err
}

// keep gives a file a second name that is free, or a copy where there are no links.
func (d disk) keep(path, as string) error {
	if d.linkTo(path, as) == nil {
		return nil
	}
	d.next("copy what is there")
	temp, err := copied(path)
	if err == nil {
		d.next("rename the copy")
		return os.Rename(temp, as)
	}
	if temp != "" {
		err = errors.Join(err, removeFile(temp))
	}
	return err
}

// copied is a copy of a file, byte by byte, on the disk under a hidden name.
func copied(path string) (temp string, err error) {
	if temp, err = hidden(path); err != nil {
		return "", err
	}
	from, err := os.Open(path)
	if err != nil {
		return temp, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := os.OpenFile(temp, os.O_WRONLY, 0)
	if err != nil {
		return temp, err
	}
	_, err = io.Copy(to, from)
	return temp, errors.Join(err, to.Sync(), to.Close())
}

func syncFile(path string) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // Windows syncs only what can be written to
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// syncFolder makes the name of a new file last, where the file system knows how to.
func syncFolder(path string) (err error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Sync(); !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
