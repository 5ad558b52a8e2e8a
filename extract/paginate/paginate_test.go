package paginate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

type memory struct {
	Steps int `json:"steps"`
}

// script is a walk over lists of pages: each page is its stop.
func script(lists ...[]paginate.Stop) paginate.Walk[memory] {
	return paginate.Walk[memory]{
		Source: "source-a", Stream: schema.Transactions, Lists: len(lists),
		Window: schema.Window{From: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC)},
		Open: func() paginate.Step[memory] {
			return func(_ context.Context, at *paginate.Place[memory]) (extract.Page, paginate.Stop, error) {
				at.State.Steps++
				n := 0
				if at.At != "" {
					if _, err := fmt.Sscanf(at.At, "%d", &n); err != nil {
						return extract.Page{}, paginate.Stop{}, err
					}
					n--
				}
				page := extract.Page{Total: int64(at.State.Steps), Records: []schema.Record{{ExternalID: fmt.Sprint(at.List, " ", at.At)}}}
				return page, lists[at.List][n], nil
			}
		},
	}
}

func run(t *testing.T, w paginate.Walk[memory], from extract.Cursor) (ids []string, pages []extract.Page, err error) {
	t.Helper()
	for page, err := range w.From(t.Context(), from) {
		if err != nil {
			return ids, pages, err
		}
		pages = append(pages, page)
		for _, r := range page.Records {
			ids = append(ids, r.ExternalID)
		}
	}
	return ids, pages, nil
}

func TestWalk(t *testing.T) {
	lists := [][]paginate.Stop{
		{paginate.ByCursor("2"), paginate.ByCursor("")},
		{paginate.Whole()},
		{paginate.ByNumber(1, true), paginate.ByNumber(2, true), paginate.ByNumber(3, false)},
		{paginate.ByPageInfo("2", true), paginate.ByPageInfo("3", false)},
	}
	want := []string{"0 ", "0 2", "1 ", "2 ", "2 2", "2 3", "3 ", "3 2"}
	t.Run("ReadsListAfterListInEveryStyle", func(t *testing.T) {
		ids, pages, err := run(t, script(lists...), "")
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("got %q, %v", ids, err)
		}
		for i, page := range pages {
			if last := i == len(want)-1; page.Last != last || (page.Next == "") != last {
				t.Errorf("page %d: %+v", i+1, page)
			}
		}
	})
	t.Run("GoesOnFromEachCursorWithItsMemory", func(t *testing.T) {
		_, pages, err := run(t, script(lists...), "")
		if err != nil {
			t.Fatal(err)
		}
		for i, page := range pages[:len(pages)-1] {
			ids, rest, err := run(t, script(lists...), page.Next)
			if err != nil || !slices.Equal(ids, want[i+1:]) || rest[0].Total != int64(i+2) {
				t.Errorf("after page %d: %q, %v, %d steps", i+1, ids, err, rest[0].Total)
			}
		}
	})
	t.Run("BeginsAgainWithTheFirstList", func(t *testing.T) {
		again := false
		w := script(lists[:2]...)
		open := w.Open
		w.Open = func() paginate.Step[memory] {
			step := open()
			return func(ctx context.Context, at *paginate.Place[memory]) (extract.Page, paginate.Stop, error) {
				page, stop, err := step(ctx, at)
				if at.List == 1 && !again {
					again = true
					stop = paginate.Again()
				}
				return page, stop, err
			}
		}
		if ids, _, err := run(t, w, ""); err != nil || !slices.Equal(ids, []string{"0 ", "0 2", "1 ", "0 ", "0 2", "1 "}) {
			t.Errorf("got %q, %v", ids, err)
		}
	})
	for fact, c := range map[string]struct {
		stop paginate.Stop
		err  string
		is   error
	}{
		"RefusesAPageThatDoesNotSayWhetherAnotherFollows": {stop: paginate.Stop{}, err: "does not say whether another follows"},
		"RefusesACursorOfThisPage":                        {stop: paginate.ByCursor("2"), is: paginate.ErrRepeated},
		"RefusesMoreWithoutACursor":                       {stop: paginate.ByPageInfo("", true), err: "page_info.end_cursor"},
		"RefusesACursorThatIsTooLong":                     {stop: paginate.ByCursor(strings.Repeat("2", 9000)), err: "longer than 8192"},
	} {
		t.Run(fact, func(t *testing.T) {
			ids, _, err := run(t, script([]paginate.Stop{paginate.ByCursor("2"), c.stop}), "")
			if err == nil || !errors.Is(err, c.is) && c.is != nil || !strings.Contains(err.Error(), c.err) || len(ids) != 1 {
				t.Errorf("%q, %v", ids, err)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "list transactions (source-a, 2026-08-01..2026-08-02, page 2): ") {
				t.Errorf("%v does not say where", err)
			}
		})
	}
	t.Run("CountsPagesOverACursor", func(t *testing.T) {
		w := script([]paginate.Stop{paginate.ByCursor("2"), paginate.ByCursor("3"), paginate.ByCursor("")})
		w.Pages = 2
		_, pages, err := run(t, w, "")
		if !errors.Is(err, paginate.ErrTooMany) || len(pages) != 2 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		if _, rest, err := run(t, w, pages[0].Next); !errors.Is(err, paginate.ErrTooMany) || len(rest) != 1 {
			t.Errorf("resumed: %d pages, %v", len(rest), err)
		}
	})
}

