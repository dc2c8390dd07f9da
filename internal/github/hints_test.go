package github

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"set-org-secret/internal/secret"
)

// explanationTest is a case of TestExplanations. A message is as GitHub writes it.
type explanationTest struct {
	name    string
	token   string
	request string // method and path, without orgs/acme/
	sends   string // "value", "list" or "value list"
	status  int
	message string
	headers []string // "Name: value"
	earlier string   // "success"; "read", of the store or "other", of another; or "redirect", to this response
	reads   bool     // the mode only reads
	org     string   // acme if empty
}

const (
	getKeyRequest  = "GET actions/secrets/public-key"
	putRequest     = "PUT actions/secrets/A"
	setListRequest = "PUT actions/secrets/A/repositories"
	lookUpRequest  = "GET repos/acme/web"

	adminOrgScope = "X-OAuth-Scopes: admin:org, workflow"
	needsAdminOrg = "X-Accepted-OAuth-Scopes: admin:org"
	needsWrite    = "X-Accepted-GitHub-Permissions: organization_secrets=write"
)

var explanationTests = []explanationTest{
	{name: "a redirected write", token: "ghp_x", request: putRequest, sends: "value", status: 307, message: "Temporary Redirect"},
	{name: "a classic token that expired during the run", token: "ghp_x", request: putRequest, status: 401, message: "Bad credentials", earlier: "success"},
	{name: "an App token that expired during the run", token: "ghs_x", request: putRequest, status: 401, message: "Bad credentials", earlier: "success"},
	{name: "a fine-grained token that is not valid", token: "github_pat_x", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "a token of an unknown kind", token: "0123abcd", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "an installation token that contains a JWT", token: "ghs_1_eyJh.eyJp.c2ln", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "a token of an OAuth App", token: "gho_x", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "a token of an App for a user", token: "ghu_x", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "a JWT that is not valid", token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln", request: getKeyRequest, status: 401, message: "A JSON web token could not be decoded"},
	{
		name: "a JWT that GitHub knows", token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln", request: getKeyRequest, status: 403,
		message: "Resource not accessible by integration",
	},
	{name: "no JWT: base64 of JSON", token: "eyJhIjoxfQ", request: getKeyRequest, status: 401, message: "Bad credentials"},
	{name: "a proxy that requires credentials, a JWT", token: "eyJh.eyJp.c2ln", request: getKeyRequest, status: 407},
	{name: "a proxy that requires credentials", token: "ghp_x", request: getKeyRequest, status: 407},

	{
		name: "single sign-on by its header", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "Must have admin rights to Repository.", headers: []string{"X-GitHub-SSO: required; url=https://ghes.test/orgs/acme/sso?authorization_request=A1"},
	},
	{
		name: "single sign-on by the message", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
	},
	{
		name: "an IP allow list", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
	},
	{
		name: "a policy against a kind of token", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
	},
	{
		name: "an OAuth App that is restricted", token: "gho_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.",
	},
	{name: "a suspended installation", token: "ghs_x", request: getKeyRequest, status: 403, message: "This installation has been suspended"},
	{
		name: "a managed user", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "As an Enterprise Managed User, you cannot access this content",
	},
	{
		name: "an App that can read another store", token: "ghs_x", request: "GET dependabot/secrets/public-key", status: 403, earlier: "other",
		message: "Resource not accessible by integration", headers: []string{"X-Accepted-GitHub-Permissions: organization_dependabot_secrets=read"},
	},
	{
		name: "an App that cannot list repositories", token: "ghs_x", request: "GET repos", status: 403, earlier: "other",
		message: "Resource not accessible by integration", headers: []string{"X-Accepted-GitHub-Permissions: metadata=read"},
	},
	{name: "an App for a user", token: "ghu_x", request: getKeyRequest, status: 403, message: "Resource not accessible by integration", headers: []string{"X-OAuth-Scopes: "}},
	{
		name: "an App that can only read", token: "ghs_x", request: putRequest, status: 403, earlier: "read",
		message: "Resource not accessible by integration", headers: []string{needsWrite},
	},
	{
		name: "GITHUB_TOKEN", token: "ghs_x", request: getKeyRequest, status: 403, earlier: "success",
		message: "Resource not accessible by integration", headers: []string{"X-Accepted-GitHub-Permissions: organization_secrets=read; organization_secrets=write"},
	},
	{
		name: "a token without a known prefix that is fine-grained", token: "0123abcd", request: putRequest, status: 403,
		message: "Resource not accessible by personal access token", headers: []string{needsWrite},
	},
	{
		name: "a fine-grained token in a mode that reads", token: "github_pat_x", request: getKeyRequest, status: 403, reads: true,
		message: "Must have admin rights to Repository.", headers: []string{adminOrgScope},
	},
	{
		name: "a user who is no owner", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "You must be an org admin or have the actions secrets fine-grained permission.",
	},
	{
		name: "a missing scope", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "Must have admin rights to Repository.", headers: []string{"X-OAuth-Scopes: repo, workflow", needsAdminOrg, needsWrite},
	},
	{name: "no scopes", token: "0123abcd", request: getKeyRequest, status: 403, message: "Must have admin rights to Repository.", headers: []string{"X-OAuth-Scopes: "}},
	{
		name: "an OAuth App without the scope", token: "gho_x", request: getKeyRequest, status: 403,
		message: "Must have admin rights to Repository.", headers: []string{"X-OAuth-Scopes: repo, gist", needsAdminOrg},
	},
	{name: "a repository of others, unknown scopes", token: "ghp_x", request: lookUpRequest, status: 403, message: "Forbidden"},

	{name: "a limit", token: "ghp_x", request: putRequest, sends: "value", status: 422, message: "Organization secrets limit reached"},
	{name: "a limit of a size, with a list", token: "ghp_x", request: putRequest, sends: "value list", status: 422, message: "Value is too large"},
	{
		name: "the word limit in the name of the organization only", token: "ghp_x", request: putRequest, sends: "value", status: 422, org: "Unlimited-Inc",
		message: "The key is not that of unlimited-inc.",
	},

	{name: "404 after a redirect", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", earlier: "redirect"},
	{name: "a missing repository", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", headers: []string{"X-OAuth-Scopes: repo"}},
	{name: "a private repository", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", headers: []string{adminOrgScope}},
	{
		name: "a repository outside an installation", token: "ghs_x", request: lookUpRequest, status: 404,
		message: "Not Found", headers: []string{"X-Accepted-GitHub-Permissions: metadata=read"},
	},
	{name: "a repository, unknown scopes", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found"},
	{name: "a store that GitHub Enterprise Server lacks", token: "ghp_x", request: "GET codespaces/secrets/public-key", status: 404, message: "Not Found"},
	{
		name: "a list that is not accepted, or no right to write", token: "ghs_x", request: putRequest, sends: "value list", status: 404,
		message: "Not Found", earlier: "read",
	},
	{name: "no right to write", token: "github_pat_x", request: putRequest, sends: "value", status: 404, message: "Not Found", earlier: "read"},
	{name: "no organization, or no access to it", token: "ghp_x", request: getKeyRequest, status: 404, message: "Not Found", headers: []string{adminOrgScope, needsAdminOrg}},
	{name: "no organization, a missing scope", token: "ghp_x", request: getKeyRequest, status: 404, message: "Not Found", headers: []string{"X-OAuth-Scopes: repo"}},
	{name: "no organization, unknown scopes", token: "ghp_x", request: "GET repos", status: 404, message: "Not Found"},

	{
		name: "a secret without a list", token: "ghp_x", request: setListRequest, sends: "list", status: 409,
		message: "Conflict: Secret visibility is not set to selected repositories",
	},
	{name: "another conflict", token: "ghp_x", request: putRequest, sends: "value", status: 409, message: "Conflict"},

	{
		name: "a repository of another owner", token: "ghp_x", request: putRequest, sends: "value list", status: 422,
		message: "Repository 77 is not a repository of this organization",
	},
	{
		name: "a value for another key", token: "ghp_x", request: putRequest, sends: "value list", status: 422,
		message: "Bad request - validation failed due to an improperly encrypted secret",
	},
	{name: "a value or a list", token: "ghp_x", request: putRequest, sends: "value list", status: 422, message: "Validation Failed"},
	{name: "a list", token: "ghp_x", request: setListRequest, sends: "list", status: 422, message: "Validation Failed"},
	{name: "a value", token: "ghp_x", request: putRequest, sends: "value", status: 422, message: "Validation Failed"},
	{name: "a status without a row", token: "ghp_x", request: putRequest, sends: "value", status: 400, message: "Problems parsing JSON"},
}

// explain returns the explained error of a case.
func (test explanationTest) explain() *secret.Error {
	method, path, _ := strings.Cut(test.request, " ")
	store, _, inStore := strings.Cut(path, "/secrets")
	request := &Request{method: method, path: path}
	if !strings.HasPrefix(path, "repos/") {
		request.path = "orgs/acme/" + path
	}
	if inStore {
		request.store = secret.Store(store)
	}
	request.repositories = strings.Contains(test.sends, "list")
	if strings.Contains(test.sends, "value") {
		request.sealed = "c2VhbGVk"
	}
	resp := &http.Response{StatusCode: test.status, Header: http.Header{}, Request: &http.Request{}}
	for _, line := range test.headers {
		name, value, _ := strings.Cut(line, ": ")
		resp.Header.Set(name, value)
	}
	if test.earlier == "redirect" {
		resp.Request.Response = &http.Response{}
	}
	c := &Client{
		opt: Options{
			Org: cmp.Or(test.org, "acme"), Token: test.token, Writes: !test.reads,
			BaseURL: &url.URL{Scheme: "https", Host: "ghes.test", Path: "/api/v3/"},
		},
		tokenAccepted: test.earlier == "success",
		storeRead: map[secret.Store]bool{
			"": test.earlier == "success", secret.Codespaces: test.earlier == "other",
			request.store: test.earlier == "read",
		},
	}
	e := &secret.Error{}
	c.explain(e, request, resp, test.message)
	return e
}

// explainAll returns the cause, the hint and the sentinel errors of each case.
func explainAll() (texts []string) {
	for _, test := range explanationTests {
		e := test.explain()
		texts = append(texts, fmt.Sprintf("%s\n  Cause: %s\n  Hint: %s\n  Is: %q", test.name, e.Cause, e.Hint, e.Is))
	}
	return texts
}

// TestExplanations checks the cause and the hint for each kind of rejection, and
// that each row of the table is needed: without it, a case has another result.
func TestExplanations(t *testing.T) {
	const golden = "testdata/explanations.txt"
	got := explainAll()
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n\n")
	if len(got) != len(want) {
		t.Fatalf("got %d cases, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("got\n%s\nwant\n%s", got[i], want[i])
		}
	}
	rows := explanations
	defer func() { explanations = rows }()
	for i, row := range rows {
		explanations = slices.Delete(slices.Clone(rows), i, i+1)
		if slices.Equal(explainAll(), got) {
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
			if got := lacksStore(&rejection{Options: &Options{BaseURL: base}, Request: &Request{store: store}}); got != lacks {
				t.Errorf("%s, %q: got %v, want %v", address, store, got, lacks)
			}
		}
	}
}
