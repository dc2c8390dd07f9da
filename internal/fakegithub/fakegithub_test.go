package fakegithub

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/nacl/box"
)

func acme() World {
	return World{Orgs: []Org{{
		Login: "acme",
		Repositories: []Repository{
			{ID: 1, Name: "web"},
			{ID: 2, Name: "api", Private: true},
			{ID: 5, Name: "site", RenamedFrom: "homepage"},
			{ID: 6, Name: "gone", MovedTo: "other"},
		},
		Secrets: []Secret{
			{Store: "actions", Name: "chosen", Value: "old", Visibility: "selected", Repositories: []string{"web", "api"}},
			{Store: "actions", Name: "OPEN", Value: "old", Visibility: "all"},
		},
	}}}
}

func newServer(t *testing.T, w World) *Server {
	t.Helper()
	s, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reply is a response with its body read. The status is 0 if the connection was closed.
type reply struct {
	status int
	header http.Header
	text   string
}

// call sends a request as go-github would, and waits an hour for the response. headers are pairs of name and value; an
// empty value removes the header.
func call(s *Server, method, path, body string, headers ...string) (r reply) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, method, "http://api.test"+path, strings.NewReader(body))
	req.Header.Set("User-Agent", "test")
	req.Header.Set("Authorization", "Bearer owner")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	defer func() {
		if err := recover(); err != nil && err != http.ErrAbortHandler { //nolint:errorlint // it is no error
			panic(err)
		}
	}()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// sealed returns a value sealed with the current key of a store, and the key's id.
func sealed(t *testing.T, s *Server, store, value string) (encryptedValue, keyID string) {
	t.Helper()
	id, key := s.Key("acme", store)
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatalf("public key %q: %v", key, err)
	}
	if len(raw) != 32 {
		t.Fatalf("the public key has %d bytes, want 32", len(raw))
	}
	box, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(box), id
}

// body returns the body of a PUT of a value. The visibility is JSON.
func body(t *testing.T, s *Server, store, value, visibility string) string {
	t.Helper()
	encryptedValue, id := sealed(t, s, store, value)
	return fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":%s}`, encryptedValue, id, visibility)
}

