package github

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// explanations turn responses that reject a request into advice. The first row that fits is used, so the rows of a
// status that ask for a message or a condition stand above the one for all other responses.
var explanations = []explanation{
	on(anyStatus, "", isRedirected,
		"The organization was renamed, or api_url is not the final URL. "+
			"Redirected writes are not followed, because they would be resent as GET and store nothing.",
		"Set org to the organization's current login, and api_url to the final URL."),
	on(407, "", nil, "", proxyCredentials),
	on(anyStatus, "", isJWT,
		"The token is a JWT: it shows who an App is, and cannot access secrets.",
		"Use the installation token that it is exchanged for, such as that of actions/create-github-app-token."),
	on(401, "", hasWorked, "The token worked earlier in this run and has expired or been revoked since.", "{replace}"),
	on(401, "", nil,
		"GitHub rejected this {token}. It may be mistyped, expired, revoked, "+
			"or issued by a different server than api_url.",
		"{replace}"),

	on(403, "", needsSSO, notAuthorized, "{authorize}"),
	on(403, "saml", nil, notAuthorized, "{authorize}"),
	on(403, "ip allow list", nil,
		"The organization accepts requests only from the addresses on its IP allow list, "+
			"and that of this runner is not on it.",
		"Use a runner whose address is on the list, or have an owner of {org} add it."),
	on(403, "forbids access via", nil,
		"A policy of the organization does not allow this token.",
		"Use a token of a kind and lifetime that the policy allows, such as an App token with {permission}."),
	on(403, "oauth app access restrictions", nil,
		"The organization restricts OAuth Apps, and no owner has approved the one that issued this token.",
		"Have an owner of {org} approve it, or use an App token with {permission}."),
	on(403, "installation has been suspended", nil,
		"An owner of {org}, or the owner of the App, has suspended its installation.", "Have them unsuspend it."),
	on(403, "enterprise managed user", nil,
		"The token's user is managed by an enterprise and can access only the organizations of that enterprise.",
		"Check org, or use an App token with {permission}."),
	on(403, "by integration", canOnlyRead,
		"The App can read the {store} secrets of {org} but not write them. {grants}",
		"Give it {setting}: Read and write; an owner must accept the change at the installation."),
	on(403, "by integration", isApp,
		"The App lacks the permission, or no owner of {org} has accepted it yet. {grants}",
		"{grant} An owner must accept a changed permission at the installation."),
	on(403, "by integration", nil,
		"The token is the workflow's GITHUB_TOKEN, or an App token without the required permission. {grants}",
		"Use an App token with {permission}, accepted at the installation, or a personal token with {scope}. "+
			"GITHUB_TOKEN can never access organization secrets."),
	on(403, "personal access token", nil, notApproved, approve),
	on(403, "", isFineGrained, notApproved, approve),
	on(403, "", hasScope,
		"The token has the scope {scope}, but its user may not do this.",
		"Use a token of {user}, or an App token with {permission}."),
	on(403, "", isOAuthWithoutScope, "This is a {token}. {grants}",
		"Run `gh auth refresh --scopes {scope}`, or use a personal token with this scope. Its user must be {user}."),
	on(403, "", lacksScope, "{grants}", "Give the token the scope {scope}. Its user must be {user}."),
	on(403, "", nil,
		"The token's user may not do this, or the token lacks the scope or the permission.",
		"Its user must be {user}; a classic token needs the scope {scope}, an App token {permission}."),

	// GitHub documents neither the messages nor the statuses of these limits.
	on(anyStatus, "limit|maximum|too many|too large|exceed", sendsValue,
		"This may be one of GitHub's limits: 1,000 secrets for an organization, 48 KB for a value.",
		"Delete secrets that nobody uses."),

	on(404, "", wasRedirected,
		"A redirect led to an address that GitHub does not have, "+
			"which does not show that what was asked for is missing.",
		finalURL),
	on(404, "", isLookupWithScope,
		"The token has the scope repo, so it can access all repositories of its user: "+
			"this one does not exist, or its user cannot access it.",
		"Check the name and the access of the token's user."),
	on(404, "", isLookupWithoutScope,
		"A classic token without the repo scope cannot see private repositories. "+
			"Either this repository is private or it does not exist.",
		"Give the token the scope repo, or check the name."),
	on(404, "", isLookup,
		"GitHub returns 404 both for missing repositories and for those the token cannot access.",
		"{access}"),
	on(404, "", lacksStore,
		"{host} is a GitHub Enterprise Server, which has no organization secrets for {store}.",
		"Remove {store} from stores."),
	on(404, "", sendsListAndCanRead,
		"The token can read the secrets of {org}. A selected repository may be missing or belong to another owner, "+
			"or the token may lack the right to write.",
		checkList+" {grant}"),
	on(404, "", canOnlyRead,
		"The token can read the secrets of {org}, but may lack the right to write them.",
		"{grant}"),
	on(404, "", nil,
		"GitHub returns 404 both for missing resources and for those the token cannot access: there is no "+
			"organization {org} (a user account has no organization secrets), or the token cannot access it. {grants}",
		"Check org and api_url. {grant}"),

	on(409, "", isForList,
		"The secret's visibility is not selected, so it has no list of repositories.",
		"Store it with visibility: selected first."),
	on(409, "", nil,
		"GitHub does not document why it returns 409 to this request; "+
			"another change of the secret may have been under way.",
		"Wait a minute."),

	on(422, "repositor", sendsList, listRejected, checkList),
	on(422, "encrypted", sendsValue,
		"GitHub cannot decrypt the value with the key whose id was sent.",
		"Seal the value with the current key of this organization and store; each store has its own.",
		secret.ErrCannotOpen),
	on(422, "", sendsValueAndList,
		"GitHub rejected what was sent: a sealed value, its key id and a list of repositories.",
		checkList),
	on(422, "", sendsList, listRejected, checkList),
	on(422, "", sendsValue,
		"GitHub rejected what was sent: a sealed value, its key id and a visibility.",
		"Correct what the message names."),
}

