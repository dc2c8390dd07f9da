package github

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// tokenKind is what a token's prefix tells of it.
//
// https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
type tokenKind string

const (
	classic      tokenKind = "classic personal token"
	fineGrained  tokenKind = "fine-grained personal token"
	installation tokenKind = "App installation token or a workflow's GITHUB_TOKEN"
	otherToken   tokenKind = "token of an unknown kind"
)

func kindOf(token string) tokenKind {
	for prefix, kind := range map[string]tokenKind{
		"ghp_": classic, "github_pat_": fineGrained, "ghs_": installation,
	} {
		if strings.HasPrefix(token, prefix) {
			return kind
		}
	}
	return otherToken
}

// permissions are the organization permissions of fine-grained tokens and Apps,
// as GitHub's forms name them.
//
// https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
var permissions = map[secret.Store]string{
	secret.Actions:    "Secrets",
	secret.Dependabot: "Dependabot secrets",
	secret.Codespaces: "Codespaces secrets",
	secret.Agents:     "Agent secrets",
}

// wanted names the grant that a call needs. Who writes at all is told so from the
// first refusal on, which is that of the key.
func (c *Client) wanted(call *call) (permission, scope string) {
	if call.store == "" {
		return "the repository permission Metadata: read", "repo"
	}
	level := "read"
	if c.writes {
		level = "write"
	}
	return fmt.Sprintf("the organization permission %s: %s", permissions[call.store], level), "admin:org"
}

// explain adds what a refusal means and what to do. It costs no request: all of
// it stands in the answer and in the token's prefix.
func (c *Client) explain(e *Error, call *call, resp *http.Response) {
	permission, scope := c.wanted(call)
	kind := kindOf(c.token)
	lower := strings.ToLower(e.Message)
	switch {
	case e.Status >= 300 && e.Status < 400:
		e.cause = "A redirected write would be sent on as a read and store nothing, so none is followed."
		e.advice = "Give the organization's present login in org, and the address in api_url that answers by itself."

	case e.Status == http.StatusUnauthorized && c.worked():
		e.cause = "The token worked earlier in this run: it has expired or was revoked since."
		e.advice = "Create the token just before this step; an App's lives an hour, and is revoked when the job that made it ends."
	case e.Status == http.StatusUnauthorized:
		e.cause = fmt.Sprintf("GitHub does not know this %s: it is mistyped, expired or revoked, or was made for another server than api_url names.", kind)
		e.advice = "Give a token that is valid now; an App's lives an hour, and is revoked when the job that made it ends."

	case e.Status == http.StatusForbidden && (resp.Header.Get("X-GitHub-SSO") != "" || strings.Contains(lower, "saml")):
		e.cause = "The organization enforces SAML single sign-on, and this token is not authorized for it."
		e.advice = "Authorize the token for the organization in the settings of its owner (Configure SSO)."
		if link := ssoLink(resp.Header.Get("X-GitHub-SSO")); link != "" {
			e.advice = "Authorize the token for the organization at " + link
		}
	case e.Status == http.StatusForbidden && strings.Contains(lower, "by integration"):
		e.cause = "This token is a workflow's GITHUB_TOKEN or an App's without the permission. GITHUB_TOKEN can never reach organization secrets."
		e.advice = fmt.Sprintf("Use an App token with %s, or a personal token with %s.", permission, scope)
	case e.Status == http.StatusForbidden && (strings.Contains(lower, "personal access token") || kind == fineGrained):
		e.cause = "This fine-grained token lacks the permission, or no owner of the organization has approved it yet."
		e.advice = fmt.Sprintf("Give it %s, with %s as its resource owner, and have it approved.", permission, c.org)
	case e.Status == http.StatusForbidden:
		e.cause = "The token's owner may not do this, or the token lacks the scope."
		e.advice = fmt.Sprintf("Its owner must be an owner of %s, and a classic token needs the scope %s.", c.org, scope)
		if scopes, ok := resp.Header["X-Oauth-Scopes"]; ok {
			e.cause = fmt.Sprintf("The token has the scopes %s.", orNone(strings.Join(scopes, ", ")))
		}

	case e.Status == http.StatusNotFound && call.store != "" && !c.dotcom() && (call.store == secret.Codespaces || call.store == secret.Agents):
		e.cause = fmt.Sprintf("%s is a GitHub Enterprise Server, which has no organization secrets for %s.", c.base.Host, call.store)
		e.advice = fmt.Sprintf("Leave %s out of stores.", call.store)
	case e.Status == http.StatusNotFound && call.store == "":
		e.cause, e.advice = unseen(kind, resp.Header)
	case e.Status == http.StatusNotFound:
		e.cause = fmt.Sprintf("GitHub answers 404 both for what does not exist and for what the token can't see: there is no organization %s here, or this %s can't see its secrets.", c.org, kind)
		e.advice = fmt.Sprintf("Check org and api_url; the token needs %s (classic: %s), and must belong to %s or a member of it.", permission, scope, c.org)

	case e.Status == http.StatusConflict:
		e.cause = "The secret's visibility is not selected, so it has no list of repositories."
		e.advice = "Store it with visibility: selected first."
	case e.Status == http.StatusUnprocessableEntity && call.method == http.MethodPut:
		e.cause = "GitHub did not take the value, the key it was sealed to, or the list of repositories."
		e.advice = "Check that every selected repository belongs to the organization, and seal again to its present key."
	}
	if needs := resp.Header.Get("X-Accepted-GitHub-Permissions"); needs != "" && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound) && kind != classic {
		e.cause = strings.TrimSpace(e.cause + " GitHub wants " + strings.ReplaceAll(needs, ";", " or") + " here.")
	}
	if have, need := resp.Header.Get("X-OAuth-Scopes"), resp.Header.Get("X-Accepted-OAuth-Scopes"); need != "" && call.store != "" && e.Status >= 403 && e.Status <= 404 && (kind == classic || have != "") {
		told := fmt.Sprintf("The token has the scopes %s.", orNone(have))
		e.cause = strings.TrimSpace(strings.TrimSuffix(e.cause, told) + " " + strings.TrimSuffix(told, ".") + "; GitHub takes " + need + " here.")
	}
}

