package action

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"set-org-secret/internal/fakegithub"
)

var hostileRuns = flag.Int("hostile", 50, "how many runs TestHostileServer makes, from seed 1 on")

const (
	hostilePlain, hostileToken = "Correct-Horse-Battery", "ghp_a_token_that_the_server_knows"
	// hostileBound is far above the timeout, which each page of a list has for itself.
	hostileBound = time.Hour
	// maxRead is the most that a client may read of a body: its limit and the buffers.
	maxRead = 17 << 20
)

// hostileKinds are the inputs of runs against a hostile server.
var hostileKinds = []map[string]string{
	{"secret_name": "NEW", "secret_value": hostilePlain},
	{"secret_name": "TOKEN", "secret_value": hostilePlain, "selected_repositories": "web, svc-*, !api"},
	{"secrets": `{"TOKEN": "` + hostilePlain + `", "OPEN": "` + hostilePlain + `-2", "NEW": "` + hostilePlain + `-3"}`},
	{"mode": "seal", "secret_name": "NEW", "secret_value": hostilePlain, "stores": "actions,agents"},
	{"mode": "check", "secret_name": "TOKEN, OPEN, MISSING", "max_age": "30d"},
	{"mode": "check", "secret_name": "*", "list_repositories": "true", "max_age": "30d", "stores": "actions,dependabot"},
	{"mode": "access", "secret_name": "TOKEN", "selected_repositories": "svc-*, api"},
	{"secret_name": "TOKEN, NEW", "sealed": "", "stores": "actions,dependabot"},
	{"secret_name": "TOKEN", "secret_value": hostilePlain, "dry_run": "true", "selected_repositories": "svc-*"},
	{"secret_name": "TOKEN", "secret_value": hostilePlain, "stores": "actions,dependabot,codespaces,agents"},
}

// hostile is a server whose responses are those of GitHub, changed at random.
type hostile struct {
	t      *testing.T
	github *fakegithub.Server
	seed   uint64
	with   map[string]string
	mark   string   // in the texts that are not GitHub's
	known  []string // the token, and the plaintext if the run has one

	mu       sync.Mutex
	seen     map[string]int   // how many requests there were, by method and address
	answered map[string][]int // statuses of the responses to writes, by method and path
}

// TestHostileServer makes runs at random against a hostile server: the action must not
// leak, print or claim anything, and must end. To replay a run:
//
//	go test ./internal/action -run TestHostileServer -seed 17
func TestHostileServer(t *testing.T) {
	t.Setenv("GODEBUG", "tracebacklabels=1") // the trace of a panic has the seed
	first, last := uint64(1), uint64(*hostileRuns)
	if *modelSeed != 0 {
		first, last = *modelSeed, *modelSeed
	}
	var h *hostile
	var r result
	defer func() {
		if t.Failed() || first == last {
			t.Logf("seed %d: %v\n%v\n%.9000s\n%.2000s\n%.2000s", h.seed, h.with, h.seen, r.stdout, r.outputs["results"], r.summary)
		}
	}()
	dir, succeeded := t.TempDir(), 0
	for seed := first; seed <= last && !t.Failed(); seed++ {
		h = newHostile(t, seed)
		pprof.Do(t.Context(), pprof.Labels("seed", fmt.Sprint(seed)), func(context.Context) {
			r = stepRun{with: h.with, dir: dir, signal: hostileBound}.simulate(t, h) //nolint:contextcheck // has one of its own
		})
		h.checkRun(r)
		h.checkRows(r)
		if r.code == 0 {
			succeeded++
		}
	}
	t.Logf("%d runs against a hostile server, %d of which succeeded", last-first+1, succeeded)
}

func newHostile(t *testing.T, seed uint64) *hostile {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 0))
	world := worldWith(t, "team", "org repository_count=120 secret_count=110",
		"secret dependabot/TOKEN visibility=selected repositories=web", "secret dependabot/OPEN visibility=all")
	world.Rand = rand.NewChaCha8([32]byte{byte(seed)})
	h := &hostile{
		t: t, github: newGitHub(t, world), seed: seed, mark: fmt.Sprintf("PWN%dX", seed), known: []string{hostileToken},
		with: maps.Clone(hostileKinds[rnd.IntN(len(hostileKinds))]), seen: map[string]int{}, answered: map[string][]int{},
	}
	h.with["token"], h.with["timeout"] = hostileToken, "1m"
	if h.with["secret_value"]+h.with["secrets"] != "" {
		h.known = append(h.known, hostilePlain)
	}
	if h.with["mode"] == "access" {
		h.with["change"] = []string{"replace", "add", "remove"}[rnd.IntN(3)]
	}
	if _, ok := h.with["sealed"]; ok {
		h.with["sealed"] = stepRun{with: map[string]string{
			"mode": "seal", "secrets": "TOKEN=" + hostilePlain + "\nNEW=" + hostilePlain, "stores": h.with["stores"],
		}}.simulate(t, h.github).outputs["results"]
		h.github.ResetRequests()
	}
	return h
}

