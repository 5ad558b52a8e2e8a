package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/tieout/tieout/schema/money"
)

// table is a chained table: its rows are hashed over its columns, in this order.
type table struct {
	name    string
	columns []string
	closes  bool // rows have closed_seq
}

// The chained tables, in the order in which a commit's digest takes them.
func tables() []table {
	return []table{
		{name: "run_events", columns: []string{"run_id", "kind", "status", "started_at", "finished_at", "period_from", "period_to", "whole", "zone", "version", "parameters", "error"}},
		{name: "records", columns: []string{"source", "stream", "identity", "category", "received_at", "payload", "sha"}},
		{name: "entries", columns: entryColumns(), closes: true},
		{name: "absences", columns: []string{"source", "external_id", "last_read", "noticed_at", "window_from", "window_to"}, closes: true},
		{name: "links", columns: []string{"source", "from_id", "to_id", "basis"}},
		{name: "observations", columns: []string{"source", "provider", "card_id", "alt_id", "stream", "observed_at", "name", "last4", "type", "status", "currency", "budget_id", "created_at", "closed_at", "figures"}},
		{name: "cards", columns: []string{"source", "card_id", "provider", "alt_id", "name", "last4", "type", "status", "currency", "budget_id", "created_at", "closed_at"}, closes: true},
		{name: "budgets", columns: []string{"source", "budget_id", "alt_id", "name", "zone", "start_date", "end_date", "recurs", "observed_at"}},
		{name: "rejects", columns: []string{"source", "provider", "stream", "identity", "external_id", "field", "reason", "page", "received_at", "payload"}, closes: true},
		{name: "notes", columns: []string{"source", "stream", "external_id", "code", "field", "detail"}, closes: true},
		{name: "known", columns: []string{"source", "mapping", "occurred_from", "occurred_to", "items"}},
		{name: "completeness", columns: []string{"source", "stream", "scope", "window_from", "window_to", "verdict", "pages", "requests", "records", "total", "rejected", "duplicates", "retries", "restarts", "first_id", "last_id", "sha256", "reason", "recorded_at"}},
		{name: "fundings", columns: []string{"funding_id", "reference", "amount_minor", "currency", "sent_at", "date_only", "sent_text", "card_id", "source", "note", "file", "line"}},
		{name: "funding_events", columns: []string{"file", "funding_id", "present"}},
		{name: "findings", columns: findingColumns(), closes: true},
		{name: "sightings", columns: []string{"finding_id"}},
		{name: "finding_events", columns: eventColumns()},
		{name: "matches", columns: []string{"finding_id", "source", "reference", "entry_id", "confirmed", "author", "decided_at", "note"}},
	}
}

func tableNamed(name string) table {
	for _, t := range tables() {
		if t.name == name {
			return t
		}
	}
	return table{name: name} // cannot happen: callers name tables of the list
}

// rowHash is SHA-256 over the text of a row.
func rowHash(h hash.Hash, t table, seq, id int64, values []any) []byte {
	h.Reset()
	h.Write(appendRow(nil, t, seq, id, values))
	return h.Sum(nil)
}

// appendRow appends the text that is hashed of a row: the table's name, the commit, the row's id and the columns, each with
// its kind and length, so that no two rows have the same. What is no row of a table has the id 0.
func appendRow(b []byte, t table, seq, id int64, values []any) []byte {
	b = append(b, t.name...)
	b = binary.BigEndian.AppendUint64(append(b, 0), uint64(seq))
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
		case string:
			b = binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(v)))
			b = append(b, v...)
		case []byte:
			b = binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v)))
			b = append(b, v...)
		default:
			b = append(b, fmt.Sprintf("?%T", v)...) // a kind that no column has: it can agree with nothing
		}
	}
	return b
}

// closeHash is what the closing of a row adds to its commit's digest.
func closeHash(h hash.Hash, t table, seq, id int64) []byte {
	return rowHash(h, table{name: t.name + closedPart}, seq, id, nil)
}

// tx is one writing transaction, which becomes one commit of the chain.
type tx struct {
	*sqlx.Tx
	seq    int64
	prev   []byte
	sum    hash.Hash // for single rows
	text   []byte    // of the row that is hashed
	values []any     // of that row
	digest parts
	last   map[string]int64 // the highest id of a table that this transaction inserted into

	changed  []string                 // ids of which something was stored or closed
	standing map[string]standingEntry // the entries that stood of the group's ids, before it

	prepared map[string]*sql.Stmt // by their text
	first    *firstLoad           // nil: all indexes are there
	server   *sqlx.Conn           // that of the transaction in PostgreSQL; nil: SQLite
	run      int64                // of the commit
}

// Statements are bounded in parameters: SQLite takes 32,766, and long statements gain nothing.
const (
	maxParameters = 900
	maxIDs        = 500
)