// TestEndpoints calls each endpoint for each status that it returns, in all four
// stores. {value} and {key} in a body are replaced by a value sealed with the current key
// and the key's id.
func TestEndpoints(t *testing.T) {
	const secrets = "/orgs/acme/{store}/secrets"
	const listURL = `"selected_repositories_url":"http://api.test/orgs/acme/{store}/secrets/CHOSEN/repositories"`
	// put returns a request body: a valid one with the given property replaced,
	// or left out if the JSON value is empty.
	put := func(property, json string) string {
		var properties []string
		for _, p := range [][2]string{
			{"encrypted_value", `"{value}"`}, {"key_id", `"{key}"`}, {"visibility", `"all"`},
		} {
			if p[0] == property {
				p[1] = json
			}
			if p[1] != "" {
				properties = append(properties, fmt.Sprintf("%q:%s", p[0], p[1]))
			}
		}
		return "{" + strings.Join(properties, ",") + "}"
	}
	selecting := func(ids string) string {
		return put("visibility", `"selected","selected_repository_ids":`+ids)
	}
	valid := put("", "")
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		want                     string // in the body
	}{
		{"public key", "GET", secrets + "/public-key", "", 200, `"key_id":"{key}"`},
		{"public key of an unknown org", "GET", "/orgs/nobody/{store}/secrets/public-key", "", 404, "Not Found"},
		{"unknown store", "GET", "/orgs/acme/pages/secrets/public-key", "", 404, "Not Found"},
		{"list", "GET", secrets, "", 200, `"total_count":2`},
		{"list with URLs of selected repositories", "GET", secrets, "", 200, listURL},
		{"secret with URL of its selected repositories", "GET", secrets + "/chosen", "", 200, listURL},
		{"list of an unknown org", "GET", "/orgs/nobody/{store}/secrets", "", 404, "Not Found"},
		{"secret", "GET", secrets + "/CHOSEN", "", 200, `"visibility":"selected"`},
		{"secret in lowercase", "GET", secrets + "/chosen", "", 200, `"name":"CHOSEN"`},
		{"secret that does not exist", "GET", secrets + "/NONE", "", 404, "Not Found"},
		{"selected repositories", "GET", secrets + "/CHOSEN/repositories", "", 200, `"total_count":2`},
		{"selected repositories of an unknown secret", "GET", secrets + "/NONE/repositories", "", 404, "Not Found"},
		{
			"selected repositories with visibility all", "GET", secrets + "/OPEN/repositories", "", 409,
			`"errors":"Secret visibility is not set to selected repositories"`,
		},

		{"create", "PUT", secrets + "/NEW", valid, 201, "{}"},
		{"update", "PUT", secrets + "/OPEN", valid, 204, ""},
		{"invalid JSON", "PUT", secrets + "/OPEN", `{`, 400, "Problems parsing JSON"},
		{"no value", "PUT", secrets + "/OPEN", put("encrypted_value", ""), 422, "weren't supplied"},
		{"no key id", "PUT", secrets + "/OPEN", put("key_id", ""), 422, "weren't supplied"},
		{"no visibility", "PUT", secrets + "/OPEN", put("visibility", ""), 422, "weren't supplied"},
		{"unknown visibility", "PUT", secrets + "/OPEN", put("visibility", `"internal"`), 422, "internal is not a member"},
		{
			"invalid base64", "PUT", secrets + "/OPEN", put("encrypted_value", `"not base64"`), 422,
			"not base64 does not match",
		},
		{"wrong key id", "PUT", secrets + "/OPEN", put("key_id", `"1"`), 422, improperlyEncrypted},
		{"key id as a number", "PUT", secrets + "/OPEN", put("key_id", "{key}"), 400, "Problems parsing JSON"},
		{"not sealed", "PUT", secrets + "/OPEN", put("encrypted_value", `"AAAA"`), 422, improperlyEncrypted},
		{"too large", "PUT", secrets + "/OPEN", put("encrypted_value", `"{large}"`), 422, "too large"},
		{"invalid name", "PUT", secrets + "/1ST", valid, 422, "alphanumeric"},
		{"reserved name", "PUT", secrets + "/github_x", valid, 422, "alphanumeric"},
		{"ids as strings", "PUT", secrets + "/OPEN", selecting(`["1"]`), 422, "not of type integer"},
		{"id of another org", "PUT", secrets + "/OPEN", selecting(`[77]`), 422, "Repository 77 is not"},
		{"put to an unknown org", "PUT", "/orgs/nobody/{store}/secrets/NEW", valid, 404, "Not Found"},

		{"replace", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":[1]}`, 204, ""},
		{"replace with an empty list", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":[]}`, 204, ""},
		{"replace without a list", "PUT", secrets + "/CHOSEN/repositories", `{}`, 422, "wasn't supplied"},
		{"replace of an unknown secret", "PUT", secrets + "/NONE/repositories", `{"selected_repository_ids":[1]}`, 404, "Not Found"},
		{"replace with visibility all", "PUT", secrets + "/OPEN/repositories", `{"selected_repository_ids":[1]}`, 409, "Conflict"},
		{
			"replace with ids as strings", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":["1"]}`, 422,
			"not of type integer",
		},
		{"add", "PUT", secrets + "/CHOSEN/repositories/5", "", 204, ""},
		{"add an unknown repository", "PUT", secrets + "/CHOSEN/repositories/77", "", 404, "Not Found"},
		{"add with visibility all", "PUT", secrets + "/OPEN/repositories/5", "", 409, "Conflict"},
		{"remove", "DELETE", secrets + "/CHOSEN/repositories/1", "", 204, ""},
		{"remove a repository that is not selected", "DELETE", secrets + "/CHOSEN/repositories/5", "", 404, "Not Found"},
		{"remove with visibility all", "DELETE", secrets + "/OPEN/repositories/1", "", 409, "Conflict"},
		{"delete", "DELETE", secrets + "/OPEN", "", 204, ""},
		{"delete an unknown secret", "DELETE", secrets + "/NONE", "", 404, "Not Found"},

		{"repository", "GET", "/repos/acme/web", "", 200, `"full_name":"acme/web"`},
		{"repository in another case", "GET", "/repos/ACME/Web", "", 200, `"id":1`},
		{"unknown repository", "GET", "/repos/acme/none", "", 404, "Not Found"},
		{"repository of an unknown org", "GET", "/repos/nobody/web", "", 404, "Not Found"},
		{"renamed repository", "GET", "/repos/acme/homepage", "", 301, "/repositories/5"},
		{"transferred repository", "GET", "/repos/acme/gone", "", 301, "/repositories/6"},
		{"repository by id", "GET", "/repositories/5", "", 200, `"full_name":"acme/site"`},
		{"transferred repository by id", "GET", "/repositories/6", "", 200, `"full_name":"other/gone"`},
		{"repository by an unknown id", "GET", "/repositories/77", "", 404, "Not Found"},
		{"repositories", "GET", "/orgs/acme/repos", "", 200, `"name":"site"`},
		{"repositories of an unknown org", "GET", "/orgs/nobody/repos", "", 404, "Not Found"},

		{"unknown path", "GET", "/user/keys", "", 404, "Not Found"},
		{"path with ..", "PUT", secrets + "/../../../user/keys", valid, 404, "Not Found"},
		{"unknown method", "POST", secrets + "/OPEN", valid, 404, "Not Found"},
	} {
		for _, store := range storeNames {
			t.Run(test.name+"/"+store, func(t *testing.T) {
				world := acme()
				for i := range world.Orgs[0].Secrets {
					world.Orgs[0].Secrets[i].Store = store
				}
				s := newServer(t, world)
				value, key := sealed(t, s, store, "new")
				text, path, want := test.body, test.path, test.want
				if strings.Contains(text, "{large}") {
					large, _ := sealed(t, s, store, strings.Repeat("x", maxValueBytes+1))
					text = strings.ReplaceAll(text, "{large}", large)
				}
				for from, to := range map[string]string{"{value}": value, "{key}": key, "{store}": store} {
					text, path = strings.ReplaceAll(text, from, to), strings.ReplaceAll(path, from, to)
					want = strings.ReplaceAll(want, from, to)
				}
				before := s.Secrets()
				resp := call(s, test.method, path, text)
				if resp.status != test.status {
					t.Errorf("got status %d, want %d", resp.status, test.status)
				}
				if !strings.Contains(resp.text, want) {
					t.Errorf("got body %s, want it to contain %q", resp.text, want)
				}
				if want == "" && resp.text != "" {
					t.Errorf("got body %q, want none", resp.text)
				}
				if after := s.Secrets(); resp.status >= 300 && fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("status %d changed the secrets:\n got %+v\nwant %+v", resp.status, after, before)
				}
				for _, header := range []string{
					"X-GitHub-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date",
				} {
					if resp.header.Get(header) == "" {
						t.Errorf("the response has no header %s", header)
					}
				}
			})
		}
	}
}

