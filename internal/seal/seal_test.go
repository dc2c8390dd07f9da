package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"

	"set-org-secret/internal/secret"
)

// testKey returns a key pair that is not secret.
func testKey(tb testing.TB) (public, private *[32]byte) {
	tb.Helper()
	private = new([32]byte)
	*private = sha256.Sum256([]byte("set-org-secret test key"))
	point, err := curve25519.X25519(private[:], curve25519.Basepoint)
	if err != nil {
		tb.Fatal(err)
	}
	return (*[32]byte)(point), private
}

func parsedKey(tb testing.TB) PublicKey {
	tb.Helper()
	public, _ := testKey(tb)
	key, err := ParsePublicKey("568250167242549744", base64.StdEncoding.EncodeToString(public[:]))
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func open(tb testing.TB, encryptedValue string) []byte {
	tb.Helper()
	raw, err := base64.StdEncoding.Strict().DecodeString(encryptedValue)
	if err != nil {
		tb.Fatal(err)
	}
	public, private := testKey(tb)
	plain, ok := box.OpenAnonymous(nil, raw, public, private)
	if !ok {
		tb.Fatal("the box does not open")
	}
	return plain
}

// plaintexts are values that tools often change, such as line ends and non-ASCII
// bytes.
func plaintexts() [][]byte {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return [][]byte{
		[]byte("x"),
		[]byte("Correct-Horse"),
		[]byte("-----BEGIN TEST KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END TEST KEY-----\n"),
		[]byte(" \t leading and trailing \r\n"),
		[]byte("Grüße, 世界 🔑"),
		every,
		bytes.Repeat([]byte("0123456789abcdef"), 64),
	}
}

func TestSealOpens(t *testing.T) {
	key := parsedKey(t)
	largest := make([]byte, secret.MaxValueBytes)
	for _, plain := range append(plaintexts(), largest) {
		sealed, err := Seal(rand.Reader, key, secret.NewValue(plain))
		if err != nil {
			t.Fatal(err)
		}
		if got := open(t, sealed.EncryptedValue); !bytes.Equal(got, plain) {
			t.Errorf("opened: got %.100q (%d bytes), want %.100q (%d bytes)", got, len(got), plain, len(plain))
		}
		if sealed.KeyID != key.ID() {
			t.Errorf("KeyID: got %s, want %s", sealed.KeyID, key.ID())
		}
		if sealed.PublicKey != key.Base64() {
			t.Errorf("PublicKey: got %s, want %s", sealed.PublicKey, key.Base64())
		}
		if n, want := base64.StdEncoding.DecodedLen(len(sealed.EncryptedValue)), len(plain)+Overhead; n < want {
			t.Errorf("size of the box: got %d bytes, want at least %d", n, want)
		}
		again, err := Seal(rand.Reader, key, secret.NewValue(plain))
		if err != nil {
			t.Fatal(err)
		}
		if again.EncryptedValue == sealed.EncryptedValue {
			t.Errorf("two boxes of one value: got %.100s twice, want different ones", again.EncryptedValue)
		}
	}
}

func TestSealErrors(t *testing.T) {
	value := secret.NewValue([]byte("x"))
	if _, err := Seal(rand.Reader, PublicKey{}, value); err == nil {
		t.Error("zero key: got no error, want one")
	}
	_, err := Seal(io.LimitReader(rand.Reader, 31), parsedKey(t), value)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 random bytes: got error %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

func TestParsePublicKey(t *testing.T) {
	public, _ := testKey(t)
	good := base64.StdEncoding.EncodeToString(public[:])
	// Only strict decoding refuses unused bits that are not zero.
	loose := good[:len(good)-2] + string(good[len(good)-2]+1) + "="
	if _, err := base64.StdEncoding.DecodeString(loose); err != nil {
		t.Fatalf("lenient decoding of %s: got error %v, want none", loose, err)
	}
	const invalidID = "key_id: must have only letters, digits, _ and -"
	for _, test := range []struct{ name, id, key, want string }{
		{"valid", "568250167242549744", good, ""},
		{"id with letters", "key_A-1", good, ""},
		{"no id", "", good, "key_id: empty"},
		{"id with a space", "5 6", good, invalidID},
		{"id with a newline", "56\n", good, invalidID},
		{"id of 129 characters", strings.Repeat("1", 129), good, "key_id: must be at most 128 characters"},
		{"no key", "1", "", "public_key: must be 32 bytes in base64, not 0"},
		{"31 bytes", "1", encoded(public[:31]), "public_key: must be 32 bytes in base64, not 31"},
		// As in the example of GitHub's documentation.
		{"33 bytes", "1", encoded(append([]byte{1}, public[:]...)), "public_key: must be 32 bytes in base64, not 33"},
		{"not base64", "1", "%%%", "public_key: must be base64"},
		{"base64url", "1", strings.Repeat("_", 43) + "=", "public_key: must be base64"},
		{"no padding", "1", strings.TrimRight(good, "="), "public_key: must be base64"},
		{"unused bits not zero", "1", loose, "public_key: must be base64"},
		{"line break inside", "1", good[:20] + "\n" + good[20:], "public_key: must be base64"},
		{"line break at the end", "1", good + "\n", "public_key: must be base64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, err := ParsePublicKey(test.id, test.key)
			if errorText(err) != test.want {
				t.Errorf("got %q, want %q", errorText(err), test.want)
			}
			if got, want := key.IsZero(), err != nil; got != want {
				t.Errorf("IsZero: got %v, want %v with error %v", got, want, err)
			}
		})
	}
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestLowOrderPoints refuses every point with which a key exchange gives zero, in
// each encoding: with the top bit, which X25519 ignores, and unreduced.
//
// https://cr.yp.to/ecdh.html#validate
func TestLowOrderPoints(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("00", 32),
		"01" + strings.Repeat("00", 31),
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f",
		"ee" + strings.Repeat("ff", 30) + "7f",
	} {
		for _, top := range []byte{0, 0x80} {
			point, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			point[31] |= top
			key, err := ParsePublicKey("1", encoded(point))
			if got := errorText(err); !strings.Contains(got, "low-order") {
				t.Errorf("%x: got error %q, want it to contain low-order", point, got)
			}
			if !key.IsZero() {
				t.Errorf("%x: got key %s, want the zero key", point, key.Base64())
			}
		}
	}
	if _, err := ParsePublicKey("1", encoded(curve25519.Basepoint)); err != nil {
		t.Errorf("base point: got error %v, want none", err)
	}
}

func TestParseSealed(t *testing.T) {
	const invalidID = "key_id: must have only letters, digits, _ and -"
	sized := func(n int) string { return encoded(make([]byte, n)) }
	for _, test := range []struct{ name, value, id, want string }{
		{"smallest", sized(49), "1", ""},
		{"largest", sized(48<<10 + 48), "1", ""},
		{"empty", "", "1", "encrypted_value: must be a sealed box, of 48 bytes or more, not of 0"},
		{"47 bytes", sized(47), "1", "encrypted_value: must be a sealed box, of 48 bytes or more, not of 47"},
		{"box of an empty value", sized(48), "1", "encrypted_value: an empty value was sealed"},
		{"too large", sized(48<<10 + 49), "1", "encrypted_value: holds 49153 bytes of plaintext, GitHub stores at most 49152"},
		{"not base64", "a plaintext, pasted by mistake", "1", "encrypted_value: must be base64"},
		{"line breaks are removed", sized(60)[:40] + "\r\n" + sized(60)[40:] + "\n", "1", ""},
		{"no key id", sized(60), "", "key_id: empty"},
		{"key id with a workflow command", sized(60), "1\n::error::x", invalidID},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := ParseSealed(test.value, test.id)
			if errorText(err) != test.want {
				t.Errorf("got %q, want %q", errorText(err), test.want)
			}
			value := strings.NewReplacer("\r", "", "\n", "").Replace(test.value)
			if want := (Sealed{EncryptedValue: value, KeyID: test.id}); err == nil && sealed != want {
				t.Errorf("got %+v, want %+v", sealed, want)
			}
		})
	}
}

