package upsert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// Warnings about several secrets, each given once a run, with places for their names and for details.
const (
	newPrivate = "New secrets are private unless access is given, so every private and internal repository can read " +
		"{secrets}. To choose who can, set visibility or selected_repositories."
	unreadAccess = "The inputs replace the access of {secrets}, and it is not known what that takes away: {details}."

	unknownProperties = "GitHub shows a property that this version of the action does not know ({details}) of " +
		"{secrets}. An update may reset it: look for a newer version."
)

type noted struct {
	items   []int
	details []string
}

// noteEffects notes what a write of a value did, or would do in a dry run. The caller holds the lock.
func (v *value) noteEffects(i int, w *write, op secret.Operation) {
	note := func(warning string, details ...string) {
		n := v.noted[warning]
		v.noted[warning] = noted{append(n.items, i), append(n.details, details...)}
	}
	_, isGiven := v.desired.given()
	switch {
	case op == secret.Failed:
		return
	case !isGiven && (op == secret.Created || op == secret.WouldCreate):
		note(newPrivate)
	case isGiven && w.before.Err != nil:
		note(unreadAccess, secret.AsError(w.before.Err).Fact())
	case isGiven && w.before.Hidden != 0:
		note(unreadAccess, "this token cannot see all repositories on the list")
	}
	if len(w.before.Unknown) > 0 {
		note(unknownProperties, w.before.Unknown...)
	}
}

func (e *executor) warnOfEffects() {
	for _, warning := range slices.Sorted(maps.Keys(e.noted)) {
		noted := e.noted[warning]
		slices.Sort(noted.details)
		details := strings.Join(slices.Compact(noted.details), ", ")
		names := strings.NewReplacer("{secrets}", e.namesOf(noted.items), "{details}", details)
		e.Warn(names.Replace(warning))
	}
}

func (e *executor) namesOf(items []int) string {
	slices.Sort(items)
	first, more := secret.FirstOf(items, 10)
	var names []string
	for _, i := range first {
		names = append(names, fmt.Sprintf("%s in %s", e.Items[i].Name, e.Items[i].Store))
	}
	if more > 0 {
		names = append(names, secret.FormatCount(more)+" more")
	}
	return secret.Count(len(items), "secret") + " (" + strings.Join(names, ", ") + ")"
}
