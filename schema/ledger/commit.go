package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

// Group is what one transaction stores: the records of some pages of one stream, what they became, and how far the walk
// has come. Either all of it is stored or none.
type Group struct {
	Run          int64
	Source       string
	Provider     schema.Provider
	Stream       schema.Stream
	Records      []schema.Record // evidence, as received after redaction
	Batch        schema.Batch
	Absent       []schema.Absence       // entries that a walk over their window no longer met; those that are absent already are left alone
	ByID         bool                   // the records were asked for by id, so they are not part of a walk over a window
	Mapping      string                 // what normalized the records, see Known; empty: nothing is to be known of them
	Completeness *schema.Completeness   // what the walk over a window came to; nil while it goes on
	Checkpoint   *Checkpoint            // where the walk goes on; with nil and a Completeness the walk has ended
	Beside       func(Tx, Counts) error // what else happens in the transaction, of a ledger in PostgreSQL; nil: nothing
}

// Counts says what a commit did to entries. Vanished are those that became absent with it.
type Counts struct{ New, Changed, Unchanged, Rejected, Vanished int64 }

// The kinds of commits that store what was read.
const (
	readCommit  = "read"  // pages of a walk over a window
	fetchCommit = "fetch" // records asked for by id
)

// Commit stores a group in one transaction.
//
// A record whose payload is the one stored last for its identity is not stored again. An entry becomes a new version when
// its own content or its links changed; Counts says what its own content did. A reject or note that still stands is left
// alone, one that no longer does is closed.
func (l *Ledger) Commit(ctx context.Context, g Group) (Counts, error) {
	var counts Counts
	kind := readCommit
	if g.ByID {
		kind = fetchCommit
	}
	err := l.commit(ctx, g.Run, kind, func(t *tx) error {
		counts = Counts{Rejected: int64(len(g.Batch.Rejects))}
		ids, sums := identities(g.Records), payloadSums(g.Records)
		for _, step := range []func() error{
			func() error { return t.records(ctx, g, ids, sums) },
			func() error { return t.observations(ctx, g.Batch.Observations) },
			func() error { return t.budgets(ctx, g.Batch.Budgets) },
			func() error { return t.entries(ctx, g, &counts) },
			func() error { return t.absences(ctx, g, ids, &counts) },
			func() error { return t.rejects(ctx, g, ids) },
			func() error { return t.notes(ctx, g, ids) },
			func() error { return t.know(ctx, g, sums) },
			func() error { return t.walk(ctx, g) },
			func() error { return t.besideOf(g, counts) },
		} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Counts{}, fmt.Errorf("store %s (%s): %w", g.Stream, g.Source, err)
	}
	return counts, nil
}

func (t *tx) besideOf(g Group, counts Counts) error {
	if g.Beside == nil {
		return nil
	}
	return t.beside(func(outer Tx) error { return g.Beside(outer, counts) })
}

// identity is the provider's id or, where a record has none, a hash of its payload.
func identity(externalID string, payload []byte) string {
	if externalID != "" {
		return text(externalID)
	}
	sum := sha256.Sum256(payload)
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// identities lists the distinct identities of a group's records, sorted.
func identities(records []schema.Record) []string {
	ids := make([]string, 0, len(records))
	for _, r := range records {
		ids = append(ids, identity(r.ExternalID, r.Payload))
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func payloadSums(records []schema.Record) [][sha256.Size]byte {
	sums := make([][sha256.Size]byte, len(records))
	for i := range records {
		sums[i] = sha256.Sum256(records[i].Payload)
	}
	return sums
}

// records stores the evidence that is new.
func (t *tx) records(ctx context.Context, g Group, ids []string, sums [][sha256.Size]byte) error {
	last, err := t.heads(ctx, g.Source, g.Stream, ids)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	var stored []string
	err = t.insertEach(ctx, "records", func(yield func([]any) bool) {
		var values []any
		for i := range g.Records {
			r := &g.Records[i]
			id, sum := identity(r.ExternalID, r.Payload), sums[i]
			if last[id] == sum {
				continue
			}
			last[id] = sum
			stored = append(stored, id)
			values = append(values[:0], g.Source, string(g.Stream), id, text(r.Category), micros(r.ReceivedAt), text(string(r.Payload)), sum[:])
			if !yield(values) {
				return
			}
		}
	})
	t.changed = append(t.changed, stored...)
	if err != nil || t.first == nil {
		return err
	}
	for i, id := range stored {
		t.first.tookRecord(g.Source, g.Stream, id, t.last["records"]-int64(len(stored)-1-i))
	}
	return nil
}

// heads finds the sha of the record that is stored last of each identity. ids must be sorted.
func (t *tx) heads(ctx context.Context, source string, stream schema.Stream, ids []string) (map[string][sha256.Size]byte, error) {
	const query = `SELECT identity, sha FROM records WHERE source = ? AND stream = ? AND `
	last := make(map[string][sha256.Size]byte, len(ids))
	take := func(s scanner) error {
		var id string
		var sha sql.RawBytes
		err := s.Scan(&id, &sha)
		if err == nil {
			last[id] = [sha256.Size]byte(sha) // the later one stays
		}
		return err
	}
	if t.first != nil {
		rows := t.first.records(source, stream, ids)
		if err := each(ctx, t, rows, query+`id IN (?)`, take, source, string(stream)); err != nil || t.first.found(len(rows), ids, maps.Keys(last)) {
			return last, err
		}
		clear(last)
	}
	return last, each(ctx, t, ids, query+`identity IN (?) ORDER BY identity, id`, take, source, string(stream))
}

// rejects closes those that no longer stand and stores those that are new.
func (t *tx) rejects(ctx context.Context, g Group, ids []string) error {
	type standing struct {
		ID       int64  `db:"id"`
		Identity string `db:"identity"`
		Field    string `db:"field"`
		Reason   string `db:"reason"`
		Payload  string `db:"payload"`
	}
	current, err := selectSome[standing](ctx, t, ids, `SELECT id, identity, field, reason, payload`,
		`FROM rejects WHERE closed_seq IS NULL AND source = ? AND stream = ?`, `AND identity IN (?) ORDER BY id`, g.Source, string(g.Stream))
	if err != nil {
		return fmt.Errorf("read rejects: %w", err)
	}
	if len(current) == 0 && len(g.Batch.Rejects) == 0 {
		return nil
	}
	// A record read twice in one group counts as it was read last, and that may have been one that could be mapped.
	payloads := map[string]string{}
	for _, r := range g.Records {
		payloads[identity(r.ExternalID, r.Payload)] = string(r.Payload)
	}
	latest := map[string]schema.Reject{}
	for _, r := range g.Batch.Rejects {
		if id := identity(r.ExternalID, r.Payload); payloads[id] == string(r.Payload) {
			latest[id] = r
		}
	}
	var closed []int64
	for _, s := range current {
		r, ok := latest[s.Identity]
		if ok && text(r.Field) == s.Field && text(r.Reason) == s.Reason && text(string(r.Payload)) == s.Payload {
			delete(latest, s.Identity)
			continue
		}
		closed = append(closed, s.ID)
	}
	slices.Sort(closed)
	if err := t.close(ctx, "rejects", closed); err != nil {
		return err
	}
	var rows [][]any
	for _, r := range g.Batch.Rejects {
		id := identity(r.ExternalID, r.Payload)
		if _, ok := latest[id]; !ok {
			continue
		}
		r = latest[id]
		delete(latest, id)
		t.changed = append(t.changed, id)
		rows = append(rows, []any{
			g.Source, string(g.Provider), string(g.Stream), id, text(r.ExternalID), text(r.Field), text(r.Reason),
			r.Page, micros(r.ReceivedAt), text(string(r.Payload)),
		})
	}
	return t.insert(ctx, "rejects", rows)
}

// notes replaces the notes of the group's records where they changed.
func (t *tx) notes(ctx context.Context, g Group, ids []string) error {
	type note struct {
		ID         int64  `db:"id"`
		ExternalID string `db:"external_id"`
		Code       string `db:"code"`
		Field      string `db:"field"`
		Detail     string `db:"detail"`
	}
	current, err := selectSome[note](ctx, t, ids, `SELECT id, external_id, code, field, detail`,
		`FROM notes WHERE closed_seq IS NULL AND source = ? AND stream = ?`, `AND external_id IN (?) ORDER BY id`, g.Source, string(g.Stream))
	if err != nil {
		return fmt.Errorf("read notes: %w", err)
	}
	wanted := map[note]bool{}
	var order []note
	for _, n := range g.Batch.Notes {
		w := note{ExternalID: text(n.ExternalID), Code: string(n.Code), Field: text(n.Field), Detail: text(n.Detail)}
		if !wanted[w] {
			wanted[w] = true
			order = append(order, w)
		}
	}
	var closed []int64
	for _, n := range current {
		id := n.ID
		n.ID = 0
		if wanted[n] {
			delete(wanted, n)
			continue
		}
		closed = append(closed, id)
		t.changed = append(t.changed, n.ExternalID)
	}
	if err := t.close(ctx, "notes", closed); err != nil {
		return err
	}
	var rows [][]any
	for _, n := range order {
		if wanted[n] {
			t.changed = append(t.changed, n.ExternalID)
			rows = append(rows, []any{g.Source, string(g.Stream), n.ExternalID, n.Code, n.Field, n.Detail})
		}
	}
	return t.insert(ctx, "notes", rows)
}

// Checkpoint is how far the walk over one window has come. It outlives a killed run.
type Checkpoint struct {
	Source string
	Stream schema.Stream
	Window schema.Window
	Scope  schema.Scope // a walk goes on only in the scope in which it began
	Cursor string
	State  string   // the walk's counters, opaque to the ledger
	Seen   []uint64 // hashes of ids seen: Commit adds these, Checkpoint returns all of them
	Run    int64
}

// walk records what the walk over the window came to, and where it goes on.
func (t *tx) walk(ctx context.Context, g Group) error {
	if c := g.Completeness; c != nil {
		if err := t.insert(ctx, "completeness", [][]any{{
			c.Source, string(c.Stream), text(string(c.Scope)), c.Window.From.UnixMicro(), c.Window.To.UnixMicro(), string(c.Verdict), c.Pages, c.Requests, c.Records, c.Total,
			c.Rejected, c.Duplicates, c.Retries, c.Restarts, text(c.FirstID), text(c.LastID), c.SHA256, text(c.Reason), micros(c.RecordedAt),
		}}); err != nil {
			return err
		}
	}
	switch {
	case g.Checkpoint != nil:
		return t.checkpoint(ctx, *g.Checkpoint)
	case g.Completeness != nil:
		return t.dropCheckpoint(ctx, g.Completeness.Source, g.Completeness.Stream, g.Completeness.Window)
	}
	return nil
}

func (t *tx) checkpoint(ctx context.Context, c Checkpoint) error {
	key := []any{c.Source, string(c.Stream), c.Window.From.UnixMicro(), c.Window.To.UnixMicro()}
	if _, err := t.ExecContext(ctx, t.Rebind(`
		INSERT INTO checkpoints (source, stream, window_from, window_to, scope, cursor, state, run_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, stream, window_from, window_to)
		DO UPDATE SET scope = excluded.scope, cursor = excluded.cursor, state = excluded.state, run_id = excluded.run_id`),
		append(key, text(string(c.Scope)), c.Cursor, c.State, c.Run)...); err != nil {
		return fmt.Errorf("save checkpoint: %w", err)
	}
	if len(c.Seen) == 0 {
		return nil
	}
	ids := make([]byte, 0, 8*len(c.Seen))
	for _, id := range c.Seen {
		ids = binary.BigEndian.AppendUint64(ids, id)
	}
	if _, err := t.ExecContext(ctx, t.Rebind(`
		INSERT INTO checkpoint_ids (source, stream, window_from, window_to, ids) VALUES (?, ?, ?, ?, ?)`),
		append(key[:4:4], ids)...); err != nil {
		return fmt.Errorf("save checkpoint ids: %w", err)
	}
	return nil
}

func (t *tx) dropCheckpoint(ctx context.Context, source string, s schema.Stream, w schema.Window) error {
	_, err := t.ExecContext(ctx, t.Rebind(`DELETE FROM checkpoints WHERE source = ? AND stream = ? AND window_from = ? AND window_to = ?`),
		source, string(s), w.From.UnixMicro(), w.To.UnixMicro())
	if err != nil {
		return fmt.Errorf("drop checkpoint: %w", err)
	}
	return nil
}

// DropCheckpoint forgets how far a walk has come: the window begins again.
func (l *Ledger) DropCheckpoint(ctx context.Context, source string, s schema.Stream, w schema.Window) error {
	if l.write == nil {
		return fmt.Errorf("drop checkpoint: the ledger is open for reading only")
	}
	inner, err := l.write.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("drop checkpoint: %w", err)
	}
	if err := (&tx{Tx: inner}).dropCheckpoint(ctx, source, s, w); err != nil {
		_ = inner.Rollback() // the error that led here says more
		return err
	}
	return inner.Commit()
}

type checkpointRow struct {
	Source     string `db:"source"`
	Stream     string `db:"stream"`
	WindowFrom int64  `db:"window_from"`
	WindowTo   int64  `db:"window_to"`
	Scope      string `db:"scope"`
	Cursor     string `db:"cursor"`
	State      string `db:"state"`
	RunID      int64  `db:"run_id"`
}

func (r checkpointRow) checkpoint() Checkpoint {
	return Checkpoint{
		Source: r.Source, Stream: schema.Stream(r.Stream), Window: schema.Window{From: instant(&r.WindowFrom), To: instant(&r.WindowTo)},
		Scope: schema.Scope(r.Scope), Cursor: r.Cursor, State: r.State, Run: r.RunID,
	}
}

// Checkpoint finds where the walk over a window stands, with all ids seen; false when there is none.
func (l *Ledger) Checkpoint(ctx context.Context, source string, s schema.Stream, w schema.Window) (Checkpoint, bool, error) {
	key := []any{source, string(s), w.From.UnixMicro(), w.To.UnixMicro()}
	var rows []checkpointRow
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(`
		SELECT source, stream, window_from, window_to, scope, cursor, state, run_id FROM checkpoints
		WHERE source = ? AND stream = ? AND window_from = ? AND window_to = ?`), key...); err != nil {
		return Checkpoint{}, false, fmt.Errorf("read checkpoint (%s, %s): %w", source, w, err)
	}
	if len(rows) == 0 {
		return Checkpoint{}, false, nil
	}
	c := rows[0].checkpoint()
	var chunks [][]byte
	if err := l.read.SelectContext(ctx, &chunks, l.read.Rebind(`
		SELECT ids FROM checkpoint_ids WHERE source = ? AND stream = ? AND window_from = ? AND window_to = ? ORDER BY id`), key...); err != nil {
		return Checkpoint{}, false, fmt.Errorf("read checkpoint ids (%s, %s): %w", source, w, err)
	}
	for _, chunk := range chunks {
		for ; len(chunk) >= 8; chunk = chunk[8:] {
			c.Seen = append(c.Seen, binary.BigEndian.Uint64(chunk))
		}
	}
	return c, true, nil
}

// OpenCheckpoints lists the walks of a stream that were not finished, oldest window first, without their ids.
func (l *Ledger) OpenCheckpoints(ctx context.Context, source string, s schema.Stream) ([]Checkpoint, error) {
	var rows []checkpointRow
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(`
		SELECT source, stream, window_from, window_to, scope, cursor, state, run_id FROM checkpoints
		WHERE source = ? AND stream = ? ORDER BY window_from, window_to`), source, string(s)); err != nil {
		return nil, fmt.Errorf("read checkpoints (%s): %w", source, err)
	}
	all := make([]Checkpoint, 0, len(rows))
	for _, r := range rows {
		all = append(all, r.checkpoint())
	}
	return all, nil
}

// Coverage lists the windows of a stream that are complete in a scope, merged where they touch or overlap, oldest first.
func (l *Ledger) Coverage(ctx context.Context, source string, s schema.Stream, wanted schema.Scope) ([]schema.Window, error) {
	type row struct {
		Scope string `db:"scope"`
		From  int64  `db:"window_from"`
		To    int64  `db:"window_to"`
	}
	var rows []row
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(`
		SELECT DISTINCT scope, window_from, window_to FROM completeness
		WHERE source = ? AND stream = ? AND verdict = ? AND recorded_at <= ? ORDER BY window_from, window_to`),
		source, string(s), string(schema.VerdictComplete), schema.Believable(l.now()).UnixMicro()); err != nil {
		return nil, fmt.Errorf("read coverage (%s): %w", source, err)
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !schema.Scope(r.Scope).Covers(wanted) })
	var merged []schema.Window
	for _, r := range rows {
		w := schema.Window{From: instant(&r.From), To: instant(&r.To)}
		if n := len(merged); n > 0 && !w.From.After(merged[n-1].To) {
			if w.To.After(merged[n-1].To) {
				merged[n-1].To = w.To
			}
			continue
		}
		merged = append(merged, w)
	}
	return merged, nil
}

