package reports

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"iter"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/reports/table"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// facts is what the tables share, read once. Entries are counted and summed, not kept.
type facts struct {
	Input
	findings     []schema.Finding // in the order of reports
	findingAt    map[string]table.Link
	totals       []total // by source, currency; the line of rejects last in its source
	ledgerLen    int
	cutoffLen    int
	straddling   []schema.Entry // all of those, or the first mostKept
	rolled       []judged       // the judgements, as far as they were broken down
	rolling      sync.Mutex     // of rolled
	cards        []cardLine
	cardNo       map[cardKey]int64   // as sheets number the cards
	cardRow      map[cardKey]int     // on the sheet Cards
	entryAt      map[string]position // the entries that findings name
	namedBy      map[string][]string
	spend        map[money.Currency]spendDays
	completeness []reading
	history      map[string][]string // by finding id, a line for each event
	changesLen   int
	changeSums   []*changeTotal // by source, currency
	drawn        []*drawn       // the sample, by currency
}

// cardKey identifies a card.
type cardKey struct{ source, id string }

// position is when an entry occurred and its row on the sheet Ledger; 0: it is not there.
type position struct {
	occurred time.Time
	row      int
}

// gather reads what the tables need to know beforehand.
func gather(ctx context.Context, in Input) (*facts, error) {
	f := &facts{Input: in}
	for finding, err := range in.Findings(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		if !slices.Contains(statuses(), finding.Status) {
			return nil, fmt.Errorf("finding %s: status %q is not known", finding.ID(), finding.Status)
		}
		f.findings = append(f.findings, finding)
	}
	slices.SortFunc(f.findings, inReportOrder)
	f.placeFindings()
	var err error
	if f.cards, err = readCards(ctx, in); err != nil {
		return nil, err
	}
	f.numberCards()
	if err := f.readHistory(ctx); err != nil {
		return nil, err
	}
	if err := f.gatherChanges(ctx); err != nil {
		return nil, err
	}
	if err := f.count(ctx); err != nil {
		return nil, err
	}
	if err := f.drawSample(ctx); err != nil {
		return nil, err
	}
	f.completeness, err = readCompleteness(ctx, in)
	return f, err
}

// placeFindings finds the row of each finding, and which entries it names.
func (f *facts) placeFindings() {
	f.findingAt, f.entryAt, f.namedBy = map[string]table.Link{}, map[string]position{}, map[string][]string{}
	for _, s := range findingSheets() {
		for i, x := range f.findingsOf(s) {
			f.findingAt[x.ID()] = table.Link{Sheet: s.sheet, Row: i + 1, Text: x.ID()}
		}
	}
	for _, x := range f.findings {
		for _, id := range append(slices.Clone(x.Evidence), x.EntryID) {
			if id == "" {
				continue
			}
			f.entryAt[id] = position{}
			if !slices.Contains(f.namedBy[id], x.ID()) {
				f.namedBy[id] = append(f.namedBy[id], x.ID())
			}
		}
	}
}

// numberCards gives each card a number, by which sheets refer to it: a spreadsheet takes ids that differ in case, or "7" and
// "007", for the same.
func (f *facts) numberCards() {
	f.cardNo, f.cardRow = map[cardKey]int64{}, map[cardKey]int{}
	for i, c := range f.cards {
		k := cardKey{c.Source, c.ID}
		if f.cardNo[k] == 0 {
			f.cardNo[k], f.cardRow[k] = int64(len(f.cardNo)+1), i+1
		}
	}
}

// cardNumber is the number of a card; nil where no list contains it.
func (f *facts) cardNumber(source, id string) any {
	if n := f.cardNo[cardKey{source, id}]; n > 0 {
		return n
	}
	return nil
}

// cardLink leads to a card's row on the sheet Cards.
func (f *facts) cardLink(source, id, text string) any {
	if row := f.cardRow[cardKey{source, id}]; row > 0 && text != "" {
		return table.Link{Sheet: cardsSheet, Row: row, Text: text}
	}
	return text
}

// entryLink leads to an entry's row on the sheet Ledger.
func (f *facts) entryLink(id, text string) any {
	if at := f.entryAt[id]; at.row > 0 {
		return table.Link{Sheet: ledgerSheet, Row: at.row, Text: text}
	}
	return text
}

