package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxLinks is how many links to what is not there yet are followed, one after the other.
const maxLinks = 40

// RealPath is the one absolute path of a file or folder, however it is spelled: without links, and without "." and "..". What is
// not there yet lies where it would be made.
func RealPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return realPath(abs, maxLinks)
}

func realPath(path string, links int) (string, error) {
	found, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	above := filepath.Dir(path)
	if above == path {
		return "", err
	}
	folder, err := realPath(above, links)
	if err != nil {
		return "", err
	}
	path = filepath.Join(folder, filepath.Base(path))
	to, err := os.Readlink(path)
	switch {
	case err != nil:
		return path, nil // nothing is there, not even a link
	case links == 0:
		return "", fmt.Errorf("%s: too many links", path)
	case !filepath.IsAbs(to):
		to = filepath.Join(folder, to)
	}
	return realPath(to, links-1)
}
