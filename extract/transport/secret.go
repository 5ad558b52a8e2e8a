package transport

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential. However it is printed, formatted, marshalled or logged, it shows "[redacted]"; only Reveal
// gives the value.
type Secret struct{ value string }

// NewSecret wraps a credential.
func NewSecret(value string) Secret { return Secret{value: value} }

// Reveal is the credential itself, to be put into a request header and nowhere else.
func (s Secret) Reveal() string { return s.value }

// Empty says whether there is no credential.
func (s Secret) Empty() bool { return s.value == "" }

// String is "[redacted]".
func (Secret) String() string { return redacted }

// GoString is "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON is the JSON string "[redacted]".
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText is "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
