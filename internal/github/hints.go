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

// explain returns the cause of a refusal and a hint. It sends nothing: the request, the response and the token's
// prefix are enough. msg is GitHub's message.
func (c *Client) explain(call *call, load payload, resp *http.Response, msg string) (cause, hint string) {
	msg = strings.ToLower(msg)
	switch status := resp.StatusCode; {
	case status >= 300 && status < 400:
		return "Redirected writes are not followed, because they would be resent as GET and store nothing.",
			"Set org to the organization's current login, and api_url to the final URL."
	case status == http.StatusUnauthorized:
		return c.explain401()
	case status == http.StatusProxyAuthRequired:
		return "", proxyCredentials
	case load.hasValue() && status != http.StatusForbidden && namesLimit(c.withoutOrg(msg)):
		return "This may be one of GitHub's limits: 1,000 secrets for an organization, 48 KB for a value.",
			"Delete secrets that nobody uses."
	case status == http.StatusForbidden:
		return c.explain403(call, resp.Header, msg)
	case status == http.StatusNotFound:
		return c.explain404(call, load, resp.Header)
	case status == http.StatusConflict && strings.Contains(call.path, "/repositories"):
		return "The secret's visibility is not selected, so it has no list of repositories.",
			"Store it with visibility: selected first."
	case status == http.StatusConflict:
		return "GitHub does not document why it returns 409 to this request; " +
			"another change of the secret may have been under way.", "Wait a minute."
	case status == http.StatusUnprocessableEntity && call.isWrite():
		return c.explain422(load, msg)
	}
	return "", ""
}

// withoutOrg removes the name of the organization from a message in lower case: it may be a word to look for.
func (c *Client) withoutOrg(msg string) string {
	return strings.ReplaceAll(msg, strings.ToLower(c.opt.Org), "")
}

// namesLimit reports whether a message may be about a limit. GitHub does not document these messages.
func namesLimit(msg string) bool {
	return slices.ContainsFunc([]string{"limit", "maximum", "too many", "too large", "exceed"},
		func(word string) bool { return strings.Contains(msg, word) })
}

func (c *Client) explain401() (cause, hint string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := kindOf(c.opt.Token)
	personal := kind == classic || kind == fineGrained
	cause = fmt.Sprintf("GitHub rejected this %s. It may be mistyped, expired, revoked, "+
		"or issued by a different server than api_url.", kind)
	hint = "Use a valid token. " + tokenLifetime
	if c.tokenAccepted {
		cause = "The token worked earlier in this run and has expired or been revoked since."
		hint = "Create the token just before this step. " + tokenLifetime
	}
	if personal {
		hint = "Use a valid token: the settings of its user show whether it has expired."
	}
	return cause, hint
}

func (c *Client) explain403(call *call, header http.Header, msg string) (cause, hint string) {
	permission, scope := c.requiredGrant(call)
	grants := c.grants(call, header)
	switch kind := kindOf(c.opt.Token); {
	case header.Get("X-GitHub-SSO") != "" || strings.Contains(msg, "saml"):
		hint = "Authorize the token for the organization in the settings of its owner (Configure SSO)."
		if link := ssoLink(header.Get("X-GitHub-SSO")); link != "" {
			hint = "Open " + link + " to authorize the token for the organization."
		}
		return "The organization enforces SAML single sign-on, and this token is not authorized for it.", hint
	case strings.Contains(msg, "ip allow list"):
		return "The organization accepts requests only from the addresses on its IP allow list, " +
				"and that of this runner is not on it.",
			"Use a runner whose address is on the list, or have an owner of " + c.opt.Org + " add it."
	case strings.Contains(msg, "forbids access via"):
		return "A policy of the organization does not allow this token.",
			fmt.Sprintf("Use a token of a kind and lifetime that the policy allows, such as an App token with %s.",
				permission)
	case strings.Contains(msg, "by integration") && c.canOnlyRead(call):
		cause = fmt.Sprintf("The App can read the %s secrets of %s but not write them.", call.store, c.opt.Org)
		return sentences(cause, grants), fmt.Sprintf("Give it %s: Read and write; an owner must accept the change "+
			"at the installation.", permissions[call.store])
	case strings.Contains(msg, "by integration"):
		cause = "The token is the workflow's GITHUB_TOKEN, or an App token without the required permission."
		return sentences(cause, grants), fmt.Sprintf("Use an App token with %s, or a personal token with %s. "+
			"GITHUB_TOKEN can never access organization secrets.", permission, scope)
	case strings.Contains(msg, "personal access token") || kind == fineGrained:
		cause = "The fine-grained token lacks the permission, or no owner of the organization has approved it yet."
		return sentences(cause, grants),
			fmt.Sprintf("Give it %s, with %s as its resource owner, and have it approved.", permission, c.opt.Org)
	}
	who := "an owner of " + c.opt.Org
	if call.store == "" {
		who = "somebody who can access the repositories of " + c.opt.Org
	}
	switch has, known := c.hasScope(header, scope); {
	case has:
		return fmt.Sprintf("The token has the scope %s, but its user may not do this.", scope),
			fmt.Sprintf("Use a token of %s, or an App token with %s.", who, permission)
	case known:
		return grants, fmt.Sprintf("Give the token the scope %s. Its user must be %s.", scope, who)
	}
	return "The token's user may not do this, or the token lacks the scope or the permission.",
		fmt.Sprintf("Its user must be %s; a classic token needs the scope %s, an App token %s.", who, scope, permission)
}

