//go:build judge

package action

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"set-org-secret/internal/fakegithub"
)

// validator is a fake GitHub behind Prism, a proxy that validates requests and
// responses against GitHub's description of its API. Prism refuses a request that
// violates the description with 422, and replaces a response that does with 500.
//
// https://docs.stoplight.io/docs/prism
type validator struct {
	url    string
	github *fakegithub.Server
	// described are the success statuses of each operation that the program or the
	// fake has: "PUT /orgs/{org}/actions/secrets/{secret_name}" is 201 and 204.
	described map[string][]string

	mu          sync.Mutex
	validated   map[string]int // by operation and status
	undescribed map[string]int // those of them with an error status that the description lacks
	violations  []string
}

// modules returns the directory into which `.ci/run description` installs Prism and the
// description.
func modules(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("NODE_PATH")
	if dir == "" {
		t.Fatal("NODE_PATH is not set; run .ci/run description")
	}
	return dir
}

func newValidator(t *testing.T, world fakegithub.World) *validator {
	t.Helper()
	description := filepath.Join(modules(t), "@octokit/openapi/generated/api.github.com.json")
	v := &validator{
		github: newGitHub(t, world), described: readDescription(t, description),
		validated: map[string]int{}, undescribed: map[string]int{},
	}
	upstream := httptest.NewServer(v.github)
	t.Cleanup(upstream.Close)
	prism := startPrism(t, description, upstream.URL)
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(prism) },
		ModifyResponse: v.record,
		ErrorHandler: func(w http.ResponseWriter, req *http.Request, err error) {
			v.violation(req, "no response from Prism: "+err.Error())
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/", proxy) // not described: Prism refuses it
	for operation := range v.described {
		mux.Handle(operation, proxy)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	v.url = server.URL
	return v
}

// readDescription returns the success statuses of the operations on secrets and
// repositories of an organization. It fails if a store is not described.
func readDescription(t *testing.T, path string) map[string][]string {
	t.Helper()
	var description struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	if err := json.Unmarshal(readFile(t, path), &description); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	secrets := regexp.MustCompile(`^/orgs/\{org\}/(` + strings.Join(storeNames, "|") + `)/secrets(/|$)`)
	operations := map[string][]string{}
	for path, methods := range description.Paths {
		for method, operation := range methods {
			ofRepositories := method == "get" && (path == "/repos/{owner}/{repo}" || path == "/orgs/{org}/repos")
			if !secrets.MatchString(path) && !ofRepositories {
				continue
			}
			for status := range operation.Responses {
				if strings.HasPrefix(status, "2") {
					name := strings.ToUpper(method) + " " + path
					operations[name] = append(operations[name], status)
				}
			}
		}
	}
	const perStore = 9
	wantEqual(t, "operations that are described", len(operations), perStore*len(storeNames)+2)
	return operations
}

var listening = regexp.MustCompile(`Prism is listening on (http://127\.0\.0\.1:[0-9]+)`)

// startPrism starts Prism on a free port and waits until it has read the
// description. It is stopped at the end of the test.
func startPrism(t *testing.T, description, upstream string) *url.URL {
	t.Helper()
	logFile := filepath.Join(t.TempDir(), "prism.log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	// Stdin is closed when the process of the test ends, also if it is killed.
	const exitWithTest = "--import=data:text/javascript,process.stdin.on('end',()=>process.exit()).resume().unref()"
	cmd := exec.Command("node", exitWithTest, filepath.Join(modules(t), "@stoplight/prism-cli/dist/index.js"),
		"proxy", "--errors", "--multiprocess=false", "--host=127.0.0.1", "--port=0", description, upstream)
	cmd.Stdout, cmd.Stderr = log, log
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // the log says why
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	const limit = 3 * time.Minute // other parts of .ci/run may take the processors
	timeout := time.After(limit)
	for {
		text := readFile(t, logFile)
		if m := listening.FindSubmatch(text); m != nil {
			address, err := url.Parse(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			return address
		}
		select {
		case <-exited:
			t.Fatalf("Prism exited before it listened:\n%s", readFile(t, logFile))
		case <-timeout:
			t.Fatalf("Prism does not listen after %v:\n%s", limit, text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// record counts a response of Prism, or notes its violations.
func (v *validator) record(resp *http.Response) error {
	if resp.Header.Get("Content-Type") == "application/problem+json" {
		body, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		v.violation(resp.Request, string(body))
		return err
	}
	key := fmt.Sprintf("%s %d", resp.Request.Pattern, resp.StatusCode)
	v.mu.Lock()
	v.validated[key]++
	v.mu.Unlock()
	text := resp.Header.Get("Sl-Violations")
	var found []struct{ Severity, Message string }
	switch {
	case text == "":
	case json.Unmarshal([]byte(text), &found) != nil || len(found) != 1 || resp.StatusCode < 400 ||
		found[0].Severity != "Warning" || !strings.HasPrefix(found[0].Message, "Unable to match the returned status code"):
		v.violation(resp.Request, text)
	default:
		// The description has few of GitHub's errors.
		v.mu.Lock()
		v.undescribed[key]++
		v.mu.Unlock()
	}
	return nil
}

func (v *validator) violation(req *http.Request, text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.violations = append(v.violations, fmt.Sprintf("%s %s: %s", req.Method, req.URL.RequestURI(), text))
}

// takeViolations returns the violations since it was last called.
func (v *validator) takeViolations() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := v.violations
	v.violations = nil
	return list
}

func (v *validator) wantNoViolation(t *testing.T, what string) {
	t.Helper()
	for _, text := range v.takeViolations() {
		t.Errorf("%s: %.2000s", what, text)
	}
}

// send sends one request without the program, and returns status and body.
func (v *validator) send(t *testing.T, method, path, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, v.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ghp_scenario")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

var storeNames = strings.Split(allStores, ", ")

// describedWorld has more than one page of every list.
func describedWorld(t *testing.T) fakegithub.World {
	t.Helper()
	patches := []string{"org repository_count=120"}
	for _, store := range storeNames {
		patches = append(patches,
			"secret "+store+"/MANY visibility=selected repositories=repo-0001..0101",
			"secret "+store+"/FEW visibility=selected repositories=repo-0001")
		for i := range 101 {
			patches = append(patches, fmt.Sprintf("secret %s/OTHER_%03d visibility=private", store, i+1))
		}
	}
	return worldWith(t, "empty", patches...)
}

// TestDescription runs the program in every mode on every store, as the script in
// testdata/description has it, and validates all its requests, and all responses of the fake GitHub that every other test relies
// on, against GitHub's own description of its API. `.ci/run description` runs it.
//
// Prism follows a redirect itself, so of a renamed repository the description is
// compared with the response to the second request. Errors are compared only where
// the description has their status; it has few.
func TestDescription(t *testing.T) {
	v := newValidator(t, describedWorld(t))
	t.Run("program", func(t *testing.T) {
		state := scriptState{printed: &transcript{}, server: v.github, run: v.run}
		runScripts(scriptT{T: t}, "testdata/description/*.txtar", state, "INPUT_API_URL="+v.url)
	})
	t.Run("fake", func(t *testing.T) { validateFake(t, v) })
	requests, unmatched := sum(v.validated), sum(v.undescribed)
	for operation, statuses := range v.described {
		for _, status := range statuses {
			if v.validated[operation+" "+status] == 0 {
				t.Errorf("%s: no response with status %s was validated", operation, status)
			}
		}
	}
	if received := len(v.github.Requests()); received < requests {
		t.Errorf("%d requests were validated, and the fake GitHub received %d, want at least as many", requests, received)
	}
	t.Run("refusals of responses", func(t *testing.T) { refusesResponses(t, v) })
	t.Run("refusals of requests", func(t *testing.T) { refusesRequests(t, v) })
	t.Logf("%d requests and %d responses validated; %d more responses are errors that are not described",
		requests, requests-unmatched, unmatched)
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// run runs the program and checks that neither a request nor a response violates the
// description.
func (v *validator) run(t *testing.T, s stepRun) result {
	t.Helper()
	r := s.run(t.Context(), t)
	v.wantNoViolation(t, "a run in mode "+s.env["INPUT_MODE"])
	return r
}

// exchange is a request and its response.
type exchange struct{ method, path, body, want string }

// exchanges returns the lines METHOD PATH [BODY] => WANT of a section of requests.txt, in
// which {store} stands for each store, and {key} for the id of its key.
func (v *validator) exchanges(t *testing.T, section string) (list []exchange) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/description/requests.txt")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == section })
	for line := range strings.Lines(string(archive.Files[i].Data)) {
		for _, store := range storeNames {
			key, _ := v.github.Key("acme", store)
			text := strings.NewReplacer("{store}", store, "{key}", key).Replace(strings.TrimSpace(line))
			request, want, ok := strings.Cut(text, " => ")
			parts := strings.SplitN(request+" ", " ", 3)
			if !ok || len(parts) < 3 {
				t.Fatalf("got the line %q, want METHOD PATH [BODY] => WANT", line)
			}
			list = append(list, exchange{parts[0], parts[1], strings.TrimSpace(parts[2]), want})
		}
	}
	return slices.Compact(list) // a line without {store} is one
}

// validateFake checks the fake's other responses, with requests that the program does not send.
func validateFake(t *testing.T, v *validator) {
	v.github.AddFault(fakegithub.Fault{Path: "/repos/acme/web", Status: 403})
	for _, e := range v.exchanges(t, "fake") {
		status, body := v.send(t, e.method, e.path, e.body)
		if strconv.Itoa(status) != e.want {
			t.Errorf("%s %s %s: got status %d, want %s: %.500s", e.method, e.path, e.body, status, e.want, body)
		}
	}
	v.wantNoViolation(t, "responses of the fake")
}

// refusesResponses checks that Prism refuses responses that lack fields, and names each. It
// would be no test if it accepted everything.
func refusesResponses(t *testing.T, v *validator) {
	for _, e := range v.exchanges(t, "responses") {
		v.github.AddFault(fakegithub.Fault{Method: e.method, Path: e.path, Status: 200, Body: e.body})
		status, _ := v.send(t, e.method, e.path, "")
		wantEqual(t, "status of "+e.path+" with "+e.body, status, 500)
		want := []string{"#VIOLATIONS"}
		for field := range strings.FieldsSeq(e.want) {
			want = append(want, "required property '"+field+"'")
		}
		wantRefusal(t, v, e.path+" with "+e.body, want...)
	}
	valid := `{"encrypted_value": "c2VhbGVk", "key_id": "1", "visibility": "all"}`
	v.github.AddFault(fakegithub.Fault{Method: "PUT", Status: 200, Body: "{}"})
	v.send(t, "PUT", "/orgs/acme/actions/secrets/NEW", valid)
	wantRefusal(t, v, "a write answered with status 200", "#VIOLATIONS", "201,204")
}

// wantRefusal checks that Prism refused exactly one request or response, and why.
func wantRefusal(t *testing.T, v *validator, what string, texts ...string) {
	t.Helper()
	got := v.takeViolations()
	if len(got) != 1 {
		t.Errorf("%s: %d violations, want 1: %.500q", what, len(got), got)
		return
	}
	wantContains(t, what, got[0], texts...)
}

// refusesRequests checks that Prism refuses invalid requests, which do not reach
// the fake.
func refusesRequests(t *testing.T, v *validator) {
	before := len(v.github.Requests())
	for _, e := range v.exchanges(t, "requests") {
		v.send(t, e.method, e.path, e.body)
		wantRefusal(t, v, e.method+" "+e.path+" "+e.body, "https://stoplight.io/prism/errors#", e.want)
	}
	wantEqual(t, "invalid requests that reached the fake", len(v.github.Requests())-before, 0)
}
