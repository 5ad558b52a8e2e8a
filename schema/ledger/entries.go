package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

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

func scanEntry(s scanner, r *entryRow) error {
	var posted, original *int64
	err := s.Scan(&r.ID, &r.CommitSeq, &r.Source, &r.Provider, &r.ExternalID, &r.CardID, &r.CardLast4, &r.Kind, &r.Status,
		&r.OwnStatus, &r.OccurredAt, &posted, &r.AmountMinor, &r.Currency, &r.Literal, &original, &r.OriginalISO,
		&r.OriginalCurrency, &r.OriginalLiteral, &r.Merchant, &r.MerchantCategory, &r.Reference, &r.Description, &r.LinkedID)
	r.Posted, r.PostedAt, r.Original, r.OriginalMinor = posted != nil, 0, original != nil, 0
	if posted != nil {
		r.PostedAt = *posted
	}
	if original != nil {
		r.OriginalMinor = *original
	}
	return err
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
	cards, err := t.cardNames(ctx, g)
	if err != nil {
		return err
	}
	next := make(map[string]*entryRow, len(current))
	for id, row := range current {
		copied := *row
		next[id] = &copied
	}
	for _, e := range g.Batch.Entries {
		if !e.Amount.Known() {
			return fmt.Errorf("entry %s: %w", e.ID(), errNoAmount)
		}
		e.CardID = cards.canonical(e.CardID, e.CardAltID)
		content := contentOf(e)
		row, ok := next[content.ExternalID]
		switch {
		case !ok:
			next[content.ExternalID] = &entryRow{entryContent: content}
			counts.New++
		case row.entryContent != content:
			row.entryContent = content
			counts.Changed++
		default:
			counts.Unchanged++
		}
	}
	relink(next, links)
	return t.versions(ctx, current, next)
}

// versions appends a version of each row that is not as it was, sorted by id: keys in order make the indexes grow evenly.
func (t *tx) versions(ctx context.Context, current, next map[string]*entryRow) error {
	var rows []*entryRow
	var replaced []int64
	for _, id := range slices.Sorted(maps.Keys(next)) {
		row, was := next[id], current[id]
		if was != nil {
			if was.entryContent == row.entryContent && was.Status == row.Status && was.LinkedID == row.LinkedID {
				continue
			}
			replaced = append(replaced, was.ID)
		}
		rows = append(rows, row)
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

// currentEntries finds the current version of each entry. ids must be sorted.
func (t *tx) currentEntries(ctx context.Context, source string, ids []string) (map[string]*entryRow, error) {
	if t.first != nil {
		rows := t.first.entries(source, ids)
		found, err := entriesIn(ctx, t, "id", source, rows)
		if err != nil || t.first.found(len(rows), len(found), func(i int) bool { return among(ids, found[i].ExternalID) }) {
			return byExternalID(found), err
		}
	}
	found, err := entriesIn(ctx, t, "external_id", source, ids)
	return byExternalID(found), err
}

func byExternalID(rows []*entryRow) map[string]*entryRow {
	all := make(map[string]*entryRow, len(rows))
	for _, row := range rows {
		all[row.ExternalID] = row
	}
	return all
}

// entriesIn selects current entries whose column has one of the values.
func entriesIn[V any](ctx context.Context, t *tx, column, source string, values []V) ([]*entryRow, error) {
	var all []*entryRow
	for len(values) > 0 {
		n := min(len(values), maxIDs)
		some, err := entriesAmong(ctx, t, column, source, values[:n])
		if err != nil {
			return nil, fmt.Errorf("read entries: %w", err)
		}
		all = append(all, some...)
		values = values[n:]
	}
	return all, nil
}

func entriesAmong[V any](ctx context.Context, t *tx, column, source string, values []V) ([]*entryRow, error) {
	query, args, err := sqlx.In(entrySelect+`WHERE closed_seq IS NULL AND source = ? AND `+column+` IN (?)`, source, values)
	if err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, t.Rebind(query), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []*entryRow
	for rows.Next() {
		row := new(entryRow)
		if err := scanEntry(rows, row); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
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
