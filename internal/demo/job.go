package main

import (
	"bytes"
	"context"
	"errors"
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
}

// stepResult is the result of a step of a job.
type stepResult struct {
	code    int
	log     []string // the lines that a log viewer shows
	outputs map[string]string
	order   []string          // the names of the outputs, as written
	passed  map[string]string // the outputs that another job gets
	summary string            // Markdown
	took    time.Duration
}

// run runs the action with inputs. It returns an error if the runner would refuse the outputs or the summary.
func (j job) run(with map[string]string) (stepResult, error) {
	output, summary := filepath.Join(j.dir, "output"), filepath.Join(j.dir, "summary")
	vars := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": j.dir, "GITHUB_OUTPUT": output, "GITHUB_STEP_SUMMARY": summary,
	}
	for name, value := range with {
		vars["INPUT_"+strings.ToUpper(name)] = value
	}
	for _, file := range []string{output, summary} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
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
	outputText, errOutput := os.ReadFile(output)
	summaryText, errSummary := os.ReadFile(summary)
	if err := errors.Join(errOutput, errSummary); err != nil {
		return r, err
	}
	var err error
	if r.outputs, r.order, err = fakerunner.ParseOutputs(string(outputText)); err != nil {
		return r, err
	}
	r.passed, _ = j.runner.JobOutputs(r.outputs)
	r.summary, err = j.runner.Summary(string(summaryText))
	return r, err
}

// find returns the place where a text appears in the result, or "".
func (r stepResult) find(text string) string {
	for _, place := range []struct{ name, content string }{
		{"the log", strings.Join(r.log, "\n")}, {"the outputs", fmt.Sprint(r.outputs)}, {"the job summary", r.summary},
	} {
		if strings.Contains(place.content, text) {
			return place.name
		}
	}
	return ""
}
