package action

import (
	"bytes"
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
	"io/fs"
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

func newCorp(t *testing.T, maxTLS uint16) *corp {
	t.Helper()
	c := &corp{}
	var err error
	c.github, err = fakegithub.New(fakegithub.World{Orgs: []fakegithub.Org{{Login: "acme"}}, BasePath: "/api/v3", GHES: true})
	if err != nil {
		t.Fatal(err)
	}
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
	return c
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
func (c *corp) run(t *testing.T, printed *transcript, extra map[string]string) result {
	t.Helper()
	dir := t.TempDir()
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(dir, "output"), "GITHUB_WORKSPACE": dir,
		"INPUT_ORG": "acme", "INPUT_API_URL": "https://" + corpHost + "/api/v3", "INPUT_TOKEN": "ghp_corp",
		"INPUT_SECRET_NAME": "DB_PASSWORD", "INPUT_SECRET_VALUE": "Correct-Horse", "INPUT_TIMEOUT": "2s",
	}
	maps.Copy(env, extra)
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(c.ca), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r := result{code: Main(t.Context(), Env{
		Getenv: func(name string) string { return env[name] }, Stdout: &out, Rand: rand.Reader,
		Proxy: proxyFrom(env),
		Open:  func(name string) (fs.File, error) { return os.Open(name) },
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if !strings.HasPrefix(addr, "127.0.0.1:") {
				return nil, errors.New("dial " + addr + ": no such host")
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	})}
	r.stdout = out.String()
	printed.add(r.stdout)
	if c.password != "" {
		wantLacks(t, "the log", r.stdout, c.password)
	}
	return r
}

// proxyFrom does for an environment what http.ProxyFromEnvironment does for that of
// the process, which it reads only once.
func proxyFrom(env map[string]string) func(*http.Request) (*url.URL, error) {
	config := httpproxy.Config{
		HTTPSProxy: cmp.Or(env["HTTPS_PROXY"], env["https_proxy"]), NoProxy: cmp.Or(env["NO_PROXY"], env["no_proxy"]),
	}
	return func(req *http.Request) (*url.URL, error) { return config.ProxyFunc()(req.URL) }
}

// testNetwork runs the action through a company network, with real handshakes and
// a real CONNECT.
func testNetwork(t *testing.T, printed *transcript) {
	// wantFailure checks a failure without retries.
	wantFailure := func(t *testing.T, r result, texts ...string) {
		t.Helper()
		r.wantCode(t, 1)
		wantLacks(t, "the log", r.stdout, "retrying")
		wantContains(t, "the log", r.stdout, texts...)
	}
	t.Run("an unknown authority fails immediately", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		r := c.run(t, printed, map[string]string{"HTTPS_PROXY": "http://" + c.proxy})
		wantFailure(t, r, `the server's certificate is issued by "CN=Corp Root", which is not trusted here`,
			"Add that authority's certificate in ca_certificate")
		// The key and the existing secret are read concurrently.
		wantAtMost(t, "tunnels", int(c.tunnels.Load()), 2)
	})
	t.Run("ca_certificate as text and as a path, with either case of the variable", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		for variable, ca := range map[string]string{"HTTPS_PROXY": c.ca, "https_proxy": "ca.pem"} {
			r := c.run(t, printed, map[string]string{variable: "http://" + c.proxy, "INPUT_CA_CERTIFICATE": ca})
			r.wantCode(t, 0)
		}
		s, ok := c.github.Secret("acme", "actions", "DB_PASSWORD")
		wantEqual(t, "the secret exists", ok, true)
		wantEqual(t, "its value", s.Value, "Correct-Horse")
	})
	t.Run("a proxy with a password", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		c.password = "Sesame-Open"
		proxied := func(proxy string) result {
			return c.run(t, printed, map[string]string{"HTTPS_PROXY": proxy, "INPUT_CA_CERTIFICATE": c.ca})
		}
		wantFailure(t, proxied("http://bot:wrong-"+c.password+"@"+c.proxy),
			"the proxy returned 407 Proxy Authentication Required", "The proxy requires credentials")
		r := proxied("http://bot:" + c.password + "@" + c.proxy)
		r.wantCode(t, 0)
		wantFailure(t, proxied("http://bot:"+c.password+"@%zz"), "environment variable HTTPS_PROXY: not a proxy URL")
	})
	t.Run("a proxy that does not allow the host", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		r := c.run(t, printed, map[string]string{
			"HTTPS_PROXY": "http://" + c.proxy, "INPUT_API_URL": "https://other.corp.test/api/v3",
		})
		wantFailure(t, r, "the proxy returned 403 Forbidden", "The proxy must allow other.corp.test.")
	})
	t.Run("a proxy that is out of order", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		c.broken = true
		r := c.run(t, printed, map[string]string{"HTTPS_PROXY": "http://" + c.proxy, "INPUT_TIMEOUT": "100ms"})
		r.wantCode(t, 1)
		wantContains(t, "the log", r.stdout, "the proxy returned 503 Service Unavailable; retrying in 0.1 s",
			"reading the public key: the proxy returned 503 Service Unavailable", "Check HTTPS_PROXY and NO_PROXY of the runner")
	})
	t.Run("a proxy that cannot be reached", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		r := c.run(t, printed, map[string]string{"HTTPS_PROXY": "http://proxy.corp.test:3128", "INPUT_TIMEOUT": "100ms"})
		r.wantCode(t, 1)
		wantContains(t, "the log", r.stdout, "cannot connect to the proxy (dial proxy.corp.test:3128: no such host)")
	})
	t.Run("NO_PROXY bypasses the proxy", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS13)
		r := c.run(t, printed, map[string]string{
			"HTTPS_PROXY": "http://" + c.proxy, "no_proxy": ".corp.test", "INPUT_CA_CERTIFICATE": c.ca,
		})
		r.wantCode(t, 1)
		wantEqual(t, "tunnels", c.tunnels.Load(), 0)
		wantContains(t, "the log", r.stdout, "no such host")
	})
	t.Run("TLS 1.1 is too old", func(t *testing.T) {
		c := newCorp(t, tls.VersionTLS11)
		r := c.run(t, printed, map[string]string{"HTTPS_PROXY": "http://" + c.proxy, "INPUT_CA_CERTIFICATE": c.ca})
		wantFailure(t, r, "protocol version", "does not support TLS 1.2")
	})
}
