package action

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"set-org-secret/internal/input"
	"set-org-secret/internal/report"
)

const root = "../.."

// TestImports holds the direction in which a secret travels: what a later
// station must not know, its imports can't reach.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Deps", root+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		deps[p.ImportPath] = p.Deps
	}
	const module = "set-org-secret"
	const goGitHub = "github.com/google/go-github/v60/github"
	forbidden := []struct{ from, to, why string }{
		{module, module + "/internal/fakegithub", "the fake must never be in the shipped binary"},
		{module, module + "/internal/fakerunner", "the fake must never be in the shipped binary"},
		{module, module + "/internal/memnet", "it is for tests"},
		{module, "testing", "it registers flags and weighs"},
		{module + "/internal/secret", "net/http", "nouns do no I/O"},
		{module + "/internal/secret", "os/exec", "nouns do no I/O"},
		{module + "/internal/input", "net/http", "faults of the input are told before any request"},
		{module + "/internal/input", module + "/internal/report", "input says what is wrong, report says it to people"},
		{module + "/internal/seal", "net/http", "sealing must work without a network"},
		{module + "/internal/report", module + "/internal/input", "a Config holds plaintexts, and report must have none to leak"},
		{module + "/internal/report", module + "/internal/seal", "report only shows what is sealed"},
		{module + "/internal/report", module + "/internal/upsert", "outcomes are nouns; how they came about is not report's business"},
		{module + "/internal/report", module + "/internal/github", "report sends nothing"},
		{module + "/internal/upsert", module + "/internal/input", "upsert knows what is wanted, not how it was said"},
		{module + "/internal/upsert", module + "/internal/github", "upsert names the calls it needs as an interface of its own"},
		{module + "/internal/upsert", goGitHub, "go-github's types stay behind package github"},
		{module + "/internal/upsert", module + "/internal/report", "telling is the caller's"},
		{module + "/internal/github", module + "/internal/input", "a Config holds plaintexts, and what goes out must be sealed"},
		{module + "/internal/github", module + "/internal/report", "github tells errors, report prints them"},
		{module + "/internal/fakegithub", module + "/internal/seal", "the fake judges by wire types of its own"},
		{module + "/internal/fakegithub", module + "/internal/secret", "the fake judges by wire types of its own"},
		{module + "/internal/fakerunner", module + "/internal/input", "the judge must not share the masks that it judges"},
	}
	for _, f := range forbidden {
		if deps[f.from] == nil {
			t.Errorf("there is no package %s", f.from)
		}
		if slices.Contains(deps[f.from], f.to) {
			t.Errorf("%s reaches %s: %s", f.from, f.to, f.why)
		}
	}
	for from := range deps {
		if strings.HasPrefix(from, module) && slices.Contains(directImports(t, from), goGitHub) && from != module+"/internal/github" {
			t.Errorf("%s imports go-github: its types stay behind package github", from)
		}
	}
}

func directImports(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, pkg).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// sources are the program's own files, tests aside.
func sources(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil || len(files) < 20 {
		t.Fatal("sources not found", err)
	}
	return files
}

// TestRevealCallers lists who may see a plaintext again once it is a Value.
func TestRevealCallers(t *testing.T) {
	allowed := []string{"internal/secret/value.go", "internal/seal/seal.go"}
	for path, text := range sources(t) {
		if strings.Contains(text, ".Reveal(") && !slices.Contains(allowed, path) {
			t.Errorf("%s calls Value.Reveal; a Value ends in package seal", path)
		}
	}
}

// TestNoGlobalIO holds what the house says of code below main.
func TestNoGlobalIO(t *testing.T) {
	for path, text := range sources(t) {
		if path == "main.go" || strings.HasPrefix(path, "internal/demo/") || strings.HasPrefix(path, "internal/action/testdata/") {
			continue
		}
		for _, word := range []string{"os.Exit(", "os.Stderr", "fmt.Print("} {
			if strings.Contains(text, word) {
				t.Errorf("%s has %s: only main ends the process, and all goes to the stdout that is handed in", path, word)
			}
		}
		if strings.Contains(text, "os.Getenv") && path != "internal/action/action.go" {
			t.Errorf("%s reads the environment, which is handed in", path)
		}
	}
}

