package seal

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"

	"set-org-secret/internal/golden"
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

func sealed(tb testing.TB, plain []byte) secret.Sealed {
	tb.Helper()
	s, err := Seal(rand.Reader, parsedKey(tb), secret.NewValue(plain))
	if err != nil {
		tb.Fatal(err)
	}
	return s
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

// plaintexts are values that tools often change, such as line ends and non-ASCII bytes.
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

// TestSeal checks that a sealed value names its key, and that two boxes of one value differ.
func TestSeal(t *testing.T) {
	first, second := sealed(t, []byte("x")), sealed(t, []byte("x"))
	if first.EncryptedValue == second.EncryptedValue {
		t.Errorf("two boxes of one value: got %s twice, want different ones", first.EncryptedValue)
	}
	key := parsedKey(t)
	want := secret.Sealed{KeyID: key.ID(), PublicKey: key.Base64(), EncryptedValue: first.EncryptedValue}
	if first != want {
		t.Errorf("got %+v, want %+v", first, want)
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

const invalidID = "key_id: must have only letters, digits, _ and -"

func TestKeyIDs(t *testing.T) {
	ids := map[string]string{
		"": "key_id: empty", "\xff": invalidID, strings.Repeat("1", 128): "",
		strings.Repeat("1", 129): "key_id: must be at most 128 characters",
	}
	for r := range rune(0x250) {
		ids["1"+string(r)+"2"] = invalidID
		if r == '-' || r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			ids["1"+string(r)+"2"] = ""
		}
	}
	for id, want := range ids {
		if got := errorText(checkKeyID(id)); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}

// TestParse parses the keys and the sealed values of testdata/parse.txtar.
func TestParse(t *testing.T) {
	golden.CompareTexts(t, "parse.txtar", map[string]func(text string) string{
		"public key": func(text string) string {
			id, text, _ := strings.Cut(text, " ")
			key, err := ParsePublicKey(id, text)
			if got, want := key.IsZero(), err != nil; got != want {
				t.Errorf("%s: IsZero: got %v, want %v with error %v", text, got, want, err)
			}
			return cmp.Or(errorText(err), "valid")
		},
		"sealed value": func(text string) string {
			fields := strings.SplitN(text, " ", 3)
			given := secret.Sealed{KeyID: fields[0], PublicKey: fields[1], EncryptedValue: fields[2]}
			sealed, err := ParseSealed(given)
			given.EncryptedValue = strings.NewReplacer("\r", "", "\n", "").Replace(given.EncryptedValue)
			if err == nil && sealed != given {
				t.Errorf("got %+v, want %+v", sealed, given)
			}
			return cmp.Or(errorText(err), "valid")
		},
	})
}

func encoded(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestLowOrderPoints checks that every point with which a key exchange gives zero is rejected, in each encoding: with
// the top bit, which X25519 ignores, and unreduced.
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

// FuzzSeal checks that every value opens to the same bytes, and that [ParseSealed] accepts the box if the value is
// neither empty nor too large.
func FuzzSeal(f *testing.F) {
	largest := make([]byte, secret.MaxValueBytes)
	for _, plain := range append(plaintexts(), nil, largest, append(largest, 0)) {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		s := sealed(t, plain)
		if got := open(t, s.EncryptedValue); !bytes.Equal(got, plain) {
			t.Fatalf("opened: got %.100q, want %.100q", got, plain)
		}
		_, err := ParseSealed(s)
		if valid := len(plain) > 0 && len(plain) <= secret.MaxValueBytes; (err == nil) != valid {
			t.Fatalf("ParseSealed of %d bytes: got error %v, want success: %v", len(plain), err, valid)
		}
	})
}

// FuzzParse checks that only valid keys and sealed values are accepted, and that errors do not quote them: somebody
// may have pasted a plaintext.
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
			if got, want := [2]string{key.ID(), encoded(key.point[:])}, [2]string{id, text}; got != want {
				t.Errorf("got the id and the key %q, want %q", got, want)
			}
		}
		sealed, err := ParseSealed(secret.Sealed{KeyID: id, EncryptedValue: text})
		checkNotQuoted(t, err, text)
		if err == nil {
			want := secret.Sealed{KeyID: id, EncryptedValue: strings.NewReplacer("\r", "", "\n", "").Replace(text)}
			if sealed != want {
				t.Errorf("got %+v, want %+v", sealed, want)
			}
			if strings.ContainsAny(id, "\r\n") {
				t.Errorf("the key id %q is accepted with a line break", id)
			}
			raw, err := base64.StdEncoding.Strict().DecodeString(sealed.EncryptedValue)
			if err != nil {
				t.Errorf("%q is accepted as a sealed value: %v", text, err)
			}
			if len(raw) <= Overhead {
				t.Errorf("size of the accepted box: got %d bytes, want over %d", len(raw), Overhead)
			}
		}
	})
}

// checkNotQuoted checks that an error does not contain the invalid text. A short text may be part of it by chance.
func checkNotQuoted(t *testing.T, err error, text string) {
	t.Helper()
	if len(text) > 12 && strings.Contains(errorText(err), text) {
		t.Errorf("got error %v, want one that does not quote %q", err, text)
	}
}

// BenchmarkSeal measures sealing, and its lower bound: the two scalar multiplications that every sealed box needs.
func BenchmarkSeal(b *testing.B) {
	key := parsedKey(b)
	for _, size := range []int{32, 4 << 10, 48 << 10} {
		value := secret.NewValue(make([]byte, size))
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			b.SetBytes(int64(size))
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
			for _, point := range [][]byte{curve25519.Basepoint, public[:]} {
				if _, err := curve25519.X25519(private[:], point); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
