// Package schema is the vocabulary that every stage speaks: what is read (Record), what is kept (Entry, Card,
// Observation, Funding, Run, Completeness, Finding) and what is read back (View). What is stored belongs here; what is
// done belongs to a stage. The package has no SQL, no HTTP, no clock and no floating point.
//
// Instants are UTC with microsecond precision. Amounts are money.Amount: signed minor units of one currency, negative
// when money leaves the card. The zero time.Time and the zero money.Amount mean "unknown".
package schema
