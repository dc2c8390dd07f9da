package action

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
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
	ca       string // PEM
}

const corpHost = "github.corp.test"

// start starts the server and the proxy.
func (c *corp) start(t *testing.T, maxTLS uint16) {
	t.Helper()
	c.github = newGitHub(t, fakegithub.World{BasePath: "/api/v3", GHES: true})
	server := httptest.NewUnstartedServer(c.github)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c.certificate(t)}, MinVersion: tls.VersionTLS10, MaxVersion: maxTLS}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	server.StartTLS()
	t.Cleanup(server.Close)

	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
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
		tunnel(w, server.Listener.Addr().String())
	}))
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

// certificate returns a certificate for corpHost, of an authority that it creates.
func (c *corp) certificate(t *testing.T) tls.Certificate {
	t.Helper()
	sign := func(template, parent *x509.Certificate, key *ecdsa.PrivateKey, by *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Corp Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	rootKey, key := newKey(), newKey()
	root := sign(authority, authority, rootKey, rootKey)
	c.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))
	leaf := sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: corpHost}, DNSNames: []string{corpHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, authority, key, rootKey)
	return tls.Certificate{Certificate: [][]byte{leaf}, PrivateKey: key}
}

// run runs the action in the company network. Only loopback can be dialled, so
// that corpHost is reachable through the proxy only.
func (c *corp) run(t *testing.T, printed *transcript, proxy string, with map[string]string) result {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(c.ca), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"api_url": "https://" + corpHost + "/api/v3", "token": "ghp_corp", "ca_certificate": c.ca,
		"secret_name": "DB_PASSWORD", "secret_value": "Correct-Horse", "timeout": "2s",
	}
	maps.Copy(all, with)
	config := httpproxy.Config{HTTPSProxy: proxy}
	r := stepRun{
		with: all, dir: dir, env: map[string]string{"HTTPS_PROXY": proxy},
		proxy: func(req *http.Request) (*url.URL, error) { return config.ProxyFunc()(req.URL) },
		dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !strings.HasPrefix(addr, "127.0.0.1:") {
				return nil, errors.New("dial " + addr + ": no such host")
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}.run(t.Context(), t)
	printed.add(r.stdout)
	if c.password != "" {
		wantLacks(t, "the log", r.stdout, c.password)
	}
	return r
}

// testNetwork runs the action through a company network, with real handshakes and
// a real CONNECT. That the program takes the proxy of its own environment, in either
// case, and NO_PROXY, is tested by [TestProcess].
func testNetwork(t *testing.T, printed *transcript) {
	const password = "Sesame-Open"
	soon := map[string]string{"timeout": "100ms"}
	for _, test := range []struct {
		name    string
		maxTLS  uint16
		locked  bool // the proxy has a password
		broken  bool
		proxy   string            // * stands for the proxy's address
		with    map[string]string // besides the certificate of the authority
		want    []string          // in the log of a run that fails; nil if it succeeds
		retries bool
	}{
		{name: "ca_certificate as text"},
		{name: "ca_certificate as a path", with: map[string]string{"ca_certificate": "ca.pem"}},
		{name: "an unknown authority", with: map[string]string{"ca_certificate": ""}, want: []string{
			`the server's certificate is issued by "CN=Corp Root", which is not trusted here`,
			"Add that authority's certificate in ca_certificate",
		}},
		{name: "TLS 1.1", maxTLS: tls.VersionTLS11, want: []string{"protocol version", "does not support TLS 1.2"}},
		{name: "a password of the proxy", locked: true, proxy: "http://bot:" + password + "@*"},
		{
			name: "a wrong password", locked: true, proxy: "http://bot:wrong-" + password + "@*",
			want: []string{"the proxy returned 407 Proxy Authentication Required", "The proxy requires credentials"},
		},
		{
			name: "a proxy that is no URL", locked: true, proxy: "http://bot:" + password + "@%zz",
			want: []string{"environment variable HTTPS_PROXY: not a proxy URL"},
		},
		{
			name: "a host that the proxy does not allow",
			with: map[string]string{"api_url": "https://other.corp.test/api/v3"},
			want: []string{"the proxy returned 403 Forbidden", "The proxy must allow other.corp.test."},
		},
		{name: "a proxy that is out of order", broken: true, with: soon, retries: true, want: []string{
			"the proxy returned 503 Service Unavailable; retrying in 0.1 s",
			"reading the public key: the proxy returned 503 Service Unavailable",
			"Check HTTPS_PROXY and NO_PROXY of the runner",
		}},
		{
			name: "a proxy that cannot be reached", proxy: "http://proxy.corp.test:3128", with: soon, retries: true,
			want: []string{"cannot connect to the proxy (dial proxy.corp.test:3128: no such host)"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &corp{broken: test.broken}
			if test.locked {
				c.password = password
			}
			c.start(t, cmp.Or(test.maxTLS, tls.VersionTLS13))
			r := c.run(t, printed, strings.Replace(cmp.Or(test.proxy, "http://*"), "*", c.proxy, 1), test.with)
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
