package github

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// tokenKind is the kind of a token, by its prefix.
//
// https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
type tokenKind string

const tokenLifetime = "An App token expires after one hour, and is revoked when the job that created it ends."

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

// permissions are the organization permissions of fine-grained tokens and Apps, as GitHub's forms name them.
//
// https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
var permissions = map[secret.Store]string{
	secret.Actions:    "Secrets",
	secret.Dependabot: "Dependabot secrets",
	secret.Codespaces: "Codespaces secrets",
	secret.Agents:     "Agent secrets",
}

// requiredGrant returns the permission and the classic scope to name in a hint. In modes that write it is the write
// permission even for a failed read, so that the user changes the token once.
func (c *Client) requiredGrant(call *call) (permission, scope string) {
	if call.store == "" {
		return "the repository permission Metadata: read", "repo"
	}
	level := "read"
	if c.opt.Writes {
		level = "write"
	}
	return fmt.Sprintf("the organization permission %s: %s", permissions[call.store], level), "admin:org"
}

// explain returns why a request was refused and what to do. It sends nothing: the response and the token's prefix are
// enough.
func (c *Client) explain(call *call, resp *http.Response, msg string) (cause, hint string) {
	switch status := resp.StatusCode; {
	case status >= 300 && status < 400:
		return "Redirected writes are not followed, because they would be resent as GET and store nothing.",
			"Set org to the organization's current login, and api_url to the final URL."
	case status == http.StatusUnauthorized:
		return c.explain401()
	case status == http.StatusForbidden:
		return c.explain403(call, resp.Header, strings.ToLower(msg))
	case status == http.StatusNotFound:
		return c.explain404(call, resp.Header)
	case status == http.StatusConflict:
		return "The secret's visibility is not selected, so it has no list of repositories.",
			"Store it with visibility: selected first."
	case status == http.StatusUnprocessableEntity && call.isWrite():
		return "GitHub rejected the value, the key id or the repository list.",
			"Check that every selected repository belongs to the organization, and seal again with the current key."
	}
	return "", ""
}

func (c *Client) explain401() (cause, hint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokenAccepted {
		return "The token worked earlier in this run and has expired or been revoked since.",
			"Create the token just before this step. " + tokenLifetime
	}
	return fmt.Sprintf("GitHub rejected this %s. It may be mistyped, expired, revoked, "+
			"or issued by a different server than api_url.", kindOf(c.opt.Token)),
		"Use a valid token. " + tokenLifetime
}

func (c *Client) explain403(call *call, header http.Header, msg string) (cause, hint string) {
	permission, scope := c.requiredGrant(call)
	grants := c.grants(call, header)
	switch kind := kindOf(c.opt.Token); {
	case header.Get("X-GitHub-SSO") != "" || strings.Contains(msg, "saml"):
		hint = "Authorize the token for the organization in the settings of its owner (Configure SSO)."
		if link := ssoLink(header.Get("X-GitHub-SSO")); link != "" {
			hint = "Authorize the token for the organization at " + link
		}
		return "The organization enforces SAML single sign-on, and this token is not authorized for it.", hint
	case strings.Contains(msg, "by integration"):
		cause = "The token is the workflow's GITHUB_TOKEN, or an App token without the required permission."
		return sentences(cause, grants), fmt.Sprintf("Use an App token with %s, or a personal token with %s. "+
			"GITHUB_TOKEN can never access organization secrets.", permission, scope)
	case strings.Contains(msg, "personal access token") || kind == fineGrained:
		cause = "The fine-grained token lacks the permission, or no owner of the organization has approved it yet."
		return sentences(cause, grants),
			fmt.Sprintf("Give it %s, with %s as its resource owner, and have it approved.", permission, c.opt.Org)
	}
	if grants == "" {
		grants = "The token's user may not do this, or the token lacks the scope."
	}
	return grants, fmt.Sprintf("Its user must be an owner of %s; a classic token needs the scope %s.", c.opt.Org, scope)
}

