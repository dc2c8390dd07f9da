package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"set-org-secret/internal/action"
	"set-org-secret/internal/fakerunner"
)

// job is a job on a fake runner. Its steps run the action.
type job struct {
	dir    string     // has the workspace and the files of the runner
	env    action.Env // of each step, without variables
	runner *fakerunner.Runner
	base   map[string]string // inputs of each step
}

// stepResult is what a step of a job leaves behind.
type stepResult struct {
	code    int
	log     []string // the lines that a log viewer shows
	outputs map[string]string
	order   []string          // the names of the outputs, as written
	passed  map[string]string // the outputs that another job gets
	summary string            // Markdown
	took    time.Duration
}

// run runs the action with the inputs of the job and those of the step. It returns an
// error if the runner would refuse the outputs or the summary.
func (j job) run(with map[string]string) (stepResult, error) {
	vars := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": j.dir,
		"GITHUB_OUTPUT": filepath.Join(j.dir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(j.dir, "summary"),
	}
	for _, inputs := range []map[string]string{j.base, with} {
		for name, value := range inputs {
			vars["INPUT_"+strings.ToUpper(name)] = value
		}
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		if err := os.WriteFile(vars[name], nil, 0o600); err != nil {
			return stepResult{}, err
		}
	}
	env, stdout := j.env, bytes.Buffer{}
	env.Getenv = func(name string) string { return vars[name] }
	env.Environ = nil // that of this process has other inputs, if it runs in a workflow
	env.Stdout = &stdout

	start := time.Now()
	r := stepResult{code: action.Main(context.Background(), env)}
	r.took = time.Since(start)
	r.log = j.runner.Process(stdout.String()).Lines
	text, err := os.ReadFile(vars["GITHUB_OUTPUT"])
	if err != nil {
		return r, err
	}
	if r.outputs, r.order, err = fakerunner.ParseOutputs(string(text)); err != nil {
		return r, err
	}
	r.passed, _ = j.runner.JobOutputs(r.outputs)
	if text, err = os.ReadFile(vars["GITHUB_STEP_SUMMARY"]); err != nil {
		return r, err
	}
	r.summary, err = j.runner.Summary(string(text))
	return r, err
}

// contains reports where a text appears in what a step leaves behind, or "" if it
// does not.
func (r stepResult) contains(text string) string {
	for _, place := range []struct{ name, content string }{
		{"the log", strings.Join(r.log, "\n")}, {"the outputs", fmt.Sprint(r.outputs)}, {"the job summary", r.summary},
	} {
		if strings.Contains(place.content, text) {
			return place.name
		}
	}
	return ""
}
