package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// cardKey names a card. Sources and cards are walked in the order of cardKey.compare, which is byte order.
type cardKey struct{ source, id string }

func keyOf(k schema.CardKey) cardKey { return cardKey{k.Source, k.ID} }

func (k cardKey) compare(o cardKey) int {
	return cmp.Or(strings.Compare(k.source, o.source), strings.Compare(k.id, o.id))
}

// cardIndex finds the cards that some list contains.
type cardIndex struct {
	byID   map[cardKey]schema.Card
	alias  map[cardKey]string // a card's second id -> its id
	sorted []cardKey
}

func readCards(ctx context.Context, v schema.View) (cardIndex, error) {
	x := cardIndex{byID: map[cardKey]schema.Card{}, alias: map[cardKey]string{}}
	for c, err := range v.Cards.Cards(ctx) {
		if err != nil {
			return cardIndex{}, fmt.Errorf("read cards: %w", err)
		}
		x.byID[cardKey{c.Source, c.ID}] = c
		x.sorted = append(x.sorted, cardKey{c.Source, c.ID})
		if c.AltID != "" {
			x.alias[cardKey{c.Source, c.AltID}] = c.ID
		}
	}
	slices.SortFunc(x.sorted, cardKey.compare)
	return x, nil
}

// keys yields the cards of a source and a range in order.
func (x cardIndex) keys(source string, within schema.CardRange) iter.Seq2[cardKey, error] {
	from, to := keyOf(within.From), keyOf(within.To)
	at, _ := slices.BinarySearchFunc(x.sorted, from, cardKey.compare)
	return func(yield func(cardKey, error) bool) {
		for _, k := range x.sorted[at:] {
			if (to != cardKey{} && k.compare(to) >= 0) {
				return
			}
			if (source == "" || k.source == source) && !yield(k, nil) {
				return
			}
		}
	}
}

// shares splits all cards, listed or not, into at most n ranges of about as many listed ones of a source, or of all sources
// when it is empty.
func (x cardIndex) shares(source string, n int) []schema.CardRange {
	keys := slices.DeleteFunc(slices.Clone(x.sorted), func(k cardKey) bool { return source != "" && k.source != source })
	ranges := make([]schema.CardRange, max(1, min(n, len(keys))))
	for i := 1; i < len(ranges); i++ {
		k := keys[i*len(keys)/len(ranges)]
		ranges[i-1].To = schema.CardKey{Source: k.source, ID: k.id}
		ranges[i].From = ranges[i-1].To
	}
	return ranges
}

// find looks for a card under either of the ids that a row gives for it.
func (x cardIndex) find(source string, ids ...string) (schema.Card, bool) {
	for _, id := range ids {
		if id == "" {
			continue
		}
		if c, ok := x.byID[cardKey{source, id}]; ok {
			return c, true
		}
		if canonical, ok := x.alias[cardKey{source, id}]; ok {
			return x.byID[cardKey{source, canonical}], true
		}
	}
	return schema.Card{}, false
}

// account is what the ledger knows of one card.
type account struct {
	card         schema.Card // where no list contains the card: only Source, Provider, ID and Last4
	listed       bool
	observations []schema.Observation // by observed_at, stream
	entries      []schema.Entry       // by occurred_at, entry id
	since        time.Time            // the entries are those that occurred or posted then or later; zero: all
	short        bool                 // something was asked for that the entries before might change
	ids          []string             // under which entries name the card
	currencies   []string             // of all its entries
}

// reach notes that the entries from an instant on are asked for; zero: all.
func (a *account) reach(from time.Time) {
	if !a.since.IsZero() && from.Before(a.since) {
		a.short = true
	}
}

// only notes that entries in another currency would matter, however old they are.
func (a *account) only(c money.Currency) {
	if !a.since.IsZero() && slices.ContainsFunc(a.currencies, func(code string) bool { return code != c.Code() }) {
		a.short = true
	}
}

// complete reads all entries of the card.
func (a *account) complete(ctx context.Context, v schema.View) error {
	a.since, a.short, a.entries = time.Time{}, false, a.entries[:0]
	return a.read(ctx, v, a.ids)
}

// read adds the entries that name the card by some of its ids.
func (a *account) read(ctx context.Context, v schema.View, ids []string) error {
	for _, id := range ids {
		for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Source: a.card.Source, CardID: id, Since: a.since, Brief: true}) {
			if err != nil {
				return fmt.Errorf("read entries (%s, card %s): %w", a.card.Source, id, err)
			}
			a.entries = append(a.entries, e)
		}
	}
	slices.SortFunc(a.entries, func(a, b schema.Entry) int {
		return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ExternalID, b.ExternalID))
	})
	return nil
}

