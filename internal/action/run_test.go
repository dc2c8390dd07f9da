package action

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/input"
	"set-org-secret/internal/memnet"
)

// stepRun is one step of a workflow that runs the action.
type stepRun struct {
	with   map[string]string
	env    map[string]string // replaces variables of the runner and inputs, or adds some
	dir    string
	dial   func(context.Context, string, string) (net.Conn, error) // nil for the system's network
	proxy  func(*http.Request) (*url.URL, error)
	open   func(string) (fs.File, error) // nil for the system's files
	start  time.Time                     // in simulated time; the zero time is its beginning
	signal time.Duration                 // when simulate ends the run; 0 for never
}

// result is the result of a step.
type result struct {
	code    int
	stdout  string
	raw     string // content of GITHUB_OUTPUT
	outputs map[string]string
	summary string
	took    time.Duration
	dials   int                   // connections, counted by simulate only
	log     func() fakerunner.Log // as a log viewer shows it, computed once
}

// The files of the runner, in the directory of a step.
const outputFile, summaryFile = "github_output", "summary.md"

// environment returns the variables of a step.
func (s stepRun) environment() map[string]string {
	with := map[string]string{}
	for _, in := range input.Inputs {
		with[in.Name] = in.Default
	}
	maps.Copy(with, map[string]string{"org": "acme", "api_url": "http://127.0.0.1", "token": "ghp_scenario"})
	maps.Copy(with, s.with)
	env := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": s.dir,
		"GITHUB_OUTPUT": filepath.Join(s.dir, outputFile), "GITHUB_STEP_SUMMARY": filepath.Join(s.dir, summaryFile),
	}
	for name, value := range with {
		env["INPUT_"+strings.ToUpper(name)] = value
	}
	maps.Copy(env, s.env)
	return env
}

// run runs a step to its end.
func (s stepRun) run(ctx context.Context, t testing.TB) result {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	if s.open == nil {
		s.open = func(name string) (fs.File, error) { return os.Open(name) }
	}
	env := s.environment()
	for _, file := range []string{outputFile, summaryFile} {
		writeFile(t, filepath.Join(s.dir, file), "")
	}
	var stdout bytes.Buffer
	start := time.Now()
	r := result{code: Main(ctx, Env{
		Getenv: func(name string) string { return env[name] }, Environ: func() []string { return assignments(env) },
		Stdout: &stdout, Rand: rand.Reader, Dial: s.dial, Proxy: s.proxy, Open: s.open,
		Jitter: func() float64 { return 0 },
	})}
	r.took = time.Since(start)
	r.stdout = stdout.String()
	r.log = sync.OnceValue(func() fakerunner.Log { return fakerunner.New().Process(r.stdout) })
	r.raw = string(readFile(t, filepath.Join(s.dir, outputFile)))
	r.summary = string(readFile(t, filepath.Join(s.dir, summaryFile)))
	var err error
	if r.outputs, _, err = fakerunner.ParseOutputs(r.raw); err != nil {
		t.Fatalf("outputs: %v", err)
	}
	return r
}

// assignments returns an environment as NAME=value.
func assignments(env map[string]string) (list []string) {
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// simulate runs a step against a server in simulated time.
func (s stepRun) simulate(t *testing.T, server http.Handler) (r result) {
	t.Helper()
	if s.dir == "" {
		s.dir = t.TempDir() // that of a bubble would be removed at its end
	}
	synctest.Test(t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		var dials atomic.Int32
		s.dial = func(ctx context.Context, n, addr string) (net.Conn, error) {
			dials.Add(1)
			return network.Dial(ctx, n, addr)
		}
		time.Sleep(time.Until(s.start))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if s.signal > 0 {
			defer time.AfterFunc(s.signal, cancel).Stop()
		}
		r = s.run(ctx, t)
		r.dials = int(dials.Load())
	})
	return r
}

// logText returns the lines that a log viewer shows.
func (r result) logText() string { return strings.Join(r.log().Lines, "\n") }

// texts returns all that a step printed, wrote and sent, but for its masks.
func (r result) texts(requests []fakegithub.Request) map[string]string {
	var sent strings.Builder
	for _, q := range requests {
		sent.WriteString(q.Path + "\n" + q.Body + "\n")
	}
	return map[string]string{
		"log": withoutMasks(r.stdout), "outputs": r.raw, "summary": r.summary, "requests": sent.String(),
	}
}

