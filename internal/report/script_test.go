package report

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"set-org-secret/internal/secret"
)

// stubGH logs its arguments and its input, and fails if FAIL is among the former.
const stubGH = `#!/bin/sh
echo "$@" >>"$GH_LOG"
cat >>"$GH_LOG"
case "$*" in *FAIL*) echo 'gh: HTTP 403' >&2; exit 1 ;; esac
`

// runScript runs the script of a summary with stubGH in the place of gh. It returns
// what gh was given, and what the script printed.
func runScript(t *testing.T, summary string) (requests, printed string, code int) {
	t.Helper()
	_, script, ok := strings.Cut(summary, "\n```bash\n")
	script, _, closed := strings.Cut(script, "\n```\n")
	if !ok || !closed {
		t.Fatalf("there is no script in the summary:\n%s", summary)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gh"), []byte(stubGH), 0o700); err != nil {
		t.Fatal(err)
	}
	bash := exec.Command("bash")
	bash.Stdin = strings.NewReader(script + "\n")
	bash.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "GH_LOG=" + filepath.Join(dir, "log")}
	var out bytes.Buffer
	bash.Stdout, bash.Stderr = &out, &out
	if err := bash.Run(); err != nil {
		if _, isExit := errors.AsType[*exec.ExitError](err); !isExit {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(log), out.String(), bash.ProcessState.ExitCode()
}

// TestScript runs the script of a summary: it stores each sealed value that can be
// stored, with the access that the run would have written, goes on after a failure,
// and stores no value whose access is unknown.
func TestScript(t *testing.T) {
	private := secret.Access{Visibility: secret.Private}
	selected := secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{{ID: 7}, {ID: 3}}}
	none := secret.Access{Visibility: secret.Selected}
	unstored := func(name secret.Name, op secret.Operation, access secret.Access) secret.Result {
		result := sealed(failure(name, op, errors.New("x")))
		result.Access = access
		return result
	}
	inDependabot := unstored("B", secret.Failed, selected)
	inDependabot.Store = secret.Dependabot
	rotated := unstored("R", secret.Failed, private)
	rotated.Err = secret.ErrCannotOpen
	expandable := unstored("E", secret.Failed, private)
	expandable.KeyID = "$HOME `id` \\"
	stored := unstored("S", secret.Created, private)
	stored.Err = nil
	const (
		put  = "api --silent --method PUT --hostname github.com orgs/acme/"
		body = ` --input -` + "\n" + `{"encrypted_value":"c2VhbGVk","key_id":"568","visibility":`
	)
	for _, test := range []struct {
		name, apiURL      string
		results           []secret.Result
		requests, printed string
		code              int
	}{
		{
			"all of them", "https://api.github.com/",
			[]secret.Result{unstored("A", secret.Failed, private), stored, inDependabot, rotated, unstored("C", secret.Unknown, none)},
			put + "actions/secrets/A" + body + "\"private\"}\n" +
				put + "dependabot/secrets/B" + body + "\"selected\",\"selected_repository_ids\":[3,7]}\n" +
				put + "actions/secrets/C" + body + "\"selected\",\"selected_repository_ids\":[]}\n",
			"All of them are stored.\n", 0,
		},
		{
			"one fails", "https://api.octo.ghe.com/",
			[]secret.Result{unstored("FAIL", secret.Failed, private), unstored("B", secret.Failed, private)},
			strings.ReplaceAll(put, "github.com", "octo.ghe.com") + "actions/secrets/FAIL" + body + "\"private\"}\n" +
				strings.ReplaceAll(put, "github.com", "octo.ghe.com") + "actions/secrets/B" + body + "\"private\"}\n",
			"gh: HTTP 403\nNot stored: actions/FAIL\n", 1,
		},
		{
			"one of unknown access", "https://api.ghe.example/api/v3/",
			[]secret.Result{unstored("U", secret.Failed, secret.Access{}), unstored("B", secret.Failed, private)},
			strings.ReplaceAll(put, "github.com", "api.ghe.example") + "actions/secrets/B" + body + "\"private\"}\n",
			"Not stored: actions/U\n", 1,
		},
		{
			"text that a shell would expand", "https://api.github.com",
			[]secret.Result{expandable},
			put + "actions/secrets/E" + strings.ReplaceAll(body, "568", "$HOME `id` \\\\") + "\"private\"}\n",
			"All of them are stored.\n", 0,
		},
	} {
		run := Run{Mode: secret.ModeSet, Org: "acme", APIURL: test.apiURL, Results: test.results}
		entries := entriesOf(test.results)
		for _, e := range entries {
			if e.Err != nil && e.storableLater() {
				e.saved = inOutputs
			}
		}
		r, _, _ := newReporter(t)
		requests, printed, code := runScript(t, r.markdown(run, entries))
		if requests != test.requests {
			t.Errorf("%s: gh got\n%s\nwant\n%s", test.name, requests, test.requests)
		}
		if printed != test.printed || code != test.code {
			t.Errorf("%s: got %q and code %d, want %q and %d", test.name, printed, code, test.printed, test.code)
		}
	}
}

