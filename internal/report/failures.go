package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

func causeOf(err error) string {
	if e, ok := errors.AsType[*secret.Error](err); ok {
		return e.Cause
	}
	return ""
}

func adviceOf(err error) string {
	if e, ok := errors.AsType[*secret.Error](err); ok {
		return e.Hint
	}
	return ""
}

// fact is what an error says but for GitHub's request id and the attempts.
func fact(err error) string {
	if e, ok := err.(*secret.Error); ok { //nolint:errorlint // a wrapped one has a text of its own
		return e.Fact()
	}
	return err.Error()
}

// full is the error with GitHub's request id.
func full(err error) string {
	if e, ok := errors.AsType[*secret.Error](err); ok && e.RequestID != "" {
		return err.Error() + " (request " + e.RequestID + ")"
	}
	return err.Error()
}

// alike puts failures together of which key says the same, each where the first
// of them stands: a reason that a batch shares is told once.
func alike(failed []secret.Result, key func(secret.Result) string) [][]secret.Result {
	var groups [][]secret.Result
	index := map[string]int{}
	for _, o := range failed {
		k := key(o)
		i, ok := index[k]
		if !ok {
			i = len(groups)
			index[k] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], o)
	}
	return groups
}

// failures annotates what went wrong, in input order.
func (r *Reporter) failures(run Run, left, lost []secret.Result) {
	rest := func(o secret.Result, n int) []string { return aftermath(run, o, n, has(left, o), has(lost, o)) }
	failed := failedOf(run.Outcomes)
	told := 0
	for i, group := range alike(failed, func(o secret.Result) string { return strings.Join(append(rest(o, 1), fact(o.Err)), "\n") }) {
		if i == MaxAnnotations-1 && told+len(group) < len(failed) {
			r.annotate("error", fmt.Sprintf("and %s more, each named in the log and in the job summary", number(len(failed)-told)))
			break
		}
		told += len(group)
		r.annotate("error", append([]string{headings(group) + ": " + full(group[0].Err)}, rest(group[0], len(group))...)...)
	}
}

func failedOf(outcomes []secret.Result) (failed []secret.Result) {
	for _, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, o)
		}
	}
	return failed
}

// aftermath says what to do about a failure that n secrets share, and what was
// saved.
func aftermath(run Run, o secret.Result, n int, left, lost bool) (lines []string) {
	if advice := adviceOf(o.Err); advice != "" {
		lines = append(lines, advice)
	}
	kept, it, value := "value is", "it was", "value"
	if n > 1 {
		kept, it, value = "values are", "they were", "values"
	}
	switch {
	case run.Mode == "set" && !run.DryRun && o.EncryptedValue == "" && o.Operation == secret.Failed:
		lines = append(lines, "Nothing could be sealed, so nothing is kept: leave the old credential in force until a run has stored the new one.")
	case !usable(run, o) || lost:
	case left:
		lines = append(lines, "The sealed "+kept+" kept in the job summary; nothing has to be rotated again.")
	default:
		lines = append(lines, "The sealed "+kept+" kept in this step's outputs and summary; nothing has to be rotated again.")
	}
	if o.Operation == secret.Unknown {
		lines = append(lines, "Nobody knows whether "+it+" stored: storing the sealed "+value+" once more is safe.")
	}
	return lines
}

// reason says in the log's row why one secret failed, or which one before it
// failed for the same reason.
func (r *Reporter) reason(o secret.Result) string {
	why := cmp.Or(causeOf(o.Err), full(o.Err))
	key := cmp.Or(causeOf(o.Err), fact(o.Err))
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, ok := r.reasons[key]; ok {
		return "as " + first
	}
	r.reasons[key] = heading(o)
	return why
}

func heading(o secret.Result) string {
	if o.Name == "" {
		return string(o.Store) + " secrets"
	}
	return fmt.Sprintf("%s in %s", o.Name, o.Store)
}

// headings names the first of several secrets, and counts the others.
func headings(group []secret.Result) string {
	const most = 3
	oneStore := !slices.ContainsFunc(group, func(o secret.Result) bool { return o.Store != group[0].Store || o.Name == "" })
	var names []string
	for _, o := range group[:min(len(group), most)] {
		name := heading(o)
		if oneStore {
			name = string(o.Name)
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	if more := len(group) - most; more > 0 {
		text += fmt.Sprintf(" and %s more", number(more))
	}
	if oneStore {
		text += " in " + string(group[0].Store)
	}
	return text
}
