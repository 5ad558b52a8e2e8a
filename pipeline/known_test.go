package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/extract"
	"github.com/tieout/tieout/normalize"
	"github.com/tieout/tieout/pipeline"
	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/ledger"
	"github.com/tieout/tieout/schema/money"
)

// sale is a row of a shop as its provider has it tonight.
type sale struct {
	ID, Card, AltCard string
	Status            schema.Status
	At, Posted        time.Time
	Minor             int64
	Odd               string      // makes a note
	Unread            bool        // makes a reject
	Child             bool        // makes nothing
	Links             [][2]string // basis, id

	category string // of the list that brought it
	unknown  []string
	gone     bool
	before   *sale
	twice    *sale // what it was when it was met on an earlier page of the same walk
}

func (s *sale) listedAt() time.Time {
	if s.Posted.IsZero() {
		return s.At
	}
	return s.Posted
}

// shop is an account whose rows change from night to night in every way that comes to mind.
type shop struct {
	dice    *rand.Rand
	at      time.Time
	rows    []*sale
	cards   [][2]string // ids, and their second ids
	listed  int         // cards on the list
	breaks  int         // the page of transactions that fails tonight; 0: none
	edition int         // of the normalizer
	meet    func(n int) // is called before a page of transactions is given, if not nil
}

func newShop(seed uint64) *shop {
	s := &shop{dice: rand.New(rand.NewPCG(seed, 2026)), at: now, listed: 2}
	for i := range 6 {
		s.cards = append(s.cards, [2]string{fmt.Sprint("c", i), []string{"", fmt.Sprint("alt", i)}[s.dice.IntN(2)]})
	}
	for range 60 {
		s.sell(20)
	}
	return s
}

func (s *shop) one() *sale { return s.rows[s.dice.IntN(len(s.rows))] }

// sell adds a row of the last days.
func (s *shop) sell(days int) {
	r := &sale{ID: fmt.Sprintf("t%03d", len(s.rows)), At: s.at.Add(-time.Duration(s.dice.IntN(days*24)) * time.Hour), category: "card", Status: schema.Pending, Minor: s.dice.Int64N(9)}
	s.rows = append(s.rows, r)
	s.change(r, 3)
	s.change(r, s.dice.IntN(ways))
}

// change changes one thing of a row, or has it as it was before.
func (s *shop) change(r *sale, what int) {
	was := *r
	if what < ways {
		s.alter(r, what)
		if r.before = &was; s.dice.IntN(3) == 0 {
			s.alter(r, s.dice.IntN(ways))
		}
	} else if r.before != nil {
		*r = *r.before
		r.before = &was
	}
}

const ways = 14

func (s *shop) alter(r *sale, what int) {
	card, second := s.cards[s.dice.IntN(s.listed)], 0
	if s.dice.IntN(6) == 0 {
		card, second = s.cards[s.dice.IntN(len(s.cards))], s.dice.IntN(2)
	}
	switch what {
	case 0:
		r.Status, r.Posted = schema.Posted, r.At.Add(time.Duration(s.dice.IntN(96))*time.Hour)
	case 1:
		r.Minor++
	case 2:
		r.At = r.At.Add(time.Duration(s.dice.IntN(240)-120) * time.Hour)
	case 3:
		r.Card = card[second]
	case 4:
		r.AltCard = card[1]
	case 5:
		r.Odd = []string{"", "odd", "odder"}[s.dice.IntN(3)]
	case 6:
		r.Unread = !r.Unread
	case 7:
		r.category = []string{"card", "fee", ""}[s.dice.IntN(3)]
	case 8:
		r.unknown = [][]string{nil, {"new"}, {"new", "newer"}}[s.dice.IntN(3)]
	case 9:
		r.gone = !r.gone
	case 10:
		r.Links = [][2]string{{string([]schema.LinkBasis{schema.Cleared, schema.Reverses}[s.dice.IntN(2)]), s.one().ID}}
	case 11:
		r.Child = !r.Child
	case 12:
		was := *r
		was.twice, was.Minor, was.Odd = nil, 100+r.Minor, "earlier"
		r.twice = &was
	case 13:
		r.Status, r.Posted = schema.Pending, time.Time{}
	}
}

