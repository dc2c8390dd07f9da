package report

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
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
	return New(Options{Stdout: stdout, Getenv: getenv, Masks: &mask.Set{}, Rand: rand.Reader}), stdout, env
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
		r.Line(test.text)
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
		r.Line(text)
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

func TestEscapeMarkdown(t *testing.T) {
	r, _, _ := newReporter(t)
	for text, want := range map[string]string{
		"a | b":                        "a `|` b",
		"<script>&amp;</script>":       "`<script>&amp;</script>`",
		"[x](javascript:y)":            "`[x](javascript:y`)",
		"*b* _i_ ~s~, (s3cr3t_k3y)":    "`*b*` `_i_` `~s~`, (`s3cr3t_k3y`)",
		"a\n# heading":                 "`a\\n#` heading",
		"@everyone":                    "`@everyone`",
		`not "s3cr3t_k3y \"of\" two".`: "not `\"s3cr3t_k3y \\\"of\\\" two\"`.",
		`a "quote that does_not end`:   "a \"quote that `does_not` end",
		"run `jq '.a_b | c'` now":      "run `jq '.a_b | c'` now",
		"a ` alone and ``two":          "a `` ` `` alone and ``` ``two ```",
		"see https://x.example/a_b?c":  "see https://x.example/a_b?c",
		"https://x.example/<b>":        "`https://x.example/<b>`",
	} {
		if got := r.escapeMarkdown(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzEscapeMarkdown checks that no character of a text is changed, so that the
// runner can hide it, and that nothing outside code spans has a meaning in Markdown.
func FuzzEscapeMarkdown(f *testing.F) {
	for _, seed := range []string{
		"a_b `c` \"d e\".", "``` x", "\"a\"b`\" `", "` \"`\"", "https://x.example/a_b`c", "(`)`", "\"\\\"`\"", "`` ` ``", "a`.`b",
	} {
		f.Add(seed)
	}
	without := strings.NewReplacer("`", "", " ", "")
	f.Fuzz(func(t *testing.T, text string) {
		r, _, _ := newReporter(t)
		got := r.escapeMarkdown(text)
		if want := r.sanitizeLine(text); without.Replace(got) != without.Replace(want) {
			t.Fatalf("%q becomes %q, want no character changed", want, got)
		}
		for word := range strings.FieldsSeq(outsideCode(got)) {
			special := "`*[]|~<>&\\_#@"
			if strings.HasPrefix(word, "https://") {
				special = "`*[]|~<>&\\"
			}
			if strings.ContainsAny(word, special) {
				t.Fatalf("%q becomes %q, want %q in a code span", text, got, word)
			}
		}
	})
}

// outsideCode replaces the code spans of a line by blanks: what is between two runs
// of equally many backticks.
func outsideCode(line string) string {
	var b strings.Builder
	for line != "" {
		start := strings.IndexByte(line, '`')
		if start < 0 {
			return b.String() + line
		}
		b.WriteString(line[:start] + " ")
		rest := strings.TrimLeft(line[start:], "`")
		fence := line[start : len(line)-len(rest)]
		end := -1
		for i := 0; i < len(rest); {
			if rest[i] != '`' {
				i++
				continue
			}
			run := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "`"))
			if run == len(fence) {
				end = i + run
				break
			}
			i += run
		}
		if end < 0 {
			b.WriteString(fence) // not a code span
			end = 0
		}
		line = rest[end:]
	}
	return b.String()
}

// TestTableCells checks that a text from outside cannot add cells or lines to a
// table, whichever column it is in.
func TestTableCells(t *testing.T) {
	r, _, _ := newReporter(t)
	const text = "a | b` | `<b>\n## c"
	result := secret.Result{
		Store: secret.Actions, Name: text, Operation: secret.Created, KeyID: text, Access: secret.Access{Visibility: text},
		Check: &secret.Check{Exists: true},
	}
	failed := failure(text, secret.Failed, errors.New(text))
	for mode, maxAge := range map[secret.Mode]time.Duration{secret.ModeCheck: time.Hour, secret.ModeSeal: 0, secret.ModeSet: 0} {
		for _, result := range []secret.Result{result, failed} {
			name := string(mode) + " " + string(result.Operation)
			run := Run{Mode: mode, MaxAge: maxAge, Results: []secret.Result{result}}
			text := r.markdown(run, entriesOf(run.Results))
			table := text[strings.LastIndex(text, "\n\n")+2:]
			lines := strings.Split(strings.TrimSuffix(table, "\n"), "\n")
			if len(lines) != 3 {
				t.Fatalf("%s: got %d lines, want 3:\n%s", name, len(lines), table)
			}
			cells := strings.Count(lines[2], "|") - strings.Count(lines[2], `\|`)
			if want := strings.Count(lines[0], "|"); cells != want {
				t.Errorf("%s: got %d bars between cells, want %d:\n%s", name, cells, want, table)
			}
			outside := strings.ReplaceAll(outsideCode(lines[2]), "<br>", "")
			if strings.ContainsAny(outside, "<#\\") {
				t.Errorf("%s: got %q outside code, want none of the markup of the text:\n%s", name, outside, table)
			}
		}
	}
}

// TestNameCell checks where a long name may be broken, that its text is the
// name, and that other text gets no breaks.
func TestNameCell(t *testing.T) {
	r, _, _ := newReporter(t)
	r.masks.Add([]byte("MASKED_TEXT"))
	for name, want := range map[string]string{
		"DB_PASSWORD":         "`DB_PASSWORD`",
		"AZURE_CLIENT_SECRET": "<code>AZURE_<wbr>CLIENT_<wbr>SECRET</code>",
		"_A__LONGER_NAME_":    "<code>&#95;<wbr>A_&#95;<wbr>LONGER_<wbr>NAME_</code>",
		"PLATFORMPLATFORM":    "<code>PLATFORMPLAT<wbr>FORM</code>",
		strings.Repeat("ABCDEF", 11): "<code>" + strings.Repeat("ABCDEFABCDEF<wbr>", 4) +
			"ABCDEFABCDEF</code><br><code>ABCDEF</code>",
		"acme/self-service.site": "<code>acme/<wbr>self-<wbr>service.<wbr>site</code>",
		"A_NAME_OF_MASKED_TEXT":  "`A_NAME_OF_***`",
		"A_NAME_WITH_A|B_AND_C":  "`A_NAME_WITH_A\\|B_AND_C`",
		"A_NAME_WITH_<b>_IN_IT":  "`A_NAME_WITH_<b>_IN_IT`",
	} {
		got := r.nameCell(name)
		if got != want {
			t.Errorf("%s becomes %q, want %q", name, got, want)
		}
		if rest, ok := strings.CutPrefix(got, "<code>"); ok {
			plain := strings.NewReplacer("<wbr>", "", "&#95;", "_", "<code>", "", "</code>", "", "<br>", "").Replace(rest)
			if plain != name {
				t.Errorf("%s is shown as %s", name, plain)
			}
		}
	}
}

// TestAdviceCell checks which words of a sentence become links, and which breakable.
func TestAdviceCell(t *testing.T) {
	r, _, _ := newReporter(t)
	for text, want := range map[string]string{
		"Check https://www.githubstatus.com and wait.":       "Check [www.githubstatus.com](https://www.githubstatus.com) and wait.",
		"Name it in selected_repositories.":                  "Name it in <code>selected_<wbr>repositories</code>.",
		"It requires organization_secrets=write.":            "It requires <code>organization_<wbr>secrets=<wbr>write</code>.",
		"Run `curl https://x.example/a now` at https://b.c.": "Run `curl https://x.example/a now` at [b.c](https://b.c).",
		"https://x.example/<b>":                              "`https://x.example/<b>`",
		"https://x.example/(a":                               "https://x.example/(a",
	} {
		if got := r.adviceCell(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestAnnotationLimits checks that annotations stay within GitHub's limits of
// count and length, and that the others are logged as plain lines.
func TestAnnotationLimits(t *testing.T) {
	r, stdout, _ := newReporter(t)
	for i := range 12 {
		r.Warn(fmt.Sprintf("warning %d", i+1))
	}
	r.annotate("error", strings.Repeat("für ", 1000), "second")
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

// TestSavedInOutputsOnly checks that a failure does not claim to be in a job summary
// that does not exist, could not be written, or has no room for it.
func TestSavedInOutputsOnly(t *testing.T) {
	notWritten := []struct {
		name    string
		prepare func(r *Reporter, env map[string]string, result *secret.Result)
	}{
		{"no summary", func(_ *Reporter, env map[string]string, _ *secret.Result) { env["GITHUB_STEP_SUMMARY"] = "" }},
		{"not writable", func(_ *Reporter, env map[string]string, _ *secret.Result) {
			env["GITHUB_STEP_SUMMARY"] = t.TempDir()
		}},
		{"no room", func(_ *Reporter, _ map[string]string, result *secret.Result) {
			result.Access = secret.Access{Visibility: secret.Selected}
			for i := range 160_000 {
				result.Access.Repositories = append(result.Access.Repositories, secret.Repository{ID: int64(i + 1)})
			}
		}},
	}
	for _, test := range notWritten {
		r, stdout, env := newReporter(t)
		result := sealed(failure("A", secret.Failed, errors.New("x")))
		test.prepare(r, env, &result)
		_ = r.Finish(Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{result}})
		annotations := fakerunner.New().Process(stdout.String()).Annotations
		last := annotations[len(annotations)-1].Message
		const want = "\n  The sealed value is saved in this step's outputs; you do not need to rotate again."
		if !strings.HasSuffix(last, want) {
			t.Errorf("%s: got %q, want %q in it", test.name, last, want)
		}
	}
}

// TestFailuresAfterErrors checks that failures use only the annotations that other
// errors leave.
func TestFailuresAfterErrors(t *testing.T) {
	r, stdout, _ := newReporter(t)
	r.annotate("error", "first")
	var results []secret.Result
	for i := range 10 {
		results = append(results, failure("A", secret.Failed, fmt.Errorf("x%d", i)))
	}
	r.annotateFailures(Run{Mode: secret.ModeCheck}, entriesOf(results))
	annotations := fakerunner.New().Process(stdout.String()).Annotations
	if len(annotations) != 10 {
		t.Fatalf("got %d annotations, want 10", len(annotations))
	}
	if got, want := annotations[9].Message, "2 more failures; see the log and the job summary"; got != want {
		t.Errorf("the last annotation is %q, want %q", got, want)
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
		if err := r.write(want); err != nil {
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
		{10, "S09, S19 in actions: reason 9"},
		{11, "4 more failures; see the log and the job summary"},
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

func failure(name secret.Name, op secret.Operation, err error) secret.Result {
	return secret.Result{Store: secret.Actions, Name: name, Operation: op, Err: err}
}

// sealed adds a sealed value to a result.
func sealed(result secret.Result) secret.Result {
	result.EncryptedValue, result.KeyID = "c2VhbGVk", "568"
	return result
}

// TestGroupedFailures checks which failures are reported together, and what is
// said of them, in the annotations and in the summary.
func TestGroupedFailures(t *testing.T) {
	refused := func(id string, attempts int) error {
		return &secret.Error{
			Op: "writing the secret", Problem: "403 no", Cause: "Cause.", Hint: "Hint.",
			RequestID: id, Attempts: attempts, Elapsed: 10 * time.Second,
		}
	}
	const (
		saved     = "The sealed value is saved in this step's outputs and the job summary; you do not need to rotate again."
		bothSaved = "The sealed values are saved in this step's outputs and the job summary; you do not need to rotate again."
		notSealed = "The value could not be sealed and is not saved. " +
			"Keep the old credential active until a later run has stored the new one."
	)
	for _, test := range []struct {
		name    string
		mode    secret.Mode
		results []secret.Result
		want    []string // annotations
	}{
		{
			"one failure has its attempts and its request id", secret.ModeSet,
			[]secret.Result{sealed(failure("A", secret.Failed, refused("1", 5)))},
			[]string{"A in actions: writing the secret: 403 no, 5 attempts in 10 s|Cause.|Hint.|" + saved + "|Request id: 1"},
		},
		{
			"request ids and attempts that differ are left out", secret.ModeSet,
			[]secret.Result{
				sealed(failure("A", secret.Failed, refused("1", 5))), sealed(failure("B", secret.Failed, refused("2", 4))),
			},
			[]string{"A, B in actions: writing the secret: 403 no|Cause.|Hint.|" + bothSaved +
				"|Request ids: see the output results"},
		},
		{
			"another operation is another group", secret.ModeSet,
			[]secret.Result{
				sealed(failure("A", secret.Failed, refused("1", 1))), sealed(failure("B", secret.Unknown, refused("1", 1))),
			},
			[]string{
				"A in actions: writing the secret: 403 no|Cause.|Hint.|" + saved + "|Request id: 1",
				"B in actions: writing the secret: 403 no|Cause.|Hint.|" + saved +
					"|The value may or may not have been stored. Storing it again is safe.|Request id: 1",
			},
		},
		{
			"nothing sealed is another group", secret.ModeSet,
			[]secret.Result{failure("A", secret.Failed, errors.New("x")), sealed(failure("B", secret.Failed, errors.New("x")))},
			[]string{"A in actions: x|" + notSealed, "B in actions: x|" + saved},
		},
		{
			"an unknown result in mode access", secret.ModeAccess,
			[]secret.Result{failure("A", secret.Unknown, errors.New("x"))},
			[]string{"A in actions: x|The change may or may not have been made. Making it again is safe."},
		},
		{
			"joined errors keep their text and explain the first", secret.ModeCheck,
			[]secret.Result{failure("A", secret.Failed, errors.Join(errors.New("x"), refused("1", 1), refused("2", 1)))},
			[]string{"A in actions: x; writing the secret: 403 no; writing the secret: 403 no|Cause.|Hint.|Request id: 1"},
		},
		{
			"a sealed value that GitHub cannot open is not worth saving", secret.ModeSet,
			[]secret.Result{sealed(failure("A", secret.Failed, secret.ErrCannotOpen))},
			[]string{"A in actions: GitHub cannot open the value"},
		},
	} {
		r, stdout, env := newReporter(t)
		if err := r.Finish(Run{Mode: test.mode, Org: "acme", Results: test.results}); err != nil {
			t.Errorf("%s: got error %v, want none", test.name, err)
		}
		summary, err := os.ReadFile(env["GITHUB_STEP_SUMMARY"])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, annotation := range fakerunner.New().Process(stdout.String()).Annotations {
			got = append(got, strings.ReplaceAll(annotation.Message, "\n  ", "|"))
			_, details, _ := strings.Cut(annotation.Message, ": ")
			for line := range strings.SplitSeq(details, "\n  ") {
				if strings.HasPrefix(line, "The sealed value") {
					continue // said once for all rows
				}
				if id, ok := strings.CutPrefix(line, requestID); ok {
					line = requestID + "`" + id + "`"
				}
				if !strings.Contains(string(summary), line) {
					t.Errorf("%s: no %q in the summary:\n%s", test.name, line, summary)
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// TestSummaryGroups checks the order of the groups in the summary, and that only
// failures that agree share one.
func TestSummaryGroups(t *testing.T) {
	r, _, _ := newReporter(t)
	var results []secret.Result
	for i, text := range []string{"failed a", "unknown a", "failed b", "failed a"} {
		op, reason, _ := strings.Cut(text, " ")
		results = append(results, failure(secret.Name('A'+rune(i)), secret.Operation(op), errors.New(reason)))
	}
	text := r.markdown(Run{Mode: secret.ModeSet, Results: results}, entriesOf(results))
	var got []string
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "| ❌") || strings.HasPrefix(line, "| ❓") {
			got = append(got, strings.Split(line, "<br>")[0])
		}
	}
	want := []string{"| ❌ `A`, `D` | **a**", "| ❓ `B` | **a**", "| ❌ `C` | **b**"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRowReason checks that a row has the problem alone, and the output results
// all of the error in one line.
func TestRowReason(t *testing.T) {
	err := &secret.Error{
		Op: "writing the secret", Problem: "403 no", Cause: "Cause.", Hint: "Hint.",
		RequestID: "8C1E", Attempts: 2, Elapsed: time.Second,
	}
	r, stdout, _ := newReporter(t)
	r.Rows([]secret.Result{failure("A_LONGER_NAME", secret.Failed, err), failure("B", secret.Failed, errors.Join(err, err))})
	const want = "A_LONGER_NAME   actions      failed    403 no\n" +
		"B               actions      failed    writing the secret: 403 no, 2 attempts in 1 s; writing the secret: 403 no, 2 attempts in 1 s\n"
	if got := stdout.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	row := r.newRow(failure("A", secret.Failed, err))
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
			r.Rows(test.results)
			if got := stdout.String(); got != test.want {
				t.Errorf("all at once: got:\n%s\nwant:\n%s", got, test.want)
			}
			r, stdout, _ = newReporter(t)
			for _, result := range test.results {
				r.FitColumn(result.Name)
			}
			for _, result := range test.results {
				r.Row(result)
			}
			if got := stdout.String(); got != test.want {
				t.Errorf("one by one: got:\n%s\nwant:\n%s", got, test.want)
			}
		})
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
		r.Rows([]secret.Result{failure("A", secret.Failed, err), failure("B", test.other, err)})
		first, second, _ := strings.Cut(stdout.String(), "\n")
		if got, want := strings.Index(first, "403"), strings.Index(second, "403"); got != want {
			t.Errorf("%s: the reasons begin at %d and %d, want one column:\n%s", test.mode, got, want, stdout.String())
		}
	}
}

func TestUnwritableFiles(t *testing.T) {
	r, _, env := newReporter(t)
	env["GITHUB_OUTPUT"] = t.TempDir() // a directory
	err := r.write([]Output{{"results", "[]"}})
	wantError(t, "write", err, "the output file is not writable")
	wantError(t, "CheckFiles with one directory", r.CheckFiles(), "GITHUB_OUTPUT is not writable: ")
	summary := env["GITHUB_STEP_SUMMARY"]
	env["GITHUB_STEP_SUMMARY"] = t.TempDir()
	if err = r.CheckFiles(); err == nil {
		t.Fatal("CheckFiles with two directories: got no error")
	}
	if got := asError(err).Problem; !strings.Contains(got, "; GITHUB_STEP_SUMMARY is not writable: ") {
		t.Errorf("CheckFiles with two directories: got %q, want both on one line", got)
	}
	env["GITHUB_STEP_SUMMARY"] = summary
	wantError(t, "Finish", r.Finish(Run{Mode: secret.ModeCheck}), "the output file is not writable")
}

// TestNoRandomBytes checks that a run does not begin without a delimiter that
// cannot be known.
func TestNoRandomBytes(t *testing.T) {
	r := New(Options{
		Stdout: &bytes.Buffer{}, Getenv: func(string) string { return "" }, Masks: &mask.Set{},
		Rand: iotest.ErrReader(errors.New("no entropy")),
	})
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

// TestSharedOutputs checks that a single value is an output only if all rows
// agree on it.
func TestSharedOutputs(t *testing.T) {
	result := func(name secret.Name, op secret.Operation) secret.Result {
		return secret.Result{
			Store: secret.Actions, Name: name, Operation: op, KeyID: "1", PublicKey: "k",
			Access: secret.Access{Visibility: secret.All},
		}
	}
	otherKey := result("B", secret.Created)
	otherKey.KeyID, otherKey.PublicKey = "2", "l"
	for _, test := range []struct {
		name string
		run  Run
		want string // but for results, unless it is empty
	}{
		{
			"one result",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created)}},
			"operation=created secret_name=A visibility=all key_id=1 public_key=k",
		},
		{
			"another name",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Created)}},
			"operation=created visibility=all key_id=1 public_key=k",
		},
		{
			"another operation",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Updated)}},
			"visibility=all key_id=1 public_key=k",
		},
		{
			"one unknown",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Unknown)}},
			"operation=unknown key_id=1 public_key=k",
		},
		{
			"unknown and failed",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Unknown), result("B", secret.Failed)}},
			"operation=failed key_id=1 public_key=k",
		},
		{
			"another key",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), otherKey}},
			"operation=created visibility=all",
		},
		{
			"one failed",
			Run{Mode: secret.ModeSet, Results: []secret.Result{result("A", secret.Created), result("B", secret.Failed)}},
			"operation=failed key_id=1 public_key=k",
		},
		{"refused", Run{Mode: secret.ModeSet, Refused: []string{"org: missing"}}, "operation=failed results=[]"},
		{"refused check", Run{Mode: secret.ModeCheck, Refused: []string{"org: missing"}}, "operation=failed results=[]"},
		{"nothing to check", Run{Mode: secret.ModeCheck}, "due=false results=[]"},
	} {
		r, _, _ := newReporter(t)
		entries := entriesOf(test.run.Results)
		var got []string
		hasResults := false
		for _, o := range r.outputs(test.run, entries) {
			hasResults = hasResults || o.Name == "results"
			if o.Name != "results" || o.Value == "[]" {
				got = append(got, o.Name+"="+o.Value)
			}
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s: got %q, want %q", test.name, text, test.want)
		}
		if !hasResults {
			t.Errorf("%s: there is no output results", test.name)
		}
		for _, e := range entries {
			if e.saved != notNeeded {
				t.Errorf("%s: saved is %d, want %d: nothing is sealed", test.name, e.saved, notNeeded)
			}
		}
	}
}

