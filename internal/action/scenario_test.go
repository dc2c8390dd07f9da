package action

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/input"
	"set-org-secret/internal/memnet"
	"set-org-secret/internal/report"
)

// TestScenarios runs each testdata/*.txtar through the whole program, against
// fakegithub, in simulated time. A script sets inputs with env, says run, and
// finds:
//
//	stdout         what the step printed
//	log            what a log viewer shows of it
//	out/NAME       each output
//	summary.md     the job summary
//	requests       method, path and status of each request, sorted
//	state          what GitHub holds: STORE NAME VISIBILITY [REPOSITORIES] VALUE
//	took           how long the run took
//
// world.json in the script describes GitHub; the default is an organization with
// a few repositories. Every run ends by hunting the plaintext, and what HUNT
// names, in all of that, and by asking whether the runner would pass each output
// on to other jobs: DROPPED names those that it must leave out.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	var told transcript
	t.Run("scripts", func(t *testing.T) { runScripts(t, files, &told) })
	t.Run("network", func(t *testing.T) { testNetwork(t, &told) })
	t.Run("troubleshooting", func(t *testing.T) { told.check(t) })
}

// transcript is what all scenarios printed, to hold the README's texts to.
type transcript struct {
	mu  sync.Mutex
	log strings.Builder
}

func (tr *transcript) add(log string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.log.WriteString(log)
}

// check holds that each error text of the README's troubleshooting is one that a
// scenario produced, and each output one that is declared.
func (tr *transcript) check(t *testing.T) {
	texts, _ := table(t, string(readFile(t, root+"/README.md")), "## Troubleshooting")
	if len(texts) < 10 {
		t.Fatalf("found %d texts", len(texts))
	}
	for _, text := range texts {
		if !strings.Contains(tr.log.String(), text) {
			t.Errorf("no scenario prints %q", text)
		}
	}
}

func runScripts(t *testing.T, files []string, told *transcript) {
	testscript.RunT(bubbleT{t}, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			for _, in := range input.Inputs {
				value := in.Default
				switch in.Name {
				case "org":
					value = "acme"
				case "api_url":
					value = "http://127.0.0.1"
				case "token":
					value = "ghp_scenario"
				}
				env.Setenv("INPUT_"+strings.ToUpper(in.Name), value)
			}
			env.Values[sceneKey] = &scriptState{t: env.T().(bubbleT).T, told: told}
			env.Setenv("GITHUB_ACTIONS", "true")
			env.Setenv("GITHUB_WORKSPACE", env.WorkDir)
			env.Setenv("GITHUB_OUTPUT", filepath.Join(env.WorkDir, "github_output"))
			env.Setenv("GITHUB_STEP_SUMMARY", filepath.Join(env.WorkDir, "summary.md"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"run": runScenario, "bytes": writeBytes, "handover": handOver},
	})
}

// scriptState is what a script's commands share.
type scriptState struct {
	t      *testing.T // a bubble needs one
	told   *transcript
	server *fakegithub.Server
}

const sceneKey = "scene"

// bubbleT hands the *testing.T of a script through testscript.
type bubbleT struct{ *testing.T }

func (b bubbleT) Verbose() bool { return testing.Verbose() }
func (b bubbleT) Run(name string, f func(testscript.T)) {
	b.T.Run(name, func(t *testing.T) { f(bubbleT{t}) })
}

// writeBytes writes a file from a Go string literal, for bytes that no script
// can hold.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	var text string
	ts.Check(json.Unmarshal([]byte(`"`+args[1]+`"`), &text))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// handOver sets a variable to what an output holds, as a workflow would.
func handOver(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile(args[1]), "\n"))
}

const defaultWorld = `{"orgs": [{"login": "acme", "repositories": [
	{"id": 1, "name": "web"}, {"id": 2, "name": "api", "private": true}, {"id": 3, "name": "svc-one"},
	{"id": 4, "name": "svc-two"}, {"id": 5, "name": "site", "renamed_from": "homepage"}, {"id": 6, "name": "gone", "moved_to": "other"}
]}]}`

