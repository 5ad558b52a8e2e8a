//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretFiles_OfSystemd is about LoadCredential=: systemd >= 254 lets the user of a service in by an access control list,
// and the mode of such a file is 0440, that of its folder 0550.
func TestSecretFiles_OfSystemd(t *testing.T) {
	granted, elsewhere := t.TempDir(), t.TempDir()
	write := func(path string, mode os.FileMode) string {
		t.Helper()
		if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := func(to, name string) string {
		t.Helper()
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if err := os.Mkdir(filepath.Join(granted, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	given, outside := write(filepath.Join(granted, "bill"), 0o440), write(filepath.Join(elsewhere, "bill"), 0o440)
	readable := write(filepath.Join(granted, "readable"), 0o444)
	writable := write(filepath.Join(granted, "writable"), 0o460)
	below := write(filepath.Join(granted, "below", "bill"), 0o440)
	toOutside := link(outside, filepath.Join(granted, "to-outside"))
	toGiven := link(given, filepath.Join(elsewhere, "to-given"))
	alias := link(granted, filepath.Join(elsewhere, "alias"))
	if err := os.Chmod(granted, 0o550); err != nil { //nolint:gosec // as systemd has it
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(granted, 0o700) }) //nolint:gosec // a folder

	for name, c := range map[string]struct {
		dir, path string
		taken     bool
	}{
		"AFileGivenByIt":                     {granted, given, true},
		"AFileSpelledOtherwise":              {granted + "/./", filepath.Join(granted, "below") + "/../bill", true},
		"AFolderNamedThroughALink":           {alias, given, true},
		"ALinkToAFileGivenByIt":              {granted, toGiven, true},
		"TheSameModeElsewhere":               {granted, outside, false},
		"TheSameModeBelow":                   {granted, below, false},
		"ALinkInTheFolderToElsewhere":        {granted, toOutside, false},
		"AFileThatOthersMayRead":             {granted, readable, false},
		"AFileThatTheGroupMayWriteTo":        {granted, writable, false},
		"WithoutAFolder":                     {"", given, false},
		"AFolderNamedRelatively":             {"..", given, false},
		"AFolderThatIsNotThere":              {filepath.Join(granted, "none"), given, false},
		"AFileInPlaceOfTheFolder":            {given, given, false},
		"AFolderOfSecretsThatAreNotSystemds": {elsewhere, given, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CREDENTIALS_DIRECTORY", c.dir)
			text, err := newSecretFiles(os.LookupEnv).read(c.path)
			if c.taken && (err != nil || text != "key") {
				t.Errorf("%q %v", text, err)
			}
			if !c.taken && (err == nil || !strings.Contains(err.Error(), "is open to group or others")) {
				t.Errorf("%q %v", text, err)
			}
		})
	}
	t.Run("AFolderThatTheGroupMayWriteTo", func(t *testing.T) {
		t.Setenv("CREDENTIALS_DIRECTORY", granted)
		if err := os.Chmod(granted, 0o770); err != nil { //nolint:gosec // to be refused
			t.Fatal(err)
		}
		if text, err := newSecretFiles(os.LookupEnv).read(given); err == nil {
			t.Errorf("%q", text)
		}
	})
	t.Run("AFolderOfSomebodyElse", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a folder away")
		}
		t.Setenv("CREDENTIALS_DIRECTORY", elsewhere)
		if text, err := newSecretFiles(os.LookupEnv).read(outside); err != nil || text != "key" {
			t.Fatalf("%q %v", text, err)
		}
		if err := os.Chown(elsewhere, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if text, err := newSecretFiles(os.LookupEnv).read(outside); err == nil {
			t.Errorf("%q", text)
		}
	})
}