// TestInterface holds action.yml, the README's tables and the program to one
// list of inputs and one of outputs.
func TestInterface(t *testing.T) {
	text, err := os.ReadFile(root + "/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var action struct {
		Inputs, Outputs yaml.Node
		Runs            map[string]string
	}
	if err := yaml.Unmarshal(text, &action); err != nil {
		t.Fatal(err)
	}
	readme := string(readFile(t, root+"/README.md"))

	var wantInputs []string
	for _, in := range input.Inputs {
		wantInputs = append(wantInputs, in.Name)
	}
	inputs, defaults := keys(t, &action.Inputs)
	if !slices.Equal(inputs, wantInputs) {
		t.Errorf("action.yml has the inputs %v, the program reads %v", inputs, wantInputs)
	}
	rows, columns := table(t, readme, "## Inputs")
	if !slices.Equal(rows, wantInputs) {
		t.Errorf("the README has the inputs %v, the program reads %v", rows, wantInputs)
	}
	for i, in := range input.Inputs {
		if defaults[in.Name] != in.Default {
			t.Errorf("default of %s: action.yml has %q, the program %q", in.Name, defaults[in.Name], in.Default)
		}
		if i < len(columns) && strings.Trim(columns[i][1], "` ") != in.Default {
			t.Errorf("default of %s: the README has %q, the program %q", in.Name, columns[i][1], in.Default)
		}
	}
	outputs, _ := keys(t, &action.Outputs)
	if !slices.Equal(outputs, report.OutputNames) {
		t.Errorf("action.yml has the outputs %v, the program writes %v", outputs, report.OutputNames)
	}
	if rows, _ := table(t, readme, "## Outputs"); !slices.Equal(rows, report.OutputNames) {
		t.Errorf("the README has the outputs %v, the program writes %v", rows, report.OutputNames)
	}
	if action.Runs["using"] != "docker" || action.Runs["image"] != "Dockerfile" || len(action.Runs) != 3 {
		t.Errorf("runs: %v", action.Runs)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// keys are the keys of a mapping in order, and what default each has.
func keys(t *testing.T, node *yaml.Node) (names []string, defaults map[string]string) {
	t.Helper()
	defaults = map[string]string{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		var entry struct{ Description, Default string }
		if err := node.Content[i+1].Decode(&entry); err != nil {
			t.Fatal(err)
		}
		name := node.Content[i].Value
		if entry.Description == "" {
			t.Errorf("%s has no description", name)
		}
		names, defaults[name] = append(names, name), entry.Default
	}
	return names, defaults
}

var code = regexp.MustCompile("^`([^`]+)`$")

// table reads the first table below a heading: the code in its first column, and
// the cells of each row.
func table(t *testing.T, markdown, heading string) (names []string, rows [][]string) {
	t.Helper()
	_, below, ok := strings.Cut(markdown, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the README has no %q", heading)
	}
	for line := range strings.Lines(below) {
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 || strings.HasPrefix(line, "## ") {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		m := code.FindStringSubmatch(cells[0])
		if m == nil {
			m = []string{"", ""}
		}
		if m[1] == "" && !strings.HasPrefix(cells[0], "`") {
			continue // the head, and the line below it
		}
		names, rows = append(names, m[1]), append(rows, cells)
	}
	return names, rows
}

// TestVersions holds each version to the one place in which it stands: the
// action's to Version, Go's to go.mod.
func TestVersions(t *testing.T) {
	readme := string(readFile(t, root+"/README.md"))
	uses := regexp.MustCompile(`OWNER/set-org-secret@(\S+)`).FindAllStringSubmatch(readme, -1)
	if len(uses) < 6 {
		t.Errorf("the README uses the action %d times", len(uses))
	}
	for _, use := range uses {
		if use[1] != Version {
			t.Errorf("the README uses %s, this is %s", use[1], Version)
		}
	}
	if !strings.Contains(string(readFile(t, root+"/CHANGELOG.md")), "\n## "+Version+"\n") {
		t.Errorf("the changelog has nothing about %s", Version)
	}
	toolchain := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindSubmatch(readFile(t, root+"/go.mod"))
	base := regexp.MustCompile(`(?m)^FROM golang:([0-9.]+)-alpine@sha256:[0-9a-f]{64} AS build$`).FindSubmatch(readFile(t, root+"/Dockerfile"))
	if toolchain == nil || base == nil || string(toolchain[1]) != string(base[1]) {
		t.Errorf("go.mod wants Go %q, the Dockerfile has %q", toolchain, base)
	}
}
