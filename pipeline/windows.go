package pipeline

import (
	"context"
	"time"

	"github.com/tieout/tieout/schema"
)

// windowPages is how many pages a window of a backfill has at most, as far as that can be known. A day is never cut.
const windowPages = 200

// observedSize is how many rows a page has of a provider that takes no page size (Slash: observed by its clients).
const observedSize = 100

// volume is how many transactions a source has each business day, as the ledger knew it after a run. A day that was not read
// whole is taken to have as many as the others have on average.
type volume struct {
	zone  *time.Location
	size  int64               // rows of a page
	rows  map[time.Time]int64 // by the beginning of the day
	read  []schema.Window     // read whole
	usual int64               // of a day that was not
	all   int64
}

// volume counts what the ledger knew after a run; 0: nothing.
func (p *Pipeline) volume(ctx context.Context, s Source, asOf int64) (volume, error) {
	v := volume{zone: p.Zone, size: int64(s.PageSize), rows: map[time.Time]int64{}}
	if v.size <= 0 {
		v.size = observedSize
	}
	if asOf <= 0 {
		return v, nil
	}
	view := p.View(asOf)
	for c, err := range view.Completeness.Completeness(ctx) {
		if err != nil {
			return v, err
		}
		if c.Source == s.Name && c.Stream == schema.Transactions && c.Verdict == schema.VerdictComplete {
			v.read = append(v.read, c.Window)
		}
	}
	for e, err := range view.Entries.Entries(ctx, schema.EntryFilter{Source: s.Name}) {
		if err != nil {
			return v, err
		}
		v.rows[v.dayOf(e.OccurredAt)]++
		v.all++
	}
	var first, last time.Time
	for day := range v.rows {
		if first.IsZero() || day.Before(first) {
			first = day
		}
		if day.After(last) {
			last = day
		}
	}
	if v.all > 0 {
		days := int64(last.Sub(first)/(24*time.Hour)) + 1
		v.usual = (v.all + days - 1) / days
	}
	return v, nil
}

// dayOf is the beginning of the business day of an instant.
func (v volume) dayOf(at time.Time) time.Time {
	local := at.In(v.zone)
	return schema.StartOfDay(local.Year(), local.Month(), local.Day(), v.zone)
}

// dayAfter is the end of the business day of an instant, or a time before it.
func (v volume) dayAfter(at, before time.Time) time.Time {
	local := at.In(v.zone)
	if next := schema.StartOfDay(local.Year(), local.Month(), local.Day()+1, v.zone); next.Before(before) {
		return next
	}
	return before
}

// on is how many rows there are from an instant to the end of its business day.
func (v volume) on(day schema.Window) int64 {
	rows := v.rows[v.dayOf(day.From)]
	if schema.Covered(day, v.read) {
		return rows
	}
	return max(rows, v.usual)
}

// pages is how many pages some rows have.
func (v volume) pages(rows int64) int64 { return (rows + v.size - 1) / v.size }

// of is how many pages a walk over a window has. There is always one, though it may be empty.
func (v volume) of(s Source, w schema.Window) int64 {
	if s.FullScan {
		return max(1, v.pages(v.all))
	}
	var rows int64
	for from := w.From; from.Before(w.To); {
		to := v.dayAfter(from, w.To)
		rows += v.on(schema.Window{From: from, To: to})
		from = to
	}
	return max(1, v.pages(rows))
}

// wholeDays is how long a range may be that is not cut into months.
const wholeDays = 62

// windows cuts a range into calendar months of the accounting zone, and a month where it would have more than windowPages. A
// source without a filter by time reads everything in one walk anyway, and a range without a beginning has no months.
func (v volume) windows(s Source, w schema.Window) []schema.Window {
	if s.FullScan || w.From.Equal(schema.Beginning) {
		return []schema.Window{w}
	}
	months := w.To.Sub(w.From) > wholeDays*24*time.Hour
	times := int64(s.requests(schema.Transactions, w, "").Times)
	var all []schema.Window
	var rows int64
	from := w.From
	for day := w.From; day.Before(w.To); {
		next := v.dayAfter(day, w.To)
		more := v.on(schema.Window{From: day, To: next})
		month := months && day.In(v.zone).Month() != from.In(v.zone).Month()
		if day.After(from) && (month || times*v.pages(rows+more) > windowPages) {
			all = append(all, schema.Window{From: from, To: day})
			from, rows = day, 0
		}
		rows += more
		day = next
	}
	return append(all, schema.Window{From: from, To: w.To})
}
