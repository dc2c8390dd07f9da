package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/secret"
)

const (
	maxAnnotations     = 10   // annotations of each kind that GitHub keeps of a step
	maxAnnotationBytes = 4000 // below the 4,096 characters at which GitHub cuts an annotation
	maxInputBytes      = 128<<10 - len("INPUT_SEALED=\x00")
	maxDue             = 20 // due secrets that are listed; the others are counted
)

// note has the lines of an annotation. Empty lines are left out. A note of only empty lines is not written.
type note []string

// Warn annotates the step with a warning.
func (r *Reporter) Warn(text string) { r.annotate("warning", note{text}) }

// annotate writes an annotation. Outside Actions, and after maxAnnotations of a kind, it logs the text instead.
func (r *Reporter) annotate(kind string, n note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := join("\n  ", convert(n, r.sanitizeLine)...)
	if text == "" {
		return
	}
	r.annotated[kind]++
	if !r.actions || r.annotated[kind] > maxAnnotations {
		r.gha.Infof("%s: %s", strings.ToUpper(kind[:1])+kind[1:], text)
		return
	}
	r.gha.IssueCommand(&githubactions.Command{Name: kind, Message: cut(text, maxAnnotationBytes)})
}

func errorNotes(d document) (notes []note) {
	if len(d.Problems) > 0 {
		return []note{append(note{d.title, todo + d.problemsStep}, d.Problems...)}
	}
	for _, f := range d.failures {
		names := listNames(labels(f.entries), maxNames, strings.Clone)
		notes = append(notes, note{names + ": " + f.fact, f.cause, todo + f.step, f.saved})
	}
	return notes
}

// leftOutNote returns a warning if the outputs have no room for some rows or values.
func leftOutNote(d document) note {
	rows := len(filter(d.entries, func(e *entry) bool { return !e.hasRow }))
	values := len(filter(d.entries, (*entry).outsideOutputs))
	if rows+values == 0 || d.room.outputs == 0 {
		return nil
	}
	return note{fmt.Sprintf("the outputs are limited to 1 MB and leave out %s and %s; the log has every name. "+
		"Name fewer secrets or stores in one run. The input sealed takes only rows that have an encrypted_value.",
		secret.Count(rows, "row"), secret.Count(values, "sealed value"))}
}

// longNote returns a warning if the output results has sealed values and is too long for the input sealed.
func longNote(d document) note {
	if !slices.ContainsFunc(d.entries, (*entry).isUsable) {
		return nil
	}
	size := len(results(d))
	if size <= maxInputBytes {
		return nil
	}
	return note{fmt.Sprintf("the output results has %s bytes, too many for the input sealed: Linux limits a variable "+
		"to 128 KiB. Pass each row alone, as in '[${{ toJSON(fromJSON(RESULTS)[0]) }}]', or seal fewer secrets.",
		secret.FormatCount(size))}
}

func dueNote(d document) (n note) {
	first, more := secret.FirstOf(byAge(filter(d.entries, func(e *entry) bool { return e.severity == due })), maxDue)
	for _, e := range first {
		n = append(n, e.label+" is due: "+ageText(*e.Check))
	}
	if more > 0 {
		n = append(n, secret.Count(more, "more due secret")+"; see the log and the job summary")
	}
	return n
}

// WarnExpiry warns about a personal token that expires within a week. App tokens have no date: at is zero.
func (r *Reporter) WarnExpiry(at, now time.Time) {
	if !at.IsZero() && at.Sub(now) < 7*24*time.Hour {
		r.Warn(fmt.Sprintf("the token expires on %s; replace it before then", secret.FormatTime(at)))
	}
}