// runScenario is the command run [-signal DURATION | -same]; "! run" wants exit
// code 1. With -same GitHub is as the run before left it.
func runScenario(ts *testscript.TestScript, neg bool, args []string) {
	text := []byte(defaultWorld)
	if b, err := os.ReadFile(ts.MkAbs("world.json")); err == nil {
		text = b
	}
	world, err := fakegithub.ParseWorld(text)
	ts.Check(err)
	var signal time.Duration
	if len(args) == 2 && args[0] == "-signal" {
		signal, err = time.ParseDuration(args[1])
		ts.Check(err)
	}
	for _, name := range []string{"github_output", "summary.md"} {
		_ = os.Remove(ts.MkAbs(name))
	}

	var stdout bytes.Buffer
	var code int
	var took time.Duration
	scene := ts.Value(sceneKey).(*scriptState)
	server := scene.server
	if len(args) == 1 && args[0] == "-same" {
		server.ResetRequests()
	} else {
		server, err = fakegithub.New(world)
		ts.Check(err)
		scene.server = server
	}
	synctest.Test(scene.t, func(t *testing.T) {
		network := memnet.Serve(server)
		defer network.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if signal > 0 {
			defer time.AfterFunc(signal, cancel).Stop()
		}
		start := time.Now()
		code = Main(ctx, Env{
			Getenv: ts.Getenv, Stdout: &stdout, Rand: rand.Reader, Dial: network.Dial,
			Open: func(name string) (fs.File, error) { return os.Open(name) },
		})
		took = time.Since(start)
	})
	_, _ = ts.Stdout().Write(stdout.Bytes())
	scene.told.add(stdout.String())
	if (code != 0) != neg {
		ts.Fatalf("exit code %d", code)
	}
	writeResults(ts, server, stdout.String(), took)
}

// writeResults writes what came of a run to the script's files, and hunts the plaintext.
func writeResults(ts *testscript.TestScript, server *fakegithub.Server, stdout string, took time.Duration) {
	write := func(name, text string) { ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600)) }
	runner := fakerunner.New()
	log := runner.Process(stdout)
	write("log", strings.Join(log.Lines, "\n")+"\n")
	write("took", took.String()+"\n")

	raw, _ := os.ReadFile(ts.MkAbs("github_output"))
	outputs, _, err := fakerunner.ParseOutputs(string(raw))
	ts.Check(err)
	ts.Check(os.RemoveAll(ts.MkAbs("out")))
	ts.Check(os.Mkdir(ts.MkAbs("out"), 0o700))
	for name, value := range outputs {
		if !slices.Contains(report.OutputNames, name) {
			ts.Fatalf("the output %s is not declared", name)
		}
		write("out/"+name, value+"\n")
	}
	_, dropped := runner.JobOutputs(outputs)
	if got := strings.Join(dropped, ","); got != ts.Getenv("DROPPED") {
		ts.Fatalf("the runner leaves these outputs out of job outputs: %q", got)
	}

	requests := strings.Split(strings.TrimSuffix(server.RequestLog(), "\n"), "\n")
	slices.Sort(requests)
	write("requests", strings.TrimPrefix(strings.Join(requests, "\n")+"\n", "\n"))
	var state strings.Builder
	secretTexts := []string{ts.Getenv("INPUT_TOKEN"), ts.Getenv("INPUT_SECRET_VALUE")}
	for _, s := range server.Secrets() {
		fmt.Fprintf(&state, "%s %s %s %q %q\n", s.Store, s.Name, s.Visibility, s.Repositories, s.Value)
		if s.KeyID != "" {
			secretTexts = append(secretTexts, s.Value)
		}
	}
	write("state", state.String())
	for _, file := range []string{ts.Getenv("INPUT_SECRET_FILE"), ts.Getenv("INPUT_SECRETS_FILE")} {
		if b, err := os.ReadFile(ts.MkAbs(file)); file != "" && err == nil {
			secretTexts = append(secretTexts, string(b))
		}
	}
	secretTexts = append(secretTexts, strings.Split(ts.Getenv("HUNT"), ",")...)

	summary, _ := os.ReadFile(ts.MkAbs("summary.md"))
	var bodies strings.Builder
	for _, r := range server.Requests() {
		bodies.WriteString(r.Path + "\n" + r.Body + "\n")
	}
	for place, text := range map[string]string{
		"stdout": withoutMasks(stdout), "outputs": string(raw), "summary": string(summary), "requests": bodies.String(),
	} {
		for _, line := range plaintextLines(secretTexts) {
			if strings.Contains(text, line) {
				ts.Fatalf("the plaintext %q is in the %s:\n%s", line, place, text)
			}
		}
	}
}

var maskCommand = regexp.MustCompile(`(?m)^::add-mask::.*\n`)

// withoutMasks drops the masks at the start, and only there: a mask must come
// before what it hides.
func withoutMasks(stdout string) string {
	for maskCommand.MatchString(stdout) && strings.HasPrefix(stdout, "::add-mask::") {
		stdout = stdout[strings.Index(stdout, "\n")+1:]
	}
	return stdout
}

// plaintextLines are the lines of plaintexts that no output holds by chance.
func plaintextLines(texts []string) []string {
	var lines []string
	for _, text := range texts {
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
			letters := strings.Map(func(r rune) rune {
				if unicode.IsLetter(r) || unicode.IsDigit(r) {
					return r
				}
				return -1
			}, line)
			if line = strings.TrimSpace(line); len(letters) >= 6 {
				lines = append(lines, line)
			}
		}
	}
	return lines
}