func TestPutStores(t *testing.T) {
	s := newServer(t, acme())
	put := func(name, value, rest string) int {
		encryptedValue, key := sealed(t, s, "actions", value)
		body := fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,%s}`, encryptedValue, key, rest)
		return call(s, "PUT", "/orgs/acme/actions/secrets/"+name, body).status
	}
	check := func(name, value, visibility string, repositories ...string) {
		t.Helper()
		got, exists := s.Secret("ACME", "actions", name)
		if !exists {
			t.Errorf("%s does not exist", name)
		}
		if got.Value != value {
			t.Errorf("value of %s: got %q, want %q", name, got.Value, value)
		}
		if got.Visibility != visibility {
			t.Errorf("visibility of %s: got %s, want %s", name, got.Visibility, visibility)
		}
		if !slices.Equal(got.Repositories, repositories) {
			t.Errorf("repositories of %s: got %q, want %q", name, got.Repositories, repositories)
		}
	}
	if status := put("chosen", "a\nb\n", `"visibility":"selected","selected_repository_ids":[5,1]`); status != 204 {
		t.Fatalf("update: got status %d, want 204", status)
	}
	check("CHOSEN", "a\nb\n", "selected", "site", "web")
	// Without selected_repository_ids the list is emptied.
	put("chosen", "x", `"visibility":"selected"`)
	check("CHOSEN", "x", "selected")
	if status := put("new", "y", `"visibility":"private"`); status != 201 {
		t.Fatalf("create: got status %d, want 201", status)
	}
	check("NEW", "y", "private")
	if _, exists := s.Secret("acme", "dependabot", "NEW"); exists {
		t.Error("a secret stored in actions exists in dependabot too")
	}
	old, key := sealed(t, s, "actions", "z")
	s.RotateKey("acme", "actions")
	body := fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":"all"}`, old, key)
	if status := call(s, "PUT", "/orgs/acme/actions/secrets/new", body).status; status != 422 {
		t.Errorf("value sealed with the old key: got status %d, want 422", status)
	}
	check("NEW", "y", "private")
	current, _ := s.Key("acme", "actions")
	body = strings.Replace(body, key, current, 1)
	if status := call(s, "PUT", "/orgs/acme/actions/secrets/new", body).status; status != 422 {
		t.Errorf("value sealed with the old key, sent with the current id: got status %d, want 422", status)
	}
	check("NEW", "y", "private")
}

