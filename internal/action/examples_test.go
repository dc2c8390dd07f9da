package action

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"set-org-secret/internal/input"
)

// exampleStep is a step of a workflow.
type exampleStep struct {
	Uses, Run string
	With, Env map[string]string
}

// isOurs reports whether the step uses this action, or is the part of one without "uses".
func (s exampleStep) isOurs() bool {
	return strings.HasPrefix(s.Uses, "<OWNER>/set-org-secret@") || s.Uses+s.Run == ""
}

var (
	pinned       = regexp.MustCompile(`^[\w-]+/[\w.-]+@[0-9a-f]{40}$`)
	pinnedLine   = regexp.MustCompile(`(?m)uses: \S+@[0-9a-f]{40}(.*)$`)
	pinnedAs     = regexp.MustCompile(`^ # v\d+\.\d+\.\d+$`)
	maskedValues = regexp.MustCompile(`^(not-a-secret|\$\{\{ secrets\.\w+ \}\})$`)
	readsSecret  = regexp.MustCompile(`\bsecrets\.\w`)
	fromForm     = regexp.MustCompile(`\binputs\.|\bgithub\.event\b`)
	command      = regexp.MustCompile(`::(error|warning|notice)[^\n]*\$`)
	newPassword  = regexp.MustCompile(`(?m)^ *(\w+)=\$\(openssl rand .*\)\n(.*)$`)
)

// exampleFiles returns the workflows of the folder examples, by their names.
func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(root + "/.github/workflows/examples/*.yml")
	if err != nil || len(paths) < 4 {
		t.Fatalf("got the examples %q, error %v; want 4 or more", paths, err)
	}
	texts := map[string]string{}
	for _, file := range paths {
		texts[strings.TrimSuffix(filepath.Base(file), ".yml")] = string(readFile(t, file))
	}
	return texts
}

// documentExamples returns the blocks of the documents that are workflows or, as "yml",
// a part of one, by the page and their number on it.
func documentExamples(t *testing.T, language string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for file, text := range documents(t) {
		n := 0
		for _, m := range codeBlock.FindAllStringSubmatch(text, -1) {
			if m[1] == language {
				n++
				texts[fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(file), ".md"), n)] = m[2]
			}
		}
	}
	return texts
}

// TestExamples checks the rules for workflows to copy: no more rights than each
// needs, an environment that limits who can use its secrets, actions pinned by commit, no
// value that the runner would log, and no text of others that is run or taken for a glob.
func TestExamples(t *testing.T) {
	for name, text := range exampleFiles(t) {
		t.Run(name, func(t *testing.T) {
			checkWorkflow(t, text)
			// Those of the documents are shorter.
			for _, want := range []string{"\nconcurrency:\n  group: ", "\n    timeout-minutes: "} {
				wantContains(t, "the workflow", text, want)
			}
		})
	}
	for name, text := range documentExamples(t, "yaml") {
		t.Run(name, func(t *testing.T) { checkWorkflow(t, text) })
	}
	for name, text := range documentExamples(t, "yml") {
		t.Run("part "+name, func(t *testing.T) { checkSteps(t, text) })
	}
}

func checkWorkflow(t *testing.T, text string) {
	t.Helper()
	checkSteps(t, text)
	var workflow struct {
		Permissions *map[string]string
		Jobs        map[string]yaml.Node
	}
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.Permissions == nil || writes(*workflow.Permissions) > 1 {
		t.Errorf("got the permissions %v, want at most one to write", workflow.Permissions)
	}
	for name, node := range workflow.Jobs {
		var job struct {
			Environment string
			Env         map[string]string
		}
		text, err := yaml.Marshal(&node)
		if err = errors.Join(err, node.Decode(&job)); err != nil {
			t.Fatal(err)
		}
		if job.Environment == "" && readsSecret.Match(text) {
			t.Errorf("the job %s reads a secret, and has no environment that limits who can", name)
		}
		if job.Env["PGHOST"] != "" && job.Env["PGCHANNELBINDING"] != "require" {
			t.Errorf("the job %s does not notice a relay between it and PostgreSQL", name)
		}
	}
}

// checkSteps checks each step of a text, which may be a part of a workflow.
func checkSteps(t *testing.T, text string) {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	for _, m := range pinnedLine.FindAllStringSubmatch(text, -1) {
		if !pinnedAs.MatchString(m[1]) {
			t.Errorf("got %q, want the whole version behind the commit, as # v1.2.3", m[0])
		}
	}
	for _, step := range stepsOf(&node) {
		switch {
		case step.isOurs():
			checkInputs(t, step.With)
			if _, version, ok := strings.Cut(step.Uses, "@"); ok && version != Version && version != "COMMIT" {
				t.Errorf("got %s, want this action at %s", step.Uses, Version)
			}
		case step.Uses != "":
			if !pinned.MatchString(step.Uses) {
				t.Errorf("got %s, want an action that is pinned by commit", step.Uses)
			}
		default:
			checkScript(t, step)
		}
	}
}

// stepsOf returns the steps below a node.
func stepsOf(node *yaml.Node) (steps []exampleStep) {
	for _, child := range node.Content {
		steps = append(steps, stepsOf(child)...)
	}
	var s exampleStep
	if node.Kind == yaml.MappingNode && node.Decode(&s) == nil && (s.Uses+s.Run != "" || s.With != nil) {
		steps = append(steps, s)
	}
	return steps
}

// checkInputs checks the inputs that a step passes to this action.
func checkInputs(t *testing.T, with map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(with)) {
		value := with[name]
		if !isInput(name) {
			t.Errorf("got the input %q, which the action does not have", name)
		}
		if name == "secret_value" && !maskedValues.MatchString(value) {
			t.Errorf("got secret_value %s, which the runner may log; want a secret, or a file", value)
		}
		if fromForm.MatchString(value) {
			t.Errorf("%s: %s takes globs and lists from a form; check it for one name first", name, value)
		}
		isList := strings.HasPrefix(name, "selected_repositor") && with["mode"] == ""
		if isList && strings.Contains(value, "${{") && with["visibility"] != "selected" {
			t.Errorf("%s: %s may be empty, and would be ignored; want visibility: selected beside it", name, value)
		}
	}
}

// checkScript checks that a script neither runs text of others nor prints it as a
// command, and masks the values that it makes.
func checkScript(t *testing.T, step exampleStep) {
	t.Helper()
	if strings.Contains(step.Run, "${{") {
		t.Errorf("a script has an expression, whose text would be run: %s", step.Run)
	}
	if m := command.FindString(step.Run); m != "" {
		t.Errorf("%s prints a variable, which may have line breaks and so more commands", m)
	}
	for name, value := range step.Env {
		if fromForm.MatchString(value) && !strings.Contains(step.Run, "[[ $"+name+" =~ ^") {
			t.Errorf("a script does not check %s, which is from a form, for one plain name", name)
		}
	}
	for _, m := range newPassword.FindAllStringSubmatch(step.Run, -1) {
		if !strings.Contains(m[2], `echo "::add-mask::$`+m[1]+`"`) {
			t.Errorf("the line after the new password %s does not mask it: %s", m[1], m[2])
		}
	}
}

func isInput(name string) bool {
	return slices.ContainsFunc(input.Inputs, func(in input.Input) bool { return in.Name == name })
}

func writes(permissions map[string]string) (n int) {
	for _, level := range permissions {
		if level != "read" {
			n++
		}
	}
	return n
}
