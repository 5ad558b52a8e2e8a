package paginate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// Records on a page that is read id by id: one request each, so a page is a minute at the slowest provider.
const perPage = 25

// ByID reads rows one by one, for extract.Fetcher. open makes the read of one range: it returns the record of an id and
// the number of retries. An id answered 404 is left out. An error ends the walk after the page of what was read before it.
func ByID(
	ctx context.Context, source string, s schema.Stream, ids []string,
	open func() func(ctx context.Context, id string) (schema.Record, int, error),
) iter.Seq2[extract.Page, error] {
	return func(yield func(extract.Page, error) bool) {
		read := open()
		page := extract.Page{Total: -1}
		for i, id := range ids {
			record, retries, err := one(ctx, read, id)
			page.Retries += retries
			if err != nil && !unknown(err) {
				if len(page.Records) > 0 && !yield(page, nil) {
					return
				}
				yield(extract.Page{}, fmt.Errorf("fetch %s (%s, %s): %w", s, source, id, err))
				return
			}
			if err == nil {
				page.Records = append(page.Records, record)
			}
			page.Last = i == len(ids)-1
			if page.Last || len(page.Records) == perPage {
				if !yield(page, nil) {
					return
				}
				page = extract.Page{Total: -1}
			}
		}
	}
}

func one(
	ctx context.Context, read func(context.Context, string) (schema.Record, int, error), id string,
) (schema.Record, int, error) {
	if err := ctx.Err(); err != nil {
		return schema.Record{}, 0, err
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
