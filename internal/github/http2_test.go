package github

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/memnet"
)

// silentConn is a connection that a firewall drops without a reset: nothing
// arrives any more, and writes seem to succeed.
type silentConn struct {
	net.Conn
	silent *atomic.Bool
}

func (c silentConn) Write(p []byte) (int, error) {
	if c.silent.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c silentConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		if err != nil || !c.silent.Load() {
			return n, err
		}
	}
}

// withHTTP2 runs f in a bubble of simulated time, with a client whose requests h
// serves over HTTP/2. silence drops the connections that are open; dials counts
// connections.
func withHTTP2(t *testing.T, h http.HandlerFunc, f func(t *testing.T, c *testClient, dials *atomic.Int32, silence func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cert, authority := newCertificate(t, "github.test")
		network := memnet.ServeTLS(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
			if req.ProtoMajor != 2 {
				t.Errorf("got %s, want HTTP/2", req.Proto)
			}
			h(rw, req)
		}), cert)
		t.Cleanup(network.Close)
		var dials atomic.Int32
		silent := &atomic.Bool{}
		c := newTestClient(t, "https://github.test/", "ghp_x", 5*time.Minute, Network{
			CACertificates: []*x509.Certificate{authority},
			Dial: func(ctx context.Context, kind, addr string) (net.Conn, error) {
				dials.Add(1)
				conn, err := network.Dial(ctx, kind, addr)
				return silentConn{conn, silent}, err
			},
		})
		f(t, c, &dials, func() {
			silent.Store(true)
			silent = &atomic.Bool{} // of the connections that follow
		})
	})
}

// newCertificate returns a certificate for a host, and the authority that signed
// it, which is itself.
func newCertificate(t *testing.T, host string) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, authority
}

// TestSilentConnection checks that a write leaves an HTTP/2 connection that is
// silent: a ping to it is not answered.
func TestSilentConnection(t *testing.T) {
	withHTTP2(t, respond(204, ""), func(t *testing.T, c *testClient, dials *atomic.Int32, silence func()) {
		_, err := c.put(t.Context(), "A")
		wantError(t, err, "")
		silence()
		_, err = c.put(t.Context(), "B")
		wantError(t, err, "")
		c.wantElapsed(t, pingAfter+pingTimeout+firstBackoff)
		if got := dials.Load(); got != 2 {
			t.Errorf("got %d connections, want 2", got)
		}
	})
}

// TestTimedOutConnection has a server that answers pings on its first connection, but no request: concurrent writes,
// which keep the connection busy, are repeated on another one.
func TestTimedOutConnection(t *testing.T) {
	var dials *atomic.Int32
	h := func(rw http.ResponseWriter, req *http.Request) {
		if dials.Load() == 1 {
			neverRespond(rw, req)
		}
		respond(204, "")(rw, req)
	}
	withHTTP2(t, h, func(t *testing.T, c *testClient, d *atomic.Int32, _ func()) {
		dials = d
		Concurrently(4, 4, func(i int) {
			time.Sleep(time.Duration(i) * firstBackoff / 2)
			_, err := c.put(t.Context(), "A")
			wantError(t, err, "")
		})
		c.wantElapsed(t, maxAttemptTime+firstBackoff+3*firstBackoff/2)
	})
}

// TestEndlessBodyOfWrite checks that a write succeeds by its status alone, soon.
func TestEndlessBodyOfWrite(t *testing.T) {
	h := func(rw http.ResponseWriter, req *http.Request) {
		rw.WriteHeader(http.StatusCreated)
		_ = http.NewResponseController(rw).Flush()
		neverRespond(rw, req)
	}
	check := func(t *testing.T, c *testClient) {
		created, err := c.put(t.Context(), "A")
		wantError(t, err, "")
		if !created {
			t.Error("got updated, want created (201)")
		}
		c.wantElapsed(t, maxDrainTime)
	}
	withHTTP2(t, h, func(t *testing.T, c *testClient, _ *atomic.Int32, _ func()) { check(t, c) })
	withClient(t, time.Minute, "ghp_x", h, check)
}

var throughProxy = http.ProxyURL(&url.URL{Scheme: "http", Host: "proxy.test:3128"})

