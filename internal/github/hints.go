package github

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// explanations turn refusals into advice. The first row that fits is used: a status has its rows with a message or a
// condition above its general row.
var explanations = []explanation{
	{
		anyStatus, "", isRedirected,
		"GitHub redirects this request: the organization was renamed, or api_url is not the final URL.", finalURL, nil,
	},
	{407, "", nil, "", proxyCredentials, nil},
	{
		anyStatus, "", isJWT, "The token is a JWT, which shows who an App is and cannot access secrets.",
		"Use the installation token that it is exchanged for, such as that of actions/create-github-app-token.", nil,
	},
	{
		401, "", hasWorked, "The token worked earlier in this run and has expired or been revoked since.",
		"{replace}", nil,
	},
	{
		401, "", nil, "GitHub refused this {token}. It may be mistyped, expired, revoked, " +
			"or issued by a different server than api_url.", "{replace}", nil,
	},

	{403, "", needsSSO, notAuthorized, "{authorize}", nil},
	{403, "saml", nil, notAuthorized, "{authorize}", nil},
	{
		403, "ip allow list", nil, "The address of this runner is not on the organization's IP allow list.",
		"Use a runner whose address is on the list, or have an owner of {org} add it.", nil,
	},
	{
		403, "forbids access via", nil, "A policy of the organization does not allow this token.",
		"Use a token of a kind and lifetime that the policy allows, such as an App token with {permission}.", nil,
	},
	{
		403, "oauth app access restrictions", nil,
		"The organization restricts OAuth Apps, and no owner has approved the one that issued this token.",
		"Have an owner of {org} approve it, or use an App token with {permission}.", nil,
	},
	{
		403, "installation has been suspended", nil,
		"An owner of {org}, or the owner of the App, has suspended its installation.", "Have them unsuspend it.", nil,
	},
	{
		403, "enterprise managed user", nil,
		"The token's user is managed by an enterprise and can access only the organizations of that enterprise.",
		"Check org, or use an App token with {permission}.", nil,
	},
	{
		403, "by integration", canOnlyRead,
		"The App can read the {store} secrets of {org} but not write them. {grants}",
		"Give it {setting}: Read and write; an owner must accept the change at the installation.", nil,
	},
	{
		403, "by integration", isApp,
		"The App lacks the permission, or no owner of {org} has accepted it yet. {grants}",
		"{grant} An owner must accept a changed permission at the installation.", nil,
	},
	{
		403, "by integration", nil,
		"The token is the workflow's GITHUB_TOKEN, or an App token without the required permission. {grants}",
		"Use the token of an App that is installed in {org} with {permission}; GITHUB_TOKEN can never have it. " +
			"An owner must accept a changed permission at the installation.", nil,
	},
	{
		403, "", nil, "This {token} lacks the scope or the permission, or its user may not do this. {grants}",
		"{grant}", nil,
	},

	// GitHub documents neither the messages nor the statuses of these limits.
	{
		anyStatus, "limit|maximum|too many|too large|exceed", sendsValue,
		"This may be one of GitHub's limits: 1,000 secrets for an organization, 48 KB for a value.",
		"Delete secrets that nobody uses.", nil,
	},

	{
		404, "", isLookup, "GitHub returns 404 both for missing repositories and for those the token cannot access.",
		"Check the name, and that the token, or the App's installation, has access to that repository; " +
			"a classic token needs the scope repo for a private one.", nil,
	},
	{
		404, "", lacksStore, "{host} is a GitHub Enterprise Server, which has no organization secrets for {store}.",
		"Remove {store} from stores.", nil,
	},
	{
		404, "", canOnlyRead, "The token can read the secrets of {org}, but may lack the right to write them.",
		"{grant}{list}", nil,
	},
	{
		404, "", nil,
		"GitHub returns 404 both for missing resources and for those the token cannot access: there is no " +
			"organization {org} (a user account has no organization secrets), or the token cannot access it. {grants}",
		"Check org and api_url. {grant}", nil,
	},

	{
		409, "", isForList, "The secret's visibility is not selected, so it has no list of repositories.",
		"Store it with visibility: selected first.", nil,
	},
	{409, "", nil, "Another change of the secret may have been under way.", "Wait a minute.", nil},

	{
		422, "repositor", sendsList,
		"GitHub refused the list of repositories. Only repositories of the organization can be on it.", "{list}", nil,
	},
	{
		422, "encrypted", sendsValue, "GitHub cannot decrypt the value with the key whose id was sent.",
		"Seal the value with the current key of this organization and store; each store has its own.",
		secret.ErrCannotOpen,
	},
	{422, "", nil, "", "Correct what the message names.{list}", nil},
}

const notAuthorized = "The organization enforces SAML single sign-on, and this token is not authorized for it."

