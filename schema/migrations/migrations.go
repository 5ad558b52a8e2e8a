// Package migrations holds the DDL of the ledger, one numbered file for each change, never edited once released.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed sqlite/*.sql
var files embed.FS

// SQLite is the DDL for SQLite.
func SQLite() (fs.FS, error) { return fs.Sub(files, "sqlite") }
