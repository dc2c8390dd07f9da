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

// testKey is a key pair that is no secret.
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

// plaintexts are bytes that tools like to spoil.
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
			t.Errorf("%d bytes come back as %d others", len(plain), len(got))
		}
		if sealed.KeyID != key.ID() || sealed.PublicKey != key.Base64() {
			t.Errorf("sealed to %s, %s", sealed.KeyID, sealed.PublicKey)
		}
		if n := base64.StdEncoding.DecodedLen(len(sealed.EncryptedValue)); n < len(plain)+Overhead {
			t.Errorf("a box of %d bytes is %d bytes long", len(plain), n)
		}
		if again, err := Seal(rand.Reader, key, secret.NewValue(plain)); err != nil || again.EncryptedValue == sealed.EncryptedValue {
			t.Errorf("two boxes of one value are the same, %v", err)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	if _, err := Seal(rand.Reader, PublicKey{}, secret.NewValue([]byte("x"))); err == nil {
		t.Error("sealed to no key")
	}
	if _, err := Seal(io.LimitReader(rand.Reader, 31), parsedKey(t), secret.NewValue([]byte("x"))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without enough randomness: %v", err)
	}
}

func TestParsePublicKey(t *testing.T) {
	public, _ := testKey(t)
	good := base64.StdEncoding.EncodeToString(public[:])
	// One that ends in bits that are not zero: strict decoding minds.
	loose := good[:len(good)-2] + string(good[len(good)-2]+1) + "="
	if _, err := base64.StdEncoding.DecodeString(loose); err != nil {
		t.Fatal("the loose key is no loose key")
	}
	for _, test := range []struct{ name, id, key, want string }{
		{"good", "568250167242549744", good, ""},
		{"id of letters", "key_A-1", good, ""},
		{"no id", "", good, "key_id: empty"},
		{"id with a space", "5 6", good, "key_id: has characters that no key id has"},
		{"id with a newline", "56\n", good, "key_id: has characters that no key id has"},
		{"id without end", strings.Repeat("1", 129), good, "key_id: has characters that no key id has"},
		{"no key", "1", "", "public_key: 0 bytes, not 32"},
		{"31 bytes", "1", encoded(public[:31]), "public_key: 31 bytes, not 32"},
		// As GitHub's documentation has it in its example.
		{"33 bytes", "1", encoded(append([]byte{1}, public[:]...)), "public_key: 33 bytes, not 32"},
		{"no base64", "1", "%%%", "public_key: not base64"},
		{"base64 of URLs", "1", strings.Repeat("_", 43) + "=", "public_key: not base64"},
		{"no padding", "1", strings.TrimRight(good, "="), "public_key: not base64"},
		{"loose bits", "1", loose, "public_key: not base64"},
		{"a line break inside", "1", good[:20] + "\n" + good[20:], "public_key: not base64"},
		{"a line break behind", "1", good + "\n", "public_key: not base64"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, err := ParsePublicKey(test.id, test.key)
			if errorText(err) != test.want {
				t.Errorf("got %q, want %q", errorText(err), test.want)
			}
			if key.IsZero() != (err != nil) {
				t.Errorf("a key and an error at once, or neither: %v", err)
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

// TestLowOrderPoints has every point on which a key exchange gives zero, in each
// way to write it: with the top bit, which X25519 passes over, and unreduced.
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
			if err == nil || !strings.Contains(err.Error(), "low-order") || !key.IsZero() {
				t.Errorf("%x is taken: %v", point, err)
			}
		}
	}
	if _, err := ParsePublicKey("1", encoded(curve25519.Basepoint)); err != nil {
		t.Errorf("the base point is refused: %v", err)
	}
}

func TestParseSealed(t *testing.T) {
	sized := func(n int) string { return encoded(make([]byte, n)) }
	for _, test := range []struct{ name, value, id, want string }{
		{"smallest", sized(49), "1", ""},
		{"largest", sized(48<<10 + 48), "1", ""},
		{"nothing", "", "1", "encrypted_value: 0 bytes; a sealed box has at least 48"},
		{"47 bytes", sized(47), "1", "encrypted_value: 47 bytes; a sealed box has at least 48"},
		{"an empty box", sized(48), "1", "encrypted_value: an empty value was sealed"},
		{"too large", sized(48<<10 + 49), "1", "encrypted_value: holds 49153 bytes of plaintext, GitHub stores at most 49152"},
		{"no base64", "a plaintext, pasted by mistake", "1", "encrypted_value: not base64"},
		{"a line break", sized(60)[:40] + "\r\n" + sized(60)[40:], "1", "encrypted_value: not base64"},
		{"no key id", sized(60), "", "key_id: empty"},
		{"a key id that forges a line", sized(60), "1\n::error::x", "key_id: has characters that no key id has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sealed, err := ParseSealed(test.value, test.id)
			if errorText(err) != test.want {
				t.Errorf("got %q, want %q", errorText(err), test.want)
			}
			if err == nil && (sealed.EncryptedValue != test.value || sealed.KeyID != test.id) {
				t.Errorf("comes back as %+v", sealed)
			}
		})
	}
}

