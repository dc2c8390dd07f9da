package report

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// newReporter returns a Reporter with what it printed and the environment that it
// reads, which a test may change.
func newReporter(t *testing.T) (r *Reporter, stdout *bytes.Buffer, env map[string]string) {
	t.Helper()
	stdout = &bytes.Buffer{}
	env = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(t.TempDir(), "output"),
		"GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary"),
	}
	getenv := func(name string) string { return env[name] }
	return New(stdout, getenv, &mask.Set{}, rand.Reader), stdout, env
}

// TestSanitizeLine checks that no text can add a workflow command or a line.
func TestSanitizeLine(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"plain", "plain"},
		{"Grüße, 世界", "Grüße, 世界"},
		{"a\nb", `a\nb`},
		{"a\r::error::b", `a\r::error::b`},
		{"::error::x", ": :error::x"},
		{"  ::error::x", "  : :error::x"},
		{"##[error]x", "# #[error]x"},
		{"a ##[add-mask]x", "a # #[add-mask]x"},
		{"\x1b[31mred", `\x1b[31mred`},
		{"\u2028\u0085", `\u2028\u0085`},
		{"\xff", `\xff`},
		{"\u202eright to left", `\u202eright to left`},
	} {
		r, stdout, _ := newReporter(t)
		r.lines(test.text)
		if got := strings.TrimSuffix(stdout.String(), "\n"); got != test.want {
			t.Errorf("%q prints as %q, want %q", test.text, got, test.want)
		}
		log := fakerunner.New().Process(stdout.String())
		if len(log.Commands) > 0 {
			t.Errorf("%q runs the commands %q, want none", test.text, log.Commands)
		}
		if len(log.Lines) != 1 {
			t.Errorf("%q prints the lines %q, want one", test.text, log.Lines)
		}
	}
}

