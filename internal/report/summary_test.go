package report

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/secret"
)

// FuzzHTML checks that no text becomes an element or an entity in the summary, and that a browser shows it as the log
// does, so that the runner can hide it.
func FuzzHTML(f *testing.F) {
	for _, seed := range []string{
		"a | b", "<script>&amp;</script>", "[x](javascript:y)", "a\n# heading", "`a` \"b\" 'c'", "&lt;b&gt;", "https://x.example/<b>?a=\"&b",
		"masked-text", "x.masked-text_",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, _, _ := newReporter(t)
		r.masks.Add("masked-text")
		want := r.sanitizeLine(text)
		if got := r.html(text); strings.ContainsAny(got, "<>\"'") || html.UnescapeString(got) != want {
			t.Fatalf("%q becomes %q, want %q without markup", text, got, want)
		}
		if got := plainText(r.prose(text)); got != want && !strings.Contains(want, "`") {
			t.Fatalf("%q is shown as %q, want %q", text, got, want)
		}
		if len([]rune(want)) <= maxShown {
			if got := plainText(r.code(text)); got != want {
				t.Fatalf("the name %q is shown as %q, want %q", text, got, want)
			}
		}
	})
}

// TestTextFromOutside checks that text from outside cannot add an element, wherever it is shown.
func TestTextFromOutside(t *testing.T) {
	r, _, _ := newReporter(t)
	const text = "a<b>\n\n## c</code></pre>"
	result := secret.Result{
		Store: secret.Actions, Name: text, Operation: secret.Updated, Sealed: secret.Sealed{KeyID: text, EncryptedValue: "x"},
		Access: secret.Access{Visibility: text},
		Change: secret.Change{From: text, To: text, Added: []secret.Repository{{ID: 1, FullName: text}}},
	}
	listed := result
	listed.Access = secret.Access{Visibility: secret.Selected, Repositories: result.Change.Added}
	listed.Check = &secret.Check{Existing: secret.Existing{Exists: true, Listed: true}}
	failed := failing(text, secret.Failed, &secret.Error{Op: text, Problem: text, Cause: text, Hint: text, RequestID: text})
	for name, run := range map[string]Run{
		"set":      {Mode: secret.ModeSet, Results: []secret.Result{result, failed}},
		"seal":     {Mode: secret.ModeSeal, Results: []secret.Result{result, failed}},
		"check":    {Mode: secret.ModeCheck, ListRepositories: true, Results: []secret.Result{listed, failed}},
		"rejected": {Mode: secret.ModeSet, Problems: []string{text}, Where: text},
	} {
		run.Results = r.clean(run.Results)
		run.Org, run.APIURL.Host = text, "api.github.com"
		summary := r.summary(decide(run, roomy))
		if strings.Contains(summary, "\n\n") {
			t.Errorf("%s: an empty line ends the HTML:\n%s", name, summary)
		}
		for _, pair := range []string{"b", "code", "pre", "table", "details", "ul", "p"} {
			opened := len(regexp.MustCompile("<"+pair+"[ >]").FindAllString(summary, -1))
			if closed := strings.Count(summary, "</"+pair+">"); opened != closed {
				t.Errorf("%s: %d elements %s are opened and %d closed:\n%s", name, opened, pair, closed, summary)
			}
		}
		if got := strings.Count(summary, "a&lt;b&gt;"); got == 0 {
			t.Errorf("%s: the text is not shown:\n%s", name, summary)
		}
	}
}

