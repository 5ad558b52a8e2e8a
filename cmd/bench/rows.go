package main

import (
	"strconv"
	"time"

	"github.com/tieout/tieout/schema"
)

// row is an entry as its provider writes it, with the fields that it sends besides.
func row(b []byte, e schema.Entry) []byte {
	switch e.Provider {
	case schema.Bill:
		return billRow(b, e)
	case schema.Slash:
		return slashRow(b, e)
	case schema.Whop:
		return whopRow(b, e)
	}
	return bitnobRow(b, e)
}

// word chooses the word of a provider for a status.
func word(s schema.Status, pending, posted, declined string) string {
	switch s {
	case schema.Pending:
		return pending
	case schema.Declined:
		return declined
	}
	return posted
}

// member appends the member of an object with a text.
func member(b []byte, name, text string) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	return append(append(b, text...), `",`...)
}

func instant(b []byte, name string, t time.Time) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	return append(t.AppendFormat(b, "2006-01-02T15:04:05.000Z"), `",`...)
}

// dollars appends a member with an amount as a number of dollars.
func dollars(b []byte, name string, cents int64) []byte {
	return append(dollarsOf(append(append(append(b, '"'), name...), `":`...), cents), ',')
}

func dollarsOf(b []byte, cents int64) []byte {
	if cents < 0 {
		b, cents = append(b, '-'), -cents
	}
	return append(strconv.AppendInt(b, cents/100, 10), '.', byte('0'+cents/10%10), byte('0'+cents%10))
}

func billRow(b []byte, e schema.Entry) []byte {
	b = member(append(b, '{'), "id", "VHJhbnNhY3Rpb246"+e.ExternalID)
	b = member(b, "uuid", e.ExternalID)
	b = member(b, "cardUuid", e.CardID)
	b = append(b, `"userId":"VXNlcjoxMjM0NTY3","userUuid":"usr_01HV5J8C2W9Y3","budgetUuid":"budget","budgetName":"Company",`...)
	b = dollars(b, "amount", -e.Amount.Minor())
	b = dollars(b, "transactedAmount", -e.Amount.Minor())
	b = append(b, `"fees":0,"foreignExchangeFee":0,"isCredit":false,"complete":true,`...)
	b = instant(b, "occurredTime", e.OccurredAt)
	b = instant(b, "authorizedTime", e.OccurredAt)
	b = instant(b, "updatedTime", e.OccurredAt)
	b = member(b, "transactionType", word(e.Status, "AUTHORIZATION", "CLEAR", "DECLINE"))
	b = member(b, "status", word(e.Status, "PENDING", "COMPLETE", "DECLINED"))
	b = member(b, "merchantName", e.Merchant)
	b = member(b, "rawMerchantName", "SQ *"+e.Merchant)
	b = member(b, "merchantCategoryCode", e.MerchantCategory)
	b = append(b, `"merchantLocation":{"city":"San Jose","state":"CA","country":"US","postalCode":"95112"},"network":"VISA",`...)
	b = member(b, "cardLastFour", e.CardLast4)
	return append(b, `"cardType":"VIRTUAL","cardPresent":false,"isParent":false,"isLocked":false,"isReconciled":false,"isReviewed":false,`+
		`"userName":"Somebody Else","receiptRequired":true,"receiptStatus":"MISSING","receipts":[],"reviewers":[],"customFields":[]}`...)
}

func slashRow(b []byte, e schema.Entry) []byte {
	b = member(append(b, '{'), "id", e.ExternalID)
	b = instant(b, "date", e.OccurredAt)
	b = instant(b, "authorizedAt", e.OccurredAt)
	b = strconv.AppendInt(append(b, `"amountCents":`...), e.Amount.Minor(), 10)
	b = append(b, `,"accountId":"acct_01HV5J8C2W9Y3","virtualAccountId":"va_01HV5J8C2W9Y3","accountSubtype":"default",`...)
	b = member(b, "cardId", e.CardID)
	b = member(b, "status", word(e.Status, "pending", "posted", "failed"))
	b = member(b, "detailedStatus", word(e.Status, "pending", "settled", "declined"))
	b = member(b, "description", "Card purchase at "+e.Merchant)
	b = append(b, `"memo":"",`...)
	b = member(b, "merchantDescription", "SQ *"+e.Merchant)
	b = member(append(b, `"merchantData":{`...), "description", e.Merchant)
	b = member(b, "categoryCode", e.MerchantCategory)
	b = append(b, `"location":{"city":"San Jose","state":"CA","country":"US","zip":"95112"}},"referenceNumber":"",`...)
	b = member(b, "providerAuthorizationId", "auth-"+e.ExternalID)
	return append(b, `"approvalReason":"approved","wireInfo":null,"achInfo":null,"rtpInfo":null}`...)
}

func whopRow(b []byte, e schema.Entry) []byte {
	b = member(append(b, `{"object":"card_transaction",`...), "id", e.ExternalID)
	b = member(b, "card_id", e.CardID)
	b = append(b, `"cardholder_id":"chold_01HV5J8C2W9Y3","transaction_type":"spend","currency":"usd","international":false,`...)
	b = dollars(b, "usd_amount", -e.Amount.Minor())
	b = dollars(b, "local_amount", -e.Amount.Minor())
	b = append(b, `"cashback_usd_amount":0,`...)
	b = instant(b, "created_at", e.OccurredAt)
	if e.Status == schema.Posted {
		b = instant(b, "posted_at", e.PostedAt)
	} else {
		b = append(b, `"posted_at":null,`...)
	}
	b = member(b, "status", word(e.Status, "pending", "completed", "declined"))
	b = member(b, "merchant_name", e.Merchant)
	b = member(b, "merchant_category_code", e.MerchantCategory)
	return append(b, `"merchant_category":"services","merchant_icon_url":"https://assets.example/icons/merchant.png","authorization_method":"online",`+
		`"declined_reason":null,"memo":null}`...)
}

func bitnobRow(b []byte, e schema.Entry) []byte {
	cents := max(e.Amount.Minor(), -e.Amount.Minor())
	b = member(append(b, '{'), "id", e.ExternalID)
	b = instant(b, "createdAt", e.OccurredAt)
	b = instant(b, "updatedAt", e.OccurredAt)
	b = dollars(b, "amount", cents)
	b = strconv.AppendInt(append(b, `"centAmount":`...), cents, 10)
	b = append(b, ',')
	switch e.Kind {
	case schema.TopUp:
		b = append(member(b, "reference", e.Reference), `"method":"topup","type":"credit",`...)
	case schema.Refund:
		b = append(member(b, "reference", "ref-"+e.ExternalID), `"type":"credit",`...)
	default:
		b = append(member(b, "reference", "ref-"+e.ExternalID), `"type":"debit",`...)
	}
	b = member(b, "narrative", "Payment to "+e.Merchant+" for goods and services")
	b = member(b, "status", word(e.Status, "pending", "success", "failed"))
	b = member(b, "cardId", e.CardID)
	return append(b, `"currency":"USD","customerId":"6b1c6f0e-7a53-4d6a-8a55-0d6b9a2f1c11","cardUserId":"cu-01HV5J8C2W9Y3",`+
		`"customerReference":"customer-1","customerEmail":"somebody@example.com","userId":"usr-01HV5J8C2W9Y3"}`...)
}

// record is the evidence of an entry.
func record(c company, e schema.Entry) schema.Record {
	return schema.Record{
		Source: e.Source, Provider: e.Provider, Stream: schema.Transactions, ExternalID: e.ExternalID, ReceivedAt: c.now(),
		Payload: row(make([]byte, 0, 1024), e),
	}
}
