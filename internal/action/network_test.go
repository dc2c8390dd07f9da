package action

import (
	"bytes"
	"cmp"
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
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http/httpproxy"

	"set-org-secret/internal/fakegithub"
)

// corp is a company network: a GitHub Enterprise Server with a certificate of the
// company's own authority, and a proxy, the only one that can resolve its name.
type corp struct {
	github   *fakegithub.Server
	proxy    string // address
	password string // of the proxy, or empty
	broken   bool   // the proxy returns 503
	tunnels  atomic.Int32
	ca       string            // PEM
	leaf     leaf              // the certificate of the server
	change   func(*tls.Config) // of the server; nil for none
}

// leaf is a kind of certificate of a server.
type leaf int

const (
	usual        leaf = iota
	withRSA           // its key is one of RSA
	withNegative      // its serial number is negative
	truncated         // it cannot be parsed
)

const corpHost = "github.corp.test"

// start starts the server and the proxy.
func (c *corp) start(t *testing.T, maxTLS uint16) {
	t.Helper()
	c.github = newGitHub(t, fakegithub.World{BasePath: "/api/v3", GHES: true})
	config := &tls.Config{Certificates: []tls.Certificate{c.certificate(t)}, MinVersion: tls.VersionTLS10, MaxVersion: maxTLS}
	if c.change != nil {
		c.change(config)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.github, ErrorLog: log.New(io.Discard, "", 0)} // handshakes fail on purpose
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		want := ""
		if c.password != "" {
			want = "Basic " + base64.StdEncoding.EncodeToString([]byte("bot:"+c.password))
		}
		if req.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		if c.broken {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "<html>Out of order</html>")
			return
		}
		if req.Method != http.MethodConnect || req.Host != corpHost+":443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		c.tunnels.Add(1)
		tunnel(w, listener.Addr().String())
	}))
	proxy.Config.ErrorLog = server.ErrorLog
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
	// what the client sends next.
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
	if c.leaf == withRSA {
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
	switch c.leaf {
	case withNegative:
		der = withNegativeSerial(t, der, key)
	case truncated:
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

// run runs the action in the company network. No name is found, so that corpHost is
// reachable through the proxy only.
func (c *corp) run(t *testing.T, printed *transcript, proxy string, with map[string]string) result {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ca.pem"), c.ca)
	all := map[string]string{
		"api_url": "https://" + corpHost + "/api/v3", "token": "ghp_corp", "ca_certificate": c.ca,
		"secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse", "timeout": "2s",
	}
	maps.Copy(all, with)
	config := httpproxy.Config{HTTPSProxy: proxy}
	r := stepRun{
		with: all, dir: dir, env: map[string]string{"HTTPS_PROXY": proxy},
		proxy: func(req *http.Request) (*url.URL, error) { return config.ProxyFunc()(req.URL) },
		dial:  dial,
	}.run(t.Context(), t)
	printed.add(r.stdout)
	if c.password != "" {
		wantLacks(t, "the log", r.stdout, "Sesame")
	}
	return r
}

// sesame is the password of the proxy.
const sesame = "Sesame-Open"

// networkTests are runs in the company network.
var networkTests = []struct {
	name    string
	maxTLS  uint16
	leaf    leaf
	change  func(*tls.Config)
	godebug string
	locked  bool // the proxy has a password
	broken  bool
	proxy   string            // * stands for the proxy's address
	with    map[string]string // besides the certificate of the authority; * in api_url as well
	want    []string          // in the log of a run that fails; nil if it succeeds
	retries bool
}{
	{name: "ca_certificate as text"},
	{name: "ca_certificate as a path", with: map[string]string{"ca_certificate": "ca.pem"}},
	{name: "an unknown authority", with: map[string]string{"ca_certificate": ""}, want: []string{
		`the server's certificate is issued by "CN=Corp Root", which is not trusted here`,
		"Add that authority's certificate in ca_certificate",
	}},
	{name: "TLS 1.1", maxTLS: tls.VersionTLS11, want: []string{"protocol version", "support TLS 1.2, the minimum here"}},
	{name: "RSA key exchange", leaf: withRSA, change: onlyRSAKeyExchange, want: []string{
		"reading the public key: remote error: tls: handshake failure",
		"knows only RSA key exchange, update it; until then set `GODEBUG: tlsrsakex=1` in the env of this step.",
	}},
	{name: "RSA key exchange, GODEBUG", leaf: withRSA, change: onlyRSAKeyExchange, godebug: "tlsrsakex=1"},
	{name: "a negative serial number", leaf: withNegative, want: []string{
		"tls: failed to parse certificate from server: x509: negative serial number",
		"until then set `GODEBUG: x509negativeserial=1` in the env of this step.",
	}},
	{name: "a negative serial number, GODEBUG", leaf: withNegative, godebug: "x509negativeserial=1"},
	{name: "a certificate that cannot be parsed", leaf: truncated, want: []string{
		"tls: failed to parse certificate from server: x509: malformed certificate", "Replace the certificate.",
	}},
	{
		name: "a certificate of the client", change: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert },
		want: []string{"remote error: tls: certificate required", "Check api_url, and the TLS settings of the server"},
	},
	{name: "HTTP for HTTPS", with: map[string]string{"api_url": "https://*/api/v3"}, want: []string{
		"http: server gave HTTP response to HTTPS client", "Check api_url: its host and port must serve HTTPS.",
	}},
	{name: "HTTP for HTTPS, the proxy", proxy: "https://*", want: []string{
		"proxyconnect tcp: tls: first record does not look like a TLS handshake", "Begin HTTPS_PROXY with `http://`",
	}},
	{name: "a password of the proxy", locked: true, proxy: "http://bot:" + sesame + "@*"},
	{
		name: "a wrong password", locked: true, proxy: "http://bot:wrong-" + sesame + "@*",
		want: []string{"the proxy returned 407 Proxy Authentication Required", "The proxy requires credentials"},
	},
	{
		name: "a proxy that is no URL", locked: true, proxy: "http://bot:" + sesame + "@%zz",
		want: []string{"environment variable HTTPS_PROXY: not a proxy URL"},
	},
	{
		name: "a password that is not encoded", locked: true, proxy: "http://bot:12#" + sesame + "@*",
		want: []string{"not a proxy URL such as", "in its password, percent-encode all but letters and digits"},
	},
	{
		name: "a host that the proxy does not allow",
		with: map[string]string{"api_url": "https://other.corp.test/api/v3"},
		want: []string{"the proxy returned 403 Forbidden", "The proxy must allow other.corp.test."},
	},
	{name: "a proxy that is out of order", broken: true, with: map[string]string{"timeout": "100ms"}, retries: true, want: []string{
		"the proxy returned 503 Service Unavailable; retrying in 0.1 s",
		"reading the public key: the proxy returned 503 Service Unavailable",
		"Check HTTPS_PROXY and NO_PROXY of the runner",
	}},
	{
		name: "a proxy that cannot be reached", proxy: "http://proxy.corp.test:3128", with: map[string]string{"timeout": "100ms"}, retries: true,
		want: []string{
			"cannot connect to the proxy (dial tcp: lookup proxy.corp.test", "no such host); retrying in 0.1 s",
			"Check api_url, HTTPS_PROXY and NO_PROXY of the runner, and the DNS servers of the container.",
		},
	},
	{
		name: "a host that cannot be found", with: map[string]string{"timeout": "100ms"}, retries: true, proxy: "none",
		want: []string{"cannot connect to github.corp.test (dial tcp: lookup github.corp.test", "no such host)"},
	},
}

// testNetwork runs the action through a company network, with real handshakes and
// a real CONNECT. That the program takes the proxy of its own environment, in either
// case, and NO_PROXY, is tested by [TestProcess].
func testNetwork(t *testing.T, printed *transcript) {
	for _, test := range networkTests {
		t.Run(test.name, func(t *testing.T) {
			c := &corp{broken: test.broken, leaf: test.leaf, change: test.change}
			if test.locked {
				c.password = sesame
			}
			c.start(t, cmp.Or(test.maxTLS, tls.VersionTLS13))
			if test.godebug != "" {
				t.Setenv("GODEBUG", test.godebug)
			}
			with := maps.Clone(test.with)
			if address, ok := with["api_url"]; ok {
				with["api_url"] = strings.Replace(address, "*", c.proxy, 1)
			}
			proxy := strings.TrimPrefix(cmp.Or(test.proxy, "http://*"), "none")
			r := c.run(t, printed, strings.Replace(proxy, "*", c.proxy, 1), with)
			r.wantCode(t, min(len(test.want), 1))
			wantContains(t, "the log", r.stdout, test.want...)
			wantEqual(t, "retried", strings.Contains(r.stdout, "retrying"), test.retries)
			s, _ := c.github.Secret("acme", "actions", "DB_PASSWORD")
			if len(test.want) == 0 {
				wantEqual(t, "the stored value", s.Value, "Correct-Horse")
				return
			}
			// The key and the existing secret are read concurrently.
			wantAtMost(t, "tunnels", int(c.tunnels.Load()), 2)
		})
	}
}

func onlyRSAKeyExchange(c *tls.Config) {
	c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
}
