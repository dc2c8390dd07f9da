package report

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"set-org-secret/internal/secret"
)

const (
	// maxAnnotations is how many annotations of a kind GitHub keeps of one step.
	maxAnnotations = 10
	// maxAnnotationBytes is below the 4,096 characters at which GitHub cuts one.
	maxAnnotationBytes = 4000
	// expiresSoon is how long before a token expires a warning is due.
	expiresSoon = 7 * 24 * time.Hour
)

// Warn annotates the step with a warning.
func (r *Reporter) Warn(text string) { r.annotate("warning", text) }

// annotate writes an annotation with indented details. Past the ten that GitHub keeps of a kind, and outside Actions,
// it logs the same as plain lines.
func (r *Reporter) annotate(kind, problem string, details ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := r.sanitizeLine(problem)
	for _, line := range details {
		text += "\n  " + r.sanitizeLine(line)
	}
	r.annotated[kind]++
	if !r.actions || r.annotated[kind] > maxAnnotations {
		r.gha.Infof("%s: %s", strings.ToUpper(kind[:1])+kind[1:], text)
		return
	}
	text = cut(text, maxAnnotationBytes)
	if kind == "error" {
		r.gha.Errorf("%s", text)
	} else {
		r.gha.Warningf("%s", text)
	}
}

// annotationsLeft returns how many more annotations of a kind GitHub keeps.
func (r *Reporter) annotationsLeft(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(maxAnnotations-r.annotated[kind], 0)
}

// annotateFailures writes an error for each group of failures, in input order.
func (r *Reporter) annotateFailures(run Run, entries []*entry) {
	groups := groupFailures(run, entries)
	left := r.annotationsLeft("error")
	for i, g := range groups {
		if i >= left-1 && len(groups) > left {
			more := 0
			for _, g := range groups[i:] {
				more += len(g.entries)
			}
			r.annotate("error", count(more, "more failure")+"; see the log and the job summary")
			return
		}
		r.annotate("error", g.title+": "+g.problem, g.details()...)
	}
}

// reportUnsaved names the sealed values that do not fit in the outputs. It returns an error if any of them is not
// saved anywhere.
func (r *Reporter) reportUnsaved(run Run, entries []*entry) error {
	omitted, lost := 0, 0
	for _, e := range entries {
		switch e.saved {
		case inSummary:
			omitted++
			r.Line(title(e.Result) + ": sealed value is only in the job summary")
		case nowhere:
			omitted++
			lost++
			r.Line(title(e.Result) + ": sealed value was not saved anywhere")
		}
	}
	problem := "outputs are limited to 1 MB: " + count(omitted, "sealed value") + " omitted; see the log for the names"
	switch {
	case omitted == 0:
		return nil
	case lost == 0:
		r.Warn(problem + "; all of them are in the job summary")
		return nil
	case run.Mode == secret.ModeSeal:
		r.annotate("error", problem, "Seal fewer secrets in one run.")
	default:
		r.annotate("error", problem, fmt.Sprintf("The job summary has no room for %s of them. "+
			"Rotate these again, in smaller batches.", secret.FormatCount(lost)))
	}
	return errors.New(problem)
}

// warnLeftOut counts the rows that the output results lacks.
func (r *Reporter) warnLeftOut(mode secret.Mode, entries []*entry) {
	var counts [finishable + 1]int
	all := 0
	for _, e := range entries {
		if e.leftOut {
			counts[e.use()]++
			all++
		}
	}
	if all == 0 {
		return
	}
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{counts[done] + counts[doneAndDue], "done"},
		{counts[notDone], "not done"},
		{counts[finishable], "with a sealed value"},
	} {
		if part.n > 0 {
			parts = append(parts, secret.FormatCount(part.n)+" "+part.what)
		}
	}
	hint := "Name fewer secrets or stores in one run to have every row in the outputs."
	if mode == secret.ModeSet && slices.ContainsFunc(entries, (*entry).storableLater) {
		hint = "To finish the batch with the input sealed, list in secret_name only secrets that have a row."
	}
	r.Warn(fmt.Sprintf("the output results is limited to 1 MB and leaves out %s: %s. The log has every row. %s",
		count(all, "row"), strings.Join(parts, ", "), hint))
}

// WarnExpiry warns of a personal token that expires within a week, so that a scheduled run does not fail by surprise.
// at is zero if GitHub sent no date, as for the tokens of Apps, which last an hour.
func (r *Reporter) WarnExpiry(at, now time.Time) {
	left := at.Sub(now)
	if at.IsZero() || left >= expiresSoon {
		return
	}
	days := max(int(math.Ceil(left.Hours()/24)), 1)
	r.Warn(fmt.Sprintf("the token expires on %s (in %s); replace it before then",
		at.UTC().Format("2006-01-02 15:04 UTC"), count(days, "day")))
}

// warnDue warns of each secret that is due for rotation, the oldest first.
func (r *Reporter) warnDue(results []secret.Result) {
	due := slices.DeleteFunc(byAge(results), func(result secret.Result) bool {
		return result.Check == nil || !result.Check.Due
	})
	left := r.annotationsLeft("warning")
	for i, result := range due {
		if i >= left-1 && len(due) > left {
			r.Warn(secret.FormatCount(len(due)-i) + " more secrets are due; see the job summary")
			return
		}
		text := title(result) + " is missing"
		if result.Check.Exists {
			text = title(result) + " is due: " + ageText(*result.Check)
		}
		r.Warn(text)
	}
}
