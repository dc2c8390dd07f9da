// Package fakerunner restates how the GitHub Actions runner treats what a step
// prints and writes: workflow commands and masks in its standard output, the
// files behind GITHUB_OUTPUT and GITHUB_STEP_SUMMARY, the inputs it hands to a
// container action, and which job outputs it refuses to pass on. Tests and the
// demo hold the action against it, so it takes nothing from the rest of this
// module: a judge that shares code with the judged would share its mistakes.
//
// It restates github.com/actions/runner 2.336.0 (main at 258d6c857db3) on Linux,
// talking to github.com. Each rule names the upstream file it was read in; paths
// are relative to that repository's src folder. The runner's own messages are
// given in other words, except for the few that users search for.
//
// It refuses, because no action here depends on it:
//   - problem matchers, state, GITHUB_ENV and GITHUB_PATH (the commands of that
//     kind are recognised and named, without an effect);
//   - composite actions, which defer outputs and collect annotations, and regular
//     expression masks, which only the server sends;
//   - the runner's own debug lines, and text in UTF-16 or UTF-32.
//
// The runner looks for "::" and "##[" with .NET's culture-sensitive search. Of
// that only one effect is restated, see [indexLoose]: it makes the judge find
// more commands, never fewer. A combining mark right behind a separator, which
// could hide a command from the runner, is not modelled.
package fakerunner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

const (
	// AnnotationsPerKind is how many errors, warnings and notices each a step
	// keeps as annotations. Later ones are only logged.
	// Runner.Worker/ExecutionContext.cs, _maxCountPerIssueType.
	AnnotationsPerKind = 10

	// AnnotationLength is where a message is cut, in UTF-16 code units, after
	// masking. The log shows the cut message too.
	// Runner.Worker/ExecutionContext.cs, _maxIssueMessageLength.
	AnnotationLength = 4096

	// SummarySize is the largest summary a step may upload, in bytes of the file.
	// Runner.Worker/FileCommandManager.cs, AttachmentSizeLimit.
	SummarySize = 1 << 20

	// OutputSize is what the outputs of one job may come to. The server holds it,
	// not the runner; the documentation says 1 MB a job, sized as UTF-16, so the
	// smaller reading of "MB" is taken.
	// https://github.com/github/docs/blob/main/data/reusables/actions/output-limitations.md
	OutputSize = 1_000_000
)

// Runner is one job on the runner: what is masked in one step stays masked in
// the next. It is not safe for concurrent use. The zero value is ready, and so
// is what [New] returns.
type Runner struct {
	// Debug is step debug logging (ACTIONS_STEP_DEBUG, RUNNER_DEBUG): it shows
	// debug commands, and echoes other commands from the start of each step.
	Debug bool

	// Temp and Workspace are the host's folders. Where they are set, Inputs
	// rewrites paths below them as for a container action.
	Temp, Workspace string

	masks masker
}

// New returns a runner without masks.
func New() *Runner { return &Runner{} }

// Secret registers a secret of the job, as if a workflow referred to it: the
// trimmed value and each of its lines, before any step runs.
// Runner.Worker/Worker.cs, InitializeSecretMasker.
func (r *Runner) Secret(value string) {
	value = strings.TrimSpace(toUTF8(value))
	r.masks.add(value)
	for _, line := range maskLines(value) {
		r.masks.add(line)
	}
}

// Inputs returns the environment assignments a container action is started
// with, sorted. Defaults names every declared input, with "" for one without a
// default; it counts only where with lacks the key, so an empty value stays
// empty. An undeclared input is passed on as well. Case of keys does not count.
// Runner.Worker/ActionRunner.cs; Runner.Worker/Handlers/Handler.cs, AddInputsToEnvironment.
func (r *Runner) Inputs(with, defaults map[string]string) []string {
	env := map[string]string{}
	for _, inputs := range []map[string]string{defaults, with} {
		for key, value := range inputs {
			env["INPUT_"+strings.ToUpper(strings.ReplaceAll(key, " ", "_"))] = r.containerPath(value)
		}
	}
	var out []string
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, key+"="+env[key])
	}
	return out
}

