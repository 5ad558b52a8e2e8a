package ledger

import (
	"context"
	"errors"
	"os"

	"github.com/jmoiron/sqlx"
)

// ErrForeign says that a file is an SQLite database, but not a ledger.
var ErrForeign = errors.New("it is not a ledger of tieout, but a database of another program, which is left as it is: name another file as `ledger`")

// applicationID is in the header of every ledger that the first migration made. Those before have their tables only.
const applicationID = 1953064303

// versionOf is the version of the tables of a ledger that may not be open yet. Where SQLite keeps nothing beside
// the file, this adds nothing there either.
func versionOf(ctx context.Context, path string) (version int, err error) {
	settings := []string{"mode=ro"}
	if !holds(path+"-wal") && !holds(path+"-journal") {
		settings = append(settings, "immutable=1")
	}
	db, err := connect(path, 1, settings...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return tablesVersion(ctx, db)
}

// holds says whether there is something in a file.
func holds(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

// tablesVersion is the version of the tables of a ledger; ErrNone where there are none, ErrForeign where they are not a ledger's.
func tablesVersion(ctx context.Context, db *sqlx.DB) (version int, err error) {
	var id, ours, others int
	for _, q := range []struct {
		into  *int
		query string
	}{
		{&id, `PRAGMA application_id`},
		{&ours, `SELECT COUNT(*) FROM sqlite_master WHERE name IN ('goose_db_version', 'commits', 'run_events', 'completeness')`},
		{&others, `SELECT COUNT(*) FROM sqlite_master WHERE name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'`},
	} {
		if err := db.GetContext(ctx, q.into, q.query); err != nil {
			return 0, err
		}
	}
	switch {
	case id != applicationID && id != 0:
		return 0, ErrForeign
	case others == 0:
		return 0, ErrNone // whoever was making it was killed
	case id == 0 && ours < 4:
		return 0, ErrForeign
	}
	err = db.GetContext(ctx, &version, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`)
	return version, err
}