func TestSeen(t *testing.T) {
	var s paginate.Seen
	for i, c := range []struct {
		list  int
		id    string
		owner int
		first bool
	}{{0, "a", 0, true}, {0, "a", 0, false}, {1, "a", 0, false}, {1, "b", 1, true}, {1, "", 1, true}, {1, "", 1, true}} {
		if owner, first := s.Note(c.list, c.id); owner != c.owner || first != c.first {
			t.Errorf("%d: got %d, %v", i, owner, first)
		}
	}
	s.Reset()
	if _, first := s.Note(2, "a"); !first {
		t.Error("Reset forgets nothing")
	}
}

func TestByID(t *testing.T) {
	stream := func(t *testing.T, s schema.Stream, fail string, ids ...string) (pages []extract.Page, err error) {
		t.Helper()
		asked := 0
		for page, err := range paginate.ByID(t.Context(), "source-a", s, ids, func() func(context.Context, string) (schema.Record, int, error) {
			return func(_ context.Context, id string) (schema.Record, int, error) {
				asked++
				switch {
				case id == fail:
					return schema.Record{}, 0, &transport.StatusError{Status: 403}
				case strings.HasPrefix(id, "gone"):
					return schema.Record{}, 0, &transport.StatusError{Status: 404}
				}
				return schema.Record{ExternalID: id}, 1, nil
			}
		}) {
			if err != nil {
				return pages, err
			}
			pages = append(pages, page)
		}
		return pages, nil
	}
	read := func(t *testing.T, fail string, ids ...string) ([]extract.Page, error) {
		t.Helper()
		return stream(t, schema.Balances, fail, ids...)
	}
	t.Run("PutsSeveralOnAPage", func(t *testing.T) {
		var ids []string
		for i := range 26 {
			ids = append(ids, fmt.Sprint(i))
		}
		pages, err := read(t, "", ids...)
		if err != nil || len(pages) != 2 || len(pages[0].Records) != 25 || len(pages[1].Records) != 1 || !pages[1].Last || pages[0].Last ||
			pages[0].Retries != 25 || pages[0].Total != -1 || pages[1].Doubt != "" {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("DoubtsOnTheLastPageWhenIdsAreGone", func(t *testing.T) {
		for _, c := range []struct {
			ids  []string
			want string
		}{
			{[]string{"gone-1", "a"}, "1 of 2 ids answer 404: gone-1"},
			{[]string{"gone-1", "a", "gone-2", "gone-3", "gone-4", "gone-5"}, "5 of 6 ids answer 404: gone-1, gone-2, gone-3 and 2 more"},
		} {
			pages, err := read(t, "", c.ids...)
			if err != nil || len(pages) != 1 || !pages[0].Last || len(pages[0].Records) != 1 || pages[0].Doubt != c.want || pages[0].Missing != nil {
				t.Errorf("%+v, %v", pages, err)
			}
		}
	})
	t.Run("FailsWhenEveryIdOfAStreamWithoutAListIsGone", func(t *testing.T) {
		pages, err := read(t, "", "gone-1", "gone-2")
		want := "fetch balances (source-a): every id answers 404: gone-1, gone-2; the path is most likely wrong: 404 Not Found"
		if err == nil || err.Error() != want || pages != nil {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("DoubtsWhenEveryIdOfAListedStreamIsGone", func(t *testing.T) {
		pages, err := stream(t, schema.Budgets, "", "gone")
		if err != nil || len(pages) != 1 || !pages[0].Last || pages[0].Doubt != "1 of 1 ids answer 404: gone" {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("NamesTransactionsThatAreGoneWithoutADoubt", func(t *testing.T) {
		var gone []string
		for i := range 26 {
			gone = append(gone, fmt.Sprint("gone-", i))
		}
		pages, err := stream(t, schema.Transactions, "", append(slices.Clone(gone), "a")...)
		if err != nil || len(pages) != 2 || !slices.Equal(pages[0].Missing, gone[:25]) || !slices.Equal(pages[1].Missing, gone[25:]) ||
			len(pages[1].Records) != 1 || !pages[1].Last || pages[1].Doubt != "" {
			t.Errorf("%+v, %v", pages, err)
		}
		if pages, err = stream(t, schema.Transactions, "b", "gone", "b"); err == nil || len(pages) != 1 || !slices.Equal(pages[0].Missing, []string{"gone"}) {
			t.Errorf("before an error: %+v, %v", pages, err)
		}
	})
	t.Run("YieldsWhatWasReadBeforeAnError", func(t *testing.T) {
		pages, err := read(t, "c", "a", "b", "c", "d")
		if err == nil || err.Error() != "fetch balances (source-a, c): 403 Forbidden" || len(pages) != 1 || len(pages[0].Records) != 2 || pages[0].Last {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("RefusesAnEmptyID", func(t *testing.T) {
		if pages, err := read(t, "", "a", ""); err == nil || len(pages) != 1 {
			t.Errorf("%+v, %v", pages, err)
		}
	})
	t.Run("StopsWhenCancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var errs []error
		asked := 0
		for _, err := range paginate.ByID(ctx, "source-a", schema.Balances, []string{"a", "b"}, func() func(context.Context, string) (schema.Record, int, error) {
			return func(context.Context, string) (schema.Record, int, error) {
				asked++
				cancel()
				return schema.Record{ExternalID: "a"}, 0, nil
			}
		}) {
			errs = append(errs, err)
		}
		if len(errs) != 2 || errs[0] != nil || !errors.Is(errs[1], context.Canceled) || asked != 1 {
			t.Errorf("%v, %d asked", errs, asked)
		}
	})
}

// Whatever stands in a stored cursor, the walk either refuses it or ends.
func FuzzCursor(f *testing.F) {
	w := script([]paginate.Stop{paginate.ByCursor("2"), paginate.ByCursor("")}, []paginate.Stop{paginate.Whole()})
	w.Pages = 50
	for page, err := range w.From(f.Context(), "") {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(page.Next))
	}
	f.Add(`{"list":1,"page":-1}`)
	f.Add(`{"list":1e9}`)
	f.Fuzz(func(t *testing.T, cursor string) {
		// The provider's own part of the cursor goes to the provider; this one knows only the pages 1 and 2.
		open := w.Open
		guarded := w
		guarded.Open = func() paginate.Step[memory] {
			step := open()
			return func(ctx context.Context, at *paginate.Place[memory]) (extract.Page, paginate.Stop, error) {
				if at.At != "" && at.At != "2" || at.List == 1 && at.At != "" {
					return extract.Page{}, paginate.Stop{}, &transport.StatusError{Status: 400}
				}
				return step(ctx, at)
			}
		}
		pages, last := 0, false
		for page, err := range guarded.From(t.Context(), extract.Cursor(cursor)) {
			if err != nil {
				if !errors.Is(err, extract.ErrCursor) && !errors.Is(err, paginate.ErrTooMany) {
					t.Errorf("%q: %v", cursor, err)
				}
				return
			}
			pages, last = pages+1, page.Last
		}
		if pages > 50 || !last {
			t.Errorf("%q: %d pages, last %v", cursor, pages, last)
		}
	})
}
