package fakegithub

import (
	"net/http"
	"slices"
	"strings"
)

// endpoint is one method and path of the API, with the permission level that a
// token needs for it.
type endpoint struct {
	method   string
	segments []string // {org}, {number}, {store}, {name}, {id} are variables
	needsOrg bool
	handle   func(*Server, request) response
	level    string // read or write
}

// permission maps a store to the permission that a fine-grained token or an App
// needs for it; "" is for repositories.
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

// endpoints are all endpoints of the API. For secrets a classic token needs the
// scope admin:org instead of a permission.
//
// https://docs.github.com/en/rest/actions/secrets
// https://docs.github.com/en/rest/dependabot/secrets
// https://docs.github.com/en/rest/codespaces/organization-secrets
// https://docs.github.com/en/rest/repos/repos
var endpoints = func() []endpoint {
	list := []endpoint{
		{"GET", split("repos/{org}/{name}"), true, (*Server).getRepository, "read"},
		{"GET", split("repositories/{id}"), false, (*Server).getRepositoryByID, "read"},
	}
	for _, prefix := range []string{"orgs/{org}/", "organizations/{number}/"} {
		list = append(list, endpoint{"GET", split(prefix + "repos"), true, (*Server).listRepositories, "read"})
		for _, e := range []struct {
			method, path, level string
			handle              func(*Server, request) response
		}{
			{"GET", "public-key", "read", (*Server).publicKey},
			{"GET", "", "read", (*Server).listSecrets},
			{"GET", "{name}", "read", (*Server).getSecret},
			{"PUT", "{name}", "write", (*Server).putSecret},
			{"DELETE", "{name}", "write", (*Server).deleteSecret},
			{"GET", "{name}/repositories", "read", (*Server).listSelected},
			{"PUT", "{name}/repositories", "write", (*Server).replaceSelected},
			{"PUT", "{name}/repositories/{id}", "write", (*Server).addSelected},
			{"DELETE", "{name}/repositories/{id}", "write", (*Server).removeSelected},
		} {
			path := strings.TrimSuffix(prefix+"{store}/secrets/"+e.path, "/")
			list = append(list, endpoint{e.method, split(path), true, e.handle, e.level})
		}
	}
	return list
}()

func split(path string) []string { return strings.Split(path, "/") }

// match returns the variables of the path, and whether the endpoint handles it.
func (e endpoint) match(method string, segments []string) (map[string]string, bool) {
	if method != e.method || len(segments) != len(e.segments) {
		return nil, false
	}
	vars := map[string]string{}
	for i, s := range e.segments {
		if name, ok := strings.CutPrefix(s, "{"); ok {
			vars[strings.TrimSuffix(name, "}")] = segments[i]
		} else if s != segments[i] {
			return nil, false
		}
	}
	return vars, true
}

// canRead reports whether a token can read a repository. A nil token can read all.
// A classic token needs the scope repo for private ones.
func (t *Token) canRead(r *Repository) bool {
	switch {
	case t == nil:
		return true
	case t.Kind == "classic":
		return !r.Private || slices.Contains(t.Scopes, "repo")
	}
	return !r.Private || t.Repositories == nil || slices.Contains(t.Repositories, r.Name)
}

// authorize stores the token of a request in it, and returns an error response if
// the token does not grant access to the endpoint. The header has what GitHub
// returns about the token in every response.
func (s *Server) authorize(e endpoint, storeName string, r *request) (http.Header, *response) {
	header := http.Header{}
	deny := func(status int, message string) (http.Header, *response) {
		resp := withHeader(errorResponse(status, message), header)
		return header, &resp
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if value == "" || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return deny(http.StatusUnauthorized, "Requires authentication")
	}
	if len(s.tokens) == 0 {
		return header, nil
	}
	t, found := s.tokens[value]
	expired := !t.ExpiresAt.IsZero() && !r.at.Before(t.ExpiresAt)
	if !found || expired || r.at.Before(t.ValidFrom) {
		return deny(http.StatusUnauthorized, "Bad credentials")
	}
	r.token = &t
	required := permission[storeName] + "=" + e.level
	switch t.Kind {
	case "classic":
		header.Set("X-OAuth-Scopes", strings.Join(t.Scopes, ", "))
		header.Set("X-Accepted-OAuth-Scopes", "repo")
		if storeName != "" {
			header.Set("X-Accepted-OAuth-Scopes", "admin:org")
		}
	default:
		header.Set("X-Accepted-GitHub-Permissions", required)
	}
	if !t.ExpiresAt.IsZero() && (t.Kind == "classic" || t.Kind == "fine-grained") {
		header.Set("GitHub-Authentication-Token-Expiration", t.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	switch {
	case t.SSO != "":
		header.Set("X-GitHub-SSO", "required; url="+t.SSO)
		return deny(http.StatusForbidden, "Resource protected by organization SAML enforcement."+
			" You must grant your Personal Access token access to this organization.")
	case t.Outside && r.org != nil:
		return deny(http.StatusNotFound, "Not Found")
	case storeName == "" && t.Kind != "workflow":
		return header, nil // canRead decides on each repository
	}
	level := t.Permissions[permission[storeName]]
	granted := level == "write" || level == e.level
	switch {
	case t.Kind == "workflow", t.Kind == "app" && !granted:
		return deny(http.StatusForbidden, "Resource not accessible by integration")
	case t.Kind == "fine-grained" && !granted:
		return deny(http.StatusForbidden, "Resource not accessible by personal access token")
	case t.Kind == "classic" && (t.NotOwner || !slices.Contains(t.Scopes, "admin:org")):
		if t.NotOwner {
			return deny(http.StatusForbidden, "You must be an org admin"+
				" or have the actions secrets fine-grained permission.")
		}
		return deny(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	return header, nil
}
