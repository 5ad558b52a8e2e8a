package pipeline_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// forgetful is an issuer that knows no transaction by its id any more.
type forgetful struct{ *issuer }

func (f forgetful) Fetch(_ context.Context, _ schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		yield(extract.Page{Total: -1, Last: true, Missing: ids}, nil)
	}
}

func TestMissing(t *testing.T) {
	t.Run("PendingEntriesThatTheProviderForgotAreNamedAndFailNothing", func(t *testing.T) {
		l, i := fresh(t), &issuer{cards: []string{"card"}, rows: year(1)}
		i.rows[0].status, i.rows[0].at = schema.Pending, now.AddDate(0, 0, -10)
		sync(t, on(t, l, i, now))
		i.rows = nil
		later := on(t, l, i, now.AddDate(0, 0, 1))
		later.Sources = []pipeline.Source{{
			Name: "one", Provider: schema.Bill, Extractor: forgetful{i}, Normalize: normalizeRow, LookbackDays: 5,
		}}
		result := sync(t, later)
		if got := transactions(result); !slices.Equal(got.Missing, []string{"t0000"}) || result.Status != schema.Complete {
			t.Errorf("%s: %+v", result.Status, got)
		}
	})
}
