package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// The shell of SQLite, written in C, is the peer of the ledger: it stores the same rows in the same tables with the same
// indexes. It reads them from files as it finds them: no identity is looked up, no hash is computed, no version kept.

// What the peers are told, in their own languages.
//
//go:embed testdata/*.sql
var scripts embed.FS

// script is one of them, with {name} replaced by what follows it.
func script(name string, replaced ...string) string {
	text, err := scripts.ReadFile("testdata/" + name + ".sql")
	if err != nil {
		panic(err) // it is built in
	}
	return strings.NewReplacer(replaced...).Replace(string(text))
}

// shell runs the shell over a database.
func shell(ctx context.Context, path, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sqlite3", "-bail", "-batch", path)
	cmd.Stdin = strings.NewReader(script)
	return cmd
}

// ask runs a script and gives back what it printed.
func ask(ctx context.Context, path, script string) (string, error) {
	cmd := shell(ctx, path, script)
	var text bytes.Buffer
	cmd.Stderr = &text
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("sqlite3: %w: %s", err, text.String())
	}
	return strings.TrimSpace(string(out)) + "\n", nil
}

// dump writes the rows of a loaded ledger, a file a table, and the scripts that read them into the same tables and indexes.
// The shell imports text and no NULL: hashes become text of the same length, NULL becomes empty, and the conditions of indexes
// say so. A STRICT table would refuse both; without STRICT less is checked.
func (s site) dump(ctx context.Context) error {
	if err := os.MkdirAll(s.path("dump"), 0o700); err != nil {
		return err
	}
	var printed []string
	for _, text := range []string{
		script("dump", "{dir}", s.path("dump")), script("import", "{dir}", s.path("dump")), script("schema", "{type}", "table"), script("schema", "{type}", "index"),
	} {
		out, err := ask(ctx, s.path(loadedFile), text)
		if err != nil {
			return err
		}
		out = strings.ReplaceAll(out, ") STRICT", ")")
		out = regexp.MustCompile(`(?i)\bIS NOT NULL\b`).ReplaceAllString(out, "<> ''")
		printed = append(printed, regexp.MustCompile(`(?i)\bIS NULL\b`).ReplaceAllString(out, "= ''"))
	}
	rows, imports, tables, indexes := printed[0], printed[1], printed[2], printed[3]
	if _, err := ask(ctx, s.path(loadedFile), rows); err != nil {
		return err
	}
	settings := script("settings")
	return writeAll(map[string]string{
		s.path("live.sql"):  settings + tables + indexes + imports,
		s.path("after.sql"): settings + tables + imports + indexes,
	})
}

func writeAll(files map[string]string) error {
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// imports is the shell reading the rows into an empty database.
func (s site) imports(name, file string) contender {
	path := s.path("imported.db")
	return contender{
		name: name, absent: tool("sqlite3"), wrote: []string{path},
		reset: func(ctx context.Context) error {
			if size(s.path(file)) == 0 {
				if err := s.dump(ctx); err != nil {
					return err
				}
			}
			return remove(path)
		},
		command: func(ctx context.Context) *exec.Cmd { return shell(ctx, path, ".read "+s.path(file)+"\n") },
		check: func(ctx context.Context) error {
			want, err := ask(ctx, s.path(loadedFile), script("count"))
			if err != nil {
				return err
			}
			have, err := ask(ctx, path, script("count"))
			if err == nil && have != want {
				err = fmt.Errorf("%s rows of %s were imported", have, want)
			}
			return err
		},
	}
}

// remove removes a database and what SQLite puts beside it.
func remove(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.RemoveAll(path + suffix); err != nil {
			return err
		}
	}
	return nil
}

// upserts is the shell storing all entries once more from another database, where their hash is not the one that is there: of
// none of them or, where so asked, of one in a hundred. With evidence, it also stores the records whose payload is not there.
func (s site) upserts(changed, evidence bool) contender {
	path, incoming, file := s.path("upserted.db"), s.path("incoming.db"), s.path("upsert.sql")
	c := contender{name: "sqlite3 upsert, hash <> excluded.hash", absent: tool("sqlite3"), wrote: []string{path}}
	if evidence {
		c.name = "the same, and evidence not there yet"
	}
	c.reset = func(ctx context.Context) error {
		statement, err := ask(ctx, s.path(loadedFile), script("upsert", "{incoming}", incoming))
		if err != nil {
			return err
		}
		if evidence {
			statement += script("evidence")
		}
		if err := errors.Join(writeAll(map[string]string{file: script("settings") + statement}), remove(incoming)); err != nil {
			return err
		}
		if _, err := ask(ctx, incoming, script("incoming", "{ledger}", s.path(loadedFile), "{changed}", strconv.FormatBool(changed))); err != nil {
			return err
		}
		return copyLedger(s.path(loadedFile), path)
	}
	c.command = func(ctx context.Context) *exec.Cmd { return shell(ctx, path, ".read "+file+"\n") }
	return c
}

// asCSV is the shell writing the entries once, in the order of the report, and nothing else.
func (s site) asCSV() contender {
	out := s.path("entries.csv")
	return contender{
		name: "sqlite3, the entries as CSV", absent: tool("sqlite3"), wrote: []string{out},
		command: func(ctx context.Context) *exec.Cmd {
			return shell(ctx, s.path(loadedFile), script("csv", "{out}", out))
		},
	}
}
