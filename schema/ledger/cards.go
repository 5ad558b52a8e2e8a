package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/tieout/tieout/schema"
)

// cardRow is a version of a card as it is stored.
type cardRow struct {
	ID        int64  `db:"id"`
	Source    string `db:"source"`
	CardID    string `db:"card_id"`
	Provider  string `db:"provider"`
	AltID     string `db:"alt_id"`
	Name      string `db:"name"`
	Last4     string `db:"last4"`
	Type      string `db:"type"`
	Status    string `db:"status"`
	Currency  string `db:"currency"`
	BudgetID  string `db:"budget_id"`
	CreatedAt *int64 `db:"created_at"`
	ClosedAt  *int64 `db:"closed_at"`
}

func (r cardRow) card() schema.Card {
	return schema.Card{
		Source: r.Source, Provider: schema.Provider(r.Provider), ID: r.CardID, AltID: r.AltID, Name: r.Name, Last4: r.Last4, Type: r.Type,
		Status: r.Status, Currency: r.Currency, BudgetID: r.BudgetID, CreatedAt: instant(r.CreatedAt), ClosedAt: instant(r.ClosedAt),
	}
}

// cardValues are the columns of a card, in the order of the table.
func cardValues(c schema.Card) []any {
	return []any{
		c.Source, text(c.ID), string(c.Provider), text(c.AltID), text(c.Name), text(c.Last4), text(c.Type), text(c.Status),
		text(c.Currency), text(c.BudgetID), micros(c.CreatedAt), micros(c.ClosedAt),
	}
}

