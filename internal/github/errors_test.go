package github

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMessage checks that GitHub's message is read in each of its forms, that
// neither the encrypted value nor the token is repeated, and that it is cut between
// words.
func TestMessage(t *testing.T) {
	const sealed, token = "c2VhbGVk", "ghp_a_token_for_tests_that_is_long"
	for body, want := range map[string]string{
		`{"message":"Conflict","errors":"Visibility is not selected"}`:                   "Conflict: Visibility is not selected",
		`{"message":"Validation Failed","errors":[{"field":"key_id","code":"missing"}]}`: "Validation Failed: key_id missing",
		`{"message":"Validation Failed","errors":[{"code":"custom","message":"Full"}]}`:  "Validation Failed: Full",
		`{"message":"Validation Failed","errors":["a","b"]}`:                             "Validation Failed: a: b",
		`{"message":"Validation Failed","errors":null}`:                                  "Validation Failed",
		`{"message":"Invalid request.\n\nc2VhbGVk does not match /^[A-Z]$/"}`:            "Invalid request. <encrypted_value> does not match /^[A-Z]$/",
		`{"message":"` + strings.Repeat("x", 490) + ` c2VhbGVk y"}`:                      strings.Repeat("x", 490) + "…",
		`{"message":"` + strings.Repeat("x", 490) + ` ` + token + ` and more"}`:          strings.Repeat("x", 490) + " *** and…",
		`{"message":"` + strings.Repeat("x ", 2500) + `"}`:                               strings.Repeat("x ", 249) + "x…",
		`{"message":"` + strings.Repeat("x", 500) + `"}`:                                 strings.Repeat("x", 500),
		`{"message":"` + strings.Repeat("x", 500) + ` y"}`:                               strings.Repeat("x", 500) + "…",
		`{"message":"` + strings.Repeat("é ", 400) + `"}`:                                strings.Repeat("é ", 249) + "é…",
		`<html>Unicorn!</html>`: "",
	} {
		if got := message([]byte(body), sealed, token); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

// TestForeignBody checks which bodies are not those of GitHub's API.
func TestForeignBody(t *testing.T) {
	for _, test := range []struct {
		contentType, body string
		want              bool
	}{
		{"", "", false},
		{"text/html; charset=utf-8", "", false},
		{"application/json", ` {"message":"Not Found"}`, false},
		{"application/json", `[{"id":`, false}, // truncated
		{"application/json", `"Not Found"`, false},
		{"", "\n<!DOCTYPE html>", true},
		{"text/html; charset=utf-8", "[Not Found", true},
		{"text/plain", "no such route", true},
	} {
		resp := response{
			Response: newResponse(&http.Response{Header: http.Header{"Content-Type": {test.contentType}}}), body: []byte(test.body),
		}
		if got := resp.isForeign(); got != test.want {
			t.Errorf("%s %q: got foreign %v, want %v", test.contentType, test.body, got, test.want)
		}
	}
}

// TestErrorFromTransport checks the error of an attempt without a response, the
// reason for the log if it is retried, and that GitHub may have applied it.
func TestErrorFromTransport(t *testing.T) {
	const (
		checkServer = "Check api_url, the runner's clock and the server's certificate; ca_certificate does not help here."
		addCA       = "Add that authority's certificate in ca_certificate, as PEM text or as the path of a PEM file."
		checkTLS    = "Check api_url, and the TLS settings of the server and of a proxy that opens the connection."
		oldCiphers  = "If the server, or the proxy that opens the connection, knows only RSA key exchange, update it; until then set `GODEBUG: tlsrsakex=1` in the env of this step."
		oldTLS      = "Have the server, or the proxy that opens the connection, support TLS 1.2, the minimum here."
		status      = "Wait until GitHub responds again, see https://www.githubstatus.com."
	)
	missing := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "github.test", IsNotFound: true}}
	overloaded := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "server misbehaving", Name: "github.test"}}
	notTLS := tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}
	corp := []*x509.Certificate{{Issuer: pkix.Name{CommonName: "Corp"}}}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	for _, test := range []struct {
		err                   error
		problem, hint, reason string // no reason: not retried
	}{
		{errCrossOriginRedirect, errCrossOriginRedirect.Error(), finalURL, ""},
		{errTooManyRedirects, "too many redirects", finalURL, ""},
		{&http.MaxBytesError{}, "the response is larger than 16 MiB", wrongURL, ""},
		{&tls.CertificateVerificationError{UnverifiedCertificates: corp, Err: x509.UnknownAuthorityError{}}, `the server's certificate is issued by "CN=Corp", which is not trusted here`, addCA, ""},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, "the server's certificate is issued by an unknown authority, which is not trusted here", addCA, ""},
		{&tls.CertificateVerificationError{UnverifiedCertificates: corp, Err: errors.New("expired")}, `the server's certificate is issued by "CN=Corp" and is not valid: expired`, checkServer, ""},
		{errors.New("remote error: tls: protocol version not supported"), "remote error: tls: protocol version not supported", oldTLS, ""},
		{errors.New("tls: server selected unsupported protocol version 301"), "tls: server selected unsupported protocol version 301", oldTLS, ""},
		{http.ErrSchemeMismatch, "http: server gave HTTP response to HTTPS client", "Check api_url: its host and port must serve HTTPS.", ""},
		{notTLS, "tls: first record does not look like a TLS handshake", checkTLS, ""},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: notTLS}, "proxyconnect tcp: tls: first record does not look like a TLS handshake", "Begin HTTPS_PROXY with `http://`: this proxy is not reached over TLS.", ""},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, "remote error: tls: handshake failure", oldCiphers, ""},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(116)}, "remote error: tls: certificate required", checkTLS, ""},
		{&net.OpError{Op: "local error", Err: tls.AlertError(20)}, "local error: tls: bad record MAC", checkTLS, ""},
		{errors.New("net/http: TLS handshake timeout"), "no response (net/http: TLS handshake timeout)", status, "no response from github.test (net/http: TLS handshake timeout)"},
		{missing, "cannot connect to github.test (dial tcp: lookup github.test: no such host)", unknownHost, "cannot connect to github.test (dial tcp: lookup github.test: no such host)"},
		{overloaded, "cannot connect to github.test (dial tcp: lookup github.test: server misbehaving)", status + checkFirewall, "cannot connect to github.test (dial tcp: lookup github.test: server misbehaving)"},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: missing}, "cannot connect to the proxy (dial tcp: lookup github.test: no such host)", unknownHost, "cannot connect to the proxy (dial tcp: lookup github.test: no such host)"},
		{&proxyError{407}, "the proxy returned 407 Proxy Authentication Required", proxyCredentials, ""},
		{&proxyError{403}, "the proxy returned 403 Forbidden", "The proxy must allow github.test. " + checkProxy, ""},
		{&proxyError{429}, "the proxy returned 429 Too Many Requests", checkProxy, "the proxy returned 429 Too Many Requests"},
		{&proxyError{502}, "the proxy returned 502 Bad Gateway", checkProxy, "the proxy returned 502 Bad Gateway"},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Err: refused}, "cannot connect to the proxy (dial tcp: connection refused)", checkProxy, "cannot connect to the proxy (dial tcp: connection refused)"},
		{refused, "cannot connect to github.test (dial tcp: connection refused)", status + checkFirewall, "cannot connect to github.test (dial tcp: connection refused)"},
		{context.DeadlineExceeded, "no response within 7 s", status, "no response from github.test within 7 s"},
		{io.EOF, "no response (connection closed)", status, "no response from github.test (connection closed)"},
		{io.ErrUnexpectedEOF, "no response (connection closed)", status, "no response from github.test (connection closed)"},
		{syscall.ECONNRESET, "no response (connection reset by peer)", status, "no response from github.test (connection reset by peer)"},
		{syscall.EPIPE, "no response (broken pipe)", status, "no response from github.test (broken pipe)"},
		{errors.New("http2: server sent GOAWAY"), "no response (http2: server sent GOAWAY)", status, "no response from github.test (http2: server sent GOAWAY)"},
		{errors.New("stream error; received from peer"), "no response (stream error; received from peer)", status, "no response from github.test (stream error; received from peer)"},
		{errors.New("other"), "no response (other)", status, "no response from github.test (other)"},
	} {
		c := New(Options{BaseURL: &url.URL{Scheme: "https", Host: "github.test", Path: "/"}})
		failed := c.errorFromTransport(t.Context(), &url.Error{Op: "Put", URL: "https://github.test", Err: test.err}, true, 7*time.Second)
		if got := failed.err.Problem; got != test.problem {
			t.Errorf("%v: got the problem %q, want %q", test.err, got, test.problem)
		}
		if got := failed.err.Hint; got != test.hint {
			t.Errorf("%v: got the hint %q, want %q", test.err, got, test.hint)
		}
		if isRetried := failed.retryFor > 0; isRetried != (test.reason != "") || failed.reason != test.reason {
			t.Errorf("%v: got retried %v for the reason %q, want the reason %q", test.err, isRetried, failed.reason, test.reason)
		}
		if !failed.unproven {
			t.Errorf("%v: got an attempt that is proven, want unproven", test.err)
		}
	}
}

