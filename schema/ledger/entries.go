package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tieout/tieout/schema"
)

func entryColumns() []string {
	return []string{
		"source", "provider", "external_id", "card_id", "card_last4", "kind", "status", "own_status", "occurred_at", "posted_at",
		"amount_minor", "currency", "literal", "original_minor", "original_iso", "original_currency", "original_literal",
		"merchant", "merchant_category", "reference", "description", "linked_id",
	}
}

// entryRow is a version of an entry as it is stored.
type entryRow struct {
	ID        int64 `db:"id"`
	CommitSeq int64 `db:"commit_seq"`
	entryContent
	Status   string `db:"status"`
	LinkedID string `db:"linked_id"`

	stored bool // the content is that of the version that stands
}

// entryContent is what the row itself says, before links. Two contents are equal when == says so.
type entryContent struct {
	Source           string `db:"source"`
	Provider         string `db:"provider"`
	ExternalID       string `db:"external_id"`
	CardID           string `db:"card_id"`
	CardLast4        string `db:"card_last4"`
	Kind             string `db:"kind"`
	OwnStatus        string `db:"own_status"`
	OccurredAt       int64  `db:"occurred_at"`
	Posted           bool
	PostedAt         int64
	AmountMinor      int64  `db:"amount_minor"`
	Currency         string `db:"currency"`
	Literal          string `db:"literal"`
	Original         bool
	OriginalMinor    int64
	OriginalISO      string `db:"original_iso"`
	OriginalCurrency string `db:"original_currency"`
	OriginalLiteral  string `db:"original_literal"`
	Merchant         string `db:"merchant"`
	MerchantCategory string `db:"merchant_category"`
	Reference        string `db:"reference"`
	Description      string `db:"description"`
}

func contentOf(e schema.Entry) entryContent {
	c := entryContent{
		Source: e.Source, Provider: string(e.Provider), ExternalID: text(e.ExternalID), CardID: text(e.CardID),
		CardLast4: text(e.CardLast4), Kind: string(e.Kind), OwnStatus: string(e.Status), OccurredAt: e.OccurredAt.UnixMicro(),
		AmountMinor: e.Amount.Minor(), Currency: e.Amount.Currency().Code(), Literal: text(e.Literal),
		OriginalCurrency: text(e.OriginalCurrency), OriginalLiteral: text(e.OriginalLiteral), Merchant: text(e.Merchant),
		MerchantCategory: text(e.MerchantCategory), Reference: text(e.Reference), Description: text(e.Description),
	}
	if !e.PostedAt.IsZero() {
		c.Posted, c.PostedAt = true, e.PostedAt.UnixMicro()
	}
	if e.Original.Known() {
		c.Original, c.OriginalMinor, c.OriginalISO = true, e.Original.Minor(), e.Original.Currency().Code()
	}
	return c
}

// appendValues appends the columns of the row, in the order of entryColumns.
func (r *entryRow) appendValues(to []any) []any {
	var posted, original any
	if r.Posted {
		posted = r.PostedAt
	}
	if r.Original {
		original = r.OriginalMinor
	}
	return append(to,
		r.Source, r.Provider, r.ExternalID, r.CardID, r.CardLast4, r.Kind, r.Status, r.OwnStatus, r.OccurredAt, posted,
		r.AmountMinor, r.Currency, r.Literal, original, r.OriginalISO, r.OriginalCurrency, r.OriginalLiteral, r.Merchant,
		r.MerchantCategory, r.Reference, r.Description, r.LinkedID,
	)
}

// scanner is the part of sql.Rows that reads a row.
type scanner interface{ Scan(dest ...any) error }

const entrySelect = `SELECT id, commit_seq, source, provider, external_id, card_id, card_last4, kind, status, own_status, occurred_at,
	posted_at, amount_minor, currency, literal, original_minor, original_iso, original_currency, original_literal, merchant,
	merchant_category, reference, description, linked_id FROM entries `

// columns is where the columns of entrySelect go; nulls says what the last two are.
func (r *entryRow) columns(posted, original *sql.NullInt64) []any {
	return []any{
		&r.ID, &r.CommitSeq, &r.Source, &r.Provider, &r.ExternalID, &r.CardID, &r.CardLast4, &r.Kind, &r.Status,
		&r.OwnStatus, &r.OccurredAt, posted, &r.AmountMinor, &r.Currency, &r.Literal, original, &r.OriginalISO,
		&r.OriginalCurrency, &r.OriginalLiteral, &r.Merchant, &r.MerchantCategory, &r.Reference, &r.Description, &r.LinkedID,
	}
}

func (r *entryRow) nulls(posted, original sql.NullInt64) {
	r.Posted, r.PostedAt, r.Original, r.OriginalMinor = posted.Valid, posted.Int64, original.Valid, original.Int64
}