// TestProxyRateLimit checks that a proxy's 429 is retried, and its other refusals
// are not.
func TestProxyRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		statuses := []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusForbidden, http.StatusForbidden}
		var n atomic.Int32
		proxy := memnet.Serve(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.WriteHeader(statuses[n.Add(1)-1])
		}))
		t.Cleanup(proxy.Close)
		c := newTestClient(t, "https://github.test/", "ghp_x", time.Minute, Network{Dial: proxy.Dial, Proxy: throughProxy})
		wantError(t, c.getKey(t.Context()), "reading the public key: the proxy returned 403 Forbidden, 3 attempts in 3 s")
		c.wantElapsed(t, 3*time.Second)
		c.wantLog(t, "the proxy returned 429 Too Many Requests; retrying in 1 s (1 min left)",
			"the proxy returned 502 Bad Gateway; retrying in 2 s (59 s left)")
	})
}

// TestNoConnection checks that a server, and a proxy, that cannot be reached is
// named, in the log and in the error.
func TestNoConnection(t *testing.T) {
	const why = "(dial tcp 192.0.2.1:443: connect: connection refused)"
	for name, test := range map[string]struct {
		proxy      func(*http.Request) (*url.URL, error)
		want, hint string
	}{
		"server": {nil, "cannot connect to github.test " + why, "Wait until GitHub responds again, see https://www.githubstatus.com." + checkFirewall},
		"proxy":  {throughProxy, "cannot connect to the proxy " + why, checkProxy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := func(context.Context, string, string) (net.Conn, error) {
					return nil, &net.OpError{
						Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},
						Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
					}
				}
				c := newTestClient(t, "https://github.test/", "ghp_x", time.Second, Network{Proxy: test.proxy, Dial: dial})
				err := c.getKey(t.Context())
				wantError(t, err, "reading the public key: "+test.want+", 2 attempts in 1 s")
				if got := asError(t, err).Hint; got != test.hint {
					t.Errorf("got the hint %q, want %q", got, test.hint)
				}
				c.wantLog(t, test.want+"; retrying in 1 s (1 s left)")
			})
		})
	}
}

// withNames runs f in a bubble of simulated time, with a client that finds the name
// of its server if found is set.
func withNames(t *testing.T, timeout time.Duration, f func(t *testing.T, c *testClient, found *atomic.Bool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(respondBody(200, keyJSON))
		t.Cleanup(network.Close)
		found := &atomic.Bool{}
		dial := func(ctx context.Context, kind, addr string) (net.Conn, error) {
			if found.Load() {
				return network.Dial(ctx, kind, addr)
			}
			return nil, &net.OpError{
				Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "github.test", IsNotFound: true},
			}
		}
		f(t, newTestClient(t, "http://github.test/", "ghp_x", timeout, Network{Dial: dial}), found)
	})
}

// TestUnknownHost checks that a host that is not found is retried for 30 seconds, or
// for the timeout if that is shorter, by all requests together.
func TestUnknownHost(t *testing.T) {
	const text = "reading the public key: cannot connect to github.test (dial tcp: lookup github.test: no such host)"
	wantHint := func(t *testing.T, err error) {
		t.Helper()
		if got := asError(t, err).Hint; got != unknownHost {
			t.Errorf("got the hint %q, want %q", got, unknownHost)
		}
	}
	t.Run("30 seconds", func(t *testing.T) {
		withNames(t, 5*time.Minute, func(t *testing.T, c *testClient, _ *atomic.Bool) {
			err := c.getKey(t.Context())
			wantError(t, err, text+", 6 attempts in 30 s")
			wantHint(t, err)
			if got := c.log(); len(got) != 5 || !strings.HasSuffix(got[4], "retrying in 15 s (15 s left)") {
				t.Errorf("got the log %q, want 5 lines, the last of 15 s", got)
			}
			err = c.getKey(t.Context())
			wantError(t, err, text)
			wantHint(t, err)
			c.wantElapsed(t, 30*time.Second)
		})
	})
	t.Run("the timeout", func(t *testing.T) {
		withNames(t, 10*time.Second, func(t *testing.T, c *testClient, _ *atomic.Bool) {
			err := c.getKey(t.Context())
			wantError(t, err, text+", 5 attempts in 10 s")
			wantHint(t, err)
		})
	})
	t.Run("found again", func(t *testing.T) {
		withNames(t, 5*time.Minute, func(t *testing.T, c *testClient, found *atomic.Bool) {
			defer time.AfterFunc(14*time.Second, func() { found.Store(true) }).Stop()
			wantError(t, c.getKey(t.Context()), "")
			c.wantElapsed(t, 15*time.Second)
			time.Sleep(time.Minute)
			found.Store(false)
			c.Close() // idle connections
			wantError(t, c.getKey(t.Context()), text+", 6 attempts in 30 s")
		})
	})
}