// TestServerIsNamed checks that the status page of github.com is named only for
// servers that it is about.
func TestServerIsNamed(t *testing.T) {
	const status = "Wait until GitHub responds again, see https://www.githubstatus.com."
	for address, want := range map[string]string{
		"https://api.github.com/": status, "https://api.octo.ghe.com/": status,
		"https://ghe.example/api/v3/": "Wait until ghe.example responds again.",
	} {
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		c := &Client{opt: Options{BaseURL: base}}
		resp := response{Response: newResponse(&http.Response{StatusCode: 502, Header: http.Header{}})}
		for _, failed := range []*failure{
			c.errorFromResponse(&Request{}, resp), c.errorFromTransport(t.Context(), io.EOF, true, 0),
		} {
			if got := failed.err.Hint; got != want {
				t.Errorf("%s, %s: got the hint %q, want %q", address, failed.err.Problem, got, want)
			}
		}
	}
}

// TestProxyVariables checks which proxies are rejected before any request. The error
// names the variable and does not quote its value.
func TestProxyVariables(t *testing.T) {
	for value, ok := range map[string]bool{
		"http://proxy.corp:3128": true, "http://proxy.corp:3128/": true, "https://proxy.corp": true,
		"socks5://proxy.corp:1080": true, "proxy.corp:3128": true, "proxy.corp": true, "[::1]:3128": true,
		"http://bot:Sesame%23Open@proxy.corp:3128": true, "bot:Sesame@proxy.corp:3128": true,

		"http://bot:Sesame#Open@proxy.corp:3128": false, "http://bot:12#Sesame@proxy.corp:3128": false,
		"http://bot:12/Sesame@proxy.corp:3128": false, "http://bot:12?Sesame@proxy.corp:3128": false,
		"http://bot:Sesame%@proxy.corp:3128": false, "http://bot:Sesame Open@proxy.corp:3128": false,
		"bot:Sesame#Open@proxy.corp:3128": false, "http://bot:Sesame@": false, "http://bot:Sesame@:3128": false,
		"http://bot:Sesame@%zz": false,
		"http://":               false, "://Sesame": false, "//proxy.corp:3128": false, "http:/proxy.corp/Sesame": false, " http://bot:Sesame@proxy.corp": false,
		"http://proxy.corp:3128 # Sesame": false,
	} {
		for _, name := range []string{"HTTPS_PROXY", "http_proxy"} {
			err := CheckProxies(func(asked string) string { return map[string]string{name: value}[asked] })
			want := "environment variable " + strings.ToUpper(name) + ": not a proxy URL such as http://proxy.example:3128; " +
				"in its password, percent-encode all but letters and digits (# as %23)"
			if ok {
				want = ""
			}
			wantError(t, err, want)
			if t.Failed() {
				t.Fatalf("%s=%s", name, value)
			}
		}
	}
}
