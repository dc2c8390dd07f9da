package report

import (
	"fmt"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// severity is how bad a result is. The title has the sign of the worst.
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

// severityOf rates a result. In a review, a secret that every repository may read is worth a warning.
func severityOf(run Run, result secret.Result) severity {
	switch {
	case result.Operation == secret.Failed:
		return failed
	case result.Operation == secret.Unknown:
		return unknown
	case result.Check != nil && result.Check.Due:
		return due
	case result.Err != nil, run.ListRepositories && result.Access.Visibility == secret.All:
		return warned
	}
	return fine
}

// outcome returns the title of a run, with the name of a single secret or with counts, and its sign.
func outcome(run Run) (sign, title string) {
	if len(run.Refused) > 0 {
		problems := secret.Count(len(run.Refused), "problem")
		return signs[failed], fmt.Sprintf("%s %s; nothing was sent to GitHub", problems, run.RefusedFor)
	}
	worst := fine
	for _, result := range run.Results {
		worst = max(worst, severityOf(run, result))
	}
	if run.Mode == secret.ModeAccess {
		title = "access to "
	}
	if len(run.Results) == 1 && run.Results[0].Name != "" {
		title += phrase(run, run.Results[0])
		if run.Org != "" {
			title += " in " + run.Org
		}
	} else {
		title += tally(run)
		if run.Org != "" {
			title = run.Org + ": " + title
		}
	}
	if run.DryRun {
		title += " (dry run, nothing was written)"
	}
	return signs[worst], title
}

const openToAll, withError = "open to every repository", "with an error"

// fate is the end of a secret in the words of the title: "stored", "failed", "older than 90 days".
func fate(run Run, result secret.Result) string {
	switch {
	case result.Operation == secret.Failed, result.Operation == secret.Unknown, result.Operation == secret.Unchanged:
		return string(result.Operation)
	case result.Check == nil:
		return done(run)
	case !result.Check.Exists:
		return "missing"
	case result.Check.Due:
		return "older than " + secret.FormatDuration(run.MaxAge)
	}
	return done(run)
}

// done is the fate of a secret without a problem.
func done(run Run) string {
	switch {
	case run.Mode == secret.ModeCheck && run.MaxAge > 0:
		return "within " + secret.FormatDuration(run.MaxAge)
	case run.DryRun:
		return "would be " + verbs[run.Mode]
	}
	return verbs[run.Mode]
}

// verbs are the participles of the modes.
var verbs = map[secret.Mode]string{
	secret.ModeSet: "stored", secret.ModeSeal: "sealed", secret.ModeAccess: "changed", secret.ModeCheck: "checked",
}

// phrase is the title of a run of a single secret.
func phrase(run Run, result secret.Result) string {
	verb, name := verbs[run.Mode], string(result.Name)
	text := fate(run, result)
	switch {
	case len(result.Added)+len(result.Removed) > 0 && result.Failed() && !run.DryRun:
		return name + " " + verb + " in part"
	case result.Operation == secret.Failed:
		return name + " not " + verb
	case result.Operation == secret.Unknown:
		return name + " may or may not be " + verb
	case run.Mode == secret.ModeSet:
		text = result.Operation.Text()
	case run.Mode == secret.ModeCheck && severityOf(run, result) == warned:
		text = "is " + openToAll
	case run.Mode == secret.ModeCheck && text != verb:
		text = "is " + text
	}
	if result.Err != nil {
		text += " " + withError
	}
	return name + " " + text
}

// tally counts the secrets by their fate: "24 of 30 secrets stored, 5 failed, 1 unknown". A check tells those that
// are in order only if there are no others.
func tally(run Run) string {
	total, unread, numbers, noun := 0, 0, map[string]int{}, "secret"
	if run.Mode == secret.ModeSeal {
		noun = "value"
	}
	for _, result := range run.Results {
		if result.Name == "" && run.Mode == secret.ModeCheck { // the list of a store
			unread++
			continue
		}
		total++
		numbers[fate(run, result)]++
		if run.ListRepositories && result.Access.Visibility == secret.All {
			numbers[openToAll]++
		}
		if severityOf(run, result) == warned && result.Err != nil {
			numbers[withError]++
		}
	}
	first := []string{done(run), "unchanged"}
	if run.Mode == secret.ModeCheck {
		first = []string{"older than " + secret.FormatDuration(run.MaxAge), "missing", openToAll}
	}
	first = slices.DeleteFunc(first, func(text string) bool { return numbers[text] == 0 })
	if len(first) == 0 {
		first = []string{done(run)}
	}
	parts := []string{secret.Count(total, noun) + " " + first[0]}
	if n := numbers[first[0]]; n != total {
		parts[0] = secret.FormatCount(n) + " of " + parts[0]
	}
	for _, text := range append(first[1:], "failed", "unknown", withError) {
		if n := numbers[text]; n > 0 {
			parts = append(parts, secret.FormatCount(n)+" "+text)
		}
	}
	if unread > 0 {
		parts = append(parts, secret.Count(unread, "list")+" of secrets not read")
	}
	return strings.Join(parts, ", ")
}
