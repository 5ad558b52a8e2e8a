package reconcile

import (
	"iter"
	"time"

	"github.com/tieout/tieout/schema"
)

// inPeriod says whether a subject lies in the period. A period that runs up to now contains what was seen now: the
// sync before it carries the same instant.
func inPeriod(p schema.Period, t time.Time) bool {
	return p.Contains(t) || (t.Equal(p.To) && t.Equal(p.Now))
}

// subjectAt is the instant of a subject that lies in the period. What was seen now, at the very end of the period, is
// put on its last microsecond, so that every later reader of the half-open period finds it in there.
func subjectAt(p schema.Period, t time.Time) time.Time {
	if t.Equal(p.To) {
		return t.Add(-time.Microsecond)
	}
	return t
}

// deadline is the earlier of now and the period's end: graces that end after it are not over yet.
func deadline(p schema.Period) time.Time {
	if p.Now.Before(p.To) {
		return p.Now
	}
	return p.To
}

// daysAfter is a number of calendar days of a zone after an instant: after the start of a day, the start of another.
func daysAfter(t time.Time, days int, zone *time.Location) time.Time {
	if date := dateOf(t, zone); startOfDate(date, zone).Equal(t) {
		return startOfDate(date.AddDate(0, 0, days), zone)
	}
	return t.In(zone).AddDate(0, 0, days).UTC()
}

// graceOver says whether a number of calendar days of the accounting zone after an instant's day are over, and when they
// ended or will end.
func graceOver(p schema.Period, t time.Time, days int) (time.Time, bool) {
	end := startOfDate(dateOf(t, p.Zone).AddDate(0, 0, days), p.Zone)
	return end, !end.After(deadline(p))
}

// current says whether the period reaches up to now. What the ledger says of the present, without an instant of its own,
// is a subject of such periods only.
func current(p schema.Period) bool { return !p.To.Before(p.Now) }

// Judges says whether the checks say anything of a finding over a period. Over one that does not reach up to now they are
// silent about the present, and their silence resolves nothing.
func Judges(p schema.Period, f schema.Finding) bool {
	switch f.Code {
	case schema.UnknownField:
		return current(p)
	case schema.IncompleteExtract:
		return f.Subject == string(schema.Transactions) || current(p)
	case schema.UnitMismatch:
		return f.EntryID != "" || current(p)
	}
	return true
}

func found(f schema.Finding) schema.Outcome    { return schema.Outcome{Finding: &f} }
func judged(j schema.Judgement) schema.Outcome { return schema.Outcome{Judgement: &j} }

// outcomes yields what collect returns, or its error.
func outcomes(collect func() ([]schema.Outcome, error)) iter.Seq2[schema.Outcome, error] {
	return func(yield func(schema.Outcome, error) bool) {
		all, err := collect()
		if err != nil {
			yield(schema.Outcome{}, err)
			return
		}
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// finding fills what a finding says of its card.
func finding(c schema.Card, f schema.Finding) schema.Finding {
	f.Source, f.Provider, f.CardID, f.CardName, f.CardLast4 = c.Source, c.Provider, c.ID, c.Name, c.Last4
	return f
}
