package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// walks computes the hashes of completeness records again. Records stand in the order in which they were read, so those
// that the walk of one run stored lie between the completeness record before and its own. Where that is every record that
// the walk read, they must give its hash.
type walks struct {
	todo    []walkEnd // in the order of commits
	stored  map[walkKey]*storedRecords
	checked int64
}

type walkKey struct {
	source, stream string
	kind           string // of commits: records asked for by id between pages are no part of the walk
}

// walkEnd is a completeness record.
type walkEnd struct {
	walkKey
	id, seq, run int64
	records      int64
	exact        bool // every record was met once, by one walk that never began again
	sha          string
}

// storedRecords are those of one walk so far.
type storedRecords struct {
	run, count int64
	sum        hash.Hash
}

func (v *verifier) readWalks(ctx context.Context) error {
	v.walks.stored = map[walkKey]*storedRecords{}
	rows, err := v.tx.QueryContext(ctx, `SELECT id, commit_seq, source, stream, records, duplicates, restarts, sha256 FROM completeness ORDER BY commit_seq, id`)
	if err != nil {
		return fmt.Errorf("read completeness: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var w walkEnd
		var duplicates, restarts int64
		if err := rows.Scan(&w.id, &w.seq, &w.source, &w.stream, &w.records, &duplicates, &restarts, &w.sha); err != nil {
			return fmt.Errorf("read completeness: %w", err)
		}
		head := v.kindOf(w.seq)
		w.run, w.kind, w.exact = head.run, head.kind, duplicates == 0 && restarts == 0
		v.walks.todo = append(v.walks.todo, w)
	}
	return rows.Err()
}

// record takes the next record.
func (w *walks) record(r row, head commitHead) error {
	for len(w.todo) > 0 && w.todo[0].seq < r.seq {
		if err := w.next(); err != nil {
			return err
		}
	}
	key := walkKey{r.text("source"), r.text("stream"), head.kind}
	s := w.stored[key]
	if s == nil || s.run != head.run {
		s = &storedRecords{run: head.run, sum: sha256.New()}
		w.stored[key] = s
	}
	s.count++
	s.sum.Write([]byte(r.text("payload")))
	s.sum.Write([]byte{'\n'})
	return nil
}

// next judges the walk that ended next.
func (w *walks) next() error {
	end := w.todo[0]
	w.todo = w.todo[1:]
	s := w.stored[end.walkKey]
	delete(w.stored, end.walkKey)
	if s == nil {
		s = &storedRecords{run: end.run, sum: sha256.New()}
	}
	if !end.exact || s.run != end.run || s.count != end.records {
		return nil
	}
	w.checked++
	if got := hex.EncodeToString(s.sum.Sum(nil)); got != end.sha {
		return problemf("completeness row %d (source %s, stream %s): its %d records give the hash %s, not %s", end.id, end.source, end.stream, end.records, got, end.sha)
	}
	return nil
}

func (w *walks) end() error {
	for len(w.todo) > 0 {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}
