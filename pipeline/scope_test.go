package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
)

// scoped is a pipeline over one source with settings of its own.
func scoped(t *testing.T, l *ledger.Ledger, x extract.Extractor, at time.Time, change func(*pipeline.Source)) *pipeline.Pipeline {
	t.Helper()
	source := pipeline.Source{Name: "one", Provider: schema.Bill, Extractor: x, Normalize: normalizeRow, LookbackDays: 5}
	change(&source)
	p, err := pipeline.New(pipeline.Config{
		Ledger: l, Zone: time.UTC, Version: "test", GroupRows: 20, Sources: []pipeline.Source{source},
		Now: func() time.Time { return at }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func scope(text string) func(*pipeline.Source) {
	return func(s *pipeline.Source) { s.Scope = schema.NewScope(map[string]string{"categories": text}) }
}

// incomplete counts the findings that the transactions of the last year are not complete.
func incomplete(t *testing.T, p *pipeline.Pipeline) (n int) {
	t.Helper()
	if _, err := p.Reconcile(t.Context(), schema.Window{From: now.AddDate(-1, 0, 0), To: p.Now()}); err != nil {
		t.Fatal(err)
	}
	for f, err := range p.Ledger.Findings(t.Context(), ledger.FindingFilter{Code: schema.IncompleteExtract, Status: schema.Open}) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(f.Message, string(schema.Transactions)) {
			n++
		}
	}
	return n
}

func TestScope(t *testing.T) {
	tomorrow := now.AddDate(0, 0, 1)
	rows := map[string][]row{"card": year(100), "fee": {{"old fee", now.AddDate(0, 0, -9), -5, schema.Posted}}}
	t.Run("AWiderOneReadsTheHistoryThatItLacks", func(t *testing.T) {
		l := fresh(t)
		i := &categories{rows: rows, read: []string{"card"}}
		sync(t, scoped(t, l, i, now, scope("card")))
		if got := len(books(t, l)); got != 100 {
			t.Fatalf("%d entries", got)
		}
		i.read = []string{"card", "fee"}
		wider := scoped(t, l, i, tomorrow, scope("card,fee"))
		if n := incomplete(t, wider); n == 0 {
			t.Error("what was read of cards alone counts as complete for fees too")
		}
		sync(t, wider)
		if got := len(books(t, l)); got != 101 {
			t.Errorf("%d entries: the fee of before the look-back was not read", got)
		}
		if n := incomplete(t, wider); n != 0 {
			t.Errorf("%d findings of incomplete extraction after the history was read", n)
		}
	})
	t.Run("ANarrowerOneReadsNothingAgain", func(t *testing.T) {
		l := fresh(t)
		i := &categories{rows: rows, read: []string{"card", "fee"}}
		sync(t, scoped(t, l, i, now, scope("card,fee")))
		i.read = []string{"card"}
		narrower := scoped(t, l, i, tomorrow, scope("card"))
		if got := transactions(sync(t, narrower)); got.Records == 0 || got.Records > 45 {
			t.Errorf("%d records in the look-back of five days", got.Records)
		}
		if n := incomplete(t, narrower); n != 0 {
			t.Errorf("%d findings of incomplete extraction", n)
		}
	})
	t.Run("AWalkGoesOnOnlyInTheOneItBeganIn", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: year(95), breaks: map[int]error{7: errors.New("connection reset")}}
		sync(t, scoped(t, l, i, now, scope("card")))
		i.pages = nil
		sync(t, scoped(t, l, i, now, scope("card,fee")))
		if first := i.pages[0]; !strings.HasSuffix(first, " 1") {
			t.Errorf("went on with %q: the pages before were of other rows", first)
		}
		if got := len(books(t, l)); got != 95 {
			t.Errorf("%d entries", got)
		}
	})
	t.Run("AStartThatIsMovedBackIsReadFromThere", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: year(95)}
		start := func(days int) func(*pipeline.Source) {
			return func(s *pipeline.Source) { s.Start = now.AddDate(0, 0, -days) }
		}
		sync(t, scoped(t, l, i, now, start(6)))
		if got := len(books(t, l)); got != 48 {
			t.Fatalf("%d entries", got)
		}
		sync(t, scoped(t, l, i, tomorrow, start(30)))
		if got := len(books(t, l)); got != 95 {
			t.Errorf("%d entries: history before the first start was not read", got)
		}
	})
}

// wholly is an issuer without a filter, which knows no row by its id (Bitnob).
type wholly struct{ *issuer }

func (w wholly) Fetch(_ context.Context, s schema.Stream, _ []string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		yield(extract.Page{}, fmt.Errorf("%s are not read by id", s))
	}
}

