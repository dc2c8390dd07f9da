//go:build act

package action

import (
	"bufio"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakegithub"
)

// TestWorkflows runs workflows with act and the fake GitHub, the action as this
// checkout has it: rotation.yml, the job seal of ci.yml, each workflow of the documents
// marked "runs in CI", and the examples, unless they say that they are not run. .ci/run
// runs it. It needs a Docker engine and the programs of PostgreSQL.
//
// Only a hosted runner has environments with reviewers, and tokens with real
// permissions: they are not tested. Actions and programs in testdata/workflows replace
// those that need GitHub or are the reader's: the steps that log in as an App and upload an artifact,
// gh and my-cli.
func TestWorkflows(t *testing.T) {
	tests := map[string]func(*workflow){
		"rotation":       testRotation,
		"seal":           testSealJob,
		"README-1":       testWeekly,
		"README-2":       testFirstRun,
		"recipes-1":      testRotationIfDue,
		"recipes-2":      testOverdue,
		"recipes-3":      testTwoStores,
		"recipes-4":      testManyOrgs,
		"recipes-5":      testRollBack,
		"recipes-6":      func(w *workflow) { w.Log("run by recipes-5, whose artifact it needs") },
		"across-jobs-1":  testNewKey,
		"access-1":       testAddRepository,
		"access-2":       testAddMatching,
		"access-3":       testReview,
		"access-4":       testLock,
		"github-app-1":   testAppCheck,
		"github-app-key": testAppKey,
		"postgresql":     testPostgreSQL,
	}
	repo, files := checkout(t)
	wantEqual(t, "workflows", slices.Sorted(maps.Keys(files)), slices.Sorted(maps.Keys(tests)))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.Run(name, func(t *testing.T) {
			if run := tests[name]; run != nil {
				run(newWorkflow(t, repo, files[name]))
			}
		})
	}
}

// stubs are the actions and programs that replace others.
const stubs = "testdata/workflows"

// notRun marks an example that is only linted.
const notRun = "# CI lints this workflow, and does not run it"

// checkout returns a copy of the repository with one commit, as act needs it, and the
// path of each workflow to run.
func checkout(t *testing.T) (repo string, files map[string]string) {
	t.Helper()
	repo = tempDir(t)
	const script = `git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$0"
		cd "$0"
		[ -z "${DOCKERFILE:-}" ] || cp "$DOCKERFILE" Dockerfile # for the substitute for the base image
		git init -q
		git remote add origin https://github.com/acme/rotations.git # its owner is the default of org
		git add -A
		git -c user.name=ci -c user.email=ci@localhost commit -qm checkout`
	bash := exec.Command("bash", "-euo", "pipefail", "-c", script, repo)
	bash.Dir = root
	if out, err := bash.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files = map[string]string{"rotation": "internal/action/testdata/rotation.yml", "seal": ".github/workflows/ci.yml"}
	for name, text := range exampleFiles(t) {
		if !strings.Contains(text, notRun) {
			files[name] = writeWorkflow(t, repo, name, text)
		}
	}
	for name, text := range documentExamples(t, "yaml") {
		if strings.HasPrefix(text, "# runs in CI\n") {
			files[name] = writeWorkflow(t, repo, name, text)
		}
	}
	return repo, files
}

// writeWorkflow writes a workflow that uses the action of the checkout, on the fake.
func writeWorkflow(t *testing.T, repo, name, text string) (path string) {
	t.Helper()
	text = stepsLine.ReplaceAllString(text, "${0}${1}  - uses: actions/checkout@v6\n")
	text = thisAction.ReplaceAllString(text, "uses: ./\n${1}with:\n${1}  api_url: $${{ vars.API }}\n")
	text = login.ReplaceAllString(text, "uses: ./internal/action/"+stubs+"/login")
	text = upload.ReplaceAllString(text, "uses: ./internal/action/"+stubs+"/upload")
	wantLacks(t, "a workflow to run", text, "uses: <OWNER>/")
	path = ".workflows/" + name + ".yml"
	writeFile(t, filepath.Join(repo, path), text)
	return path
}

