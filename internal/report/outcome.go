package report

import (
	"fmt"
	"slices"

	"set-org-secret/internal/secret"
)

// severity rates a result. The title has the sign of the worst.
type severity int

const (
	fine severity = iota
	warned
	due
	unknown
	failed
)

// signs stand before a title or a name, by severity.
var signs = [...]string{"✅", "⚠️", "🔴", "❓", "❌"}

// outcome is a result in the words of a title.
type outcome struct {
	severity severity
	counts   []string // the counts that include the secret: "stored", "with an error"
	phrase   string   // the words after the name of a single secret: "updated with an error"
}

// Counts of a title.
const missing, openToAll, withError = "missing", "open to every repository", "with an error"

var words = map[secret.Mode]struct{ object, noun, verb string }{
	secret.ModeSet:    {"", "secret", "stored"},
	secret.ModeSeal:   {"", "value", "sealed"},
	secret.ModeAccess: {"access to ", "secret", "updated"},
	secret.ModeCheck:  {"", "secret", "checked"},
}

// done returns the words for secrets that are as they should be: "stored", "would be stored", "within 90 days".
func done(run Run) string {
	verb := words[run.Mode].verb
	switch {
	case run.MaxAge > 0:
		return "within " + secret.FormatDuration(run.MaxAge)
	case run.DryRun:
		return "would be " + verb
	}
	return verb
}

// tooOld returns the words for secrets that are due because of their age: "older than 90 days".
func tooOld(run Run) string { return "older than " + secret.FormatDuration(run.MaxAge) }

// newOutcome returns the outcome of a result. A review warns about a secret that every repository may read.
func newOutcome(run Run, result secret.Result) outcome {
	verb, check := words[run.Mode].verb, result.Check
	o := outcome{fine, []string{done(run)}, result.Operation.Text()}
	switch {
	case result.Operation == secret.Failed:
		o = outcome{failed, []string{"failed"}, "not " + verb}
	case result.Operation == secret.Unknown:
		o = outcome{unknown, []string{"unknown"}, "may or may not be " + verb}
	case result.Operation == secret.Unchanged, result.Operation == secret.Skipped:
		o.counts = []string{o.phrase}
	case check != nil && !check.Exists:
		o = outcome{due, []string{missing}, "is " + missing}
	case check != nil && check.Due:
		o = outcome{due, []string{tooOld(run)}, "is " + tooOld(run)}
	case run.MaxAge > 0:
		o.phrase = "is " + done(run)
	}
	if run.ListRepositories && result.Access.Visibility == secret.All {
		o.counts = append(o.counts, openToAll)
		if o.severity == fine {
			o.severity, o.phrase = warned, "is "+openToAll
		}
	}
	if result.Err != nil && o.severity < due {
		o = outcome{warned, append(o.counts, withError), o.phrase + " " + withError}
	}
	if len(result.Added)+len(result.Removed) > 0 && result.Failed() && !run.DryRun {
		o.phrase = verb + " in part"
	}
	return o
}

// newTitle returns the title of a report and its sign. The title has the outcome of a single secret, or counts.
func newTitle(d document) (sign, title string) {
	if len(d.Problems) > 0 {
		problems := secret.Count(len(d.Problems), "problem")
		return signs[failed], fmt.Sprintf("%s %s; nothing was sent to GitHub", problems, d.Where)
	}
	if object := words[d.Mode].object; len(d.entries) == 1 && d.entries[0].Name != "" {
		title = fmt.Sprintf("%s%s %s in %s", object, d.entries[0].Name, d.entries[0].phrase, d.Org)
	} else {
		title = fmt.Sprintf("%s: %s%s", d.Org, object, d.counts())
	}
	if d.DryRun {
		title += " (dry run, nothing was written)"
	}
	worst := d.worst()
	if worst == fine && d.room.outputs == 0 {
		worst, title = warned, title+", but the outputs could not be written"
	}
	return signs[worst], title
}

func (d *document) worst() severity {
	if len(d.Problems) > 0 {
		return failed
	}
	worst := fine
	for _, e := range d.entries {
		worst = max(worst, e.severity)
	}
	return worst
}

// counts counts the secrets by their outcome: "24 of 30 secrets stored, 5 failed, 1 unknown".
func (d *document) counts() string {
	numbers, lists, first := map[string]int{}, 0, done(d.Run)
	for _, e := range d.entries {
		if e.Name == "" && d.Mode == secret.ModeCheck {
			lists++ // the entry is for a whole list that was not read
			continue
		}
		for _, count := range e.counts {
			numbers[count]++
		}
	}
	total := len(d.entries) - lists
	// The first of these that occurs stands beside the total.
	heads := []string{tooOld(d.Run), missing, openToAll, first, "unchanged", "skipped"}
	if i := slices.IndexFunc(heads, func(count string) bool { return numbers[count] > 0 }); i >= 0 {
		first = heads[i]
	}
	text := secret.Count(total, words[d.Mode].noun) + " " + first
	if n := numbers[first]; n != total {
		text = secret.FormatCount(n) + " of " + text
	}
	delete(numbers, first)
	delete(numbers, done(d.Run))
	for _, count := range append(heads, "failed", "unknown", withError) {
		if n := numbers[count]; n > 0 {
			text += ", " + secret.FormatCount(n) + " " + count
		}
	}
	if lists > 0 {
		text += ", " + secret.Count(lists, "list") + " of secrets not read"
	}
	return text
}
