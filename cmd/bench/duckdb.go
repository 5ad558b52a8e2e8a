package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// DuckDB computes the figures of the checks over a copy of its own, which is made beforehand. What an empty query costs is taken
// off, so that the start of a program is not compared with the start of another.

// duck is how DuckDB is run here: by its shell, or by the module of Python.
func duck(ctx context.Context, path, script string) *exec.Cmd {
	if tool("duckdb")(ctx) == "" {
		cmd := exec.CommandContext(ctx, "duckdb", "-batch", path)
		cmd.Stdin = strings.NewReader(script)
		return cmd
	}
	cmd := exec.CommandContext(ctx, "python3", "-c", "import duckdb, sys; duckdb.connect(sys.argv[1]).execute(sys.stdin.read())", path)
	cmd.Stdin = strings.NewReader(script)
	return cmd
}

func noDuck(ctx context.Context) string {
	if missing := tool("sqlite3")(ctx); missing != "" {
		return missing // it makes the copy
	}
	if tool("duckdb")(ctx) != "" && exec.CommandContext(ctx, "python3", "-c", "import duckdb").Run() != nil {
		return "neither duckdb nor its module for python3 is installed"
	}
	return ""
}

// duckdb computes the figures with so many threads.
func (s site) duckdb(threads int) contender {
	path := s.path("copy.duckdb")
	run := func(name, what string, reset func(context.Context) error) contender {
		return contender{
			name: name, absent: noDuck, reset: reset,
			command: func(ctx context.Context) *exec.Cmd {
				return duck(ctx, path, script(what, "{threads}", fmt.Sprint(threads)))
			},
		}
	}
	empty := run("duckdb, nothing", "nothing", nil)
	c := run(fmt.Sprintf("duckdb, the figures in SQL, threads %d", threads), "figures", func(ctx context.Context) error {
		if size(path) > 0 {
			return nil
		}
		return s.copyForDuck(ctx, path)
	})
	c.less = &empty
	return c
}

// copyForDuck makes DuckDB's copy of the current entries and the books, with the limits and figures of the cards beside them.
func (s site) copyForDuck(ctx context.Context, path string) error {
	dir := s.path("named")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := s.figures(filepath.Join(dir, "figures.csv")); err != nil {
		return err
	}
	if _, err := ask(ctx, s.path(loadedFile), script("named", "{dir}", dir)); err != nil {
		return err
	}
	out, err := duck(ctx, path, script("copy", "{dir}", dir)).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

// figures writes the limits and figures of the cards.
func (s site) figures(path string) error {
	var b strings.Builder
	b.WriteString("source,card_id,limit_minor,figure_minor,figure\n")
	for _, p := range s.providers() {
		for _, o := range s.observations(p) {
			limit, figure := int64(0), o.Figures[0]
			if len(o.Limits) > 0 {
				limit = o.Limits[0].Amount.Minor()
			}
			minor := figure.Amount.Minor()
			if figure.Ambiguous {
				if _, err := fmt.Sscan(figure.Raw, &minor); err != nil {
					return errors.New("no figure: " + figure.Raw)
				}
			}
			fmt.Fprintf(&b, "%s,%s,%d,%d,%s\n", o.Source, o.ID, limit, minor, figure.Name)
		}
	}
	return writeAll(map[string]string{path: b.String()})
}