// Texts of several rows.
const (
	notAuthorized = "The organization enforces SAML single sign-on, and this token is not authorized for it."
	notApproved   = "The fine-grained token lacks the permission, " +
		"or no owner of the organization has approved it yet. {grants}"
	approve      = "Give it {permission}, with {org} as its resource owner, and have it approved."
	listRejected = "GitHub rejected the list of repositories. Only repositories of the organization can be on it."
	checkList    = "Check that every selected repository exists and belongs to {org}."
)

// explanation is a row of explanations.
type explanation struct {
	status      int                   // or anyStatus
	message     string                // parts of GitHub's message in lower case, one of which it has; "" for any
	when        func(*rejection) bool // a condition on the request, the token and the headers; nil for none
	cause, hint string                // fill replaces the names in braces
	sentinels   []error               // that the error will wrap
}

const anyStatus = 0

// on returns a row. In message, | separates the parts.
func on(
	status int, message string, when func(*rejection) bool, cause, hint string, sentinels ...error,
) explanation {
	return explanation{status, message, when, cause, hint, sentinels}
}

// rejection is a response that rejects a request, with the request and its token.
type rejection struct {
	*Options
	*Request
	resp   *http.Response
	kind   *tokenKind
	needs  requirement
	scopes []string              // of the token; nil if unknown
	worked bool                  // an earlier request succeeded
	reads  map[secret.Store]bool // whose secrets or key were read
}

// The conditions of the rows.
func isRedirected(r *rejection) bool         { return r.resp.StatusCode/100 == 3 }
func wasRedirected(r *rejection) bool        { return followedRedirect(r.resp) }
func sendsValue(r *rejection) bool           { return r.sealed != "" }
func sendsList(r *rejection) bool            { return r.repositories }
func sendsValueAndList(r *rejection) bool    { return sendsValue(r) && sendsList(r) }
func isForList(r *rejection) bool            { return strings.Contains(r.path, "/repositories") }
func isLookup(r *rejection) bool             { return strings.HasPrefix(r.path, "repos/") }
func isLookupWithScope(r *rejection) bool    { return isLookup(r) && hasScope(r) }
func isLookupWithoutScope(r *rejection) bool { return isLookup(r) && lacksScope(r) }
func needsSSO(r *rejection) bool             { return r.resp.Header.Get(ssoHeader) != "" }
func isFineGrained(r *rejection) bool        { return r.kind == fineGrained }
func isJWT(r *rejection) bool {
	return strings.HasPrefix(r.Token, "eyJ") && strings.Count(r.Token, ".") == 2
}
func isApp(r *rejection) bool               { return r.kind == appUser || len(r.reads) > 0 }
func isOAuthWithoutScope(r *rejection) bool { return r.kind == oauth && lacksScope(r) }
func hasScope(r *rejection) bool            { return slices.Contains(r.scopes, r.needs.scope) }
func lacksScope(r *rejection) bool          { return r.scopes != nil && !hasScope(r) }
func hasWorked(r *rejection) bool           { return r.worked }
func canOnlyRead(r *rejection) bool         { return r.reads[r.store] && r.isWrite() }
func sendsListAndCanRead(r *rejection) bool { return sendsList(r) && canOnlyRead(r) }

