package whop

import (
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// fields says what is kept of each stream (Whop native OpenAPI; authorization_method, memo and object from the legacy
// reference). Secrets, billing addresses and images are not wanted.
func fields() map[schema.Stream]transport.Fields {
	return map[schema.Stream]transport.Fields{
		schema.Cards: {
			Exact: []string{"id", "user_id", "spent_last_month", "limit.amount", "created_at", "canceled_at"},
			Text:  []string{"name", "type", "status", "last4", "limit.frequency"},
			Drop:  []string{"object", "secrets", "billing", "expiration_month", "expiration_year"},
		},
		schema.Transactions: {
			Exact: []string{
				"id", "card_id", "cardholder_id", "usd_amount", "local_amount", "cashback_usd_amount", "created_at", "posted_at",
			},
			Text: []string{
				"status", "transaction_type", "currency", "international", "merchant_name", "merchant_category",
				"merchant_category_code", "declined_reason", "memo",
			},
			Drop: []string{"object", "merchant_icon_url", "authorization_method"},
		},
	}
}