// walk is what accounts are read of.
type walk struct {
	view   schema.View
	cards  cardIndex
	twins  twinIDs
	source string           // empty: all
	within schema.CardRange // zero: all
	since  time.Time        // of cards that some list contains only the entries are read that occurred or posted then or later; zero: all
}

// accounts yields cards by source and card: those that some list contains and those that only rows name. It joins the ordered
// readers, so that one card's rows are held at a time. Rows without a card are left out. The account and its slices are valid
// until the next one.
func (w walk) accounts(ctx context.Context) iter.Seq2[*account, error] {
	return func(yield func(*account, error) bool) {
		entries := newCursor("entries", w.view.Entries.Entries(ctx, schema.EntryFilter{Source: w.source, Cards: w.within, Since: w.since, Brief: true}),
			func(e schema.Entry) cardKey { return cardKey{e.Source, e.CardID} })
		defer entries.stop()
		observations := newCursor("observations", w.view.Observations.Observations(ctx, schema.ObservationFilter{Source: w.source, Cards: w.within}),
			func(o schema.Observation) cardKey { return cardKey{o.Source, o.ID} })
		defer observations.stop()
		listed := newCursor("cards", w.cards.keys(w.source, w.within), func(k cardKey) cardKey { return k })
		defer listed.stop()

		var a account
		for {
			key, ok, err := first(entries, observations, listed)
			if err != nil {
				yield(nil, err)
				return
			}
			if !ok {
				break
			}
			if err := listed.skip(key); err != nil {
				yield(nil, err)
				return
			}
			if key.id == "" || w.twins.strays[key] {
				if err := skip(entries, observations, key); err != nil {
					yield(nil, err)
					return
				}
				continue
			}
			a.entries, err = entries.take(key, a.entries[:0])
			if err == nil {
				a.observations, err = observations.take(key, a.observations[:0])
			}
			if err == nil {
				err = w.fill(ctx, &a, key)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&a, nil) {
				return
			}
		}
	}
}

// most is how many ranges of cards are walked at once. Each walk holds up to three readers of the ledger.
const most = 4

// manyRanges is into how many the cards are split. Some have many more entries than others.
func manyRanges() int { return 16 * min(runtime.GOMAXPROCS(0), most) }

// each walks over ranges of the cards, some at once.
func (w walk) each(ctx context.Context, ranges []schema.CardRange, do func(ctx context.Context, n int, w walk) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(runtime.GOMAXPROCS(0), most))
	for n, cards := range ranges {
		group.Go(func() error {
			w := w
			w.within = cards
			return do(ctx, n, w)
		})
	}
	return group.Wait()
}

// fill completes what the readers in order gave of a card.
func (w walk) fill(ctx context.Context, a *account, key cardKey) error {
	if err := a.describe(ctx, w.view, w.cards, key); err != nil {
		return err
	}
	twins := w.twins.of[key]
	a.since, a.short = w.since, false
	a.ids, a.currencies = append(append(a.ids[:0], key.id), twins...), w.twins.currencies[key]
	if len(twins) > 0 {
		if err := a.read(ctx, w.view, twins); err != nil {
			return err
		}
	}
	if !a.listed && !w.since.IsZero() {
		return a.complete(ctx, w.view)
	}
	return nil
}

// describe says which card it is. Of one that no list contains, its oldest entry tells what is known.
func (a *account) describe(ctx context.Context, v schema.View, cards cardIndex, key cardKey) error {
	a.card, a.listed = cards.byID[key]
	if a.listed {
		return nil
	}
	a.card = schema.Card{Source: key.source, ID: key.id}
	if len(a.observations) > 0 {
		a.card.Provider = a.observations[0].Provider
	}
	for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Source: key.source, CardID: key.id}) {
		if err != nil {
			return fmt.Errorf("read entries (%s, card %s): %w", key.source, key.id, err)
		}
		a.card.Provider, a.card.Last4 = e.Provider, e.CardLast4
		break
	}
	return nil
}

// twinIDs are the ids under which entries name a card otherwise than its list does.
type twinIDs struct {
	of         map[cardKey][]string // a listed card -> the other ids, in order
	strays     map[cardKey]bool     // those ids, which are then no cards of their own
	currencies map[cardKey][]string // of the entries of a card, under whatever id
}