// outputNames lists every output that a run may write.
var outputNames = []string{
	"operation", "secret_name", "visibility", "key_id", "public_key", "encrypted_value",
	"exists", "updated_at", "age_days", "due", "results",
}

// wantOnlyOurs checks that no text from outside added an output, a command or a mask.
func (r result) wantOnlyOurs(t testing.TB, token, plain string) {
	t.Helper()
	log := r.log()
	for output := range r.outputs {
		if !slices.Contains(outputNames, output) {
			t.Errorf("there is an output %q, want only %q", output, outputNames)
		}
	}
	for _, command := range log.Commands {
		if !slices.Contains([]string{"add-mask", "error", "warning"}, command) {
			t.Errorf("the log has the command %q", command)
		}
	}
	for _, mask := range log.Masks {
		if mask != token && !strings.HasPrefix(mask, plain) {
			t.Errorf("%.200q is masked, want only the token and what begins with %q", mask, plain)
		}
	}
}

// resultRow is a row of the output results.
type resultRow struct {
	Store          string
	SecretName     string `json:"secret_name"`
	Operation      string
	Visibility     string
	KeyID          string `json:"key_id"`
	EncryptedValue string `json:"encrypted_value"`
	Error          string
}

// rows reads the output results.
func (r result) rows(t testing.TB) (rows []resultRow) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.outputs["results"]), &rows); err != nil {
		t.Errorf("results: %v", err)
	}
	return rows
}

// countRows counts the rows of the output results that contain a text.
func (r result) countRows(text string) int { return strings.Count(r.outputs["results"], text) }

// wantCode checks the exit code.
func (r result) wantCode(t testing.TB, want int) {
	t.Helper()
	if r.code != want {
		t.Errorf("got exit code %d, want %d; the log ends in:\n%s", r.code, want, r.stdout[max(0, len(r.stdout)-3000):])
	}
}

// wantWithinLimits checks that GitHub would take the outputs and the summary.
func (r result) wantWithinLimits(t testing.TB) {
	t.Helper()
	if got := fakerunner.SizeOutputs(r.outputs); got > fakerunner.OutputSize {
		t.Errorf("the outputs have %d bytes, want at most %d", got, fakerunner.OutputSize)
	}
	if _, err := fakerunner.New().Summary(r.summary); err != nil {
		t.Errorf("a summary of %d bytes: got error %v, want none", len(r.summary), err)
	}
}

func wantEqual[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantAtMost[T int | time.Duration](t testing.TB, what string, got, want T) {
	t.Helper()
	if got > want {
		t.Errorf("%s: got %v, want at most %v", what, got, want)
	}
}

func wantContains(t testing.TB, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%.5000s", what, want, text)
		}
	}
}

func wantLacks(t testing.TB, what, text, unwanted string) {
	t.Helper()
	if strings.Contains(text, unwanted) {
		t.Errorf("%s contains %q, which it must not:\n%.5000s", what, unwanted, text)
	}
}

// newGitHub returns a GitHub with the state of a world; without an organization, it
// has acme, which is empty.
func newGitHub(t testing.TB, w fakegithub.World) *fakegithub.Server {
	t.Helper()
	if w.Orgs == nil {
		w.Orgs = []fakegithub.Org{{Login: "acme"}}
	}
	server, err := fakegithub.New(dated(w))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// dated returns a world in which each secret that has no time of creation was created
// half a year before simulated time begins. A read that shows that time after a write
// proves that the write had no effect; the time at which the fake is made would not.
func dated(w fakegithub.World) fakegithub.World {
	w.Orgs = slices.Clone(w.Orgs)
	for i := range w.Orgs {
		w.Orgs[i].Secrets = slices.Clone(w.Orgs[i].Secrets)
		for j := range w.Orgs[i].Secrets {
			s := &w.Orgs[i].Secrets[j]
			if s.CreatedAt.IsZero() {
				s.CreatedAt = time.Date(1999, 7, 1, 0, 0, 0, 0, time.UTC)
			}
		}
	}
	return w
}
