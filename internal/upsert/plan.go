package upsert

import (
	"fmt"

	"set-org-secret/internal/secret"
)

// desired is the access that the inputs set. Without a visibility, an existing secret keeps its access, and a new
// one is private.
type desired struct {
	secret.Access
	hasGlob   bool // a glob selected some of the repositories
	keepsList bool // the secret keeps its list of repositories, and must have one
}

func newDesired(v secret.Visibility, s *secret.Selection) desired {
	d := desired{Access: secret.Access{Visibility: v}}
	switch {
	case s != nil:
		d.hasGlob = len(s.Patterns) > 0
	case v == secret.Selected:
		return desired{keepsList: true}
	}
	return d
}

// isSet reports whether the inputs set the access of new and of existing secrets.
func (d desired) isSet() bool { return d.Visibility != "" }

// needsExisting reports whether a write depends on the existing secret. If not, it is only read to report the change.
func (d desired) needsExisting() bool { return !d.isSet() || d.hasGlob }

// accessFor returns the access to write to a secret. The error is a *secret.Error if it must not be written.
func (d desired) accessFor(existing secret.Existing) (secret.Access, error) {
	switch {
	case d.hasGlob && existing.Hidden != 0:
		return secret.Access{}, hiddenError(existing, ", and a glob may mean the others")
	case d.isSet():
		return d.Access, nil
	case d.keepsList && existing.Access.Visibility != secret.Selected:
		return secret.Access{}, &secret.Error{
			Problem: "visibility: selected needs a repository list, because the secret has none yet",
			Hint:    "Name the repositories in selected_repositories, or use none for an empty list.",
		}
	case !existing.Exists:
		return secret.Access{Visibility: secret.Private}, nil
	case existing.Hidden != 0:
		return secret.Access{}, hiddenError(existing, "; writing that list would remove the others")
	}
	return existing.Access, nil
}

// hiddenError returns the error for a list of which the token sees only a part. effect ends its text.
func hiddenError(existing secret.Existing, effect string) error {
	shown := len(existing.Access.Repositories)
	all := shown + existing.Hidden
	return &secret.Error{
		Problem: fmt.Sprintf("the token can see only %d of %d selected repositories%s", shown, all, effect),
		Cause: "A classic token needs the scope repo to see private repositories; " +
			"a fine-grained or App token sees those it was granted.",
		Hint: "Use a token that can see all of them (in actions/create-github-app-token, set owner), or name the " +
			"repositories without globs, and those that it cannot see in selected_repository_ids.",
	}
}

// checkSelected returns an error unless a secret has a list of repositories. Without one, access needs the value.
func checkSelected(existing secret.Existing) error {
	switch visibility := existing.Access.Visibility; {
	case !existing.Exists:
		return &secret.Error{
			Problem: "the secret does not exist, or this token cannot see it",
			Hint:    "Store it first, in mode set with visibility: selected.",
		}
	case visibility != secret.Selected:
		return &secret.Error{
			Problem: fmt.Sprintf("the secret's visibility is %s, so it has no list of repositories", visibility),
			Hint:    "Store it in mode set with visibility: selected and the list; that needs its value once.",
		}
	}
	return nil
}
