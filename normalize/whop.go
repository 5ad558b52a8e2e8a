package normalize

import "github.com/tieout/tieout/schema"

// whopMoney: one purchase has three units at Whop, and currency belongs to local_amount, never to usd_amount (Whop docs:
// native OpenAPI, Card and CardTransaction). Cashback is information and is not read.
var whopMoney = moneyTable{
	{schema.Transactions, "usd_amount", major, "USD", "", opposite, "amount"},
	{schema.Transactions, "local_amount", major, "", "currency", asGiven, "original amount"},
	{schema.Cards, "limit.amount", major, "USD", "", unsigned, "limit"},
	{schema.Cards, "spent_last_month", minor, "USD", "", asGiven, "figure trailing-spend"},
}

// whop reads the streams of Whop cards.
func whop(f fields, out *schema.Batch) {
	switch f.record.Stream {
	case schema.Transactions:
		whopTransaction(f, out)
	case schema.Cards:
		out.Observations = append(out.Observations, whopCard(f))
	default:
		f.otherStream()
	}
}

func whopTransaction(f fields, out *schema.Batch) {
	e := f.newEntry(out)
	e.CardID = f.id("card_id")
	if !f.has("usd_amount") {
		f.reject("usd_amount", "the provider does not know the dollars yet; the row is read again by the next sync", nil)
	}
	e.Amount, e.Literal = f.amount("usd_amount")

	e.Kind = schema.Purchase
	if e.Amount.Sign() > 0 {
		e.Kind = schema.Refund
	}
	switch status := f.required("status"); status {
	case "pending":
		e.Status = schema.Pending
	case "completed":
		e.Status = schema.Posted
	case "reversed":
		e.Kind, e.Status = schema.Purchase, schema.Reversed
	case "declined":
		e.Kind, e.Status = schema.Purchase, schema.Declined
	default:
		e.Status = schema.Held
		f.unknownValue("status", status)
	}
	// Whop documents that every row is a spend; what another type does to a card is not known.
	if kind := f.word("transaction_type", "spend"); kind != "" && kind != "spend" {
		e.Kind, e.Status = schema.Adjustment, schema.Held
	}

	e.OccurredAt = f.occurred("created_at")
	e.PostedAt = f.posted(e.Status, "posted_at")
	e.OriginalCurrency = f.code("currency")
	e.Original, e.OriginalLiteral = f.original("local_amount")
	e.Merchant = f.text("merchant_name")
	e.MerchantCategory = f.firstText("merchant_category_code", "merchant_category")
	e.Description = f.firstText("declined_reason", "memo")
}

func whopCard(f fields) schema.Observation {
	o := f.newObservation()
	o.Name = f.name("name")
	o.Last4 = f.text("last4")
	o.Type = f.text("type")
	o.Status = f.word("status", "active", "frozen", "canceled", "invited", "denied")
	o.CreatedAt = f.knownTime("created_at")
	o.ClosedAt = f.knownTime("canceled_at")
	if f.has("limit") {
		o.Limits = []schema.Limit{whopLimit(f.object("limit"))}
	}
	if f.states("spent_last_month") {
		o.Figures = []schema.Figure{f.figure("spent_last_month", schema.TrailingSpend)}
	}
	return o
}

// whopLimit knows the words of the newer API and those that older responses take from the issuer.
func whopLimit(f fields) schema.Limit {
	l := schema.Limit{Word: f.text("frequency")}
	switch l.Word {
	case "daily":
		l.Window = schema.Daily
	case "weekly":
		l.Window = schema.Weekly
	case "monthly":
		l.Window = schema.Monthly
	case "one_time", "allTime":
		l.Window = schema.Lifetime
	case "per_transaction", "perAuthorization":
		l.Window = schema.PerEntry
	case "per24HourPeriod":
		l.Window = schema.Rolling24h
	case "per7DayPeriod":
		l.Window = schema.Rolling7d
	case "per30DayPeriod":
		l.Window = schema.Rolling30d
	case "perYearPeriod":
		l.Window = schema.Rolling365d
	default:
		f.unknownValue("frequency", l.Word)
	}
	return f.limit("amount", l)
}
