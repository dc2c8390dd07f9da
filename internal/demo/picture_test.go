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
	"set-org-secret/internal/picture"
)

// nightlyWorld is rotationWorld with the secrets of a nightly run and a repository that the token cannot see.
// Responses to writes take different times, so that the order of the lines in the log is the same in each run.
func nightlyWorld() fakegithub.World {
	old := func(name, visibility string, repositories ...string) fakegithub.Secret {
		return fakegithub.Secret{
			Store: "actions", Name: name, Value: "old", Visibility: visibility, Repositories: repositories,
		}
	}
	put := func(name string, delay time.Duration, fault fakegithub.Fault) fakegithub.Fault {
		fault.Method, fault.Path, fault.Delay = http.MethodPut, "/actions/secrets/"+name, fakegithub.Duration(delay)
		return fault
	}
	world := rotationWorld()
	org := &world.Orgs[0]
	org.Repositories = append(org.Repositories, fakegithub.Repository{ID: 105, Name: "billing", Private: true})
	org.Secrets = []fakegithub.Secret{
		old("DB_PASSWORD", "selected", "web", "api", "worker"), old("DEPLOY_KEY", "selected", "web", "docs"),
		old("NPM_TOKEN", "all"), old("PAYMENT_KEY", "selected", "api", "billing"),
	}
	world.Tokens = []fakegithub.Token{{
		Value: writeToken, Kind: "app", Permissions: map[string]string{"organization_secrets": "write"},
		Repositories: []string{"web", "api", "worker", "docs"},
	}}
	world.Faults = []fakegithub.Fault{
		put("DB_PASSWORD", 30*time.Millisecond, fakegithub.Fault{Status: http.StatusBadGateway}),
		put("DEPLOY_KEY", 50*time.Millisecond, fakegithub.Fault{}),
		put("NPM_TOKEN", 70*time.Millisecond, fakegithub.Fault{}),
		put("SENTRY_DSN", 90*time.Millisecond, fakegithub.Fault{RotateKey: true}),
	}
	world.Rand = mathrand.NewChaCha8([32]byte{1})
	return world
}

var (
	update      = flag.Bool("update", false, "rewrite .github/docs/log.svg")
	summaryFile = flag.String("summary", "", "the `file` into which TestSummaryPicture writes the job summary")
)

// docs has the pictures of the documentation.
var docs = filepath.Join("..", "..", ".github", "docs")

// TestPictures checks that the picture of the log is that of today's log, byte for byte. It is rewritten with
//
//	go test ./internal/demo -run TestPictures -update
func TestPictures(t *testing.T) {
	r := nightly(t)
	path := filepath.Join(docs, "log.svg")
	want := picture.Log("Store the rotated secrets", r.code != 0, r.took, r.log)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("log.svg is out of date: go test ./internal/demo -run TestPictures -update")
	}
	if len(want) > 40_000 {
		t.Errorf("log.svg has %d bytes, want at most 40,000", len(want))
	}
}

// TestSummaryPicture checks that the picture of the job summary was made of the summary that the action writes
// today. It is a screenshot, whose bytes depend on the browser, so it names the hash of the summary instead. It is
// made again with
//
//	.ci/summary -update
//
// which gets the summary with -summary.
func TestSummaryPicture(t *testing.T) {
	r := nightly(t)
	if *summaryFile != "" {
		if err := os.WriteFile(*summaryFile, []byte(r.summary), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	const again = "make it again: .ci/summary -update"
	file, err := os.ReadFile(filepath.Join(docs, "summary.png"))
	if err != nil {
		t.Fatalf("%v; %s", err, again)
	}
	if _, err := png.Decode(bytes.NewReader(file)); err != nil {
		t.Errorf("summary.png: %v; %s", err, again)
	}
	// https://www.w3.org/TR/png-3/#11tEXt
	source := fmt.Sprintf("tEXtSource\x00sha256:%x", sha256.Sum256([]byte(r.summary)))
	if !bytes.Contains(file, []byte(source)) {
		t.Errorf("summary.png lacks %q, so it shows another summary; %s", source, again)
	}
	if len(file) > 300_000 {
		t.Errorf("summary.png has %d bytes, want at most 300,000", len(file))
	}
}

// nightly runs a batch in simulated time, against a fake that is api.github.com to it. Nothing in its result is
// random.
func nightly(t *testing.T) (r stepResult) {
	t.Helper()
	dir := t.TempDir() // that of a bubble would be removed at its end
	file := filepath.Join(dir, "rotated.env")
	var batch strings.Builder
	for i, name := range []string{"DB_PASSWORD", "DEPLOY_KEY", "NPM_TOKEN", "PAYMENT_KEY", "SENTRY_DSN"} {
		fmt.Fprintf(&batch, "%s=Correct-Horse-%d\n", name, i)
	}
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		github, err := fakegithub.New(nightlyWorld())
		if err != nil {
			t.Fatal(err)
		}
		cert, ca := certificate(t, "api.github.com")
		network := memnet.ServeTLS(github, cert)
		defer network.Close()
		env := action.System()
		env.Rand, env.Jitter, env.Proxy, env.Dial = mathrand.NewChaCha8([32]byte{}), nil, nil, network.Dial
		j := job{dir: dir, env: env, runner: fakerunner.New(), base: map[string]string{
			"org": "acme", "api_url": "https://api.github.com", "ca_certificate": ca,
		}}
		if r, err = j.run(map[string]string{"secrets_file": file, "token": writeToken}); err != nil {
			t.Fatal(err)
		}
	})
	if place := r.find("Correct-Horse"); place != "" {
		t.Fatalf("a value is in %s", place)
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