// tempDir returns a directory that is removed as far as possible: files of a container
// may be root's.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "workflows-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

var (
	stepsLine  = regexp.MustCompile(`(?m)^( *)steps:\n`)
	thisAction = regexp.MustCompile(`uses: <OWNER>/set-org-secret@.*\n( *)with:\n`)
	login      = regexp.MustCompile(`uses: actions/create-github-app-token@.*`)
	upload     = regexp.MustCompile(`uses: actions/upload-artifact@.*`)
)

// workflow is a workflow of the checkout, and the fake GitHub for its runs.
type workflow struct {
	*testing.T
	repo, file string
	github     *fakegithub.Server
	url        string
	cache      string // of act, mounted in containers
	files      string // of the stubs
	log        string // of the last run
}

func newWorkflow(t *testing.T, repo, file string) *workflow {
	t.Helper()
	aged := "secret actions/SIGNING_KEY updated_at=" + time.Now().UTC().AddDate(0, 0, -40).Format(time.RFC3339)
	github := newGitHub(t, worldWith(t, "workflows", aged))
	server := httptest.NewServer(github)
	t.Cleanup(server.Close)
	return &workflow{T: t, repo: repo, file: file, github: github, url: server.URL, cache: tempDir(t), files: tempDir(t)}
}

// act runs the workflow, its steps on this machine and the action in a container.
func (w *workflow) act(args ...string) error {
	w.Helper()
	act := exec.CommandContext(w.Context(), "act", append([]string{
		"workflow_dispatch", "--workflows", w.file,
		"--platform", "ubuntu-latest=-self-hosted", "--platform", "ubuntu-24.04=-self-hosted",
		"--pull=false", "--action-offline-mode", "--no-cache-server", "--container-daemon-socket", "-",
		"--container-options", "--network=host -v " + w.cache + ":" + w.cache, "--action-cache-path", w.cache,
		"--var", "API=" + w.url, "--secret", "ORG_SECRETS_TOKEN=ghs_write", "--secret", "ORG_SECRETS_READ_TOKEN=ghs_read",
		"--var", "ROTATOR_CLIENT_ID=Iv1.test", "--secret", "ROTATOR_PRIVATE_KEY=private-key-of-the-app",
		"--env", "STUBS=" + w.files,
	}, args...)...)
	act.Dir = w.repo
	act.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GITHUB_") })
	act.Env = append(act.Env, "PATH="+filepath.Join(w.repo, "internal/action", stubs, "bin")+":"+os.Getenv("PATH"))
	out, err := act.CombinedOutput()
	w.log = string(out)
	return err
}

// run runs the workflow, which must succeed. If action.yml names an image, that must run.
func (w *workflow) run(args ...string) {
	w.Helper()
	// act skips a job without an error if no platform is given for its runner.
	if err := w.act(args...); err != nil || !strings.Contains(w.log, "Job succeeded") {
		w.Fatalf("%s: %v\n%s\n%s", w.file, err, w.log, w.github.RequestLog())
	}
	action := string(readFile(w, filepath.Join(w.repo, "action.yml")))
	if m := regexp.MustCompile(`image: docker://(\S+)`).FindStringSubmatch(action); m != nil {
		wantContains(w, "the log", w.log, m[1])
		wantLacks(w, "the log", strings.ToLower(w.log), "docker build")
	}
}

// runRefused runs the workflow, which must fail because GitHub refuses the write of a secret.
func (w *workflow) runRefused(name string, args ...string) {
	w.Helper()
	w.github.AddFault(fakegithub.Fault{Method: "PUT", Path: "/actions/secrets/" + name, Status: 403})
	if w.act(args...) == nil {
		w.Fatalf("%s succeeded, though GitHub refused to write %s\n%s", w.file, name, w.log)
	}
	wantContains(w, "requests", w.github.RequestLog(), "/actions/secrets/"+name)
}

