package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

var now = time.Date(2026, 8, 31, 7, 0, 0, 0, time.UTC)

// issuer is an extractor over rows in memory: ten rows a page, oldest first, filtered by their time.
type issuer struct {
	rows   []row
	cards  []string
	breaks map[int]error // by page number of transactions, 1 is the first: the page fails instead of coming
	pages  []string      // what was asked for, in order
	stale  bool          // cursors are refused
	doubt  string
	doubts schema.Window // the window that is in doubt; zero: every one
}

type row struct {
	id     string
	at     time.Time
	minor  int64
	status schema.Status
}

func (i *issuer) Streams() []schema.Stream { return []schema.Stream{schema.Cards, schema.Transactions} }

const perPage = 10

func (i *issuer) Pages(ctx context.Context, s schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		if s == schema.Cards {
			p := extract.Page{Last: true, Total: -1}
			for _, id := range i.cards {
				p.Records = append(p.Records, record(s, id))
			}
			yield(p, nil)
			return
		}
		var in []row
		for _, r := range i.rows {
			if w.Contains(r.at) {
				in = append(in, r)
			}
		}
		number := 1
		if from != "" {
			if i.stale {
				yield(extract.Page{}, fmt.Errorf("%w: 400", extract.ErrCursor))
				return
			}
			number, _ = strconv.Atoi(string(from))
		}
		for ; ; number++ {
			if err := ctx.Err(); err != nil {
				yield(extract.Page{}, err)
				return
			}
			i.pages = append(i.pages, fmt.Sprintf("%s %d", w, number))
			if err := i.breaks[number]; err != nil {
				delete(i.breaks, number)
				yield(extract.Page{}, err)
				return
			}
			first := min((number-1)*perPage, len(in))
			last := min(first+perPage, len(in))
			p := extract.Page{Total: -1, Last: last == len(in)}
			if i.doubts == (schema.Window{}) || i.doubts == w {
				p.Doubt = i.doubt
			}
			for _, r := range in[first:last] {
				p.Records = append(p.Records, record(s, r.id+"|"+strconv.FormatInt(r.minor, 10)+"|"+string(r.status)+"|"+r.at.Format(time.RFC3339)))
			}
			if !p.Last {
				p.Next = extract.Cursor(strconv.Itoa(number + 1))
			}
			if !yield(p, nil) || p.Last {
				return
			}
		}
	}
}

func record(s schema.Stream, text string) schema.Record {
	id, _, _ := cut(text)
	return schema.Record{Source: "one", Provider: schema.Bill, Stream: s, ExternalID: id, ReceivedAt: now, Payload: []byte(strconv.Quote(text))}
}

func cut(text string) (id, rest string, ok bool) {
	for n, c := range text {
		if c == '|' {
			return text[:n], text[n+1:], true
		}
	}
	return text, "", false
}

// normalizeRow reads what record wrote.
func normalizeRow(r schema.Record, b *schema.Batch) error {
	text, err := strconv.Unquote(string(r.Payload))
	if err != nil {
		return err
	}
	if r.Stream == schema.Cards {
		b.Observations = append(b.Observations, schema.Observation{
			Card: schema.Card{Source: r.Source, Provider: r.Provider, ID: text, Currency: "USD"}, Stream: r.Stream, ObservedAt: r.ReceivedAt,
		})
		return nil
	}
	id, rest, _ := cut(text)
	minor, rest, _ := cut(rest)
	status, at, _ := cut(rest)
	n, err := strconv.ParseInt(minor, 10, 64)
	if err != nil {
		return err
	}
	occurred, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return err
	}
	e := schema.Entry{
		Source: r.Source, Provider: r.Provider, ExternalID: id, CardID: "card", Kind: schema.Purchase, Status: schema.Status(status),
		OccurredAt: occurred, Amount: money.FromMinor(n, money.USD()), Literal: minor,
	}
	if e.Status == schema.Posted {
		e.PostedAt = occurred
	}
	b.Entries = append(b.Entries, e)
	return nil
}

func year(n int) []row {
	rows := make([]row, 0, n)
	for i := range n {
		rows = append(rows, row{
			id: fmt.Sprintf("t%04d", i), at: now.Add(-time.Duration(n-i) * 3 * time.Hour), minor: int64(-100 - i), status: schema.Posted,
		})
	}
	return rows
}

