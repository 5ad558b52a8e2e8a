package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// Verification says what Verify looked at.
type Verification struct {
	Runs, Commits, Rows int64
	Walks               int64   // completeness records whose hash was computed again from the records that are stored
	Totals              []Total // by source, currency
	Root                string  // of the whole chain, hex
	Problem             string  // the first thing that does not hold, named; empty: all holds
}

// Total is the control total of the current entries of one source and currency.
type Total struct {
	Source   string
	Currency money.Currency
	Entries  int64    // of every status
	Counted  *big.Int // sum of the counted ones, in minor units
}

// Verify computes anew, in one view of the ledger, what the ledger says of itself, and names the first thing that does not
// hold:
//
//   - the hash of every chained row from its id and columns, the digest of every commit, the numbers of rows, and the chain;
//   - the hash of every payload, and the ID of every finding;
//   - the hash of every completeness record of which all records are stored: a row that has not changed is not stored again,
//     so that is mostly the first reading of a window;
//   - the control totals.
//
// A chain alone does not show a tail that was cut off: root, if not empty, must be the root after some commit, as a report or
// an alert gave it. Checkpoints are not part of the chain: what they say is of no use once a walk has ended.
func (l *Ledger) Verify(ctx context.Context, root string) (Verification, error) {
	// One transaction: a run that is writing must not change what is compared with what.
	tx, err := l.read.BeginTx(ctx, l.snapshot())
	if err != nil {
		return Verification{}, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	v := verifier{tx: tx, parts: map[int64]parts{}, totals: map[totalKey]*Total{}}
	err = v.all(ctx, root)
	if problem, ok := errors.AsType[problem](err); ok {
		v.result.Problem = string(problem)
		return v.result, nil
	}
	return v.result, err
}

// problem is something that does not hold; any other error means that it could not be looked at.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }

// verifier is one Verify.
type verifier struct {
	tx     *sql.Tx
	result Verification
	heads  []commitHead
	parts  map[int64]parts // by commit, from the rows
	walks  walks
	totals map[totalKey]*Total
}

type totalKey struct{ source, currency string }

// commitHead is a commit as it is stored.
type commitHead struct {
	seq, run     int64
	kind, counts string
	digest, root []byte
}

func (v *verifier) all(ctx context.Context, root string) error {
	if err := v.readHeads(ctx); err != nil {
		return err
	}
	if err := v.readWalks(ctx); err != nil {
		return err
	}
	for _, t := range tables() {
		if err := v.rows(ctx, t); err != nil {
			return err
		}
	}
	if err := v.walks.end(); err != nil {
		return err
	}
	v.result.Walks = v.walks.checked
	v.result.Totals = slices.SortedFunc(func(yield func(Total) bool) {
		for _, t := range v.totals {
			if !yield(*t) {
				return
			}
		}
	}, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Currency.Code(), b.Currency.Code()))
	})
	return v.chain(root)
}

