package action

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"set-org-secret/internal/input"
)

const root = "../.."

// TestImports checks the direction in which data flows: a package cannot reach the
// packages that it must not know.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", root+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps, imports := map[string][]string{}, map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath    string
			Imports, Deps []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		deps[p.ImportPath], imports[p.ImportPath] = p.Deps, p.Imports
	}
	const module = "set-org-secret"
	const goGitHub = "github.com/google/go-github/v60/github"
	forbidden := []struct{ from, to, why string }{
		{module, module + "/internal/fakegithub", "the fake must never be in the shipped binary"},
		{module, module + "/internal/fakerunner", "the fake must never be in the shipped binary"},
		{module, module + "/internal/memnet", "it is for tests"},
		{module, "testing", "it registers flags and enlarges the binary"},
		{module + "/internal/secret", "net/http", "the shared types do no I/O"},
		{module + "/internal/secret", "os/exec", "the shared types do no I/O"},
		{module + "/internal/input", "net/http", "problems of the inputs are reported before any request"},
		{module + "/internal/input", module + "/internal/report", "input returns problems, report prints them"},
		{module + "/internal/seal", "net/http", "sealing must work without a network"},
		{module + "/internal/report", module + "/internal/input", "a Config contains plaintexts, which report must not have"},
		{module + "/internal/report", module + "/internal/seal", "report only shows what is sealed"},
		{module + "/internal/report", module + "/internal/upsert", "report needs the results only, not how they came about"},
		{module + "/internal/report", module + "/internal/github", "report sends nothing"},
		{module + "/internal/upsert", module + "/internal/input", "upsert does not depend on how a run is configured"},
		{module + "/internal/upsert", module + "/internal/report", "upsert returns results, its caller reports them"},
		{module + "/internal/github", module + "/internal/input", "a Config contains plaintexts, and github sends sealed values"},
		{module + "/internal/github", module + "/internal/report", "github returns errors, report prints them"},
		{module + "/internal/fakegithub", module + "/internal/seal", "the fake has wire types of its own"},
		{module + "/internal/fakerunner", module + "/internal/input", "the fake must not share what it checks"},
		{module + "/internal/fakerunner", module + "/internal/mask", "the fake must not share the masks that it checks"},
	}
	for _, f := range forbidden {
		if deps[f.from] == nil {
			t.Errorf("there is no package %s", f.from)
		}
		if slices.Contains(deps[f.from], f.to) {
			t.Errorf("%s reaches %s: %s", f.from, f.to, f.why)
		}
	}
	for from, list := range imports {
		isOurs := strings.HasPrefix(from, module) && from != module+"/internal/github"
		if isOurs && slices.Contains(list, goGitHub) {
			t.Errorf("%s imports go-github: its types stay in package github", from)
		}
	}
}

// TestCallers lists the files outside of tests that may contain a call: only package
// seal reads the plaintext of a Value, and only main exits, prints to the process's own
// stdout, or reads its environment.
func TestCallers(t *testing.T) {
	files := 0
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
		isSource := strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go")
		if err != nil || !isSource || strings.Contains(path, "testdata") {
			return err
		}
		files++
		text := string(readFile(t, filepath.Join(root, path)))
		const commands = "main.go internal/release/main.go internal/demo/*.go"
		for call, allowed := range map[string]string{
			".Reveal(":   "internal/secret/value.go internal/seal/seal.go",
			"os.Exit(":   commands,
			"os.Stderr":  commands,
			"fmt.Print(": commands,
			"os.Getenv":  commands + " internal/action/action.go",
		} {
			isAllowed := slices.ContainsFunc(strings.Fields(allowed), func(pattern string) bool {
				matches, _ := filepath.Match(pattern, path)
				return matches
			})
			if strings.Contains(text, call) && !isAllowed {
				t.Errorf("%s has %s, which only these may have: %s", path, call, allowed)
			}
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("found %d source files, error %v; want 20 or more", files, err)
	}
}

