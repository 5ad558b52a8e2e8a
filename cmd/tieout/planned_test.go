package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/reconcile"
	"github.com/tieout/tieout/schema"
)

// month is thirty nights of a small world, in which things go wrong on one night and are mended on another. What the sandbox
// does not do by itself is done to its answers, and to the books.
type month struct {
	*operator
	night       int
	alterations []alteration
	plans       []*plan
	cards, rows map[string]string // ids, by the names of this test
	footed      int               // planned differences that stood on a roll-forward
}

// nights are those from one up to another, which is the first one on which all is well again.
type nights struct{ from, until int }

const never = 99

func (n nights) have(night int) bool { return n.from <= night && night < n.until }

// alteration changes what an issuer says of the card or row of an id.
type alteration struct {
	nights
	id     string
	change func(row map[string]any) (gone bool)
}

// plan is one disagreement: the nights on which it must be found, and the columns by which its finding is known.
type plan struct {
	nights
	columns map[string]string

	id, since string // of its finding
}

func (p *plan) matches(row map[string]string) bool {
	for column, value := range p.columns {
		if row[column] != value {
			return false
		}
	}
	return true
}

// What is done on which nights. A pending row is stale after ten days, and a top-up that is underway is missed after three.
var (
	whopIsSilent   = nights{24, 26}
	booksLack      = nights{7, 11}
	booksDiffer    = nights{13, 16}
	topUpIsLate    = nights{14, 22}
	topUpIsPending = nights{2, 9}
	rowIsPending   = nights{1, 16}
)

// wrap stands between the product and the world.
func (m *month) wrap(world http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/whop/api/v1/card_transactions") && whopIsSilent.have(m.night) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("User-Agent"), "tieout") {
			world.ServeHTTP(w, r)
			return
		}
		r.Header.Set("Accept-Encoding", "identity")
		recorded := httptest.NewRecorder()
		world.ServeHTTP(recorded, r)
		var body any
		d := json.NewDecoder(bytes.NewReader(recorded.Body.Bytes()))
		d.UseNumber()
		switch {
		case recorded.Code != http.StatusOK || d.Decode(&body) != nil:
			w.WriteHeader(recorded.Code)
			_, _ = w.Write(recorded.Body.Bytes())
		case m.alter(body):
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body) // the client sees a broken answer where it fails
		}
	})
}

// alter makes tonight's alterations in an answer, and says whether the answer itself is gone.
func (m *month) alter(v any) (gone bool) {
	object, ok := v.(map[string]any)
	if !ok {
		return false
	}
	for _, a := range m.alterations {
		if (object["id"] == a.id || object["uuid"] == a.id) && a.have(m.night) && a.change(object) {
			return true
		}
	}
	for name, value := range object {
		if list, ok := value.([]any); ok {
			object[name] = slices.DeleteFunc(list, m.alter)
		} else if m.alter(value) {
			return true
		}
	}
	return false
}

// begin makes the cards and rows of this test, some days before the first night.
func (m *month) begin(t *testing.T) {
	t.Helper()
	m.night = -1
	card := func(name string, p schema.Provider, path string, body map[string]any) {
		t.Helper()
		var got struct {
			ID   string
			Data struct{ ID string }
		}
		m.decode(t, m.call(t, p, http.MethodPost, path, body), &got)
		m.cards[name] = got.ID + got.Data.ID
	}
	card("slash", schema.Slash, "/card", map[string]any{"type": "virtual", "name": "Plain"})
	card("slash-closed", schema.Slash, "/card", map[string]any{"type": "virtual", "name": "Closed"})
	card("whop", schema.Whop, "/cards", map[string]any{"account_id": m.world.Account(), "name": "Plain"})
	card("whop-unlisted", schema.Whop, "/cards", map[string]any{"account_id": m.world.Account(), "name": "Unlisted"})
	card("bitnob", schema.Bitnob, "/virtualcards/create", map[string]any{
		"customerReference": "ann@acme.example", "firstName": "Ann", "lastName": "Own", "cardBrand": "visa", "reference": "month-first", "amount": "40.00",
	})
	m.wait(t, time.Hour)
	m.topUp(t, "month-lacking", 5000)
	m.topUp(t, "month-other", 6000)
	m.buy(t, "hidden", schema.Whop, "whop", "11.00")
	m.buy(t, "unread", schema.Slash, "slash", "12.00")
	m.buy(t, "novel", schema.Whop, "whop", "13.00")
	m.buy(t, "unlisted", schema.Whop, "whop-unlisted", "14.00")
	m.buy(t, "once", schema.Slash, "slash", "15.00")
	m.wait(t, 10*time.Hour)
	m.buy(t, "twice", schema.Slash, "slash", "15.00")
	m.wait(t, testNow.Sub(m.world.Now()))
}