// Watermark is the end of the latest complete window that a sync (not a backfill) read of a stream in a scope; zero: none.
func (l *Ledger) Watermark(ctx context.Context, source string, s schema.Stream, wanted schema.Scope) (time.Time, error) {
	type row struct {
		Scope string `db:"scope"`
		To    int64  `db:"window_to"`
	}
	var rows []row
	err := l.read.SelectContext(ctx, &rows, l.read.Rebind(`
		SELECT w.scope, MAX(w.window_to) AS window_to FROM completeness w
		JOIN commits c ON c.seq = w.commit_seq
		JOIN run_events e ON e.run_id = c.run_id
		WHERE w.source = ? AND w.stream = ? AND w.verdict = ? AND e.kind = ? AND w.recorded_at <= ?
		GROUP BY w.scope`), source, string(s), string(schema.VerdictComplete), string(schema.SyncRun), schema.Believable(l.now()).UnixMicro())
	if err != nil {
		return time.Time{}, fmt.Errorf("read watermark (%s): %w", source, err)
	}
	var mark time.Time
	for _, r := range rows {
		if to := instant(&r.To); schema.Scope(r.Scope).Covers(wanted) && to.After(mark) {
			mark = to
		}
	}
	return mark, nil
}

// figures is what an observation says in amounts, as it is stored.
type figures struct {
	Limits    []limitText  `json:"limits,omitempty"`
	NoLimit   bool         `json:"no_limit,omitempty"`
	Figures   []figureText `json:"figures,omitempty"`
	NextReset *int64       `json:"next_reset,omitempty"`
}

