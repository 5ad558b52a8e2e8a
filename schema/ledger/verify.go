package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Verification says what Verify looked at.
type Verification struct {
	Runs, Commits, Rows int64
	Root                string // of the whole chain, hex
	Problem             string // the first thing that does not hold, named; empty: all holds
}

// Verify recomputes the hash of every chained row from its columns, the digest of every commit and the chain, and names the
// first that does not hold. A chain alone does not show a tail that was cut off: root, if not empty, must be the root after
// some commit, as a report or an alert gave it.
func (l *Ledger) Verify(ctx context.Context, root string) (Verification, error) {
	var v Verification
	// One transaction: a run that is writing must not change what is compared with what.
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return v, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	commits := map[int64]parts{}
	for _, t := range tables() {
		problem, err := v.rows(ctx, tx, t, commits)
		if err != nil || problem != "" {
			v.Problem = problem
			return v, err
		}
	}
	problem, err := v.chain(ctx, tx, commits, root)
	v.Problem = problem
	return v, err
}

// rows recomputes the hashes of one table and adds them to the digests of their commits.
func (v *Verification) rows(ctx context.Context, tx *sql.Tx, t table, commits map[int64]parts) (string, error) {
	query := "SELECT id, commit_seq, hash, " + strings.Join(t.columns, ", ")
	if t.closes {
		query += ", closed_seq"
	}
	rows, err := tx.QueryContext(ctx, query+" FROM "+t.name+" ORDER BY id")
	if err != nil {
		return "", fmt.Errorf("read %s: %w", t.name, err)
	}
	defer rows.Close()
	var id, seq int64
	var hash []byte
	var end *int64
	values := make([]any, len(t.columns))
	dest := []any{&id, &seq, &hash}
	for i := range values {
		dest = append(dest, &values[i])
	}
	if t.closes {
		dest = append(dest, &end)
	}
	h := sha256.New()
	add := func(seq int64, name string, row []byte) {
		if commits[seq] == nil {
			commits[seq] = parts{}
		}
		commits[seq].add(name, row)
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return "", fmt.Errorf("read %s: %w", t.name, err)
		}
		v.Rows++
		if !bytes.Equal(hash, rowHash(h, t, seq, values)) {
			return fmt.Sprintf("%s row %d (%s): its columns do not give its hash", t.name, id, describeRow(t, values)), nil
		}
		add(seq, t.name, hash)
		if end != nil {
			add(*end, t.name+closedPart, closeHash(h, t, *end, id))
		}
	}
	return "", rows.Err()
}

// describeRow names a row by its first columns, which are its key.
func describeRow(t table, values []any) string {
	var words []string
	for i, column := range t.columns[:min(3, len(t.columns))] {
		words = append(words, fmt.Sprintf("%s %v", column, values[i]))
	}
	return strings.Join(words, ", ")
}

// chain recomputes the commits in order.
func (v *Verification) chain(ctx context.Context, tx *sql.Tx, commits map[int64]parts, root string) (string, error) {
	rows, err := tx.QueryContext(ctx, `SELECT seq, run_id, kind, counts, digest, root FROM commits ORDER BY seq`)
	if err != nil {
		return "", fmt.Errorf("read commits: %w", err)
	}
	defer rows.Close()
	var prev []byte
	runs := map[int64]bool{}
	found := root == ""
	for rows.Next() {
		var seq, run int64
		var kind, counts string
		var digest, want []byte
		if err := rows.Scan(&seq, &run, &kind, &counts, &digest, &want); err != nil {
			return "", fmt.Errorf("read commits: %w", err)
		}
		v.Commits++
		runs[run] = true
		if seq != v.Commits {
			return fmt.Sprintf("commit %d is missing", v.Commits), nil
		}
		gotDigest, gotCounts := commits[seq].sum()
		delete(commits, seq)
		if gotCounts != counts {
			return fmt.Sprintf("commit %d of run %d: it stored %q, but there is %q: rows were removed, added or closed", seq, run, counts, gotCounts), nil
		}
		if !bytes.Equal(gotDigest, digest) {
			return fmt.Sprintf("commit %d of run %d: its rows do not give its digest", seq, run), nil
		}
		if !bytes.Equal(rootOf(prev, seq, run, kind, counts, digest), want) {
			return fmt.Sprintf("commit %d of run %d: it does not continue the chain", seq, run), nil
		}
		prev = want
		found = found || strings.EqualFold(root, hex.EncodeToString(want))
	}
	if err := rows.Err(); err != nil {
		return "", fmt.Errorf("read commits: %w", err)
	}
	for _, seq := range slices.Sorted(maps.Keys(commits)) {
		_, counts := commits[seq].sum()
		return fmt.Sprintf("commit %d is not in the chain, but rows name it (%s): they were added, or the end of the chain was cut off", seq, counts), nil
	}
	v.Runs, v.Root = int64(len(runs)), hex.EncodeToString(prev)
	if !found {
		return fmt.Sprintf("root %s is not one of this chain: its end was cut off, or it belongs to another ledger", root), nil
	}
	return "", nil
}
