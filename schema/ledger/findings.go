package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tieout/tieout/schema"
)

// FindingSet is what the checks of one reconcile run came to.
type FindingSet struct {
	Run          int64
	Period       schema.Window
	Codes        []schema.FindingCode // of the checks that ran to their end
	Findings     []schema.Finding
	NotCheckable []schema.Judgement // a finding about one of these keeps its status: not seeing it proves nothing

	Judged func(schema.Finding) bool // whether the checks say anything of such a finding over the period; nil: of all
}

// FindingChanges says what saving a run's findings did.
type FindingChanges struct{ New, Persisting, Reopened, Resolved int64 }

// FindingFilter selects findings; zero fields select everything.
type FindingFilter struct {
	ID       string
	Status   schema.FindingStatus
	Code     schema.FindingCode
	Source   string
	Severity schema.Severity
	Period   schema.Window // the subject lies in it; a zero window selects all
	AsOf     int64         // as known after this run; 0: now
}

func findingColumns() []string {
	return []string{
		"finding_id", "code", "reason", "severity", "source", "provider", "card_id", "card_name", "card_last4", "entry_id",
		"reference", "expected_minor", "expected_currency", "actual_minor", "actual_currency", "unexplained_minor",
		"unexplained_currency", "period_from", "period_to", "subject", "subject_at", "subject_to", "window_start", "message", "basis",
		"explanation", "evidence",
	}
}

type findingRow struct {
	ID                  int64  `db:"id"`
	FindingID           string `db:"finding_id"`
	Code                string `db:"code"`
	Reason              string `db:"reason"`
	Severity            string `db:"severity"`
	Status              string `db:"status"`
	Source              string `db:"source"`
	Provider            string `db:"provider"`
	CardID              string `db:"card_id"`
	CardName            string `db:"card_name"`
	CardLast4           string `db:"card_last4"`
	EntryID             string `db:"entry_id"`
	Reference           string `db:"reference"`
	ExpectedMinor       *int64 `db:"expected_minor"`
	ExpectedCurrency    string `db:"expected_currency"`
	ActualMinor         *int64 `db:"actual_minor"`
	ActualCurrency      string `db:"actual_currency"`
	UnexplainedMinor    *int64 `db:"unexplained_minor"`
	UnexplainedCurrency string `db:"unexplained_currency"`
	PeriodFrom          *int64 `db:"period_from"`
	PeriodTo            *int64 `db:"period_to"`
	Subject             string `db:"subject"`
	SubjectAt           int64  `db:"subject_at"`
	SubjectTo           *int64 `db:"subject_to"`
	WindowStart         *int64 `db:"window_start"`
	Message             string `db:"message"`
	Basis               string `db:"basis"`
	Explanation         string `db:"explanation"`
	Evidence            string `db:"evidence"`
	Assignee            string `db:"assignee"`
	FirstSeen           *int64 `db:"first_seen"`
	LastSeen            *int64 `db:"last_seen"`
}

func (r findingRow) finding() (schema.Finding, error) {
	f := schema.Finding{
		Code: schema.FindingCode(r.Code), Reason: r.Reason, Severity: schema.Severity(r.Severity), Status: schema.FindingStatus(r.Status),
		Assignee: r.Assignee, Source: r.Source, Provider: schema.Provider(r.Provider), CardID: r.CardID, CardName: r.CardName, CardLast4: r.CardLast4,
		EntryID: r.EntryID, Reference: r.Reference, PeriodFrom: instant(r.PeriodFrom), PeriodTo: instant(r.PeriodTo), Subject: r.Subject,
		SubjectAt: instant(&r.SubjectAt), SubjectTo: instant(r.SubjectTo), WindowStart: instant(r.WindowStart), Message: r.Message,
		Basis: r.Basis, Explanation: r.Explanation, FirstSeen: instant(r.FirstSeen), LastSeen: instant(r.LastSeen),
	}
	var err error
	if f.Expected, err = amount(r.ExpectedMinor, r.ExpectedCurrency); err != nil {
		return f, fmt.Errorf("finding %s: %w", r.FindingID, err)
	}
	if f.Actual, err = amount(r.ActualMinor, r.ActualCurrency); err != nil {
		return f, fmt.Errorf("finding %s: %w", r.FindingID, err)
	}
	if f.Unexplained, err = amount(r.UnexplainedMinor, r.UnexplainedCurrency); err != nil {
		return f, fmt.Errorf("finding %s: %w", r.FindingID, err)
	}
	if err := json.Unmarshal([]byte(r.Evidence), &f.Evidence); err != nil {
		return f, fmt.Errorf("finding %s: evidence: %w", r.FindingID, err)
	}
	return f, nil
}

