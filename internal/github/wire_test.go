package github

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/secret"
)

// TestUnexpectedBodies checks the errors for successful responses whose bodies
// GitHub's API never sends: they are not retried and do not quote the body.
func TestUnexpectedBodies(t *testing.T) {
	getSecret := func(ctx context.Context, c *testClient) error {
		_, err := c.Lookup(ctx, nil, secret.Actions, "A")
		return err
	}
	list := func(ctx context.Context, c *testClient) error {
		_, _, err := c.Secrets(ctx, nil, secret.Actions)
		return err
	}
	selected := func(ctx context.Context, c *testClient) error {
		_, _, err := c.SelectedRepositories(ctx, nil, secret.Actions, "A")
		return err
	}
	getKey := func(ctx context.Context, c *testClient) error {
		key, err := c.PublicKey(ctx, nil, secret.Actions)
		if !key.IsZero() {
			return errors.New("a key beside the error")
		}
		return err
	}
	repository := func(ctx context.Context, c *testClient) error { _, err := c.Repository(ctx, nil, "web"); return err }
	repositories := func(ctx context.Context, c *testClient) error {
		_, err := c.Repositories(ctx, nil, firstRepositories)
		return err
	}
	for _, test := range []struct {
		name, body string
		request    func(context.Context, *testClient) error
		want       string
	}{
		{"an HTML page", "<html>Sign in</html>", getSecret, "reading the secret: 200 OK, but not from GitHub's API"},
		{"empty", "", getSecret, "not JSON"},
		{"a different secret", secretJSON("B", "all"), getSecret, "a different secret"},
		{"an unknown visibility", secretJSON("A", "internal"), getSecret, `visibility must be all, private or selected, not "internal"`},
		{"an unknown visibility in a list", `{"total_count":1,"secrets":[` + secretJSON("A", "") + `]}`, list, `must be all, private or selected, not ""`},
		{"a list that is a string", `{"total_count":1,"secrets":"Correct-Horse"}`, list, "not JSON as GitHub's API describes it"},
		{"a list of secrets without total_count", `{"secrets":[]}`, list, "a list without total_count"},
		{"a list without total_count", `{"repositories":[]}`, selected, "a list without total_count"},
		{"a list of too many pages", `{"total_count":1000000000000,"repositories":[]}`, selected, "a list of more than 200 pages"},
		{"a page of too many entries", "[" + repositoriesJSON(numbers(101)) + "]", repositories, "a page of more than 100 entries"},
		{"an empty object for a list", `{}`, list, "a list without secrets"},
		{"a list without secrets", `{"total_count":0}`, list, "a list without secrets"},
		{"the list of something else", `{"total_count":0,"repositories":[]}`, list, "a list without secrets"},
		{"a list that is null", `{"total_count":0,"secrets":null}`, list, "a list without secrets"},
		{"a total that is text", `{"total_count":"0","secrets":[]}`, list, "not JSON"},
		{"a secret without a name", strings.Replace(secretJSON("A", "all"), "name", "-", 1), getSecret, "a secret without name"},
		{"a secret without visibility", strings.Replace(secretJSON("A", "all"), "visibility", "-", 1), getSecret, "a secret without visibility"},
		{"a secret without created_at", strings.Replace(secretJSON("A", "all"), "created_at", "-", 1), getSecret, "a secret without created_at"},
		{"a secret without updated_at", strings.Replace(secretJSON("A", "all"), "updated_at", "-", 1), getSecret, "a secret without updated_at"},
		{"a visibility that is a number", strings.Replace(secretJSON("A", "all"), `"all"`, "1", 1), getSecret, "not JSON"},
		{"a listed secret without visibility", `{"total_count":1,"secrets":[{"name":"A"}]}`, list, "a secret without created_at"},
		{"a selected repository without an id", `{"total_count":1,"repositories":[{"full_name":"acme/web"}]}`, selected, "a repository without id or full_name"},
		{"a selected repository without a name", `{"total_count":1,"repositories":[{"id":1}]}`, selected, "a repository without id or full_name"},
		{"a repository without an id", `{"full_name":"acme/web"}`, repository, "a repository without id or full_name"},
		{"a repository with an id that is text", `{"id":"1","full_name":"acme/web"}`, repository, "not JSON"},
		{"a listed repository without a name", `[{"id":1}]`, repositories, "a repository without id or full_name"},
		{"no repositories but an object", `{}`, repositories, "not JSON"},
		{"no key", `{}`, getKey, "key_id: empty"},
		{"a key without its text", `{"key_id":"1"}`, getKey, "public_key: must be 32 bytes in base64, not 0"},
		{"a key that is null", `{"key_id":null,"key":""}`, getKey, "public_key: must be 32 bytes in base64, not 0"},
		{"a list for a key", `[]`, getKey, "not JSON"},
		{"a key of 33 bytes", `{"key_id":"1","key":"` + strings.Repeat("AAAA", 11) + `"}`, getKey, "public_key: must be 32 bytes in base64, not 33"},
		{"a low-order key", `{"key_id":"1","key":"` + strings.Repeat("A", 43) + `="}`, getKey, "a low-order point"},
	} {
		t.Run(test.name, func(t *testing.T) {
			withClient(t, time.Minute, "ghp_x", respondBody(200, test.body), func(t *testing.T, c *testClient) {
				got := errorText(test.request(t.Context(), c))
				if !strings.Contains(got, test.want) {
					t.Errorf("got the error %q, want it to contain %q", got, test.want)
				}
				if strings.Contains(got, "Correct-Horse") {
					t.Errorf("got the error %q, want it without the body", got)
				}
				c.wantRequests(t, 1)
			})
		})
	}
}

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
