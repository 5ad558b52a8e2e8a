package slash

import (
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// fields says what is kept of each stream (Slash OpenAPI 0.0.1; avsAddress from the older reference). Bank details of
// other parties, free user data and addresses are not wanted.
func fields() map[schema.Stream]transport.Fields {
	cards := transport.Fields{
		Exact: []string{"id", "accountId", "virtualAccountId", "cardGroupId", "cardProductId", "createdAt"},
		Text:  []string{"last4", "name", "status", "isPhysical", "isSingleUse", "cardGroupName"},
		Drop: []string{
			"pan", "cvv", "userData", "avsAddress", "expiryMonth", "expiryYear", "modifiers",
			"spendingConstraint.merchantCategoryRule", "spendingConstraint.merchantRule", "spendingConstraint.countryRule",
			"spendingConstraint.merchantCategoryCodeRule",
		},
	}
	const rule = "spendingConstraint.spendingRule."
	for _, limit := range []string{rule + "utilizationLimit.", rule + "utilizationLimitV2[]."} {
		cards.Exact = append(cards.Exact, limit+"limitAmount.amountCents", limit+"startDate")
		cards.Text = append(cards.Text, limit+"preset", limit+"timezone")
	}
	cards.Exact = append(cards.Exact,
		rule+"transactionSizeLimit.minimum.amountCents", rule+"transactionSizeLimit.maximum.amountCents")
	return map[schema.Stream]transport.Fields{
		schema.Cards: cards,
		schema.Transactions: {
			Exact: []string{
				"id", "date", "authorizedAt", "amountCents", "accountId", "virtualAccountId", "cardId",
				"originalCurrency.amountCents", "originalCurrency.conversionRate", "fxFeeInfo.amountCents",
				"cashbackInfo.amountCents", "cashbackInfo.rate", "feeInfo.relatedTransaction.id",
				"feeInfo.relatedTransaction.amount", "referenceNumber", "orderId", "providerAuthorizationId",
			},
			Text: []string{
				"status", "detailedStatus", "accountSubtype", "description", "memo", "merchantDescription",
				"merchantData.description", "merchantData.categoryCode", "merchantData.location.city",
				"merchantData.location.state", "merchantData.location.country", "originalCurrency.code", "declineReason",
				"approvalReason",
			},
			Drop: []string{
				"merchantData.location.zip", "wireInfo", "achInfo", "rtpInfo", "sepaInfo", "pixInfo", "speiInfo", "fpsInfo",
				"cryptoInfo",
			},
		},
		schema.Utilization: {
			Exact: []string{"spend.amountCents", "availableBalance.amountCents", "nextResetDate"},
		},
	}
}
