package sandbox

import (
	"strconv"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// sums are the spend that the served rows of a card add up to.
type sums struct{ posted, both int64 }

// TestFigures adds up what is served, by the words of the providers alone, and compares it with the figures served. Only the
// windows come from the world.
func TestFigures(t *testing.T) {
	for config := range seeds {
		w := New(config)
		if config.Seed%2 == 0 { // what was pending has settled since, and some windows have begun anew
			if err := w.Advance(time.Duration(config.Seed) * 17 * time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		c := newClient(t, w)
		differs := map[string]bool{}
		for _, a := range w.Answers() {
			if a.Code == schema.BalanceDrift {
				differs[a.CardID] = true
			}
		}
		checked := map[schema.Provider]int{}
		hold := func(p schema.Provider, id string, said int64, have sums) {
			t.Helper()
			checked[p]++
			if agrees := said == have.posted || said == have.both; agrees == differs[id] {
				t.Errorf("seed %d, %s, card %s: the provider says %d, the rows %d posted and %d with pending; in the key: %v",
					config.Seed, p, id, said, have.posted, have.both, differs[id])
			}
		}
		rows := map[string][]any{}
		for _, l := range lists() {
			if l.rows != "transactions" {
				continue
			}
			for _, r := range c.walk(l.provider, l.path) {
				for _, name := range []string{"cardUuid", "cardId", "card_id"} {
					if id := str(r, name); id != "" {
						rows[id] = append(rows[id], r)
						break
					}
				}
			}
		}
		windows := map[string]instant{}
		for _, b := range w.books {
			for _, card := range b.cards {
				if from, ok := w.figureWindow(card); ok {
					windows[card.id] = from
				}
			}
		}
		for _, r := range c.walk(schema.Bill, "/v3/spend/cards") {
			id := str(r, "uuid")
			if id == "" {
				id = str(r, "id")
			}
			if from, ok := windows[id]; ok {
				said, _ := readCents(str(r, "currentPeriod.spent"))
				hold(schema.Bill, id, said, billSums(t, rows[id], from))
			}
		}
		for _, r := range c.walk(schema.Slash, "/card") {
			id := str(r, "id")
			if from, ok := windows[id]; ok {
				said := integer(t, str(c.get(schema.Slash, "/card/"+id+"/utilization"), "spend.amountCents"))
				hold(schema.Slash, id, said, slashSums(t, rows[id], from))
			}
		}
		for _, r := range c.walk(schema.Whop, "/cards", "account_id", w.Account()) {
			if id := str(r, "id"); at(r, "spent_last_month") != nil {
				hold(schema.Whop, id, integer(t, str(r, "spent_last_month")), whopSums(t, rows[id], w.now-30*day))
			}
		}
		for _, r := range c.walk(schema.Bitnob, "/virtualcards/cards") {
			id := str(r, "id")
			balance := str(c.get(schema.Bitnob, "/virtualcards/cards/"+id), "data.balance")
			said, _ := readCents(balance)
			if !w.books[schema.Bitnob].major {
				said = integer(t, balance)
			}
			sum := bitnobSum(t, rows[id])
			hold(schema.Bitnob, id, said, sums{sum, sum})
		}
		for _, p := range schema.Providers() {
			if checked[p] < 4 {
				t.Errorf("seed %d: only %d figures of %s were compared", config.Seed, checked[p], p)
			}
		}
	}
}

func integer(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func money2(t *testing.T, s string) int64 {
	t.Helper()
	n, ok := readCents(s)
	if !ok {
		t.Fatalf("%q is no amount of dollars", s)
	}
	return n
}

// since says whether a time as served is at or after an instant.
func since(t *testing.T, s string, from instant) bool {
	t.Helper()
	at, ok := readTime(s)
	if !ok {
		t.Fatalf("%q is no time", s)
	}
	return at >= from
}

func billSums(t *testing.T, rows []any, from instant) (s sums) {
	t.Helper()
	uuids, cleared := map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		uuids[str(r, "uuid")] = true
	}
	for _, r := range rows {
		if str(r, "transactionType") == "CLEAR" {
			cleared[str(r, "originalAuthTransactionUuid")] = true
		} else if uuids[str(r, "matchedClearTransactionUuid")] {
			cleared[str(r, "uuid")] = true
		}
	}
	for _, r := range rows {
		amount := money2(t, str(r, "amount"))
		when := str(r, "authorizedTime")
		if when == "" || amount < 0 && str(r, "transactionType") == "CLEAR" { // a refund counts when it posts
			when = str(r, "occurredTime")
		}
		if !since(t, when, from) {
			continue
		}
		switch str(r, "transactionType") {
		case "CLEAR":
			s.posted, s.both = s.posted+amount, s.both+amount
		case "AUTHORIZATION":
			if origin := str(r, "originalAuthTransactionUuid"); !cleared[str(r, "uuid")] && (origin == "" || !cleared[origin]) {
				s.both += amount
			}
		}
	}
	return s
}

func slashSums(t *testing.T, rows []any, from instant) (s sums) {
	t.Helper()
	for _, r := range rows {
		amount, status := -integer(t, str(r, "amountCents")), str(r, "detailedStatus")
		when := str(r, "authorizedAt")
		if when == "" || status == "refund" {
			when = str(r, "date")
		}
		if !since(t, when, from) {
			continue
		}
		switch status {
		case "settled", "dispute", "refund":
			s.posted, s.both = s.posted+amount, s.both+amount
		case "pending":
			if amount > 0 { // a pending refund is in no figure
				s.both += amount
			}
		}
	}
	return s
}

func whopSums(t *testing.T, rows []any, from instant) (s sums) {
	t.Helper()
	for _, r := range rows {
		amount := money2(t, str(r, "usd_amount"))
		switch str(r, "status") {
		case "completed":
			when := str(r, "created_at")
			if amount < 0 {
				when = str(r, "posted_at")
			}
			if since(t, when, from) {
				s.posted, s.both = s.posted+amount, s.both+amount
			}
		case "pending":
			if amount > 0 && since(t, str(r, "created_at"), from) {
				s.both += amount
			}
		}
	}
	return s
}

func bitnobSum(t *testing.T, rows []any) (sum int64) {
	t.Helper()
	for _, r := range rows {
		if str(r, "status") != "success" {
			continue
		}
		cents := integer(t, str(r, "centAmount"))
		if str(r, "method") == "withdrawal" || str(r, "method") != "topup" && str(r, "type") == "debit" {
			cents = -cents
		}
		sum += cents
	}
	return sum
}
