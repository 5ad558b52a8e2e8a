// Package paginate is the one page loop. Issuers page in different styles; a style is a function that makes a Stop out of
// what the provider says about the next page, so a walk without a way to end cannot be written.
package paginate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"strconv"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Errors that callers test for.
var (
	// ErrRepeated: the provider gave a cursor a second time. Going on would never end.
	ErrRepeated = errors.New("the provider repeats a cursor")
	// ErrTooMany: the walk took more pages than allowed.
	ErrTooMany = errors.New("too many pages")
)

// DefaultMaxPages is how many pages one walk may take.
const DefaultMaxPages = 100_000

// Cursors of all four providers are opaque; public clients cap them at 8 kB.
const maxCursor = 8 << 10

// Stop is what a page says about the page after it. The zero Stop says nothing, which is an error.
type Stop struct {
	style string
	next  string
	more  bool
	again bool
	err   error
}

// ByCursor is the style of BILL (nextPage) and Slash (metadata.nextCursor): a cursor that is absent, null or empty ends
// the list.
func ByCursor(next string) Stop { return Stop{style: "cursor", next: next, more: next != ""} }

// ByPageInfo is the style of Whop (page_info): has_next_page decides, whatever the cursor is.
func ByPageInfo(end string, more bool) Stop {
	s := Stop{style: "page_info", next: end, more: more}
	if more && end == "" {
		s.err = &transport.FieldError{Field: "page_info.end_cursor", Problem: "empty although has_next_page is true"}
	}
	return s
}

// ByNumber is the style of Bitnob (page and take): page is the number just read, more what the provider says.
func ByNumber(page int, more bool) Stop {
	return Stop{style: "page number", next: strconv.Itoa(page + 1), more: more}
}

// Whole is a list without paging: it is all on one page.
func Whole() Stop { return Stop{style: "whole"} }

// Again begins the whole walk again, because the list changed while it was read. Whoever returns it bounds how often.
func Again() Stop { return Stop{style: "again", again: true} }

// Place is where a walk stands. Encoded, it is the extractor's cursor.
type Place[S any] struct {
	List  int    `json:"list"`         // which of the walk's lists
	At    string `json:"at,omitempty"` // the provider's own cursor or page number; empty: the list's start
	Page  int    `json:"page"`         // pages before this one, over all lists and restarts
	State S      `json:"state"`        // what the issuer must remember between pages
}

// Walk describes one way through one or several lists.
type Walk[S any] struct {
	Source string
	Stream schema.Stream
	Window schema.Window // only named in errors; ignored for snapshots
	Lists  int           // how many lists are read, one after the other
	Pages  int           // at most; 0: DefaultMaxPages

	// Open makes the step of one range, with what that range keeps in memory, such as its retry budget and the ids seen.
	Open func() Step[S]
}

// Step reads the page at a place and says what comes after it. It may change the place's State, which the next step is
// given. It sets everything of the page but Next and Last.
type Step[S any] func(ctx context.Context, at *Place[S]) (extract.Page, Stop, error)

// From walks on from a cursor; an empty one is the start. The contract is that of extract.Extractor.Pages.
func (w Walk[S]) From(ctx context.Context, from extract.Cursor) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		place, err := w.decode(from)
		if err != nil {
			yield(extract.Page{}, w.wrap(place, err))
			return
		}
		step := w.Open()
		resumed := from != ""
		visited := map[key]bool{}
		for {
			visited[hash(strconv.Itoa(place.List)+" "+place.At)] = true
			page, stop, err := w.read(ctx, step, &place)
			if err != nil {
				if resumed && refused(err) {
					err = fmt.Errorf("%w: %w", extract.ErrCursor, err)
				}
				yield(extract.Page{}, w.wrap(place, err))
				return
			}
			resumed = false
			place.Page++
			switch {
			case stop.again:
				place.List, place.At = 0, ""
				clear(visited)
			case stop.more:
				place.At = stop.next
				if visited[hash(strconv.Itoa(place.List)+" "+place.At)] {
					place.Page--
					yield(extract.Page{}, w.wrap(place, ErrRepeated))
					return
				}
			default:
				place.List, place.At = place.List+1, ""
			}
			page.Last = place.List == w.Lists
			if page.Next, err = w.encode(place, page.Last); err != nil {
				yield(extract.Page{}, w.wrap(place, err))
				return
			}
			if !yield(page, nil) || page.Last {
				return
			}
		}
	}
}

