// Package golden compares results with files of testdata. It is for tests, which -update lets rewrite the results:
//
//	go test ./internal/input -update
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

// Compare compares a text with a file of testdata.
func Compare(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff("want", want, "got", []byte(got)); d != nil {
		t.Errorf("%s:\n%s", path, d)
	}
}

// CompareRows compares the result of each row "given => result" of a txtar file. A result may have more lines, which
// are indented.
func CompareRows(t *testing.T, file string, result func(section, given string) string) {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	for i, section := range archive.Files {
		var got strings.Builder
		for line := range strings.Lines(string(section.Data)) {
			given, _, isRow := strings.Cut(line, " =>")
			switch {
			case line == "\n", line[0] == '#':
				got.WriteString(line)
			case line[0] == '\t': // of the result
			case isRow:
				got.WriteString(given + " =>" + result(section.Name, given) + "\n")
			default:
				t.Fatalf("%s: %s: got %q, want a row, a comment or a result", file, section.Name, line)
			}
		}
		archive.Files[i].Data = []byte(got.String())
	}
	Compare(t, file, string(txtar.Format(archive)))
}

// CompareTexts compares the result of each row of a txtar file with that of its section's function. Its argument is a
// Go literal, see [Literal].
func CompareTexts(t *testing.T, file string, sections map[string]func(text string) string) {
	t.Helper()
	CompareRows(t, file, func(section, given string) string {
		result := sections[section]
		if result == nil {
			t.Fatalf("%s: nothing reads the section %q", file, section)
		}
		return " " + result(Literal(t, given))
	})
}

var repeated = regexp.MustCompile(`\{([^{}*]+)\*(\d+)\}`)

// Literal returns the text of a Go literal, in which {x*9} is nine times x.
func Literal(t *testing.T, quoted string) string {
	t.Helper()
	text, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatalf("%s: %v", quoted, err)
	}
	return repeated.ReplaceAllStringFunc(text, func(match string) string {
		parts := repeated.FindStringSubmatch(match)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}
