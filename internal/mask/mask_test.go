package mask

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/golden"
)

// TestMasks masks the lines of the texts of testdata/masks.txtar, and redacts texts.
func TestMasks(t *testing.T) {
	golden.CompareTexts(t, "masks.txtar", map[string]func(text string) string{
		"masked lines, and the numbers of those that are exposed": func(text string) string {
			var s Set
			isMasked, exposed := s.Add(text)
			if want := len(s.Lines()) > 0; isMasked != want {
				t.Errorf("%q: got %t from Add, want %t", text, isMasked, want)
			}
			return fmt.Sprintf("%q %v", s.Lines(), exposed)
		},
		"redacted": func(text string) string {
			var s Set
			s.Add(`pass word <"&'>`)
			s.Add(`pass word <"&'>-long`)
			return s.Redact(text)
		},
	})
}

// runnersForms are texts with a mask in a form that a Set finds as the runner does, and near misses; base64 that goes on
// after the mask is found only by a Set.
var runnersForms = []struct{ value, text string }{
	{"plain-text", "a plain-text b"},
	{"plain-text", "PLAIN-TEXT"},
	{`"quote"`, "quote"},
	{"a&b", "a&"},
	{"less<more>&", `less<more>&`},
	{"less<more>&", `less\u003cmore\u003e\u0026`},
	{"next\u0085line", `next\u0085line`},
	{"tab\there", `tab\there`},
	{"back\bspace\x01", `back\bspace\u0001`},
	{`back\slash"`, `back\\slash\"`},
	{`say "it"`, `say \"it\"`},
	{"a b/c~d", "a+b%2Fc~d"},
	{`fifteen letters` + "é\"", `fifteen lettersé\"`},
	{"secret", "c2VjcmV0"},
	{"secrets", "c2VjcmV0cw=="},
	{"abcd", "Y2Q="},
	{"abcd", "Y2QK"},
	{"secrets", "eHNlY3JldHM="},
	{"secrets", "eHhzZWNyZXRz"},
}

// TestMatchesAny checks that a mask is found as it is, in base64 and in JSON exactly if the runner finds it, and in
// base64 also if it lacks its padding.
func TestMatchesAny(t *testing.T) {
	if found, byRunner := match("secrets", "c2VjcmV0c3h4"); !found || byRunner {
		t.Errorf("base64 that goes on: found %t, by the runner %t, want only the first", found, byRunner)
	}
	for _, test := range runnersForms {
		if got, want := match(test.value, test.text); got != want {
			t.Errorf("%q in %q: got %t, want %t as the runner", test.value, test.text, got, want)
		}
	}
}

// FuzzMatchesAny checks that whatever is found is found by the restated runner too, but for base64 that goes on, and
// that no form of a value is missed.
func FuzzMatchesAny(f *testing.F) {
	for _, seed := range runnersForms {
		f.Add(seed.value, seed.text)
	}
	f.Fuzz(func(t *testing.T, value, text string) {
		if !utf8.ValidString(value) || !utf8.ValidString(text) || len(value) > 1000 || len(text) > 10_000 {
			return
		}
		var s Set
		s.Add(value)
		inBase64 := false
		for _, line := range s.Lines() { // forms of this value, which chance does not find
			all := Forms(line)
			for _, form := range all {
				if !s.MatchesAny(form + text) {
					t.Errorf("%q in %q: not found", value, form+text)
				}
			}
			inText := func(form string) bool { return strings.Contains(text, form) }
			inBase64 = inBase64 || slices.ContainsFunc(all[len(all)-3:], inText)
		}
		if got, runner := match(value, text); got && !runner && !inBase64 {
			t.Errorf("%q in %q: found, but not by the runner", value, text)
		}
	})
}

// match reports whether a Set, and the runner, find a masked value in a text. The runner gets the lines that the Set
// prints.
func match(value, text string) (found, byRunner bool) {
	var s Set
	s.Add(value)
	runner := fakerunner.New()
	for _, line := range s.Lines() {
		runner.Secret(line)
	}
	return s.MatchesAny(text), runner.MatchesAny(text)
}

func TestUTF16Len(t *testing.T) {
	for text, want := range map[string]int{"": 0, "größe": 5, "世界": 2, "a😀b😀": 6, "\uFFFF": 1, "\xffa\xf0\x9f": 4} {
		if got := UTF16Len(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
