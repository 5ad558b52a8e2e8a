package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tieout/tieout/schema"
)

const bitnobUser = `{"customerReference":"grace@hopper.example","idNumber":"A00000000123","idType":"PASSPORT","firstName":"Grace","lastName":"Hopper",
	"country":"Kenya","phoneNumber":"+254700000123","city":"Nairobi","state":"Nairobi","zipCode":"00100","line1":"12 Kenyatta Avenue",
	"houseName":"12","userPhoto":"https://kyc.example/grace.jpg","idImage":"https://kyc.example/grace-id.jpg"}`

// bitnobBench is a world with a client and a card of Bitnob that was made in it with 100 dollars.
type bitnobBench struct {
	*client
	world *World
	card  string
}

func newBitnobBench(t *testing.T) *bitnobBench {
	t.Helper()
	w := New(Config{Seed: 3})
	b := &bitnobBench{client: newClient(t, w), world: w}
	made := b.done("create", `{"customerReference":"a@b.example","firstName":"Ada","lastName":"B","cardBrand":"visa","reference":"first","amount":"100"}`)
	b.card = str(made, "data.id")
	return b
}

// done posts to an operation and wants success.
func (b *bitnobBench) done(operation, body string) map[string]any {
	b.t.Helper()
	answer := b.want(http.StatusOK, http.MethodPost, schema.Bitnob, "/virtualcards/"+operation, body)
	if at(answer, "status") != true || str(answer, "message") == "" {
		b.t.Errorf("%s: %v", operation, answer)
	}
	return answer
}

// not posts to an operation and wants a refusal that says why.
func (b *bitnobBench) not(operation, body, why string) {
	b.t.Helper()
	r := b.send(http.MethodPost, schema.Bitnob, "/virtualcards/"+operation, body)
	if r.status != http.StatusBadRequest || str(r.json, "status") != "false" || str(r.json, "statusCode") != "400" || !strings.Contains(str(r.json, "message"), why) {
		b.t.Errorf("%s %s: status %d, %s; want 400 with %q", operation, body, r.status, r.raw, why)
	}
}

// money is a request on the card that moves cents.
func (b *bitnobBench) money(cents int, reference string) string {
	return fmt.Sprintf(`{"cardId":%q,"amount":%d,"reference":%q}`, b.card, cents, reference)
}

func (b *bitnobBench) named() string { return fmt.Sprintf(`{"cardId":%q}`, b.card) }

// balance is the card's balance in cents, whichever unit the world has.
func (b *bitnobBench) balance() int64 {
	b.t.Helper()
	said := str(b.get(schema.Bitnob, "/virtualcards/cards/"+b.card), "data.balance")
	if b.world.books[schema.Bitnob].major {
		return money2(b.t, said)
	}
	return integer(b.t, said)
}

func (b *bitnobBench) rows() (lines []string) {
	b.t.Helper()
	for _, r := range b.walk(schema.Bitnob, "/virtualcards/cards/"+b.card+"/transactions") {
		lines = append(lines, strings.Join([]string{str(r, "method"), str(r, "type"), str(r, "centAmount"), str(r, "status")}, " "))
	}
	return lines
}

func (b *bitnobBench) advance(d time.Duration) {
	b.t.Helper()
	if err := b.world.Advance(d); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bitnobBench) holds(balance int64, rows ...string) {
	b.t.Helper()
	if got := b.balance(); got != balance {
		b.t.Errorf("balance %d, want %d", got, balance)
	}
	if got := b.rows(); strings.Join(got, ", ") != strings.Join(rows, ", ") {
		b.t.Errorf("rows %q, want %q", got, rows)
	}
}

