package normalize

import "github.com/tieout/tieout/schema"

// billMoney: BILL writes dollars everywhere but in the foreign amount, and spend as positive (BILL docs: Get list of
// transactions; Spend & Expense transaction notification payload). Fees are information and are not read.
var billMoney = moneyTable{
	{schema.Transactions, "amount", major, "USD", "", opposite, "amount"},
	{schema.Transactions, "currencyData.originalCurrencyAmount", minorExponent, "", "originalCurrencyCode", asGiven, "original amount"},
	{schema.Cards, "currentPeriod.limit", major, "USD", "", unsigned, "limit of the budget period"},
	{schema.Cards, "currentPeriod.spent", major, "USD", "", asGiven, "figure period-spend"},
}

// bill reads the streams of BILL Spend & Expense.
func bill(f fields, out *schema.Batch) {
	switch f.record.Stream {
	case schema.Transactions:
		billTransaction(f, out)
	case schema.Cards:
		out.Observations = append(out.Observations, billCard(f))
	case schema.Budgets:
		out.Budgets = append(out.Budgets, billBudget(f))
	default:
		f.otherStream()
	}
}

func billTransaction(f fields, out *schema.Batch) {
	// The list gives parents only (BILL docs: Get list of transactions). Should a split's child come all the same, its
	// parent already carries the money.
	parent := f.firstID("parentTransactionUuid", "parentTransactionId")
	if parent != "" && parent != f.id("id") && parent != f.record.ExternalID && !f.flag("isParent") {
		f.note("isParent", "a split's child; not read, since its parent carries the whole amount")
		return
	}

	e := f.newEntry(out)
	e.CardID = f.firstID("cardUuid", "cardId")
	if id := f.id("cardId"); id != e.CardID {
		e.CardAltID = id
	}
	e.CardLast4 = f.text("cardLastFour")
	e.Amount, e.Literal = f.amount("amount")

	// Only transactionType tells whether money moved; status and complete are about bookkeeping.
	returns := e.Amount.Sign() > 0
	kind := f.required("transactionType")
	switch kind {
	case "AUTHORIZATION":
		e.Kind, e.Status = schema.Purchase, schema.Pending
		if returns {
			e.Kind = schema.Reversal
		}
	case "CLEAR":
		e.Kind, e.Status = schema.Purchase, schema.Posted
		if returns {
			e.Kind = schema.Refund
		}
	case "DECLINE":
		e.Kind, e.Status = schema.Purchase, schema.Declined
	case "OTHER":
		e.Kind, e.Status = schema.Adjustment, schema.Held
	default:
		e.Kind, e.Status = schema.Adjustment, schema.Held
		f.unknownValue("transactionType", kind)
	}
	f.word("status", "APPROVED", "COMPLETE", "DECLINED", "DENIED", "INCOMPLETE", "PTR_INCOMPLETE", "PENDING")

	e.OccurredAt = f.occurred("authorizedTime", "occurredTime")
	e.PostedAt = f.posted(e.Status, "occurredTime")
	foreign := f.object("currencyData")
	e.OriginalCurrency = foreign.code("originalCurrencyCode")
	e.Original, e.OriginalLiteral = foreign.original("originalCurrencyAmount")
	e.Merchant = f.firstText("merchantName", "rawMerchantName")
	e.MerchantCategory = f.text("merchantCategoryCode")
	e.Description = f.firstText("declineReason", "rawMerchantName")

	billLinks(f, e, kind, out)
}

// billLinks appends the provider's own statements that an authorization was cleared or reversed.
func billLinks(f fields, e *schema.Entry, kind string, out *schema.Batch) {
	link := func(from, to string, basis schema.LinkBasis) {
		if from != "" && to != "" && from != to {
			out.Links = append(out.Links, schema.Link{From: from, To: to, Basis: basis})
		}
	}
	original := f.firstID("originalAuthTransactionUuid", "originalAuthTransactionId")
	switch {
	case kind == "CLEAR":
		link(original, e.ExternalID, schema.Cleared)
	case kind == "AUTHORIZATION":
		link(e.ExternalID, f.firstID("matchedClearTransactionUuid", "matchedClearTransactionId"), schema.Cleared)
		if e.Kind == schema.Reversal {
			link(e.ExternalID, original, schema.Reverses)
		}
	}
}

func billCard(f fields) schema.Observation {
	o := f.newObservation()
	o.AltID = altID(f, o.ID)
	o.Name = f.name("name")
	o.Last4 = f.text("lastFour")
	o.Type = f.text("type")
	o.Status = f.word("status", "ACTIVATED", "NOT_ACTIVATED", "FROZEN", "DELETED")
	o.BudgetID = f.firstID("budgetUuid", "budgetId")
	o.CreatedAt = f.knownTime("createdTime")

	period := f.object("currentPeriod")
	o.NoLimit = f.flag("shareBudgetFunds") // the limit then reads 0 and means nothing
	if !o.NoLimit && period.states("limit") {
		o.Limits = []schema.Limit{period.limit("limit", schema.Limit{Window: schema.BudgetPeriod, Word: "currentPeriod"})}
	}
	if period.states("spent") {
		o.Figures = []schema.Figure{period.figure("spent", schema.PeriodSpend)}
	}
	return o
}

// billBudget reads the period of a budget. Its currentPeriod.spent is an object, unlike a card's, and no check needs it.
func billBudget(f fields) schema.Budget {
	period := f.object("currentPeriod")
	return schema.Budget{
		Source:     f.record.Source,
		ID:         f.record.ExternalID,
		AltID:      altID(f, f.record.ExternalID),
		Name:       f.name("name"),
		Zone:       f.zone("timezone"),
		StartDate:  period.date("startDate"),
		EndDate:    period.date("endDate"),
		Interval:   f.text("recurringInterval"),
		ObservedAt: f.receivedAt(),
	}
}

// altID is the id that BILL gives beside the uuid.
func altID(f fields, id string) string {
	if alt := f.id("id"); alt != id {
		return alt
	}
	return ""
}