// explanation is a row of explanations.
type explanation struct {
	status      int                 // or anyStatus
	message     string              // parts of GitHub's message in lower case, between |; "" for any
	when        func(*refusal) bool // nil for always
	cause, hint string              // fill replaces the names in braces
	sentinel    error               // that the error will wrap; nil for none
}

const anyStatus = 0

// refusal is a response that refuses a request, with the request and its token.
type refusal struct {
	*Options
	*Request
	resp    response
	kind    tokenKind
	scopes  []string // of the token; nil if unknown
	worked  bool     // an earlier request succeeded
	canRead bool     // the secrets or the key of the store were read
	hasRead bool     // the token has read secrets; a workflow's GITHUB_TOKEN cannot

	permission, scope, user string // that the request requires
}

// The conditions of the rows.
func sendsValue(r *refusal) bool  { return r.sealed != "" }
func sendsList(r *refusal) bool   { return r.repositories }
func isForList(r *refusal) bool   { return strings.Contains(r.path, "/repositories") }
func isLookup(r *refusal) bool    { return strings.HasPrefix(r.path, "repos/") }
func needsSSO(r *refusal) bool    { return r.resp.Header.Get(ssoHeader) != "" }
func hasWorked(r *refusal) bool   { return r.worked }
func canOnlyRead(r *refusal) bool { return r.canRead && r.isWrite() }
func isApp(r *refusal) bool       { return r.hasRead || r.kind.prefix == "ghu_" }
func isJWT(r *refusal) bool {
	return strings.HasPrefix(r.Token, "eyJ") && strings.Count(r.Token, ".") == 2
}

// isRedirected includes a 404 after a redirect, which does not show that the resource is missing.
func isRedirected(r *refusal) bool {
	status := r.resp.StatusCode
	return status/100 == 3 || status == http.StatusNotFound && r.resp.Request != nil && r.resp.Request.Response != nil
}

// lacksStore reports whether the server lacks the store: a GitHub Enterprise Server has only actions and dependabot.
func lacksStore(r *refusal) bool {
	return r.isServer() && (r.store == secret.Codespaces || r.store == secret.Agents)
}

// isServer reports whether the API is that of a GitHub Enterprise Server. On loopback, in tests, the path decides.
func (o *Options) isServer() bool {
	host, path := o.BaseURL.Hostname(), o.BaseURL.Path
	return host != "api.github.com" && !strings.HasSuffix(host, ".ghe.com") && strings.HasPrefix(path, "/api/")
}

// sentinels are the sentinel errors by status.
var sentinels = map[int]error{
	http.StatusNotFound:            secret.ErrNotFound,
	http.StatusConflict:            secret.ErrConflict,
	http.StatusUnprocessableEntity: secret.ErrUnprocessable,
}

// explain adds the cause, the hint and the sentinel errors to the error of a refusal. msg is GitHub's message.
func (c *Client) explain(e *secret.Error, request *Request, resp response, msg string) {
	status := resp.StatusCode
	r := c.opt.newRefusal(request, resp)
	c.mu.Lock()
	r.worked, r.canRead, r.hasRead = c.tokenAccepted, c.storeRead[request.store], len(c.storeRead) > 0
	c.mu.Unlock()
	var row explanation
	if i := slices.IndexFunc(explanations, func(row explanation) bool {
		return (row.status == anyStatus || row.status == status) && (row.when == nil || row.when(r)) &&
			says(msg, row.message, c.opt.Org)
	}); i >= 0 {
		row = explanations[i]
	}
	e.Cause, e.Hint = r.fill(row.cause), r.fill(row.hint)
	if sentinel := sentinels[status]; sentinel != nil && !isRedirected(r) {
		e.Is = append(e.Is, sentinel)
	}
	switch {
	case row.sentinel != nil:
		e.Is = append(e.Is, row.sentinel)
	case status < 400, sendsList(r) && (status == http.StatusNotFound || status == http.StatusUnprocessableEntity):
		e.Is = append(e.Is, secret.ErrInputs)
	}
}

// newRefusal names the write permission in modes that write, even for a read: the user then changes the token once.
func (o *Options) newRefusal(request *Request, resp response) *refusal {
	i := slices.IndexFunc(tokenKinds, func(kind tokenKind) bool { return strings.HasPrefix(o.Token, kind.prefix) })
	r := &refusal{Options: o, Request: request, resp: resp, kind: tokenKinds[i]}
	// Only responses to a token that has scopes list them.
	if lines, ok := resp.Header["X-Oauth-Scopes"]; ok && r.kind.hasScopes {
		r.scopes = strings.FieldsFunc(strings.Join(lines, ","), func(r rune) bool { return r == ',' || r == ' ' })
	}
	level := "read"
	if o.Writes {
		level = "write"
	}
	r.permission, r.scope = "the organization permission "+settings[r.store]+": "+level, "admin:org"
	r.user = "an owner of " + o.Org
	if r.store == "" {
		r.permission, r.scope = "the repository permission Metadata: read", "repo"
		r.user = "somebody who can access the repositories of " + o.Org
	}
	return r
}

