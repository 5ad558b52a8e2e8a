// Package normalize turns records into entries, observations and budgets, or rejects them with a reason. What each
// provider's rows become is decided in one file an issuer; the table of money fields at its top says for every amount
// the unit and the sign, and no amount is read that is not in it. Nothing here reads from a network, a clock or a ledger.
//
// What rejects a record and what does not:
//
//   - A row of transactions is rejected when its id, amount, type or status, currency, or the time at which it happened
//     is missing or cannot be read, or when an id or time that it carries is malformed. An amount with more digits than
//     its currency is rejected, never rounded.
//   - A card or budget is rejected only without an id. A figure or limit that cannot be read is kept as not checkable:
//     a Figure with a Problem and its raw text, a Limit without an amount.
//   - Everything else that is out of the ordinary (an enum value, a type, a field not seen before) becomes a Note. A row
//     with an unknown type or status is kept as held, which no sum counts.
package normalize

import (
	"fmt"
	"sync"

	"github.com/tieout/tieout/schema"
)

// Func appends what a record became to the batch. It returns a *RejectError, and appends nothing, when the record cannot
// be mapped; it returns no other error.
type Func func(r schema.Record, b *schema.Batch) error

// For is the normalizer of a provider.
func For(p schema.Provider) (Func, error) {
	switch p {
	case schema.Bill:
		return normalizer(billMoney, bill), nil
	case schema.Slash:
		return normalizer(slashMoney, slash), nil
	case schema.Whop:
		return normalizer(whopMoney, whop), nil
	case schema.Bitnob:
		return normalizer(bitnobMoney, bitnob), nil
	}
	return nil, fmt.Errorf("normalize: no provider %q", p)
}

// normalizer makes a Func of an issuer's money table and its reading function, which reports faults to f and appends to
// out as if there were none.
func normalizer(table moneyTable, read func(f fields, out *schema.Batch)) Func {
	readings := sync.Pool{New: func() any { return newReading(table) }}
	return func(r schema.Record, b *schema.Batch) error {
		reading := readings.Get().(*reading) // the pool holds nothing else
		defer readings.Put(reading)
		out := *b
		f := reading.open(r)
		if f.fault == nil {
			read(f, &out)
		}
		if f.fault != nil {
			return f.fault
		}
		out.Notes = append(out.Notes, f.notes...)
		*b = out
		return nil
	}
}

// RejectError says why a record cannot be mapped. Its text is safe to print: it names the field, what is wrong with it
// and what helps, never a card number or a credential.
type RejectError struct {
	Field  string // path of the field at fault; empty: the whole record
	Reason string
	Err    error // the cause, if any
}

// Error is "FIELD: REASON".
func (e *RejectError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: %s", e.Field, e.Reason)
}

// Unwrap is the cause.
func (e *RejectError) Unwrap() error { return e.Err }
