// Package seal turns a secret.Value into a libsodium sealed box, the form in
// which GitHub takes secrets. A Value ends here.
//
// It owns the public key and what is wrong with one, and refuses keys to which
// anyone could open the box. The boxes are those of crypto_box_seal.
//
// https://doc.libsodium.org/public-key_cryptography/sealed_boxes
package seal

import (
	"crypto/ecdh"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/nacl/box"

	"set-org-secret/internal/secret"
)

// Overhead is how many bytes a sealed box is longer than its plaintext.
const Overhead = box.AnonymousOverhead

const keySize = 32

// PublicKey is an X25519 public key that is safe to seal to, with GitHub's id
// for it. The zero PublicKey is none.
type PublicKey struct {
	id, text string
	point    [keySize]byte
}

// Sealed is one sealed value, as GitHub's API takes it.
type Sealed struct {
	KeyID          string
	PublicKey      string // base64; empty where the value came sealed
	EncryptedValue string // base64
}

// Error says which field of a key or of a sealed value is wrong, in the API's
// name for it.
type Error struct{ Field, Text string }

func (e *Error) Error() string { return e.Field + ": " + e.Text }

func wrong(field, format string, args ...any) error {
	return &Error{Field: field, Text: fmt.Sprintf(format, args...)}
}

const maxKeyID = 128

func checkKeyID(id string) error {
	foreign := func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	switch {
	case id == "":
		return wrong("key_id", "empty")
	case len(id) > maxKeyID || strings.ContainsFunc(id, foreign):
		return wrong("key_id", "has characters that no key id has")
	}
	return nil
}

// decode is strict: encoding/base64 passes over line breaks.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("a line break")
	}
	return base64.StdEncoding.Strict().DecodeString(text)
}

// ParsePublicKey reads a key as GitHub gives it: an id, and 32 bytes in base64.
func ParsePublicKey(id, text string) (PublicKey, error) {
	if err := checkKeyID(id); err != nil {
		return PublicKey{}, err
	}
	raw, err := decode(text)
	if err != nil {
		return PublicKey{}, wrong("public_key", "not base64")
	}
	if len(raw) != keySize {
		return PublicKey{}, wrong("public_key", "%d bytes, not %d", len(raw), keySize)
	}
	if lowOrder(raw) {
		return PublicKey{}, wrong("public_key", "a low-order point, to which anyone could open what is sealed")
	}
	key := PublicKey{id: id, text: text}
	copy(key.point[:], raw)
	return key, nil
}

// lowOrder reports whether a key exchange with the point gives zero whatever the
// other key is. nacl/box seals to such a point without an error; libsodium and
// crypto/ecdh refuse it.
func lowOrder(point []byte) bool {
	public, err := ecdh.X25519().NewPublicKey(point)
	if err != nil {
		return true
	}
	// Any private key shows it, since all are multiples of the cofactor.
	private, err := ecdh.X25519().NewPrivateKey([]byte("any 32 bytes will do to see this"))
	if err != nil {
		return true
	}
	_, err = private.ECDH(public)
	return err != nil
}

// ID is GitHub's id of the key.
func (k PublicKey) ID() string { return k.id }

// Base64 is the key as GitHub gives it.
func (k PublicKey) Base64() string { return k.text }

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.id == "" }

// Seal seals a value to a key. The box is Overhead bytes longer than the value.
func Seal(rand io.Reader, key PublicKey, v secret.Value) (Sealed, error) {
	if key.IsZero() {
		return Sealed{}, errors.New("no public key to seal to")
	}
	sealed, err := box.SealAnonymous(nil, v.Reveal(), &key.point, rand)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	return Sealed{KeyID: key.id, PublicKey: key.text, EncryptedValue: base64.StdEncoding.EncodeToString(sealed)}, nil
}

// ParseSealed reads a value that came sealed. What is in the box nobody but
// GitHub can tell; its length can be checked.
func ParseSealed(encryptedValue, keyID string) (Sealed, error) {
	if err := checkKeyID(keyID); err != nil {
		return Sealed{}, err
	}
	raw, err := decode(encryptedValue)
	switch {
	case err != nil:
		return Sealed{}, wrong("encrypted_value", "not base64")
	case len(raw) < Overhead:
		return Sealed{}, wrong("encrypted_value", "%d bytes; a sealed box has at least %d", len(raw), Overhead)
	case len(raw) == Overhead:
		return Sealed{}, wrong("encrypted_value", "an empty value was sealed")
	case len(raw) > secret.MaxValueBytes+Overhead:
		return Sealed{}, wrong("encrypted_value", "holds %d bytes of plaintext, GitHub stores at most %d", len(raw)-Overhead, secret.MaxValueBytes)
	}
	return Sealed{KeyID: keyID, EncryptedValue: encryptedValue}, nil
}
