package paginate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Records on a page that is read id by id: one request each, so a page is a minute at the slowest provider.
const perPage = 25

// How many of the ids answered 404 are named in words.
const named = 3

// ByID reads rows one by one, for extract.Fetcher. open makes the read of one range: it returns the record of an id and
// the number of retries. An error ends the walk after the page of what was read before it.
//
// An id answered 404 is never passed over in silence. A transaction may be gone for good reason (an authorization that was
// declined or has expired), so it stands in Missing. Anything else was listed, so the last page has a Doubt; and where a
// stream that has no list answers 404 to every id, its path is most likely wrong, which is an error.
func ByID(
	ctx context.Context, source string, s schema.Stream, ids []string,
	open func() func(ctx context.Context, id string) (schema.Record, int, error),
) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		read := open()
		page := extract.Page{Total: -1}
		var gone []string
		for i, id := range ids {
			record, retries, err := one(ctx, read, id)
			page.Retries += retries
			switch {
			case err == nil:
				page.Records = append(page.Records, record)
			case !unknown(err):
				if len(page.Records)+len(page.Missing) > 0 && !yield(page, nil) {
					return
				}
				yield(extract.Page{}, fmt.Errorf("fetch %s (%s, %s): %w", s, source, id, err))
				return
			case s == schema.Transactions:
				page.Missing = append(page.Missing, id)
			default:
				gone = append(gone, id)
			}
			page.Last = i == len(ids)-1
			if page.Last && len(gone) == len(ids) && !listed(s) {
				yield(extract.Page{}, fmt.Errorf("fetch %s (%s): every id answers 404: %s; the path is most likely wrong: %w", s, source, some(gone), err))
				return
			}
			if page.Last && len(gone) > 0 {
				page.Doubt = fmt.Sprintf("%d of %d ids answer 404: %s", len(gone), len(ids), some(gone))
			}
			if page.Last || len(page.Records)+len(page.Missing) == perPage {
				if !yield(page, nil) {
					return
				}
				page = extract.Page{Total: -1}
			}
		}
	}
}

// listed says whether a stream is also read as a list, which proves its path; the others are a request a card.
func listed(s schema.Stream) bool { return s != schema.Utilization && s != schema.Balances }

// some names the first few ids and counts the others.
func some(ids []string) string {
	if len(ids) <= named {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:named], ", "), len(ids)-named)
}

func one(
	ctx context.Context, read func(context.Context, string) (schema.Record, int, error), id string,
) (schema.Record, int, error) {
	if ctx.Err() != nil {
		return schema.Record{}, 0, context.Cause(ctx)
	}
	if id == "" {
		return schema.Record{}, 0, errors.New("the id is empty")
	}
	return read(ctx, id)
}

func unknown(err error) bool {
	var status *transport.StatusError
	return errors.As(err, &status) && status.Status == http.StatusNotFound
}
