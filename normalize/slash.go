package normalize

import (
	"slices"

	"github.com/tieout/tieout/schema"
)

// slashMoney: Slash writes cents everywhere, and a debit as negative (Slash docs: OpenAPI, Transaction and
// SpendingConstraint). The schema calls them numbers, so a fraction of a cent is possible on the wire and is refused.
// fxFeeInfo and cashbackInfo are information and are not read: the fee is a row of its own.
var slashMoney = moneyTable{
	{schema.Transactions, "amountCents", minor, "USD", "", asGiven, "amount"},
	{schema.Transactions, "originalCurrency.amountCents", minorTwoDigit, "", "code", asGiven, "original amount"},
	{schema.Cards, slashRule + "utilizationLimitV2[].limitAmount.amountCents", minor, "USD", "", unsigned, "limit"},
	{schema.Cards, slashRule + "utilizationLimit.limitAmount.amountCents", minor, "USD", "", unsigned, "limit where V2 has none"},
	{schema.Cards, slashRule + "transactionSizeLimit.maximum.amountCents", minor, "USD", "", unsigned, "limit of one purchase"},
	{schema.Cards, slashRule + "transactionSizeLimit.minimum.amountCents", minor, "USD", "", unsigned, "least of one purchase"},
	{schema.Utilization, "spend.amountCents", minor, "USD", "", asGiven, "figure utilization"},
}

const slashRule = "spendingConstraint.spendingRule."

// slash reads the streams of Slash.
func slash(f fields, out *schema.Batch) {
	switch f.record.Stream {
	case schema.Transactions:
		slashTransaction(f, out)
	case schema.Cards:
		out.Observations = append(out.Observations, slashCard(f))
	case schema.Utilization:
		o := f.newObservation()
		o.Figures = []schema.Figure{f.object("spend").figure("amountCents", schema.Utilized)}
		o.NextReset = f.knownTime("nextResetDate")
		out.Observations = append(out.Observations, o)
	default:
		f.otherStream()
	}
}

func slashTransaction(f fields, out *schema.Batch) {
	e := f.newEntry(out)
	e.CardID = f.id("cardId")
	e.Amount, e.Literal = f.amount("amountCents")

	// Only detailedStatus is decided on: how the coarse status goes with it is not documented.
	status := f.required("detailedStatus")
	e.Kind = schema.Purchase
	if e.Amount.Sign() > 0 {
		e.Kind = schema.Refund
	}
	switch status {
	case "pending":
		e.Status = schema.Pending
	case "settled", "dispute":
		e.Status = schema.Posted
	case "refund":
		e.Kind, e.Status = schema.Refund, schema.Posted
	case "returned":
		e.Kind, e.Status = schema.Adjustment, schema.Posted
	case "reversed", "canceled":
		e.Kind, e.Status = schema.Purchase, schema.Reversed
	case "declined":
		e.Kind, e.Status = schema.Purchase, schema.Declined
	case "failed":
		e.Kind, e.Status = schema.Purchase, schema.Failed
	case "pending_approval", "in_review":
		e.Kind, e.Status = schema.Purchase, schema.Held
	default:
		e.Status = schema.Held
		f.unknownValue("detailedStatus", status)
	}
	f.word("status", "pending", "posted", "failed")

	times := []string{"authorizedAt", "date"}
	switch slashCategory(f, e.CardID) {
	case "card":
	case "fee":
		e.Kind = schema.Fee
		times = []string{"date"}
	default:
		e.Kind = schema.Transfer
	}
	e.OccurredAt = f.occurred(times...)
	e.PostedAt = f.posted(e.Status, "date")

	foreign := f.object("originalCurrency")
	e.OriginalCurrency = foreign.code("code")
	e.Original, e.OriginalLiteral = foreign.original("amountCents")
	merchant := f.object("merchantData")
	e.Merchant = merchant.text("description")
	if e.Merchant == "" {
		e.Merchant = f.text("merchantDescription")
	}
	e.MerchantCategory = merchant.text("categoryCode")
	e.Reference = f.firstText("referenceNumber", "orderId")
	e.Description = f.firstText("description", "memo")
}

// slashCategory is the category of the list that a row came from. A row does not carry it, so one that was read again by
// its id, or that its list cannot vouch for, is known only by what stands in it: feeInfo, or a card.
func slashCategory(f fields, card string) string {
	switch {
	case f.record.Category != "":
		return f.record.Category
	case f.has("feeInfo"):
		return "fee"
	case card != "":
		return "card"
	}
	f.reject("cardId", "missing on a row that does not say its category otherwise, so that nobody knows whether a card paid; it is read again with its list", nil)
	return ""
}

func slashCard(f fields) schema.Observation {
	o := f.newObservation()
	o.Name = f.name("name")
	o.Last4 = f.text("last4")
	o.Type = "virtual"
	if f.flag("isPhysical") {
		o.Type = "physical"
	}
	o.Status = f.word("status", "active", "paused", "inactive", "closed")
	o.CreatedAt = f.knownTime("createdAt")
	o.Limits = slashLimits(f.object("spendingConstraint").object("spendingRule"))
	return o
}

// slashLimits are the limits of utilizationLimitV2, or the legacy one where there are none; never both, since which of
// them holds is not documented. Then the bounds of a single purchase.
func slashLimits(rule fields) []schema.Limit {
	var limits []schema.Limit
	for _, one := range rule.objects("utilizationLimitV2") {
		limits = append(limits, slashLimit(one))
	}
	if rule.has("utilizationLimit") {
		legacy := slashLimit(rule.object("utilizationLimit"))
		switch {
		case len(limits) == 0:
			limits = append(limits, legacy)
		case !slices.Contains(limits, legacy):
			rule.noteAs(schema.UnitMismatchNote, "utilizationLimit", "differs from every limit of utilizationLimitV2, which is used")
		}
	}
	size := rule.object("transactionSizeLimit")
	if size.has("maximum") {
		limits = append(limits, size.object("maximum").limit("amountCents",
			schema.Limit{Window: schema.PerEntry, Word: "transactionSizeLimit.maximum"}))
	}
	if size.has("minimum") {
		limits = append(limits, size.object("minimum").limit("amountCents",
			schema.Limit{Window: schema.PerEntryMin, Word: "transactionSizeLimit.minimum"}))
	}
	return limits
}

func slashLimit(f fields) schema.Limit {
	l := schema.Limit{Word: f.text("preset")}
	anchored := false // startDate is documented as ignored for daily, and a lifetime has none
	switch l.Word {
	case "daily":
		l.Window = schema.Daily
	case "weekly":
		l.Window, anchored = schema.Weekly, true
	case "monthly":
		l.Window, anchored = schema.Monthly, true
	case "yearly":
		l.Window, anchored = schema.Yearly, true
	case "collective":
		l.Window = schema.Lifetime
	default:
		f.unknownValue("preset", l.Word)
	}
	l.Zone = f.zone("timezone")
	if anchored {
		l.StartDate = f.date("startDate")
	}
	return f.object("limitAmount").limit("amountCents", l)
}