// TestFitToBudget checks that sealed values are included in input order as long
// as they fit, counted as GitHub counts.
func TestFitToBudget(t *testing.T) {
	var rows []row
	var results []secret.Result
	for i := range 10 {
		name, value := fmt.Sprintf("S%d", i), strings.Repeat("A", 100)
		rows = append(rows, row{SecretName: name, EncryptedValue: value, Error: strings.Repeat("x", 39) + " " + strings.Repeat("ü", 20)})
		results = append(results, secret.Result{Name: secret.Name(name), EncryptedValue: value})
	}
	const value = 100 + len(`,"encrypted_value":""`)
	all := utf16Len(encode(rows))
	bare := all - 10*value
	for _, test := range []struct{ budget, fits int }{
		{all, 10},
		{all - 1, 9},
		{bare + 2*value, 2},
		{bare + 2*value - 1, 1},
		{bare, 0},
		{bare - 1, 1}, // the errors are cut at 40 bytes
	} {
		entries := entriesOf(results)
		text := fitToBudget(slices.Clone(rows), entries, test.budget)
		if got := utf16Len(text); got > test.budget {
			t.Errorf("budget %d: %d code units", test.budget, got)
		}
		if got := strings.Count(text, `"encrypted_value"`); got != test.fits {
			t.Errorf("budget %d: %d values, want %d", test.budget, got, test.fits)
		}
		for i, e := range entries {
			want := inOutputs
			if i >= test.fits {
				want = nowhere
			}
			if e.saved != want {
				t.Errorf("budget %d: saved of S%d is %d, want %d", test.budget, i, e.saved, want)
			}
		}
	}
	if got := utf16Len("aü世🔑"); got != 5 {
		t.Errorf("utf16Len is %d, want 5", got)
	}
}