// TestPagination follows the next links of every list. They name the organization
// by its numeric id.
func TestPagination(t *testing.T) {
	world := World{Orgs: []Org{{Login: "acme", RepositoryCount: 250, SecretCount: 205}}}
	all := make([]string, 250)
	for i := range all {
		all[i] = fmt.Sprintf("repo-%04d", i+1)
	}
	world.Orgs[0].Secrets = []Secret{{Store: "actions", Name: "CHOSEN", Visibility: "selected", Repositories: all}}
	s := newServer(t, world)
	for _, test := range []struct {
		path        string
		list        string // the property with the list; empty if the body is the list
		total, want int    // total_count and the number of different names
		pages       []int  // entries of each page
	}{
		{"/orgs/acme/actions/secrets?per_page=100", "secrets", 206, 206, []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets?per_page=1000", "secrets", 206, 206, []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets/CHOSEN/repositories?per_page=100", "repositories", 250, 250, []int{100, 100, 50}},
		{"/orgs/acme/repos?per_page=100", "", 0, 250, []int{100, 100, 50}},
		{"/orgs/acme/repos", "", 0, 250, []int{30, 30, 30, 30, 30, 30, 30, 30, 10}},
		{"/orgs/acme/repos?per_page=100&sort=created&direction=asc", "", 0, 250, []int{100, 100, 50}},
	} {
		names := map[string]bool{}
		var pages []int
		first := ""
		for path := test.path; path != ""; {
			resp := call(s, "GET", path, "")
			if resp.status != 200 {
				t.Fatalf("%s: got status %d, want 200", path, resp.status)
			}
			body := []byte(resp.text)
			list := body
			if test.list != "" {
				var wrapped map[string]json.RawMessage
				if err := json.Unmarshal(body, &wrapped); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if got := string(wrapped["total_count"]); got != strconv.Itoa(test.total) {
					t.Fatalf("%s: got total_count %s, want %d", path, got, test.total)
				}
				list = wrapped[test.list]
			}
			var entries []struct{ Name string }
			if err := json.Unmarshal(list, &entries); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			pages = append(pages, len(entries))
			for _, e := range entries {
				first = cmp.Or(first, e.Name)
				names[e.Name] = true
			}
			path = ""
			for link := range strings.SplitSeq(resp.header.Get("Link"), ", ") {
				if at, next := strings.CutSuffix(link, `>; rel="next"`); next {
					const prefix = "/organizations/9001/"
					if path = strings.TrimPrefix(at, "<http://api.test"); !strings.HasPrefix(path, prefix) {
						t.Fatalf("%s: got link %s, want a path below %s", test.path, link, prefix)
					}
				}
			}
		}
		if len(names) != test.want {
			t.Errorf("%s: got %d different names, want %d", test.path, len(names), test.want)
		}
		if !slices.Equal(pages, test.pages) {
			t.Errorf("%s: got pages of %v entries, want %v", test.path, pages, test.pages)
		}
		// Repositories are sorted by age, newest first by default.
		ascending := strings.HasSuffix(test.path, "direction=asc")
		if test.list == "" && (first == all[0]) != ascending {
			t.Errorf("%s: the first repository is %s, the oldest is %s; want oldest first: %v", test.path, first, all[0], ascending)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newServer(t, acme())
	for _, test := range []struct {
		name, header, value string
		want                int // status
	}{
		{"no token", "Authorization", "", 401},
		{"no user agent", "User-Agent", "", 403},
		{"old API", "X-GitHub-Api-Version", "2022-11-28", 200},
		{"new API", "X-GitHub-Api-Version", "2026-03-10", 200},
		{"unknown API", "X-GitHub-Api-Version", "1999-01-01", 400},
	} {
		if got := call(s, "GET", "/orgs/acme/actions/secrets", "", test.header, test.value).status; got != test.want {
			t.Errorf("%s: got status %d, want %d", test.name, got, test.want)
		}
	}
}

// TestGHES checks the base path, the missing stores and the numeric key ids of
// GitHub Enterprise Server.
func TestGHES(t *testing.T) {
	world := acme()
	world.BasePath, world.GHES, world.NumericKeyIDs = "/api/v3", true, true
	world.Orgs[0].RepositoryCount = 150
	s := newServer(t, world)
	for path, want := range map[string]int{
		"/api/v3/orgs/acme/actions/secrets": 200, "/api/v3/orgs/acme/dependabot/secrets": 200,
		"/api/v3/orgs/acme/codespaces/secrets": 404, "/api/v3/orgs/acme/agents/secrets": 404,
		"/orgs/acme/actions/secrets": 404,
	} {
		if got := call(s, "GET", path, "").status; got != want {
			t.Errorf("%s: got status %d, want %d", path, got, want)
		}
	}
	id, _ := s.Key("acme", "actions")
	key := call(s, "GET", "/api/v3/orgs/acme/actions/secrets/public-key", "").text
	if want := `"key_id":` + id; !strings.Contains(key, want) {
		t.Errorf("public key: got %s, want it to contain %s", key, want)
	}
	link := call(s, "GET", "/api/v3/orgs/acme/repos", "").header.Get("Link")
	if want := "/api/v3/organizations/9001/repos?"; !strings.Contains(link, want) {
		t.Errorf("Link: got %s, want it to contain %s", link, want)
	}
	location := call(s, "GET", "/api/v3/repos/acme/homepage", "").header.Get("Location")
	if want := "http://api.test/api/v3/repositories/5"; location != want {
		t.Errorf("Location: got %s, want %s", location, want)
	}
}

// TestTokens checks that each kind of token needs the permissions that GitHub
// documents.
func TestTokens(t *testing.T) {
	const key, write = "GET /public-key", "PUT /NEW"
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	grant := func(level string) map[string]string { return map[string]string{"{permission}": level} }
	adminOrg := []string{"admin:org"}
	for _, test := range []struct {
		name    string
		token   Token
		request string
		want    int    // status
		text    string // in the body
	}{
		{"classic", Token{Kind: "classic", Scopes: adminOrg}, write, 201, ""},
		{"classic without the scope", Token{Kind: "classic", Scopes: []string{"repo"}}, key, 403, "Must have admin rights"},
		{
			"classic of a user who is not an owner",
			Token{Kind: "classic", Scopes: adminOrg, NotOwner: true},
			write, 403, "You must be an org admin",
		},
		{"fine-grained", Token{Kind: "fine-grained", Permissions: grant("write")}, write, 201, ""},
		{"fine-grained, read", Token{Kind: "fine-grained", Permissions: grant("read")}, key, 200, ""},
		{"fine-grained, write with permission read", Token{Kind: "fine-grained", Permissions: grant("read")}, write, 403, "by personal access token"},
		{"fine-grained without permission", Token{Kind: "fine-grained"}, key, 403, "by personal access token"},
		{"app", Token{Kind: "app", Permissions: grant("write")}, write, 201, ""},
		{"app, write with permission read", Token{Kind: "app", Permissions: grant("read")}, write, 403, "by integration"},
		{"app without permission", Token{Kind: "app"}, key, 403, "by integration"},
		{"workflow", Token{Kind: "workflow", Permissions: grant("write")}, key, 403, "by integration"},
		{"expired", Token{Kind: "classic", Scopes: adminOrg, ExpiresAt: in(-time.Hour)}, key, 401, "Bad credentials"},
		{"not replicated yet", Token{Kind: "app", Permissions: grant("write"), ValidFrom: in(time.Hour)}, key, 401, "Bad credentials"},
		{
			"not authorized for single sign-on",
			Token{Kind: "classic", Scopes: adminOrg, SSO: "https://github.test/sso"},
			key, 403, "SAML",
		},
		{"of another organization", Token{Kind: "fine-grained", Outside: true, Permissions: grant("write")}, key, 404, "Not Found"},
		{"unknown", Token{Value: "other"}, key, 401, "Bad credentials"},
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
				value, id := sealed(t, s, store, "new")
				method, path, _ := strings.Cut(test.request, " ")
				body := fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":"all"}`, value, id)
				resp := call(s, method, "/orgs/acme/"+store+"/secrets"+path, body)
				if resp.status != test.want {
					t.Errorf("got status %d, want %d", resp.status, test.want)
				}
				if !strings.Contains(resp.text, test.text) {
					t.Errorf("got body %s, want it to contain %q", resp.text, test.text)
				}
				scopes, got := resp.header["X-Oauth-Scopes"]
				if want := token.Kind == "classic" && test.want != 401; got != want {
					t.Errorf("X-OAuth-Scopes: got %v %q, want it present: %v", got, scopes, want)
				}
				accepted := resp.header.Get("X-Accepted-Github-Permissions")
				if want := permission[store] + "="; accepted != "" && !strings.HasPrefix(accepted, want) {
					t.Errorf("X-Accepted-GitHub-Permissions: got %s, want none or prefix %s", accepted, want)
				}
				if sso := resp.header.Get("X-Github-Sso"); (sso != "") != (token.SSO != "") {
					t.Errorf("X-GitHub-SSO: got %q, want it present: %v", sso, token.SSO != "")
				}
			})
		}
	}
}

