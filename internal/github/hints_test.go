package github

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
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

	cause, hint string
	is          error
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
	{
		name: "a redirected write", token: "ghp_x", request: putRequest, sends: "value", status: 307, message: "Temporary Redirect",
		cause: "The organization was renamed, or api_url is not the final URL. Redirected writes are not followed, because they would be resent as GET and store nothing.",
		hint:  "Set org to the organization's current login, and api_url to the final URL.", is: secret.ErrInputs,
	},
	{
		name: "a classic token that expired during the run", token: "ghp_x", request: putRequest, status: 401, message: "Bad credentials", earlier: "success",
		cause: "The token worked earlier in this run and has expired or been revoked since.",
		hint:  "Use a valid token: the settings of its user show whether it has expired.",
	},
	{
		name: "an App token that expired during the run", token: "ghs_x", request: putRequest, status: 401, message: "Bad credentials", earlier: "success",
		cause: "The token worked earlier in this run and has expired or been revoked since.",
		hint:  "Use a valid token, created just before this step: an App token expires after one hour, and is revoked when the job that created it ends.",
	},
	{
		name: "a fine-grained token that is not valid", token: "github_pat_x", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this fine-grained personal token. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use a valid token: the settings of its user show whether it has expired.",
	},
	{
		name: "a token of an unknown kind", token: "0123abcd", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this token of an unknown kind. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use a valid token, created just before this step: an App token expires after one hour, and is revoked when the job that created it ends.",
	},
	{
		name: "an installation token that contains a JWT", token: "ghs_1_eyJh.eyJp.c2ln", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this App installation token or a workflow's GITHUB_TOKEN. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use a valid token, created just before this step: an App token expires after one hour, and is revoked when the job that created it ends.",
	},
	{
		name: "a token of an OAuth App", token: "gho_x", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this token of an OAuth App, such as gh. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use a personal token or an App token: this kind belongs to a person who logs in.",
	},
	{
		name: "a token of an App for a user", token: "ghu_x", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this token of an App for a user. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use an installation token of the App: one for a user expires after 8 hours.",
	},
	{
		name: "a JWT that is not valid", token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln", request: getKeyRequest, status: 401,
		message: "A JSON web token could not be decoded",
		cause:   "The token is a JWT: it shows who an App is, and cannot access secrets.",
		hint:    "Use the installation token that it is exchanged for, such as that of actions/create-github-app-token.",
	},
	{
		name: "a JWT that GitHub knows", token: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2ln", request: getKeyRequest, status: 403,
		message: "Resource not accessible by integration",
		cause:   "The token is a JWT: it shows who an App is, and cannot access secrets.",
		hint:    "Use the installation token that it is exchanged for, such as that of actions/create-github-app-token.",
	},
	{
		name: "no JWT: base64 of JSON", token: "eyJhIjoxfQ", request: getKeyRequest, status: 401, message: "Bad credentials",
		cause: "GitHub rejected this token of an unknown kind. It may be mistyped, expired, revoked, or issued by a different server than api_url.",
		hint:  "Use a valid token, created just before this step: an App token expires after one hour, and is revoked when the job that created it ends.",
	},
	{
		name: "a proxy that requires credentials, a JWT", token: "eyJh.eyJp.c2ln", request: getKeyRequest, status: 407,
		hint: "The proxy requires credentials: set HTTPS_PROXY to `http://USER:PASSWORD@HOST:PORT`.",
	},
	{
		name: "a proxy that requires credentials", token: "ghp_x", request: getKeyRequest, status: 407,
		hint: "The proxy requires credentials: set HTTPS_PROXY to `http://USER:PASSWORD@HOST:PORT`.",
	},

	{
		name: "single sign-on by its header", token: "ghp_x", request: getKeyRequest, status: 403, message: "Must have admin rights to Repository.",
		headers: []string{"X-GitHub-SSO: required; url=https://ghes.test/orgs/acme/sso?authorization_request=A1"},
		cause:   "The organization enforces SAML single sign-on, and this token is not authorized for it.",
		hint:    "Open https://ghes.test/orgs/acme/sso?authorization_request=A1 to authorize the token for the organization.",
	},
	{
		name: "single sign-on by the message", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
		cause:   "The organization enforces SAML single sign-on, and this token is not authorized for it.",
		hint:    "Authorize the token for the organization in the settings of its owner (Configure SSO).",
	},
	{
		name: "an IP allow list", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
		cause:   "The organization accepts requests only from the addresses on its IP allow list, and that of this runner is not on it.",
		hint:    "Use a runner whose address is on the list, or have an owner of acme add it.",
	},
	{
		name: "a policy against a kind of token", token: "ghp_x", request: getKeyRequest, status: 403,
		message: "`acme` forbids access via a personal access token (classic). Please use a GitHub App, OAuth App, or a personal access token with fine-grained permissions.",
		cause:   "A policy of the organization does not allow this token.",
		hint:    "Use a token of a kind and lifetime that the policy allows, such as an App token with the organization permission Secrets: write.",
	},
	{
		name: "an OAuth App that is restricted", token: "gho_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions, meaning that data access to third-parties is limited.",
		cause:   "The organization restricts OAuth Apps, and no owner has approved the one that issued this token.",
		hint:    "Have an owner of acme approve it, or use an App token with the organization permission Secrets: write.",
	},
	{
		name: "a suspended installation", token: "ghs_x", request: getKeyRequest, status: 403, message: "This installation has been suspended",
		cause: "An owner of acme, or the owner of the App, has suspended its installation.",
		hint:  "Have them unsuspend it.",
	},
	{
		name: "a managed user", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "As an Enterprise Managed User, you cannot access this content",
		cause:   "The token's user is managed by an enterprise and can access only the organizations of that enterprise.",
		hint:    "Check org, or use an App token with the organization permission Secrets: write.",
	},
	{
		name: "an App that can read another store", token: "ghs_x", request: "GET dependabot/secrets/public-key", status: 403, earlier: "other",
		message: "Resource not accessible by integration", headers: []string{"X-Accepted-GitHub-Permissions: organization_dependabot_secrets=read"},
		cause: "The App lacks the permission, or no owner of acme has accepted it yet. This request requires organization_dependabot_secrets=read.",
		hint:  "The App must be installed in acme, with the organization permission Dependabot secrets: write. An owner must accept a changed permission at the installation.",
	},
	{
		name: "an App that cannot list repositories", token: "ghs_x", request: "GET repos", status: 403, earlier: "other",
		message: "Resource not accessible by integration", headers: []string{"X-Accepted-GitHub-Permissions: metadata=read"},
		cause: "The App lacks the permission, or no owner of acme has accepted it yet.",
		hint:  "The App must be installed in acme, with the repository permission Metadata: read. An owner must accept a changed permission at the installation.",
	},
	{
		name: "an App for a user", token: "ghu_x", request: getKeyRequest, status: 403,
		message: "Resource not accessible by integration", headers: []string{"X-OAuth-Scopes: "},
		cause: "The App lacks the permission, or no owner of acme has accepted it yet.",
		hint:  "The App must be installed in acme, with the organization permission Secrets: write. The token's user must be an owner of acme. An owner must accept a changed permission at the installation.",
	},
	{
		name: "an App that can only read", token: "ghs_x", request: putRequest, status: 403, earlier: "read",
		message: "Resource not accessible by integration", headers: []string{needsWrite},
		cause: "The App can read the actions secrets of acme but not write them. This request requires organization_secrets=write.",
		hint:  "Give it Secrets: Read and write; an owner must accept the change at the installation.",
	},
	{
		name: "GITHUB_TOKEN", token: "ghs_x", request: getKeyRequest, status: 403, earlier: "success",
		message: "Resource not accessible by integration",
		headers: []string{"X-Accepted-GitHub-Permissions: organization_secrets=read; organization_secrets=write"},
		cause:   "The token is the workflow's GITHUB_TOKEN, or an App token without the required permission. This request requires organization_secrets=read or organization_secrets=write.",
		hint:    "Use an App token with the organization permission Secrets: write, accepted at the installation, or a personal token with admin:org. GITHUB_TOKEN can never access organization secrets.",
	},
	{
		name: "a token without a known prefix that is fine-grained", token: "0123abcd", request: putRequest, status: 403,
		message: "Resource not accessible by personal access token", headers: []string{needsWrite},
		cause: "The fine-grained token lacks the permission, or no owner of the organization has approved it yet. This request requires organization_secrets=write.",
		hint:  "Give it the organization permission Secrets: write, with acme as its resource owner, and have it approved.",
	},
	{
		name: "a fine-grained token in a mode that reads", token: "github_pat_x", request: getKeyRequest, status: 403, reads: true,
		message: "Must have admin rights to Repository.", headers: []string{adminOrgScope},
		cause: "The fine-grained token lacks the permission, or no owner of the organization has approved it yet.",
		hint:  "Give it the organization permission Secrets: read, with acme as its resource owner, and have it approved.",
	},
	{
		name: "a user who is no owner", token: "ghp_x", request: getKeyRequest, status: 403, headers: []string{adminOrgScope},
		message: "You must be an org admin or have the actions secrets fine-grained permission.",
		cause:   "The token has the scope admin:org, but its user may not do this.",
		hint:    "Use a token of an owner of acme, or an App token with the organization permission Secrets: write.",
	},
	{
		name: "a missing scope", token: "ghp_x", request: getKeyRequest, status: 403, message: "Must have admin rights to Repository.",
		headers: []string{"X-OAuth-Scopes: repo, workflow", needsAdminOrg, needsWrite},
		cause:   "The token has the scopes repo, workflow; this request requires admin:org.",
		hint:    "Give the token the scope admin:org. Its user must be an owner of acme.",
	},
	{
		name: "no scopes", token: "0123abcd", request: getKeyRequest, status: 403, message: "Must have admin rights to Repository.",
		headers: []string{"X-OAuth-Scopes: "},
		cause:   "The token has the scopes none.",
		hint:    "Give the token the scope admin:org. Its user must be an owner of acme.",
	},
	{
		name: "an OAuth App without the scope", token: "gho_x", request: getKeyRequest, status: 403, message: "Must have admin rights to Repository.",
		headers: []string{"X-OAuth-Scopes: repo, gist", needsAdminOrg},
		cause:   "This is a token of an OAuth App, such as gh. The token has the scopes repo, gist; this request requires admin:org.",
		hint:    "Run `gh auth refresh --scopes admin:org`, or use a personal token with this scope. Its user must be an owner of acme.",
	},
	{
		name: "a repository of others, unknown scopes", token: "ghp_x", request: lookUpRequest, status: 403, message: "Forbidden",
		cause: "The token's user may not do this, or the token lacks the scope or the permission.",
		hint:  "Its user must be somebody who can access the repositories of acme; a classic token needs the scope repo, an App token the repository permission Metadata: read.",
	},

	{
		name: "a limit", token: "ghp_x", request: putRequest, sends: "value", status: 422, message: "Organization secrets limit reached",
		cause: "This may be one of GitHub's limits: 1,000 secrets for an organization, 48 KB for a value.",
		hint:  "Delete secrets that nobody uses.",
	},
	{
		name: "a limit of a size, with a list", token: "ghp_x", request: putRequest, sends: "value list", status: 422, message: "Value is too large",
		cause: "This may be one of GitHub's limits: 1,000 secrets for an organization, 48 KB for a value.",
		hint:  "Delete secrets that nobody uses.", is: secret.ErrInputs,
	},
	{
		name: "the word limit in the name of the organization only", token: "ghp_x", request: putRequest, sends: "value", status: 422,
		org: "Unlimited-Inc", message: "The key is not that of unlimited-inc.",
		cause: "GitHub rejected what was sent: a sealed value, its key id and a visibility.",
		hint:  "Correct what the message names.",
	},

	{
		name: "404 after a redirect", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", earlier: "redirect",
		cause: "A redirect led to an address that GitHub does not have, which does not show that what was asked for is missing.",
		hint:  "Set api_url to the final URL; a renamed organization has a new login for org.",
	},
	{
		name: "a missing repository", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", headers: []string{"X-OAuth-Scopes: repo"},
		cause: "The token has the scope repo, so it can access all repositories of its user: this one does not exist, or its user cannot access it.",
		hint:  "Check the name and the access of the token's user.",
	},
	{
		name: "a private repository", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found", headers: []string{adminOrgScope},
		cause: "A classic token without the repo scope cannot see private repositories. Either this repository is private or it does not exist.",
		hint:  "Give the token the scope repo, or check the name.",
	},
	{
		name: "a repository outside an installation", token: "ghs_x", request: lookUpRequest, status: 404, message: "Not Found",
		headers: []string{"X-Accepted-GitHub-Permissions: metadata=read"},
		cause:   "GitHub returns 404 both for missing repositories and for those the token cannot access.",
		hint:    "Check the name, and that the token, or the App's installation, has access to that repository.",
	},
	{
		name: "a repository, unknown scopes", token: "ghp_x", request: lookUpRequest, status: 404, message: "Not Found",
		cause: "GitHub returns 404 both for missing repositories and for those the token cannot access.",
		hint:  "Check the name and the token's access; a classic token needs the scope repo for a private repository.",
	},
	{
		name: "a store that GitHub Enterprise Server lacks", token: "ghp_x", request: "GET codespaces/secrets/public-key", status: 404, message: "Not Found",
		cause: "ghes.test is a GitHub Enterprise Server, which has no organization secrets for codespaces.",
		hint:  "Remove codespaces from stores.",
	},
	{
		name: "a list that is not accepted, or no right to write", token: "ghs_x", request: putRequest, sends: "value list", status: 404, message: "Not Found", earlier: "read",
		cause: "The token can read the secrets of acme. A selected repository may be missing or belong to another owner, or the token may lack the right to write.",
		hint:  "Check that every selected repository exists and belongs to acme. The App must be installed in acme, with the organization permission Secrets: write.",
		is:    secret.ErrInputs,
	},
	{
		name: "no right to write", token: "github_pat_x", request: putRequest, sends: "value", status: 404, message: "Not Found", earlier: "read",
		cause: "The token can read the secrets of acme, but may lack the right to write them.",
		hint:  "The token needs the organization permission Secrets: write, with acme as its resource owner.",
	},
	{
		name: "no organization, or no access to it", token: "ghp_x", request: getKeyRequest, status: 404, message: "Not Found", headers: []string{adminOrgScope, needsAdminOrg},
		cause: "GitHub returns 404 both for missing resources and for those the token cannot access: there is no organization acme (a user account has no organization secrets), or the token cannot access it. The token has the scopes admin:org, workflow; this request requires admin:org.",
		hint:  "Check org and api_url. The token's user must be an owner of acme.",
	},
	{
		name: "no organization, a missing scope", token: "ghp_x", request: getKeyRequest, status: 404, message: "Not Found", headers: []string{"X-OAuth-Scopes: repo"},
		cause: "GitHub returns 404 both for missing resources and for those the token cannot access: there is no organization acme (a user account has no organization secrets), or the token cannot access it. The token has the scopes repo.",
		hint:  "Check org and api_url. Give the token the scope admin:org. Its user must be an owner of acme.",
	},
	{
		name: "no organization, unknown scopes", token: "ghp_x", request: "GET repos", status: 404, message: "Not Found",
		cause: "GitHub returns 404 both for missing resources and for those the token cannot access: there is no organization acme (a user account has no organization secrets), or the token cannot access it.",
		hint:  "Check org and api_url. The token needs the repository permission Metadata: read (classic: repo), and must belong to acme or a member of it.",
	},

	{
		name: "a secret without a list", token: "ghp_x", request: setListRequest, sends: "list", status: 409,
		message: "Conflict: Secret visibility is not set to selected repositories",
		cause:   "The secret's visibility is not selected, so it has no list of repositories.",
		hint:    "Store it with visibility: selected first.",
	},
	{
		name: "another conflict", token: "ghp_x", request: putRequest, sends: "value", status: 409, message: "Conflict",
		cause: "GitHub does not document why it returns 409 to this request; another change of the secret may have been under way.",
		hint:  "Wait a minute.",
	},

	{
		name: "a repository of another owner", token: "ghp_x", request: putRequest, sends: "value list", status: 422,
		message: "Repository 77 is not a repository of this organization",
		cause:   "GitHub rejected the list of repositories. Only repositories of the organization can be on it.",
		hint:    "Check that every selected repository exists and belongs to acme.", is: secret.ErrInputs,
	},
	{
		name: "a value for another key", token: "ghp_x", request: putRequest, sends: "value list", status: 422,
		message: "Bad request - validation failed due to an improperly encrypted secret",
		cause:   "GitHub cannot decrypt the value with the key whose id was sent.",
		hint:    "Seal the value with the current key of this organization and store; each store has its own.", is: secret.ErrCannotOpen,
	},
	{
		name: "a value or a list", token: "ghp_x", request: putRequest, sends: "value list", status: 422, message: "Validation Failed",
		cause: "GitHub rejected what was sent: a sealed value, its key id and a list of repositories.",
		hint:  "Check that every selected repository exists and belongs to acme.", is: secret.ErrInputs,
	},
	{
		name: "a list", token: "ghp_x", request: setListRequest, sends: "list", status: 422, message: "Validation Failed",
		cause: "GitHub rejected the list of repositories. Only repositories of the organization can be on it.",
		hint:  "Check that every selected repository exists and belongs to acme.", is: secret.ErrInputs,
	},
	{
		name: "a value", token: "ghp_x", request: putRequest, sends: "value", status: 422, message: "Validation Failed",
		cause: "GitHub rejected what was sent: a sealed value, its key id and a visibility.",
		hint:  "Correct what the message names.",
	},
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

