package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Found is a report that was found in a folder.
type Found struct {
	Dir      string
	Manifest Manifest
	SHA256   string // of the manifest itself, hex
	Problem  string // the first file that is not as the manifest says, named; empty: all are
}

// ManifestHash is the SHA-256 of the manifest of the report in a folder, hex.
func ManifestHash(dir string) (string, error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Verify compares the files of a report with its manifest. A folder without a manifest is fs.ErrNotExist: it is no report, or
// one that was never finished. Files that the manifest does not list are no part of the report.
func Verify(dir string) (Found, error) {
	found := Found{Dir: dir}
	data, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return found, err
	}
	sum := sha256.Sum256(data)
	found.SHA256 = hex.EncodeToString(sum[:])
	if err := json.Unmarshal(data, &found.Manifest); err != nil {
		found.Problem = fmt.Sprintf("%s: %v", manifestFile, err)
		return found, nil
	}
	for _, f := range found.Manifest.Files {
		if found.Problem, err = f.verify(dir); err != nil || found.Problem != "" {
			return found, err
		}
	}
	return found, nil
}

func (f File) verify(dir string) (problem string, err error) {
	if !filepath.IsLocal(f.Name) {
		return fmt.Sprintf("%s: it names the file %q", manifestFile, f.Name), nil
	}
	file, err := os.Open(filepath.Join(dir, f.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return f.Name + ": it is missing", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return "", err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); size != f.Size || got != f.SHA256 {
		return fmt.Sprintf("%s: it has %d bytes with the hash %s, and was written with %d bytes and the hash %s", f.Name, size, got, f.Size, f.SHA256), nil
	}
	return "", nil
}
