package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
)

func TestDriven(t *testing.T) {
	l, run := opened(t)
	scattered(t, l, run)
	var id string
	var n int64
	var null sql.NullInt64
	rows := func(ctx context.Context, query string, args []any, dest ...any) (ids []string, err error) {
		for _, err := range driven(ctx, l.read.DB, query, args, dest) {
			if err != nil {
				return ids, err
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	t.Run("ReadsTextNumbersAndNulls", func(t *testing.T) {
		const query = `SELECT external_id, id, CASE WHEN id > 1 THEN id END FROM entries WHERE id <= ? ORDER BY id`
		var seen []sql.NullInt64
		for _, err := range driven(t.Context(), l.read.DB, l.read.Rebind(query), []any{int64(2)}, []any{&id, &n, &null}) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, null)
		}
		if id != "1" || n != 2 || len(seen) != 2 || seen[0].Valid || seen[1] != (sql.NullInt64{Int64: 2, Valid: true}) {
			t.Errorf("%q, %d, %v", id, n, seen)
		}
	})
	t.Run("RefusesWhatAColumnIsNot", func(t *testing.T) {
		for name, dest := range map[string]any{"a number for a text": &id, "a text for a number": &n, "a text for a number or null": &null} {
			column := "'text'"
			if dest == any(&id) {
				column = "7"
			}
			if _, err := rows(t.Context(), `SELECT `+column, nil, dest); err == nil || !strings.Contains(err.Error(), "column 1") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("NamesAWrongQuery", func(t *testing.T) {
		if _, err := rows(t.Context(), `SELECT 1 FROM nowhere`, nil, &id); err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Error(err)
		}
	})
	t.Run("GivesTheConnectionBackWhenTheCallerStops", func(t *testing.T) {
		for range 3 * readers {
			for _, err := range driven(t.Context(), l.read.DB, `SELECT external_id FROM entries`, nil, []any{&id}) {
				if err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		if open := l.read.Stats().InUse; open != 0 {
			t.Errorf("%d connections are in use", open)
		}
	})
	t.Run("EndsWithItsContext", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		for _, err := range driven(ctx, l.read.DB, `SELECT a.external_id FROM entries a, entries b, entries c`, nil, []any{&id}) {
			cancel()
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("ended with %v", last)
		}
	})
}
