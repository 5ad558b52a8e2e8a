package schema

import "time"

// RunKind says what a run does.
type RunKind string

// The kinds of runs.
const (
	SyncRun      RunKind = "sync"
	BackfillRun  RunKind = "backfill"
	ReconcileRun RunKind = "reconcile"
	ReportRun    RunKind = "report"
	ImportRun    RunKind = "import" // fundings read from files
	ReviewRun    RunKind = "review" // what people decided about findings
	AlertRun     RunKind = "alert"  // somebody was told of what is new
)

// Tells says whether a run only told of what others had done, and changed nothing that a report shows.
func (k RunKind) Tells() bool { return k == ReportRun || k == AlertRun }

// RunStatus says how a run ended.
type RunStatus string

// The statuses. An Interrupted run was killed; what it had committed stays and is part of the chain.
const (
	Running     RunStatus = "running"
	Queued      RunStatus = "queued" // its units wait for workers, or are being worked
	Complete    RunStatus = "complete"
	Partial     RunStatus = "partial"
	FailedRun   RunStatus = "failed"
	Interrupted RunStatus = "interrupted"
)

// Goes says whether a run has not ended, as far as it is recorded.
func (s RunStatus) Goes() bool { return s == Running || s == Queued }

// Run is one recorded execution.
type Run struct {
	ID         int64
	Kind       RunKind
	Status     RunStatus
	StartedAt  time.Time
	FinishedAt time.Time // zero while running
	Period     Window    // what it was asked for; zero for a sync
	Whole      bool      // a sync of every configured source; a reconcile or a report of the default period, as known now: a step of a night
	Zone       string    // the accounting zone
	Version    string    // of tieout
	Parameters string    // JSON object: settings and tolerances in force; holds no secret
	Error      string
	Root       string // hash chain root after the run, hex
}

// Verdict says whether a window of a stream is known complete.
type Verdict string

// The verdicts. Anything but VerdictComplete is shown as INCOMPLETE.
const (
	VerdictComplete Verdict = "complete"
	VerdictPartial  Verdict = "partial" // some pages were read; resumable
	VerdictFailed   Verdict = "failed"  // nothing usable was read
)

// Completeness is the record of reading one window of one stream in one run.
type Completeness struct {
	Source     string
	Stream     Stream
	Scope      Scope  // which rows were asked for
	Window     Window // for snapshot streams From and To are both the instant of the snapshot
	Verdict    Verdict
	Pages      int64
	Requests   int64 // for those pages, without what was asked for once more because no good answer came
	Records    int64
	Total      int64 // what the provider says there is; -1 where it gives none
	Rejected   int64
	Duplicates int64 // records seen more than once across pages
	Retries    int64
	Restarts   int64 // times that the walk began again, because the list had changed or a cursor was no longer accepted
	FirstID    string
	LastID     string
	SHA256     string // over the redacted records in the order read, each with a line feed after it, hex
	Reason     string // why it is not complete; empty when it is
	Run        int64  // set by the ledger
	RecordedAt time.Time
}

// clockSlack is how far clocks may differ, or be set back, without anybody calling them wrong.
const clockSlack = 2 * time.Hour

// Believable is the latest instant at which something can have been recorded that is not after now. What was recorded later was
// recorded by a clock that was ahead: it does not say up to when anything was read, or that a night was done, until that
// instant has come.
func Believable(now time.Time) time.Time { return now.Add(clockSlack) }