func (m *month) buy(t *testing.T, name string, p schema.Provider, card, amount string) {
	t.Helper()
	var answer struct {
		Transaction string
		Approved    bool
	}
	m.decode(t, m.send(t, http.MethodPost, "/control/authorize", "", map[string]any{"provider": p, "card": m.cards[card], "amount": amount}), &answer)
	if !answer.Approved {
		t.Fatalf("%s was declined", name)
	}
	m.rows[name] = answer.Transaction
}

func (m *month) topUp(t *testing.T, reference string, cents int) {
	t.Helper()
	var answer struct{ Data struct{ ID string } }
	m.decode(t, m.call(t, schema.Bitnob, http.MethodPost, "/virtualcards/topup", map[string]any{"cardId": m.cards["bitnob"], "amount": cents, "reference": reference}), &answer)
	m.rows[reference] = answer.Data.ID
}

// wrong plans a disagreement, of a code and maybe a reason, by columns in pairs.
func (m *month) wrong(n nights, code schema.FindingCode, reason string, columns ...string) {
	p := &plan{nights: n, columns: map[string]string{"code": string(code), "reason": reason}}
	for i := 0; i < len(columns); i += 2 {
		p.columns[columns[i]] = columns[i+1]
	}
	m.plans = append(m.plans, p)
}

// altered alters a row or card on some nights.
func (m *month) altered(n nights, id string, change func(row map[string]any)) {
	m.alterations = append(m.alterations, alteration{n, id, func(row map[string]any) bool { change(row); return false }})
}

// hidden leaves a row or card out on some nights.
func (m *month) hidden(n nights, id string) {
	m.alterations = append(m.alterations, alteration{n, id, func(map[string]any) bool { return true }})
}

// foresee plans what concerns the cards and rows that begin made.
func (m *month) foresee() {
	set := func(field string, value any) func(map[string]any) {
		return func(row map[string]any) { row[field] = value }
	}
	entry := func(source, name string) string { return source + "-main/" + m.rows[name] }

	m.hidden(nights{0, 12}, m.cards["whop-unlisted"])
	m.wrong(nights{0, 12}, schema.UnknownCard, "", "card_id", m.cards["whop-unlisted"])

	m.altered(nights{3, 9}, m.cards["whop"], func(row map[string]any) {
		if text, ok := row["spent_last_month"].(json.Number); ok {
			n, _ := text.Int64()
			row["spent_last_month"] = n + 12345
		}
	})
	m.wrong(nights{3, 9}, schema.BalanceDrift, "trailing-spend", "card_id", m.cards["whop"])

	m.hidden(nights{4, 10}, m.rows["hidden"])
	m.wrong(nights{4, 10}, schema.VanishedEntry, "", "entry_id", entry("whop", "hidden"))

	m.altered(nights{6, 10}, m.rows["unread"], set("amountCents", json.Number("1200.5")))
	m.wrong(nights{6, 10}, schema.RejectedRecord, "", "entry_id", entry("slash", "unread"))

	m.wrong(booksLack, schema.OrphanTopUp, "no-funding-record", "reference", "month-lacking")
	m.wrong(booksDiffer, schema.OrphanTopUp, "amount-mismatch", "reference", "month-other")
	m.wrong(nights{topUpIsLate.from + 3, topUpIsLate.until}, schema.OrphanTopUp, "no-provider-topup", "reference", "month-late")

	m.altered(nights{8, 13}, m.rows["novel"], set("nobodyKnows", true))
	m.wrong(nights{8, 13}, schema.UnknownField, "", "source", "whop-main")

	m.altered(nights{15, 20}, m.cards["slash-closed"], set("status", "closed"))
	m.wrong(nights{16, 20}, schema.SpendOnClosedCard, "", "card_id", m.cards["slash-closed"])

	m.altered(nights{9, 14}, m.rows["month-other"], set("amount", "6000"))
	m.wrong(nights{9, 14}, schema.UnitMismatch, "", "entry_id", entry("bitnob", "month-other"))

	for _, name := range []string{"once", "twice"} {
		m.altered(nights{18, 23}, m.rows[name], set("orderId", "order-1"))
	}
	m.wrong(nights{18, 23}, schema.DuplicateEntry, "", "card_id", m.cards["slash"])

	m.wrong(whopIsSilent, schema.IncompleteExtract, "", "source", "whop-main")
}

