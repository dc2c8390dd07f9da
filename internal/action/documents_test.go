package action

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns the README and the other documents for users, by their paths from
// the root of the repository.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(root + "/.github/docs/*.md")
	if err != nil || len(paths) < 3 {
		t.Fatalf("got the documents %q, error %v; want 3 or more", paths, err)
	}
	texts := map[string]string{"README.md": string(readFile(t, root+"/README.md"))}
	for _, file := range paths {
		texts[".github/docs/"+filepath.Base(file)] = string(readFile(t, file))
	}
	return texts
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)|src(?:set)?="([^"]+)"`)
	codeBlock  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	inlineCode = regexp.MustCompile("`([^`]+)`")
)

// TestDocumentLinks checks that each link within the repository has a target, and
// that each document can be reached from the README.
func TestDocumentLinks(t *testing.T) {
	texts := documents(t)
	linked := map[string]bool{}
	for file, text := range texts {
		for _, m := range link.FindAllStringSubmatch(codeBlock.ReplaceAllString(text, ""), -1) {
			target := m[1] + m[2]
			if strings.HasPrefix(target, "https://") {
				continue
			}
			to, anchor, _ := strings.Cut(target, "#")
			if to == "" {
				to = file
			} else {
				to = path.Join(path.Dir(file), to)
			}
			if file == "README.md" {
				linked[to] = true
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s links to %s, which does not exist", file, target)
			} else if anchor != "" && !slices.Contains(anchors(string(readFile(t, filepath.Join(root, to)))), anchor) {
				t.Errorf("%s links to %s, and there is no such heading; there are %q",
					file, target, anchors(string(readFile(t, filepath.Join(root, to)))))
			}
		}
	}
	for file := range texts {
		if file != "README.md" && !linked[file] {
			t.Errorf("the README does not link to %s", file)
		}
	}
}

// anchors returns the anchors that GitHub gives the headings of a document.
func anchors(markdown string) (list []string) {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(codeBlock.ReplaceAllString(markdown, "")) {
		heading := strings.TrimLeft(line, "#")
		if heading != line && strings.HasPrefix(heading, " ") {
			text := drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			list = append(list, strings.ReplaceAll(text, " ", "-"))
		}
	}
	return list
}

// TestExampleInDocument checks that the page about rotation shows a workflow as it runs in CI.
func TestExampleInDocument(t *testing.T) {
	page := documents(t)[".github/docs/rotation.md"]
	if !strings.Contains(page, "```yaml\n"+exampleFiles(t)["postgresql"]+"```\n") {
		t.Error("rotation.md does not show postgresql.yml as it is")
	}
}

// TestMigration checks that each input that the page about other tools names is one
// that the action has.
func TestMigration(t *testing.T) {
	page := documents(t)[".github/docs/migration.md"]
	rows := regexp.MustCompile(`(?m)^- .+ → (.+)$`).FindAllStringSubmatch(page, -1)
	for _, row := range rows {
		for _, m := range inlineCode.FindAllStringSubmatch(row[1], -1) {
			if name, _, _ := strings.Cut(m[1], ":"); !isInput(name) && !strings.HasPrefix(name, "$") {
				t.Errorf("migration.md has %q as an input, which the action does not have", name)
			}
		}
	}
	if len(rows) < 35 {
		t.Errorf("migration.md has %d rows, want 35 or more", len(rows))
	}
}

// TestDocumentSize checks that the README stays one that a stranger reads.
func TestDocumentSize(t *testing.T) {
	readme := documents(t)["README.md"]
	if lines, words := strings.Count(readme, "\n"), len(strings.Fields(readme)); lines > 230 || words > 1900 {
		t.Errorf("the README has %d lines and %d words, want at most 230 and 1,900", lines, words)
	}
}
