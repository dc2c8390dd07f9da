package input

import (
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"set-org-secret/internal/secret"
)

func fuzzed(env map[string]string) Result {
	s := source(env)
	s.Open = func(string) (fs.File, error) { return nil, os.ErrNotExist }
	return Read(s)
}

// FuzzBatch checks that no message about a batch shows a value, and that what is
// accepted is masked line by line, as far as masks go.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"A": "1\n", "b": "x"}`, "A=1\nB<<EOF\nx\ny\nEOF\n", `{"A": 5}`, "A<<\n", "x", "{", `{"A": "\ud83d"}`, "A='x'\r\n",
		"x=", "x==", "x=1\nx=2", "x<<E\nE", "A=\u8300\u2192",
	} {
		f.Add(seed, "Zq9vTs81Kd")
	}
	f.Fuzz(func(t *testing.T, text, plain string) {
		// A value long and odd enough that no message holds it by chance.
		if len(plain) < 10 || strings.ContainsFunc(plain, func(r rune) bool { return r < '0' || r > 'z' || r > '9' && r < 'A' || r > 'Z' && r < 'a' }) {
			return
		}
		text = strings.ReplaceAll(text, "x", plain)
		r := fuzzed(map[string]string{"INPUT_SECRETS": text, "INPUT_TOKEN": "t0ken", "GITHUB_REPOSITORY_OWNER": "acme"})
		for _, problem := range r.Problems {
			if strings.Contains(problem.Text, plain) && !publicName(text, plain) {
				t.Errorf("a problem shows the value: %s", problem)
			}
		}
		if len(r.Problems) > 0 {
			return
		}
		for _, e := range r.Config.Entries {
			value := string(e.Value.Reveal())
			trimmed := strings.TrimSpace(value)
			if !strings.ContainsAny(value, "\r\n") && utf8.RuneCountInString(trimmed) >= 4 && !slices.Contains(r.Masks.Lines(), trimmed) {
				t.Errorf("%s is not masked: %q of %q", e.Name, value, r.Masks.Lines())
			}
		}
	})
}

// publicName reports whether part of a batch is in a name: anywhere in JSON,
// where names and values are distinct, and in lines before a value.
func publicName(text, part string) bool {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return true
	}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && strings.Contains(name, part) && strings.Trim(value, "=\r") != "" {
			return true
		}
		if name, _, ok := strings.Cut(line, "<<"); ok && strings.Contains(name, part) && strings.Count(text, "\n") > 1 {
			return true
		}
	}
	return false
}

// FuzzLists checks that what is accepted as a name, a repository or an organization is
// one safe segment of a path.
func FuzzLists(f *testing.F) {
	for _, seed := range []string{"DB", "a,b", "../x", "GITHUB_X", "a/b", "%2e%2e", "svc-*", "!x", "none", "{a,b}", "a\x00b", "ACME/.."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := fuzzed(map[string]string{"INPUT_ORG": text, "INPUT_SECRET_NAME": text, "INPUT_SELECTED_REPOSITORIES": text, "INPUT_SECRET_VALUE": "value", "INPUT_TOKEN": "t0ken"})
		safe := func(what, s string) {
			if s == "." || s == ".." || s == "" || strings.ContainsAny(s, "/\\%?#\r\n\x00 ") {
				t.Errorf("%s %q passed", what, s)
			}
		}
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Input == "org" }) {
			safe("org", r.Config.Org)
		}
		for _, e := range r.Config.Entries {
			if e.Name != "" {
				safe("name", string(e.Name))
				if _, err := secret.ParseName(string(e.Name)); err != nil {
					t.Error(err)
				}
			}
		}
		if s := r.Config.Selection; s != nil {
			for _, name := range s.Names {
				safe("repository", name)
			}
		}
		for _, problem := range r.Problems {
			if strings.ContainsAny(problem.Text, "\r\n") {
				t.Errorf("a problem of two lines: %q", problem.Text)
			}
		}
	})
}
