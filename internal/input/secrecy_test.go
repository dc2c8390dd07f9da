package input

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// misplaced is a value that is no name, no path and no token, of which no message has
// five characters in a row.
const misplaced = "Qz7-Vk2!Xw9#Jm4q+Bn5T"

// misplacedIn has documents with M for a value, in each place where a slip can put it.
var misplacedIn = []string{
	"M", "M\n", "\"M\"", "'M'", "M=", "M==", "M=x", "=M", "A=M", "A=M=", "A= M", "A=M ", "A=\"M", "A='M'", "A=M # c", "A=\"M\" M",
	"A=x#M", "A=$M", "A=${M}", "A=\"\\qM\"", "export A=M", "export M", "# M", " M=x", "M =x", "A: M", "- M: x", "A=x\nM", "A=x\nA=M",
	"M\r\nA=x", "A=M\r\nB=x", "A=x\rM", "A=\x00M", "A=M\xff", "\xffM=x", "A=***M", "A=M***", "A=op://M", "op://M", "ENC[M]",
	"A<<M\nx", "A<<M\nx\nM", "M<<E\nx\nE", "A<<E\nM\nE", "A<<E\nM", "A<<M\nx\nM\r", "A<<\nM", "A<<E\nM\n!M!\nE",
	"${{ M }}", "A=${{ M }}", "-----BEGIN M-----\nM\n-----END M-----", "-----BEGIN M----- M -----END M-----", "M\n#9!$%&/()=?x^",
	`{"A": "M"}`, `{"M": "x"}`, `{"M": "A"}`, `{"M": ""}`, `{"M": 1}`, `{"M": {"M": "M"}}`, `{"A": {"M": "M"}}`, `{"A": ["M"]}`,
	`{"A": M}`, `{M: "x"}`, `{"M"`, `{"M": "x"`, `{"A": "M`, `{"A": "M", }`, `{"A": "x"} M`, `{"A": "x", "A": "M"}`,
	`{"M": "x", "M": "y"}`, `{"A": "\ud83dM"}`, `{"A": "M***"}`, `{"type": "service_account", "M": "M"}`, `["M"]`, `[{"name": "M", "value": "M"}]`,
	`{"A": ` + strings.Repeat("[", 101) + `"M"` + strings.Repeat("]", 101) + "}",
}

// TestSecretsAreNotQuoted gives a value in every wrong place, in each input that holds
// secrets or says where they are, and checks that no message has a part of it.
func TestSecretsAreNotQuoted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	inFile := func(t *testing.T, text string) string {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	documents := []string{base64.StdEncoding.EncodeToString([]byte(misplaced)), utf16Text(misplaced), misplaced + "\xfe"}
	for _, text := range misplacedIn {
		documents = append(documents, strings.ReplaceAll(text, "M", misplaced))
	}
	for _, text := range documents {
		for _, with := range []map[string]string{
			{"secret_value": text},
			{"secret_file": inFile(t, text)},
			{"secrets": text},
			{"secrets": text, "secret_name": "A, B"},
			{"secrets": text, "secrets_format": "dotenv"},
			{"secrets_file": inFile(t, text)},
			{"secrets_file": inFile(t, text), "secrets_format": "dotenv", "secret_name": "B"},
			{"encrypted_value": text},
			{"encrypted_value": text, "key_id": "568"},
			{"token": text},
			{"token": text, "secret_value": "x" + text},
			{"ca_certificate": inFile(t, text)},
		} {
			wantNotQuoted(t, with, text)
		}
	}
	for _, name := range []string{"secret_file", "secrets_file", "ca_certificate"} {
		for _, path := range []string{misplaced, misplaced + "\n" + misplaced, "A=" + misplaced, strings.Repeat(misplaced, 50)} {
			wantNotQuoted(t, map[string]string{name: path}, path)
		}
	}
}

// wantNotQuoted checks that no message has five characters in a row of a value that
// the inputs have in the wrong place, as it is or in base64.
func wantNotQuoted(t *testing.T, with map[string]string, text string) {
	t.Helper()
	r := read(t, with)
	messages := texts(r) + strings.Join(r.Warnings, "\n") + strings.Join(r.Notes, "\n")
	for _, value := range []string{misplaced, base64.StdEncoding.EncodeToString([]byte(misplaced))} {
		for i := range len(value) - 4 {
			if part := value[i : i+5]; strings.Contains(messages, part) {
				t.Errorf("%q: got the messages %q, want them without %q of %q", with, messages, part, text)
				return
			}
		}
	}
}

func utf16Text(text string) string {
	var b strings.Builder
	b.WriteString("\xff\xfe")
	for _, unit := range utf16.Encode([]rune(text)) {
		b.Write([]byte{byte(unit), byte(unit >> 8)})
	}
	return b.String()
}