// TestScriptAfterEdit follows the comments of a script that does not know the access.
func TestScriptAfterEdit(t *testing.T) {
	result := sealed(failure("U", secret.Failed, errors.New("x")))
	run := Run{Mode: secret.ModeSet, Org: "acme", APIURL: "https://api.github.com", Results: []secret.Result{result}}
	entries := entriesOf(run.Results)
	entries[0].saved = inOutputs
	r, _, _ := newReporter(t)
	text := r.markdown(run, entries)
	for _, edit := range [][2]string{
		{"all, private or selected", "all"},
		{"\nfailed=\"$failed actions/U\"\n", "\n"},
	} {
		if !strings.Contains(text, edit[0]) {
			t.Fatalf("no %q in:\n%s", edit[0], text)
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	for _, line := range strings.Split(text, "\n") { // "the single #"
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "##") {
			text = strings.Replace(text, "\n"+line, "\n"+line[1:], 1)
		}
	}
	requests, printed, code := runScript(t, text)
	want := "api --silent --method PUT --hostname github.com orgs/acme/actions/secrets/U --input -\n" +
		`{"encrypted_value":"c2VhbGVk","key_id":"568","visibility":"all"}` + "\n"
	if requests != want || printed != "All of them are stored.\n" || code != 0 {
		t.Errorf("got %q, %q and code %d, want %q and that all are stored", requests, printed, code, want)
	}
}

// TestNoScript checks which sealed values are in no script: those of a dry run,
// which may be anything, and those of names that could add a command.
func TestNoScript(t *testing.T) {
	for _, test := range []struct {
		name string
		run  Run
	}{
		{"a dry run", Run{Mode: secret.ModeSet, Org: "acme", DryRun: true, Results: []secret.Result{{Name: "A"}}}},
		{"mode seal", Run{Mode: secret.ModeSeal, Org: "acme", Results: []secret.Result{{Name: "A"}}}},
		{"a command in a name", Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{{Name: "A;id"}}}},
		{"a command in the organization", Run{Mode: secret.ModeSet, Org: "$(id)", Results: []secret.Result{{Name: "A"}}}},
		{"a command in the host", Run{Mode: secret.ModeSet, Org: "acme", APIURL: "https://a;id/", Results: []secret.Result{{Name: "A"}}}},
	} {
		test.run.Results[0] = sealed(failure(test.run.Results[0].Name, secret.Failed, errors.New("x")))
		entries := entriesOf(test.run.Results)
		entries[0].saved = nowhere
		r, _, _ := newReporter(t)
		text := r.markdown(test.run, entries)
		if strings.Contains(text, "gh api") || !entries[0].noCommand || entries[0].saved != nowhere {
			t.Errorf("%s: got noCommand %v and saved %d, want true and %d, and no script:\n%s",
				test.name, entries[0].noCommand, entries[0].saved, nowhere, text)
		}
	}
}
