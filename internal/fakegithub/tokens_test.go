package fakegithub

import (
	"strings"
	"testing"
	"time"
)

// TestTokens checks that each kind of token needs the permissions that GitHub documents.
func TestTokens(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	grant := func(level string) map[string]string { return map[string]string{"{permission}": level} }
	adminOrg := []string{"admin:org"}
	classic := Token{Kind: "classic", Scopes: adminOrg}
	for _, test := range []struct {
		name   string
		token  Token
		method string // GET reads the key, PUT writes a secret
		want   int    // status
		text   string // in the body
	}{
		{"classic", classic, "PUT", 201, ""},
		{"classic without the scope", Token{Kind: "classic", Scopes: []string{"repo"}}, "GET", 403, "Must have admin rights"},
		{"classic, not an owner's", Token{Kind: "classic", Scopes: adminOrg, NotOwner: true}, "PUT", 403, "You must be an org admin"},
		{"fine-grained", Token{Kind: "fine-grained", Permissions: grant("write")}, "PUT", 201, ""},
		{"fine-grained, read", Token{Kind: "fine-grained", Permissions: grant("read")}, "GET", 200, ""},
		{"fine-grained, read only", Token{Kind: "fine-grained", Permissions: grant("read")}, "PUT", 403, "by personal access token"},
		{"fine-grained without permission", Token{Kind: "fine-grained"}, "GET", 403, "by personal access token"},
		{"app", Token{Kind: "app", Permissions: grant("write")}, "PUT", 201, ""},
		{"app, read only", Token{Kind: "app", Permissions: grant("read")}, "PUT", 403, "by integration"},
		{"app without permission", Token{Kind: "app"}, "GET", 403, "by integration"},
		{"workflow", Token{Kind: "workflow", Permissions: grant("write")}, "GET", 403, "by integration"},
		{"of an unknown kind", Token{Kind: "fine"}, "GET", 403, "message"},
		{"expired", Token{Kind: "classic", Scopes: adminOrg, ExpiresAt: in(-time.Hour)}, "GET", 401, "Bad credentials"},
		{"not replicated", Token{Kind: "app", Permissions: grant("write"), ValidFrom: in(time.Hour)}, "GET", 401, "Bad credentials"},
		{"without single sign-on", Token{Kind: "classic", Scopes: adminOrg, SSO: "https://github.test/sso"}, "GET", 403, "SAML"},
		{"of another organization", Token{Kind: "fine-grained", Outside: true, Permissions: grant("write")}, "GET", 404, "Not Found"},
		{"unknown", Token{Value: "other"}, "GET", 401, "Bad credentials"},
	} {
		for _, store := range storeNames {
			t.Run(test.name+"/"+store, func(t *testing.T) {
				token := test.token
				if token.Value == "" {
					token.Value = "owner"
				}
				if level, ok := token.Permissions["{permission}"]; ok {
					token.Permissions = map[string]string{permission[store]: level}
				}
				world := acme()
				world.Tokens = []Token{token}
				s := newServer(t, world)
				path := map[string]string{"GET": "/public-key", "PUT": "/NEW"}[test.method]
				resp := call(s, test.method, "/orgs/acme/"+store+"/secrets"+path, body(t, s, store, "new", `"all"`))
				wantEqual(t, "status", resp.status, test.want)
				wantContains(t, "body", resp.text, test.text)
				_, got := resp.header["X-Oauth-Scopes"]
				wantEqual(t, "X-OAuth-Scopes is there", got, token.Kind == "classic" && test.want != 401)
				accepted := resp.header.Get("X-Accepted-Github-Permissions")
				if want := permission[store] + "="; accepted != "" && !strings.HasPrefix(accepted, want) {
					t.Errorf("X-Accepted-GitHub-Permissions: got %s, want none or prefix %s", accepted, want)
				}
				wantEqual(t, "X-GitHub-SSO is there", resp.header.Get("X-Github-Sso") != "", token.SSO != "")
			})
		}
	}
}

// TestVisibleRepositories checks which tokens can read a private repository, by name and in lists.
func TestVisibleRepositories(t *testing.T) {
	permissions := map[string]string{"organization_secrets": "read"}
	for _, test := range []struct {
		name  string
		token Token
		want  bool // readable
	}{
		{"classic", Token{Kind: "classic", Scopes: []string{"admin:org"}}, false},
		{"classic with repo", Token{Kind: "classic", Scopes: []string{"admin:org", "repo"}}, true},
		{"app with access to all", Token{Kind: "app", Permissions: permissions}, true},
		{"app with access to another", Token{Kind: "app", Permissions: permissions, Repositories: []string{"web"}}, false},
	} {
		world := acme()
		test.token.Value = "owner"
		world.Tokens = []Token{test.token}
		s := newServer(t, world)
		const list = "/orgs/acme/actions/secrets/CHOSEN/repositories"
		for _, path := range []string{"/repos/acme/api", list, "/orgs/acme/repos"} {
			got := strings.Contains(call(s, "GET", path, "").text, "acme/api")
			wantEqual(t, test.name+": the repository is in "+path, got, test.want)
		}
		wantContains(t, test.name+": the secret's repositories", call(s, "GET", list, "").text, `"total_count":2`)
	}
}

// TestHiddenRepositoriesStay checks that a token that cannot see a repository on a list adds and removes others without
// taking it away, and can remove it by id.
func TestHiddenRepositoriesStay(t *testing.T) {
	world := acme()
	world.Tokens = []Token{{
		Value: "owner", Kind: "app", Permissions: map[string]string{"organization_secrets": "write"},
		Repositories: []string{"web", "site"},
	}}
	s := newServer(t, world)
	for _, step := range []struct{ method, id, want string }{
		{"PUT", "5", "api site web"},
		{"PUT", "5", "api site web"}, // again
		{"DELETE", "1", "api site"},
		{"DELETE", "2", "site"}, // hidden
	} {
		resp := call(s, step.method, "/orgs/acme/actions/secrets/CHOSEN/repositories/"+step.id, "")
		wantEqual(t, step.method+" "+step.id+": status", resp.status, 204)
		got, _ := s.Secret("acme", "actions", "CHOSEN")
		wantEqual(t, step.method+" "+step.id+": list", strings.Join(got.Repositories, " "), step.want)
	}
}