func scanEntry(s scanner, r *entryRow) error {
	var posted, original sql.NullInt64
	err := s.Scan(r.columns(&posted, &original)...)
	r.nulls(posted, original)
	return err
}

// briefSelect is what is read of entries in brief. The index entries_card has all of it.
const briefSelect = `SELECT source, card_id, external_id, kind, status, occurred_at, posted_at, amount_minor, currency, merchant,
	reference, linked_id FROM entries `

// briefRow is a row of it.
type briefRow struct {
	schema.Entry

	kind, status, currency string
	occurred, minor        int64
	posted                 sql.NullInt64
}

func (r *briefRow) columns() []any {
	return []any{
		&r.Source, &r.CardID, &r.ExternalID, &r.kind, &r.status, &r.occurred, &r.posted, &r.minor, &r.currency, &r.Merchant,
		&r.Reference, &r.LinkedID,
	}
}

func (r *briefRow) entry() (e schema.Entry, err error) {
	e = r.Entry
	e.Kind, e.Status, e.OccurredAt = schema.Kind(r.kind), schema.Status(r.status), instant(&r.occurred)
	if r.posted.Valid {
		e.PostedAt = instant(&r.posted.Int64)
	}
	if e.Amount, err = amount(&r.minor, r.currency); err != nil {
		err = fmt.Errorf("entry %s: %w", e.ID(), err)
	}
	return e, err
}

func (r *entryRow) entry() (schema.Entry, error) {
	e := schema.Entry{
		Source: r.Source, Provider: schema.Provider(r.Provider), ExternalID: r.ExternalID, CardID: r.CardID, CardLast4: r.CardLast4,
		Kind: schema.Kind(r.Kind), Status: schema.Status(r.Status), OccurredAt: time.UnixMicro(r.OccurredAt).UTC(),
		Literal: r.Literal, OriginalCurrency: r.OriginalCurrency, OriginalLiteral: r.OriginalLiteral, Merchant: r.Merchant,
		MerchantCategory: r.MerchantCategory, Reference: r.Reference, Description: r.Description, LinkedID: r.LinkedID, Version: r.ID,
	}
	if r.Posted {
		e.PostedAt = time.UnixMicro(r.PostedAt).UTC()
	}
	var err error
	if e.Amount, err = amount(&r.AmountMinor, r.Currency); err != nil {
		return e, fmt.Errorf("entry %s: %w", e.ID(), err)
	}
	if r.Original {
		if e.Original, err = amount(&r.OriginalMinor, r.OriginalISO); err != nil {
			return e, fmt.Errorf("entry %s: %w", e.ID(), err)
		}
	}
	return e, nil
}

var errNoAmount = errors.New("an entry without an amount: its record should have been rejected")

// entries stores what is new of a group's entries and links, and what the links of those rows change on others.
func (t *tx) entries(ctx context.Context, g Group, counts *Counts) error {
	if len(g.Batch.Entries) == 0 && len(g.Batch.Links) == 0 {
		return nil
	}
	touched := map[string]bool{}
	for _, e := range g.Batch.Entries {
		touched[text(e.ExternalID)] = true
	}
	links, err := t.links(ctx, g, touched)
	if err != nil {
		return err
	}
	current, err := t.currentEntries(ctx, g.Source, slices.Sorted(maps.Keys(touched)))
	if err != nil {
		return err
	}
	t.standing = current
	cards, err := t.cardNames(ctx, g)
	if err != nil {
		return err
	}
	next, err := t.farEnds(ctx, g, current)
	if err != nil {
		return err
	}
	for _, e := range g.Batch.Entries {
		if !e.Amount.Known() {
			return fmt.Errorf("entry %s: %w", e.ID(), errNoAmount)
		}
		e.CardID = cards.canonical(e.CardID, e.CardAltID)
		content := contentOf(e)
		row, again := next[content.ExternalID]
		was, known := current[content.ExternalID]
		if again && row.entryContent == content {
			counts.Unchanged++
			continue
		}
		stored := known && t.says(was, content)
		switch {
		case !again && !known:
			counts.New++
		case again || !stored:
			counts.Changed++
		default:
			counts.Unchanged++
		}
		next[content.ExternalID] = &entryRow{entryContent: content, stored: stored}
	}
	relink(next, links)
	return t.versions(ctx, current, next)
}

// standingEntry is what is read of the version that stands of an entry: its hash stands for all that it says.
type standingEntry struct {
	ID, CommitSeq    int64
	ExternalID       string
	Status, LinkedID string
	OccurredAt       int64
	Hash             []byte
}

