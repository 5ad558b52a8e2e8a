package sandbox

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tieout/tieout/schema"
)

// seeds are the worlds that facts about every world are held against. Their ends differ, so that the days of month and week
// and the hours do.
func seeds(yield func(Config) bool) {
	zones := []string{"UTC", "America/New_York", "Asia/Tokyo", "Australia/Sydney"}
	for n := range 24 {
		now := time.Date(2026, time.Month(2+n%10), 1+n*5%28, n, 17, 5, 123_000_000, time.UTC)
		if !yield(Config{Seed: int64(n + 1), Now: now, Zone: zone(zones[n%len(zones)])}) {
			return
		}
	}
}

func TestNew(t *testing.T) {
	t.Run("MakesTheSameBytesFromTheSameSeed", func(t *testing.T) {
		made := func(seed int64) []byte {
			w := New(Config{Seed: seed, Cards: 20, Transactions: 600})
			var out bytes.Buffer
			if err := w.WriteAnswers(&out); err != nil {
				t.Fatal(err)
			}
			if err := w.WriteFundings(&out); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&out, w.Secrets(), w.Account(), w.LegalEntity())
			return append(out.Bytes(), newClient(t, w).everything()...)
		}
		one := made(7)
		if !bytes.Equal(one, made(7)) {
			t.Error("seed 7 made two worlds")
		}
		if bytes.Equal(one, made(8)) {
			t.Error("seeds 7 and 8 made one world")
		}
	})
	t.Run("MakesAsManyRowsAndCardsAsAsked", func(t *testing.T) {
		for _, c := range []Config{{}, {Cards: 40, Transactions: 500}, {Cards: 130, Transactions: 5000}, {Cards: 8, Transactions: 300}} {
			w := New(c)
			rows, cards := 0, 0
			for _, b := range w.books {
				rows, cards = rows+len(b.rows), cards+len(b.cards)+len(b.unlisted)
			}
			if want := max(c.Transactions, 2000*b2i(c.Transactions == 0)); rows != want {
				t.Errorf("%+v: %d rows, want %d", c, rows, want)
			}
			if want := max(c.Cards, 40*b2i(c.Cards == 0)); cards != want {
				t.Errorf("%+v: %d cards, want %d", c, cards, want)
			}
		}
	})
	t.Run("MakesSmallWorldsToo", func(t *testing.T) {
		for cards := 1; cards < 16; cards++ {
			for _, rows := range []int{-1, 1, 40} {
				w := New(Config{Seed: int64(cards), Cards: cards, Transactions: rows, Months: 1})
				newClient(t, w).everything()
			}
		}
	})
	t.Run("PlaysEveryPartAsItWasMeant", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			rosters := w.rosters(w.dice("roster"))
			for p, b := range w.books {
				listed, unlisted := b.cards, b.unlisted
				for _, s := range rosters[p] {
					if s.unlisted {
						unlisted = unlisted[1:]
						continue
					}
					if diff := cmp.Diff(s.want, w.held(listed[0])); diff != "" {
						t.Errorf("seed %d, %s, %s: %s", c.Seed, p, s.name, diff)
					}
					listed = listed[1:]
				}
				if len(listed)+len(unlisted) > 0 {
					t.Errorf("seed %d, %s: %d cards have no part", c.Seed, p, len(listed)+len(unlisted))
				}
			}
		}
	})
	t.Run("KeepsNaturalLifeOutOfTheLastMinutes", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			for p, b := range w.books {
				for _, r := range b.rows {
					if latest := max(r.occurred, r.posted, r.shown, r.updated); latest >= w.now {
						t.Errorf("seed %d, %s: %s lies in the future", c.Seed, p, r.id)
					} else if latest > w.now-quiet && !strings.Contains(r.card.plan, "last minutes") {
						t.Errorf("seed %d, %s: %s lies in the last minutes", c.Seed, p, r.id)
					}
				}
			}
		}
	})
	t.Run("LetsNothingStayPendingForTenDays", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			for p, b := range w.books {
				for _, r := range b.rows {
					if r.status == schema.Pending && r.occurred < w.now-10*day {
						t.Errorf("seed %d, %s: %s is pending since %s", c.Seed, p, r.id, r.occurred.text())
					}
				}
			}
		}
	})
	t.Run("GivesEveryRowOfACardItsOwnIdentity", func(t *testing.T) {
		w := New(Config{Seed: 3, Transactions: 20_000})
		for p, b := range w.books {
			ids := map[string]bool{}
			for _, r := range b.rows {
				ids[r.id] = true
			}
			if len(ids) != len(b.rows) {
				t.Errorf("%s: %d ids of %d rows", p, len(ids), len(b.rows))
			}
		}
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestAnswers(t *testing.T) {
	t.Run("HoldEveryReasonInEveryWorld", func(t *testing.T) {
		want := []string{
			"balance-drift balance", "balance-drift mixed-basis", "balance-drift period-spend", "balance-drift trailing-spend",
			"balance-drift utilization", "limit-breach computed-over-limit", "limit-breach reported-over-limit",
			"limit-breach transaction-over-limit", "limit-breach transaction-under-minimum", "orphan-topup amount-mismatch",
			"orphan-topup currency-mismatch", "orphan-topup duplicate-reference", "orphan-topup failed-at-provider",
			"orphan-topup no-funding-record", "orphan-topup no-provider-topup", "orphan-topup pending-past-grace", "orphan-topup unknown-card",
		}
		for c := range seeds {
			held := map[string]bool{}
			for _, a := range New(c).Answers() {
				held[string(a.Code)+" "+a.Reason] = true
			}
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(held))); diff != "" {
				t.Errorf("seed %d: %s", c.Seed, diff)
			}
		}
	})
	t.Run("HoldEveryExplanationAndWindowInSomeWorld", func(t *testing.T) {
		missing := map[string]bool{
			unexplained: true, oneEntry: true, twoEntries: true, declined: true, inFlight: true, dayBoundary: true, factor100: true,
			wrongSign: true, openingFunds: true,
		}
		for _, window := range []schema.LimitWindow{
			schema.Daily, schema.Weekly, schema.Monthly, schema.Yearly, schema.Lifetime, schema.Rolling24h, schema.Rolling7d,
			schema.Rolling30d, schema.Rolling365d,
		} {
			missing["("+string(window)+")"] = true
		}
		for c := range seeds {
			for _, a := range New(c).Answers() {
				for what := range missing {
					if strings.HasSuffix(a.Note, ": "+what+".") || strings.Contains(a.Note, what) && what[0] == '(' {
						delete(missing, what)
					}
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("never planted: %v", slices.Sorted(maps.Keys(missing)))
		}
	})
	t.Run("SayWhyAndForWhomInFull", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			for _, a := range w.Answers() {
				if a.Note == "" || a.Source == "" || a.Provider == "" || a.Severity.Rank() == 0 {
					t.Errorf("seed %d: incomplete: %+v", c.Seed, a)
				}
				if a.Reason != "mixed-basis" && (a.CardID == "" || a.Expected == "" && a.Actual == "") {
					t.Errorf("seed %d: names no card or no amount: %+v", c.Seed, a)
				}
				if (a.Unexplained != "") != (a.Code == schema.BalanceDrift && a.Reason != "mixed-basis") {
					t.Errorf("seed %d: unexplained is %q: %+v", c.Seed, a.Unexplained, a)
				}
				if (a.Difference == "") != (a.Expected == "" || a.Actual == "") {
					t.Errorf("seed %d: difference is %q: %+v", c.Seed, a.Difference, a)
				}
			}
		}
	})
	t.Run("LieInTheDefaultPeriod", func(t *testing.T) {
		for c := range seeds {
			w := New(c)
			for _, a := range w.Answers() {
				if !a.PeriodTo.IsZero() && !a.PeriodTo.After(w.from.time()) || a.PeriodFrom.After(w.now.time()) {
					t.Errorf("seed %d: from %s to %s lies outside of %s to %s", c.Seed, a.PeriodFrom, a.PeriodTo, w.from.text(), w.now.text())
				}
			}
		}
	})
	t.Run("LeaveOutWhatLiesBeforeThePeriod", func(t *testing.T) {
		breaches, topups := 0, 0
		for c := range seeds {
			now := New(c)
			early := New(c)
			early.from = early.start // the same world, judged over all its history
			count := func(w *World, code schema.FindingCode) (n int) {
				for _, a := range w.Answers() {
					n += b2i(a.Code == code)
				}
				return n
			}
			breaches += count(early, schema.LimitBreach) - count(now, schema.LimitBreach)
			topups += count(early, schema.OrphanTopUp) - count(now, schema.OrphanTopUp)
		}
		if breaches < 24 || topups < 24 {
			t.Errorf("%d breaches and %d top-ups lie before the period, want one of each in most worlds", breaches, topups)
		}
	})
	t.Run("AreWrittenAsCSV", func(t *testing.T) {
		w := New(Config{Seed: 1})
		var out bytes.Buffer
		if err := w.WriteAnswers(&out); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) != len(w.Answers())+1 || !slices.Equal(rows[0], AnswerColumns()) {
			t.Errorf("%d lines, first %v", len(rows), rows[0])
		}
	})
	t.Run("NameTheConfiguredSources", func(t *testing.T) {
		w := New(Config{Seed: 1, Sources: map[schema.Provider]string{schema.Bitnob: "cards in Lagos"}})
		for _, a := range w.Answers() {
			want := map[schema.Provider]string{
				schema.Bill: "bill-main", schema.Slash: "slash-main", schema.Whop: "whop-main", schema.Bitnob: "cards in Lagos",
			}[a.Provider]
			if a.Source != want || a.EntryID != "" && !strings.HasPrefix(a.EntryID, want+"/") {
				t.Errorf("source %q of %s, entry %q", a.Source, a.Provider, a.EntryID)
			}
		}
	})
}