// night goes on to the next one.
func (s *shop) night() {
	s.at, s.breaks = s.at.AddDate(0, 0, 1), 0
	for _, r := range s.rows {
		r.twice = nil
	}
	for range s.dice.IntN(12) {
		s.change(s.one(), s.dice.IntN(ways+6))
	}
	for range s.dice.IntN(6) {
		s.sell(3)
	}
	if s.dice.IntN(3) == 0 {
		s.listed = min(s.listed+1, len(s.cards))
	}
	if s.dice.IntN(5) == 0 {
		s.cards[s.dice.IntN(len(s.cards))][1] = fmt.Sprint("alt", s.dice.IntN(6))
	}
	if s.dice.IntN(6) == 0 {
		s.breaks = 1 + s.dice.IntN(6)
	}
	if s.dice.IntN(4) == 0 {
		s.edition = s.dice.IntN(3) // also back to one before
	}
}

func (s *shop) Streams() []schema.Stream { return []schema.Stream{schema.Cards, schema.Transactions} }

func (s *shop) record(stream schema.Stream, id string, of any) schema.Record {
	payload, err := json.Marshal(of)
	if err != nil {
		panic(err) // it has nothing that cannot be encoded
	}
	return schema.Record{Source: "one", Provider: schema.Slash, Stream: stream, ExternalID: id, ReceivedAt: s.at, Payload: payload}
}

func (s *shop) transaction(r *sale) schema.Record {
	one := s.record(schema.Transactions, r.ID, r)
	one.Category, one.Unknown = r.category, r.unknown
	return one
}

func (s *shop) Pages(_ context.Context, stream schema.Stream, w schema.Window, from extract.Cursor) iter.Seq2[extract.Page, error] {
	var all []schema.Record
	if stream == schema.Cards {
		for _, c := range s.cards[:s.listed] {
			all = append(all, s.record(stream, c[0], c))
		}
	} else {
		var early []schema.Record
		for _, r := range s.rows {
			if r.gone || !w.Contains(r.listedAt()) {
				continue
			}
			if r.twice != nil {
				early = append(early, s.transaction(r.twice))
			}
			all = append(all, s.transaction(r))
		}
		all = append(early, all...)
	}
	return func(yield func(extract.Page, error) bool) {
		first, _ := strconv.Atoi(string(from))
		for n := first; ; n++ {
			if stream == schema.Transactions && n+1 == s.breaks {
				yield(extract.Page{}, errors.New("connection reset"))
				return
			}
			if stream == schema.Transactions && s.meet != nil {
				s.meet(n)
			}
			page := extract.Page{Total: -1, Next: extract.Cursor(strconv.Itoa(n + 1)), Records: all[min(7*n, len(all)):min(7*n+7, len(all))]}
			if page.Last = 7*n+7 >= len(all); page.Last {
				page.Next = ""
			}
			if !yield(page, nil) || page.Last {
				return
			}
		}
	}
}

func (s *shop) Fetch(_ context.Context, _ schema.Stream, ids []string) iter.Seq2[extract.Page, error] {
	page := extract.Page{Total: -1, Last: true}
	for _, id := range ids {
		n := slices.IndexFunc(s.rows, func(r *sale) bool { return r.ID == id && !r.gone })
		if n < 0 {
			page.Missing = append(page.Missing, id)
			continue
		}
		one := s.transaction(s.rows[n])
		one.Category = "" // a row alone does not say it
		page.Records = append(page.Records, one)
	}
	return func(yield func(extract.Page, error) bool) { yield(page, nil) }
}

