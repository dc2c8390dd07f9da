package fakegithub

import (
	"net/http"
	"slices"
	"strings"
)

// endpoint is one method and path of the API. A GET needs the level read, any other method write.
type endpoint struct {
	method   string
	segments []string // {org}, {number}, {store}, {name}, {id} are variables
	handle   func(*Server, request) response
}

// permission maps a store to the permission that a fine-grained token or an App needs for it; "" is for repositories.
//
// https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
var permission = map[string]string{
	"actions":    "organization_secrets",
	"dependabot": "organization_dependabot_secrets",
	"codespaces": "organization_codespaces_secrets",
	"agents":     "organization_agent_secrets",
	"":           "metadata",
}

// endpoints are all endpoints of the API. For secrets a classic token needs the scope admin:org, no permission.
//
// https://docs.github.com/en/rest/actions/secrets
// https://docs.github.com/en/rest/dependabot/secrets
// https://docs.github.com/en/rest/codespaces/organization-secrets
// https://docs.github.com/en/rest/repos/repos
var endpoints = func() []endpoint {
	list := []endpoint{
		{"GET", split("repos/{org}/{name}"), (*Server).getRepository},
		{"GET", split("repositories/{id}"), (*Server).getRepositoryByID},
	}
	for _, org := range []string{"orgs/{org}", "organizations/{number}"} {
		secrets := org + "/{store}/secrets"
		list = append(list, []endpoint{
			{"GET", split(org + "/repos"), (*Server).listRepositories},
			{"GET", split(secrets), (*Server).listSecrets},
			{"GET", split(secrets + "/public-key"), (*Server).publicKey},
			{"GET", split(secrets + "/{name}"), (*Server).getSecret},
			{"PUT", split(secrets + "/{name}"), (*Server).putSecret},
			{"DELETE", split(secrets + "/{name}"), (*Server).deleteSecret},
			{"GET", split(secrets + "/{name}/repositories"), ifSelected((*Server).listSelected)},
			{"PUT", split(secrets + "/{name}/repositories"), ifSelected((*Server).replaceSelected)},
			{"PUT", split(secrets + "/{name}/repositories/{id}"), ifSelected((*Server).addSelected)},
			{"DELETE", split(secrets + "/{name}/repositories/{id}"), ifSelected((*Server).removeSelected)},
		}...)
	}
	return list
}()

func split(path string) []string { return strings.Split(path, "/") }

// match returns the variables of the path, and whether the endpoint handles it.
func (e endpoint) match(method string, segments []string) (vars map[string]string, ok bool) {
	if method != e.method || len(segments) != len(e.segments) {
		return nil, false
	}
	vars = map[string]string{}
	for i, s := range e.segments {
		if strings.HasPrefix(s, "{") {
			vars[s] = segments[i]
		} else if s != segments[i] {
			return nil, false
		}
	}
	return vars, true
}

// canRead reports whether a token can read a repository. A nil token can read all. A classic token needs the scope
// repo for private ones.
func (t *Token) canRead(r *Repository) bool {
	switch {
	case t == nil || !r.Private:
		return true
	case t.Kind == "classic":
		return slices.Contains(t.Scopes, "repo")
	}
	return t.Repositories == nil || slices.Contains(t.Repositories, r.Name)
}

// grants reports whether a token grants a level of access to the secrets of a store.
func (t *Token) grants(storeName, level string) bool {
	if t.Kind == "classic" {
		return slices.Contains(t.Scopes, "admin:org")
	}
	granted := t.Permissions[permission[storeName]]
	return t.Kind != "workflow" && (granted == "write" || granted == level)
}

// refusals are GitHub's messages to tokens without access, by the kind of token.
var refusals = map[string]string{
	"classic":      "Must have admin rights to Repository.",
	"fine-grained": "Resource not accessible by personal access token",
	"app":          "Resource not accessible by integration",
	"workflow":     "Resource not accessible by integration",
}

// header returns the headers about a token that GitHub sends with every response.
func (t *Token) header(storeName, level string) http.Header {
	header := http.Header{}
	if t.Kind == "classic" {
		header.Set("X-OAuth-Scopes", strings.Join(t.Scopes, ", "))
		header.Set("X-Accepted-OAuth-Scopes", "repo")
		if storeName != "" {
			header.Set("X-Accepted-OAuth-Scopes", "admin:org")
		}
	} else {
		header.Set("X-Accepted-GitHub-Permissions", permission[storeName]+"="+level)
	}
	if !t.ExpiresAt.IsZero() && (t.Kind == "classic" || t.Kind == "fine-grained") {
		header.Set("GitHub-Authentication-Token-Expiration", t.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if t.SSO != "" {
		header.Set("X-GitHub-SSO", "required; url="+t.SSO)
	}
	return header
}

// authorize stores the token of a request in it. It returns the headers about the token, and an error response if
// the token does not grant access to the endpoint.
func (s *Server) authorize(storeName string, r *request) (http.Header, *response) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if value == "" || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return nil, refuse(http.StatusUnauthorized, "Requires authentication")
	}
	if len(s.tokens) == 0 {
		return nil, nil
	}
	t, found := s.tokens[value]
	expired := !t.ExpiresAt.IsZero() && !r.at.Before(t.ExpiresAt)
	if !found || expired || r.at.Before(t.ValidFrom) {
		return nil, refuse(http.StatusUnauthorized, "Bad credentials")
	}
	r.token = &t
	level := "read"
	if r.write {
		level = "write"
	}
	header := t.header(storeName, level)
	switch {
	case t.SSO != "":
		return header, refuse(http.StatusForbidden, "Resource protected by organization SAML enforcement."+
			" You must grant your Personal Access token access to this organization.")
	case t.Outside && r.org != nil:
		return header, &notFound
	case storeName == "" && t.Kind != "workflow":
		return header, nil // canRead decides on each repository
	case t.Kind == "classic" && t.NotOwner:
		return header, refuse(http.StatusForbidden, "You must be an org admin"+
			" or have the actions secrets fine-grained permission.")
	case !t.grants(storeName, level):
		return header, refuse(http.StatusForbidden, refusals[t.Kind])
	}
	return header, nil
}

func refuse(status int, message string) *response {
	resp := errorResponse(status, message)
	return &resp
}
