package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// configTemplate is what `tieout init` writes.
//
//go:embed tieout.yaml
var configTemplate string

// writeTemplate writes the commented template. It never overwrites: an existing file of any kind is an error.
func writeTemplate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; it is left as it is", path)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if _, err := f.WriteString(configTemplate); err != nil {
		_ = f.Close()
		return fmt.Errorf("write configuration %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write configuration %s: %w", path, err)
	}
	return nil
}