// findingValues are the columns of a finding, in the order of findingColumns.
func findingValues(f schema.Finding) ([]any, error) {
	evidence, err := json.Marshal(append([]string{}, f.Evidence...))
	if err != nil {
		return nil, err
	}
	return []any{
		f.ID(), string(f.Code), text(f.Reason), string(f.Severity), f.Source, string(f.Provider), text(f.CardID),
		text(f.CardName), text(f.CardLast4), text(f.EntryID), text(f.Reference), minor(f.Expected), f.Expected.Currency().Code(),
		minor(f.Actual), f.Actual.Currency().Code(), minor(f.Unexplained), f.Unexplained.Currency().Code(), micros(f.PeriodFrom),
		micros(f.PeriodTo), text(f.Subject), f.SubjectAt.UnixMicro(), micros(f.SubjectTo), micros(f.WindowStart), text(f.Message),
		text(f.Basis), text(f.Explanation), text(string(evidence)),
	}, nil
}

const findingSelect = `SELECT id, finding_id, code, reason, severity, source, provider, card_id, card_name, card_last4, entry_id,
	reference, expected_minor, expected_currency, actual_minor, actual_currency, unexplained_minor, unexplained_currency, period_from,
	period_to, subject, subject_at, subject_to, window_start, message, basis, explanation, evidence FROM findings `

// SaveFindings stores what a reconcile run found. A finding that was not there is new; one that was resolved is reopened,
// and so is an accepted one whose figures changed or that became more severe. A finding of the given codes whose subject
// lies in the period and that was not found again is resolved, unless its subject could not be checked. All others keep
// their status.
func (l *Ledger) SaveFindings(ctx context.Context, set FindingSet) (FindingChanges, error) {
	var changes FindingChanges
	err := l.commit(ctx, set.Run, "findings", func(t *tx) error {
		s := saving{set: set, at: l.now(), seen: map[string]bool{}}
		if err := s.read(ctx, t); err != nil {
			return err
		}
		for _, f := range set.Findings {
			if err := s.found(f); err != nil {
				return err
			}
		}
		if err := s.gone(); err != nil {
			return err
		}
		changes = s.changes
		return s.store(ctx, t)
	})
	if err != nil {
		return FindingChanges{}, fmt.Errorf("save findings: %w", err)
	}
	return changes, nil
}

// saving is one SaveFindings: what stands, and what it becomes.
type saving struct {
	set     FindingSet
	at      time.Time
	current []findingRow // by id
	byID    map[string]findingRow
	last    map[string]schema.FindingEvent
	seen    map[string]bool

	rows, sightings, events [][]any
	closed                  []int64
	changes                 FindingChanges
}

func (s *saving) read(ctx context.Context, t *tx) error {
	if err := t.SelectContext(ctx, &s.current, findingSelect+`WHERE closed_seq IS NULL ORDER BY finding_id`); err != nil {
		return fmt.Errorf("read findings: %w", err)
	}
	s.byID = make(map[string]findingRow, len(s.current))
	for _, r := range s.current {
		s.byID[r.FindingID] = r
	}
	var err error
	s.last, err = t.latestEvents(ctx, nil)
	return err
}

func (s *saving) found(f schema.Finding) error {
	id := f.ID()
	if s.seen[id] {
		return nil // one disagreement is one finding, however many entries show it
	}
	s.seen[id] = true
	s.sightings = append(s.sightings, []any{id})
	event, happened := s.last[id].Found(f)
	switch {
	case !happened:
		s.changes.Persisting++
	case event.Action == schema.FindingOpened:
		s.changes.New++
	default:
		s.changes.Reopened++
	}
	if happened {
		s.event(event)
	}
	return s.version(f)
}

// version stores the finding as it is now, unless it is as it was.
func (s *saving) version(f schema.Finding) error {
	values, err := findingValues(f)
	if err != nil {
		return err
	}
	if was, ok := s.byID[f.ID()]; ok {
		old, err := was.finding()
		if err != nil {
			return err
		}
		before, err := findingValues(old)
		if err != nil {
			return err
		}
		if slices.Equal(before, values) {
			return nil
		}
		s.closed = append(s.closed, was.ID)
	}
	s.rows = append(s.rows, values)
	return nil
}

// gone resolves what was judged and not found.
func (s *saving) gone() error {
	for _, r := range s.current {
		f, err := r.finding()
		if err != nil {
			return err
		}
		if s.seen[r.FindingID] || !slices.Contains(s.set.Codes, f.Code) || !f.In(s.set.Period) || unchecked(f, s.set.NotCheckable) ||
			s.set.Judged != nil && !s.set.Judged(f) {
			continue
		}
		if event, happened := s.last[r.FindingID].Gone(f); happened {
			s.changes.Resolved++
			s.event(event)
		}
	}
	return nil
}

