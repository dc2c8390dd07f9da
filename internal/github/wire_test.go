package github

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// TestProxy reads the proxy variables in either case, and never shows what is in
// them: they hold passwords.
func TestProxy(t *testing.T) {
	type env = map[string]string
	for _, test := range []struct {
		name string
		env  env
		url  string
		want string // the proxy, or what the error says
	}{
		{"none", env{}, "https://api.github.com/", ""},
		{"https", env{"HTTPS_PROXY": "http://proxy.test:3128"}, "https://api.github.com/", "http://proxy.test:3128"},
		{"lower case", env{"https_proxy": "http://proxy.test:3128"}, "https://api.github.com/", "http://proxy.test:3128"},
		{"upper case first", env{"https_proxy": "http://lower.test", "HTTPS_PROXY": "http://upper.test"}, "https://api.github.com/", "http://upper.test"},
		{"http is for http", env{"HTTP_PROXY": "http://proxy.test"}, "https://api.github.com/", ""},
		{"http, past loopback", env{"HTTP_PROXY": "http://proxy.test"}, "http://127.0.0.1:8080/", ""},
		{"without a scheme", env{"HTTPS_PROXY": "proxy.test:3128"}, "https://api.github.com/", "http://proxy.test:3128"},
		{"over TLS", env{"HTTPS_PROXY": "https://proxy.test"}, "https://api.github.com/", "https://proxy.test"},
		{"excepted by name", env{"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "other.test,api.github.com"}, "https://api.github.com/", ""},
		{"excepted by domain", env{"HTTPS_PROXY": "http://proxy.test", "no_proxy": ".corp.test"}, "https://ghe.corp.test/api/v3/", ""},
		{"not excepted by another domain", env{"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": ".corp.test"}, "https://ghecorp.test/", "http://proxy.test"},
		{"excepted by network", env{"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3/api/v3/", ""},
		{"all excepted", env{"HTTPS_PROXY": "http://proxy.test", "NO_PROXY": "*"}, "https://api.github.com/", ""},
		{"broken", env{"HTTPS_PROXY": "http://bot:Sesame-Open@%zz"}, "https://api.github.com/", "HTTPS_PROXY: not a proxy URL"},
		{"broken, for http", env{"http_proxy": "://Sesame-Open"}, "https://api.github.com/", "HTTP_PROXY: not a proxy URL"},
	} {
		proxy, err := proxyFunc(func(name string) string { return test.env[name] })
		got := ""
		if err != nil {
			if got = err.Error(); strings.Contains(got, "Sesame") {
				t.Errorf("%s: %s", test.name, got)
			}
		} else {
			u, err := url.Parse(test.url)
			if err != nil {
				t.Fatal(err)
			}
			at, err := proxy(u)
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			} else if at != nil {
				got = at.String()
			}
		}
		if err == nil && got != test.want || err != nil && !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// TestUnreadable has good statuses with bodies that GitHub never sends.
func TestUnreadable(t *testing.T) {
	look := func(ctx context.Context, w *world) error {
		_, err := w.Secret(ctx, secret.Actions, "A")
		return err
	}
	list := func(ctx context.Context, w *world) error {
		_, _, err := w.Secrets(ctx, secret.Actions, 10)
		return err
	}
	selected := func(ctx context.Context, w *world) error {
		_, _, err := w.SelectedRepositories(ctx, secret.Actions, "A")
		return err
	}
	key := func(ctx context.Context, w *world) error {
		_, err := w.PublicKey(ctx, secret.Actions)
		return err
	}
	for _, test := range []struct {
		name, body string
		ask        func(context.Context, *world) error
		want       string
	}{
		{"a site, not the API", "<html>Sign in</html>", look, "get secret: unexpected response: not JSON as GitHub's API describes it"},
		{"nothing", "", look, "not JSON"},
		{"another secret", `{"name":"B","visibility":"all"}`, look, "a different secret"},
		{"an unknown visibility", `{"name":"A","visibility":"internal"}`, look, `visibility must be all, private or selected, not "internal"`},
		{"an unknown visibility in a list", `{"total_count":1,"secrets":[{"name":"A","visibility":""}]}`, list, `must be all, private or selected, not ""`},
		{"a list of text", `{"total_count":1,"secrets":"Correct-Horse"}`, list, "not JSON as GitHub's API describes it"},
		{"a list without a count", `{"repositories":[]}`, selected, "no total_count"},
		{"a count without end", `{"total_count":1000000000000,"repositories":[]}`, selected, "a list of 10000000000 pages"},
		{"no key", `{}`, key, "key_id: empty"},
		{"a key of 33 bytes", `{"key_id":"1","key":"` + strings.Repeat("AAAA", 11) + `"}`, key, "public_key: 33 bytes, not 32"},
		{"a low-order key", `{"key_id":"1","key":"` + strings.Repeat("A", 43) + `="}`, key, "a low-order point"},
	} {
		with(t, time.Minute, "ghp_x", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, test.body) }, func(ctx context.Context, w *world) {
			err := test.ask(ctx, w)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", test.name, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "Correct-Horse") {
				t.Errorf("%s: the body is quoted: %v", test.name, err)
			}
			if len(w.seen) != 1 {
				t.Errorf("%s: asked %d times", test.name, len(w.seen))
			}
		})
	}
}

func TestSSOLink(t *testing.T) {
	for header, want := range map[string]string{
		"required; url=https://github.com/orgs/acme/sso?a=b": "https://github.com/orgs/acme/sso?a=b",
		"required":                          "",
		"required; url=http://evil.test":    "",
		"required; url=javascript:alert(1)": "",
		"required; url=https://u:p@evil":    "",
		"partial-results; organizations=1":  "",
	} {
		if got := ssoLink(header); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// TestServers tells an Enterprise Server from what has every store.
func TestServers(t *testing.T) {
	for address, all := range map[string]bool{
		"https://api.github.com/": true, "https://api.octo.ghe.com/": true, "http://127.0.0.1:8080/": true,
		"https://ghe.example/api/v3/": false, "http://127.0.0.1/api/v3/": false, "https://github.api.corp/api/v3/": false,
	} {
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(Options{Org: "acme", BaseURL: base, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.hasAllStores(); got != all {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestKinds(t *testing.T) {
	for token, want := range map[string]tokenKind{
		"ghp_a": classic, "github_pat_a": fineGrained, "ghs_a": installation, "gho_a": otherToken, "0123abcd": otherToken,
	} {
		if got := kindOf(token); got != want {
			t.Errorf("%s is a %s", token, got)
		}
	}
}

// TestOrigin holds that the transport itself sends the token nowhere else,
// whatever asks it to.
func TestOrigin(t *testing.T) {
	base, err := url.Parse("https://API.github.com/")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := newTransport(Network{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errDialled }}, base, "ghp_x")
	if err != nil {
		t.Fatal(err)
	}
	for address, same := range map[string]bool{
		"https://api.github.com/x": true, "https://api.github.com:443/x": true,
		"http://api.github.com/x": false, "https://api.github.com:8443/x": false,
		"https://api.github.com.evil.test/x": false, "https://evil.test/x": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if want := map[bool]error{true: errDialled, false: errCrossOriginRedirect}[same]; !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
}

var errDialled = errors.New("dialled")
