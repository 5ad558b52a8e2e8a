package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
)

// Program is a hash of the program that runs, for Source.Mapping: another build may read a record otherwise, whatever it
// calls its version. Empty: its file cannot be read. The caller keeps it, since it takes some 20 ms.
func Program() string {
	file, err := os.Open("/proc/self/exe") // the file that was started, also where another is under its name by now
	if err != nil {
		path, err := os.Executable()
		if err != nil {
			return ""
		}
		if file, err = os.Open(path); err != nil {
			return ""
		}
	}
	defer func() { _ = file.Close() }() // nothing was written
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
