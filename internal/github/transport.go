package github

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// maxResponseBytes is far above GitHub's largest page (about 1 MB). It bounds a response that never ends.
	maxResponseBytes = 16 << 20
	// maxDrainBytes is the most that is read of the response to a write.
	maxDrainBytes = 4 << 10
	maxRedirects  = 5
	// An HTTP/2 connection that is silent for pingAfter gets a ping. It is closed if no response comes within
	// pingTimeout: else a connection that a firewall dropped without a reset would cost an attempt its whole time.
	pingAfter, pingTimeout = 10 * time.Second, 5 * time.Second
	resolverDelay          = 30 * time.Second // how long a host that is not found is retried: Docker's resolver may lag
)

const requestIDHeader = "X-GitHub-Request-Id"

var (
	errCrossOriginRedirect = errors.New("redirected to another host, which must not receive the token")
	errTooManyRedirects    = errors.New("too many redirects")
)

// Network is how to reach GitHub.
type Network struct {
	Proxy          func(*http.Request) (*url.URL, error) // nil for none
	CACertificates []*x509.Certificate                   // trusted in addition to the system's
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
}

// transport adds the token to requests to the API's origin and sends no others: go-github's WithAuthToken would send it
// to any host after a redirect. It also counts requests and limits the size of responses.
type transport struct {
	inner    atomic.Pointer[http.Transport]
	origin   string
	token    string
	requests atomic.Int64
}

func newTransport(n Network, base *url.URL, token string) *transport {
	inner := &http.Transport{
		ForceAttemptHTTP2:   true,
		DialContext:         n.Dial,
		Proxy:               n.Proxy,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: MaxConcurrentReads,
		IdleConnTimeout:     30 * time.Second,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode != http.StatusOK {
				return &proxyError{resp.StatusCode}
			}
			return nil
		},
	}
	if len(n.CACertificates) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		for _, cert := range n.CACertificates {
			pool.AddCert(cert)
		}
		inner.TLSClientConfig.RootCAs = pool
	}
	t := &transport{origin: origin(base), token: token}
	t.inner.Store(inner)
	return t
}

// CheckProxies returns an error if HTTPS_PROXY or HTTP_PROXY is no URL, or has a path, query or fragment: after a / in
// its password, [http.ProxyFromEnvironment] would find no host or a wrong one. The error does not quote the variable.
func CheckProxies(getenv func(string) string) error {
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY"} {
		value := cmp.Or(getenv(name), getenv(strings.ToLower(name)))
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Scheme == "" || u.Host == "" {
			u, err = url.Parse("http://" + value)
		}
		if err != nil || u.Hostname() == "" || u.RequestURI() != "/" || u.Fragment != "" {
			return fmt.Errorf("environment variable %s: not a proxy URL such as http://proxy.example:3128; "+
				"in its password, percent-encode all but letters and digits (# as %%23)", name)
		}
	}
	return nil
}

// proxyError is a proxy's refusal to open a tunnel.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	return fmt.Sprintf("the proxy returned %d %s", e.status, http.StatusText(e.status))
}

func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if origin(req.URL) != t.origin {
		return nil, errCrossOriginRedirect
	}
	t.requests.Add(1)
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+t.token)
	inner := t.inner.Load()
	resp, err := inner.RoundTrip(req)
	if errors.Is(err, context.DeadlineExceeded) && t.inner.CompareAndSwap(inner, inner.Clone()) {
		inner.CloseIdleConnections() // else the next attempt would use an HTTP/2 connection that only answers pings
	}
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxResponseBytes)
	return resp, nil
}

// checkRedirect lets a read follow a renamed repository. A redirected write would be resent as a GET, which succeeds
// and stores nothing.
func checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case via[0].Method != http.MethodGet:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return errTooManyRedirects
	}
	return nil
}
