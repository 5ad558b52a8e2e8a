// Package migrations holds the DDL of the ledger, one numbered file for each change, never edited once released.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql indexes/*.sql
var files embed.FS

// SQLite is the DDL for SQLite.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// Postgres is the DDL for PostgreSQL. A file leads to the same tables as the one of SQLite with its number.
func Postgres() (fs.FS, error) { return fs.Sub(files, "postgres") }

// SQLiteIndexes makes the indexes of the large tables that are not there yet, once there is something in those.
func SQLiteIndexes() (string, error) {
	text, err := files.ReadFile("indexes/sqlite.sql")
	return string(text), err
}
