package bill

import (
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// fields says what is kept of each stream (BILL docs: Get list of cards, Get list of transactions; budgets and a few
// fields more from public clients). People's names, receipts, reviews and bookkeeping fields are not wanted.
func fields() map[schema.Stream]transport.Fields {
	return map[schema.Stream]transport.Fields{
		schema.Cards: {
			Exact: []string{
				"id", "uuid", "userId", "userUuid", "budgetId", "budgetUuid",
				"recurringLimit", "currentPeriod.limit", "currentPeriod.spent", "createdTime", "updatedTime",
			},
			Text: []string{"name", "lastFour", "status", "type", "shareBudgetFunds", "recurring"},
			Drop: []string{
				"validThru", "expirationDate", "token", "jwt", "pan", "cvv", "cardNumber", "userName", "email", "phoneNumber",
				"billingAddress", "shippingAddress",
			},
		},
		schema.Budgets: {
			Exact: []string{
				"id", "uuid", "parentBudgetId", "parentBudgetUuid", "startDate", "expirationDate", "limit", "recurringLimit",
				"assigned", "overspendBuffer", "currentPeriod.startDate", "currentPeriod.endDate", "currentPeriod.limit",
				"currentPeriod.assigned", "currentPeriod.overspendBuffer", "currentPeriod.spent.cleared",
				"currentPeriod.spent.pending", "currentPeriod.spent.total", "createdTime", "updatedTime",
			},
			Text: []string{
				"name", "default", "budgetGroup", "retired", "timezone", "carryOver", "shareFunds", "limitlessOverspend",
				"recurringInterval",
			},
			Drop: []string{"description", "autoAddUsers", "receiptRequired", "owners", "members"},
		},
		schema.Transactions: {
			Exact: []string{
				"id", "uuid", "cardId", "cardUuid", "userId", "userUuid", "budgetId", "budgetUuid", "parentBudgetId",
				"parentBudgetUuid", "amount", "transactedAmount", "fees", "foreignExchangeFee",
				"currencyData.originalCurrencyAmount", "currencyData.exponent", "currencyData.exchangeRate",
				"occurredTime", "authorizedTime", "updatedTime", "originalAuthTransactionId", "originalAuthTransactionUuid",
				"matchedClearTransactionId", "matchedClearTransactionUuid", "parentTransactionId", "parentTransactionUuid",
				"childTransactionIds[]", "childTransactionUuids[]",
			},
			Text: []string{
				"transactionType", "status", "complete", "isCredit", "currencyData.originalCurrencyCode", "currencyData.symbol",
				"merchantName", "rawMerchantName", "merchantCategoryCode", "merchantLocation.city", "merchantLocation.state",
				"merchantLocation.country", "network", "cardLastFour", "cardType", "cardPresent", "budgetName", "isParent",
				"declineReason", "isLocked", "isReconciled", "isReviewed",
			},
			Drop: []string{
				"userName", "merchantLocation.postalCode", "receiptRequired", "reviewRequired", "receiptStatus",
				"receiptSyncStatus", "syncStatus", "receipts", "reviews", "reviewers", "customFields", "pointsAwarded",
				"accountingIntegrationTransactions",
			},
		},
	}
}