func fresh(t *testing.T) *ledger.Ledger {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t *testing.T, folder string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Path: filepath.Join(folder, "tieout.db"), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func on(t *testing.T, l *ledger.Ledger, i *issuer, at time.Time) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.New(pipeline.Config{
		Ledger: l, Zone: time.UTC, Version: "test", GroupRows: 20,
		Sources: []pipeline.Source{{Name: "one", Provider: schema.Bill, Extractor: i, Normalize: normalizeRow, LookbackDays: 5}},
		Now:     func() time.Time { return at }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// books is what the ledger holds, without when it was stored.
func books(t *testing.T, l *ledger.Ledger) []string {
	t.Helper()
	all := []string{}
	for e, err := range l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintln(e.ID(), e.CardID, e.Kind, e.Status, e.Amount, e.OccurredAt, e.PostedAt))
	}
	v, err := l.Verify(t.Context(), "")
	if err != nil || v.Problem != "" {
		t.Fatalf("verify: %v %s", err, v.Problem)
	}
	return all
}

func sync(t *testing.T, p *pipeline.Pipeline) pipeline.ReadResult {
	t.Helper()
	result, err := p.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func transactions(r pipeline.ReadResult) pipeline.StreamResult {
	for _, s := range r.Sources[0].Streams {
		if s.Stream == schema.Transactions {
			return s
		}
	}
	return pipeline.StreamResult{}
}

func TestSync(t *testing.T) {
	t.Run("TheSameSyncTwiceAddsNothing", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(95), cards: []string{"card"}}
		first := transactions(sync(t, on(t, l, i, now)))
		if first.EntriesNew != 95 || first.Pages != 10 || first.Verdict != schema.VerdictComplete {
			t.Errorf("first: %+v", first)
		}
		was := books(t, l)
		second := transactions(sync(t, on(t, l, i, now)))
		if second.EntriesNew != 0 || second.EntriesChanged != 0 || second.EntriesUnchanged == 0 {
			t.Errorf("second: %+v", second)
		}
		if diff := cmp.Diff(was, books(t, l)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("ABrokenWalkGoesOnFromItsCheckpoint", func(t *testing.T) {
		l, whole := fresh(t), fresh(t)
		i := &issuer{rows: year(95), breaks: map[int]error{7: errors.New("connection reset")}}
		result := sync(t, on(t, l, i, now))
		if got := transactions(result); result.Status != schema.Partial || got.Verdict != schema.VerdictPartial || got.Records != 60 {
			t.Errorf("broken: %s %+v", result.Status, got)
		}
		i.pages = nil
		if got := sync(t, on(t, l, i, now.Add(time.Hour))); got.Status != schema.Complete {
			t.Errorf("resumed: %+v", got)
		}
		if want := (schema.Window{From: schema.Beginning, To: now}).String() + " 7"; i.pages[0] != want {
			t.Errorf("went on with %q, want %q", i.pages[0], want)
		}
		sync(t, on(t, whole, &issuer{rows: year(95)}, now.Add(time.Hour)))
		if diff := cmp.Diff(books(t, whole), books(t, l)); diff != "" {
			t.Error(diff)
		}
		record := completeness(t, l, schema.Window{From: schema.Beginning, To: now})
		if record.Verdict != schema.VerdictComplete || record.Pages != 10 || record.Records != 95 || record.Duplicates != 0 ||
			record.FirstID != "t0000" || record.LastID != "t0094" {
			t.Errorf("completeness: %+v", record)
		}
	})
	t.Run("ABrokenWalkWhoseRowsMovedIsForgivenWhenTheWindowSinceIsComplete", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: year(95), breaks: map[int]error{7: errors.New("connection reset")}}
		sync(t, on(t, l, i, now))
		i.doubt, i.doubts = "itemCount is 96, 95 different rows were read", schema.Window{From: schema.Beginning, To: now}
		later := now.Add(time.Hour)
		if got := sync(t, on(t, l, i, later)); got.Status != schema.Complete || transactions(got).Reason != "" {
			t.Errorf("%+v", got)
		}
		if got := completeness(t, l, i.doubts); got.Verdict != schema.VerdictPartial {
			t.Errorf("the record of the broken walk: %+v", got)
		}
		if got, err := l.Watermark(t.Context(), "one", schema.Transactions, ""); err != nil || !got.Equal(later) {
			t.Errorf("watermark %s, %v", got, err)
		}
	})
	t.Run("ABrokenWalkInDoubtIsPartialWhenTheWindowSinceIsInDoubtToo", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: year(95), breaks: map[int]error{7: errors.New("connection reset")}}
		sync(t, on(t, l, i, now))
		i.doubt = "itemCount is 96, 95 different rows were read"
		if got := sync(t, on(t, l, i, now.Add(time.Hour))); got.Status != schema.Partial {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AnExpiredCursorBeginsTheWindowAgain", func(t *testing.T) {
		l := fresh(t)
		i := &issuer{rows: year(45), breaks: map[int]error{4: errors.New("connection reset")}}
		sync(t, on(t, l, i, now))
		i.stale = true
		if got := sync(t, on(t, l, i, now)); got.Status != schema.Complete {
			t.Errorf("%+v", got)
		}
		if got := len(books(t, l)); got != 45 {
			t.Errorf("%d entries", got)
		}
	})
	t.Run("AWindowInDoubtIsReadButNotComplete", func(t *testing.T) {
		l := fresh(t)
		result := sync(t, on(t, l, &issuer{rows: year(15), doubt: "the server ignored the filter"}, now))
		if got := transactions(result); got.Verdict != schema.VerdictPartial || got.EntriesNew != 15 || result.Status != schema.Partial {
			t.Errorf("%s %+v", result.Status, got)
		}
		if covered, err := l.Coverage(t.Context(), "one", schema.Transactions, ""); err != nil || len(covered) != 0 {
			t.Errorf("covered %v, %v", covered, err)
		}
	})
	t.Run("LateRowsInsideTheLookBackAreRead", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(50)}
		sync(t, on(t, l, i, now))
		i.rows = append(i.rows, row{"late", now.Add(-72 * time.Hour), -7, schema.Posted})
		if got := transactions(sync(t, on(t, l, i, now.Add(24*time.Hour)))); got.EntriesNew != 1 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("ACancelledRunIsPartialAndResumable", func(t *testing.T) {
		l, i := fresh(t), &issuer{rows: year(95)}
		ctx, cancel := context.WithCancel(t.Context())
		p := on(t, l, i, now)
		p.Progress = func(pipeline.Progress) { cancel() }
		result, err := p.Sync(ctx)
		if err != nil || result.Status == schema.Complete {
			t.Errorf("%s, %v", result.Status, err)
		}
		if got := sync(t, on(t, l, i, now)); got.Status != schema.Complete || len(books(t, l)) != 95 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AFailingSourceStopsNoOther", func(t *testing.T) {
		l := fresh(t)
		p := on(t, l, &issuer{rows: year(5)}, now)
		p.Sources = append(p.Sources, pipeline.Source{
			Name: "two", Provider: schema.Bill, Normalize: normalizeRow, LookbackDays: 5,
			Extractor: &issuer{breaks: map[int]error{1: errors.New("down for good")}},
		})
		result := sync(t, p)
		if result.Status != schema.Partial || result.Sources[0].Status != schema.Complete || result.Sources[1].Status != schema.Partial {
			t.Errorf("%+v", result)
		}
		if len(books(t, l)) != 5 {
			t.Error("the healthy source was not read")
		}
	})
}

