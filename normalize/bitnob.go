package normalize

import (
	"fmt"

	"github.com/tieout/tieout/schema"
	"github.com/tieout/tieout/schema/money"
)

// bitnobMoney: Bitnob writes one amount twice, in dollars and in cents, both without a sign; the seed's examples confuse
// the two, so both are read and must agree (Bitnob docs: list card transactions). The unit of balance is contradicted
// within one document.
var bitnobMoney = moneyTable{
	{schema.Transactions, "centAmount", minor, "", "currency", unsigned, "amount; direction from method, then type"},
	{schema.Transactions, "amount", major, "", "currency", unsigned, "must equal centAmount; amount where that is missing"},
	{schema.Balances, "balance", undocumented, "USD", "", asGiven, "figure balance"},
}

// bitnob reads the streams of Bitnob virtual cards, first generation.
func bitnob(f fields, out *schema.Batch) {
	switch f.record.Stream {
	case schema.Transactions:
		bitnobTransaction(f, out)
	case schema.Cards:
		out.Observations = append(out.Observations, bitnobCard(f))
	case schema.Balances:
		o := bitnobCard(f)
		o.Figures = []schema.Figure{f.figure("balance", schema.Balance)}
		out.Observations = append(out.Observations, o)
	default:
		f.otherStream()
	}
}

func bitnobTransaction(f fields, out *schema.Batch) {
	e := f.newEntry(out)
	e.CardID = f.id("cardId")
	f.required("currency")
	if _, err := f.currency("currency"); err != nil {
		f.reject("currency", err.Error()+"; its amounts have no known digits", err)
	}
	var amount money.Amount
	amount, e.Literal = bitnobAmount(f)

	switch status := f.required("status"); status {
	case "success", "successful":
		e.Status = schema.Posted
	case "pending":
		e.Status = schema.Pending
	case "failed":
		e.Status = schema.Failed
	default:
		e.Status = schema.Held
		f.unknownValue("status", status)
	}

	// Method goes before type: a withdrawal is documented with type credit although money leaves the card.
	leaves := true
	switch f.text("method") {
	case "topup":
		e.Kind, leaves = schema.TopUp, false
	case "withdrawal":
		e.Kind = schema.Withdrawal
	default:
		switch kind := f.required("type"); kind {
		case "debit":
			e.Kind = schema.Purchase
		case "credit":
			e.Kind, leaves = schema.Refund, false
		default:
			e.Kind, e.Status = schema.Adjustment, schema.Held
			f.unknownValue("type", kind)
		}
	}
	e.Amount = amount
	if leaves {
		e.Amount = negated(f, amount)
	}

	e.OccurredAt = f.occurred("createdAt")
	e.PostedAt = f.posted(e.Status, "updatedAt")
	e.Reference = f.text("reference")
	e.Description = f.text("narrative")
}

// bitnobAmount is the unsigned amount of a row. Cents are trusted where dollars disagree.
func bitnobAmount(f fields) (money.Amount, string) {
	if !f.has("centAmount") {
		return f.amount("amount")
	}
	cents, literal := f.amount("centAmount")
	if !f.has("amount") || f.fault != nil {
		return cents, literal
	}
	dollars, text, err := f.parse("amount", f.value("amount"))
	switch {
	case err != nil:
		f.noteAs(schema.UnitMismatchNote, "amount", fmt.Sprintf("centAmount says %s, amount cannot be read: %s", cents, whyNot(text, err)))
	case dollars != cents:
		f.noteAs(schema.UnitMismatchNote, "amount", fmt.Sprintf("centAmount says %s, amount says %s; centAmount is booked", cents, dollars))
	}
	return cents, literal
}

// negated is -a; an unsigned amount always has an opposite, an amount that was not read has none and needs none.
func negated(f fields, a money.Amount) money.Amount {
	n, err := a.Neg()
	if err != nil {
		f.reject("centAmount", err.Error(), err)
	}
	return n
}

func bitnobCard(f fields) schema.Observation {
	o := f.newObservation()
	o.Name = f.name("cardName")
	o.Last4 = f.text("last4")
	o.Type = f.text("cardType")
	o.Status = f.word("status", "active", "frozen", "terminated")
	o.CreatedAt = f.knownTime("createdAt")
	return o
}
