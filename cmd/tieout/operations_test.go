package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/tieout/tieout/extract/sandbox"
	"github.com/tieout/tieout/schema"
)

// TestNightly_FindsTheKeyAgain lets operations happen and time pass between nightly runs over one ledger, and holds the
// findings of every night against the key of that moment.
func TestNightly_FindsTheKeyAgain(t *testing.T) {
	for seed := int64(1); seed <= 4; seed++ {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, sandbox.Config{Seed: seed}, nil)
			o := &operator{site: s, Rand: rand.New(rand.NewPCG(uint64(seed), 0)), cards: map[schema.Provider][]string{}}
			for night := range 6 {
				s.findsTheKey(t, night)
				for range 12 {
					o.act(t)
					o.wait(t, time.Duration(o.IntN(5*60))*time.Minute)
				}
			}
		})
	}
}

// findsTheKey runs a nightly at the world's now and compares its findings with the key.
func (s *site) findsTheKey(t *testing.T, night int) {
	t.Helper()
	if err := writeFile(filepath.Join(s.dir, "fundings.csv"), s.world.WriteFundings); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(s.dir, "answers.csv"), s.world.WriteAnswers); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(s.dir, fmt.Sprintf("night-%d", night))
	s.must(t, "--now", s.world.Now().Format(time.RFC3339Nano), "nightly", "--out", out)
	var got, want []string
	for _, row := range table(t, filepath.Join(out, "findings.csv")) {
		if slices.Contains(missionCodes, row["code"]) && row["status"] != string(schema.Resolved) {
			got = append(got, line(row))
		}
	}
	for _, row := range table(t, filepath.Join(s.dir, "answers.csv")) {
		want = append(want, line(row))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("night %d, %s: key (-) and found (+):\n%s", night, s.world.Now(), diff)
	}
	s.world.MarkRead()
}

// operator does what people and merchants do, over HTTP, with cards that it finds in the lists.
type operator struct {
	*site
	*rand.Rand
	cards map[schema.Provider][]string
	made  int
}

func (o *operator) wait(t *testing.T, d time.Duration) {
	t.Helper()
	if err := o.world.Advance(d); err != nil {
		t.Fatal(err)
	}
}

// act does one thing that is drawn. What the issuers refuse is refused.
func (o *operator) act(t *testing.T) {
	t.Helper()
	o.made++
	p := schema.Providers()[o.IntN(4)]
	card := o.card(t, p)
	dollars := fmt.Sprintf("%d.%02d", 1+o.IntN(300), o.IntN(100))
	switch {
	case o.IntN(6) == 0:
		o.send(t, http.MethodPost, "/control/plant", "", map[string]any{"anomaly": o.one(sandbox.Anomalies()...)})
	case o.IntN(2) == 0:
		o.send(t, http.MethodPost, "/control/authorize", "", map[string]any{"provider": p, "card": card, "amount": dollars})
	case p == schema.Bill:
		if o.IntN(3) == 0 {
			o.call(t, p, http.MethodPost, "/v3/spend/cards", map[string]any{"name": "Made", "userId": "{user_id}", "budgetId": "{budget_id}", "limit": dollars})
		} else {
			o.call(t, p, http.MethodPost, "/v3/spend/cards/"+card+"/"+o.one("freeze", "unfreeze"), nil)
		}
	case p == schema.Slash:
		rule := map[string]any{"spendingRule": map[string]any{"utilizationLimitV2": []any{map[string]any{
			"preset": o.one("daily", "weekly", "monthly"), "limitAmount": map[string]any{"amountCents": 100 + o.IntN(60_000)},
		}}}}
		if o.IntN(3) == 0 {
			o.call(t, p, http.MethodPost, "/card", map[string]any{"type": "virtual", "name": "Made", "spendingConstraint": rule, "isSingleUse": o.IntN(2) == 0})
		} else {
			o.call(t, p, http.MethodPatch, "/card/"+card, map[string]any{"spendingConstraint": rule})
		}
	case p == schema.Whop:
		fields := map[string]any{"account_id": o.world.Account(), "spend_limit": 1 + o.IntN(600), "spend_limit_frequency": o.one("daily", "weekly", "monthly", "one_time")}
		switch o.IntN(4) {
		case 0:
			o.call(t, p, http.MethodPost, "/cards", fields)
		case 1:
			o.call(t, p, http.MethodPatch, "/cards/"+card, map[string]any{"account_id": o.world.Account(), "frozen": o.IntN(2) == 0})
		default:
			o.call(t, p, http.MethodPatch, "/cards/"+card, fields)
		}
	case p == schema.Bitnob:
		ref := fmt.Sprintf("made-%d", o.made)
		switch o.IntN(5) {
		case 0:
			o.call(t, p, http.MethodPost, "/virtualcards/create", map[string]any{
				"customerReference": ref + "@acme.example", "firstName": "A", "lastName": "B", "cardBrand": "visa", "reference": ref, "amount": dollars,
			})
		case 1:
			o.call(t, p, http.MethodPost, "/virtualcards/topup", map[string]any{"cardId": card, "amount": 100 + o.IntN(50_000), "reference": ref})
		case 2:
			o.call(t, p, http.MethodPost, "/virtualcards/withdraw", map[string]any{"cardId": card, "amount": 100 + o.IntN(5_000), "reference": ref})
		case 3:
			o.call(t, p, http.MethodPost, "/virtualcards/mock-transaction", map[string]any{"cardId": card, "amount": fmt.Sprint(1 + o.IntN(9_000)), "type": o.one("deduct", "credit")})
		default:
			o.call(t, p, http.MethodPost, "/virtualcards/"+o.one("freeze", "unfreeze"), map[string]any{"cardId": card})
		}
	}
}