func TestBitnobUsers(t *testing.T) {
	b := newBitnobBench(t)
	users := len(b.walk(schema.Bitnob, "/virtualcards/users"))
	made := b.done("registercarduser", bitnobUser)
	id := str(made, "data.id")
	t.Run("AreListedAndFetched", func(t *testing.T) {
		listed := b.walk(schema.Bitnob, "/virtualcards/users")
		if len(listed) != users+1 || str(listed[users], "id") != id {
			t.Errorf("%d users, %d before, the last %v", len(listed), users, listed[len(listed)-1])
		}
		got := b.get(schema.Bitnob, "/virtualcards/users/"+id)
		for field, want := range map[string]string{
			"customerReference": "grace@hopper.example", "houseNumber": "12", "country": "Kenya", "idType": "PASSPORT", "kycPassed": "",
			"createdAt": "2026-10-15T09:00:00.000Z",
		} {
			if str(got, "data."+field) != want {
				t.Errorf("%s is %q, want %q", field, str(got, "data."+field), want)
			}
		}
	})
	t.Run("AreUpdatedInPart", func(t *testing.T) {
		b.advance(time.Minute)
		b.want(http.StatusOK, http.MethodPut, schema.Bitnob, "/virtualcards/users/"+id, `{"city":"Mombasa"}`)
		got := b.get(schema.Bitnob, "/virtualcards/users/"+id)
		if str(got, "data.city") != "Mombasa" || str(got, "data.lastName") != "Hopper" || str(got, "data.updatedAt") != "2026-10-15T09:01:00.000Z" {
			t.Errorf("%v", got)
		}
		if r := b.send(http.MethodPut, schema.Bitnob, "/virtualcards/users/none", `{}`); r.status != http.StatusNotFound {
			t.Errorf("an unknown user: status %d", r.status)
		}
	})
	t.Run("NeedWhatIsRequiredOfThem", func(t *testing.T) {
		for _, field := range []string{"customerReference", "idNumber", "idType", "firstName", "country", "zipCode", "line1", "userPhoto", "idImage"} {
			b.not("registercarduser", strings.Replace(bitnobUser, `"`+field+`"`, `"other"`, 1), field+" is required")
		}
		b.not("registercarduser", strings.Replace(bitnobUser, "Kenya", "Nigeria", 1), "bvn is required")
		b.not("registercarduser", strings.Replace(bitnobUser, "Kenya", "Ghana", 1), "dateOfBirth is required")
		b.not("registercarduser", bitnobUser, "exists")
		b.not("registercarduser", `{"customerReference":5}`, "required")
		b.not("registercarduser", `[]`, "JSON object")
	})
	t.Run("HoldTheCardsMadeForThem", func(t *testing.T) {
		made := b.done("createcard", `{"customerReference":"grace@hopper.example","cardBrand":"MasterCard","reference":"hers","amount":"5.50"}`)
		got := b.get(schema.Bitnob, "/virtualcards/cards/"+str(made, "data.id"))
		if str(got, "data.cardUserId") != id || str(got, "data.cardName") != "Grace Hopper" || str(got, "data.cardBrand") != "MasterCard" {
			t.Errorf("%v", got)
		}
	})
}

func TestBitnobCreate(t *testing.T) {
	t.Run("LoadsTheCardWithDollarsUnderItsReference", func(t *testing.T) {
		b := newBitnobBench(t)
		if got := str(b.get(schema.Bitnob, "/virtualcards/cards/"+b.card), "data.createdStatus"); got != "pending" {
			t.Errorf("at first it is %s", got)
		}
		b.holds(0, "topup credit 10000 pending")
		b.advance(time.Hour)
		b.holds(100_00, "topup credit 10000 success")
		got := b.get(schema.Bitnob, "/virtualcards/cards/"+b.card)
		if str(got, "data.createdStatus") != "success" || str(got, "data.reference") != "first" || str(got, "data.status") != "active" {
			t.Errorf("%v", got)
		}
		if row := b.walk(schema.Bitnob, "/virtualcards/cards/"+b.card+"/transactions")[0]; str(row, "reference") != "first" {
			t.Errorf("%v", row)
		}
	})
	t.Run("TheSameReferenceMakesNoSecondCard", func(t *testing.T) {
		b := newBitnobBench(t)
		cards := len(b.walk(schema.Bitnob, "/virtualcards/cards"))
		again := b.done("create", `{"customerReference":"a@b.example","cardBrand":"visa","reference":"first","amount":"100"}`)
		if str(again, "data.id") != b.card || len(b.walk(schema.Bitnob, "/virtualcards/cards")) != cards {
			t.Errorf("%v", again)
		}
	})
	t.Run("NeedsANameOfWhoIsNotRegistered", func(t *testing.T) {
		b := newBitnobBench(t)
		const body = `{"customerReference":"new@b.example","cardBrand":"visa","reference":"r","amount":"10"}`
		b.not("create", body, "firstName is required")
		for _, amount := range []string{`"0"`, `"-1"`, `"ten"`, `"10.005"`, `""`, `true`} {
			b.not("create", strings.Replace(body, `"10"`, amount, 1), "amount")
		}
		b.not("create", strings.Replace(body, `"cardBrand"`, `"brand"`, 1), "cardBrand is required")
		b.not("create", strings.Replace(body, `"amount"`, `"firstName":"N","lastName":"B","cardType":"plastic","amount"`, 1), "cardType must be one of")
	})
}

