// Package extract says what it means to list a stream of a source. Each issuer is a package below it; extract/all lists
// them. Nothing here writes to an issuer, stores anything or knows what a row means.
package extract

import (
	"context"
	"iter"

	"github.com/tieout/tieout/schema"
)

// Cursor is an opaque place in a stream's walk over one window, made by the extractor that reads it. The empty Cursor is
// the start. It is stored with the pages before it, so that a killed run goes on from there.
type Cursor string

// Page is one page of a stream as received, after redaction.
type Page struct {
	Records []schema.Record
	Next    Cursor // where the page after this one starts; empty on the last page
	Last    bool   // the provider's own signal that this was the last page was seen
	Total   int64  // how many records the provider says the whole window holds; -1 where it does not say
	Restart bool   // the list changed while it was read: the walk began again with this page, and counting begins again too
	Retries int    // attempts beyond the first that this page took
	Beside  int    // requests that it took beside its own, such as control totals, without attempts beyond their first
	Doubt   string // why the window cannot be called complete although it was read to its end, such as a filter that the
	// server ignored or a control total that does not agree; empty: no doubt
	Missing []string // ids of transactions that were asked for by id and that the provider no longer knows; to be recorded
}

// Extractor lists the streams of one source.
type Extractor interface {
	// Streams lists what the source offers, in the order in which it should be read.
	Streams() []schema.Stream
	// Pages yields the stream's pages for a window, oldest first where the API allows it. Snapshot streams ignore the
	// window. Nothing is requested before the first range; ranging again starts again at `from`; one error, with a zero
	// Page, ends it; an empty page is not the end; a repeated cursor is an error. Only records that lie in the window by
	// the provider's own filter field are yielded. The last page has Last set. When ctx is done the page in flight is
	// still yielded; the one error is then the cause of ctx.
	Pages(ctx context.Context, s schema.Stream, w schema.Window, from Cursor) iter.Seq2[Page, error]
}

// Planner is the optional ability to say what requests a walk makes. A walk of an extractor without it reads one list and makes
// no requests beside its pages.
type Planner interface {
	// Plan says what a walk makes from a cursor on. It asks for nothing, and takes a cursor that it cannot read for the start.
	Plan(s schema.Stream, w schema.Window, from Cursor) Requests
}

// Requests are those of a walk, as far as they are known before it.
type Requests struct {
	Lists  int // that are read to the end of the walk, with the one that it stands in; each has a page at least
	Beside int // beside pages, such as control totals
	Times  int // how many of the lists of a whole walk bring the same row
}

// Fetcher is the optional ability to read by id: the streams utilization and balances (a request a card), and rows of
// transactions that are still pending. The ids come from the ledger, so pipeline supplies them. A transaction that the
// provider no longer knows is in Page.Missing; any other id that it does not know puts a Doubt on the last page, and where
// it knows none of a stream that has no list, that is an error.
type Fetcher interface {
	Fetch(ctx context.Context, s schema.Stream, ids []string) iter.Seq2[Page, error]
}