// TestLeaveOut checks which rows are left out first if not even the rows without
// their sealed values fit, and that the others keep their values.
func TestLeaveOut(t *testing.T) {
	checked := func(name secret.Name, due bool) secret.Result {
		return secret.Result{Name: name, Operation: secret.Checked, Check: &secret.Check{Exists: true, Due: due}}
	}
	stored := func(name secret.Name) secret.Result { return secret.Result{Name: name, Operation: secret.Created} }
	withWarning := stored("W")
	withWarning.Err = errors.New("x")
	results := []secret.Result{
		stored("A"),
		sealed(failure("S", secret.Failed, errors.New("x"))),
		checked("D", true),
		failure("I", secret.Failed, errors.New("x")),
		checked("N", false),
		checked("E", true),
		withWarning,
		sealed(failure("F", secret.Failed, secret.ErrCannotOpen)), // the value is of no use
		sealed(failure("T", secret.Unknown, errors.New("x"))),
		stored("C"),
	}
	order := strings.Fields("C N A E D F W I T S")
	r, _, _ := newReporter(t)
	var rows []row
	for _, result := range results {
		rows = append(rows, r.newRow(result))
	}
	for n := 2; n <= len(order); n++ {
		var kept []row
		var want []string
		for i, result := range results {
			if slices.Contains(order[n:], string(result.Name)) {
				kept, want = append(kept, rows[i]), append(want, string(result.Name))
			}
		}
		budget := utf16Len(encode(kept))
		entries := entriesOf(results)
		text := fitToBudget(rows, entries, budget)
		if text != encode(kept) {
			t.Errorf("%d rows left out: got %s, want %s", n, text, encode(kept))
		}
		for i, e := range entries {
			isKept := slices.Contains(want, string(e.Name))
			wantSaved := notNeeded
			switch {
			case e.Name != "S" && e.Name != "T":
			case isKept:
				wantSaved = inOutputs
			default:
				wantSaved = nowhere
			}
			if e.saved != wantSaved {
				t.Errorf("%d rows left out: saved of %s is %d, want %d", n, e.Name, e.saved, wantSaved)
			}
			if e.leftOut == isKept {
				t.Errorf("%d rows left out: row %d, %s, has leftOut %v, want %v", n, i, e.Name, e.leftOut, !isKept)
			}
		}
		// With one code unit less, the next row is left out.
		if got := utf16Len(fitToBudget(rows, entriesOf(results), budget-1)); n < len(order) && got >= budget {
			t.Errorf("budget %d: got %d code units", budget-1, got)
		}
	}
}

