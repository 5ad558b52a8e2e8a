// Package ledger is the one ledger: everything tieout knows, in one database. All SQL of the program is here and in
// schema/migrations, in the subset that SQLite and PostgreSQL both speak.
package ledger

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
)

// Config says which ledger to open.
type Config struct {
	Path     string           // a SQLite file
	ReadOnly bool             // for auditors: nothing is written, not even a migration
	Now      func() time.Time // the recorded clock; required
}

// Group is what one transaction stores: the records of some pages of one stream, what they became, and how far the walk
// has come. Either all of it is stored or none.
type Group struct {
	Run          int64
	Source       string
	Provider     schema.Provider
	Stream       schema.Stream
	Records      []schema.Record // evidence, as received after redaction
	Batch        schema.Batch
	Checkpoint   *Checkpoint          // saved; nil: left as it is
	Completeness *schema.Completeness // the window ended: recorded, and its checkpoint is removed
}

// Checkpoint is how far the walk over one window has come. It outlives a killed run.
type Checkpoint struct {
	Source string
	Stream schema.Stream
	Window schema.Window
	Cursor string
	State  string   // the walk's counters, JSON, opaque to the ledger
	Seen   []uint64 // hashes of ids seen; Commit appends these, Checkpoint returns all of them
	Run    int64
}

// Counts says what a commit did to entries.
type Counts struct{ New, Changed, Unchanged, Rejected int64 }

// FindingChanges says what saving a run's findings did.
type FindingChanges struct{ New, Persisting, Reopened, Resolved int64 }

// FindingFilter selects findings; zero fields select everything.
type FindingFilter struct {
	ID     string
	Status schema.FindingStatus
	Code   schema.FindingCode
	Source string
	Period schema.Window // SubjectAt in it; a zero window selects all
	AsOf   int64         // as known at this run; 0: now
}

// ErrNotFound says that what was asked for is not in the ledger.
var ErrNotFound = errors.New("not in the ledger")

// API documents the methods that *Ledger has for pipeline and cmd. It exists to be read and to be asserted by one line in
// a test; callers declare the small interfaces that they need.
type API interface {
	Close() error

	// StartRun records a run as running and gives it its ID. Runs still marked running from a killed process are marked
	// interrupted first.
	StartRun(ctx context.Context, r schema.Run) (schema.Run, error)
	// FinishRun records status, error, parameters and finish time, and returns the run with its chain root.
	FinishRun(ctx context.Context, r schema.Run) (schema.Run, error)
	// Run finds a run; ErrNotFound.
	Run(ctx context.Context, id int64) (schema.Run, error)
	// Runs lists runs, newest first, at most limit (0: all).
	Runs(ctx context.Context, limit int) ([]schema.Run, error)

	// Commit stores a group in one transaction, with a link of the hash chain.
	Commit(ctx context.Context, g Group) (Counts, error)
	// Checkpoint finds where the walk over a window stands; false when there is none.
	Checkpoint(ctx context.Context, source string, s schema.Stream, w schema.Window) (Checkpoint, bool, error)
	// OpenCheckpoints lists the walks of a stream that were not finished, oldest window first.
	OpenCheckpoints(ctx context.Context, source string, s schema.Stream) ([]Checkpoint, error)
	// DropCheckpoint forgets one (its cursor expired: the window starts again).
	DropCheckpoint(ctx context.Context, source string, s schema.Stream, w schema.Window) error
	// Coverage lists the windows of a stream that are complete, merged where they touch or overlap, oldest first.
	Coverage(ctx context.Context, source string, s schema.Stream) ([]schema.Window, error)

	// Watermark is the end of the latest complete window that a sync (not a backfill) read of a stream; zero: none.
	Watermark(ctx context.Context, source string, s schema.Stream) (time.Time, error)

	// BudgetIDs lists the distinct budget ids that the known cards of a source name.
	BudgetIDs(ctx context.Context, source string) ([]string, error)
	// CardIDs lists the ids of the known cards of a source.
	CardIDs(ctx context.Context, source string) ([]string, error)
	// PendingIDs lists the external ids of entries whose own provider status is still pending and that occurred before t.
	PendingIDs(ctx context.Context, source string, before time.Time) ([]string, error)

	// View reads the ledger as it was known after run asOf; 0: now.
	View(asOf int64) schema.View

	// SaveFindings stores the findings of a reconcile run. Findings of the given codes whose SubjectAt lies in the
	// period and that are not among them are resolved; the others keep their status. A resolved one found again is
	// reopened. An accepted one whose figures changed is reopened.
	SaveFindings(ctx context.Context, run int64, period schema.Window, codes []schema.FindingCode, findings []schema.Finding) (FindingChanges, error)
	// Findings yields findings by ID.
	Findings(ctx context.Context, f FindingFilter) iter.Seq2[schema.Finding, error]

	// ImportFundings stores the fundings of one file: new ones are added; those the file no longer has are withdrawn
	// unless another file still has them. The same file twice changes nothing.
	ImportFundings(ctx context.Context, run int64, file string, fundings []schema.Funding) (added, withdrawn int64, err error)

	// Verify recomputes the hash chain and every stored row's hash and names the first row that does not hold. root, if
	// not empty, must be the root of some run.
	Verify(ctx context.Context, root string) (Verification, error)
	// Root is the current root of the chain, hex.
	Root(ctx context.Context) (string, error)
}

// Verification says what Verify looked at.
type Verification struct {
	Runs, Commits, Rows int64
	Root                string
	Problem             string // the first row that does not hold, named; empty: all hold
}
