package report

import (
	"fmt"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

// Line logs one line.
func (r *Reporter) Line(text string) { r.lines(text) }

// lines logs lines that no other line comes between.
func (r *Reporter) lines(lines ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range lines {
		r.gha.Infof("%s", r.sanitizeLine(line))
	}
}

// Header logs the first line of a run. host is that of the API, or empty if no request will be sent.
func (r *Reporter) Header(version string, mode secret.Mode, org, host string, dryRun bool) {
	text := "set-org-secret " + version + " · offline"
	if host != "" {
		text = fmt.Sprintf("set-org-secret %s · %s at %s", version, org, host)
	}
	text += " · mode " + string(mode)
	if dryRun {
		text += " · dry run, nothing is written"
	}
	switch {
	case dryRun:
		r.operationWidth = len(secret.WouldUpdate)
	case mode == secret.ModeAccess:
		r.operationWidth = len(secret.Unchanged)
	}
	r.Line(text)
}

// maxNameWidth leaves half of a line of 80 columns to the rest of a row.
const maxNameWidth = 40

// FitColumn widens the first column of the rows that follow to a name. A name that is longer than maxNameWidth widens
// only its own row, which stays one line, so that a search for the name finds its result.
func (r *Reporter) FitColumn(name secret.Name) {
	if len(name) <= maxNameWidth {
		r.nameWidth = max(r.nameWidth, len(name))
	}
}

// Rows logs a row for each result.
func (r *Reporter) Rows(results []secret.Result) {
	for _, result := range results {
		r.FitColumn(result.Name)
	}
	for _, result := range results {
		r.Row(result)
	}
}

// Row logs one result: name, store, operation, and the short reason of a failure or the access.
func (r *Reporter) Row(result secret.Result) {
	text := fmt.Sprintf("%-*s   %-*s   %-*s   ", r.nameWidth, result.Name,
		len(secret.Dependabot), result.Store, r.operationWidth, result.Operation)
	switch {
	case result.Err != nil:
		text += asError(result.Err).Problem
	case result.Check != nil:
		text += ageText(*result.Check)
		if result.Check.Listed {
			text += ", " + accessText(result)
		}
		if result.Check.Due {
			text += ", due"
		}
	case result.Operation == secret.SealedOnly:
		text += "with key " + result.KeyID
	default:
		text += accessText(result)
	}
	lines := []string{strings.TrimRight(text, " ")}
	if mayHaveChanged(result) {
		for _, line := range changeLines(result.Change) {
			lines = append(lines, "  "+line)
		}
	}
	r.lines(lines...)
}

func ageText(c secret.Check) string {
	if !c.Exists {
		return "missing"
	}
	return daysText(c.Age) + " old, last updated " + c.UpdatedAt.UTC().Format(time.DateOnly)
}

// daysText returns an age in whole days.
func daysText(age time.Duration) string {
	if n := days(age); n > 0 {
		return count(n, "day")
	}
	return "less than a day"
}

// accessText returns who may read a secret and whether that changed.
func accessText(result secret.Result) string {
	text := string(result.Access.Visibility)
	if result.Access.Visibility == secret.Selected {
		text += ", " + count(len(result.Access.IDs()), "repository")
		if result.Hidden > 0 {
			text += fmt.Sprintf(" and %s that this token cannot see", secret.FormatCount(result.Hidden))
		}
	}
	c := result.Change
	switch {
	case c.From == "":
	case c.From != c.To:
		text += fmt.Sprintf(" (was %s)", c.From)
	case !c.Any() && result.Operation != secret.Unchanged:
		text += " (unchanged)"
	}
	return text
}

// mayHaveChanged reports whether the write of a result was applied, would be, or may have been, in part at least.
func mayHaveChanged(result secret.Result) bool {
	return result.Err == nil || result.Stored() || result.Operation == secret.Unknown ||
		len(result.Added)+len(result.Removed) > 0
}

// changeLines lists the repositories that gain and lose access to an existing secret, at most 100 of each.
func changeLines(c secret.Change) []string {
	if c.From == "" {
		return nil
	}
	const most = 100
	var lines []string
	list := func(sign string, repositories []secret.Repository) {
		for i, repo := range repositories {
			if i == most {
				lines = append(lines, fmt.Sprintf("%s and %s more", sign, secret.FormatCount(len(repositories)-i)))
				return
			}
			lines = append(lines, sign+" "+repo.String())
		}
	}
	list("+", c.Added)
	list("−", c.Removed)
	if c.Hidden > 0 {
		lines = append(lines, "− "+count(c.Hidden, "repository")+" that this token cannot see")
	}
	return lines
}

// footer is the last line of the log.
func footer(run Run) string {
	_, text := outcome(run)
	if len(run.Refused) > 0 {
		return text
	}
	return fmt.Sprintf("%s: %s, %s", text, count(run.Requests, "request"), secret.FormatDuration(run.Took))
}

// days returns d in whole days of 24 hours.
func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

// count returns a number with its noun: "1 secret", "1,000 secrets", "2 repositories".
func count(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "ry"); ok {
			noun = stem + "rie"
		}
		noun += "s"
	}
	return secret.FormatCount(n) + " " + noun
}

// progressInterval is the least time between two lines of progress.
const progressInterval = 20 * time.Second

// Progress logs how far a batch has come that takes longer than a minute.
type Progress struct {
	report           *Reporter
	total, perMinute int
	done, failed     int
	loggedAt         time.Time
}

// NewProgress returns the Progress of total writes, of which perMinute are sent in a minute.
func (r *Reporter) NewProgress(total, perMinute int) *Progress {
	return &Progress{report: r, total: total, perMinute: perMinute, loggedAt: time.Now()}
}

// Add counts a result and logs a line, unless the last one was logged less than 20 seconds ago or the batch is short.
func (p *Progress) Add(result secret.Result) {
	p.done++
	if result.Failed() {
		p.failed++
	}
	if p.total <= p.perMinute || p.done == p.total || time.Since(p.loggedAt) < progressInterval {
		return
	}
	p.loggedAt = time.Now()
	text := fmt.Sprintf("%s of %s stored", secret.FormatCount(p.done-p.failed), secret.FormatCount(p.total))
	if p.failed > 0 {
		text += fmt.Sprintf(", %s failed", secret.FormatCount(p.failed))
	}
	left := time.Duration(p.total-p.done) * time.Minute / time.Duration(p.perMinute)
	about := count(int(left.Round(time.Minute)/time.Minute), "minute")
	if left < time.Minute {
		about = count(int(left.Round(time.Second)/time.Second), "second")
	}
	p.report.Line(fmt.Sprintf("%s, %d a minute, about %s left", text, p.perMinute, about))
}