// bindings are the programs of testdata, in the order of boxes.json.
var bindings = []string{"python3-nacl", "libsodium-wrappers", "ruby-rbnacl", "libsodium.so.23 by mono"}

// TestFixedBoxes opens what libsodium sealed; testdata/README.md tells how.
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
		t.Errorf("boxes of %d bindings, want %d", len(boxes), len(bindings))
	}
	for _, binding := range bindings {
		if len(boxes[binding]) != len(plaintexts()) {
			t.Fatalf("%s: %d boxes, want %d", binding, len(boxes[binding]), len(plaintexts()))
		}
		for i, plain := range plaintexts() {
			if got := open(t, boxes[binding][i]); !bytes.Equal(got, plain) {
				t.Errorf("%s: box %d holds %q, want %q", binding, i, got, plain)
			}
		}
	}
}

// FuzzSeal holds that every value comes back byte for byte, and only to whom it
// was sealed.
func FuzzSeal(f *testing.F) {
	for _, plain := range plaintexts() {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed, err := Seal(rand.Reader, parsedKey(t), secret.NewValue(plain))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(open(t, sealed.EncryptedValue), plain) {
			t.Fatal("other bytes come back")
		}
		_, err = ParseSealed(sealed.EncryptedValue, sealed.KeyID)
		if wanted := len(plain) > 0 && len(plain) <= secret.MaxValueBytes; (err == nil) != wanted {
			t.Fatalf("%d bytes, sealed and read back: %v", len(plain), err)
		}
	})
}

// FuzzParse holds that what is taken as a key or as a sealed value is one, and
// that a refusal does not quote it: a plaintext may have been pasted there.
func FuzzParse(f *testing.F) {
	public, _ := testKey(f)
	f.Add("568250167242549744", encoded(public[:]))
	f.Add("1", encoded(make([]byte, 60)))
	f.Add("", "")
	f.Add("1\n", "AAAA\nAAAA")
	f.Fuzz(func(t *testing.T, id, text string) {
		key, err := ParsePublicKey(id, text)
		if err == nil && (len(key.point) != 32 || lowOrder(key.point[:]) || encoded(key.point[:]) != text || key.ID() != id) {
			t.Fatalf("%q is taken as a key", text)
		}
		if err != nil && len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Fatalf("%v quotes what was given", err)
		}
		sealed, err := ParseSealed(text, id)
		if err == nil {
			raw, decodeErr := base64.StdEncoding.Strict().DecodeString(sealed.EncryptedValue)
			if decodeErr != nil || len(raw) <= Overhead || strings.ContainsAny(id+text, "\r\n") {
				t.Fatalf("%q of %q is taken", text, id)
			}
		} else if len(text) > 12 && strings.Contains(err.Error(), text) {
			t.Fatalf("%v quotes what was given", err)
		}
	})
}

// BenchmarkSeal measures sealing beside its floor: the two scalar
// multiplications that every sealed box takes.
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
