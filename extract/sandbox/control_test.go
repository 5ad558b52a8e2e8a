package sandbox

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

// control asks the control endpoint and wants a status.
func (c *client) control(status int, request, body string) reply {
	c.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r := c.roundTrip(method, c.url+"/control/"+path, http.Header{}, body)
	if r.status != status {
		c.t.Errorf("%s %s: status %d, want %d: %s", request, body, r.status, status, r.raw)
	}
	return r
}

func TestControl(t *testing.T) {
	t.Run("IsServedOnlyWhereItIsAskedFor", func(t *testing.T) {
		server := httptest.NewServer(New(Config{Seed: 1, Cards: 4, Transactions: 10}).Handler())
		defer server.Close()
		c := &client{t: t, url: server.URL}
		for _, request := range []string{"GET now", "POST advance", "POST authorize", "POST plant", "POST read", "GET answers", "GET fundings", "GET requests"} {
			c.control(http.StatusNotFound, request, "")
		}
	})
	w := New(Config{Seed: 1})
	c := newClient(t, w)
	t.Run("MovesTheClockForward", func(t *testing.T) {
		for _, step := range [][2]string{{`{"by":"24h"}`, "2026-10-16T09:00:00.000Z"}, {`{"to":"2026-10-16T11:30:00+02:00"}`, "2026-10-16T09:30:00.000Z"}} {
			if got := str(c.control(http.StatusOK, "POST advance", step[0]).json, "now"); got != step[1] {
				t.Errorf("%s: %s, want %s", step[0], got, step[1])
			}
		}
		if got := str(c.control(http.StatusOK, "GET now", "").json, "now"); got != "2026-10-16T09:30:00.000Z" {
			t.Errorf("now it is %s", got)
		}
		for _, body := range []string{``, `{}`, `{"by":"-1h"}`, `{"by":"soon"}`, `{"to":"2026-10-15T09:00:00Z"}`, `{"to":"later"}`, `{"by":"1h","to":"2027-01-01T00:00:00Z"}`, `x`} {
			if r := c.control(http.StatusBadRequest, "POST advance", body); str(r.json, "error") == "" {
				t.Errorf("%s: %s", body, r.raw)
			}
		}
	})
	t.Run("GivesTheKeyAndTheBooksOfNow", func(t *testing.T) {
		for path, write := range map[string]func(*bytes.Buffer) error{
			"answers":  func(b *bytes.Buffer) error { return w.WriteAnswers(b) },
			"fundings": func(b *bytes.Buffer) error { return w.WriteFundings(b) },
		} {
			var want bytes.Buffer
			if err := write(&want); err != nil {
				t.Fatal(err)
			}
			if r := c.control(http.StatusOK, "GET "+path, ""); !bytes.Equal(r.raw, want.Bytes()) {
				t.Errorf("%s: %.200s", path, r.raw)
			}
		}
	})
	t.Run("PlantsAndSaysWhatThatAddsToTheKey", func(t *testing.T) {
		r := c.control(http.StatusOK, "POST plant", `{"anomaly":"utilization"}`)
		lines, err := csv.NewReader(bytes.NewReader(r.raw)).ReadAll()
		if err != nil || len(lines) != 2 || lines[1][1] != "utilization" {
			t.Fatalf("%v %s", err, r.raw)
		}
		if key := c.control(http.StatusOK, "GET answers", ""); !bytes.Contains(key.raw, bytes.SplitN(r.raw, []byte("\n"), 2)[1]) {
			t.Error("the key has no such line")
		}
		c.control(http.StatusBadRequest, "POST plant", `{"anomaly":"bad-luck"}`)
		c.control(http.StatusBadRequest, "POST plant", `{}`)
	})
	t.Run("AuthorizesAtAMerchant", func(t *testing.T) {
		card := str(c.walk(schema.Whop, "/cards", "account_id", w.Account())[0], "id")
		ask := func(card string) string {
			return fmt.Sprintf(`{"provider":"whop","card":%q,"amount":"1","merchant":"Staples"}`, card)
		}
		id := str(c.control(http.StatusOK, "POST authorize", ask(card)).json, "transaction")
		if got := c.get(schema.Whop, "/card_transactions/"+id); str(got, "merchant_name") != "Staples" || str(got, "usd_amount") != "1" {
			t.Errorf("%v", got)
		}
		c.control(http.StatusNotFound, "POST authorize", ask("none"))
		c.control(http.StatusNotFound, "POST authorize", `{"provider":"nobody","card":"x","amount":"1"}`)
		c.control(http.StatusBadRequest, "POST authorize", `{"provider":"whop","card":"x","amount":"-1"}`)
	})
	t.Run("CountsRequests", func(t *testing.T) {
		r := c.control(http.StatusOK, "GET requests", "")
		if !strings.Contains(string(r.raw), `{"count":1,"method":"GET","path":"/cards","provider":"whop"}`) {
			t.Errorf("%s", r.raw)
		}
	})
	t.Run("RemembersWhatWasRead", func(t *testing.T) {
		c.control(http.StatusOK, "POST read", `{"provider":"slash"}`)
		c.control(http.StatusBadRequest, "POST read", `{"provider":"nobody"}`)
		for p, b := range w.books {
			if seen := len(b.cards[0].seen); (seen == 1) != (p == schema.Slash) {
				t.Errorf("%s was seen %d times", p, seen)
			}
		}
		c.control(http.StatusOK, "POST read", "")
		if seen := len(w.books[schema.Whop].cards[0].seen); seen != 1 {
			t.Errorf("Whop was seen %d times", seen)
		}
	})
}

