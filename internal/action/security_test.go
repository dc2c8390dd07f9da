package action

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityNames checks that each test and scenario that SECURITY.md names exists, and that each promise names one.
func TestSecurityNames(t *testing.T) {
	page := string(readFile(t, root+"/SECURITY.md"))
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("got %d test files, error %v; want 10 or more", len(files), err)
	}
	var code strings.Builder
	for _, file := range files {
		code.Write(readFile(t, file))
	}
	isTest := regexp.MustCompile(`^(Test|Fuzz)\w+$`)
	isScenario := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	tests := func(text string) (n int) {
		for _, m := range inlineCode.FindAllStringSubmatch(text, -1) {
			switch name := m[1]; {
			case isTest.MatchString(name):
				n++
				if !strings.Contains(code.String(), "\nfunc "+name+"(") {
					t.Errorf("there is no test %s", name)
				}
			case isScenario.MatchString(name):
				n++
				if _, err := os.Stat("testdata/" + name + ".txtar"); err != nil {
					t.Errorf("there is no scenario %s: %v", name, err)
				}
			}
		}
		return n
	}
	tests(page)
	_, below, _ := strings.Cut(page, "\n## Promises\n")
	promises, _, _ := strings.Cut(below, "\n## ")
	rows := 0
	for line := range strings.Lines(promises) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| Promise") && !strings.HasPrefix(line, "| ---") {
			rows++
			if tests(line) == 0 && !strings.Contains(line, "See *From source") {
				t.Errorf("a promise names no test: %s", line)
			}
		}
	}
	if rows < 7 {
		t.Errorf("got %d promises, want 7 or more", rows)
	}
}
