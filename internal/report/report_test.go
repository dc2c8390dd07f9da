package report

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// newReporter returns a Reporter with its output and the environment that it reads, which a test may change.
func newReporter(t *testing.T) (r *Reporter, stdout *bytes.Buffer, env map[string]string) {
	t.Helper()
	stdout = &bytes.Buffer{}
	env = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(t.TempDir(), "output"),
		"GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary"),
	}
	getenv := func(name string) string { return env[name] }
	return New(stdout, getenv, &mask.Set{}, "delimiter_x"), stdout, env
}

// FuzzSanitizeLine checks that no text can add a workflow command or a line, in the log and in an annotation.
func FuzzSanitizeLine(f *testing.F) {
	for _, seed := range []string{
		"::error::x", "  ::error::x", "a\n::error::x", "a\r::error::b", "a ##[add-mask]x", "\x1b[31mred", "a\r\n##[error]y", "\u2028::add-mask::a", "%0A::x::", "##\u200b[error]z", ":\u00ad:error::x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.TrimSpace(text) == "" {
			return // an empty message makes no annotation
		}
		r, stdout, _ := newReporter(t)
		r.lines(text)
		r.Warn(text)
		log := fakerunner.New().Process(stdout.String())
		if want := []string{"warning"}; !slices.Equal(log.Commands, want) {
			t.Fatalf("commands %q, want %q", log.Commands, want)
		}
		if len(log.Annotations) != 1 {
			t.Fatalf("%d annotations, want 1", len(log.Annotations))
		}
		if len(log.Lines) != 2 {
			t.Fatalf("lines %q, want 2", log.Lines)
		}
	})
}

// FuzzOutputs checks that the runner reads back exactly the outputs that were written.
func FuzzOutputs(f *testing.F) {
	f.Add("created", "[{}]", "568")
	f.Add("a\nb", "results<<delimiter_x\nforged\ndelimiter_x", "")
	f.Add("delimiter_y\n", "EOF", "\r\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		r, _, env := newReporter(t)
		var want []output
		for i, value := range []string{a, b, c} {
			// The delimiter is random, so no value contains it. The runner reads UTF-8 and normalizes line ends.
			if strings.Contains(value, r.delimiter) || strings.ContainsAny(value, "\r\x00\ufeff") ||
				strings.ToValidUTF8(value, "") != value {
				return
			}
			want = append(want, output{fmt.Sprint("name_", i), value})
		}
		if err := r.writeOutputs(want); err != nil {
			t.Fatal(err)
		}
		got, order, err := fakerunner.ParseOutputs(readFile(t, env["GITHUB_OUTPUT"]))
		if err != nil {
			t.Fatal(err)
		}
		if len(order) != len(want) {
			t.Fatalf("%d outputs, want %d", len(order), len(want))
		}
		for _, o := range want {
			if got[o.name] != o.value {
				t.Fatalf("%s is %q, want %q", o.name, got[o.name], o.value)
			}
		}
	})
}

// TestAnnotations checks that there are never more annotations than GitHub keeps, and that the log has each failure, and
// each warning past those, once.
func TestAnnotations(t *testing.T) {
	for _, test := range []struct{ before, failures int }{{0, 9}, {0, 10}, {0, 11}, {1, 10}, {10, 3}, {0, 25}} {
		r, stdout, _ := newReporter(t)
		for range test.before {
			r.annotate("error", note{"another error"})
		}
		run := Run{Mode: secret.ModeCheck, Org: "acme"}
		for i := range 2 * test.failures {
			name := fmt.Sprintf("%c%d", 'S'+i/test.failures, i%test.failures)
			run.Results = append(run.Results, failing(secret.Name(name), secret.Failed, fmt.Errorf("reason %d.", i%test.failures)))
		}
		if err := r.Finish(run); err != nil {
			t.Errorf("%d failures: got error %v, want none: all could be written", test.failures, err)
		}
		log := fakerunner.New().Process(stdout.String())
		if got, want := len(log.Annotations), min(test.before+test.failures, maxAnnotations); got != want {
			t.Errorf("%d failures: got %d annotations, want %d", test.failures, got, want)
		}
		text := strings.Join(log.Lines, "\n") + "\n"
		for i := range test.failures {
			if want := fmt.Sprintf(": reason %d.\n", i); strings.Count(text, want) != 1 {
				t.Errorf("%d failures: the log has %q %d times, want once", test.failures, want, strings.Count(text, want))
			}
		}
	}
}

// TestDueNote checks that one warning lists the secrets that are due, the oldest first, and counts those that it has no
// room for.
func TestDueNote(t *testing.T) {
	run := Run{Mode: secret.ModeCheck, Org: "acme"}
	for i := range maxDue + 2 {
		existing, age := secret.Existing{}, time.Duration(i)*24*time.Hour
		if i < maxDue {
			existing = secret.Existing{Exists: true, UpdatedAt: updatedAt.Add(-age)}
		}
		run.Results = append(run.Results, secret.Result{
			Name: secret.Name(fmt.Sprintf("S%d", i)), Store: secret.Actions, Operation: secret.Checked,
			Check: &secret.Check{Existing: existing, Age: age, Due: true},
		})
	}
	got := dueNote(decide(run, limits{}))
	if len(got) != maxDue+1 || got[0] != "S20 is due: missing" || !strings.HasPrefix(got[2], "S19 is due: 19 days old") ||
		got[maxDue] != "2 more due secrets; see the log and the job summary" {
		t.Errorf("got %q, want the missing ones, then the oldest, then a count", got)
	}
	run.Results = run.Results[:1]
	if got := dueNote(decide(run, limits{})); len(got) != 1 {
		t.Errorf("got %q, want one line", got)
	}
}