// insert stores rows, each with the table's columns. It numbers them itself: a row's id is part of its hash.
func (t *tx) insert(ctx context.Context, name string, rows [][]any) error {
	return t.insertEach(ctx, name, slices.Values(rows))
}

// insertEach is insert of rows that are made one after the other. A row is not kept: the next may be in its place.
func (t *tx) insertEach(ctx context.Context, name string, rows iter.Seq[[]any]) error {
	into := tableNamed(name)
	width := len(into.columns) + 3
	most := maxParameters / width
	if t.server != nil {
		most = maxCopied
	}
	var args []any
	n := 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		if err := t.insertSome(ctx, into, n, args); err != nil {
			return fmt.Errorf("insert into %s: %w", name, err)
		}
		args, n = args[:0], 0
		return nil
	}
	for row := range rows {
		if err := t.number(ctx, name); err != nil {
			return err
		}
		t.text = appendRow(t.text[:0], into, t.seq, t.last[name], row)
		sum := sha256.Sum256(t.text)
		t.digest.add(name, sum[:])
		args = append(append(args, t.last[name], t.seq, sum[:]), row...)
		if n++; n == most {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// number gives the next row of a table its id.
func (t *tx) number(ctx context.Context, name string) error {
	if _, ok := t.last[name]; !ok {
		var last int64
		if err := t.GetContext(ctx, &last, `SELECT COALESCE(MAX(id), 0) FROM `+name); err != nil {
			return fmt.Errorf("number rows of %s: %w", name, err)
		}
		t.last[name] = last
	}
	t.last[name]++
	return nil
}

func (t *tx) insertSome(ctx context.Context, into table, n int, args []any) error {
	if t.server != nil && n > fewRows {
		return t.copySome(ctx, into, args)
	}
	mark := "(?" + strings.Repeat(", ?", len(into.columns)+2) + ")"
	query := "INSERT INTO " + into.name + " (id, commit_seq, hash, " + strings.Join(into.columns, ", ") + ") VALUES " + mark + strings.Repeat(", "+mark, n-1)
	s, err := t.statement(ctx, query) //nolint:sqlclosecheck // closed with the transaction
	if err == nil {
		_, err = s.ExecContext(ctx, args...)
	}
	return err
}

// statement prepares each statement once for the transaction: parsing one that has many parameters takes longer than doing it.
func (t *tx) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.prepared[query]; s != nil {
		return s, nil
	}
	s, err := t.PrepareContext(ctx, t.Rebind(query))
	if err == nil {
		t.prepared[query] = s
	}
	return s, err
}

// each runs a query whose last placeholder is a list, in chunks, and hands each row to a function.
func each[ID any](ctx context.Context, t *tx, ids []ID, query string, row func(scanner) error, args ...any) error {
	for chunk := range slices.Chunk(ids, maxIDs) {
		all := slices.Clone(args)
		for _, id := range chunk {
			all = append(all, id)
		}
		s, err := t.statement(ctx, strings.Replace(query, "(?)", "(?"+strings.Repeat(", ?", len(chunk)-1)+")", 1))
		if err != nil {
			return err
		}
		if err := eachRow(ctx, s, all, row); err != nil {
			return err
		}
	}
	return nil
}

func eachRow(ctx context.Context, s *sql.Stmt, args []any, row func(scanner) error) error {
	rows, err := s.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// close marks rows as replaced by this commit. ids must be in ascending order.
func (t *tx) close(ctx context.Context, name string, ids []int64) error {
	from := tableNamed(name)
	for _, id := range ids {
		t.digest.add(name+closedPart, closeHash(t.sum, from, t.seq, id))
	}
	for len(ids) > 0 {
		n := min(len(ids), maxIDs)
		query, args, err := sqlx.In("UPDATE "+name+" SET closed_seq = ? WHERE id IN (?)", t.seq, ids[:n])
		if err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, t.Rebind(query), args...); err != nil {
			return fmt.Errorf("close rows of %s: %w", name, err)
		}
		ids = ids[n:]
	}
	return nil
}

// selectIn runs a query whose last placeholder is a list, in chunks.
func selectIn[T, ID any](ctx context.Context, q sqlx.QueryerContext, rebind func(string) string, ids []ID, query string, args ...any) ([]T, error) {
	var all []T
	for len(ids) > 0 {
		n := min(len(ids), maxIDs)
		text, list, err := sqlx.In(query, append(append([]any{}, args...), ids[:n])...)
		if err != nil {
			return nil, err
		}
		var some []T
		if err := sqlx.SelectContext(ctx, q, &some, rebind(text), list...); err != nil {
			return nil, err
		}
		all = append(all, some...)
		ids = ids[n:]
	}
	return all, nil
}

// selectSome is selectIn of a table in which often nothing is like that, whatever the ids: then none is looked up.
func selectSome[T any](ctx context.Context, t *tx, ids []string, columns, from, in string, args ...any) ([]T, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var some bool
	if err := t.GetContext(ctx, &some, t.Rebind(`SELECT EXISTS (SELECT 1 `+from+`)`), args...); err != nil || !some {
		return nil, err
	}
	return selectIn[T](ctx, t, t.Rebind, ids, columns+" "+from+" "+in, args...)
}

// commit runs a function in a transaction and appends what it stored to the chain. Either all of it happens or nothing.
func (l *Ledger) commit(ctx context.Context, run int64, kind string, do func(*tx) error) (err error) {
	if l.write == nil {
		return fmt.Errorf("%s: the ledger is open for reading only", kind)
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.goOn(ctx); err != nil {
		return fmt.Errorf("begin %s: %w", kind, err)
	}
	conn, err := l.write.Connx(ctx)
	if err != nil {
		return fmt.Errorf("begin %s: %w", kind, explain(l.path, err))
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	inner, err := conn.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin %s: %w", kind, explain(l.path, err))
	}
	t := &tx{Tx: inner, sum: sha256.New(), digest: parts{}, last: map[string]int64{}, prepared: map[string]*sql.Stmt{}, first: l.first, run: run}
	defer func() {
		if err != nil {
			_ = inner.Rollback() // the error that led here says more
			if t.first != nil {
				t.first.over = true // it knows rows that are not there
			}
		}
		err = explain(l.path, err)
	}()
	last := struct {
		Seq  int64
		Root []byte
	}{}
	var heads []struct {
		Seq  int64
		Root []byte
	}
	if l.postgres {
		t.server = conn
	}
	if err = t.alone(ctx, l.postgres); err != nil {
		return fmt.Errorf("begin %s: %w", kind, err)
	}
	if err = t.SelectContext(ctx, &heads, `SELECT seq, root FROM commits ORDER BY seq DESC LIMIT 1`); err != nil {
		return fmt.Errorf("read chain: %w", err)
	}
	if len(heads) > 0 {
		last = heads[0]
	}
	t.seq, t.prev = last.Seq+1, last.Root
	if err = do(t); err != nil {
		return err
	}
	digest, counts := t.digest.sum()
	root := rootOf(t.prev, t.seq, t.run, kind, counts, digest)
	if _, err = t.ExecContext(ctx, t.Rebind(`INSERT INTO commits (seq, run_id, kind, counts, digest, root) VALUES (?, ?, ?, ?, ?, ?)`),
		t.seq, t.run, kind, counts, digest, root); err != nil {
		return fmt.Errorf("append to chain: %w", err)
	}
	if err = inner.Commit(); err != nil {
		return fmt.Errorf("commit %s: %w", kind, err)
	}
	return nil
}

// closedPart is what the name of a table ends in where the rows are meant that a commit replaced.
const closedPart = "/closed"

// part is a running hash over the row hashes of one table in one commit, in the order of their ids.
type part struct {
	rows int64
	hash hash.Hash
}

// parts are those of one commit, by the name of the table.
type parts map[string]*part

func (p parts) add(name string, row []byte) {
	if p[name] == nil {
		p[name] = &part{hash: sha256.New()}
	}
	p[name].rows++
	p[name].hash.Write(row)
}

// sum is the digest of the commit, with the numbers of rows in words.
func (p parts) sum() (digest []byte, counts string) {
	var words []string
	var sums []any
	for _, t := range tables() {
		for _, name := range []string{t.name, t.name + closedPart} {
			if one := p[name]; one != nil {
				words = append(words, fmt.Sprintf("%s:%d", name, one.rows))
				sums = append(sums, one.hash.Sum(nil))
			}
		}
	}
	counts = strings.Join(words, " ")
	return rowHash(sha256.New(), table{name: counts}, 0, 0, sums), counts
}

// rootOf links a commit to the chain before it.
func rootOf(prev []byte, seq, run int64, kind, counts string, digest []byte) []byte {
	return rowHash(sha256.New(), table{name: "commits"}, seq, 0, []any{prev, run, kind, counts, digest})
}

// micros is an instant as it is stored; nil for the zero instant.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// instant is the reverse of micros.
func instant(v *int64) time.Time {
	if v == nil {
		return time.Time{}
	}
	return time.UnixMicro(*v).UTC()
}

// minor is an amount's minor units; nil for the unknown amount.
func minor(a money.Amount) any {
	if !a.Known() {
		return nil
	}
	return a.Minor()
}

// amount is the reverse of minor.
func amount(v *int64, code string) (money.Amount, error) {
	if v == nil {
		return money.Amount{}, nil
	}
	currency, err := money.Lookup(code)
	if err != nil {
		return money.Amount{}, err
	}
	return money.FromMinor(*v, currency), nil
}

// text is a string as it is stored. PostgreSQL has no U+0000 in text and nothing that is no UTF-8, so neither engine is given it.
func text(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) { // which is much faster than the next
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}