// bindings are the programs of testdata, in the order of boxes.json.
var bindings = []string{"python3-nacl", "libsodium-wrappers", "ruby-rbnacl", "libsodium.so.23 by mono"}

// TestFixedBoxes opens boxes of libsodium; see testdata/README.md.
func TestFixedBoxes(t *testing.T) {
	text, err := os.ReadFile("testdata/boxes.json")
	if err != nil {
		t.Fatal(err)
	}
	var boxes map[string][]string
	if err := json.Unmarshal(text, &boxes); err != nil {
		t.Fatal(err)
	}
	if len(boxes) != len(bindings) {
		t.Errorf("got boxes of %d bindings, want %d", len(boxes), len(bindings))
	}
	for _, binding := range bindings {
		if len(boxes[binding]) != len(plaintexts()) {
			t.Fatalf("%s: got %d boxes, want %d", binding, len(boxes[binding]), len(plaintexts()))
		}
		for i, plain := range plaintexts() {
			if got := open(t, boxes[binding][i]); !bytes.Equal(got, plain) {
				t.Errorf("%s: box %d: got %q, want %q", binding, i, got, plain)
			}
		}
	}
}

// FuzzSeal checks that every value opens to the same bytes, and that [ParseSealed]
// accepts the box if the value is neither empty nor too large.
func FuzzSeal(f *testing.F) {
	for _, plain := range plaintexts() {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, err := Seal(rand.Reader, parsedKey(t), secret.NewValue(plain))
		if err != nil {
			t.Fatal(err)
		}
		if got := open(t, sealed.EncryptedValue); !bytes.Equal(got, plain) {
			t.Fatalf("opened: got %.100q, want %.100q", got, plain)
		}
		_, err = ParseSealed(sealed.EncryptedValue, sealed.KeyID)
		if valid := len(plain) > 0 && len(plain) <= secret.MaxValueBytes; (err == nil) != valid {
			t.Fatalf("ParseSealed of %d bytes: got error %v, want success: %v", len(plain), err, valid)
		}
	})
}

