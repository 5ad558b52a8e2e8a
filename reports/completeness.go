package reports

import (
	"context"
	"fmt"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
)

// reading is the record of reading one window that stands, and how often that very window was read.
type reading struct {
	schema.Completeness
	times int64
}

// readCompleteness finds the readings that overlap the period and still stand, by source, stream, window, run:
//
//   - of several complete readings of one and the same window, the latest;
//   - an incomplete reading only until complete readings of later runs cover its whole window or, for a snapshot, until a
//     later run has read the stream completely: an old failure that was made good must not look like the present.
//
// What is left out stays in the ledger.
func readCompleteness(ctx context.Context, in Input) ([]reading, error) {
	var all []schema.Completeness
	for c, err := range in.View.Completeness.Completeness(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read completeness: %w", err)
		}
		all = append(all, c)
	}
	type stream struct {
		source string
		name   schema.Stream
	}
	complete := map[stream][]schema.Completeness{}
	times := map[string]int64{}
	same := func(c schema.Completeness) string {
		return fmt.Sprint(c.Source, "\x1f", c.Stream, "\x1f", c.Window.From.UnixMicro(), "\x1f", c.Window.To.UnixMicro())
	}
	for _, c := range all {
		times[same(c)]++
		if c.Verdict == schema.VerdictComplete {
			k := stream{c.Source, c.Stream}
			complete[k] = append(complete[k], c)
		}
	}
	var standing []reading
	for _, c := range all {
		if overlaps(c.Window, in.Period.Window) && !replaced(c, complete[stream{c.Source, c.Stream}]) {
			standing = append(standing, reading{c, times[same(c)]})
		}
	}
	return standing, nil
}

// overlaps says whether a window shares an instant with the period. A snapshot is an instant.
func overlaps(w, period schema.Window) bool {
	if w.From.Equal(w.To) {
		return period.Contains(w.From)
	}
	return w.Overlaps(period)
}

// replaced says whether complete readings of later runs leave nothing that a reading still says.
func replaced(c schema.Completeness, complete []schema.Completeness) bool {
	later := where(complete, func(l schema.Completeness) bool { return l.Run > c.Run })
	switch {
	case len(later) == 0:
		return false
	case c.Verdict == schema.VerdictComplete:
		return len(where(later, func(l schema.Completeness) bool { return sameWindow(l.Window, c.Window) })) > 0
	case c.Stream.Snapshot():
		return true
	}
	var windows []schema.Window
	for _, l := range later {
		windows = append(windows, l.Window)
	}
	return schema.Covered(c.Window, windows)
}

func sameWindow(a, b schema.Window) bool { return a.From.Equal(b.From) && a.To.Equal(b.To) }

// providerTotal is what the provider says there is; nil where it does not say.
func (r reading) providerTotal() any {
	if r.Total < 0 {
		return nil
	}
	return r.Total
}

// completenessCSV is the readings that stand, then the run that made each, why it is not complete, and how often its window
// was read.
func (f *facts) completenessCSV() table.Table {
	return list("completeness", f.completeness, []column[reading]{
		text("source", 0, func(r reading) string { return r.Source }),
		text("stream", 0, func(r reading) string { return string(r.Stream) }),
		instant("window_from", func(r reading) any { return r.Window.From }),
		instant("window_to", func(r reading) any { return r.Window.To }),
		text("verdict", 0, func(r reading) string { return string(r.Verdict) }),
		number("pages", func(r reading) int64 { return r.Pages }),
		number("records", func(r reading) int64 { return r.Records }),
		{table.Column{Name: "provider_total"}, reading.providerTotal},
		number("rejected", func(r reading) int64 { return r.Rejected }),
		number("duplicates", func(r reading) int64 { return r.Duplicates }),
		text("first_id", 0, func(r reading) string { return r.FirstID }),
		text("last_id", 0, func(r reading) string { return r.LastID }),
		text("sha256", 0, func(r reading) string { return r.SHA256 }),
		number("run", func(r reading) int64 { return r.Run }),
		instant("recorded_at", func(r reading) any { return r.RecordedAt }),
		number("retries", func(r reading) int64 { return r.Retries }),
		number("times_read", func(r reading) int64 { return r.times }),
		text("reason", 0, func(r reading) string { return r.Completeness.Reason }),
	})
}

func (f *facts) completenessTable() table.Table {
	return list("Completeness", f.completeness, []column[reading]{
		text(colSource, 13, func(r reading) string { return r.Source }),
		text("Stream", 13, func(r reading) string { return string(r.Stream) }),
		word("Verdict", 13, func(r reading) table.Word { return verdictWord(r.Verdict) }),
		instant("Window from", func(r reading) any {
			if r.Window.From.Equal(schema.Beginning) {
				return "beginning"
			}
			return r.Window.From
		}),
		instant("Window to", func(r reading) any { return r.Window.To }),
		number("Pages", func(r reading) int64 { return r.Pages }),
		number("Records", func(r reading) int64 { return r.Records }),
		{table.Column{Name: "Provider's total", Kind: table.Number, Width: 11}, reading.providerTotal},
		number("Rejected", func(r reading) int64 { return r.Rejected }),
		number("Duplicates", func(r reading) int64 { return r.Duplicates }),
		number("Retries", func(r reading) int64 { return r.Retries }),
		number("Times read", func(r reading) int64 { return r.times }),
		long("Why not complete", 40, func(r reading) string { return r.Completeness.Reason }),
		number("Run", func(r reading) int64 { return r.Run }),
		instant("Recorded", func(r reading) any { return r.RecordedAt }),
		text("First id", cardIDWidth, func(r reading) string { return r.FirstID }),
		text("Last id", cardIDWidth, func(r reading) string { return r.LastID }),
		text("SHA-256 of the pages", 66, func(r reading) string { return r.SHA256 }),
	})
}

func verdictWord(v schema.Verdict) table.Word {
	tones := map[schema.Verdict]table.Tone{schema.VerdictComplete: table.Good, schema.VerdictPartial: table.Warn, schema.VerdictFailed: table.Bad}
	return table.Word{Text: string(v), Tone: tones[v]}
}
