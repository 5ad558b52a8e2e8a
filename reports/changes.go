package reports

import (
	"cmp"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// changesSheet is what became of the ledger since the report before.
const changesSheet = "Changes"

const colEffect = "Effect on the sum"

// changed is a change in one currency. An entry that was restated in another currency is two: it leaves one and comes to the
// other.
type changed struct {
	schema.Change
	currency money.Currency
	effect   *big.Int // on the sum of counted entries, minor units
}

// effects are the effects of a change on the sums of the period, by currency.
func (f *facts) effects(c schema.Change) []changed {
	was, now := f.summed(c.Was), f.summed(c.Entry)
	before, after := c.Was.Amount.Currency(), c.Entry.Amount.Currency()
	if before.Code() == "" || before == after {
		return []changed{{c, after, now.Sub(now, was)}}
	}
	return []changed{{c, before, was.Neg(was)}, {c, after, now}}
}

// summed is what an entry adds to the sums of the period.
func (f *facts) summed(e schema.Entry) *big.Int {
	if !e.Status.Counted() || !f.occurred(e) {
		return new(big.Int)
	}
	return big.NewInt(e.Amount.Minor())
}

// changeTotal is what the changes did to the sum of one source and currency.
type changeTotal struct {
	source   string
	currency money.Currency
	changes  int64
	effect   *big.Int
}

// gatherChanges reads the changes once, for their number and their sums.
func (f *facts) gatherChanges(ctx context.Context) error {
	if f.Changes.Since == 0 || f.Changes.Entries == nil {
		return nil
	}
	find := func(source string, c money.Currency) *changeTotal {
		for _, t := range f.changeSums {
			if t.source == source && t.currency == c {
				return t
			}
		}
		t := &changeTotal{source: source, currency: c, effect: new(big.Int)}
		f.changeSums = append(f.changeSums, t)
		return t
	}
	for c, err := range f.Changes.Entries(ctx) {
		if err != nil {
			return fmt.Errorf("read changes: %w", err)
		}
		if f.changesLen < mostChangeLinks {
			if _, known := f.entryAt[c.Entry.ID()]; !known {
				f.entryAt[c.Entry.ID()] = position{}
			}
		}
		for _, e := range f.effects(c) {
			f.changesLen++
			t := find(c.Entry.Source, e.currency)
			t.changes++
			t.effect.Add(t.effect, e.effect)
		}
	}
	slices.SortFunc(f.changeSums, func(a, b *changeTotal) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.currency.Code(), b.currency.Code()))
	})
	return nil
}

// mostChangeLinks is how many changed entries are looked up on the sheet Ledger; a first backfill may change all there are.
const mostChangeLinks = 60_000