// TestOperations runs one sequence of requests in two worlds of one seed.
func TestOperations(t *testing.T) {
	live := func() (*World, []byte) {
		w := New(Config{Seed: 8})
		c := newClient(t, w)
		for i := range 12 {
			c.want(http.StatusOK, http.MethodPost, schema.Bitnob, "/virtualcards/create", fmt.Sprintf(
				`{"customerReference":"user-%d@b.example","firstName":"A","lastName":"B","cardBrand":"visa","reference":"ref-%d","amount":"50"}`, i, i))
			c.want(http.StatusCreated, http.MethodPost, schema.Whop, "/cards", `{"account_id":"`+w.Account()+`","spend_limit":20}`)
			c.send(http.MethodPost, schema.Whop, "/cards", `{}`) // refused
			c.authorize(schema.Whop, w.books[schema.Whop].cards[i%3].id, "3.21")
			c.control(http.StatusOK, "POST plant", fmt.Sprintf(`{"anomaly":%q}`, Anomalies()[i]))
			c.control(http.StatusOK, "POST advance", `{"by":"7h"}`)
		}
		all := c.everything()
		for _, path := range []string{"answers", "fundings"} {
			all = append(all, c.control(http.StatusOK, "GET "+path, "").raw...)
		}
		return w, all
	}
	w, one := live()
	if _, two := live(); !bytes.Equal(one, two) {
		t.Error("one seed and one sequence of operations made two worlds")
	}
	secrets := strings.Join(w.Secrets(), "\n")
	for _, b := range w.books {
		for _, c := range b.cards {
			if !strings.Contains(secrets, c.pan) || !strings.Contains(secrets, c.holder.email) {
				t.Errorf("the number or the holder of %s is no secret", c.id)
			}
		}
	}
}

// TestWorld_TakesManyRequestsAtOnce reads, writes and moves the clock at the same time; the race detector looks on.
func TestWorld_TakesManyRequestsAtOnce(t *testing.T) {
	w := New(Config{Seed: 8, Cards: 12, Transactions: 300})
	c := newClient(t, w)
	var group sync.WaitGroup
	for n := range 4 {
		group.Go(func() {
			for i := range 8 {
				c.want(http.StatusOK, http.MethodPost, schema.Bitnob, "/virtualcards/create", fmt.Sprintf(
					`{"customerReference":"u%d-%d@b.example","firstName":"A","lastName":"B","cardBrand":"visa","reference":"r%d-%d","amount":"50"}`, n, i, n, i))
				c.control(http.StatusOK, "POST advance", `{"by":"1h"}`)
			}
		})
		group.Go(func() {
			for range 2 {
				c.everything()
				c.control(http.StatusOK, "GET answers", "")
				w.MarkRead()
			}
		})
	}
	group.Wait()
	if got := len(w.books[schema.Bitnob].cards); got < 32 {
		t.Errorf("%d cards of Bitnob", got)
	}
	if want := 32 * time.Hour; w.Now().Sub(New(Config{}).Now()) < want {
		t.Errorf("the clock shows %s", w.Now())
	}
}
