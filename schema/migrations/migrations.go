// Package migrations holds the DDL of the ledger, one numbered file for each change, never edited once released.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql indexes/*.sql
var files embed.FS

// SQLite is the DDL for SQLite.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }

// SQLiteIndexes makes the indexes of the large tables that are not there yet, once there is something in those.
func SQLiteIndexes() (string, error) {
	text, err := files.ReadFile("indexes/sqlite.sql")
	return string(text), err
}