// describe brings a card up to a later observation of it. A stream that does not know a field says nothing about it; the
// list of cards knows all of them, so a status or budget that it no longer gives is gone.
func describe(card *schema.Card, o schema.Observation) {
	known := *card
	*card = o.Card
	if o.Stream == schema.Cards {
		return
	}
	for _, f := range []struct{ to, from *string }{
		{&card.AltID, &known.AltID},
		{&card.Name, &known.Name},
		{&card.Last4, &known.Last4},
		{&card.Type, &known.Type},
		{&card.Status, &known.Status},
		{&card.Currency, &known.Currency},
		{&card.BudgetID, &known.BudgetID},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	if card.CreatedAt.IsZero() {
		card.CreatedAt = known.CreatedAt
	}
	if card.ClosedAt.IsZero() {
		card.ClosedAt = known.ClosedAt
	}
}

// observations stores what was observed, but for what was stored of the same moment in the same words, and brings the cards
// up to it.
func (t *tx) observations(ctx context.Context, all []schema.Observation) error {
	if len(all) == 0 {
		return nil
	}
	source, ids := all[0].Source, make([]string, 0, len(all))
	first := all[0].ObservedAt
	for _, o := range all {
		ids = append(ids, text(o.ID))
		if o.ObservedAt.Before(first) {
			first = o.ObservedAt
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	type stored struct {
		CardID     string `db:"card_id"`
		Stream     string `db:"stream"`
		ObservedAt int64  `db:"observed_at"`
		Status     string `db:"status"`
		Figures    string `db:"figures"`
	}
	had, err := selectIn[stored](ctx, t, t.Rebind, ids, `
		SELECT card_id, stream, observed_at, status, figures FROM observations WHERE source = ? AND observed_at >= ? AND card_id IN (?)`,
		source, first.UnixMicro())
	if err != nil {
		return fmt.Errorf("read observations: %w", err)
	}
	known := map[stored]bool{}
	for _, s := range had {
		known[s] = true
	}
	current, err := t.cardsByID(ctx, source, ids)
	if err != nil {
		return err
	}
	cards := make(map[string]schema.Card, len(ids))
	for id, row := range current {
		cards[id] = row.card()
	}
	var rows [][]any
	for _, o := range all {
		figures, err := encodeFigures(o)
		if err != nil {
			return fmt.Errorf("card %s: %w", o.ID, err)
		}
		key := stored{text(o.ID), string(o.Stream), o.ObservedAt.UnixMicro(), text(o.Status), figures}
		if !known[key] {
			known[key] = true
			rows = append(rows, []any{
				o.Source, string(o.Provider), text(o.ID), text(o.AltID), string(o.Stream), o.ObservedAt.UnixMicro(), text(o.Name),
				text(o.Last4), text(o.Type), text(o.Status), text(o.Currency), text(o.BudgetID), micros(o.CreatedAt), micros(o.ClosedAt),
				figures,
			})
		}
		card := cards[text(o.ID)]
		describe(&card, o)
		cards[text(o.ID)] = card
	}
	if err := t.insert(ctx, "observations", rows); err != nil {
		return err
	}
	return t.saveCards(ctx, current, cards)
}

// saveCards appends a version of each card that is not as it was.
func (t *tx) saveCards(ctx context.Context, current map[string]cardRow, cards map[string]schema.Card) error {
	var rows [][]any
	var replaced []int64
	for _, id := range slices.Sorted(maps.Keys(cards)) {
		values := cardValues(cards[id])
		if was, ok := current[id]; ok {
			if slices.Equal(cardValues(was.card()), values) {
				continue
			}
			replaced = append(replaced, was.ID)
		}
		rows = append(rows, values)
	}
	slices.Sort(replaced)
	if err := t.close(ctx, "cards", replaced); err != nil {
		return err
	}
	return t.insert(ctx, "cards", rows)
}

const (
	cardColumns = `SELECT id, source, card_id, provider, alt_id, name, last4, type, status, currency, budget_id, created_at, closed_at `
	cardSelect  = cardColumns + `FROM cards `
)

func (t *tx) cardsByID(ctx context.Context, source string, ids []string) (map[string]cardRow, error) {
	rows, err := selectIn[cardRow](ctx, t, t.Rebind, ids, cardSelect+`WHERE closed_seq IS NULL AND source = ? AND card_id IN (?)`, source)
	if err != nil {
		return nil, fmt.Errorf("read cards: %w", err)
	}
	cards := make(map[string]cardRow, len(rows))
	for _, r := range rows {
		cards[r.CardID] = r
	}
	return cards, nil
}

// cardNames says which of a card's two ids is the ledger's.
type cardNames map[string]string

// cardNames reads the known cards that a group's entries may mean under either id. Where no card has a second id and no entry
// names one, an id is what it says.
func (t *tx) cardNames(ctx context.Context, g Group) (cardNames, error) {
	asked := map[string]bool{}
	var ids []string
	second := false
	for _, e := range g.Batch.Entries {
		for _, id := range []string{text(e.CardID), text(e.CardAltID)} {
			if id != "" && !asked[id] {
				asked[id] = true
				ids = append(ids, id)
			}
		}
		second = second || e.CardAltID != ""
	}
	byAlt, err := selectSome[cardRow](ctx, t, ids, cardColumns, `FROM cards WHERE closed_seq IS NULL AND source = ? AND alt_id <> ''`, `AND alt_id IN (?)`, g.Source)
	if err != nil {
		return nil, fmt.Errorf("read cards: %w", err)
	}
	if len(byAlt) == 0 && !second {
		return nil, nil
	}
	names := cardNames{}
	for _, r := range byAlt {
		names[r.AltID] = r.CardID
	}
	byID, err := t.cardsByID(ctx, g.Source, ids)
	if err != nil {
		return nil, err
	}
	for id := range byID {
		names[id] = id
	}
	return names, nil
}

// canonical is the ledger's id of the card that an entry names, else the id as it came.
func (n cardNames) canonical(id, alt string) string {
	for _, candidate := range []string{text(id), text(alt)} {
		if known, ok := n[candidate]; ok && candidate != "" {
			return known
		}
	}
	return id
}

// budgets stores what was observed of budgets, but for what was stored of the same moment.
func (t *tx) budgets(ctx context.Context, all []schema.Budget) error {
	var rows [][]any
	for _, b := range all {
		row := []any{
			b.Source, text(b.ID), text(b.AltID), text(b.Name), text(b.Zone), text(b.StartDate), text(b.EndDate), text(b.Interval),
			b.ObservedAt.UnixMicro(),
		}
		var n int
		if err := t.GetContext(ctx, &n, t.Rebind(`
			SELECT COUNT(*) FROM budgets WHERE source = ? AND budget_id = ? AND alt_id = ? AND name = ? AND zone = ? AND start_date = ?
			  AND end_date = ? AND recurs = ? AND observed_at = ?`), row...); err != nil {
			return fmt.Errorf("read budgets: %w", err)
		}
		if n == 0 {
			rows = append(rows, row)
		}
	}
	return t.insert(ctx, "budgets", rows)
}

// CardIDs lists the ids of the known cards of a source.
func (l *Ledger) CardIDs(ctx context.Context, source string) ([]string, error) {
	var ids []string
	if err := l.read.SelectContext(ctx, &ids, l.read.Rebind(`SELECT card_id FROM cards WHERE closed_seq IS NULL AND source = ? ORDER BY card_id`), source); err != nil {
		return nil, fmt.Errorf("read cards (%s): %w", source, err)
	}
	return ids, nil
}

// BudgetIDs lists the distinct budget ids that the known cards of a source name.
func (l *Ledger) BudgetIDs(ctx context.Context, source string) ([]string, error) {
	var ids []string
	if err := l.read.SelectContext(ctx, &ids, l.read.Rebind(`
		SELECT DISTINCT budget_id FROM cards WHERE closed_seq IS NULL AND source = ? AND budget_id <> '' ORDER BY budget_id`), source); err != nil {
		return nil, fmt.Errorf("read budget ids (%s): %w", source, err)
	}
	return ids, nil
}

// Sources lists, in order of name, the sources of which anything was ever read.
func (l *Ledger) Sources(ctx context.Context) ([]string, error) {
	var names []string
	if err := l.read.SelectContext(ctx, &names, `SELECT DISTINCT source FROM completeness ORDER BY source`); err != nil {
		return nil, fmt.Errorf("read sources: %w", err)
	}
	return names, nil
}