// answer is a response that is changed before it is sent.
type answer struct {
	*rand.Rand
	*hostile
	status int
	header http.Header
	body   []byte
	how    string // it is sent; empty for as usual
}

// ServeHTTP implements http.Handler. The changes depend on the seed, the request and how
// often it was received, so a run with concurrent requests can be repeated.
func (h *hostile) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	name := req.Method + " " + req.URL.RequestURI()
	hash := fnv.New64a()
	fmt.Fprint(hash, name)
	h.mu.Lock()
	if h.seen[name]++; h.seed%2 == 0 { // else the same each time, so that two readings agree
		fmt.Fprint(hash, h.seen[name])
	}
	h.mu.Unlock()
	if req.Host != "127.0.0.1" {
		h.t.Errorf("a request to %s%s", req.Host, req.URL)
	}
	recorded := httptest.NewRecorder()
	h.github.ServeHTTP(recorded, req)
	a := &answer{
		Rand: rand.New(rand.NewPCG(h.seed, hash.Sum64())), hostile: h,
		status: recorded.Code, header: recorded.Header(), body: recorded.Body.Bytes(),
	}
	percent := []int{5, 20, 20, 60}[h.seed%4] // of the responses
	if a.IntN(100) < percent {
		for range 1 + a.IntN(3) {
			a.change()
		}
	}
	a.send(rw, req)
}

// change makes one change.
func (a *answer) change() {
	switch a.IntN(16) {
	case 0, 1, 2, 3, 4, 5:
		a.changeJSON()
	case 6, 7:
		a.changeHeader(pick(a, headerNames...))
	case 8:
		a.status = pick(a, 200, 201, 202, 204, 205, 206, 299, 300, 304, 400, 401, 403, 404, 407, 409, 410, 418, 422, 429, 451,
			500, 502, 503, 504, 511, 520, 600, 999)
	case 9, 10:
		a.changeHeader(pick(a, headerNames...))
		a.changeHeader(pick(a, "X-GitHub-SSO", "Retry-After", "X-OAuth-Scopes", "X-GitHub-Request-Id"))
		a.status = pick(a, 400, 403, 403, 404, 409, 422, 429, 503)
		errors := []any{a.text(), map[string]string{"field": a.text()}}
		a.body, _ = json.Marshal(map[string]any{"message": a.text(), "errors": errors})
	case 11:
		a.status = pick(a, 301, 302, 303, 307, 308)
		a.header.Set("Location", pick(a, "https://127.0.0.1/", "http://127.0.0.1:443/", "http://127.0.0.1:8080/", "//evil.example/",
			`\\evil.example\`, "http://127.0.0.1@evil.example/", "http://127.0.0.1.evil.example/", "http://localhost/",
			"http://2130706433/", "http://u:p@127.0.0.1/", "javascript:", "%zz", "", "", "/", "?", "../")+a.mark)
	case 12:
		a.body = []byte(pick(a, string(a.body[:len(a.body)/2]), "", "<html>", "{", "[]", "null", `""`, "\x00", "\xff") + a.text())
	case 13:
		a.header.Set("Content-Length", fmt.Sprint(len(a.body)+a.IntN(9)))
	default:
		a.how = pick(a, "not", "late", "slowly", "slowly", "raw", "raw", "raw")
		if a.IntN(30) == 0 { // it takes a tenth of a second
			a.how = "endlessly"
		}
	}
}

func pick[T any](a *answer, list ...T) T { return list[a.IntN(len(list))] }

// hostileHeaders are the headers that the client reads, with their values separated by |.
var hostileHeaders = map[string]string{
	"Link": `<http://127.0.0.1/x?page=2>; rel="next"|<x?page=3>; rel="last"|<x?page=-1>; rel="next"|` +
		`<http://evil.example/?page=999999999>; rel="last"|<x?page=99999999999999999999>; rel="next"|<`,
	"Date":                  "Mon, 01 Jan 0001 00:00:00 GMT|Thu, 01 Jan 1970 00:00:00 GMT|Fri, 31 Dec 9999 23:59:59 GMT|",
	"Retry-After":           "0|-1|59|3600|99999999999999999999|Sat, 01 Jan 2000 00:00:09 GMT|Fri, 31 Dec 9999 23:59:59 GMT",
	"X-RateLimit-Remaining": "0|0|-1",
	"X-RateLimit-Reset":     "0|946684845|8589934591|99999999999999999999",
	"X-GitHub-SSO": "required; url=https://127.0.0.1/orgs/acme/sso?x=|required; url=https://evil.example/|" +
		"required; url=javascript:|partial-results; organizations=1",
	"GitHub-Authentication-Token-Expiration": "2000-01-02 00:00:00 UTC|0001-01-01 00:00:00 UTC|9999-12-31 23:59:59 -0000",
	"X-OAuth-Scopes":                         "|admin:org, repo",
	"X-Accepted-OAuth-Scopes":                "admin:org",
	"X-Accepted-GitHub-Permissions":          "organization_secrets=write; a=b",
	"X-GitHub-Request-Id":                    "",
	"Content-Type":                           "text/html|",
	"Content-Encoding":                       "gzip|br",
}

var headerNames = slices.Sorted(maps.Keys(hostileHeaders))

func (a *answer) changeHeader(name string) {
	value := pick(a, strings.Split(hostileHeaders[name], "|")...)
	if a.IntN(3) == 0 {
		value += a.text()
	}
	a.header[http.CanonicalHeaderKey(name)] = []string{value}
}

// text returns a text that would do harm if it was printed as it is.
func (a *answer) text() string {
	m, known := a.mark, pick(a, a.known...)
	return pick(a, "S"+m, "::add-mask::"+m, "::set-output name=operation::"+m, " ::stop-commands::"+m, "\n::error::"+m, "\r\n::warning::"+m,
		"a\n\n# "+m, "x ##[add-mask]"+m, "##[error]"+m, "%0A::error::"+m, "\u2028::error::"+m, "\u0085::error::"+m, "\x1b[31m"+m,
		"\u202e"+m, "\ufeff"+m, "\x00"+m, "\u200b"+m, "<script>"+m, "</code></pre><img src=x onerror="+m+">", "https://evil.example/"+m,
		"<a href=https://evil.example/"+m+">", "[x](https://evil.example/"+m+")", "`"+m, "&lt;"+m, "x\nresults<<EOF\n[]\nEOF\n"+m,
		"' \"; $(id) "+m, "../../"+m, "acme/"+m, "acme/"+known, "@acme "+m, strings.Repeat(" "+m, 9000), "S"+strings.Repeat(m, 9000),
		known, "Bearer "+known+"\n"+m, base64.StdEncoding.EncodeToString([]byte("x:"+known)), "all", "private", "selected", "TOKEN",
		"rate limit", "is improperly encrypted", "repositories", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
		"2000-01-01T00:00:00+23:59", strings.Repeat("A", 43)+"=")
}

// raws are values that json.Marshal does not write.
var raws = []string{
	"null", "true", "{}", "[]", `""`, "0", "-1", "1e400", "1.5", "9223372036854775807", "9223372036854775808", "1e-7",
	"\"\xff\xfe\"", `"\u0000"`, `"\ud800"`, "NaN", "\"\n\"", strings.Repeat("[", 9000) + strings.Repeat("]", 9000), strings.Repeat(`{"a":`, 20_000),
}

var member = regexp.MustCompile(`"(\w+)":`)

// changeJSON changes some members of the body, or many of one name. A member that is
// replaced gets a name that is not GitHub's. The token is not in names and key ids, which
// are outputs: the run would warn, and the runner drop those outputs.
func (a *answer) changeJSON() {
	wanted, all := pick(a, 1, 3, 20), len(member.FindAllIndex(a.body, -1))
	name := pick(a, "", "", "", "name", "full_name", "updated_at", "total_count", "key_id")
	if name != "" {
		wanted *= 20
	}
	a.body = member.ReplaceAllFunc(a.body, func(old []byte) []byte {
		if a.IntN(all) >= wanted || name != "" && string(old) != `"`+name+`":` {
			return old
		}
		text := a.text()
		if strings.Contains(`"name":"full_name":"key_id":`, string(old)) {
			text = strings.NewReplacer(a.known[0], "***", a.known[len(a.known)-1], "***").Replace(text)
		}
		if name == "full_name" {
			text = "acme/" + text
		}
		value, _ := json.Marshal(text)
		renamed, _ := json.Marshal(pick(a, "x", a.text()))
		switch n := a.IntN(8); {
		case n == 0 && name == "":
			return fmt.Appendf(nil, "%s:", renamed)
		case n < 4 && !strings.HasSuffix(name, "name"):
			value = []byte(pick(a, raws...))
		}
		return fmt.Appendf(nil, "%s%s,%s:", old, value, renamed)
	})
}

// send sends the response. A body without an end ends when the client has read too much.
func (a *answer) send(rw http.ResponseWriter, req *http.Request) {
	switch a.how {
	case "not":
		panic(http.ErrAbortHandler)
	case "late":
		<-req.Context().Done()
		return
	case "raw":
		if conn, _, err := http.NewResponseController(rw).Hijack(); err == nil {
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, a.raw())
		}
		return
	case "slowly":
		a.header.Del("Content-Length")
	case "endlessly":
		a.body = slices.Repeat([]byte(pick(a, " ", "[", "\x00", `"`)), maxRead)
	}
	a.mu.Lock()
	if name := req.Method + " " + req.URL.Path; req.Method != http.MethodGet {
		a.answered[name] = append(a.answered[name], a.status)
	}
	a.mu.Unlock()
	maps.Copy(rw.Header(), a.header)
	rw.WriteHeader(a.status)
	size := len(a.body) + 1
	for part := range slices.Chunk(a.body, pick(a, size, size/9+1)) {
		if a.how == "slowly" {
			select {
			case <-time.After(2 * time.Second):
			case <-req.Context().Done():
			}
		}
		if _, err := rw.Write(part); err != nil {
			return
		}
		_ = http.NewResponseController(rw).Flush()
	}
	if a.how == "endlessly" {
		a.t.Errorf("the client read %d bytes of a body", maxRead)
	}
}

// raw returns bytes that need not be HTTP.
func (a *answer) raw() string {
	const ok, end = "HTTP/1.1 200 OK\r\n", "\r\n\r\n{}"
	return pick(a, a.text()+end, "HTTP/1.1 2x0 "+a.text()+end, "HTTP/9.9 200 OK"+end, "HTTP/1.1 200 "+a.text(), ok+a.text()+end,
		ok+"Content-Length: -1"+end, ok+"Content-Length: 5\r\nContent-Length: 6"+end, ok+"Transfer-Encoding: "+a.text()+end,
		ok+"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff"+end, ok+"X-"+a.text()+": x"+end, ok+strings.Repeat("X: y\r\n", 1<<17)+end,
		"HTTP/1.1 101 Switching Protocols"+end, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20)+end)
}

var (
	anyTag = regexp.MustCompile(`<[^>]*>?`)
	ourTag = regexp.MustCompile(`^</?(h3|p|b|br|sub|ul|li|table|tr|th|td|code|pre|details|summary|a|wbr)>$|^<details open>$|` +
		`^<pre lang="(bash|json|diff)">$|^<a href="https://(127\.0\.0\.1/|www\.githubstatus\.com)[^"<>]*">$`)
)

// checkRun checks that the server's secrets are nowhere but in the masks, that the only
// commands, annotations, masks and tags are ours, and that each line can be printed.
func (h *hostile) checkRun(r result) {
	r.wantWithinLimits(h.t)
	wantAtMost(h.t, "the time", r.took, hostileBound-1)
	r.wantOnlyOurs(h.t, hostileToken, hostilePlain)
	places := r.texts(h.github.Requests())
	for place, text := range places {
		for _, known := range h.known {
			wantLacks(h.t, "the "+place, text, known)
		}
	}
	for _, a := range r.log().Annotations {
		if a.Title != "" || strings.HasPrefix(a.Message, h.mark) {
			h.t.Errorf("the annotation %q %.200q is not ours", a.Title, a.Message)
		}
	}
	for line := range strings.SplitSeq(places["log"]+r.summary, "\n") {
		if !utf8.ValidString(line) || strings.ContainsFunc(line, func(c rune) bool { return !unicode.IsPrint(c) }) {
			h.t.Errorf("a line of the log or the summary cannot be printed: %.200q", line)
		}
	}
	for _, tag := range anyTag.FindAllString(r.summary, -1) {
		if !ourTag.MatchString(tag) {
			h.t.Errorf("the summary has the tag %.200q", tag)
		}
	}
	wantLacks(h.t, "the summary", r.summary, "\n\n") // after which Markdown begins
}

// checkRows checks the output results, and that a secret reported as stored was confirmed.
func (h *hostile) checkRows(r result) {
	confirmed := map[string]bool{}
	for name, statuses := range h.answered {
		method, path, _ := strings.Cut(name, " ")
		isConfirmed := slices.ContainsFunc(statuses, func(status int) bool {
			return status == 201 || status == 204 || status == 404 && method == "DELETE" // it was not on the list
		})
		path, _, _ = strings.Cut(path, "/repositories")
		confirmed[path] = confirmed[path] || isConfirmed
		if r.code == 0 && !isConfirmed {
			h.t.Errorf("exit code 0, but %s got %v", name, statuses)
		}
	}
	for _, row := range r.rows(h.t) {
		isStored := row.Operation == "created" || row.Operation == "updated"
		if isStored && !confirmed[secretPath(row.Store, row.SecretName)] {
			h.t.Errorf("%s in %s is %s, but its writes got %v", row.SecretName, row.Store, row.Operation, h.answered)
		}
		if isFailed := row.Error != "" || row.Operation == "failed" || row.Operation == "unknown"; isFailed && r.code == 0 {
			h.t.Errorf("exit code 0, but %s in %s is %s: %s", row.SecretName, row.Store, row.Operation, row.Error)
		}
	}
}