// TestLeftOutWarning checks the one warning about rows that are left out, and its
// advice.
func TestLeftOutWarning(t *testing.T) {
	done := &entry{Result: secret.Result{Operation: secret.Updated}, leftOut: true}
	due := &entry{Result: secret.Result{Operation: secret.Checked, Check: &secret.Check{Due: true}}, leftOut: true}
	failed := &entry{Result: failure("A", secret.Failed, errors.New("x")), leftOut: true}
	finishable := &entry{Result: sealed(failure("A", secret.Failed, errors.New("x"))), leftOut: true}
	hasRow := &entry{Result: finishable.Result}
	const (
		start = "the output results is limited to 1 MB and leaves out "
		split = " The log has every row. Name fewer secrets or stores in one run to have every row in the outputs."
		names = " The log has every row. To finish the batch with the input sealed, " +
			"list in secret_name only secrets that have a row."
	)
	for _, test := range []struct {
		mode    secret.Mode
		entries []*entry
		want    string
	}{
		{secret.ModeSet, []*entry{hasRow}, ""},
		{secret.ModeCheck, []*entry{done, due}, start + "2 rows: 2 done." + split},
		{secret.ModeAccess, []*entry{failed}, start + "1 row: 1 not done." + split},
		{secret.ModeSet, []*entry{done, failed}, start + "2 rows: 1 done, 1 not done." + split},
		{secret.ModeSet, []*entry{hasRow, done, done}, start + "2 rows: 2 done." + names},
		{
			secret.ModeSet,
			[]*entry{done, failed, finishable, finishable},
			start + "4 rows: 1 done, 1 not done, 2 with a sealed value." + names,
		},
		{secret.ModeSeal, []*entry{finishable}, start + "1 row: 1 with a sealed value." + split},
	} {
		r, stdout, _ := newReporter(t)
		r.warnLeftOut(test.mode, test.entries)
		if got := strings.TrimPrefix(strings.TrimSpace(stdout.String()), "::warning::"); got != test.want {
			t.Errorf("mode %s: got %q, want %q", test.mode, got, test.want)
		}
	}
}