// TestSummaryLimits checks summaries that do not fit whole: each value with a place in the script is in it,
// and omitted rows and failures are counted.
func TestSummaryLimits(t *testing.T) {
	long := strings.Repeat("N", 250)
	stored := func(i int) secret.Result {
		return secret.Result{
			Store: secret.Dependabot, Name: secret.Name(fmt.Sprintf("%s_%04d", long, i)), Operation: secret.Created, Access: private,
		}
	}
	failed := func(reason func(i int) string) func(i int) secret.Result {
		return func(i int) secret.Result {
			result := stored(i)
			result.Operation, result.KeyID = secret.Failed, strings.Repeat("1", 128)
			result.Access = secret.Access{Visibility: secret.Selected}
			for id := range 5 {
				result.Access.Repositories = append(result.Access.Repositories, secret.Repository{ID: 1e18 + int64(id)})
			}
			result.Err, result.EncryptedValue = &secret.Error{Problem: reason(i)}, strings.Repeat("A", 800)
			return result
		}
	}
	alike := func(int) string { return "x" }
	different := func(i int) string { return fmt.Sprint("reason ", i, strings.Repeat("'", 1000)) }
	for _, test := range []struct {
		name          string
		n             int
		result        func(int) secret.Result
		rows, scripts int // at least
		note          string
	}{
		{"a table that fits", 2000, stored, 2000, 0, ""},
		{"a table that is too long", 9000, stored, 3000, 0, " more rows (size limit of the summary; see the log)"},
		{"failures that fit", 200, failed(alike), 0, 200, ""},
		{"failures that do not fit", 2000, failed(alike), 0, 150, ""},
		{"reasons that do not fit", 2000, failed(different), 0, 150, " more failures (size limit of the summary; see the log)"},
	} {
		run := Run{Mode: secret.ModeSet, Org: "acme"}
		for i := range test.n {
			run.Results = append(run.Results, test.result(i))
		}
		r, _, _ := newReporter(t)
		d := decide(run, limits{outputs: 200_000, summary: maxSummaryBytes})
		text := r.summary(d)
		if len(text) > maxSummaryBytes {
			t.Errorf("%s: got %d bytes, want at most %d", test.name, len(text), maxSummaryBytes)
		}
		if got := strings.Count(text, "<tr><td>"); got < test.rows {
			t.Errorf("%s: got %d rows, want %d or more", test.name, got, test.rows)
		}
		placed := len(filter(d.entries, func(e *entry) bool { return e.place.has(inScript) }))
		if got := strings.Count(text, "gh api --silent"); got != placed || got < test.scripts {
			t.Errorf("%s: got %d commands for %d values with a place in the script, want all, and %d or more",
				test.name, got, placed, test.scripts)
		}
		if got := strings.Contains(text, "size limit"); got != (test.note != "") || !strings.Contains(text, test.note) {
			t.Errorf("%s: a note about the size limit: %v, want %q", test.name, got, test.note)
		}
	}
}

// TestSavedIn checks that a failure names the files that have its value: none that does not exist, could not be written
// or has no room. TestRuns has the texts.
func TestSavedIn(t *testing.T) {
	const outputs, summary, nowhere = "Saved, sealed, in this step's outputs.", "Saved, sealed, in the job summary.", "The value is not saved."
	dir, long := t.TempDir(), strings.Repeat("A", maxOutputUnits)
	for _, test := range []struct {
		name   string
		change map[string]string // of the environment
		value  string
		want   string
		err    string
	}{
		{"no summary", map[string]string{"GITHUB_STEP_SUMMARY": ""}, "x", outputs, ""},
		{"summary not writable", map[string]string{"GITHUB_STEP_SUMMARY": dir}, "x", outputs, "the step-summary file is not writable"},
		{"outputs not writable", map[string]string{"GITHUB_OUTPUT": dir}, "x", summary, "the output file is not writable"},
		{"neither", map[string]string{"GITHUB_OUTPUT": dir, "GITHUB_STEP_SUMMARY": dir}, "x", nowhere, "the value of A is not saved"},
		{"no room, summary not writable", map[string]string{"GITHUB_STEP_SUMMARY": dir}, long, nowhere, "the value of A is not saved"},
	} {
		r, stdout, env := newReporter(t)
		maps.Copy(env, test.change)
		result := unstored("A", secret.Failed, private, errors.New("x"))
		result.EncryptedValue = test.value
		err := r.Finish(Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{result}})
		if test.err != "" {
			wantError(t, test.name, err, test.err)
		} else if err != nil {
			t.Errorf("%s: got error %v, want none", test.name, err)
		}
		annotations := fakerunner.New().Process(stdout.String()).Annotations
		if got := annotations[len(annotations)-1].Message; !strings.HasSuffix(got, " again.\n  "+test.want) {
			t.Errorf("%s: got %q, want %q at its end", test.name, got, test.want)
		}
		if test.want == summary && !strings.Contains(plainText(readFile(t, env["GITHUB_STEP_SUMMARY"])), summary) {
			t.Errorf("%s: the summary lacks %q", test.name, summary)
		}
	}
}

