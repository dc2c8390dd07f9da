package secret

import "bytes"

// MaxValueBytes is the largest plaintext that GitHub stores: 48 KB.
//
// https://docs.github.com/en/actions/reference/security/secrets#limits-for-secrets
const MaxValueBytes = 48 << 10

// Value is a plaintext, byte for byte. A closure holds it, because fmt prints only the address of a function, but of a
// struct even the unexported fields.
type Value struct{ reveal func() []byte }

// NewValue returns a Value that holds a copy of b.
func NewValue(b []byte) Value {
	held := bytes.Clone(b)
	return Value{func() []byte { return held }}
}

// Reveal returns the plaintext itself. The caller must neither retain nor modify it.
func (v Value) Reveal() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}