// TestInputTables checks that the program, action.yml and the reference have the same
// inputs and outputs, the last two in the same order, and that the README has some of them.
func TestInputTables(t *testing.T) {
	var action struct {
		Description     string
		Inputs, Outputs yaml.Node
		Runs            map[string]string
	}
	if err := yaml.Unmarshal(readFile(t, root+"/action.yml"), &action); err != nil {
		t.Fatal(err)
	}
	texts := documents(t)
	readme, reference := texts["README.md"], texts[".github/docs/reference.md"]
	inputs, defaults := keys(t, &action.Inputs)
	outputs, _ := keys(t, &action.Outputs)

	names, given := entries(t, reference, "## Inputs")
	wantEqual(t, "inputs of the reference", names, inputs)
	var all []string
	for _, in := range input.Inputs {
		all = append(all, in.Name)
		wantEqual(t, "default in action.yml of "+in.Name, defaults[in.Name], in.Default)
		wantEqual(t, "default in the reference of "+in.Name, given[in.Name], in.Default)
	}
	wantEqual(t, "inputs, sorted", slices.Sorted(slices.Values(inputs)), slices.Sorted(slices.Values(all)))
	names, _ = entries(t, reference, "## Outputs")
	wantEqual(t, "outputs of the reference", names, outputs)
	wantEqual(t, "outputs of action.yml", outputs, outputNames)

	for heading, all := range map[string][]string{"## Inputs": inputs, "## Outputs": outputs} {
		names, _ = table(t, readme, heading)
		isOther := func(name string) bool { return !slices.Contains(all, name) }
		if len(names) < 4 || slices.ContainsFunc(names, isOther) {
			t.Errorf("the README has %q below %s, want 4 or more of %q", names, heading, all)
		}
	}
	if len(action.Description) > 124 {
		t.Errorf("the description has %d characters, want at most 124", len(action.Description))
	}
	wantEqual(t, "runs.using", action.Runs["using"], "docker")
	wantEqual(t, "runs.image", action.Runs["image"], "Dockerfile")
	wantEqual(t, "keys of runs", len(action.Runs), 3)
}

var listEntry = regexp.MustCompile("(?m)^- `(\\w+)`(?: \\(default `([^`]+)`\\))?: ")

// section returns the text below a heading, up to the next of its level.
func section(t *testing.T, markdown, heading string) string {
	t.Helper()
	_, below, ok := strings.Cut(markdown, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the document has no %q", heading)
	}
	below, _, _ = strings.Cut(below, "\n## ")
	return below
}

// entries returns the names in a list below a heading, and their defaults.
func entries(t *testing.T, markdown, heading string) (names []string, defaults map[string]string) {
	t.Helper()
	defaults = map[string]string{}
	for _, m := range listEntry.FindAllStringSubmatch(section(t, markdown, heading), -1) {
		names, defaults[m[1]] = append(names, m[1]), m[2]
	}
	return names, defaults
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// keys returns the keys of a mapping in order, and the default of each.
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
			t.Errorf("%s in action.yml has no description", name)
		}
		names, defaults[name] = append(names, name), entry.Default
	}
	return names, defaults
}

// table reads the first table below a heading: the cells of each row whose first one is
// code, and that code.
func table(t *testing.T, markdown, heading string) (names []string, rows [][]string) {
	t.Helper()
	_, text, _ := strings.Cut(section(t, markdown, heading), "\n|")
	text, _, _ = strings.Cut(text, "\n\n")
	for line := range strings.SplitSeq(text, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if strings.HasPrefix(cells[0], "`") { // neither the header nor the line below it
			names, rows = append(names, strings.Trim(cells[0], "`")), append(rows, cells)
		}
	}
	return names, rows
}

// TestVersions checks that the action's version agrees with Version, and Go's with
// go.mod, wherever they are written.
func TestVersions(t *testing.T) {
	uses := 0
	for file, text := range documents(t) {
		for _, use := range regexp.MustCompile(`<OWNER>/set-org-secret@(?:COMMIT # )?(\S+)`).FindAllStringSubmatch(text, -1) {
			uses++
			if use[1] != Version {
				t.Errorf("%s uses %s, want %s", file, use[1], Version)
			}
		}
	}
	if uses < 6 {
		t.Errorf("the documents use the action %d times, want 6 or more", uses)
	}
	if !strings.Contains(string(readFile(t, root+"/CHANGELOG.md")), "\n## ["+strings.TrimPrefix(Version, "v")+"] - ") {
		t.Errorf("the changelog has nothing about %s", Version)
	}
	goVersion := func(file, pattern string) string {
		m := regexp.MustCompile(pattern).FindSubmatch(readFile(t, root+"/"+file))
		if m == nil {
			t.Fatalf("no Go version in %s", file)
		}
		return string(m[1])
	}
	const image = `(?m)^FROM golang:([0-9.]+)-alpine@sha256:[0-9a-f]{64} AS build$`
	wantEqual(t, "Go in the Dockerfile", goVersion("Dockerfile", image), goVersion("go.mod", `(?m)^toolchain go(\S+)$`))
}
