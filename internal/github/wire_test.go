package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// TestCrossOriginRequest checks that the transport sends requests to the API's
// origin and refuses all others.
func TestCrossOriginRequest(t *testing.T) {
	errDialed := errors.New("dialed")
	base, err := url.Parse("https://API.github.com/")
	if err != nil {
		t.Fatal(err)
	}
	dial := func(context.Context, string, string) (net.Conn, error) { return nil, errDialed }
	tr := newTransport(Network{Dial: dial}, base, "ghp_x")
	for address, want := range map[string]error{
		"https://api.github.com/x":           errDialed,
		"https://api.github.com:443/x":       errDialed,
		"http://api.github.com/x":            errCrossOriginRedirect,
		"http://api.github.com:443/x":        errCrossOriginRedirect,
		"https://api.github.com:8443/x":      errCrossOriginRedirect,
		"https://api.github.com.evil.test/x": errCrossOriginRedirect,
		"https://evil.test/x":                errCrossOriginRedirect,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: got the error %v, want %v", address, err, want)
		}
	}
}

// TestAPIVersion checks that each request names its version of the API, after a redirect
// too.
func TestAPIVersion(t *testing.T) {
	var got []string
	record := func(rw http.ResponseWriter, req *http.Request) {
		got = append(got, req.Header.Get("X-GitHub-Api-Version"))
		if len(got) == 1 {
			respond(301, "", "Location: "+req.URL.Path+"/moved")(rw, req)
			return
		}
		respondBody(200, keyJSON)(rw, req)
	}
	withClient(t, time.Minute, "ghp_x", record, func(t *testing.T, c *testClient) {
		for _, store := range []secret.Store{secret.Actions, secret.Dependabot, secret.Codespaces, secret.Agents} {
			if _, err := c.PublicKey(t.Context(), nil, store); err != nil {
				t.Error(err)
			}
		}
	})
	if want := []string{"2022-11-28", "2022-11-28", "2022-11-28", "2022-11-28", "2026-03-10"}; !slices.Equal(got, want) {
		t.Errorf("got the versions %q, want %q", got, want)
	}
}
