//go:build interop

package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"set-org-secret/internal/secret"
)

var makeBoxes = flag.Bool("make-boxes", false, "write testdata/boxes.json")

// TestLibsodium checks that each binding of libsodium opens boxes of [Seal], and that
// its own boxes open here, up to the largest value that GitHub stores.
func TestLibsodium(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "libsodium.exe")
	if out, err := exec.Command("mcs", "-out:"+exe, "testdata/libsodium.cs").CombinedOutput(); err != nil {
		t.Fatalf("mcs: %v\n%s", err, out)
	}
	commands := [][]string{
		{"/usr/bin/python3", "testdata/libsodium.py"},
		{"node", "testdata/libsodium.js"},
		{"/usr/bin/ruby", "testdata/libsodium.rb"},
		{"mono", exe},
	}
	public, private := testKey(t)
	boxes := map[string][]string{}
	for i, binding := range bindings {
		t.Run(binding, func(t *testing.T) {
			largest := make([]byte, secret.MaxValueBytes)
			_, _ = rand.Read(largest)
			plains := append(plaintexts(), largest)
			var clear, boxed []string
			for _, plain := range plains {
				clear, boxed = append(clear, encoded(plain)), append(boxed, sealed(t, plain).EncryptedValue)
			}
			for j, opened := range call(t, commands[i], "open", private[:], boxed) {
				if opened != clear[j] {
					t.Errorf("libsodium opens box %d: got %.100s, want %.100s", j, opened, clear[j])
				}
			}
			theirs := call(t, commands[i], "seal", public[:], clear)
			for j, plain := range plains {
				if got := open(t, theirs[j]); !bytes.Equal(got, plain) {
					t.Errorf("box %d of libsodium: got %.100q, want %.100q", j, got, plain)
				}
			}
			boxes[binding] = theirs[:len(plaintexts())]
		})
	}
	if *makeBoxes {
		text, err := json.MarshalIndent(boxes, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/boxes.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// call runs a program with one line of input for each value, and returns its lines.
func call(t *testing.T, command []string, verb string, key []byte, lines []string) []string {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], verb, base64.StdEncoding.EncodeToString(key))...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command[0], err, stderr.String())
	}
	got := strings.Fields(string(out))
	if len(got) != len(lines) {
		t.Fatalf("%s: got %d lines, want %d", command[0], len(got), len(lines))
	}
	return got
}
