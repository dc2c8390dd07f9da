package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"set-org-secret/internal/fakerunner"
	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

func newReporter(t *testing.T) (r *Reporter, stdout *bytes.Buffer, files map[string]string) {
	t.Helper()
	stdout = &bytes.Buffer{}
	files = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": filepath.Join(t.TempDir(), "output"), "GITHUB_STEP_SUMMARY": filepath.Join(t.TempDir(), "summary"),
	}
	r = New(Options{Stdout: stdout, Getenv: func(name string) string { return files[name] }, Masks: &mask.Set{}, Delimiter: "delimiter_x"})
	return r, stdout, files
}

// TestLine holds that no text from outside makes a command or a second line.
func TestLine(t *testing.T) {
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
		r.Line(test.text)
		if got := strings.TrimSuffix(stdout.String(), "\n"); got != test.want {
			t.Errorf("%q prints as %q, want %q", test.text, got, test.want)
		}
		if log := fakerunner.New().Process(stdout.String()); len(log.Commands) > 0 || len(log.Lines) != 1 {
			t.Errorf("%q: commands %q, lines %q", test.text, log.Commands, log.Lines)
		}
	}
}

// FuzzLine is TestLine for any text, in a line and in an annotation.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{"::error::x", "a\r\n##[error]y", "\u2028::add-mask::a", "%0A::x::", "##\u200b[error]z", ":\u00ad:error::x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.TrimSpace(text) == "" {
			return // nothing to tell makes no annotation
		}
		var stdout bytes.Buffer
		r := New(Options{Stdout: &stdout, Getenv: func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }, Masks: &mask.Set{}})
		r.Line(text)
		r.Warn(text)
		log := fakerunner.New().Process(stdout.String())
		if !slices.Equal(log.Commands, []string{"warning"}) || len(log.Annotations) != 1 || len(log.Lines) != 2 {
			t.Fatalf("commands %q, %d annotations, lines %q", log.Commands, len(log.Annotations), log.Lines)
		}
	})
}

