package reconcile

import (
	"context"
	"fmt"
	"iter"

	"github.com/tieout/tieout/schema"
)

// unknownField finds fields, types and enum values that were not seen before: one finding for each field of a stream,
// however many records have it.
type unknownField struct{}

func (unknownField) Code() schema.FindingCode { return schema.UnknownField }

func (c unknownField) Run(ctx context.Context, v schema.View, p schema.Period) iter.Seq2[schema.Outcome, error] {
	return outcomes(func() ([]schema.Outcome, error) {
		if !current(p) {
			return nil, nil
		}
		notes, err := readNotes(ctx, v, schema.UnknownFieldNote)
		if err != nil {
			return nil, err
		}
		type field struct {
			source string
			stream schema.Stream
			name   string
		}
		records := map[field]int{}
		for _, n := range notes {
			records[field{n.Source, n.Stream, n.Field}]++
		}
		var all []schema.Outcome
		for _, n := range notes {
			key := field{n.Source, n.Stream, n.Field}
			if records[key] == 0 {
				continue // said at its first record
			}
			f := schema.Finding{
				Code: c.Code(), Severity: schema.Low, Source: n.Source, Subject: string(n.Stream) + " " + n.Field,
				PeriodFrom: deadline(p), PeriodTo: deadline(p), SubjectAt: subjectAt(p, deadline(p)),
			}
			detail := ""
			if n.Detail != "" {
				detail = " (" + printable(n.Detail) + ")"
			}
			f.Message = fmt.Sprintf("The %s of %s have something in %s that tieout does not know%s, in %s, first in %s. "+
				"The provider may have changed its interface: look for a newer version of tieout.",
				n.Stream, n.Source, idText(n.Field), detail, count(records[key], "record", "records"), idText(n.ExternalID))
			if n.Stream == schema.Transactions {
				f.EntryID = n.Source + "/" + n.ExternalID
			}
			records[key] = 0
			all = append(all, found(f))
		}
		return all, nil
	})
}
