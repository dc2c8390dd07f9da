package input

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// names returns NAME=value of each entry.
func names(r Result) (list []string) {
	for _, e := range r.Config.Entries {
		list = append(list, string(e.Name)+"="+string(e.Value.Reveal()))
	}
	return list
}

// wantProblem checks that there is one problem, with a text.
func wantProblem(t *testing.T, what string, r Result, want string) {
	t.Helper()
	if len(r.Problems) != 1 {
		t.Errorf("%s: got %d problems, want 1:\n%s", what, len(r.Problems), texts(r))
	}
	if !strings.Contains(texts(r), want) {
		t.Errorf("%s: got %q, want %q", what, texts(r), want)
	}
}

// wantEntries checks that there is no problem, and the entries.
func wantEntries(t *testing.T, what string, r Result, want ...string) {
	t.Helper()
	if len(r.Problems) > 0 {
		t.Errorf("%s: got problems, want none:\n%s", what, texts(r))
	}
	if got := names(r); !slices.Equal(got, want) {
		t.Errorf("%s: got the entries %q, want %q", what, got, want)
	}
}

// TestRanges checks that each valid range matches a character exactly if it has that character in either case.
func TestRanges(t *testing.T) {
	const characters = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	valid := 0
	for i, first := range characters {
		for _, last := range characters[i:] {
			p, _, err := parseRepository(fmt.Sprintf("[%c-%c]", first, last), "acme")
			if err != nil {
				continue
			}
			valid++
			for _, c := range characters {
				has := func(c rune) bool { return first <= c && c <= last }
				if got, want := p.Match(string(c)), has(unicode.ToLower(c)) || has(unicode.ToUpper(c)); got != want {
					t.Errorf("%s matches %c: got %v, want %v", p.Glob, c, got, want)
				}
			}
		}
	}
	if want := 10*11/2 + 2*26*27/2; valid != want {
		t.Errorf("got %d valid ranges, want %d: of two digits, and of two letters of one case", valid, want)
	}
}
