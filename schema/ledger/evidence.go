package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// Evidence is a current entry beside the record that it was made from.
type Evidence struct {
	Entry  schema.Entry  // Status is what the row says by itself, before links; Run the run that stored this version
	Record schema.Record // zero where none is stored
}

// Evidence yields the current entries of a source with the latest version of their record, in the order in which they were
// stored. Entries whose latest record was rejected are left out: they are of an earlier one.
func (l *Ledger) Evidence(ctx context.Context, source string) iter.Seq2[Evidence, error] {
	const query = `SELECT e.id, e.commit_seq, e.provider, e.external_id, e.own_status, e.occurred_at, e.posted_at, e.amount_minor, e.currency,
			r.category, r.received_at, r.payload
		FROM entries e
		LEFT JOIN records r ON r.id = (SELECT MAX(o.id) FROM records o WHERE o.source = e.source AND o.stream = ? AND o.identity = e.external_id)
		WHERE e.closed_seq IS NULL AND e.source = ? AND NOT EXISTS (
			SELECT 1 FROM rejects j WHERE j.closed_seq IS NULL AND j.source = e.source AND j.stream = ? AND j.identity = e.external_id)
		ORDER BY e.id`
	return func(yield func(Evidence, error) bool) {
		runs, err := l.runStarts(ctx)
		if err != nil {
			yield(Evidence{}, err)
			return
		}
		stream := string(schema.Transactions)
		for e, err := range scan(ctx, &view{l: l}, "evidence ("+source+")", query, []any{stream, source, stream}, scanEvidence) {
			e.Entry.Source, e.Entry.Run = source, runs[e.seq].run
			if err == nil && e.Record.Payload != nil {
				e.Record.Source, e.Record.Provider, e.Record.Stream, e.Record.ExternalID = source, e.Entry.Provider, schema.Transactions, e.Entry.ExternalID
			}
			if !yield(e.Evidence, err) {
				return
			}
		}
	}
}

type evidenceRow struct {
	Evidence
	seq int64
}

func scanEvidence(rows *sql.Rows) (evidenceRow, error) {
	var r evidenceRow
	var occurred, units int64
	var posted, received *int64
	var code string
	var category, payload *string
	e := &r.Entry
	if err := rows.Scan(&e.Version, &r.seq, &e.Provider, &e.ExternalID, &e.Status, &occurred, &posted, &units, &code, &category, &received, &payload); err != nil {
		return r, err
	}
	e.OccurredAt, e.PostedAt = instant(&occurred), instant(posted)
	var err error
	if e.Amount, err = amount(&units, code); err != nil {
		return r, fmt.Errorf("entry %s: %w", e.ExternalID, err)
	}
	if payload != nil {
		r.Record = schema.Record{Category: *category, ReceivedAt: instant(received), Payload: []byte(*payload)}
	}
	return r, nil
}