func (w Walk[S]) read(ctx context.Context, step Step[S], place *Place[S]) (extract.Page, Stop, error) {
	if ctx.Err() != nil {
		return extract.Page{}, Stop{}, context.Cause(ctx)
	}
	most := w.Pages
	if most == 0 {
		most = DefaultMaxPages
	}
	if place.Page >= most {
		return extract.Page{}, Stop{}, fmt.Errorf("%w: the list did not end within %d", ErrTooMany, most)
	}
	page, stop, err := step(ctx, place)
	switch {
	case err != nil:
		return extract.Page{}, Stop{}, err
	case stop.err != nil:
		return extract.Page{}, Stop{}, stop.err
	case stop.style == "":
		return extract.Page{}, Stop{}, errors.New("the page does not say whether another follows")
	case len(stop.next) > maxCursor:
		return extract.Page{}, Stop{}, fmt.Errorf("the provider's cursor is longer than %d bytes", maxCursor)
	}
	return page, stop, nil
}

// refused says whether an answer means that the provider does not know the cursor it was given.
func refused(err error) bool {
	var status *transport.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

func (w Walk[S]) decode(c extract.Cursor) (Place[S], error) {
	var p Place[S]
	if c == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(c), &p); err != nil {
		return Place[S]{}, fmt.Errorf("%w: it is not one of this program's", extract.ErrCursor)
	}
	if p.List < 0 || p.List >= w.Lists || p.Page < 0 || len(p.At) > maxCursor {
		return Place[S]{}, fmt.Errorf("%w: it names a place that does not exist", extract.ErrCursor)
	}
	return p, nil
}

// List is which list of a walk a cursor stands in; 0 where it cannot be read.
func List(c extract.Cursor) int {
	var p Place[json.RawMessage]
	if json.Unmarshal([]byte(c), &p) != nil || p.List < 0 {
		return 0
	}
	return p.List
}

func (w Walk[S]) encode(p Place[S], last bool) (extract.Cursor, error) {
	if last {
		return "", nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write the cursor: %w", err)
	}
	return extract.Cursor(text), nil
}

func (w Walk[S]) wrap(p Place[S], err error) error {
	window := ""
	if !w.Stream.Snapshot() {
		window = ", " + w.Window.String()
	}
	return fmt.Errorf("list %s (%s%s, page %d): %w", w.Stream, w.Source, window, p.Page+1, err)
}

// Refuse is a walk that only says why it cannot be: a stream that the source does not have, or one that is read by id.
func Refuse(source string, s schema.Stream, reason string) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		yield(extract.Page{}, fmt.Errorf("list %s (%s): %s", s, source, reason))
	}
}

type key [2]uint64

// seeds are what the two halves of keys are made with; they differ from one run of the program to the next.
var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// hash makes keys of a size that does not depend on the provider. 128 bits: two ids of one walk never share one.
func hash(s string) key {
	return key{maphash.String(seeds[0], s), maphash.String(seeds[1], s)}
}

// Seen remembers which list of a walk first brought an id.
type Seen struct{ lists map[key]int }

// Note notes an id and returns the list that brought it first, and whether this is the first time. Rows without an id are
// always first.
func (s *Seen) Note(list int, id string) (owner int, first bool) {
	if id == "" {
		return list, true
	}
	if s.lists == nil {
		s.lists = map[key]int{}
	}
	k := hash(id)
	if owner, ok := s.lists[k]; ok {
		return owner, false
	}
	s.lists[k] = list
	return list, true
}

// Len is how many ids were noted.
func (s *Seen) Len() int { return len(s.lists) }

// Reset forgets all.
func (s *Seen) Reset() { clear(s.lists) }