func failing(name secret.Name, op secret.Operation, err error) secret.Result {
	return secret.Result{Store: secret.Actions, Name: name, Operation: op, Err: err}
}

// sealed adds a sealed value to a result.
func sealed(result secret.Result) secret.Result {
	result.EncryptedValue, result.KeyID = "c2VhbGVk", "568"
	return result
}

// TestNameColumn checks that a name of up to 40 characters keeps the columns of all lines, and that a longer one, of at
// most 255, moves only those of its own.
func TestNameColumn(t *testing.T) {
	result := func(length int) secret.Result {
		return secret.Result{Store: secret.Actions, Name: secret.Name(strings.Repeat("A", length)), Operation: secret.Updated, Access: private}
	}
	line := func(length, width int) string {
		return fmt.Sprintf("%-*s   actions      updated   private\n", width, strings.Repeat("A", length))
	}
	r, stdout, _ := newReporter(t)
	r.Results(result(1), result(41), result(255))
	r.Results(result(1), result(40), result(41), result(255))
	want := line(1, 1) + line(41, 41) + line(255, 255) + line(1, 40) + line(40, 40) + line(41, 41) + line(255, 255)
	if got := stdout.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestClean checks that no text of an error has a masked text or a line break.
func TestClean(t *testing.T) {
	r, _, _ := newReporter(t)
	r.masks.Add("masked-text")
	err := (&secret.Error{Is: []error{secret.ErrNotFound}}).With("a\nmasked-text")
	for _, field := range reflect.ValueOf(err).Elem().Fields() {
		if field.Kind() == reflect.String {
			field.SetString("a\nmasked-text")
		}
	}
	before := err.Error()
	got := r.clean([]secret.Result{failing("A", secret.Failed, err)})[0].Err
	cleaned, _ := errors.AsType[*secret.Error](got)
	if text := fmt.Sprintf("%+v", *cleaned); strings.Contains(text, "masked-text") || strings.Contains(text, "\n") {
		t.Errorf("got %s, want masked and on one line", text)
	}
	if !errors.Is(got, secret.ErrNotFound) || err.Error() != before {
		t.Errorf("got %v and changed the error to %v, want a copy that matches the same errors", got, err)
	}
}

// TestUnwritableFiles checks the errors before a run and after it if its files cannot be written.
func TestUnwritableFiles(t *testing.T) {
	r, stdout, env := newReporter(t)
	env["GITHUB_OUTPUT"] = ""
	wantError(t, "CheckFiles", r.CheckFiles(), "GITHUB_OUTPUT is not set: this step's outputs would be lost")
	env["GITHUB_OUTPUT"] = t.TempDir() // a directory
	err := r.writeOutputs([]output{{"results", "[]"}})
	wantError(t, "write", err, "the output file is not writable")
	wantError(t, "CheckFiles with one directory", r.CheckFiles(), "GITHUB_OUTPUT is not writable: ")
	summary := env["GITHUB_STEP_SUMMARY"]
	env["GITHUB_STEP_SUMMARY"] = t.TempDir()
	if err = r.CheckFiles(); err == nil {
		t.Fatal("CheckFiles with two directories: got no error")
	}
	if got := secret.AsError(err).Problem; !strings.Contains(got, "; GITHUB_STEP_SUMMARY is not writable: ") {
		t.Errorf("CheckFiles with two directories: got %q, want both on one line", got)
	}
	env["GITHUB_STEP_SUMMARY"] = summary
	wantError(t, "Finish", r.Finish(Run{Mode: secret.ModeCheck}), "the output file is not writable")
	stdout.Reset()
	wantError(t, "Finish of a rejected run", r.Finish(Run{Problems: []string{"x"}}), "the output file is not writable")
	if got := fakerunner.New().Process(stdout.String()).Annotations; len(got) != 1 {
		t.Errorf("a rejected run: got the annotations %v, want only the problems", got)
	}
}

func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: got no error, want %q", what, want)
	} else if !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got error %q, want %q in it", what, err, want)
	}
}

// roomy has room for all that a test reports.
var roomy = limits{outputs: maxOutputUnits, summary: maxSummaryBytes}

var private = secret.Access{Visibility: secret.Private}

// unstored is a sealed value that was not stored, and the access it would have had.
func unstored(name secret.Name, op secret.Operation, access secret.Access, err error) secret.Result {
	result := sealed(failing(name, op, err))
	result.Access = access
	return result
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var tagPattern = regexp.MustCompile(`<[^>]*>`)

// plainText is the text that a browser shows of HTML.
func plainText(summary string) string {
	return html.UnescapeString(tagPattern.ReplaceAllString(summary, ""))
}