// TestSummaryTooLarge checks what a summary has if not all of it fits: half is left
// to failures, the table has what fits, and what is missing is counted.
func TestSummaryTooLarge(t *testing.T) {
	long := strings.Repeat("N", 250)
	result := func(i int) secret.Result {
		return secret.Result{
			Store: secret.Dependabot, Name: secret.Name(fmt.Sprintf("%s_%04d", long, i+1)), Operation: secret.Created,
			Access: secret.Access{Visibility: secret.Private}, KeyID: "568250167242549744",
		}
	}
	failed := func(i int) secret.Result {
		r := result(i)
		r.Operation, r.Err, r.EncryptedValue = secret.Failed, errors.New("x"), strings.Repeat("A", 800)
		return r
	}
	for _, test := range []struct {
		name                  string
		n                     int
		result                func(int) secret.Result
		rows, commands        int // at least
		complete, allCommands bool
	}{
		{"a table that fits", 2000, result, 2000, 0, true, true},
		{"a table that is too long", 4000, result, 2000, 0, false, true},
		{"failures and a table that fit", 400, failed, 400, 400, true, true},
		{"failures that do not fit", 1000, failed, 1000, 350, true, false},
		{"neither fits", 4000, failed, 1000, 250, false, false},
	} {
		var results []secret.Result
		for i := range test.n {
			results = append(results, test.result(i))
		}
		r, _, _ := newReporter(t)
		entries := entriesOf(results)
		for _, e := range entries {
			if e.storableLater() {
				e.saved = nowhere
			}
		}
		text := r.markdown(Run{Mode: secret.ModeSet, Org: "acme", Results: results}, entries)
		if len(text) > maxSummaryBytes {
			t.Errorf("%s: got %d bytes, want at most %d", test.name, len(text), maxSummaryBytes)
		}
		rows, named := strings.Count(text, "\n| <code>NNN"), 0
		for _, e := range entries {
			if e.named {
				named++
			}
		}
		if rows+named < test.rows || (rows+named == test.n) != test.complete {
			t.Errorf("%s: got %d rows and %d names of failures for %d secrets, want %d or more", test.name, rows, named, test.n, test.rows)
		}
		title := fmt.Sprintf("The first %s of %s (summary size limit; the log has every row)",
			secret.FormatCount(rows), count(test.n-named, "row"))
		if strings.Contains(text, title) == test.complete {
			t.Errorf("%s: the title %q: got %v, want %v", test.name, title, !test.complete, test.complete)
		}
		commands, saved := strings.Count(text, "gh api --silent --method PUT"), 0
		for _, e := range entries {
			if e.saved == inSummary {
				saved++
			}
		}
		if commands < test.commands || commands != saved {
			t.Errorf("%s: got %d commands and %d values noted as saved, want %d or more", test.name, commands, saved, test.commands)
		}
		note := fmt.Sprintf("**%s are saved nowhere**", count(test.n-commands, "sealed value"))
		if strings.Contains(text, note) == test.allCommands {
			t.Errorf("%s: the note %q: got %v, want %v", test.name, note, test.allCommands, !test.allCommands)
		}
		if !strings.HasSuffix(text, "\n</details>\n") {
			t.Errorf("%s: the summary ends in %.50q", test.name, text[len(text)-50:])
		}
	}
}

