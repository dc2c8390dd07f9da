package action

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"set-org-secret/internal/input"
)

var (
	pinned       = regexp.MustCompile(`^[\w-]+/[\w.-]+@[0-9a-f]{40}$`)
	pinnedLine   = regexp.MustCompile(`(?m)uses: \S+@[0-9a-f]{40}(.*)$`)
	pinnedAs     = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	maskedValues = regexp.MustCompile(`^(not-a-secret|\$\{\{ secrets\.\w+ \}\})$`)
)

// TestExamples checks what each workflow to copy must have: no more rights than it
// needs, one run at a time, an end, an environment that limits who can use its
// secrets, actions pinned by commit, and no value that the runner would log.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(root + "/.github/workflows/examples/*.yml")
	if err != nil || len(files) < 4 {
		t.Fatalf("got the examples %q, error %v; want 4 or more", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { testExample(t, string(readFile(t, file))) })
	}
}

func testExample(t *testing.T, text string) {
	var workflow struct {
		Permissions *map[string]string
		Concurrency struct{ Group string }
		Jobs        map[string]struct {
			Environment string
			Timeout     int `yaml:"timeout-minutes"`
			Steps       []struct {
				Uses string
				With map[string]string
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.Permissions == nil || len(*workflow.Permissions) > 1 {
		t.Errorf("got the permissions %v, want none or one", workflow.Permissions)
	}
	if workflow.Concurrency.Group == "" {
		t.Error("got no concurrency group, want one")
	}
	for _, job := range workflow.Jobs {
		if job.Environment == "" || job.Timeout == 0 {
			t.Errorf("got environment %q and timeout %d, want both", job.Environment, job.Timeout)
		}
		for _, step := range job.Steps {
			if step.Uses == "" {
				continue
			}
			if step.Uses != "<OWNER>/set-org-secret@"+Version && !pinned.MatchString(step.Uses) {
				t.Errorf("got %s, want an action that is pinned by commit, or this one at %s", step.Uses, Version)
			}
			for name, value := range step.With {
				isOurs := strings.HasPrefix(step.Uses, "<OWNER>/")
				if isOurs && !isInput(name) {
					t.Errorf("got the input %q, which the action does not have", name)
				}
				if isOurs && name == "secret_value" && !maskedValues.MatchString(value) {
					t.Errorf("got secret_value %s, which the runner may log; want a secret, or a file", value)
				}
			}
		}
	}
	for _, m := range pinnedLine.FindAllStringSubmatch(text, -1) {
		if !pinnedAs.MatchString(m[1]) {
			t.Errorf("got %q, want the whole version behind the commit, as # v1.2.3", m[0])
		}
	}
}

func isInput(name string) bool {
	return slices.ContainsFunc(input.Inputs, func(in input.Input) bool { return in.Name == name })
}
