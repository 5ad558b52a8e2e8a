package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// world is a ledger in memory that keeps the orders which the readers promise.
type world struct {
	period       schema.Period
	cfg          Config
	cards        []schema.Card
	observations []schema.Observation
	budgets      []schema.Budget
	entries      []schema.Entry
	fundings     []schema.Funding
	completeness []schema.Completeness
	rejects      []schema.Reject
	notes        []schema.Note
	matches      []schema.Match
	absences     []schema.Absence
}

func (w *world) view() schema.View {
	w.sort()
	return schema.View{Entries: w, Cards: w, Observations: w, Budgets: w, Fundings: w, Completeness: w, Rejects: w, Notes: w, Absences: w, Matches: w}
}

func (w *world) sort() {
	slices.SortStableFunc(w.cards, func(a, b schema.Card) int {
		return cardKey{a.Source, a.ID}.compare(cardKey{b.Source, b.ID})
	})
	slices.SortStableFunc(w.observations, func(a, b schema.Observation) int {
		return cmp.Or(cardKey{a.Source, a.ID}.compare(cardKey{b.Source, b.ID}), a.ObservedAt.Compare(b.ObservedAt), cmp.Compare(a.Stream, b.Stream))
	})
	slices.SortStableFunc(w.budgets, func(a, b schema.Budget) int {
		return cmp.Or(cardKey{a.Source, a.ID}.compare(cardKey{b.Source, b.ID}), a.ObservedAt.Compare(b.ObservedAt))
	})
	slices.SortStableFunc(w.entries, func(a, b schema.Entry) int {
		return cmp.Or(cardKey{a.Source, a.CardID}.compare(cardKey{b.Source, b.CardID}), a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID(), b.ID()))
	})
	slices.SortStableFunc(w.fundings, func(a, b schema.Funding) int {
		return cmp.Or(a.SentAt.Compare(b.SentAt), strings.Compare(a.Reference, b.Reference), strings.Compare(a.ID, b.ID))
	})
}

func each[T any](ctx context.Context, items []T, keep func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if ctx.Err() != nil {
				var zero T
				yield(zero, ctx.Err())
				return
			}
			if keep(item) && !yield(item, nil) {
				return
			}
		}
	}
}

func all[T any](T) bool { return true }

func (w *world) Entries(ctx context.Context, f schema.EntryFilter) iter.Seq2[schema.Entry, error] {
	if f.Occurred != (schema.Window{}) || f.Posted != (schema.Window{}) {
		return func(yield func(schema.Entry, error) bool) {
			yield(schema.Entry{}, errors.New("the fake ledger has no filter by windows of time"))
		}
	}
	entries := w.entries
	if f.ByTime {
		entries = slices.SortedFunc(slices.Values(entries), func(a, b schema.Entry) int {
			return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), strings.Compare(a.ID(), b.ID()))
		})
	}
	chosen := each(ctx, entries, func(e schema.Entry) bool {
		return (f.Source == "" || f.Source == e.Source) && (f.CardID == "" || f.CardID == e.CardID) && inRange(f.Cards, e.Source, e.CardID) &&
			(f.Since.IsZero() || !e.OccurredAt.Before(f.Since) || !e.PostedAt.Before(f.Since)) &&
			(f.Currency == "" || f.Currency == e.Amount.Currency().Code()) && (len(f.References) == 0 || slices.Contains(f.References, e.Reference)) &&
			(len(f.IDs) == 0 || slices.Contains(f.IDs, e.ExternalID)) &&
			(len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) && (len(f.Statuses) == 0 || slices.Contains(f.Statuses, e.Status))
	})
	if !f.Brief {
		return chosen
	}
	return func(yield func(schema.Entry, error) bool) {
		for e, err := range chosen {
			if !yield(brief(e), err) {
				return
			}
		}
	}
}

// brief is what a brief reading has of an entry.
func brief(e schema.Entry) schema.Entry {
	return schema.Entry{
		Source: e.Source, ExternalID: e.ExternalID, CardID: e.CardID, Kind: e.Kind, Status: e.Status, OccurredAt: e.OccurredAt,
		PostedAt: e.PostedAt, Amount: e.Amount, Merchant: e.Merchant, Reference: e.Reference, LinkedID: e.LinkedID,
	}
}

func (w *world) EntryCards(ctx context.Context) iter.Seq2[schema.EntryCard, error] {
	return entryCards(each(ctx, w.entries, all))
}