// says tells whether a version that stands has this content: whether its hash comes out.
func (t *tx) says(was standingEntry, content entryContent) bool {
	row := entryRow{entryContent: content, Status: was.Status, LinkedID: was.LinkedID}
	t.values = row.appendValues(t.values[:0])
	t.text = appendRow(t.text[:0], table{name: "entries"}, was.CommitSeq, was.ID, t.values)
	return sha256.Sum256(t.text) == [sha256.Size]byte(was.Hash)
}

// farEnds reads the versions that stand of entries which links lead to and which are not in the group.
func (t *tx) farEnds(ctx context.Context, g Group, current map[string]standingEntry) (map[string]*entryRow, error) {
	far := maps.Clone(current)
	for _, e := range g.Batch.Entries {
		delete(far, text(e.ExternalID))
	}
	rows := make([]int64, 0, len(far))
	for _, e := range far {
		rows = append(rows, e.ID)
	}
	slices.Sort(rows)
	next := make(map[string]*entryRow, len(current))
	err := each(ctx, t, rows, entrySelect+`WHERE id IN (?)`, func(s scanner) error {
		row := &entryRow{stored: true}
		err := scanEntry(s, row)
		next[row.ExternalID] = row
		return err
	})
	return next, err
}

// versions appends a version of each row that is not as it was, sorted by id: keys in order make the indexes grow evenly.
func (t *tx) versions(ctx context.Context, current map[string]standingEntry, next map[string]*entryRow) error {
	var rows []*entryRow
	var replaced []int64
	for _, id := range slices.Sorted(maps.Keys(next)) {
		row := next[id]
		if was, ok := current[id]; ok {
			if row.stored && was.Status == row.Status && was.LinkedID == row.LinkedID {
				continue
			}
			replaced = append(replaced, was.ID)
		}
		rows = append(rows, row)
		t.changed = append(t.changed, id)
	}
	slices.Sort(replaced)
	if err := t.close(ctx, "entries", replaced); err != nil {
		return err
	}
	err := t.insertEach(ctx, "entries", func(yield func([]any) bool) {
		var values []any
		for _, row := range rows {
			if values = row.appendValues(values[:0]); !yield(values) {
				return
			}
		}
	})
	if err != nil || t.first == nil {
		return err
	}
	for i, row := range rows {
		t.first.tookEntry(row.Source, row.ExternalID, t.last["entries"]-int64(len(rows)-1-i))
	}
	return nil
}

// currentEntries finds the version that stands of each entry. ids must be sorted.
func (t *tx) currentEntries(ctx context.Context, source string, ids []string) (map[string]standingEntry, error) {
	// The source is no plain column: PostgreSQL, which knows little of a new table, would walk the entries of the whole source.
	const query = `SELECT id, commit_seq, external_id, status, linked_id, occurred_at, hash FROM entries WHERE closed_seq IS NULL AND source || '' = ? AND `
	current := make(map[string]standingEntry, len(ids))
	take := func(s scanner) error {
		var e standingEntry
		err := s.Scan(&e.ID, &e.CommitSeq, &e.ExternalID, &e.Status, &e.LinkedID, &e.OccurredAt, &e.Hash)
		current[e.ExternalID] = e
		return err
	}
	if t.first != nil {
		rows := t.first.entries(source, ids)
		if err := each(ctx, t, rows, query+`id IN (?)`, take, source); err != nil || t.first.found(len(rows), ids, maps.Keys(current)) {
			return current, err
		}
		clear(current)
	}
	return current, each(ctx, t, ids, query+`external_id IN (?)`, take, source)
}

type linkRow struct {
	FromID string `db:"from_id"`
	ToID   string `db:"to_id"`
	Basis  string `db:"basis"`
}

// links stores the links that are new and returns all that lead from or to a touched row, and on from there: a clearing
// reaches its authorization, and that the reversals of it. touched grows by the rows at their ends.
func (t *tx) links(ctx context.Context, g Group, touched map[string]bool) ([]linkRow, error) {
	known := map[linkRow]bool{}
	fresh := map[linkRow]bool{}
	for _, l := range g.Batch.Links {
		r := linkRow{FromID: text(l.From), ToID: text(l.To), Basis: string(l.Basis)}
		fresh[r] = true
		touched[r.FromID], touched[r.ToID] = true, true
	}
	asked := map[string]bool{}
	for {
		var ids []string
		for id := range touched {
			if !asked[id] {
				ids = append(ids, id)
				asked[id] = true
			}
		}
		if len(ids) == 0 {
			break
		}
		slices.Sort(ids)
		for _, in := range []string{`AND from_id IN (?)`, `AND to_id IN (?)`} {
			rows, err := selectSome[linkRow](ctx, t, ids, `SELECT from_id, to_id, basis`, `FROM links WHERE source = ?`, in, g.Source)
			if err != nil {
				return nil, fmt.Errorf("read links: %w", err)
			}
			for _, r := range rows {
				known[r] = true
				touched[r.FromID], touched[r.ToID] = true, true
			}
		}
	}
	var rows [][]any
	for _, r := range sortedLinks(fresh) {
		if !known[r] {
			known[r] = true
			rows = append(rows, []any{g.Source, r.FromID, r.ToID, r.Basis})
		}
	}
	return sortedLinks(known), t.insert(ctx, "links", rows)
}