// FuzzSanitizeLine is TestSanitizeLine for any text, in a line and an annotation.
func FuzzSanitizeLine(f *testing.F) {
	for _, seed := range []string{
		"::error::x", "a\r\n##[error]y", "\u2028::add-mask::a", "%0A::x::", "##\u200b[error]z", ":\u00ad:error::x",
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

// TestAnnotationLimits checks that annotations stay within GitHub's limits of
// count and length, and that the others are logged as plain lines.
func TestAnnotationLimits(t *testing.T) {
	r, stdout, _ := newReporter(t)
	for i := range 12 {
		r.Warn(fmt.Sprintf("warning %d", i+1))
	}
	r.annotate("error", note{strings.Repeat("für ", 1000), "second"})
	log := fakerunner.New().Process(stdout.String())
	if len(log.Annotations) != 11 {
		t.Fatalf("%d annotations, want 10 warnings and an error", len(log.Annotations))
	}
	if want := "Warning: warning 12"; !slices.Contains(log.Lines, want) {
		t.Errorf("lines %q, want %q among them", log.Lines, want)
	}
	last := log.Annotations[10].Message
	if len(last) > 4096 {
		t.Errorf("the long annotation has %d bytes, want at most 4,096", len(last))
	}
	if !strings.HasSuffix(last, " für …") {
		t.Errorf("the long annotation ends in %q, want it cut between two words", last[max(0, len(last)-8):])
	}
}

// FuzzOutputs checks that the runner reads back exactly what was written.
func FuzzOutputs(f *testing.F) {
	f.Add("created", "[{}]", "568")
	f.Add("a\nb", "results<<delimiter_x\nforged\ndelimiter_x", "")
	f.Add("delimiter_y\n", "EOF", "\r\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		r, _, env := newReporter(t)
		r.delimiter = "delimiter_x"
		var want []Output
		for i, value := range []string{a, b, c} {
			// The delimiter is random, so no value contains it. The runner reads
			// UTF-8 and normalizes line ends.
			if strings.Contains(value, r.delimiter) || strings.ContainsAny(value, "\r\x00\ufeff") ||
				strings.ToValidUTF8(value, "") != value {
				return
			}
			want = append(want, Output{OutputNames[i], value})
		}
		if err := r.writeOutputs(want); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(env["GITHUB_OUTPUT"])
		if err != nil {
			t.Fatal(err)
		}
		got, order, err := fakerunner.ParseOutputs(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(order) != len(want) {
			t.Fatalf("%d outputs, want %d", len(order), len(want))
		}
		for _, o := range want {
			if got[o.Name] != o.Value {
				t.Fatalf("%s is %q, want %q", o.Name, got[o.Name], o.Value)
			}
		}
	})
}

// TestManyFailures checks that there are never more annotations than GitHub
// keeps, and that the last one counts the remaining failures.
func TestManyFailures(t *testing.T) {
	for _, test := range []struct {
		reasons int
		last    string
	}{
		{10, "S09, S19: reason 9\n  What to do: Run this again."},
		{11, "2 more failures; see the log and the job summary"},
	} {
		r, stdout, _ := newReporter(t)
		var results []secret.Result
		for i := range 2 * test.reasons {
			results = append(results, secret.Result{
				Store: secret.Actions, Name: secret.Name(fmt.Sprintf("S%02d", i)), Operation: secret.Failed,
				Err: fmt.Errorf("reason %d", i%test.reasons),
			})
		}
		if err := r.Finish(Run{Mode: secret.ModeCheck, Results: results}); err != nil {
			t.Errorf("%d reasons: got error %v, want none: all could be written", test.reasons, err)
		}
		annotations := fakerunner.New().Process(stdout.String()).Annotations
		if len(annotations) != maxAnnotations {
			t.Fatalf("%d reasons: %d annotations, want %d", test.reasons, len(annotations), maxAnnotations)
		}
		if got := annotations[maxAnnotations-1].Message; got != test.last {
			t.Errorf("%d reasons: the last annotation is %q, want %q", test.reasons, got, test.last)
		}
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

// TestRowReason checks that a row has the problem alone, and the output results
// all of the error in one line.
func TestRowReason(t *testing.T) {
	err := &secret.Error{
		Op: "writing the secret", Problem: "403 no", Cause: "Cause.", Hint: "Hint.",
		RequestID: "8C1E", Attempts: 2, Elapsed: time.Second,
	}
	r, stdout, _ := newReporter(t)
	r.Results(failing("A_LONGER_NAME", secret.Failed, err), failing("B", secret.Failed, errors.Join(err, err)))
	const want = "A_LONGER_NAME   actions      failed    403 no\n" +
		"B               actions      failed    writing the secret: 403 no, 2 attempts in 1 s; writing the secret: 403 no, 2 attempts in 1 s\n"
	if got := stdout.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	row := newRow(failing("A", secret.Failed, err))
	if want := "writing the secret: 403 no, 2 attempts in 1 s (request id 8C1E)"; row.Error != want {
		t.Errorf("results have the error %q, want %q", row.Error, want)
	}
}

// TestRowColumns checks that a name of up to 40 characters keeps the columns of all
// rows, and that a longer one, of at most 255, moves only those of its own.
func TestRowColumns(t *testing.T) {
	names := []secret.Name{"A", secret.Name(strings.Repeat("B", 40))}
	for _, n := range []int{41, 255} {
		names = append(names, secret.Name(strings.Repeat("C", n)))
	}
	access := secret.Access{Visibility: secret.Selected}
	change := secret.Change{From: secret.Selected, To: secret.Selected}
	var results []secret.Result
	for _, name := range names {
		results = append(results, secret.Result{
			Store: secret.Actions, Name: name, Operation: secret.Updated, Access: access, Change: change,
		})
	}
	row := func(name secret.Name, width int) string {
		return fmt.Sprintf("%-*s   actions      updated   selected, 0 repositories (unchanged)\n", width, name)
	}
	for _, test := range []struct {
		name    string
		results []secret.Result
		want    string
	}{
		{"long and short", results, row(names[0], 40) + row(names[1], 40) + row(names[2], 41) + row(names[3], 255)},
		{"one character and 255", []secret.Result{results[0], results[3]}, row(names[0], 1) + row(names[3], 255)},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, stdout, _ := newReporter(t)
			r.Results(test.results...)
			if got := stdout.String(); got != test.want {
				t.Errorf("all at once: got:\n%s\nwant:\n%s", got, test.want)
			}
			r, stdout, _ = newReporter(t)
			for _, result := range test.results {
				r.FitColumn(result.Name)
			}
			for _, result := range test.results {
				r.Results(result)
			}
			if got := stdout.String(); got != test.want {
				t.Errorf("one by one: got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// TestAccessText checks how a row says who may read a secret, and who could before.
func TestAccessText(t *testing.T) {
	repositories := []secret.Repository{{ID: 1}, {ID: 2}}
	selected := secret.Access{Visibility: secret.Selected, Repositories: repositories}
	private := secret.Access{Visibility: secret.Private}
	for _, test := range []struct {
		access secret.Access
		change secret.Change
		hidden int
		want   string
	}{
		{private, secret.Change{To: secret.Private}, 0, "private"},
		{private, secret.Change{From: secret.Private, To: secret.Private}, 0, "private (unchanged)"},
		{
			private,
			secret.Change{From: secret.Selected, To: secret.Private, Removed: repositories, Hidden: 3},
			0,
			"private (was selected, 5 repositories)",
		},
		{
			selected,
			secret.Change{From: secret.All, To: secret.Selected, Added: repositories},
			0,
			"selected, 2 repositories (was all)",
		},
		{selected, secret.Change{From: secret.Selected, To: secret.Selected, Removed: repositories[:1], Kept: 2}, 0, "selected, 2 repositories"},
		{selected, secret.Change{}, 1, "selected, 2 repositories and 1 that this token cannot see"},
	} {
		result := secret.Result{Operation: secret.Updated, Access: test.access, Change: test.change, Hidden: test.hidden}
		if got := accessText(result); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestOperationColumn checks that the column is as wide as the longest operation
// that the rows of a mode can have.
func TestOperationColumn(t *testing.T) {
	for _, test := range []struct {
		mode  secret.Mode
		dry   bool
		other secret.Operation // as long as any
	}{
		{secret.ModeSet, false, secret.Updated},
		{secret.ModeAccess, false, secret.Unchanged},
		{secret.ModeAccess, true, secret.WouldUpdate},
		{secret.ModeSet, true, secret.WouldCreate},
	} {
		r, stdout, _ := newReporter(t)
		r.Header("v1", test.mode, "acme", "api.github.com", test.dry)
		stdout.Reset()
		err := &secret.Error{Problem: "403 no"}
		r.Results(failing("A", secret.Failed, err), failing("B", test.other, err))
		first, second, _ := strings.Cut(stdout.String(), "\n")
		if got, want := strings.Index(first, "403"), strings.Index(second, "403"); got != want {
			t.Errorf("%s: the reasons begin at %d and %d, want one column:\n%s", test.mode, got, want, stdout.String())
		}
	}
}

func TestUnwritableFiles(t *testing.T) {
	r, _, env := newReporter(t)
	env["GITHUB_OUTPUT"] = t.TempDir() // a directory
	err := r.writeOutputs([]Output{{"results", "[]"}})
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
}

// TestNoRandomBytes checks that a run does not begin without a delimiter that
// cannot be known.
func TestNoRandomBytes(t *testing.T) {
	noEntropy := iotest.ErrReader(errors.New("no entropy"))
	r := New(&bytes.Buffer{}, func(string) string { return "" }, &mask.Set{}, noEntropy)
	wantError(t, "CheckFiles", r.CheckFiles(), "cannot read random bytes: no entropy")
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

var tagPattern = regexp.MustCompile(`<[^>]*>`)

// plainText is the text that a browser shows of HTML.
func plainText(summary string) string {
	return html.UnescapeString(tagPattern.ReplaceAllString(summary, ""))
}
