package fakerunner

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"set-org-secret/internal/golden"
)

func equal[T comparable](t *testing.T, name string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", name, got, want)
	}
}

func equalLines(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", name, got, want)
	}
}

// compare runs the lines of a file that are input, and compares the lines below each with its result.
func compare(t *testing.T, file string, run func(line string) (result string, isInput bool)) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(text)) {
		if result, isInput := run(strings.TrimSuffix(line, "\n")); isInput {
			got.WriteString(line + result)
		}
	}
	golden.Compare(t, file, got.String())
}

func unquote(t *testing.T, text string) string {
	t.Helper()
	unquoted, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return unquoted
}

// TestSteps runs testdata/steps.txt. "secret" has a secret of the job, "$" the output of a step.
func TestSteps(t *testing.T) {
	r := New()
	compare(t, "steps.txt", func(line string) (string, bool) {
		kind, text, _ := strings.Cut(line, " ")
		switch kind {
		case "#":
		case "":
			r = New()
		case "secret":
			r.Secret(unquote(t, text))
		case "$":
			return show(r.Process(unquote(t, text))), true
		default:
			return "", false
		}
		return "", true
	})
}

func show(log Log) string {
	var b strings.Builder
	for _, line := range log.Lines {
		fmt.Fprintf(&b, "log %q\n", line)
	}
	for _, a := range log.Annotations {
		fmt.Fprintf(&b, "%s %q %q\n", a.Kind, a.Title, a.Message)
	}
	for _, mask := range log.Masks {
		fmt.Fprintf(&b, "mask %q\n", mask)
	}
	if len(log.Commands) > 0 {
		fmt.Fprintf(&b, "commands %s\n", strings.Join(log.Commands, " "))
	}
	if log.Failed {
		b.WriteString("failed\n")
	}
	return b.String()
}

// Runner.Worker/ExecutionContext.cs, _maxCountPerIssueType and _maxIssueMessageLength.
func TestAnnotationLimits(t *testing.T) {
	log := New().Process(strings.Repeat("::error::e\n", 12) + "::warning::" + strings.Repeat("x", 5000))
	equal(t, "annotations", len(log.Annotations), 11)
	equal(t, "lines", len(log.Lines), 13)
	equal(t, "length of a message", len(log.Annotations[10].Message), annotationLength)
}

// Runner.Worker/JobExtension.cs.
func TestJobOutputs(t *testing.T) {
	r := New()
	r.Process("::add-mask::hush\n::add-mask::}")
	passed, skipped := r.JobOutputs(map[string]string{"a": "fine", "b": "a hush b", "c": "", "d": `{"x":1}`, "e": "***"})
	if want := map[string]string{"a": "fine", "e": "***"}; !maps.Equal(passed, want) {
		t.Errorf("passed: got %q, want %q", passed, want)
	}
	equalLines(t, "skipped", skipped, "b", "d")
	equal(t, "size", SizeOutputs(map[string]string{"ab": "é", "c": "\U0001F511"}), 12)
}

// Runner.Worker/FileCommandManager.cs, CreateStepSummaryCommand.
func TestSummary(t *testing.T) {
	r := New()
	r.Secret("one\ntwo")
	got, err := r.Summary("a one\r\ntwo\rend")
	equal(t, "masked", got, "a ***\n***\nend\n")
	equal(t, "error", err, nil)
	if _, err = r.Summary(strings.Repeat("x", summarySize)); err != nil {
		t.Errorf("largest summary: got error %v, want none", err)
	}
	if _, err = r.Summary(strings.Repeat("x", summarySize+1)); err == nil {
		t.Error("too large a summary: got no error, want one")
	}
	got, _ = r.Summary("")
	equal(t, "empty", got, "")
}

// Runner.Worker/ActionRunner.cs merges inputs, Runner.Worker/Handlers/Handler.cs names them.
func TestInputs(t *testing.T) {
	got := Inputs(
		map[string]string{"Org": "acme", "mode": "", "extra one": " x "},
		map[string]string{"org": "default", "mode": "set", "stores": "actions", "token": ""})
	equalLines(t, "inputs", got,
		"INPUT_EXTRA_ONE= x ", "INPUT_MODE=", "INPUT_ORG=acme", "INPUT_STORES=actions", "INPUT_TOKEN=")
}