// containerPath rewrites a value that is one of the mounted host folders, or
// begins with one and a slash. The folder mapped last is tried first.
// Runner.Worker/Handlers/ContainerActionHandler.cs; Runner.Worker/Container/ContainerInfo.cs, TranslateToContainerPath.
func (r *Runner) containerPath(value string) string {
	mounts := [][2]string{
		{r.Workspace, "/github/workspace"},
		{r.under("_runner_file_commands"), "/github/file_commands"},
		{r.under("_github_workflow"), "/github/workflow"},
		{r.under("_github_home"), "/github/home"},
		{r.Temp, "/github/runner_temp"},
	}
	for _, mount := range mounts {
		host, container := mount[0], mount[1]
		if host == "" {
			continue
		}
		if rest, ok := strings.CutPrefix(value, host); ok && (rest == "" || rest[0] == '/') {
			return container + rest
		}
	}
	return value
}

func (r *Runner) under(folder string) string {
	if r.Temp == "" {
		return ""
	}
	return r.Temp + "/" + folder
}

// Mask returns s as the log would show it: everything that a mask matches is ***.
func (r *Runner) Mask(s string) string { return r.masks.mask(toUTF8(s)) }

// Hides reports whether Mask would change s, which is what costs a job output
// its life.
func (r *Runner) Hides(s string) bool { s = toUTF8(s); return r.masks.mask(s) != s }

// JobOutputs returns the outputs that reach later jobs and, sorted, the names of
// those the runner skips because they may contain a secret. An empty output is in
// neither: it is passed over without a word.
// Runner.Worker/JobExtension.cs, FinalizeJob.
func (r *Runner) JobOutputs(outputs map[string]string) (kept map[string]string, dropped []string) {
	kept = map[string]string{}
	for name, value := range outputs {
		switch {
		case value == "":
		case r.Hides(value):
			dropped = append(dropped, name)
		default:
			kept[name] = value
		}
	}
	slices.Sort(dropped)
	return kept, dropped
}

// SizeOutputs returns what outputs count against [OutputSize]: two bytes for
// each UTF-16 code unit of the values. Names are counted too, since how the
// server counts them is not documented.
func SizeOutputs(outputs map[string]string) int {
	units := 0
	for name, value := range outputs {
		units += units16(name) + units16(value)
	}
	return 2 * units
}

// ErrSummaryTooLarge says that a summary was not uploaded. The runner shows it
// as an error; the step does not fail by it.
var ErrSummaryTooLarge = errors.New("$GITHUB_STEP_SUMMARY upload aborted")

// Summary returns the job summary as uploaded: masked line by line, so a mask of
// several lines matches nothing here, with every line end a newline and one after
// the last line. The file's size is judged before masking.
// Runner.Worker/FileCommandManager.cs, CreateStepSummaryCommand.
func (r *Runner) Summary(fileContent string) (string, error) {
	if size := len(fileContent); size > SummarySize {
		return "", fmt.Errorf("%w: %d bytes of at most %d", ErrSummaryTooLarge, size, SummarySize)
	}
	var b strings.Builder
	for _, line := range splitLines(decode(fileContent)) {
		b.WriteString(r.masks.mask(line) + "\n")
	}
	return b.String(), nil
}

// splitLines cuts text as .NET's StreamReader.ReadLine does, which reads both a
// step's output (Runner.Sdk/ProcessInvoker.cs) and summaries: CR, LF and CRLF end
// a line, and the end of the text begins no further one.
func splitLines(s string) []string {
	var lines []string
	for s != "" {
		i := strings.IndexAny(s, "\r\n")
		if i < 0 {
			return append(lines, s)
		}
		lines = append(lines, s[:i])
		if strings.HasPrefix(s[i:], "\r\n") {
			i++
		}
		s = s[i+1:]
	}
	return lines
}

// decode reads text as .NET's StreamReader and File.ReadAllText do, without a
// byte order mark.
func decode(s string) string { return strings.TrimPrefix(toUTF8(s), "\ufeff") }

// toUTF8 puts U+FFFD for what is not UTF-8: one for each bad byte, where .NET at
// times puts one for several.
func toUTF8(s string) string { return string([]rune(s)) }

// units16 is a string's length as .NET counts it.
func units16(s string) int { return len(utf16.Encode([]rune(s))) }