// unseen tells, as far as GitHub lets anyone tell, a repository that the token
// can't see from one that does not exist: both are 404s.
func unseen(kind tokenKind, header http.Header) (cause, advice string) {
	scopes, told := header["X-Oauth-Scopes"]
	switch {
	case told && slices.Contains(strings.FieldsFunc(strings.Join(scopes, ","), func(r rune) bool { return r == ',' || r == ' ' }), "repo"):
		return "The token has the scope repo, so it sees all that its owner sees: there is no such repository, or its owner has no access to it.",
			"Check the name, and the access of the token's owner."
	case told:
		return "Without the scope repo a classic token sees public repositories alone: this is a private one, or there is none of that name.",
			"Give the token the scope repo, or check the name."
	case kind == fineGrained || kind == installation:
		return "GitHub answers 404 both for what does not exist and for what the token was not given.",
			"Check the name, and that the token, or the App's installation, has access to that repository."
	}
	return "GitHub answers 404 both for what does not exist and for what the token can't see.",
		"Check the name, and that the token sees that repository; a classic one needs the scope repo for a private one."
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// dotcom reports whether the API is github.com's or GHE.com's, which have all
// stores. Loopback counts as neither's, and gets no talk of GHES.
func (c *Client) dotcom() bool {
	host := c.base.Hostname()
	return host == "api.github.com" || strings.HasSuffix(host, ".ghe.com") || !strings.HasPrefix(c.base.Path, "/api/")
}

// ssoLink reads "required; url=…".
func ssoLink(header string) string {
	_, link, ok := strings.Cut(header, "url=")
	if u, err := url.Parse(strings.TrimSpace(link)); ok && err == nil && u.Scheme == "https" && u.User == nil {
		return u.String()
	}
	return ""
}
