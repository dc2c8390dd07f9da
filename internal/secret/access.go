package secret

import (
	"cmp"
	"slices"
	"time"
)

// Repository is a repository as access lists name it. FullName ("org/repo") is
// empty where only the id was given.
type Repository struct {
	ID       int64
	FullName string
}

// Access is who may read a secret: a visibility and, where that is Selected,
// the repositories, which may be none at all.
type Access struct {
	Visibility   Visibility
	Repositories []Repository
}

// IDs returns the ids of the selected repositories, ascending, each once.
// It is never nil, since GitHub reads a list that was left out as an empty one
// and we never leave that to chance.
func (a Access) IDs() []int64 {
	ids := make([]int64, 0, len(a.Repositories))
	for _, r := range a.Repositories {
		ids = append(ids, r.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Standing is what GitHub has today of one secret.
type Standing struct {
	Name      Name
	Exists    bool
	UpdatedAt time.Time
	// Access has the list of repositories only where it was asked for.
	Access Access
	// Hidden counts selected repositories that the token can't see, so that
	// Access.Repositories lacks them.
	Hidden int
}

// Change is what a write does to the access of a secret that stands.
type Change struct {
	From, To       Visibility // From is empty for a new secret, and where nobody looked
	Added, Removed []Repository
	Hidden         int // repositories taken away that the token can't see
	Kept           int // repositories that stay
}

// Any reports whether access changes at all.
func (c Change) Any() bool {
	return c.From != "" && c.From != c.To || len(c.Added) > 0 || len(c.Removed) > 0 || c.Hidden > 0
}

// Diff tells what becomes of access when a secret that stands as from gets to.
func Diff(from Standing, to Access) Change {
	c := Change{To: to.Visibility}
	if from.Exists {
		c.From = from.Access.Visibility
	}
	before := map[int64]bool{}
	for _, r := range from.Access.Repositories {
		before[r.ID] = true
	}
	after := map[int64]bool{}
	for _, r := range to.Repositories {
		if after[r.ID] {
			continue
		}
		after[r.ID] = true
		if before[r.ID] {
			c.Kept++
		} else {
			c.Added = append(c.Added, r)
		}
	}
	for _, r := range from.Access.Repositories {
		if !after[r.ID] {
			c.Removed = append(c.Removed, r)
		}
	}
	c.Hidden = from.Hidden
	byName := func(a, b Repository) int {
		return cmp.Or(cmp.Compare(a.FullName, b.FullName), cmp.Compare(a.ID, b.ID))
	}
	slices.SortFunc(c.Added, byName)
	slices.SortFunc(c.Removed, byName)
	return c
}