// says reports whether a message has one of the parts between |. The names of the organization and of the field in it
// do not count.
func says(msg, parts, org string) bool {
	msg, org = strings.ReplaceAll(strings.ToLower(msg), "encrypted_value", ""), strings.ToLower(org)
	return parts == "" || slices.ContainsFunc(strings.Split(parts, "|"), func(part string) bool {
		return strings.Count(msg, part) > strings.Count(msg, org)*strings.Count(org, part)
	})
}

// fill replaces the names in braces, and those in the texts that replace them.
func (r *refusal) fill(text string) string {
	list := ""
	if sendsList(r) {
		list = " Check that every selected repository exists and belongs to {org}."
	}
	names := strings.NewReplacer("{token}", r.kind.name, "{replace}", r.kind.replace, "{grant}", r.grant(),
		"{list}", list, "{org}", r.Org, "{host}", r.BaseURL.Host, "{store}", string(r.store),
		"{setting}", settings[r.store], "{permission}", r.permission, "{scope}", r.scope, "{user}", r.user,
		"{grants}", r.grants(), "{authorize}", authorize(r.resp.Header.Get(ssoHeader), r.BaseURL.Host))
	return strings.TrimSpace(names.Replace(names.Replace(text)))
}

// grant says how to give the token the missing right: by its scopes if the response lists them, else by its kind.
func (r *refusal) grant() string {
	switch {
	case r.scopes == nil:
		return r.kind.grant
	case slices.Contains(r.scopes, r.scope):
		return "The token's user must be {user}."
	}
	return "Give the token the scope {scope}. Its user must be {user}."
}

// grants says which rights the token has and which the request requires, as far as the headers name them.
func (r *refusal) grants() string {
	header := r.resp.Header
	needed := strings.NewReplacer("; ", " or ", ";", " or ").Replace(header.Get("X-Accepted-GitHub-Permissions"))
	switch {
	case r.store == "", r.scopes == nil && needed == "":
		return ""
	case r.scopes == nil:
		return "This request requires " + needed + "."
	}
	text := "The token has the scopes " + cmp.Or(strings.Join(r.scopes, ", "), "none")
	if required := header.Get("X-Accepted-OAuth-Scopes"); required != "" {
		text += "; this request requires " + required
	}
	return text + "."
}

// settings are the organization permissions of fine-grained tokens and Apps, as GitHub's forms name them.
//
// https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
var settings = map[secret.Store]string{
	secret.Actions:    "Secrets",
	secret.Dependabot: "Dependabot secrets",
	secret.Codespaces: "Codespaces secrets",
	secret.Agents:     "Agent secrets",
}

// tokenKind is a kind of token, with the hints that depend on it.
type tokenKind struct {
	prefix, name string
	hasScopes    bool
	replace      string // for a token that GitHub refuses
	grant        string // for one that may lack the permission
}

const (
	newPersonal = "Use a valid token: the settings of its user show whether it has expired."
	newUser     = "Use a personal token or an installation token of an App: this kind belongs to a person who logs in."
	newApp      = "Use a valid token, created just before this step: " +
		"an App token expires after one hour, and is revoked when the job that created it ends."

	scopeOrPermission = "The token needs {permission}; a classic token needs the scope {scope}, " +
		"and its user must be {user}."
	installed         = "The App must be installed in {org}, with {permission}."
	installationToken = "ghs_"
)

// tokenKinds are the kinds by their prefixes; the last has none.
//
// https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
var tokenKinds = []tokenKind{
	{"ghp_", "classic personal token", true, newPersonal, scopeOrPermission},
	{
		"github_pat_", "fine-grained personal token", false, newPersonal,
		"Give the token {permission}, with {org} as its resource owner, and have an owner approve it.",
	},
	{installationToken, "App installation token", false, newApp, installed},
	{"ghu_", "token of an App for a user", false, newUser, installed + " The token's user must be {user}."},
	{"gho_", "token of an OAuth App such as gh", true, newUser, scopeOrPermission},
	{"", "token of an unknown kind", true, newApp, scopeOrPermission},
}

const ssoHeader = "X-GitHub-SSO"

// authorize returns the hint for a header "required; url=…", with the URL if it is on the website of the API's host.
func authorize(header, host string) string {
	_, link, _ := strings.Cut(header, "url=")
	website := "https://" + strings.TrimPrefix(host, "api.")
	if u, err := url.Parse(strings.TrimSpace(link)); err == nil && u.Scheme+"://"+u.Host == website && u.User == nil {
		return "Open " + u.String() + " to authorize the token for the organization."
	}
	return "Authorize the token for the organization in the settings of its owner (Configure SSO)."
}
