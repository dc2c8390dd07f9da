package action

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

// update rewrites the golden texts of the scenarios:
//
//	go test ./internal/action -run TestScenarios -update
var update = flag.Bool("update", false, "rewrite the want/ sections of testdata/*.txtar")

// TestScenarios runs each testdata/*.txtar through the whole program, against
// fakegithub, in simulated time. A script sets inputs with env, runs the action
// with the command run, and then finds:
//
//	stdout         standard output of the step
//	out/NAME       each output
//	summary.md     the job summary
//	requests       method, path and status of each request, sorted
//	state          the stored secrets: STORE NAME VISIBILITY [REPOSITORIES] VALUE
//	took           how long the run took
//
// and, to be compared with golden text, so normalized (see [normalizer]):
//
//	log            stdout as a log viewer shows it
//	summary        summary.md
//	results        out/results, a row a line
//
// The state that GitHub has before a run is a named world, kept in testdata/worlds:
// empty (an organization with repositories, without secrets), which is the default,
// team (the same with secrets), or hidden (private repositories, and tokens that cannot
// see all of them). A script chooses and changes it:
//
//	world team                                              begin with this world
//	world review.json                                       a file of the script
//	patch secret actions/TOKEN visibility=all               change or add a secret
//	patch token ghp_x kind=classic scopes=admin:org,repo    or a token
//	patch fault method=PUT status=503                       add a fault
//	patch server ghes=true                                  change the server
//	patch org repository_count=250                          change the organization
//
// Fields are those of fakegithub's JSON. A value is true, false, a number, a list if
// the field is one (a,b or repo-01..12), or else text; OUTER.FIELD=VALUE is text of an
// object, as headers.Retry-After=60. A secret that is added has the value old.
//
// Those in testdata/network run in the network of a company; see [startCorp].
//
// After every run the plaintext, and the texts in SECRETS, must be in none of that,
// and the runner must pass each output on to other jobs but for those that DROPPED
// lists.
func TestScenarios(t *testing.T) {
	var printed transcript
	t.Run("scripts", func(t *testing.T) { runScripts(scriptT{T: t}, "testdata/*.txtar", scriptState{printed: &printed}) })
	t.Run("network", func(t *testing.T) {
		runScripts(scriptT{T: t, serial: true}, "testdata/network/*.txtar", scriptState{printed: &printed})
	})
	t.Run("troubleshooting", func(t *testing.T) { printed.check(t) })
}

// transcript collects the output of all scenarios.
type transcript struct {
	mu  sync.Mutex
	log strings.Builder
}

func (tr *transcript) add(log string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.log.WriteString(log)
}

// check checks that a scenario printed each error text of the page about
// troubleshooting.
func (tr *transcript) check(t *testing.T) {
	page := string(readFile(t, root+"/.github/docs/troubleshooting.md"))
	var texts []string
	for _, heading := range regexp.MustCompile(`(?m)^## .*$`).FindAllString(page, -1) {
		inTable, _ := table(t, page, heading)
		texts = append(texts, inTable...)
	}
	if rows := strings.Count(page, "\n| `"); len(texts) != rows || rows < 30 {
		t.Fatalf("got %d texts in %d rows of the page, want 30 or more of both", len(texts), rows)
	}
	for _, text := range texts {
		if !strings.Contains(tr.log.String(), text) {
			t.Errorf("no scenario prints %q", text)
		}
	}
}

// runScripts runs scripts from a state; vars, NAME=value, replace variables.
func runScripts(t scriptT, pattern string, initial scriptState, vars ...string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("got no scenarios %s, error %v", pattern, err)
	}
	testscript.RunT(t, testscript.Params{
		Files:               files,
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			for name, value := range (stepRun{dir: env.WorkDir}).environment() {
				env.Setenv(name, value)
			}
			env.Vars = append(env.Vars, vars...)
			state := initial
			var err error
			state.world, err = namedWorld("empty")
			state.t, state.normalizer = env.T().(scriptT).T, newNormalizer(env.WorkDir)
			env.Values[stateKey] = &state
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"run": runScenario, "world": chooseWorld, "patch": patchWorld,
			"bytes": writeBytes, "setenv-from": setenvFrom, "corp": startCorp,
		},
	})
}

// scriptState is the state that a script's commands share.
type scriptState struct {
	t       *testing.T
	printed *transcript
	world   fakegithub.World                 // of the next run
	server  *fakegithub.Server               // of the last run
	run     func(*testing.T, stepRun) result // with server; nil to simulate the network
	normalizer
}

