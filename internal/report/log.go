package report

import (
	"fmt"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// Event logs an event, indented, to set it apart from the lines of results.
func (r *Reporter) Event(text string) { r.lines("  " + text) }

// lines logs lines, with no other line between them.
func (r *Reporter) lines(lines ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range lines {
		r.gha.Infof("%s", r.sanitizeLine(line))
	}
}

// Header logs the first line of a run. destination is where requests are sent.
func (r *Reporter) Header(version, destination string, mode secret.Mode, dryRun bool) {
	text := fmt.Sprintf("set-org-secret %s · %s · mode %s", version, destination, mode)
	switch {
	case dryRun:
		text += " · dry run, nothing is written"
		r.operationWidth = len(secret.WouldUpdate)
	case mode == secret.ModeAccess:
		r.operationWidth = len(secret.Unchanged)
	}
	r.lines(text)
}

// maxNameWidth is half of a line of 80 columns.
const maxNameWidth = 40

// FitColumn widens the first column of the next results to a name. A name over maxNameWidth moves only its own line.
func (r *Reporter) FitColumn(name secret.Name) {
	if len(name) <= maxNameWidth {
		r.nameWidth = max(r.nameWidth, len(name))
	}
}

// Results logs a line for each result: name, store, operation, and the short reason of a failure or the access.
func (r *Reporter) Results(results ...secret.Result) {
	for _, result := range results {
		r.FitColumn(result.Name)
	}
	for _, result := range results {
		text := fmt.Sprintf("%-*s   %-*s   %-*s   %s", r.nameWidth, result.Name, len(secret.Dependabot), result.Store,
			r.operationWidth, result.Operation, resultText(result))
		indented := convert(changeLines(result), func(line string) string { return "  " + line })
		r.lines(append([]string{strings.TrimRight(text, " ")}, indented...)...)
	}
}

func resultText(result secret.Result) string {
	switch {
	case result.Err != nil:
		return secret.AsError(result.Err).Problem
	case result.Operation == secret.Skipped:
		return "stored by an earlier run, as its row says"
	case result.Operation == secret.SealedOnly:
		return "with key " + result.KeyID
	case result.Check == nil:
		return accessText(result)
	}
	text := ageText(*result.Check)
	if result.Check.Listed {
		text += ", " + accessText(result)
	}
	if result.Check.Due {
		text += ", due"
	}
	return text
}

func ageText(c secret.Check) string {
	if !c.Exists {
		return "missing"
	}
	return secret.Count(days(c.Age), "day") + " old, last updated " + c.UpdatedAt.UTC().Format(time.DateOnly)
}

func accessText(result secret.Result) string {
	text := join(" and ", result.Access.Visibility.Text(len(result.Access.IDs())), hiddenText(result.Hidden))
	switch c := result.Change; {
	case c.From == "":
	case c.From != c.To:
		text += fmt.Sprintf(" (was %s)", c.From.Text(len(c.Removed)+c.Hidden))
	case !c.Any() && result.Operation != secret.Unchanged:
		text += " (unchanged)"
	}
	return text
}

func hiddenText(n int) string {
	if n == 0 {
		return ""
	}
	return secret.FormatCount(n) + " that this token cannot see"
}

// changeLines lists the repositories added to (+) and taken from (-) the list of an existing secret, unless all failed.
func changeLines(result secret.Result) []string {
	c := result.Change
	if c.From == "" || result.Operation == secret.Failed && len(result.Added)+len(result.Removed) == 0 {
		return nil
	}
	lines := convert(c.Added, func(repo secret.Repository) string { return "+ " + repo.String() })
	lines = append(lines, convert(c.Removed, func(repo secret.Repository) string { return "- " + repo.String() })...)
	if c.Hidden > 0 {
		lines = append(lines, "- "+secret.Count(c.Hidden, "repository")+" that this token cannot see")
	}
	return lines
}

func lastLine(d document) string {
	if len(d.Problems) > 0 {
		return d.title
	}
	return fmt.Sprintf("%s: %s, %s", d.title, secret.Count(d.Requests, "request"), secret.FormatDuration(d.Took))
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
