// Package seal encrypts a [secret.Value] as a libsodium sealed box (crypto_box_seal), the form in which GitHub's API
// accepts secrets. Sealing is the last step that uses the plaintext.
//
// It validates public keys, and rejects those with which anyone could decrypt the box.
//
// https://doc.libsodium.org/public-key_cryptography/sealed_boxes
package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"

	"set-org-secret/internal/secret"
)

// Overhead is the size of a sealed box minus that of its plaintext, in bytes.
const Overhead = box.AnonymousOverhead

const keySize = 32

// PublicKey is a validated X25519 public key with its GitHub id. The zero value means no key.
type PublicKey struct {
	id, text string
	point    [keySize]byte
}

// Error is an invalid field of a key or of a sealed value. Field is its name in GitHub's API.
type Error struct{ Field, Text string }

func (e *Error) Error() string { return e.Field + ": " + e.Text }

func fieldErrorf(field, format string, args ...any) error {
	return &Error{Field: field, Text: fmt.Sprintf(format, args...)}
}

const maxKeyID = 128

// checkKeyID returns an [*Error] unless id is 1 to 128 letters, digits, _ and -.
func checkKeyID(id string) error {
	switch {
	case id == "":
		return fieldErrorf("key_id", "empty")
	case len(id) > maxKeyID:
		return fieldErrorf("key_id", "must be at most %d characters", maxKeyID)
	case !secret.HasOnly(id, "-"):
		return fieldErrorf("key_id", "must have only letters, digits, _ and -")
	}
	return nil
}

// ParsePublicKey parses an id and 32 bytes in base64. The error is an [*Error].
func ParsePublicKey(id, text string) (PublicKey, error) {
	raw, notBase64 := base64.StdEncoding.Strict().DecodeString(text)
	err := checkKeyID(id)
	switch field := "public_key"; {
	case err != nil:
	case notBase64 != nil, strings.ContainsAny(text, "\r\n"): // which encoding/base64 ignores
		err = fieldErrorf(field, "must be base64")
	case len(raw) != keySize:
		err = fieldErrorf(field, "must be %d bytes in base64, not %d", keySize, len(raw))
	case lowOrder(raw):
		err = fieldErrorf(field, "a low-order point, to which anyone could open what is sealed")
	default:
		return PublicKey{id, text, [keySize]byte(raw)}, nil
	}
	return PublicKey{}, err
}

// lowOrder reports whether anyone can open a value sealed to a point. nacl/box accepts such points; libsodium does not.
func lowOrder(point []byte) bool {
	// Any private key will do, because all are multiples of the cofactor.
	_, err := curve25519.X25519(make([]byte, keySize), point)
	return err != nil
}

// ID returns GitHub's id of the key.
func (k PublicKey) ID() string { return k.id }

// Base64 returns the key in base64, as GitHub's API returns it.
func (k PublicKey) Base64() string { return k.text }

// IsZero reports whether there is no key.
func (k PublicKey) IsZero() bool { return k.id == "" }

// Seal encrypts a value with a public key. It returns an error if the key is zero or rand fails.
func Seal(rand io.Reader, key PublicKey, v secret.Value) (secret.Sealed, error) {
	if key.IsZero() {
		return secret.Sealed{}, errors.New("no public key to seal to")
	}
	sealed, err := box.SealAnonymous(nil, v.Reveal(), &key.point, rand)
	if err != nil {
		return secret.Sealed{}, fmt.Errorf("seal: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(sealed)
	return secret.Sealed{KeyID: key.id, PublicKey: key.text, EncryptedValue: text}, nil
}

// ParseSealed checks a value that is already sealed, and its key if that is given. It removes line breaks, which many
// encoders write. The error is an [*Error]. Only the owner of the key can decrypt the value.
func ParseSealed(s secret.Sealed) (secret.Sealed, error) {
	s.EncryptedValue = strings.NewReplacer("\r", "", "\n", "").Replace(s.EncryptedValue)
	raw, notBase64 := base64.StdEncoding.Strict().DecodeString(s.EncryptedValue)
	err := checkKeyID(s.KeyID)
	if s.PublicKey != "" {
		_, err = ParsePublicKey(s.KeyID, s.PublicKey)
	}
	switch field := "encrypted_value"; {
	case err != nil:
	case notBase64 != nil:
		err = fieldErrorf(field, "must be base64")
	case len(raw) < Overhead:
		err = fieldErrorf(field, "must be a sealed box, of %d bytes or more, not of %d", Overhead, len(raw))
	case raw[keySize-1]&0x80 != 0: // the top bit of an ephemeral key is 0
		err = fieldErrorf(field, "must be a sealed box; it does not begin with a public key")
	case len(raw) == Overhead:
		err = fieldErrorf(field, "an empty value was sealed")
	case len(raw) > secret.MaxValueBytes+Overhead:
		err = fieldErrorf(field, "holds %d bytes of plaintext, GitHub stores at most %d", len(raw)-Overhead,
			secret.MaxValueBytes)
	}
	return s, err
}
