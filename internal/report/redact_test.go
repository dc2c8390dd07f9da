package report

import (
	"errors"
	"strings"
	"testing"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/secret"
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

// TestSavedNowhere checks that a sealed value is lost, and not called saved, if neither
// file could be written after the run.
func TestSavedNowhere(t *testing.T) {
	for _, isOverLimit := range []bool{false, true} {
		r, stdout, env := newReporter(t)
		env["GITHUB_STEP_SUMMARY"] = t.TempDir() // a directory
		results := []secret.Result{unstored("A", secret.Failed, private, errors.New("x"))}
		if isOverLimit { // so that the summary was the only place
			results[0].EncryptedValue = strings.Repeat("A", maxOutputUnits)
		} else {
			env["GITHUB_OUTPUT"] = t.TempDir()
		}
		err := r.Finish(Run{Mode: secret.ModeSet, Org: "acme", Results: results})
		wantError(t, "Finish", err, "the value of A is not saved")
		annotations := fakerunner.New().Process(stdout.String()).Annotations
		got := annotations[len(annotations)-1].Message
		if !strings.Contains(got, "The value is not saved.") || strings.Contains(got, "Saved") {
			t.Errorf("got the error %q, want one that says that the value is not saved", got)
		}
	}
}

// TestCheckFilesFirst checks that a run is rejected whose outputs would be lost.
func TestCheckFilesFirst(t *testing.T) {
	r, _, env := newReporter(t)
	env["GITHUB_OUTPUT"] = ""
	wantError(t, "CheckFiles", r.CheckFiles(), "GITHUB_OUTPUT is not set: this step's outputs would be lost")
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