// FuzzParse checks that only valid keys and sealed values are accepted, and that
// errors do not quote them: somebody may have pasted a plaintext.
func FuzzParse(f *testing.F) {
	public, _ := testKey(f)
	f.Add("568250167242549744", encoded(public[:]))
	f.Add("1", encoded(make([]byte, 60)))
	f.Add("", "")
	f.Add("1\n", "AAAA\nAAAA")
	f.Fuzz(func(t *testing.T, id, text string) {
		key, err := ParsePublicKey(id, text)
		checkNotQuoted(t, err, text)
		if err == nil {
			if lowOrder(key.point[:]) {
				t.Errorf("the low-order point %q is accepted as a key", text)
			}
			if got := encoded(key.point[:]); got != text {
				t.Errorf("key: got %s, want %q", got, text)
			}
			if key.ID() != id {
				t.Errorf("id of the key: got %q, want %q", key.ID(), id)
			}
		}
		sealed, err := ParseSealed(text, id)
		checkNotQuoted(t, err, text)
		if err == nil {
			raw, err := base64.StdEncoding.Strict().DecodeString(sealed.EncryptedValue)
			if err != nil {
				t.Errorf("%q is accepted as a sealed value: %v", text, err)
			}
			if len(raw) <= Overhead {
				t.Errorf("size of the accepted box: got %d bytes, want over %d", len(raw), Overhead)
			}
			if strings.ContainsAny(id+sealed.EncryptedValue, "\r\n") {
				t.Errorf("key id %q and value %q are accepted with a line break", id, sealed.EncryptedValue)
			}
			if want := strings.NewReplacer("\r", "", "\n", "").Replace(text); sealed.EncryptedValue != want {
				t.Errorf("%q: got the value %q, want %q", text, sealed.EncryptedValue, want)
			}
		}
	})
}

// checkNotQuoted checks that an error does not contain the invalid text. A short
// text may be part of the message by chance.
func checkNotQuoted(t *testing.T, err error, text string) {
	t.Helper()
	if len(text) > 12 && strings.Contains(errorText(err), text) {
		t.Errorf("got error %v, want one that does not quote %q", err, text)
	}
}

// BenchmarkSeal measures sealing, and its lower bound: the two scalar multiplications
// that every sealed box needs.
func BenchmarkSeal(b *testing.B) {
	key := parsedKey(b)
	for _, size := range []struct {
		name  string
		bytes int
	}{{"32B", 32}, {"4KiB", 4 << 10}, {"48KiB", 48 << 10}} {
		value := secret.NewValue(make([]byte, size.bytes))
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(size.bytes))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Seal(rand.Reader, key, value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("floor", func(b *testing.B) {
		public, private := testKey(b)
		for b.Loop() {
			if _, err := curve25519.X25519(private[:], curve25519.Basepoint); err != nil {
				b.Fatal(err)
			}
			if _, err := curve25519.X25519(private[:], public[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