// inReportOrder puts what wants attention first: what is not resolved, then by severity; then by code, source, card and time.
func inReportOrder(a, b schema.Finding) int {
	resolved := func(f schema.Finding) int {
		if f.Status == schema.Resolved {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(resolved(a), resolved(b)),
		cmp.Compare(b.Severity.Rank(), a.Severity.Rank()),
		cmp.Compare(slices.Index(codes(), a.Code), slices.Index(codes(), b.Code)),
		cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.CardID, b.CardID),
		a.SubjectAt.Compare(b.SubjectAt),
		cmp.Compare(a.ID(), b.ID()),
	)
}

// codes lists the codes in the order of reports.
func codes() []schema.FindingCode {
	return []schema.FindingCode{
		schema.LimitBreach, schema.OrphanTopUp, schema.BalanceDrift, schema.UnitMismatch, schema.DuplicateEntry, schema.UnknownCard,
		schema.SpendOnClosedCard, schema.StalePending, schema.VanishedEntry, schema.RejectedRecord, schema.IncompleteExtract,
		schema.UnknownField,
	}
}

// total is the control total of one source and currency. Currency is empty on the line of rejects.
type total struct {
	source                     string
	currency                   money.Currency
	records, entries, rejected int64
	known                      int64    // rejected, of a record that stands in this table already: as an entry, or as another reject
	debits, credits            *big.Int // minor units of counted entries
	amounts                    *big.Int // of entries of every status: a hash total
	ids                        int64    // sum of idHash: a hash total
	posted, pending, declined  int64
	other                      int64 // of every other status
}

func newTotal(source string, c money.Currency) *total {
	return &total{source: source, currency: c, debits: new(big.Int), credits: new(big.Int), amounts: new(big.Int)}
}

func (t total) net() *big.Int { return new(big.Int).Add(t.debits, t.credits) }

// counted is how many entries sums count.
func (t total) counted() int64 { return t.posted + t.pending }

// add counts an entry. Sums are of counted entries; they may leave int64 and stay exact.
func (t *total) add(e schema.Entry) {
	t.records++
	t.entries++
	t.ids += idHash(e)
	t.amounts.Add(t.amounts, big.NewInt(e.Amount.Minor()))
	switch e.Status {
	case schema.Posted:
		t.posted++
	case schema.Pending:
		t.pending++
	case schema.Declined:
		t.declined++
	default:
		t.other++
	}
	switch {
	case !e.Status.Counted():
	case e.Amount.Sign() < 0:
		t.debits.Add(t.debits, big.NewInt(e.Amount.Minor()))
	default:
		t.credits.Add(t.credits, big.NewInt(e.Amount.Minor()))
	}
}

// idHash is a number made of an entry's id. Its sum means nothing, and is another one as soon as an entry is missing, there
// twice, or exchanged for another. A million of them stay far within what a spreadsheet adds exactly.
func idHash(e schema.Entry) int64 { return int64(crc32.ChecksumIEEE([]byte(e.ID()))) }

// figure is a sum as decimal text with the digits of its currency; unknown without one.
func figure(sum *big.Int, c money.Currency) any {
	if c.Code() == "" {
		return nil
	}
	return table.Decimal(decimal.NewFromBigInt(sum, -int32(c.Digits())).StringFixed(int32(c.Digits())))
}

