// Package normalize turns records into entries, observations and budgets, or rejects them with a reason. What each
// provider's rows become is decided in NORMALIZATION terms that each file of this package repeats in one table: field
// path, unit, sign. Nothing here reads from a network, a clock or a ledger.
package normalize

import (
	"fmt"

	"github.com/tieout/tieout/schema"
)

// Func appends what a record became to the batch. It returns a *RejectError, and appends nothing, when the record cannot
// be mapped; it returns no other error.
type Func func(r schema.Record, b *schema.Batch) error

// RejectError says why a record cannot be mapped. Its text is safe to print: it names the field and what is wrong with
// it, never a card number or a credential.
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