const stateKey = "state"

// scriptT passes the *testing.T of a script through testscript; synctest needs it.
type scriptT struct {
	*testing.T
	serial bool // scripts set variables of the process, and measure real time
}

func (s scriptT) Verbose() bool { return testing.Verbose() }
func (s scriptT) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(scriptT{t, s.serial}) })
}

func (s scriptT) Parallel() {
	if !s.serial {
		s.T.Parallel()
	}
}

// writeBytes writes a file from a JSON string, for bytes that a script cannot
// contain.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	var text string
	ts.Check(json.Unmarshal([]byte(`"`+args[1]+`"`), &text))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// setenvFrom sets a variable to the content of a file, as a workflow passes an
// output on: setenv-from INPUT_SEALED out/results.
func setenvFrom(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile(args[1]), "\n"))
}

// runScenario is the command run [-signal DURATION | -same]; "! run" expects exit
// code 1. With -same, GitHub is in the state that the last run left.
func runScenario(ts *testscript.TestScript, neg bool, args []string) {
	s := stepRun{dir: ts.Getenv("WORK"), env: environOf(ts)}
	if len(args) == 2 && args[0] == "-signal" {
		var err error
		s.signal, err = time.ParseDuration(args[1])
		ts.Check(err)
	}
	state := ts.Value(stateKey).(*scriptState)
	var r result
	switch {
	case state.run != nil:
		r = state.run(state.t, s)
	case len(args) == 1 && args[0] == "-same":
		state.server.ResetRequests()
		r = s.simulate(state.t, state.server)
	default:
		state.server = newGitHub(state.t, state.world)
		r = s.simulate(state.t, state.server)
	}
	_, _ = io.WriteString(ts.Stdout(), r.stdout)
	state.printed.add(r.stdout)
	if isFailed := r.code != 0; isFailed != neg || r.code > 1 {
		ts.Fatalf("got exit code %d, want 1: %v", r.code, neg)
	}
	writeResults(ts, state.server, r)
}

// environOf returns the whole environment of a script, which only its child
// processes see.
func environOf(ts *testscript.TestScript) map[string]string {
	ts.Check(ts.Exec("env", "-0"))
	env := map[string]string{}
	for variable := range strings.SplitSeq(strings.TrimSuffix(ts.ReadFile("stdout"), "\x00"), "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	return env
}

// writeResults writes the files that a script reads after a run, and checks that
// the plaintext is in none of them.
func writeResults(ts *testscript.TestScript, server *fakegithub.Server, r result) {
	write := func(name, text string) { ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600)) }
	runner := fakerunner.New()
	log := runner.Process(r.stdout)
	write("took", r.took.String()+"\n")

	ts.Check(os.RemoveAll(ts.MkAbs("out")))
	ts.Check(os.Mkdir(ts.MkAbs("out"), 0o700))
	for name, value := range r.outputs {
		if !slices.Contains(outputNames, name) {
			ts.Fatalf("the output %s is not declared", name)
		}
		write("out/"+name, value+"\n")
	}
	_, dropped := runner.JobOutputs(r.outputs)
	if got := strings.Join(dropped, ","); got != ts.Getenv("DROPPED") {
		ts.Fatalf("the runner drops the outputs %q, want %q", got, ts.Getenv("DROPPED"))
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
	secretTexts = append(secretTexts, strings.Split(ts.Getenv("SECRETS"), ",")...)

	normalize := ts.Value(stateKey).(*scriptState).normalizer
	write("results", normalize.text(rowsByLine(r.outputs["results"])))
	write("log", normalize.text(strings.Join(sortRows(log.Lines), "\n")+"\n"))
	write("summary", normalize.text(r.summary))

	if problem := stepProblem(log, r.summary); problem != "" {
		ts.Fatalf("%s", problem)
	}
	for place, text := range r.texts(server.Requests()) {
		for _, line := range plaintextLines(secretTexts) {
			if strings.Contains(text, line) {
				ts.Fatalf("the plaintext %q is in the %s:\n%s", line, place, text)
			}
		}
	}
}

// runAgain finds advice that would make a new credential, or store nothing.
var runAgain = regexp.MustCompile(`(?i)re-run|run (it|this) again|increase timeout`)