// TestVisibleRepositories checks which tokens can read a private repository, by
// name and in lists.
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
		if got := call(s, "GET", "/repos/acme/api", "").status == 200; got != test.want {
			t.Errorf("%s: repository readable: got %v, want %v", test.name, got, test.want)
		}
		list := call(s, "GET", "/orgs/acme/actions/secrets/CHOSEN/repositories", "").text
		if got := strings.Contains(list, "acme/api"); got != test.want {
			t.Errorf("%s: in the secret's repositories: got %v, want %v: %s", test.name, got, test.want, list)
		}
		if want := `"total_count":2`; !strings.Contains(list, want) {
			t.Errorf("%s: the secret's repositories: got %s, want it to contain %s", test.name, list, want)
		}
		if got := strings.Contains(call(s, "GET", "/orgs/acme/repos", "").text, "acme/api"); got != test.want {
			t.Errorf("%s: in the organization's repositories: got %v, want %v", test.name, got, test.want)
		}
	}
}

// TestHiddenRepositoriesStay checks that a token that cannot see a repository on a
// list adds and removes others without taking it away, and can remove it by id.
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
		if resp.status != 204 || resp.text != "" {
			t.Errorf("%s %s: got %d %q, want 204 without a body", step.method, step.id, resp.status, resp.text)
		}
		got, _ := s.Secret("acme", "actions", "CHOSEN")
		if list := strings.Join(got.Repositories, " "); list != step.want {
			t.Errorf("%s %s: got the list %q, want %q", step.method, step.id, list, step.want)
		}
	}
	for _, method := range []string{"PUT", "DELETE"} {
		resp := call(s, method, "/orgs/acme/actions/secrets/OPEN/repositories/1", "")
		if want := `"errors":"`; resp.status != 409 || !strings.Contains(resp.text, want) {
			t.Errorf("%s: got %d %s, want 409 with a string in errors", method, resp.status, resp.text)
		}
	}
}

