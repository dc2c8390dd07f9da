package action

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/http/httpproxy"

	"set-org-secret/internal/fakegithub"
)

// corp is a company network: a GitHub Enterprise Server with a certificate of the
// company's own authority, and a proxy, the only one that can resolve its name.
type corp struct {
	kind    string // one of corpKinds
	github  *fakegithub.Server
	proxy   string // address
	tunnels atomic.Int32
	ca      string // PEM
}

// corpKinds are the peculiarities of company networks: in the server's TLS, the
// server's certificate, or the proxy.
var corpKinds = []string{
	"usual", "tls-1.1", "rsa-key-exchange", "client-certificate", "negative-serial", "truncated-certificate",
	"proxy-password", "broken-proxy",
}

const corpHost = "github.corp.test"

// startCorp is the command corp KIND: the runs after it are in a company network of that
// kind, with real handshakes and a real CONNECT, and in real time. PROXY is the address of
// its proxy.
func startCorp(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 || !slices.Contains(corpKinds, args[0]) {
		ts.Fatalf("usage: corp KIND, one of %q", corpKinds)
	}
	state := ts.Value(stateKey).(*scriptState)
	c := &corp{kind: args[0]}
	c.start(state.t)
	state.server, state.run = c.github, c.run
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), []byte(c.ca), 0o600))
	ts.Setenv("PROXY", c.proxy)
	ts.Setenv("HTTPS_PROXY", "http://"+c.proxy)
	ts.Setenv("GODEBUG", "")
	ts.Setenv("INPUT_API_URL", "https://"+corpHost+"/api/v3")
	ts.Setenv("INPUT_CA_CERTIFICATE", c.ca)
	ts.Setenv("INPUT_TIMEOUT", "2s")
}

// run runs a step in the company network. No name is found, so that corpHost is
// reachable through the proxy only.
func (c *corp) run(t *testing.T, s stepRun) result {
	t.Helper()
	t.Setenv("GODEBUG", s.env["GODEBUG"])
	config := httpproxy.Config{HTTPSProxy: s.env["HTTPS_PROXY"]}
	s.proxy = func(req *http.Request) (*url.URL, error) { return config.ProxyFunc()(req.URL) }
	s.dial = dial
	c.tunnels.Store(0)
	r := s.run(t.Context(), t)
	if r.code != 0 { // the key and the existing secret are read concurrently
		wantAtMost(t, "tunnels", int(c.tunnels.Load()), 2)
	}
	return r
}

// start starts the server and the proxy.
func (c *corp) start(t *testing.T) {
	t.Helper()
	c.github = newGitHub(t, fakegithub.World{BasePath: "/api/v3", GHES: true})
	config := &tls.Config{Certificates: []tls.Certificate{c.certificate(t)}, MinVersion: tls.VersionTLS10}
	switch c.kind {
	case "tls-1.1":
		config.MaxVersion = tls.VersionTLS11
	case "rsa-key-exchange":
		config.MaxVersion, config.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
	case "client-certificate":
		config.ClientAuth = tls.RequireAnyClientCert
	}
	noLog := log.New(io.Discard, "", 0) // handshakes fail on purpose
	server := httptest.NewUnstartedServer(c.github)
	server.Listener = tls.NewListener(server.Listener, config)
	server.Config.ErrorLog = noLog
	server.Start()
	t.Cleanup(server.Close)

	credentials := ""
	if c.kind == "proxy-password" {
		credentials = "Basic " + base64.StdEncoding.EncodeToString([]byte("bot:Sesame-Open"))
	}
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case req.Header.Get("Proxy-Authorization") != credentials:
			w.WriteHeader(http.StatusProxyAuthRequired)
		case c.kind == "broken-proxy":
			http.Error(w, "<html>Out of order</html>", http.StatusServiceUnavailable)
		case req.Method != http.MethodConnect || req.Host != corpHost+":443":
			w.WriteHeader(http.StatusForbidden)
		default:
			c.tunnels.Add(1)
			tunnel(w, server.Listener.Addr().String())
		}
	}))
	proxy.Config.ErrorLog = noLog
	proxy.Start()
	t.Cleanup(proxy.Close)
	c.proxy = proxy.Listener.Addr().String()
}

func tunnel(w http.ResponseWriter, addr string) {
	to, err := net.Dial("tcp", addr)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = to.Close() }()
	// The connection is hijacked before the response, because the server would read
	// the next bytes of the client.
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = from.Close() }()
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(to, buffered); _ = to.Close() }()
	_, _ = io.Copy(from, to)
}

// certificate returns a certificate for corpHost, of an authority with the same key.
func (c *corp) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer := crypto.Signer(key)
	if c.kind == "rsa-key-exchange" {
		if signer, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
	}
	create := func(names ...string) []byte {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(0x42), Subject: pkix.Name{CommonName: "Corp Root"}, DNSNames: names,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	c.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: create()}))
	der := create(corpHost)
	switch c.kind {
	case "negative-serial":
		der = withNegativeSerial(t, der, key)
	case "truncated-certificate":
		der = der[:len(der)-1]
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: signer}
}

// withNegativeSerial returns a certificate with the serial number 0xc2, which is
// negative, for one with 0x42. [x509.CreateCertificate] makes none.
func withNegativeSerial(t *testing.T, der []byte, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	var cert struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		t.Fatal(err)
	}
	cert.TBS.FullBytes = bytes.Replace(cert.TBS.FullBytes, []byte{2, 1, 0x42}, []byte{2, 1, 0xc2}, 1)
	hash := sha256.Sum256(cert.TBS.FullBytes)
	signature, err := ecdsa.SignASN1(rand.Reader, by, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	cert.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	if der, err = asn1.Marshal(cert); err != nil {
		t.Fatal(err)
	}
	return der
}

// dial finds no name.
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, _, _ := net.SplitHostPort(addr); net.ParseIP(host) == nil {
		err := &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}
