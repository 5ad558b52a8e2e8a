package schema

import (
	"time"

	"github.com/tieout/tieout/schema/money"
)

// Funding is a top-up that the company's own books say it sent. Its identity is all its column values and its ordinal
// among equal rows of one file (NORMALIZATION 4).
type Funding struct {
	ID        string // SHA-256 of the column values and the ordinal, in hex
	Reference string // trimmed, case kept
	Amount    money.Amount
	SentAt    time.Time // UTC; for a date alone, 00:00 in the accounting zone
	DateOnly  bool      // sent_at was a date
	SentText  string    // sent_at as written
	CardID    string
	Source    string // empty: any source
	Note      string
	File      string // a file it was read from
	Line      int    // its line there
	Withdrawn bool   // gone from every file that had it
	Run       int64  // set by the ledger
}
