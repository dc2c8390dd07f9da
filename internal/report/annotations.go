package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/sethvargo/go-githubactions"

	"set-org-secret/internal/secret"
)

const (
	// maxAnnotations is how many annotations of a kind GitHub keeps of one step.
	maxAnnotations = 10
	// maxAnnotationBytes is below the 4,096 characters at which GitHub cuts one.
	maxAnnotationBytes = 4000
)

// note is an annotation: a line, and those that explain it. Empty ones are left out.
type note []string

// Warn annotates the step with a warning.
func (r *Reporter) Warn(text string) { r.annotate("warning", note{text}) }

// annotate writes an annotation. Past the ten that GitHub keeps of a kind, and outside Actions, it logs the same as
// plain lines.
func (r *Reporter) annotate(kind string, n note) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(convert(filter(n, isNotEmpty), r.sanitizeLine), "\n  ")
	r.annotated[kind]++
	if !r.actions || r.annotated[kind] > maxAnnotations {
		r.gha.Infof("%s: %s", strings.ToUpper(kind[:1])+kind[1:], text)
		return
	}
	r.gha.IssueCommand(&githubactions.Command{Name: kind, Message: cut(text, maxAnnotationBytes)})
}

// annotateAll writes annotations. If GitHub would not keep all of them, the last one counts the others. Errors among
// those are logged; warnings are not, because the log has the same in its lines of results.
func (r *Reporter) annotateAll(kind string, notes []note, noun string) {
	r.mu.Lock()
	left := max(maxAnnotations-r.annotated[kind], 0)
	r.mu.Unlock()
	if len(notes) > left && r.actions {
		first, more := secret.FirstOf(notes, left-1)
		rest := notes[len(first):]
		notes = append(first, note{secret.Count(more, "more "+noun) + "; see the log and the job summary"})
		if kind == "error" {
			notes = append(notes, rest...)
		}
	}
	for _, n := range notes {
		r.annotate(kind, n)
	}
}

// errorNotes returns an error for a rejected run, or for each failure.
func errorNotes(d document) (notes []note) {
	if len(d.Problems) > 0 {
		return []note{append(note{d.title, todo + d.problemsStep}, d.Problems...)}
	}
	for _, f := range d.failures {
		names := listNames(labels(f.entries), maxNames, strings.Clone)
		notes = append(notes, note{names + ": " + f.fact, f.reason, todo + f.step, f.saved})
	}
	return notes
}

// leftOutNotes returns a warning if the outputs have no room for some rows or values.
func leftOutNotes(d document) []note {
	rows := len(filter(d.entries, func(e *entry) bool { return !e.hasRow }))
	values := len(filter(d.entries, (*entry).outsideOutputs))
	if rows+values == 0 || d.room.outputs == 0 {
		return nil
	}
	text := secret.Count(values, "sealed value")
	if rows > 0 {
		text = secret.Count(rows, "row") + " with " + text
	}
	return []note{{"the outputs are limited to 1 MB and leave out " + text + "; the log has every name. " +
		"Name fewer secrets or stores in one run. The input sealed takes only rows that have an encrypted_value."}}
}

// dueNotes returns a warning for each secret that is due for rotation, the oldest first.
func dueNotes(d document) (notes []note) {
	for _, e := range byAge(filter(d.entries, func(e *entry) bool { return e.severity == due })) {
		text := e.label + " is missing"
		if e.Check.Exists {
			text = e.label + " is due: " + ageText(*e.Check)
		}
		notes = append(notes, note{text})
	}
	return notes
}

// WarnExpiry warns about a personal token that expires within a week. App tokens have no date: at is zero.
func (r *Reporter) WarnExpiry(at, now time.Time) {
	left := at.Sub(now)
	if at.IsZero() || left >= 7*24*time.Hour {
		return
	}
	r.Warn(fmt.Sprintf("the token expires on %s; replace it before then", at.UTC().Format("2006-01-02 15:04 UTC")))
}