func (s *saving) event(e schema.FindingEvent) {
	e.At = s.at
	s.events = append(s.events, eventValues(e))
}

func (s *saving) store(ctx context.Context, t *tx) error {
	slices.Sort(s.closed)
	if err := t.close(ctx, "findings", s.closed); err != nil {
		return err
	}
	if err := t.insert(ctx, "findings", s.rows); err != nil {
		return err
	}
	if err := t.insert(ctx, "sightings", s.sightings); err != nil {
		return err
	}
	return t.insert(ctx, "finding_events", s.events)
}

// unchecked says whether a finding is about something that could not be checked this time. A judgement without a card or
// figure is about all of them.
func unchecked(f schema.Finding, judgements []schema.Judgement) bool {
	for _, j := range judgements {
		if j.Code != f.Code || (j.Source != "" && j.Source != f.Source) || (j.CardID != "" && j.CardID != f.CardID) {
			continue
		}
		if j.Figure == "" || j.Figure == f.Subject || j.Figure == f.Reference || strings.HasPrefix(f.Subject, j.Figure+" ") {
			return true
		}
	}
	return false
}

// Findings yields findings by id.
func (l *Ledger) Findings(ctx context.Context, filter FindingFilter) iter.Seq2[schema.Finding, error] {
	return func(yield func(schema.Finding, error) bool) {
		seq, err := l.seqAt(ctx, filter.AsOf)
		if err != nil {
			yield(schema.Finding{}, fmt.Errorf("read findings: %w", err))
			return
		}
		runs, err := l.runStarts(ctx)
		if err != nil {
			yield(schema.Finding{}, fmt.Errorf("read findings: %w", err))
			return
		}
		query := strings.Replace(findingSelect, "evidence FROM", "evidence, s.first_seen, s.last_seen, e.status, e.assignee FROM", 1) + `f
			JOIN (SELECT finding_id AS seen_id, MIN(commit_seq) AS first_seen, MAX(commit_seq) AS last_seen FROM sightings
			      WHERE commit_seq <= ? GROUP BY finding_id) s ON s.seen_id = f.finding_id
			JOIN (SELECT finding_id AS event_of, status, assignee FROM finding_events WHERE id IN (
			      SELECT MAX(id) FROM finding_events WHERE commit_seq <= ? GROUP BY finding_id)) e ON e.event_of = f.finding_id
			WHERE `
		conditions, args := []string{`commit_seq <= ? AND (closed_seq IS NULL OR closed_seq > ?)`}, []any{seq, seq, seq, seq}
		for _, where := range []struct{ column, value string }{
			{"finding_id", filter.ID},
			{"e.status", string(filter.Status)},
			{"code", string(filter.Code)},
			{"source", filter.Source},
			{"severity", string(filter.Severity)},
		} {
			if where.value != "" {
				conditions, args = append(conditions, where.column+" = ?"), append(args, where.value)
			}
		}
		rows, err := l.read.QueryxContext(ctx, l.read.Rebind(query+strings.Join(conditions, " AND ")+` ORDER BY finding_id`), args...)
		if err != nil {
			yield(schema.Finding{}, fmt.Errorf("read findings: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var r findingRow
			if err := rows.StructScan(&r); err != nil {
				yield(schema.Finding{}, fmt.Errorf("read findings: %w", err))
				return
			}
			first, last := runs[*r.FirstSeen].at, runs[*r.LastSeen].at
			r.FirstSeen, r.LastSeen = nil, nil
			f, err := r.finding()
			if err != nil {
				yield(schema.Finding{}, err)
				return
			}
			f.FirstSeen, f.LastSeen = first, last
			if filter.Period != (schema.Window{}) && !f.In(filter.Period) {
				continue
			}
			if !yield(f, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(schema.Finding{}, fmt.Errorf("read findings: %w", err))
		}
	}
}

// runStart is the run of a commit and when it started.
type runStart struct {
	run int64
	at  time.Time
}

// runStarts maps each commit to its run.
func (l *Ledger) runStarts(ctx context.Context) (map[int64]runStart, error) {
	type row struct {
		Seq       int64 `db:"seq"`
		RunID     int64 `db:"run_id"`
		StartedAt int64 `db:"started_at"`
	}
	var rows []row
	if err := l.read.SelectContext(ctx, &rows, `
		SELECT c.seq, c.run_id, r.started_at FROM commits c
		JOIN (SELECT run_id, MIN(started_at) AS started_at FROM run_events GROUP BY run_id) r ON r.run_id = c.run_id`); err != nil {
		return nil, fmt.Errorf("read commits: %w", err)
	}
	starts := make(map[int64]runStart, len(rows))
	for _, r := range rows {
		starts[r.Seq] = runStart{run: r.RunID, at: instant(&r.StartedAt)}
	}
	return starts, nil
}
