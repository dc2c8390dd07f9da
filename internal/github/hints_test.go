package github

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	gogithub "github.com/google/go-github/v60/github"

	"set-org-secret/internal/secret"
)

// explain returns the explanation of a response to a request.
func explain(t *testing.T, test testCase) string {
	method, path, _ := strings.Cut(test.given["request"], " ")
	store, _, inStore := strings.Cut(path, "/secrets")
	request := &Request{method: method, path: path, repositories: strings.Contains(test.given["sends"], "list")}
	if !strings.HasPrefix(path, "repos/") {
		request.path = "orgs/acme/" + path
	}
	if inStore {
		request.store = secret.Store(store)
	}
	if strings.Contains(test.given["sends"], "value") {
		request.sealed = "c2VhbGVk"
	}
	recorder := httptest.NewRecorder()
	respondText(t, test.responses[0])(recorder, nil)
	resp := recorder.Result()
	resp.Request = &http.Request{}
	earlier := test.given["earlier"]
	if earlier == "redirect" {
		resp.Request.Response = &http.Response{}
	}
	c := &Client{
		opt: Options{
			Org: cmp.Or(test.given["org"], "acme"), Token: test.given["token"], Writes: test.given["mode"] != "check",
			BaseURL: &url.URL{Scheme: "https", Host: "ghes.test", Path: "/api/v3/"},
		},
		tokenAccepted: earlier == "success",
		storeRead:     map[secret.Store]bool{},
	}
	switch earlier {
	case "read":
		c.storeRead[request.store] = true
	case "other":
		c.storeRead[secret.Codespaces] = true
	}
	e := &secret.Error{}
	c.explain(e, request, response{Response: newResponse(resp)}, message(recorder.Body.Bytes(), "", c.opt.Token))
	return fmt.Sprintf("Cause: %s\nHint: %s\nIs: %q", cmp.Or(e.Cause, "none"), cmp.Or(e.Hint, "none"), e.Is)
}

func newResponse(resp *http.Response) *gogithub.Response { return &gogithub.Response{Response: resp} }

// TestExplanations checks the cause and the hint for each kind of refusal, and that each row of the table is needed:
// without it, a case has another result.
func TestExplanations(t *testing.T) {
	const file = "explanations.txt"
	runCases(t, file, explain)
	_, cases := readCases(t, file)
	rows := explanations
	defer func() { explanations = rows }()
	for i, row := range rows {
		explanations = slices.Delete(slices.Clone(rows), i, i+1)
		if !slices.ContainsFunc(cases, func(test testCase) bool { return explain(t, test) != test.want }) {
			t.Errorf("no case needs row %d: %d %q %q", i, row.status, row.message, row.cause)
		}
	}
}

// TestAuthorize checks that only an https URL without user info is shown.
func TestAuthorize(t *testing.T) {
	const link = "https://github.com/orgs/acme/sso?a=b"
	for header, shown := range map[string]bool{
		"required; url=" + link:                                    true,
		"required":                                                 false,
		"required; url=http://evil.test":                           false,
		"required; url=javascript:alert(1)":                        false,
		"required; url=https://u:p@evil":                           false,
		"required; url=https://evil.test/orgs/acme/sso":            false,
		"required; url=https://github.com.evil.test/orgs/acme/sso": false,
		"required; url=https://github.com:8443/orgs/acme/sso":      false,
		"required; url=https://evil.test@github.com/orgs/acme/sso": false,
		"partial-results; organizations=1":                         false,
	} {
		want := "Authorize the token for the organization in the settings of its owner (Configure SSO)."
		if shown {
			want = "Open " + link + " to authorize the token for the organization."
		}
		if got := authorize(header, "api.github.com"); got != want {
			t.Errorf("%q: got the hint %q, want %q", header, got, want)
		}
	}
}

// TestLacksStore checks which base URLs are a GitHub Enterprise Server, which
// lacks some stores.
func TestLacksStore(t *testing.T) {
	for address, want := range map[string]bool{
		"https://api.github.com/": false, "https://api.octo.ghe.com/": false, "http://127.0.0.1:8080/": false,
		"https://octo.ghe.com/api/v3/": false, "https://api.github.com/api/v3/": false,
		"https://ghe.example/api/v3/": true, "http://127.0.0.1/api/v3/": true, "https://github.api.corp/api/v3/": true,
	} {
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		for store, lacks := range map[secret.Store]bool{
			secret.Actions: false, secret.Dependabot: false, secret.Codespaces: want, secret.Agents: want, "": false,
		} {
			if got := lacksStore(&refusal{Options: &Options{BaseURL: base}, Request: &Request{store: store}}); got != lacks {
				t.Errorf("%s, %q: got %v, want %v", address, store, got, lacks)
			}
		}
	}
}