// runRejected runs the workflow with inputs of its form, each of which must fail before a request.
func (w *workflow) runRejected(inputs ...string) {
	w.Helper()
	before := len(w.github.Requests())
	for _, input := range inputs {
		if w.act("--input", input) == nil || len(w.github.Requests()) != before {
			w.Errorf("got no failure with %s, or requests\n%s", input, w.log)
		}
	}
}

func (w *workflow) secret(store, name string) fakegithub.Secret {
	w.Helper()
	s, ok := w.github.Secret("acme", store, name)
	if !ok {
		w.Errorf("there is no secret %s in the store %s\n%s", name, store, w.log)
	}
	return s
}

// wantKey checks the secret SIGNING_KEY, and how often anything was written.
func (w *workflow) wantKey(value, repositories string, writes int) {
	w.Helper()
	key := w.secret("actions", "SIGNING_KEY")
	wantEqual(w, "value of SIGNING_KEY", key.Value, value)
	wantEqual(w, "visibility of SIGNING_KEY", key.Visibility, "selected")
	wantEqual(w, "repositories of SIGNING_KEY", strings.Join(key.Repositories, " "), repositories)
	got := 0
	for _, r := range w.github.Requests() {
		if r.Method != "GET" {
			got++
		}
	}
	wantEqual(w, "writes", got, writes)
}

// wantNotShown checks that a plaintext is neither in the log nor in a request.
func (w *workflow) wantNotShown(plain string) {
	w.Helper()
	wantLacks(w, "the log", w.log, plain)
	for _, r := range w.github.Requests() {
		wantLacks(w, r.Method+" "+r.Path, r.Path+r.Body, plain)
	}
}

// The next step and the next job have the outputs: rotation.yml checks them.
func testRotation(w *workflow) {
	w.run()
	w.wantKey("line one\n%25 ::error::line two\n", "api web", 1)
}

func testSealJob(w *workflow) { w.run("--job", "seal") }

func testWeekly(w *workflow) {
	w.run()
	key := w.secret("actions", "API_KEY")
	wantEqual(w, "repositories of API_KEY", strings.Join(key.Repositories, " "), "api web")
	wantRotated(w, key.Value)
	w.run()
	wantRotated(w, w.secret("actions", "API_KEY").Value)
	wantContains(w, "the log", w.log, "API_KEY updated in acme")
}

// wantRotated checks that a value is one of my-cli, without the newline, and not shown.
func wantRotated(w *workflow, value string) {
	w.Helper()
	if !regexp.MustCompile(`^Correct-Horse-\d+$`).MatchString(value) {
		w.Errorf("got the value %q, want one of my-cli", value)
	}
	w.wantNotShown(value)
}

// testFirstRun compares the log with that in the README.
func testFirstRun(w *workflow) {
	w.run()
	w.wantKey("old", "api web", 1)
	created := w.secret("actions", "ROTATION_TEST")
	wantEqual(w, "visibility of ROTATION_TEST", created.Visibility, "selected")
	wantEqual(w, "repositories of ROTATION_TEST", len(created.Repositories), 0)
	_, shown, _ := strings.Cut(documents(w.T)["README.md"], "```text\n")
	shown, _, _ = strings.Cut(shown, "```")
	lines := strings.Split(strings.TrimSpace(shown), "\n")
	wantEqual(w, "lines in the README", len(lines), 3)
	for _, line := range lines {
		line = strings.Replace(line, "api.github.com", strings.TrimPrefix(w.url, "http://"), 1)
		line, _, _ = strings.Cut(line, " requests, ") // the time differs
		wantContains(w, "the log", w.log, line)
	}
}

func testNewKey(w *workflow) {
	w.run()
	key := w.secret("actions", "SIGNING_KEY").Value
	wantRotated(w, key)
	w.wantKey(key, "api web", 1)
}

