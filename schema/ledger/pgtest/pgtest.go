// Package pgtest starts PostgreSQL for tests, from the programs that the distribution's package installs.
package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrAbsent says that the programs of PostgreSQL are not installed.
var ErrAbsent = errors.New("PostgreSQL is not installed: install the package `postgresql`")

// Server is a throw-away server of one database, which listens on a socket in its folder and trusts whoever connects.
type Server struct {
	programs, dir string
	runAs         []string // what a command begins with, so that it does not run as root: the server refuses that
}

// Start makes a database in a new folder and serves it. Nothing of it is written safely to the disk, unless settings, such as
// "fsync=on", say otherwise.
func Start(settings ...string) (s *Server, err error) {
	s = &Server{}
	if s.programs, err = Programs(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "tieout-pg-"); err != nil { // short: a socket's path may have a hundred bytes
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(s.dir))
		}
	}()
	if os.Geteuid() == 0 {
		if err := s.giveTo("postgres"); err != nil {
			return nil, err
		}
	}
	if err := s.run("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--pgdata="+s.data()); err != nil {
		return nil, err
	}
	var options strings.Builder
	for _, set := range slices.Concat([]string{
		"listen_addresses=", "unix_socket_directories=" + s.dir, "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200",
	}, settings) {
		options.WriteString(" -c " + set)
	}
	return s, s.run("pg_ctl", "--wait", "--silent", "--pgdata="+s.data(), "--log="+filepath.Join(s.dir, "log"), "--options="+options.String(), "start")
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Programs is the folder of the newest that are installed.
func Programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		path, err := exec.LookPath("initdb")
		if err != nil {
			return "", ErrAbsent
		}
		return filepath.Dir(path), nil
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb)))) // none: the oldest
	return n
}

// giveTo has a user own the folder, and the server run as that user.
func (s *Server) giveTo(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	s.runAs = []string{"runuser", "-u", name, "--"}
	return errors.Join(os.Chown(s.dir, uid, gid), os.Chmod(s.dir, 0o711)) //nolint:gosec // those who test pass through it
}

func (s *Server) run(program string, args ...string) error {
	words := slices.Concat(s.runAs, []string{filepath.Join(s.programs, program)}, args)
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // a program of PostgreSQL's, which a test waits for
	cmd.Dir = s.dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out.String())
	}
	return nil
}

// Ledger makes a schema and gives the address of a ledger in it, which is not there yet.
func (s *Server) Ledger(schema string) (string, error) {
	err := s.run("psql", "--quiet", "--host="+s.dir, "--username=postgres", "--command=CREATE SCHEMA "+schema)
	return "postgres://postgres@/postgres?" + url.Values{"host": {s.dir}, "search_path": {schema}}.Encode(), err
}

// Restart stops the server as if it were killed, and starts it again.
func (s *Server) Restart() error {
	return s.run("pg_ctl", "--wait", "--silent", "--pgdata="+s.data(), "--log="+filepath.Join(s.dir, "log"), "--mode=immediate", "restart")
}

// Stop stops the server and removes what it made.
func (s *Server) Stop() error {
	return errors.Join(s.run("pg_ctl", "--wait", "--silent", "--pgdata="+s.data(), "--mode=immediate", "stop"), os.RemoveAll(s.dir))
}

// Ask runs a query and gives what psql prints of it, without names and padding.
func (s *Server) Ask(query string) (string, error) {
	words := slices.Concat(s.runAs, []string{filepath.Join(s.programs, "psql"), "--no-psqlrc", "--tuples-only", "--no-align", "--host=" + s.dir, "--username=postgres", "--command=" + query})
	cmd := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // a program of PostgreSQL's, which a test waits for
	cmd.Dir = s.dir
	out, err := cmd.Output()
	return string(bytes.TrimSpace(out)), err
}