func (f *facts) changes(ctx context.Context) func(yield func(changed, error) bool) {
	return func(yield func(changed, error) bool) {
		if f.changesLen == 0 {
			return
		}
		for c, err := range f.Changes.Entries(ctx) {
			if err != nil {
				yield(changed{}, err)
				return
			}
			for _, e := range f.effects(c) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// changesTable is the entries that came, changed or are no longer listed since the report before.
func (f *facts) changesTable(ctx context.Context) table.Table {
	return build(changesSheet, f.changesLen, f.changes(ctx), []column[changed]{
		word("Change", 11, func(c changed) table.Word { return changeWord(c.Kind) }),
		text(colSource, 13, func(c changed) string { return c.Entry.Source }),
		linked("Entry id", entryIDWidth, func(c changed) any { return f.entryLink(c.Entry.ID(), c.Entry.ID()) }),
		day(colDay, func(c changed) table.Date { return f.dayOf(c.Entry.OccurredAt) }),
		count(colCardNo, 7, func(c changed) any { return f.cardNumber(c.Entry.Source, c.Entry.CardID) }),
		text("Last 4", 8, func(c changed) string { return c.Entry.CardLast4 }),
		text(colKind, 11, func(c changed) string { return string(c.Entry.Kind) }),
		text("Status before", 11, func(c changed) string { return string(c.Was.Status) }),
		text(colStatus, 11, func(c changed) string { return string(c.Entry.Status) }),
		amount("Amount before", func(c changed) any { return c.Was.Amount }),
		amount(colAmount, func(c changed) any { return c.Entry.Amount }),
		text(colCurrency, 9, func(c changed) string { return c.currency.Code() }),
		amount(colEffect, func(c changed) any { return figure(c.effect, c.currency) }),
		long("What changed", 60, fieldsText),
		instant("Last listed", func(c changed) any { return c.Absence.LastRead }),
		number("Run", func(c changed) int64 { return c.Entry.Run }),
		text("Merchant", 32, func(c changed) string { return c.Entry.Merchant }),
		linked("Findings", 38, func(c changed) any { return f.findingsNaming(c.Entry) }),
	})
}

// changesCSV is the same for machines.
func (f *facts) changesCSV(ctx context.Context) table.Table {
	return build("changes", f.changesLen, f.changes(ctx), []column[changed]{
		text("change", 0, func(c changed) string { return string(c.Kind) }),
		text("source", 0, func(c changed) string { return c.Entry.Source }),
		text("entry_id", 0, func(c changed) string { return c.Entry.ID() }),
		instant("occurred_at", func(c changed) any { return c.Entry.OccurredAt }),
		text("status_before", 0, func(c changed) string { return string(c.Was.Status) }),
		text("status", 0, func(c changed) string { return string(c.Entry.Status) }),
		amount("amount_before", func(c changed) any { return c.Was.Amount }),
		amount("amount", func(c changed) any { return c.Entry.Amount }),
		text("currency", 0, func(c changed) string { return c.currency.Code() }),
		amount("effect", func(c changed) any { return figure(c.effect, c.currency) }),
		text("fields", 0, fieldsText),
		instant("last_listed_at", func(c changed) any { return c.Absence.LastRead }),
		number("run", func(c changed) int64 { return c.Entry.Run }),
	})
}

func changeWord(k schema.ChangeKind) table.Word {
	tones := map[schema.ChangeKind]table.Tone{schema.Changed: table.Warn, schema.Vanished: table.Bad, schema.Returned: table.Warn}
	return table.Word{Text: string(k), Tone: tones[k]}
}

// fieldsText is what differs, a line for each field.
func fieldsText(c changed) string {
	var lines []string
	for _, d := range c.Fields {
		lines = append(lines, fmt.Sprintf("%s: %s → %s", d.Field, orNone(d.Old), orNone(d.New)))
	}
	return strings.Join(lines, "\n")
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// changeTotals is what the changes since the report before did to the sums of the period: what they were then is what they
// are now less the effect of the changes, and must be what that report says.
func (f *facts) changeTotals(p *sheetPage) {
	if f.Changes.Since == 0 {
		p.block("Changes since the report before", "There is no report before this one to compare with.")
		return
	}
	p.block("Changes since the report before",
		fmt.Sprintf("What came, changed or is no longer listed since run %d, and what that does to the net of the period. The net as of that run is the net now less the effect; it must be what a report as of that run says of the same period.", f.Changes.Since))
	if len(f.changeSums) == 0 {
		p.span(table.Plain, "Nothing changed.")
	} else {
		p.add(table.Head, "Source", "Currency", "Changes", "Net now", "Effect", fmt.Sprintf("Net as of run %d", f.Changes.Since))
	}
	for _, t := range f.changeSums {
		mine := []table.Criterion{{Column: colSource, Value: t.source}, {Column: colCurrency, Value: t.currency.Code()}}
		net := f.netOf(t.source, t.currency)
		at := len(p.Lines)
		p.add(table.Plain, t.source, t.currency.Code(), table.Foot{Sheet: changesSheet, Where: mine, Value: t.changes},
			table.Foot{Sheet: totalsSheet, Sum: colNet, Where: mine, Value: figure(net, t.currency)},
			table.Foot{Sheet: changesSheet, Sum: colEffect, Where: mine, Value: figure(t.effect, t.currency)},
			table.Calc{Plus: []any{table.At{Line: at, Column: 3}}, Minus: []any{table.At{Line: at, Column: 4}}, Value: figure(new(big.Int).Sub(net, t.effect), t.currency)})
	}
	f.acceptedChanges(p)
}

// netOf is the net of a source and currency.
func (f *facts) netOf(source string, c money.Currency) *big.Int {
	for _, t := range f.totals {
		if t.source == source && t.currency == c {
			return t.net()
		}
	}
	return new(big.Int)
}

// acceptedChanges is the findings that somebody had accepted and under which something has changed since.
func (f *facts) acceptedChanges(p *sheetPage) {
	if len(f.Changes.Accepted) == 0 {
		return
	}
	p.add(table.Plain)
	p.span(table.Note, "Accepted findings under which entries changed: whoever accepted them should look again.")
	p.add(table.Head, "Finding", nil, "Entries named", "Changed on card", "What was found")
	for _, a := range f.Changes.Accepted {
		var id any = a.Finding.ID()
		if link, ok := f.findingAt[a.Finding.ID()]; ok {
			id = link
		}
		p.span(table.Plain, id, nil, int64(len(a.Entries)), a.OnCard, a.Finding.Message)
	}
}

// isNew says whether a finding was not there at the report before.
func (f *facts) isNew(x schema.Finding) bool {
	return !f.Before.IsZero() && x.FirstSeen.After(f.Before)
}
