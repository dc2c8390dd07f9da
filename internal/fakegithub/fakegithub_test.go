package fakegithub

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
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

// reply is an answer, read.
type reply struct {
	StatusCode int
	Header     http.Header
	text       string
}

// call makes a request as go-github would.
func call(s *Server, method, path, body string, headers ...string) reply {
	req := httptest.NewRequest(method, "http://api.test"+path, strings.NewReader(body))
	req.Header.Set("User-Agent", "test")
	req.Header.Set("Authorization", "Bearer owner")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		} else {
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// sealed is a value as a client would seal it now, and the key's id.
func sealed(t *testing.T, s *Server, store, value string) (encryptedValue, keyID string) {
	t.Helper()
	id, key := s.Key("acme", store)
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		t.Fatalf("the key is %d bytes: %v", len(raw), err)
	}
	b, err := box.SealAnonymous(nil, []byte(value), (*[32]byte)(raw), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b), id
}

// TestEndpoints has each endpoint with each status that it answers, for all
// four stores. {value} and {key} in a body are what a client would send.
func TestEndpoints(t *testing.T) {
	const secrets = "/orgs/acme/{store}/secrets"
	const good = `{"encrypted_value":"{value}","key_id":"{key}","visibility":"all"}`
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		want                     string // in the body
	}{
		{"public key", "GET", secrets + "/public-key", "", 200, `"key_id":"{key}"`},
		{"public key of an unknown org", "GET", "/orgs/nobody/{store}/secrets/public-key", "", 404, "Not Found"},
		{"unknown store", "GET", "/orgs/acme/pages/secrets/public-key", "", 404, "Not Found"},
		{"list", "GET", secrets, "", 200, `"total_count":2`},
		{"list, with where lists of repositories are", "GET", secrets, "", 200, `"selected_repositories_url":"http://api.test/orgs/acme/{store}/secrets/CHOSEN/repositories"`},
		{"secret, with where its list is", "GET", secrets + "/chosen", "", 200, `"selected_repositories_url":"http://api.test/orgs/acme/{store}/secrets/CHOSEN/repositories"`},
		{"list of an unknown org", "GET", "/orgs/nobody/{store}/secrets", "", 404, "Not Found"},
		{"secret", "GET", secrets + "/CHOSEN", "", 200, `"visibility":"selected"`},
		{"secret in lower case", "GET", secrets + "/chosen", "", 200, `"name":"CHOSEN"`},
		{"secret that is missing", "GET", secrets + "/NONE", "", 404, "Not Found"},
		{"selected repositories", "GET", secrets + "/CHOSEN/repositories", "", 200, `"total_count":2`},
		{"selected repositories of none", "GET", secrets + "/NONE/repositories", "", 404, "Not Found"},
		{"selected repositories of all", "GET", secrets + "/OPEN/repositories", "", 409, `"errors":"Secret visibility is not set to selected repositories"`},

		{"create", "PUT", secrets + "/NEW", good, 201, "{}"},
		{"update", "PUT", secrets + "/OPEN", good, 204, ""},
		{"no JSON", "PUT", secrets + "/OPEN", `{`, 400, "Problems parsing JSON"},
		{"no value", "PUT", secrets + "/OPEN", `{"key_id":"{key}","visibility":"all"}`, 422, "weren't supplied"},
		{"no key", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","visibility":"all"}`, 422, "weren't supplied"},
		{"no visibility", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":"{key}"}`, 422, "weren't supplied"},
		{"unknown visibility", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":"{key}","visibility":"internal"}`, 422, "internal is not a member"},
		{"bad base64", "PUT", secrets + "/OPEN", `{"encrypted_value":"not base64","key_id":"{key}","visibility":"all"}`, 422, "not base64 does not match"},
		{"wrong key", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":"1","visibility":"all"}`, 422, badlySealed},
		{"key as a number", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":{key},"visibility":"all"}`, 400, "Problems parsing JSON"},
		{"not sealed", "PUT", secrets + "/OPEN", `{"encrypted_value":"AAAA","key_id":"{key}","visibility":"all"}`, 422, badlySealed},
		{"too large", "PUT", secrets + "/OPEN", `{"encrypted_value":"{large}","key_id":"{key}","visibility":"all"}`, 422, "too large"},
		{"illegal name", "PUT", secrets + "/1ST", good, 422, "alphanumeric"},
		{"reserved name", "PUT", secrets + "/github_x", good, 422, "alphanumeric"},
		{"ids as strings", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":"{key}","visibility":"selected","selected_repository_ids":["1"]}`, 422, "not of type integer"},
		{"id of another org", "PUT", secrets + "/OPEN", `{"encrypted_value":"{value}","key_id":"{key}","visibility":"selected","selected_repository_ids":[77]}`, 422, "Repository 77 is not"},
		{"put to an unknown org", "PUT", "/orgs/nobody/{store}/secrets/NEW", good, 404, "Not Found"},

		{"replace", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":[1]}`, 204, ""},
		{"replace by nothing", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":[]}`, 204, ""},
		{"replace without a list", "PUT", secrets + "/CHOSEN/repositories", `{}`, 422, "wasn't supplied"},
		{"replace of none", "PUT", secrets + "/NONE/repositories", `{"selected_repository_ids":[1]}`, 404, "Not Found"},
		{"replace of all", "PUT", secrets + "/OPEN/repositories", `{"selected_repository_ids":[1]}`, 409, "Conflict"},
		{"replace by strings", "PUT", secrets + "/CHOSEN/repositories", `{"selected_repository_ids":["1"]}`, 422, "not of type integer"},
		{"add", "PUT", secrets + "/CHOSEN/repositories/5", "", 204, ""},
		{"add an unknown one", "PUT", secrets + "/CHOSEN/repositories/77", "", 404, "Not Found"},
		{"add to all", "PUT", secrets + "/OPEN/repositories/5", "", 409, "Conflict"},
		{"remove", "DELETE", secrets + "/CHOSEN/repositories/1", "", 204, ""},
		{"remove what is not there", "DELETE", secrets + "/CHOSEN/repositories/5", "", 404, "Not Found"},
		{"remove from all", "DELETE", secrets + "/OPEN/repositories/1", "", 409, "Conflict"},
		{"delete", "DELETE", secrets + "/OPEN", "", 204, ""},
		{"delete what is missing", "DELETE", secrets + "/NONE", "", 404, "Not Found"},

		{"repository", "GET", "/repos/acme/web", "", 200, `"full_name":"acme/web"`},
		{"repository in other case", "GET", "/repos/ACME/Web", "", 200, `"id":1`},
		{"repository that is missing", "GET", "/repos/acme/none", "", 404, "Not Found"},
		{"repository of an unknown org", "GET", "/repos/nobody/web", "", 404, "Not Found"},
		{"repository, renamed", "GET", "/repos/acme/homepage", "", 301, "/repositories/5"},
		{"repository, moved away", "GET", "/repos/acme/gone", "", 301, "/repositories/6"},
		{"repository by number", "GET", "/repositories/5", "", 200, `"full_name":"acme/site"`},
		{"repository by number, moved away", "GET", "/repositories/6", "", 200, `"full_name":"other/gone"`},
		{"repository by an unknown number", "GET", "/repositories/77", "", 404, "Not Found"},
		{"repositories", "GET", "/orgs/acme/repos", "", 200, `"name":"site"`},
		{"repositories of an unknown org", "GET", "/orgs/nobody/repos", "", 404, "Not Found"},

		{"unknown path", "GET", "/user/keys", "", 404, "Not Found"},
		{"path that climbs", "PUT", secrets + "/../../../user/keys", good, 404, "Not Found"},
		{"unknown method", "POST", secrets + "/OPEN", good, 404, "Not Found"},
	} {
		for _, store := range storeNames {
			t.Run(test.name+"/"+store, func(t *testing.T) {
				world := acme()
				for i := range world.Orgs[0].Secrets {
					world.Orgs[0].Secrets[i].Store = store
				}
				s := newServer(t, world)
				value, key := sealed(t, s, store, "new")
				body, path, want := test.body, test.path, test.want
				if strings.Contains(body, "{large}") {
					large, _ := sealed(t, s, store, strings.Repeat("x", maxValueBytes+1))
					body = strings.ReplaceAll(body, "{large}", large)
				}
				for from, to := range map[string]string{"{value}": value, "{key}": key, "{store}": store} {
					body, path, want = strings.ReplaceAll(body, from, to), strings.ReplaceAll(path, from, to), strings.ReplaceAll(want, from, to)
				}
				before := s.Secrets()
				resp := call(s, test.method, path, body)
				got := resp.text
				if resp.StatusCode != test.status || !strings.Contains(got, want) || want == "" && got != "" {
					t.Errorf("%d %s, want %d with %q", resp.StatusCode, got, test.status, want)
				}
				if resp.StatusCode >= 300 && fmt.Sprint(s.Secrets()) != fmt.Sprint(before) {
					t.Error("a refusal changes what is stored")
				}
				for _, header := range []string{"X-GitHub-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date"} {
					if resp.Header.Get(header) == "" {
						t.Errorf("no %s", header)
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
		return call(s, "PUT", "/orgs/acme/actions/secrets/"+name, fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,%s}`, encryptedValue, key, rest)).StatusCode
	}
	check := func(name, value, visibility string, repositories ...string) {
		t.Helper()
		got, ok := s.Secret("ACME", "actions", name)
		if !ok || got.Value != value || got.Visibility != visibility || !slices.Equal(got.Repositories, repositories) {
			t.Errorf("%s is %q, %s %q", name, got.Value, got.Visibility, got.Repositories)
		}
	}
	if status := put("chosen", "a\nb\n", `"visibility":"selected","selected_repository_ids":[5,1]`); status != 204 {
		t.Fatal(status)
	}
	check("CHOSEN", "a\nb\n", "selected", "site", "web")
	// The trap: what is left out is cleared.
	put("chosen", "x", `"visibility":"selected"`)
	check("CHOSEN", "x", "selected")
	if status := put("fresh", "y", `"visibility":"private"`); status != 201 {
		t.Fatal(status)
	}
	check("FRESH", "y", "private")
	if _, ok := s.Secret("acme", "dependabot", "FRESH"); ok {
		t.Error("stores are not apart")
	}
	old, key := sealed(t, s, "actions", "z")
	s.RotateKey("acme", "actions")
	body := fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":"all"}`, old, key)
	if status := call(s, "PUT", "/orgs/acme/actions/secrets/fresh", body).StatusCode; status != 422 {
		t.Errorf("a value sealed to the old key: %d", status)
	}
	check("FRESH", "y", "private")
	now, _ := s.Key("acme", "actions")
	body = strings.Replace(body, key, now, 1)
	if status := call(s, "PUT", "/orgs/acme/actions/secrets/fresh", body).StatusCode; status != 422 {
		t.Errorf("a value sealed to the old key, sent with the new id: %d", status)
	}
	check("FRESH", "y", "private")
}

// TestPages walks every list by its links, which go by the org's number.
func TestPages(t *testing.T) {
	world := World{Orgs: []Org{{Login: "acme", RepositoryCount: 250, SecretCount: 205}}}
	all := make([]string, 250)
	for i := range all {
		all[i] = fmt.Sprintf("repo-%04d", i+1)
	}
	world.Orgs[0].Secrets = []Secret{{Store: "actions", Name: "CHOSEN", Visibility: "selected", Repositories: all}}
	s := newServer(t, world)
	for _, test := range []struct {
		path, list  string
		total, want int
		pages       []int
	}{
		{"/orgs/acme/actions/secrets?per_page=100", "secrets", 206, 206, []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets?per_page=1000", "secrets", 206, 206, []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets/CHOSEN/repositories?per_page=100", "repositories", 250, 250, []int{100, 100, 50}},
		{"/orgs/acme/repos?per_page=100", "", 0, 250, []int{100, 100, 50}},
		{"/orgs/acme/repos", "", 0, 250, []int{30, 30, 30, 30, 30, 30, 30, 30, 10}},
		{"/orgs/acme/repos?per_page=100&sort=created&direction=asc", "", 0, 250, []int{100, 100, 50}},
	} {
		seen := map[string]bool{}
		var pages []int
		first := ""
		for path := test.path; path != ""; {
			resp := call(s, "GET", path, "")
			if resp.StatusCode != 200 {
				t.Fatalf("%s: %d", path, resp.StatusCode)
			}
			body := []byte(resp.text)
			list := body
			if test.list != "" {
				var wrapped map[string]json.RawMessage
				if err := json.Unmarshal(body, &wrapped); err != nil || string(wrapped["total_count"]) != strconv.Itoa(test.total) {
					t.Fatalf("%s: %v, total_count %s", path, err, wrapped["total_count"])
				}
				list = wrapped[test.list]
			}
			var entries []struct{ Name string }
			if err := json.Unmarshal(list, &entries); err != nil {
				t.Fatal(err)
			}
			pages = append(pages, len(entries))
			for _, e := range entries {
				first = cmp.Or(first, e.Name)
				seen[e.Name] = true
			}
			path = ""
			for _, link := range strings.Split(resp.Header.Get("Link"), ", ") {
				if at, next := strings.CutSuffix(link, `>; rel="next"`); next {
					if path = strings.TrimPrefix(at, "<http://api.test"); !strings.HasPrefix(path, "/organizations/9001/") {
						t.Fatalf("linked as %s", link)
					}
				}
			}
		}
		if len(seen) != test.want || !slices.Equal(pages, test.pages) {
			t.Errorf("%s: %d entries over pages of %v", test.path, len(seen), pages)
		}
		// The newest repository comes first, unless the oldest is asked for.
		if ascending := strings.HasSuffix(test.path, "direction=asc"); test.list == "" && (first == all[0]) != ascending {
			t.Errorf("%s: %s comes first", test.path, first)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newServer(t, acme())
	for _, test := range []struct {
		name, header, value string
		want                int
	}{
		{"no token", "Authorization", "", 401},
		{"no user agent", "User-Agent", "", 403},
		{"old API", "X-GitHub-Api-Version", "2022-11-28", 200},
		{"new API", "X-GitHub-Api-Version", "2026-03-10", 200},
		{"unknown API", "X-GitHub-Api-Version", "1999-01-01", 400},
	} {
		if got := call(s, "GET", "/orgs/acme/actions/secrets", "", test.header, test.value).StatusCode; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestGHES has the base path, the stores that are missing there, and key ids as
// old servers send them.
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
		if got := call(s, "GET", path, "").StatusCode; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	id, _ := s.Key("acme", "actions")
	if got := call(s, "GET", "/api/v3/orgs/acme/actions/secrets/public-key", "").text; !strings.Contains(got, `"key_id":`+id) {
		t.Errorf("key %s is sent as %s", id, got)
	}
	if link := call(s, "GET", "/api/v3/orgs/acme/repos", "").Header.Get("Link"); !strings.Contains(link, "/api/v3/organizations/9001/repos?") {
		t.Errorf("linked as %s", link)
	}
	if at := call(s, "GET", "/api/v3/repos/acme/homepage", "").Header.Get("Location"); at != "http://api.test/api/v3/repositories/5" {
		t.Errorf("renamed to %s", at)
	}
}

// TestTokens holds each kind of token to GitHub's published permissions.
func TestTokens(t *testing.T) {
	const key, write = "GET /public-key", "PUT /NEW"
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for _, test := range []struct {
		name  string
		token Token
		do    string
		want  int
		text  string
	}{
		{"classic", Token{Kind: "classic", Scopes: []string{"admin:org"}}, write, 201, ""},
		{"classic without the scope", Token{Kind: "classic", Scopes: []string{"repo"}}, key, 403, "Must have admin rights"},
		{"classic of no owner", Token{Kind: "classic", Scopes: []string{"admin:org"}, NotOwner: true}, write, 403, "You must be an org admin"},
		{"fine-grained", Token{Kind: "fine-grained", Permissions: map[string]string{"{permission}": "write"}}, write, 201, ""},
		{"fine-grained that reads", Token{Kind: "fine-grained", Permissions: map[string]string{"{permission}": "read"}}, key, 200, ""},
		{"fine-grained that only reads", Token{Kind: "fine-grained", Permissions: map[string]string{"{permission}": "read"}}, write, 403, "by personal access token"},
		{"fine-grained without", Token{Kind: "fine-grained"}, key, 403, "by personal access token"},
		{"app", Token{Kind: "app", Permissions: map[string]string{"{permission}": "write"}}, write, 201, ""},
		{"app that only reads", Token{Kind: "app", Permissions: map[string]string{"{permission}": "read"}}, write, 403, "by integration"},
		{"app without", Token{Kind: "app"}, key, 403, "by integration"},
		{"workflow", Token{Kind: "workflow", Permissions: map[string]string{"{permission}": "write"}}, key, 403, "by integration"},
		{"expired", Token{Kind: "classic", Scopes: []string{"admin:org"}, ExpiresAt: in(-time.Hour)}, key, 401, "Bad credentials"},
		{"not replicated yet", Token{Kind: "app", Permissions: map[string]string{"{permission}": "write"}, ValidFrom: in(time.Hour)}, key, 401, "Bad credentials"},
		{"without single sign-on", Token{Kind: "classic", Scopes: []string{"admin:org"}, SSO: "https://github.test/sso"}, key, 403, "SAML"},
		{"of another organization", Token{Kind: "fine-grained", Outside: true, Permissions: map[string]string{"{permission}": "write"}}, key, 404, "Not Found"},
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
				method, path, _ := strings.Cut(test.do, " ")
				resp := call(s, method, "/orgs/acme/"+store+"/secrets"+path, fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":"all"}`, value, id))
				if got := resp.text; resp.StatusCode != test.want || !strings.Contains(got, test.text) {
					t.Errorf("%d %s, want %d %s", resp.StatusCode, got, test.want, test.text)
				}
				if scopes, told := resp.Header["X-Oauth-Scopes"]; told != (token.Kind == "classic" && test.want != 401) {
					t.Errorf("X-OAuth-Scopes: %v", scopes)
				}
				if needs := resp.Header.Get("X-Accepted-Github-Permissions"); needs != "" && !strings.HasPrefix(needs, permission[store]+"=") {
					t.Errorf("X-Accepted-GitHub-Permissions: %s", needs)
				}
				if sso := resp.Header.Get("X-Github-Sso"); (sso != "") != (token.SSO != "") {
					t.Errorf("X-GitHub-SSO: %s", sso)
				}
			})
		}
	}
}

// TestSight has what a token sees of repositories, alone and in lists.
func TestSight(t *testing.T) {
	for _, test := range []struct {
		name  string
		token Token
		want  bool
	}{
		{"classic", Token{Kind: "classic", Scopes: []string{"admin:org"}}, false},
		{"classic with repo", Token{Kind: "classic", Scopes: []string{"admin:org", "repo"}}, true},
		{"app of all", Token{Kind: "app", Permissions: map[string]string{"organization_secrets": "read"}}, true},
		{"app of one other", Token{Kind: "app", Permissions: map[string]string{"organization_secrets": "read"}, Repositories: []string{"web"}}, false},
	} {
		world := acme()
		test.token.Value = "owner"
		world.Tokens = []Token{test.token}
		s := newServer(t, world)
		if got := call(s, "GET", "/repos/acme/api", "").StatusCode == 200; got != test.want {
			t.Errorf("%s: sees a private repository: %v", test.name, got)
		}
		list := call(s, "GET", "/orgs/acme/actions/secrets/CHOSEN/repositories", "").text
		if got := strings.Contains(list, "acme/api"); got != test.want || !strings.Contains(list, `"total_count":2`) {
			t.Errorf("%s: %s", test.name, list)
		}
		if got := strings.Contains(call(s, "GET", "/orgs/acme/repos", "").text, "acme/api"); got != test.want {
			t.Errorf("%s: sees it in the organization's list: %v", test.name, got)
		}
	}
}

// TestPace refuses the 81st write of any rolling 60 s, and reads never.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := acme()
		world.MaxWritesPerMinute = 80
		s := newServer(t, world)
		write := func() reply { return call(s, "PUT", "/orgs/acme/actions/secrets/OPEN", "{}") }
		for i := range 80 {
			if i == 40 {
				time.Sleep(30 * time.Second)
			}
			if got := write().StatusCode; got != 422 {
				t.Fatalf("write %d: %d", i, got)
			}
		}
		time.Sleep(30*time.Second - 1)
		if resp := write(); resp.StatusCode != 403 || resp.Header.Get("Retry-After") != "60" {
			t.Errorf("the 81st: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if got := call(s, "GET", "/orgs/acme/actions/secrets/OPEN", "").StatusCode; got != 200 {
			t.Errorf("a read: %d", got)
		}
		time.Sleep(time.Nanosecond)
		if got := write().StatusCode; got != 422 {
			t.Errorf("when the first 40 are a minute old: %d", got)
		}
		world.HideRetryAfter, world.MaxWritesPerMinute = true, 1
		if err := s.Reset(world); err != nil {
			t.Fatal(err)
		}
		write()
		if resp := write(); resp.StatusCode != 403 || resp.Header.Get("Retry-After") != "" || !strings.Contains(resp.text, "secondary rate limit") {
			t.Errorf("without Retry-After: %d %v", resp.StatusCode, resp.Header)
		}
	})
}

// TestFaults plays each fault over a real connection.
func TestFaults(t *testing.T) {
	s := newServer(t, acme())
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	do := func(method, path, body string) (int, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer owner")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
		return resp.StatusCode, string(b), err
	}
	const path = "/orgs/acme/actions/secrets/OPEN"
	put := func() (int, string, error) {
		value, id := sealed(t, s, "actions", "new")
		return do("PUT", path, fmt.Sprintf(`{"encrypted_value":%q,"key_id":%q,"visibility":"all"}`, value, id))
	}
	stored := func() string {
		kept, _ := s.Secret("acme", "actions", "OPEN")
		return kept.Value
	}
	reset := func(faults ...Fault) {
		world := acme()
		world.Faults = faults
		if err := s.Reset(world); err != nil {
			t.Fatal(err)
		}
	}

	reset(Fault{Status: 503, Headers: map[string]string{"Retry-After": "7", "Content-Type": "text/html"}, Body: "<h1>Unicorn</h1>"})
	if status, body, err := put(); status != 503 || body != "<h1>Unicorn</h1>" || err != nil || stored() != "old" {
		t.Errorf("status: %d %q %v", status, body, err)
	}
	if status, _, _ := put(); status != 204 || stored() != "new" {
		t.Errorf("a fault happens once: %d", status)
	}

	reset(Fault{Drop: "before"})
	if status, _, err := put(); err == nil || stored() != "old" {
		t.Errorf("dropped before: %d %v, %s", status, err, stored())
	}
	reset(Fault{Drop: "after"})
	if status, _, err := put(); err == nil || stored() != "new" {
		t.Errorf("dropped after: %d %v, %s", status, err, stored())
	}
	if journal := s.RequestLog(); journal != "PUT "+path+" dropped\n" {
		t.Errorf("journal: %s", journal)
	}

	reset(Fault{Cut: true})
	if status, body, err := do("GET", path, ""); status != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || body == "" {
		t.Errorf("cut: %d %q %v", status, body, err)
	}
	reset(Fault{Endless: true})
	if _, body, _ := do("GET", path, ""); len(body) != 8<<20 {
		t.Errorf("endless: %d bytes", len(body))
	}

	reset(Fault{RotateKey: true})
	before, _ := s.Key("acme", "actions")
	if status, _, _ := put(); status != 422 || stored() != "old" {
		t.Errorf("rotated: %d", status)
	}
	if after, _ := s.Key("acme", "actions"); after == before {
		t.Error("the key is the same")
	}

	reset(Fault{Change: &Secret{Store: "actions", Name: "OPEN", Value: "by hand", Visibility: "private"}})
	if _, body, _ := do("GET", path, ""); !strings.Contains(body, `"visibility":"private"`) {
		t.Errorf("changed under the request: %s", body)
	}

	reset(Fault{Method: "PUT", Path: "/secrets/*", After: 1, Times: 2, Status: 500})
	var got []int
	for range 4 {
		status, _, _ := put()
		got = append(got, status)
	}
	if status, _, _ := do("GET", path, ""); !slices.Equal(got, []int{204, 500, 500, 204}) || status != 200 {
		t.Errorf("after one, twice: %v; GET %d", got, status)
	}
	reset(Fault{Status: 500, Times: -1})
	for range 3 {
		if status, _, _ := do("GET", path, ""); status != 500 {
			t.Errorf("for ever: %d", status)
		}
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := acme()
		world.Faults = []Fault{{Delay: Duration(40 * time.Millisecond)}}
		s := newServer(t, world)
		start := time.Now()
		if status := call(s, "GET", "/orgs/acme/repos", "").StatusCode; status != 200 || time.Since(start) != 40*time.Millisecond {
			t.Errorf("%d after %v", status, time.Since(start))
		}
	})
}

func TestControl(t *testing.T) {
	s := newServer(t, acme())
	control := func(method, path, body string) (int, string) {
		w := httptest.NewRecorder()
		s.Control().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		return w.Code, w.Body.String()
	}
	var state []Secret
	if _, body := control("GET", "/state", ""); json.Unmarshal([]byte(body), &state) != nil || len(state) != 2 || state[0].Name != "CHOSEN" {
		t.Errorf("state: %s", body)
	}
	id, key := s.Key("acme", "agents")
	if _, body := control("GET", "/key/acme/agents", ""); !strings.Contains(body, id) || !strings.Contains(body, key) {
		t.Errorf("key: %s", body)
	}
	if code, body := control("POST", "/faults", `[{"path": "/repos", "status": 502, "delay": "1ns"}]`); code != 200 {
		t.Errorf("faults: %d %s", code, body)
	}
	if got := call(s, "GET", "/orgs/acme/repos", "").StatusCode; got != 502 {
		t.Errorf("the fault does not happen: %d", got)
	}
	if _, body := control("GET", "/journal", ""); body != "GET /orgs/acme/repos 502\n" {
		t.Errorf("journal: %s", body)
	}
	if code, body := control("POST", "/world", `{"orgs": [{"login": "other"}]}`); code != 200 {
		t.Errorf("world: %d %s", code, body)
	}
	if got := call(s, "GET", "/orgs/acme/repos", "").StatusCode; got != 404 {
		t.Errorf("the old world stands: %d", got)
	}
	for path, body := range map[string]string{
		"/world": `{"orgz": []}`, "/faults": `{}`,
	} {
		if code, _ := control("POST", path, body); code != 400 {
			t.Errorf("%s takes %s: %d", path, body, code)
		}
	}
}

func TestWorldIsStrict(t *testing.T) {
	for _, text := range []string{`{"orgs": [{"login": "a", "secret": []}]}`, `{"faults": [{"delay": "soon"}]}`, `[`} {
		if _, err := ParseWorld([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	for _, w := range []World{
		{Orgs: []Org{{Login: "a", Secrets: []Secret{{Store: "pages", Name: "X"}}}}},
		{Orgs: []Org{{Login: "a", Secrets: []Secret{{Store: "actions", Name: "X", Repositories: []string{"none"}}}}}},
	} {
		if _, err := New(w); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
	text, err := json.Marshal(World{Faults: []Fault{{Delay: Duration(time.Second)}}})
	if err != nil || !bytes.Contains(text, []byte(`"delay":"1s"`)) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestMaxConcurrentWrites counts writes that overlap.
func TestMaxConcurrentWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := acme()
		world.Faults = []Fault{{Times: -1, Delay: Duration(time.Second)}}
		s := newServer(t, world)
		for range 3 {
			go call(s, "PUT", "/orgs/acme/actions/secrets/OPEN", "{}")
			go call(s, "GET", "/orgs/acme/actions/secrets", "")
		}
		time.Sleep(2 * time.Second)
		call(s, "PUT", "/orgs/acme/actions/secrets/OPEN", "{}")
		if got := s.MaxConcurrentWrites(); got != 3 {
			t.Errorf("%d at once", got)
		}
	})
}