func TestControl(t *testing.T) {
	s := newServer(t, acme())
	control := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		s.Control().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	var state []Secret
	_, body := control("GET", "/state", "")
	if err := json.Unmarshal([]byte(body), &state); err != nil {
		t.Fatalf("state %s: %v", body, err)
	}
	if len(state) != 2 {
		t.Fatalf("state: got %d secrets, want 2: %s", len(state), body)
	}
	if state[0].Name != "CHOSEN" {
		t.Errorf("state: got %s first, want CHOSEN", state[0].Name)
	}
	id, key := s.Key("acme", "agents")
	_, body = control("GET", "/key/acme/agents", "")
	if !strings.Contains(body, id) {
		t.Errorf("key: got %s, want it to contain the id %s", body, id)
	}
	if !strings.Contains(body, key) {
		t.Errorf("key: got %s, want it to contain the key %s", body, key)
	}
	if code, body := control("POST", "/faults", `[{"path": "/repos", "status": 502, "delay": "1ns"}]`); code != 200 {
		t.Errorf("faults: got status %d, want 200: %s", code, body)
	}
	if got := call(s, "GET", "/orgs/acme/repos", "").status; got != 502 {
		t.Errorf("request with a fault: got status %d, want 502", got)
	}
	_, body = control("GET", "/requests", "")
	if want := "GET /orgs/acme/repos 502\n"; body != want {
		t.Errorf("requests: got %q, want %q", body, want)
	}
	if code, body := control("POST", "/world", `{"orgs": [{"login": "other"}]}`); code != 200 {
		t.Errorf("world: got status %d, want 200: %s", code, body)
	}
	if got := call(s, "GET", "/orgs/acme/repos", "").status; got != 404 {
		t.Errorf("request for the previous organization: got status %d, want 404", got)
	}
	for path, body := range map[string]string{
		"/world": `{"orgz": []}`, "/faults": `{}`,
	} {
		if code, _ := control("POST", path, body); code != 400 {
			t.Errorf("POST %s to %s: got status %d, want 400", body, path, code)
		}
	}
}

func TestInvalidWorlds(t *testing.T) {
	for _, text := range []string{
		`{"orgs": [{"login": "a", "secret": []}]}`,
		`{"faults": [{"delay": "soon"}]}`,
		`[`,
	} {
		if _, err := ParseWorld([]byte(text)); err == nil {
			t.Errorf("ParseWorld(%s): got no error, want one", text)
		}
	}
	for _, w := range []World{
		{Orgs: []Org{{Login: "a", Secrets: []Secret{{Store: "pages", Name: "X"}}}}},
		{Orgs: []Org{{Login: "a", Secrets: []Secret{{Store: "actions", Name: "X", Repositories: []string{"none"}}}}}},
	} {
		if _, err := New(w); err == nil {
			t.Errorf("New(%+v): got no error, want one", w)
		}
	}
}

func TestDurationAsJSON(t *testing.T) {
	text, err := json.Marshal(World{Faults: []Fault{{Delay: Duration(time.Second)}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"delay":"1s"`; !bytes.Contains(text, []byte(want)) {
		t.Errorf("got %s, want it to contain %s", text, want)
	}
}