func sortedLinks(set map[linkRow]bool) []linkRow {
	return slices.SortedFunc(maps.Keys(set), func(a, b linkRow) int {
		return cmp.Or(cmp.Compare(a.FromID, b.FromID), cmp.Compare(a.ToID, b.ToID), cmp.Compare(a.Basis, b.Basis))
	})
}

// relink sets status and link of rows from what they say themselves and from the links among them (NORMALIZATION 1): an
// authorization is superseded only when the row that cleared it is in the ledger and posted (else nothing would count in its
// place), a reversal when the authorization that it reverses is. Both ends name each other; of several clearings the earliest is named.
func relink(rows map[string]*entryRow, links []linkRow) {
	for _, r := range rows {
		r.Status, r.LinkedID = r.OwnStatus, ""
	}
	earlier := func(a, b *entryRow) bool {
		return cmp.Or(cmp.Compare(clearedAt(a), clearedAt(b)), cmp.Compare(a.ExternalID, b.ExternalID)) < 0
	}
	for _, l := range links {
		from, to := rows[l.FromID], rows[l.ToID]
		if from == nil || to == nil || from == to || l.Basis != string(schema.Cleared) ||
			from.OwnStatus != string(schema.Pending) || to.OwnStatus != string(schema.Posted) {
			continue
		}
		if named := rows[from.LinkedID]; named == nil || earlier(to, named) {
			from.LinkedID = to.ExternalID
		}
		if to.LinkedID == "" || from.ExternalID < to.LinkedID {
			to.LinkedID = from.ExternalID
		}
		from.Status = string(schema.Superseded)
	}
	for _, l := range links {
		from, to := rows[l.FromID], rows[l.ToID]
		if from == nil || to == nil || from == to || l.Basis != string(schema.Reverses) || from.Status == string(schema.Superseded) {
			continue
		}
		from.LinkedID = to.ExternalID
		if from.OwnStatus == string(schema.Pending) && to.Status == string(schema.Superseded) {
			from.Status = string(schema.Superseded)
		}
	}
}

func clearedAt(r *entryRow) int64 {
	if r.Posted {
		return r.PostedAt
	}
	return r.OccurredAt
}

// PendingIDs lists the external ids of entries that are still pending by the provider's own word, were not replaced, and
// occurred before t; oldest first.
func (l *Ledger) PendingIDs(ctx context.Context, source string, before time.Time) ([]string, error) {
	var ids []string
	err := l.read.SelectContext(ctx, &ids, l.read.Rebind(`
		SELECT external_id FROM entries
		WHERE closed_seq IS NULL AND own_status = 'pending' AND status <> 'superseded' AND source = ? AND occurred_at < ?
		ORDER BY occurred_at, external_id`), source, before.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("read pending entries (%s): %w", source, err)
	}
	return ids, nil
}

// RejectedIDs lists the external ids of the transactions whose record could not be read and still stands so, oldest first.
func (l *Ledger) RejectedIDs(ctx context.Context, source string) ([]string, error) {
	var ids []string
	err := l.read.SelectContext(ctx, &ids, l.read.Rebind(`
		SELECT external_id FROM rejects WHERE closed_seq IS NULL AND source = ? AND stream = ? AND external_id <> ''
		GROUP BY external_id ORDER BY MIN(id)`), source, string(schema.Transactions))
	if err != nil {
		return nil, fmt.Errorf("read rejects (%s): %w", source, err)
	}
	return ids, nil
}

// Categories finds the category under which each of the transactions with these external ids was listed last. What has none
// is left out.
func (l *Ledger) Categories(ctx context.Context, source string, ids []string) (map[string]string, error) {
	type row struct {
		Identity string `db:"identity"`
		Category string `db:"category"`
	}
	rows, err := selectIn[row](ctx, l.read, l.read.Rebind, ids, `
		SELECT r.identity, r.category FROM records r
		WHERE r.source = ? AND r.stream = ? AND r.category <> '' AND r.identity IN (?) ORDER BY r.id`, source, string(schema.Transactions))
	if err != nil {
		return nil, fmt.Errorf("read categories (%s): %w", source, err)
	}
	categories := make(map[string]string, len(rows))
	for _, r := range rows {
		categories[r.Identity] = r.Category // the later one stays
	}
	return categories, nil
}
