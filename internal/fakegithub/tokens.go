package fakegithub

import (
	"net/http"
	"slices"
	"strings"
)

// endpoint is one row of the API: what it is, and what a token needs for it.
type endpoint struct {
	method   string
	segments []string // {org}, {number}, {store}, {name}, {id} are variables
	needsOrg bool
	handle   func(*Server, request) answer
	level    string // of the permission: read or write
}

// permission is what a fine-grained token or an App needs for a store.
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

// endpoints lists the API. A classic token needs admin:org for secrets.
//
// https://docs.github.com/en/rest/actions/secrets
// https://docs.github.com/en/rest/dependabot/secrets
// https://docs.github.com/en/rest/codespaces/organization-secrets
// https://docs.github.com/en/rest/repos/repos
var endpoints = func() []endpoint {
	list := []endpoint{
		{method: "GET", segments: split("repos/{org}/{name}"), needsOrg: true, handle: (*Server).getRepository, level: "read"},
		{method: "GET", segments: split("repositories/{id}"), handle: (*Server).getRepositoryByID, level: "read"},
	}
	for _, prefix := range []string{"orgs/{org}/", "organizations/{number}/"} {
		list = append(list, endpoint{"GET", split(prefix + "repos"), true, (*Server).listRepositories, "read"})
		for _, e := range []struct {
			method, path, level string
			handle              func(*Server, request) answer
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
			list = append(list, endpoint{e.method, split(strings.TrimSuffix(prefix+"{store}/secrets/"+e.path, "/")), true, e.handle, e.level})
		}
	}
	return list
}()

func split(path string) []string { return strings.Split(path, "/") }

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

// sees reports whether a token may see a repository. A classic token sees
// private ones only with the scope repo.
func (t *Token) sees(r *Repository) bool {
	switch {
	case t == nil:
		return true
	case t.Kind == "classic":
		return !r.Private || slices.Contains(t.Scopes, "repo")
	}
	return !r.Private || t.Repositories == nil || slices.Contains(t.Repositories, r.Name)
}

// authorize finds the token of a request and says what it lacks. The header is
// what GitHub tells about a token with every answer.
func (s *Server) authorize(e endpoint, storeName string, r *request) (http.Header, *answer) {
	header := http.Header{}
	deny := func(status int, message string) (http.Header, *answer) {
		a := withHeader(refuse(status, message), header)
		return header, &a
	}
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if value == "" || !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token") {
		return deny(http.StatusUnauthorized, "Requires authentication")
	}
	if len(s.tokens) == 0 {
		return header, nil
	}
	t, known := s.tokens[value]
	expired := !t.ExpiresAt.IsZero() && !r.at.Before(t.ExpiresAt)
	if !known || expired || r.at.Before(t.ValidFrom) {
		return deny(http.StatusUnauthorized, "Bad credentials")
	}
	r.token = &t
	wants := permission[storeName] + "=" + e.level
	switch t.Kind {
	case "classic":
		header.Set("X-OAuth-Scopes", strings.Join(t.Scopes, ", "))
		header.Set("X-Accepted-OAuth-Scopes", map[bool]string{true: "admin:org", false: "repo"}[storeName != ""])
	default:
		header.Set("X-Accepted-GitHub-Permissions", wants)
	}
	if !t.ExpiresAt.IsZero() && (t.Kind == "classic" || t.Kind == "fine-grained") {
		header.Set("GitHub-Authentication-Token-Expiration", t.ExpiresAt.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	switch {
	case t.SSO != "":
		header.Set("X-GitHub-SSO", "required; url="+t.SSO)
		return deny(http.StatusForbidden, "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.")
	case t.Outside && r.org != nil:
		return deny(http.StatusNotFound, "Not Found")
	case storeName == "" && t.Kind != "workflow":
		return header, nil // what repositories it sees is asked elsewhere
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
			return deny(http.StatusForbidden, "You must be an org admin or have the actions secrets fine-grained permission.")
		}
		return deny(http.StatusForbidden, "Must have admin rights to Repository.")
	}
	return header, nil
}
