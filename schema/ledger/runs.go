package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tieout/tieout/schema"
)

type runRow struct {
	RunID      int64  `db:"run_id"`
	Kind       string `db:"kind"`
	Status     string `db:"status"`
	StartedAt  int64  `db:"started_at"`
	FinishedAt *int64 `db:"finished_at"`
	PeriodFrom *int64 `db:"period_from"`
	PeriodTo   *int64 `db:"period_to"`
	Whole      bool   `db:"whole"`
	Zone       string `db:"zone"`
	Version    string `db:"version"`
	Parameters string `db:"parameters"`
	Error      string `db:"error"`
	Root       []byte `db:"root"`
}

func (r runRow) run() schema.Run {
	return schema.Run{
		ID: r.RunID, Kind: schema.RunKind(r.Kind), Status: schema.RunStatus(r.Status), StartedAt: instant(&r.StartedAt),
		FinishedAt: instant(r.FinishedAt), Period: schema.Window{From: instant(r.PeriodFrom), To: instant(r.PeriodTo)},
		Whole: r.Whole, Zone: r.Zone, Version: r.Version, Parameters: r.Parameters, Error: r.Error, Root: hex.EncodeToString(r.Root),
	}
}

// latestRuns selects the latest event of each run, with the root of its last commit.
const latestRuns = `
SELECT e.run_id, e.kind, e.status, e.started_at, e.finished_at, e.period_from, e.period_to, e.whole, e.zone, e.version, e.parameters, e.error,
       (SELECT c.root FROM commits c WHERE c.run_id = e.run_id ORDER BY c.seq DESC LIMIT 1) AS root
FROM run_events e
WHERE e.id = (SELECT MAX(o.id) FROM run_events o WHERE o.run_id = e.run_id)`

func (t *tx) runEvent(ctx context.Context, r schema.Run) error {
	whole := int64(0)
	if r.Whole {
		whole = 1
	}
	return t.insert(ctx, "run_events", [][]any{{
		r.ID, string(r.Kind), string(r.Status), micros(r.StartedAt), micros(r.FinishedAt), micros(r.Period.From), micros(r.Period.To),
		whole, text(r.Zone), text(r.Version), text(r.Parameters), text(r.Error),
	}})
}

// StartRun records a run as running and gives it its ID. Runs still marked running belong to a process that died: they are
// marked interrupted first. The caller holds the
// ledger's lock; where that is shared (Config.Shared), only a run of the same kind is known to be dead.
func (l *Ledger) StartRun(ctx context.Context, r schema.Run) (schema.Run, error) {
	if l.write == nil {
		return r, fmt.Errorf("start %s: the ledger is open for reading only", r.Kind)
	}
	var dead []runRow
	if err := l.write.SelectContext(ctx, &dead, l.write.Rebind(latestRuns+` AND e.status = ? ORDER BY e.run_id`), string(schema.Running)); err != nil {
		return r, fmt.Errorf("find interrupted runs: %w", err)
	}
	for _, d := range dead {
		run := d.run()
		if l.shared && run.Kind != r.Kind {
			continue // it may be alive in another process; of one kind there is one at a time
		}
		run.Status, run.Error = schema.Interrupted, "the process ended before the run did"
		if err := l.commit(ctx, run.ID, "interrupt", func(t *tx) error { return t.runEvent(ctx, run) }); err != nil {
			return r, fmt.Errorf("mark run %d as interrupted: %w", run.ID, err)
		}
	}
	r.Status = schema.Running
	err := l.commit(ctx, 0, "start", func(t *tx) error { return t.start(ctx, &r) })
	return r, err
}

// start numbers a run and records it: no other process can begin one before this transaction has ended.
func (t *tx) start(ctx context.Context, r *schema.Run) error {
	if err := t.GetContext(ctx, &r.ID, `SELECT COALESCE(MAX(run_id), 0) + 1 FROM run_events`); err != nil {
		return fmt.Errorf("number the run: %w", err)
	}
	t.run = r.ID
	return t.runEvent(ctx, *r)
}

// QueueRun records a run whose units are left to workers, together with what brings them to these.
func (l *Ledger) QueueRun(ctx context.Context, r schema.Run, bring func(context.Context, schema.Run, Tx) error) (schema.Run, error) {
	r.Status = schema.Queued
	err := l.commit(ctx, 0, "start", func(t *tx) error {
		if err := t.start(ctx, &r); err != nil {
			return err
		}
		return t.beside(func(outer Tx) error { return bring(ctx, r, outer) })
	})
	return r, err
}

// QueuedRuns lists the runs that are left to workers and have not ended, oldest first.
func (l *Ledger) QueuedRuns(ctx context.Context) ([]schema.Run, error) {
	return l.runs(ctx, latestRuns+` AND e.status = ? ORDER BY e.run_id`, string(schema.Queued))
}

// FinishRun records how a run ended and returns it with the root of the chain after it. The first run that stored rows also
// makes their indexes.
func (l *Ledger) FinishRun(ctx context.Context, r schema.Run) (schema.Run, error) {
	if err := l.endFirstLoad(ctx); err != nil {
		return r, err
	}
	if r.FinishedAt.IsZero() {
		r.FinishedAt = l.now()
	}
	if err := l.commit(ctx, r.ID, "finish", func(t *tx) error { return t.runEvent(ctx, r) }); err != nil {
		return r, err
	}
	return l.Run(ctx, r.ID)
}

// Run finds a run; ErrNotFound.
func (l *Ledger) Run(ctx context.Context, id int64) (schema.Run, error) {
	var rows []runRow
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(latestRuns+` AND e.run_id = ?`), id); err != nil {
		return schema.Run{}, fmt.Errorf("read run %d: %w", id, err)
	}
	if len(rows) == 0 {
		return schema.Run{}, fmt.Errorf("run %d: %w", id, ErrNotFound)
	}
	return rows[0].run(), nil
}

// Runs lists runs, newest first, at most limit (0: all).
func (l *Ledger) Runs(ctx context.Context, limit int) ([]schema.Run, error) {
	query := latestRuns + ` ORDER BY e.run_id DESC`
	var args []any
	if limit > 0 {
		query += ` LIMIT ?`
		args = append(args, limit)
	}
	return l.runs(ctx, query, args...)
}

// WholeRunsSince lists the runs that can be steps of a night and began at or after an instant, newest first.
func (l *Ledger) WholeRunsSince(ctx context.Context, since time.Time) ([]schema.Run, error) {
	return l.runs(ctx, latestRuns+` AND e.whole = 1 AND e.kind IN (?, ?, ?) AND e.started_at >= ? ORDER BY e.run_id DESC`,
		string(schema.SyncRun), string(schema.ReconcileRun), string(schema.ReportRun), since.UnixMicro())
}

func (l *Ledger) runs(ctx context.Context, query string, args ...any) ([]schema.Run, error) {
	var rows []runRow
	if err := l.read.SelectContext(ctx, &rows, l.read.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	runs := make([]schema.Run, 0, len(rows))
	for _, r := range rows {
		runs = append(runs, r.run())
	}
	return runs, nil
}

// Root is the current root of the chain, in hex; empty for a ledger that holds nothing.
func (l *Ledger) Root(ctx context.Context) (string, error) {
	var roots [][]byte
	if err := l.read.SelectContext(ctx, &roots, `SELECT root FROM commits ORDER BY seq DESC LIMIT 1`); err != nil {
		return "", fmt.Errorf("read chain: %w", err)
	}
	if len(roots) == 0 {
		return "", nil
	}
	return hex.EncodeToString(roots[0]), nil
}