// lacksStore reports whether the API is that of a GitHub Enterprise Server, which has only two of the stores.
func lacksStore(r *rejection) bool {
	return r.isServer() && (r.store == secret.Codespaces || r.store == secret.Agents)
}

// isServer reports whether the API is that of a GitHub Enterprise Server; of loopback (tests), by its path alone.
func (o *Options) isServer() bool {
	host, path := o.BaseURL.Hostname(), o.BaseURL.Path
	return host != "api.github.com" && !strings.HasSuffix(host, ".ghe.com") && strings.HasPrefix(path, "/api/")
}

// explain adds the cause of a rejection and a hint to its error. It sends nothing: the request, the response and the
// token's prefix are enough. msg is GitHub's message.
func (c *Client) explain(e *secret.Error, request *Request, resp *http.Response, msg string) {
	kind, status := kindOf(c.opt.Token), resp.StatusCode
	r := &rejection{
		Options: &c.opt, Request: request, resp: resp,
		kind: kind, scopes: kind.scopes(resp.Header), needs: c.opt.requires(request),
	}
	c.mu.Lock()
	r.worked, r.reads = c.tokenAccepted, maps.Clone(c.storeRead)
	c.mu.Unlock()
	maps.DeleteFunc(r.reads, func(store secret.Store, read bool) bool { return store == "" || !read })
	i := slices.IndexFunc(explanations, func(row explanation) bool {
		return (row.status == anyStatus || row.status == status) && (row.when == nil || row.when(r)) &&
			says(msg, row.message, c.opt.Org)
	})
	var row explanation
	if i >= 0 {
		row = explanations[i]
	}
	e.Cause, e.Hint = r.fill(row.cause), r.fill(row.hint)
	switch {
	case len(row.sentinels) > 0:
		e.Is = slices.Concat(e.Is, row.sentinels)
	case status < 400, sendsList(r) && (status == http.StatusNotFound || status == http.StatusUnprocessableEntity):
		e.Is = slices.Concat(e.Is, []error{secret.ErrInputs})
	}
}

// says reports whether a message has one of the parts, which | separates, not only in the organization's name.
func says(msg, parts, org string) bool {
	msg, org = strings.ToLower(msg), strings.ToLower(org)
	return parts == "" || slices.ContainsFunc(strings.Split(parts, "|"), func(part string) bool {
		return strings.Count(msg, part) > strings.Count(msg, org)*strings.Count(org, part)
	})
}

// fill replaces the names in braces, first those whose texts have such names too.
func (r *rejection) fill(text string) string {
	ofKind := strings.NewReplacer("{token}", r.kind.name, "{replace}", r.kind.replace, "{access}", r.kind.access,
		"{grant}", r.grant())
	others := strings.NewReplacer("{org}", r.Org, "{host}", r.BaseURL.Host, "{store}", string(r.store),
		"{setting}", settings[r.store], "{permission}", r.needs.permission, "{scope}", r.needs.scope,
		"{user}", r.needs.user, "{grants}", r.grants(),
		"{authorize}", authorize(r.resp.Header.Get(ssoHeader), r.BaseURL.Host))
	return strings.TrimSpace(others.Replace(ofKind.Replace(text)))
}

// grant names the missing permission or scope, if the response reveals it.
func (r *rejection) grant() string {
	switch {
	case hasScope(r):
		return "The token's user must be an owner of {org}."
	case lacksScope(r):
		return "Give the token the scope {scope}. Its user must be an owner of {org}."
	}
	return r.kind.grant
}