// count reads the entries of the period and the rejects, for the control totals and the lengths of the tables of entries.
//
// A record that was rejected has no time of its own that could be trusted, so every standing reject is in the totals of
// every period: any of them may be short of it. One whose entry is known from an earlier version is no further record.
func (f *facts) count(ctx context.Context) error {
	type key struct{ source, currency string }
	totals := map[key]*total{}
	line := func(source string, c money.Currency) *total {
		k := key{source, c.Code()}
		if totals[k] == nil {
			totals[k] = newTotal(source, c)
		}
		return totals[k]
	}
	rejected := map[schema.EntryKey]bool{} // whether it is a transaction of which no entry is known
	for r, err := range f.View.Rejects.Rejects(ctx) {
		if err != nil {
			return fmt.Errorf("read rejects: %w", err)
		}
		t := line(r.Source, money.Currency{})
		t.rejected++
		id := schema.EntryKey{Source: r.Source, ExternalID: r.ExternalID}
		switch {
		case r.ExternalID == "" || r.Stream != schema.Transactions:
			t.records++
		case rejected[id]:
			t.known++
		default:
			rejected[id] = true
		}
	}
	f.spend = map[money.Currency]spendDays{}
	var straddling []schema.EntryKey
	for e, err := range f.around(ctx, true) {
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		if f.straddles(e) {
			if f.cutoffLen++; f.cutoffLen <= mostKept {
				straddling = append(straddling, e.Key())
			}
		}
		if !f.occurred(e) {
			continue
		}
		f.ledgerLen++ // in the order of the sheet
		line(e.Source, e.Amount.Currency()).add(e)
		f.addSpend(e)
		if _, ok := f.entryAt[e.ID()]; ok {
			f.entryAt[e.ID()] = position{occurred: e.OccurredAt, row: f.ledgerLen}
		}
	}
	if err := f.keep(ctx, straddling); err != nil {
		return err
	}
	for e, err := range schema.Lookup(ctx, f.View.Entries, f.named(rejected)) {
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		if key := e.Key(); rejected[key] {
			delete(rejected, key)
			line(e.Source, money.Currency{}).known++
		}
		if at, ok := f.entryAt[e.ID()]; ok && at.row == 0 {
			f.entryAt[e.ID()] = position{occurred: e.OccurredAt}
		}
	}
	for id := range rejected {
		line(id.Source, money.Currency{}).records++
	}
	for _, s := range f.Sources { // a source without a row would look forgotten
		if !hasKey(totals, func(k key) bool { return k.source == s.Name }) {
			line(s.Name, money.Currency{})
		}
	}
	for _, t := range totals {
		f.totals = append(f.totals, *t)
	}
	slices.SortFunc(f.totals, func(a, b total) int {
		last := func(t total) int {
			if t.currency.Code() == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(last(a), last(b)), cmp.Compare(a.currency.Code(), b.currency.Code()))
	})
	return nil
}

// keep reads the entries that straddle an edge of the period, by occurred_at and entry_id.
func (f *facts) keep(ctx context.Context, keys []schema.EntryKey) error {
	for e, err := range schema.Lookup(ctx, f.View.Entries, slices.Values(keys)) {
		if err != nil {
			return fmt.Errorf("read entries: %w", err)
		}
		f.straddling = append(f.straddling, e)
	}
	slices.SortFunc(f.straddling, func(a, b schema.Entry) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID(), b.ID()))
	})
	return nil
}

func hasKey[K comparable, V any](m map[K]V, is func(K) bool) bool {
	for k := range m {
		if is(k) {
			return true
		}
	}
	return false
}

// straddles says whether an entry happened on one side of an edge of the period and was posted on the other.
func (f *facts) straddles(e schema.Entry) bool {
	if e.PostedAt.IsZero() {
		return false
	}
	return e.OccurredAt.Before(f.Period.From) != e.PostedAt.Before(f.Period.From) ||
		e.OccurredAt.Before(f.Period.To) != e.PostedAt.Before(f.Period.To)
}

// named yields the keys of rejects, and of entries outside the period that findings and changes name.
func (f *facts) named(rejected map[schema.EntryKey]bool) iter.Seq[schema.EntryKey] {
	return func(yield func(schema.EntryKey) bool) {
		for key := range rejected {
			if !yield(key) {
				return
			}
		}
		for id, at := range f.entryAt {
			source, external, _ := strings.Cut(id, "/") // no source has one in its name
			if at.row == 0 && !yield(schema.EntryKey{Source: source, ExternalID: external}) {
				return
			}
		}
	}
}

// mostKept is how many entries that straddle an edge are kept once they were found. They are looked for among all.
const mostKept = 10_000

// around yields the entries of the period, and the others that may straddle one of its edges, by occurred_at and entry_id.
func (f *facts) around(ctx context.Context, brief bool) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		for _, part := range []schema.EntryFilter{
			{Occurred: schema.Window{To: f.Period.From}, Since: f.Period.From},
			{Occurred: f.Period.Window},
			{Occurred: schema.Window{From: f.Period.To}, Posted: schema.Window{To: f.Period.To}},
		} {
			part.ByTime, part.Brief = true, brief
			for e, err := range f.View.Entries.Entries(ctx, part) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// cutoff yields the entries that straddle an edge of the period, by occurred_at and entry_id. They occurred before the period
// and were posted in it or later, or in it, or after it and were posted before its end.
func (f *facts) cutoff(ctx context.Context) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		for e, err := range f.around(ctx, false) {
			if err == nil && !f.straddles(e) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// entries yields entries by occurred_at and entry_id.
func (f *facts) entries(ctx context.Context, w schema.Window, keep func(schema.Entry) bool) iter.Seq2[schema.Entry, error] {
	return func(yield func(schema.Entry, error) bool) {
		for e, err := range f.View.Entries.Entries(ctx, schema.EntryFilter{Occurred: w, ByTime: true}) {
			if err == nil && !keep(e) {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}
