// Package fakerunner reimplements how the GitHub Actions runner processes the output of a step: workflow commands
// and masks in its standard output, the files GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, the inputs of a container
// action, and the job outputs that the runner skips. Tests and the demo check the action against it. It imports no
// other package of this module, because shared code would share its mistakes.
//
// It follows github.com/actions/runner 2.336.0 (main at 258d6c857db3) on Linux with github.com. Each rule names its
// upstream file, relative to the folder src of that repository. The runner's messages are paraphrased, except for
// the few that users search for.
//
// It does not implement the following, which this action does not use:
//   - problem matchers, state, outputs by a command, GITHUB_ENV and GITHUB_PATH: their commands are recognized, but
//     have no effect;
//   - the log with debug or echo on, and the paths that are mapped to those in a container;
//   - composite actions, which defer outputs and collect annotations, and regular expression masks, which only the
//     server sends;
//   - text in UTF-16 or UTF-32.
//
// The runner searches "::" and "##[" with .NET's culture-sensitive search. Only one effect of that is implemented,
// see [parseCommand]; it finds more commands, never fewer. A combining mark directly after a separator, which could
// hide a command from the runner, is not.
package fakerunner

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	// annotationsPerKind is the maximum number of errors, of warnings and of notices that become annotations of a
	// step. Later ones are only logged.
	// Runner.Worker/ExecutionContext.cs, _maxCountPerIssueType.
	annotationsPerKind = 10

	// annotationLength is the maximum length of a message in UTF-16 code units, after masking. The message is also
	// cut in the log.
	// Runner.Worker/ExecutionContext.cs, _maxIssueMessageLength.
	annotationLength = 4096

	// summarySize is the maximum size of a step's summary file, in bytes.
	// Runner.Worker/FileCommandManager.cs, AttachmentSizeLimit.
	summarySize = 1 << 20

	// OutputSize is the maximum total size of the outputs of a job, in bytes of UTF-16; see [SizeOutputs]. The
	// server enforces it, not the runner. The documentation says 1 MB, which is taken as 10^6 bytes, the stricter
	// reading.
	// https://github.com/github/docs/blob/main/data/reusables/actions/output-limitations.md
	OutputSize = 1_000_000
)

// Runner is the runner during one job: masks of one step apply to the next ones as well. It is not safe for
// concurrent use. The zero value has no masks and is ready to use.
type Runner struct{ masks masker }

// New returns a runner without masks.
func New() *Runner { return &Runner{} }

// Secret masks a secret of the job, as if the workflow referred to it: the trimmed value and each of its lines.
// Call it before any step runs.
// Runner.Worker/Worker.cs, InitializeSecretMasker.
func (r *Runner) Secret(value string) {
	value = strings.TrimSpace(toUTF8(value))
	r.masks.add(value)
	for _, line := range maskLines(value) {
		r.masks.add(line)
	}
}

// Inputs returns the environment variables (NAME=value, sorted) that pass inputs to a container action. defaults
// has every declared input, with "" for one without a default; it is used only if with does not have the key, so an
// empty value stays empty. Undeclared inputs are passed as well. Keys are case-insensitive.
// Runner.Worker/ActionRunner.cs; Runner.Worker/Handlers/Handler.cs, AddInputsToEnvironment.
func Inputs(with, defaults map[string]string) []string {
	env := map[string]string{}
	for _, inputs := range []map[string]string{defaults, with} {
		for key, value := range inputs {
			env["INPUT_"+strings.ToUpper(strings.ReplaceAll(key, " ", "_"))] = value
		}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, key+"="+env[key])
	}
	return out
}

// MatchesAny reports whether a mask matches in s.
func (r *Runner) MatchesAny(s string) bool { s = toUTF8(s); return r.masks.mask(s) != s }

// JobOutputs returns the outputs that later jobs can read and, sorted, the names of those the runner skips because
// they may contain a secret. Empty outputs are in neither; the runner omits them without a warning.
// Runner.Worker/JobExtension.cs, FinalizeJob.
func (r *Runner) JobOutputs(outputs map[string]string) (passed map[string]string, skipped []string) {
	passed = map[string]string{}
	for name, value := range outputs {
		switch {
		case value == "":
		case r.MatchesAny(value):
			skipped = append(skipped, name)
		default:
			passed[name] = value
		}
	}
	slices.Sort(skipped)
	return passed, skipped
}

// SizeOutputs returns the size of outputs that counts against [OutputSize]: two bytes for each UTF-16 code unit of
// the values. It is not documented whether names count; here they do.
func SizeOutputs(outputs map[string]string) int {
	units := 0
	for name, value := range outputs {
		units += utf16Len(name) + utf16Len(value)
	}
	return 2 * units
}

// Summary returns the job summary as uploaded. It is masked line by line, so a mask of several lines never matches.
// Every line ends in a newline, also the last one. It returns an error if the file, before masking, is too large to be
// uploaded; the runner logs that, but the step does not fail.
// Runner.Worker/FileCommandManager.cs, CreateStepSummaryCommand.
func (r *Runner) Summary(fileContent string) (string, error) {
	if size := len(fileContent); size > summarySize {
		return "", fmt.Errorf("$GITHUB_STEP_SUMMARY upload aborted: got %d bytes, want at most %d", size, summarySize)
	}
	var b strings.Builder
	for _, line := range splitLines(decode(fileContent)) {
		b.WriteString(r.masks.mask(line) + "\n")
	}
	return b.String(), nil
}

// splitLines splits text at CR, LF and CRLF, as .NET's StreamReader.ReadLine does for a step's output
// (Runner.Sdk/ProcessInvoker.cs) and for summaries. A line end at the end of the text starts no empty line.
func splitLines(s string) []string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// decode decodes text as .NET's StreamReader and File.ReadAllText do. It drops a byte order mark.
func decode(s string) string { return strings.TrimPrefix(toUTF8(s), "\ufeff") }

// toUTF8 replaces each byte that is not UTF-8 with U+FFFD. .NET sometimes replaces several bytes with one.
func toUTF8(s string) string { return string([]rune(s)) }

// utf16Len returns the length of s in UTF-16 code units, as .NET counts it.
func utf16Len(s string) int { return len(utf16.Encode([]rune(s))) }
