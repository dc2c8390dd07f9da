package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakegithub"
	"set-org-secret/internal/fakerunner"
)

// maxColumns is the width of the output. Longer lines continue in the next.
const maxColumns = 84

// The tokens of the demo.
const (
	writeToken = "ghs_demo_may_write"
	readToken  = "ghs_demo_may_only_read"
)

// show is a demo on its way.
type show struct {
	w       io.Writer
	github  *fakegithub.Server
	env     action.Env // of each step, without variables
	apiURL  string
	verbose bool
	dir     string // for files
	passed  map[string]string
}

// demoWorld is rotationWorld with more secrets, one more error and two tokens.
func demoWorld() fakegithub.World {
	world := rotationWorld()
	days := func(n int) time.Time { return time.Now().AddDate(0, 0, -n) }
	world.Orgs[0].Secrets = append(world.Orgs[0].Secrets,
		fakegithub.Secret{
			Store: "actions", Name: "DEPLOY_KEY", Value: "the previous key", Visibility: "selected",
			Repositories: []string{"web", "docs"}, UpdatedAt: days(31),
		},
		fakegithub.Secret{
			Store: "actions", Name: "NPM_TOKEN", Value: "12 days old", Visibility: "all", UpdatedAt: days(12),
		})
	app := func(token, level string) fakegithub.Token {
		return fakegithub.Token{
			Value: token, Kind: "app", Permissions: map[string]string{"organization_secrets": level},
		}
	}
	world.Faults = append(world.Faults,
		fakegithub.Fault{Path: "/actions/secrets/public-key", Status: http.StatusServiceUnavailable})
	world.Tokens = []fakegithub.Token{app(writeToken, "write"), app(readToken, "read")}
	return world
}

// part is a part of the demo: one step, which is the first of a job.
type part struct {
	title string
	with  map[string]string // inputs
	code  int               // the exit code that the step has to have
}

// run runs the parts and prints the log of each. It returns an error if one of them
// does not show what its title says.
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

	s.println("The action against a fake GitHub, which decrypts what it stores.")
	if _, err := s.part(part{
		"1. A rotation while GitHub returns errors and replaces its public key",
		map[string]string{"secret_name": "DB_PASSWORD", "secret_value": password, "token": writeToken},
		0,
	}); err != nil {
		return err
	}
	failed, err := s.part(part{
		"2. A write that fails for good: the token may only read",
		map[string]string{"secret_name": "DEPLOY_KEY", "secret_value": key, "token": readToken},
		1,
	})
	if err != nil {
		return err
	}
	results, err := s.showSaved(failed)
	if err != nil {
		return err
	}
	if _, err := s.part(part{
		"3. The run that finishes it, with the output results and without a new rotation",
		map[string]string{"secret_name": "DEPLOY_KEY", "sealed": results, "token": writeToken},
		0,
	}); err != nil {
		return err
	}
	if _, err := s.part(part{
		"4. A check: which secrets are older than 30 days?",
		map[string]string{"mode": "check", "secret_name": "*", "max_age": "30d", "token": readToken},
		0,
	}); err != nil {
		return err
	}
	s.heading("What GitHub decrypts now, compared with what was passed to the action")
	return s.compare(before)
}

// part runs a step in a job of its own and prints its log. It returns an error if the
// exit code is not the expected one or a passed value appears anywhere.
func (s *show) part(p part) (stepResult, error) {
	s.heading(p.title)
	s.github.ResetRequests()
	j := job{
		dir: s.dir, env: s.env, runner: fakerunner.New(),
		base: map[string]string{"org": "acme", "api_url": s.apiURL},
	}
	r, err := j.run(p.with)
	if err != nil {
		return r, err
	}
	for _, line := range r.log {
		s.println(wrap("  ", line)...)
	}
	if s.verbose {
		s.showDetails(r)
	}
	if r.code != p.code {
		return r, fmt.Errorf("%q: the action exited with code %d, want %d", p.title, r.code, p.code)
	}
	for name, value := range s.passed {
		if place := r.contains(strings.TrimSpace(value)); place != "" {
			return r, fmt.Errorf("%q: the value of %s is in %s", p.title, name, place)
		}
	}
	return r, nil
}