// normalizer reads what the shop lists, and counts the transactions.
func (s *shop) normalizer(read *int) normalize.Func {
	return func(r schema.Record, b *schema.Batch) error {
		if r.Stream == schema.Cards {
			var ids [2]string
			if err := json.Unmarshal(r.Payload, &ids); err != nil {
				return err
			}
			b.Observations = append(b.Observations, schema.Observation{
				Card: schema.Card{Source: r.Source, Provider: r.Provider, ID: ids[0], AltID: ids[1], Currency: "USD"}, Stream: r.Stream, ObservedAt: r.ReceivedAt,
			})
			return nil
		}
		*read++
		var row sale
		if err := json.Unmarshal(r.Payload, &row); err != nil {
			return err
		}
		if row.Unread && s.edition != 2 {
			return &normalize.RejectError{Field: "Unread", Reason: "so it says"}
		}
		for _, l := range row.Links {
			b.Links = append(b.Links, schema.Link{From: row.ID, To: l[1], Basis: schema.LinkBasis(l[0])})
		}
		for _, field := range append(r.Unknown, row.Odd) {
			if field != "" && s.edition != 2 {
				b.Notes = append(b.Notes, schema.Note{Source: r.Source, Stream: r.Stream, ExternalID: row.ID, Code: schema.UnknownFieldNote, Field: field})
			}
		}
		if row.Child {
			return nil
		}
		b.Entries = append(b.Entries, schema.Entry{
			Source: r.Source, Provider: r.Provider, ExternalID: row.ID, CardID: row.Card, CardAltID: row.AltCard, Kind: schema.Purchase,
			Status: row.Status, OccurredAt: row.At, PostedAt: row.Posted, Amount: money.FromMinor(-row.Minor, money.USD()),
			Reference: r.Category, Merchant: fmt.Sprint("edition ", s.edition%2),
		})
		return nil
	}
}

// sync reads the shop, and says what came of it and what the ledger has then. With a mapping, what is known is not read again.
func (s *shop) sync(t *testing.T, l *ledger.Ledger, mapping string, full bool, read *int) []string {
	t.Helper()
	at := s.at
	p, err := pipeline.New(pipeline.Config{
		Ledger: l, Zone: time.UTC, Version: "test", GroupRows: 20,
		Sources: []pipeline.Source{{
			Name: "one", Provider: schema.Slash, Extractor: s, Normalize: s.normalizer(read), Mapping: mapping, LookbackDays: 9, FullScan: full,
		}},
		Now: func() time.Time { return at }, Elapsed: func() time.Duration { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	result := sync(t, p)
	text, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{string(text)}, holds(t, l)...)
}

// holds is all that a ledger has of transactions, with the rows and runs in which it is stored.
func holds(t *testing.T, l *ledger.Ledger) (all []string) {
	t.Helper()
	view := l.View(0)
	all = append(all, shown(t, "entry", view.Entries.Entries(t.Context(), schema.EntryFilter{}))...)
	all = append(all, shown(t, "evidence", l.Evidence(t.Context(), "one"))...)
	all = append(all, shown(t, "absence", view.Absences.Absences(t.Context()))...)
	all = append(all, shown(t, "reject", view.Rejects.Rejects(t.Context()))...)
	all = append(all, shown(t, "note", view.Notes.Notes(t.Context()))...)
	all = append(all, shown(t, "card", view.Cards.Cards(t.Context()))...)
	return append(all, shown(t, "completeness", view.Completeness.Completeness(t.Context()))...)
}

func shown[T any](t *testing.T, name string, rows iter.Seq2[T, error]) (all []string) {
	t.Helper()
	for one, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.ReplaceAll(fmt.Sprintf("%s %+v", name, one), "\n", " "))
	}
	return all
}