func (o *operator) one(words ...string) string { return words[o.IntN(len(words))] }

// card draws a card of a provider's list.
func (o *operator) card(t *testing.T, p schema.Provider) string {
	t.Helper()
	path := map[schema.Provider]string{
		schema.Bill: "/v3/spend/cards?max=100", schema.Slash: "/card", schema.Whop: "/cards?account_id=" + o.world.Account(), schema.Bitnob: "/virtualcards/cards?take=100",
	}[p]
	var page struct {
		Results, Items []struct{ ID string }
		Data           json.RawMessage
	}
	o.decode(t, o.call(t, p, http.MethodGet, path, nil), &page)
	list := slices.Concat(page.Results, page.Items)
	switch p {
	case schema.Whop:
		o.decode(t, page.Data, &list)
	case schema.Bitnob:
		var data struct{ Cards []struct{ ID string } }
		o.decode(t, page.Data, &data)
		list = data.Cards
	}
	return list[o.IntN(len(list))].ID
}

func (o *operator) decode(t *testing.T, data []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
}

func (o *operator) call(t *testing.T, p schema.Provider, method, path string, body map[string]any) []byte {
	t.Helper()
	return o.send(t, method, o.world.BasePath(p)+path, o.world.Credential(p), body)
}

func (o *operator) send(t *testing.T, method, path, key string, body map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		text = nil
	}
	request, err := http.NewRequestWithContext(t.Context(), method, o.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Apitoken": {key}, "X-Api-Key": {key}, "Authorization": {"Bearer " + key}}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusNotFound || response.StatusCode >= 500 || response.StatusCode == 401 {
		t.Fatalf("%s %s %s: status %d: %s", method, path, text, response.StatusCode, strings.TrimSpace(answer.String()))
	}
	return answer.Bytes()
}

// TestSandbox_ShowsTheCardMadeByHand sends what the README says to send: a card, its top-up and a purchase, made over HTTP,
// stand in the workbook.
func TestSandbox_ShowsTheCardMadeByHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, sandbox.Config{Seed: 1, Cards: 12, Transactions: 300}, nil)
	o := &operator{site: s}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^curl (?:-H "\$key" \$api/(\S+)|\$clock) -d '(.*)'$`).FindAllStringSubmatch(string(readme), -1)
	if len(commands) != 6 {
		t.Fatalf("the README has %d commands", len(commands))
	}
	for _, c := range commands {
		var body map[string]any
		if err := json.Unmarshal([]byte(c[2]), &body); err != nil {
			t.Fatalf("%s: %v", c[0], err)
		}
		if c[1] == "" {
			o.send(t, http.MethodPost, "/control/advance", "", body)
		} else {
			o.call(t, schema.Bitnob, http.MethodPost, "/virtualcards/"+c[1], body)
		}
	}
	out := filepath.Join(s.dir, "out")
	s.must(t, "--now", s.world.Now().Format(time.RFC3339Nano), "nightly", "--out", out)

	book, err := excelize.OpenFile(filepath.Join(out, "tieout.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	sheet := func(name string) string {
		rows, err := book.GetRows(name)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(rows)
	}
	if !strings.Contains(sheet("Cards"), "Ada Byron") {
		t.Error("the card is not among the cards")
	}
	for _, reference := range []string{"ads", "ads-more"} {
		if !strings.Contains(sheet("Orphan top-ups"), " "+reference+" ") {
			t.Errorf("%s is not among the orphan top-ups", reference)
		}
	}
	var entries []string
	for _, row := range table(t, filepath.Join(out, "ledger.csv")) {
		if row["source"] == "bitnob-main" && row["occurred_at"] >= testNow.Format(time.RFC3339) {
			entries = append(entries, row["kind"]+" "+row["status"]+" "+row["amount"])
			if !strings.Contains(sheet("Ledger"), row["entry_id"]) {
				t.Errorf("%s is not in the workbook", row["entry_id"])
			}
		}
	}
	if diff := cmp.Diff([]string{"topup posted 100.00", "topup posted 25.00", "purchase posted -42.00"}, entries); diff != "" {
		t.Error(diff)
	}
}

// TestSandbox_WritesAFolderToWorkIn starts the command with one fault and works with what it wrote: the fault strikes once.
func TestSandbox_WritesAFolderToWorkIn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rehearsal")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		none := func(string) (string, bool) { return "", false }
		ended <- run(ctx, []string{
			"--now", testNow.Format(time.RFC3339), "sandbox", "--listen", "127.0.0.1:0", "--cards", "8", "--transactions", "200", "--out", dir,
			"--faults", "slash.cards:redirect@1",
		}, write, io.Discard, none)
		_ = write.Close() // never fails
	}()
	lines := bufio.NewScanner(read)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "configuration: ") {
		t.Log(lines.Text())
	}
	s := &site{dir: dir}
	code, _, stderr := s.run(t, "sync")
	if code != exitPartial || !strings.Contains(stderr, "list cards (slash-main") || !strings.Contains(stderr, "302 Found") {
		t.Errorf("under the fault: exit %d\n%s", code, stderr)
	}
	s.must(t, "nightly", "--out", filepath.Join(t.TempDir(), "out"))
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("exit %d", code)
	}
	if code, _, stderr := s.run(t, "sandbox", "--faults", "slash:bad-luck"); code != exitUsage || !strings.Contains(stderr, `--faults: at 7, "bad-luck": no such fault`) {
		t.Errorf("an unknown fault: exit %d\n%s", code, stderr)
	}
}
