package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/migrations"
)

// firstLoad is how a ledger that was opened empty is filled. The indexes over all records and entries are not there yet: to
// build them when the rows are stored costs a quarter of what it costs to keep them up, as every id falls on another page.
// What the indexes would be asked for in the meantime, the rows of an id, is kept here. The first run that stores rows makes
// the indexes when it finishes; where it was killed, whoever opens the ledger next does. Readers only miss their speed.
type firstLoad struct {
	seed maphash.Seed
	ids  map[uint64]rowIDs
	most int    // so many ids are kept
	last rowIDs // the highest that were stored
	over bool   // the indexes are to be made before the next row
}

// rowIDs are the rows of an id that stand: the record read last, and the current version of the entry; 0: none.
type rowIDs struct{ record, entry uint32 }

// firstRows is how many ids a first load keeps at most, in some 60 MB. From there on, the indexes are kept up.
const firstRows = 2_000_000

// How much of the ledger the connection that writes keeps in memory, in KiB; it takes twice that, since the allocator rounds a
// page and its header up to a power of two. Rows without an index only come at the end.
const (
	firstCache = "16384"
	cache      = "32768"
)

func newFirstLoad() *firstLoad {
	return &firstLoad{seed: maphash.MakeSeed(), ids: map[uint64]rowIDs{}, most: firstRows}
}

// key stands for an id. Should two ids have the same, of which nobody will see a case, the row that is found has another id
// than was asked for, and the load is over.
func (f *firstLoad) key(source string, stream schema.Stream, id string) uint64 {
	return maphash.Comparable(f.seed, [3]string{source, string(stream), id})
}

// records lists the rows of those records that are stored.
func (f *firstLoad) records(source string, stream schema.Stream, ids []string) (rows []int64) {
	for _, id := range ids {
		if row := f.ids[f.key(source, stream, id)].record; row > 0 {
			rows = append(rows, int64(row))
		}
	}
	return rows
}

// entries lists the rows of those entries that are stored. An entry has an id of its own among the transactions.
func (f *firstLoad) entries(source string, ids []string) (rows []int64) {
	for _, id := range ids {
		if row := f.ids[f.key(source, schema.Transactions, id)].entry; row > 0 {
			rows = append(rows, int64(row))
		}
	}
	return rows
}

// found says whether so many rows were selected as were looked for, each of an id that was asked for. asked must be sorted.
func (f *firstLoad) found(rows int, asked []string, ids iter.Seq[string]) bool {
	for id := range ids {
		if _, ok := slices.BinarySearch(asked, id); !ok {
			f.over = true
		}
		rows--
	}
	f.over = f.over || rows != 0
	return !f.over
}

// tookRecord says which row a record was given.
func (f *firstLoad) tookRecord(source string, stream schema.Stream, id string, row int64) {
	key := f.key(source, stream, id)
	rows := f.ids[key]
	rows.record, f.last.record = uint32(row), uint32(row) //nolint:gosec // far fewer
	f.ids[key] = rows
}

// tookEntry says which row the current version of an entry was given.
func (f *firstLoad) tookEntry(source, id string, row int64) {
	key := f.key(source, schema.Transactions, id)
	rows := f.ids[key]
	rows.entry, f.last.entry = uint32(row), uint32(row) //nolint:gosec // far fewer
	f.ids[key] = rows
}

// beginFirstLoad finds out whether the ledger is empty. One that is not has its indexes from here on.
func (l *Ledger) beginFirstLoad(ctx context.Context) error {
	last, err := l.lastRows(ctx)
	if err != nil {
		return err
	}
	l.first = newFirstLoad()
	if last == (rowIDs{}) {
		return nil
	}
	return l.index(ctx)
}

// goOn ends the first load before the next row where it must end: when it became too large, or when it does not know all
// rows, because a transaction was not brought to its end or somebody else wrote.
func (l *Ledger) goOn(ctx context.Context) error {
	if l.first == nil {
		return nil
	}
	last, err := l.lastRows(ctx)
	if err != nil {
		return err
	}
	if l.first.over || len(l.first.ids) > l.first.most || l.first.last != last {
		return l.index(ctx)
	}
	return nil
}

// endFirstLoad makes the indexes when rows were stored.
func (l *Ledger) endFirstLoad(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.first == nil || l.first.last == (rowIDs{}) && !l.first.over {
		return nil
	}
	return l.index(ctx)
}

func (l *Ledger) lastRows(ctx context.Context) (last rowIDs, err error) {
	err = errors.Join(
		l.write.GetContext(ctx, &last.record, `SELECT COALESCE(MAX(id), 0) FROM records`),
		l.write.GetContext(ctx, &last.entry, `SELECT COALESCE(MAX(id), 0) FROM entries`))
	return last, err
}

// indexed says whether the indexes over all rows are there.
func (l *Ledger) indexed(ctx context.Context) (bool, error) {
	if l.postgres {
		return true, nil // its migrations make them
	}
	var n int
	if err := l.read.GetContext(ctx, &n, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND name = 'entries_kin'`); err != nil {
		return false, fmt.Errorf("read the schema: %w", err)
	}
	return n > 0, nil
}

// index makes the indexes that are not there. It has a connection of its own, whose memory is given back and whose sorting
// goes to a file where it must.
func (l *Ledger) index(ctx context.Context) (err error) {
	statements, err := migrations.SQLiteIndexes()
	if err != nil {
		return err
	}
	db, err := connect(l.path, 1, pragma("synchronous(FULL)"), pragma("cache_size(-8192)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, statements); err != nil {
		return fmt.Errorf("index the ledger: %w", err)
	}
	l.first = nil
	_, err = l.write.ExecContext(ctx, "PRAGMA cache_size = -"+cache)
	return err
}
