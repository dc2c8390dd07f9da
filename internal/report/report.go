// Package report tells what became of a run: the log, annotations, outputs and
// the job summary.
//
// It knows no Value. Text from outside (GitHub's messages, inputs) passes
// through plain before it is printed, so that it can't forge a workflow command,
// an output or a second line. All goes to stdout: the runner drains stderr
// first, which would print before the masks.
package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/mask"
	"set-org-secret/internal/secret"
)

// MaxAnnotations is how many of a kind GitHub keeps of one step.
const MaxAnnotations = 10

// Reporter writes in the forms that GitHub Actions reads, and as plain text
// where GITHUB_ACTIONS is unset. Line and Warn are safe for concurrent use.
type Reporter struct {
	mu      sync.Mutex
	gha     *githubactions.Action
	getenv  func(string) string
	masks   *mask.Set
	actions bool
	delim   string
	annoted map[string]int
	reasons map[string]string // of failures, to the first that had it
}

// Options of a Reporter.
type Options struct {
	Stdout io.Writer
	Getenv func(string) string
	Masks  *mask.Set
	// Delimiter ends values in GITHUB_OUTPUT; it must be a random one, since a
	// value that holds it could add outputs of its own.
	Delimiter string
}

// New returns a Reporter.
func New(o Options) *Reporter {
	return &Reporter{
		gha:    githubactions.New(githubactions.WithWriter(deaf{o.Stdout}), githubactions.WithGetenv(o.Getenv)),
		getenv: o.Getenv, masks: o.Masks, actions: o.Getenv("GITHUB_ACTIONS") != "", delim: o.Delimiter,
		annoted: map[string]int{}, reasons: map[string]string{},
	}
}

// deaf hides write errors: githubactions panics on them, and a log that nobody
// reads any more is no reason to leave a secret unstored.
type deaf struct{ w io.Writer }

func (d deaf) Write(p []byte) (int, error) {
	_, _ = d.w.Write(p)
	return len(p), nil
}

// PrintMasks tells the runner what to hide. Outside Actions nothing reads masks,
// and a terminal would show them.
func (r *Reporter) PrintMasks() {
	if !r.actions {
		return
	}
	for _, line := range r.masks.Lines() {
		r.gha.AddMask(line)
	}
}

// CheckFiles makes sure that outputs and summary can be written at the end,
// since a sealed value that can't be handed on may be lost.
func (r *Reporter) CheckFiles() error {
	var errs []error
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
			errs = append(errs, fmt.Errorf("%s can't be written: %w", name, err))
			continue
		}
		_ = f.Close()
	}
	return secret.Join(errs...)
}

// Line writes one line of the log.
func (r *Reporter) Line(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gha.Infof("%s", r.line(text))
}

// Warn annotates the step.
func (r *Reporter) Warn(text string) { r.annotate("warning", text) }

// annotate writes an annotation of several lines; past the ten that GitHub keeps
// of a kind, and outside Actions, the same as plain lines.
func (r *Reporter) annotate(kind string, lines ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, line := range lines {
		lines[i] = r.line(line)
		if i > 0 {
			lines[i] = "  " + lines[i]
		}
	}
	r.annoted[kind]++
	if !r.actions || r.annoted[kind] > MaxAnnotations {
		r.gha.Infof("%s", strings.ToUpper(kind[:1])+kind[1:]+": "+strings.Join(lines, "\n"))
		return
	}
	text := strings.Join(lines, "\n")
	if len(text) > 4000 { // GitHub keeps 4,096 characters
		text = strings.ToValidUTF8(text[:4000], "") + "…"
	}
	if kind == "error" {
		r.gha.Errorf("%s", text)
	} else {
		r.gha.Warningf("%s", text)
	}
}

// line makes text from outside harmless as one line of the log.
func (r *Reporter) line(text string) string {
	text = plain(r.masks.Redact(text))
	if trimmed := strings.TrimLeft(text, " "); strings.HasPrefix(trimmed, "::") {
		text = text[:len(text)-len(trimmed)] + ": " + trimmed[1:]
	}
	return text
}

// plain shows what is not printable as an escape, a line break above all, and
// breaks up the older form of a workflow command, which the runner finds
// anywhere in a line.
func plain(s string) string {
	var b strings.Builder
	for i, n := 0, 0; i < len(s); i += n {
		var c rune
		c, n = utf8.DecodeRuneInString(s[i:])
		switch {
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case c == ' ' || strconv.IsPrint(c):
			b.WriteString(s[i : i+n])
		default:
			q := strconv.QuoteRuneToASCII(c)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return strings.ReplaceAll(b.String(), "##[", "# #[")
}

// Failure stops a run before it began.
func (r *Reporter) Failure(fact string, more ...string) {
	r.annotate("error", append([]string{fact}, more...)...)
}

// count writes a number with the noun that goes with it: "1 secret", "1,000
// secrets", "2 repositories".
func count(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "ry"); ok {
			noun = stem + "rie"
		}
		noun += "s"
	}
	return number(n) + " " + noun
}

func number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
