package secret

import (
	"fmt"
	"log/slog"
)

// MaxValueBytes is the largest plaintext that GitHub stores: 48 KB.
//
// https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets
const MaxValueBytes = 48 << 10

const redacted = "[redacted]"

// Value is a plaintext, byte for byte. It prints as [redacted] whatever prints
// it. The bytes stand behind a pointer since fmt shows unexported fields of
// other structs without asking their methods; of a pointer it shows the
// address.
type Value struct{ plain *plaintext }

type plaintext struct{ bytes []byte }

// NewValue keeps a copy of b.
func NewValue(b []byte) Value {
	return Value{&plaintext{append([]byte(nil), b...)}}
}

// Reveal returns the plaintext itself. The caller must neither keep nor change
// it.
func (v Value) Reveal() []byte {
	if v.plain == nil {
		return nil
	}
	return v.plain.bytes
}

// Len is the plaintext's length in bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// Format implements fmt.Formatter, for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements fmt.Stringer.
func (v Value) String() string { return redacted }

// MarshalText implements encoding.TextMarshaler, which encoding/json asks too.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }
