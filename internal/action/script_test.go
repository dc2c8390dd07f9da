package action

import (
	"bytes"
	"fmt"
	"html"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"set-org-secret/internal/fakegithub"
)

// saveRequest is a gh that writes the arguments and the input of each call to files.
const saveRequest = `#!/bin/sh
n=$(ls "$GH_DIR" | grep -c arguments)
echo "$*" >"$GH_DIR/$n.arguments"
cat >"$GH_DIR/$n.input"
`

// TestScriptFinishesRun refuses every write of a run, runs the script of its summary,
// and sends the requests of gh to the fake: it has every value then, and the access
// that the run would have written.
func TestScriptFinishesRun(t *testing.T) {
	const size = 30
	text, values := batch(t, size, 64)
	server := newGitHub(t, fakegithub.World{
		Orgs: []fakegithub.Org{{Login: "acme", Repositories: []fakegithub.Repository{{ID: 7, Name: "web"}, {ID: 3, Name: "api"}}}},
		Faults: []fakegithub.Fault{{
			Method: "PUT", Status: 403, Body: `{"message": "Resource not accessible by integration"}`, Times: size,
		}},
	})
	r := runBatch(t, server, text, map[string]string{"selected_repositories": "web, api"})
	r.wantCode(t, 1)
	_, script, _ := strings.Cut(r.summary, "<pre lang=\"bash\"><code>")
	script, _, ok := strings.Cut(script, "</code></pre>")
	if !ok {
		t.Fatalf("there is no script in the summary:\n%s", r.summary)
	}
	script = html.UnescapeString(script)
	bin, requests := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "gh"), []byte(saveRequest), 0o700); err != nil {
		t.Fatal(err)
	}
	bash := exec.Command("bash")
	bash.Stdin = strings.NewReader(script)
	bash.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "GH_DIR=" + requests}
	printed, err := bash.CombinedOutput()
	if err != nil || string(printed) != "All values of this script are stored.\n" {
		t.Fatalf("the script: got error %v and %q, want none and %q", err, printed, "All values of this script are stored.\n")
	}
	for i := range size {
		arguments := string(readFile(t, filepath.Join(requests, fmt.Sprintf("%d.arguments", i))))
		path, ok := strings.CutPrefix(arguments, "api --silent --method PUT --hostname 127.0.0.1 ")
		if !ok {
			t.Fatalf("call %d of gh: got %q, want a PUT to 127.0.0.1", i, arguments)
		}
		path = "/" + strings.TrimSuffix(path, " --input -\n")
		body := readFile(t, filepath.Join(requests, fmt.Sprintf("%d.input", i)))
		request := httptest.NewRequest("PUT", "http://127.0.0.1"+path, bytes.NewReader(body))
		request.Header.Set("Authorization", "Bearer ghp_scenario")
		request.Header.Set("User-Agent", "gh")
		response := httptest.NewRecorder()
		server.ServeHTTP(response, request)
		wantEqual(t, "status of "+path, response.Code, 201)
	}
	wantStored(t, server, values)
	for name := range values {
		s, _ := server.Secret("acme", "actions", name)
		wantEqual(t, "access to "+name, s.Visibility+" "+strings.Join(s.Repositories, ","), "selected api,web")
	}
	calls, err := filepath.Glob(filepath.Join(requests, "*.input"))
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "calls of gh", len(calls), size)
}
