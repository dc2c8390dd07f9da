package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

// show runs the demo. After an error it does nothing more.
type show struct {
	w       io.Writer
	github  *fakegithub.Server
	env     action.Env // of each step, without variables
	apiURL  string
	verbose bool
	dir     string            // for files
	passed  map[string]string // values by the names of their secrets
	err     error
}

// run runs the parts and prints the log of each. It returns an error if the result of one is not that of its title.
func (s *show) run() error {
	var err error
	if s.dir, err = os.MkdirTemp("", "set-org-secret-demo"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	before := s.github.Secrets()
	// New values in each run, with characters that shells and parsers treat specially.
	password := fmt.Sprintf("new-%d %%$'\\\" ::error::not a command", time.Now().UnixNano())
	key := fmt.Sprintf("-----BEGIN DEMO KEY-----\n%d\n-----END DEMO KEY-----\n", time.Now().UnixNano())
	s.passed = map[string]string{"DB_PASSWORD": password, "DEPLOY_KEY": key}

	s.print("", "The action against a fake GitHub, which decrypts what it stores.")
	s.part("1. A rotation while GitHub returns errors and replaces its public key", 0,
		map[string]string{"secret_name": "DB_PASSWORD", "secret_value": password, "token": writeToken})
	failed := s.part("2. A write that fails for good: the token may only read", 1,
		map[string]string{"secret_name": "DEPLOY_KEY", "secret_value": key, "token": readToken})
	s.saved(failed)
	s.part("3. The run that finishes it, with the output results and without a new rotation", 0,
		map[string]string{"secret_name": "DEPLOY_KEY", "sealed": failed.passed["results"], "token": writeToken})
	s.part("4. A check: which secrets are older than 30 days?", 0,
		map[string]string{"mode": "check", "secret_name": "*", "max_age": "30d", "token": readToken})
	s.print("", "", "What GitHub decrypts now, compared with what was passed to the action")
	s.compare(before)
	return s.err
}

func (s *show) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// part runs a step in a job of its own and prints its inputs and its log. It fails if the exit code is not the
// expected one or a passed value appears anywhere.
func (s *show) part(title string, code int, with map[string]string) stepResult {
	if s.err != nil {
		return stepResult{}
	}
	s.print("", "", title)
	with["org"], with["api_url"] = "acme", s.apiURL
	s.inputs(with)
	s.github.ResetRequests()
	r, err := job{dir: s.dir, env: s.env, runner: fakerunner.New()}.run(with)
	if err != nil {
		s.err = err
		return r
	}
	s.print("  ", r.log...)
	if s.verbose {
		s.print("", "", "  Outputs:")
		for _, name := range r.order {
			s.print("    ", name+" = "+r.outputs[name])
		}
		s.print("", "", "  Job summary:")
		s.print("    ", lines(r.summary)...)
		s.print("", "", "  Requests:")
		s.print("    ", lines(s.github.RequestLog())...)
	}
	if r.code != code {
		s.fail("%q: the action exited with code %d, want %d", title, r.code, code)
	}
	for name, value := range s.passed {
		if place := r.find(strings.TrimSpace(value)); place != "" {
			s.fail("%q: the value of %s is in %s", title, name, place)
		}
	}
	return r
}

// inputs prints inputs as a workflow has them, without the value and the token, and with the start of a long one.
func (s *show) inputs(with map[string]string) {
	with = maps.Clone(with)
	for name, value := range with {
		if name == "secret_value" || name == "token" {
			with[name] = "•••"
		} else {
			with[name] = start(value)
		}
	}
	text, err := yaml.Marshal(with)
	if err != nil {
		s.err = err
	}
	s.print("  ", "with:")
	s.print("    ", lines(string(text))...)
}

// start returns the start of a long text.
func start(text string) string {
	const most = 52
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// saved prints where the failed step saved the sealed value. It fails if the value was not saved.
func (s *show) saved(failed stepResult) {
	sealed, results := failed.passed["encrypted_value"], failed.passed["results"]
	if sealed == "" || !strings.Contains(results, sealed) || !strings.Contains(failed.summary, sealed) {
		s.fail("the sealed value was not saved in the outputs and the job summary")
		return
	}
	s.print("", "", "  Saved, sealed, so that only GitHub can decrypt it:")
	s.print("  ",
		fmt.Sprintf("- output encrypted_value: %.24s… (%d characters)", sealed, len(sealed)),
		"- output results: "+start(results),
		"- job summary: the script that stores it")
}

// compare prints the secrets that GitHub has. It fails if a value is not the one that was passed, or the previous
// one if none was, or if the access has changed.
func (s *show) compare(before []fakegithub.Secret) {
	after := s.github.Secrets()
	if len(after) != len(before) {
		s.fail("GitHub has %d secrets, want %d", len(after), len(before))
		return
	}
	for i, now := range after {
		want, text := before[i].Value, "not passed, unchanged"
		if value, ok := s.passed[now.Name]; ok {
			want, text = value, fmt.Sprintf("%d bytes, equal", len(value))
		}
		if now.Name != before[i].Name || now.Value != want {
			s.fail("the value of %s in %s is not the one that was passed", now.Name, now.Store)
		}
		if now.Visibility != before[i].Visibility || !slices.Equal(now.Repositories, before[i].Repositories) {
			s.fail("access to %s has changed to %s %q", now.Name, now.Visibility, now.Repositories)
		}
		access := now.Visibility
		if len(now.Repositories) > 0 {
			access += ": " + strings.Join(now.Repositories, ", ")
		}
		s.print("  ", fmt.Sprintf("%-12s  %-21s  access as before: %s", now.Name, text, access))
	}
}

// print prints lines, indented, unless the demo has failed.
func (s *show) print(indent string, lines ...string) {
	for _, line := range lines {
		if s.err == nil {
			_, _ = fmt.Fprintln(s.w, indent+line)
		}
	}
}

// lines returns the lines of a text.
func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