// TestManyReasons checks that the reasons of failures leave room for the sealed
// values, are folded from the 26th on, and that those that do not fit are counted.
func TestManyReasons(t *testing.T) {
	for _, test := range []struct {
		n     int
		bytes int // of each reason
	}{{26, 10}, {1000, 2000}} {
		var results []secret.Result
		for i := range test.n {
			reason := fmt.Sprintf("reason %d %s", i, strings.Repeat("x", test.bytes))
			results = append(results, sealed(failure(secret.Name(fmt.Sprintf("S%04d", i)), secret.Failed, errors.New(reason))))
		}
		r, _, _ := newReporter(t)
		entries := entriesOf(results)
		for _, e := range entries {
			e.saved = nowhere
		}
		text := r.markdown(Run{Mode: secret.ModeSet, Org: "acme", Results: results}, entries)
		if len(text) > maxSummaryBytes {
			t.Errorf("%d reasons: got %d bytes, want at most %d", test.n, len(text), maxSummaryBytes)
		}
		plain, _, _ := strings.Cut(text, "<details>")
		if got := strings.Count(plain, "❌ `S"); got != foldRows {
			t.Errorf("%d reasons: got %d before the fold, want %d", test.n, got, foldRows)
		}
		shown := strings.Count(text, "❌ `S")
		note := count(test.n-shown, "more reason") + " omitted (summary size limit)"
		if strings.Contains(text, note) != (shown < test.n) || shown < 26 {
			t.Errorf("%d reasons: got %d, and the note %q: %v", test.n, shown, note, strings.Contains(text, note))
		}
		if got := strings.Count(text, "gh api --silent"); got != test.n {
			t.Errorf("%d reasons: got %d commands, want all", test.n, got)
		}
		for _, e := range entries {
			if row := fmt.Sprintf("\n| `%s` |", e.Name); strings.Contains(text, row) == e.named {
				t.Fatalf("%d reasons: %q is among the failures: %v, and has a row: %v, want one of both",
					test.n, e.Name, e.named, e.named)
			}
		}
	}
}

