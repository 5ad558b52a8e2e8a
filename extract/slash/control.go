package slash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tieout/tieout/extract/paginate"
	"github.com/tieout/tieout/extract/transport"
)

// statuses are the words that filter:status takes.
func statuses() []string { return []string{"pending", "posted", "failed"} }

// idle are the values of detailedStatus that no money moves with (Slash docs: status texts). Whether the aggregation counts
// such rows is not documented.
func idle() []string {
	return []string{"failed", "declined", "canceled", "reversed", "pending_approval", "in_review"}
}

// counts is a number of rows and how many of them are idle, by detailedStatus.
type counts struct {
	Rows int64            `json:"rows"`
	Idle map[string]int64 `json:"idle,omitempty"`
}

// without is the number of rows when those of the kinds are left out.
func (c counts) without(kinds []string) int64 {
	n := c.Rows
	for _, kind := range kinds {
		n -= c.Idle[kind]
	}
	return n
}

// count adds a row to the counts of the list being read. A status that cannot be read or is not known is counted all the
// same; the normalizer sees to it.
func (s *state) count(row transport.Value) {
	status, _ := row.LookupText("status")
	if !slices.Contains(statuses(), status) {
		status = ""
	}
	kind, _ := row.LookupText("detailedStatus")
	if !slices.Contains(idle(), kind) {
		kind = ""
		if status == "failed" {
			kind = "failed"
		}
	}
	c := s.Counts[status]
	c.Rows++
	if kind != "" {
		if c.Idle == nil {
			c.Idle = map[string]int64{}
		}
		c.Idle[kind]++
	}
	s.Counts[status] = c
}

// all is the sum over every status.
func (s *state) all() counts {
	sum := counts{Idle: map[string]int64{}}
	for _, c := range s.Counts {
		sum.Rows += c.Rows
		for kind, n := range c.Idle {
			sum.Idle[kind] += n
		}
	}
	return sum
}

// control compares the rows of a date list with the provider's own count of them, and says whether they agree. Where the
// whole differs each status is asked for, since some rows may not enter the count. A provider that does not answer the
// question gives no total: the list has ended by its own signal, and nothing speaks against it.
func (r *reader) control(ctx context.Context, category string, at *paginate.Place[state]) (agreed bool, retries int, err error) {
	reported, retries, err := r.aggregate(ctx, category, "")
	if withheld(err) {
		at.State.NoTotal = true
		return true, retries, nil
	}
	if err != nil {
		return false, retries, fmt.Errorf("control total of category %s: %w", category, err)
	}
	read := at.State.all()
	at.State.Total += read.Rows
	if reported == read.Rows {
		return true, retries, nil
	}
	by := map[string]int64{}
	for _, status := range statuses() {
		n, more, err := r.aggregate(ctx, category, status)
		retries += more
		if withheld(err) {
			continue
		}
		if err != nil {
			return false, retries, fmt.Errorf("control total of category %s, status %s: %w", category, status, err)
		}
		by[status] = n
	}
	if at.State.agrees(reported, by) {
		return true, retries, nil
	}
	at.State.Total += reported - read.Rows
	at.State.Doubt = fmt.Sprintf("control total does not agree: of category %s the provider counts %s", category, at.State.figures(reported, by))
	return false, retries, nil
}

// aggregate asks for the provider's count of a category's rows, of one status or, where that is empty, of all.
func (r *reader) aggregate(ctx context.Context, category, status string) (n int64, retries int, err error) {
	r.beside++
	q := r.query(category, "date")
	if status != "" {
		q.Set("filter:status", status)
	}
	answer, err := r.session.Finish(ctx, transport.Path("transaction", "aggregation"), q, func(v transport.Value) (err error) {
		if n, err = v.LookupCount("count"); err == nil && n < 0 {
			err = &transport.FieldError{Field: "count", Problem: "missing"}
		}
		return err
	})
	return n, answer.Retries, err
}

// withheld says whether an answer means that the provider gives no control total, which the list that it has just given
// does without. A credential that is refused is no such answer.
func withheld(err error) bool {
	var status *transport.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusGone, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		return true
	}
	return false
}

// agrees says whether one set of idle rows that the provider leaves out, of the whole and either of each status too or of
// none, explains every figure. Without a count of each status the whole could hide a row that is lost behind one left out.
func (s *state) agrees(reported int64, by map[string]int64) bool {
	read := s.all()
	if len(by) < len(statuses()) {
		return false
	}
	for _, left := range subsets(idle()) {
		if reported == read.without(left) && (s.agreesByStatus(by, left) || s.agreesByStatus(by, nil)) {
			return true
		}
	}
	return false
}

func (s *state) agreesByStatus(by map[string]int64, left []string) bool {
	for status, n := range by {
		if n != s.Counts[status].without(left) {
			return false
		}
	}
	return true
}

// figures names what the provider counts and what was read, such as "3 rows (pending 1, posted 2, failed 0), but 2 rows
// (pending 1, posted 1, failed 0) were read".
func (s *state) figures(reported int64, by map[string]int64) string {
	var theirs, ours []string
	for _, status := range statuses() {
		n := "unknown"
		if counted, ok := by[status]; ok {
			n = strconv.FormatInt(counted, 10)
		}
		theirs = append(theirs, status+" "+n)
		ours = append(ours, fmt.Sprintf("%s %d", status, s.Counts[status].Rows))
	}
	return fmt.Sprintf("%d rows (%s), but %d rows (%s) were read",
		reported, strings.Join(theirs, ", "), s.all().Rows, strings.Join(ours, ", "))
}

// subsets are all of a short list's.
func subsets(of []string) [][]string {
	all := [][]string{nil}
	for _, one := range of {
		for _, s := range all {
			all = append(all, append(slices.Clone(s), one))
		}
	}
	return all
}