// TestSync_StoresTheSameWithoutLookingAgain syncs random worlds, night after night, into a ledger whose known rows are not read
// again and into one in which every row is mapped and compared: both say and hold the same after every night.
func TestSync_StoresTheSameWithoutLookingAgain(t *testing.T) {
	var less, all int
	for seed := range uint64(10) {
		s := newShop(seed)
		short, long := fresh(t), fresh(t)
		for night := range 16 {
			want := s.sync(t, long, "", seed%3 == 0, &all)
			mapping := ""
			if s.dice.IntN(8) > 0 {
				mapping = fmt.Sprint("edition ", s.edition)
			}
			got := s.sync(t, short, mapping, seed%3 == 0, &less)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("world %d, night %d, with what is known (+), reading all (-):\n%s", seed, night, diff)
			}
			s.night()
		}
		books(t, short)
	}
	t.Logf("%d of %d rows were read again", less, all)
	if less > all*3/4 {
		t.Errorf("%d of %d rows were read again: hardly any was known", less, all)
	}
}

// regular is a shop with a card and some posted rows of it, one an hour.
func regular(rows int) *shop {
	s := &shop{at: now, cards: [][2]string{{"c0", ""}}, listed: 1}
	for i := range rows {
		at := now.Add(time.Duration(i-rows-30) * time.Hour)
		s.rows = append(s.rows, &sale{ID: fmt.Sprintf("t%03d", i), Card: "c0", Status: schema.Posted, At: at, Posted: at, Minor: int64(i)})
	}
	return s
}

func TestSync_LooksAgain(t *testing.T) {
	t.Run("AtNothingThatIsAsItWas", func(t *testing.T) {
		s, l, read := regular(60), fresh(t), 0
		s.sync(t, l, "m", false, &read)
		s.sync(t, l, "m", false, &read)
		if read != 60 {
			t.Errorf("%d rows were mapped in two nights, want 60", read)
		}
	})
	t.Run("AtAllWhereTheMappingIsAnother", func(t *testing.T) {
		s, l, read := regular(60), fresh(t), 0
		s.sync(t, l, "m", false, &read)
		s.edition++
		s.sync(t, l, "n", false, &read)
		for _, e := range shown(t, "", l.View(0).Entries.Entries(t.Context(), schema.EntryFilter{})) {
			if !strings.Contains(e, "Merchant:edition 1 ") {
				t.Errorf("stayed as it was mapped before: %s", e)
			}
		}
		s.sync(t, l, "n", false, &read)
		if read != 120 {
			t.Errorf("%d rows were mapped in three nights, want 120", read)
		}
	})
	t.Run("AtARowThatWasAbsentAndIsListedAgainAsItWas", func(t *testing.T) {
		s, l, read := regular(60), fresh(t), 0
		s.sync(t, l, "m", true, &read)
		s.rows[40].gone = true
		s.sync(t, l, "m", true, &read)
		absentAre(t, l, 60, "t040")
		s.rows[40].gone = false
		s.sync(t, l, "m", true, &read)
		absentAre(t, l, 60)
		if read != 61 {
			t.Errorf("%d rows were mapped in three nights, want 61", read)
		}
	})
	t.Run("AtWhatAWalkStoredThatWasKilled", func(t *testing.T) {
		folder, copied := t.TempDir(), t.TempDir()
		s, l, read := regular(60), openIn(t, folder), 0
		s.sync(t, l, "m", false, &read)
		want := books(t, l)
		for _, r := range s.rows {
			r.Minor += 100
		}
		s.meet = func(n int) {
			if n == 5 { // what a process leaves that is killed here
				if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
					t.Error(err)
				}
			}
		}
		s.sync(t, l, "m", false, &read)
		s.meet = nil
		for _, r := range s.rows {
			r.Minor -= 100 // as it was before
		}
		left := openIn(t, copied)
		if cmp.Equal(books(t, left), want) {
			t.Fatal("the walk had stored nothing when it was killed")
		}
		s.sync(t, left, "m", false, &read) // goes on where the walk was
		s.sync(t, left, "m", false, &read)
		if diff := cmp.Diff(want, books(t, left)); diff != "" {
			t.Errorf("after the next nights (-want +got):\n%s", diff)
		}
	})
}

func TestProgram(t *testing.T) {
	if a, b := pipeline.Program(), pipeline.Program(); a == "" || a != b {
		t.Errorf("one program is %q and %q", a, b)
	}
}