// TestManyProblems checks that the annotation and the summary of a refused run list
// the first problems, count the others, and show no part of a masked text.
func TestManyProblems(t *testing.T) {
	masked := strings.Repeat("masked-text-", 300) // longer than a problem may be
	for _, test := range []struct {
		name                 string
		n                    int
		problem              string
		annotated, inSummary int
		more, moreInSummary  string
	}{
		{"one", 1, "short", 1, 1, "", ""},
		{"as many as are listed", 100, "short", 100, 100, "", ""},
		{"one more", 101, "short", 100, 100, "and 1 more problem", "and 1 more problem"},
		{"20,000 of 200 bytes", 20_000, strings.Repeat("x", 200), 18, 100, "and 19,982 more problems", "and 19,900 more problems"},
		{"long ones", 3, strings.Repeat("& ", 2500), 1, 3, "and 2 more problems", ""},
		{"many long ones", 200, strings.Repeat("& ", 2500), 1, 100, "and 199 more problems", "and 100 more problems"},
		{"many that grow most", 200, strings.Repeat("` ", 2500), 1, 100, "and 199 more problems", "and 100 more problems"},
		{"one long word", 1, strings.Repeat("&", 5000), 1, 1, "", ""},
		{"masked", 2, "echoed: " + masked, 2, 2, "", ""},
	} {
		r, stdout, env := newReporter(t)
		r.masks.Add([]byte(masked))
		r.RefuseInputs(secret.ModeSet, slices.Repeat([]string{test.problem}, test.n))
		log := fakerunner.New().Process(stdout.String())
		if len(log.Annotations) != 1 {
			t.Fatalf("%s: got %d annotations, want 1", test.name, len(log.Annotations))
		}
		message := log.Annotations[0].Message
		if len(message) > 4096 {
			t.Errorf("%s: the annotation has %d bytes, want at most 4,096", test.name, len(message))
		}
		summary, err := os.ReadFile(env["GITHUB_STEP_SUMMARY"])
		if err != nil {
			t.Fatal(err)
		}
		if len(summary) > maxSummaryBytes {
			t.Errorf("%s: the summary has %d bytes, want at most %d", test.name, len(summary), maxSummaryBytes)
		}
		_, listed, _ := strings.Cut(message, "\n  ")
		_, items, _ := strings.Cut(string(summary), "\n\n- ")
		for _, part := range []struct {
			place string
			lines []string
			want  int
			more  string
		}{
			{"annotation", strings.Split(listed, "\n  "), test.annotated, test.more},
			{"summary", strings.Split(strings.TrimSpace(items), "\n- "), test.inSummary, test.moreInSummary},
		} {
			n, more := len(part.lines), ""
			if last := part.lines[n-1]; strings.HasPrefix(last, "and ") {
				n, more = n-1, last
			}
			if n != part.want || more != part.more {
				t.Errorf("%s: the %s lists %d problems %q, want %d %q", test.name, part.place, n, more, part.want, part.more)
			}
		}
		if text := stdout.String() + string(summary); strings.Contains(text, "masked-text") {
			t.Errorf("%s: a masked text is shown: %.300q", test.name, text)
		}
	}
}

// TestAgeBar draws ten blocks for max_age, the oldest secret first, and no bar
// for a secret without an age or a check without max_age.
func TestAgeBar(t *testing.T) {
	const day = 24 * time.Hour
	ten := strings.Repeat("█", 10)
	for _, test := range []struct {
		age, maxAge time.Duration
		want        string
	}{
		{0, 30 * day, ""},
		{2 * day, 30 * day, ""},
		{30 * day, 30 * day, ten},
		{31 * day, 30 * day, ten},
		{45 * day, 30 * day, ten + "<wbr>█████"},
		{60 * day, 30 * day, ten + "<wbr>" + ten},
		{1000 * day, 30 * day, ten + "<wbr>█████████…"},
		{30 * day, 0, ""},
	} {
		if got := ageBar(test.age, test.maxAge); got != test.want {
			t.Errorf("%v of %v: got %s, want %s", test.age, test.maxAge, got, test.want)
		}
	}
	checked := func(name secret.Name, check secret.Check) secret.Result {
		check.UpdatedAt = time.Date(2026, 7, 28, 23, 0, 0, 0, time.UTC)
		return secret.Result{Store: secret.Actions, Name: name, Operation: secret.Checked, Check: &check}
	}
	r, _, _ := newReporter(t)
	run := Run{Mode: secret.ModeCheck, MaxAge: 30 * day, Results: []secret.Result{
		checked("NEW", secret.Check{Exists: true, Age: 3 * day}),
		checked("OLD", secret.Check{Exists: true, Age: 45 * day, Due: true}),
		checked("MISSING", secret.Check{Due: true}),
		failure("FAILED", secret.Failed, errors.New("x")),
	}}
	var got []string
	for line := range strings.SplitSeq(r.markdown(run, entriesOf(run.Results)), "\n") {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| Secret") && !strings.HasPrefix(line, "| ---") {
			got = append(got, line)
		}
	}
	want := []string{
		"| ❌ `FAILED` | **x**<br>**What to do:** Run it again. |",
		"| 🔴 `MISSING` | missing |  |",
		"| 🔴 `OLD` | 45 days, 2026-07-28<br><sub>" + ten + "<wbr>█████</sub> |  |",
		"| `NEW` | 3 days, 2026-07-28<br><sub>█</sub> |  |",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 secret": count(1, "secret"), "0 secrets": count(0, "secret"), "1,000 secrets": count(1000, "secret"),
		"1 repository": count(1, "repository"), "1,234,567 repositories": count(1234567, "repository"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestProgress checks when a batch logs progress, and what.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, stdout, _ := newReporter(t)
		p := r.NewProgress(200, 80)
		for i := range 200 {
			result := secret.Result{Operation: secret.Created}
			if i == 9 {
				result.Operation = secret.Failed
			}
			p.Add(result)
			time.Sleep(500 * time.Millisecond)
		}
		const want = "40 of 200 stored, 1 failed, 80 a minute, about 2 minutes left\n"
		first, _, _ := strings.Cut(stdout.String(), "\n")
		if first+"\n" != want {
			t.Errorf("the first line is %q, want %q", first+"\n", want)
		}
		if got := strings.Count(stdout.String(), "\n"); got != 4 {
			t.Errorf("%d lines in 100 seconds, want 4:\n%s", got, stdout)
		}

		stdout.Reset()
		p = r.NewProgress(80, 80)
		for range 80 {
			p.Add(secret.Result{})
			time.Sleep(time.Minute)
		}
		if stdout.Len() > 0 {
			t.Errorf("got %q for a batch within a minute's rate, want nothing", stdout)
		}
	})
}