func (c *Client) explain404(call *call, header http.Header) (cause, hint string) {
	permission, scope := c.requiredGrant(call)
	switch grants := c.grants(call, header); {
	case call.store == "":
		cause, hint = repositoryNotFoundHint(kindOf(c.opt.Token), header)
		return sentences(cause, grants), hint
	case !c.hasAllStores() && (call.store == secret.Codespaces || call.store == secret.Agents):
		return fmt.Sprintf("%s is a GitHub Enterprise Server, which has no organization secrets for %s.",
			c.opt.BaseURL.Host, call.store), fmt.Sprintf("Remove %s from stores.", call.store)
	default:
		cause = fmt.Sprintf("GitHub returns 404 both for missing resources and for those the token cannot access: "+
			"the organization %s does not exist, or this %s cannot access its secrets.", c.opt.Org, kindOf(c.opt.Token))
		return sentences(cause, grants), fmt.Sprintf("Check org and api_url. The token needs %s (classic: %s), "+
			"and must belong to %s or a member of it.", permission, scope, c.opt.Org)
	}
}

// grants describes what the token has and what the request requires, as far as the response's headers say.
func (c *Client) grants(call *call, header http.Header) string {
	if kindOf(c.opt.Token) != classic {
		if required := header.Get("X-Accepted-GitHub-Permissions"); required != "" {
			return "This request requires " + strings.ReplaceAll(required, ";", " or ") + "."
		}
	}
	scopes, ok := header["X-Oauth-Scopes"]
	if !ok || call.store == "" {
		return ""
	}
	text := "The token has the scopes " + cmp.Or(strings.Join(scopes, ", "), "none")
	if required := header.Get("X-Accepted-OAuth-Scopes"); required != "" {
		text += "; this request requires " + required
	}
	return text + "."
}

// sentences joins the sentences that are not empty.
func sentences(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}

// repositoryNotFoundHint explains a 404 for a repository, which does not exist or is not visible to the token. A
// classic token's scopes narrow that down.
func repositoryNotFoundHint(kind tokenKind, header http.Header) (cause, hint string) {
	scopes, ok := header["X-Oauth-Scopes"]
	separator := func(r rune) bool { return r == ',' || r == ' ' }
	switch {
	case ok && slices.Contains(strings.FieldsFunc(strings.Join(scopes, ","), separator), "repo"):
		return "The token has the scope repo, so it can access all repositories of its user: " +
				"this one does not exist, or its user cannot access it.",
			"Check the name and the access of the token's user."
	case ok:
		return "A classic token without the repo scope cannot see private repositories. " +
				"Either this repository is private or it does not exist.",
			"Give the token the scope repo, or check the name."
	case kind == fineGrained || kind == installation:
		return "GitHub returns 404 both for missing repositories and for those the token cannot access.",
			"Check the name, and that the token, or the App's installation, has access to that repository."
	}
	return "GitHub returns 404 both for missing repositories and for those the token cannot access.",
		"Check the name and the token's access; a classic token needs the scope repo for a private repository."
}

// hasAllStores reports whether the API is that of github.com or GHE.com, which have all stores. Loopback hosts
// (tests) count as having them unless their path is that of a GitHub Enterprise Server.
func (c *Client) hasAllStores() bool {
	host, path := c.opt.BaseURL.Hostname(), c.opt.BaseURL.Path
	return host == "api.github.com" || strings.HasSuffix(host, ".ghe.com") || !strings.HasPrefix(path, "/api/")
}

// ssoLink reads the URL of the header value "required; url=…". It returns "" if there is none that is safe to show.
func ssoLink(header string) string {
	_, link, ok := strings.Cut(header, "url=")
	if u, err := url.Parse(strings.TrimSpace(link)); ok && err == nil && u.Scheme == "https" && u.User == nil {
		return u.String()
	}
	return ""
}
