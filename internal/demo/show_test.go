package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/memnet"
)

// simulate runs the demo in simulated time and returns its output, duration and error. faults come before those of
// the demo.
func simulate(t *testing.T, verbose bool, faults ...fakegithub.Fault) (text string, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		world := demoWorld()
		world.Faults = append(faults, world.Faults...)
		github, errNew := fakegithub.New(world)
		if errNew != nil {
			t.Fatal(errNew)
		}
		network := memnet.Serve(github)
		defer network.Close()
		env := action.System()
		env.Dial, env.Proxy = network.Dial, nil
		var out bytes.Buffer
		start := time.Now()
		s := show{w: &out, github: github, env: env, apiURL: "http://127.0.0.1", verbose: verbose}
		err = s.run()
		text, took = out.String(), time.Since(start)
	})
	return text, took, err
}

// TestShow checks that the demo is short and quick, and that each part is as its title says.
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
	for _, want := range []struct {
		title string
		texts []string
	}{
		{"1. A rotation while GitHub returns errors and replaces its public key", []string{
			"  with:\n", "    org: acme\n", "    secret_name: DB_PASSWORD\n    secret_value: •••\n    token: •••\n  set-org-secret v",
			"503 from GitHub; retrying", "502 from GitHub; retrying", "public key", "DB_PASSWORD   actions      updated",
		}},
		{"2. A write that fails for good: the token may only read", []string{
			"DEPLOY_KEY   actions      failed    403", "Error: DEPLOY_KEY: writing the secret: 403", "DEPLOY_KEY not stored in acme",
		}},
		{"  Saved, sealed, so that only GitHub can decrypt it:", []string{
			"output encrypted_value: ", `output results: [{"store":"actions","secret_name":"DEPLOY_KEY"`, "job summary: the script that stores it",
		}},
		{"3. The run that finishes it, with the output results and without a new rotation", []string{
			"    sealed: '[{\"store\":\"actions\",\"secret_name\":\"DEPLOY_KEY\"", "DEPLOY_KEY   actions      updated",
		}},
		{"4. A check: which secrets are older than 30 days?", []string{
			"    max_age: 30d\n    mode: check\n", "    secret_name: '*'\n", "120 days old", ", due",
			"1 of 4 secrets older than 30 days",
		}},
		{"What GitHub decrypts now, compared with what was passed to the action", []string{
			"DB_PASSWORD ", "DEPLOY_KEY ", "bytes, equal", "access as before: selected: api, web, worker",
		}},
	} {
		_, part, found := strings.Cut("\n\n"+text, "\n\n"+want.title+"\n")
		if !found {
			t.Errorf("there is no part %q in the output:\n%s", want.title, text)
		}
		part, _, _ = strings.Cut(part, "\n\n")
		for _, w := range want.texts {
			if !strings.Contains(part, w) {
				t.Errorf("the part %q lacks %q:\n%s", want.title, w, part)
			}
		}
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