func (c *Client) explain404(call *call, load payload, header http.Header) (cause, hint string) {
	grants := c.grants(call, header)
	canRead := "The token can read the secrets of " + c.opt.Org
	switch {
	case strings.HasPrefix(call.path, "repos/"):
		cause, hint = c.repositoryNotFound(header)
		return sentences(cause, grants), hint
	case !c.hasAllStores() && (call.store == secret.Codespaces || call.store == secret.Agents):
		return fmt.Sprintf("%s is a GitHub Enterprise Server, which has no organization secrets for %s.",
			c.opt.BaseURL.Host, call.store), fmt.Sprintf("Remove %s from stores.", call.store)
	case c.canOnlyRead(call) && load.repositories:
		return canRead + ". A selected repository may be missing or belong to another owner, " +
			"or the token may lack the right to write.", c.checkRepositories() + " " + c.grantHint(call, header)
	case c.canOnlyRead(call):
		return canRead + ", but may lack the right to write them.", c.grantHint(call, header)
	}
	cause = fmt.Sprintf("GitHub returns 404 both for missing resources and for those the token cannot access: "+
		"there is no organization %s (a user account has no organization secrets), or the token cannot access it.",
		c.opt.Org)
	return sentences(cause, grants), "Check org and api_url. " + c.grantHint(call, header)
}

// grantHint names the missing permission or scope, if the response reveals it.
func (c *Client) grantHint(call *call, header http.Header) string {
	permission, scope := c.requiredGrant(call)
	switch has, known := c.hasScope(header, scope); {
	case has:
		return fmt.Sprintf("The token's user must be an owner of %s.", c.opt.Org)
	case known:
		return fmt.Sprintf("Give the token the scope %s. Its user must be an owner of %s.", scope, c.opt.Org)
	}
	switch kindOf(c.opt.Token) {
	case fineGrained:
		return fmt.Sprintf("The token needs %s, with %s as its resource owner.", permission, c.opt.Org)
	case installation:
		return fmt.Sprintf("The App must be installed in %s, with %s.", c.opt.Org, permission)
	}
	return fmt.Sprintf("The token needs %s (classic: %s), and must belong to %s or a member of it.",
		permission, scope, c.opt.Org)
}

// checkRepositories is the hint for a list of repositories that GitHub did not accept.
func (c *Client) checkRepositories() string {
	return "Check that every selected repository exists and belongs to " + c.opt.Org + "."
}

// canOnlyRead reports whether a call is a write to a store that the token has read.
func (c *Client) canOnlyRead(call *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return call.isWrite() && c.storeRead[call.store]
}

// cannotOpen reports whether a message in lower case says that a value was sealed to another key.
func cannotOpen(load payload, msg string) bool {
	return load.hasValue() && strings.Contains(msg, "encrypted")
}

func (c *Client) explain422(load payload, msg string) (cause, hint string) {
	switch {
	case load.repositories && (!load.hasValue() || strings.Contains(msg, "repositor")):
		return "GitHub rejected the list of repositories. " +
			"Only repositories of the organization can be on it.", c.checkRepositories()
	case cannotOpen(load, msg):
		return "GitHub cannot decrypt the value with the key whose id was sent.",
			"Seal the value with the current key of this organization and store; each store has its own."
	case load.repositories:
		return "GitHub rejected what was sent: a sealed value, its key id and a list of repositories.",
			c.checkRepositories()
	}
	return "GitHub rejected what was sent: a sealed value, its key id and a visibility.",
		"Correct what the message names."
}

// hasScope reports whether a token has a scope, and whether that is known: only responses to a token that has scopes
// list them.
func (c *Client) hasScope(header http.Header, scope string) (has, known bool) {
	kind := kindOf(c.opt.Token)
	list, known := header["X-Oauth-Scopes"]
	if !known || kind == fineGrained || kind == installation {
		return false, false
	}
	separator := func(r rune) bool { return r == ',' || r == ' ' }
	return slices.Contains(strings.FieldsFunc(strings.Join(list, ","), separator), scope), true
}

// grants describes the token's rights and the request's, as far as the response's headers name them.
func (c *Client) grants(call *call, header http.Header) string {
	if kindOf(c.opt.Token) != classic {
		if required := header.Get("X-Accepted-GitHub-Permissions"); required != "" {
			return "This request requires " + strings.ReplaceAll(required, ";", " or ") + "."
		}
	}
	if _, known := c.hasScope(header, ""); !known || call.store == "" {
		return ""
	}
	text := "The token has the scopes " + cmp.Or(strings.Join(header["X-Oauth-Scopes"], ", "), "none")
	if required := header.Get("X-Accepted-OAuth-Scopes"); required != "" {
		text += "; this request requires " + required
	}
	return text + "."
}

// sentences joins the sentences that are not empty.
func sentences(list ...string) string {
	return strings.Join(slices.DeleteFunc(list, func(s string) bool { return s == "" }), " ")
}

// repositoryNotFound explains a 404 for a repository, which does not exist or is not visible to the token. A classic
// token's scopes narrow that down.
func (c *Client) repositoryNotFound(header http.Header) (cause, hint string) {
	kind := kindOf(c.opt.Token)
	switch has, known := c.hasScope(header, "repo"); {
	case has:
		return "The token has the scope repo, so it can access all repositories of its user: " +
				"this one does not exist, or its user cannot access it.",
			"Check the name and the access of the token's user."
	case known:
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
