package bitnob

import (
	"github.com/tieout/tieout/extract/transport"
	"github.com/tieout/tieout/schema"
)

// fields says what is kept of each stream (Bitnob docs: Virtual Cards). Getting one card gives its number and CVV without
// being asked; those and everything about the person are not wanted.
func fields() map[schema.Stream]transport.Fields {
	people := []string{
		"cardNumber", "cvv2", "expiry", "valid", "cardUserId", "customerReference", "customerEmail", "city", "street", "state",
		"zipCode", "countryCode", "country",
	}
	return map[schema.Stream]transport.Fields{
		schema.Cards: {
			Exact: []string{"id", "createdAt", "updatedAt", "customerId", "reference"},
			Text:  []string{"last4", "cardName", "cardType", "cardBrand", "status", "createdStatus", "blocked", "frozen"},
			Drop:  append([]string{"balance"}, people...),
		},
		schema.Balances: {
			Exact: []string{"id", "createdAt", "updatedAt", "customerId", "reference", "balance"},
			Text:  []string{"last4", "cardName", "cardType", "cardBrand", "status", "createdStatus", "blocked", "frozen"},
			Drop:  people,
		},
		schema.Transactions: {
			Exact: []string{"id", "createdAt", "updatedAt", "amount", "centAmount", "reference", "cardId"},
			Text:  []string{"type", "method", "narrative", "status", "currency"},
			Drop:  []string{"customerId", "cardUserId", "customerReference", "customerEmail", "userId"},
		},
	}
}