func TestFundings(t *testing.T) {
	w := New(Config{Seed: 2})
	var out bytes.Buffer
	if err := w.WriteFundings(&out); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"reference", "amount", "currency", "sent_at", "card_id", "source", "note"}, lines[0]); diff != "" {
		t.Error(diff)
	}
	dates, blanks := 0, 0
	for _, line := range lines[1:] {
		cents, ok := readCents(line[1])
		if _, timely := readTime(line[3]); line[0] == "" || !ok || cents <= 0 || !timely || len(line[2]) != 3 {
			t.Errorf("line %v", line)
		}
		dates += b2i(len(line[3]) == len(time.DateOnly))
		blanks += b2i(line[0] != strings.TrimSpace(line[0]) || line[4] == "" || line[5] == "")
	}
	if len(lines) < 20 || dates == 0 || blanks == 0 {
		t.Errorf("%d lines, %d with a date alone, %d with something left out", len(lines), dates, blanks)
	}
}

func TestSecrets(t *testing.T) {
	w := New(Config{Seed: 6})
	c := newClient(t, w)
	secret := map[string]bool{}
	for _, s := range w.Secrets() {
		secret[s] = true
		if len(s) < 8 {
			t.Errorf("%q is so short that it turns up by chance", s)
		}
	}
	known := func(what string, values ...string) {
		t.Helper()
		for _, v := range values {
			if v == "" || !secret[v] {
				t.Errorf("%s %q is served and not listed", what, v)
			}
		}
	}
	for _, p := range schema.Providers() {
		known("key", w.Credential(p))
	}
	for _, r := range c.walk(schema.Slash, "/card") {
		one := c.get(schema.Slash, "/card/"+str(r, "id"), "include_pan", "true")
		known("number", str(one, "pan"), fmt.Sprintf(`"cvv":%q`, str(one, "cvv")))
	}
	for _, r := range c.walk(schema.Whop, "/cards", "account_id", w.Account()) {
		known("address", str(r, "billing.line1"))
		if one := c.get(schema.Whop, "/cards/"+str(r, "id")); at(one, "secrets") != nil {
			known("secrets", str(one, "secrets.card_number"), fmt.Sprintf(`"cvc":%q`, str(one, "secrets.cvc")), fmt.Sprintf(`"pin":%q`, str(one, "secrets.pin")))
		}
	}
	for _, r := range c.walk(schema.Bitnob, "/virtualcards/cards") {
		one := at(c.get(schema.Bitnob, "/virtualcards/cards/"+str(r, "id")), "data")
		known("card", str(one, "cardNumber"), fmt.Sprintf(`"cvv2":%q`, str(one, "cvv2")), str(one, "customerReference"), str(one, "street"))
	}
	for _, r := range c.walk(schema.Bitnob, "/virtualcards/users") {
		known("person", str(r, "customerReference"), str(r, "phoneNumber"), str(r, "idNumber"), str(r, "bvn"), str(r, "userPhoto"), str(r, "idImage"), str(r, "line1"))
	}
	for _, r := range c.walk(schema.Bill, "/v3/spend/users") {
		known("person", str(r, "email"), str(r, "phoneNumber"))
	}
	in := 0
	for _, r := range c.walk(schema.Bill, "/v3/spend/transactions") {
		if name, ok := strings.CutPrefix(str(r, "merchantName"), "Card on file "); ok {
			in++
			known("number in a merchant's name", name, strings.ReplaceAll(name, " ", ""))
		}
	}
	if in == 0 {
		t.Error("no merchant's name holds a card number")
	}
}