func testRotationIfDue(w *workflow) {
	testNewKey(w)
	w.run() // it is not due now
	w.wantKey(w.secret("actions", "SIGNING_KEY").Value, "api web", 1)
}

// testOverdue checks which commands gh gets when a secret is due, still due and not due.
func testOverdue(w *workflow) {
	commands := filepath.Join(w.files, "gh.log")
	for _, run := range []struct {
		days        int
		want, lacks string
	}{
		{100, "issue create --title Organization secrets are overdue", "issue comment"},
		{107, "issue comment 7 --body-file", "issue create"},
		{0, "issue close 7", "days old"},
	} {
		w.github.PutSecret("acme", fakegithub.Secret{
			Store: "actions", Name: "SIGNING_KEY", Value: "x", Visibility: "private",
			UpdatedAt: time.Now().AddDate(0, 0, -run.days),
		})
		writeFile(w.T, commands, "")
		w.run()
		got := string(readFile(w, commands))
		wantContains(w, "the commands", got, run.want)
		wantLacks(w, "the commands", got, run.lacks)
		if run.days > 0 {
			wantContains(w, "the text", got, fmt.Sprintf("- `SIGNING_KEY` (actions): %d days old", run.days))
		}
	}
}

func testTwoStores(w *workflow) {
	w.run("--secret", "NEW_NPM_TOKEN=Correct-Horse")
	for _, store := range []string{"actions", "dependabot"} {
		token := w.secret(store, "NPM_TOKEN")
		wantEqual(w, "the token in "+store, token.Value, "Correct-Horse")
		wantEqual(w, "repositories in "+store, strings.Join(token.Repositories, " "), "api web")
	}
}

func testManyOrgs(w *workflow) {
	w.run("--secret", "REGISTRY_TOKEN=Correct-Horse")
	for _, org := range []string{"acme", "acme-labs"} {
		s, _ := w.github.Secret(org, "actions", "REGISTRY_TOKEN")
		wantEqual(w, "the token in "+org, s.Value, "Correct-Horse")
	}
}

// testRollBack keeps a sealed value, replaces the secret, and brings the value back.
func testRollBack(w *workflow) {
	w.run()
	old := w.secret("actions", "API_KEY").Value
	wantRotated(w, old)
	w.github.PutSecret("acme", fakegithub.Secret{Store: "actions", Name: "API_KEY", Value: "new", Visibility: "private"})
	w.file = strings.Replace(w.file, "-5.", "-6.", 1)
	w.runRejected("run=7/../8")
	wantEqual(w, "the value", w.secret("actions", "API_KEY").Value, "new")
	w.run("--input", "run=7")
	wantEqual(w, "the value", w.secret("actions", "API_KEY").Value, old)
}

func testAddRepository(w *workflow) {
	w.run("--input", "repository=other")
	w.wantKey("old", "api other web", 1)
	w.runRejected("repository=*", "repository=other, svc-mail", "repository=!web")
	w.wantKey("old", "api other web", 1)
}

func testAddMatching(w *workflow) {
	w.run()
	w.wantKey("old", "api svc-mail web", 1)
	w.run() // the list is as it should be
	w.wantKey("old", "api svc-mail web", 1)
}

func testReview(w *workflow) {
	w.run()
	wantContains(w, "the log", w.log, "SIGNING_KEY")
	w.wantKey("old", "api web", 0)
}

func testLock(w *workflow) {
	w.runRejected("secret=SIGNING_KEY, OTHER")
	w.wantKey("old", "api web", 0)
	w.run("--input", "secret=SIGNING_KEY")
	w.wantKey("old", "", 1)
}

func testAppCheck(w *workflow) {
	w.run()
	wantContains(w, "the log", w.log, "ROTATION_TEST created in acme")
	w.wantKey("old", "api web", 1)
}