// stepProblem checks that each failure in the log and in the summary has exactly one
// next step, which is not to run again if its value is saved. It returns the problem,
// or "".
func stepProblem(log fakerunner.Log, summary string) string {
	var failures []string
	for _, a := range log.Annotations {
		if a.Kind == "error" {
			failures = append(failures, a.Message)
		}
	}
	for block := range strings.SplitSeq(summary, "<p>") {
		block, _, _ = strings.Cut(block, "</p>")
		if strings.HasPrefix(block, "❌") || strings.HasPrefix(block, "❓") {
			failures = append(failures, block)
		}
	}
	for _, text := range failures {
		if n := strings.Count(text, "What to do: "); n != 1 {
			return fmt.Sprintf("a failure has %d next steps, want 1:\n%s", n, text)
		}
		if again := runAgain.FindString(text); again != "" && strings.Contains(text, "Saved, sealed") {
			return fmt.Sprintf("a failure whose value is saved says %q:\n%s", again, text)
		}
	}
	return ""
}

// normalizer replaces the texts that differ between runs of a script: request ids,
// sealed values, the version, the script's directory, and keys, which are numbered
// in order of first appearance, in the results, the log and the summary of each
// of the script's runs.
type normalizer struct {
	fixed              *strings.Replacer
	keyIDs, publicKeys map[string]string
}

func newNormalizer(dir string) normalizer {
	return normalizer{
		fixed:  strings.NewReplacer(dir, "WORK", Version, "VERSION"),
		keyIDs: map[string]string{}, publicKeys: map[string]string{},
	}
}

var (
	requestIDs   = regexp.MustCompile(`8C1E:(<wbr>)?2F9B:(<wbr>)?[0-9A-F]+:(<wbr>)?[0-9A-F]+`)
	sealedValues = regexp.MustCompile(`[A-Za-z0-9+/]{64,}={0,2}`)
	publicKeys   = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`)
	keyIDs       = regexp.MustCompile(`\b[0-9]{18}\b`)
)

func (n normalizer) text(s string) string {
	s = n.fixed.Replace(s)
	s = requestIDs.ReplaceAllLiteralString(s, "REQUEST-ID")
	s = sealedValues.ReplaceAllLiteralString(s, "SEALED")
	s = publicKeys.ReplaceAllStringFunc(s, func(key string) string { return numbered(n.publicKeys, "PUBLIC-KEY", key) })
	return keyIDs.ReplaceAllStringFunc(s, func(id string) string { return numbered(n.keyIDs, "KEY", id) })
}

func numbered(names map[string]string, prefix, key string) string {
	if names[key] == "" {
		names[key] = fmt.Sprintf("%s-%d", prefix, len(names)+1)
	}
	return names[key]
}

// rowsByLine breaks the lines of a JSON array, so that a difference is readable.
func rowsByLine(results string) string {
	var rows []json.RawMessage
	if json.Unmarshal([]byte(results), &rows) != nil || len(rows) == 0 {
		return results + "\n"
	}
	lines := make([]string, len(rows))
	for i, row := range rows {
		lines[i] = "  " + string(row)
	}
	return "[\n" + strings.Join(lines, ",\n") + "\n]\n"
}

var rowLine = regexp.MustCompile(`^[A-Z0-9_]* +(actions|dependabot|codespaces|agents) +` +
	`(created|updated|unchanged|failed|unknown|would-create|would-update|sealed|checked)( |$)`)

var changeLine = regexp.MustCompile(`^  [+-] `)

// sortRows sorts each block of consecutive result rows by name and store, since
// concurrent writes end in any order. The changes of access after a row belong to
// it; every other line stays in its place.
func sortRows(lines []string) []string {
	var sorted, block []string
	flush := func() {
		slices.Sort(block)
		sorted = append(sorted, block...)
		block = nil
	}
	for _, line := range lines {
		switch {
		case rowLine.MatchString(line):
			block = append(block, line)
		case len(block) > 0 && changeLine.MatchString(line):
			block[len(block)-1] += "\n" + line
		default:
			flush()
			sorted = append(sorted, line)
		}
	}
	flush()
	return sorted
}

// withoutMasks removes the masks at the start only, because a mask must come
// before the value.
func withoutMasks(stdout string) string {
	for strings.HasPrefix(stdout, "::add-mask::") {
		_, stdout, _ = strings.Cut(stdout, "\n")
	}
	return stdout
}

var noLetters = regexp.MustCompile(`[^\pL\p{Nd}]+`)

// plaintextLines returns the lines of plaintexts that are too long to be in an
// output by chance.
func plaintextLines(texts []string) []string {
	var lines []string
	for _, text := range texts {
		for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if len(noLetters.ReplaceAllString(line, "")) >= 6 {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	return lines
}
