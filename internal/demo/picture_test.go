package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"fmt"
	"image/png"
	"math/big"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/memnet"
)

// out is the directory into which TestPictures writes, for .ci/summary to render.
var out = flag.String("out", "", "the `directory` into which TestPictures writes the texts")

// TestPictures checks that the pictures of the README show the log and the job summaries that the action writes
// today. A picture contains the hash of its text. They are made again with
//
//	.ci/summary -update
func TestPictures(t *testing.T) {
	success := rotate(t)
	failure := rotate(t, fakegithub.Fault{
		Method: http.MethodPut, Path: "/actions/secrets/DB_PASSWORD", Status: http.StatusServiceUnavailable, Times: -1,
	})
	for name, text := range map[string]string{
		"log": "```text\n" + strings.Join(success.log, "\n") + "\n```\n", "summary": success.summary, "failure": failure.summary,
	} {
		if *out != "" {
			if err := os.WriteFile(filepath.Join(*out, name+".md"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, file := range []string{name + ".png", name + "-dark.png"} {
			wantPicture(t, filepath.Join("..", "..", ".github", "docs", file), text)
		}
	}
}

// wantPicture checks that a file is a small picture of a text.
func wantPicture(t *testing.T, path, text string) {
	t.Helper()
	const again = "make it again: .ci/summary -update"
	file, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v; %s", err, again)
		return
	}
	if _, err := png.Decode(bytes.NewReader(file)); err != nil {
		t.Errorf("%s: %v; %s", path, err, again)
	}
	if !bytes.Contains(file, fmt.Appendf(nil, "sha256:%x", sha256.Sum256([]byte(text)))) {
		t.Errorf("%s shows another text; %s. Now it is:\n%s", path, again, text)
	}
	if len(file) > 150_000 {
		t.Errorf("%s has %d bytes, want at most 150,000", path, len(file))
	}
}

// rotate stores a secret in simulated time, in a fake that is api.github.com to the action. faults come before those
// of rotationWorld. Nothing in the result is random.
func rotate(t *testing.T, faults ...fakegithub.Fault) (r stepResult) {
	t.Helper()
	const value = "Correct-Horse"
	dir := t.TempDir() // that of a bubble would be removed at its end
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 7, 28, 3, 17, 0, 0, time.UTC)))
		world := rotationWorld()
		world.Faults = append(faults, world.Faults...)
		world.Rand = mathrand.NewChaCha8([32]byte{1})
		github, err := fakegithub.New(world)
		if err != nil {
			t.Fatal(err)
		}
		cert, ca := certificate(t, "api.github.com")
		network := memnet.ServeTLS(github, cert)
		defer network.Close()
		env := action.System()
		env.Rand, env.Jitter, env.Proxy, env.Dial = mathrand.NewChaCha8([32]byte{}), noJitter, nil, network.Dial
		j := job{dir: dir, env: env, runner: fakerunner.New()}
		r, err = j.run(map[string]string{
			"org": "acme", "secret_name": "DB_PASSWORD", "secret_value": value, "token": writeToken,
			"api_url": "https://api.github.com", "ca_certificate": ca,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	if place := r.find(value); place != "" {
		t.Fatalf("the value is in %s", place)
	}
	return r
}

// certificate returns a certificate for a host and, in PEM, its authority.
func certificate(t *testing.T, host string) (cert tls.Certificate, ca string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(nil, &template, &template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, ca
}