func testAppKey(w *workflow) {
	const pem = "-----BEGIN TEST KEY-----\nQ29ycmVjdC1Ib3JzZQ==\n-----END TEST KEY-----\n"
	w.run("--var", "DEPLOYER_CLIENT_ID=Iv1.test", "--secret", "NEW_APP_KEY="+pem)
	for _, store := range []string{"actions", "dependabot"} {
		wantEqual(w, "the key in "+store, w.secret(store, "DEPLOYER_PRIVATE_KEY").Value, pem)
	}
}

// testPostgreSQL rotates the passwords of two roles in turn: the stored one logs in, the
// last one still does, and the one before it does not. PGHOST and PGPORT name a server on
// which postgresql.sql has prepared the database, and the rotator has the password rotator.
func testPostgreSQL(w *workflow) {
	args := []string{
		"--var", "PGHOST=" + os.Getenv("PGHOST"), "--var", "PGPORT=" + os.Getenv("PGPORT"),
		"--secret", "ROTATOR_PASSWORD=rotator", "--env", "PSQL_PAGER=cat", // act gives a step a terminal
	}
	stored := func(role string) string {
		w.Helper()
		url := w.secret("actions", "DATABASE_URL").Value
		if !strings.HasPrefix(url, "postgresql://"+role+":") {
			w.Errorf("got the URL %q, want one of the role %s", url, role)
		}
		return url
	}
	wantLogIn := func(what, url string, want bool) {
		w.Helper()
		wantEqual(w, what+" logs in", exec.Command("psql", "-qAt", "-d", url, "-c", "SELECT 1").Run() == nil, want)
	}
	// Text of the database is not run as a command of the log.
	comment := func(text string) {
		w.Helper()
		psql := exec.Command("psql", "-qAt", "-d", "app", "-U", "rotator", "-c", "COMMENT ON ROLE app IS "+text)
		psql.Env = append(os.Environ(), "PGPASSWORD=rotator")
		if out, err := psql.CombinedOutput(); err != nil {
			w.Fatalf("%v: %s", err, out)
		}
	}
	comment(`E'app_a\n::warning::forged'`)
	if w.act(args...) == nil || strings.Contains(w.log, "forged") {
		w.Errorf("the comment of a role was used or printed:\n%s", w.log)
	}
	comment("'app_b'")
	var urls []string
	for i, role := range []string{"app_a", "app_b", "app_a"} {
		w.run(args...)
		urls = append(urls, stored(role))
		password, _, _ := strings.Cut(strings.TrimPrefix(urls[i], "postgresql://"+role+":"), "@")
		w.wantNotShown(password)
		for j, url := range urls {
			wantLogIn(fmt.Sprintf("after rotation %d, password %d", i+1, j+1), url, i-j < 2)
		}
	}
	// A token that may not write is noticed before anything has changed.
	w.runRefused("ROTATION_TEST", args...)
	wantLogIn("the last password", urls[1], true)
	wantLogIn("the stored password", urls[2], true)
	// A write that fails leaves the stored password as it is, and the next run starts again
	// with the other role, whose sessions end.
	wait := startSession(w, urls[1])
	w.runRefused("DATABASE_URL", args...)
	if wait() == nil {
		w.Error("a session of the locked role did not end")
	}
	wantLogIn("after a failed write, the stored password", stored("app_a"), true)
	w.run(args...)
	wantLogIn("after a failed run, the new password", stored("app_b"), true)
	wantLogIn("after a failed run, the last password", urls[2], true)
}

// startSession connects to a database. The session lasts until somebody ends it, and wait
// returns an error then.
func startSession(w *workflow, url string) (wait func() error) {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), "psql", "-qAt", "-d", url, "-c", "SELECT 1", "-c", "SELECT pg_sleep(600)")
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "1\n" {
		w.Fatalf("a session: got %q, error %v", line, err)
	}
	return cmd.Wait
}