func (v *verifier) readHeads(ctx context.Context) error {
	rows, err := v.tx.QueryContext(ctx, `SELECT seq, run_id, kind, counts, digest, root FROM commits ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read commits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var c commitHead
		if err := rows.Scan(&c.seq, &c.run, &c.kind, &c.counts, &c.digest, &c.root); err != nil {
			return fmt.Errorf("read commits: %w", err)
		}
		v.heads = append(v.heads, c)
	}
	return rows.Err()
}

// rows computes the hashes of one table again and adds them to the digests of their commits.
func (v *verifier) rows(ctx context.Context, t table) error {
	query := "SELECT id, commit_seq, hash, " + strings.Join(t.columns, ", ")
	if t.closes {
		query += ", closed_seq"
	}
	rows, err := v.tx.QueryContext(ctx, query+" FROM "+t.name+" ORDER BY id")
	if err != nil {
		return fmt.Errorf("read %s: %w", t.name, err)
	}
	defer rows.Close()
	r := row{table: t, values: make([]any, len(t.columns))}
	dest := []any{&r.id, &r.seq, &r.hash}
	for i := range r.values {
		dest = append(dest, &r.values[i])
	}
	if t.closes {
		dest = append(dest, &r.closed)
	}
	h := sha256.New()
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("read %s: %w", t.name, err)
		}
		v.result.Rows++
		if !bytes.Equal(r.hash, rowHash(h, t, r.seq, r.id, r.values)) {
			return problemf("%s: its id and columns do not give its hash", r)
		}
		v.part(r.seq).add(t.name, r.hash)
		if r.closed != nil {
			v.part(*r.closed).add(t.name+closedPart, closeHash(h, t, *r.closed, r.id))
		}
		if err := v.meaning(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (v *verifier) part(seq int64) parts {
	if v.parts[seq] == nil {
		v.parts[seq] = parts{}
	}
	return v.parts[seq]
}

// row is a chained row as it is stored.
type row struct {
	table   table
	id, seq int64
	hash    []byte
	values  []any // in the order of the table's columns
	closed  *int64
}

// String names a row by its table, its id and its first columns, which are its key.
func (r row) String() string {
	var words []string
	for i, column := range r.table.columns[:min(3, len(r.table.columns))] {
		words = append(words, fmt.Sprintf("%s %v", column, r.values[i]))
	}
	return fmt.Sprintf("%s row %d (%s)", r.table.name, r.id, strings.Join(words, ", "))
}

func (r row) value(column string) any { return r.values[slices.Index(r.table.columns, column)] }

// text is a column of text; empty where it holds something else, which its hash has refused already.
func (r row) text(column string) string {
	s, _ := r.value(column).(string)
	return s
}

// meaning computes again what a row says of itself beyond its hash, and adds it to what is summed.
func (v *verifier) meaning(r row) error {
	switch r.table.name {
	case "records":
		sum := sha256.Sum256([]byte(r.text("payload")))
		if sha, _ := r.value("sha").([]byte); !bytes.Equal(sha, sum[:]) {
			return problemf("%s: its payload does not give its sha", r)
		}
		return v.walks.record(r, v.kindOf(r.seq))
	case "entries":
		return v.sum(r)
	case "findings":
		f := schema.Finding{
			Code: schema.FindingCode(r.text("code")), Reason: r.text("reason"), Source: r.text("source"), CardID: r.text("card_id"), Subject: r.text("subject"),
		}
		if start, ok := r.value("window_start").(int64); ok {
			f.WindowStart = instant(&start)
		}
		if f.ID() != r.text("finding_id") {
			return problemf("%s: its columns give the id %s", r, f.ID())
		}
	}
	return nil
}

// kindOf is the run and the kind of a commit.
func (v *verifier) kindOf(seq int64) commitHead {
	if seq < 1 || seq > int64(len(v.heads)) {
		return commitHead{} // chain says what is wrong
	}
	return v.heads[seq-1]
}

// sum adds a current entry to the control totals.
func (v *verifier) sum(r row) error {
	if r.closed != nil {
		return nil
	}
	key := totalKey{r.text("source"), r.text("currency")}
	t := v.totals[key]
	if t == nil {
		currency, err := money.Lookup(key.currency)
		if err != nil {
			return problemf("%s: %v", r, err)
		}
		t = &Total{Source: key.source, Currency: currency, Counted: new(big.Int)}
		v.totals[key] = t
	}
	t.Entries++
	if minor, ok := r.value("amount_minor").(int64); ok && schema.Status(r.text("status")).Counted() {
		t.Counted.Add(t.Counted, big.NewInt(minor))
	}
	return nil
}

// chain computes the commits again, in order.
func (v *verifier) chain(root string) error {
	var prev []byte
	runs := map[int64]bool{}
	found := root == ""
	for _, c := range v.heads {
		v.result.Commits++
		runs[c.run] = true
		if c.seq != v.result.Commits {
			return problemf("commit %d is missing", v.result.Commits)
		}
		digest, counts := v.parts[c.seq].sum()
		delete(v.parts, c.seq)
		switch {
		case counts != c.counts:
			return problemf("commit %d of run %d: it stored %q, but there is %q: rows were removed, added or closed", c.seq, c.run, c.counts, counts)
		case !bytes.Equal(digest, c.digest):
			return problemf("commit %d of run %d: its rows do not give its digest", c.seq, c.run)
		case !bytes.Equal(rootOf(prev, c.seq, c.run, c.kind, c.counts, c.digest), c.root):
			return problemf("commit %d of run %d: it does not continue the chain", c.seq, c.run)
		}
		prev = c.root
		found = found || strings.EqualFold(root, hex.EncodeToString(c.root))
	}
	for _, seq := range slices.Sorted(maps.Keys(v.parts)) {
		_, counts := v.parts[seq].sum()
		return problemf("commit %d is not in the chain, but rows name it (%s): they were added, or the end of the chain was cut off", seq, counts)
	}
	v.result.Runs, v.result.Root = int64(len(runs)), hex.EncodeToString(prev)
	if !found {
		return problemf("root %s is not one of this chain: its end was cut off, or it belongs to another ledger", root)
	}
	return nil
}
