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
	name := regexp.MustCompile("`((?:Test|Fuzz)\\w+|[a-z]+(?:-[a-z]+)+)`")
	for _, m := range name.FindAllStringSubmatch(page, -1) {
		_, err := os.Stat("testdata/" + m[1] + ".txtar")
		if err != nil && !strings.Contains(code.String(), "\nfunc "+m[1]+"(") {
			t.Errorf("there is no test or scenario %s", m[1])
		}
	}
	rows := regexp.MustCompile(`(?m)^\| .*`).FindAllString(section(t, page, "## Promises"), -1)
	if len(rows) < 2+7 { // below the header
		t.Fatalf("got %d rows, want 9 or more", len(rows))
	}
	for _, row := range rows[2:] {
		if !name.MatchString(row) && !strings.Contains(row, "See *From source") {
			t.Errorf("a promise names no test: %s", row)
		}
	}
}