func TestBitnobMoney(t *testing.T) {
	b := newBitnobBench(t)
	b.advance(time.Hour)
	const load = "topup credit 10000 success"
	t.Run("ATopUpGoesThroughPendingToSuccess", func(t *testing.T) {
		made := b.done("topup", b.money(1000, "more"))
		for field, want := range map[string]string{
			"amount": "10", "centAmount": "1000", "type": "credit", "method": "topup", "status": "pending", "currency": "usd", "reference": "more", "cardId": b.card,
		} {
			if str(made, "data."+field) != want {
				t.Errorf("%s is %q, want %q", field, str(made, "data."+field), want)
			}
		}
		b.holds(100_00, load, "topup credit 1000 pending")
		b.advance(time.Hour)
		b.holds(110_00, load, "topup credit 1000 success")
	})
	t.Run("TheSameReferenceIsTheSameTopUp", func(t *testing.T) {
		again := b.done("topup", b.money(1000, "more"))
		if str(again, "data.status") != "success" {
			t.Errorf("%v", again)
		}
		b.holds(110_00, load, "topup credit 1000 success")
		b.not("topup", b.money(1001, "more"), "used before")
		b.not("withdraw", b.money(1000, "more"), "used before")
	})
	t.Run("TheTablesNameForTheAmountIsTakenToo", func(t *testing.T) {
		b := newBitnobBench(t)
		b.advance(time.Hour)
		b.done("topup", fmt.Sprintf(`{"cardId":%q,"cardBrand":"250","reference":"x"}`, b.card))
		b.advance(time.Hour)
		b.holds(102_50, load, "topup credit 250 success")
	})
	t.Run("AWithdrawalLeavesTheCardAndIsCalledACredit", func(t *testing.T) {
		made := b.done("withdraw", b.money(2000, "out"))
		if str(made, "data.type") != "credit" || str(made, "data.method") != "withdrawal" || str(made, "data.status") != "pending" {
			t.Errorf("%v", made)
		}
		b.not("withdraw", b.money(90_01, "too much"), "too low") // what is on its way out is gone
		b.advance(time.Hour)
		b.holds(90_00, load, "topup credit 1000 success", "withdrawal credit 2000 success")
	})
	t.Run("AMockTransactionSpendsAtOnce", func(t *testing.T) {
		b.done("mock-transaction", fmt.Sprintf(`{"cardId":%q,"amount":"4000"}`, b.card))
		b.done("mock-transaction", fmt.Sprintf(`{"cardId":%q,"amount":"500","type":"credit"}`, b.card))
		b.not("mock-transaction", fmt.Sprintf(`{"cardId":%q,"amount":"9000","type":"deduct"}`, b.card), "insufficient_funds")
		if got := b.balance(); got != 55_00 {
			t.Errorf("balance %d, want 5500", got)
		}
		words := strings.Join(b.rows(), ", ")
		for _, want := range []string{"purchase debit 4000 success", "refund credit 500 success", "purchase debit 9000 failed"} {
			if !strings.Contains(words, want) {
				t.Errorf("no row %q among %s", want, words)
			}
		}
		b.advance(10 * 24 * time.Hour)
		if got := b.balance(); got != 55_00 {
			t.Errorf("ten days later the balance is %d, want 5500", got)
		}
		b.not("mock-transaction", fmt.Sprintf(`{"cardId":%q,"amount":"5.5"}`, b.card), "amount")
		b.not("mock-transaction", fmt.Sprintf(`{"cardId":%q,"amount":"5","type":"steal"}`, b.card), "type must be one of")
	})
}