// TestManyProblems checks that the annotation and the summary of a rejected run list as many of 1,000 problems as fit,
// and show no part of a masked text.
func TestManyProblems(t *testing.T) {
	masked := strings.Repeat("masked-text-", 300)
	for _, test := range []struct {
		name                 string
		n                    int
		problem              string
		annotated, inSummary int
		more                 string
	}{
		{"short", 600, "short", 478, 600, ""}, // an annotation uses all of its room
		{"that grow most", 200, strings.Repeat("\" ", 2500), 1, 50, " more problems (size limit of the summary; see the log)"},
		{"one for each line of a batch", 3000, "one problem of many", 100, 1000, "<li>and 2,000 more problems</li>"},
		{"masked", 2, "echoed: " + masked, 2, 2, ""},
	} {
		r, stdout, env := newReporter(t)
		r.masks.Add(masked)
		run := Run{Mode: secret.ModeSet, Problems: slices.Repeat([]string{test.problem}, test.n), Where: "in the inputs"}
		_ = r.Finish(run)
		log := fakerunner.New().Process(stdout.String())
		if len(log.Annotations) != 1 {
			t.Fatalf("%s: got %d annotations, want 1", test.name, len(log.Annotations))
		}
		message := log.Annotations[0].Message
		title := secret.Count(test.n, "problem") + " in the inputs; nothing was sent to GitHub\n  What to do: "
		if len(message) > 4096 || !strings.HasPrefix(message, title) {
			t.Errorf("%s: the annotation has %d bytes and is %.100q, want at most 4,096 and %q first", test.name, len(message), message, title)
		}
		if got := strings.Count(message, "\n  ") - 1; got < test.annotated || got < test.n && !strings.HasSuffix(message, " …") {
			t.Errorf("%s: the annotation has %d problems and ends in %q, want %d or more and whole words",
				test.name, got, message[len(message)-8:], test.annotated)
		}
		summary := readFile(t, env["GITHUB_STEP_SUMMARY"])
		if len(summary) > maxSummaryBytes {
			t.Errorf("%s: the summary has %d bytes, want at most %d", test.name, len(summary), maxSummaryBytes)
		}
		if got := strings.Count(summary, "<li>"); got < test.inSummary || !strings.Contains(summary, test.more) {
			t.Errorf("%s: the summary lists %d problems, want %d or more and %q", test.name, got, test.inSummary, test.more)
		}
		if text := stdout.String() + summary; strings.Contains(text, "masked-text") {
			t.Errorf("%s: a masked text is shown: %.300q", test.name, text)
		}
	}
}

// TestCheckRows checks which rows of a check are folded: never those that are due. TestRuns has their order.
func TestCheckRows(t *testing.T) {
	r, _, _ := newReporter(t)
	for _, test := range []struct {
		rows, due     int
		plain, folded int // rows before the fold, and in it
		title         string
	}{
		{foldRows, 0, foldRows, 0, ""},
		{foldRows, 2, foldRows, 0, ""},
		{foldRows + 1, 0, 0, foldRows + 1, "<summary>✅ 26 secrets within 30 days</summary>"},
		{40, 3, 3, 37, "<summary>✅ 37 secrets within 30 days</summary>"},
		{40, 40, 40, 0, ""},
	} {
		text := "check, days=30:" + strings.Repeat(" S checked days=31;", test.due) + strings.Repeat(" S checked days=1;", test.rows-test.due)
		run, _ := parseRun(t, text)
		plain, folded, _ := strings.Cut(r.summary(decide(run, roomy)), "<details>")
		got := [3]int{strings.Count(plain, "<tr><td>"), strings.Count(folded, "<tr><td>"), strings.Count(plain, "🔴 <code>")}
		if want := [3]int{test.plain, test.folded, test.due}; got != want {
			t.Errorf("%d rows, %d due: got %v rows before the fold, in it, and due before it, want %v", test.rows, test.due, got, want)
		}
		if !strings.HasPrefix(folded, test.title) {
			t.Errorf("%d rows, %d due: the fold begins with %.100q, want %q", test.rows, test.due, folded, test.title)
		}
	}
}
