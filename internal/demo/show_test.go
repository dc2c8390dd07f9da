package main

import (
	"bytes"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/golden"
	"set-org-secret/internal/memnet"
)

func noJitter() float64 { return 0 }

// simulate runs the demo in simulated time and returns its output, duration and error. faults come before those of
// the demo. Nothing in the result is random.
func simulate(t *testing.T, verbose bool, faults ...fakegithub.Fault) (text string, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world := demoWorld()
		world.Faults = append(faults, world.Faults...)
		world.Rand = mathrand.NewChaCha8([32]byte{1})
		github, errNew := fakegithub.New(world)
		if errNew != nil {
			t.Fatal(errNew)
		}
		network := memnet.Serve(github)
		defer network.Close()
		env := action.System()
		env.Rand, env.Jitter, env.Dial, env.Proxy = mathrand.NewChaCha8([32]byte{}), noJitter, network.Dial, nil
		var out bytes.Buffer
		start := time.Now()
		s := show{w: &out, github: github, env: env, apiURL: "http://127.0.0.1", verbose: verbose}
		err = s.run()
		text, took = out.String(), time.Since(start)
	})
	return text, took, err
}

// TestShow checks that the demo is short and quick, and compares its output with testdata/demo.txt.
func TestShow(t *testing.T) {
	text, took, err := simulate(t, false)
	if err != nil {
		t.Fatalf("got error %v, want none; the output:\n%s", err, text)
	}
	if took > 4*time.Second {
		t.Errorf("the demo takes %v, want at most 4 s", took)
	}
	if n := strings.Count(text, "\n"); n >= 80 {
		t.Errorf("the demo prints %d lines, want less than 80", n)
	}
	for _, hidden := range []string{"new-", "DEMO KEY", writeToken, readToken} {
		if strings.Contains(text, hidden) {
			t.Errorf("the output has %q, which is a value or a token:\n%s", hidden, text)
		}
	}
	golden.Compare(t, "demo.txt", strings.ReplaceAll(text, action.Version, "VERSION"))
}

// TestState checks that the server of -serve shows the secrets.
func TestState(t *testing.T) {
	github, err := fakegithub.New(rotationWorld())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	withControl(github).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/_fake/state", nil))
	if want := `"value": "the previous password"`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("got %s, want it to have %s", w.Body, want)
	}
}

// TestShowVerbose checks that -v adds the outputs, the job summaries and the requests.
func TestShowVerbose(t *testing.T) {
	text, _, err := simulate(t, true)
	if err != nil {
		t.Fatalf("got error %v, want none; the output:\n%s", err, text)
	}
	for _, want := range []string{
		"Outputs:\n    operation = updated\n", "Job summary:\n    <h3>", "    <table>\n    <tr><th>Secret</th>",
		"Requests:\n", "    PUT /orgs/acme/actions/secrets/DB_PASSWORD 502\n", "    PUT /orgs/acme/actions/secrets/DEPLOY_KEY 403\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the output lacks %q:\n%s", want, text)
		}
	}
}

// TestShowFails checks that the demo fails if the result of a part is not that of its title.
func TestShowFails(t *testing.T) {
	const put, get = http.MethodPut, http.MethodGet
	for _, test := range []struct {
		name, want string
		fault      fakegithub.Fault
	}{
		{
			"a write that is confirmed but not stored", "the value of DEPLOY_KEY in actions is not the one that was passed",
			fakegithub.Fault{Method: put, Path: "/DEPLOY_KEY", After: 1, Status: http.StatusNoContent},
		},
		{
			"access that changes meanwhile", "access to NPM_TOKEN has changed to private",
			fakegithub.Fault{Method: get, Path: "/actions/secrets", Change: &fakegithub.Secret{
				Store: "actions", Name: "NPM_TOKEN", Value: "12 days old", Visibility: "private",
			}},
		},
		{
			"a write that is refused", `"1. A rotation while GitHub returns errors and replaces its public key": ` +
				"the action exited with code 1, want 0",
			fakegithub.Fault{Method: put, Path: "/DB_PASSWORD", Status: http.StatusConflict, Times: -1},
		},
		{
			"a write that is not refused", `"2. A write that fails for good: the token may only read": ` +
				"the action exited with code 0, want 1",
			fakegithub.Fault{Method: put, Path: "/DEPLOY_KEY", Status: http.StatusNoContent},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			text, _, err := simulate(t, false, test.fault)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q; the output:\n%s", err, test.want, text)
			}
		})
	}
}

// TestFind checks that a value is found wherever a step can leave it.
func TestFind(t *testing.T) {
	for want, r := range map[string]stepResult{
		"the log": {log: []string{"a", "hush b"}}, "the outputs": {outputs: map[string]string{"a": "b hush"}},
		"the job summary": {summary: "a\nhush\n"}, "": {log: []string{"hu", "sh"}},
	} {
		if got := r.find("hush"); got != want {
			t.Errorf("%+v: found in %q, want %q", r, got, want)
		}
	}
}
