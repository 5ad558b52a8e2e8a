package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// rejectedRecord finds records that could not be normalized: one finding for each record and field, or for each reason
// where records have no readable id.
type rejectedRecord struct{}

func (rejectedRecord) Code() schema.FindingCode { return schema.RejectedRecord }

func (c rejectedRecord) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		type group struct {
			last  schema.Reject
			times int
		}
		var groups []*group
		bySubject := map[cardKey]*group{}
		for r, err := range v.Rejects.Rejects(ctx) {
			if err != nil {
				return nil, fmt.Errorf("read rejects: %w", err)
			}
			key := cardKey{r.Source, rejectSubject(r)}
			g := bySubject[key]
			if g == nil {
				g = &group{}
				bySubject[key] = g
				groups = append(groups, g)
			}
			g.times++
			if g.times == 1 || r.ReceivedAt.After(g.last.ReceivedAt) {
				g.last = r
			}
		}
		var all []schema.Outcome
		for _, g := range groups {
			r := g.last
			if !inPeriod(p, r.ReceivedAt) {
				continue
			}
			f := schema.Finding{
				Code: c.Code(), Severity: schema.Medium, Source: r.Source, Provider: r.Provider, Subject: rejectSubject(r),
				PeriodFrom: r.ReceivedAt, PeriodTo: r.ReceivedAt, SubjectAt: subjectAt(p, r.ReceivedAt),
			}
			what, then := fmt.Sprintf("Record %s of %s", idText(r.ExternalID), r.Stream), "What it says is missing from the figures of that card."
			if r.ExternalID == "" {
				what = fmt.Sprintf("A record of %s without a readable id (received %s)", r.Stream, count(g.times, "time", "times"))
			}
			if r.Stream == schema.Transactions {
				f.Severity, then = schema.High, "It is in no total until it can be read."
				if r.ExternalID != "" {
					f.EntryID = r.Source + "/" + r.ExternalID
				}
			}
			if r.Page > 0 {
				what += fmt.Sprintf(" (page %d)", r.Page)
			}
			why := printable(r.Reason)
			f.Cause = string(r.Stream) + ", " + why
			if r.Field != "" {
				why = idText(r.Field) + ": " + why
				f.Cause = string(r.Stream) + ", field " + idText(r.Field)
			}
			f.Message = fmt.Sprintf("%s in %s could not be read: %s. %s", what, r.Source, why, then)
			all = append(all, found(f))
		}
		return all, nil
	})
}

// rejectSubject names a rejected record, or a reason where it has no name.
func rejectSubject(r schema.Reject) string {
	if r.ExternalID == "" {
		return string(r.Stream) + " " + r.Field + " " + r.Reason
	}
	return string(r.Stream) + "/" + r.ExternalID
}