// happens is what people and merchants do between a night and the next one.
func (m *month) happens(t *testing.T) {
	t.Helper()
	plant := func(anomaly string, code schema.FindingCode) {
		t.Helper()
		added, err := m.world.Plant(anomaly)
		if err != nil || len(added) != 1 {
			t.Fatalf("%s: %v %v", anomaly, added, err)
		}
		m.wrong(nights{m.night + 1, never}, code, anomaly, "card_id", added[0].CardID)
	}
	switch m.night {
	case rowIsPending.from - 1:
		m.buy(t, "pending", schema.Slash, "slash", "16.00")
		m.altered(rowIsPending, m.rows["pending"], func(row map[string]any) {
			row["status"], row["detailedStatus"], row["date"] = "pending", "pending", row["authorizedAt"]
		})
		m.wrong(nights{rowIsPending.from + 10, rowIsPending.until}, schema.StalePending, "", "entry_id", "slash-main/"+m.rows["pending"])
	case topUpIsPending.from - 1:
		m.topUp(t, "month-underway", 8000)
		m.altered(topUpIsPending, m.rows["month-underway"], func(row map[string]any) { row["status"] = "pending" })
		m.wrong(nights{topUpIsPending.from + 2, topUpIsPending.until}, schema.OrphanTopUp, "pending-past-grace", "reference", "month-underway")
		m.wrong(topUpIsPending, schema.BalanceDrift, "balance", "card_id", m.cards["bitnob"]) // their balance has it
	case 4:
		plant("computed-over-limit", schema.LimitBreach)
	case 8:
		plant("period-spend", schema.BalanceDrift)
	case 15:
		m.buy(t, "after closing", schema.Slash, "slash-closed", "17.00")
	case 19:
		plant("transaction-over-limit", schema.LimitBreach)
	case topUpIsLate.until - 1:
		m.topUp(t, "month-late", 7000)
	}
}

// books are the company's books of the night.
func (m *month) books(w io.Writer) error {
	var text bytes.Buffer
	if err := m.world.WriteFundings(&text); err != nil {
		return err
	}
	book := func(reference, amount string, at time.Time) {
		_ = csv.NewWriter(&text).WriteAll([][]string{{reference, amount, "USD", at.Format(time.RFC3339), m.cards["bitnob"], "bitnob-main", ""}})
	}
	before := testNow.AddDate(0, 0, -4)
	book("month-first", "40.00", before)
	if !booksLack.have(m.night) {
		book("month-lacking", "50.00", before)
	}
	book("month-other", map[bool]string{false: "60.00", true: "60.10"}[booksDiffer.have(m.night)], before)
	if m.night >= topUpIsPending.from {
		book("month-underway", "80.00", testNow.AddDate(0, 0, topUpIsPending.from-1))
	}
	if m.night >= topUpIsLate.from {
		book("month-late", "70.00", testNow.AddDate(0, 0, topUpIsLate.from).Add(-time.Hour))
	}
	_, err := w.Write(text.Bytes())
	return err
}

// check holds a night's findings against the plans: each that is due is one open finding, the same since its first night,
// each that is mended is resolved, and there is no other than those that the world began with.
func (m *month) check(t *testing.T, began map[string]bool) {
	t.Helper()
	out := filepath.Join(m.dir, fmt.Sprint("night-", m.night))
	code, _, stderr := m.run(t, "--now", m.world.Now().Format(time.RFC3339Nano), "nightly", "--out", out)
	if want := map[bool]int{false: exitDone, true: exitPartial}[whopIsSilent.have(m.night)]; code != want {
		t.Fatalf("night %d: exit %d: %s", m.night, code, stderr)
	}
	known := map[string]bool{}
	rows := table(t, filepath.Join(out, "findings.csv"))
	for _, p := range m.plans {
		var found []map[string]string
		for _, row := range rows {
			if p.matches(row) && (row["finding_id"] == p.id || !began[row["finding_id"]]) {
				found = append(found, row)
				known[row["finding_id"]] = true
			}
		}
		want, now := 1, "open"
		if m.night < p.from {
			want = 0
		} else if m.night >= p.until {
			now = "resolved"
		}
		if m.night == p.from && len(found) == 1 {
			p.id, p.since = found[0]["finding_id"], m.world.Now().UTC().Format(time.RFC3339)
		}
		if len(found) != want || want == 1 && (found[0]["finding_id"] != p.id || found[0]["first_seen"] != p.since || found[0]["status"] != now) {
			t.Errorf("night %d: %v must be %d finding (%s, %s since %s): %v", m.night, p, want, p.id, now, p.since, found)
		}
	}
	m.foots(t, out)
	for _, row := range rows {
		if id := row["finding_id"]; m.night == 0 {
			began[id] = !known[id]
		} else if !began[id] && !known[id] {
			t.Errorf("night %d: nobody planned %v", m.night, row)
		}
	}
}

