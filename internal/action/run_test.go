package action

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/input"
	"set-org-secret/internal/memnet"
)

// stepRun is one run of the action in a workflow, told from outside.
type stepRun struct {
	with map[string]string
	dir  string
	dial func(context.Context, string, string) (net.Conn, error)
}

// result is what came of a step.
type result struct {
	code    int
	stdout  string
	raw     string // what GITHUB_OUTPUT holds
	outputs map[string]string
	summary string
	took    time.Duration
	dials   int // connections, in simulated time
}

// run runs a step to its end. A step without a dial goes to the network.
func (s stepRun) run(ctx context.Context, t testing.TB) result {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": s.dir,
		"GITHUB_OUTPUT": filepath.Join(s.dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(s.dir, "summary"),
	}
	for _, in := range input.Inputs {
		env["INPUT_"+strings.ToUpper(in.Name)] = in.Default
	}
	with := map[string]string{"org": "acme", "api_url": "http://127.0.0.1", "token": "ghp_scenario"}
	maps.Copy(with, s.with)
	for name, value := range with {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	for _, file := range []string{"output", "summary"} {
		if err := os.WriteFile(filepath.Join(s.dir, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var stdout bytes.Buffer
	start := time.Now()
	r := result{code: Main(ctx, Env{
		Getenv: func(name string) string { return env[name] }, Stdout: &stdout, Rand: rand.Reader, Dial: s.dial,
		Open: func(name string) (fs.File, error) { return os.Open(name) },
	})}
	r.took = time.Since(start)
	r.stdout = stdout.String()
	r.raw = string(readFile(t, filepath.Join(s.dir, "output")))
	r.summary = string(readFile(t, filepath.Join(s.dir, "summary")))
	var err error
	if r.outputs, _, err = fakerunner.ParseOutputs(r.raw); err != nil {
		t.Fatalf("outputs: %v", err)
	}
	return r
}

// simulate runs a step against a server in simulated time, and counts the
// connections.
func (s stepRun) simulate(t *testing.T, server *fakegithub.Server) (r result) {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir() // a bubble's own would be gone with it
	}
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		var dials atomic.Int32
		s.dial = func(ctx context.Context, n, addr string) (net.Conn, error) {
			dials.Add(1)
			return network.Dial(ctx, n, addr)
		}
		r = s.run(t.Context(), t)
		r.dials = int(dials.Load())
	})
	return r
}

// log is what a log viewer shows.
func (r result) log() fakerunner.Log { return fakerunner.New().Process(r.stdout) }

// rows reads the output results.
func (r result) rows(t testing.TB) (rows []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.outputs["results"]), &rows); err != nil {
		t.Fatalf("results: %v", err)
	}
	return rows
}

func newGitHub(t testing.TB, w fakegithub.World) *fakegithub.Server {
	t.Helper()
	if w.Orgs == nil {
		w.Orgs = []fakegithub.Org{{Login: "acme"}}
	}
	server, err := fakegithub.New(w)
	if err != nil {
		t.Fatal(err)
	}
	return server
}