func completeness(t *testing.T, l *ledger.Ledger, w schema.Window) schema.Completeness {
	t.Helper()
	var last schema.Completeness
	for c, err := range l.View(0).Completeness.Completeness(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Stream == schema.Transactions && c.Window == w {
			last = c
		}
	}
	return last
}

func TestBackfill(t *testing.T) {
	day := func(n int) time.Time { return now.Truncate(24*time.Hour).AddDate(0, 0, -n) }
	t.Run("AnyOrderAndOverlapGiveTheLedgerOfOneSync", func(t *testing.T) {
		whole := fresh(t)
		rows := year(95)
		sync(t, on(t, whole, &issuer{rows: rows}, now))
		want := books(t, whole)
		ranges := []schema.Window{{From: day(4), To: day(-1)}, {From: day(9), To: day(3)}, {From: day(20), To: day(8)}}
		for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1, 0, 2, 1}} {
			l := fresh(t)
			for _, n := range order {
				result, err := on(t, l, &issuer{rows: rows}, now).Backfill(t.Context(), ranges[n])
				if err != nil || result.Status != schema.Complete {
					t.Fatalf("%v %+v", err, result)
				}
			}
			if diff := cmp.Diff(want, books(t, l)); diff != "" {
				t.Errorf("order %v: %s", order, diff)
			}
		}
	})
	t.Run("NeverMovesTheWatermarkOfSync", func(t *testing.T) {
		l := fresh(t)
		if _, err := on(t, l, &issuer{rows: year(95)}, now).Backfill(t.Context(), schema.Window{From: day(2), To: day(0)}); err != nil {
			t.Fatal(err)
		}
		if mark, err := l.Watermark(t.Context(), "one", schema.Transactions, ""); err != nil || !mark.IsZero() {
			t.Errorf("%v, %v", mark, err)
		}
		if got := transactions(sync(t, on(t, l, &issuer{rows: year(95)}, now))); got.Records != 95 {
			t.Errorf("the sync after it read %d rows", got.Records)
		}
	})
	t.Run("TheFutureIsNotCovered", func(t *testing.T) {
		l := fresh(t)
		if _, err := on(t, l, &issuer{rows: year(9)}, now).Backfill(t.Context(), schema.Window{From: day(3), To: day(-5)}); err != nil {
			t.Fatal(err)
		}
		covered, err := l.Coverage(t.Context(), "one", schema.Transactions, "")
		if want := []schema.Window{{From: day(3), To: now}}; err != nil || !slices.Equal(covered, want) {
			t.Errorf("covered %v, %v", covered, err)
		}
	})
}