// grants describes the token's rights and the request's, as far as the response's headers name them.
func (r *rejection) grants() string {
	header := r.resp.Header
	if needed := header.Get("X-Accepted-GitHub-Permissions"); needed != "" && r.kind != classic && r.store != "" {
		return "This request requires " + strings.NewReplacer("; ", " or ", ";", " or ").Replace(needed) + "."
	}
	if r.scopes == nil || r.store == "" {
		return ""
	}
	text := "The token has the scopes " + cmp.Or(strings.Join(r.scopes, ", "), "none")
	if required := header.Get("X-Accepted-OAuth-Scopes"); required != "" {
		text += "; this request requires " + required
	}
	return text + "."
}

// requirement is a permission or, of a classic token, a scope and a user.
type requirement struct{ permission, scope, user string }

// requires returns the write permission in modes that write, even for a read, so that the user changes the token once.
func (o *Options) requires(r *Request) requirement {
	if r.store == "" {
		return requirement{
			"the repository permission Metadata: read", "repo", "somebody who can access the repositories of " + o.Org,
		}
	}
	level := "read"
	if o.Writes {
		level = "write"
	}
	permission := "the organization permission " + settings[r.store] + ": " + level
	return requirement{permission, "admin:org", "an owner of " + o.Org}
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
//
// https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/
type tokenKind struct {
	prefix, name string
	hasScopes    bool
	replace      string // for a token that GitHub rejects
	grant        string // for one that may lack the permission
	access       string // for one that may not see a repository
}

const (
	newPersonal = "Use a valid token: the settings of its user show whether it has expired."
	newOAuth    = "Use a personal token or an App token: this kind belongs to a person who logs in."
	newUser     = "Use an installation token of the App: one for a user expires after 8 hours."
	newApp      = "Use a valid token, created just before this step: " +
		"an App token expires after one hour, and is revoked when the job that created it ends."

	scopeOrPermission = "The token needs {permission} (classic: {scope}), and must belong to {org} or a member of it."
	scopeRepo         = "Check the name and the token's access; " +
		"a classic token needs the scope repo for a private repository."
	chosenRepositories = "Check the name, and that the token, or the App's installation, has access to that repository."
)

var (
	classic     = &tokenKind{"ghp_", "classic personal token", true, newPersonal, scopeOrPermission, scopeRepo}
	fineGrained = &tokenKind{
		"github_pat_", "fine-grained personal token", false, newPersonal,
		"The token needs {permission}, with {org} as its resource owner.", chosenRepositories,
	}
	installation = &tokenKind{
		"ghs_", "App installation token or a workflow's GITHUB_TOKEN", false, newApp,
		"The App must be installed in {org}, with {permission}.", chosenRepositories,
	}
	appUser = &tokenKind{
		"ghu_", "token of an App for a user", false, newUser,
		"The App must be installed in {org}, with {permission}. The token's user must be {user}.", chosenRepositories,
	}
	oauth      = &tokenKind{"gho_", "token of an OAuth App, such as gh", true, newOAuth, scopeOrPermission, scopeRepo}
	otherToken = &tokenKind{"", "token of an unknown kind", true, newApp, scopeOrPermission, scopeRepo}

	tokenKinds = []*tokenKind{classic, fineGrained, installation, appUser, oauth, otherToken} // the last has no prefix
)

func kindOf(token string) *tokenKind {
	i := slices.IndexFunc(tokenKinds, func(kind *tokenKind) bool { return strings.HasPrefix(token, kind.prefix) })
	return tokenKinds[i]
}

// scopes returns the scopes of a token. It returns nil if they are unknown: only responses to a token that has scopes
// list them.
func (k *tokenKind) scopes(header http.Header) []string {
	lines, ok := header["X-Oauth-Scopes"]
	if !ok || !k.hasScopes {
		return nil
	}
	return strings.FieldsFunc(strings.Join(lines, ","), func(r rune) bool { return r == ',' || r == ' ' })
}

const ssoHeader = "X-GitHub-SSO"

// authorize returns the hint for a header "required; url=…", with the URL if it is one of the website of the API.
func authorize(header, host string) string {
	_, link, _ := strings.Cut(header, "url=")
	website := "https://" + strings.TrimPrefix(host, "api.")
	if u, err := url.Parse(strings.TrimSpace(link)); err == nil && u.Scheme+"://"+u.Host == website && u.User == nil {
		return "Open " + u.String() + " to authorize the token for the organization."
	}
	return "Authorize the token for the organization in the settings of its owner (Configure SSO)."
}
