package report

import (
	"strings"
	"testing"
)

// TestRedactBeforeEscape checks that a masked text is found although it has characters
// that are escaped, in the log and in the summary.
func TestRedactBeforeEscape(t *testing.T) {
	for _, masked := range []string{
		"Correct\tHorse", "Correct\x1bHorse", "Correct\u200bHorse", "Correct\u2028Horse", `Correct\"Horse`, "Correct##[Horse", "::Correct",
		"<Correct&Horse>",
	} {
		r, _, _ := newReporter(t)
		r.masks.Add(masked)
		const want = "before *** after"
		for place, show := range map[string]func(string) string{
			"log": r.sanitizeLine, "summary": r.html, "prose": r.prose,
			"code": func(text string) string { return plainText(r.code(text)) },
		} {
			if got := show("before " + masked + " after"); got != want {
				t.Errorf("%s: %q becomes %q, want %q", place, masked, got, want)
			}
		}
	}
}

// TestCutBetweenWords checks that no part of a word is shown, which may be a part of a text
// that an earlier step has masked.
func TestCutBetweenWords(t *testing.T) {
	const text = "one three-four fünf\nsix"
	for most := range len(text) {
		if got := strings.TrimSuffix(cut(text, most), "…"); got != "" && !strings.ContainsAny(got[len(got)-1:], " \n") {
			t.Errorf("cut to %d bytes: got %q, want whole words", most, got)
		}
	}
}
