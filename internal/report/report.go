// Package report shows the results of a run: in the log, annotations, outputs and the job summary.
//
// Its types carry no plaintext. Text from outside is sanitized, so that it cannot add a workflow command, an output or
// a line. Everything goes to stdout: the runner reads stderr first, and would print it before the masks.
package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// Reporter writes in the formats of GitHub Actions, or plain text if GITHUB_ACTIONS is not set.
type Reporter struct {
	mu        sync.Mutex
	gha       *githubactions.Action
	getenv    func(string) string
	masks     *mask.Set
	actions   bool
	delimiter string         // ends each value in GITHUB_OUTPUT
	annotated map[string]int // by kind

	nameWidth, operationWidth int // of the columns of the log
}

// New returns a Reporter. The delimiter of outputs has to be random: a value with the delimiter could add outputs.
func New(stdout io.Writer, getenv func(string) string, masks *mask.Set, delimiter string) *Reporter {
	writer := githubactions.WithWriter(bestEffortWriter{stdout})
	return &Reporter{
		gha:    githubactions.New(writer, githubactions.WithGetenv(getenv)),
		getenv: getenv, masks: masks, actions: getenv("GITHUB_ACTIONS") != "", delimiter: delimiter,
		annotated: map[string]int{}, operationWidth: len(secret.Updated),
	}
}

// bestEffortWriter ignores write errors: githubactions panics on them, and a closed log must not stop a write.
type bestEffortWriter struct{ w io.Writer }

func (b bestEffortWriter) Write(p []byte) (int, error) {
	_, _ = b.w.Write(p)
	return len(p), nil
}

// PrintMasks passes the masks to the runner. Outside Actions nothing reads masks, and a terminal would show them.
func (r *Reporter) PrintMasks() {
	if r.actions {
		for _, line := range r.masks.Lines() {
			r.gha.AddMask(line)
		}
	}
}

// CheckFiles returns an error if the outputs or the summary cannot be written, which could lose a sealed value.
func (r *Reporter) CheckFiles() error {
	var errs []error
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		switch path := r.getenv(name); {
		case path != "":
			f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s is not writable: %w", name, err))
			}
			_ = f.Close() // returns an error if f is nil
		case r.actions && name == "GITHUB_OUTPUT": // a runner without summaries loses no output
			errs = append(errs, errors.New("GITHUB_OUTPUT is not set: this step's outputs would be lost"))
		}
	}
	err := errors.Join(errs...)
	if errors.Is(err, fs.ErrPermission) {
		err = errors.Join(err, errors.New("root in the container of this action is another user for the runner's "+
			"Docker (rootless, or userns-remap), or SELinux forbids it. Use a runner whose Docker runs as root "+
			"without userns-remap, and label its work folder container_file_t"))
	}
	return err
}

// Run is the input of a report.
type Run struct {
	Mode    secret.Mode
	Org     string
	APIURL  url.URL         // for the script that stores sealed values
	Results []secret.Result // in input order
	// Problems ended the run before any request. Where is their place: "in the inputs".
	Problems []string
	Where    string
	MaxAge   time.Duration
	Requests int
	Took     time.Duration
	DryRun   bool
	// ListRepositories makes a check a review: its summary also has the readers of each secret.
	ListRepositories bool
}

// Finish writes the report. It returns an error if a file cannot be written or a sealed value is not saved.
func (r *Reporter) Finish(run Run) error {
	run.Results = r.clean(run.Results)
	room := limits{outputs: maxOutputUnits, summary: maxSummaryBytes}
	if r.getenv("GITHUB_STEP_SUMMARY") == "" {
		room.summary = 0
	}
	d := decide(run, room)
	var errs []error
	if err := r.writeOutputs(outputs(d)); err != nil { // decide again where values are saved
		errs, room.outputs = append(errs, err), 0
		d = decide(run, room)
	}
	if room.summary > 0 {
		if err := r.appendTo("step-summary", r.summary(d)); err != nil {
			errs, room.summary = append(errs, err), 0
			d = decide(run, room)
		}
	}
	if len(run.Problems) == 0 { // a rejected run has no value to save, and its problems may name the file already
		for _, err := range errs {
			r.annotate("error", note{err.Error(), todo + "Use the log: this file lacks what it was to have."})
		}
	}
	for _, e := range d.entries {
		if e.outsideOutputs() {
			r.Event(e.label + ": not in the outputs. " + places[e.place].saved)
		}
		if e.place == hasValue {
			errs = append(errs, errors.New("the value of "+e.label+" is not saved"))
		}
	}
	for _, n := range []note{tooManyNote(d), leftOutNote(d), longNote(d), dueNote(d)} {
		r.annotate("warning", n)
	}
	for _, n := range errorNotes(d) {
		r.annotate("error", n)
	}
	r.lines(lastLine(d))
	return errors.Join(errs...)
}

// clean returns a copy of results in which each error is a [secret.Error] whose texts are printable lines.
func (r *Reporter) clean(results []secret.Result) []secret.Result {
	results = slices.Clone(results)
	for i, result := range results {
		if result.Err == nil {
			continue
		}
		err := *secret.AsError(result.Err)
		err.Notes = convert(err.Notes, r.sanitizeLine)
		for _, text := range []*string{&err.Op, &err.Problem, &err.Cause, &err.Hint, &err.RequestID} {
			*text = r.sanitizeLine(*text)
		}
		results[i].Err = &err
	}
	return results
}

// writeOutputs appends the outputs to GITHUB_OUTPUT. Outside Actions it logs them.
func (r *Reporter) writeOutputs(outputs []output) error {
	var b strings.Builder
	for _, o := range outputs {
		if r.actions && r.masks.MatchesAny(o.value) {
			r.Warn(fmt.Sprintf("the output %s contains text that is masked as a secret; "+
				"the runner does not pass it to other jobs", o.name))
		}
		// githubactions.SetOutput has a fixed delimiter, which a value could contain.
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", o.name, r.delimiter, o.value, r.delimiter)
		if !r.actions {
			r.lines(o.name + "=" + o.value)
		}
	}
	if r.getenv("GITHUB_OUTPUT") == "" {
		return nil
	}
	return r.appendTo("output", strings.TrimSuffix(b.String(), "\n"))
}

func (r *Reporter) appendTo(file, text string) (err error) {
	defer func() {
		if p := recover(); p != nil { // githubactions panics if it cannot write
			err = fmt.Errorf("the %s file is not writable: %v", file, p)
		}
	}()
	r.gha.IssueFileCommand(&githubactions.Command{Name: file, Message: text})
	return nil
}