// showSaved prints where the failed step saved the sealed value, and returns the output
// results, as another job gets it. It returns an error if the value was not saved.
func (s *show) showSaved(failed stepResult) (string, error) {
	sealed, results := failed.passed["encrypted_value"], failed.passed["results"]
	if sealed == "" || !strings.Contains(results, sealed) || !strings.Contains(failed.summary, sealed) {
		return "", errors.New("the sealed value was not saved in the outputs and the job summary")
	}
	s.println("", "  Saved, sealed, so that only GitHub can decrypt it:")
	s.println(fmt.Sprintf("  - output encrypted_value: %.24s… (%d characters)", sealed, len(sealed)))
	s.println(fmt.Sprintf("  - output results: %.52s…", results))
	s.println("  - job summary: the script that stores it")
	return results, nil
}

// showDetails prints the outputs, the job summary and the requests of a step.
func (s *show) showDetails(r stepResult) {
	s.println("", "  Outputs:")
	for _, name := range r.order {
		s.println(wrap("    ", name+" = "+r.outputs[name])...)
	}
	s.println("", "  Job summary:")
	for line := range strings.Lines(r.summary) {
		s.println(wrap("    ", strings.TrimSuffix(line, "\n"))...)
	}
	s.println("", "  Requests:")
	for line := range strings.Lines(s.github.RequestLog()) {
		s.println(wrap("    ", strings.TrimSuffix(line, "\n"))...)
	}
}

// compare prints the secrets that GitHub has. It returns an error if a value is not the
// one that was passed, or the previous one if none was, or if the access has changed.
func (s *show) compare(before []fakegithub.Secret) error {
	after := s.github.Secrets()
	if len(after) != len(before) {
		return fmt.Errorf("GitHub has %d secrets, want %d", len(after), len(before))
	}
	for i, now := range after {
		want, text := before[i].Value, "not passed, unchanged"
		if value, ok := s.passed[now.Name]; ok {
			want, text = value, fmt.Sprintf("%d bytes, equal", len(value))
		}
		if now.Name != before[i].Name || now.Value != want {
			return fmt.Errorf("the value of %s in %s is not the one that was passed", now.Name, now.Store)
		}
		if now.Visibility != before[i].Visibility || !slices.Equal(now.Repositories, before[i].Repositories) {
			return fmt.Errorf("access to %s has changed to %s %q", now.Name, now.Visibility, now.Repositories)
		}
		access := now.Visibility
		if len(now.Repositories) > 0 {
			access += ": " + strings.Join(now.Repositories, ", ")
		}
		s.println(fmt.Sprintf("  %-12s  %-21s  access as before: %s", now.Name, text, access))
	}
	return nil
}

func (s *show) heading(text string) { s.println("", text) }

func (s *show) println(lines ...string) {
	for _, line := range lines {
		_, _ = fmt.Fprintln(s.w, line)
	}
}

// wrap splits a line so that no part is wider than maxColumns, at spaces if it has
// them. What continues a line is indented more.
func wrap(indent, line string) (lines []string) {
	line = indent + line
	for utf8.RuneCountInString(line) > maxColumns {
		indent = line[:len(line)-len(strings.TrimLeft(line, " "))]
		cut := strings.LastIndex(string([]rune(line)[:maxColumns+1]), " ")
		if cut <= len(indent) { // a word that is too long
			cut = len(string([]rune(line)[:maxColumns]))
		}
		lines = append(lines, line[:cut])
		if len(lines) == 1 {
			indent += "    "
		}
		line = indent + strings.TrimPrefix(line[cut:], " ")
	}
	return append(lines, line)
}
