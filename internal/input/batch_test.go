package input

import (
	"strings"
	"testing"
)

// TestDepth checks that JSON that is nested deeper than 100 is rejected even if the
// nested value is left out, and that depth counts outside of strings only.
func TestDepth(t *testing.T) {
	nest := func(open, value, end string, depth int) string {
		return `{"A": "x", "B": ` + strings.Repeat(open, depth-1) + value + strings.Repeat(end, depth-1) + "}"
	}
	for _, text := range []string{
		nest("[", `"[[{{\"["`, "]", 100), nest(`{"C":`, "1", "}", 100), nest("[", strings.Repeat("[],{},", 200)+"2", "]", 2),
	} {
		wantEntries(t, text, read(t, with{"secrets": text, "secret_name": "A"}), "A=x")
	}
	for _, text := range []string{nest("[", "1", "]", 101), nest(`{"C":`, "{}", "}", 100), nest("[", "", "", 200_000)} {
		r := read(t, with{"secrets": text, "secret_name": "A"})
		wantProblem(t, text[:20], r, "secrets: nested deeper than 100, and only an object of strings can be stored")
	}
}