// readTwins finds them. Only BILL knows a card under two ids (uuid and id, either of which may be missing in a row), so
// only BILL entries are read for it.
func readTwins(ctx context.Context, v schema.View, cards cardIndex, source string) (twinIDs, error) {
	t := twinIDs{of: map[cardKey][]string{}, strays: map[cardKey]bool{}, currencies: map[cardKey][]string{}}
	sources := map[string]bool{}
	for _, c := range cards.byID {
		if c.Provider == schema.Bill && (source == "" || c.Source == source) {
			sources[c.Source] = true
		}
	}
	for c, err := range v.Entries.EntryCards(ctx) {
		if err != nil {
			return t, fmt.Errorf("read entries: %w", err)
		}
		key := cardKey{c.Source, c.CardID}
		again := t.currencies[key] != nil
		t.currencies[key] = append(t.currencies[key], c.Currency)
		if _, listed := cards.byID[key]; listed || again || key.id == "" || !sources[key.source] {
			continue
		}
		for e, err := range v.Entries.Entries(ctx, schema.EntryFilter{Source: key.source, CardID: key.id}) {
			if err != nil {
				return t, fmt.Errorf("read entries (%s, card %s): %w", key.source, key.id, err)
			}
			if c, ok := cards.find(e.Source, e.CardID, e.CardAltID); ok {
				t.strays[key] = true
				canonical := cardKey{c.Source, c.ID}
				t.of[canonical] = append(t.of[canonical], key.id)
				break
			}
		}
	}
	for key, ids := range t.of {
		for _, id := range ids {
			t.currencies[key] = append(t.currencies[key], t.currencies[cardKey{key.source, id}]...)
		}
	}
	return t, nil
}

// unlisted yields the cards that entries name by an id under which no list contains them, by source and card.
func unlisted(ctx context.Context, v schema.View, cards cardIndex) iter.Seq2[cardKey, error] {
	return func(yield func(cardKey, error) bool) {
		var last cardKey
		for c, err := range v.Entries.EntryCards(ctx) {
			if err != nil {
				yield(cardKey{}, fmt.Errorf("read entries: %w", err))
				return
			}
			key := cardKey{c.Source, c.CardID}
			if _, listed := cards.byID[key]; listed || key.id == "" || key == last {
				continue // the next currency of the same card, too
			}
			if last = key; !yield(key, nil) {
				return
			}
		}
	}
}

// cursor reads an ordered sequence one group at a time.
type cursor[T any] struct {
	what string
	key  func(T) cardKey
	next func() (T, error, bool)
	stop func()
	head T
	at   cardKey // of head
	ok   bool    // there is a head
	err  error
}

func newCursor[T any](what string, seq iter.Seq2[T, error], key func(T) cardKey) *cursor[T] {
	c := &cursor[T]{what: what, key: key}
	c.next, c.stop = iter.Pull2(seq)
	c.advance()
	return c
}

func (c *cursor[T]) advance() {
	v, err, ok := c.next()
	switch {
	case !ok:
		c.ok = false
	case err != nil:
		c.ok, c.err = false, fmt.Errorf("read %s: %w", c.what, err)
	default:
		key := c.key(v)
		if c.ok && key.compare(c.at) < 0 {
			// A database that sorts text otherwise than by bytes would make the join lose rows without a word.
			c.ok, c.err = false, fmt.Errorf("read %s: card %s/%s came after %s/%s", c.what, key.source, key.id, c.at.source, c.at.id)
			return
		}
		c.head, c.at, c.ok = v, key, true
	}
}

// take appends the group of key, if it is the next one.
func (c *cursor[T]) take(key cardKey, into []T) ([]T, error) {
	for c.ok && c.at == key {
		into = append(into, c.head)
		c.advance()
	}
	return into, c.err
}

func (c *cursor[T]) skip(key cardKey) error {
	for c.ok && c.at == key {
		c.advance()
	}
	return c.err
}

// peek is the key of the next group.
func (c *cursor[T]) peek() (cardKey, bool, error) { return c.at, c.ok, c.err }

type peeker interface{ peek() (cardKey, bool, error) }

// first is the smallest key that any of some cursors stands at.
func first(cursors ...peeker) (cardKey, bool, error) {
	var least cardKey
	some := false
	for _, c := range cursors {
		key, ok, err := c.peek()
		if err != nil {
			return cardKey{}, false, err
		}
		if ok && (!some || key.compare(least) < 0) {
			least, some = key, true
		}
	}
	return least, some, nil
}

func skip(e *cursor[schema.Entry], o *cursor[schema.Observation], key cardKey) error {
	if err := e.skip(key); err != nil {
		return err
	}
	return o.skip(key)
}
