package upsert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// Warnings about several secrets, each given once a run, with placeholders for their names and for details.
const (
	newPrivate = "New secrets are private unless access is given, so every private and internal repository can read " +
		"{secrets}. To choose who can, set visibility or selected_repositories."
	unreadAccess = "The inputs replace the access of {secrets}, and it is not known what that takes away: {details}."

	unknownProperties = "GitHub shows a property that this version of the action does not know ({details}) of " +
		"{secrets}. An update may reset it: look for a newer version."
)

// warnOfEffects warns of changes that the writes of values made, or would make in a dry run.
func (e *executor) warnOfEffects() {
	names, details := map[string][]string{}, map[string][]string{}
	isSet := e.desired.isSet()
	for i, r := range e.results {
		note := func(warning string, more ...string) {
			names[warning] = append(names[warning], fmt.Sprintf("%s in %s", r.Name, r.Store))
			details[warning] = append(details[warning], more...)
		}
		before := e.before[i]
		switch {
		case r.Operation == secret.Failed:
			continue
		case !isSet && (r.Operation == secret.Created || r.Operation == secret.WouldCreate):
			note(newPrivate)
		case isSet && before.Err != nil:
			note(unreadAccess, secret.AsError(before.Err).Fact())
		case isSet && before.Hidden != 0:
			note(unreadAccess, "this token cannot see all repositories on the list")
		}
		if len(before.Unknown) > 0 {
			note(unknownProperties, before.Unknown...)
		}
	}
	for _, warning := range slices.Sorted(maps.Keys(names)) {
		first := strings.Join(secret.FirstTexts(names[warning], 10), ", ")
		secrets := secret.Count(len(names[warning]), "secret") + " (" + first + ")"
		slices.Sort(details[warning])
		facts := strings.Join(slices.Compact(details[warning]), ", ")
		e.Warn(strings.NewReplacer("{secrets}", secrets, "{details}", facts).Replace(warning))
	}
}
