package report

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stubGH logs its arguments and its input, and fails if FAIL is among the former.
const stubGH = `#!/bin/sh
echo "$@" >>"$GH_LOG"
cat >>"$GH_LOG"
case "$*" in *FAIL*) echo 'gh: HTTP 403' >&2; exit 1 ;; esac
`

// runScript runs a script with stubGH in the place of gh. It returns the requests of gh, and the script's output.
func runScript(t *testing.T, script string) (requests, printed string, code int) {
	t.Helper()
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

// TestScript runs the script of a summary: it stores each sealed value that can be stored, with the access that the run
// would have written, goes on after a failure, and stores no value whose access is unknown.
func TestScript(t *testing.T) {
	const (
		put  = "api --silent --method PUT --hostname github.com orgs/acme/"
		body = ` --input -` + "\n" + `{"encrypted_value":"c2VhbGVk","key_id":"568","visibility":`
	)
	for _, test := range []struct {
		name, apiURL      string
		results           string
		requests, printed string
		code              int
	}{
		{
			"all of them", "https://api.github.com/",
			"A failed value private; S created private; B failed dependabot value selected to=b to=a; " +
				"R failed value private cannot-open; C unknown value selected",
			put + "actions/secrets/A" + body + "\"private\"}\n" +
				put + "dependabot/secrets/B" + body + "\"selected\",\"selected_repository_ids\":[97,98]}\n" +
				put + "actions/secrets/C" + body + "\"selected\",\"selected_repository_ids\":[]}\n",
			"All values of this script are stored.\n", 0,
		},
		{
			"one fails", "https://api.octo.ghe.com/",
			"FAIL failed value private; B failed value private",
			strings.ReplaceAll(put, "github.com", "octo.ghe.com") + "actions/secrets/FAIL" + body + "\"private\"}\n" +
				strings.ReplaceAll(put, "github.com", "octo.ghe.com") + "actions/secrets/B" + body + "\"private\"}\n",
			"gh: HTTP 403\nNot stored: actions/FAIL\n", 1,
		},
		{
			"one of unknown access, which is left out", "https://api.ghe.example/api/v3/",
			"U failed value; B failed value private",
			strings.ReplaceAll(put, "github.com", "api.ghe.example") + "actions/secrets/B" + body + "\"private\"}\n",
			"All values of this script are stored.\n", 0,
		},
		{
			"text that a shell would expand", "https://api.github.com",
			"E failed value private key=$HOME_`id`_\\",
			put + "actions/secrets/E" + strings.ReplaceAll(body, "568", "$HOME `id` \\\\") + "\"private\"}\n",
			"All values of this script are stored.\n", 0,
		},
	} {
		r, _, _ := newReporter(t)
		apiURL, err := url.Parse(test.apiURL)
		if err != nil {
			t.Fatal(err)
		}
		run, room := parseRun(t, "set: "+test.results)
		run.APIURL = *apiURL
		d := decide(run, room)
		text := plainText(r.summary(d))
		if want := script(d); !strings.Contains(text, want) {
			t.Errorf("%s: the summary shows another script than\n%s", test.name, want)
		}
		_, leftOut, _ := strings.Cut(text, "\nIt does not store ")
		leftOut, _, _ = strings.Cut(leftOut, "; see above.")
		if want := map[string]string{"all of them": "R in actions", "one of unknown access, which is left out": "U"}[test.name]; leftOut != want {
			t.Errorf("%s: the summary says that %q is left out, want %q", test.name, leftOut, want)
		}
		requests, printed, code := runScript(t, script(d))
		if requests != test.requests {
			t.Errorf("%s: gh got\n%s\nwant\n%s", test.name, requests, test.requests)
		}
		if printed != test.printed || code != test.code {
			t.Errorf("%s: got %q and code %d, want %q and %d", test.name, printed, code, test.printed, test.code)
		}
	}
}
