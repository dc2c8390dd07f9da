// Package report shows what a run did: in the log, annotations, outputs and the job summary.
//
// Its types carry no plaintext. All text from outside, such as messages from GitHub, is sanitized before it is
// printed, so that it cannot add a workflow command, an output or a line. Everything is printed to stdout, because
// the runner reads stderr first, which would print it before the masks.
package report

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// Reporter writes in the formats of GitHub Actions, or plain text if GITHUB_ACTIONS is not set. Line and Warn are
// safe for concurrent use.
type Reporter struct {
	mu        sync.Mutex
	gha       *githubactions.Action
	getenv    func(string) string
	masks     *mask.Set
	actions   bool
	delimiter string // ends each value in GITHUB_OUTPUT
	randErr   error
	annotated map[string]int // by kind

	nameWidth, operationWidth int // of the rows' columns
}

// Options of a Reporter.
type Options struct {
	Stdout io.Writer
	Getenv func(string) string
	Masks  *mask.Set
	// Rand is the source of the delimiter in GITHUB_OUTPUT, which no value may contain: it could add outputs.
	Rand io.Reader
}

// New returns a Reporter.
func New(o Options) *Reporter {
	delimiter := make([]byte, 16)
	_, err := io.ReadFull(o.Rand, delimiter)
	stdout := bestEffortWriter{o.Stdout}
	return &Reporter{
		gha:    githubactions.New(githubactions.WithWriter(stdout), githubactions.WithGetenv(o.Getenv)),
		getenv: o.Getenv, masks: o.Masks, actions: o.Getenv("GITHUB_ACTIONS") != "",
		delimiter: fmt.Sprintf("set_org_secret_%x", delimiter), randErr: err,
		annotated: map[string]int{}, operationWidth: len(secret.Updated),
	}
}

// bestEffortWriter ignores write errors: githubactions panics on them, and a closed log must not stop a write.
type bestEffortWriter struct{ w io.Writer }

func (b bestEffortWriter) Write(p []byte) (int, error) {
	_, _ = b.w.Write(p)
	return len(p), nil
}

// PrintMasks tells the runner what to mask. Outside Actions nothing reads masks, and a terminal would show them.
func (r *Reporter) PrintMasks() {
	if !r.actions {
		return
	}
	for _, line := range r.masks.Lines() {
		r.gha.AddMask(line)
	}
}

// CheckFiles returns an error if outputs or summary could not be written at the end of the run, when a sealed value
// could be lost by that.
func (r *Reporter) CheckFiles() error {
	var errs []error
	if r.randErr != nil {
		errs = append(errs, fmt.Errorf("cannot read random bytes: %w", r.randErr))
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		path := r.getenv(name)
		if path == "" {
			// A runner without summaries loses no output.
			if r.actions && name == "GITHUB_OUTPUT" {
				errs = append(errs, errors.New("GITHUB_OUTPUT is not set: this step's outputs would be lost"))
			}
			continue
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s is not writable: %w", name, err))
			continue
		}
		_ = f.Close()
	}
	return errors.Join(errs...)
}

// Run is what there is to report at the end of a run.
type Run struct {
	Mode    secret.Mode
	Org     string
	APIURL  string          // for the command that stores a sealed value
	Results []secret.Result // in input order
	// Refused lists why the run ended before any request, or is empty.
	Refused  []string
	MaxAge   time.Duration
	Requests int
	Took     time.Duration
	DryRun   bool
	// ListRepositories adds who may read what to the summary of a check.
	ListRepositories bool
}

// Finish writes outputs, summary, annotations and the last line of the log. It returns an error if it could not write
// all of that, or save a sealed value.
func (r *Reporter) Finish(run Run) error {
	entries := entriesOf(run.Results)
	outputs := r.outputs(run, entries)
	r.warnLeftOut(run.Mode, entries)
	if run.Mode == secret.ModeCheck {
		r.warnDue(run.Results)
	}
	errs := []error{r.write(outputs), r.writeSummary(run, entries)}
	for _, err := range errs {
		if err != nil {
			r.annotate("error", err.Error())
		}
	}
	errs = append(errs, r.reportUnsaved(run, entries))
	r.annotateFailures(run, entries)
	r.Line(footer(run))
	return errors.Join(errs...)
}

// Refuse reports that the run ended before any request.
func (r *Reporter) Refuse(mode secret.Mode, err error, details ...string) {
	problem := asError(err).Problem
	r.annotate("error", problem, details...)
	_ = r.Finish(Run{Mode: mode, Refused: append([]string{problem}, details...)})
}

// RefuseInputs reports the problems of the inputs.
func (r *Reporter) RefuseInputs(mode secret.Mode, problems []string) {
	budget := maxAnnotationBytes - noteBytes
	if !r.actions {
		budget = math.MaxInt // a line of the log has no limit
	}
	title := count(len(problems), "problem") + " in the inputs; nothing was sent to GitHub"
	r.annotate("error", title, r.firstProblems(problems, budget)...)
	_ = r.Finish(Run{Mode: mode, Refused: problems})
}

const (
	// maxProblems is how many problems are listed. A batch can have one in each of its lines.
	maxProblems = 100
	// maxProblemBytes is where a problem is cut.
	maxProblemBytes = 2000
)

// firstProblems returns the first problems, at most maxProblems and budget bytes, and a line that counts the others.
func (r *Reporter) firstProblems(problems []string, budget int) (lines []string) {
	for i, problem := range problems {
		line := cut(r.sanitizeLine(problem), maxProblemBytes)
		if budget -= len(line) + len("\n  "); budget < 0 || i == maxProblems {
			return append(lines, "and "+count(len(problems)-i, "more problem"))
		}
		lines = append(lines, line)
	}
	return lines
}