func TestBitnobStatus(t *testing.T) {
	b := newBitnobBench(t)
	b.advance(time.Hour)
	mock := fmt.Sprintf(`{"cardId":%q,"amount":"100"}`, b.card)
	t.Run("AFrozenCardSpendsNothingAndCanBeEmptied", func(t *testing.T) {
		frozen := b.done("freeze", b.named())
		card := b.world.books[schema.Bitnob].cardByID[b.card]
		if str(frozen, "data.status") != "frozen" || str(frozen, "data.cardNumber") != card.pan || str(frozen, "data.cvv2") != card.cvv {
			t.Errorf("%v", frozen)
		}
		b.not("mock-transaction", mock, "card_not_active")
		b.not("topup", b.money(100, "x"), "frozen")
		b.not("freeze", b.named(), "frozen")
		b.done("withdraw", b.money(100, "out"))
	})
	t.Run("AnUnfrozenOneSpendsAgain", func(t *testing.T) {
		if got := str(b.done("unfreeze", b.named()), "data.status"); got != "active" {
			t.Errorf("status %s", got)
		}
		b.done("mock-transaction", mock)
		b.not("unfreeze", b.named(), "active")
	})
	t.Run("AirlinesCanBeShutOut", func(t *testing.T) {
		fly := func() string {
			r := b.post(b.url+"/control/authorize", http.Header{}, fmt.Sprintf(`{"provider":"bitnob","card":%q,"amount":"1","merchant":"Delta Air Lines"}`, b.card))
			return str(r.json, "reason")
		}
		allow := func(on bool) string { return fmt.Sprintf(`{"cardId":%q,"isAirlinePaymentEnabled":%t}`, b.card, on) }
		b.done("enable-airline-payment", allow(false))
		if why := fly(); why != "merchant_category_blocked" {
			t.Errorf("shut out: %q", why)
		}
		b.done("enable-airline-payment", allow(true))
		if why := fly(); why != "" {
			t.Errorf("let in: %q", why)
		}
		b.not("enable-airline-payment", b.named(), "isAirlinePaymentEnabled is required")
		b.not("enable-airline-payment", fmt.Sprintf(`{"cardId":%q,"isAirlinePaymentEnabled":"yes"}`, b.card), "must be a boolean")
	})
	t.Run("ATerminatedOneIsOverForGood", func(t *testing.T) {
		if got := str(b.done("terminate", b.named()), "data.status"); got != "terminated" {
			t.Errorf("status %s", got)
		}
		for _, operation := range []string{"freeze", "unfreeze", "terminate", "topup", "withdraw", "mock-transaction", "enable-airline-payment"} {
			b.not(operation, b.money(100, "x"), "terminated")
		}
		if got := str(b.get(schema.Bitnob, "/virtualcards/cards/"+b.card), "data.status"); got != "terminated" {
			t.Errorf("the get says %s", got)
		}
	})
	t.Run("AnUnknownCardIsNotFound", func(t *testing.T) {
		for _, operation := range []string{"freeze", "unfreeze", "terminate", "topup", "withdraw", "mock-transaction", "enable-airline-payment"} {
			if r := b.send(http.MethodPost, schema.Bitnob, "/virtualcards/"+operation, `{"cardId":"none"}`); r.status != http.StatusNotFound {
				t.Errorf("%s: status %d", operation, r.status)
			}
			b.not(operation, `{}`, "cardId is required")
		}
	})
	t.Run("NeedsTheKey", func(t *testing.T) {
		r := b.do(http.MethodPost, schema.Bitnob, "/virtualcards/freeze", url.Values{}, http.Header{})
		if r.status != http.StatusUnauthorized {
			t.Errorf("status %d", r.status)
		}
	})
}
