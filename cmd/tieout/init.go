package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Write a commented tieout.yaml; never overwrites", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			path := a.configFile()
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("init: %s exists and is left as it is", path)
			}
			if err != nil {
				return fmt.Errorf("init: %w", err)
			}
			_, err = f.WriteString(configTemplate)
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("init: write %s: %w", path, err)
			}
			_, err = fmt.Fprintf(a.stdout, "wrote %s: fill in the sources, then run `tieout check`\n", path)
			return err
		},
	}
}

// configFile is the configuration file asked for: the flag, then TIEOUT_CONFIG, then tieout.yaml.
func (a *app) configFile() string {
	if a.configPath != "" {
		return a.configPath
	}
	if path, ok := a.env("TIEOUT_CONFIG"); ok && path != "" {
		return path
	}
	return "tieout.yaml"
}
