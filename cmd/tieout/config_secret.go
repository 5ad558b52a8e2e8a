package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tieout/tieout/extract/transport"
)

const maxSecretBytes = 64 << 10

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// shownEnvName: a name in capitals is repeated in messages. Others are not, since people paste the key itself here.
	shownEnvName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]{0,39}$`)
)

// secret reads {env: NAME} or {file: PATH}. Messages name neither the file nor a value: the line says where to look.
func (r *configReader) secret(n *yaml.Node, name string) (transport.Secret, bool) {
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s must not be written here; use {env: NAME} or {file: PATH}", name)
		return transport.Secret{}, false
	}
	keys := r.mapping(n, "secret", name)
	if len(n.Content) != 2 {
		r.problem(n, "%s needs exactly one of env and file", name)
		return transport.Secret{}, false
	}
	var s string
	var err error
	switch {
	case keys["env"] != nil:
		var variable string
		var ok bool
		if variable, ok = r.text(keys["env"], name+": env"); !ok {
			return transport.Secret{}, false
		}
		s, err = r.variable(variable)
	case keys["file"] != nil:
		path, ok := r.text(keys["file"], name+": file")
		if !ok {
			return transport.Secret{}, false
		}
		if s, err = r.readFile(r.under(path)); err != nil {
			err = fmt.Errorf("the file named here %w", err)
		}
	default:
		return transport.Secret{}, false // the unknown key was reported
	}
	if err != nil {
		r.problem(n, "%s: %v", name, err)
		return transport.Secret{}, false
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
	switch {
	case strings.TrimSpace(s) == "":
		r.problem(n, "%s: the value is empty", name)
	case strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f }):
		r.problem(n, "%s: the value holds a line break or a control character", name)
	default:
		return transport.NewSecret(s), true
	}
	return transport.Secret{}, false
}

func (r *configReader) variable(name string) (string, error) {
	if !envName.MatchString(name) {
		return "", errors.New("env must be the name of an environment variable, not its value")
	}
	value, ok := r.env(name)
	switch {
	case ok:
		return value, nil
	case shownEnvName.MatchString(name):
		return "", fmt.Errorf("the environment variable %s is not set", name)
	}
	return "", errors.New("the environment variable named here is not set")
}

// credential is a secret that can stand in a header: printable ASCII without spaces.
func (r *configReader) credential(n *yaml.Node, name string) transport.Secret {
	s, ok := r.secret(n, name)
	if ok && strings.ContainsFunc(s.Reveal(), func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.problem(n, "%s: the value holds a space or a character that no key has; give the bare key", name)
		return transport.Secret{}
	}
	return s
}

// secretFiles reads files of secrets. A file must be closed to group and others, except for one that systemd gave the service
// (LoadCredential=): since version 254 it lets the service's user in by an access control list, which looks like a mode that
// lets a group in.
type secretFiles struct {
	granted string // the folder that systemd names in CREDENTIALS_DIRECTORY; empty: none
}

func newSecretFiles(env func(string) (string, bool)) secretFiles {
	dir, ok := env("CREDENTIALS_DIRECTORY")
	if !ok || !filepath.IsAbs(dir) {
		return secretFiles{}
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return secretFiles{}
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o022 != 0 || !ownedByUsOrRoot(info) {
		return secretFiles{}
	}
	return secretFiles{dir}
}

// read returns what a file holds. Its errors complete the sentence "the file named here …".
func (s secretFiles) read(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path) // where it lies decides who may read it
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("does not exist")
	}
	if err != nil {
		return "", reason(err)
	}
	info, err := os.Stat(path) // before opening: opening a pipe would wait for a writer
	if err != nil {
		return "", reason(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", reason(err)
	}
	defer func() { _ = f.Close() }()      // only read from
	if info, err = f.Stat(); err != nil { // of what was opened, should the path have been swapped
		return "", reason(err)
	}
	if mode := info.Mode().Perm(); mode&s.closedTo(path, info) != 0 && runtime.GOOS != "windows" { // which has no such bits
		return "", fmt.Errorf("is open to group or others (mode %04o); chmod 600 it", mode)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecretBytes+1))
	if err != nil {
		return "", reason(err)
	}
	if len(data) > maxSecretBytes {
		return "", fmt.Errorf("is larger than %d bytes", maxSecretBytes)
	}
	return string(data), nil
}

// closedTo are the bits of its mode that a file must not have.
func (s secretFiles) closedTo(path string, info fs.FileInfo) fs.FileMode {
	if s.granted != "" && filepath.Dir(path) == s.granted && ownedByUsOrRoot(info) {
		return 0o037
	}
	return 0o077
}
