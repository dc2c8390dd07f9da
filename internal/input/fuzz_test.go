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

// readOnlyEnv reads inputs from env alone: there are no files.
func readOnlyEnv(env map[string]string) Result {
	s := source(env)
	s.Open = func(string) (fs.File, error) { return nil, os.ErrNotExist }
	return Read(s)
}

// FuzzBatch checks that no problem of a batch shows a value, and that every value that is read and can be masked is.
func FuzzBatch(f *testing.F) {
	for _, seed := range []string{
		`{"A": "1\n", "b": "x"}`, "A=1\nB<<EOF\nx\ny\nEOF\n", `{"A": 5}`, "A<<\n", "x", "{", `{"A": "\ud83d"}`,
		"A='x'\r\n", "x=", "x==", "x=1\nx=2", "x<<E\nE", "A=\u8300\u2192",
	} {
		f.Add(seed, "Zq9vTs81Kd")
	}
	isOther := func(r rune) bool {
		return !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", r)
	}
	f.Fuzz(func(t *testing.T, text, plain string) {
		// Only a long value is in no message by chance.
		if len(plain) < 10 || strings.ContainsFunc(plain, isOther) {
			return
		}
		text = strings.ReplaceAll(text, "x", plain)
		r := readOnlyEnv(map[string]string{
			"INPUT_SECRETS": text, "INPUT_TOKEN": "t0ken", "GITHUB_REPOSITORY_OWNER": "acme",
		})
		if !isInName(text, plain) {
			for _, p := range r.Problems {
				if strings.Contains(p.Text, plain) {
					t.Errorf("got the problem %q, want it without the value %q", p, plain)
				}
			}
		}
		if len(r.Problems) > 0 {
			return
		}
		for _, e := range r.Config.Entries {
			checkMasked(t, r, e)
		}
	})
}

// checkMasked checks that a value is masked if it has one line that is long enough.
func checkMasked(t *testing.T, r Result, e Entry) {
	t.Helper()
	value := string(e.Value.Reveal())
	trimmed := strings.TrimSpace(value)
	if strings.ContainsAny(value, "\r\n") || utf8.RuneCountInString(trimmed) < 4 {
		return
	}
	if !slices.Contains(r.Masks.Lines(), trimmed) {
		t.Errorf("%s: got the masks %q, want one for %q", e.Name, r.Masks.Lines(), trimmed)
	}
}

// isInName reports whether part may be in the name of a secret, which messages quote: anywhere in JSON, and in other
// formats before a value.
func isInName(text, part string) bool {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return true
	}
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, "=")
		if ok && strings.Contains(name, part) && strings.Trim(value, "=\r") != "" {
			return true
		}
		name, _, ok = strings.Cut(line, "<<")
		if ok && strings.Contains(name, part) && strings.Count(text, "\n") > 1 {
			return true
		}
	}
	return false
}

// FuzzPathSegments checks that an accepted name, repository or organization is one safe segment of a path, and that
// each problem is one line.
func FuzzPathSegments(f *testing.F) {
	for _, seed := range []string{
		"DB", "a,b", "../x", "GITHUB_X", "a/b", "%2e%2e", "svc-*", "!x", "none", "{a,b}", "a\x00b", "ACME/..",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := readOnlyEnv(map[string]string{
			"INPUT_ORG": text, "INPUT_SECRET_NAME": text, "INPUT_SELECTED_REPOSITORIES": text,
			"INPUT_SECRET_VALUE": "value", "INPUT_TOKEN": "t0ken",
		})
		for _, p := range r.Problems {
			if strings.ContainsAny(p.Text, "\r\n") {
				t.Errorf("got the problem %q, want one line", p.Text)
			}
		}
		if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Input == "org" }) {
			checkSegment(t, "org", r.Config.Org)
		}
		for _, e := range r.Config.Entries {
			if e.Name == "" {
				continue
			}
			checkSegment(t, "name", string(e.Name))
			if _, err := secret.ParseName(string(e.Name)); err != nil {
				t.Errorf("name %q: got the error %v, want none", e.Name, err)
			}
		}
		if s := r.Config.Selection; s != nil {
			for _, name := range s.Names {
				checkSegment(t, "repository", name)
			}
		}
	})
}

func checkSegment(t *testing.T, what, s string) {
	t.Helper()
	if slices.Contains([]string{"", ".", ".."}, s) {
		t.Errorf("got the %s %q, want it rejected", what, s)
	}
	if strings.ContainsAny(s, "/\\%?#\r\n\x00 ") {
		t.Errorf("got the %s %q, want it rejected for its characters", what, s)
	}
}