type limitText struct {
	Window   string `json:"window"`
	Minor    *int64 `json:"minor"`
	Currency string `json:"currency,omitempty"`
	Zone     string `json:"zone,omitempty"`
	Start    string `json:"start,omitempty"`
	Word     string `json:"word,omitempty"`
}

type figureText struct {
	Name      string `json:"name"`
	Raw       string `json:"raw"`
	Minor     *int64 `json:"minor"`
	Currency  string `json:"currency,omitempty"`
	Ambiguous bool   `json:"ambiguous,omitempty"`
	Problem   string `json:"problem,omitempty"`
}

func encodeFigures(o schema.Observation) (string, error) {
	f := figures{NoLimit: o.NoLimit}
	if !o.NextReset.IsZero() {
		at := o.NextReset.UnixMicro()
		f.NextReset = &at
	}
	for _, l := range o.Limits {
		t := limitText{Window: string(l.Window), Currency: l.Amount.Currency().Code(), Zone: l.Zone, Start: l.StartDate, Word: l.Word}
		if l.Amount.Known() {
			n := l.Amount.Minor()
			t.Minor = &n
		}
		f.Limits = append(f.Limits, t)
	}
	for _, g := range o.Figures {
		t := figureText{Name: string(g.Name), Raw: g.Raw, Currency: g.Amount.Currency().Code(), Ambiguous: g.Ambiguous, Problem: g.Problem}
		if g.Amount.Known() {
			n := g.Amount.Minor()
			t.Minor = &n
		}
		f.Figures = append(f.Figures, t)
	}
	data, err := json.Marshal(f)
	return text(string(data)), err
}

func decodeFigures(data string, o *schema.Observation) error {
	var f figures
	if err := json.Unmarshal([]byte(data), &f); err != nil {
		return err
	}
	o.NoLimit, o.NextReset = f.NoLimit, instant(f.NextReset)
	for _, l := range f.Limits {
		a, err := amount(l.Minor, l.Currency)
		if err != nil {
			return err
		}
		o.Limits = append(o.Limits, schema.Limit{Window: schema.LimitWindow(l.Window), Amount: a, Zone: l.Zone, StartDate: l.Start, Word: l.Word})
	}
	for _, g := range f.Figures {
		a, err := amount(g.Minor, g.Currency)
		if err != nil {
			return err
		}
		o.Figures = append(o.Figures, schema.Figure{Name: schema.FigureName(g.Name), Raw: g.Raw, Amount: a, Ambiguous: g.Ambiguous, Problem: g.Problem})
	}
	return nil
}
