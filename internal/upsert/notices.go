package upsert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"set-org-secret/internal/secret"
)

// notices collect what concerns several items, for one warning a run about each.
type notices struct {
	newPrivate, unread, extended []int // indexes of items

	readErr    error    // the first one
	properties []string // that this version does not know
}

// notice notes what a write of a value did, or would do in a dry run. The caller holds the lock.
func (v *value) notice(i int, w *write, r secret.Result) {
	if r.Operation == secret.Failed {
		return
	}
	n := &v.notices
	_, isGiven := v.desired.given()
	switch isRead := !w.before.ReadAt.IsZero(); {
	case !isGiven && (r.Operation == secret.Created || r.Operation == secret.WouldCreate):
		n.newPrivate = append(n.newPrivate, i)
	case isGiven && (!isRead || w.before.Hidden != 0):
		n.unread, n.readErr = append(n.unread, i), cmp.Or(n.readErr, v.readErr)
	}
	if len(w.before.Unknown) > 0 {
		n.extended = append(n.extended, i)
		n.properties = append(n.properties, w.before.Unknown...)
	}
}

// warnOfSeveral warns of all notices.
func (e *executor) warnOfSeveral() {
	n := e.notices
	reason := "this token cannot see all repositories on the list"
	if n.readErr != nil {
		err := secret.AsError(n.readErr)
		reason = err.Fact()
	}
	slices.Sort(n.properties)
	properties := strings.Join(slices.Compact(n.properties), ", ")
	for _, warning := range []struct {
		items []int
		text  string
	}{
		{n.newPrivate, "New secrets are private unless access is given, so every private and internal repository can read " +
			"{secrets}. To choose who can, set visibility or selected_repositories."},
		{n.unread, "The inputs replace the access of {secrets}, and it is not known what that takes away: " + reason + "."},
		{n.extended, "GitHub shows a property that this version of the action does not know (" + properties + ") of {secrets}. " +
			"An update may reset it: look for a newer version."},
	} {
		if len(warning.items) > 0 {
			e.Warn(strings.Replace(warning.text, "{secrets}", e.namesOf(warning.items), 1))
		}
	}
}

// namesOf counts items and names the first ones in input order.
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
