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

// Value is a plaintext, byte for byte. It prints as [redacted] whichever way it is printed. The bytes are held by a
// closure: fmt prints unexported fields of other structs without calling their methods, and follows pointers for some
// verbs; of a function it prints the address.
type Value struct{ reveal func() []byte }

// NewValue returns a Value that holds a copy of b.
func NewValue(b []byte) Value {
	held := append([]byte(nil), b...)
	return Value{func() []byte { return held }}
}

// Reveal returns the plaintext itself. The caller must neither retain nor modify it.
func (v Value) Reveal() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// Len is the plaintext's length in bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// Format implements fmt.Formatter, for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// String implements fmt.Stringer.
func (v Value) String() string { return redacted }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses too.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }
