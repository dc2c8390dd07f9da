package fakegithub

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
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

func wantEqual[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantContains(t *testing.T, what, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%s: got %s, want it to contain %q", what, text, want)
	}
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
		switch err := recover(); err {
		case nil, http.ErrAbortHandler:
		default:
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

// variables replaces variables of a store in a text: {store}, {secrets} is the path of its secrets, {key} the id of its
// key, {value} the value "new" sealed with it, and {sealed} the properties of both.
func variables(t *testing.T, s *Server, store string) *strings.Replacer {
	t.Helper()
	value, key := sealed(t, s, store, "new")
	return strings.NewReplacer("{store}", store, "{secrets}", "/orgs/acme/"+store+"/secrets", "{key}", key,
		"{value}", value, "{sealed}", fmt.Sprintf(`"encrypted_value":%q,"key_id":%q`, value, key))
}

// TestEndpoints runs testdata/endpoints.txt in all four stores.
func TestEndpoints(t *testing.T) {
	text, err := os.ReadFile("testdata/endpoints.txt")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		call, want, isRow := strings.Cut(strings.TrimSuffix(row, "\n"), " => ")
		if !isRow || strings.HasPrefix(row, "#") {
			continue
		}
		for _, store := range storeNames {
			testEndpoint(t, store, call, want)
		}
	}
}

func testEndpoint(t *testing.T, store, row, want string) {
	t.Helper()
	name := store + ": " + row
	world := acme()
	for i := range world.Orgs[0].Secrets {
		world.Orgs[0].Secrets[i].Store = store
	}
	s := newServer(t, world)
	filled := variables(t, s, store)
	if strings.Contains(row, "{large}") {
		large, _ := sealed(t, s, store, strings.Repeat("x", maxValueBytes+1))
		row = strings.ReplaceAll(row, "{large}", large)
	}
	other, _ := sealed(t, newServer(t, world), store, "new")
	row = strings.ReplaceAll(row, "{other}", other)
	method, rest, _ := strings.Cut(filled.Replace(row), " ")
	path, body, _ := strings.Cut(rest, " ")
	status, want, hasBody := strings.Cut(filled.Replace(want), " ")

	before := fmt.Sprint(s.Secrets())
	resp := call(s, method, path, body)
	wantEqual(t, name+": status", strconv.Itoa(resp.status), status)
	wantContains(t, name+": body", resp.text, want)
	wantEqual(t, name+": there is a body", resp.text != "", hasBody)
	if resp.status >= 300 {
		wantEqual(t, name+": secrets after an error", fmt.Sprint(s.Secrets()), before)
	}
	for _, header := range []string{
		"X-GitHub-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Date",
	} {
		wantEqual(t, name+": has the header "+header, resp.header.Get(header) != "", true)
	}
}

// TestPutStores checks the secret that a PUT stores, in its own store only.
func TestPutStores(t *testing.T) {
	s := newServer(t, acme())
	for _, test := range []struct {
		name, value, visibility string
		status                  int
		want                    string
	}{
		{"CHOSEN", "a\nb\n", `"selected","selected_repository_ids":[5,1]`, 204, `"a\nb\n" selected [site web]`},
		{"CHOSEN", "x", `"selected"`, 204, `"x" selected []`}, // no list is an empty one
		{"CHOSEN", "z", `"all","selected_repository_ids":[1]`, 204, `"z" all []`},
		{"NEW", "y", `"private"`, 201, `"y" private []`},
	} {
		resp := call(s, "PUT", "/orgs/acme/actions/secrets/"+strings.ToLower(test.name),
			body(t, s, "actions", test.value, test.visibility))
		wantEqual(t, test.name+": status", resp.status, test.status)
		stored, _ := s.Secret("ACME", "actions", test.name)
		got := fmt.Sprintf("%q %s %v", stored.Value, stored.Visibility, stored.Repositories)
		wantEqual(t, test.name, got, test.want)
	}
	if got, exists := s.Secret("acme", "dependabot", "NEW"); exists {
		t.Errorf("got %+v in dependabot, want none", got)
	}
}

// links is the header Link of each page but the last. It names the organization by its numeric id.
var links = regexp.MustCompile(`^<http://api\.test(/organizations/9001/[^>]*)>; rel="next", ` +
	`<http://api\.test(/organizations/9001/[^>]*)>; rel="last"$`)

// follow returns the pages of a list by the links to the next one, and checks that to the last.
func follow(t *testing.T, s *Server, path string) (pages []string) {
	t.Helper()
	last := "" // as the first page names it
	for {
		resp := call(s, "GET", path, "")
		if resp.status != 200 {
			t.Fatalf("%s: got status %d, want 200", path, resp.status)
		}
		pages = append(pages, resp.text)
		link := links.FindStringSubmatch(resp.header.Get("Link"))
		if link == nil {
			wantEqual(t, "the last page", path, cmp.Or(last, path))
			return pages
		}
		path, last = link[1], cmp.Or(last, link[2])
	}
}

func TestPagination(t *testing.T) {
	world := World{Orgs: []Org{{Login: "acme", RepositoryCount: 250, SecretCount: 205}}}
	all := make([]string, 250)
	for i := range all {
		all[i] = fmt.Sprintf("repo-%04d", i+1)
	}
	world.Orgs[0].Secrets = []Secret{{Store: "actions", Name: "CHOSEN", Visibility: "selected", Repositories: all}}
	s := newServer(t, world)
	oldest, newest := all[0], all[249]
	for _, test := range []struct {
		path  string
		list  string // the property with the list; empty if the body is the list
		first string // entry
		pages []int  // entries of each page
	}{
		{"/orgs/acme/actions/secrets?per_page=100", "secrets", "CHOSEN", []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets?per_page=1000", "secrets", "CHOSEN", []int{100, 100, 6}},
		{"/orgs/acme/actions/secrets/CHOSEN/repositories?per_page=100", "repositories", oldest, []int{100, 100, 50}},
		{"/orgs/acme/repos?per_page=100", "", newest, []int{100, 100, 50}},
		{"/orgs/acme/repos", "", newest, []int{30, 30, 30, 30, 30, 30, 30, 30, 10}},
		{"/orgs/acme/repos?per_page=100&sort=created&direction=asc", "", oldest, []int{100, 100, 50}},
	} {
		total := 0
		for _, n := range test.pages {
			total += n
		}
		var names []string
		var pages []int
		for _, page := range follow(t, s, test.path) {
			list := json.RawMessage(page)
			if test.list != "" {
				var wrapped map[string]json.RawMessage
				if err := json.Unmarshal(list, &wrapped); err != nil {
					t.Fatalf("%s: %v", test.path, err)
				}
				wantEqual(t, test.path+": total_count", string(wrapped["total_count"]), strconv.Itoa(total))
				list = wrapped[test.list]
			}
			var entries []struct{ Name string }
			if err := json.Unmarshal(list, &entries); err != nil {
				t.Fatalf("%s: %v", test.path, err)
			}
			pages = append(pages, len(entries))
			for _, e := range entries {
				names = append(names, e.Name)
			}
		}
		if !slices.Equal(pages, test.pages) {
			t.Errorf("%s: got pages of %v entries, want %v", test.path, pages, test.pages)
		}
		wantEqual(t, test.path+": the first name", names[0], test.first)
		slices.Sort(names)
		wantEqual(t, test.path+": different names", len(slices.Compact(names)), total)
	}
}

// TestNoLast checks that the link to the next page stays.
func TestNoLast(t *testing.T) {
	world := World{Orgs: []Org{{Login: "acme", RepositoryCount: 150}}, Faults: []Fault{{NoLast: true}}}
	link := call(newServer(t, world), "GET", "/orgs/acme/repos?per_page=100", "").header.Get("Link")
	wantEqual(t, "Link", link, `<http://api.test/organizations/9001/repos?page=2&per_page=100>; rel="next"`)
}

// TestHeaders checks the headers and the size of requests.
func TestHeaders(t *testing.T) {
	s := newServer(t, acme())
	large := call(s, "PUT", "/orgs/acme/actions/secrets/OPEN", strings.Repeat(" ", maxBodyBytes+1))
	wantEqual(t, "body over 1 MiB: status", large.status, 413)
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
		resp := call(s, "GET", "/orgs/acme/actions/secrets", "", test.header, test.value)
		wantEqual(t, test.name+": status", resp.status, test.want)
	}
}

// TestStrictVersions checks which API version serves each store, and that each request
// records its version.
func TestStrictVersions(t *testing.T) {
	for _, strict := range []bool{false, true} {
		world := acme()
		world.StrictVersions = strict
		s := newServer(t, world)
		for _, store := range storeNames {
			for _, version := range versions {
				want := 200
				if strict && store == "agents" && version != "2026-03-10" {
					want = 404
				}
				s.ResetRequests()
				resp := call(s, "GET", "/orgs/acme/"+store+"/secrets", "", "X-GitHub-Api-Version", version)
				wantEqual(t, fmt.Sprintf("%s, %q, strict %v: status", store, version, strict), resp.status, want)
				wantEqual(t, "the recorded version", s.Requests()[0].APIVersion, version)
			}
		}
	}
}

// TestGHES checks the base path, the missing stores and the numeric key ids of GitHub Enterprise Server.
func TestGHES(t *testing.T) {
	world := acme()
	world.BasePath, world.GHES, world.NumericKeyIDs = "/api/v3", true, true
	world.Orgs[0].RepositoryCount = 150
	s := newServer(t, world)
	id, _ := s.Key("acme", "actions")
	for _, test := range []struct {
		path   string
		status int
		want   string // in the body, or in the headers Link and Location
	}{
		{"/api/v3/orgs/acme/actions/secrets", 200, `"name":"OPEN"`},
		{"/api/v3/orgs/acme/dependabot/secrets", 200, `"total_count":0`},
		{"/api/v3/orgs/acme/codespaces/secrets", 404, "Not Found"},
		{"/api/v3/orgs/acme/agents/secrets", 404, "Not Found"},
		{"/orgs/acme/actions/secrets", 404, "Not Found"},
		{"/api/v3/orgs/acme/actions/secrets/public-key", 200, `"key_id":` + id},
		{"/api/v3/orgs/acme/repos", 200, "<http://api.test/api/v3/organizations/9001/repos?"},
		{"/api/v3/repos/acme/homepage", 301, "Location=http://api.test/api/v3/repositories/5"},
	} {
		resp := call(s, "GET", test.path, "")
		wantEqual(t, test.path+": status", resp.status, test.status)
		got := resp.text + resp.header.Get("Link") + "Location=" + resp.header.Get("Location")
		wantContains(t, test.path, got, test.want)
	}
}

func TestInvalidWorlds(t *testing.T) {
	for _, text := range []string{
		`{"orgs": [{"login": "a", "secret": []}]}`, `{"faults": [{"delay": "soon"}]}`, `[`,
		`{"orgs": [{"login": "a", "secrets": [{"store": "pages", "name": "X"}]}]}`,
		`{"orgs": [{"login": "a", "secrets": [{"store": "actions", "name": "X", "repositories": ["none"]}]}]}`,
	} {
		world, err := ParseWorld([]byte(text))
		if _, errNew := New(world); errors.Join(err, errNew) == nil {
			t.Errorf("%s: got no error, want one", text)
		}
	}
}

// TestDurationAsJSON checks that a world that is written as JSON has the form that is read.
func TestDurationAsJSON(t *testing.T) {
	text, err := json.Marshal(World{Faults: []Fault{{Delay: Duration(time.Second)}}})
	wantEqual(t, "error", err, nil)
	wantContains(t, "a world", string(text), `"delay":"1s"`)
}

func TestReset(t *testing.T) {
	s := newServer(t, acme())
	s.AddFault(Fault{Status: 418, Times: -1})
	call(s, "GET", "/orgs/acme/repos", "")
	wantEqual(t, "error", s.Reset(World{Orgs: []Org{{Login: "other"}}}), nil)
	call(s, "GET", "/orgs/other/repos", "")
	wantEqual(t, "requests", s.RequestLog(), "GET /orgs/other/repos 200\n")
}

func TestControl(t *testing.T) {
	s := newServer(t, acme())
	id, key := s.Key("acme", "agents")
	call(s, "GET", "/orgs/acme/repos", "")
	for path, want := range map[string]string{
		"/state":           "[\n  {\n    \"store\": \"actions\",\n    \"name\": \"CHOSEN\",\n",
		"/key/acme/agents": fmt.Sprintf(`{"key_id":%q,"public_key":%q}`, id, key),
		"/requests":        "GET /orgs/acme/repos 200\n",
	} {
		w := httptest.NewRecorder()
		s.Control().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		wantContains(t, path, w.Body.String(), want)
	}
}
