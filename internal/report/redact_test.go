package report

import (
	"cmp"
	"strings"
	"testing"

	"set-org-secret/internal/golden"
)

// TestTexts checks how the texts of testdata/texts.txtar are shown.
func TestTexts(t *testing.T) {
	r, _, _ := newReporter(t)
	r.masks.Add("MASKED_TEXT")
	golden.CompareTexts(t, "texts.txtar", map[string]func(text string) string{
		"line of the log":         r.sanitizeLine,
		"sentence of the summary": r.prose,
		"name in the summary":     r.code,
		"names of 6 characters": func(text string) string {
			return cmp.Or(listNames(strings.Fields(text), 6, strings.Clone), "none")
		},
	})
}

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