// foots adds up the roll-forward of each figure, and holds since when it differs against the plans.
func (m *month) foots(t *testing.T, out string) {
	t.Helper()
	since := map[string]string{}
	for _, p := range m.plans {
		if p.have(m.night) && p.columns["code"] == string(schema.BalanceDrift) {
			since[p.id] = p.since
		}
	}
	for _, row := range table(t, filepath.Join(out, "roll_forward.csv")) {
		sum := func(columns ...string) (total decimal.Decimal) {
			for _, column := range columns {
				total = total.Add(decimal.RequireFromString(row[column]))
			}
			return total
		}
		if row["opening"] != "" {
			moved := sum("opening", "outside_the_period", "topups", "withdrawals", "purchases_fees", "refunds_reversals", "other")
			if row["figure"] != "balance" {
				moved = moved.Neg() // spend is positive
			}
			if !moved.Equal(sum("expected")) {
				t.Errorf("night %d: the movements are %s: %v", m.night, moved, row)
			}
		}
		if row["verdict"] != "not checkable" && (!sum("actual").Sub(sum("expected")).Equal(sum("difference")) || !sum("difference").Equal(sum("explained", "unexplained"))) {
			t.Errorf("night %d: the difference does not foot: %v", m.night, row)
		}
		if want, ok := since[row["finding_id"]]; ok && row["verdict"] == "differs" {
			if row["differs_since"] != want {
				t.Errorf("night %d: it differs since %s, want %s: %v", m.night, row["differs_since"], want, row)
			}
			m.footed++
		}
	}
}

// TestNightly_AMonthAsPlanned plants one disagreement of every code, and of most reasons, on nights of a month and mends most
// of them on others: each is exactly one finding from the night it appears to the night it is mended.
func TestNightly_AMonthAsPlanned(t *testing.T) {
	t.Parallel()
	m := &month{cards: map[string]string{}, rows: map[string]string{}}
	m.operator = &operator{site: newSite(t, sandbox.Config{Seed: 1, Cards: 8, Transactions: -1, Months: 2, Now: testNow.AddDate(0, 0, -4)}, m.wrap)}
	m.begin(t)
	m.foresee()
	config, err := os.OpenFile(filepath.Join(m.dir, "tieout.yaml"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.WriteString("reports:\n  formats: [csv]\n"); err != nil {
		t.Fatal(err)
	}
	if err := config.Close(); err != nil {
		t.Fatal(err)
	}
	began := map[string]bool{}
	for m.night = 0; m.night < 30; m.night++ {
		if err := writeFile(filepath.Join(m.dir, "fundings.csv"), m.books); err != nil {
			t.Fatal(err)
		}
		m.check(t, began)
		m.wait(t, 12*time.Hour)
		m.happens(t)
		m.wait(t, 12*time.Hour)
	}
	if m.footed < 20 {
		t.Errorf("only %d differences stood on a roll-forward", m.footed)
	}
	codes := map[string]bool{}
	for _, p := range m.plans {
		codes[p.columns["code"]] = true
		want := []string{"tieout opened: open"}
		if p.until < never {
			want = append(want, "tieout resolved: resolved")
		}
		if diff := cmp.Diff(want, steps(m.shown(t, p.id))); diff != "" {
			t.Errorf("%v: the history of %s (-want +got):\n%s", p, p.id, diff)
		}
	}
	for _, check := range reconcile.Checks(reconcile.Config{}) {
		if code := check.Code(); !codes[string(code)] {
			t.Errorf("no %s was planned", code)
		}
	}
}