// TestSelectionOrder checks that repositories are listed by name, however they are shown.
func TestSelectionOrder(t *testing.T) {
	r, _, _ := newReporter(t)
	body := &limitedText{budget: 1000}
	r.addReview(body, []secret.Result{{
		Store: secret.Actions, Name: "A", Operation: secret.Checked, Check: &secret.Check{Exists: true, Listed: true},
		Access: secret.Access{Visibility: secret.Selected, Repositories: []secret.Repository{
			{ID: 1, FullName: "acme/long-repository"}, {ID: 2, FullName: "acme/api"},
		}},
	}})
	const want = "| `A` | `acme/api`, <code>acme/<wbr>long-<wbr>repository</code> |\n"
	if !strings.Contains(body.String(), want) {
		t.Errorf("got %q, want %q in it", body, want)
	}
}

// TestChangesAreADiff checks that changes of access are shown as a diff block, one for
// all that are alike, that a repository's name cannot end.
func TestChangesAreADiff(t *testing.T) {
	r, _, _ := newReporter(t)
	result := secret.Result{
		Store: secret.Actions, Name: "A", Operation: secret.Updated, Access: secret.Access{Visibility: secret.Selected},
		Change: secret.Change{
			From: secret.Selected, To: secret.Selected,
			Added:   []secret.Repository{{ID: 1, FullName: "acme/web"}, {ID: 2, FullName: "acme/x\n```\n## forged"}},
			Removed: []secret.Repository{{ID: 3}},
		},
	}
	alike, unconfirmed := result, result
	alike.Name, unconfirmed.Name, unconfirmed.Operation = "B", "C", secret.Unknown
	run := Run{Mode: secret.ModeSet, Org: "acme", Results: []secret.Result{result, unconfirmed, alike}}
	text := r.markdown(run, entriesOf(run.Results))
	want := "Access changes for `A`, `B` in actions:\n\n```diff\n+ acme/web\n+ acme/x\\n```\\n## forged\n- repository 3\n```\n\n" +
		"Access changes for `C` in actions (not confirmed):\n\n```diff\n+ acme/web\n"
	if !strings.Contains(text, want) {
		t.Errorf("got %q, want %q in it", text, want)
	}
}

// TestDueRowsAreNotFolded checks that a long table of a check shows the rows that
// are due, and folds the others.
func TestDueRowsAreNotFolded(t *testing.T) {
	const day = 24 * time.Hour
	for _, test := range []struct {
		rows, due     int
		plain, folded int // rows before the fold, and in it
		title         string
	}{
		{foldRows, 0, foldRows, 0, ""},
		{foldRows, 2, 2, foldRows - 2, "🟢 23 within 90 days"},
		{foldRows + 1, 0, 0, foldRows + 1, "🟢 26 within 90 days"},
		{40, 3, 3, 37, "🟢 37 within 90 days"},
		{40, 40, 40, 0, ""},
	} {
		var results []secret.Result
		for i := range test.rows {
			check := &secret.Check{Exists: true, Due: i < test.due, Age: time.Duration(1000-i) * day}
			name := secret.Name(fmt.Sprintf("S%d", i))
			results = append(results, secret.Result{Store: secret.Actions, Name: name, Operation: secret.Checked, Check: check})
		}
		r, _, _ := newReporter(t)
		text := r.markdown(Run{Mode: secret.ModeCheck, MaxAge: 90 * day, Results: results}, entriesOf(results))
		plain, folded, _ := strings.Cut(text, "<details>")
		if got := strings.Count(plain, "`S"); got != test.plain {
			t.Errorf("%d rows, %d due: got %d rows before the fold, want %d", test.rows, test.due, got, test.plain)
		}
		if got := strings.Count(folded, "| `S"); got != test.folded {
			t.Errorf("%d rows, %d due: got %d folded rows, want %d", test.rows, test.due, got, test.folded)
		}
		if got := strings.Count(plain, "| 🔴 `S"); got != test.due {
			t.Errorf("%d rows, %d due: got %d due rows before the fold", test.rows, test.due, got)
		}
		if want := "<summary>" + test.title + "</summary>"; test.title != "" && !strings.Contains(text, want) {
			t.Errorf("%d rows, %d due: got %q, want %q in it", test.rows, test.due, text, want)
		}
	}
}

// TestLinks checks the links to the organization's pages of secrets.
func TestLinks(t *testing.T) {
	results := []secret.Result{{Store: secret.Dependabot}, {Store: secret.Actions}, {Store: secret.Agents}, {Store: secret.Actions}}
	for _, test := range []struct{ api, want string }{
		{"https://api.github.com/", "https://github.com/organizations/acme/settings/secrets/"},
		{"https://api.acme.ghe.com/", "https://acme.ghe.com/organizations/acme/settings/secrets/"},
		{"https://github.corp.test/api/v3/", "https://github.corp.test/organizations/acme/settings/secrets/"},
	} {
		want := fmt.Sprintf("[Actions secrets of acme](%sactions) · [Dependabot secrets of acme](%sdependabot)\n\n", test.want, test.want)
		if got := links(Run{Org: "acme", APIURL: test.api, Results: results}); got != want {
			t.Errorf("%s: got %q, want %q", test.api, got, want)
		}
	}
	if got := links(Run{Org: "acme", Results: results}); got != "" {
		t.Errorf("offline: got %q, want none", got)
	}
}
