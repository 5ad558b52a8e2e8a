package schema

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// EntryFilter selects entries. Zero fields select everything.
type EntryFilter struct {
	Source   string
	CardID   string
	Cards    CardRange
	IDs      []string  // external ids; at most MostIDs
	Occurred Window    // by OccurredAt; a zero To is open
	Posted   Window    // by PostedAt; a zero To is open; unless zero, rows that were not posted are left out
	Since    time.Time // those that occurred or posted then or later
	Kinds    []Kind
	Statuses []Status
	// What shares a reference is found fast where Source, CardID and Currency are given too.
	References []string // at most MostIDs
	Currency   string
	ByTime     bool // order by occurred_at, entry id; default: source, card, occurred_at, entry id
	// Brief leaves unset what checks do not ask for: provider, last four, literal, original amount, category and description of the
	// merchant, version and run. Whole cards are read several times faster so.
	Brief bool
}

// CardKey names a card. Keys are in order of source, then id, both in byte order.
type CardKey struct{ Source, ID string }

// CardRange is the cards from one on, up to another that is not in it. A zero end is open.
type CardRange struct{ From, To CardKey }

// ObservationFilter selects observations. Zero fields select everything.
type ObservationFilter struct {
	Source string
	Cards  CardRange
}

// EntryReader reads the version of each entry that was current at the view's run.
type EntryReader interface {
	// Entries yields entries in the filter's order. An error ends the sequence. While it runs, it holds a read
	// connection; a caller may open other readers of the same view beside it, but not write.
	Entries(ctx context.Context, f EntryFilter) iter.Seq2[Entry, error]
	// EntryCards yields the cards that entries name with each currency of theirs, by source, card and currency, also those that
	// only an earlier or a later version has. It costs by the cards, not by the entries.
	EntryCards(ctx context.Context) iter.Seq2[EntryCard, error]
}

// MostIDs is how many ids or references a filter may have.
const MostIDs = 500

// EntryKey names an entry.
type EntryKey struct{ Source, ExternalID string }

// Lookup yields those of some entries that a view has, by source, in no other order. Few of many are found fast.
func Lookup(ctx context.Context, r EntryReader, keys iter.Seq[EntryKey]) iter.Seq2[Entry, error] {
	bySource := map[string][]string{}
	for k := range keys {
		bySource[k.Source] = append(bySource[k.Source], k.ExternalID)
	}
	return func(yield func(Entry, error) bool) {
		for _, source := range slices.Sorted(maps.Keys(bySource)) {
			slices.Sort(bySource[source])
			for ids := range slices.Chunk(slices.Compact(bySource[source]), MostIDs) {
				for e, err := range r.Entries(ctx, EntryFilter{Source: source, IDs: ids}) {
					if !yield(e, err) {
						return
					}
				}
			}
		}
	}
}

// EntryCard is a card that entries in a currency name; CardID is empty for entries without one.
type EntryCard struct{ Source, CardID, Currency string }

// CardReader reads the latest known description of each card, by source then id.
type CardReader interface {
	Cards(ctx context.Context) iter.Seq2[Card, error]
}

// ObservationReader reads observations, by source, card, observed_at, stream.
type ObservationReader interface {
	Observations(ctx context.Context, f ObservationFilter) iter.Seq2[Observation, error]
}

// BudgetReader reads every budget observation, by source, budget, observed_at.
type BudgetReader interface {
	Budgets(ctx context.Context) iter.Seq2[Budget, error]
}

// FundingReader reads the fundings, by sent_at, reference, id; withdrawn ones are left out.
type FundingReader interface {
	Fundings(ctx context.Context) iter.Seq2[Funding, error]
}

// CompletenessReader reads the completeness records, by source, stream, window, run.
type CompletenessReader interface {
	Completeness(ctx context.Context) iter.Seq2[Completeness, error]
}

// RejectReader reads the rejects that still stand (no later version of the same record was normalized), by source,
// stream, external id, received_at.
type RejectReader interface {
	Rejects(ctx context.Context) iter.Seq2[Reject, error]
}

// NoteReader reads the notes of current records, by source, stream, external id, field.
type NoteReader interface {
	Notes(ctx context.Context) iter.Seq2[Note, error]
}

// AbsenceReader reads the absences that stand, by source, external id.
type AbsenceReader interface {
	Absences(ctx context.Context) iter.Seq2[Absence, error]
}

// MatchReader reads what people decided about proposed top-ups: the latest decision on each pair, by source, reference,
// entry id.
type MatchReader interface {
	Matches(ctx context.Context) iter.Seq2[Match, error]
}

// View is the ledger as it was known at one run. pipeline fills it; checks and reports read it.
type View struct {
	Entries      EntryReader
	Cards        CardReader
	Observations ObservationReader
	Budgets      BudgetReader
	Fundings     FundingReader
	Completeness CompletenessReader
	Rejects      RejectReader
	Notes        NoteReader
	Absences     AbsenceReader
	Matches      MatchReader
}
