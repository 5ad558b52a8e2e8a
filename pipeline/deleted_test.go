package pipeline_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
)

// cardwise is an issuer that also tells a figure card by card.
type cardwise struct {
	issuer
	unlisted bool     // the list of cards cannot be read
	asked    []string // the cards that were asked for
}

func (c *cardwise) Streams() []schema.Stream { return append(c.issuer.Streams(), schema.Balances) }

func (c *cardwise) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	if s == schema.Cards && c.unlisted {
		return func(yield func(extract.Page, error) bool) { yield(extract.Page{}, errors.New("503")) }
	}
	return c.issuer.Pages(ctx, s, w, from)
}

func (c *cardwise) Fetch(_ context.Context, s schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		if s == schema.Balances {
			c.asked = ids
		}
		yield(extract.Page{Total: -1, Last: true}, nil)
	}
}

// TestSync_AsksForTheCardsThatAreListed: one that was deleted would be answered 404 every night.
func TestSync_AsksForTheCardsThatAreListed(t *testing.T) {
	l, c := fresh(t), &cardwise{issuer: issuer{cards: []string{"a", "b"}}}
	night := func(at time.Time) {
		t.Helper()
		p, err := pipeline.New(pipeline.Config{
			Ledger: l, Zone: time.UTC, Version: "test",
			Sources: []pipeline.Source{{Name: "one", Provider: schema.Bill, Extractor: c, Normalize: normalizeRow, FullScan: true}},
			Now:     func() time.Time { return at }, Elapsed: func() time.Duration { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		sync(t, p)
	}
	for i, step := range []struct {
		cards    []string
		unlisted bool
		want     []string
	}{
		{[]string{"a", "b"}, false, []string{"a", "b"}},
		{[]string{"b"}, false, []string{"b"}},
		{[]string{"b"}, true, []string{"a", "b"}}, // nobody knows what is listed
	} {
		c.cards, c.unlisted, c.asked = step.cards, step.unlisted, nil
		night(now.AddDate(0, 0, i))
		if diff := cmp.Diff(step.want, c.asked); diff != "" {
			t.Errorf("night %d: %s", i, diff)
		}
	}
}