// entryCards are the cards of entries, which need not be in order.
func entryCards(entries iter.Seq2[schema.Entry, error]) iter.Seq2[schema.EntryCard, error] {
	return func(yield func(schema.EntryCard, error) bool) {
		seen := map[schema.EntryCard]bool{}
		for e, err := range entries {
			if err != nil {
				yield(schema.EntryCard{}, err)
				return
			}
			seen[schema.EntryCard{Source: e.Source, CardID: e.CardID, Currency: e.Amount.Currency().Code()}] = true
		}
		sorted := slices.SortedFunc(maps.Keys(seen), func(a, b schema.EntryCard) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.CardID, b.CardID), cmp.Compare(a.Currency, b.Currency))
		})
		for _, c := range sorted {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func (w *world) Cards(ctx context.Context) iter.Seq2[schema.Card, error] {
	return each(ctx, w.cards, all)
}

func (w *world) Observations(ctx context.Context, f schema.ObservationFilter) iter.Seq2[schema.Observation, error] {
	return each(ctx, w.observations, func(o schema.Observation) bool {
		return (f.Source == "" || f.Source == o.Source) && inRange(f.Cards, o.Source, o.ID)
	})
}

// inRange says whether a range has a card.
func inRange(r schema.CardRange, source, id string) bool {
	key := cardKey{source, id}
	return (r.From == schema.CardKey{} || key.compare(cardKey{r.From.Source, r.From.ID}) >= 0) &&
		(r.To == schema.CardKey{} || key.compare(cardKey{r.To.Source, r.To.ID}) < 0)
}

func (w *world) Budgets(ctx context.Context) iter.Seq2[schema.Budget, error] {
	return each(ctx, w.budgets, all)
}

func (w *world) Fundings(ctx context.Context) iter.Seq2[schema.Funding, error] {
	return each(ctx, w.fundings, all)
}

func (w *world) Completeness(ctx context.Context) iter.Seq2[schema.Completeness, error] {
	return each(ctx, w.completeness, all)
}

func (w *world) Rejects(ctx context.Context) iter.Seq2[schema.Reject, error] {
	return each(ctx, w.rejects, all)
}

func (w *world) Notes(ctx context.Context) iter.Seq2[schema.Note, error] {
	return each(ctx, w.notes, all)
}

func (w *world) Absences(ctx context.Context) iter.Seq2[schema.Absence, error] {
	return each(ctx, w.absences, all)
}

func (w *world) Matches(ctx context.Context) iter.Seq2[schema.Match, error] {
	return each(ctx, w.matches, all)
}

// run collects the outcomes of one check.
func (w *world) run(t testing.TB, code schema.FindingCode) []schema.Outcome {
	t.Helper()
	for _, c := range Checks(w.cfg) {
		if c.Code() != code {
			continue
		}
		var got []schema.Outcome
		for o, err := range c.Run(t.Context(), w.view(), w.period) {
			if err != nil {
				t.Fatalf("%s: %v", code, err)
			}
			got = append(got, o)
		}
		return got
	}
	t.Fatalf("there is no check %s", code)
	return nil
}

func findingsOf(outcomes []schema.Outcome) []schema.Finding {
	var fs []schema.Finding
	for _, o := range outcomes {
		if o.Finding != nil {
			fs = append(fs, *o.Finding)
		}
	}
	return fs
}

// readWorld reads a ledger.txt. Each line is a word and its fields, '#' begins a comment, instants are UTC, '-' is
// empty, text with blanks stands in double quotes:
//
//	period   FROM TO ZONE [now=INSTANT]
//	config   [tolerance=AMOUNT] [grace=DAYS] [stale=DAYS] [tip=PERCENT]
//	source   NAME PROVIDER [lookback=DAYS] [unit=auto|minor|major] [start=INSTANT]
//	card     SOURCE ID NAME LAST4 [created=INSTANT] [closed=INSTANT] [budget=ID] [alt=ID]
//	observed SOURCE CARD STREAM INSTANT [status=WORD] [nolimit] [budget=ID] [limit=WINDOW:AMOUNT[@ZONE][^DATE]]... [FIGURE=AMOUNT[!PROBLEM]] [balance=RAW?]
//	budget   SOURCE ID INSTANT FROM TO ZONE
//	entry    SOURCE ID CARD KIND STATUS OCCURRED POSTED AMOUNT [cur=CODE] [at=MERCHANT] [ref=REFERENCE] [link=ID] [alt=CARD]
//	funding  REFERENCE AMOUNT CURRENCY SENT [card=ID] [source=NAME]
//	complete SOURCE STREAM FROM TO     (also partial, failed)   [reason=TEXT]
//	reject   SOURCE STREAM ID FIELD REASON RECEIVED
//	absent   SOURCE ID LAST_READ NOTICED
//	match    REFERENCE ENTRY_ID confirmed|refused
//	note     SOURCE STREAM ID CODE FIELD [DETAIL]
func readWorld(t testing.TB, file string) *world {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{cfg: Config{GraceDays: 3, StalePendingDays: 10, TipPercent: 20}}
	for number, text := range strings.Split(string(text), "\n") {
		fields := fieldsOf(text)
		if len(fields) == 0 {
			continue
		}
		if err := w.line(fields[0], fields[1:]); err != nil {
			t.Fatalf("%s:%d: %v", file, number+1, err)
		}
	}
	return w
}

// fieldsOf splits a line at blanks outside of double quotes.
func fieldsOf(text string) []string {
	var fields []string
	var field strings.Builder
	quoted, some := false, false
	for _, r := range text + " " {
		switch {
		case r == '"':
			quoted, some = !quoted, true
		case r == '#' && !quoted && !some:
			return fields
		case r == ' ' && !quoted:
			if some {
				fields = append(fields, field.String())
			}
			field.Reset()
			some = false
		default:
			field.WriteRune(r)
			some = true
		}
	}
	return fields
}

func (w *world) provider(source string) schema.Provider {
	for _, s := range w.cfg.Sources {
		if s.Name == source {
			return s.Provider
		}
	}
	return ""
}

// options are the fields of a line by name.
type options []string

func (o options) all(name string) []string {
	var values []string
	for _, field := range o {
		if value, ok := strings.CutPrefix(field, name+"="); ok {
			values = append(values, value)
		}
	}
	return values
}

func (o options) get(name string) string {
	if values := o.all(name); len(values) > 0 {
		return values[0]
	}
	return ""
}

// reader turns fields into values and keeps the first error.
type reader struct{ err error }

func (r *reader) instant(s string) time.Time {
	if s == "" || s == "-" {
		return time.Time{}
	}
	if s == "beginning" {
		return schema.Beginning
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	r.fail("%q is no instant", s)
	return time.Time{}
}

func (r *reader) amount(s, code string) money.Amount {
	c, err := money.Lookup(cmp.Or(code, "USD"))
	if err != nil {
		r.fail("%v", err)
	}
	a, err := money.Parse(s, c)
	if err != nil {
		r.fail("%v", err)
	}
	return a
}

func (r *reader) number(s string) int {
	n := 0
	if _, err := fmt.Sscanf(s, "%d", &n); err != nil {
		r.fail("%q is no number", s)
	}
	return n
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func text(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func (w *world) line(word string, f []string) error {
	need := map[string]int{
		"period": 3, "config": 0, "source": 2, "card": 4, "observed": 4, "budget": 6, "entry": 8, "funding": 4, "complete": 4,
		"partial": 4, "failed": 4, "reject": 6, "note": 5, "absent": 4, "match": 3,
	}
	n, ok := need[word]
	if !ok || len(f) < n {
		return fmt.Errorf("%s with %d fields", word, len(f))
	}
	var r reader
	o := options(f[n:])
	switch word {
	case "period":
		zone, err := time.LoadLocation(f[2])
		if err != nil {
			return err
		}
		w.period = schema.Period{Window: schema.Window{From: r.instant(f[0]), To: r.instant(f[1])}, Zone: zone}
		w.period.Now = r.instant(cmp.Or(o.get("now"), f[1]))
	case "config":
		w.cfg.DriftTolerance = decimal.RequireFromString(cmp.Or(o.get("tolerance"), "0"))
		w.cfg.GraceDays = r.number(cmp.Or(o.get("grace"), "3"))
		w.cfg.StalePendingDays = r.number(cmp.Or(o.get("stale"), "10"))
		w.cfg.TipPercent = r.number(cmp.Or(o.get("tip"), "20"))
	case "source":
		w.cfg.Sources = append(w.cfg.Sources, Source{
			Name: f[0], Provider: schema.Provider(f[1]), LookbackDays: r.number(cmp.Or(o.get("lookback"), "35")),
			BalanceUnit: BalanceUnit(o.get("unit")), Start: r.instant(o.get("start")),
		})
	case "card":
		w.cards = append(w.cards, schema.Card{
			Source: f[0], Provider: w.provider(f[0]), ID: f[1], Name: text(f[2]), Last4: text(f[3]),
			CreatedAt: r.instant(o.get("created")), ClosedAt: r.instant(o.get("closed")), BudgetID: o.get("budget"), AltID: o.get("alt"),
		})
	case "observed":
		w.observations = append(w.observations, w.observation(&r, f, o))
	case "budget":
		w.budgets = append(w.budgets, schema.Budget{Source: f[0], ID: f[1], ObservedAt: r.instant(f[2]), StartDate: text(f[3]), EndDate: text(f[4]), Zone: text(f[5])})
	case "entry":
		w.entries = append(w.entries, schema.Entry{
			Source: f[0], Provider: w.provider(f[0]), ExternalID: f[1], CardID: text(f[2]), Kind: schema.Kind(f[3]),
			Status: schema.Status(f[4]), OccurredAt: r.instant(f[5]), PostedAt: r.instant(f[6]), Amount: r.amount(f[7], o.get("cur")), Literal: f[7],
			Merchant: o.get("at"), Reference: o.get("ref"), LinkedID: o.get("link"), CardAltID: o.get("alt"),
		})
	case "funding":
		sent, err := time.ParseInLocation(time.DateOnly, f[3], w.period.Zone)
		if err != nil {
			sent = r.instant(f[3])
		}
		w.fundings = append(w.fundings, schema.Funding{
			ID: fmt.Sprintf("f%d", len(w.fundings)), Reference: f[0], Amount: r.amount(f[1], f[2]), SentAt: sent.UTC(),
			SentText: f[3], DateOnly: err == nil, CardID: o.get("card"), Source: o.get("source"),
		})
	case "complete", "partial", "failed":
		w.completeness = append(w.completeness, schema.Completeness{
			Source: f[0], Stream: schema.Stream(f[1]), Window: schema.Window{From: r.instant(f[2]), To: r.instant(f[3])},
			Verdict: schema.Verdict(word), Reason: o.get("reason"), RecordedAt: r.instant(f[3]),
		})
	case "reject":
		w.rejects = append(w.rejects, schema.Reject{
			Source: f[0], Provider: w.provider(f[0]), Stream: schema.Stream(f[1]), ExternalID: text(f[2]), Field: f[3],
			Reason: f[4], ReceivedAt: r.instant(f[5]),
		})
	case "absent":
		w.absences = append(w.absences, schema.Absence{Source: f[0], ExternalID: f[1], LastRead: r.instant(f[2]), NoticedAt: r.instant(f[3])})
	case "match":
		source, _, _ := strings.Cut(f[1], "/")
		w.matches = append(w.matches, schema.Match{Source: source, Reference: f[0], EntryID: f[1], Confirmed: f[2] == "confirmed", Run: int64(len(w.matches))})
	case "note":
		note := schema.Note{Source: f[0], Stream: schema.Stream(f[1]), ExternalID: f[2], Code: schema.NoteCode(f[3]), Field: f[4]}
		if len(f) > 5 {
			note.Detail = f[5]
		}
		w.notes = append(w.notes, note)
	}
	return r.err
}

func (w *world) observation(r *reader, f []string, o options) schema.Observation {
	obs := schema.Observation{
		Card:   schema.Card{Source: f[0], Provider: w.provider(f[0]), ID: f[1], Status: o.get("status"), BudgetID: o.get("budget")},
		Stream: schema.Stream(f[2]), ObservedAt: r.instant(f[3]), NoLimit: slices.Contains(o, "nolimit"),
	}
	for _, l := range o.all("limit") {
		rest, start, _ := strings.Cut(l, "^")
		rest, zone, _ := strings.Cut(rest, "@")
		window, amount, _ := strings.Cut(rest, ":")
		limit := schema.Limit{Window: schema.LimitWindow(window), Amount: r.amount(amount, ""), Zone: zone, StartDate: start, Word: window}
		if strings.HasPrefix(window, "?") {
			limit.Window, limit.Word = "", window[1:]
		}
		obs.Limits = append(obs.Limits, limit)
	}
	for _, name := range []schema.FigureName{schema.Balance, schema.PeriodSpend, schema.TrailingSpend, schema.Utilized} {
		value := o.get(string(name))
		if value == "" {
			continue
		}
		raw, problem, bad := strings.Cut(value, "!")
		figure := schema.Figure{Name: name, Raw: strings.TrimSuffix(raw, "?"), Problem: problem, Ambiguous: strings.HasSuffix(raw, "?")}
		if !bad && !figure.Ambiguous {
			figure.Amount = r.amount(raw, "")
		}
		obs.Figures = append(obs.Figures, figure)
	}
	return obs
}