func TestSync_OfAWholeHistoryAsksForNothingById(t *testing.T) {
	l, i := fresh(t), &issuer{rows: year(95)}
	i.rows[0].status = schema.Pending
	full := func(start time.Time) func(*pipeline.Source) {
		return func(s *pipeline.Source) { s.FullScan, s.Start = true, start }
	}
	sync(t, scoped(t, l, wholly{i}, now, full(time.Time{})))
	for night := 1; night <= 2; night++ { // the start moves past what is pending
		if got := sync(t, scoped(t, l, wholly{i}, now.AddDate(0, 0, night), full(now.AddDate(0, 0, -3)))); got.Status != schema.Complete {
			t.Errorf("%+v", got)
		}
	}
}

// shy is an issuer that does not know an amount yet, and whose rows read by id do not say their category.
type shy struct {
	categories
	unknown map[string]bool
	asked   []string
}

func (s *shy) Fetch(_ context.Context, stream schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		s.asked = append(s.asked, ids...)
		p := extract.Page{Total: -1, Last: true}
		for _, r := range slices.Concat(s.rows["card"], s.rows["fee"]) {
			if slices.Contains(ids, r.id) {
				p.Records = append(p.Records, record(stream, fmt.Sprintf("%s|%d|%s|%s", r.id, r.minor, r.status, r.at.Format(time.RFC3339))))
			}
		}
		yield(p, nil)
	}
}

// normalize rejects what it cannot know: an amount that the issuer does not know, a row without its category.
func (s *shy) normalize(r schema.Record, b *schema.Batch) error {
	switch {
	case s.unknown[r.ExternalID]:
		return &normalize.RejectError{Field: "amount", Reason: "not known yet"}
	case r.Category == "":
		return &normalize.RejectError{Field: "category", Reason: "not known"}
	}
	return normalizeRow(r, b)
}

func rejects(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	var ids []string
	for r, err := range l.View(0).Rejects.Rejects(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ExternalID+" "+r.Field)
	}
	return ids
}

func TestSync_AsksAgainById(t *testing.T) {
	old := now.AddDate(0, 0, -20)
	build := func(t *testing.T, unknown ...string) (*ledger.Ledger, *shy, func(time.Time) pipeline.StreamResult) {
		t.Helper()
		l := fresh(t)
		s := &shy{unknown: map[string]bool{}}
		s.read = []string{"card", "fee"}
		s.rows = map[string][]row{
			"card": {{"odd", old, -7, schema.Posted}, {"new", now.AddDate(0, 0, -1), -3, schema.Posted}},
			"fee":  {{"fee", old, -5, schema.Pending}},
		}
		for _, id := range unknown {
			s.unknown[id] = true
		}
		return l, s, func(at time.Time) pipeline.StreamResult {
			return transactions(sync(t, scoped(t, l, s, at, func(source *pipeline.Source) { source.Normalize = s.normalize })))
		}
	}
	t.Run("ForWhatIsPendingUnderTheCategoryThatItsListHad", func(t *testing.T) {
		l, s, run := build(t)
		run(now)
		s.rows["fee"][0].status = schema.Posted
		if got := run(now.AddDate(0, 0, 1)); got.Rejected != 0 || got.EntriesChanged != 1 {
			t.Errorf("%+v", got)
		}
		if !slices.Equal(s.asked, []string{"fee"}) || len(rejects(t, l)) != 0 {
			t.Errorf("asked for %v, rejected %v", s.asked, rejects(t, l))
		}
	})
	t.Run("ForWhatCouldNotBeReadUntilItCan", func(t *testing.T) {
		l, s, run := build(t, "odd")
		run(now)
		if got := rejects(t, l); !slices.Equal(got, []string{"odd amount"}) {
			t.Fatalf("rejected %v", got)
		}
		run(now.AddDate(0, 0, 1))
		if got := rejects(t, l); !slices.Equal(got, []string{"odd amount"}) {
			t.Errorf("rejected %v", got)
		}
		delete(s.unknown, "odd")
		run(now.AddDate(0, 0, 2))
		if got := rejects(t, l); len(got) != 0 {
			t.Errorf("rejected %v", got)
		}
		if got := len(books(t, l)); got != 3 {
			t.Errorf("%d entries", got)
		}
	})
	t.Run("NotForWhatItsListJustBrought", func(t *testing.T) {
		_, s, run := build(t, "new")
		run(now)
		run(now.AddDate(0, 0, 1))
		if slices.Contains(s.asked, "new") {
			t.Errorf("asked for %v", s.asked)
		}
	})
}