// problem returns what is wrong with the explanation, or "".
func (test explanationTest) problem() string {
	var want []error
	if test.is != nil {
		want = []error{test.is}
	}
	switch e := test.explain(); {
	case e.Cause != test.cause:
		return fmt.Sprintf("got the cause %q, want %q", e.Cause, test.cause)
	case e.Hint != test.hint:
		return fmt.Sprintf("got the hint %q, want %q", e.Hint, test.hint)
	case !slices.Equal(e.Is, want):
		return fmt.Sprintf("got the sentinel errors %q, want %q", e.Is, want)
	}
	return ""
}

// TestExplanations checks the cause and the hint for each kind of rejection, and
// that each row of the table is needed: without it, a case has another result.
func TestExplanations(t *testing.T) {
	for _, test := range explanationTests {
		t.Run(test.name, func(t *testing.T) {
			if problem := test.problem(); problem != "" {
				t.Error(problem)
			}
		})
	}
	rows := explanations
	defer func() { explanations = rows }()
	for i, row := range rows {
		explanations = slices.Delete(slices.Clone(rows), i, i+1)
		if !slices.ContainsFunc(explanationTests, func(test explanationTest) bool { return test.problem() != "" }) {
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

func TestTokenKind(t *testing.T) {
	for token, want := range map[string]*tokenKind{
		"ghp_a": classic, "github_pat_a": fineGrained, "ghs_a": installation, "ghs_1_eyJ.eyJ.c2ln": installation,
		"gho_a": oauth, "ghu_a": appUser, "0123abcd": otherToken, "eyJ": otherToken,
	} {
		if got := kindOf(token); got != want {
			t.Errorf("%s: got the kind %q, want %q", token, got.name, want.name)
		}
	}
}