func TestMarkdown(t *testing.T) {
	r, _, _ := newReporter(t)
	for text, want := range map[string]string{
		"a | b":                  `a \| b`,
		"<script>&amp;</script>": "&lt;script&gt;&amp;amp;&lt;/script&gt;",
		"[x](javascript:y)":      `\[x\](javascript:y)`,
		"`code` *b* _i_ ~s~":     "\\`code\\` \\*b\\* \\_i\\_ \\~s\\~",
		"a\n# heading":           `a\\n\# heading`,
		"@everyone":              `\@everyone`,
	} {
		if got := r.md(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestAnnotations keeps to GitHub's limits, and says the rest as plain lines.
func TestAnnotations(t *testing.T) {
	r, stdout, _ := newReporter(t)
	for i := range 12 {
		r.Warn(fmt.Sprintf("warning %d", i+1))
	}
	r.annotate("error", strings.Repeat("ü", 3000), "second")
	log := fakerunner.New().Process(stdout.String())
	if len(log.Annotations) != 11 || !slices.Contains(log.Lines, "Warning: warning 12") {
		t.Errorf("%d annotations, lines %q", len(log.Annotations), log.Lines)
	}
	last := log.Annotations[10].Message
	if len(last) > 4096 || !strings.HasSuffix(last, "ü…") {
		t.Errorf("%d bytes, ending in %q", len(last), last[max(0, len(last)-8):])
	}
}

// FuzzOutputs holds that the runner reads back what was written, and nothing
// else, whatever the values.
func FuzzOutputs(f *testing.F) {
	f.Add("created", "[{}]", "568")
	f.Add("a\nb", "results<<delimiter_x\nforged\ndelimiter_x", "")
	f.Add("delimiter_y\n", "EOF", "\r\n")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		r, _, files := newReporter(t)
		var want []Output
		for i, value := range []string{a, b, c} {
			// The delimiter is random, so no value holds it; the runner reads UTF-8
			// and takes lines as they end.
			if strings.Contains(value, "delimiter_x") || strings.ContainsAny(value, "\r\x00\ufeff") || strings.ToValidUTF8(value, "") != value {
				return
			}
			want = append(want, Output{OutputNames[i], value})
		}
		if err := r.write(want); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(files["GITHUB_OUTPUT"])
		if err != nil {
			t.Fatal(err)
		}
		got, order, err := fakerunner.ParseOutputs(string(text))
		if err != nil || len(order) != len(want) {
			t.Fatalf("%d outputs: %v", len(order), err)
		}
		for _, o := range want {
			if got[o.Name] != o.Value {
				t.Fatalf("%s is %q, want %q", o.Name, got[o.Name], o.Value)
			}
		}
	})
}

// TestManyFailures annotates as many as GitHub keeps, and counts the others.
func TestManyFailures(t *testing.T) {
	for _, test := range []struct {
		reasons int
		last    string
	}{
		{10, "S09, S19 in actions: reason 9"},
		{11, "and 4 more, each named in the log and in the job summary"},
	} {
		r, stdout, _ := newReporter(t)
		var outcomes []secret.Result
		for i := range 2 * test.reasons {
			outcomes = append(outcomes, secret.Result{
				Store: secret.Actions, Name: secret.Name(fmt.Sprintf("S%02d", i)), Operation: secret.Failed,
				Err: fmt.Errorf("reason %d", i%test.reasons),
			})
		}
		if r.Finish(Run{Mode: "check", Outcomes: outcomes}) {
			t.Error("a run that failed is a good one")
		}
		annotations := fakerunner.New().Process(stdout.String()).Annotations
		if len(annotations) != MaxAnnotations || annotations[MaxAnnotations-1].Message != test.last {
			t.Errorf("%d annotations, the last %q", len(annotations), annotations[len(annotations)-1].Message)
		}
	}
}

// TestAlike tells together what says the same, in the summary too, and nothing
// else.
func TestAlike(t *testing.T) {
	r, _, _ := newReporter(t)
	var outcomes []secret.Result
	for i, told := range []string{"failed a", "unknown a", "failed b", "failed a"} {
		op, reason, _ := strings.Cut(told, " ")
		outcomes = append(outcomes, secret.Result{
			Store: secret.Actions, Name: secret.Name('A' + rune(i)), Operation: secret.Operation(op), Err: errors.New(reason),
		})
	}
	text, _ := r.markdown(Run{Mode: "set", Outcomes: outcomes}, nil)
	var got []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "**") {
			got = append(got, strings.Trim(line, "*"))
		}
	}
	if want := []string{"A, D in actions: failed", "B in actions: unknown", "C in actions: failed"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWriteFails(t *testing.T) {
	r, _, files := newReporter(t)
	files["GITHUB_OUTPUT"] = t.TempDir() // a folder
	if err := r.write([]Output{{"results", "[]"}}); err == nil || !strings.Contains(err.Error(), "output file can't be written") {
		t.Errorf("got %v", err)
	}
	if err := r.CheckFiles(); err == nil {
		t.Error("a folder is taken for a file")
	}
	summary := files["GITHUB_STEP_SUMMARY"]
	files["GITHUB_STEP_SUMMARY"] = t.TempDir()
	if err := r.CheckFiles(); err == nil || !strings.Contains(err.Error(), "; GITHUB_STEP_SUMMARY can't be written: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("two folders, got %v", err)
	}
	files["GITHUB_STEP_SUMMARY"] = summary
	if r.Finish(Run{Mode: "check"}) {
		t.Error("a run whose outputs are lost is a good one")
	}
}

// TestSingleValues sets an output where all rows agree.
func TestSingleValues(t *testing.T) {
	row := func(name secret.Name, op secret.Operation) secret.Result {
		return secret.Result{Store: secret.Actions, Name: name, Operation: op, KeyID: "1", Access: secret.Access{Visibility: secret.All}}
	}
	for _, test := range []struct {
		name     string
		run      Run
		want     string
		unwanted []string
	}{
		{"one", Run{Mode: "set", Outcomes: []secret.Result{row("A", secret.Created)}}, "operation=created secret_name=A visibility=all key_id=1", nil},
		{"two alike", Run{Mode: "set", Outcomes: []secret.Result{row("A", secret.Created), row("B", secret.Created)}}, "operation=created visibility=all key_id=1", []string{"secret_name"}},
		{"two ways", Run{Mode: "set", Outcomes: []secret.Result{row("A", secret.Created), row("B", secret.Updated)}}, "visibility=all key_id=1", []string{"operation", "secret_name"}},
		{"one failed", Run{Mode: "set", Outcomes: []secret.Result{row("A", secret.Created), row("B", secret.Failed)}}, "operation=failed key_id=1", []string{"secret_name", "visibility"}},
		{"refused", Run{Mode: "set", Refused: []string{"org: missing"}}, "operation=failed results=[]", []string{"due"}},
		{"none to check", Run{Mode: "check"}, "due=false results=[]", []string{"operation", "exists"}},
	} {
		r, _, _ := newReporter(t)
		outputs, left := r.outputs(test.run)
		var got []string
		names := map[string]bool{}
		for _, o := range outputs {
			names[o.Name] = true
			if o.Name != "results" || o.Value == "[]" {
				got = append(got, o.Name+"="+o.Value)
			}
		}
		if strings.Join(got, " ") != test.want || len(left) > 0 || !names["results"] {
			t.Errorf("%s: %q, want %q", test.name, strings.Join(got, " "), test.want)
		}
		for _, name := range test.unwanted {
			if names[name] {
				t.Errorf("%s: %s is set", test.name, name)
			}
		}
	}
}

// TestFit keeps sealed values in input order as long as they fit, counted as
// GitHub counts.
func TestFit(t *testing.T) {
	var rows []row
	var outcomes []secret.Result
	for i := range 10 {
		name := fmt.Sprintf("S%d", i)
		rows = append(rows, row{SecretName: name, EncryptedValue: strings.Repeat("A", 100), Error: strings.Repeat("ü", 60)})
		outcomes = append(outcomes, secret.Result{Name: secret.Name(name)})
	}
	whole := units(encode(rows))
	for _, budget := range []int{whole, whole - 1, whole / 2, 1500} {
		text, left := fit(slices.Clone(rows), outcomes, budget)
		if units(text) > budget {
			t.Errorf("%d units in %d", units(text), budget)
		}
		if n := strings.Count(text, `"encrypted_value"`); n+len(left) != 10 || (budget == whole) != (n == 10) {
			t.Errorf("budget %d: %d kept, %d left", budget, n, len(left))
		}
		for i, o := range left {
			if want := secret.Name(fmt.Sprintf("S%d", 10-len(left)+i)); o.Name != want {
				t.Errorf("budget %d: %s is left out before %s", budget, o.Name, want)
			}
		}
	}
	if got := units("aü世🔑"); got != 5 {
		t.Errorf("%d units", got)
	}
}

func TestChart(t *testing.T) {
	var outcomes []secret.Result
	for i := range 40 {
		outcomes = append(outcomes, secret.Result{Name: secret.Name(fmt.Sprintf("S%02d", i)), Check: &secret.Check{Exists: true, Age: time.Duration(i) * 24 * time.Hour}})
	}
	outcomes = append(outcomes, secret.Result{Name: "MISSING", Check: &secret.Check{Due: true}}, secret.Result{Name: "FAILED", Err: errors.New("x")})
	text := chart(Run{Outcomes: outcomes, MaxAge: 30 * 24 * time.Hour})
	if !strings.Contains(text, `x-axis ["S39", "S38", `) || !strings.Contains(text, "bar [39, 38, ") || strings.Contains(text, "S09") || !strings.Contains(text, "line [30, 30, ") {
		t.Error(text)
	}
	if strings.Contains(text, "MISSING") || strings.Contains(text, "FAILED") {
		t.Error("what has no age has a bar")
	}
	if got := chart(Run{Outcomes: outcomes[:1]}); got != "" {
		t.Errorf("a chart of one: %s", got)
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 secret": count(1, "secret"), "0 secrets": count(0, "secret"), "1,000 secrets": count(1000, "secret"),
		"1 repository": count(1, "repository"), "1,234,567 repositories": count(1234567, "repository"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestByHand is the command that a person runs: the right address, and a body
// that asks where nobody knows who may read the secret.
func TestByHand(t *testing.T) {
	o := secret.Result{Store: secret.Dependabot, Name: "A", KeyID: "568", EncryptedValue: "c2VhbGVk", Access: secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{{ID: 7}, {ID: 3}}}}
	text := byHand(Run{Org: "acme", APIURL: "https://api.github.com/"}, o)
	for _, want := range []string{"gh api --method PUT /orgs/acme/dependabot/secrets/A --input - <<'JSON'", `"selected_repository_ids": [`, "    3,\n    7\n", `"visibility": "selected"`, `"key_id": "568"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	o.Access = secret.Access{}
	text = byHand(Run{Org: "acme", APIURL: "https://ghe.example/api/v3/"}, o)
	for _, want := range []string{"PUT --hostname ghe.example /orgs/", "Who may read the secret was not known", `"visibility": "all, private or selected"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if text = byHand(Run{Org: "acme", APIURL: "https://api.octo.ghe.com/"}, o); !strings.Contains(text, "--hostname octo.ghe.com ") {
		t.Errorf("GHE.com:\n%s", text)
	}
}
